"""The miner beside published methods, on the same pairs: `python -m ml_worker.mining.compare`.

Prints, for pairs of which it is known what they share, what each method finds: the plain pitch curves, the starter
network of short windows, what `manage.py align` says with both, and the three peers of `mining/peers.py`.

Of which pairs is said by name, of several one table after the other (nottingham, composed and rendered):

  nottingham            tunes of `melodies/nottingham` of ../shared/data, on which nothing was ever chosen, played twice
                        (`mining/constructed.py`): another key, tempo and voice, and one further `Situation`
  cre, pop909           the same of these collections
  composed              the same of composed tunes that are used for nothing else
  rendered              covers of the tunes of the starter catalogue that are held back, from audio
  --pairs N             so many related pairs (of "rendered" so many tunes), and twice as many unrelated ones (42)
  --only NAME           a method, by its name or the beginning of it; several times for several
  --tune                instead, chooses the peers' thresholds on half of the catalogue's tunes of the training split

What is found counts as right where it starts within half a second of the truth and covers the same stretch of the
cover (intersection over union of a half); of ours only what is accepted counts as found. A tune may come to the same
music twice. A fragment that names the other place of the original is right in the columns before "strict" and wrong in
those after it; recall counts seconds of the cover, those that right fragments cover. "tempo" is by how much their tempo
ratio is off, in the median, "false" how many fragments an unrelated pair gives, and "s" is processor time, without the
compilation of loops; set OMP_NUM_THREADS, OPENBLAS_NUM_THREADS and NUMBA_NUM_THREADS to 1, or threads that wait for
each other count too. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue import tunes
from ml_worker.mining.align import Method, apart_from, mined_with, shipped_methods, with_what_goes_on
from ml_worker.mining.curve import METHOD
from ml_worker.mining.extract import AlignedFragment, Interval
from ml_worker.mining.gold import Agreement, TimeMap, agreement, is_right
from ml_worker.mining.labelled import HELD_BACK, LabelledPair, collected_pairs, composed_pairs, starter_pairs
from ml_worker.mining.passage import Passage
from ml_worker.mining.peers import PEERS, THRESHOLDS, Peer
from ml_worker.mining.played import from_audio, from_notes

# Thresholds that are tried, and the precision that the chosen one has to have, if any has it: what is found goes into
# releases, so a false fragment costs more than a missed one.
TRIED = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.85, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98)
LEAST_PRECISION = 0.95

# Related pairs that are looked at; each brings two unrelated ones.
PAIRS = 42
# Those of `make bench`, which is to take no longer than a few minutes.
BENCH_PAIRS = 14

ALIGN = "align"
"""What `manage.py align` says: all the methods that come with CHAD, one after the other."""


class Stretch(Protocol):
    """A fragment as the miner and the peers give it."""

    @property
    def a(self) -> Interval: ...
    @property
    def b(self) -> Interval: ...
    @property
    def correlation(self) -> float: ...
    @property
    def tempo_ratio(self) -> float: ...


Finder = Callable[[Melody, Melody], Sequence[Stretch]]


@dataclass(frozen=True)
class Findings:
    """What a method found in a pair, and the processor seconds that it took."""

    pair: LabelledPair
    found: Sequence[Stretch]
    seconds: float = 0.0


Look = Callable[[LabelledPair], dict[str, Findings]]
"""What one method, or several that build on each other, find in a pair, by their names."""


@dataclass(frozen=True)
class Figures:
    """How well fragments agree with the truth over many pairs.

    Attributes:
        found: how many fragments there were, those between unrelated tunes among them.
        precision: the share of them that is right; 1 if there were none.
        recall: the share of the passages' seconds that right ones cover, mean over related pairs.
        strict_precision, strict_recall: the same where music that comes twice has to be found at its own place.
        start_error_s: median over the right ones; None if there are none.
        tempo_error: how far their tempo ratios are off, as a share of the true one, median; None if there are none.
        false_per_unrelated: fragments for each unrelated pair; 0 if there are no such pairs.
        seconds: of processor time for a pair, mean.
    """

    found: int
    precision: float
    recall: float
    strict_precision: float
    strict_recall: float
    start_error_s: float | None
    tempo_error: float | None
    false_per_unrelated: float
    seconds: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


# --- against the truth


def measured(find: Finder, pairs: Iterable[LabelledPair]) -> Figures:
    """What a method finds in the pairs, against the truth."""
    return figures_of([Findings(pair, find(pair.a, pair.b)) for pair in pairs])


def figures_of(findings: Sequence[Findings]) -> Figures:
    """What was found in pairs against the truth; there is at least one pair."""
    related = [one for one in findings if one.pair.time_map]
    false = sum(len(one.found) for one in findings if not one.pair.time_map)
    lenient = [agreement(one.found, one.pair.time_map, alike=one.pair.alike) for one in related]
    strict = [agreement(one.found, one.pair.time_map) for one in related]
    tempo_errors = [error for one in related for error in _tempo_errors(one)]
    return Figures(
        found=sum(one.found for one in lenient) + false,
        precision=_precision(lenient, false),
        recall=_recall(lenient),
        strict_precision=_precision(strict, false),
        strict_recall=_recall(strict),
        start_error_s=_median([error for one in lenient for error in one.start_errors_s]),
        tempo_error=_median(tempo_errors),
        false_per_unrelated=false / max(len(findings) - len(related), 1),
        seconds=float(np.mean([one.seconds for one in findings])),
    )


def _precision(agreements: Sequence[Agreement], false: int) -> float:
    found = sum(one.found for one in agreements) + false
    return sum(one.right for one in agreements) / found if found else 1.0


def _recall(agreements: Sequence[Agreement]) -> float:
    return float(np.mean([one.recall for one in agreements])) if agreements else 1.0


def _median(errors: Sequence[float]) -> float | None:
    return float(np.median(errors)) if errors else None


def _tempo_errors(findings: Findings) -> list[float]:
    """Of each right fragment, by which share its tempo ratio is off."""
    truths = [*findings.pair.time_map, *findings.pair.alike]
    ratios = [(one.tempo_ratio, true_ratio(one, truths)) for one in findings.found]
    return [abs(ratio / true - 1) for ratio, true in ratios if true is not None]


def true_ratio(one: Stretch, time_map: TimeMap) -> float | None:
    """Cover seconds for a second of the original over what the truth plays of a fragment; None where it is wrong."""
    for line in time_map:
        if is_right(one, [line]):
            original_s, cover_s = np.array(line, dtype=np.float64).T
            first_s, last_s = max(one.a[0], original_s[0]), min(one.a[1], original_s[-1])
            return Passage(original_s, cover_s).between(first_s, last_s).mean_ratio
    return None


# --- the methods


def peer(name: str) -> Finder:
    """A peer at the threshold that was chosen for it."""
    return lambda a, b: PEERS[name](a, b, THRESHOLDS[name])


def ours(methods: Sequence[Method], pair: LabelledPair) -> dict[str, Findings]:
    """What each of the miner's methods accepts in a pair, and what `align` makes of it."""
    by_name: dict[str, Findings] = {}
    together: list[AlignedFragment] = []
    for method in methods:
        began = time.process_time()
        accepted = [one for one in mined_with(method, pair.a, pair.b) if one.decision == "accepted"]
        by_name[_short_name(method)] = Findings(pair, accepted, time.process_time() - began)
        together += apart_from(together, accepted)
    began = time.process_time()
    at_last = with_what_goes_on(together, (pair.a, pair.b), pair.chromas)
    seconds = sum(one.seconds for one in by_name.values()) + time.process_time() - began
    return by_name | {ALIGN: Findings(pair, at_last, seconds)}


