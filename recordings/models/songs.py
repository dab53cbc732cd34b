"""Songs, their recordings, what analysis found in them, and fragments."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

SHORTEST_FRAGMENT_S = 4.0
LONGEST_FRAGMENT_S = 20.0


class Split(models.TextChoices):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class SplitOfId(Func):
    """The split of a song: a hash of its id in 100 buckets, 70 train, 15 validation, 15 test. It never changes."""

    template = (
        "CASE WHEN mod(('x' || substr(md5((%(expressions)s)::text), 1, 8))::bit(32)::bigint, 100) < 70 THEN 'train' "
        "WHEN mod(('x' || substr(md5((%(expressions)s)::text), 1, 8))::bit(32)::bigint, 100) < 85 THEN 'validation' "
        "ELSE 'test' END"
    )
    output_field = models.CharField(max_length=10)


class SongQuerySet(models.QuerySet["Song"]):
    def available(self) -> Self:
        """Songs that have not been taken down."""
        return self.filter(taken_down_at=None)


class Song(models.Model):
    """A musical work: `group_id` in a release."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=300)
    artist = models.CharField(max_length=300)
    origin = models.CharField(max_length=300, blank=True, help_text="Where the work comes from, e.g. trad. Scottish")
    year = models.CharField(max_length=40, blank=True)
    # The database itself computes the split from the id, so that nothing can move a song.
    split = models.GeneratedField(
        expression=SplitOfId(F("id")), output_field=models.CharField(max_length=10, choices=Split), db_persist=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    taken_down_at = models.DateTimeField(null=True, blank=True)

    objects = SongQuerySet.as_manager()

    class Meta:
        ordering = ["title", "created_at"]

    def __str__(self) -> str:
        return f"{self.title} ({self.artist})"

    @property
    def original(self) -> Recording | None:
        return self.recordings.filter(kind=Recording.Kind.ORIGINAL).first()


def upload_name(recording: Recording, filename: str) -> str:
    """Made of the id alone: no name from outside becomes a path."""
    return f"recordings/{recording.id}/as-it-came"


def audio_name(recording: Recording, filename: str) -> str:
    return f"recordings/{recording.id}/audio.flac"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def originals(self) -> Self:
        return self.filter(kind=Recording.Kind.ORIGINAL)

    def covers(self) -> Self:
        return self.filter(kind=Recording.Kind.COVER)

    def of_available_songs(self) -> Self:
        return self.filter(song__taken_down_at=None)

    def waiting(self) -> Self:
        """Announced, its audio not here yet: to be rendered, fetched or decoded."""
        return self.of_available_songs().filter(state=Recording.State.WAITING)

    def without_analysis(self) -> Self:
        return self.of_available_songs().filter(state=Recording.State.READY, analyses=None)

    def analysed(self) -> Self:
        return self.of_available_songs().filter(state=Recording.State.READY, analyses__isnull=False).distinct()


class Recording(models.Model):
    """One audio of a song."""

    class Kind(models.TextChoices):
        ORIGINAL = "original"
        COVER = "cover"

    class Source(models.TextChoices):
        FILE = "file"
        YOUTUBE = "youtube"
        GENERATED = "generated"

    class State(models.TextChoices):
        WAITING = "waiting"
        """Its audio is yet to be rendered, fetched or decoded."""
        READY = "ready"
        FAILED = "failed"
        """`failure` says why, in words."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    song = models.ForeignKey(Song, models.CASCADE, related_name="recordings")
    kind = models.CharField(max_length=10, choices=Kind)
    source = models.CharField(max_length=10, choices=Source)
    artist = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_index=True)
    failure = models.TextField(blank=True)
    warnings = models.JSONField(default=list, blank=True, help_text="Sentences about audio that was taken all the same")

    # What came, byte for byte, and its lossless working copy.
    upload = models.FileField(upload_to=upload_name, blank=True)
    upload_sha256 = models.CharField(max_length=64, blank=True)
    audio = models.FileField(upload_to=audio_name, blank=True)
    audio_sha256 = models.CharField(max_length=64, blank=True)
    sample_rate = models.PositiveIntegerField(null=True, blank=True)
    channels = models.PositiveSmallIntegerField(null=True, blank=True)
    duration_s = models.FloatField(null=True, blank=True)

    youtube_id = models.CharField(max_length=20, blank=True)
    is_available = models.BooleanField(null=True, blank=True, help_text="Whether the video can still be had")
    licence = models.CharField(max_length=200, blank=True)
    redistributable = models.BooleanField(default=False, help_text="Whether the licence lets its audio into a release")

    # Of generated recordings: the tune and the cover's number, and what is true of them by construction.
    tune = models.CharField(max_length=80, blank=True)
    tune_cover = models.PositiveSmallIntegerField(null=True, blank=True)
    truth = models.JSONField(
        null=True, blank=True, help_text='{"time_map": .., "phrases": .., "notes": ..} of a generated recording'
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["song"], condition=Q(kind="original"), name="one_original_of_a_song"),
            models.UniqueConstraint(
                fields=["upload_sha256"], condition=~Q(upload_sha256=""), name="one_recording_of_a_file"
            ),
            models.UniqueConstraint(
                fields=["youtube_id"], condition=~Q(youtube_id=""), name="one_recording_of_a_video"
            ),
            models.UniqueConstraint(
                fields=["tune", "tune_cover"],
                condition=~Q(tune=""),
                nulls_distinct=False,
                name="one_recording_of_a_rendering",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.song.title}, {self.kind} by {self.artist or self.song.artist}"

    @property
    def analysis(self) -> Analysis | None:
        """The latest analysis."""
        return self.analyses.order_by("-created_at").first()

    def fail(self, sentence: str) -> None:
        self.state = self.State.FAILED
        self.failure = sentence
        self.save(update_fields=["state", "failure"])


def melody_name(analysis: Analysis, filename: str) -> str:
    return f"recordings/{analysis.recording_id}/melody-{analysis.id}.npz"


class Analysis(models.Model):
    """What a machine heard in a recording: the vocal part's melody, with the methods that made it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="analyses")
    separation = models.CharField(max_length=40)
    tracker = models.CharField(max_length=80)
    melody = models.FileField(upload_to=melody_name)
    voiced_share = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "analyses"
        constraints = [
            models.UniqueConstraint(fields=["recording", "separation", "tracker"], name="one_analysis_by_a_method")
        ]

    def __str__(self) -> str:
        return f"{self.recording}: {self.separation}, {self.tracker}"


class FragmentQuerySet(models.QuerySet["Fragment"]):
    def live(self) -> Self:
        """Fragments that people may hum: not retired, of a song that was not taken down."""
        return self.filter(retired_at=None, recording__song__taken_down_at=None)


class Fragment(models.Model):
    """An interval of a song's original recording, a musical phrase."""

    class Origin(models.TextChoices):
        SCORE = "score"
        """From the notes of a generated recording."""
        MACHINE = "machine"
        PERSON = "person"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="fragments")
    start_s = models.FloatField()
    end_s = models.FloatField()
    origin = models.CharField(max_length=10, choices=Origin)
    voiced_share = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = FragmentQuerySet.as_manager()

    class Meta:
        ordering = ["recording", "start_s"]
        constraints = [
            models.CheckConstraint(
                condition=Q(start_s__gte=0)
                & Q(end_s__gte=F("start_s") + SHORTEST_FRAGMENT_S - 0.001)
                & Q(end_s__lte=F("start_s") + LONGEST_FRAGMENT_S + 0.001),
                name="fragment_lasts_4_to_20_s",
                violation_error_message="A fragment lasts between 4 and 20 seconds.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.recording.song.title}, {self.start_s:.2f}-{self.end_s:.2f} s"

    @property
    def song(self) -> Song:
        return self.recording.song

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    @property
    def place(self) -> tuple[int, int]:
        """Its number among the recording's live fragments, and how many there are."""
        starts = list(self.recording.fragments.live().values_list("start_s", flat=True))
        return 1 + sum(start < self.start_s for start in starts), max(1, len(starts))

    @property
    def is_used(self) -> bool:
        """Takes or cover fragments refer to its bounds, so they may not move any more."""
        return self.hummings.exists() or self.cover_fragments.exists()

    def retire(self) -> None:
        """Takes it out of the handing out; what was made of it stays."""
        self.retired_at = timezone.now()
        self.save(update_fields=["retired_at"])
