"""Search by an order-aware comparison of fingerprints: every target, every place, a few tempi. Exact, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import AtTempo, as_tempo_view, correlation_map

TargetId = TypeVar("TargetId")

# Tempo ratios of a hum to what it hums, 0.75 to 1.33, in steps of 6 %.
TEMPO_RATIOS = tuple(float(ratio) for ratio in 1.06 ** np.arange(-5, 6))


class Ranked(NamedTuple):
    """One answer: the target, how well its best place matches (Pearson's r), and where that place starts."""

    target: object
    score: float
    start_s: float


def rank(
    query: Fingerprints | AtTempo,
    targets: Mapping[TargetId, Fingerprints],
    tempo_ratios: Sequence[float] = TEMPO_RATIOS,
) -> list[Ranked]:
    """All targets by the largest correlation of the whole query with any place in them, best first.

    Of a target shorter than the query at a tempo, as much of the query as fits is compared. Ties keep the order of
    `targets`.

    Args:
        query: fingerprints of the hum, or what gives them at a tempo ratio (over 1: the hum is slower).
        targets: fingerprints by id.

    Raises:
        ValueError: the query has no fingerprints at any tempo: it is shorter than a window.
    """
    query_at = as_tempo_view(query)
    played = [at_ratio for ratio in tempo_ratios if len(at_ratio := query_at(ratio))]
    if not played:
        raise ValueError("The query is too short to be searched for. Hum a little longer.")
    answers = [Ranked(target, *_best_place(played, found)) for target, found in targets.items()]
    return sorted(answers, key=lambda answer: -answer.score)


def _best_place(played: Sequence[Fingerprints], target: Fingerprints) -> tuple[float, float]:
    """The largest r over tempi and places, and the second at which that place starts; -1 for an empty target."""
    best = (-1.0, 0.0)
    for query in played:
        length = min(len(query), len(target))
        if length:
            scores = correlation_map(query.vectors[:length], target.vectors, length)[0]
            place = int(np.argmax(scores))
            best = max(best, (float(scores[place]), place * target.hop_s))
    return best
