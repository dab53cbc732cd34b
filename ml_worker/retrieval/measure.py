"""How well hums are recognised, on what the shared data has: the model, its parts, and the classical baseline.

    python -m ml_worker.retrieval.measure mast songs tunes [--every N] [--cache DIR]

mast: real voices. Performances that a jury passed, sought among the references of their melodies and all tunes of
melodies/. Pitch curves only. songs: hums of the phrases of five real songs made from their scores by the simulated
singer, sought among the recordings, separated and tracked, and 2,000 tunes; the queries are synthetic, the targets
real. tunes: simulated hums of tunes that nothing was trained on, among all tunes; synthetic.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ml_worker.audio.measure import load_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import MidiNote, melody_of_notes
from ml_worker.audio.separation import METHODS, separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.singer import sing
from ml_worker.catalogue.tune_files import Score, read_tunes
from ml_worker.fingerprint.image import Source
from ml_worker.fingerprint.shipped import starter_checkpoint
from ml_worker.judging.measure.data import DATA, SONGS
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half
from ml_worker.judging.measure.scores import fragments_of
from ml_worker.retrieval.classical import ClassicalMatcher
from ml_worker.retrieval.matcher import Matcher, NothingHeard
from ml_worker.retrieval.metrics import hit_rates, intervals, rank_of
from ml_worker.retrieval.recogniser import Recogniser, starter_fusion

ARCHIVES = ("cre", "pop909", "nottingham")
# The archive of which nothing was trained on: its licence is the GPL.
UNTRAINED = "nottingham"
DISTRACTORS_OF_SONGS = 2000
# Simulated hums of tunes: how many, and their length in seconds.
HUMS, HUM_S = 120, (5.0, 12.0)
# They begin at the tune's start, at a phrase or at any note, by turns: every so many one begins at the start.
STARTS = 3
# The quick table takes every so many hums: no multiple of the turns by which starts (3), singers (2) and bands (5) go
# round, so that the mix of them stays.
QUICK = 7
Half = Literal["tuned", "held out", "all"]
Track = Callable[[Sound], Source]


@dataclass(frozen=True)
class Benchmark:
    """Hums and what they are sought among.

    Attributes:
        names: of the targets; several recordings of one song bear one name.
        targets: their melodies.
        hums: (name of the target, melody).
    """

    names: Sequence[str]
    targets: Sequence[Melody]
    hums: Sequence[tuple[str, Source]]

    def ranks(self, matcher: Matcher, *, from_start: bool = False) -> list[int | None]:
        """The rank of each hum's target; None for a miss."""
        return [self._rank(matcher, name, hum, from_start) for name, hum in self.hums]

    def _rank(self, matcher: Matcher, name: str, hum: Source, from_start: bool) -> int | None:
        try:
            return rank_of(name, self.names, matcher.match(hum, from_start=from_start).scores)
        except NothingHeard:
            return None

    def every(self, step: int) -> Benchmark:
        """With every so many hums only."""
        return Benchmark(self.names, self.targets, self.hums[::step])

    def among_fewer(self, step: int) -> Benchmark:
        """With every so many of the targets that are not hummed."""
        hummed = {name for name, _ in self.hums}
        kept = [index for index, name in enumerate(self.names) if name in hummed or index % step == 0]
        return Benchmark([self.names[index] for index in kept], [self.targets[index] for index in kept], self.hums)


# --- the benchmarks


def scores_of(archive: str, data: Path = DATA) -> list[Score]:
    """The tunes of an archive of melodies/, by name."""
    return sorted(read_tunes(data / "melodies" / f"{archive}.zip").scores, key=lambda score: score.name)


def melody_of_score(score: Score) -> Melody:
    return melody_of_notes([MidiNote(note.start_s, note.end_s, round(note.pitch)) for note in score.notes])


