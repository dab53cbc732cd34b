"""What the network sees: the same picture for the same tune in any key, and an honest blank for silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.trackers import CREPE_BINS
from ml_worker.fingerprint.image import (
    COLUMN_S,
    CREPE_BIN_SEMITONES,
    CREPE_FIRST_PITCH,
    ROW_SEMITONES,
    ROWS,
    Salience,
    images_at,
    pitch_image,
    window_starts,
    windows,
    without_octave_slips,
)
from ml_worker.tests.made_pairs import made_pair, steady, transposed

SCALE = [60.0, 62, 64, 65, 67, 69]


def crepe_like(pitch: np.ndarray) -> Salience:
    """The salience that CREPE was trained to give for a pitch (T,): a Gaussian of 25 cents."""
    bins = CREPE_FIRST_PITCH + CREPE_BIN_SEMITONES * np.arange(CREPE_BINS)
    return Salience(np.exp(-0.5 * ((bins[:, None] - pitch[None, :]) / 0.25) ** 2).astype(np.float32))


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_a_picture_has_80_rows_and_a_column_every_40_ms():
    image = pitch_image(steady(SCALE))
    assert image.shape == (80, 75)
    assert image.dtype == np.float32
    assert pytest.approx(0.04) == COLUMN_S


def test_two_notes_are_as_many_rows_apart_as_their_interval():
    image = pitch_image(steady([60.0, 67.0]))
    low, high = image[:, 5].argmax(), image[:, 20].argmax()
    assert high - low == pytest.approx(7 / ROW_SEMITONES, abs=1)
    assert (low + high) / 2 == pytest.approx((ROWS - 1) / 2, abs=1)


@settings(max_examples=30, deadline=None)
@given(semitones=st.floats(-18, 18), seed=st.integers(0, 50))
def test_another_key_gives_the_same_picture(semitones, seed):
    melody = made_pair(seed).original
    images, shares = images_at(melody, np.array([0.0, 1.3, 4.0]), 3.0)
    other_images, other_shares = images_at(transposed(melody, semitones), np.array([0.0, 1.3, 4.0]), 3.0)
    np.testing.assert_allclose(images, other_images, atol=1e-3)
    np.testing.assert_array_equal(shares, other_shares)


def test_each_window_is_centred_on_its_own_mean():
    melody = steady([50.0] * 8 + [70.0] * 8)
    images, _ = images_at(melody, np.array([0.5, 4.5]), 3.0)
    np.testing.assert_allclose(images[0], images[1], atol=1e-3)


def test_a_short_slip_by_an_octave_is_mended_and_a_sung_leap_is_kept():
    slipped = np.array([60.0] * 20 + [72.0] * 10 + [60.0] * 20, np.float32)
    assert (without_octave_slips(slipped, 0.01) == 60).all()
    leap = np.array([60.0] * 20 + [72.0] * 50 + [60.0] * 20, np.float32)
    np.testing.assert_array_equal(without_octave_slips(leap, 0.01), leap)
    new_note = np.array([60.0] * 20 + [np.nan] + [72.0] * 10 + [np.nan] + [60.0] * 20, np.float32)
    np.testing.assert_array_equal(without_octave_slips(new_note, 0.01), new_note)


def test_silence_is_blank_and_says_so():
    melody = steady(SCALE + [np.nan] * 6)
    images, shares = images_at(melody, np.array([0.0, 1.5, 3.0]), 3.0)
    assert shares == pytest.approx([1.0, 0.5, 0.0], abs=0.01)
    assert not images[2].any()


@settings(max_examples=60, deadline=None)
@given(duration_s=st.floats(0, 60), hop_s=st.sampled_from([0.25, 0.64]))
def test_windows_start_at_multiples_of_the_hop_and_cover_the_recording(duration_s, hop_s):
    starts = window_starts(duration_s, 3.0, hop_s)
    assert starts[0] == 0
    np.testing.assert_allclose(np.diff(starts), hop_s)
    assert starts[-1] + 3.0 >= duration_s - hop_s / 100
    assert len(starts) == 1 or starts[-2] + 3.0 < duration_s


def test_a_recording_shorter_than_a_window_is_filled_up_with_silence():
    [(images, shares)] = windows(steady([60.0, 62.0]), 3.0, 0.25)
    assert images.shape == (1, 80, 75)
    assert shares == pytest.approx([1 / 3], abs=0.01)


def test_crepe_s_salience_gives_much_the_same_picture_as_its_pitch_curve():
    pitch = np.repeat([58.3, 60.1, 63.9, 55.5, 61.0, 66.2], 50)
    salience = crepe_like(pitch)
    melody = salience.melody()
    np.testing.assert_allclose(melody.pitch(), pitch, atol=0.05)
    assert likeness(pitch_image(salience), pitch_image(melody)) > 0.95


def test_crepe_s_salience_is_centred_too():
    pitch = np.repeat([58.3, 60.1, 63.9, 55.5, 61.0, 66.2], 50)
    assert likeness(pitch_image(crepe_like(pitch)), pitch_image(crepe_like(pitch + 5.3))) > 0.99


def test_a_salience_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="360"):
        Salience(np.zeros((100, 360), np.float32))


def test_no_melody_makes_no_picture():
    with pytest.raises(ValueError, match=r"at least 0\.04 s"):
        pitch_image(steady([]))
