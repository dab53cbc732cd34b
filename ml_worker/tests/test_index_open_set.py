"""The line between tunes that are in an index and others."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import expit

from ml_worker.audio.melody import Melody
from ml_worker.retrieval.index.open_set import (
    FALSE_ACCEPTS,
    MIDDLING_S,
    SHAPES,
    STEEPEST,
    OpenSet,
    Tail,
    Told,
    log_odds,
    over_middling,
    slope_of,
    voice_s,
)
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.target_table import HOP_S


def told(here: np.ndarray, seconds: np.ndarray | float = MIDDLING_S) -> Told:
    return Told(np.asarray(here, float), np.broadcast_to(seconds, len(here)).astype(float), [""] * len(here))


def foreign(rng: np.random.Generator, hums: int, slope: float = -2.0) -> Told:
    """As hums of tunes that are nowhere: the shorter, the surer."""
    seconds = rng.uniform(3, 15, hums)
    return told(expit(slope * np.log(seconds / MIDDLING_S) + rng.normal(-3, 2, hums)), seconds)


@st.composite
def any_hums(draw: st.DrawFn) -> Told:
    """Hums with many ties among what they reach."""
    hums = draw(st.integers(100, 300))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    here = rng.choice(draw(st.lists(st.floats(0, 1), min_size=1, max_size=5)), hums)
    return told(here, rng.choice([0.0, 1.0, 2.5, 2.6, 8.0, 20.0], hums))


@settings(max_examples=25)
@given(any_hums())
def test_there_is_a_line_whatever_hums_reach(hums):
    open_set = OpenSet.measured(hums, songs=5)
    assert STEEPEST <= open_set.slope <= 0
    least, most = open_set.false_accepts
    assert 0 <= least <= most <= 1
    over = open_set.over(hums.here, hums.voice_s)
    assert not np.isnan(over).any()
    assert [open_set.is_here(*one) for one in zip(hums.here, hums.voice_s, strict=True)] == (over >= 0).tolist()


@pytest.mark.parametrize("here", [0.0, 0.3, 1.0])
def test_where_all_hums_are_as_sure_none_crosses_it(here):
    open_set = OpenSet.measured(told(np.full(200, here)), songs=5)
    assert not open_set.is_here(here)
    assert open_set.is_here(here + 0.01) or here == 1


@settings(max_examples=25)
@given(any_hums())
def test_it_is_kept_as_json(hums):
    open_set = OpenSet.measured(hums, songs=5)
    assert OpenSet.from_dict(json.loads(json.dumps(open_set.as_dict()))) == open_set


def test_what_was_kept_before_there_was_a_slope_is_read():
    open_set = OpenSet.from_dict({"line": 0.7, "hums": 300, "songs": 30})
    assert [open_set.is_here(0.71, seconds) for seconds in (2, 8, 15)] == [True] * 3
    assert not open_set.is_here(0.69)
    assert open_set.false_accepts == (0.0, 1.0), "nobody knows"
    assert OpenSet.from_dict({}) == OpenSet()


def test_a_line_needs_a_hundred_hums():
    with pytest.raises(ValueError, match="needs 100 hums"):
        OpenSet.measured(told(np.full(99, 0.5)), songs=5)


def test_as_many_short_hums_cross_it_as_long_ones():
    rng = np.random.default_rng(0)
    open_set = OpenSet.measured(foreign(rng, 5000), songs=5)
    others = foreign(rng, 40_000)
    crossing = open_set.over(others.here, others.voice_s) >= 0
    for short in (others.voice_s < 6, others.voice_s > 12):
        assert crossing[short].mean() == pytest.approx(FALSE_ACCEPTS, abs=0.005)
    assert open_set.line_at(4) > open_set.line_at(MIDDLING_S) > open_set.line_at(14)
    assert open_set.line_at(MIDDLING_S) == pytest.approx(open_set.line)


def test_what_crosses_it_of_others_lies_within_what_is_told():
    rng = np.random.default_rng(1)
    others = foreign(rng, 50_000)
    lines = [OpenSet.measured(foreign(rng, 600), songs=5) for _ in range(60)]
    shares = np.array([np.mean(line.over(others.here, others.voice_s) >= 0) for line in lines])
    assert shares.mean() == pytest.approx(FALSE_ACCEPTS, abs=0.002)
    lows, highs = np.transpose([line.false_accepts for line in lines])
    # Nine in ten are told to.
    assert 0.75 < np.mean((shares >= lows) & (shares <= highs)) < 1


def test_it_is_steadier_than_the_quantile():
    rng = np.random.default_rng(2)
    others = foreign(rng, 50_000, slope=0.0).here
    by_tail, by_quantile = [], []
    for _ in range(60):
        hums = foreign(rng, 600, slope=0.0)._replace(voice_s=np.zeros(600))
        by_tail.append(np.mean(OpenSet.measured(hums, songs=5).over(others) >= 0))
        by_quantile.append(np.mean(others > np.quantile(hums.here, 0.99)))
    assert np.std(by_tail) < 0.9 * np.std(by_quantile)


def test_more_hums_make_the_line_surer():
    rng = np.random.default_rng(3)
    few, many = (OpenSet.measured(foreign(rng, hums), songs=5).false_accepts for hums in (300, 3000))
    assert few[0] < many[0] < FALSE_ACCEPTS < many[1] < few[1]


@pytest.mark.parametrize("shape", [-0.6, -0.2, 0.0, 0.2])
def test_a_tail_is_a_generalised_pareto_distribution(shape):
    tail = Tail(0.1, threshold=2.0, scale=1.5, shape=shape)
    for share in (0.05, 0.01, 0.001):
        level = 2 + stats.genpareto.isf(share / 0.1, shape, scale=1.5)
        assert tail.level(share) == pytest.approx(level)
        assert tail.above(level) == pytest.approx(share)
    assert tail.above(-9.0) == tail.above(2.0) == 0.1
    if shape < 0:
        assert tail.above(2 - 1.5 / shape + 0.1) == 0, "above the highest value there is nothing"
    drawn = 2 + stats.genpareto.rvs(shape, scale=1.5, size=20_000, random_state=0)
    found = Tail.of(np.concatenate([np.linspace(-9, 2, 180_000), drawn]), 0.1)
    assert found == pytest.approx(tail, abs=0.05)


@given(arrays(float, st.integers(20, 60), elements=st.floats(-8, 8)))
def test_a_tail_has_its_moments_and_bounds(values):
    tail = Tail.of(values, 0.5)
    rising = sorted(values)
    beyond = [one - tail.threshold for one in rising[-round(len(values) / 2) :]]
    assert rising[-len(beyond) - 1] <= tail.threshold <= rising[-len(beyond)]
    assert SHAPES[0] <= tail.shape <= SHAPES[1]
    assert tail.scale / (1 - tail.shape) == pytest.approx(np.mean(beyond), abs=1e-9)
    if SHAPES[0] < tail.shape < SHAPES[1]:
        # What is expected of the lower of two of them (Hosking and Wallis 1987).
        lower = np.mean([min(pair) for pair in combinations(beyond, 2)])
        assert tail.scale / (2 - tail.shape) == pytest.approx(lower, abs=1e-6)


def test_a_tail_is_a_part():
    for values, share in ((np.arange(10.0), 0.1), (np.arange(10.0), 1.0)):
        with pytest.raises(ValueError, match="two values"):
            Tail.of(values, share)


@given(st.floats(0.01, 0.99), st.floats(1, 20), st.floats(-5, 0))
def test_the_line_is_where_hums_begin_to_be_told_there(line, seconds, slope):
    open_set = OpenSet(line, slope)
    at = open_set.line_at(seconds)
    assert open_set.over(at, seconds) == pytest.approx(0, abs=1e-6) or not 5e-5 < at < 1 - 5e-5
    assert open_set.is_here(min(at + 1e-3, 1), seconds) or at > 0.99
    assert not open_set.is_here(at - 1e-3, seconds) or at < 0.01


def test_the_slope_is_that_of_least_squares_of_what_was_heard():
    hums = foreign(np.random.default_rng(3), 500)
    wanted = np.polyfit(np.log(hums.voice_s), log_odds(hums.here), 1)[0]
    assert slope_of(hums) == pytest.approx(wanted)
    unheard = Told(np.append(hums.here, 0.0), np.append(hums.voice_s, 0.0), [*hums.keys, ""])
    assert slope_of(unheard) == pytest.approx(wanted)
    assert slope_of(hums._replace(here=1 - hums.here)) == 0, "the longer, the surer: chance"
    assert slope_of(told(hums.here)) == 0, "all equally long"
    assert slope_of(told(hums.here, 0.0)) == 0


def test_log_odds_and_lengths_have_bounds():
    assert log_odds([0.0, 0.5, 1.0]).tolist() == [-10, 0, 10]
    assert over_middling([0.0, MIDDLING_S, MIDDLING_S * np.e]) == pytest.approx([0, 0, 1])


def test_rests_are_no_voice_and_silence_is_no_hum():
    f0_hz = np.full(600, 220, np.float32)
    f0_hz[200:240] = 0
    hum = Melody(0.01, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "test")
    assert voice_s(hum) == pytest.approx(5.6, abs=2 * HOP_S)
    with pytest.raises(NothingHeard):
        voice_s(hum.cut(2.0, 2.4))
