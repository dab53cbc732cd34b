"""What a look of a checkpoint at a benchmark gives: the rank of each query's tune. Importing it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.metrics import HitRates, hit_rates


@dataclass(frozen=True)
class Looked:
    """How one checkpoint did in one benchmark, query by query.

    Attributes:
        version: of the benchmark. Looks at two versions of it have nothing to do with each other.
        checkpoint: the name of what looked; of two that looked together, both.
        tunes: (Q,) the tune that each query is of. Queries of one tune are found or missed together.
        ranks: (Q,) the rank of that tune, from 1; None for a miss.
        songs: among how many tunes they were sought.
    """

    version: int
    checkpoint: str
    tunes: tuple[str, ...]
    ranks: tuple[int | None, ...]
    songs: int

    def __post_init__(self) -> None:
        if not self.tunes or len(self.tunes) != len(self.ranks):
            raise ValueError("A look has at least one query, and a rank for each.")

    @property
    def reciprocal(self) -> NDArray[np.float64]:
        """1 / rank of each query, 0 for a miss, (Q,)."""
        return np.array([0.0 if rank is None else 1 / rank for rank in self.ranks])

    @property
    def rates(self) -> HitRates:
        """The shares among the first 1, 3, 5, 10 and 100, and the mean reciprocal rank."""
        return hit_rates(self.ranks, self.songs)

    @property
    def mrr(self) -> float:
        """The mean reciprocal rank, 0..1."""
        return float(self.reciprocal.mean())

    @property
    def by_chance(self) -> float:
        """The mean reciprocal rank of who guesses."""
        return float(np.mean(1 / np.arange(1, self.songs + 1)))

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; with the rates, which `from_dict` works out anew."""
        return {
            "version": self.version,
            "checkpoint": self.checkpoint,
            "tunes": list(self.tunes),
            "ranks": list(self.ranks),
            "songs": self.songs,
            "rates": self.rates.as_dict(),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Looked:
        """The inverse of as_dict.

        Raises:
            KeyError, TypeError, ValueError: where it is not one.
        """
        ranks = tuple(None if rank is None else int(rank) for rank in plain["ranks"])
        tunes = tuple(str(tune) for tune in plain["tunes"])
        return cls(int(plain["version"]), str(plain["checkpoint"]), tunes, ranks, int(plain["songs"]))
