"""What items are and how reliable people are, from the verdicts alone: Dawid and Skene, 1979, with two classes.

Expectation and maximisation take turns: what the people are worth says what the items are, what the items are says
what the people are worth. Two things are added to the paper's method. People start from UNPROVEN as if they had
been seen on a few items before, so that two lucky verdicts make nobody infallible (the mode under Beta priors). And
what is known of some items, the control items, stays fixed and anchors all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotation.crowd.consensus import UNPROVEN, Reliability

Floats = NDArray[np.float64]

# How many verdicts, on good and on bad items each, being UNPROVEN is worth against what a person is seen to do.
WORTH = 4.0

# As many items seen before, half of them good: keeps the share of good items off 0 and 1.
ITEMS_BEFORE = 2.0

# Iterations end when no item's probability moves by more than this.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Fit:
    """What the verdicts say.

    Attributes:
        prior: the share of good items among those judged and not known.
        reliabilities: (P, 2) float, P(accepts | good) and P(rejects | bad) of each person.
        posterior: (I,) float, the probability that each item is good; the prior where nobody judged it.
        iterations: how many it took.
        converged: whether it ended because nothing moved any more.
    """

    prior: float
    reliabilities: Floats
    posterior: Floats
    iterations: int
    converged: bool

    def reliability(self, person: int) -> Reliability:
        """The same, as `consensus` takes it."""
        accepts_good, rejects_bad = self.reliabilities[person]
        return Reliability(float(accepts_good), float(rejects_bad))


@dataclass(frozen=True, eq=False)
class _Votes:
    items: NDArray[np.int64]  # (V,)
    people: NDArray[np.int64]  # (V,)
    accepts: NDArray[np.bool_]  # (V,)
    n_items: int
    n_people: int

    def of_items(self, weights: Floats) -> Floats:
        return np.bincount(self.items, weights, self.n_items)

    def of_people(self, weights: Floats) -> Floats:
        return np.bincount(self.people, weights, self.n_people)


def fit(
    items: ArrayLike,
    people: ArrayLike,
    accepts: ArrayLike,
    *,
    known: Mapping[int, bool] | None = None,
    n_items: int | None = None,
    n_people: int | None = None,
    worth: float = WORTH,
    tolerance: float = TOLERANCE,
    max_iterations: int = 500,
) -> Fit:
    """Fits items and people to the verdicts; the order of the verdicts does not matter.

    It starts from the majority: each item is as good as the share of people who accept it. `np.unique(…,
    return_inverse=True)` numbers items and people that have names.

    Args:
        items, people: (V,) int from 0, of which item and by whom each verdict is.
        accepts: (V,) bool, the verdicts.
        known: items of which it is known whether they are good. Somebody chose them, so they say nothing of the
            share of good items.
        n_items, n_people: how many there are; by default as many as are named.
        worth: see WORTH.
        tolerance: see TOLERANCE.

    Raises:
        ValueError: the arrays differ in length, or a number is below 0 or not below `n_items`, `n_people`.
    """
    known = known or {}
    votes = _votes(items, people, accepts, known, n_items, n_people)
    fixed = np.array(sorted(known), dtype=np.int64)
    truth = np.array([known[item] for item in fixed], dtype=np.float64)
    judged = np.bincount(votes.items, minlength=votes.n_items)
    counted = judged > 0
    counted[fixed] = False

    posterior = np.full(votes.n_items, 0.5)
    np.divide(votes.of_items(votes.accepts.astype(np.float64)), judged, out=posterior, where=judged > 0)
    posterior[fixed] = truth
    iterations, converged = 0, len(votes.items) == 0
    while not converged and iterations < max_iterations:
        prior, reliabilities = _maximise(votes, posterior, counted, worth)
        before, posterior = posterior, _expect(votes, prior, reliabilities)
        posterior[fixed] = truth
        iterations += 1
        converged = bool(np.abs(posterior - before).max() <= tolerance)
    prior, reliabilities = _maximise(votes, posterior, counted, worth)
    posterior[judged == 0] = prior
    posterior[fixed] = truth
    return Fit(prior, reliabilities, posterior, iterations, converged)


def _maximise(votes: _Votes, posterior: Floats, counted: NDArray[np.bool_], worth: float) -> tuple[float, Floats]:
    """The share of good items, and (P, 2) what the people are worth, if the items are good with `posterior`."""
    good = posterior[votes.items]
    bad = 1 - good
    accepts_good = (votes.of_people(good * votes.accepts) + worth * UNPROVEN.accepts_good) / (
        votes.of_people(good) + worth
    )
    rejects_bad = (votes.of_people(bad * ~votes.accepts) + worth * UNPROVEN.rejects_bad) / (
        votes.of_people(bad) + worth
    )
    prior = (posterior[counted].sum() + ITEMS_BEFORE / 2) / (counted.sum() + ITEMS_BEFORE)
    return float(prior), np.column_stack([accepts_good, rejects_bad])


def _expect(votes: _Votes, prior: float, reliabilities: Floats) -> Floats:
    """(I,) how probably each item is good, if the people are worth `reliabilities`."""
    accepts_good, rejects_bad = reliabilities.T
    accepting = np.log(accepts_good) - np.log(1 - rejects_bad)  # (P,)
    rejecting = np.log(1 - accepts_good) - np.log(rejects_bad)
    weights = np.where(votes.accepts, accepting[votes.people], rejecting[votes.people])
    log_odds = np.log(prior) - np.log(1 - prior) + votes.of_items(weights)
    return 0.5 * (1 + np.tanh(log_odds / 2))  # the logistic function, which cannot overflow in this form


def _votes(
    items: ArrayLike,
    people: ArrayLike,
    accepts: ArrayLike,
    known: Mapping[int, bool],
    n_items: int | None,
    n_people: int | None,
) -> _Votes:
    of, by, what = np.asarray(items, np.int64), np.asarray(people, np.int64), np.asarray(accepts, np.bool_)
    if of.ndim != 1 or not of.shape == by.shape == what.shape:
        raise ValueError(f"A verdict has an item, a person and a decision, not {of.shape}, {by.shape}, {what.shape}.")
    # Sorted, so that sums are the same to the last bit in whatever order verdicts come.
    order = np.lexsort((what, by, of))
    all_items = np.append(of, np.array(sorted(known), np.int64))
    return _Votes(of[order], by[order], what[order], _how_many(all_items, n_items), _how_many(by, n_people))


def _how_many(numbers: NDArray[np.int64], given: int | None) -> int:
    lowest, highest = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, -1)
    many = highest + 1 if given is None else given
    if lowest < 0 or highest >= many:
        raise ValueError(f"Items and people are numbered from 0 to {many - 1}; here from {lowest} to {highest}.")
    return many
