"""What every matcher of hums does: it is made for a set of targets, and says for a query how well each of them fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody


class NothingHeard(ValueError):
    """The query holds no melody that could be searched for. Its text is a sentence for the person."""


@dataclass(frozen=True)
class Matches:
    """How well each target fits a query, in the order of the targets.

    Attributes:
        scores: (targets,) higher is better; -inf where a target cannot be compared.
        starts_s: (targets,) second of the target at which the query starts in its best place.
        tempo_ratios: (targets,) how much slower the query is than the target there; above 1 is slower.
        here: the probability that the tune is among the targets at all, 0..1; 1 of a matcher that cannot tell.
    """

    scores: NDArray[np.float64]
    starts_s: NDArray[np.float64]
    tempo_ratios: NDArray[np.float64]
    here: float = 1.0

    def best(self, count: int) -> NDArray[np.int64]:
        """The indices of the `count` best targets that can be compared, the best first; ties in the targets' order."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return order[np.isfinite(self.scores[order])]


class Matcher(Protocol):
    """A way to compare a query with targets that it was made for."""

    name: str

    def match(self, query: Melody, *, from_start: bool = False) -> Matches:
        """How well each target fits.

        Args:
            query: the melody of a hum, whole.
            from_start: the hum is known to begin where the target does.

        Raises:
            NothingHeard: the query holds no melody.
        """
        ...
