"""Is the tune there at all? How well that is told: `python -m ml_worker.retrieval.index.measure_open_set [PART ...]`.

    line        how many foreign hums cross lines that are drawn in several ways by 300 to 1,000 others
    voices      real voices, sought in an index without their tunes and in one with them
    sureness    of those told so sure, how many are there and found first

    --hums N    foreign hums that the line was not drawn by, for `line` and `sureness` (1000)
    --keep DIR  keeps the indexes and what they told, and takes them from there the next time

Foreign hums are simulated, of composed tunes that are nowhere. The index is the starter catalogue, where there are real
voices with some hundred tunes of melodies/ beside. Voices are performances of f0/mast that a jury passed: of every
second melody ("tuned"), on which constants may be chosen, and of the others ("held out"), on which none was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_worker.audio.melody import Melody
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.render import render_original
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.data import part_from_a_note
from ml_worker.fingerprint.evaluation import as_melody
from ml_worker.fingerprint.settings import Singing
from ml_worker.fingerprint.shipped import notes_of, starter_checkpoint
from ml_worker.fingerprint.sung import sing
from ml_worker.judging.measure.data import DATA
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half
from ml_worker.retrieval.benchmarks import ARCHIVES, melody_of_score, scores_of
from ml_worker.retrieval.index.building import Entry, build
from ml_worker.retrieval.index.calibration import FOREIGN, HUM_S, LINE_SEED, MEASURED_SEED, foreign_hums, told_here
from ml_worker.retrieval.index.open_set import (
    FALSE_ACCEPTS,
    TAIL,
    OpenSet,
    Tail,
    Told,
    Values,
    as_of_middling,
    slope_of,
)
from ml_worker.retrieval.index.searcher import Searcher
from ml_worker.retrieval.metrics import interval_of_means
from ml_worker.retrieval.recogniser import starter_fusion

Row = dict[str, Any]
Flags = NDArray[np.bool_]

PARTS = ("line", "voices", "sureness")
# Foreign hums that the line was not drawn by, and hums of the starter catalogue.
HUMS, OWN = 1000, 300
# Foreign hums where there are more songs and a search takes longer.
FEWER = 300
# Own hums are drawn from this.
OWN_SEED = 987_000_000_000
# So many tunes of melodies/ are in the index beside the starter catalogue where there are real voices.
OTHERS = 450
# Lines are drawn by so many hums, so often; and false accepts are told of these shares.
BY, DRAWS, SHARES = (300, FOREIGN, 1000), 300, (0.01, 0.05)
# Bounds between the sure and the surer.
SURE = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0)


# --- what is sought, and where


def starter_songs() -> Iterator[Entry]:
    """The starter catalogue, as the tracker hears its singer."""
    for tune in tunes():
        yield Entry(tune.slug, track_melody(render_original(tune).lead))


def own_hums(number: int) -> Iterator[tuple[str, Melody]]:
    """Simulated hums of the starter catalogue as `foreign_hums` are of other tunes: the tune's slug, and the melody."""
    catalogue = tunes()
    for at in range(number):
        tune, rng = catalogue[at % len(catalogue)], np.random.default_rng([OWN_SEED, at, 1])
        part = part_from_a_note(notes_of(as_written(tune).notes()), rng.uniform(*HUM_S), rng)
        yield tune.slug, as_melody(sing(part, Singing(), rng).sampled)


