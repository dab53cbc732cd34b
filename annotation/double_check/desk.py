"""What lies on a reviewer's desk: both sides of an item, a control item looking like any other."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse

from annotation.models import Control, ReviewItem, Verdict
from recordings import media
from recordings.models import CoverFragment, Humming, Song

ORIGINAL, VERSION = "original", "version"

WITH_ALL = (
    "humming__fragment__recording__song",
    "humming__check_result",
    "cover_fragment__fragment__recording__song",
    "cover_fragment__recording",
    "control__fragment__recording__song",
    "control__humming",
    "control__cover_fragment__recording",
)


def hearable_items(person: AbstractBaseUser) -> QuerySet[ReviewItem]:
    """What a reviewer may hear: what is on their desk and what they have judged. An admin hears every item.

    What a singer took back nobody hears any more, not as a control item either, and what is of a song that was taken
    down only admins do.
    """
    withdrawn = Q(humming__state=Humming.State.WITHDRAWN) | Q(control__humming__state=Humming.State.WITHDRAWN)
    items = ReviewItem.objects.select_related(*WITH_ALL).exclude(withdrawn)
    if person.is_staff:
        return items
    down = Song.objects.exclude(taken_down_at=None).values("pk")
    of_hums, of_covers = Q(humming__fragment__recording__song__in=down), Q(cover_fragment__recording__song__in=down)
    closed = Q(state=ReviewItem.State.CLOSED) | Q(control__retired_at__isnull=False) | of_hums | of_covers
    judged = Verdict.objects.filter(item=OuterRef("pk"), person=person)
    held = Q(pk__in=ReviewItem.objects.held_by(person).values("pk"))
    return items.exclude(closed).filter(held | Exists(judged))


def describe(item: ReviewItem) -> dict[str, Any]:
    """An item for the page's script."""
    fragment = item.fragment
    phrase, phrases = fragment.place
    return {
        "id": item.pk,
        "kind": item.kind,
        "song": fragment.song.title,
        "artist": fragment.song.artist,
        "phrase": phrase,
        "phrases": phrases,
        "expires_at": item.leased_until,
        "original": {**addresses(item, ORIGINAL), "duration_s": fragment.duration_s},
        **described_version(item),
    }


def addresses(item: ReviewItem, side: str) -> dict[str, str]:
    return {
        "audio_url": reverse("item-audio", args=[item.pk, side]),
        "curve_url": reverse("item-curve", args=[item.pk, side]),
    }


def described_version(item: ReviewItem) -> dict[str, Any]:
    """`similarity`, and what the machine proposes for the version."""
    facts = proposal(item.control or item.version)
    similarity = facts.pop("similarity")
    # What a control item shows fits where it stands in the queue: see claims.py.
    shown = item.sureness if item.control_id else similarity
    return {"similarity": shown, "version": {**addresses(item, VERSION), **facts}}


def proposal(of: Humming | CoverFragment | Control) -> dict[str, float | None]:
    """What a machine says of a version: its length, where the fragment begins in it, pace, key, likeness."""
    if isinstance(of, CoverFragment):
        return {
            "duration_s": of.end_s - of.start_s,
            "offset_s": 0.0,
            "tempo_ratio": of.tempo_ratio,
            "transposition": of.transposition,
            "similarity": of.correlation,
        }
    found = of.check_result if isinstance(of, Humming) else of
    names = ("offset_s", "tempo_ratio", "transposition", "similarity")
    return {"duration_s": of.duration_s} | {name: getattr(found, name) for name in names}


def audio(item: ReviewItem, side: str) -> HttpResponseBase:
    """One side of an item, lossless."""
    if side == ORIGINAL:
        fragment = item.fragment
        return media.interval_audio(fragment.recording, fragment.start_s, fragment.end_s)
    if item.control and item.control.audio:
        return media.private_file(item.control.audio.open().read(), "audio/flac")
    version = item.version
    if isinstance(version, CoverFragment):
        return media.interval_audio(version.recording, version.start_s, version.end_s)
    if not version.audio:
        raise Http404("The sound of this take is deleted.")
    # As FLAC, like every other side: what a thing is must not be told by its kind of file.
    return media.whole_as_flac(version.audio)


def curve(item: ReviewItem, side: str) -> dict[str, Any]:
    if side == ORIGINAL:
        return media.fragment_curve(item.fragment)
    if item.control:
        return item.control.curve
    version = item.version
    if isinstance(version, CoverFragment):
        return media.interval_curve(version.recording, version.start_s, version.end_s)
    return media.read_curve(version.check_result.melody)
