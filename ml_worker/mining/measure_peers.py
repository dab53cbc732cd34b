"""The miner beside published methods, on the same pairs: `python -m ml_worker.mining.measure_peers`.

Prints, for covers of the starter catalogue whose curves are drawn from their notes: precision, recall and start error
of the fragments that each method finds, false fragments per unrelated pair, and the processor time of a pair of four
minutes, without the compilation of its loops.

  --tune        instead, chooses each method's threshold on half of the tunes of the training split

The figures are synthetic: covers made by rule from the same score.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue import Tune, tunes
from ml_worker.mining.align import align_melodies
from ml_worker.mining.gold import TimeMap, agreement, repeats, through_repeats
from ml_worker.mining.measure import COVERS, UNRELATED_PER_TUNE, from_notes
from ml_worker.mining.peers import PEERS, THRESHOLDS, Peer, SharedStretch

# Tunes of the catalogue whose songs are of the validation or the test split. The others may choose thresholds.
HELD_BACK = frozenset(
    (
        "battle-hymn",
        "brahms-lullaby",
        "deck-the-halls",
        "jingle-bells",
        "london-bridge",
        "londonderry-air",
        "o-tannenbaum",
        "row-your-boat",
        "silent-night",
        "twinkle",
    )
)

# Thresholds that are tried, and the precision that the chosen one has to have, if any has it: what is found goes into
# releases, so a false fragment costs more than a missed one.
TRIED = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.85, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98)
LEAST_PRECISION = 0.95

LONG_S = 240.0

Finder = Callable[[Melody, Melody], Sequence[SharedStretch]]


@dataclass(frozen=True)
class LabelledPair:
    """Two melodies and what they share.

    Attributes:
        a, b: the original and the cover.
        time_map: what the cover plays of the original; empty for an unrelated pair.
        alike: where it plays the same music as another place of the original (see `gold.agreement`).
    """

    a: Melody
    b: Melody
    time_map: TimeMap
    alike: TimeMap = ()


@dataclass(frozen=True)
class Figures:
    """How well fragments agree with the truth over many pairs.

    Attributes:
        found: how many fragments there were, those between unrelated tunes among them.
        precision: the share of them that is right; 1 if there were none.
        recall: the share of the passages' seconds that right ones cover, mean over related pairs.
        start_error_s: median over the right ones; None if there are none.
        false_per_unrelated: fragments for each unrelated pair; 0 if there are no such pairs.
    """

    found: int
    precision: float
    recall: float
    start_error_s: float | None
    false_per_unrelated: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def measured(find: Finder, pairs: Iterable[LabelledPair]) -> Figures:
    """What a method finds in the pairs, against the truth."""
    related, unrelated = [], []
    for pair in pairs:
        found = agreement(find(pair.a, pair.b), pair.time_map, alike=pair.alike)
        (related if pair.time_map else unrelated).append(found)
    false = sum(one.found for one in unrelated)
    count = sum(one.found for one in related) + false
    errors_s = [error for one in related for error in one.start_errors_s]
    return Figures(
        found=count,
        precision=len(errors_s) / count if count else 1.0,
        recall=float(np.mean([one.recall for one in related])) if related else 1.0,
        start_error_s=float(np.median(errors_s)) if errors_s else None,
        false_per_unrelated=false / max(len(unrelated), 1),
    )


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


def starter_pairs(chosen: Sequence[Tune]) -> list[LabelledPair]:
    """Each tune with its covers and with covers of others of the chosen, sung from the notes."""
    originals = [from_notes(tune, 0) for tune in chosen]
    covers = [[from_notes(tune, number) for number in COVERS] for tune in chosen]
    pairs = []
    for number, original in enumerate(originals):
        again = repeats(original.notes)
        pairs += [
            LabelledPair(original.melody, cover.melody, cover.time_map, through_repeats(again, cover.time_map))
            for cover in covers[number]
        ]
        others = [
            covers[(number + away) % len(chosen)][away % len(COVERS)] for away in range(1, UNRELATED_PER_TUNE + 1)
        ]
        pairs += [LabelledPair(original.melody, other.melody, ()) for other in others]
    return pairs


def ours(a: Melody, b: Melody) -> list[SharedStretch]:
    """What the miner's `align` says, on plain pitch curves."""
    return [
        SharedStretch((one["a"][0], one["a"][1]), (one["b"][0], one["b"][1]), one["correlation"], one["tempo_ratio"])
        for one in align_melodies(a, b)
    ]


def seconds_of(find: Finder, a: Melody, b: Melody) -> float:
    """Processor time of one pair; a first run on a part of it, which compiles, does not count."""
    find(a.cut(0, 20), b.cut(0, 20))
    began = time.process_time()
    find(a, b)
    return time.process_time() - began


def _in_a_row(chosen: Sequence[Tune]) -> Melody:
    """As many tunes as four minutes hold."""
    parts = [from_notes(tune, 0).melody for tune in chosen]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("f0_hz", "voiced", "confidence")
    }
    return replace(parts[0], **joined).cut(0, LONG_S)


def _print_tuned() -> None:
    pairs = starter_pairs([tune for tune in tunes() if tune.slug not in HELD_BACK][::2])
    for name, method in PEERS.items():
        threshold, figures = tuned(method, pairs)
        print(f"{name:16s} {threshold:.2f}: precision {figures.precision:.3f}, recall {figures.recall:.3f}")


def _print_compared() -> None:
    finders: dict[str, Finder] = {"the miner": ours} | {
        name: lambda a, b, method=method, at=THRESHOLDS[name]: method(a, b, at) for name, method in PEERS.items()
    }
    every = tunes()
    sets = {"tunes held back": [tune for tune in every if tune.slug in HELD_BACK], "every third tune": every[::3]}
    for what, chosen in sets.items():
        pairs = starter_pairs(chosen)
        print(f"\n{what}: {len(chosen)}, {len(pairs)} pairs, {sum(not pair.time_map for pair in pairs)} unrelated")
        print(f"{'':16s} {'found':>6s} {'precision':>10s} {'recall':>7s} {'start':>8s} {'false':>6s}")
        for name, find in finders.items():
            one = measured(find, pairs)
            start = "" if one.start_error_s is None else f"{one.start_error_s:.3f} s"
            scores = f"{one.precision:10.3f} {one.recall:7.3f} {start:>8s} {one.false_per_unrelated:6.3f}"
            print(f"{name:16s} {one.found:6d} {scores}")
    first, second = _in_a_row(every[:10]), _in_a_row(every[3:13]).faster(1 / 1.1)
    print("\nprocessor time of two recordings of four minutes")
    for name, find in finders.items():
        print(f"{name:16s} {seconds_of(find, first, second):6.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true")
    if parser.parse_args().tune:
        _print_tuned()
    else:
        _print_compared()


if __name__ == "__main__":
    main()
