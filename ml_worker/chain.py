"""The chain as it stands: what is at each station, what runs, what failed. Counted from the rows, never stored."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotation.models import ReviewItem, Slot
from ml_worker.jobs_in_words import described, uuids
from ml_worker.models import Checkpoint, Job
from ml_worker.song_list import job_failure
from ml_worker.work.release import DRAFT
from recordings.models import (
    CoverFragment,
    Fragment,
    Humming,
    Recording,
    Release,
    ReleasedVersion,
    Song,
    TrainingUse,
)
from recordings.models.songs import Split

# How many of the latest failures and results the page lists.
FAILURES_LISTED = 20
RESULTS_LISTED = 8

STATION_OF = {
    Job.Kind.RENDER: "songs",
    Job.Kind.SEARCH: "songs",
    Job.Kind.FETCH: "songs",
    Job.Kind.AVAILABLE: "songs",
    Job.Kind.INGEST: "songs",
    Job.Kind.ANALYSE: "songs",
    Job.Kind.CHECK: "hums",
    Job.Kind.TRAIN: "training",
    Job.Kind.MINE: "mining",
    Job.Kind.RELEASE: "release",
    Job.Kind.CONTROLS: "double-check",
    Job.Kind.CROWD: "double-check",
    Job.Kind.REASK: "double-check",
    Job.Kind.ROUND: "training",
    Job.Kind.INDEX: "songs",
}


@dataclass(frozen=True)
class Station:
    """One station of the circle.

    Attributes:
        name: for the page's script and style.
        title: for the person.
        done, done_words: how many things are through, and what they are.
        waiting, waiting_words: how many wait here, and for what.
        total: how many there are to be done in all, where there is an end to them.
    """

    name: str
    title: str
    done: int
    done_words: str
    waiting: int
    waiting_words: str
    total: int | None = None


def stations() -> list[Station]:
    return [songs(), hums(), double_check(), training(), mining(), release()]


def plural(number: int, one: str, many: str = "") -> str:
    """The word for so many: "song", "songs"."""
    return one if number == 1 else many or f"{one}s"


def songs() -> Station:
    originals = Recording.objects.of_available_songs().originals()
    ready = originals.analysed().count()
    failed = Q(state=Recording.State.FAILED) | Q(analyses=None, job_failure__isnull=False)
    sound = originals.annotate(job_failure=job_failure()).exclude(failed).distinct().count()
    return Station("songs", "Songs", ready, f"{plural(ready, 'song')} ready", sound - ready, "being prepared", sound)


def hums() -> Station:
    live = Fragment.objects.live()
    filled = Slot.objects.filter(fragment__in=live).exclude(humming=None).count()
    wanted = live.count() * settings.SLOTS_PER_FRAGMENT
    unchecked = Humming.objects.without_check().count()
    return Station("hums", "Hums", filled, f"of {wanted:,} slots filled", unchecked, "waiting for the check", wanted)


def double_check() -> Station:
    waiting = ReviewItem.objects.waiting().count()
    settled = ReviewItem.objects.filter(state=ReviewItem.State.SETTLED).count()
    return Station("double-check", "Double-check", settled, "settled", waiting, "to judge", settled + waiting)


def training() -> Station:
    made, new = Checkpoint.objects.trained_here().count(), hums_to_train_on().count()
    words = f"{plural(made, 'checkpoint')} trained here"
    return Station("training", "Training", made, words, new, f"new {plural(new, 'hum')}")


def mining() -> Station:
    found, left = CoverFragment.objects.accepted().count(), songs_not_mined().count()
    words = plural(found, "cover fragment")
    return Station("mining", "Mining", found, words, left, f"{plural(left, 'song')} to mine")


def release() -> Station:
    latest = Release.objects.latest_first().first()
    releases = Release.objects.published().count()
    new = unreleased(Humming.objects.accepted(), latest) + unreleased(CoverFragment.objects.accepted(), latest)
    words = plural(releases, "release") + (f", the latest {latest.version}" if latest else "")
    return Station("release", "Release", releases, words, new, f"new {plural(new, 'version')}")


def hums_to_train_on() -> QuerySet[Humming]:
    """Accepted hums of training songs that the short checkpoint that was trained last has not seen."""
    hums = Humming.objects.trainable().filter(fragment__recording__song__split=Split.TRAIN)
    trained = Checkpoint.objects.trained_here().filter(kind="short").order_by("-created_at")
    latest = trained.values_list("name", flat=True).first()
    if latest is None:
        return hums
    return hums.exclude(Exists(TrainingUse.objects.filter(version_id=OuterRef("pk"), checkpoint=latest)))


def songs_not_mined() -> QuerySet[Song]:
    """Songs that can be mined and were not, since the checkpoint that mining uses was made."""
    mined = Job.objects.filter(kind=Job.Kind.MINE, state=Job.State.DONE)
    used = Checkpoint.objects.to_mine_with()
    if used:
        mined = mined.filter(created_at__gt=used.promoted_at or used.created_at)
    return songs_to_mine().exclude(pk__in=uuids(mined.values_list("subject", flat=True)))


def unreleased(versions: QuerySet, latest: Release | None) -> int:
    """How many of these accepted versions the latest release does not have."""
    known = ReleasedVersion.objects.filter(release=latest, version_id=OuterRef("pk"))
    return versions.exclude(Exists(known)).count()


def as_it_stands() -> dict[str, Any]:
    """All of it, as the page and its JSON call show it."""
    running = described(Job.objects.filter(state=Job.State.RUNNING).order_by("started_at"))
    failed = described(standing_failures())
    done = Job.objects.filter(state=Job.State.DONE).order_by("-finished_at")[:RESULTS_LISTED]
    waiting = Counter(Job.objects.waiting().values_list("kind", flat=True))
    here = stations()
    return {
        "next": what_helps_most(here, running),
        "stations": [with_jobs(station, running, failed) for station in here],
        "jobs": {
            "waiting": sum(waiting.values()),
            "running": running,
            "failed": failed[:FAILURES_LISTED],
            "done": described(done),
        },
        # How many jobs of each kind wait or run, so that a step that is under way is not offered again.
        "open": dict(Counter(job["kind"] for job in running) + waiting),
        "songs_to_mine": songs_to_mine().count(),
    }


def what_helps_most(stations: list[Station], running: list[dict[str, Any]]) -> str:
    """One sentence: what the collection waits for first, in the order of the chain."""
    songs, hums, checks, training, mining, release = stations
    kinds = {job["kind"] for job in running}
    if not songs.total:
        return "There are no songs yet. Import one; its phrases can be hummed as soon as it is read."
    if songs.waiting > songs.done:
        ready = f"{songs.done} of {songs.total} songs {'is' if songs.done == 1 else 'are'} ready"
        can = " and can be hummed already" if songs.done else ""
        return f"{ready}{can}; the others are being prepared."
    if checks.waiting:
        return f"{checks.waiting} {plural(checks.waiting, 'version waits', 'versions wait')} for the double-check."
    disputed = ReviewItem.objects.filter(state=ReviewItem.State.DISPUTED).count()
    if disputed:
        return f"{disputed} {plural(disputed, 'item is', 'items are')} disputed: an admin has to decide."
    if training.waiting and Job.Kind.TRAIN not in kinds:
        return f"{training.waiting} {training.waiting_words} since the latest checkpoint: train on them."
    if mining.waiting and Job.Kind.MINE not in kinds:
        return f"{mining.waiting} {mining.waiting_words} with the latest checkpoint."
    if release.waiting:
        return f"{release.waiting} {release.waiting_words} since the latest release."
    if hums.total and hums.done < hums.total:
        return f"{hums.total - hums.done:,} slots are open. More hums help most now."
    return "Every slot is filled and everything is judged. New songs help most now."


def with_jobs(station: Station, running: list[dict[str, Any]], failed: list[dict[str, Any]]) -> dict[str, Any]:
    """A station with how many of its jobs run, and how many have failed."""

    def here(jobs: list[dict[str, Any]]) -> int:
        return sum(STATION_OF[job["kind"]] == station.name for job in jobs)

    return asdict(station) | {"running": here(running), "failed": here(failed)}


def standing_failures() -> QuerySet[Job]:
    """Failed jobs whose thing was not tried anew since, the latest first."""
    later = Job.objects.filter(
        kind=OuterRef("kind"), subject=OuterRef("subject"), created_at__gt=OuterRef("created_at")
    )
    return Job.objects.filter(~Exists(later), state=Job.State.FAILED).order_by("-finished_at")


def songs_to_mine() -> QuerySet[Song]:
    """Songs with an analysed original that has fragments, and an analysed cover."""
    originals = Recording.objects.analysed().originals().filter(fragments__retired_at=None, fragments__isnull=False)
    covers = Recording.objects.analysed().covers()
    return Song.objects.available().filter(Q(recordings__in=originals) & Q(pk__in=covers.values("song"))).distinct()


def start(kind: str, arguments: dict[str, Any]) -> list[Job]:
    """Asks for the jobs of a step: one of training or release, one a song of mining.

    Of a version that is not published a draft is made; a published one is exported again.
    """
    if kind == Job.Kind.MINE:
        wanted = songs_to_mine()
        if arguments.get("song"):
            wanted = wanted.filter(pk=arguments["song"])
        return [Job.ask(Job.Kind.MINE, song.pk) for song in wanted]
    if kind == Job.Kind.TRAIN:
        return [Job.ask(Job.Kind.TRAIN, arguments.get("kind", "short"), kind=arguments.get("kind", "short"))]
    version = arguments["version"]
    is_out = Release.objects.published().filter(version=version).exists()
    return [Job.ask(Job.Kind.RELEASE, version, step="publish" if is_out else DRAFT)]


def takes_of(song: Song) -> dict[str, int]:
    """How many takes of a song's fragments there are in each state."""
    counts = Humming.objects.filter(fragment__recording__song=song).values_list("state").annotate(n=Count("pk"))
    return dict(counts)
