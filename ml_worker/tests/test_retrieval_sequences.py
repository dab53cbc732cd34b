"""Fingerprints searched along their diagonals, against the same with two plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval import sequences
from ml_worker.retrieval.linear_scaling import OVERHANG_POWER
from ml_worker.retrieval.sequences import LEAST_INSIDE, LEAST_VOICED, Query, Sequences, heard

D = 3


def prints(vectors: np.ndarray, voiced_share: np.ndarray | None = None) -> Fingerprints:
    vectors = np.asarray(vectors, np.float32).reshape(-1, D)
    shares = np.ones(len(vectors)) if voiced_share is None else voiced_share
    return Fingerprints(vectors, 3.0, 0.25, np.asarray(shares, np.float32), "made")


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, D))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cosines_inside(query: np.ndarray, steps: np.ndarray, target: np.ndarray, place: int) -> tuple[list[float], float]:
    """The cosines along one diagonal of the windows that count and lie inside the target, and the share that these are.

    Windows that are heard count; all where none is.
    """
    counting = [(v, s) for v, s in zip(query, steps, strict=True) if v.any() or not query.any()]
    cosines = [float(vector @ target[place + step]) for vector, step in counting if place + step < len(target)]
    return cosines, len(cosines) / len(counting)


def chance_by_loops(query: np.ndarray, steps: np.ndarray, targets: list[np.ndarray]) -> float:
    means = []
    for target in targets:
        for place in range(len(target)):
            cosines, share = cosines_inside(query, steps, target, place)
            if share >= LEAST_INSIDE:
                means.append(np.mean(cosines))
    return float(np.median(means)) if means else 0.0


def by_loops(query: np.ndarray, steps: np.ndarray, target: np.ndarray, place: int, chance: float) -> float:
    """The score of one diagonal by the rule as it is written."""
    cosines, share = cosines_inside(query, steps, target, place)
    if share < LEAST_INSIDE:
        return chance
    return chance + (float(np.mean(cosines)) - chance) * share**OVERHANG_POWER


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[Fingerprints], np.ndarray, np.ndarray, int]:
    """Targets of any length (shorter than the query too), a query with silent windows, and rising steps."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    lengths = draw(st.lists(st.integers(0, 12), min_size=1, max_size=6))
    targets = [prints(unit(rng, length), rng.uniform(0, 1, length)) for length in lengths]
    between = draw(st.lists(st.integers(0, 3), min_size=0, max_size=7))
    steps = np.concatenate([[0], np.cumsum(between)]).astype(np.int64)
    query = unit(rng, len(steps)) * (rng.random((len(steps), 1)) < 0.8)
    return targets, query.astype(np.float32), steps, int(steps[-1]) + 1 + draw(st.integers(0, 3))


@settings(max_examples=150, deadline=None)
@given(search=searches(), block=st.sampled_from([1, 3, 8192]))
def test_the_best_diagonal_is_that_of_two_plain_loops(search, block):
    targets, query, steps, longest = search
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "BLOCK", block)
        found = Sequences(targets, longest).along(query, steps)
    chance = chance_by_loops(query, steps, [heard(target) for target in targets])
    for target, score, place in zip(targets, found.scores, found.places, strict=True):
        scores = [by_loops(query, steps, heard(target), start, chance) for start in range(len(target))]
        assert score == pytest.approx(max(scores, default=-1), abs=1e-5)
        assert not scores or scores[place] == pytest.approx(max(scores), abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(search=searches(), block=st.sampled_from([1, 3, 8192]))
def test_from_the_start_only_the_first_diagonal_counts(search, block):
    targets, query, steps, longest = search
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "BLOCK", block)
        found = Sequences(targets, longest).along(query, steps, from_start=True)
    chance = chance_by_loops(query, steps, [heard(target) for target in targets])
    for target, score, place in zip(targets, found.scores, found.places, strict=True):
        expected = by_loops(query, steps, heard(target), 0, chance) if len(target) else -1
        assert score == pytest.approx(expected, abs=1e-5)
        assert place == 0


@settings(max_examples=50, deadline=None)
@given(search=searches(), seed=st.integers(0, 1000))
def test_several_queries_are_searched_as_one_after_the_other(search, seed):
    targets, query, steps, longest = search
    rng = np.random.default_rng(seed)
    others = [Query(unit(rng, 1 + number).astype(np.float32), np.arange(1 + number)) for number in range(longest)]
    queries = [Query(query, steps), *others]
    searched = Sequences(targets, longest)
    anywhere, at_start = searched.along_all(queries)
    for found, from_start in ((anywhere, False), (at_start, True), (searched.along_starts(queries), True)):
        each = [searched.along(*one, from_start=from_start) for one in queries]
        every = np.stack([one.scores for one in each])
        assert found.scores == pytest.approx(every.max(axis=0), abs=1e-6)
        column = np.arange(len(targets))
        assert every[found.queries, column] == pytest.approx(found.scores, abs=1e-6)


@pytest.mark.parametrize("from_start", [False, True])
def test_a_query_that_goes_on_beyond_the_end_counts_the_less_the_more_does(from_start):
    rng = np.random.default_rng(0)
    query = unit(rng, 20).astype(np.float32)
    others = [prints(unit(rng, 30)) for _ in range(20)]
    lengths = (20, 15, 10, 4, 2)
    targets = Sequences([*(prints(query[:length]) for length in lengths), *others], 20)
    scores = targets.along(query, np.arange(20), from_start=from_start).scores
    assert scores[0] == pytest.approx(1)
    assert (np.diff(scores[:5]) < 0).all()
    assert scores[2] > scores[5:].max()
    assert abs(scores[4]) < 0.1  # less than LEAST_INSIDE of the query: as by chance


def test_of_a_query_that_lies_inside_nothing_but_its_cosines_counts():
    rng = np.random.default_rng(4)
    query = unit(rng, 5).astype(np.float32)
    target = prints(np.concatenate([unit(rng, 9), query, unit(rng, 9)]))
    alone = Sequences([target], 5).along(query, np.arange(5))
    among = Sequences([prints(unit(rng, 7)), target, prints(query[:4])], 5).along(query, np.arange(5))
    assert alone.scores[0] == among.scores[1] == pytest.approx(1)
    assert alone.places[0] == among.places[1] == 9


def test_a_query_never_reaches_from_one_target_into_the_next():
    query = unit(np.random.default_rng(1), 6).astype(np.float32)
    halves = [query[:3], query[3:]]
    apart = Sequences([prints(half) for half in halves], 6).along(query, np.arange(6))
    chance = chance_by_loops(query, np.arange(6), halves)
    assert apart.scores[0] == pytest.approx(by_loops(query, np.arange(6), halves[0], 0, chance))
    assert apart.scores[0] < 0.95


def test_windows_with_little_voice_have_no_say():
    vectors = unit(np.random.default_rng(2), 3)
    shares = np.array([1.0, LEAST_VOICED - 0.01, LEAST_VOICED])
    np.testing.assert_array_equal(heard(prints(vectors, shares)).any(axis=1), [True, False, True])


def test_a_silent_query_fits_nothing():
    targets = Sequences([prints(unit(np.random.default_rng(3), 5))], 5)
    assert targets.along(np.zeros((3, D), np.float32), np.arange(3)).scores.tolist() == [0]
