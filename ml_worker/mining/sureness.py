"""How sure it is that a fragment was found where it is: from what speaks for it to a probability.

A logistic regression of four numbers that do not depend on each other's scale. It is fitted on pairs whose time map is
known (`mining/calibration.py`), for each kind of fingerprint anew, and then moved by people's verdicts: with few of
them it stays near where it was, with many it follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

# Chances beyond these say no more; natural logarithms, of how seldom chance does as well.
SURPRISE_LIMITS = (-5.0, 15.0)
# Passages without any agreement, and of a single note, have no logarithm; seconds, notes.
LEAST_AGREEMENT_S = 0.05
# A number that hardly varies where the regression is fitted is taken to vary by this much: more than is rounded away.
LEAST_SCALE = 0.01
# How firmly weights are held near 0 where they are fitted, and near what was fitted where verdicts move them: three
# verdicts against a clear case leave its probability above 0.8.
PRIOR_OF_GOLD = 0.5
PRIOR_OF_VERDICTS = 16.0
# Which way each number may speak: an intercept may be anything; surprise, agreement and notes never speak against a
# fragment, and mismatch never for it.
BOUNDS = ((None, None), (0, None), (None, 0), (0, None), (0, None))


@dataclass(frozen=True)
class Evidence:
    """What speaks for a fragment, and against it.

    Attributes:
        chance: how many passages as good as the one that it is a piece of two unrelated recordings of this length
            give, judged by the fingerprints.
        mismatch: mean distance of the pitch curves where both are voiced, 0 (the same) to 1 (see `refine`).
        agreement_s: seconds by which the curves agree more than chance has them agree.
        notes: how many notes the side with fewer sings.
    """

    chance: float
    mismatch: float
    agreement_s: float
    notes: int

    def numbers(self) -> NDArray[np.float64]:
        """(4,), what the regression sees."""
        surprise = -np.log(max(self.chance, 1e-30))
        return np.array(
            [
                np.clip(surprise, *SURPRISE_LIMITS),
                self.mismatch,
                np.log(max(self.agreement_s, LEAST_AGREEMENT_S)),
                np.log(max(self.notes, 1)),
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON, beside the fragment."""
        return asdict(self)


@dataclass(frozen=True)
class Sureness:
    """A logistic regression. All tuples have one number for each of `Evidence.numbers`.

    Attributes:
        means, scales: of the evidence that it was fitted on.
        weights, intercept: of the standardised numbers.
        rows: how many fragments of constructed pairs it was fitted on.
        verdicts: how many verdicts moved it since.
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    rows: int
    verdicts: int = 0

    def probability(self, evidence: Evidence) -> float:
        """That the fragment is right, 0..1."""
        return float(_logistic(self._standardised([evidence]) @ self.weights + self.intercept)[0])

    def _standardised(self, evidence: Sequence[Evidence]) -> NDArray[np.float64]:
        return (np.array([one.numbers() for one in evidence]) - self.means) / np.array(self.scales)

    @classmethod
    def fitted(
        cls, evidence: Sequence[Evidence], right: Sequence[bool], weights: Sequence[float] | None = None
    ) -> Self:
        """From fragments of which it is known whether they are right, each counting by its weight (1).

        Raises:
            ValueError: there are none of one kind, so there is nothing to tell apart.
        """
        if not any(right) or all(right):
            raise ValueError("Right and wrong fragments are both needed to tell them apart.")
        numbers = np.array([one.numbers() for one in evidence])
        means, scales = numbers.mean(axis=0), np.maximum(numbers.std(axis=0), LEAST_SCALE)
        known = (numbers - means) / scales
        start = np.zeros(known.shape[1] + 1)
        counting = np.ones(len(known)) if weights is None else np.array(weights)
        found = _most_likely(known, np.array(right, dtype=float), counting, start, PRIOR_OF_GOLD)
        return cls(_tuple(means), _tuple(scales), _tuple(found[1:]), round(float(found[0]), 4), len(evidence))

    def moved(self, evidence: Sequence[Evidence], right: Sequence[bool]) -> Self:
        """As people's verdicts have it: near itself where they are few. Itself without any."""
        if not evidence:
            return self
        start = np.array([self.intercept, *self.weights])
        known = self._standardised(evidence)
        found = _most_likely(known, np.array(right, dtype=float), np.ones(len(known)), start, PRIOR_OF_VERDICTS)
        weights, intercept = _tuple(found[1:]), round(float(found[0]), 4)
        return type(self)(self.means, self.scales, weights, intercept, self.rows, len(evidence))

    def as_dict(self) -> dict[str, Any]:
        """For JSON, beside the checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()})


def _most_likely(
    known: NDArray[np.float64],
    right: NDArray[np.float64],
    counting: NDArray[np.float64],
    prior: NDArray[np.float64],
    strength: float,
) -> NDArray[np.float64]:
    """Intercept and weights (1 + D,) that explain best what is right, held near `prior` by a Gaussian law.

    Each row counts as often as `counting` says.
    """
    rows = np.column_stack([np.ones(len(known)), known])
    sign = 2 * right - 1

    def unlikelihood(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = sign * (rows @ weights)
        away = weights - prior
        loss = counting @ np.logaddexp(0, -margins) + strength / 2 * away @ away
        return float(loss), -rows.T @ (counting * sign * _logistic(-margins)) + strength * away

    return minimize(unlikelihood, prior, jac=True, method="L-BFGS-B", bounds=BOUNDS).x


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(x / 2))


def _tuple(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(number), 4) for number in numbers)


PITCH_CURVE_SURENESS = Sureness(
    means=(2.8225, 0.1223, 0.1476, 1.7367),
    scales=(5.7763, 0.041, 0.6028, 1.0021),
    weights=(1.9558, -0.6385, 1.0121, 2.2189),
    intercept=-2.0391,
    rows=1308,
)
"""Of the plain pitch curves: `python -m ml_worker.mining.calibration pitch-curve`."""
