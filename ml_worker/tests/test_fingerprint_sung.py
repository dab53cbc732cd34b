"""The singer who is simulated on curves: how they err is drawn, when they sing what is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.fingerprint.image import FRAME_S
from ml_worker.fingerprint.settings import Recorded, Singing
from ml_worker.fingerprint.sung import Notes, recorded, sing, written
from ml_worker.tests.made_sung import FLAWLESS, UNSTEADY, made_notes

SEEDS = st.integers(0, 100_000)
# How far a voice wanders around a note that it means to hold, semitones.
WANDER = 1.4


def onsets_of(pitch: np.ndarray) -> np.ndarray:
    """Seconds at which a voice sets in, or steps by more than a semitone from frame to frame."""
    before = np.concatenate([[np.nan], pitch[:-1]])
    with np.errstate(invalid="ignore"):
        begins = ~np.isnan(pitch) & (np.isnan(before) | (np.abs(pitch - before) > 1))
    return np.flatnonzero(begins) * FRAME_S


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_the_time_map_of_a_hum_is_true(seed):
    rng = np.random.default_rng(seed)
    notes = made_notes(seed)
    sung = sing(notes, UNSTEADY, rng)
    onsets = onsets_of(sung.sampled.pitch)
    heard_s = sung.sung_at(notes.starts_s)
    assert max(np.abs(onsets - second).min() for second in heard_s) <= 2 * FRAME_S
    np.testing.assert_allclose(sung.score_at(heard_s), notes.starts_s, atol=1e-6)
    lengths_s = np.diff(np.append(heard_s, sung.sung_s[-1]))
    middles = sung.sampled.pitch[((heard_s + lengths_s / 2) / FRAME_S).astype(int)]
    is_told_apart = (lengths_s > 0.15) & ~np.isnan(middles)  # in shorter ones the glides meet
    assert is_told_apart.mean() > 0.6
    np.testing.assert_allclose(middles[is_told_apart], notes.pitch[is_told_apart], atol=WANDER)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_a_hum_without_errors_is_the_score(seed):
    notes = made_notes(seed)
    sung, score = sing(notes, FLAWLESS, np.random.default_rng(seed)), written(notes)
    frames = min(len(sung.sampled.pitch), len(score.sampled.pitch))
    off = np.abs(sung.sampled.pitch[:frames] - score.sampled.pitch[:frames])
    both = ~np.isnan(off)
    assert both.mean() > 0.85
    assert (off[both] < 0.3).mean() > 0.8  # glides of two frames at every note
    np.testing.assert_allclose(sung.sung_at(notes.starts_s), notes.starts_s - notes.starts_s[0], atol=0.05)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, count=st.integers(4, 30), as_recording=st.booleans())
def test_whatever_is_drawn_is_a_curve_with_a_rising_time_map(seed, count, as_recording):
    rng = np.random.default_rng(seed)
    notes = made_notes(seed, count)
    made = recorded(notes, Recorded(), rng) if as_recording else sing(notes, Singing(clumsiness=(1.4, 1.4)), rng)
    pitch, height, attack = made.sampled
    assert pitch.shape == height.shape == attack.shape
    np.testing.assert_array_equal(height > 0, ~np.isnan(pitch))
    assert min(height.min(), attack.min()) >= 0
    assert max(height.max(), attack.max()) <= 1
    assert made.score_s.shape == made.sung_s.shape
    assert (np.diff(made.score_s) > 0).all()
    assert (np.diff(made.sung_s) > 0).all()
    assert made.sung_s[-1] == pytest.approx(len(pitch) * FRAME_S, abs=2 * FRAME_S)


def test_the_same_numbers_are_drawn_again():
    one, same = (sing(made_notes(3), Singing(), np.random.default_rng(5)).sampled.pitch for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, sing(made_notes(3), Singing(), np.random.default_rng(6)).sampled.pitch)


def test_a_score_has_its_pitches_rests_and_attacks():
    notes = Notes(np.array([1.0, 1.5, 2.5]), np.array([1.5, 2.0, 3.0]), np.array([60.0, 60.0, 64.0]))
    known, unknown = written(notes), written(notes, is_attack_known=False)
    np.testing.assert_array_equal(known.sampled.pitch[:100], np.repeat([60, 60, np.nan, 64], 25))
    assert (np.flatnonzero(known.sampled.attack > 0.9) * FRAME_S).tolist() == pytest.approx([0.0, 0.5, 1.5])
    # The curve alone does not show the repeated note.
    assert (np.flatnonzero(unknown.sampled.attack > 0.9) * FRAME_S).tolist() == pytest.approx([0.0, 1.5])
    assert float(known.sung_at(2.5)) == pytest.approx(1.5)


def test_parts_and_paces_of_notes():
    notes = made_notes(1, 10)
    part = notes.part(2, 5)
    assert len(part) == 3
    assert part.starts_s[0] == notes.starts_s[2]
    assert notes.at_pace(1.5).seconds == pytest.approx(1.5 * notes.seconds)
