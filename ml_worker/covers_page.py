"""What the pages of covers show: songs with what was found for each, the videos to decide on, and how many are lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import CharField, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast
from django.utils import timezone

from ml_worker.collecting.filters import clock
from ml_worker.collecting.losses import Followed, still_there
from ml_worker.models import Job
from ml_worker.song_list import counted
from recordings.models import AvailabilityCheck, CoverCandidate, Recording, Song

State = CoverCandidate.State

# In the order of the page.
STATES = {
    State.PROPOSED: "to decide",
    State.FILTERED: "put aside",
    State.APPROVED: "approved",
    State.REFUSED: "refused",
}
# Filters by their names in ml_worker.collecting.filters, as chips.
FILTER_WORDS = {
    "length": "length",
    "karaoke": "karaoke",
    "live": "live",
    "instrumental": "instrumental",
    "reaction": "talk",
    "lesson": "lesson",
    "speed": "faster or slower",
    "spatial": "worked on",
    "mixed": "medley or remix",
    "title": "other title",
    "artist": "the artist’s own",
}
DAYS_OF_A_MONTH = 30.44
# Ages of the table of losses: up to so many months, and its words.
AGES = ((1, "up to 1 month"), (6, "1 to 6 months"), (12, "6 to 12 months"), (float("inf"), "more than a year"))
# Months that the table of losses lists.
MONTHS_LISTED = 6


def songs(sought: str = "") -> QuerySet[Song]:
    """Songs with counts of their candidates, those with something to decide first.

    `search_failure` is the sentence of the latest search where that failed.
    """
    rows = Song.objects.available()
    for word in sought.split():
        rows = rows.filter(Q(title__icontains=word) | Q(artist__icontains=word))
    of_state = {
        state.value: counted(CoverCandidate.objects.filter(state=state), "song") for state in (*STATES,)
    }  # fmt: skip
    here = counted(Recording.objects.covers().filter(state=Recording.State.READY), "song")
    searches = Job.objects.filter(kind=Job.Kind.SEARCH, subject=Cast(OuterRef("pk"), CharField()))
    failure = Subquery(searches.order_by("-created_at").values("failure")[:1])
    rows = rows.annotate(**of_state, here=here, searched_at=Max("cover_searches__at"), search_failure=failure)
    return rows.order_by("-proposed", "title")


@dataclass(frozen=True)
class Chip:
    """A choice of what is shown, and how many there are of it."""

    value: str
    words: str
    number: int


def state_chips(song: Song) -> list[Chip]:
    counts = Counter(song.cover_candidates.values_list("state", flat=True))
    return [Chip(state.value, words, counts[state]) for state, words in STATES.items()]


def filter_chips(song: Song) -> list[Chip]:
    """The filters that put videos of this song aside; one may be put aside by several."""
    aside = song.cover_candidates.filter(state=State.FILTERED).values_list("filtered_because", flat=True)
    counts = Counter(why["filter"] for reasons in aside for why in reasons)
    return [Chip(name, words, counts[name]) for name, words in FILTER_WORDS.items() if counts[name]]


def candidates(song: Song, state: str, because: str = "") -> QuerySet[CoverCandidate]:
    """The videos of a song in a state; of one filter, where it is named. The most seen first."""
    rows = song.cover_candidates.filter(state=state).select_related("recording", "decided_by")
    if because in FILTER_WORDS:
        rows = rows.filter(filtered_because__contains=[{"filter": because}])
    return rows.order_by("-views", "created_at")


def described(candidate: CoverCandidate) -> dict[str, Any]:
    """A video for the page's script, after a decision."""
    return {"id": str(candidate.pk), "state": candidate.state, "words": words_of(candidate)}


def words_of(candidate: CoverCandidate) -> str:
    """How a video stands, in words."""
    if candidate.state != State.APPROVED:
        return STATES[State(candidate.state)]
    if candidate.recording is None:
        return "approved; its recording was removed"
    ready = {"waiting": "it waits to be fetched", "ready": "it is here", "failed": "it could not be fetched"}
    return f"approved; {ready[candidate.recording.state]}"


def length_of(candidate: CoverCandidate, original_s: float | None) -> str:
    """Its length, beside the original's where both are known."""
    if not candidate.duration_s:
        return "length unknown"
    beside = f", original {clock(original_s)}" if original_s else ""
    return f"{clock(candidate.duration_s)}{beside}"


def search_job(song: Song) -> Job | None:
    """The latest search of this song."""
    return Job.objects.filter(kind=Job.Kind.SEARCH, subject=str(song.pk)).order_by("-created_at").first()


# ---------------------------------------------------------------- losses


@dataclass(frozen=True)
class Losses:
    """What became of the videos that were fetched, as far as anybody looked.

    Attributes:
        there, gone, not_looked_at: how many videos, now.
        curve: the share still there by age in months (Kaplan-Meier): [(months, share)].
        by_age: (words, videos whose age at the last look was so, how many of these are gone).
        by_month: (month, looks that learned something, videos found gone in it), the latest first.
    """

    there: int
    gone: int
    not_looked_at: int
    curve: list[tuple[float, float]]
    by_age: list[tuple[str, int, int]]
    by_month: list[tuple[str, int, int]]

    @property
    def known(self) -> int:
        return self.there + self.gone


@dataclass
class _Video:
    """One video's looks, in order."""

    created_at: datetime
    looks: list[tuple[datetime, bool]]

    @property
    def followed(self) -> Followed:
        """Until it was first found gone for good; a video that came back was not lost."""
        is_lost = not self.looks[-1][1]
        end = self.looks[-1][0]
        if is_lost:
            last_there = max((k for k, (_, is_there) in enumerate(self.looks) if is_there), default=-1)
            end = self.looks[last_there + 1][0]
        months = (end - self.created_at).total_seconds() / 86_400 / DAYS_OF_A_MONTH
        return Followed(max(0.0, months), is_lost)


def losses() -> Losses:
    looks = AvailabilityCheck.objects.exclude(is_available=None).order_by("at", "pk")
    rows = looks.values_list("recording", "recording__created_at", "at", "is_available")
    videos: dict[Any, _Video] = {}
    for recording, created_at, at, is_there in rows:
        videos.setdefault(recording, _Video(created_at, [])).looks.append((at, is_there))
    followed = [video.followed for video in videos.values()]
    gone = sum(one.is_lost for one in followed)
    fetched = Recording.objects.filter(source=Recording.Source.YOUTUBE).exclude(state=Recording.State.WAITING)
    return Losses(
        there=len(followed) - gone,
        gone=gone,
        not_looked_at=fetched.exclude(pk__in=videos).count(),
        curve=still_there(followed),
        by_age=_by_age(followed),
        by_month=_by_month(videos.values()),
    )


def _by_age(followed: list[Followed]) -> list[tuple[str, int, int]]:
    table, younger = [], 0.0
    for most, words in AGES:
        of_age = [one for one in followed if younger <= one.months < most]
        table.append((words, len(of_age), sum(one.is_lost for one in of_age)))
        younger = most
    return table


def _by_month(videos: Iterable[_Video]) -> list[tuple[str, int, int]]:
    looks: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for video in videos:
        was_there = True
        for at, is_there in video.looks:
            month = timezone.localtime(at).strftime("%Y-%m")
            looks[month] += 1
            lost[month] += was_there and not is_there
            was_there = is_there
    return [(month, looks[month], lost[month]) for month in sorted(looks, reverse=True)[:MONTHS_LISTED]]
