"""How good a search is. A query whose target is not among the answers counts as a miss, never as absent.

As torchmetrics does with `empty_target_action="neg"`; metrics that drop such queries flatter.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOPS = (1, 3, 5, 10, 100)

# Confidence of intervals, and how many times the songs are drawn again for them.
CONFIDENCE = 0.95
DRAWS = 2000

Interval = tuple[float, float]


def rank_of(target: Hashable, names: Sequence[Hashable], scores: ArrayLike) -> int | None:
    """The place of a target among all of them by their scores, 1 for the best.

    Where several scores bear one name (a song with several recordings), its best one counts. A tie counts against the
    target, so that a search that scores everything alike finds nothing.

    Args:
        target: the name that is sought.
        names: (N,) of what was scored.
        scores: (N,) higher is better.

    Returns:
        None, a miss, where the target is not among the names, or has no score: -inf or NaN.

    Raises:
        ValueError: there are not as many scores as names.
    """
    values = np.asarray(scores, dtype=float)
    if values.shape != (len(names),):
        raise ValueError(f"{len(names)} names have {values.shape} scores")
    own = np.array([name == target for name in names], dtype=bool)
    best = np.max(values[own & ~np.isnan(values)], initial=-np.inf)
    if best == -np.inf:
        return None
    return 1 + len({names[place] for place in np.flatnonzero(~own & (values >= best))})


@dataclass(frozen=True)
class HitRates:
    """Over many queries.

    Attributes:
        top: for each k of `TOPS`, the share of queries whose target is among the first k.
        mrr: the mean of 1 / rank, 0 for a miss.
        queries: how many there were.
        songs: among how many they were sought, so that chance is k / songs; None where nobody said.
    """

    top: dict[int, float]
    mrr: float
    queries: int
    songs: int | None = None

    def as_dict(self) -> dict[str, float]:
        """{"top1": ..., "top3": ..., ..., "mrr": ...}, and where the songs are known also "queries" and "songs"."""
        counts = {} if self.songs is None else {"queries": self.queries, "songs": self.songs}
        return {**{f"top{k}": share for k, share in self.top.items()}, "mrr": self.mrr, **counts}


def hit_rates(ranks: Sequence[int | None], songs: int | None = None) -> HitRates:
    """Hit rates and mean reciprocal rank.

    Args:
        ranks: of each query's target, from 1; None where the target was not found or does not exist.
        songs: among how many they were sought, for who wants to know.

    Raises:
        ValueError: there are no queries, or a rank is below 1.
    """
    gains = gains_of(ranks)
    if not ranks:
        raise ValueError("there are no queries to measure")
    *shares, mrr = gains.mean(axis=0)
    return HitRates(dict(zip(TOPS, map(float, shares), strict=True)), float(mrr), len(ranks), songs)


def gains_of(ranks: Sequence[int | None]) -> NDArray[np.float64]:
    """What each query adds: (Q, len(TOPS) + 1), whether it is among the first k for each k of TOPS, and 1 / rank.

    Raises:
        ValueError: a rank is below 1.
    """
    places = np.array([np.inf if rank is None else rank for rank in ranks], dtype=float)
    if np.any(places < 1):
        raise ValueError("ranks count from 1")
    return np.column_stack([*(places <= k for k in TOPS), 1 / places])


def intervals(ranks: Sequence[int | None], songs: Sequence[Hashable], *, seed: int = 0) -> dict[str, Interval] | None:
    """95 % confidence intervals of what `hit_rates` gives, by its names, as `interval_of_means`."""
    bounds = interval_of_means(gains_of(ranks), songs, seed=seed)
    return None if bounds is None else dict(zip([*(f"top{k}" for k in TOPS), "mrr"], bounds, strict=True))


def interval_of_means(values: ArrayLike, songs: Sequence[Hashable], *, seed: int = 0) -> list[Interval] | None:
    """95 % confidence intervals of means over queries, by a bootstrap over songs.

    Queries of one song succeed and fail together, so songs are drawn again, each with all its queries (a cluster
    bootstrap; percentiles). For the difference of two systems give the differences of their values: that pairs them.

    Args:
        values: (Q, M) or (Q,), a row a query.
        songs: (Q,) the song of each query.
        seed: the same seed gives the same intervals.

    Returns:
        Low and high bound for each of the M columns; None where there are fewer than two songs, which tell nothing
        of others.
    """
    table = np.asarray(values, dtype=float).reshape(len(songs), -1)
    numbers = {song: number for number, song in enumerate(dict.fromkeys(songs))}
    if len(numbers) < 2:
        return None
    of_song = np.array([numbers[song] for song in songs])
    sums = np.zeros((len(numbers), table.shape[1]))
    np.add.at(sums, of_song, table)
    counts = np.bincount(of_song)
    drawn = np.random.default_rng(seed).multinomial(len(numbers), np.full(len(numbers), 1 / len(numbers)), size=DRAWS)
    means = (drawn @ sums) / (drawn @ counts)[:, None]
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [outside, 1 - outside], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
