"""Attack: how strongly a note begins in each frame of a melody.

A pitch curve runs repeated notes together ("mm-mm" on one pitch); their beginnings are heard in the sound. Four signs
of a beginning are read and joined: a rise of the spectrum (spectral flux with a maximum filter over frequency, so that
vibrato is no rise; Böck and Widmer, DAFx 2013), a dip of the level and its recovery, the start of a voiced run, and a
quick step of the pitch. How well that finds notes: docs/experiments-audio.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from ml_worker.audio.sound import Samples

Values = NDArray[np.float32]

# Spectra: a window that holds three periods of a low voice, seconds, and bands that a telephone carries: how many, Hz.
WINDOW_S = 0.04
BANDS = 36
BANDS_FROM_HZ, BANDS_TO_HZ = 120.0, 3800.0

# Levels are read down to this far below the recording's loud frames (this percentile); what is fainter is the room.
# dB, 0..100.
FLOOR_DB = 36.0
LOUD_PERCENTILE = 90.0

# A band has risen when it is louder than it or a neighbour was this long ago; seconds, bands on each side.
RISE_OVER_S = 0.048
NEIGHBOURS = 1

# A dip's recovery is from the least level of this time before to the greatest of this time after; seconds.
DIP_S = 0.12

# Pitches on both sides of a step are means over this long, all of it voiced; seconds.
STEP_S = 0.08
# A period of vibrato, seconds.
VIBRATO_S = 0.18

# A sign is nothing at the first value and certain at the second: mean rise of the bands, dB; recovery from a dip, dB;
# step of the pitch, semitones. Chosen on simulated hums and the first half of vocadito_1.
RISE_DB = (1.0, 5.0)
DIP_DB = (1.0, 8.0)
STEP_SEMITONES = (0.5, 1.6)

# A voiced run that starts after a gap this long starts a note; seconds.
GAP_S = 0.04

# How much a sign says when it is certain, 0..1. A rise may be a consonant within a note, a start a cough.
WEIGHTS = {"rise": 0.8, "dip": 1.0, "start": 0.9, "step": 1.0}

# A sign counts this near to voice; beginnings this near are one; a beginning is drawn with this spread; seconds.
NEAR_VOICE_S = 0.03
APART_S = 0.07
SPREAD_S = 0.012

# Frames are looked at together, so that memory does not grow with the recording; a count.
BLOCK = 2048


def attack(mono: Samples, rate: int, hop: int, pitch: NDArray[np.floating]) -> Values:
    """How strongly a note begins in each frame.

    Args:
        mono: (N,), any level.
        rate: of the samples, Hz, at least 8 kHz.
        hop: samples from frame to frame; frame t is centred on sample t * hop.
        pitch: (T,) semitones, NaN where unvoiced.

    Returns:
        float32 (T,), 0..1: near 1 where a note clearly begins, near 0 within held notes, vibrato and silence.
    """
    if not len(pitch):
        return np.zeros(0, np.float32)
    signs = attack_signs(mono, rate, hop, pitch)
    doubt = np.prod([1 - WEIGHTS[name] * sign for name, sign in signs.items()], axis=0)
    return _as_peaks(1 - doubt, hop / rate)


def attack_signs(mono: Samples, rate: int, hop: int, pitch: NDArray[np.floating]) -> dict[str, Values]:
    """The four signs of WEIGHTS, each (T,) of 0..1, 0 where no voice is near. Arguments as for `attack`, T > 0."""
    hop_s = hop / rate
    bands = band_levels(mono, rate, hop, len(pitch))
    voiced = ~np.isnan(pitch)
    near = maximum_filter1d(voiced, 2 * _frames(NEAR_VOICE_S, hop_s) + 1)
    signs = {
        "rise": _ramp(_rise(bands, hop_s), RISE_DB),
        "dip": _ramp(_recovery(_voice_level(bands), hop_s), DIP_DB),
        "start": _starts(voiced, hop_s),
        "step": _ramp(_steps(pitch, hop_s), STEP_SEMITONES),
    }
    return {name: np.where(near, sign, 0).astype(np.float32) for name, sign in signs.items()}


def _frames(seconds: float, hop_s: float) -> int:
    return max(1, round(seconds / hop_s))


def _ramp(values: NDArray[np.floating], bounds: tuple[float, float]) -> NDArray[np.floating]:
    low, high = bounds
    return np.clip((values - low) / (high - low), 0, 1)


# -------------------------------------------------------------------------------------------------------- from sound


def band_levels(mono: Samples, rate: int, hop: int, frames: int) -> Values:
    """Level of each band above the floor, dB, at least 0: (BANDS, T)."""
    window = round(WINDOW_S * rate)
    size = 2 ** int(np.ceil(np.log2(window)))
    weights, taper = _bands(rate, size), np.hanning(window).astype(np.float32)
    needed = frames * hop + window
    padded = np.pad(mono, (window // 2, 0))[:needed]
    padded = np.pad(padded, (0, needed - len(padded)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    decibels = np.empty((BANDS, frames), np.float32)
    for start in range(0, frames, BLOCK):
        spectra = np.fft.rfft(windows[start : min(start + BLOCK, frames)] * taper, size)
        decibels[:, start : start + BLOCK] = 10 * np.log10(weights @ (np.abs(spectra) ** 2).T + 1e-12)
    loud = np.percentile(decibels.max(axis=0), LOUD_PERCENTILE)
    return np.maximum(decibels - (loud - FLOOR_DB), 0)


def _bands(rate: int, size: int) -> Values:
    """Triangles evenly spread on the mel scale, none narrower than a bin of the transform: (BANDS, size / 2 + 1)."""
    lowest, highest = 2595 * np.log10(1 + np.array([BANDS_FROM_HZ, BANDS_TO_HZ]) / 700)
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bin_hz = rate / size
    hz = np.arange(size // 2 + 1) * bin_hz
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (hz - below) / np.maximum(centre - below, bin_hz)
    falling = (above - hz) / np.maximum(above - centre, bin_hz)
    return np.clip(np.minimum(np.minimum(rising, falling), 1), 0, None).astype(np.float32)


def _rise(bands: Values, hop_s: float) -> NDArray[np.floating]:
    """Mean rise of the bands, dB, (T,)."""
    frames = bands.shape[1]
    lag = _frames(RISE_OVER_S, hop_s)
    before = np.pad(maximum_filter1d(bands, 2 * NEIGHBOURS + 1, axis=0), ((0, 0), (lag, 0)))[:, :frames]
    rise = np.maximum(bands - before, 0).mean(axis=0)
    # A note begins in the middle of the time over which the rise is read.
    return np.pad(rise, (0, lag // 2))[-frames:]


def _voice_level(bands: Values) -> NDArray[np.floating]:
    """Level of the bands in which the recording is loud, which noise hardly fills, dB above the floor, (T,)."""
    power = 10 ** (bands / 10)
    weights = power.mean(axis=1)
    return 10 * np.log10(weights @ power / weights.sum())


def _recovery(level: NDArray[np.floating], hop_s: float) -> NDArray[np.floating]:
    """How far a level (T,) comes up from a dip or from silence, where it rises fastest; elsewhere 0, dB, (T,)."""
    if len(level) < 2:
        return np.zeros(len(level))
    reach = _frames(DIP_S, hop_s)
    least = minimum_filter1d(level, reach, origin=(reach - 1) // 2)  # of the time up to now
    greatest = maximum_filter1d(level, reach, origin=-(reach // 2))  # of the time from now on
    slope = np.gradient(level)
    fastest = (slope > 0) & (slope >= maximum_filter1d(slope, 2 * reach + 1))
    return np.where(fastest, greatest - least, 0)


# -------------------------------------------------------------------------------------------------------- from pitch


def _starts(voiced: NDArray[np.bool_], hop_s: float) -> NDArray[np.floating]:
    """1 at the first frame of each voiced run that a gap, or the recording's start, precedes, (T,)."""
    gap = _frames(GAP_S, hop_s)
    silent = np.concatenate([np.ones(gap, bool), ~voiced[:-1]])
    after_gap = np.lib.stride_tricks.sliding_window_view(silent, gap)[: len(voiced)].all(axis=1)
    return (voiced & after_gap).astype(float)