def other_songs(data: Path) -> list[Entry]:
    """Some OTHERS of the tunes of melodies/."""
    scores = [score for archive in ARCHIVES for score in scores_of(archive, data)]
    some = scores[:: max(1, len(scores) // OTHERS)]
    return [Entry(f"{number} {score.name}", melody_of_score(score)) for number, score in enumerate(some)]


class Voices(NamedTuple):
    """Real voices: what they sing, (N,) names of the tunes, and whether constants may be chosen on each."""

    melodies: list[Melody]
    tunes: list[str]
    tuned: Flags


def voices(data: Path) -> Voices:
    """The performances of f0/mast that a jury passed. Raises FileNotFoundError where they are not there."""
    curves = mast_curves(data)
    half = set(mast_half(curves, tuning=True))
    sung = [curve for curve in curves if curve.kind == "pass"]
    tuned = np.array([curve.name in half for curve in sung])
    return Voices([curve.melody for curve in sung], [curve.name for curve in sung], tuned)


def sung_tunes(data: Path) -> list[Entry]:
    """The tunes of the voices: of each the first reference, by its name."""
    references = [curve for curve in mast_curves(data) if curve.kind == "reference"]
    return [Entry(name, melody) for name, melody in {one.name: one.melody for one in reversed(references)}.items()]


@dataclass(frozen=True)
class Indexes:
    """Indexes, and what they tell of hums; kept in a folder.

    Attributes:
        folder: holds them; what is there is taken from there.
        data: the shared data.
        checkpoints: short and long.
    """

    folder: Path
    data: Path
    checkpoints: Sequence[Checkpoint]

    def searcher(self, index: str) -> Searcher:
        """An index: "starter", "others" (with tunes beside), "sung" (with those of the voices, too)."""
        folder = self.folder / f"index-{index}"
        if not folder.exists():
            songs = [*starter_songs()]
            if index != "starter":
                songs += other_songs(self.data)
            if index == "sung":
                songs += sung_tunes(self.data)
            build(folder, songs, self.checkpoints, fusion=starter_fusion())
        return Searcher.open(folder, self.checkpoints)

    def told(self, index: str, name: str, hums: Callable[[], Iterator[Melody]]) -> Told:
        """What an index tells of hums that are called so."""
        kept = self.folder / f"told-{index}-{name}.npz"
        if not kept.exists():
            told = told_here(self.searcher(index), hums())
            np.savez(kept, here=told.here, voice_s=told.voice_s, keys=np.array(told.keys))
        with np.load(kept, allow_pickle=False) as stored:
            return Told(stored["here"], stored["voice_s"], stored["keys"].tolist())

    def for_line(self, index: str) -> Told:
        return self.told(index, f"line-{FOREIGN}", lambda: foreign_hums(FOREIGN, LINE_SEED))

    def foreign(self, index: str, hums: int) -> Told:
        return self.told(index, f"foreign-{hums}", lambda: foreign_hums(hums, MEASURED_SEED))

    def own(self, index: str) -> tuple[Told, Flags]:
        """Of hums of the starter catalogue, and whether the right song came first."""
        told = self.told(index, f"own-{OWN}", lambda: (melody for _, melody in own_hums(OWN)))
        return told, np.array([key == tunes()[at % len(tunes())].slug for at, key in enumerate(told.keys)])

    @cached_property
    def voices(self) -> Voices:
        return voices(self.data)

    def sung(self, index: str) -> Told:
        return self.told(index, "voices", lambda: iter(self.voices.melodies))


def chosen(told: Told, which: NDArray[Any]) -> Told:
    """Some of them: flags, or numbers."""
    return Told(told.here[which], told.voice_s[which], np.array(told.keys)[which].tolist())


def together(*some: Told) -> Told:
    here, voice_s = (np.concatenate([getattr(one, name) for one in some]) for name in ("here", "voice_s"))
    return Told(here, voice_s, [key for one in some for key in one.keys])


# --- the line


def quantile_level(reached: Values, share: float) -> float:
    """What so many of the values (N,) are above, the k-th highest being the last that is not."""
    return float(np.nextafter(np.sort(reached)[-int(len(reached) * share)], np.inf))


def tail_level(reached: Values, share: float) -> float:
    """The same by their tail, as the line is drawn."""
    return Tail.of(reached, TAIL * share).level(share)


def likeliest_tail_level(reached: Values, share: float) -> float:
    """The same by the tail that is likeliest."""
    tail = Tail.of(reached, TAIL * share)
    shape, _, scale = stats.genpareto.fit(reached[reached > tail.threshold] - tail.threshold, floc=0)
    return tail._replace(shape=shape, scale=scale).level(share)


def normal_level(reached: Values, share: float) -> float:
    """The same by a normal distribution of all."""
    return float(reached.mean() + reached.std(ddof=1) * stats.norm.isf(share))


LEVELS: Mapping[str, Callable[[Values, float], float]] = {
    "quantile": quantile_level,
    "tail by moments": tail_level,
    "likeliest tail": likeliest_tail_level,
    "normal": normal_level,
}


def crossing(told: Told, by: int, level: Callable[[Values, float], float], *, by_length: bool) -> Values:
    """The share of hums (DRAWS,) that crosses lines, each drawn by so many of them, drawn again (a bootstrap)."""
    rng = np.random.default_rng(by)
    shares = []
    for _ in range(DRAWS):
        some = chosen(told, rng.integers(len(told.here), size=by))
        slope = slope_of(some) if by_length else 0.0
        shares.append(np.mean(as_of_middling(told, slope) >= level(as_of_middling(some, slope), FALSE_ACCEPTS)))
    return np.array(shares)


def line_rows(indexes: Indexes, hums: int) -> Iterator[Row]:
    for_line, foreign = indexes.for_line("starter"), indexes.foreign("starter", hums)
    every = together(for_line, foreign)
    for by in BY:
        for by_length in (False, True):
            for name, level in LEVELS.items():
                shares = crossing(every, by, level, by_length=by_length)
                low, high = np.quantile(shares, [0.05, 0.95])
                off = float(np.sqrt(np.mean((shares - FALSE_ACCEPTS) ** 2)))
                yield {
                    "drawn by": by, "line": "by length" if by_length else "one", "way": name,
                    "cross it": shares.mean(), "5 %": low, "95 %": high, "off by": off,
                }  # fmt: skip
    yield from told_rows(every)
    yield from line_by_length(for_line, foreign)


def told_rows(every: Told) -> Iterator[Row]:
    """How often what a line says of its false accepts is so, of lines drawn as in `crossing`."""
    for by in BY:
        rng = np.random.default_rng(by)
        told, are = [], []
        for _ in range(DRAWS):
            line = OpenSet.measured(chosen(every, rng.integers(len(every.here), size=by)), 0)
            told.append(line.false_accepts)
            are.append(np.mean(line.over(every.here, every.voice_s) >= 0))
        low, high = np.transpose(told)
        yield {
            "drawn by": by, "told at least": low.mean(), "told at most": high.mean(),
            "it is so": np.mean((are >= low) & (are <= high)),
        }  # fmt: skip


def for_all_lengths(foreign: Told) -> OpenSet:
    """The line that is the same for hums of all lengths."""
    return OpenSet.measured(foreign._replace(voice_s=np.zeros(len(foreign.here))), 0)


def line_by_length(for_line: Told, foreign: Told) -> Iterator[Row]:
    """The line that is drawn, and the one that is the same for all lengths: how many of others cross it."""
    open_set = OpenSet.measured(for_line, 0)
    alike = for_all_lengths(for_line)
    bounds = [0.0, *np.quantile(foreign.voice_s, [1 / 3, 2 / 3]), np.inf]
    parts = [("all", np.ones(len(foreign.here), bool))]
    for low, high in pairwise(bounds):
        parts.append((f"{low:.1f}..{high:.1f} s of voice", (foreign.voice_s >= low) & (foreign.voice_s < high)))
    for name, among in parts:
        some = chosen(foreign, among)
        yield {
            "foreign hums": name, "n": len(some.here),
            "cross the line": np.mean(open_set.over(some.here, some.voice_s) >= 0),
            "cross one for all lengths": np.mean(alike.over(some.here) >= 0),
        }  # fmt: skip
    lines = {f"of {seconds} s": open_set.line_at(seconds) for seconds in (3, 5, 8, 12)}
    yield {"the line": "", **lines, "one for all": alike.line}


# --- real voices


class Group(NamedTuple):
    """Hums, sought without their tunes and with them.

    Attributes:
        name: in words.
        missing, there: (N,), (M,) how far over the line they are without their tunes and with them, log-odds.
        right: (M,) whether the right one came first.
        missing_tunes, tunes: which tunes they are of.
    """

    name: str
    missing: Values
    there: Values
    right: Flags
    missing_tunes: Sequence[Any]
    tunes: Sequence[Any]


def voices_rows(indexes: Indexes) -> Iterator[Row]:
    open_set = OpenSet.measured(indexes.for_line("others"), 0)
    alike = for_all_lengths(indexes.for_line("others"))
    for name, line in (("by length", open_set), ("one", alike)):
        for group in groups(indexes, line):
            yield {"line": name, **group_row(group)}


def groups(indexes: Indexes, line: OpenSet) -> Iterator[Group]:
    foreign, (own, right) = indexes.foreign("others", FEWER), indexes.own("others")
    over = [line.over(told.here, told.voice_s) for told in (foreign, own)]
    yield Group("simulated", *over, right, range(len(over[0])), [at % len(tunes()) for at in range(len(right))])
    sung, missing, there = indexes.voices, indexes.sung("others"), indexes.sung("sung")
    found = np.array([key == name for key, name in zip(there.keys, sung.tunes, strict=True)])
    over = [line.over(told.here, told.voice_s) for told in (missing, there)]
    for name, half in (("voices, tuned", sung.tuned), ("voices, held out", ~sung.tuned)):
        names = [tune for tune, is_in in zip(sung.tunes, half, strict=True) if is_in]
        yield Group(name, over[0][half], over[1][half], found[half], names, names)


def group_row(group: Group) -> Row:
    """What crosses the line, with 95 % intervals over tunes; and what would cross lines drawn in hindsight."""
    accepted = (group.there >= 0) & group.right
    row = {"hums": group.name, "n": f"{len(group.missing)}, {len(group.there)}"}
    row |= {"not there, told to be": with_interval(group.missing >= 0, group.missing_tunes)}
    row |= {"right and told to be there": with_interval(accepted, group.tunes), "right": group.right.mean()}
    for share in SHARES:
        level = hindsight_level(group.missing, share)
        row[f"at {share:.0%} in hindsight"] = np.mean((group.there >= level) & group.right)
    return row


def hindsight_level(missing: Values, share: float) -> float:
    """The lowest level that no more than so many cross: nobody has it beforehand."""
    return float(np.nextafter(np.quantile(missing, 1 - share, method="higher"), np.inf))


def with_interval(flags: Flags, tunes_of: Sequence[Any]) -> str:
    bounds = interval_of_means(flags, tunes_of)
    return f"{flags.mean():.3f}" + (f" [{bounds[0][0]:.3f}, {bounds[0][1]:.3f}]" if bounds else "")


# --- is what is told so sure so often so?


def sureness_rows(indexes: Indexes, hums: int) -> Iterator[Row]:
    """As many hums with their tunes as without: that is how `here` was fitted."""
    foreign, (own, right) = indexes.foreign("starter", hums), indexes.own("starter")
    yield from reliability("simulated, starter catalogue", chosen(foreign, np.arange(len(right))).here, own.here, right)
    sung, missing, there = indexes.voices, indexes.sung("others"), indexes.sung("sung")
    found = np.array([key == name for key, name in zip(there.keys, sung.tunes, strict=True)])
    for name, half in (("voices, tuned", sung.tuned), ("voices, held out", ~sung.tuned)):
        yield from reliability(name, missing.here[half], there.here[half], found[half])


def reliability(name: str, missing: Values, there: Values, right: Flags) -> Iterator[Row]:
    """Of hums told so sure the mean of what was told, and the share whose tune was there and came first.

    Args:
        missing: `here` of hums whose tunes are not there.
        there, right: of hums whose tunes are, and whether the right one came first.
    """
    told, true = np.concatenate([missing, there]), np.concatenate([np.zeros(len(missing), bool), right])
    for low, high in pairwise(SURE):
        among = (told >= low) & ((told < high) | (high == SURE[-1]))
        if among.any():
            yield {
                "hums": name, "told": f"{low:g}..{high:g}", "n": int(among.sum()),
                "told on average": told[among].mean(), "right and there": true[among].mean(),
            }  # fmt: skip


# --- for people


def in_words(row: Row) -> str:
    return "  ".join(
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which; all by default")
    parser.add_argument("--hums", type=int, default=HUMS)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as passing:
        folder = options.keep or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        indexes = Indexes(folder, options.data, [starter_checkpoint("short"), starter_checkpoint("long")])
        rows: dict[str, Callable[[], Iterator[Row]]] = {
            "line": lambda: line_rows(indexes, options.hums),
            "voices": lambda: voices_rows(indexes),
            "sureness": lambda: sureness_rows(indexes, options.hums),
        }
        for part in options.parts or PARTS:
            for row in rows[part]():
                print(in_words(row), flush=True)


if __name__ == "__main__":
    main()