def mast(half: Half = "held out", data: Path = DATA) -> Benchmark:
    """Real voices. `half`: every second melody from the first is what constants may be chosen on ("tuned")."""
    curves = mast_curves(data)
    tuned, held_out = (mast_half(curves, tuning=tuning) for tuning in (True, False))
    chosen = {"tuned": tuned, "held out": held_out, "all": [*tuned, *held_out]}[half]
    references = [(curve.name, curve.melody) for curve in curves if curve.kind == "reference"]
    sung = [(curve.name, curve.melody) for curve in curves if curve.kind == "pass" and curve.name in chosen]
    distractors = [(score.name, melody_of_score(score)) for archive in ARCHIVES for score in scores_of(archive, data)]
    names, targets = zip(*references, *distractors, strict=True)
    return Benchmark(names, targets, sung)


def songs(
    data: Path = DATA, cache: Path | None = None, separation: str = "auto", styles: Sequence[str] = ("free", "poor")
) -> Benchmark:
    """Simulated hums of the phrases of real songs, among their recordings and DISTRACTORS_OF_SONGS tunes."""
    tunes = [score for archive in (UNTRAINED, *ARCHIVES[:2]) for score in scores_of(archive, data)]
    distractors = [(score.name, melody_of_score(score)) for score in tunes[:DISTRACTORS_OF_SONGS]]
    recordings = [(name, recorded_melody(name, data, separation, cache)) for name in SONGS]
    names, targets = zip(*recordings, *distractors, strict=True)
    hums = [(name, hum) for name in SONGS for hum in hums_of_song(name, styles, data)]
    return Benchmark(names, targets, hums)


def recorded_melody(name: str, data: Path, separation: str, cache: Path | None) -> Melody:
    """The melody of a song's recording; kept in `cache`, as separation takes longer than all the rest."""
    kept = cache / f"{name}-{separation}.npz" if cache else None
    if kept and kept.exists():
        return Melody.from_bytes(kept.read_bytes())
    sound, _ = load_song(name, data)
    melody = track_melody(separate(sound, separation).sound)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(melody.to_bytes())
    return melody


def hums_of_song(name: str, styles: Sequence[str], data: Path) -> Iterator[Melody]:
    """Each phrase of 4 to 12 s by each kind of singer, through a phone for every other one."""
    _, score = load_song(name, data)
    for number, (start_s, end_s) in enumerate(fragments_of(score)):
        notes = score.sung_between(start_s, end_s)
        for seed, style in enumerate(styles):
            band = "phone" if number % 2 else "wide"
            yield track_melody(sing(notes, seed=100 * number + seed, style=style, band=band).sound)


def tunes(
    data: Path = DATA,
    hums: int = HUMS,
    *,
    hummed: Sequence[Score] | None = None,
    among: Sequence[Score] | None = None,
    first: int = 0,
    track: Track = track_melody,
) -> Benchmark:
    """Simulated hums of tunes, from their start, a phrase or any note, among all tunes. Every other singer is poor.

    Args:
        hummed: which tunes; those that nothing was trained on by default.
        among: what is sought among; all of melodies/ by default.
        first: seed of the first hum.
        track: gives the melody or the salience of a hum.
    """
    if among is None:
        among = [score for archive in ARCHIVES for score in scores_of(archive, data)]
    hummed = scores_of(UNTRAINED, data) if hummed is None else hummed
    rng = np.random.default_rng([first, hums])
    chosen = [hummed[int(rng.integers(len(hummed)))] for _ in range(hums)]
    sung = [(score.name, hum_of(score, first + number, rng, track)) for number, score in enumerate(chosen)]
    return Benchmark([score.name for score in among], [melody_of_score(score) for score in among], sung)


def hum_of(score: Score, number: int, rng: np.random.Generator, track: Track = track_melody) -> Source:
    """A simulated hum of a tune: from its start, from a phrase's or from any note, by turns."""
    starts_s = np.array([note.start_s for note in score.notes])
    seconds = rng.uniform(*HUM_S)
    last = max(1, int(np.searchsorted(starts_s, score.notes[-1].end_s - seconds)))
    phrases = phrase_starts(score)[: None if last > 1 else 1]
    first = (0, int(rng.choice(phrases[phrases < last])), int(rng.integers(last)))[number % STARTS]
    end = max(first + 4, int(np.searchsorted(starts_s, starts_s[first] + seconds)))
    part = score.notes[first:end]
    notes = [(note.start_s - part[0].start_s, note.end_s - part[0].start_s, note.pitch) for note in part]
    style = "poor" if number % 2 else "free"
    return track(sing(notes, seed=number, style=style, band="phone" if number % 5 < 2 else "wide").sound)


