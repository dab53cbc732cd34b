"""Versions of a fragment: hummings by people, and the intervals of covers that machines found."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from recordings.models.history import Stateful
from recordings.models.songs import Fragment, Recording


def take_name(humming: Humming, filename: str) -> str:
    return f"hummings/{humming.id}/take.wav"


class HummingQuerySet(models.QuerySet["Humming"]):
    def without_check(self) -> Self:
        return self.filter(state=Humming.State.SAVED, check_result=None)

    def accepted(self) -> Self:
        """Double-checked, and of a song that may be used."""
        return self.filter(state=Humming.State.ACCEPTED, fragment__recording__song__taken_down_at=None)

    def trainable(self) -> Self:
        """Accepted, and its singer lets models be trained on it."""
        return self.accepted().filter(ai_training=True)

    def hummed(self) -> Self:
        """Those whose phrase is not offered to their singer any more: all but what the check refused."""
        return self.exclude(state=Humming.State.REFUSED)

    def counting(self) -> Self:
        """Those of which a person has one a fragment at most: neither refused by the check nor withdrawn."""
        return self.exclude(state__in=Humming.MAY_BE_HUMMED_AGAIN)


class Humming(Stateful):
    """A person's take of a fragment. The audio is kept as it came and never shifted; all else is data beside it."""

    class State(models.TextChoices):
        SAVED = "saved"
        """Bytes and row are safe; the automatic check is to come."""
        CHECKED = "checked"
        """The automatic check is content; the double-check is to come."""
        REFUSED = "refused"
        """The automatic check found a fault; `check_result` says which."""
        ACCEPTED = "accepted"
        """People agreed that it is the fragment, in step."""
        REJECTED = "rejected"
        """People found a fault."""
        WITHDRAWN = "withdrawn"
        """Its singer took it back."""

    NEXT = {
        State.SAVED: {State.CHECKED, State.REFUSED, State.WITHDRAWN},
        State.CHECKED: {State.ACCEPTED, State.REJECTED, State.WITHDRAWN},
        State.REFUSED: {State.WITHDRAWN},
        State.ACCEPTED: {State.CHECKED, State.REJECTED, State.WITHDRAWN},
        State.REJECTED: {State.CHECKED, State.ACCEPTED, State.WITHDRAWN},
        State.WITHDRAWN: set(),
    }
    IN_A_SLOT = (State.SAVED, State.CHECKED, State.ACCEPTED)
    MAY_BE_HUMMED_AGAIN = (State.REFUSED, State.WITHDRAWN)

    # Made by the browser, so that sending twice makes one.
    id = models.UUIDField(primary_key=True, editable=False)
    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="hummings")
    singer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="hummings")
    state = models.CharField(max_length=10, choices=State, default=State.SAVED, db_index=True)
    surplus = models.BooleanField(default=False, help_text="Came when every slot was filled; kept all the same")
    simulated = models.BooleanField(default=False, help_text="Made by a simulated singer")
    # What its singer agreed to when it was hummed.
    consent_version = models.CharField(max_length=20)
    licence = models.CharField(max_length=40, default="CC-BY-4.0", help_text="SPDX identifier")
    ai_training = models.BooleanField(default=True, help_text="Its singer lets models be trained on it")

    audio = models.FileField(upload_to=take_name)
    audio_sha256 = models.CharField(max_length=64)
    sample_rate = models.PositiveIntegerField()
    frames = models.PositiveIntegerField()
    # The frame of the take at which the reference began to play, on the same clock; empty if it was not playing.
    reference_start_frame = models.IntegerField(null=True, blank=True)
    capture = models.JSONField(
        default=dict, help_text="What the browser told of the capture: gaps, granted settings, …"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HummingQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            # Nobody hums a fragment twice; only a take that the check refused may be tried again.
            models.UniqueConstraint(
                fields=["fragment", "singer"],
                condition=~Q(state__in=("refused", "withdrawn")),
                name="one_take_of_a_fragment_by_a_singer",
            )
        ]

    def __str__(self) -> str:
        return f"hum of {self.fragment} by {self.singer_id}"

    @property
    def counts(self) -> bool:
        return self.state not in self.MAY_BE_HUMMED_AGAIN

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    @property
    def reference_start_s(self) -> float | None:
        return None if self.reference_start_frame is None else self.reference_start_frame / self.sample_rate


