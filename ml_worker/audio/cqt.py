"""Constant-Q transform as a salience of pitch, and the melody of its harmonic sum.

The transform is Brown and Puckette's (JASA 92, 1992): each frame's spectrum times sparse kernels, one for each
semitone; seven octaves of twelve bins, as in the paper (Amatov et al., ISMIR 2023).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, rfft
from scipy.ndimage import median_filter
from scipy.sparse import csr_array

from ml_worker.audio.sound import Samples

Values = NDArray[np.float32]

# Bins: semitones over seven octaves from C1; the lowest in MIDI semitones.
BINS_AN_OCTAVE = 12
BINS = 7 * BINS_AN_OCTAVE
FIRST_PITCH = 24.0
# Periods in a bin's window: so many that neighbouring bins are told apart.
PERIODS = 1 / (2 ** (1 / BINS_AN_OCTAVE) - 1)
# What is left out of the kernels: values below this share of a kernel's greatest.
KERNEL_FROM = 0.005

# Bins are read down to this far below the recording's loud frames (this percentile of the highest bin of each frame):
# 0 there, 1 at the loud ones. dB, 0..100.
RANGE_DB = 60.0
LOUD_PERCENTILE = 90.0

# Amplitudes below this are no sound; full scale is 1.
FAINTEST = 1e-7

# Harmonic sum (Hermes, JASA 83, 1988): harmonics looked at, and how much each counts against the one before.
HARMONICS = 8
HARMONIC_FALL = 0.84
# A bin stands out of the median of so many around it, two octaves.
AROUND = 25
# Height of the sum from which a voice is certain; half of it is where the voices of ../shared/data are best told from
# silence. Share of RANGE_DB.
SURE_FROM = 0.24

# Frames whose spectra are held at once; a count.
BLOCK = 256


def cqt(mono: Samples, rate: int, hop: int) -> Values:
    """Amplitude in each bin: float32 (84, 1 + N // hop); a sine of amplitude 1 in a bin's middle gives 1.

    Args:
        mono: (N,).
        rate: of the samples, Hz; bins above half of it stay 0.
        hop: samples from frame to frame; frame t is centred on sample t * hop.
    """
    kernels, size = _kernels(rate)
    frames = 1 + len(mono) // hop
    padded = np.pad(mono, size // 2)
    padded = np.pad(padded, (0, max(0, (frames - 1) * hop + size - len(padded))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    amplitude = np.zeros((BINS, frames), np.float32)
    for start in range(0, frames, BLOCK):
        spectra = rfft(windows[start : min(start + BLOCK, frames)], axis=1)
        amplitude[: kernels.shape[0], start : start + BLOCK] = np.abs(kernels @ spectra.T)
    return amplitude


@lru_cache(maxsize=4)
def _kernels(rate: int) -> tuple[csr_array, int]:
    """Kernels (bins below half the rate, size / 2 + 1) and the size of the transform, samples."""
    centres = 440 * 2 ** ((FIRST_PITCH + np.arange(BINS) - 69) / 12)
    centres = centres[centres * (1 + 1 / PERIODS) < rate / 2]
    size = 2 ** int(np.ceil(np.log2(PERIODS * rate / centres[0])))
    rows = []
    for hz in centres:
        length = round(PERIODS * rate / hz)
        window = np.zeros(size, np.complex128)
        times = np.arange(length) - (length - 1) / 2
        first = size // 2 - length // 2
        taper = np.hanning(length + 2)[1:-1]
        window[first : first + length] = taper / taper.sum() * np.exp(2j * np.pi * hz * times / rate)
        spectrum = fft(window)[: size // 2 + 1].conj() * (2 / size)
        spectrum[np.abs(spectrum) < KERNEL_FROM * np.abs(spectrum).max()] = 0
        rows.append(spectrum)
    return csr_array(np.array(rows, np.complex64)), size


def cqt_salience(mono: Samples, rate: int, hop: int) -> Values:
    """The transform log-compressed: float32 (84, 1 + N // hop), 0..1, at any level; (84, 0) of none."""
    if not len(mono):
        return np.zeros((BINS, 0), np.float32)
    salience = cqt(mono, rate, hop)
    # In place: of an hour this is 120 MB.
    np.log10(np.maximum(salience, FAINTEST, out=salience), out=salience)
    salience *= 20
    salience -= np.percentile(salience.max(axis=0), LOUD_PERCENTILE) - RANGE_DB
    salience /= RANGE_DB
    return np.clip(salience, 0, 1, out=salience)


def pitch_of_salience(salience: Values, lowest_hz: float, highest_hz: float) -> tuple[Values, Values]:
    """Pitch and confidence of each frame: where the sum over harmonics is highest, and how high.

    What counts is how far a bin stands out of those within an octave around it, so that noise and neighbouring
    instruments cancel.

    Args:
        salience: (84, T), as cqt_salience gives it.
        lowest_hz, highest_hz: where pitch is looked for.

    Returns:
        Hz (T,) and 0..1 (T,), half of it where a voice is as likely as not.
    """
    lowest, highest = (12 * np.log2(hz / 440) + 69 - FIRST_PITCH for hz in (lowest_hz, highest_hz))
    first, last = max(1, int(np.ceil(lowest))), min(BINS - 1, int(highest) + 1)
    pitch, height = np.zeros((2, salience.shape[1]), np.float32)
    for start in range(0, salience.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        part = salience[:, block]
        heard = _harmonic_sum(np.maximum(part - median_filter(part, (AROUND, 1)), 0))
        pitch[block], height[block] = _summit(heard, first, last)
    return 440 * 2 ** ((pitch + FIRST_PITCH - 69) / 12), np.clip(height / SURE_FROM, 0, 1)


def _harmonic_sum(heard: Values) -> Values:
    """The weighted mean over the harmonics of each bin, (84, T), harmonics between two bins read from both."""
    total = np.zeros_like(heard)
    weights = HARMONIC_FALL ** np.arange(HARMONICS)
    for harmonic, weight in enumerate(weights / weights.sum(), start=1):
        above = BINS_AN_OCTAVE * np.log2(harmonic)
        low = int(above)
        for shift, share in ((low, 1 - above + low), (low + 1, above - low)):
            total[: BINS - shift] += np.float32(weight * share) * heard[shift:]
    return total


def _summit(heard: Values, first: int, last: int) -> tuple[Values, Values]:
    """The highest of the bins first..last - 1, set between bins by a parabola, and its height: (T,) each."""
    frames = np.arange(heard.shape[1])
    top = first + heard[first:last].argmax(axis=0)
    left, middle, right = (heard[top + shift, frames] for shift in (-1, 0, 1))
    bend = np.minimum(left - 2 * middle + right, -1e-6)
    return (top + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)).astype(np.float32), middle
