"""How well mined fragments agree with a time map that is known to be true.

A time map is a list of polylines, one for each passage of the original that the cover plays:
[[[o, c], [o, c], ...], ...], original second against cover second, linear between points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ml_worker.mining.extract import Interval
from ml_worker.mining.passage import Passage

TimeMap = Sequence[Sequence[Sequence[float]]]


class Found(Protocol):
    """A fragment as `mine` and `find_known` give it."""

    @property
    def a(self) -> Interval: ...
    @property
    def b(self) -> Interval: ...
    @property
    def correlation(self) -> float: ...


class Place(NamedTuple):
    """A fragment of which no more is known than this."""

    a: Interval
    b: Interval
    correlation: float


IOU = 0.5
START_ERROR_S = 0.5
"""What counts as right: the protocol of the alignment benchmark."""

# A fragment may reach this far beyond the passage that plays it and still be expected whole, seconds.
EDGE_S = 0.25

# Passages shorter than a fragment are not expected to be found, seconds.
SHORTEST_S = 4.0


@dataclass(frozen=True)
class Agreement:
    """Mined fragments against the truth.

    Attributes:
        found: how many were mined.
        right: how many of them are right.
        precision: right of those found; 1 if nothing was found.
        expected: how many there are to be found: passages for free mining, occurrences for known fragments.
        recall: the share of it that was found, of passages in seconds; 1 if nothing was to be found.
        median_start_error_s: over the right ones; None if there are none.
        start_errors_s: of each right one.
    """

    found: int
    right: int
    expected: int
    precision: float
    recall: float
    median_start_error_s: float | None
    start_errors_s: tuple[float, ...]


def agreement(
    mined: Sequence[Found],
    time_map: TimeMap,
    *,
    iou: float = IOU,
    start_error_s: float = START_ERROR_S,
    alike: TimeMap = (),
) -> Agreement:
    """Fragments mined anywhere against a time map.

    A fragment is right if a polyline takes its original interval to its cover interval: intersection over union at
    least `iou`, and its start at most `start_error_s` off. Recall counts the seconds of the cover's passages that
    right fragments cover.

    Args:
        alike: more polylines, of passages that are the same music though not the ones that the cover took (see
            `through_repeats`): a fragment found there is right too, but nothing is expected there.
    """
    truths = [_passage(line) for line in (*time_map, *alike)]
    verdicts = [_closest(one.a, one.b, truths, iou) for one in mined]
    right = [(one, error) for one, error in zip(mined, verdicts, strict=True) if error <= start_error_s]
    expected = [passage.cover for passage in map(_passage, time_map) if passage.duration_s >= SHORTEST_S]
    recall = _covered_share(expected, [one.b for one, _ in right])
    return _agreement(len(mined), [error for _, error in right], len(expected), recall)


def agreement_on_fragments(
    found: Mapping[Interval, Sequence[Found]],
    time_map: TimeMap,
    *,
    iou: float = IOU,
    start_error_s: float = START_ERROR_S,
    alike: TimeMap = (),
) -> Agreement:
    """Occurrences of known fragments against a time map.

    Every polyline that plays a fragment whole is an occurrence to be found, repeats included. One that is found where
    only `alike` has it is neither right nor wrong; one found twice is wrong the second time.

    Args:
        found: for each fragment (its seconds in the original) what `find_known` gave.
    """
    errors: list[float] = []
    counted = expected = 0
    for fragment, ones in found.items():
        truths = [passage for passage in map(_passage, time_map) if _plays(passage, fragment)]
        others = [_passage(line) for line in alike]
        expected += len(truths)
        for one in sorted(ones, key=lambda one: -one.correlation):
            distances = [_closest(one.a, one.b, [truth], iou) for truth in truths]
            if distances and min(distances) <= start_error_s:
                counted += 1
                errors.append(min(distances))
                del truths[int(np.argmin(distances))]
            elif _closest(one.a, one.b, others, iou) > start_error_s:
                counted += 1
    return _agreement(counted, errors, expected, len(errors) / expected if expected else 1.0)


def is_right(found: Found, time_map: TimeMap, iou: float = IOU, start_error_s: float = START_ERROR_S) -> bool:
    """Whether a polyline takes a fragment's original interval to its cover interval."""
    return _closest(found.a, found.b, map(_passage, time_map), iou) <= start_error_s


def _agreement(found: int, errors: Sequence[float], expected: int, recall: float) -> Agreement:
    return Agreement(
        found=found,
        right=len(errors),
        expected=expected,
        precision=len(errors) / found if found else 1.0,
        recall=recall,
        median_start_error_s=float(np.median(errors)) if len(errors) else None,
        start_errors_s=tuple(errors),
    )


