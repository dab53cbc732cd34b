"""How well the check tells a melody well sung from one badly sung and from another, on f0/mast, plain DTW beside it.

Melodies of f0/mast are split in two by their place in the sorted list: every second one, from the first, is for setting
limits (tuning), the others are held out; the figures are of the held-out ones unless --melodies says otherwise. A
performance is scored against each of its melody's piano references and the best counts, here as for the baseline.

The baseline is plain dynamic time warping: voiced frames at 20 ms, median subtracted, absolute difference, steps of
(1, 1), (1, 0) and (0, 1), mean cost along the path (librosa.sequence.dtw).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml_worker.audio.melody import Melody
from ml_worker.judging.alignment import curve
from ml_worker.judging.judge import judge_melody
from ml_worker.judging.measure.data import DATA
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half

UNLIKE = 3.0
"""Distance of a hum in which nothing could be aligned: more than any alignment's."""


@dataclass(frozen=True)
class Pair:
    """A performance against one reference. kind: pass, fail (the jury's word), or different (another melody)."""

    performance: str
    melody: str
    reference: str
    kind: str


@dataclass(frozen=True)
class Score:
    """What the check and the baseline say of a pair: distances, and whether the check accepts it."""

    pair: Pair
    ours: float
    baseline: float
    ok: bool


class Mast:
    """The melody dataset: its curves, their melodies by key, and how many references of a melody are used."""

    def __init__(self, data: Path, references: int) -> None:
        self.count = references
        self.curves = mast_curves(data)
        self.melodies = {one.key: one.melody for one in self.curves}

    def names(self, *, tuning: bool) -> list[str]:
        """The melodies for setting limits, or the held-out ones."""
        return mast_half(self.curves, tuning=tuning)

    def references(self, name: str) -> list[str]:
        keys = [one.key for one in self.curves if one.name == name and one.kind == "reference"]
        return keys[: self.count]

    def pairs(self, names: list[str]) -> Iterator[Pair]:
        """Every performance with its own references, and every passed one with those of the other melodies named."""
        for sung in self.curves:
            if sung.name not in names or sung.kind == "reference":
                continue
            for name in names:
                own = name == sung.name
                if own or sung.kind == "pass":
                    kind = sung.kind if own else "different"
                    yield from (Pair(sung.key, name, reference, kind) for reference in self.references(name))


def plain_dtw(hum: Melody, reference: Melody) -> float:
    """The baseline's distance, semitones."""
    rows = []
    for melody in (hum, reference):
        pitch = curve(melody)
        pitch = pitch[~np.isnan(pitch)]
        rows.append((pitch - np.median(pitch))[None])
    total, path = librosa.sequence.dtw(rows[0], rows[1], metric="cityblock")
    return float(total[-1, -1] / len(path))


def score(mast: Mast, pair: Pair) -> Score:
    hum, reference = mast.melodies[pair.performance], mast.melodies[pair.reference]
    judged = judge_melody(hum, reference)
    return Score(pair, float(judged.measures.get("distance", UNLIKE)), plain_dtw(hum, reference), judged.ok)


def best_of_references(scores: list[Score]) -> list[Score]:
    """One score for a performance and a melody: the best of each figure over the melody's references."""

    def key(each: Score) -> tuple[str, str]:
        return each.pair.performance, each.pair.melody

    best = []
    for _, group in groupby(sorted(scores, key=key), key=key):
        of = list(group)
        lowest = [min(getattr(each, name) for each in of) for name in ("ours", "baseline")]
        best.append(Score(of[0].pair, *lowest, any(each.ok for each in of)))
    return best


def area(near: NDArray[np.floating], far: NDArray[np.floating]) -> float:
    """Area under the curve that distances `near` are smaller than distances `far`; 0.5 is chance."""
    ranks = rankdata(np.concatenate([near, far]))
    above = ranks[len(near) :].sum() - len(far) * (len(far) + 1) / 2
    return float(above / (len(near) * len(far)))


def of_kind(scores: list[Score], kind: str, value: Callable[[Score], float]) -> NDArray[np.floating]:
    return np.array([value(each) for each in scores if each.pair.kind == kind])


def report(title: str, scores: list[Score]) -> None:
    """Areas of both methods, and the check's error rates at its limits."""
    count = {kind: len(of_kind(scores, kind, lambda each: 0)) for kind in ("pass", "fail", "different")}
    print(f"\n{title}: {count['pass']} passed, {count['fail']} failed, {count['different']} different")
    print(f"{'area under the curve':34}{'judge':>8}{'plain DTW':>11}")
    for kind, wanted in (("fail", 0.85), ("different", 0.98)):
        figures = [
            area(of_kind(scores, "pass", value), of_kind(scores, kind, value))
            for value in (lambda each: each.ours, lambda each: each.baseline)
        ]
        print(f"{f'pass against {kind} (want {wanted})':34}{figures[0]:8.3f}{figures[1]:11.3f}")
    accepted = {kind: float(np.mean(of_kind(scores, kind, lambda each: each.ok))) for kind in count}
    print(f"at the limits: refuses {1 - accepted['pass']:.1%} of the passed;", end=" ")
    print(f"accepts {accepted['fail']:.1%} of the failed, {accepted['different']:.2%} of the different")


def measure_mast(data: Path, references: int, part: str, processes: int) -> None:
    mast = Mast(data, references)
    for name in ("held-out", "tuning") if part == "both" else (part,):
        pairs = list(mast.pairs(mast.names(tuning=name == "tuning")))
        with ProcessPoolExecutor(processes) as pool:
            scores = list(pool.map(partial(score, mast), pairs, chunksize=64))
        if references > 1:
            report(f"f0/mast, {name} melodies, best of {references} references", best_of_references(scores))
        first = [each for each in scores if each.pair.reference == mast.references(each.pair.melody)[0]]
        report(f"f0/mast, {name} melodies, first reference only", first)


def measure_passed(data: Path, references: int) -> None:
    """What the takes that a jury passed are like, for the limits: percentiles over the tuning melodies."""
    mast = Mast(data, references)
    best: dict[str, dict[str, float]] = {}
    for pair in mast.pairs(mast.names(tuning=True)):
        if pair.kind == "pass":
            measures = judge_melody(mast.melodies[pair.performance], mast.melodies[pair.reference]).measures
            known = best.get(pair.performance)
            if known is None or measures["distance"] < known["distance"]:
                best[pair.performance] = measures
    percentiles = (0, 5, 50, 95, 100)
    print(f"\nf0/mast, tuning melodies, {len(best)} passed, nearest reference: percentiles {percentiles}")
    for name in ("range_share", "pitch_error_st", "bend_s", "coverage"):
        values = np.percentile([measures[name] for measures in best.values()], percentiles)
        print(f"{name:15}" + "".join(f"{value:8.2f}" for value in values))


def table() -> list[dict[str, Any]]:
    """For `make bench`: areas under the curve on the held-out melodies of f0/mast, plain DTW beside the check."""
    mast = Mast(DATA, 3)
    pairs = list(mast.pairs(mast.names(tuning=False)))
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        scores = best_of_references(list(pool.map(partial(score, mast), pairs, chunksize=64)))

    def row(kind: str) -> dict[str, Any]:
        near, far = ([of_kind(scores, of, value) for value in (ours, plain)] for of in ("pass", kind))
        return {"pass against": kind, "check": area(near[0], far[0]), "plain DTW": area(near[1], far[1])}

    def ours(each: Score) -> float:
        return each.ours

    def plain(each: Score) -> float:
        return each.baseline

    return [row("fail"), row("different")]
