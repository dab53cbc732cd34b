"""Control items: accepted pairs as they are, or spoiled in a known way, mixed in to see who listens."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import Storage
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation.models.verdicts import Decision, Reason, Verdict
from recordings.models import CoverFragment, Fragment, Humming, Song


def control_audio_name(control: Control, filename: str) -> str:
    return f"controls/{control.id}/version.flac"


# Where the phrase begins is known so well, seconds: an accepted one that was moved further was moved off it, and a
# shifted one is in step again where it was moved back as near.
IN_STEP_S, MOVED_BACK_S = 0.3, 0.2


# What is left of the curve of one whose sound is deleted.
NO_CURVE = {"hop_s": 0.02, "pitch": []}


def of_songs(songs: Iterable[Song] | models.QuerySet[Song]) -> Q:
    """Control items that show a fragment of these songs, or were made of a pair of theirs."""
    return (
        Q(fragment__recording__song__in=songs)
        | Q(humming__fragment__recording__song__in=songs)
        | Q(cover_fragment__fragment__recording__song__in=songs)
    )


def unsure(of: str = "") -> Q:
    """Control items that say nothing of their reviewers, by the path to them: good ones whose pair was found doubtful.

    Their retirement says that they may have been no good pairs after all. Spoiled ones stay spoiled.
    """
    return Q(**{f"{of}fault": Control.Fault.AS_IS, f"{of}retired_at__isnull": False})


def is_right(fault: str, facts: dict[str, Any], decision: str, nudge_s: float) -> bool:
    """Whether a verdict is what the item is. The reason is free: what one hears first differs.

    Nudging is a part of accepting: a good pair that was moved off is not accepted rightly, and a shifted one that was
    moved back is. A shift moves where the version is said to begin, or, of covers, which interval of the recording is
    shown from its start; either way the phrase begins as much earlier than it is said to as the shift is later.
    """
    if decision != Decision.ACCEPT:
        return fault != Control.Fault.AS_IS
    if fault == Control.Fault.AS_IS:
        return abs(nudge_s) <= IN_STEP_S
    if fault == Control.Fault.SHIFTED and "shift_ms" in facts:
        return abs(nudge_s + facts["shift_ms"] / 1000) <= MOVED_BACK_S
    return False


class ControlQuerySet(models.QuerySet["Control"]):
    def live(self) -> Self:
        return self.filter(retired_at=None)


class Control(models.Model):
    """A pair whose truth is known. To a reviewer it looks like any other item."""

    class Fault(models.TextChoices):
        AS_IS = "as_is", "the same and in step"
        SHIFTED = "shifted", "shifted in time"
        SWAPPED = "swapped", "another fragment"
        TRANSPOSED = "transposed", "transposed from the middle on"
        CUT = "cut", "cut short"

    REASON = {
        Fault.SHIFTED: Reason.OFF_TIME,
        Fault.SWAPPED: Reason.WRONG_TUNE,
        Fault.TRANSPOSED: Reason.WRONG_TUNE,
        Fault.CUT: Reason.CUT_OFF,
    }
    EXPLAINED = {
        Fault.AS_IS: "It is the phrase, and in step as it is: people agreed on it before.",
        Fault.SHIFTED: "It was moved by {shift} ms, so the two are not in step unless it is moved back.",
        Fault.SWAPPED: "The original was exchanged for another phrase, so the tunes differ.",
        Fault.TRANSPOSED: "From its middle on it was moved by {steps} semitones, so the tune breaks there.",
        Fault.CUT: "Its last part was cut off, so the phrase does not end.",
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The accepted pair that it was made of: one of the two.
    humming = models.ForeignKey(Humming, models.CASCADE, null=True, blank=True, related_name="controls")
    cover_fragment = models.ForeignKey(CoverFragment, models.CASCADE, null=True, blank=True, related_name="controls")
    # What is shown as the original: the pair's own fragment, or another one.
    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="controls")
    fault = models.CharField(max_length=12, choices=Fault)
    facts = models.JSONField(default=dict, blank=True, help_text='What was done: {"shift_ms", "semitones", …}')
    # The version as it is shown. Its audio is the source's own where nothing was done to it.
    audio = models.FileField(upload_to=control_audio_name, blank=True)
    curve = models.JSONField(help_text='{"hop_s", "pitch"}')
    duration_s = models.FloatField()
    offset_s = models.FloatField()
    tempo_ratio = models.FloatField()
    transposition = models.FloatField(null=True, blank=True)
    similarity = models.FloatField(null=True, blank=True, help_text="Shown; of the order of those that wait")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = ControlQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(humming=None) ^ Q(cover_fragment=None), name="control_of_one_pair"),
            models.UniqueConstraint(
                fields=["humming", "fault"], condition=Q(humming__isnull=False), name="one_control_of_a_hum_and_fault"
            ),
            models.UniqueConstraint(
                fields=["cover_fragment", "fault"],
                condition=Q(cover_fragment__isnull=False),
                name="one_control_of_a_cover_and_fault",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.get_fault_display()}"

    @property
    def source(self) -> Humming | CoverFragment:
        return self.humming or self.cover_fragment

    @property
    def kind(self) -> str:
        return "hum" if self.humming_id else "cover"

    @property
    def expected(self) -> str:
        return Decision.ACCEPT if self.fault == self.Fault.AS_IS else Decision.REJECT

    @property
    def explained(self) -> str:
        """What was done to it, in a sentence for who practises."""
        amounts = {"shift": self.facts.get("shift_ms", 0), "steps": self.facts.get("semitones", 0)}
        return self.EXPLAINED[self.fault].format(**{name: f"{abs(value):.0f}" for name, value in amounts.items()})

    def is_right(self, verdict: Verdict) -> bool:
        """Whether a verdict is what the item is."""
        return is_right(self.fault, self.facts, verdict.decision, verdict.nudge_s)

    def told(self, person: AbstractBaseUser) -> bool:
        """Whether this person was told what it is."""
        return ControlTold.objects.filter(control=self, person=person).exists()

    def tell(self, person: AbstractBaseUser, verdict: Verdict) -> dict[str, Any]:
        """What practice says of an answer; from then on the answer stands."""
        ControlTold.objects.get_or_create(control=self, person=person)
        return {
            "right": self.is_right(verdict),
            "expected": self.expected,
            "words": self.explained,
        }

    def empty(self) -> list[tuple[Storage, str]]:
        """Forgets its sound and its curve, as the take that it was made of is deleted: the files to be deleted then."""
        files = [(self.audio.storage, self.audio.name)] if self.audio else []
        self.audio, self.curve = "", NO_CURVE
        self.save(update_fields=["audio", "curve"])
        return files

    def retire(self) -> None:
        """It is shown to nobody any more: its source may not be used, or it was found to be wrong."""
        self.retired_at = timezone.now()
        self.save(update_fields=["retired_at"])


class ControlTold(models.Model):
    """A person was told what a control item is."""

    control = models.ForeignKey(Control, models.CASCADE, related_name="told_to")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "controls told"
        constraints = [models.UniqueConstraint(fields=["control", "person"], name="told_once")]

    def __str__(self) -> str:
        return f"{self.control_id} told to {self.person_id}"
