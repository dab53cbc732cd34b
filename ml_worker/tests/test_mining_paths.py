"""Paths follow what two recordings share, and leave what they do not."""

import numpy as np
import pytest

from ml_worker.mining.paths import local_paths

NOTHING = -0.5


def map_with(*diagonals, size=60):
    """Scores: 0.5 along each diagonal (row, column, length), NOTHING elsewhere."""
    scores = np.full((size, size), NOTHING)
    for row, column, length in diagonals:
        steps = np.arange(length)
        scores[row + steps, column + steps] = 0.5
    return scores


def test_a_planted_diagonal_is_one_path_from_end_to_end():
    (path,) = local_paths(map_with((10, 25, 20)), least_score=2, most_lost=2)
    np.testing.assert_array_equal(path.rows, np.arange(10, 30))
    np.testing.assert_array_equal(path.columns, np.arange(25, 45))
    assert path.score == pytest.approx(10)


def test_a_passage_that_comes_twice_gives_two_paths_strongest_first():
    paths = local_paths(map_with((10, 5, 12), (10, 40, 15)), least_score=2, most_lost=2)
    assert [(path.rows[0], path.columns[0], len(path.rows)) for path in paths] == [(10, 40, 15), (10, 5, 12)]


def test_a_short_gap_is_crossed_and_a_long_one_is_not():
    near = map_with((5, 5, 15), (22, 22, 15))
    far = map_with((5, 5, 15), (30, 30, 15))
    assert len(local_paths(near, least_score=2, most_lost=2)) == 1
    assert len(local_paths(far, least_score=2, most_lost=2)) == 2


def test_another_tempo_is_another_slope():
    scores = np.full((40, 80), NOTHING)
    rows = np.arange(5, 35)
    scores[rows, np.rint(rows * 1.5).astype(int)] = 0.5
    (path,) = local_paths(scores, least_score=3, most_lost=2)
    slope = (path.columns[-1] - path.columns[0]) / (path.rows[-1] - path.rows[0])
    assert slope == pytest.approx(1.5, abs=0.05)


def test_where_nothing_is_shared_there_is_no_path():
    assert local_paths(map_with(), least_score=0.1, most_lost=2) == []
    assert local_paths(np.zeros((0, 5)), least_score=0.1, most_lost=2) == []