def phrase_starts(score: Score) -> np.ndarray:
    """Indices of notes that follow a long one or a rest; the first note always."""
    between = np.diff([note.start_s for note in score.notes])
    return np.concatenate([[0], 1 + np.flatnonzero(between > 1.9 * np.median(between))])


BENCHMARKS: Mapping[str, Callable[..., Benchmark]] = {"mast": mast, "songs": songs, "tunes": tunes}


# --- the table


def matchers_of(benchmark: Benchmark, parts: Sequence[str] = ("model", "classical")) -> dict[str, Matcher]:
    """What is compared: the model as it ships, its parts by themselves, the baseline."""
    short, long = starter_checkpoint("short"), starter_checkpoint("long")
    makers: dict[str, Callable[[], Matcher]] = {
        "model": lambda: Recogniser(benchmark.targets, [short, long], starter_fusion()),
        "fused": lambda: Recogniser(benchmark.targets, [short, long]),
        "short": lambda: Recogniser(benchmark.targets, [short]),
        "long": lambda: Recogniser(benchmark.targets, [long]),
        "classical": lambda: ClassicalMatcher(benchmark.targets),
    }
    return {name: makers[name]() for name in parts}


def measured(
    name: str, benchmark: Benchmark, matchers: Mapping[str, Matcher], *, from_start: bool = False
) -> list[dict[str, Any]]:
    """A row for each matcher: hit rates with 95 % intervals over songs, and seconds a hum."""
    rows = []
    for what, matcher in matchers.items():
        began = time.perf_counter()
        ranks = benchmark.ranks(matcher, from_start=from_start)
        seconds = (time.perf_counter() - began) / len(benchmark.hums)
        rates = hit_rates(ranks)
        bounds = intervals(ranks, [target for target, _ in benchmark.hums]) or {}
        row = {"benchmark": name, "start": "known" if from_start else "any", "matcher": what, "hums": len(ranks)}
        row |= {key: round(value, 3) for key, value in rates.as_dict().items()}
        row |= {f"{key} 95 %": "{:.3f}-{:.3f}".format(*bounds[key]) for key in ("top1", "top10") if key in bounds}
        rows.append(row | {"seconds a hum": round(seconds, 2)})
    return rows


def table(every: int = QUICK) -> list[dict[str, Any]]:
    """For `make bench`: every so many hums of each benchmark."""
    rows = []
    for name, make in BENCHMARKS.items():
        benchmark = make().every(every)
        rows += measured(name, benchmark, matchers_of(benchmark))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all by default")
    every = f"only every Nth hum; {QUICK} keeps the mix of starts and singers, 2, 3 and 5 do not"
    parser.add_argument("--every", type=int, default=1, help=every)
    parser.add_argument("--parts", default="model,fused,short,long,classical")
    parser.add_argument("--half", choices=get_args(Half), default="held out", help="of f0/mast")
    parser.add_argument("--separation", choices=METHODS, default="auto", help="of the songs' recordings")
    parser.add_argument("--cache", type=Path, help="folder for the melodies of the songs' recordings")
    asked = parser.parse_args(arguments)
    for name in asked.names or BENCHMARKS:
        of_songs = {"cache": asked.cache, "separation": asked.separation}
        extra = {"mast": {"half": asked.half}, "songs": of_songs}.get(name, {})
        benchmark = BENCHMARKS[name](**extra).every(asked.every)
        matchers = matchers_of(benchmark, asked.parts.split(","))
        starts = (False, True) if name == "mast" else (False,)
        for from_start in starts:
            for row in measured(name, benchmark, matchers, from_start=from_start):
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
