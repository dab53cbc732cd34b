"""Indexes of songs as rows: what is searched, what is being built, what was. (The index itself: retrieval/index/.)"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ml_worker.models.jobs import Job
from ml_worker.models.window_parts import WindowPart
from recordings.models import Analysis, Recording

# A folder outlives its index by this: processes that search look for a new one every other second.
STILL_OPEN = timedelta(minutes=1)
# The more songs, the better the best wrong one fits a hum: with so many times as many another line is drawn.
LINE_HOLDS = 1.5
# Where songs keep coming the line is drawn all the same, so long after the last time, or after the index was begun.
LINE_AT_LATEST = timedelta(minutes=10)
# What is built lies in a folder of this name until it is whole (retrieval/index/building.py).
UNFINISHED = re.compile(r"(?P<folder>[0-9a-f]{32})\.part")


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

    class Engine(models.TextChoices):
        """What finds the nearest windows of a hum's; CHAD_INDEX says which."""

        FAISS = "faiss", "files"
        PGVECTOR = "pgvector", "the database"

    folder = models.CharField(max_length=40, unique=True, default=new_folder, help_text="Below CHAD_HOME/index")
    checkpoints = models.JSONField(help_text="Names of those whose fingerprints are in it, short before long")
    engine = models.CharField(max_length=10, choices=Engine, default=Engine.FAISS)
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
    line_songs = models.PositiveIntegerField(
        default=0, help_text="Songs that it had when the line was drawn; 0: the line is that of an index before it"
    )
    line_at = models.DateTimeField(null=True, blank=True, help_text="When the line was drawn")
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

    @classmethod
    def problem_with_setting(cls) -> str:
        """What is wrong with CHAD_INDEX, in a sentence; nothing mostly."""
        if settings.INDEX_ENGINE in cls.Engine.values:
            return ""
        return f"CHAD_INDEX is “{settings.INDEX_ENGINE}”; set it to {' or '.join(cls.Engine.values)}, or leave it out."

    def is_built_for(self, checkpoints: Sequence[str]) -> bool:
        """Whether these are its checkpoints and its engine is the one that is set: otherwise it is built anew."""
        return self.checkpoints == list(checkpoints) and self.engine == settings.INDEX_ENGINE

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

    @property
    def line_is_overdue(self) -> bool:
        """Whether it lacks its line for so long that this does not wait any more until no songs come."""
        return self.lacks_line and (self.line_at or self.created_at) < timezone.now() - LINE_AT_LATEST

    @classmethod
    def with_line_of(cls, checkpoints: Sequence[str]) -> SearchIndex | None:
        """The latest index of these checkpoints that has a line: another one is searched by it until it has its own."""
        have = cls.objects.filter(checkpoints=list(checkpoints), line__isnull=False)
        return have.exclude(state=cls.State.BUILDING).order_by("-created_at").first()

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
        """Deletes folders and tables of indexes that nobody has open any more, or whose building broke off.

        Returns:
            how many folders there were.
        """
        # In this order: the row of what is being built is there before its folder.
        parts = _unfinished()
        built = set(cls.objects.filter(state=cls.State.BUILDING).values_list("folder", flat=True))
        over = cls.objects.filter(retired_at__lt=timezone.now() - STILL_OPEN)
        left = [index.path for index in over if index.path.exists()]
        left += [part for part, folder in parts.items() if folder not in built and part.exists()]
        for path in left:
            shutil.rmtree(path)
        WindowPart.objects.filter(index__in=over).remove()
        return len(left)


def _unfinished() -> dict[Path, str]:
    """Where indexes lie that are not whole, each with the name that its folder is to have."""
    place = Path(settings.INDEX_FOLDER)
    paths = place.iterdir() if place.is_dir() else ()
    return {path: found["folder"] for path in paths if (found := UNFINISHED.fullmatch(path.name))}


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
