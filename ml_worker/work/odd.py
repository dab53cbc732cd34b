"""Duplicates and mislabelled covers, found by the fingerprints. People see them; nothing is removed by it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from ml_worker.mining.extract import watch
from ml_worker.models import MinedPair
from ml_worker.work import pairs
from recordings.models import Recording, Song

if TYPE_CHECKING:
    from ml_worker.work.mine import Miner

# Two covers are compared where their durations differ by no more than this share: duplicates last equally long.
SAME_DURATION = 0.03
# A cover that shares nothing with its song is looked for in so many other songs, those first that came last.
MOST_SONGS = 200


def look_at(original: Recording, covers: Sequence[Recording], miner: Miner) -> None:
    """Stores which covers are one recording twice, and which song a cover is of that shares nothing with its own."""
    for one, other in combinations(covers, 2):
        if last_equally_long(one, other):
            note_if_same(one, other, miner)
    for pair in MinedPair.objects.filter(original=original, finding=MinedPair.Finding.NOTHING):
        pair.seems_to_be = song_of(pair.cover, miner)
        pair.save(update_fields=["seems_to_be"])


def last_equally_long(one: Recording, other: Recording) -> bool:
    return abs(one.duration_s - other.duration_s) <= SAME_DURATION * max(one.duration_s, other.duration_s)


def note_if_same(one: Recording, other: Recording, miner: Miner) -> None:
    """A row of two covers that are the same recording; none of others."""
    began = time.perf_counter()
    pair = miner.pair(one, other)
    watched = watch(pair)
    if watched.kept and pairs.is_same_recording(pair, watched):
        pairs.store(one, other, pair, watched, miner.method.name, time.perf_counter() - began)
    else:
        MinedPair.objects.filter(original=one, cover=other).delete()


def song_of(cover: Recording, miner: Miner) -> Song | None:
    """The other song with which a cover shares most; None where it shares nothing with any."""
    shared = {song: seconds for song, seconds in shared_with_others(cover, miner) if seconds > 0}
    return max(shared, key=shared.__getitem__, default=None)


def shared_with_others(cover: Recording, miner: Miner) -> Iterator[tuple[Song, float]]:
    """The latest other songs, each with the seconds of the cover that are surely of it."""
    others = Recording.objects.analysed().originals().exclude(song=cover.song).select_related("song")
    for original in others.order_by("-created_at")[:MOST_SONGS]:
        kept = watch(miner.pair(original, cover)).kept
        yield original.song, sum(one.b[1] - one.b[0] for one in kept if one.decision == "accepted")
