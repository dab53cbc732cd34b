"""The constant-Q transform hears each pitch in its bin; both saliences come in one form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio import cqt
from ml_worker.audio.salience import Salience
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import SALIENCES, track_melody, track_salience
from ml_worker.tests.made_audio import tone

RATE, HOP = 16_000, 160


def sine(hz: float, seconds: float = 0.6, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@settings(deadline=None, max_examples=25)
@given(st.integers(12, 80))
def test_a_sine_is_heard_in_its_bin_with_its_amplitude(number):
    amplitude = cqt.cqt(sine(440 * 2 ** ((cqt.FIRST_PITCH + number - 69) / 12)), RATE, HOP)[:, 30]
    assert amplitude.argmax() == number
    assert amplitude[number] == pytest.approx(0.5, rel=0.01)
    assert amplitude[np.abs(np.arange(cqt.BINS) - number) > 3].max() < 0.02


def test_it_is_the_sum_written_plainly():
    """One bin of one frame by its definition: the windowed mean of the sound times a complex sine."""
    wave = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    number, frame = 45, 40
    hz = 440 * 2 ** ((cqt.FIRST_PITCH + number - 69) / 12)
    length = round(cqt.PERIODS * RATE / hz)
    first = frame * HOP - length // 2
    window = np.hanning(length + 2)[1:-1]
    turning = np.exp(-2j * np.pi * hz * np.arange(length) / RATE)
    plain = 2 * abs(np.sum(wave[first : first + length] * window * turning)) / window.sum()
    # The kernels leave out their smallest values.
    assert cqt.cqt(wave, RATE, HOP)[number, frame] == pytest.approx(plain, rel=0.02)


def test_blocks_leave_no_seam(monkeypatch):
    wave = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    whole = cqt.cqt(wave, RATE, HOP)
    monkeypatch.setattr(cqt, "BLOCK", 7)
    assert np.abs(cqt.cqt(wave, RATE, HOP) - whole).max() < 1e-6


def test_a_frame_is_centred_on_its_time():
    """A short blip is loudest in its own frame."""
    wave = np.zeros(RATE, np.float32)
    wave[8000 - 80 : 8000 + 80] = sine(1000, 0.01)
    assert abs(int(cqt.cqt(wave, RATE, HOP)[59].argmax()) - 50) <= 1


@given(st.floats(1e-3, 1.0))
@settings(deadline=None, max_examples=10)
def test_salience_is_free_of_the_level(level):
    wave = sine(220)
    assert np.abs(cqt.cqt_salience(level * wave, RATE, HOP) - cqt.cqt_salience(wave, RATE, HOP)).max() < 0.01


@settings(deadline=None, max_examples=25)
@given(st.floats(90, 900))
def test_a_pitch_between_bins_is_found_nearer_than_half_a_bin(hz):
    """What mir_eval calls right. The parabola through the harmonic sum is off by up to 0.36 at high pitches."""
    melody = track_melody(tone(0.8, RATE, hz=hz), "cqt")
    assert 12 * np.log2(melody.f0_hz[30:50] / hz) == pytest.approx(0, abs=0.45)


@pytest.mark.parametrize("samples", [0, 1, 100, 3200])
def test_short_sounds(samples):
    salience = cqt.cqt_salience(sine(220)[:samples], RATE, HOP)
    assert salience.shape == (cqt.BINS, 1 + samples // HOP if samples else 0)
    assert np.isfinite(salience).all()


class TestOneForm:
    @pytest.mark.parametrize("method", ["crepe-tiny", "cqt"])
    def test_of_a_tone(self, method):
        salience = track_salience(tone(1.0, hz=220), method)
        assert salience.hop_s == 0.01
        assert salience.activation.dtype == np.float32
        assert salience.activation.shape[1] == len(salience.melody.f0_hz) == 101
        assert 0 <= salience.activation.min() <= salience.activation.max() <= 1
        pitch = salience.first_pitch + salience.bin_semitones * salience.activation[:, 50].argmax()
        assert pitch == pytest.approx(57, abs=0.3)

    @pytest.mark.parametrize("method", ["crepe-tiny", "cqt"])
    def test_its_melody_is_the_trackers(self, method):
        sound = tone(0.7, hz=150)
        salient, tracked = track_salience(sound, method).melody, track_melody(sound, method)
        assert np.array_equal(salient.f0_hz, tracked.f0_hz)
        assert np.array_equal(salient.attack, tracked.attack)
        assert salient.method == tracked.method

    @pytest.mark.parametrize("method", ["crepe-tiny", "cqt"])
    def test_of_nothing(self, method):
        salience = track_salience(Sound(np.zeros((1, 0), np.float32), RATE), method)
        assert salience.activation.shape[1] == 0
        assert salience.duration_s == 0

    def test_an_unknown_one(self):
        with pytest.raises(ValueError, match="cqt"):
            track_salience(tone(0.2), "swift-f0")

    def test_what_there_is(self):
        assert set(SALIENCES) == {"crepe-tiny", "crepe-full", "cqt"}

    def test_activation_and_melody_belong_together(self):
        melody = track_melody(tone(0.5), "cqt")
        with pytest.raises(ValueError, match="shape"):
            Salience(np.zeros((84, 3), np.float32), melody, 24.0, 1.0)