def _short_name(method: Method) -> str:
    return "pitch curves" if method.name == METHOD else "short network"


def _of_peer(name: str, pair: LabelledPair) -> dict[str, Findings]:
    began = time.process_time()
    found = peer(name)(pair.a, pair.b)
    return {name: Findings(pair, found, time.process_time() - began)}


def compared(pairs: Sequence[LabelledPair], only: Collection[str] = ()) -> dict[str, list[Findings]]:
    """What every method finds in every pair, ours first.

    Method by method, as the threads of the matrix profile are still busy for a while when it is done, and their time
    would be another's. The first pair is mined twice, as that compiles the loops.

    Args:
        only: beginnings of names; all methods where it is empty. Ours are one.
    """
    looks: dict[str, Look] = {ALIGN: partial(ours, shipped_methods())}
    looks |= {name: partial(_of_peer, name) for name in PEERS}
    by_name: dict[str, list[Findings]] = {}
    for look in (look for name, look in looks.items() if _is_wanted(name, only)):
        look(pairs[0])
        for pair in pairs:
            for name, findings in look(pair).items():
                by_name.setdefault(name, []).append(findings)
    return by_name


def _is_wanted(name: str, only: Collection[str]) -> bool:
    return not only or any(name.lower().startswith(one.lower()) for one in only)


