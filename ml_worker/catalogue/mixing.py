"""From stems to a finished stereo sound: places, a room, loudness, and a ceiling for the peaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, oaconvolve, sosfilt

from ml_worker.catalogue.arrangement import Stem

Samples = NDArray[np.float32]

# What every rendering is brought to (ITU-R BS.1770), LUFS, and what its peaks stay under, dBFS.
LOUDNESS_LUFS = -13.0
CEILING_DBFS = -1.0
# How far the lead stands above the accompaniment, LU, measured while it sounds.
LEAD_ABOVE_LU = 8.0
# The room: time to fall by 60 dB, s; its first answer, s; and how much of the lead and of the rest goes into it.
ROOM_S, ROOM_DELAY_S, ROOM_LEAD, ROOM_REST = 1.3, 0.018, 0.16, 0.22
# The limiter looks so far ahead and behind, s.
LIMITER_S = 0.006


def mix(lead: Samples, stems: Sequence[Stem], sample_rate: int) -> tuple[Samples, Samples]:
    """(stereo mix (2, N), the lead as it stands in it, dry (N,)), at LOUDNESS_LUFS and under CEILING_DBFS."""
    rest = sum(stem.gain * _placed(stem.samples, stem.place) for stem in stems)
    rest *= _gain_db(loudness(lead[None, :], sample_rate) - LEAD_ABOVE_LU - loudness(rest, sample_rate))
    room = _room(sample_rate)
    sent = ROOM_LEAD * lead + ROOM_REST * rest.mean(axis=0)
    wet = oaconvolve(sent[None, :], room, axes=1)[:, : len(lead)]
    whole = lead + rest + wet
    gain = _gain_db(LOUDNESS_LUFS - loudness(whole, sample_rate))
    return limited(gain * whole, sample_rate).astype(np.float32), (gain * lead).astype(np.float32)


def loudness(samples: Samples, sample_rate: int) -> float:
    """Integrated loudness of samples (C, N), LUFS; the gate leaves pauses out."""
    return float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples.T))


def limited(samples: Samples, sample_rate: int) -> Samples:
    """Samples (C, N) with peaks above the ceiling turned down smoothly."""
    ceiling = _gain_db(CEILING_DBFS)
    reach = round(LIMITER_S * sample_rate)
    highest = maximum_filter1d(np.abs(samples).max(axis=0), 2 * reach + 1)
    gain = np.minimum(1.0, ceiling / np.maximum(highest, 1e-9))
    # The mean over the reach is never above the least gain asked for at its middle.
    return samples * uniform_filter1d(gain, 2 * reach + 1, mode="nearest")


def _gain_db(decibels: float) -> float:
    return 10 ** (decibels / 20)


def _placed(samples: Samples, place: float) -> Samples:
    """Mono (N,) to stereo (2, N) at equal power."""
    angle = (place + 1) * np.pi / 4
    return np.sqrt(2) * np.array([[np.cos(angle)], [np.sin(angle)]], dtype=np.float32) * samples


def _room(sample_rate: int) -> Samples:
    """Impulse response of a warm room, (2, N): noise that decays, darker as it goes. Always the same."""
    rng = np.random.default_rng(1685)
    time_s = np.arange(round(ROOM_S * sample_rate)) / sample_rate
    noise = rng.standard_normal((2, len(time_s)))
    low = sosfilt(butter(2, [180, 1500], "bandpass", fs=sample_rate, output="sos"), noise, axis=1)
    high = sosfilt(butter(2, [1500, 5000], "bandpass", fs=sample_rate, output="sos"), noise, axis=1)
    fall = np.log(1000) / ROOM_S
    response = low * np.exp(-fall * time_s) + 0.6 * high * np.exp(-2.2 * fall * time_s)
    response /= np.sqrt(np.square(response).sum(axis=1, keepdims=True))
    delay = np.zeros((2, round(ROOM_DELAY_S * sample_rate)))
    return np.concatenate([delay, response], axis=1).astype(np.float32)
