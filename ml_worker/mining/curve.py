"""Fingerprints without a network: the intervals inside windows of the pitch curve, free of key and octave.

What mining runs on before the first checkpoint exists, and the baseline that a trained network has to beat. What was
tried instead, with figures: docs/experiments-mining.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints

METHOD = "pitch-curve"
"""Stands where a checkpoint's name would."""

WINDOW_S = 3.0
HOP_S = 0.25
"""As the paper's short model."""

# The curve is read at this many points a hop (12 a second): fine enough for semiquavers at 120 beats a minute.
POINTS_PER_HOP = 3
POINTS = round(WINDOW_S / HOP_S) * POINTS_PER_HOP

# Intervals are taken between points this many points apart (0.5, 1, 1.5 and 2 s), from every second point on.
LAGS = (6, 12, 18, 24)
LAG_STEP = 2

# Harmonics of the pitch circle that describe an interval, with their weights: together they see two intervals as
# alike within about a semitone (the kernel of a Gaussian of 1 semitone), whatever the octave.
HARMONICS = np.array([1, 2, 3])
WEIGHTS = np.exp(-((2 * np.pi * HARMONICS / 12) ** 2) / 4)

# Intervals are smeared over the neighbouring points (weights, in all 0.4 s): windows on the two sides start up to half
# a hop apart, which is a whole short note.
SMEARED = np.array([0.1, 0.25, 0.3, 0.25, 0.1], dtype=np.float32)

# A window that hardly moves (one held note) has a short vector. Below this share of the longest possible it is not
# stretched to length 1, so that its vibrato is not taken for a melody.
STILL = 0.4


def curve_fingerprints(melody: Melody, tempo_ratio: float = 1.0) -> Fingerprints:
    """Windows of the pitch curve as vectors, as if the melody were sung `tempo_ratio` times as fast.

    A window is described by the intervals between its points, laid on a circle of twelve semitones: cosine and sine
    of a few harmonics, 0 where either point is unvoiced, less their mean in the window. Neither the key nor the
    octave matters, and a note that a tracker gives in the wrong octave costs nothing.

    Args:
        melody: any pitch curve.
        tempo_ratio: window k hears the seconds from ratio * k * hop to ratio * (k * hop + window).

    Returns:
        Fingerprints (T, 252), of length 1 unless still; none if the melody is shorter than a window.
    """
    curve = _read_curve(melody, tempo_ratio)
    vectors = np.concatenate([_intervals(curve, lag) for lag in LAGS], axis=1)
    longest = np.sqrt(vectors.shape[1] / 2 * np.mean(WEIGHTS**2))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Fingerprints(
        vectors=(vectors / np.maximum(norms, STILL * longest)).astype(np.float32),
        window_s=WINDOW_S,
        hop_s=HOP_S,
        voiced_share=(~np.isnan(_windows(curve, POINTS))).mean(axis=1).astype(np.float32),
        checkpoint=METHOD,
    )


def _read_curve(melody: Melody, tempo_ratio: float) -> NDArray[np.float64]:
    """Pitch on the grid of points, NaN where unvoiced."""
    step_s = HOP_S / POINTS_PER_HOP * tempo_ratio
    count = int(melody.duration_s / step_s + 1e-6)
    frames = np.rint((np.arange(count) + 0.5) * step_s / melody.hop_s).astype(int)
    return melody.pitch().astype(np.float64)[np.minimum(frames, len(melody.f0_hz) - 1)]


def _windows(points: NDArray, width: int) -> NDArray:
    """The first `width` points of each window: (points, ...) -> (T, ..., width)."""
    if len(points) < width:
        return np.zeros((0, *points.shape[1:], width), dtype=points.dtype)
    return np.lib.stride_tricks.sliding_window_view(points, width, axis=0)[::POINTS_PER_HOP]


def _intervals(curve: NDArray[np.float64], lag: int) -> NDArray[np.float32]:
    """The intervals over `lag` points in each window, on the circle, about their mean: (T, numbers)."""
    rise = curve[lag:] - curve[:-lag]
    heard = ~np.isnan(rise)
    angles = 2 * np.pi / 12 * np.nan_to_num(rise)[:, None] * HARMONICS
    circle = _smeared(heard[:, None] * WEIGHTS * np.exp(1j * angles))
    in_window = _windows(circle, POINTS - lag)[:, :, ::LAG_STEP]  # (T, harmonics, intervals)
    share = _windows(_smeared(heard.astype(float)), POINTS - lag)[:, None, ::LAG_STEP]
    mean = in_window.sum(axis=2, keepdims=True) / np.maximum(share.sum(axis=2, keepdims=True), 1)
    about_mean = in_window - share * mean
    numbers = np.concatenate([about_mean.real, about_mean.imag], axis=2)
    return numbers.reshape(len(numbers), numbers.shape[1] * numbers.shape[2])


def _smeared(points: NDArray) -> NDArray:
    """Each point with its neighbours in time, (points, ...)."""
    if not len(points):
        return points
    return convolve1d(points, SMEARED, axis=0, mode="constant")