def hum_melody_name(check: HumCheck, filename: str) -> str:
    return f"hummings/{check.humming_id}/melody.npz"


class HumCheck(models.Model):
    """What the machine found in a take. A person's own values stand in the verdicts, apart."""

    humming = models.OneToOneField(Humming, models.CASCADE, related_name="check_result")
    ok = models.BooleanField()
    reasons = models.JSONField(default=list, help_text='[{"code", "sentence"}, …]')
    offset_s = models.FloatField(null=True)
    tempo_ratio = models.FloatField(null=True)
    transposition = models.FloatField(null=True)
    similarity = models.FloatField(null=True)
    measures = models.JSONField(default=dict)
    method = models.CharField(max_length=120)
    melody = models.FileField(upload_to=hum_melody_name)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"check of {self.humming_id}: {'ok' if self.ok else ', '.join(r['code'] for r in self.reasons)}"


class CoverFragmentQuerySet(models.QuerySet["CoverFragment"]):
    def accepted(self) -> Self:
        """Accepted by the machine or by people, of a song that may be used."""
        return self.filter(
            state__in=[CoverFragment.State.MATCHED, CoverFragment.State.ACCEPTED],
            fragment__recording__song__taken_down_at=None,
        )


class CoverFragment(Stateful):
    """The interval of a cover in which a fragment was found."""

    class State(models.TextChoices):
        MATCHED = "matched"
        """The machine is sure."""
        DOUBTFUL = "doubtful"
        """The machine is not sure: people are asked."""
        ACCEPTED = "accepted"
        """People agreed."""
        REJECTED = "rejected"

    NEXT = {
        State.MATCHED: {State.DOUBTFUL, State.ACCEPTED, State.REJECTED},
        State.DOUBTFUL: {State.MATCHED, State.ACCEPTED, State.REJECTED},
        State.ACCEPTED: {State.DOUBTFUL, State.REJECTED},
        State.REJECTED: {State.DOUBTFUL, State.ACCEPTED},
    }

    id = models.UUIDField(primary_key=True, editable=False)
    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="cover_fragments")
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="cover_fragments")
    start_s = models.FloatField()
    end_s = models.FloatField()
    correlation = models.FloatField(help_text="0..1, Pearson r of the two fingerprint sequences, clipped")
    tempo_ratio = models.FloatField()
    transposition = models.FloatField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, db_index=True)
    # What made it: the checkpoint's name, the settings of the miner and the level that unrelated pairs reach.
    checkpoint = models.CharField(max_length=80)
    mining_settings = models.JSONField(default=dict)
    null_level = models.FloatField(null=True, blank=True)
    probability = models.FloatField(null=True, blank=True, help_text="That it is right, as the machine has it; 0..1")
    evidence = models.JSONField(default=dict, blank=True, help_text="What the probability comes from")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CoverFragmentQuerySet.as_manager()

    class Meta:
        ordering = ["-correlation"]
        constraints = [
            models.CheckConstraint(
                condition=Q(start_s__gte=0) & Q(end_s__gt=models.F("start_s")), name="cover_interval"
            ),
            models.UniqueConstraint(
                fields=["fragment", "recording", "checkpoint", "start_s"], name="one_cover_fragment_of_a_place"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fragment} in {self.recording_id} at {self.start_s:.2f} s ({self.correlation:.2f})"

    @property
    def checked_by_people(self) -> bool:
        return self.state in (self.State.ACCEPTED, self.State.REJECTED)
