"""Fingerprints of many recordings laid end to end, to be searched along their diagonals in one go. Exact, no index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints

Vectors = NDArray[np.float32]

# A window with less voice than this, as a share, has no say.
LEAST_VOICED = 0.2
# Windows of the targets that are compared together: their similarities to a hum stay in the processor's cache.
BLOCK = 8192


class Along(NamedTuple):
    """The best diagonal of each target: its mean cosine, -1..1, and the window of the target at which it starts."""

    scores: NDArray[np.float32]
    places: NDArray[np.int64]


def heard(prints: Fingerprints) -> Vectors:
    """The vectors (T, D), with zeros for windows without a voice, which would else match one another."""
    return np.where((prints.voiced_share >= LEAST_VOICED)[:, None], prints.vectors, 0)


class Sequences:
    """Targets to be searched.

    Args:
        targets: their fingerprints, all of one hop; one without windows is never found.
        longest: windows that a query may reach over, from its first to its last.
    """

    def __init__(self, targets: Sequence[Fingerprints], longest: int) -> None:
        dimensions = targets[0].vectors.shape[1] if targets else 0
        # So much silence between two targets that a query never reaches from one into the next.
        silence = np.zeros((longest, dimensions), np.float32)
        parts, starts, at = [], [], 0
        for prints in targets:
            starts.append(at)
            parts += [heard(prints), silence]
            at += len(prints) + longest
        self.starts = np.asarray(starts, dtype=np.int64)
        self.lengths = np.array([len(prints) for prints in targets], dtype=np.int64)
        self.vectors = np.concatenate(parts) if parts else np.zeros((0, dimensions), np.float32)
        self.longest = longest

    def along(self, query: Vectors, steps: NDArray[np.int64], *, from_start: bool = False) -> Along:
        """The best diagonal of each target.

        Args:
            query: (Q, D), zeros where nothing is heard.
            steps: (Q,) windows of the target from the first to each window of the query, rising, below `longest`.
            from_start: only the diagonals that start with a target's first window.

        Returns:
            Scores and places (targets,); where query or target is silent or the target ends, the cosine is 0.
        """
        voiced = max(int(np.any(query, axis=1).sum()), 1)
        if from_start:
            rows = np.minimum(self.starts[:, None] + steps, len(self.vectors) - 1)  # (targets, Q)
            scores = np.einsum("tqd,qd->t", self.vectors[rows], query) / voiced
            return Along(np.where(self.lengths > 0, scores, -1).astype(np.float32), np.zeros_like(self.starts))
        sums = np.zeros(len(self.vectors), np.float32)
        reach = int(steps[-1])
        for first in range(0, len(self.vectors), BLOCK):
            block = self.vectors[first : first + BLOCK + reach]
            cosines = query @ block.T  # (Q, block)
            size = min(BLOCK, len(self.vectors) - first)
            whole = sums[first : first + size]
            for row, step in zip(cosines, steps, strict=True):
                part = row[step : step + size]
                whole[: len(part)] += part
        return self._best(sums / voiced)

    def _best(self, scores: NDArray[np.float32]) -> Along:
        """The best place of each target, among its own windows."""
        best = np.full(len(self.starts), -1, np.float32)
        places = np.zeros(len(self.starts), np.int64)
        is_there = self.lengths > 0
        if is_there.any():
            bounds = np.stack([self.starts[is_there], self.starts[is_there] + self.lengths[is_there]], axis=1)
            best[is_there] = np.maximum.reduceat(np.append(scores, -1), bounds.ravel())[::2]
            places[is_there] = [int(np.argmax(scores[first:last])) for first, last in bounds]
        return Along(best, places)
