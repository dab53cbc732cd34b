"""Videos that may be covers, the searches that found them, and whether videos can still be had."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from recordings.models.history import Stateful
from recordings.models.songs import Recording, Song

# Where nothing could be learned (the network was away), the next look follows after this, then twice, four times, …
FIRST_RETRY = timedelta(hours=1)


class CoverSearch(models.Model):
    """One question to the video site, and what came of it: a job that is killed goes on with the next question."""

    song = models.ForeignKey(Song, models.CASCADE, related_name="cover_searches")
    query = models.CharField(max_length=700)
    asked_for = models.UUIDField(help_text="The job that asked it")
    found = models.PositiveSmallIntegerField(help_text="How many videos it gave")
    new = models.PositiveSmallIntegerField(help_text="How many of them were not known")
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-at"]
        verbose_name_plural = "cover searches"
        constraints = [models.UniqueConstraint(fields=["asked_for", "query"], name="one_answer_to_a_question_of_a_job")]

    def __str__(self) -> str:
        return f"“{self.query}”: {self.found} found, {self.new} new"


class CoverCandidateQuerySet(models.QuerySet["CoverCandidate"]):
    def of_available_songs(self) -> Self:
        return self.filter(song__taken_down_at=None)

    def to_decide(self) -> Self:
        """Those that a person has not decided on, and that no filter put aside."""
        return self.filter(state=CoverCandidate.State.PROPOSED)


class CoverCandidate(Stateful):
    """A video that may be a cover of a song. Nothing of it is downloaded before a person approves it."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        """A person is asked."""
        FILTERED = "filtered"
        """Put aside by the filters; a person may still approve it."""
        APPROVED = "approved"
        """It is downloaded: `recording` is the cover."""
        REFUSED = "refused"

    NEXT = {
        State.PROPOSED: {State.APPROVED, State.REFUSED},
        State.FILTERED: {State.APPROVED, State.REFUSED},
        State.APPROVED: {State.PROPOSED, State.FILTERED},
        State.REFUSED: {State.APPROVED, State.PROPOSED, State.FILTERED},
    }
    DECIDED = (State.APPROVED, State.REFUSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    song = models.ForeignKey(Song, models.CASCADE, related_name="cover_candidates")
    youtube_id = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    channel = models.CharField(max_length=300, blank=True, help_text="Its channel, or the performer that a list names")
    duration_s = models.FloatField(null=True, blank=True)
    views = models.PositiveBigIntegerField(null=True, blank=True)
    found_by = models.CharField(max_length=700, help_text="The question that found it, or the list")
    filtered_because = models.JSONField(default=list, blank=True, help_text='[{"filter", "sentence"}, …]')
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED, db_index=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="cover_candidates"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    recording = models.OneToOneField(
        Recording, models.SET_NULL, null=True, blank=True, related_name="candidate", help_text="The cover it became"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CoverCandidateQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["song", "youtube_id"], name="one_candidate_of_a_video")]

    def __str__(self) -> str:
        return f"“{self.title}” for {self.song}"


class AvailabilityCheckQuerySet(models.QuerySet["AvailabilityCheck"]):
    def latest_first(self) -> Self:
        return self.order_by("-at", "-pk")


class AvailabilityCheck(models.Model):
    """One look whether a video can still be had. Unknown says nothing of the video: the site was out of reach."""

    recording = models.ForeignKey(Recording, models.CASCADE, related_name="availability_checks")
    at = models.DateTimeField(default=timezone.now)
    is_available = models.BooleanField(null=True, help_text="Empty where the site was out of reach")
    said = models.TextField(blank=True, help_text="What the site said")
    next_at = models.DateTimeField(help_text="When to look again")

    objects = AvailabilityCheckQuerySet.as_manager()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["recording", "-at"])]

    def __str__(self) -> str:
        said = {True: "there", False: "gone", None: "unknown"}[self.is_available]
        return f"{self.recording} on {self.at:%Y-%m-%d}: {said}"

    @classmethod
    @transaction.atomic
    def note(
        cls, recording: Recording, is_available: bool | None, said: str = "", at: datetime | None = None
    ) -> AvailabilityCheck:
        """Writes a look down, and at the recording what is known of it now. Unknown leaves that as it was."""
        at = at or timezone.now()
        if is_available is None:
            pause = min(settings.AVAILABILITY_EVERY, FIRST_RETRY * 2 ** cls._unknown_in_a_row(recording))
        else:
            pause = settings.AVAILABILITY_EVERY
            recording.is_available = is_available
            recording.save(update_fields=["is_available"])
        return cls.objects.create(
            recording=recording, at=at, is_available=is_available, said=said, next_at=at + pause
        )  # fmt: skip

    @classmethod
    def _unknown_in_a_row(cls, recording: Recording) -> int:
        """How many of the latest looks learned nothing; at most sixteen."""
        latest = cls.objects.filter(recording=recording).latest_first().values_list("is_available", flat=True)[:16]
        known = [number for number, is_available in enumerate(latest) if is_available is not None]
        return min(known, default=len(latest))

    @classmethod
    def due(cls, now: datetime | None = None) -> models.QuerySet[Recording]:
        """Recordings of videos that are to be looked at now: never looked at first, then the longest due."""
        latest = cls.objects.filter(recording=OuterRef("pk")).latest_first()
        videos = Recording.objects.of_available_songs().filter(source=Recording.Source.YOUTUBE)
        fetched = videos.exclude(state=Recording.State.WAITING)
        looked_at = fetched.annotate(next_look_at=Subquery(latest.values("next_at")[:1]))
        due = looked_at.filter(Q(next_look_at=None) | Q(next_look_at__lte=now or timezone.now()))
        return due.order_by(F("next_look_at").asc(nulls_first=True), "created_at")
