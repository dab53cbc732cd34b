"""Plucked and struck strings, a pad and a shaker: what plays under a melody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

Samples = NDArray[np.float32]

# Every tone's first tenth of a second peaks here, before it is mixed.
STRING_PEAK = 0.25
# A tone begins within this time, and is damped within that, s; shorter would click.
ONSET_S, DAMPING_S = 0.004, 0.09
# Decay times are given for this pitch and get shorter upwards, as on real strings.
DECAY_PITCH = 60
# Partials above this are left out, Hz.
HIGHEST_PARTIAL_HZ = 9_000.0


class Event(NamedTuple):
    """A tone of an instrument: seconds, MIDI semitones, and strength 0..1."""

    start_s: float
    end_s: float
    pitch: float
    strength: float


@dataclass(frozen=True)
class Strings:
    """A string instrument.

    Attributes:
        partials: how many at most.
        position: where the string is plucked or struck, as a share of its length.
        fall: amplitude of partial k falls as k ** -fall.
        decay_s: time constant of the first partial at middle C.
        damping: how much faster the higher partials decay, for each.
        stiffness: inharmonicity B of f_k = k f sqrt(1 + B k^2).
        knock: level of the finger's or hammer's noise.
    """

    name: str
    partials: int
    position: float
    fall: float
    decay_s: float
    damping: float
    stiffness: float = 0.0
    knock: float = 0.0


GUITAR = Strings("guitar", 16, 0.21, 1.3, 0.80, 0.34, 0.00003, 0.05)
HARP = Strings("harp", 14, 0.38, 1.25, 1.0, 0.28, 0.00002, 0.02)
PIANO = Strings("piano", 16, 0.12, 1.45, 0.9, 0.16, 0.0004, 0.04)
BASS = Strings("bass", 10, 0.28, 1.35, 0.55, 0.20, 0.00005, 0.03)


def play_strings(
    strings: Strings, events: Sequence[Event], *, frames: int, sample_rate: int, rng: np.random.Generator
) -> Samples:
    """All events of a string instrument, (frames,)."""
    longest_s = max((event.end_s - event.start_s for event in events), default=0.0) + DAMPING_S
    tones = {
        pitch: _string_tone(strings, pitch, longest_s, sample_rate, rng)
        for pitch in sorted({event.pitch for event in events})
    }
    out = np.zeros(frames, dtype=np.float32)
    damping = (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, round(DAMPING_S * sample_rate)))).astype(np.float32)
    for event in events:
        held = round((event.end_s - event.start_s) * sample_rate)
        tone = event.strength * tones[event.pitch][: held + len(damping)]
        tone[held:] *= damping[: len(tone) - held]
        _add(out, tone, round(event.start_s * sample_rate))
    return out


def _add(out: Samples, tone: Samples, start: int) -> None:
    start = max(0, start)
    stop = min(len(out), start + len(tone))
    if stop > start:
        out[start:stop] += tone[: stop - start]


def _string_tone(strings: Strings, pitch: float, seconds: float, sample_rate: int, rng: np.random.Generator) -> Samples:
    """One pluck: decaying partials, each the impulse response of a two-pole resonator."""
    frames = round(seconds * sample_rate) + 1
    f0 = 440.0 * 2 ** ((pitch - 69) / 12)
    decay_s = strings.decay_s * 2 ** ((DECAY_PITCH - pitch) / 24)
    impulse = np.zeros(frames)
    impulse[0] = 1.0
    tone = np.zeros(frames)
    for number in range(1, strings.partials + 1):
        frequency = number * f0 * np.sqrt(1 + strings.stiffness * number**2)
        if frequency > HIGHEST_PARTIAL_HZ:
            break
        radius = np.exp(-(1 + strings.damping * (number - 1)) / (decay_s * sample_rate))
        angle = 2 * np.pi * frequency / sample_rate
        amplitude = np.sin(np.pi * number * strings.position) * number**-strings.fall
        tone += lfilter([0.0, amplitude * np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], impulse)
    tone *= STRING_PEAK / np.abs(tone[: round(0.1 * sample_rate)]).max()
    tone += strings.knock * _knock(frames, sample_rate, rng)
    onset = round(ONSET_S * sample_rate)
    tone[:onset] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, onset))
    return tone.astype(np.float32)


def _knock(frames: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    noise = rng.standard_normal(frames) * np.exp(-np.arange(frames) / (0.012 * sample_rate))
    return sosfilt(butter(2, [150, 1800], "bandpass", fs=sample_rate, output="sos"), noise)


def play_shaker(events: Sequence[Event], *, frames: int, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Short bursts of high noise, (frames,). Pitches are not used."""
    length = round(0.12 * sample_rate)
    time_s = np.arange(length) / sample_rate
    envelope = np.minimum(1, time_s / 0.018) * np.exp(-np.maximum(0, time_s - 0.018) / 0.022)
    bursts = rng.standard_normal((4, length))
    band = butter(2, [4500, 11000], "bandpass", fs=sample_rate, output="sos")
    bursts = (0.3 * envelope * sosfilt(band, bursts, axis=1)).astype(np.float32)
    out = np.zeros(frames, dtype=np.float32)
    for number, event in enumerate(events):
        _add(out, event.strength * bursts[number % len(bursts)], round(event.start_s * sample_rate))
    return out


# The pad: how its partials fall, how far its two halves are out of tune, semitones, and how it comes and goes, s.
PAD_PARTIALS, PAD_FALL, PAD_DETUNE, PAD_FADE_S = 7, 1.7, 0.05, 0.25


def play_pad(events: Sequence[Event], *, frames: int, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Held chords, soft and slow to speak, (frames,)."""
    out = np.zeros(frames, dtype=np.float32)
    for event in events:
        time_s = np.arange(round((event.end_s - event.start_s + PAD_FADE_S) * sample_rate)) / sample_rate
        tone = np.zeros(len(time_s), dtype=np.float32)
        for detune in (-PAD_DETUNE, PAD_DETUNE):
            period = _pad_period(rng)
            cycles = time_s * 440.0 * 2 ** ((event.pitch + detune - 69) / 12) + rng.random()
            tone += period[(cycles % 1.0 * len(period)).astype(np.int32)]
        length_s = len(time_s) / sample_rate
        fade = np.clip(np.minimum(time_s, length_s - time_s) / PAD_FADE_S, 0, 1)
        tone *= (np.sin(np.pi / 2 * fade) ** 2).astype(np.float32)
        _add(out, 0.1 * event.strength * tone, round(event.start_s * sample_rate))
    return out


def _pad_period(rng: np.random.Generator) -> Samples:
    phase = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    order = np.arange(1, PAD_PARTIALS + 1)[:, None]
    waves = order**-PAD_FALL * np.sin(order * phase + rng.uniform(0, 2 * np.pi, (PAD_PARTIALS, 1)))
    return waves.sum(axis=0).astype(np.float32)
