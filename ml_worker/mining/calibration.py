"""Fits the sureness of a kind of fingerprint on pairs whose time map is known by construction.

    python -m ml_worker.mining.calibration pitch-curve      prints that of the plain pitch curves
    python -m ml_worker.mining.calibration short            writes that of a starter checkpoint beside it

The tunes are composed by rule and belong to no song, so that nothing of a song ever decides what is accepted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue.composer import compose
from ml_worker.catalogue.tune_files import Score
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import PITCH_CURVE, Method
from ml_worker.mining.constructed import Constructed, Situation, construct
from ml_worker.mining.correlation import AtTempo
from ml_worker.mining.curve import METHOD
from ml_worker.mining.extract import AlignedFragment, pair_of, watch
from ml_worker.mining.gold import is_right, repeats, through_repeats
from ml_worker.mining.sureness import Evidence, Sureness

# Tunes of this seed are trained on by nobody, and are not those of the null level.
CALIBRATION_SEED = 880_000_000_000
# Shorter tunes have no sections to order, seconds.
SHORTEST_S = 30.0
# Composed tunes are busy; each is played slower by a factor up to this one, as slow songs have few notes.
SLOWEST = 2.5
# How many pairs of one tune, and how many originals each cover is unrelated to.
PAIRS = 84
UNRELATED_TO = 4


@dataclass(frozen=True)
class Known:
    """Fragments of which it is known whether they are right. The weights make of several unrelated pairs one."""

    evidence: list[Evidence]
    right: list[bool]
    weights: list[float]


def sureness_of(method: Method, pairs: int = PAIRS, unrelated_to: int = UNRELATED_TO) -> Sureness:
    """The sureness of what a method finds. Always the same for the same method.

    Args:
        method: its sureness is not looked at.
        pairs: how many pairs of one tune are constructed.
        unrelated_to: how many originals of other tunes each cover is compared with.

    Raises:
        ValueError: it finds nothing that is right, or nothing that is wrong.
    """
    known = known_fragments(method, list(constructed(pairs)), unrelated_to)
    return Sureness.fitted(known.evidence, known.right, known.weights)


def constructed(pairs: int) -> Iterator[Constructed]:
    """Pairs of composed tunes, in each situation in turn.

    What is foreign in them is of tunes that are in no other pair, or covers would share it with unrelated originals.
    """
    situations = list(Situation)
    scores = composed_scores(2 * pairs)
    for number, (score, other) in enumerate(zip(scores[:pairs], scores[pairs:], strict=True)):
        yield construct(score, situations[number % len(situations)], other)


def composed_scores(number: int) -> list[Score]:
    """So many composed tunes that nobody trains on; the first are always the same."""
    found, seed = [], CALIBRATION_SEED
    slower = np.random.default_rng(CALIBRATION_SEED).uniform(1, SLOWEST, size=number)
    while len(found) < number:
        score = compose(seed)
        if score.notes[-1].end_s - score.notes[0].start_s >= SHORTEST_S:
            found.append(played_slower(score, slower[len(found)]))
        seed += 1
    return found


def played_slower(score: Score, factor: float) -> Score:
    """The tune with every second `factor` as long."""
    notes = [note._replace(start_s=note.start_s * factor, end_s=note.end_s * factor) for note in score.notes]
    return Score(score.name, notes)


def known_fragments(method: Method, pairs: Sequence[Constructed], unrelated_to: int = UNRELATED_TO) -> Known:
    """What a method finds in pairs of one tune, and of each cover with originals of other tunes, all of it wrong."""
    evidence, right, weights = [], [], []
    originals = [Looked(pair.original.melody, method.look(pair.original.melody)) for pair in pairs]
    for number, pair in enumerate(pairs):
        cover = pair.cover.melody
        cover_at = method.cover_at(cover)  # its fingerprints serve with every original
        alike = through_repeats(repeats(pair.original.notes), pair.time_map)
        for one in all_found(method, originals[number], cover, cover_at):
            evidence.append(one.evidence)
            right.append(is_right(one, [*pair.time_map, *alike]))
            weights.append(1.0)
        for away in range(1, unrelated_to + 1):
            other = (number + away) % len(pairs)
            if pairs[other].name != pair.name:
                wrong = all_found(method, originals[other], cover, cover_at)
                evidence += [one.evidence for one in wrong]
                right += [False] * len(wrong)
                weights += [1 / unrelated_to] * len(wrong)
    return Known(evidence, right, weights)


class Looked(NamedTuple):
    """An original with its fingerprints."""

    melody: Melody
    fingerprints: Fingerprints


def all_found(method: Method, original: Looked, cover: Melody, cover_at: AtTempo) -> list[AlignedFragment]:
    """Everything that a method finds in a pair, however unsure."""
    pair = pair_of(original.fingerprints, cover_at, method.settings_to_find_all, (original.melody, cover))
    return watch(pair, spares=False).kept


def main() -> None:
    from ml_worker.fingerprint import shipped
    from ml_worker.fingerprint.checkpoint import write_whole

    kind = sys.argv[1]
    if kind == METHOD:
        print(sureness_of(PITCH_CURVE))
        return
    method = Method.of_checkpoint(shipped.starter_checkpoint(kind), shipped.starter_null(kind))
    sureness = sureness_of(method)
    write_whole(shipped.sureness_path(kind), json.dumps(sureness.as_dict(), indent=1).encode() + b"\n")
    print(sureness)


if __name__ == "__main__":
    main()