def tuned(
    method: Peer,
    pairs: Sequence[LabelledPair],
    thresholds: Sequence[float] = TRIED,
    least_precision: float = LEAST_PRECISION,
) -> tuple[float, Figures]:
    """The threshold with the best F1 among those that are precise enough, and its figures.

    Args:
        pairs: of training tunes only, related and unrelated ones.
        thresholds: those to try; of equals the highest wins.
        least_precision: where none reaches it, the most precise is taken.
    """
    tried = [(threshold, measured(lambda a, b, at=threshold: method(a, b, at), pairs)) for threshold in thresholds]
    return max(
        tried,
        key=lambda one: (min(one[1].precision, least_precision), one[1].f1, one[0]),
    )


# --- tables


def table() -> list[dict[str, Any]]:
    """For `make bench`: every method on composed tunes; the last column is its time over that of subsequence DTW."""
    by_name = {name: figures_of(found) for name, found in compared(composed_pairs(BENCH_PAIRS)).items()}
    of_dtw = by_name["subsequence DTW"].seconds
    return [
        {
            "method": name,
            "found": one.found,
            "precision": one.precision,
            "recall": one.recall,
            "strict precision": one.strict_precision,
            "strict recall": one.strict_recall,
            "start error, s": one.start_error_s,
            "tempo error": one.tempo_error,
            "false per unrelated pair": one.false_per_unrelated,
            "s per pair": one.seconds,
            "time over DTW's": one.seconds / of_dtw,
        }
        for name, one in by_name.items()
    ]


HEAD = (
    f"{'':16s} {'found':>6s} {'precision':>10s} {'recall':>7s} {'strict':>10s} {'recall':>7s} {'start':>8s} "
    f"{'tempo':>7s} {'false':>6s} {'s':>6s}"
)


def row(name: str, one: Figures) -> str:
    """A line of the table under `HEAD`."""
    start = "" if one.start_error_s is None else f"{one.start_error_s:.3f} s"
    tempo = "" if one.tempo_error is None else f"{one.tempo_error:.1%}"
    return (
        f"{name:16s} {one.found:6d} {one.precision:10.3f} {one.recall:7.3f} {one.strict_precision:10.3f} "
        f"{one.strict_recall:7.3f} {start:>8s} {tempo:>7s} {one.false_per_unrelated:6.3f} {one.seconds:6.2f}"
    )


def print_compared(what: str, pairs: Sequence[LabelledPair], only: Collection[str] = ()) -> None:
    """Prints a table of all methods, and one of what `align` finds in each situation."""
    related = [pair for pair in pairs if pair.time_map]
    print(f"\n{what}: {len(related)} related pairs, {len(pairs) - len(related)} unrelated\n{HEAD}", flush=True)
    by_name = compared(pairs, only)
    for name, findings in by_name.items():
        print(row(name, figures_of(findings)), flush=True)
    situations = dict.fromkeys(pair.situation for pair in related)
    if ALIGN in by_name and len(situations) > 1:
        print(f"\n{ALIGN}, by what the second playing does besides key, tempo and rubato\n{HEAD}")
        for situation in situations:
            print(row(situation, figures_of([one for one in by_name[ALIGN] if one.pair.situation == situation])))


def rendered_pairs(number: int) -> list[LabelledPair]:
    """The first so many tunes of the catalogue that are held back, with their covers, from audio."""
    return starter_pairs([tune for tune in tunes() if tune.slug in HELD_BACK][:number], from_audio)


SOURCES: dict[str, Callable[[int], list[LabelledPair]]] = {
    "nottingham": partial(collected_pairs, "nottingham"),
    "cre": partial(collected_pairs, "cre"),
    "pop909": partial(collected_pairs, "pop909"),
    "composed": composed_pairs,
    "rendered": rendered_pairs,
}
"""Where pairs come from, by name."""

DEFAULT_SOURCES = ("nottingham", "composed", "rendered")


def _print_tuned() -> None:
    pairs = starter_pairs([tune for tune in tunes() if tune.slug not in HELD_BACK][::2], from_notes)
    for name, method in PEERS.items():
        threshold, figures = tuned(method, pairs)
        print(f"{name:16s} {threshold:.2f}: precision {figures.precision:.3f}, recall {figures.recall:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", metavar="PAIRS", help=f"of {', '.join(SOURCES)}")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--tune", action="store_true")
    asked = parser.parse_args()
    unknown = set(asked.sources) - set(SOURCES)
    if unknown:
        parser.error(f"There are no pairs {', '.join(sorted(unknown))}; there are {', '.join(SOURCES)}.")
    if asked.tune:
        _print_tuned()
        return
    for name in asked.sources or DEFAULT_SOURCES:
        print_compared(name, SOURCES[name](asked.pairs), asked.only)


if __name__ == "__main__":
    main()
