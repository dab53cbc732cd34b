"""Where what was found goes on in harmony: past the ends of a passage that the melody found.

A pitch tracker loses a melody under a left hand or a second voice, though both recordings go on together. From either
end of a fragment the chroma of both are followed, the key of the fragment taken out; the tempo may bend as in the fine
alignment. Harmony alone begins nothing, as chords are shared by songs that have no melody in common; and an
introduction is no melody, so both have to be sung, or played as a line, most of the time.

Thresholds were chosen on covers of the catalogue's training tunes (docs/experiments-mining.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.chroma import HOP_S, Chroma
from ml_worker.audio.melody import Melody
from ml_worker.mining.extract import AlignedFragment, Interval
from ml_worker.mining.refine import FRAME_S, pitch_at, steady_path

# A frame speaks for going on where the chroma correlate above 1 less this; a step of tempo costs so much in frames.
EVEN_MISMATCH, SHIFT_COST = 0.25, 0.1
# How far from the fragment's tempo the other recording may run, and the steps that are looked at, seconds.
REACH_S, SHIFT_STEP_S = 1.5, 0.02
# It has ended where it lost so much of what it had gathered, in frames.
MOST_LOST = 4.0
# What goes on for less is not worth the doubt, seconds of the original; and of the cover, by the slowest tempo.
SHORTEST_S, SHORTEST_OF_COVER_S = 6.0, 4.0
# Farther than this nothing is followed, seconds: what goes on for minutes was found by its melody somewhere.
LONGEST_REACH_S = 240.0
# As long as a fragment may be, seconds.
LONGEST_S = 20.0
# Both have a pitch for at least this share of it.
LEAST_SUNG = 0.65

# Chroma are smoothed by a bell of so many frames, and their loudness is compressed by log(1 + this times energy).
SMOOTHED_OVER, COMPRESSION = 9, 10.0
# A frame with less than this share of the median loudness is silent, and counts a little against going on.
LEAST_LOUD, SILENCE = 0.1, 0.01


@dataclass(frozen=True)
class Harmony:
    """Chroma to be correlated.

    Attributes:
        shape: (N, 12), each row less its mean and of length 1, so that products of rows are Pearson's r; 0 in silence.
        sounds: (N,), whether a frame is loud enough to be compared.
    """

    shape: NDArray[np.float64]
    sounds: NDArray[np.bool_]

    @classmethod
    def of(cls, chroma: Chroma) -> Harmony:
        """Of a recording's chroma."""
        loudest = float(np.percentile(chroma.energy, 99)) if chroma.energy.size else 0.0
        compressed = np.log1p(COMPRESSION * chroma.energy / max(loudest, 1e-9))
        bell = np.hanning(SMOOTHED_OVER + 2)[1:-1]
        smooth = np.apply_along_axis(np.convolve, 0, compressed, bell / bell.sum(), "same")
        loudness = smooth.sum(axis=1)
        centred = smooth - smooth.mean(axis=1, keepdims=True)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        return cls(centred / np.maximum(length, 1e-6), loudness > LEAST_LOUD * np.median(loudness))

    def in_key(self, semitones: float) -> Harmony:
        """The same as if it were played so many semitones higher."""
        return Harmony(np.roll(self.shape, round(semitones) % 12, axis=1), self.sounds)


@dataclass(frozen=True)
class Continuation:
    """Where two recordings go on together beyond what was found.

    Attributes:
        a, b: from and to, seconds of the original and of the cover.
        correlation: the mean Pearson's r of their chroma, 0..1.
    """

    a: Interval
    b: Interval
    correlation: float

    @property
    def tempo_ratio(self) -> float:
        """Cover seconds for an original second, from end to end."""
        return (self.b[1] - self.b[0]) / (self.a[1] - self.a[0])


def continuations(
    found: Sequence[AlignedFragment], melodies: tuple[Melody, Melody], chromas: tuple[Chroma, Chroma]
) -> list[Continuation]:
    """What goes on past either end of each fragment, up to the next one of the cover, in pieces of a fragment's length.

    Args:
        found: the fragments that the melody found, in the order of the cover.
        melodies, chromas: of the original and of the cover.
    """
    ours, theirs = (Harmony.of(chroma) for chroma in chromas)
    taken = [one.b for one in found]
    added: list[Continuation] = []
    for one in found:
        for forwards in (True, False):
            reached = _reach(one, forwards, ours, theirs, melodies, taken)
            if reached and _sung_share(reached, melodies) >= LEAST_SUNG:
                taken.append(reached.b)
                added += _pieces(reached)
    return added


