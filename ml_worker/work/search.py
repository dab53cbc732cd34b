"""Searches the video site for covers of a song. What is found is stored question by question, and a person decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from ml_worker.collecting.filters import FILTERS, FoundVideo, Sought, reasons
from ml_worker.collecting.lists import UNKNOWN_ARTIST
from ml_worker.collecting.names import tidy
from ml_worker.polite import searches_used_up_until
from ml_worker.work import CannotBeDone
from recordings.models import CoverCandidate, CoverSearch, Recording, Song

if TYPE_CHECKING:
    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    from ml_worker.work.youtube import Searcher

    song = Song.objects.get(pk=job.subject)
    if song.taken_down_at:
        raise CannotBeDone(f"{song} was taken down. Put it back first.")
    filters = job.arguments.get("filters", list(FILTERS))
    questions = questions_of(song)
    with Searcher() as searcher:
        for number, question in enumerate(questions):
            if CoverSearch.objects.filter(asked_for=job.pk, query=question).exists():
                continue
            if (until := searches_used_up_until()) is not None:
                raise CannotBeDone(
                    f"This hour's {settings.SEARCHES_AN_HOUR} searches are used up (CHAD_SEARCHES_AN_HOUR). "
                    f"Start it again after {until:%H:%M} UTC."
                )
            report(number / len(questions), f"Searching for “{question}”")
            found = searcher.videos(question, settings.SEARCH_RESULTS)
            store(song, question, found, job, filters)
    answers = CoverSearch.objects.filter(asked_for=job.pk)
    found, new = sum(answer.found for answer in answers), sum(answer.new for answer in answers)
    kept = song.cover_candidates.to_decide().count()
    return f"{found} videos found, {new} of them new; {kept} wait for a person.", {"found": found, "new": new}


def questions_of(song: Song) -> list[str]:
    """What the site is asked for a song: with its artist, then without, as covers name one or the other."""
    title = tidy(song.title)
    artist = "" if song.artist.casefold() == UNKNOWN_ARTIST else tidy(song.artist)
    with_artist = [f"{title} {artist} cover"] if artist else []
    return [*with_artist, f"{title} cover"]


@transaction.atomic
def store(song: Song, question: str, found: Iterable[FoundVideo], job: Job, filters: Collection[str]) -> None:
    """The answer to a question as rows. A video that is known already stays as it is."""
    videos = {video.youtube_id: video for video in found}
    known = set(song.cover_candidates.filter(youtube_id__in=videos).values_list("youtube_id", flat=True))
    known |= set(Recording.objects.filter(youtube_id__in=videos).values_list("youtube_id", flat=True))
    sought = sought_of(song)
    new = [candidate_of(song, video, question, sought, filters) for key, video in videos.items() if key not in known]
    CoverCandidate.objects.bulk_create(new, ignore_conflicts=True)
    CoverSearch.objects.create(song=song, query=question, asked_for=job.pk, found=len(videos), new=len(new))


def sought_of(song: Song) -> Sought:
    original = song.original
    return Sought(song.title, song.artist, original.duration_s if original else None)


def candidate_of(
    song: Song, video: FoundVideo, found_by: str, sought: Sought, filters: Collection[str] = tuple(FILTERS)
) -> CoverCandidate:
    """The row of a video, not stored yet: proposed, or put aside with the filters' reasons."""
    why = [asdict(reason) for reason in reasons(video, sought, filters)]
    return CoverCandidate(
        song=song,
        youtube_id=video.youtube_id,
        title=video.title,
        channel=video.channel,
        duration_s=video.duration_s,
        views=video.views,
        found_by=found_by,
        filtered_because=why,
        state=CoverCandidate.State.FILTERED if why else CoverCandidate.State.PROPOSED,
    )
