"""Signs of words in a take: they need changing vowels and hiss between them, and any sound is answered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import sing
from ml_worker.judging import judge_hum
from ml_worker.judging.reasons import words_reason
from ml_worker.judging.words import RATE, word_signs
from ml_worker.tests.made_hums import phrase
from ml_worker.tests.shared_data import shared_data

NOTES = [(k * 0.5, k * 0.5 + 0.4, 55 + (k * 3) % 7) for k in range(12)]


def formants(hz: np.ndarray, centres: list[float]) -> np.ndarray:
    return sum(1 / (1 + ((hz - centre) / 120) ** 2) for centre in centres) + 0.01


VOWELS = ([300, 2300], [750, 1200], [320, 800], [550, 1900])


def sung(*, vowels: int, hiss: float, seconds: float = 6.0) -> Sound:
    """A voice on so many vowels by turns, half a second each, with hiss of that level between them."""
    times = np.arange(round(seconds * RATE)) / RATE
    syllable, within = (times // 0.5).astype(int), times % 0.5
    pitch_hz = 180 * 2 ** (syllable % 5 / 12)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    voice = np.zeros(len(times))
    for harmonic in range(1, 25):
        gains = np.array([formants(harmonic * 200.0, VOWELS[k]) for k in range(vowels)])
        voice += gains[syllable % vowels] * np.sin(harmonic * phase) / harmonic
    open_ = np.clip(np.minimum(within, 0.4 - within) / 0.02, 0, 1)
    noise = np.random.default_rng(0).normal(size=len(times))
    high = noise - np.convolve(noise, np.ones(5) / 5, mode="same")
    samples = 0.2 * voice * open_ + hiss * high * (within > 0.42) + 1e-4 * noise
    return Sound.from_mono(samples, RATE)


def flagged(sound: Sound) -> bool:
    return words_reason(word_signs(sound, track_melody(sound))) is not None


def test_changing_vowels_with_hiss_between_them_are_words():
    assert flagged(sung(vowels=4, hiss=0.05))


@pytest.mark.parametrize(
    ("vowels", "hiss"),
    [
        pytest.param(1, 0.0, id="a hum"),
        pytest.param(1, 0.05, id="one vowel and breaths"),
        pytest.param(4, 0.0, id="vowels without consonants"),
    ],
)
def test_one_sign_alone_is_no_words(vowels, hiss):
    assert not flagged(sung(vowels=vowels, hiss=hiss))


def test_words_are_told_and_never_refused():
    judged = judge_hum(sung(vowels=4, hiss=0.05), phrase(0))
    assert [reason.fatal for reason in judged.reasons if reason.code == "words"] == [False]
    assert judged.measures["hiss_share"] > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_simulated_singer_hums_without_words(seed):
    assert not flagged(sing(NOTES, seed=seed, style="free").sound)


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(0, 30_000),
    level=st.sampled_from([0.0, 1e-30, 0.1, 1e6, np.nan]),
    voiced=st.lists(st.booleans(), max_size=100),
    rate=st.sampled_from([8000, 44_100]),
)
def test_any_sound_is_answered(frames, level, voiced, rate):
    samples = level * np.random.default_rng(frames).normal(size=frames)
    mask = np.array(voiced, dtype=bool)
    melody = Melody(0.016, np.where(mask, 200, 0).astype(np.float32), mask, mask.astype(np.float32), "given")
    signs = word_signs(Sound.from_mono(samples, rate), melody)
    assert signs is None or np.isfinite([signs.vowel_change_db, signs.hiss_share]).all()


@pytest.mark.parametrize("name", ["henter/melody_1.wav", "henter/melody_3.wav", "hum2sol/hum.wav"])
def test_real_hums_have_no_words(name):
    assert not flagged(decode(shared_data("hums", *name.split("/"))))


def test_a_real_song_has():
    assert flagged(decode(shared_data("hums", "vocadito", "Audio", "vocadito_1.wav")).cut(0, 8))
