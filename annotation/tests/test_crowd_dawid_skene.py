"""Items and people found from verdicts alone."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.crowd.consensus import UNPROVEN, Reliability
from annotation.crowd.dawid_skene import ITEMS_BEFORE, TOLERANCE, WORTH, fit


def made(n_items, worth, a_person_judges, seed=0, good_share=0.8):
    """Verdicts of people of this worth: (P, 2), each on so large a share of the items."""
    rng = np.random.default_rng(seed)
    worth = np.asarray(worth)
    good = rng.random(n_items) < good_share
    items, people = np.nonzero(rng.random((n_items, len(worth))) < a_person_judges)
    accepting = np.where(good[items], worth[people, 0], 1 - worth[people, 1])
    return good, items, people, rng.random(len(items)) < accepting


def plainly(items, people, accepts, known, n_items, n_people, iterations):
    """The same method, one verdict at a time."""
    of_item = {item: [] for item in range(n_items)}
    for item, person, accept in zip(items, people, accepts, strict=True):
        of_item[item].append((person, accept))
    posterior = [sum(a for _, a in votes) / len(votes) if votes else 0.5 for votes in of_item.values()]
    for step in range(iterations + 1):
        posterior = [float(known[item]) if item in known else posterior[item] for item in range(n_items)]
        seen = [posterior[item] for item in range(n_items) if of_item[item] and item not in known]
        prior = (sum(seen) + ITEMS_BEFORE / 2) / (len(seen) + ITEMS_BEFORE)
        worth = []
        for person in range(n_people):
            good = right_good = bad = right_bad = 0.0
            for item, judge, accept in zip(items, people, accepts, strict=True):
                if judge == person:
                    good += posterior[item]
                    bad += 1 - posterior[item]
                    right_good += posterior[item] * accept
                    right_bad += (1 - posterior[item]) * (not accept)
            worth.append(
                (
                    (right_good + WORTH * UNPROVEN.accepts_good) / (good + WORTH),
                    (right_bad + WORTH * UNPROVEN.rejects_bad) / (bad + WORTH),
                )
            )
        if step == iterations:
            break
        for item, votes in of_item.items():
            if_good, if_bad = math.log(prior), math.log(1 - prior)
            for person, accept in votes:
                accepts_good, rejects_bad = worth[person]
                if_good += math.log(accepts_good if accept else 1 - accepts_good)
                if_bad += math.log(1 - rejects_bad if accept else rejects_bad)
            posterior[item] = 1 / (1 + math.exp(if_bad - if_good))
    judged = [prior if not of_item[item] and item not in known else posterior[item] for item in range(n_items)]
    return prior, worth, judged


@pytest.mark.parametrize("known", [{}, {0: True, 1: False, 30: True}])
def test_it_is_the_method_written_plainly(known):
    _, items, people, accepts = made(30, [(0.9, 0.8), (0.95, 0.6), (0.7, 0.7), (0.6, 0.9)], 0.6)
    found = fit(items, people, accepts, known=known, n_items=33, n_people=5)
    prior, worth, posterior = plainly(items, people, accepts, known, 33, 5, found.iterations)
    assert found.converged
    assert found.prior == pytest.approx(prior, abs=1e-8)
    np.testing.assert_allclose(found.reliabilities, worth, atol=1e-8)
    np.testing.assert_allclose(found.posterior, posterior, atol=1e-8)


def test_it_finds_how_reliable_people_are():
    worth = np.random.default_rng(1).uniform((0.7, 0.6), (0.98, 0.95), (20, 2))
    good, items, people, accepts = made(4000, worth, 0.35)
    found = fit(items, people, accepts)
    assert found.converged
    assert found.prior == pytest.approx(0.8, abs=0.03)
    assert np.abs(found.reliabilities - worth).max() < 0.07
    assert np.mean((found.posterior > 0.5) == good) > 0.97


def test_it_is_better_than_the_majority_where_some_accept_everything():
    worth = [(0.93, 0.93)] * 6 + [(0.97, 0.7)] * 3 + [(1.0, 0.0)] * 4
    good, items, people, accepts = made(1500, worth, 0.4)
    share = np.bincount(items, accepts, len(good)) / np.maximum(np.bincount(items, minlength=len(good)), 1)
    found = fit(items, people, accepts, n_items=len(good))
    error, of_majority = np.mean((found.posterior > 0.5) != good), np.mean((share > 0.5) != good)
    assert error < 0.7 * of_majority
    assert found.reliabilities[-4:, 1].max() < 0.1


def test_known_items_stay_and_anchor_a_crowd_that_is_mostly_wrong():
    worth = [(0.9, 0.9)] * 4 + [(0.2, 0.2)] * 6
    good, items, people, accepts = made(600, worth, 0.5, good_share=0.5)
    known = {item: bool(good[item]) for item in range(100)}
    found = fit(items, people, accepts, known=known)
    assert np.mean((fit(items, people, accepts).posterior > 0.5) == good) < 0.2
    assert np.mean((found.posterior > 0.5) == good) > 0.95
    assert all(found.posterior[item] == is_good for item, is_good in known.items())


def test_known_items_say_nothing_of_the_share_of_good_ones():
    _, items, people, accepts = made(500, [(0.9, 0.9)] * 5, 0.8)
    chosen = np.repeat(np.arange(500, 700), 5)  # bad ones, on purpose
    by = np.tile(np.arange(5), 200)
    everything = np.append(items, chosen), np.append(people, by), np.append(accepts, np.zeros(1000, bool))
    assert fit(*everything, known=dict.fromkeys(range(500, 700), False)).prior == pytest.approx(0.8, abs=0.05)


def test_people_with_few_verdicts_stay_near_unproven():
    found = fit([0, 0, 0], [0, 1, 2], [True, True, True], n_people=4)
    assert np.abs(found.reliabilities - [UNPROVEN.accepts_good, UNPROVEN.rejects_bad]).max() < 0.04
    assert found.reliability(3) == UNPROVEN
    assert isinstance(found.reliability(0), Reliability)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans()), min_size=1, max_size=40), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_verdicts_does_not_matter(verdicts, random):
    one = fit(*zip(*verdicts, strict=True), n_items=7, n_people=5)
    other = fit(*zip(*random.sample(verdicts, len(verdicts)), strict=True), n_items=7, n_people=5)
    assert (one.prior, one.iterations) == (other.prior, other.iterations)
    np.testing.assert_array_equal(one.posterior, other.posterior)
    np.testing.assert_array_equal(one.reliabilities, other.reliabilities)
    assert np.all((one.posterior >= 0) & (one.posterior <= 1))


def test_without_verdicts_nothing_is_known():
    found = fit([], [], [])
    assert (found.prior, found.posterior.shape, found.reliabilities.shape) == (0.5, (0,), (0, 2))
    assert (found.iterations, found.converged) == (0, True)
    found = fit([], [], [], known={1: True}, n_items=3, n_people=1)
    assert found.posterior.tolist() == [0.5, 1.0, 0.5]
    assert found.reliability(0) == UNPROVEN


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="an item, a person and a decision"):
        fit([0, 1], [0], [True, True])
    with pytest.raises(ValueError, match="numbered from 0 to 1"):
        fit([0, 2], [0, 0], [True, True], n_items=2)
    with pytest.raises(ValueError, match="numbered"):
        fit([0, -1], [0, 0], [True, True])


def test_it_stops_in_time_and_says_so():
    _, items, people, accepts = made(200, [(0.7, 0.7)] * 5, 0.5)
    assert not fit(items, people, accepts, max_iterations=2).converged
    assert fit(items, people, accepts, tolerance=TOLERANCE / 10).iterations > fit(items, people, accepts).iterations


def test_a_hundred_thousand_verdicts_take_a_moment():
    worth = np.random.default_rng(1).uniform(0.6, 0.97, (250, 2))
    _, items, people, accepts = made(40_000, worth, 0.01)
    assert len(items) > 95_000
    began = time.process_time()
    assert fit(items, people, accepts).converged
    assert time.process_time() - began < 3  # a third of a second where nothing else runs
