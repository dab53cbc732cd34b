"""How sure it is that a fragment is right: a logistic regression that knows which way each number may speak."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ml_worker.mining.sureness import (
    BOUNDS,
    PITCH_CURVE_SURENESS,
    PRIOR_OF_GOLD,
    PRIOR_OF_VERDICTS,
    Evidence,
    Sureness,
)

SURE = Evidence(chance=1e-5, mismatch=0.08, agreement_s=3.0, notes=20)
UNSURE = Evidence(chance=5.0, mismatch=0.22, agreement_s=0.4, notes=4)

evidences = st.builds(
    Evidence,
    chance=st.floats(-12, 4).map(lambda power: 10**power),
    mismatch=st.floats(0, 1),
    agreement_s=st.floats(0, 10),
    notes=st.integers(0, 60),
)
judged = st.lists(st.tuples(evidences, st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: len({right for _, right in rows}) == 2
)


def made(seed: int, count: int = 120) -> tuple[list[Evidence], list[bool]]:
    """Fragments that are right with a probability that follows from each number a little."""
    rng = np.random.default_rng(seed)
    evidence = [
        Evidence(float(np.exp(rng.normal(-1, 4))), rng.uniform(0, 0.4), rng.lognormal(0, 0.7), int(rng.integers(1, 40)))
        for _ in range(count)
    ]
    spoken = [-0.3 * np.log(one.chance) - 8 * one.mismatch + np.log(one.agreement_s) for one in evidence]
    return evidence, [bool(rng.random() < 1 / (1 + np.exp(-says))) for says in spoken]


def split(rows: list[tuple[Evidence, bool]]) -> tuple[list[Evidence], list[bool]]:
    return [evidence for evidence, _ in rows], [right for _, right in rows]


# --- the fit


def plainly(
    numbers: np.ndarray, right: list[bool], counting: list[float], prior: list[float], strength: float
) -> np.ndarray:
    """Intercept and weights of the most likely regression, by a search that knows no gradient."""

    def unlikelihood(found: np.ndarray) -> float:
        likelihood = 0.0
        for row, is_right, counts in zip(numbers, right, counting, strict=True):
            probability = 1 / (1 + np.exp(-(found[0] + sum(found[1:] * row))))
            likelihood += counts * np.log(probability if is_right else 1 - probability)
        return -likelihood + strength / 2 * sum((found - prior) ** 2)

    found = np.array(prior, dtype=float)
    for _ in range(4):  # the search stops early; begun anew where it stopped, it goes on
        found = minimize(
            unlikelihood, found, method="Nelder-Mead", bounds=BOUNDS, options={"xatol": 1e-5, "fatol": 1e-8}
        ).x
    return found


def standardised(evidence: list[Evidence], sureness: Sureness) -> np.ndarray:
    return (np.array([one.numbers() for one in evidence]) - sureness.means) / sureness.scales


def test_it_is_fitted_as_the_same_regression_written_plainly():
    evidence, right = made(seed=1, count=50)
    counting = [1.0 if number % 3 else 0.25 for number in range(50)]
    fitted = Sureness.fitted(evidence, right, counting)
    numbers = np.array([one.numbers() for one in evidence])
    assert fitted.means == pytest.approx(numbers.mean(axis=0), abs=1e-4)
    assert fitted.scales == pytest.approx(numbers.std(axis=0), abs=1e-4)
    expected = plainly(standardised(evidence, fitted), right, counting, [0.0] * 5, PRIOR_OF_GOLD)
    assert [fitted.intercept, *fitted.weights] == pytest.approx(expected, abs=0.01)
    for row, one in zip(standardised(evidence, fitted), evidence, strict=True):
        says = expected[0] + expected[1:] @ row
        assert fitted.probability(one) == pytest.approx(1 / (1 + np.exp(-says)), abs=0.01)


def test_it_is_moved_as_the_same_regression_written_plainly():
    before = Sureness.fitted(*made(seed=1))
    evidence, right = made(seed=2, count=30)
    moved = before.moved(evidence, right)
    prior = [before.intercept, *before.weights]
    expected = plainly(standardised(evidence, before), right, [1.0] * 30, prior, PRIOR_OF_VERDICTS)
    assert [moved.intercept, *moved.weights] == pytest.approx(expected, abs=0.01)


def test_what_speaks_the_wrong_way_is_not_listened_to():
    """More notes among the wrong ones, in all that was seen, and yet no fragment is doubted for its notes."""
    evidence = [replace(SURE, notes=5), replace(UNSURE, notes=40)] * 10
    fitted = Sureness.fitted(evidence, [True, False] * 10)
    assert fitted.weights[3] == 0
    assert fitted.probability(SURE) > 0.9


def test_rows_that_count_half_count_half():
    evidence, right = made(seed=3)
    once = Sureness.fitted(evidence, right)
    twice = Sureness.fitted(evidence * 2, right * 2, [0.5] * 2 * len(right))
    assert [twice.intercept, *twice.weights] == pytest.approx([once.intercept, *once.weights], abs=1e-3)
    assert Sureness.fitted(evidence, right, [1.0] * len(right)) == once


def test_what_is_said_is_as_often_right():
    evidence, right = made(seed=4, count=4000)
    fitted = Sureness.fitted(evidence[:2000], right[:2000])
    said = np.array([fitted.probability(one) for one in evidence[2000:]])
    true = np.array(right[2000:])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        these = (said >= low) & (said <= high)
        assert true[these].mean() == pytest.approx(said[these].mean(), abs=0.06)


@pytest.mark.parametrize("right", [[], [True] * 3, [False] * 3])
def test_with_right_ones_alone_or_wrong_ones_alone_there_is_nothing_to_tell_apart(right):
    with pytest.raises(ValueError, match="both needed to tell them apart"):
        Sureness.fitted([SURE] * len(right), right)


# --- what may speak which way


@settings(max_examples=60)
@example([(SURE, True), (SURE, False)], [(UNSURE, True)] * 9 + [(UNSURE, False)], SURE, UNSURE)  # nothing varies
@given(judged, judged, evidences, evidences)
def test_more_that_speaks_for_a_fragment_never_makes_it_less_likely(rows, verdicts, one, other):
    """Whatever it was fitted on, and whatever people said since."""
    fitted = Sureness.fitted(*split(rows))
    better = Evidence(
        chance=min(one.chance, other.chance),
        mismatch=min(one.mismatch, other.mismatch),
        agreement_s=max(one.agreement_s, other.agreement_s),
        notes=max(one.notes, other.notes),
    )
    for sureness in (fitted, fitted.moved(*split(verdicts))):
        for name in ("chance", "mismatch", "agreement_s", "notes"):
            changed = replace(one, **{name: getattr(better, name)})
            assert sureness.probability(changed) >= sureness.probability(one)
        assert 0 <= sureness.probability(one) <= sureness.probability(better) <= 1


@given(evidences)
def test_the_numbers_are_finite_and_stay_within_limits(one):
    assert np.isfinite(one.numbers()).all()
    assert np.isfinite(replace(one, chance=0.0).numbers()).all()
    assert (replace(one, chance=1e-20).numbers() == replace(one, chance=1e-10).numbers()).all()


def test_that_of_the_pitch_curves_tells_clear_cases_apart():
    assert PITCH_CURVE_SURENESS.probability(SURE) > 0.95
    assert PITCH_CURVE_SURENESS.probability(UNSURE) < 0.1


# --- verdicts


def rejected_mostly(count: int) -> tuple[list[Evidence], list[bool]]:
    """Fragments that the machine is sure of, of which people find one in five right."""
    evidence, _ = made(seed=5, count=count)
    surer = [replace(one, chance=1e-6 * one.chance, mismatch=one.mismatch / 4) for one in evidence]
    return surer, [number % 5 == 0 for number in range(count)]


def mean_probability(sureness: Sureness, evidence: list[Evidence]) -> float:
    return float(np.mean([sureness.probability(one) for one in evidence]))


def likelihood(sureness: Sureness, evidence: list[Evidence], right: bool) -> float:
    """The logarithm of how likely it is that all of it is right, or all wrong."""
    found = np.array([sureness.probability(one) for one in evidence])
    return float(np.log(np.maximum(found if right else 1 - found, 1e-12)).sum())


def test_few_verdicts_hardly_move_it_and_many_are_followed():
    sure, unsure = PITCH_CURVE_SURENESS.probability(SURE), PITCH_CURVE_SURENESS.probability(UNSURE)
    for count, far in ((1, 0.05), (2, 0.1), (3, 0.2)):
        rejected = PITCH_CURVE_SURENESS.moved([SURE] * count, [False] * count)
        accepted = PITCH_CURVE_SURENESS.moved([UNSURE] * count, [True] * count)
        assert sure - far < rejected.probability(SURE) < sure
        assert unsure < accepted.probability(UNSURE) < unsure + far
    before = Sureness.fitted(*made(seed=1))
    evidence, right = rejected_mostly(400)
    assert mean_probability(before, evidence) > 0.85
    after = [mean_probability(before.moved(evidence[:count], right[:count]), evidence) for count in (10, 40, 400)]
    assert after == sorted(after, reverse=True)
    assert after[-1] == pytest.approx(0.2, abs=0.03)


def test_without_a_verdict_it_stays_itself():
    before = Sureness.fitted(*made(seed=1))
    assert before.moved([], []) is before


@settings(max_examples=30)
@given(st.lists(evidences, min_size=1, max_size=20), st.booleans())
def test_verdicts_that_all_say_one_thing_move_what_they_are_about_towards_it(evidence, right):
    """People may find all right, or all wrong; there is nothing to tell apart, and still something to learn."""
    before = Sureness.fitted(*made(seed=1))
    moved = before.moved(evidence, [right] * len(evidence))
    # Together, not each: what people said is no less likely than before.
    assert likelihood(moved, evidence, right) >= likelihood(before, evidence, right) - 1e-2
    assert (moved.means, moved.scales, moved.rows) == (before.means, before.scales, before.rows)
    assert moved.verdicts == len(evidence)


# --- stored


@example([(SURE, True), (SURE, False)])
@given(judged)
def test_it_survives_being_stored(rows):
    fitted = Sureness.fitted(*split(rows))
    moved = fitted.moved(*split(rows))
    for one in (fitted, moved, PITCH_CURVE_SURENESS):
        assert Sureness.from_dict(json.loads(json.dumps(one.as_dict()))) == one


@given(evidences)
def test_evidence_survives_being_stored(one):
    assert Evidence(**json.loads(json.dumps(one.as_dict()))) == one
