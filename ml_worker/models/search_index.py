"""Indexes of songs as rows: what is searched, what is being built, what was. (The index itself: retrieval/index/.)"""

from __future__ import annotations

import shutil
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ml_worker.models.jobs import Job
from recordings.models import Analysis, Recording

# A folder outlives its index by this: processes that search look for a new one every other second.
STILL_OPEN = timedelta(minutes=1)
# The more songs, the better the best wrong one fits a hum: with so many times as many another line is drawn.
LINE_HOLDS = 1.5


def new_folder() -> str:
    return uuid.uuid4().hex


class SearchIndexQuerySet(models.QuerySet["SearchIndex"]):
    def ready(self) -> Self:
        return self.filter(state=SearchIndex.State.READY)


class SearchIndex(models.Model):
    """An index of all songs for one set of checkpoints. One at a time is in use."""

    class State(models.TextChoices):
        BUILDING = "building"
        READY = "ready"
        """It is what is searched."""
        RETIRED = "retired"
        """A newer one took its place."""
        FAILED = "failed"
        """`problem` says why; its folder is gone."""

    folder = models.CharField(max_length=40, unique=True, default=new_folder, help_text="Below CHAD_HOME/index")
    checkpoints = models.JSONField(help_text="Names of those whose fingerprints are in it, short before long")
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    songs = models.PositiveIntegerField(default=0)
    windows = models.BigIntegerField(default=0, help_text="Fingerprints, of all checkpoints")
    bytes = models.BigIntegerField(default=0)
    songs_built = models.PositiveIntegerField(default=0, help_text="Those that it began with")
    growths = models.PositiveIntegerField(default=0, help_text="How often songs were added since")
    line = models.FloatField(
        null=True,
        blank=True,
        help_text="From this probability on a tune is told to be there; 1 % of others are",
    )
    line_songs = models.PositiveIntegerField(default=0, help_text="Songs that it had when the line was drawn")
    problem = models.TextField(blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="indexes")
    created_at = models.DateTimeField(auto_now_add=True)
    built_at = models.DateTimeField(null=True, blank=True, help_text="When it last got its songs")
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = SearchIndexQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "search indexes"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="ready"), name="one_index_in_use"),
        ]

    def __str__(self) -> str:
        return f"index of {self.songs} songs by {' and '.join(self.checkpoints)} ({self.state})"

    @classmethod
    def in_use(cls) -> SearchIndex | None:
        return cls.objects.ready().first()

    @property
    def path(self) -> Path:
        return Path(settings.INDEX_FOLDER) / self.folder

    # --- what it lacks

    def new_recordings(self) -> QuerySet[Recording]:
        """Originals that can be found and are not in it, or not as they are heard now; with `heard`, their analysis."""
        known = self.entries.filter(recording=OuterRef("pk"), analysis=OuterRef("heard"))
        return findable().exclude(Exists(known))

    def gone_entries(self) -> QuerySet[IndexedRecording]:
        """What is in it and may not be found any more."""
        return self.entries.exclude(recording__in=findable().values("pk"))

    @property
    def lacks_line(self) -> bool:
        """Whether the line between tunes that are there and others is to be drawn, for the first time or anew."""
        return self.songs > self.line_songs * LINE_HOLDS

    # --- its states

    @transaction.atomic
    def put_in_use(self) -> None:
        """In place of the one before, at once."""
        now = timezone.now()
        SearchIndex.objects.ready().exclude(pk=self.pk).update(state=self.State.RETIRED, retired_at=now)
        self.state = self.State.READY
        self.save(update_fields=["state"])

    def fail(self, sentence: str) -> None:
        """It is not searched any more, and another one is built."""
        now = timezone.now()
        SearchIndex.objects.filter(pk=self.pk).update(state=self.State.FAILED, problem=sentence, retired_at=now)
        self.state, self.problem = self.State.FAILED, sentence

    @classmethod
    def sweep(cls) -> int:
        """Deletes the folders of indexes that nobody has open any more: how many there were."""
        over = cls.objects.filter(retired_at__lt=timezone.now() - STILL_OPEN)
        left = [index.path for index in over if index.path.exists()]
        for path in left:
            shutil.rmtree(path)
        return len(left)


class IndexedRecording(models.Model):
    """A recording in an index, as it was heard when it came."""

    index = models.ForeignKey(SearchIndex, models.CASCADE, related_name="entries")
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="+")
    analysis = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["index", "recording"], name="one_entry_of_a_recording")]

    def __str__(self) -> str:
        return f"{self.recording_id} in {self.index_id}"


def findable() -> QuerySet[Recording]:
    """The originals that a hum may find, each with `heard`: its latest analysis."""
    latest = Analysis.objects.filter(recording=OuterRef("pk")).order_by("-created_at")
    ready = Recording.objects.of_available_songs().originals().filter(state=Recording.State.READY)
    return ready.annotate(heard=Subquery(latest.values("pk")[:1])).filter(heard__isnull=False)