def _steps(pitch: NDArray[np.floating], hop_s: float) -> NDArray[np.floating]:
    """How far the pitch after each frame is from that before it, where it is furthest, semitones, (T,).

    0 where either side has an unvoiced frame: there is no step into or out of silence. A step stays when it is looked
    at over a period of vibrato, which does not.
    """
    near = _difference(pitch, _frames(STEP_S, hop_s), whole=True)
    wide = _difference(pitch, _frames(VIBRATO_S, hop_s), whole=False)
    size = np.minimum(near, 2 * wide)
    return np.where(size >= maximum_filter1d(size, _frames(STEP_S, hop_s)), size, 0)


def _difference(pitch: NDArray[np.floating], reach: int, *, whole: bool) -> NDArray[np.floating]:
    """Of the mean pitches of `reach` frames after and before each frame, (T,); 0 where there is none on a side, or,
    with `whole`, where a frame of them is unvoiced."""
    padded = np.pad(pitch, reach, constant_values=np.nan)
    known = ~np.isnan(padded)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, padded, 0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    total, count = sums[reach:] - sums[:-reach], counts[reach:] - counts[:-reach]
    mean = total / np.maximum(count, 1)
    there = count >= (reach if whole else 1)
    frames = len(pitch)
    size = np.abs(mean[reach + 1 : reach + 1 + frames] - mean[:frames])
    return np.where(there[reach + 1 : reach + 1 + frames] & there[:frames], size, 0)


def _as_peaks(values: NDArray[np.floating], hop_s: float) -> Values:
    """The highest of each neighbourhood, drawn with a little spread, (T,)."""
    soft = gaussian_filter1d(values, 1.0)
    tops = np.flatnonzero((soft > 0) & (soft >= maximum_filter1d(soft, 2 * _frames(APART_S, hop_s) + 1)))
    # Signs of one beginning lie a frame or two apart.
    heights = maximum_filter1d(values, 5)[tops]
    reach = _frames(3 * SPREAD_S, hop_s)
    drawn = np.zeros(len(values) + 2 * reach, np.float32)
    for shift in range(-reach, reach + 1):
        place = tops + reach + shift
        drawn[place] = np.maximum(drawn[place], heights * np.exp(-0.5 * (shift * hop_s / SPREAD_S) ** 2))
    return drawn[reach : len(drawn) - reach]
