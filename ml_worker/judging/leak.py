"""How much of the reference itself stands in a take that was hummed along with it, and how late it comes.

The reference is known sample by sample, so its place is found by cross-correlation, and its level by the filter that
makes the take's share of it. Both stay away from a voice that hums the same notes: the correlation is whitened (PHAT,
Knapp and Carter 1976), so a few harmonics in common count little against a whole band, and what the filter finds at
delays at which nothing can have arrived yet is taken off as chance. Limits are measured by
`python -m ml_worker.judging.measure --only sound`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter

from ml_worker.audio.sound import Sound

Floats = NDArray[np.float64]
Bins = NDArray[np.complex128]

RATE = 16_000
"""Everything here is done at this rate, Hz: a phone's loudspeaker and a headset's leak have most of their sound under
8 kHz."""
DELAYS_S = (-0.05, 0.65)
"""Delays at which a leak is looked for, seconds: the way out and in again takes 0 to 0.6 s, the rest is tolerance."""
CHANCE_S = 1.0
"""So many seconds of earlier delays tell how high the correlation stands by chance."""
PIECE_S = 4.0
"""The correlation is taken piece by piece, seconds, and its squares added: two clocks that differ by 50 millionths
part by 0.2 ms in that time."""
FADE_S = 0.05
"""Pieces fade in and out over this, seconds: two sharp ends correlate with each other."""
BAND_HZ = (200.0, 7600.0)
"""What is correlated, Hz: below is what small loudspeakers do not play, above the end of the resampling."""
AROUND_S = (0.02, 0.1)
"""Seconds before and after the found delay that are the leak and its echo, and not chance."""
CHANCE_PERCENTILE = 99.9
"""The correlation's chance height is this percentile of the others."""
STANDS_OUT = 3.0
"""A leak stands this many times over the chance height. Without a leak at most 1.7 in 27 real takes, 2.2 in 24
simulated ones along with the same notes, and 2.9 in 16 steady synthetic hums of exactly the reference's notes."""

WINDOW = 1024
"""Samples of the filter's analysis window: 64 ms, three times the sound's way that the filter spans."""
HOP = WINDOW // 2
"""Samples from window to window."""
EARLY_S = (0.003, 0.02)
"""What the filter spans before and after the delay, seconds: the direct sound and its first echoes. The late echo of a
far loudspeaker is not counted (the level then reads 4 dB low at as much echo as direct sound)."""
SMOOTHED = (3, 5)
"""Windows and bins over which the take's power is averaged to weigh them."""
LEAST_POWER = 1e-3
"""Share of its mean power over the take that each bin counts as at least, so that digital silence weighs no more."""
LEAST_OWN = 0.01
"""What is added to the reference's own power in each bin, as a share of what is typical of the bins that it sounds in:
where it is silent nothing is learnt of the filter. (A plain mean over the bins is drawn up by those that the
loudspeaker does not play, and a leak then reads up to 15 dB low.)"""
CHANCE_HOPS = range(2, 10)
"""Windows by which the reference comes too early to be in the take: what is found there is chance."""
LEVELS_DB = (-80.0, 40.0)
"""Levels are kept within these, dB."""
SHORTEST_S = 1.0
"""With less of the reference within the take, seconds, nothing is looked for."""


@dataclass(frozen=True)
class Leak:
    """The reference as it is heard in a take.

    Attributes:
        delay_s: from the reference's stated start to where it is heard in the take.
        level_db: energy of the leak over that of everything else in the take while the reference sounds.
        confidence: 0..1, 0.5 where it stands just far enough out of chance.
    """

    delay_s: float
    level_db: float
    confidence: float


def find_leak(take: Sound, reference: Sound, start_s: float | None) -> Leak | None:
    """The leak of a reference in a take; None where none stands out. Takes any sounds, never fails.

    Args:
        take: the hum as recorded.
        reference: the audio as it was played.
        start_s: second of the take at which the reference started to play; None where it did not play meanwhile.
    """
    if start_s is None or not np.isfinite(start_s):
        return None
    heard, played = at_rate(take), at_rate(reference)
    heard, played = overlapping(heard, played, round(start_s * RATE))
    if len(played) < SHORTEST_S * RATE or not heard.any() or not played.any():
        return None
    delay, stands_out = best_delay(heard, played)
    if stands_out < STANDS_OUT:
        return None
    return Leak(delay / RATE, level_db(heard, played, delay), 1 - STANDS_OUT / (2 * stands_out))


def at_rate(sound: Sound) -> Floats:
    """The mean of the channels at RATE, (N,), 0 for what is no number."""
    clean = Sound(np.nan_to_num(sound.samples, posinf=1.0, neginf=-1.0), sound.sample_rate)
    return clean.resampled(RATE).mono().astype(np.float64) if sound.samples.size else np.zeros(0)


def overlapping(heard: Floats, played: Floats, start: int) -> tuple[Floats, Floats]:
    """The take from the reference's start on, as long as it may still sound, and what of the reference falls in it."""
    played = played[max(0, -start) :]
    heard = heard[max(0, start) :][: len(played) + round(DELAYS_S[1] * RATE)]
    return heard, played[: len(heard)]


