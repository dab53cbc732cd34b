"""The check on real hums, whole, cut and looped, and on simulated ones."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_original, sing, tunes
from ml_worker.catalogue.singer import FAULTS
from ml_worker.judging.alignment import align
from ml_worker.judging.judge import judge_hum
from ml_worker.judging.measure.data import SHORTEST_PHRASE_S, SOLO

SAME_TUNE = {frozenset(SOLO[:2]), frozenset(SOLO[8:10])}
TAKES = (("along", None), ("free", None), *(("off", fault) for fault in FAULTS))
"""Style and fault of the simulated takes."""
SIMULATED_LATENCY_S = 0.2
"""How long before a simulated take "along" the reference is said to have started."""
LONGEST_REFERENCE_S = 12.0
"""References from longer files are their first seconds: a fragment lasts 4 to 20 s."""


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