def _reach(
    one: AlignedFragment,
    forwards: bool,
    ours: Harmony,
    theirs: Harmony,
    melodies: tuple[Melody, Melody],
    taken: Sequence[Interval],
) -> Continuation | None:
    """How far both go on from one end of a fragment; None where it is too short, or the fragment has no key."""
    if one.transposition is None:
        return None
    sign, end = (1, 1) if forwards else (-1, 0)
    from_a, from_b = one.a[end], one.b[end]
    frames = round(min(*_room(one, forwards, melodies, taken), LONGEST_REACH_S) / FRAME_S)
    if frames * FRAME_S < SHORTEST_S:
        return None
    along_s = sign * FRAME_S * np.arange(frames)
    shifts_s = np.arange(-REACH_S, REACH_S + SHIFT_STEP_S / 2, SHIFT_STEP_S)
    at_a = _frames_at(from_a + along_s, ours)
    seconds_b = from_b + one.tempo_ratio * along_s[:, None] + shifts_s
    in_our_key = theirs.in_key(-one.transposition)
    r = np.einsum("nc,nsc->ns", ours.shape[at_a], in_our_key.shape[_frames_at(seconds_b, theirs)])
    mismatch = 1 - r
    mismatch[0, np.abs(shifts_s) > SHIFT_STEP_S / 2] = np.inf  # it goes on from the fragment, not from beside it
    path = steady_path(mismatch, np.full(mismatch.shape, SHIFT_COST))
    frame = np.arange(frames)
    along = mismatch[frame, path]
    strain = np.where(np.diff(path, prepend=path[0]) != 0, SHIFT_COST, 0.0)
    last = _last_worth_it(np.where(ours.sounds[at_a], EVEN_MISMATCH - along - strain, -SILENCE))
    to_a, to_b = float(from_a + along_s[last]), float(seconds_b[last, path[last]])
    if abs(to_a - from_a) < SHORTEST_S or abs(to_b - from_b) < SHORTEST_OF_COVER_S:
        return None
    (a_from, a_to), (b_from, b_to) = sorted((from_a, to_a)), sorted((from_b, to_b))
    correlation = float(np.clip((1 - along[: last + 1]).mean(), 0, 1))
    return Continuation((a_from, a_to), (max(0.0, b_from), min(b_to, melodies[1].duration_s)), correlation)


def _room(
    one: AlignedFragment, forwards: bool, melodies: tuple[Melody, Melody], taken: Sequence[Interval]
) -> tuple[float, float]:
    """How many seconds of the original are left beyond a fragment: by its own end, by what the cover has free."""
    if forwards:
        next_s = min((other[0] for other in taken if other[0] >= one.b[1] - FRAME_S), default=melodies[1].duration_s)
        return melodies[0].duration_s - one.a[1], (next_s - one.b[1]) / one.tempo_ratio
    before_s = max((other[1] for other in taken if other[1] <= one.b[0] + FRAME_S), default=0.0)
    return one.a[0], (one.b[0] - before_s) / one.tempo_ratio


def _frames_at(seconds: NDArray[np.float64], harmony: Harmony) -> NDArray[np.intp]:
    """The nearest frames, the first or the last beyond the ends; any shape."""
    return np.clip(np.rint(seconds / HOP_S).astype(np.intp), 0, len(harmony.shape) - 1)


def _last_worth_it(gains: NDArray[np.float64]) -> int:
    """The frame up to which most was gathered, before too much of it was lost again (X-drop, as in BLAST)."""
    gathered = np.cumsum(gains)
    lost = np.maximum.accumulate(gathered) - gathered > MOST_LOST
    return int(np.argmax(gathered[: int(np.argmax(lost)) if lost.any() else None]))


def _sung_share(one: Continuation, melodies: tuple[Melody, Melody]) -> float:
    """The share of it for which both have a pitch."""
    frames = round((one.a[1] - one.a[0]) / FRAME_S)
    pitches = [
        pitch_at(melody, np.linspace(*side, num=frames)) for melody, side in zip(melodies, (one.a, one.b), strict=True)
    ]
    return float((~np.isnan(pitches).any(axis=0)).mean())


def _pieces(one: Continuation) -> list[Continuation]:
    """In as few even pieces as keep to the length of a fragment on both sides."""
    number = int(np.ceil(max(one.a[1] - one.a[0], one.b[1] - one.b[0]) / LONGEST_S))
    bounds = zip(
        pairwise(np.linspace(*one.a, num=number + 1)), pairwise(np.linspace(*one.b, num=number + 1)), strict=True
    )
    return [
        Continuation((float(a0), float(a1)), (float(b0), float(b1)), one.correlation) for (a0, a1), (b0, b1) in bounds
    ]
