"""A passage: which second of the cover plays which second of the original, over one stretch of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.mining.correlation import TempoMap
from ml_worker.mining.paths import Path

# A course is smoothed by straight lines over this much of the original: the map places a cell only to half a hop, and
# a player's tempo hardly turns within it.
SMOOTHED_OVER_S = 4.0

# How far beside its path a course looks for the crest of the map, seconds of the cover: a path cuts corners.
CREST_WITHIN_S = 1.0


@dataclass(frozen=True)
class Passage:
    """A stretch that both recordings play.

    Attributes:
        original_s: (N,), rising seconds of the original, N at least 2.
        cover_s: (N,), the seconds of the cover in which they are heard, rising too.
    """

    original_s: NDArray[np.float64]
    cover_s: NDArray[np.float64]

    @classmethod
    def line(cls, original_s: tuple[float, float], cover_start_s: float, tempo_ratio: float) -> Passage:
        """A passage at one tempo."""
        cover_end_s = cover_start_s + (original_s[1] - original_s[0]) * tempo_ratio
        return cls(np.array(original_s), np.array([cover_start_s, cover_end_s]))

    @property
    def original(self) -> tuple[float, float]:
        return float(self.original_s[0]), float(self.original_s[-1])

    @property
    def cover(self) -> tuple[float, float]:
        return float(self.cover_s[0]), float(self.cover_s[-1])

    @property
    def duration_s(self) -> float:
        """The shorter of both sides."""
        return min(self.original[1] - self.original[0], self.cover[1] - self.cover[0])

    @property
    def tempo_ratio(self) -> float:
        """Cover seconds for an original second: the slope of the straight line through the course."""
        even_s = np.linspace(*self.original, num=64)
        return float(np.polyfit(even_s, np.interp(even_s, self.original_s, self.cover_s), 1)[0])

    @property
    def mean_ratio(self) -> float:
        """Cover seconds for an original second, from end to end."""
        return (self.cover[1] - self.cover[0]) / (self.original[1] - self.original[0])

    def cover_at(self, original_s: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The cover's seconds for the original's; beyond the ends the course goes straight on."""
        return _straight_on(original_s, self.original_s, self.cover_s)

    def original_at(self, cover_s: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The inverse of cover_at."""
        return _straight_on(cover_s, self.cover_s, self.original_s)

    def between(self, first_s: float, last_s: float) -> Passage:
        """The passage from one original second to another; longer than it was, if they lie beyond its ends."""
        inner = (self.original_s > first_s) & (self.original_s < last_s)
        original_s = np.concatenate([[first_s], self.original_s[inner], [last_s]])
        return Passage(original_s, self.cover_at(original_s))


def _straight_on(x: NDArray[np.float64] | float, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray:
    """np.interp that continues with the mean slope of the ends instead of holding the last value."""
    x = np.asarray(x, dtype=np.float64)
    slope_first, slope_last = _end_slope(xs, ys), _end_slope(xs[::-1], ys[::-1])
    beyond = np.minimum(x - xs[0], 0) * slope_first + np.maximum(x - xs[-1], 0) * slope_last
    return np.interp(x, xs, ys) + beyond


def _end_slope(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> float:
    """The slope over the first `SMOOTHED_OVER_S` (or all, if it is shorter); none where x stands still."""
    reached = min(SMOOTHED_OVER_S, abs(xs[-1] - xs[0]))
    if reached == 0:
        return 0.0
    far = int(np.argmax(np.abs(xs - xs[0]) >= reached))
    return float((ys[far] - ys[0]) / (xs[far] - xs[0]))


def passage_of(path: Path, tempo_map: TempoMap, floor: float, window_s: float, heard_s: tuple[float, float]) -> Passage:
    """The smoothed course of a path over everything that its cells hear.

    A path goes where it gathers most, not where the map is highest, so each cell first moves to the crest of its row.
    A cell is placed by the middle of what it hears, where an error of its tempo ratio cancels out, and counts by how
    far it rises above the floor. The course then runs on by half a cell at either end, within the recordings, whose
    durations are `heard_s`.
    """
    span_s = (tempo_map.length - 1) * tempo_map.hop_s + window_s
    columns = _on_crest(path, tempo_map)
    ratios = tempo_map.tempo_ratio[path.rows, columns].astype(np.float64)
    weights = np.maximum(tempo_map.correlation[path.rows, columns] - floor, 1e-3) ** 2
    original_s = path.rows * tempo_map.hop_s + span_s / 2
    cover_s = columns * tempo_map.hop_s + ratios * span_s / 2
    course = _smooth(original_s, cover_s, weights, float(np.average(ratios, weights=weights)), span_s)
    first_s = max(original_s[0] - span_s / 2, float(course.original_at(0.0)))
    last_s = min(original_s[-1] + span_s / 2, float(course.original_at(heard_s[1])), heard_s[0])
    return course.between(first_s, last_s)


def _on_crest(path: Path, tempo_map: TempoMap) -> NDArray[np.intp]:
    """For each cell of a path the column near it where its row is highest."""
    reach = round(CREST_WITHIN_S / tempo_map.hop_s)
    last = tempo_map.correlation.shape[1] - 1
    near = np.clip(path.columns[:, None] + np.arange(-reach, reach + 1), 0, last)
    highest = np.argmax(tempo_map.correlation[path.rows[:, None], near], axis=1)
    return near[np.arange(len(near)), highest]


def _smooth(original_s: NDArray, cover_s: NDArray, weights: NDArray, ratio: float, span_s: float) -> Passage:
    """The smoothed course of a map's points.

    Where they lie too close together to tell a tempo, `ratio`, which was measured over `span_s`, stands for it.
    """
    if original_s[-1] - original_s[0] < SMOOTHED_OVER_S:
        return _line_through(original_s, cover_s, weights, ratio, span_s)
    return smoothed(original_s, cover_s, weights, SMOOTHED_OVER_S)


def smoothed(
    original_s: NDArray[np.float64], cover_s: NDArray[np.float64], weights: NDArray[np.float64], over_s: float
) -> Passage:
    """A course through scattered points: at each point the line fitted to those around it, at every half second.

    Args:
        original_s, cover_s, weights: (N,), the points and how much each counts, above 0.
        over_s: points farther away than this do not count.
    """
    at_s = np.linspace(original_s[0], original_s[-1], num=max(2, round((original_s[-1] - original_s[0]) * 2) + 1))
    apart = original_s - at_s[:, None]  # (points of the course, points given)
    near = weights * np.maximum(0, 1 - np.abs(apart) / over_s)
    total, moment, spread = near.sum(axis=1), (near * apart).sum(axis=1), (near * apart**2).sum(axis=1)
    seen, seen_moment = near @ cover_s, (near * apart) @ cover_s
    fitted = (spread * seen - moment * seen_moment) / np.maximum(total * spread - moment**2, 1e-12)
    return Passage(at_s, np.maximum.accumulate(fitted))


def _line_through(original_s: NDArray, cover_s: NDArray, weights: NDArray, ratio: float, span_s: float) -> Passage:
    """One line at a known tempo through the weighted middle of the points."""
    middle_s = float(np.average(original_s, weights=weights))
    cover_middle_s = float(np.average(cover_s, weights=weights))
    half_s = span_s / 2
    return Passage.line((middle_s - half_s, middle_s + half_s), cover_middle_s - half_s * ratio, ratio)
