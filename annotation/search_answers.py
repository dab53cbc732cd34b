"""A search as its person sees it: what was found, by the songs as they are now; and both curves at a place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.models import Search
from annotation.models.searches import HUM_KEPT
from chad_site.errors import Refused
from recordings import media
from recordings.models import Fragment, Humming, Recording

# So many songs are shown; the answer holds some more, as some of them may have been taken down since.
SHOWN = 10
# What is drawn of a song before and after the place, seconds.
AROUND_S = 2.0
# What is played of a song from the place on, seconds.
PLAYED_S = 15.0
WATCH = "https://www.youtube.com/watch?v={id}&t={second}s"
# A hum is a take of a fragment of which it covers this share: of less the check would say that it was cut off.
LEAST_COVERED = 0.85

HUM_DELETED = _("Your hum and its curve were deleted after an hour. Hum it again to see and to give it.")
NOT_COLLECTED = _("This part of the song is not collected, so your hum cannot be kept.")
HUMMED_BEFORE = _("The collection has your hum of this phrase already.")
TAKEN_DOWN = _("This song was taken down meanwhile. Search again to see what is still there.")


@dataclass(frozen=True)
class Place:
    """One finding that may be shown.

    Attributes:
        rank: from 1, for good: where songs were taken down since, numbers are missing.
        recording: in which it was found.
        told: "score", "probability", "start_s", "end_s", "tempo_ratio", "transposition".
    """

    rank: int
    recording: Recording
    told: Mapping[str, Any]

    @property
    def start_s(self) -> float:
        return max(0.0, self.told["start_s"])

    @property
    def end_s(self) -> float:
        return self.told["end_s"]


def places_of(search: Search) -> list[Place]:
    """What was found and is shown, the best first, without the songs that were taken down."""
    return _still_there(search)[:SHOWN]


def _still_there(search: Search) -> list[Place]:
    found = (search.answer or {}).get("found", [])
    ids = [UUID(one["recording"]) for one in found]
    recordings = Recording.objects.of_available_songs().select_related("song").in_bulk(ids)
    return [
        Place(rank, recordings[pk], one)
        for rank, (pk, one) in enumerate(zip(ids, found, strict=True), start=1)
        if pk in recordings
    ]


def place_of(search: Search, rank: int) -> Place:
    """
    Raises:
        Refused: it was taken down since.
        Http404: there is nothing of this rank.
    """
    there = _still_there(search)
    for place in there[:SHOWN]:
        if place.rank == rank:
            return place
    if 1 <= rank <= len((search.answer or {}).get("found", [])) and rank not in {place.rank for place in there}:
        raise Refused(TAKEN_DOWN, "taken_down", 404)
    raise Http404(f"{search} found nothing at {rank} that may be shown.")


def may_hear(recording: Recording, person: AbstractBaseUser | None) -> bool:
    """Whether the platform may play a recording to this person.

    To everybody what its licence lets be passed on; the rest, as phrases to hum are, to who is signed in, guests too.
    """
    return bool(recording.audio) and (recording.redistributable or person is not None)


def describe(search: Search, person: AbstractBaseUser | None) -> dict[str, Any]:
    """The search with its answer, as the calls give it."""
    answer = search.answer or {}
    places = places_of(search)
    lacks = why_not_kept(search, places, person)
    return {
        "id": search.pk,
        "hum": search.hum,
        "partial": search.partial,
        "state": search.state,
        "code": search.code,
        "sentence": translated(search.sentence),
        **_whether_here(answer, places),
        "warnings": [translated(warning) for warning in answer.get("warnings", [])],
        "took_s": search.took,
        "found": [_describe(search, place, person, lacks[place.rank]) for place in places],
        "index": _searched(answer),
        "marked": {
            str(mark.song_id): {"right": mark.right, "kept": bool(mark.humming and mark.humming.counts)}
            for mark in search.marks.select_related("humming")
        },
    }


def translated(sentence: str) -> str:
    """A stored sentence in the reader's language. (Of nothing gettext gives the catalogue's head.)"""
    return gettext(sentence) if sentence else ""


def _whether_here(answer: Mapping[str, Any], places: list[Place]) -> dict[str, Any]:
    """Where the best was taken down since, what is left is no better than it was. Where not all songs were searched,
    nobody knows that it is not there.
    """
    if not answer:
        return {"here": None, "is_here": None}
    if not answer["found"] or (places and places[0].rank == 1):
        return {"here": answer["here"], "is_here": answer["is_here"]}
    searched = _searched(answer)
    is_here = False if searched is None or searched["complete"] else None
    return {"here": round(sum(place.told["probability"] for place in places), 4), "is_here": is_here}


def _searched(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was searched. (Older answers do not say whether these were all songs; they were.)"""
    index = answer.get("index")
    return index and {"complete": True, **index}


