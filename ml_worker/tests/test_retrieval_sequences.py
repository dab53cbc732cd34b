"""Fingerprints searched along their diagonals, against the same with two plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval import sequences
from ml_worker.retrieval.sequences import LEAST_VOICED, Sequences, heard

D = 3


def prints(vectors: np.ndarray, voiced_share: np.ndarray | None = None) -> Fingerprints:
    vectors = np.asarray(vectors, np.float32).reshape(-1, D)
    shares = np.ones(len(vectors)) if voiced_share is None else voiced_share
    return Fingerprints(vectors, 3.0, 0.25, np.asarray(shares, np.float32), "made")


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, D))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_loops(query: np.ndarray, steps: np.ndarray, target: np.ndarray, place: int) -> float:
    """The mean cosine of a query along one diagonal, over the query's voiced windows."""
    total, voiced = 0.0, 0
    for vector, step in zip(query, steps, strict=True):
        voiced += bool(vector.any())
        if place + step < len(target):
            total += float(vector @ target[place + step])
    return total / max(voiced, 1)


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
    for target, score, place in zip(targets, *found, strict=True):
        scores = [by_loops(query, steps, heard(target), start) for start in range(len(target))]
        assert score == pytest.approx(max(scores, default=-1), abs=1e-5)
        assert not scores or scores[place] == pytest.approx(max(scores), abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(search=searches())
def test_from_the_start_only_the_first_diagonal_counts(search):
    targets, query, steps, longest = search
    found = Sequences(targets, longest).along(query, steps, from_start=True)
    for target, score, place in zip(targets, *found, strict=True):
        assert score == pytest.approx(by_loops(query, steps, heard(target), 0) if len(target) else -1, abs=1e-5)
        assert place == 0


def test_a_target_shorter_than_the_query_is_compared_as_far_as_it_goes():
    query = unit(np.random.default_rng(0), 20).astype(np.float32)
    targets = Sequences([prints(query[:6]), prints(query)], 20)
    for from_start in (False, True):
        scores = targets.along(query, np.arange(20), from_start=from_start).scores
        assert scores == pytest.approx([6 / 20, 1])


def test_a_query_never_reaches_from_one_target_into_the_next():
    query = unit(np.random.default_rng(1), 6).astype(np.float32)
    apart = Sequences([prints(query[:3]), prints(query[3:])], 6).along(query, np.arange(6))
    assert apart.scores.max() < 0.9


def test_windows_with_little_voice_have_no_say():
    vectors = unit(np.random.default_rng(2), 3)
    shares = np.array([1.0, LEAST_VOICED - 0.01, LEAST_VOICED])
    np.testing.assert_array_equal(heard(prints(vectors, shares)).any(axis=1), [True, False, True])


def test_a_silent_query_fits_nothing():
    targets = Sequences([prints(unit(np.random.default_rng(3), 5))], 5)
    assert targets.along(np.zeros((3, D), np.float32), np.arange(3)).scores.tolist() == [0]
