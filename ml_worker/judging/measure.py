"""How well the automatic check tells hums apart, on real ones: `python -m ml_worker.judging.measure`.

Melodies of f0/mast are split in two by their place in the sorted list: every second one, from the first, is for setting
limits (tuning), the others are held out; the figures are of the held-out ones unless --melodies says otherwise. A
performance is scored against each of its melody's piano references and the best counts, here as for the baseline.

The baseline is plain dynamic time warping: voiced frames at 20 ms, median subtracted, absolute difference, steps of
(1, 1), (1, 0) and (0, 1), mean cost along the path (librosa.sequence.dtw).
"""

from __future__ import annotations

import argparse
import csv
import os
import time
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

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_original, sing, tunes
from ml_worker.catalogue.singer import FAULTS
from ml_worker.judging import alignment
from ml_worker.judging.alignment import align, curve
from ml_worker.judging.judge import judge_hum, judge_melody

MAST_HOP_S = 0.01
DATA = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SOLO = (
    "hums/henter/melody_1.wav",
    "hums/henter/melody_2.wav",
    "hums/henter/melody_3.wav",
    "hums/hum2sol/hum.wav",
    "hums/da/vocal-da-80bpm.22050.wav",
    "hums/vocadito/vocadito_10.wav",
    "hums/vocadito/vocadito_14.wav",
    "hums/vocadito/Audio/vocadito_1.wav",
    "alignment/sir_duke/sir_duke_trumpet_slow.mp3",
    "alignment/sir_duke/sir_duke_trumpet_fast.mp3",
)
SAME_TUNE = {frozenset(SOLO[:2]), frozenset(SOLO[8:10])}
TAKES = (("along", None), ("free", None), *(("off", fault) for fault in FAULTS))
"""Style and fault of the simulated takes."""
SHORTEST_PHRASE_S = 4.0
"""Shorter phrases are no fragments."""
SIMULATED_LATENCY_S = 0.2
"""How long before a simulated take "along" the reference is said to have started."""
MEASUREMENTS = ("solo", "cuts", "loops", "simulated", "passed", "mast")
UNLIKE = 3.0
"""Distance of a hum in which nothing could be aligned: more than any alignment's."""
LONGEST_REFERENCE_S = 12.0
"""References from longer files are their first seconds: a fragment lasts 4 to 20 s."""


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


# --- f0/mast


class Mast:
    """The melody dataset: its curves by key, its table, and how many references of a melody are used."""

    def __init__(self, folder: Path, references: int) -> None:
        self.count = references
        with np.load(folder / "f0.npz", allow_pickle=False) as stored:
            self.melodies = {key: given_melody(stored[key]) for key in stored.files}
        with (folder / "index.tsv").open(newline="") as table:
            self.rows = list(csv.DictReader(table, delimiter="\t"))

    def names(self, *, tuning: bool) -> list[str]:
        """The melodies for setting limits, or the held-out ones."""
        names = sorted({row["melody"] for row in self.rows})
        return names[0::2] if tuning else names[1::2]

    def references(self, name: str) -> list[str]:
        keys = [row["key"] for row in self.rows if row["melody"] == name and row["kind"] == "reference"]
        return keys[: self.count]

    def pairs(self, names: list[str]) -> Iterator[Pair]:
        """Every performance with its own references, and every passed one with those of the other melodies named."""
        for row in self.rows:
            if row["melody"] not in names or row["kind"] == "reference":
                continue
            for name in names:
                own = name == row["melody"]
                if own or row["kind"] == "pass":
                    kind = row["kind"] if own else "different"
                    yield from (Pair(row["key"], name, reference, kind) for reference in self.references(name))


def given_melody(f0_hz: NDArray[np.floating]) -> Melody:
    """A curve of the dataset as a Melody."""
    f0_hz = np.asarray(f0_hz, dtype=np.float32)
    return Melody(MAST_HOP_S, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "given")


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


def measure_mast(folder: Path, references: int, part: str, processes: int) -> None:
    mast = Mast(folder, references)
    for name in ("held-out", "tuning") if part == "both" else (part,):
        pairs = list(mast.pairs(mast.names(tuning=name == "tuning")))
        with ProcessPoolExecutor(processes) as pool:
            scores = list(pool.map(partial(score, mast), pairs, chunksize=64))
        if references > 1:
            report(f"f0/mast, {name} melodies, best of {references} references", best_of_references(scores))
        first = [each for each in scores if each.pair.reference == mast.references(each.pair.melody)[0]]
        report(f"f0/mast, {name} melodies, first reference only", first)


