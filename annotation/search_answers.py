"""A search as its person sees it: what was found, by the songs as they are now; and both curves at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext

from annotation.models import Search
from recordings import media
from recordings.models import Recording

# So many songs are shown; the answer holds some more, as some of them may have been taken down since.
SHOWN = 10
# What is drawn of a song before and after the place, seconds.
AROUND_S = 2.0
# What is played of a song from the place on, seconds.
PLAYED_S = 15.0
WATCH = "https://www.youtube.com/watch?v={id}&t={second}s"


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
    """What was found, the best first, without the songs that were taken down."""
    found = (search.answer or {}).get("found", [])
    ids = [UUID(one["recording"]) for one in found]
    recordings = Recording.objects.of_available_songs().select_related("song").in_bulk(ids)
    places = (
        Place(rank, recordings[pk], one)
        for rank, (pk, one) in enumerate(zip(ids, found, strict=True), start=1)
        if pk in recordings
    )
    return list(places)[:SHOWN]


def place_of(search: Search, rank: int) -> Place:
    """Raises Http404 where nothing of this rank may be shown."""
    for place in places_of(search):
        if place.rank == rank:
            return place
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
        "found": [_describe(search, place, person) for place in places],
        "index": answer.get("index"),
        "marked": {
            str(mark.song_id): {"right": mark.right, "kept": bool(mark.humming and mark.humming.counts)}
            for mark in search.marks.select_related("humming")
        },
    }


def translated(sentence: str) -> str:
    """A stored sentence in the reader's language. (Of nothing gettext gives the catalogue's head.)"""
    return gettext(sentence) if sentence else ""


def _whether_here(answer: Mapping[str, Any], places: list[Place]) -> dict[str, Any]:
    """Where the best was taken down since, what is left is no better than it was."""
    if not answer:
        return {"here": None, "is_here": None}
    if not answer["found"] or (places and places[0].rank == 1):
        return {"here": answer["here"], "is_here": answer["is_here"]}
    return {"here": round(sum(place.told["probability"] for place in places), 4), "is_here": False}


def _describe(search: Search, place: Place, person: AbstractBaseUser | None) -> dict[str, Any]:
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
    }


def _watch(recording: Recording, start_s: float) -> str | None:
    if not recording.youtube_id or recording.is_available is False:
        return None
    return WATCH.format(id=recording.youtube_id, second=int(start_s))


def curves(search: Search, place: Place) -> dict[str, Any]:
    """The hum in the song's key and on its clock, and the song around the place.

    Raises:
        Http404: the hum's curve was deleted with the hum, or the recording has no melody any more.
    """
    if search.curve is None:
        raise Http404(f"The hum of {search} is deleted.")
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
