"""Hums made from a melody with a known offset, tempo and key, as curves and as sound."""

from __future__ import annotations

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.judging.alignment import at
from ml_worker.tests.made_tunes import made_tune, melody_of

RATE = 16_000
HOP_S = 0.016


def phrase(seed: int, seconds: float = 6.0) -> Melody:
    """A made-up phrase as a reference."""
    return melody_of(made_tune(seed, 30), seed=seed, drift=0).cut(3, 3 + seconds)


def curve_melody(pitch: np.ndarray, hop_s: float = HOP_S) -> Melody:
    """A Melody from semitones, NaN where unvoiced."""
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch, nan=69.0) - 69) / 12), 0)
    return Melody(hop_s, f0_hz.astype(np.float32), voiced, voiced.astype(np.float32), "made")


def hummed(
    reference: Melody,
    *,
    offset_s: float = 0.5,
    tempo_ratio: float = 1.0,
    transposition: float = 0.0,
    after_s: float = 0.5,
) -> Melody:
    """The reference as a take: second u of it lies at offset_s + u * tempo_ratio, silence around it."""
    seconds = np.arange(0, offset_s + reference.duration_s * tempo_ratio + after_s, HOP_S)
    pitch = at(reference.pitch(), reference.hop_s, (seconds - offset_s) / tempo_ratio)
    return curve_melody(pitch + np.float32(transposition))


def voice(melody: Melody, *, level: float = 0.3, noise: float = 3e-4, seed: int = 0) -> Sound:
    """A hum of a curve: six harmonics, soft starts and ends, over the noise of a quiet room; mono at RATE."""
    frames = round(melody.duration_s * RATE)
    seconds = np.arange(frames) / RATE
    pitch = at(melody.pitch(), melody.hop_s, seconds)
    heard = ~np.isnan(pitch)
    f0_hz = np.where(heard, 440 * 2 ** ((np.nan_to_num(pitch, nan=69.0) - 69) / 12), 0)
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    tone = sum(np.sin(number * phase) / number**2 for number in range(1, 7))
    soft = np.convolve(heard, np.hanning(321) / np.hanning(321).sum(), mode="same")
    room = np.random.default_rng(seed).normal(0, noise, frames)
    return Sound.from_mono((level * soft * tone / 1.3 + room).astype(np.float32), RATE)
