"""Accepted pairs spoiled in known ways, for control items: their sound, their curves, and whether they are spoiled.

A curve is a `Curve` on FINE_HOP_S. Everything here gives the same for the same input.
"""

from __future__ import annotations

import math

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Samples, Sound
from ml_worker.judging.alignment import align
from ml_worker.judging.curves import FINE_HOP_S, Curve, at

NEAR_ST = 1.0
"""A frame agrees where the pitches differ by less, octaves aside, semitones."""

SEAM_S = 0.03
"""Length of a crossfade, seconds: too short to be heard as two voices, too long for a click."""
FADE_S = 0.04
"""Length of the fade at a cut, seconds."""
LEAD_S = 0.5
"""Sound before the seam that is moved along, so that the phase vocoder has settled at the seam, seconds."""
PAUSE_S = 0.06
"""The shortest unvoiced stretch that is taken for a pause between notes, seconds."""
LOUDNESS_S = 0.02
"""Where there is no pause: the quietest window of this length, seconds."""
HIGHEST_PEAK = 0.999
LONGEST_BLOCK = 512
"""Recorders give sound in blocks of a power of two; a browser in blocks of 128 frames."""

ANOTHER_TUNE = 0.35
"""Similarity (alignment.Alignment) below which two melodies surely differ; 0.5 is the limit of the check."""


# --- how far a pair is from being one


def in_step(original: Curve, version: Curve, offset_s: float, tempo_ratio: float) -> float:
    """The share of the original's voiced frames at which the version has the same pitch, in the best key.

    About 0.8 of a pair that people accept, a third of two phrases that have nothing to do with each other.
    """
    asked = np.flatnonzero(~np.isnan(original))
    if len(asked) == 0:
        return 0.0
    heard = at(version, FINE_HOP_S, offset_s + asked * FINE_HOP_S * tempo_ratio)
    apart = heard - original[asked]
    apart = apart[~np.isnan(apart)]
    keys = np.arange(0, 12, 0.25, dtype=np.float32)
    folded = np.abs((apart[None, :] - keys[:, None] + 6) % 12 - 6)
    return float((folded < NEAR_ST).sum(axis=1).max() / len(asked))


def interval(original: Curve, version: Curve, offset_s: float, tempo_ratio: float) -> float:
    """Semitones from the original to the version, the median along this line; 0 where they never sound together."""
    heard = at(version, FINE_HOP_S, offset_s + np.arange(len(original)) * FINE_HOP_S * tempo_ratio)
    apart = heard - original
    return 0.0 if np.isnan(apart).all() else float(np.nanmedian(apart))


def is_another_tune(version: Curve, original: Curve) -> bool:
    """Whether the original is found nowhere in the version, in no key and at no likely tempo.

    False too where it has too little melody to tell.
    """
    try:
        found = align(as_melody(version), as_melody(original))
    except ValueError:
        return False
    return found is None or found.similarity < ANOTHER_TUNE


def as_melody(pitch: Curve) -> Melody:
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch, nan=69.0) - 69) / 12), 0).astype(np.float32)
    return Melody(FINE_HOP_S, f0_hz, voiced, voiced.astype(np.float32), "curve")


# --- where to cut


def quiet_place(pitch: Curve, sound: Sound, first_s: float, last_s: float) -> float:
    """Where a seam between two seconds is heard least: the longest pause's middle, else the quietest place."""
    first, last = max(0, round(first_s / FINE_HOP_S)), min(len(pitch), round(last_s / FINE_HOP_S))
    edges = np.flatnonzero(np.diff(np.isnan(pitch[first:last]).astype(np.int8), prepend=0, append=0))
    if len(edges):
        starts, ends = edges[::2], edges[1::2]
        longest = int(np.argmax(ends - starts))
        if (ends[longest] - starts[longest]) * FINE_HOP_S >= PAUSE_S:
            return float(first + (starts[longest] + ends[longest]) / 2) * FINE_HOP_S
    heard = sound.cut(first_s, last_s).mono()
    window = max(1, round(LOUDNESS_S * sound.sample_rate))
    if len(heard) <= window:
        return (first_s + last_s) / 2
    loudness = np.convolve(np.square(heard, dtype=np.float64), np.ones(window), mode="valid")
    return first_s + (int(np.argmin(loudness)) + window / 2) / sound.sample_rate


def like_lengths(sound: Sound, end_s: float) -> float:
    """A second near this one where a cut leaves a length like the sound's own, in whole blocks of a recorder."""
    block = math.gcd(sound.frames, LONGEST_BLOCK)
    return max(1, round(end_s * sound.sample_rate / block)) * block / sound.sample_rate


# --- the sound


def transposed_from(sound: Sound, at_s: float, semitones: float) -> Sound:
    """The sound moved by semitones from a second on, as loud as before, with a short crossfade."""
    import librosa

    place = round(at_s * sound.sample_rate)
    lead, seam = min(place, round(LEAD_S * sound.sample_rate)), round(SEAM_S * sound.sample_rate)
    kept, rest = sound.samples[:, :place], sound.samples[:, place - lead :]
    moved = librosa.effects.pitch_shift(rest, sr=sound.sample_rate, n_steps=semitones, res_type="soxr_hq")
    moved = moved * (loudness(rest) / max(loudness(moved), 1e-9))
    new = moved[:, lead:].astype(np.float32)
    old = sound.samples[:, place : place + seam]
    rise = fade(old.shape[1])
    new[:, : len(rise)] = new[:, : len(rise)] * rise + old * (1 - rise)
    return within_full_scale(Sound(np.concatenate([kept, new], axis=1), sound.sample_rate))


def cut_off(sound: Sound, end_s: float) -> Sound:
    """The sound until a second, faded out there."""
    samples = sound.cut(0.0, end_s).samples.copy()
    fall = fade(min(samples.shape[1], round(FADE_S * sound.sample_rate)))[::-1]
    samples[:, samples.shape[1] - len(fall) :] *= fall
    return Sound(samples, sound.sample_rate)


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def fade(frames: int) -> Samples:
    """From 0 to 1, without corners."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / max(1, frames))).astype(np.float32)


def within_full_scale(sound: Sound) -> Sound:
    peak = float(np.abs(sound.samples).max(initial=0.0))
    return sound if peak <= HIGHEST_PEAK else Sound(sound.samples * np.float32(HIGHEST_PEAK / peak), sound.sample_rate)


# --- the curves


def curve_transposed_from(pitch: Curve, at_s: float, semitones: float) -> Curve:
    moved = pitch.copy()
    moved[round(at_s / FINE_HOP_S) :] += np.float32(semitones)
    return moved


def curve_cut_off(pitch: Curve, before_s: float, after_s: float) -> Curve:
    """The curve of a sound that was so long and is now: as many frames over, or missing, as there were."""
    over = len(pitch) - math.ceil(before_s / FINE_HOP_S)
    return pitch[: math.ceil(after_s / FINE_HOP_S) + over]
