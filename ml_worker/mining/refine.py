"""The fine alignment of a passage on the two pitch curves, frame by frame, and what follows from it.

Fingerprints hear seconds at once, so they place a passage to a quarter of a second or so. The pitch curves place it
to a note: a path of small shifts along the passage, found by dynamic programming, after the key is taken out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.mining.passage import Passage

# Frames of the fine alignment, seconds: a tenth of a short note.
FRAME_S = 0.04

# How far from the passage's course a frame may be found, seconds either way.
SEARCHED_S = 1.0

# A frame's mismatch is the distance of the pitches, 1 at this many semitones (octaves aside) and beyond.
MISMATCH_ST = 2.0

# The mismatch of a frame in which only one of the two is voiced: people breathe in different places.
ONE_UNVOICED = 0.4

# Shifts are looked at this far apart, seconds. From frame to frame a path moves by one of them at most, so its tempo
# stays within a quarter of the course's: nobody's rubato is wider, and a path cannot wait on a note that it likes.
SHIFT_STEP_S = 0.02

# What a step of shift costs, in mismatched frames: with less, the path follows noise; with more, it cannot follow
# rubato.
SHIFT_COST = 0.3

# And what it costs where both rest: how long a rest is held says little of the melody.
SHIFT_COST_IN_REST = 0.05

# Frames whose mismatch is below this are taken to agree; it lies between a singer's drift and a chance match.
AGREEING = 0.4


@dataclass(frozen=True)
class FineAlignment:
    """A passage frame by frame.

    Attributes:
        passage: its course with a point every FRAME_S.
        mismatch: (N,), 0 where both sing the same (or both rest), 1 where they differ.
        strain: (N,), what it cost to come to each frame from the one before, in mismatched frames.
        pitches: (2, N), original and cover along it, MIDI semitones; NaN where unvoiced.
        transposition: semitones, cover minus original, octave included; None where no frame agrees.
    """

    passage: Passage
    mismatch: NDArray[np.float64]
    strain: NDArray[np.float64]
    pitches: NDArray[np.float64]
    transposition: float | None

    @property
    def both_rest(self) -> NDArray[np.bool_]:
        """(N,), where neither is voiced."""
        return np.isnan(self.pitches).all(axis=0)

    @property
    def is_sung(self) -> NDArray[np.bool_]:
        """(N,), where both are voiced."""
        return ~np.isnan(self.pitches).any(axis=0)

    def between(self, first: int, last: int) -> FineAlignment:
        """The frames [first, last) alone; the transposition stays."""
        course = Passage(self.passage.original_s[first:last], self.passage.cover_s[first:last])
        return replace(
            self,
            passage=course,
            mismatch=self.mismatch[first:last],
            strain=self.strain[first:last],
            pitches=self.pitches[:, first:last],
        )


def align_finely(
    original: Melody, cover: Melody, passage: Passage, reach_s: float = SEARCHED_S
) -> FineAlignment | None:
    """The passage as the two curves place it within `reach_s` of its course; None where one has no voice in it."""
    frames = max(2, round((passage.original[1] - passage.original[0]) / FRAME_S) + 1)
    original_s = np.linspace(*passage.original, num=frames)
    coarse_s = passage.cover_at(original_s)
    shifts_s = np.arange(-reach_s, reach_s + SHIFT_STEP_S / 2, SHIFT_STEP_S)
    ours = pitch_at(original, original_s)[:, None]
    theirs = pitch_at(cover, coarse_s[:, None] + shifts_s)  # (N, shifts)
    key = _key_difference((theirs - ours)[:, len(shifts_s) // 2])
    if key is None:
        return None
    mismatch = _mismatch(ours, theirs, key)
    change = np.where(np.isnan(ours) & np.isnan(theirs), SHIFT_COST_IN_REST, SHIFT_COST)
    shift = steady_path(mismatch, change)
    frame = np.arange(frames)
    along = mismatch[frame, shift]
    pitches = np.stack([ours[:, 0], theirs[frame, shift]])
    apart = pitches[1] - pitches[0]
    agreeing = apart[(along < AGREEING) & ~np.isnan(apart)]
    return FineAlignment(
        passage=Passage(original_s, np.maximum.accumulate(coarse_s + shifts_s[shift])),
        mismatch=along,
        strain=np.where(np.diff(shift, prepend=shift[0]) != 0, change[frame, shift], 0.0),
        pitches=pitches,
        transposition=float(np.median(agreeing)) if len(agreeing) else None,
    )


def transposition(original: Melody, cover: Melody, passage: Passage) -> float | None:
    """The median of the pitch differences along a passage, semitones, octave included; None without a voice."""
    fine = align_finely(original, cover, passage)
    return fine.transposition if fine else None


def notes_in(pitch: NDArray[np.float64]) -> int:
    """How many notes a curve sings: runs of two frames or more within one semitone, each other than the one before."""
    sung = pitch[~np.isnan(pitch)]
    # From a pitch that is sung: the middle of two would lie between the semitones.
    steps = np.rint(sung - np.quantile(sung, 0.5, method="lower")) if len(sung) else sung
    held = steps[1:][steps[1:] == steps[:-1]]
    return int(len(held) > 0) + int(np.count_nonzero(np.diff(held)))


def pitch_at(melody: Melody, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """MIDI semitones of the nearest frames, NaN where unvoiced or outside the melody; any shape."""
    curve = np.append(melody.pitch().astype(np.float64), np.nan)
    frames = np.rint(seconds / melody.hop_s).astype(int)
    outside = (frames < 0) | (frames >= len(melody.f0_hz))
    return curve[np.where(outside, len(curve) - 1, frames)]


def _on_circle(semitones: NDArray[np.float64]) -> NDArray[np.float64]:
    """Semitones to the nearest octave, -6..6."""
    return (semitones + 6) % 12 - 6


def _key_difference(apart: NDArray[np.float64]) -> float | None:
    """The difference of keys that most frames share, octaves aside, to a tenth of a semitone."""
    heard = apart[~np.isnan(apart)]
    if not len(heard):
        return None
    keys = np.arange(0, 12, 0.1)
    votes = np.maximum(0, 1 - np.abs(_on_circle(heard[:, None] - keys))).sum(axis=0)
    return float(keys[np.argmax(votes)])


def _mismatch(ours: NDArray[np.float64], theirs: NDArray[np.float64], key: float) -> NDArray[np.float64]:
    """0..1 for every frame and shift."""
    apart = theirs - ours
    distance = np.minimum(np.abs(_on_circle(np.nan_to_num(apart) - key)) / MISMATCH_ST, 1)
    rests = np.isnan(ours).astype(int) + np.isnan(theirs)
    return np.choose(rests, [distance, ONE_UNVOICED, 0.0])


def steady_path(costs: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each row of (N, S) a column, at most one beside the last, so that costs and changes together are least.

    Coming to a cell from the side costs what `change` (N, S) says there.
    """
    came = np.zeros(costs.shape, dtype=np.int8)
    padded = np.full(costs.shape[1] + 2, np.inf)
    left, total, right = padded[:-2], padded[1:-1], padded[2:]  # views: what is written to total moves them all
    total[:] = costs[0]
    for row in range(1, len(costs)):
        beside = np.minimum(left, right) + change[row]
        moves = beside < total
        came[row] = np.where(moves, np.where(left <= right, -1, 1), 0)
        np.copyto(total, beside, where=moves)
        total += costs[row]
    columns = np.empty(len(costs), dtype=np.intp)
    columns[-1] = np.argmin(total)
    for row in range(len(costs) - 1, 0, -1):
        columns[row - 1] = columns[row] + came[row, columns[row]]
    return columns
