"""How good a search is. A query whose target is not among the answers counts as a miss, never as absent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

TOPS = (1, 3, 5, 10, 100)


def rank_of(target: Hashable, answers: Sequence[Hashable]) -> int | None:
    """The place of a target among answers, 1 for the first; None if it is not there."""
    return answers.index(target) + 1 if target in answers else None


@dataclass(frozen=True)
class HitRates:
    """Over many queries.

    Attributes:
        top: for each k of `TOPS`, the share of queries whose target is among the first k.
        mrr: the mean of 1 / rank, 0 for a miss.
        queries: how many there were.
    """

    top: dict[int, float]
    mrr: float
    queries: int


def hit_rates(ranks: Sequence[int | None]) -> HitRates:
    """Hit rates and mean reciprocal rank.

    Args:
        ranks: of each query's target, from 1; None where the target was not found or does not exist.

    Raises:
        ValueError: there are no queries, or a rank is below 1.
    """
    if not ranks:
        raise ValueError("there are no queries to measure")
    if any(rank is not None and rank < 1 for rank in ranks):
        raise ValueError("ranks count from 1")
    places = np.array([np.inf if rank is None else rank for rank in ranks])
    return HitRates(
        top={k: float(np.mean(places <= k)) for k in TOPS},
        mrr=float(np.mean(1 / places)),
        queries=len(ranks),
    )