def measure_passed(folder: Path, references: int) -> None:
    """What the takes that a jury passed are like, for the limits: percentiles over the tuning melodies."""
    mast = Mast(folder, references)
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


# --- real hums


def measure_solo(data: Path) -> None:
    """Each real solo recording judged against each other one: distances, and the errors among them."""
    sounds = {name: decode(data / name, max_s=60) for name in SOLO}
    melodies = {name: track_melody(sound) for name, sound in sounds.items()}
    short = {name: Path(name).stem[:14] for name in SOLO}
    print(f"\nreal solo recordings, hum (rows) against reference (columns): distance, * accepted\n{'':16}", end="")
    print(" ".join(f"{short[name]:>14}" for name in SOLO))
    wrong = {"same tune refused": 0, "different tune accepted": 0}
    before_s = time.process_time()
    for hum in SOLO:
        print(f"{short[hum]:16}", end="")
        for reference in SOLO:
            judged = judge_hum(sounds[hum], melodies[reference].cut(0, LONGEST_REFERENCE_S))
            print(f"{judged.measures.get('distance', np.nan):>13.2f}{'*' if judged.ok else ' '}", end=" ")
            same = hum == reference or frozenset((hum, reference)) in SAME_TUNE
            wrong["same tune refused"] += same and not judged.ok
            wrong["different tune accepted"] += judged.ok and not same
        print()
    print(", ".join(f"{count} {what}" for what, count in wrong.items()), end="; ")
    print(f"{(time.process_time() - before_s) / len(SOLO) ** 2:.2f} s of processor a check, pitch tracking included")


def measure_cuts(data: Path, count: int, seed: int = 0) -> None:
    """Fragments of henter's melody 1 against takes cut anywhere from melodies 2 (same) and 3 (another)."""
    rng = np.random.default_rng(seed)
    sounds = [decode(data / name) for name in SOLO[:3]]
    tracks = [track_melody(sound) for sound in sounds]
    whole = align(tracks[1], tracks[0])
    if whole is None:
        raise ValueError("henter's melody_2 has no voice")
    counts = {"whole": [0, 0], "part": [0, 0], "other tune": [0, 0]}
    for _ in range(count):
        length = rng.uniform(4, tracks[0].duration_s)
        start = rng.uniform(0, tracks[0].duration_s - length)
        for number in (1, 2):
            first, last = sounds[number].duration_s * rng.uniform([0, 0.6], [0.3, 1])
            from_s, to_s = whole.offset_s + np.array([start, start + length]) * whole.tempo_ratio
            held = (min(to_s, last) - max(from_s, first)) / (to_s - from_s)
            kind = "other tune" if number == 2 else "whole" if held > 0.9 else "part"
            judged = judge_hum(sounds[number].cut(first, last), tracks[0].cut(start, start + length))
            counts[kind][0] += judged.ok
            counts[kind][1] += 1
    print("\ncuts of henter's melodies 2 and 3 against fragments of melody 1 (whole: over 90 % of the fragment in it)")
    print(", ".join(f"{kind}: {ok} of {of} accepted" for kind, (ok, of) in counts.items()))


def measure_loops(data: Path, count: int, seed: int = 0) -> None:
    """The same, of takes that start anywhere in the hum and go round, as a browser's fake microphone plays a file."""
    rng = np.random.default_rng(seed)
    sounds = [decode(data / name) for name in SOLO[:3]]
    song = track_melody(sounds[0])
    accepted: dict[str, list[bool]] = {"same tune": [], "other tune": []}
    for turn in range(count):
        length = rng.uniform(4, song.duration_s)
        start = rng.uniform(0, song.duration_s - length)
        hum = sounds[1 + turn % 2]
        first, frames = rng.integers(hum.frames), round(1.6 * max(length, hum.duration_s) * hum.sample_rate)
        looped = np.take(hum.mono(), np.arange(first, first + frames), mode="wrap")
        before = rng.normal(0, 5e-4, round(rng.uniform(0, 3) * hum.sample_rate))
        take = Sound.from_mono(np.concatenate([before, looped]), hum.sample_rate)
        along = rng.choice([None, rng.uniform(0, 2)])
        judged = judge_hum(take, song.cut(start, start + length), reference_start_s=along)
        accepted["other tune" if turn % 2 else "same tune"].append(judged.ok)
    print("\nlooped takes of henter's melodies 2 and 3, half of them with a start to hum along with")
    print(", ".join(f"{kind}: {sum(ok)} of {len(ok)} accepted" for kind, ok in accepted.items()))


