"""The correlation map is what its definition says, and mining may rely on it at every tempo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import at_any_tempo
from ml_worker.mining.correlation import MASKED, at_tempo, correlation_map, diagonal_sums, tempo_correlation
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of


def by_definition(a, b, length):
    cells = np.empty((len(a) - length + 1, len(b) - length + 1))
    for i, j in np.ndindex(cells.shape):
        cells[i, j] = np.corrcoef(a[i : i + length].ravel(), b[j : j + length].ravel())[0, 1]
    return cells


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(0, 8), st.integers(0, 8), st.integers(2, 6))
def test_every_cell_is_the_correlation_of_its_two_stretches(seed, length, more_a, more_b, numbers):
    rng = np.random.default_rng(seed)
    a = rng.normal(rng.normal(), 1, size=(length + more_a, numbers))
    b = rng.normal(rng.normal(), 3, size=(length + more_b, numbers))
    np.testing.assert_allclose(correlation_map(a, b, length), by_definition(a, b, length), atol=1e-9)


def test_single_precision_is_good_to_a_hundred_thousandth():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, (400, 16)), rng.normal(0.3, 1, (300, 16))
    single = correlation_map(a.astype(np.float32), b.astype(np.float32), 33)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, correlation_map(a, b, 33), atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 13])
def test_diagonal_sums_are_traces(length):
    matrix = np.random.default_rng(length).normal(size=(20, 15))
    sums = diagonal_sums(matrix, length)
    assert sums.shape == (20 - length + 1, 15 - length + 1)
    assert sums[3, 1] == pytest.approx(np.trace(matrix[3 : 3 + length, 1 : 1 + length]))
    assert sums[-1, -1] == pytest.approx(np.trace(matrix[-length:, -length:]))


def test_a_side_that_does_not_vary_correlates_with_nothing():
    still = np.full((6, 4), 0.5)
    assert np.all(correlation_map(still, np.random.default_rng(0).normal(size=(5, 4)), 3) == 0)


@pytest.mark.parametrize(("rows", "columns"), [(2, 5), (5, 2), (0, 5)])
def test_sequences_shorter_than_the_stretch_give_no_cells(rows, columns):
    found = correlation_map(np.ones((rows, 4)), np.ones((columns, 4)), 3)
    assert found.size == 0
    assert found.shape == (max(0, rows - 2), max(0, columns - 2))


def test_vectors_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        correlation_map(np.ones((4, 3)), np.ones((4, 2)), 2)


def fingerprints(vectors, voiced=None):
    share = np.ones(len(vectors)) if voiced is None else voiced
    return Fingerprints(vectors.astype(np.float32), 3.0, 0.25, share.astype(np.float32), "made")


def smooth_vectors(count, seed):
    """Fingerprints that change slowly, as those of overlapping windows do."""
    rng = np.random.default_rng(seed)
    vectors = np.cumsum(rng.normal(size=(count + 16, 16)), axis=0)
    vectors = vectors[16:] - vectors[:-16]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_fingerprints_read_at_a_tempo_hear_the_same_music_where_they_should():
    """A ramp in time, read twice as fast, is the ramp at the middles of twice as long windows."""
    angle = 0.01 * np.arange(101)
    ramp = fingerprints(np.column_stack([np.cos(angle), np.sin(angle)]))
    fast = at_tempo(ramp, 2.0)
    heard = np.arctan2(fast.vectors[:, 1], fast.vectors[:, 0]) / 0.01 * 0.25 + 1.5  # middle of the window, seconds
    np.testing.assert_allclose(heard, 2 * (fast.times_s + 1.5), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(fast.vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_stretched_copy_is_found_at_its_tempo(ratio):
    original = fingerprints(smooth_vectors(160, seed=1))
    cover = at_tempo(original, 1 / ratio)
    found = tempo_correlation(original, cover, 17, [0.8, 0.9, 1.0, 1.1, 1.25])
    row = 60
    column = int(np.argmax(found.correlation[row]))
    assert found.correlation[row, column] > 0.97
    assert found.tempo_ratio[row, column] == pytest.approx(ratio)
    assert column * 0.25 == pytest.approx(row * 0.25 * ratio, abs=0.5)


def test_places_without_a_voice_are_masked():
    vectors = smooth_vectors(60, seed=2)
    voiced = np.ones(60)
    voiced[20:40] = 0
    found = tempo_correlation(fingerprints(vectors, voiced), fingerprints(vectors), 9, [1.0], voiced_share=0.5)
    assert np.all(found.correlation[24:28] == MASKED)
    assert found.correlation[5].max() == pytest.approx(1, abs=1e-4)


def test_pitch_curves_match_at_another_key_octave_and_tempo():
    notes = made_tune(3, 30)
    played, _ = made_cover(notes, [(0, 30)], tempo_ratio=1.25, transposition=-7)
    original, cover = melody_of(notes, seed=1), melody_of(played, seed=2, octave_errors=0.1)
    found = tempo_correlation(
        curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), 9, [0.8, 1.0, 1.25]
    )
    best = found.correlation.argmax(axis=1)
    rows = np.arange(len(best))
    assert np.median(found.tempo_ratio[rows, best]) == pytest.approx(1.25)
    assert np.median(np.abs(best * 0.25 - rows * 0.25 * 1.25)) <= 0.25


def test_a_melody_shorter_than_a_window_has_no_pitch_curve_fingerprints():
    assert len(curve_fingerprints(melody_of(made_tune(1, 30)).cut(0, 2))) == 0
