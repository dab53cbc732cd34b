"""Agreement beyond chance, against the textbook and against the method written plainly."""

from __future__ import annotations

import math
import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from annotation.crowd.krippendorff import agreement_share, alpha

NAN = math.nan

# Krippendorff (2011), example C: four observers, twelve units.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
UNITS = np.transpose(OBSERVERS).tolist()

units_of = st.lists(st.lists(st.integers(-4, 4).map(float), max_size=5), max_size=8)
metrics = st.sampled_from(["nominal", "interval"])


def plainly(units, metric):
    """By the coincidence matrix, as the paper does it by hand."""
    difference = {"nominal": lambda a, b: float(a != b), "interval": lambda a, b: (a - b) ** 2}[metric]
    coincidences = {}
    for unit in units:
        for a, b in permutations(unit, 2):
            coincidences[a, b] = coincidences.get((a, b), 0.0) + 1 / (len(unit) - 1)
    totals = {}
    for (a, _), count in coincidences.items():
        totals[a] = totals.get(a, 0.0) + count
    n = sum(totals.values())
    observed = sum(count * difference(a, b) for (a, b), count in coincidences.items())
    expected = sum(totals[a] * totals[b] * difference(a, b) for a in totals for b in totals)
    return 1 - (n - 1) * observed / expected if expected else None


def test_the_textbook():
    assert alpha(UNITS, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert alpha(UNITS, "interval") == pytest.approx(0.849, abs=5e-4)


def test_two_observers_of_the_textbook():
    """Example A: two observers, ten units, two values."""
    one, other = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    units = list(zip(one, other, strict=True))
    assert alpha(units, "nominal") == pytest.approx(0.095, abs=5e-4)
    assert agreement_share(units) == pytest.approx(0.6)


@given(units_of, metrics)
def test_it_is_the_method_written_plainly(units, metric):
    expected = plainly(units, metric)
    assert alpha(units, metric) == (None if expected is None else pytest.approx(expected, abs=1e-9))


@given(units_of, metrics, st.randoms())
def test_who_said_it_and_the_order_of_units_do_not_matter(units, metric, random):
    shuffled = [random.sample(unit, len(unit)) for unit in random.sample(units, len(units))]
    assert alpha(shuffled, metric) == pytest.approx(alpha(units, metric))
    assert agreement_share(shuffled) == pytest.approx(agreement_share(units))


@given(units_of, st.floats(-1e4, 1e4), st.floats(0.01, 100) | st.floats(-100, -0.01))
def test_interval_does_not_mind_the_unit_of_measurement(units, shift, scale):
    moved = [[value * scale + shift for value in unit] for unit in units]
    expected = alpha(units, "interval")
    assert alpha(moved, "interval") == (None if expected is None else pytest.approx(expected, abs=1e-6))


@given(units_of)
def test_yes_and_no_are_the_same_by_both_metrics(units):
    verdicts = [[value > 0 for value in unit] for unit in units]
    assert alpha(verdicts, "nominal") == pytest.approx(alpha(verdicts, "interval"))


@given(units_of)
def test_the_share_of_agreeing_pairs_lies_between_none_and_all(units):
    share = agreement_share(units)
    assert (share is None) == all(len(unit) < 2 for unit in units)
    if share is not None:
        assert -1e-12 <= share <= 1


@given(st.lists(st.integers(0, 5), min_size=2, max_size=6))
def test_whole_agreement_is_one(values):
    assume(len(set(values)) > 1)
    units = [[value] * 3 for value in values]
    assert alpha(units, "nominal") == pytest.approx(1)
    assert alpha(units, "interval") == pytest.approx(1)
    assert agreement_share(units) == 1


@pytest.mark.parametrize("units", [[], [[]], [[1], [2]], [[1, NAN], [2]], [[0.1, 0.1, 0.1], [0.1] * 7]])
@pytest.mark.parametrize("metric", ["nominal", "interval"])
def test_nothing_to_compare_is_none(units, metric):
    assert alpha(units, metric) is None


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="metric is one of"):
        alpha([[1, 2]], "ordinal")
    with pytest.raises(ValueError, match="infinite"):
        alpha([[1, math.inf]], "interval")


@pytest.mark.parametrize("metric", ["nominal", "interval"])
def test_a_hundred_thousand_units_take_a_moment(metric):
    rng = np.random.default_rng(0)
    units = [row[: 1 + k % 4] for k, row in enumerate(rng.normal(size=(100_000, 4)).round(1).tolist())]
    began = time.process_time()
    assert abs(alpha(units, metric)) < 0.05
    assert time.process_time() - began < 2
