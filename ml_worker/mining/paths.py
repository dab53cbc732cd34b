"""Local alignment on a map of scores: the diagonals that two recordings share, whatever lies between them.

The recurrence is that of Smith and Waterman (1981), as cross recurrence plots use it for covers (Serra, 2009): a path
gathers what its cells score, starts where nothing is gathered yet, and may fall for a while if it rises again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How a path comes to a cell: rows and columns since its cell before. Slopes from 1/2 to 2, straight on first.
STEPS = ((1, 1), (1, 2), (2, 1))
START = len(STEPS)


@dataclass(frozen=True)
class Path:
    """A chain of cells, both indices rising.

    Attributes:
        rows, columns: int (N,), the cells.
        score: what they gathered.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    score: float


def local_paths(scores: NDArray[np.floating], least_score: float, most_lost: float) -> list[Path]:
    """The best path from each start that gathers at least `least_score`, strongest first.

    Args:
        scores: (I, J), above 0 where two places match better than chance, below where worse.
        least_score: what a path must gather.
        most_lost: a path ends where it would fall by more than this below its best, so that what one wrong stretch
            separates stays apart.
    """
    if not scores.size:
        return []
    gathered, steps, origins = _gather(np.ascontiguousarray(scores, dtype=np.float32), most_lost)
    rows, columns = np.nonzero(gathered >= least_score)
    strongest_first = np.argsort(-gathered[rows, columns], kind="stable")
    rows, columns = rows[strongest_first], columns[strongest_first]
    _, first = np.unique(origins[rows, columns], return_index=True)
    ends = np.sort(first)  # for each origin its strongest end, strongest path first
    return [
        Path(*_trace_back(steps, int(row), int(column)), score=float(gathered[row, column]))
        for row, column in zip(rows[ends], columns[ends], strict=True)
    ]


def _gather(
    scores: NDArray[np.float32], most_lost: float
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int32]]:
    """For every cell: what the best path that ends there gathers, its last step, and the cell where it starts."""
    height, width = scores.shape
    margin = 2  # the longest step
    padded = height + margin, width + margin
    gathered, peaks = np.zeros(padded, dtype=np.float32), np.zeros(padded, dtype=np.float32)
    origins = np.zeros(padded, dtype=np.int32)
    steps = np.full((height, width), START, dtype=np.int8)
    for row in range(height):
        best, peak = np.zeros(width, dtype=np.float32), np.zeros(width, dtype=np.float32)
        origin = np.arange(row * width, (row + 1) * width, dtype=np.int32)
        for step, (down, right) in enumerate(STEPS):
            came = row + margin - down, slice(margin - right, margin - right + width)
            better = gathered[came] > best
            np.copyto(best, gathered[came], where=better)
            np.copyto(peak, peaks[came], where=better)
            np.copyto(origin, origins[came], where=better)
            np.copyto(steps[row], step, where=better)
        best += scores[row]
        peak = np.maximum(peak, best)
        best[best < peak - most_lost] = 0
        here = row + margin, slice(margin, None)
        gathered[here], peaks[here], origins[here] = np.maximum(best, 0), peak, origin
    return gathered[margin:, margin:], steps, origins[margin:, margin:]


def _trace_back(steps: NDArray[np.int8], row: int, column: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    cells = [(row, column)]
    while steps[row, column] != START:
        down, right = STEPS[steps[row, column]]
        row, column = row - down, column - right
        cells.append((row, column))
    rows, columns = np.array(cells[::-1]).T
    return rows, columns
