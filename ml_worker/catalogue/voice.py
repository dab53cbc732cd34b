"""Sings a line of notes: a band-limited source through moving resonances.

Source and filter as in Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980): harmonics that
fall by so many dB an octave, a cascade of resonances over them, breath noise through the same resonances. The source
is read from wavetables, the resonances are laid on short frames in the frequency domain, so that a minute takes about
a second. Equal arguments give equal samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, freqz_sos, get_window, sosfilt

from ml_worker.catalogue.timbres import Shape, Timbre

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]
Spectra = NDArray[np.float32]

# How often pitch, level and mouth are set, a second.
CONTROL_RATE = 200

# The source: samples in one period's table, the lowest pitch that has a table of its own, tables an octave, and the
# frequency above which no harmonic is made, Hz.
TABLE_SIZE = 4096
LOWEST_TABLE_HZ = 70.0
TABLES_AN_OCTAVE = 2
HIGHEST_HARMONIC_HZ = 15_000.0

# The filter: frame, its transform (twice as long or more, so that nothing wraps around) and hop, in samples.
FRAME = 1024
TRANSFORM = 2048
HOP = 512

# Breath is heard as air in this band, Hz.
AIR_BAND_HZ = (1_200.0, 5_500.0)

# A singer moves the first resonance up to the pitch where the pitch would lie above it.
FIRST_RESONANCE_ABOVE_PITCH = 1.05

# No two "na" are alike: standard deviation of the resonances from note to note, as a share.
VOWEL_SPREAD = 0.02
# How a body's resonances stand out, as a ratio of power.
BODY_PEAK = 8.0

# Notes nearer than this belong to one breath, s.
SAME_BREATH_S = 0.12
# The closure at a note's start: how long before and after the start, s; short notes get a lighter one.
CLOSURE_BEFORE_S = 0.020
CLOSURE_AFTER_S = 0.035
FULL_CLOSURE_FROM_S = 0.35
# The pitch moves a little before the note's start, s.
PITCH_EARLY_S = 0.012
# Slow wander of the pitch and its quick unevenness: standard deviations in semitones, and their smoothing, s.
DRIFT_SEMITONES, DRIFT_S = 0.06, 0.25
JITTER_SEMITONES, JITTER_S = 0.035, 0.012
SHIMMER_DB = 0.4
# A breath taken before a phrase: its length, its gap to the first note, s, and its level against full tone, dB.
INHALE_S, INHALE_GAP_S, INHALE_DB = 0.28, 0.05, -38.0


class TimedNote(NamedTuple):
    """A note as it sounds: seconds, and MIDI semitones (69 = 440 Hz)."""

    start_s: float
    end_s: float
    pitch: float


@dataclass(frozen=True)
class Curves:
    """How a line is performed, at CONTROL_RATE.

    Attributes:
        pitch: (T,) MIDI semitones.
        level: (T,) linear, about 1 at full tone.
        inhale: (T,) linear level of the breath taken.
        resonances_hz, widths_hz: (T, R).
    """

    pitch: Floats
    level: Floats
    inhale: Floats
    resonances_hz: Floats
    widths_hz: Floats


def sing_line(
    notes: Sequence[TimedNote], timbre: Timbre, *, seconds: float, sample_rate: int, rng: np.random.Generator
) -> Samples:
    """A line of notes as sound, float32 (N,), full tone at about -20 dBFS RMS. Notes must not overlap."""
    frames = round(seconds * sample_rate)
    if not notes:
        return np.zeros(frames, dtype=np.float32)
    curves = perform(notes, timbre, seconds=seconds, rng=rng)
    return synthesise(curves, timbre, frames=frames, sample_rate=sample_rate, rng=rng)


# --- performance: from notes to curves


def perform(notes: Sequence[TimedNote], timbre: Timbre, *, seconds: float, rng: np.random.Generator) -> Curves:
    """The curves by which a timbre performs the notes."""
    length = int(seconds * CONTROL_RATE) + 2
    centres, widths = _mouth(notes, timbre, length, rng)
    return Curves(
        pitch=_pitch_curve(notes, timbre, length, rng),
        level=_level_curve(notes, timbre, length, rng),
        inhale=_inhale_curve(notes, timbre, length),
        resonances_hz=centres,
        widths_hz=widths,
    )


def breaths(notes: Sequence[TimedNote]) -> list[list[TimedNote]]:
    """The notes in groups that are sung in one breath."""
    groups = [[notes[0]]]
    for before, note in pairwise(notes):
        if note.start_s - before.end_s > SAME_BREATH_S:
            groups.append([])
        groups[-1].append(note)
    return groups


def _span(start_s: float, end_s: float) -> slice:
    return slice(max(0, round(start_s * CONTROL_RATE)), max(0, round(end_s * CONTROL_RATE)))


def _smooth(curve: Floats, sigma_s: float) -> Floats:
    return gaussian_filter1d(curve, sigma_s * CONTROL_RATE, axis=0, mode="nearest")


def _wander(length: int, sigma_s: float, rng: np.random.Generator) -> Floats:
    """Smooth noise of standard deviation 1, (length,)."""
    noise = _smooth(rng.standard_normal(length), sigma_s)
    return noise / (noise.std() + 1e-9)


def _pitch_curve(notes: Sequence[TimedNote], timbre: Timbre, length: int, rng: np.random.Generator) -> Floats:
    pitch = np.full(length, float(notes[0].pitch))
    for note in notes:
        pitch[_span(note.start_s - PITCH_EARLY_S, length)] = note.pitch
    for group in breaths(notes):
        first = group[0]
        pitch[_span(first.start_s - 0.1, first.start_s + 0.03)] = first.pitch - timbre.scoop
    pitch = _smooth(pitch, timbre.glide_s)
    pitch += timbre.vibrato_semitones * _vibrato(notes, timbre, length, rng)
    pitch += DRIFT_SEMITONES * _wander(length, DRIFT_S, rng)
    return pitch + JITTER_SEMITONES * _wander(length, JITTER_S, rng)


def _vibrato(notes: Sequence[TimedNote], timbre: Timbre, length: int, rng: np.random.Generator) -> Floats:
    """Sets in late on notes that last, -1..1."""
    depth = np.zeros(length)
    for note in notes:
        depth[_span(note.start_s + timbre.vibrato_after_s, note.end_s)] = 1.0
    rate = timbre.vibrato_hz * (1 + 0.05 * _wander(length, 0.4, rng))
    return _smooth(depth, 0.09) * np.sin(2 * np.pi * np.cumsum(rate) / CONTROL_RATE)


def _level_curve(notes: Sequence[TimedNote], timbre: Timbre, length: int, rng: np.random.Generator) -> Floats:
    level = np.zeros(length)
    for group in breaths(notes):
        start_s, end_s = group[0].start_s, group[-1].end_s
        for note in group:
            middle = ((note.start_s + note.end_s) / 2 - start_s) / (end_s - start_s)
            # A phrase swells towards its middle and comes to rest.
            arc_db = 2.0 * np.sin(np.pi * middle) - 1.5 + rng.normal(0.0, 0.3)
            level[_span(note.start_s, note.end_s)] = 10 ** (arc_db / 20)
        level[_span(end_s, end_s + 0.06)] = 0.35
    for note in notes[1:] if timbre.closure is None else notes:
        level[_closure(note)] *= 10 ** (timbre.closure_db * _closure_depth(note) / 20)
    shimmer = 10 ** (SHIMMER_DB * _wander(length, 0.03, rng) / 20)
    return _smooth(level, timbre.attack_s) * shimmer


def _closure(note: TimedNote) -> slice:
    return _span(note.start_s - CLOSURE_BEFORE_S, note.start_s + CLOSURE_AFTER_S)


def _closure_depth(note: TimedNote) -> float:
    return min(1.0, 0.3 + (note.end_s - note.start_s) / FULL_CLOSURE_FROM_S)


def _inhale_curve(notes: Sequence[TimedNote], timbre: Timbre, length: int) -> Floats:
    inhale = np.zeros(length)
    if not timbre.inhales:
        return inhale
    free_from_s = 0.0
    for group in breaths(notes):
        end_s = group[0].start_s - INHALE_GAP_S
        start_s = max(end_s - INHALE_S, free_from_s + 0.08)
        if end_s - start_s > 0.1:
            inhale[_span(start_s + 0.06, end_s - 0.04)] = 10 ** (INHALE_DB / 20)
        free_from_s = group[-1].end_s
    return _smooth(inhale, 0.03)


def _mouth(notes: Sequence[TimedNote], timbre: Timbre, length: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Resonances and widths, both (T, R): a vowel for each breath, closed for a moment at each note's start."""
    centres = np.tile(timbre.vowels[0].resonances_hz, (length, 1))
    widths = np.tile(timbre.vowels[0].widths_hz, (length, 1))

    def take(span: slice, shape: Shape) -> None:
        centres[span] = shape.resonances_hz
        widths[span] = shape.widths_hz

    for group in breaths(notes):
        vowel = timbre.vowels[rng.integers(len(timbre.vowels))]
        for note in group:
            take(_span(note.start_s, length), vowel.scaled(rng.normal(1.0, VOWEL_SPREAD)))
    for note in notes if timbre.closure else ():
        take(_closure(note), timbre.closure)
    return _smooth(centres, 0.018), _smooth(widths, 0.018)