def _passage(line: Sequence[Sequence[float]]) -> Passage:
    original_s, cover_s = np.array(line, dtype=np.float64).T
    return Passage(original_s, cover_s)


def _plays(passage: Passage, fragment: Interval) -> bool:
    return passage.original[0] - EDGE_S <= fragment[0] and fragment[1] <= passage.original[1] + EDGE_S


def _closest(a: Interval, b: Interval, truths: Iterable[Passage], iou: float) -> float:
    """The smallest start error among the passages that take a to b, infinite if none does."""
    errors = [abs(b[0] - float(truth.cover_at(a[0]))) for truth in truths if _overlap(b, _played(truth, a)) >= iou]
    return min(errors, default=np.inf)


def _played(truth: Passage, a: Interval) -> Interval:
    """Where the cover plays what of an interval lies in the passage; empty if nothing does."""
    first_s, last_s = max(a[0], truth.original[0]), min(a[1], truth.original[1])
    return (float(truth.cover_at(first_s)), float(truth.cover_at(last_s))) if last_s > first_s else (0.0, 0.0)


def _overlap(one: Interval, other: Interval) -> float:
    """Intersection over union."""
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = one[1] - one[0] + other[1] - other[0] - shared
    return shared / union if union > 0 else 0.0


def _covered_share(expected: Sequence[Interval], covering: Sequence[Interval]) -> float:
    """The share of the expected seconds that lies under the covering intervals; 1 if nothing is expected."""
    total_s = sum(end_s - start_s for start_s, end_s in expected)
    covered_s, reached_s = 0.0, -np.inf
    for start_s, end_s in sorted(covering):
        start_s = max(start_s, reached_s)
        covered_s += sum(max(0.0, min(end_s, last_s) - max(start_s, first_s)) for first_s, last_s in expected)
        reached_s = max(reached_s, end_s)
    return covered_s / total_s if total_s else 1.0


# --- music that comes more than once


class TimedNote(Protocol):
    """A note as any score has it."""

    start_s: float
    end_s: float
    pitch: float


# Two passages are the same music if the same note sounds for at least this share of every `shortest_s` of them:
# verse and chorus of "Battle Hymn", sung to one tune in two rhythms, are.
SAME_NOTES = 0.75

# Scores are compared on this grid, seconds.
GRID_S = 0.05


def repeats(notes: Sequence[TimedNote], shortest_s: float = SHORTEST_S) -> list[list[list[float]]]:
    """Where a melody comes again within its own score, at its tempo, in this key or another: a time map to itself.

    Args:
        notes: of one voice, in order.
        shortest_s: shorter repeats are left out.
    """
    starts_s = np.array([note.start_s for note in notes])
    seconds = np.arange(starts_s[0], notes[-1].end_s, GRID_S)
    sounding = np.array([note.pitch for note in notes])[np.searchsorted(starts_s, seconds + 1e-6, side="right") - 1]
    width = round(shortest_s / GRID_S)
    lags = np.unique(np.rint(np.subtract.outer(starts_s, starts_s) / GRID_S).astype(int))
    found = []
    for lag in lags[(lags >= width) & (lags <= len(seconds) - width)]:
        for first, last in _alike_runs(sounding[lag:] - sounding[:-lag], width):
            earlier = [seconds[first], seconds[last - 1]]
            later = [seconds[first + lag], seconds[last + lag - 1]]
            found += [np.column_stack(pair).tolist() for pair in ((earlier, later), (later, earlier))]
    return found


def _alike_runs(apart: np.ndarray, width: int) -> list[tuple[int, int]]:
    """[first, last) of runs in which every stretch of `width` has one difference for `SAME_NOTES` of it."""
    stretches = np.lib.stride_tricks.sliding_window_view(apart, width)
    alike = (np.abs(stretches - np.median(stretches, axis=1, keepdims=True)) < 0.5).mean(axis=1) >= SAME_NOTES
    return [(first, last + width - 1) for first, last in _runs(alike)]


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """[first, last) of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def through_repeats(again: TimeMap, time_map: TimeMap) -> list[list[list[float]]]:
    """Where the cover plays the same music as a passage of the original, though it took it from another place.

    Args:
        again: repeats of the original, from `repeats`.
        time_map: what the cover plays.
    """
    found = []
    for line in map(_passage, again):
        for played in map(_passage, time_map):
            first_s, last_s = max(line.cover[0], played.original[0]), min(line.cover[1], played.original[1])
            if last_s > first_s:
                there_s = np.linspace(first_s, last_s, num=16)
                found.append(np.column_stack([line.original_at(there_s), played.cover_at(there_s)]).tolist())
    return found
