"""Gold by construction: a tune played twice, so that the time map between both is exact.

The second playing differs from the first in key, tempo and voice always, and in one further way, its `Situation`. Both
are heard as a tracker hears a singer: notes off by a little, with vibrato and glides, now and then an octave wrong or
missing. What is measured on them is synthetic.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ml_worker.audio.melody import Melody
from ml_worker.catalogue.tune_files import Score
from ml_worker.catalogue.voice import TimedNote
from ml_worker.mining.gold import TimeMap

# A tune is cut into sections of about this length where it rests longest, seconds.
SECTION_S = 12.0
# Sections meet with a breath between, seconds.
BREATH_S = 0.3
# The second playing: key (semitones), octave with this probability, tempo ratio.
SHIFTS_ST = (-5, -4, -3, -2, 2, 3, 4, 5)
OCTAVE_APART = 0.3
RATIOS = (0.8, 1.25)
# Rubato: standard deviation of the logarithm of the tempo ratio, and its smoothing, seconds.
RUBATO, RUBATO_S = 0.04, 4.0
# A tempo that changes does so by this factor, one way or the other.
TEMPO_CHANGE = 1.25
# How long only the band plays, seconds.
INSTRUMENTAL_S = (20.0, 40.0)
# The time map has a point so often, seconds.
POINT_S = 0.25

# --- what a tracker hears

HOP_S = 0.02
# Notes are off by so much, semitones, in each section anew; vibrato; how long a voice takes to the next note, seconds.
DRIFT_ST, VIBRATO_ST, VIBRATO_HZ, GLIDE_S = 0.15, 0.2, 5.5, 0.05
# The share of notes that are heard an octave off, that are not heard, and whose end is lost.
OCTAVE_OFF, UNHEARD, CUT_SHORT = 0.03, 0.03, 0.3


class Situation(StrEnum):
    """What the second playing does besides key, tempo and rubato."""

    PLAIN = "plain"
    TEMPO_CHANGE = "tempo change"
    REORDERED = "reordered"
    REPEATED = "repeated"
    MISSING = "missing"
    INSERTED = "inserted"
    INSTRUMENTAL = "instrumental"


@dataclass(frozen=True)
class Heard:
    """One playing as a tracker hears it.

    Attributes:
        notes: as played.
        melody: as heard.
    """

    notes: list[TimedNote]
    melody: Melody


@dataclass(frozen=True)
class Constructed:
    """Two playings of a tune and where the second plays what of the first.

    Attributes:
        name: of the tune.
        tempo_ratio: the second's seconds for a second of the first, on average over what both play.
        transposition: semitones, second minus first.
    """

    name: str
    situation: Situation
    original: Heard
    cover: Heard
    time_map: TimeMap
    tempo_ratio: float
    transposition: int


def construct(score: Score, situation: Situation, other: Score, seed: int = 0) -> Constructed:
    """A tune played twice. Equal arguments give equal pairs.

    Args:
        score: the tune, from its first note on.
        situation: what the second playing does.
        other: a tune that has nothing to do with it, from which foreign sections come.
    """
    rng = np.random.default_rng(zlib.crc32(f"{score.name} {situation} {seed}".encode()))
    notes = from_zero(score.notes)
    parts = _plan(sections(notes), situation, from_zero(other.notes), rng)
    shift = int(rng.choice(SHIFTS_ST)) + (int(rng.choice((-12, 12))) if rng.random() < OCTAVE_APART else 0)
    laid_out, lines, end_s = _lay_out(parts)
    bend = _tempo(end_s, situation, rng)
    cover = [TimedNote(float(bend(note.start_s)), float(bend(note.end_s)), note.pitch + shift) for note in laid_out]
    time_map = [_bent(line, bend) for line in lines]
    return Constructed(
        name=score.name,
        situation=situation,
        original=Heard(notes, heard(notes, rng)),
        cover=Heard(cover, heard(cover, rng)),
        time_map=time_map,
        tempo_ratio=_mean_ratio(time_map),
        transposition=shift,
    )


def from_zero(notes: Sequence[TimedNote]) -> list[TimedNote]:
    """The notes with the first at a second from the start."""
    before_s = notes[0].start_s - 1.0
    return [note._replace(start_s=note.start_s - before_s, end_s=note.end_s - before_s) for note in notes]


def sections(notes: Sequence[TimedNote]) -> list[list[TimedNote]]:
    """The notes in sections of about `SECTION_S`, each cut after the longest wait between onsets near its end."""
    left, found = list(notes), []
    while left and left[-1].end_s - left[0].start_s > 1.6 * SECTION_S:
        until_s = left[0].start_s + SECTION_S
        near = [n for n in range(1, len(left)) if abs(left[n].start_s - until_s) < SECTION_S / 3]
        if not near:
            break
        cut = max(near, key=lambda n: left[n].start_s - left[n - 1].start_s)
        found.append(left[:cut])
        left = left[cut:]
    return [*found, left]


# --- what is played in which order


@dataclass(frozen=True)
class _Part:
    """Notes to be played in a row; `is_own` where they are the tune's. Without notes the band plays for `rest_s`."""

    notes: Sequence[TimedNote]
    is_own: bool
    rest_s: float = 0.0


