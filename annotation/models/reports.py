"""Reports: somebody says that a version of a published release is wrong."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation.models.verdicts import Reason
from recordings.release.tables import AUDIO_TYPES, HUMMING, ORIGINAL

LONGEST_WORDS = 500


class ReportQuerySet(models.QuerySet["Report"]):
    def open(self) -> Self:
        return self.filter(state=Report.State.OPEN)

    def decided(self) -> Self:
        """Those that people found right or wrong."""
        return self.filter(state__in=Report.DECIDED)

    def void(self, why: str) -> int:
        """There is nothing to decide any more, as the versions leave for another reason: how many were open."""
        return self.open().update(state=Report.State.VOID, decided_at=timezone.now(), decided_why=why)

    def revive(self) -> int:
        """What was void is open again."""
        return self.filter(state=Report.State.VOID).update(state=Report.State.OPEN, decided_at=None, decided_why="")

    def decide(self, version_id: uuid.UUID, removed: bool, why: str, at: datetime, since: datetime | None) -> int:
        """The open reports of a version, and those that its last settlement (`since`) decided the other way."""
        state = Report.State.REMOVED if removed else Report.State.KEPT
        mine = self.filter(version_id=version_id).filter(Q(state=Report.State.OPEN) | _decided_then(since))
        return mine.exclude(state=state).update(state=state, decided_at=at, decided_why=why)

    def open_again(self, version_id: uuid.UUID, since: datetime | None) -> int:
        """Those that were decided with a settlement that does not stand any more."""
        mine = self.filter(_decided_then(since), version_id=version_id)
        return mine.update(state=Report.State.OPEN, decided_at=None, decided_why="")


def _decided_then(since: datetime | None) -> Q:
    return Q(state__in=Report.DECIDED, decided_at__gte=since) if since else Q(pk=None)


class Report(models.Model):
    """One person's word against a released version. Nothing is kept of who is not signed in."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        REMOVED = "removed", "found wrong"
        """It leaves every future release; of an original: it was mended."""
        KEPT = "kept", "kept"
        """It was looked at again, and is right."""
        VOID = "void", "void"
        """Its take was withdrawn or its song taken down meanwhile."""

    DECIDED = (State.REMOVED, State.KEPT)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Of the release, as its tables name them; the version of an original is the fragment itself.
    version_id = models.UUIDField(db_index=True)
    fragment_id = models.UUIDField()
    audio_type = models.CharField(max_length=10, choices=[(kind, kind) for kind in AUDIO_TYPES])
    release = models.CharField(max_length=40, help_text="The release that was looked at")
    reason = models.CharField(max_length=20, choices=Reason)
    words = models.CharField(max_length=LONGEST_WORDS, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="reports",
        help_text="Empty where nobody was signed in",
    )  # fmt: skip
    at = models.DateTimeField(default=timezone.now, db_index=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    decided_at = models.DateTimeField(null=True, blank=True, db_index=True)
    decided_why = models.TextField(blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["version_id", "person"], condition=Q(person__isnull=False), name="one_report_a_person"
            )
        ]
        indexes = [models.Index(fields=["at"], condition=Q(state="open"), name="open_reports")]

    def __str__(self) -> str:
        return f"{self.audio_type} {self.version_id}: {self.get_reason_display()}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    @staticmethod
    def reasons_of(audio_type: str) -> list[Reason]:
        """What may be said of a version of this kind; of an original, which nobody judges, in words alone."""
        if audio_type == ORIGINAL:
            return [Reason.OTHER]
        return Reason.of_kind("hum" if audio_type == HUMMING else "cover")
