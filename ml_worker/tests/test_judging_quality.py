"""What the measures of a take say of sounds whose level, noise, gaps and band are known."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.judging.quality import measure_take
from ml_worker.tests.made_hums import RATE, hummed, phrase, voice


def steady(seconds: float = 2.0, rate: int = RATE, level: float = 0.5, hz: float = 220.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def all_voiced(sound: Sound) -> Melody:
    frames = max(1, round(sound.duration_s / 0.02))
    return Melody(0.02, np.full(frames, 220, np.float32), np.ones(frames, bool), np.ones(frames, np.float32), "given")


def measured(samples: np.ndarray, rate: int = RATE):
    sound = Sound.from_mono(samples, rate)
    return measure_take(sound, all_voiced(sound))


def test_level_peak_and_length_of_a_tone():
    take = measured(steady())
    assert take.duration_s == pytest.approx(2)
    assert take.peak == pytest.approx(0.5, abs=0.001)
    assert take.level_db == pytest.approx(20 * np.log10(0.5) - 3.01, abs=0.05)
    assert take.clipped_share == take.dropouts == 0
    assert take.noise_db is None


def test_a_constant_is_measured_and_counts_as_no_level():
    take = measured(steady() + 0.25)
    assert take.dc == pytest.approx(0.25, abs=0.001)
    assert take.level_db == pytest.approx(measured(steady()).level_db, abs=0.05)


@pytest.mark.parametrize("over_db", [1, 6, 20])
def test_clipping_is_the_share_of_samples_that_are_cut(over_db):
    tone = steady(level=10 ** (over_db / 20))
    assert measured(np.clip(tone, -1, 1)).clipped_share == pytest.approx(np.mean(np.abs(tone) >= 1), abs=0.02)


def test_a_tone_that_just_fits_is_not_clipped():
    assert measured(steady(level=0.998)).clipped_share == 0


@pytest.mark.parametrize("down_db", [0.5, 6, 15])
def test_what_was_clipped_and_then_turned_down_is_clipped_still(down_db):
    tone = np.clip(steady(level=4), -1, 1) * 10 ** (-down_db / 20)
    rounded = np.rint(tone * 32767) / 32768
    assert measured(rounded).clipped_share == pytest.approx(np.mean(np.abs(steady(level=4)) >= 1), abs=0.02)


@pytest.mark.parametrize("hz", [70.0, 110.0, 400.0])
@pytest.mark.parametrize("level", [0.12, 0.3, 0.9])
def test_a_steady_low_tone_is_not_clipped_however_fine_it_is_sampled(hz, level):
    tone = np.rint(steady(1.0, 192_000, level, hz) * 32767) / 32768
    assert measured(tone, 192_000).clipped_share == 0


@pytest.mark.parametrize("snr_db", [10, 20, 40])
def test_snr_is_voice_over_the_quiet_between(snr_db):
    melody = hummed(phrase(0), offset_s=1.0, after_s=1.0)
    clean = voice(melody, noise=0)
    speaking = clean.samples[0][np.repeat(melody.voiced, RATE * 16 // 1000)[: clean.frames]]
    noise = np.sqrt(np.mean(speaking**2)) * 10 ** (-snr_db / 20)
    noisy = Sound(clean.samples + np.random.default_rng(0).normal(0, noise, clean.frames).astype(np.float32), RATE)
    assert measure_take(noisy, melody).snr_db == pytest.approx(snr_db, abs=1.5)


@pytest.mark.parametrize("hole_s", [0.005, 0.05, 0.3])
def test_holes_in_the_sound_are_counted_and_summed(hole_s):
    tone = steady()
    for start in (4000, 16000):
        tone[start : start + round(hole_s * RATE)] = 0
    take = measured(tone)
    assert take.dropouts == 2
    assert take.dropout_s == pytest.approx(2 * hole_s, abs=0.001)


def test_a_pause_is_no_hole():
    melody = hummed(phrase(1), offset_s=1.0)
    take = measure_take(voice(melody, noise=0), melody)
    assert take.dropouts == 0
    assert take.silent_share > 0.1


@pytest.mark.parametrize("band_hz", [4000, 8000])
def test_the_bandwidth_of_a_call_is_seen(band_hz):
    rng = np.random.default_rng(0)
    narrow = Sound.from_mono(rng.normal(0, 0.05, 4 * band_hz).astype(np.float32), 2 * band_hz).resampled(48_000)
    assert measure_take(narrow, all_voiced(narrow)).bandwidth_hz == pytest.approx(band_hz, rel=0.1)
    wide = rng.normal(0, 0.05, 96_000).astype(np.float32)
    assert measured(wide, 48_000).bandwidth_hz > 20_000


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(1), np.zeros(RATE), np.full(RATE, 0.5), np.full(9, np.nan)])
def test_strange_sounds_give_finite_numbers(samples):
    nothing = np.zeros(0, np.float32)
    melody = Melody(0.02, nothing, nothing.astype(bool), nothing, "none")
    figures = measure_take(Sound.from_mono(samples, RATE), melody).as_dict()
    assert all(value is None or np.isfinite(value) for value in figures.values())
    assert figures["voiced_s"] == 0