# --- simulated hums


def simulated(number: int) -> list[tuple[str, bool, tuple[float, float] | None]]:
    """Takes of every phrase of a starter tune, as a simulated singer hums them, against the tracked lead.

    Returns:
        For each take: what it is, whether it was accepted, and for good ones the errors of offset (s) and tempo ratio.
    """
    tune = tunes()[number]
    rendering = render_original(tune)
    lead = track_melody(rendering.lead)
    results = []
    for phrase, (start_s, end_s) in enumerate(rendering.phrases):
        if end_s - start_s < SHORTEST_PHRASE_S:
            continue
        for seed, (style, fault) in enumerate(TAKES):
            take = sing(rendering.phrase_notes(phrase), seed=1000 * phrase + seed, style=style, fault=fault)
            start = take.offset_s - SIMULATED_LATENCY_S if style == "along" else None
            judged = judge_hum(take.sound, lead.cut(start_s, end_s), reference_start_s=start)
            known = fault is None and judged.offset_s is not None
            errors = (judged.offset_s - take.offset_s, judged.tempo_ratio / take.tempo_ratio - 1) if known else None
            results.append((fault or style, judged.ok, errors))
    return results


def measure_simulated(count: int, processes: int) -> None:
    """Acceptance by kind of take, and the errors of the alignment. Synthetic: not a measure of real hums."""
    with ProcessPoolExecutor(processes) as pool:
        results = [each for part in pool.map(simulated, range(count)) for each in part]
    print(f"\nsimulated singer (synthetic), every phrase of {count} starter tunes")
    for name in dict.fromkeys(name for name, _, _ in results):
        accepted = [ok for kind, ok, _ in results if kind == name]
        errors = np.abs([error for kind, _, error in results if kind == name and error])
        print(f"{name:14} {sum(accepted)} of {len(accepted)} accepted", end="")
        if len(errors):
            (offset_s, tempo), (offset_90, tempo_90) = np.median(errors, axis=0), np.percentile(errors, 90, axis=0)
            print(f"; offset error {offset_s * 1000:.0f} ms (90 %: {offset_90 * 1000:.0f})", end="")
            print(f", tempo error {tempo:.2%} (90 %: {tempo_90:.2%})", end="")
        print()


def table() -> list[dict[str, Any]]:
    """For `make bench`: areas under the curve on the held-out melodies of f0/mast, plain DTW beside the check."""
    mast = Mast(DATA / "f0" / "mast", 3)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with f0/mast, hums and alignment")
    parser.add_argument("--melodies", choices=("held-out", "tuning", "both"), default="held-out", help="of f0/mast")
    parser.add_argument("--cuts", type=int, default=100, help="how many random cuts of henter's hums to try")
    parser.add_argument("--tunes", type=int, default=15, help="how many starter tunes to hum by the simulated singer")
    parser.add_argument("--references", type=int, default=3, help="how many references of a melody of f0/mast")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=MEASUREMENTS, help="only this measurement")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="try a constant of alignment.py"
    )
    given = parser.parse_args()
    try_constants(given.set)
    measurements = {
        "solo": lambda: measure_solo(given.data),
        "cuts": lambda: measure_cuts(given.data, given.cuts),
        "loops": lambda: measure_loops(given.data, given.cuts),
        "simulated": lambda: measure_simulated(given.tunes, given.processes),
        "passed": lambda: measure_passed(given.data / "f0" / "mast", given.references),
        "mast": lambda: measure_mast(given.data / "f0" / "mast", given.references, given.melodies, given.processes),
    }
    for name, measure in measurements.items():
        if given.only in (None, name):
            measure()


def try_constants(assignments: list[str]) -> None:
    """Sets numbers of alignment.py for this run, for trials: BEND_COST=0.

    Raises:
        ValueError: alignment.py has no such number.
    """
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        if not isinstance(getattr(alignment, name, None), float):
            raise ValueError(f"alignment.py has no number {name}")
        setattr(alignment, name, float(value))


if __name__ == "__main__":
    main()
