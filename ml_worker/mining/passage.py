"""A passage: which second of the cover plays which second of the original, over one stretch of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from ml_worker.mining.correlation import TempoMap
from ml_worker.mining.paths import Path

# A course is smoothed by straight lines over this much of the original: the map places a cell only to half a hop, and
# a player's tempo hardly turns within it.
SMOOTHED_OVER_S = 4.0


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
    """The slope over the first `SMOOTHED_OVER_S` (or all, if it is shorter)."""
    reached = min(SMOOTHED_OVER_S, abs(xs[-1] - xs[0]))
    far = int(np.argmax(np.abs(xs - xs[0]) >= reached))
    return float((ys[far] - ys[0]) / (xs[far] - xs[0]))


def passage_of(path: Path, tempo_map: TempoMap, window_s: float, heard_s: tuple[float, float]) -> Passage:
    """The smoothed course of a path over everything that its cells hear.

    A cell is placed by the middle of what it hears, where an error of its tempo ratio cancels out. The course then
    runs on by half a cell at either end, within the recordings, whose durations are `heard_s`.
    """
    span_s = (tempo_map.length - 1) * tempo_map.hop_s + window_s
    ratios = tempo_map.tempo_ratio[path.rows, path.columns].astype(np.float64)
    ratio = float(np.median(ratios))
    original_s = path.rows * tempo_map.hop_s + span_s / 2
    cover_s = path.columns * tempo_map.hop_s + ratios * span_s / 2
    course = _smooth(original_s, cover_s, ratio, tempo_map.hop_s)
    first_s = max(original_s[0] - span_s / 2, float(course.original_at(0.0)))
    last_s = min(original_s[-1] + span_s / 2, float(course.original_at(heard_s[1])), heard_s[0])
    return course.between(first_s, last_s)


def _smooth(original_s: NDArray, cover_s: NDArray, ratio: float, hop_s: float) -> Passage:
    """A course through scattered points: lines fitted over `SMOOTHED_OVER_S`, or one line if it is shorter."""
    grid_s = np.arange(original_s[0], original_s[-1] + hop_s / 2, hop_s)
    points = round(SMOOTHED_OVER_S / hop_s) // 2 * 2 + 1
    if len(grid_s) >= points:
        return Passage(grid_s, savgol_filter(np.interp(grid_s, original_s, cover_s), points, polyorder=1))
    half_s = max(hop_s, (original_s[-1] - original_s[0]) / 2)
    middle_s = float(np.median(original_s))
    start_s = float(np.median(cover_s - (original_s - middle_s) * ratio)) - half_s * ratio
    return Passage.line((middle_s - half_s, middle_s + half_s), start_s, ratio)