# --- the delay


def best_delay(heard: Floats, played: Floats) -> tuple[int, float]:
    """The delay in samples at which the reference stands out most, and how many times over the chance height."""
    before, first = round(CHANCE_S * RATE), round(DELAYS_S[0] * RATE)
    height = heights(heard, played)  # of delays from -before on
    looked = height[before + first :]
    best = before + first + int(np.argmax(looked))
    others = np.ones(len(height), dtype=bool)
    others[best - round(AROUND_S[0] * RATE) : best + round(AROUND_S[1] * RATE)] = False
    chance = float(np.percentile(height[others], CHANCE_PERCENTILE))
    return best - before, float(height[best] / chance) if chance > 0 else 0.0


def heights(heard: Floats, played: Floats) -> Floats:
    """How well the take agrees with the reference at delays from -CHANCE_S to DELAYS_S[1], (D,)."""
    before, after = round(CHANCE_S * RATE), round(DELAYS_S[1] * RATE)
    total = np.zeros(before + after)
    for first, last in pieces(len(played)):
        around = faded(window_of(heard, first - before, last + after))
        total += whitened_correlation(around, faded(played[first:last]))[: before + after] ** 2
    return np.sqrt(total)


def pieces(frames: int) -> Iterator[tuple[int, int]]:
    """First and last (one past) of about PIECE_S each."""
    count = max(1, round(frames / RATE / PIECE_S))
    edges = np.linspace(0, frames, count + 1).astype(int)
    return pairwise(edges)


def window_of(samples: Floats, first: int, last: int) -> Floats:
    """Samples first to last (one past), 0 outside, faded where the samples end within it."""
    inside = faded(samples[max(0, first) : max(0, last)])
    result = np.zeros(last - first)
    start = max(0, -first)
    result[start : start + len(inside)] = inside
    return result


def faded(samples: Floats) -> Floats:
    """The samples, faded in and out over FADE_S."""
    length = min(round(FADE_S * RATE), len(samples) // 2)
    slope = np.sin(np.linspace(0, np.pi / 2, length)) ** 2
    result = samples.copy()
    result[:length] *= slope
    result[len(result) - length :] *= slope[::-1]
    return result


def whitened_correlation(around: Floats, piece: Floats) -> Floats:
    """Agreement of phase of a piece with what lies around it, at each shift from 0 on; noise has unit variance."""
    size = fft.next_fast_len(len(around) + len(piece), real=True)
    cross = fft.rfft(around, size) * np.conj(fft.rfft(piece, size))
    strength = np.abs(cross)
    frequency = fft.rfftfreq(size, 1 / RATE)
    used = (frequency > BAND_HZ[0]) & (frequency < BAND_HZ[1]) & (strength > 0)
    phase = np.zeros_like(cross)
    phase[used] = cross[used] / strength[used]
    return fft.irfft(phase, size) * size / np.sqrt(2 * max(1, used.sum()))


# --- the level


def level_db(heard: Floats, played: Floats, delay: int) -> float:
    """Energy of the leak over the rest of the take, dB, within LEVELS_DB."""
    take = spectra(heard)
    played = spectra(window_of(played, -delay, len(heard) - delay))
    power = np.abs(take) ** 2
    typical = power.mean(axis=0)
    weight = 1 / (uniform_filter(power, SMOOTHED, mode="nearest") + LEAST_POWER * typical + 1e-12 * typical.max())
    chance = [leaked_energy(take, weight, earlier(played, hops)) for hops in CHANCE_HOPS]
    leaked = leaked_energy(take, weight, played) - float(np.mean(chance))
    rest = max(float(power.sum()) - leaked, 1e-9 * float(power.sum()))
    return float(np.clip(10 * np.log10(max(leaked, 1e-9 * rest) / rest), *LEVELS_DB))


def spectra(samples: Floats) -> Bins:
    """Spectra of the samples' windows, (T, F); at least one window."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return fft.rfft(windows * np.hanning(WINDOW + 1)[:-1], axis=1)


def earlier(played: Bins, hops: int) -> Bins:
    """The spectra of the reference moved earlier by so many windows, round and round."""
    return np.roll(played, -hops, axis=0)


def leaked_energy(take: Bins, weight: Floats, played: Bins) -> float:
    """Energy of what a short filter on the reference explains of the take.

    The filter is the least-squares one with each window and bin weighed by `weight`, the inverse of the take's power
    there, so that it is found where the voice pauses; then cut to EARLY_S.
    """
    power = np.abs(played) ** 2
    own = np.sum(weight * power, axis=0)
    if own.max(initial=0.0) == 0:
        return 0.0
    loudness = power.sum(axis=0)
    typical = loudness.sum() / np.sum(loudness / (own + 1e-12 * own.max()))
    response = np.sum(weight * take * np.conj(played), axis=0) / (own + LEAST_OWN * typical)
    impulse = np.roll(fft.irfft(response), round(EARLY_S[0] * RATE))
    impulse[round(sum(EARLY_S) * RATE) :] = 0
    return float(np.sum(np.abs(fft.rfft(impulse)) ** 2 * loudness))
