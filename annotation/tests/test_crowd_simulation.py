"""The made crowd: small and quick."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.crowd import simulation
from annotation.crowd.consensus import Reliability
from annotation.crowd.gold import PASSED
from annotation.crowd.simulation import CROWD, Desk, Kind, alike, error, majority, make_world, table, verdicts_for

FAULTLESS = [Kind("faultless", 8, Reliability(1.0, 1.0))]


def run(world, seed=0, **settings):
    desk = Desk(world, np.random.default_rng(seed), **settings)
    return desk, desk.run()


def test_the_crowd_is_as_reliable_as_it_says():
    world = make_world(0, 5000)
    assert world.good.mean() == pytest.approx(0.8, abs=0.02)
    for person, worth in enumerate(world.people):
        assert world.says[world.good, person].mean() == pytest.approx(worth.accepts_good, abs=0.03)
        assert 1 - world.says[~world.good, person].mean() == pytest.approx(worth.rejects_bad, abs=0.06)
    assert np.array_equal(np.sort(world.order, axis=1)[7], np.arange(sum(kind.many for kind in CROWD)))


def test_a_faultless_crowd_makes_no_error_and_needs_no_third():
    world = make_world(0, 50, FAULTLESS)
    assert error(majority(world, 3), world) == 0
    assert (alike(world, 2).verdicts, error(alike(world, 2), world)) == (2.0, 0.0)
    desk, labels = run(world)
    assert (labels.verdicts, error(labels, world), labels.disputed) == (2.0, 0.0, 0.0)
    assert labels.practice == 8 * PASSED[0] / 50  # each passes the training at once
    assert error(desk.by_posterior(), world) == 0


def test_k_alike_errs_as_the_majority_of_2k_minus_1_and_asks_fewer():
    world = make_world(0, 500)
    assert error(alike(world, 3), world) == error(majority(world, 5), world)
    assert 3 < alike(world, 3).verdicts < 5


def test_nobody_judges_an_item_twice_and_every_item_is_closed():
    world = make_world(1, 200)
    desk, labels = run(world)
    assert not desk.in_hand
    assert set(desk.found) == set(range(200))
    judged = sum(len(reviewer.seen) for reviewer in desk.reviewers)
    assert judged == desk.verdicts == round(labels.verdicts * 200)


def test_who_is_set_aside_has_recent_verdicts_put_back():
    world = make_world(2, 400, [*CROWD, Kind("listens half", 6, Reliability(0.65, 0.65))])
    desk, _ = run(world)
    counted = sum(len(votes) for votes in desk.votes)
    assert counted < desk.verdicts
    assert counted == sum(len(reviewer.judged_at) for reviewer in desk.reviewers)


def test_a_crowd_that_is_too_small_ends_too():
    world = make_world(0, 10, [Kind("coin", 1, Reliability(0.5, 0.5))])
    _, labels = run(world, controls=False)
    assert labels.verdicts == 1.0


def test_weighing_errs_less_than_counting_at_like_numbers():
    world = make_world(3, 800)
    _, labels = run(world, seed=3)
    assert error(labels, world) < error(alike(world, 2), world)


def test_what_a_curve_needs_for_its_own_error_is_what_it_had():
    world = make_world(4, 500)
    curve = [majority(world, many) for many in (1, 3, 5)]
    assert [verdicts_for(error(one, world), curve, world) for one in curve] == pytest.approx([1, 3, 5])
    assert verdicts_for(0.0, curve, world) == 5


def test_the_table_has_the_same_columns_in_each_row_and_repeats():
    rows = table(seeds=2, n_items=120)
    assert len({tuple(row) for row in rows}) == 1
    assert len({row["labels by (synthetic)"] for row in rows}) == len(rows)
    assert rows == table(seeds=2, n_items=120)
    plain = next(row for row in rows if row["labels by (synthetic)"] == "majority of 3")
    assert plain["saves on majority"] == pytest.approx(0)
    assert plain["majority errs"] == pytest.approx(plain["error"])
    assert simulation.half_interval([1.0]) is None
