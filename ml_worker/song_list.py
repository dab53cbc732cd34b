"""Songs as the admin's list shows them: counts and state of each, from one query."""

from __future__ import annotations

from django.db import models
from django.db.models import Case, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce

from annotation.models import Slot
from ml_worker.jobs_in_words import OF_A_RECORDING
from ml_worker.models import Job
from recordings.models import Analysis, Fragment, Humming, Recording, Song


class SongState(models.TextChoices):
    """What stands between a song and its being hummed."""

    READY = "ready", "ready"
    PREPARING = "preparing", "being read"
    ANALYSING = "analysing", "being analysed"
    NO_FRAGMENTS = "no-fragments", "needs fragments"
    NO_ORIGINAL = "no-original", "has no original"
    FAILED = "failed", "failed"
    TAKEN_DOWN = "taken-down", "taken down"


TEXT = models.CharField()

# More is to come of itself.
UNDER_WAY = (SongState.PREPARING, SongState.ANALYSING)


def counted(rows: QuerySet, by: str) -> Coalesce:
    """How many of these rows there are for each song; `by` is the way from the row to it."""
    of_the_song = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(of_the_song, output_field=IntegerField()), 0)


def with_counts() -> QuerySet[Song]:
    """Songs with `covers`, `fragments`, `slots`, `filled`, `accepted`, `original_state` and `state`, a SongState."""
    original = Recording.objects.originals().filter(song=OuterRef("pk")).annotate(job_failure=job_failure())
    heard = Analysis.objects.filter(recording__song=OuterRef("pk"), recording__kind=Recording.Kind.ORIGINAL)
    slots = Slot.objects.filter(fragment__in=Fragment.objects.live())
    hums = Humming.objects.filter(state=Humming.State.ACCEPTED)
    return Song.objects.annotate(
        covers=counted(Recording.objects.covers(), "song"),
        fragments=counted(Fragment.objects.filter(retired_at=None), "recording__song"),
        slots=counted(slots, "fragment__recording__song"),
        filled=counted(slots.exclude(humming=None), "fragment__recording__song"),
        accepted=counted(hums, "fragment__recording__song"),
        original_state=Subquery(original.values("state")[:1]),
        failure=Subquery(original.values("failure")[:1]),
        job_failure=Subquery(original.values("job_failure")[:1]),
        heard=Exists(heard),
    ).annotate(state=state_of_song())


def job_failure() -> Subquery:
    """Of a recording: the sentence of the job that failed on it. It stands until a person starts that job again."""
    failed = Job.objects.filter(kind__in=OF_A_RECORDING, state=Job.State.FAILED, subject=Cast(OuterRef("pk"), TEXT))
    return Subquery(failed.values("failure")[:1])


def state_of_song() -> Case:
    return Case(
        When(taken_down_at__isnull=False, then=Value(SongState.TAKEN_DOWN)),
        When(original_state=None, then=Value(SongState.NO_ORIGINAL)),
        When(original_state=Recording.State.FAILED, then=Value(SongState.FAILED)),
        When(heard=False, job_failure__isnull=False, then=Value(SongState.FAILED)),
        When(original_state=Recording.State.WAITING, then=Value(SongState.PREPARING)),
        When(heard=False, then=Value(SongState.ANALYSING)),
        When(fragments=0, then=Value(SongState.NO_FRAGMENTS)),
        default=Value(SongState.READY),
        output_field=models.CharField(),
    )


def found(sought: str = "", state: str = "") -> QuerySet[Song]:
    """Songs whose title or artist has these words, in this state; all of them where nothing is asked."""
    songs = with_counts()
    for word in sought.split():
        songs = songs.filter(Q(title__icontains=word) | Q(artist__icontains=word))
    return songs.filter(state=state) if state in SongState.values else songs
