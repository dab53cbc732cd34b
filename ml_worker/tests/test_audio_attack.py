"""Beginnings of notes are heard where a pitch curve is silent about them, and nowhere else."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from ml_worker.audio.attack import attack, band_levels
from ml_worker.audio.decode import decode
from ml_worker.audio.measure_attacks import AUDIO, NOTES, beginnings, made_tune
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.singer import sing
from ml_worker.tests.shared_data import shared_data

RATE = 16_000


def voice(pitch_hz: np.ndarray, level: np.ndarray | float = 0.2) -> np.ndarray:
    """Six harmonics at a pitch (N,) and a level."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    return level * sum(np.sin(order * phase) / order for order in range(1, 7))


def repeated(gap_s: float = 0.05, every_s: float = 0.5, seconds: float = 4.0, fall_db: float = 20.0) -> np.ndarray:
    """One pitch, its level lowered every half second, as in "mm-mm"."""
    times = np.arange(round(seconds * RATE)) / RATE
    closed = (times % every_s < gap_s) & (times > every_s / 2)
    level = gaussian_filter1d(np.where(closed, 10 ** (-fall_db / 20), 1.0), 0.008 * RATE)
    return voice(np.full(len(times), 180.0), 0.2 * level)


def inner_attacks(wave: np.ndarray, method: str = "swift-f0") -> np.ndarray:
    """Seconds of the beginnings, without the recording's own start."""
    times = beginnings(track_melody(Sound.from_mono(wave, RATE), method))
    return times[times > 0.25]


@pytest.mark.parametrize("method", ["swift-f0", "crepe-tiny", "cqt"])
def test_repeated_notes_on_one_pitch(method):
    found = inner_attacks(repeated(), method)
    assert len(found) == 7
    assert np.abs(found - (0.5 * np.arange(1, 8) + 0.05)).max() < 0.05


@pytest.mark.parametrize("level", [0.05, 1.0, 4.0])
def test_at_any_level(level):
    assert np.abs(inner_attacks(level * repeated()) - inner_attacks(repeated())).max() < 0.02


def test_under_noise():
    noise = np.random.default_rng(0).standard_normal(4 * RATE)
    wave = repeated()
    assert len(inner_attacks(wave + 10 ** (-10 / 20) * wave.std() * noise)) == 7


@pytest.mark.parametrize("semitones", [0.0, 0.3, 0.8])
def test_a_held_note_with_vibrato_begins_once(semitones):
    times = np.arange(4 * RATE) / RATE
    assert not len(inner_attacks(voice(200 * 2 ** (semitones * np.sin(2 * np.pi * 5.5 * times) / 12))))


def test_a_tied_step_begins_a_note():
    times = np.arange(2 * RATE) / RATE
    found = inner_attacks(voice(np.where(times < 1, 200.0, 224.5)))
    assert found == pytest.approx([1.0], abs=0.05)


@pytest.mark.parametrize("wave", [np.zeros(RATE), np.full(RATE, 0.5), 0.1 * np.random.default_rng(0).normal(size=RATE)])
def test_what_is_no_voice_has_none(wave):
    assert not track_melody(Sound.from_mono(wave, RATE)).attack.any()


def test_a_singer():
    """Close to what the two annotators agree on (F 0.91 within 0.1 s), and better than librosa's onsets (0.68)."""
    found = beginnings(track_melody(decode(shared_data(*AUDIO.split("/")))))
    for annotator in (1, 2):
        truth = np.loadtxt(shared_data(*NOTES.format(annotator).split("/")), delimiter=",")[:, 0]
        assert mir_eval.onset.f_measure(truth, found, window=0.1)[0] > 0.8


def test_simulated_hums():
    scores = []
    for seed in (50, 51, 52):
        take = sing(made_tune(seed), seed=seed)
        truth = np.array([note.start_s for note in take.notes])
        scores.append(mir_eval.onset.f_measure(truth, beginnings(track_melody(take.sound)), window=0.1)[0])
    assert np.mean(scores) > 0.9


@settings(deadline=None, max_examples=40)
@given(
    frames=st.integers(0, 40),
    samples=st.integers(0, 8000),
    hop=st.sampled_from([160, 256]),
    unvoiced=st.lists(st.integers(0, 39), max_size=20),
)
def test_any_length_gives_0_to_1_in_the_pitch_curves_shape(frames, samples, hop, unvoiced):
    rng = np.random.default_rng(frames)
    pitch = rng.uniform(40, 70, frames)
    pitch[[frame for frame in unvoiced if frame < frames]] = np.nan
    found = attack(0.1 * rng.standard_normal(samples).astype(np.float32), RATE, hop, pitch)
    assert found.shape == (frames,)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def test_levels_in_blocks_are_levels_in_one(monkeypatch):
    wave = repeated().astype(np.float32)
    whole = band_levels(wave, RATE, 256, 250)
    monkeypatch.setattr("ml_worker.audio.attack.BLOCK", 7)
    assert np.abs(band_levels(wave, RATE, 256, 250) - whole).max() < 1e-3
