"""The chain as it stands: what is at each station, what runs, what failed. Counted from the rows, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from annotation.models import ReviewItem, Slot
from ml_worker.models import Checkpoint, Job
from recordings.models import CoverFragment, Fragment, Humming, Recording, Release, Song

# How many of the latest failures and results the page lists.
LISTED = 20


@dataclass(frozen=True)
class Station:
    """One station of the circle.

    Attributes:
        name: for the page's script and style.
        title: for the person.
        done, waiting: how many things are through, and how many wait here.
        words: one line that says both.
        step: the kind of job that can be started here, or "".
    """

    name: str
    title: str
    done: int
    waiting: int
    words: str
    step: str = ""


def stations() -> list[Station]:
    return [songs(), hums(), double_check(), training(), mining(), release()]


def songs() -> Station:
    originals = Recording.objects.of_available_songs().originals()
    ready = originals.analysed().count()
    waiting = originals.exclude(state=Recording.State.FAILED).count() - ready
    failed = originals.filter(state=Recording.State.FAILED).count()
    covers = Recording.objects.of_available_songs().covers().filter(state=Recording.State.READY).count()
    words = f"{ready} songs ready, {covers} covers, {Fragment.objects.live().count()} fragments"
    return Station("songs", "Songs", ready, waiting, words + (f", {failed} failed" if failed else ""))


def hums() -> Station:
    live = Slot.objects.filter(fragment__in=Fragment.objects.live())
    filled = live.exclude(humming=None).count()
    wanted = Fragment.objects.live().count() * settings.SLOTS_PER_FRAGMENT
    unchecked = Humming.objects.without_check().count()
    words = f"{filled} of {wanted} slots filled" + (f", {unchecked} waiting for the check" if unchecked else "")
    return Station("hums", "Hums", filled, unchecked, words)


def double_check() -> Station:
    waiting = ReviewItem.objects.waiting().count()
    settled = ReviewItem.objects.exclude(settled_at=None).count()
    return Station("double-check", "Double-check", settled, waiting, f"{waiting} waiting, {settled} settled")


def training() -> Station:
    from_people = Humming.objects.accepted().count()
    checkpoints = Checkpoint.objects.count()
    words = f"{checkpoints} checkpoints, {from_people} accepted hums to train on"
    return Station("training", "Training", checkpoints, 0, words, Job.Kind.TRAIN)


def mining() -> Station:
    found = CoverFragment.objects.accepted().count()
    doubtful = CoverFragment.objects.filter(state=CoverFragment.State.DOUBTFUL).count()
    words = f"{found} cover fragments, {doubtful} doubtful"
    return Station("mining", "Mining", found, doubtful, words, Job.Kind.MINE)


def release() -> Station:
    releases = Release.objects.count()
    latest = Release.objects.first()
    words = f"{releases} releases, the latest {latest.version}" if latest else "No release yet"
    return Station("release", "Release", releases, 0, words, Job.Kind.RELEASE)


def as_it_stands() -> dict[str, Any]:
    """All of it, as the page and its JSON call show it."""
    jobs = Job.objects.all()
    return {
        "stations": [asdict(station) for station in stations()],
        "jobs": {
            "waiting": jobs.waiting().count(),
            "running": [describe(job) for job in jobs.filter(state=Job.State.RUNNING)],
            "failed": described(jobs.filter(state=Job.State.FAILED)[:LISTED]),
            "done": described(jobs.filter(state=Job.State.DONE).order_by("-finished_at")[:LISTED]),
        },
        "songs_to_mine": songs_to_mine().count(),
    }


def described(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    return [describe(job) for job in jobs]


def describe(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.pk),
        "title": job.get_kind_display(),
        "kind": job.kind,
        "subject": job.subject,
        "state": job.state,
        "progress": job.progress,
        "message": job.message,
        "failure": job.failure,
        "attempts": job.attempts,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def songs_to_mine() -> QuerySet[Song]:
    """Songs with an analysed original that has fragments, and an analysed cover."""
    originals = Recording.objects.analysed().originals().filter(fragments__retired_at=None, fragments__isnull=False)
    covers = Recording.objects.analysed().covers()
    return Song.objects.available().filter(Q(recordings__in=originals) & Q(pk__in=covers.values("song"))).distinct()


def start(kind: str, arguments: dict[str, Any]) -> list[Job]:
    """Asks for the jobs of a step: one of training or release, one a song of mining."""
    if kind == Job.Kind.MINE:
        wanted = songs_to_mine()
        if arguments.get("song"):
            wanted = wanted.filter(pk=arguments["song"])
        return [Job.ask(Job.Kind.MINE, song.pk) for song in wanted]
    if kind == Job.Kind.TRAIN:
        return [Job.ask(Job.Kind.TRAIN, arguments.get("kind", "short"), kind=arguments.get("kind", "short"))]
    return [Job.ask(Job.Kind.RELEASE, arguments["version"])]


def takes_of(song: Song) -> dict[str, int]:
    """How many takes of a song's fragments there are in each state."""
    counts = Humming.objects.filter(fragment__recording__song=song).values_list("state").annotate(n=Count("pk"))
    return dict(counts)