# --- synthesis: from curves to samples

# RMS of full tone.
FULL_TONE = 0.1


def synthesise(curves: Curves, timbre: Timbre, *, frames: int, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Curves to sound, float32 (frames,)."""
    hops = frames // HOP + 2
    at_hop = np.arange(hops) * HOP / sample_rate * CONTROL_RATE
    f0_hop = _hertz(_at(at_hop, curves.pitch))
    centres = np.stack([_at(at_hop, column) for column in curves.resonances_hz.T], axis=1)
    centres[:, 0] = np.maximum(centres[:, 0], FIRST_RESONANCE_ABOVE_PITCH * f0_hop)
    widths = np.stack([_at(at_hop, column) for column in curves.widths_hz.T], axis=1)

    bins_hz = np.fft.rfftfreq(TRANSFORM, 1 / sample_rate)[None, :]
    response = resonance(bins_hz, centres, widths, timbre)  # (hops, bins)
    response *= _even_loudness(f0_hop, centres, widths, timbre)[:, None]
    air_band = butter(1, AIR_BAND_HZ, "bandpass", fs=sample_rate, output="sos")
    air_heard = np.abs(freqz_sos(air_band, bins_hz[0], fs=sample_rate)[1]).astype(np.float32)
    hiss = 1 / np.sqrt(np.mean(np.square(response * air_heard), axis=1))

    at_sample = np.arange(frames) / sample_rate * CONTROL_RATE
    tone = _source(_hertz(_at(at_sample, curves.pitch)), timbre, sample_rate)
    level = _at(at_sample, curves.level).astype(np.float32)
    breath = 10 ** (timbre.breath_db / 20) * level + _at(at_sample, curves.inhale).astype(np.float32)
    breath *= np.interp(np.arange(frames) / HOP, np.arange(hops), hiss).astype(np.float32)
    air = sosfilt(air_band, rng.standard_normal(frames, dtype=np.float32))
    source = tone * level + air.astype(np.float32) * breath
    return (FULL_TONE * filtered(source, response)).astype(np.float32)


def _at(positions: Floats, curve: Floats) -> Floats:
    return np.interp(positions, np.arange(len(curve)), curve)


def _hertz(pitch: Floats) -> Floats:
    return 440.0 * 2 ** ((pitch - 69) / 12)


def resonance(frequencies: Floats, centres: Floats, widths: Floats, timbre: Timbre) -> Spectra:
    """The magnitude that a timbre's shape gives each frequency.

    frequencies (1 or T, F), centres and widths (T, R) -> (T, F).
    """
    power = np.ones((len(centres), frequencies.shape[1]), dtype=np.float32)
    for centre, width in zip(centres.T[:, :, None], widths.T[:, :, None], strict=True):
        if timbre.is_throat:
            squared = np.square((frequencies / centre).astype(np.float32))
            power /= np.square(1 - squared) + squared * np.square(width / centre).astype(np.float32)
        else:
            away = ((frequencies - centre) / (width / 2)).astype(np.float32)
            power += BODY_PEAK / (1 + np.square(away))
    return np.sqrt(power)


def _weights(count: int, timbre: Timbre) -> Floats:
    """Amplitudes of the source's harmonics 1..count, (count,)."""
    order = np.arange(1, count + 1)
    weights = order ** (timbre.tilt_db / 20 / np.log10(2))
    weights[1::2] *= 10 ** (timbre.even_db / 20)
    return weights


def _even_loudness(f0_hz: Floats, centres: Floats, widths: Floats, timbre: Timbre) -> Spectra:
    """The gain (T,) that gives a tone of RMS 1 whatever harmonic meets whatever resonance."""
    order = np.arange(1, 31)
    heard = resonance(f0_hz[:, None] * order, centres, widths, timbre) * _weights(len(order), timbre)
    return (1 / np.sqrt(np.sum(heard**2, axis=1) / 2)).astype(np.float32)


def _source(f0_hz: Floats, timbre: Timbre, sample_rate: int) -> Samples:
    """The tone before the resonances, (N,): one period from a table that holds no harmonic too high for the pitch."""
    highest = min(HIGHEST_HARMONIC_HZ, 0.45 * sample_rate)
    band = np.clip(np.ceil(TABLES_AN_OCTAVE * np.log2(f0_hz / LOWEST_TABLE_HZ)), 0, None).astype(np.int32)
    tables = []
    for number in range(int(band.max()) + 1):
        count = max(1, int(highest / (LOWEST_TABLE_HZ * 2 ** (number / TABLES_AN_OCTAVE))))
        spectrum = np.zeros(TABLE_SIZE // 2 + 1, dtype=complex)
        spectrum[1 : count + 1] = -0.5j * TABLE_SIZE * _weights(count, timbre)
        period = np.fft.irfft(spectrum, TABLE_SIZE)
        tables.append(np.append(period, period[0]))
    phase = np.cumsum(f0_hz / sample_rate) % 1.0 * TABLE_SIZE
    index = phase.astype(np.int32)
    part = (phase - index).astype(np.float32)
    flat = np.concatenate(tables).astype(np.float32)
    index += band * (TABLE_SIZE + 1)
    return flat[index] * (1 - part) + flat[index + 1] * part


def filtered(source: Samples, response: Spectra) -> Samples:
    """Applies a zero-phase response that changes over time. source (N,), response (N // HOP + 2, bins) -> (N,)."""
    hops = len(response)
    # Frame h is centred on sample h * HOP, which is where the response was taken.
    padded = np.zeros((hops + 1) * HOP, dtype=np.float32)
    padded[HOP : HOP + len(source)] = source
    windows = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:hops]
    window = get_window("hann", FRAME).astype(np.float32)
    # Half a frame of room before and after for what the response spreads.
    room = (TRANSFORM - FRAME) // 2
    out = np.zeros((hops + TRANSFORM // HOP) * HOP, dtype=np.float32)
    for first in range(0, hops, 256):
        block = slice(first, min(first + 256, hops))
        frames = np.zeros((block.stop - block.start, TRANSFORM), dtype=np.float32)
        frames[:, room : room + FRAME] = windows[block] * window
        spectra = np.fft.rfft(frames, axis=1) * response[block]
        _overlap_add(out, np.fft.irfft(spectra, TRANSFORM, axis=1), first)
    return out[room + HOP : room + HOP + len(source)]


def _overlap_add(out: Samples, frames: Floats, first: int) -> None:
    """Adds frames (B, TRANSFORM) to out, frame b at sample (first + b) * HOP."""
    pieces = frames.reshape(len(frames), TRANSFORM // HOP, HOP)
    for number in range(pieces.shape[1]):
        start = (first + number) * HOP
        out[start : start + len(frames) * HOP] += pieces[:, number].reshape(-1)
