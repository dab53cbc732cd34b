"""Synthetic rooms, noises and loudspeakers for what the browser measures: the truth of each is known.

Signals are 1-D arrays with full scale 1. Everything made here is synthetic and is to be called so beside its figures.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

Floats = NDArray[np.float64]
Noise = Literal["white", "room", "voice"]

LOUDSPEAKER_HZ = (300.0, 8000.0)
"""What a phone's loudspeaker carries."""
ROOM_HZ = 500.0
"""A room's noise falls by 6 dB an octave above this: fans, traffic, computers."""


def level(samples: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2)))


def delayed(samples: Floats, frames: float, length: int) -> Floats:
    """The samples `frames` later, between frames too, in an array of `length`."""
    size = 2 * (length + len(samples))
    spectrum = np.fft.rfft(samples, size)
    turned = spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(size) * frames)
    return np.fft.irfft(turned, size)[:length]


def through_loudspeaker(samples: Floats, sample_rate: int) -> Floats:
    high = min(LOUDSPEAKER_HZ[1], 0.45 * sample_rate)
    return sosfilt(butter(2, (LOUDSPEAKER_HZ[0], high), "bandpass", fs=sample_rate, output="sos"), samples)


def room_impulse(rng: np.random.Generator, sample_rate: int, decay_s: float, strongest: float = 1.0) -> Floats:
    """Direct sound of 1, four early echoes (the loudest `strongest`), and a tail that falls by 60 dB in `decay_s`."""
    t = np.arange(int(decay_s * sample_rate)) / sample_rate
    impulse = rng.normal(0, 0.03, len(t)) * 10 ** (-3 * t / decay_s)
    impulse[: int(0.003 * sample_rate)] = 0
    impulse[0] = 1
    places = (rng.uniform(0.002, 0.015, 4) * sample_rate).astype(int)
    impulse[places] += rng.choice([-1, 1], 4) * strongest * np.array([1, 0.7, 0.5, 0.4])
    return impulse


def in_room(samples: Floats, impulse: Floats) -> Floats:
    return oaconvolve(samples, impulse)


def noise(rng: np.random.Generator, kind: Noise, length: int, sample_rate: int) -> Floats:
    """Noise of level 1: white, a room's, or somebody humming."""
    if kind == "voice":
        made = hum(rng, length, sample_rate)
    else:
        made = rng.normal(size=length)
        if kind == "room":
            pole = np.exp(-2 * np.pi * ROOM_HZ / sample_rate)
            made = lfilter([1 - pole], [1, -pole], made)
    return made / level(made)


def hum(rng: np.random.Generator, length: int, sample_rate: int) -> Floats:
    """Notes of a voice with vibrato, glides between them, harmonics that fall by 9 dB an octave, and breath."""
    notes = rng.uniform(45, 70, 1 + length * 3 // sample_rate)
    pitch = np.repeat(notes, int(np.ceil(length / len(notes))))[:length]
    smooth = np.exp(-1 / (0.03 * sample_rate))
    pitch = lfilter([1 - smooth], [1, -smooth], pitch - pitch[0]) + pitch[0]
    t = np.arange(length) / sample_rate
    pitch = pitch + 0.3 * np.sin(2 * np.pi * 5.5 * t + rng.uniform(0, 6))
    hz = 440 * 2 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * np.cumsum(hz) / sample_rate
    voice = sum(np.sin(k * phase) / k**1.5 * (k * hz < 0.45 * sample_rate) for k in range(1, 25))
    loudness = 0.3 + 0.7 * np.abs(np.sin(2 * np.pi * rng.uniform(1, 3) * t + rng.uniform(0, 3)))
    return loudness * (voice + 0.02 * rng.normal(size=length))


def knocks(rng: np.random.Generator, length: int, sample_rate: int) -> Floats:
    """One to seven knocks of up to full scale over a quiet room."""
    made = rng.normal(0, 3e-4, length)
    size = int(0.08 * sample_rate)
    for begin in rng.integers(0, length - size, rng.integers(1, 8)):
        dies_s = rng.uniform(0.002, 0.02)
        knock = rng.normal(size=size) * np.exp(-np.arange(size) / sample_rate / dies_s)
        made[begin : begin + size] += rng.uniform(0.02, 0.5) * knock
    return made


def disturbance(rng: np.random.Generator, kind: str, length: int, sample_rate: int) -> Floats:
    """Somebody who is not silent: "hum", "knocks", or a "burst" of noise somewhere."""
    if kind == "knocks":
        return knocks(rng, length, sample_rate)
    loud = 10 ** (rng.uniform(-40, -10) / 20)
    if kind == "hum":
        return loud * noise(rng, "voice", length, sample_rate)
    made = np.zeros(length)
    begin = rng.integers(0, length - sample_rate // 2)
    size = rng.integers(sample_rate // 20, sample_rate // 2)
    made[begin : begin + size] = loud * rng.normal(size=size)
    return made


def at_snr(rng: np.random.Generator, heard: Floats, sounding: Floats, kind: Noise, snr_db: float, rate: int) -> Floats:
    """`heard` with noise under it: the level of the probe while it sounds stands `snr_db` over the noise's."""
    return heard + noise(rng, kind, len(heard), rate) * level(sounding) * 10 ** (-snr_db / 20)
