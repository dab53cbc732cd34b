"""Made-up tunes and covers of them with a known time map: gold by construction for the tests of mining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_worker.audio.melody import Melody

HOP_S = 0.02
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])


@dataclass(frozen=True)
class MadeNote:
    start_s: float
    end_s: float
    pitch: float


def made_tune(seed: int, duration_s: float = 60.0) -> list[MadeNote]:
    """A random walk over a major scale in notes of 0.25 to 1 s, with a breath after every eight or so."""
    rng = np.random.default_rng(seed)
    notes: list[MadeNote] = []
    at_s, degree, tonic = 0.3, int(rng.integers(0, 7)), float(rng.integers(55, 65))
    while at_s < duration_s - 1:
        length_s = float(rng.choice([0.25, 0.375, 0.5, 0.5, 0.75, 1.0]))
        degree = int(np.clip(degree + rng.choice([-4, -3, -2, -1, -1, 0, 1, 1, 2, 3, 4]), -4, 10))
        pitch = tonic + 12 * (degree // 7) + SCALE[degree % 7]
        notes.append(MadeNote(at_s, at_s + length_s * 0.92, float(pitch)))
        at_s += length_s
        if rng.random() < 1 / 8:
            at_s += 0.4
    return notes


def melody_of(notes: Sequence[MadeNote], *, seed: int = 0, drift: float = 0.15, octave_errors: float = 0.0) -> Melody:
    """The pitch curve of somebody who sings the notes: vibrato, a little off key, now and then an octave out.

    Args:
        drift: how far a note is off, standard deviation in semitones.
        octave_errors: share of the notes that a tracker would give an octave too high or low.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(round((max(note.end_s for note in notes) + 0.5) / HOP_S)) * HOP_S
    wrong_octave = [octave_errors / 2, 1 - octave_errors, octave_errors / 2]
    pitch = np.full(len(times), np.nan)
    for note in notes:
        heard = (times >= note.start_s) & (times < note.end_s)
        off = rng.normal(0, drift) + 12 * rng.choice([-1, 0, 1], p=wrong_octave)
        pitch[heard] = note.pitch + off + 0.2 * np.sin(2 * np.pi * 5.5 * times[heard])
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch, nan=69.0) - 69) / 12), 0)
    return Melody(HOP_S, f0_hz.astype(np.float32), voiced, voiced.astype(np.float32), "made")


def made_cover(
    notes: Sequence[MadeNote],
    sections: Sequence[tuple[float, float]],
    *,
    tempo_ratio: float = 1.0,
    transposition: float = 0.0,
    rubato: float = 0.0,
    between: Sequence[MadeNote] = (),
) -> tuple[list[MadeNote], list[list[list[float]]]]:
    """The sections of a tune (original seconds) one after the other, and the time map of what was played.

    Args:
        tempo_ratio: cover seconds for an original second.
        rubato: how far the local tempo swings about that, as a share of it, over eight seconds.
        between: notes of something else (from second 0 on) that are played between the sections.
    """
    played: list[MadeNote] = []
    time_map: list[list[list[float]]] = []
    at_s = 0.0
    gap_s = max((note.end_s for note in between), default=0.0) + 0.5 if between else 0.0
    for first_s, last_s in sections:
        original_s = np.arange(first_s, last_s + 1e-9, 0.05)
        swing = 1 + rubato * np.sin(2 * np.pi * (original_s - first_s) / 8)
        cover_s = at_s + np.concatenate([[0], np.cumsum(0.05 * tempo_ratio * swing[:-1])])
        for note in notes:
            if note.start_s >= first_s - 1e-9 and note.end_s <= last_s + 1e-9:
                start_s, end_s = np.interp([note.start_s, note.end_s], original_s, cover_s)
                played.append(MadeNote(float(start_s), float(end_s), note.pitch + transposition))
        time_map.append([[float(o), float(c)] for o, c in zip(original_s[::10], cover_s[::10], strict=True)])
        time_map[-1].append([float(original_s[-1]), float(cover_s[-1])])
        at_s = float(cover_s[-1])
        played += [MadeNote(at_s + note.start_s, at_s + note.end_s, note.pitch) for note in between]
        at_s += gap_s
    return played, time_map
