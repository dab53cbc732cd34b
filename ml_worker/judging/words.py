"""Signs that a take is sung on words: the vowels change, and hissing consonants stand between them.

Two figures, each with its limit in thresholds.py, and both must be over: somebody who hums "da" has consonants but one
vowel, and a breath hisses but leaves the vowel as it is. It tells singing on words from humming, never which words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.ndimage import binary_erosion, uniform_filter1d

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound

Floats = NDArray[np.float64]

RATE = 16_000
"""Rate at which it is looked at, Hz; a voice's hiss lies under 8 kHz too."""
WINDOW, HOP = 512, 256
"""Samples of a frame (32 ms: some periods of any voice) and from frame to frame."""

BANDS, BANDS_HZ = 24, (100.0, 7000.0)
"""Bands of the spectral shape, evenly spaced in mel, between these frequencies, Hz."""
DEEPEST = 1e-3
"""A band counts as no weaker than this share of the frame's strongest: deeper down is the room."""
SHAPES = slice(1, 5)
"""Which cosines over the bands make the shape: the slow ones, without the loudness; harmonics lie closer."""
SMOOTHED = 5
"""Frames over which the shape is averaged, 80 ms: a vowel, not a glide."""
FROM_EDGE = 2
"""Frames next to an unvoiced one that are no vowel yet."""
LEAST_VOWEL_FRAMES = 20
"""With fewer frames of vowels nothing is said, 0.3 s."""

HISS_HZ, VOWEL_HZ = 3500.0, (100.0, 3000.0)
"""Hiss lies over the one, vowels between the others, Hz; a frame with more power over than between hisses."""
HISS_BELOW_LOUD_DB = 35.0
"""Hiss is at least this loud against the take's loud frames, dB down."""
HISS_OVER_NOISE_DB = 10.0
"""And this far over the quiet of the same band, dB, so that a noisy room does not hiss."""
QUIET_PERCENTILE, LOUD_PERCENTILE = 10, 95


@dataclass(frozen=True)
class WordSigns:
    """What speaks for words in a take.

    Attributes:
        vowel_change_db: how much the spectral shape of its voiced frames varies: standard deviation, dB a band.
        hiss_share: share of frames between its first and last voice that hiss.
    """

    vowel_change_db: float
    hiss_share: float


def word_signs(take: Sound, melody: Melody) -> WordSigns | None:
    """The signs of words in a take and its tracked melody; None with too little voice. Takes any sound, never fails."""
    power = frame_powers(take)
    voiced = voicing(melody, len(power))
    vowels = binary_erosion(voiced, iterations=FROM_EDGE)
    if vowels.sum() < LEAST_VOWEL_FRAMES:
        return None
    first, last = np.flatnonzero(voiced)[[0, -1]]
    hiss = hissing(power)[first : last + 1]
    return WordSigns(vowel_change(power, vowels), float(hiss.mean()))


def frame_powers(take: Sound) -> Floats:
    """Power of each bin of each frame, (T, F); frame t is centred on t * HOP samples at RATE."""
    if take.samples.size == 0:
        return np.zeros((0, WINDOW // 2 + 1))
    samples = np.nan_to_num(take.resampled(RATE).mono().astype(np.float64), posinf=1.0, neginf=-1.0)
    padded = np.pad(samples, WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.abs(np.fft.rfft(windows * np.hanning(WINDOW + 1)[:-1], axis=1)) ** 2


def voicing(melody: Melody, frames: int) -> NDArray[np.bool_]:
    """The melody's voicing on these frames."""
    if len(melody.voiced) == 0 or frames == 0:
        return np.zeros(frames, dtype=bool)
    nearest = np.rint(np.arange(frames) * HOP / RATE / melody.hop_s).astype(int)
    return melody.voiced[np.minimum(nearest, len(melody.voiced) - 1)]


def frequencies() -> Floats:
    return np.fft.rfftfreq(WINDOW, 1 / RATE)


def vowel_change(power: Floats, vowels: NDArray[np.bool_]) -> float:
    """Standard deviation of the spectral shape over the frames of vowels, dB a band."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in BANDS_HZ)
    edges_hz = 700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1)
    edges = np.searchsorted(frequencies(), edges_hz)
    bands = np.add.reduceat(power, edges, axis=1)[:, :BANDS] / np.diff(edges)
    level = 10 * np.log10(bands + DEEPEST * bands.max(axis=1, keepdims=True) + 1e-20)
    shape = uniform_filter1d(dct(level, norm="ortho")[:, SHAPES], SMOOTHED, axis=0)
    return float(np.sqrt(shape[vowels].var(axis=0).sum() / BANDS))


def hissing(power: Floats) -> NDArray[np.bool_]:
    """Which frames hiss, (T,)."""
    frequency = frequencies()
    vowel = power[:, (frequency > VOWEL_HZ[0]) & (frequency < VOWEL_HZ[1])].sum(axis=1)
    hiss = power[:, frequency > HISS_HZ].sum(axis=1)
    loud, quiet = np.percentile(vowel + hiss, LOUD_PERCENTILE), np.percentile(hiss, QUIET_PERCENTILE)
    least = max(loud * 10 ** (-HISS_BELOW_LOUD_DB / 10), quiet * 10 ** (HISS_OVER_NOISE_DB / 10))
    return (hiss > vowel) & (hiss > least)