def fragment_at(place: Place, fragments: Iterable[Fragment]) -> Fragment | None:
    """Of a recording's live fragments the one of which the hum covers most; None where it covers none far enough."""

    def covered(fragment: Fragment) -> float:
        shared_s = min(fragment.end_s, place.end_s) - max(fragment.start_s, place.start_s)
        return shared_s / fragment.duration_s

    best = max(fragments, key=covered, default=None)
    return best if best is not None and covered(best) >= LEAST_COVERED else None


def why_not_kept(search: Search, places: list[Place], person: AbstractBaseUser | None) -> dict[int, str | Promise]:
    """For each rank why the hum cannot be kept as a take of that song; "" where it can, as far as is known before."""
    if not search.audio or search.created_at < timezone.now() - HUM_KEPT:
        return {place.rank: HUM_DELETED for place in places}
    there: dict[UUID, list[Fragment]] = defaultdict(list)
    for fragment in Fragment.objects.live().filter(recording__in=[place.recording.pk for place in places]):
        there[fragment.recording_id].append(fragment)
    fragments = {place.rank: fragment_at(place, there[place.recording.pk]) for place in places}
    hummed = _hummed_before(search, [fragment for fragment in fragments.values() if fragment], person)
    return {
        rank: NOT_COLLECTED if fragment is None else HUMMED_BEFORE if fragment.pk in hummed else ""
        for rank, fragment in fragments.items()
    }


def _hummed_before(search: Search, fragments: list[Fragment], person: AbstractBaseUser | None) -> set[UUID]:
    """Of these fragments those that the person has hummed, other than by this very search."""
    if person is None or not fragments:
        return set()
    takes = Humming.objects.counting().filter(singer=person, fragment__in=fragments)
    return set(takes.exclude(found_by__search=search).values_list("fragment", flat=True))


def _describe(search: Search, place: Place, person: AbstractBaseUser | None, why_not: str | Promise) -> dict[str, Any]:
    recording, song = place.recording, place.recording.song
    heard = may_hear(recording, person)
    return {
        "rank": place.rank,
        "song": {"id": song.pk, "title": song.title, "artist": song.artist},
        "recording": recording.pk,
        "probability": place.told["probability"],
        "start_s": place.start_s,
        "end_s": place.end_s,
        "tempo_ratio": place.told["tempo_ratio"],
        "transposition": place.told["transposition"],
        "listen": reverse("search-listen", args=[search.pk, place.rank]) if heard else None,
        "watch": _watch(recording, place.start_s),
        "curves": reverse("search-curves", args=[search.pk, place.rank]),
        "keepable": not why_not,
        "why_not": str(why_not),
    }


def _watch(recording: Recording, start_s: float) -> str | None:
    if not recording.youtube_id or recording.is_available is False:
        return None
    return WATCH.format(id=recording.youtube_id, second=int(start_s))


def curves(search: Search, place: Place) -> dict[str, Any]:
    """The hum in the song's key and on its clock, and the song around the place.

    Raises:
        Refused: the hum's curve was deleted with the hum.
        Http404: the recording has no melody any more.
    """
    if search.curve is None:
        raise Refused(HUM_DELETED, "hum_deleted", 404)
    start_s = max(0.0, place.start_s - AROUND_S)
    song = media.interval_curve(place.recording, start_s, place.end_s + AROUND_S)
    return {"hum": _on_the_songs_clock(search.curve, place), "song": song | {"start_s": start_s}}


def _on_the_songs_clock(curve: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The curve begins with the hum, so its second u is at start_s + u / tempo_ratio."""
    transposition = place.told["transposition"] or 0.0
    pitch = [None if semitones is None else round(semitones - transposition, 2) for semitones in curve["pitch"]]
    return {
        "hop_s": curve["hop_s"] / place.told["tempo_ratio"],
        "pitch": pitch,
        "start_s": place.told["start_s"],
    }
