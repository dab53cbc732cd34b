"""Many pairs in a row, and long ones: time, memory, and what the look before the map spares."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue import tunes
from ml_worker.mining.align import Method
from ml_worker.mining.constructed import HOP_S, Situation, construct
from ml_worker.mining.extract import TEMPO_RATIOS, pair_of, watch
from ml_worker.mining.labelled import composed_tunes
from ml_worker.mining.played import from_notes

# So many originals meet every cover; each cover is of one of them.
ORIGINALS = 25
# Time and memory are told for every so many pairs.
TOLD_EVERY = 100

# How long the long ones are, seconds; how often one is mined, of which the median counts.
LONG_S, TIMES = 240.0, 5


@dataclass(frozen=True)
class MinedPair:
    """What mining a pair cost and gave.

    Attributes:
        is_related: the cover is of the original's tune.
        was_spared: the look before the map found nothing in common.
        accepted: how many fragments.
        seconds: of processor time, which other work on the machine does not lengthen; without the fingerprints.
        peak_bytes: the most memory that the process had had by then.
    """

    is_related: bool
    was_spared: bool
    accepted: int
    seconds: float
    peak_bytes: int


def mine_many(method: Method, number: int) -> Iterator[MinedPair]:
    """So many pairs of composed tunes, each original with every cover, fingerprints kept for one cover at a time."""
    rows = -(-number // ORIGINALS)
    scores = composed_tunes(ORIGINALS + 1)
    situations = list(Situation)
    made = [construct(score, situations[at % len(situations)], scores[-1]) for at, score in enumerate(scores[:-1])]
    originals = [(one.original.melody, method.look(one.original.melody)) for one in made]
    for at in range(rows):
        of = at % ORIGINALS
        # Each time round, tunes are played anew.
        seed, situation = 1 + at // ORIGINALS, situations[at % len(situations)]
        cover = construct(scores[of], situation, scores[-1], seed).cover.melody
        cover_at = method.cover_at(cover)
        for ratio in TEMPO_RATIOS:
            cover_at(ratio)
        for place, (melody, look) in enumerate(islice(originals, number - at * ORIGINALS)):
            began = time.process_time()
            watched = watch(pair_of(look, cover_at, method.settings, (melody, cover)))
            yield MinedPair(
                is_related=place == of,
                was_spared=watched.was_spared,
                accepted=sum(one.decision == "accepted" for one in watched.kept),
                seconds=time.process_time() - began,
                peak_bytes=peak_bytes(),
            )


def peak_bytes() -> int:
    """The most memory that this process has had; the system counts it in kilobytes, on a Mac in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def many_in_words(method: Method, number: int) -> Iterator[str]:
    """The lines that say how it went."""
    began, began_processor = time.perf_counter(), time.process_time()
    mined: list[MinedPair] = []
    for one in mine_many(method, number):
        mined.append(one)
        if len(mined) % TOLD_EVERY == 0:
            yield progress(mined[-TOLD_EVERY:], len(mined))
    wall_s, processor_s = time.perf_counter() - began, time.process_time() - began_processor
    yield (
        f"{len(mined)} pairs with their fingerprints in {wall_s:.1f} s, {len(mined) / wall_s * 60:.0f} a minute; "
        f"processor time {processor_s:.1f} s, {len(mined) / processor_s * 60:.0f} a minute"
    )
    yield from spared_in_words(mined)
    # Hundreds differ, as their recordings do; whether later pairs are dearer only the same ones tell.
    first = mined[:TOLD_EVERY]
    again = list(mine_many(method, len(first)))
    yield (
        f"the first {len(first)} took {1000 * mean_seconds(first):.1f} ms a pair, and once more after all others "
        f"{1000 * mean_seconds(again):.1f} ms"
    )


def progress(hundred: Sequence[MinedPair], number: int) -> str:
    """A line about the last so many pairs."""
    peak_mb = hundred[-1].peak_bytes / 1e6
    return f"{number:6d} pairs: {1000 * mean_seconds(hundred):.1f} ms a pair of these, at most {peak_mb:.0f} MB"


def mean_seconds(mined: Sequence[MinedPair]) -> float:
    """Of processor time for a pair."""
    return float(np.mean([one.seconds for one in mined]))


def spared_in_words(mined: Sequence[MinedPair]) -> Iterator[str]:
    """What the look before the map spared, and what it lost."""
    for what, of_kind in (
        ("related", [one for one in mined if one.is_related]),
        ("unrelated", [one for one in mined if not one.is_related]),
    ):
        spared = sum(one.was_spared for one in of_kind)
        accepted = sum(one.accepted for one in of_kind)
        yield f"{what}: {len(of_kind)} pairs, {spared} spared the map, {accepted} fragments accepted"


# --- two recordings of four minutes


def long_pair_in_words(method: Method) -> Iterator[str]:
    """Seconds that two recordings of four minutes take, once their fingerprints exist."""
    original, cover = (long_melody(number) for number in (0, 1))
    began = time.perf_counter()
    fingerprints, cover_at = method.look(original), method.cover_at(cover)
    for ratio in TEMPO_RATIOS:
        cover_at(ratio)
    prepared_s = time.perf_counter() - began
    wall, processor = [], []
    for _ in range(TIMES):
        began, began_processor = time.perf_counter(), time.process_time()
        watched = watch(pair_of(fingerprints, cover_at, method.settings, (original, cover)))
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - began_processor)
    yield (
        f"two recordings of four minutes, {len(watched.kept)} fragments, median of {TIMES}: {np.median(wall):.2f} s on "
        f"{os.cpu_count()} cores of which others took a part (load {os.getloadavg()[0]:.1f}), "
        f"{np.median(processor):.2f} s of processor time; fingerprints {prepared_s:.1f} s"
    )


def long_melody(number: int) -> Melody:
    """Tunes of the catalogue in a row, four minutes of them; number 1 begins a tune later and is slower by a tenth."""
    parts = [from_notes(tune, 0).melody for tune in tunes()[number : number + 10]]
    f0_hz = np.concatenate([part.f0_hz for part in parts])
    slower = 1 + 0.1 * number
    joined = Melody(HOP_S, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "notes")
    return joined.faster(1 / slower).cut(0, LONG_S)
