"""What the network sees: the same picture for the same tune in any key, and an honest blank for silence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.melody import Melody
from ml_worker.audio.salience import Salience
from ml_worker.fingerprint.image import (
    ATTACK_REACH_S,
    COLUMN_S,
    ROW_SEMITONES,
    ROWS,
    Curve,
    Painter,
    attack_at,
    begins_of_curve,
    peaks,
    pitch_image,
    window_starts,
    without_octave_slips,
)
from ml_worker.tests.made_pairs import made_pair, steady, transposed

SCALE = [60.0, 62, 64, 65, 67, 69]
# CREPE's 360 bins of 20 cents, the lowest in MIDI semitones.
CREPE_BINS, BIN_SEMITONES, FIRST_PITCH = 360, 0.2, 23.6
STARTS_S = np.array([0.0, 1.3, 4.0])


def crepe_like(pitch: np.ndarray) -> Salience:
    """The salience that CREPE was trained to give for a pitch (T,): a Gaussian of 25 cents."""
    bins = FIRST_PITCH + BIN_SEMITONES * np.arange(CREPE_BINS)
    activation = np.exp(-0.5 * ((bins[:, None] - pitch[None, :]) / 0.25) ** 2).astype(np.float32)
    return Salience(activation, steady(pitch.tolist(), note_s=0.01), FIRST_PITCH, BIN_SEMITONES)


def with_attacks(melody: Melody, begins_s: list[float]) -> Melody:
    """The melody with notes that begin at some seconds."""
    attack = np.zeros(len(melody.f0_hz), np.float32)
    attack[np.rint(np.array(begins_s) / melody.hop_s).astype(int)] = 1
    return dataclasses.replace(melody, attack=attack)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def test_a_picture_has_80_rows_and_a_column_every_40_ms():
    image = pitch_image(steady(SCALE))
    assert image.shape == (1, 80, 75)
    assert image.dtype == np.float32
    assert pytest.approx(0.04) == COLUMN_S
    with_second_channel = pitch_image(steady(SCALE), has_attack=True)
    assert with_second_channel.shape == (2, 80, 75)
    np.testing.assert_array_equal(with_second_channel[0], image[0])


def test_two_notes_are_as_many_rows_apart_as_their_interval():
    image = pitch_image(steady([60.0, 67.0]))[0]
    low, high = image[:, 5].argmax(), image[:, 20].argmax()
    assert high - low == pytest.approx(7 / ROW_SEMITONES, abs=1)
    assert (low + high) / 2 == pytest.approx((ROWS - 1) / 2, abs=1)


@settings(max_examples=30, deadline=None)
@given(semitones=st.floats(-18, 18), seed=st.integers(0, 50))
def test_another_key_gives_the_same_picture(semitones, seed):
    melody = made_pair(seed).original
    own, other = (Painter.of(one, has_attack=True) for one in (melody, transposed(melody, semitones)))
    np.testing.assert_allclose(own.paint(STARTS_S, 75), other.paint(STARTS_S, 75), atol=1e-3)
    whole = [painter.paint(STARTS_S, 75, painter.middle_pitch()) for painter in (own, other)]
    np.testing.assert_allclose(*whole, atol=1e-3)
    np.testing.assert_array_equal(own.voiced_share(STARTS_S, 3.0), other.voiced_share(STARTS_S, 3.0))


def test_a_window_is_centred_on_its_own_mean_unless_told_otherwise():
    painter = Painter.of(steady([50.0] * 8 + [70.0] * 8), has_attack=False)
    images = painter.paint(np.array([0.5, 4.5]), 75)
    np.testing.assert_allclose(images[0], images[1], atol=1e-3)
    low, high = painter.paint(np.array([0.5, 4.5]), 75, painter.middle_pitch())[:, 0, :, 40].argmax(axis=1)
    assert high - low == pytest.approx(20 / ROW_SEMITONES, abs=1)


def test_parts_of_a_recording_join_to_the_whole():
    painter = Painter.of(made_pair(0).original, has_attack=True)
    whole = painter.paint(np.zeros(1), 200, painter.middle_pitch())[0]
    parts = painter.paint(np.array([0.0, 100 * COLUMN_S]), 100, painter.middle_pitch())
    np.testing.assert_allclose(np.concatenate(list(parts), axis=2), whole, atol=1e-4)


def test_a_short_slip_by_an_octave_is_mended_and_a_sung_leap_is_kept():
    slipped = np.array([60.0] * 20 + [72.0] * 10 + [60.0] * 20, np.float32)
    assert (without_octave_slips(slipped, 0.01) == 60).all()
    leap = np.array([60.0] * 20 + [72.0] * 50 + [60.0] * 20, np.float32)
    np.testing.assert_array_equal(without_octave_slips(leap, 0.01), leap)
    new_note = np.array([60.0] * 20 + [np.nan] + [72.0] * 10 + [np.nan] + [60.0] * 20, np.float32)
    np.testing.assert_array_equal(without_octave_slips(new_note, 0.01), new_note)


def test_a_picture_shows_no_octave_slips():
    slipped = steady([60.0] * 50 + [72.0] * 10 + [60.0] * 40, note_s=0.01)
    np.testing.assert_array_equal(pitch_image(slipped), pitch_image(steady([60.0] * 100, note_s=0.01)))


def test_silence_is_blank_and_says_so():
    painter = Painter.of(steady(SCALE + [np.nan] * 6), has_attack=True)
    starts_s = np.array([0.0, 1.5, 3.0, -5.0])
    assert painter.voiced_share(starts_s, 3.0) == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=0.01)
    images = painter.paint(starts_s, 75)
    assert not images[2:].any()
    assert images[0].any()


@settings(max_examples=60, deadline=None)
@given(duration_s=st.floats(0, 60), hop_s=st.sampled_from([0.25, 0.64]))
def test_windows_start_at_multiples_of_the_hop_and_cover_the_recording(duration_s, hop_s):
    starts = window_starts(duration_s, 3.0, hop_s)
    assert starts[0] == 0
    np.testing.assert_allclose(np.diff(starts), hop_s)
    assert starts[-1] + 3.0 >= duration_s - hop_s / 100
    assert len(starts) == 1 or starts[-2] + 3.0 < duration_s


def test_what_lies_outside_a_recording_is_silent():
    painter = Painter.of(steady([60.0, 62.0]), has_attack=False)
    assert painter.voiced_share(np.zeros(1), 3.0) == pytest.approx([1 / 3], abs=0.01)
    image = painter.paint(np.array([-1.0]), 75)[0, 0]
    assert not image[:, :24].any()
    assert not image[:, 51:].any()
    assert (image[:, 26:49].max(axis=0) > 0.4).all()


def test_crepe_s_salience_gives_much_the_same_picture_as_its_pitch_curve():
    salience = crepe_like(np.repeat([58.3, 60.1, 63.9, 55.5, 61.0, 66.2], 50))
    assert likeness(pitch_image(salience), pitch_image(salience.melody)) > 0.95


def test_crepe_s_salience_is_centred_too():
    pitch = np.repeat([58.3, 60.1, 63.9, 55.5, 61.0, 66.2], 50)
    assert likeness(pitch_image(crepe_like(pitch)), pitch_image(crepe_like(pitch + 5.3))) > 0.99


def test_no_melody_makes_no_picture():
    with pytest.raises(ValueError, match=r"at least 0\.04 s"):
        pitch_image(steady([]))


# --- where notes begin


def test_repeated_notes_are_told_from_a_held_one_by_their_attacks():
    held, repeated = (with_attacks(steady([60.0] * 4), begins_s) for begins_s in ([0.1], [0.1, 0.6, 1.1, 1.6]))
    one, four = (pitch_image(melody, has_attack=True) for melody in (held, repeated))
    np.testing.assert_array_equal(one[0], four[0])
    lit = np.flatnonzero(four[1].max(axis=0) > 0.3)
    assert sorted(set((lit * COLUMN_S).round(1))) == pytest.approx([0.1, 0.6, 1.1, 1.6], abs=0.1)
    assert np.flatnonzero(one[1].max(axis=0)).max() < 5
    # An attack lies on the ridge of its note.
    assert four[1][:, lit[0]].argmax() == four[0][:, lit[0]].argmax()


def test_without_known_attacks_a_note_begins_where_a_voice_sets_in_or_the_pitch_steps():
    pitch = np.repeat([np.nan, 60, 62, 62, np.nan, 62, 62.3], 25)
    assert begins_of_curve(pitch, 0.02).tolist() == [25, 50, 125]
    assert Curve.of(steady([np.nan, 60.0, 62.0, np.nan, 60.0])).begins_s == pytest.approx([0.5, 1.0, 2.0], abs=0.02)


def test_a_beginning_is_a_local_maximum_of_the_attack():
    assert peaks(np.array([0.9, 0.5, 0.2, 0.6, 0.6, 0.1, 0.2, 0.1, 0.4])).tolist() == [0, 3, 8]
    assert peaks(np.zeros(0)).tolist() == []


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 8))
def test_an_attack_is_a_triangle_around_each_beginning(seed, count):
    rng = np.random.default_rng(seed)
    begins_s = np.cumsum(rng.uniform(ATTACK_REACH_S, 0.2, count))
    strengths = rng.uniform(0.3, 1, count)
    times_s = rng.uniform(-0.1, 1.2, 100)
    plain = [
        max((s * max(0, 1 - abs(t - b) / ATTACK_REACH_S) for b, s in zip(begins_s, strengths, strict=True)), default=0)
        for t in times_s
    ]
    np.testing.assert_allclose(attack_at(times_s, begins_s, strengths), plain, atol=1e-6)