def _plan(
    own: list[list[TimedNote]], situation: Situation, other: Sequence[TimedNote], rng: np.random.Generator
) -> list[_Part]:
    parts = [_Part(section, is_own=True) for section in own]
    at = int(rng.integers(len(parts)))
    if situation is Situation.REORDERED:
        turned = max(1, len(parts) // 2)
        return [*parts[turned:], *parts[:turned]]
    if situation is Situation.REPEATED:
        return [*parts[: at + 1], parts[at], *parts[at + 1 :]]
    if situation is Situation.MISSING and len(parts) > 1:
        return [*parts[:at], *parts[at + 1 :]]
    if situation is Situation.INSERTED:
        foreign = sections(other)
        return [*parts[: at + 1], _Part(foreign[int(rng.integers(len(foreign)))], is_own=False), *parts[at + 1 :]]
    if situation is Situation.INSTRUMENTAL:
        # Before a section: after the last one nobody would hear it.
        return [*parts[:at], _Part((), is_own=False, rest_s=float(rng.uniform(*INSTRUMENTAL_S))), *parts[at:]]
    return parts


Line = list[tuple[float, float]]


def _lay_out(parts: Sequence[_Part]) -> tuple[list[TimedNote], list[Line], float]:
    """The parts one after the other in the tune's tempo: notes, lines of (original s, s here), and when it ends."""
    at_s, notes, lines = 1.0, [], []
    follows_s = None  # where in the original the part before ended, if this one may go on from there
    for part in parts:
        if not part.notes:
            at_s, follows_s = at_s + part.rest_s, None
            continue
        first_s, last_s = part.notes[0].start_s, part.notes[-1].end_s
        goes_on = part.is_own and follows_s is not None and 0 <= first_s - follows_s < 2.0
        at_s += first_s - follows_s if goes_on else BREATH_S
        shift_s = at_s - first_s
        notes += [note._replace(start_s=note.start_s + shift_s, end_s=note.end_s + shift_s) for note in part.notes]
        if part.is_own and goes_on:
            lines[-1].append((last_s, last_s + shift_s))
        elif part.is_own:
            lines.append([(first_s, first_s + shift_s), (last_s, last_s + shift_s)])
        at_s, follows_s = last_s + shift_s, last_s if part.is_own else None
    return notes, lines, at_s


class _Bend:
    """Seconds at the tune's tempo to seconds as they are played."""

    def __init__(self, at_s: NDArray[np.float64], played_s: NDArray[np.float64]) -> None:
        self.at_s, self.played_s = at_s, played_s

    def __call__(self, seconds: float | NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(seconds, self.at_s, self.played_s)


def _tempo(end_s: float, situation: Situation, rng: np.random.Generator) -> _Bend:
    at_s = np.arange(0, end_s + 1, 0.05)
    wander = gaussian_filter1d(rng.standard_normal(len(at_s)), RUBATO_S / 0.05)
    ratio = rng.uniform(*RATIOS) * np.exp(RUBATO * wander / (wander.std() + 1e-9))
    if situation is Situation.TEMPO_CHANGE:
        later = at_s > end_s * rng.uniform(0.35, 0.65)
        ratio[later] *= TEMPO_CHANGE if rng.uniform(*RATIOS) > ratio.mean() else 1 / TEMPO_CHANGE
    return _Bend(at_s, np.concatenate([[0.0], np.cumsum(ratio[:-1] * 0.05)]))


def _bent(line: Line, bend: _Bend) -> list[list[float]]:
    original_s, here_s = np.array(line).T
    points_s = np.unique(np.append(np.arange(original_s[0], original_s[-1], POINT_S), original_s))
    return np.column_stack([points_s, bend(np.interp(points_s, original_s, here_s))]).tolist()


def _mean_ratio(time_map: TimeMap) -> float:
    spans = np.array([[line[-1][0] - line[0][0], line[-1][1] - line[0][1]] for line in time_map])
    original_s, cover_s = spans.sum(axis=0)
    return float(cover_s / original_s)


# --- as a tracker hears it


def heard(notes: Sequence[TimedNote], rng: np.random.Generator) -> Melody:
    """The pitch curve that a tracker would give of a singer who sings these notes."""
    seconds = np.arange(0, notes[-1].end_s + 1, HOP_S)
    pitch = np.full(len(seconds), np.nan)
    for note in notes:
        if rng.random() < UNHEARD:
            continue
        end_s = note.end_s - (rng.uniform(0, 0.4) * (note.end_s - note.start_s) if rng.random() < CUT_SHORT else 0)
        octave = int(rng.choice((-12, 12))) if rng.random() < OCTAVE_OFF else 0
        pitch[(seconds >= note.start_s) & (seconds < end_s)] = note.pitch + octave + rng.normal(0, DRIFT_ST)
    pitch = _glided(pitch) + VIBRATO_ST * np.sin(2 * np.pi * VIBRATO_HZ * seconds)
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0).astype(np.float32)
    return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), "notes")


def _glided(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """A running mean over `GLIDE_S` within what is voiced."""
    width = max(1, round(GLIDE_S / HOP_S))
    kernel, voiced = np.ones(width), ~np.isnan(pitch)
    summed = np.convolve(np.nan_to_num(pitch), kernel, mode="same")
    count = np.convolve(voiced.astype(float), kernel, mode="same")
    return np.where(voiced, summed / np.maximum(count, 1), np.nan)
