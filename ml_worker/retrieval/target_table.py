"""Pitch curves of many targets in one long table, with the places at which a hum may start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody

Curve = NDArray[np.float32]
"""Semitones on a fixed hop, without gaps."""

# Hop of the table: a fifth of the shortest note that people hum; seconds.
HOP_S = 0.02

# What the table holds of each target before its first and after its last note (that note's pitch): how far a warped
# path may reach before a start, and what is looked at on both sides of a frame; seconds.
BEFORE_S, AFTER_S = 2.0, 1.0

# Two starts are never closer than this; seconds.
BETWEEN_STARTS_S = 0.08
# A pitch step: medians of this long before and after differ by this much; seconds, semitones.
STEP_SIDE_S, STEP_ST = 0.12, 0.75
# A note begins where `Melody.attack` has a peak of at least this.
ATTACK_FROM = 0.3

# A phrase begins after a rest, or after a note that lasts this many times the target's median note; seconds, ratio.
PHRASE_REST_S, PHRASE_LONG = 0.25, 2.0


class StartKind(IntEnum):
    """What begins where a hum may start."""

    TUNE = 0
    PHRASE = 1
    NOTE = 2


@dataclass(frozen=True)
class Line:
    """A melody as one line without gaps: in a rest the last pitch is held.

    Attributes:
        pitch: semitones at HOP_S, from the first to the last voiced frame.
        voiced: bool, the same shape: False where the pitch is held.
        begins_s: second of the melody at which the line begins.
    """

    pitch: Curve
    voiced: NDArray[np.bool_]
    begins_s: float


def line_of(melody: Melody) -> Line:
    """The melody as one line; an empty one where nothing is voiced."""
    pitch = melody.pitch()
    heard = np.flatnonzero(~np.isnan(pitch))
    if len(heard) == 0:
        return Line(np.zeros(0, np.float32), np.zeros(0, bool), 0.0)
    pitch = pitch[heard[0] : heard[-1] + 1]
    voiced = ~np.isnan(pitch)
    last_voiced = np.maximum.accumulate(np.where(voiced, np.arange(len(pitch)), 0))
    places = np.rint(np.arange(round(len(pitch) * melody.hop_s / HOP_S)) * HOP_S / melody.hop_s).astype(int)
    places = np.minimum(places, len(pitch) - 1)
    return Line(pitch[last_voiced][places], voiced[places], float(heard[0] * melody.hop_s))


def note_starts(line: Line, attack: NDArray[np.float32] | None = None) -> NDArray[np.intp]:
    """Frames of the line at which a note may begin: after a rest, at a pitch step, at a peak of the attack.

    Args:
        attack: how strongly a note begins in each frame of the line, 0..1; None where that is not known.
    """
    if len(line.pitch) == 0:
        return np.zeros(0, dtype=np.intp)
    after_rest = np.flatnonzero(line.voiced & ~np.concatenate([[False], line.voiced[:-1]]))
    strength = _step_sizes(line.pitch)
    steps = _peaks(strength, STEP_ST)
    attacks = np.zeros(0, dtype=np.intp) if attack is None else _peaks(attack, ATTACK_FROM)
    # Where two are too close, the surer one stays: the rest's end, then the attack, then the step.
    wide = round(BETWEEN_STARTS_S / HOP_S)
    free = np.ones(len(line.pitch), dtype=bool)
    kept = []
    for places in (after_rest, attacks, steps):
        for place in places:
            if free[place]:
                kept.append(int(place))
                free[max(0, place - wide + 1) : place + wide] = False
    return np.array(sorted(kept), dtype=np.intp)


def _step_sizes(pitch: Curve) -> Curve:
    """How far the median after each frame lies from that before it, semitones."""
    side = round(STEP_SIDE_S / HOP_S)
    padded = np.concatenate([np.full(side, pitch[0]), pitch, np.full(side, pitch[-1])])
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, side), axis=1)
    return np.abs(medians[side : side + len(pitch)] - medians[: len(pitch)])


def _peaks(values: NDArray[np.floating], least: float) -> NDArray[np.intp]:
    """The middle of each plateau of at least `least` that is a local maximum."""
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    changes = np.flatnonzero(np.diff(padded) != 0)
    starts, ends = changes[:-1], changes[1:]
    high = (values[starts] >= least) & (padded[starts] < values[starts]) & (padded[ends + 1] < values[starts])
    return (starts[high] + ends[high] - 1) // 2


def start_kinds(line: Line, starts: NDArray[np.intp]) -> NDArray[np.int8]:
    """What begins at each start: the tune at the first, a phrase after a rest or a long note, else a note."""
    if len(starts) == 0:
        return np.zeros(0, dtype=np.int8)
    kinds = np.full(len(starts), StartKind.NOTE, dtype=np.int8)
    lengths = np.diff(starts)
    rest = round(PHRASE_REST_S / HOP_S)
    voiced_sums = np.concatenate([[0], np.cumsum(line.voiced)])
    after_rest = (starts >= rest) & (voiced_sums[starts] - voiced_sums[np.maximum(starts - rest, 0)] == 0)
    after_long = np.concatenate([[False], lengths >= PHRASE_LONG * np.median(lengths)]) if len(lengths) else False
    kinds[after_rest | after_long] = StartKind.PHRASE
    kinds[0] = StartKind.TUNE
    return kinds


@dataclass(frozen=True)
class TargetTable:
    """All targets one after the other, and all places where a hum may start.

    Attributes:
        pitch: (F,) the lines, each with its first pitch held before it and its last pitch held after it.
        voiced: (F,) False where the pitch is held.
        firsts: (targets,) frame of the table at which each line begins.
        lasts: (targets,) frame after its end.
        begins_s: (targets,) second of the target at which its line begins.
        starts: (S,) frames of the table, target by target, rising.
        owners: (S,) whose start it is.
        kinds: (S,) `StartKind`.
    """

    pitch: Curve
    voiced: NDArray[np.bool_]
    firsts: NDArray[np.intp]
    lasts: NDArray[np.intp]
    begins_s: NDArray[np.float64]
    starts: NDArray[np.intp]
    owners: NDArray[np.intp]
    kinds: NDArray[np.int8]

    @property
    def targets(self) -> int:
        return len(self.firsts)


def table_of(targets: Sequence[Melody]) -> TargetTable:
    """The table of targets; one without voice has no start."""
    before, after = round(BEFORE_S / HOP_S), round(AFTER_S / HOP_S)
    pitch, voiced, firsts, lasts, begins_s, starts, owners, kinds = ([] for _ in range(8))
    frames = 0
    for number, melody in enumerate(targets):
        line = line_of(melody)
        held = (line.pitch[0], line.pitch[-1]) if len(line.pitch) else (0.0, 0.0)
        pitch += [np.full(before, held[0], np.float32), line.pitch, np.full(after, held[1], np.float32)]
        voiced += [np.zeros(before, bool), line.voiced, np.zeros(after, bool)]
        places = note_starts(line, _attack_on_line(melody, line))
        firsts.append(frames + before)
        lasts.append(frames + before + len(line.pitch))
        begins_s.append(line.begins_s)
        starts.append(frames + before + places)
        owners.append(np.full(len(places), number))
        kinds.append(start_kinds(line, places))
        frames += before + len(line.pitch) + after
    return TargetTable(
        _joined(pitch, np.float32),
        _joined(voiced, bool),
        np.array(firsts, dtype=np.intp),
        np.array(lasts, dtype=np.intp),
        np.array(begins_s, dtype=np.float64),
        _joined(starts, np.intp),
        _joined(owners, np.intp),
        _joined(kinds, np.int8),
    )


def _joined(parts: list[NDArray], kind: type) -> NDArray:
    return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, dtype=kind)


def _attack_on_line(melody: Melody, line: Line) -> NDArray[np.float32] | None:
    """The attack on the line's frames: the greatest value that falls on each."""
    if melody.attack is None or len(line.pitch) == 0:
        return None
    frames = np.rint((np.arange(len(melody.attack)) * melody.hop_s - line.begins_s) / HOP_S).astype(int)
    inside = (frames >= 0) & (frames < len(line.pitch))
    attack = np.zeros(len(line.pitch), dtype=np.float32)
    np.maximum.at(attack, frames[inside], melody.attack[inside])
    return attack
