"""Fingerprints of many recordings laid end to end, to be searched along their diagonals in one go. Exact, no index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval.linear_scaling import LEAST_INSIDE, OVERHANG_POWER

Vectors = NDArray[np.float32]

# A window with less voice than this, as a share, has no say.
LEAST_VOICED = 0.2
# Windows of the targets that tell the mean cosine of a place by chance.
BY_CHANCE = 4000
# Windows of the targets that are compared together: their similarities to a hum stay in the processor's cache.
BLOCK = 8192


class Along(NamedTuple):
    """The best diagonal of each target: its mean cosine, -1..1, and the window of the target at which it starts."""

    scores: NDArray[np.float32]
    places: NDArray[np.int64]


def heard(prints: Fingerprints) -> Vectors:
    """The vectors (T, D), with zeros for windows without a voice, which would else match one another."""
    return np.where((prints.voiced_share >= LEAST_VOICED)[:, None], prints.vectors, 0)


def overhung(sums: NDArray, inside: NDArray[np.int64] | int, voiced: int, chance: float) -> NDArray:
    """The scores of places from the sums of their cosines, (P,), where only some windows lie inside the target.

    As in `linear_scaling.overhung`: what the mean inside is above chance counts by the share of the windows.

    Args:
        sums: (P,) of cosines, over the windows inside.
        inside: (P,) or one, voiced windows of the query inside the target.
        voiced: voiced windows of the query.
        chance: the sum of a place by chance.
    """
    share = np.asarray(inside) / voiced
    by_chance = chance / voiced
    scores = by_chance + (sums / np.maximum(inside, 1) - by_chance) * share**OVERHANG_POWER
    return np.where(share < LEAST_INSIDE, -1, scores)


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
        windows = np.flatnonzero(np.any(self.vectors, axis=1))
        self.some = windows[:: -(-len(windows) // BY_CHANCE) or 1]

    def along(self, query: Vectors, steps: NDArray[np.int64], *, from_start: bool = False) -> Along:
        """The best diagonal of each target.

        Args:
            query: (Q, D), zeros where nothing is heard.
            steps: (Q,) windows of the target from the first to each window of the query, rising, below `longest`.
            from_start: only the diagonals that start with a target's first window.

        Returns:
            Scores and places (targets,). The cosine is 0 where query or target is silent. Of a query that goes on
            beyond a target's end, the rest counts as `overhung` weighs it.
        """
        voiced_steps = steps[np.any(query, axis=1)]
        voiced = max(len(voiced_steps), 1)
        # inside[n]: voiced windows of the query that lie inside a target that goes on for n windows.
        inside = np.searchsorted(voiced_steps, np.arange(int(steps[-1]) + 2))
        if from_start:
            rows = np.minimum(self.starts[:, None] + steps, len(self.vectors) - 1)  # (targets, Q)
            sums = np.einsum("tqd,qd->t", self.vectors[rows], query)
            scores = overhung(sums, inside[np.minimum(self.lengths, len(inside) - 1)], voiced, float(np.median(sums)))
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
        chance = float(np.median(sums[self.some])) if len(self.some) else 0.0
        for left in range(1, len(inside)):
            places = (self.starts + self.lengths - left)[self.lengths >= left]
            sums[places] = overhung(sums[places], inside[left], voiced, chance) * voiced
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
