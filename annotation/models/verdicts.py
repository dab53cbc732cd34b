"""Verdicts: what one person judged of one item, why, and what of it counts."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


# Within this time an item that waits for others usually has its second verdict.
LONGEST_SEEMING_WAIT = timedelta(days=2)


class Decision(models.TextChoices):
    ACCEPT = "accept"
    REJECT = "reject"


class Reason(models.TextChoices):
    """Why a version is not the fragment: first of hums, then of covers, then of both."""

    WRONG_TUNE = "wrong_tune", "wrong tune"
    OFF_TIME = "off_time", "off in time"
    WORDS = "words", "words sung"
    LEAK = "leak", "the reference leaks in"
    NOISE = "noise", "noise"
    CLIPPED = "clipped", "clipped"
    TOO_QUIET = "too_quiet", "too quiet"
    CUT_OFF = "cut_off", "cut off"
    SILENT = "silent", "silent"
    DIFFERENT_SONG = "different_song", "different song"
    WRONG_SECTION = "wrong_section", "wrong section"
    INSTRUMENTAL = "instrumental", "instrumental only"
    MEDLEY = "medley", "medley"
    TEMPO_CHANGES = "tempo_changes", "tempo changes"
    BAD_SEPARATION = "bad_separation", "bad separation"
    UNAVAILABLE = "unavailable", "unavailable"
    OTHER = "other", "other, in words"

    @classmethod
    def of_kind(cls, kind: str) -> list[Reason]:
        """The reasons that are offered for a hum or for a cover."""
        every = list(cls)
        of_hums, of_covers = every[:9], every[9:16]
        return [*(of_hums if kind == "hum" else of_covers), cls.OTHER]


class VerdictQuerySet(models.QuerySet["Verdict"]):
    def standing(self) -> Self:
        """Not taken back."""
        return self.filter(undone_at=None)

    def counted(self) -> Self:
        """Those that consensus goes by: not taken back, by a reviewer who can be relied on, of no control item."""
        return self.standing().filter(counts=True, item__control=None)

    def of_cover(self, cover_fragment: Any) -> Self:
        return self.standing().filter(item__cover_fragment=cover_fragment)

    def of_controls(self) -> Self:
        """Answers to control items."""
        return self.standing().exclude(item__control=None)


class Verdict(models.Model):
    """One person's judgement. A person has one standing verdict on an item; one that was taken back stays as a row."""

    # How long a verdict may be taken back although it settled the item, and how much longer the call may take.
    UNDO_TIME = timedelta(seconds=10)
    UNDO_LEEWAY = timedelta(seconds=5)

    item = models.ForeignKey("annotation.ReviewItem", models.CASCADE, related_name="verdicts")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="verdicts")
    decision = models.CharField(max_length=10, choices=Decision)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    words = models.TextField(blank=True)
    # The machine's proposal as the reviewer saw it, and the reviewer's own values apart from it.
    proposed_offset_s = models.FloatField(null=True, blank=True, help_text="Where the machine says the fragment begins")
    nudge_s = models.FloatField(default=0.0, help_text="Added to the proposed offset by the reviewer")
    trim_start_s = models.FloatField(default=0.0, help_text="Seconds of the version that are cut off at its start")
    trim_end_s = models.FloatField(default=0.0, help_text="Seconds of the version that are cut off at its end")
    heard_s = models.FloatField(default=0.0, help_text="How long the version was played")
    took_s = models.FloatField(null=True, blank=True, help_text="From being shown to the verdict")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    counts = models.BooleanField(default=True)
    why_not = models.TextField(blank=True, help_text="Why it does not count")

    # What practice says of the answer; only on the verdict that `ReviewItem.judge` gives.
    told: dict[str, Any] | None = None

    objects = VerdictQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "person"], condition=Q(undone_at=None), name="one_standing_verdict_a_person"
            )
        ]
        indexes = [models.Index(fields=["person", "-at"], name="verdicts_of_a_person")]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.in_words}"

    @property
    def accepts(self) -> bool:
        return self.decision == Decision.ACCEPT

    @property
    def in_words(self) -> str:
        if self.accepts:
            return "Double-checked: the same and in step."
        return f"Double-checked: {self.words or Reason(self.reason).label}."

    @property
    def offset_s(self) -> float | None:
        """Where the fragment begins in the version, by this reviewer."""
        return None if self.proposed_offset_s is None else self.proposed_offset_s + self.nudge_s

    @property
    def may_be_undone(self) -> bool:
        """Until the item is settled, and in any case for a few seconds; what practice has told stays."""
        item = self.item
        if self.undone_at is not None or item.state == item.State.CLOSED or item.overruled_by_id is not None:
            return False
        if item.is_before_report(self.at):
            return False
        if item.control_id and item.control.told(self.person):
            return False
        is_fresh = timezone.now() - self.at <= self.UNDO_TIME + self.UNDO_LEEWAY
        return is_fresh or not self.seems_settled

    @property
    def seems_settled(self) -> bool:
        """Whether its item is settled. A control item never is: to its reviewer it seems so sooner or later."""
        if not self.item.control_id:
            return self.item.state == self.item.State.SETTLED or self.item.is_before_report(self.at)
        lot = hashlib.sha256(f"{settings.SECRET_KEY} verdict {self.pk}".encode()).digest()
        waits = timedelta(0) if lot[0] % 2 else LONGEST_SEEMING_WAIT * lot[1] / 255
        return timezone.now() - self.at >= waits

    @transaction.atomic
    def undo(self, person: AbstractBaseUser) -> None:
        """Takes the verdict back, and the item to this person's desk unless somebody else has it there."""
        item = self.item.lock()
        Verdict.objects.filter(pk=self.pk).update(undone_at=timezone.now())
        item.reconsider(person, why="A verdict was taken back.")
        if not item.is_held_by_another(person):
            item.lease(person)

    @transaction.atomic
    def discount(self, why: str) -> None:
        """It counts no more, and the item is asked anew if it was settled by it."""
        item = self.item.lock()
        Verdict.objects.filter(pk=self.pk).update(counts=False, why_not=why)
        if item.kept_state and item.is_before_report(self.at) and not item.overruled_by_id:
            # What made a reported version accepted does not stand: until people agree it is doubtful, like any other.
            item.kept_state = ""
            item.save(update_fields=["kept_state"])
        item.reconsider(None, why=why)
