"""What the page of one song shows: its recordings with their jobs, and what was found in its covers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from ml_worker import chain
from ml_worker.jobs_in_words import OF_A_RECORDING
from ml_worker.models import Job, MinedPair
from recordings.models import Analysis, CoverFragment, Humming, Recording, Song
from recordings.models.songs import LONGEST_FRAGMENT_S, SHORTEST_FRAGMENT_S

# The states of takes in the order of their lives, as the admin reads them.
TAKES_IN_WORDS = {
    Humming.State.SAVED: "waiting for the check",
    Humming.State.CHECKED: "waiting for the double-check",
    Humming.State.ACCEPTED: "accepted",
    Humming.State.REFUSED: "refused by the check",
    Humming.State.REJECTED: "rejected by people",
    Humming.State.WITHDRAWN: "withdrawn",
}


class ShownPair(NamedTuple):
    """A mined pair of which a recording is the cover; with the original, or with another cover.

    Attributes:
        against: what the other recording is called.
        odd: what is odd about it; "" where nothing is, or where somebody has looked at it.
    """

    row: MinedPair
    against: str
    odd: str


@dataclass(frozen=True)
class ShownRecording:
    """A recording with its analyses and the job that works on it, or failed on it; a cover with its mined pairs."""

    row: Recording
    name: str
    analyses: list[Analysis]
    job: Job | None
    pairs: list[ShownPair]

    @property
    def is_open(self) -> bool:
        """Whether more is to come of itself."""
        return self.state in ("preparing", "analysing")

    @property
    def state(self) -> str:
        if self.row.state == Recording.State.FAILED or (self.job and self.job.state == Job.State.FAILED):
            return "failed"
        if self.row.state == Recording.State.WAITING:
            return "preparing"
        return "ready" if self.analyses else "analysing"

    @property
    def failure(self) -> str:
        return self.row.failure or (self.job.failure if self.job else "")


def shown_recordings(song: Song) -> list[ShownRecording]:
    """The original, then the covers as they came."""
    rows = list(in_order(song).prefetch_related("analyses"))
    jobs, names = latest_jobs(rows), names_of(rows)
    pairs = pairs_by_cover(song, names)
    return [
        ShownRecording(row, names[row.pk], list(row.analyses.all()), jobs.get(str(row.pk)), pairs.get(row.pk, []))
        for row in rows
    ]


def pairs_by_cover(song: Song, names: dict[UUID, str]) -> dict[UUID, list[ShownPair]]:
    """The mined pairs of a song's covers: that with the original first, then those with other covers."""
    mined = MinedPair.objects.filter(original__song=song, cover__song=song).select_related("original", "seems_to_be")
    pairs: dict[UUID, list[ShownPair]] = defaultdict(list)
    for pair in mined.order_by("-original__kind", "original__created_at"):
        is_original = pair.original.kind == Recording.Kind.ORIGINAL
        against = "the original" if is_original else names[pair.original_id]
        odd = pair.in_words(against) if pair.is_odd and not pair.looked_at else ""
        pairs[pair.cover_id].append(ShownPair(pair, against, odd))
    return pairs


def in_order(song: Song) -> QuerySet[Recording]:
    """The original, then the covers as they came."""
    return song.recordings.order_by("-kind", "created_at")


def names_of(recordings: list[Recording]) -> dict[UUID, str]:
    """ "Original", "Cover 1", "Cover 2", in their order."""
    covers = [row.pk for row in recordings if row.kind == Recording.Kind.COVER]
    numbered = {pk: f"Cover {number}" for number, pk in enumerate(covers, start=1)}
    return {row.pk: numbered.get(row.pk, "Original") for row in recordings}


def latest_jobs(recordings: list[Recording]) -> dict[str, Job]:
    """The latest job of each recording, where it is open or failed."""
    subjects = [str(recording.pk) for recording in recordings]
    jobs = Job.objects.filter(kind__in=OF_A_RECORDING, subject__in=subjects).order_by("created_at")
    latest = {job.subject: job for job in jobs}
    return {subject: job for subject, job in latest.items() if job.state != Job.State.DONE}


def takes_in_words(song: Song) -> list[tuple[str, int]]:
    """How many takes there are in each state that has any."""
    counts = chain.takes_of(song)
    return [(words, counts[state]) for state, words in TAKES_IN_WORDS.items() if counts.get(state)]


def cover_fragments_of(song: Song, recordings: list[ShownRecording]) -> list[CoverFragment]:
    """What was found in the song's covers, by phrase and then the surest first; each knows its `phrase`, or None, and
    its `cover` by name."""
    found = CoverFragment.objects.filter(fragment__recording__song=song).select_related("fragment", "recording")
    numbers = phrase_numbers(song.original) if song.original else {}
    names = {one.row.pk: one.name for one in recordings}
    rows = list(found.order_by("fragment__start_s", "-correlation"))
    for row in rows:
        row.phrase, row.cover = numbers.get(row.fragment_id), names.get(row.recording_id, "")
    return rows


def phrase_numbers(original: Recording) -> dict[UUID, int]:
    """The live fragments of an original by their numbers, from 1."""
    return {pk: number for number, pk in enumerate(original.fragments.live().values_list("pk", flat=True), start=1)}


def why_not_mine(song: Song) -> str:
    """Why the covers of this song cannot be mined now; "" where they can."""
    if song.taken_down_at:
        return "This song was taken down."
    if not song.recordings.analysed().covers().exists():
        return "It has no cover that is ready and analysed yet."
    if not chain.songs_to_mine().filter(pk=song.pk).exists():
        return "Its original has no fragments yet."
    return ""


def editor_data(original: Recording, fragments: list[dict[str, Any]]) -> dict[str, Any]:
    """What the fragment editor starts from."""
    here = [original.pk]
    return {
        "duration_s": original.duration_s,
        "sample_rate": original.sample_rate,
        "shortest_s": SHORTEST_FRAGMENT_S,
        "longest_s": LONGEST_FRAGMENT_S,
        "fragments": fragments,
        "urls": {
            "fragments": reverse("fragments", args=here),
            "audio": reverse("recording-audio", args=here),
            "peaks": reverse("recording-peaks", args=here),
            "curve": reverse("recording-curve", args=here),
            "fragment": reverse("fragment", args=here).replace(str(original.pk), "ID"),
        },
    }
