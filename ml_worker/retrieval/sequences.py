"""Fingerprints of many recordings laid end to end, to be searched along their diagonals in one go. Exact, no index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval.linear_scaling import OVERHANG_POWER

Vectors = NDArray[np.float32]

# A window with less voice than this, as a share, has no say.
LEAST_VOICED = 0.2
# A place that holds a smaller share of a hum's windows tells nothing, and counts as one by chance. It is low, as a
# window is inside only where all its seconds are: a target that ends with half of the hum may hold a fifth of them.
LEAST_INSIDE = 0.15
# Targets of so many windows together tell the mean cosine of a place by chance.
BY_CHANCE = 10_000
# Windows of the targets that are compared together, as far as no target is longer: memory stays small, and the
# similarities to a hum in the processor's cache.
BLOCK = 16384


class Query(NamedTuple):
    """What is searched for.

    Attributes:
        vectors: (Q, D), zeros where nothing is heard.
        steps: (Q,) windows of the target from the first to each window of the query, rising, below `longest`.
    """

    vectors: Vectors
    steps: NDArray[np.int64]

    def inside(self) -> NDArray[np.int64]:
        """How many of its windows lie inside a target that goes on for 0, 1, ... windows, up to where all of them do.

        Those that are heard; all where none is.
        """
        is_heard = np.any(self.vectors, axis=1)
        counting = self.steps[is_heard] if is_heard.any() else self.steps
        return np.searchsorted(counting, np.arange(int(counting[-1]) + 2))


class Along(NamedTuple):
    """The best diagonal of each target over some queries; all arrays are (targets,).

    Attributes:
        scores: its mean cosine, -1..1. The cosine is 0 where query or target is silent. Of a query that goes on beyond
            a target's end, the rest counts as `overhung` weighs it.
        places: the window of the target at which it starts.
        queries: which query it is.
    """

    scores: NDArray[np.float32]
    places: NDArray[np.int64]
    queries: NDArray[np.int64]


def heard(prints: Fingerprints) -> Vectors:
    """The vectors (T, D), with zeros for windows without a voice, which would else match one another."""
    return np.where((prints.voiced_share >= LEAST_VOICED)[:, None], prints.vectors, 0)


class AllPlaces(NamedTuple):
    """How well queries fit every place of some targets, which lie end to end with silence between them.

    Attributes:
        scores: (queries, W), -1 in the silence.
        chances: (queries,) the score of a place by chance.
        starts, lengths: (targets,) windows; a target's first, and how many it has.
    """

    scores: Vectors
    chances: NDArray[np.float32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def best(self) -> Along:
        """The best place of each target."""
        scores = self.scores.max(axis=0)
        bounds = zip(self.starts, self.starts + np.maximum(self.lengths, 1), strict=True)
        places = np.array([first + np.argmax(scores[first:last]) for first, last in bounds], dtype=np.int64)
        return Along(scores[places], places - self.starts, self.scores[:, places].argmax(axis=0))

    def at_start(self) -> Along:
        """The first place of each target."""
        scores = self.scores[:, self.starts]
        return Along(scores.max(axis=0), np.zeros_like(self.starts), scores.argmax(axis=0))


def overhung(means: NDArray, shares: NDArray, chance: float) -> NDArray:
    """The scores of places of which only a share of the query's windows lies inside the target, (P,).

    As in `linear_scaling.overhung`: what the mean inside is above chance counts by the share.

    Args:
        means: (P,) mean cosine of the voiced windows inside.
        shares: (P,) of the query's voiced windows that lie inside, 0..1.
        chance: the mean cosine of a place by chance.
    """
    return np.where(shares < LEAST_INSIDE, chance, chance + (means - chance) * shares**OVERHANG_POWER)


class Stack(NamedTuple):
    """Targets laid end to end, so much silence after each that no query reaches from one into the next.

    Attributes:
        vectors: (W, D).
        starts, lengths: (targets,) windows; a target's first, and how many it has.
    """

    vectors: Vectors
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, targets: Sequence[Fingerprints], longest: int) -> Stack:
        """`longest`: windows that a query may reach over."""
        dimensions = targets[0].vectors.shape[1] if targets else 0
        silence = np.zeros((longest, dimensions), np.float32)
        parts = [part for prints in targets for part in (heard(prints), silence)]
        lengths = np.array([len(prints) for prints in targets], dtype=np.int64)
        starts = np.cumsum(lengths + longest) - lengths - longest
        return cls(np.concatenate(parts) if parts else silence, starts, lengths)

    def part(self, first: int, last: int) -> Stack:
        """The targets from the first to before the last, without a copy."""
        begin = self.starts[first]
        end = self.starts[last] if last < len(self.starts) else len(self.vectors)
        return Stack(self.vectors[begin:end], self.starts[first:last] - begin, self.lengths[first:last])

    def left(self) -> NDArray[np.int64]:
        """How many windows a target goes on from each place, (W,); 0 in the silence."""
        ends = np.repeat(self.starts + self.lengths, np.diff(self.starts, append=len(self.vectors)))
        return np.maximum(ends - np.arange(len(self.vectors)), 0)


def diagonal_sums(cosines: NDArray[np.float32], steps: NDArray[np.int64]) -> NDArray[np.float32]:
    """The sum along the diagonal from each place, (W,), of cosines (Q, W); what lies beyond the last is 0."""
    sums = np.zeros(cosines.shape[1], np.float32)
    for row, step in zip(cosines, steps, strict=True):
        sums[: len(row) - step] += row[step:]
    return sums


class Sequences:
    """Targets to be searched.

    Args:
        targets: their fingerprints, all of one hop; one without windows is never found.
        longest: windows that a query may reach over, from its first to its last; 1 or more.
    """

    def __init__(self, targets: Sequence[Fingerprints], longest: int) -> None:
        self.longest = longest
        self._stack = Stack.of(targets, longest)
        self._some = Stack.of(targets[:: max(1, int(self._stack.lengths.sum()) // BY_CHANCE)], longest)

    def along(self, query: Vectors, steps: NDArray[np.int64], *, from_start: bool = False) -> Along:
        """The best diagonal of each target for one query, as in `Query`; from_start: of those from its first window."""
        queries = [Query(query, steps)]
        return self.along_starts(queries) if from_start else self.along_all(queries)[0]

    def along_all(self, queries: Sequence[Query]) -> tuple[Along, Along]:
        """The best diagonal of each target over all queries: of all, and of those that start with its first window."""
        anywhere, at_start = [], []
        for places in self._places(queries):
            anywhere.append(places.best())
            at_start.append(places.at_start())
        return _joined(anywhere), _joined(at_start)

    def every_place(self, queries: Sequence[Query]) -> AllPlaces:
        """How well each query fits every place of every target; for few targets, as all of it is kept."""
        parts = list(self._places(queries))
        scores = np.concatenate([part.scores for part in parts], axis=1)
        return AllPlaces(scores, parts[0].chances, self._stack.starts, self._stack.lengths)

    def along_starts(self, queries: Sequence[Query]) -> Along:
        """The best over all queries of the diagonals that start with a target's first window."""
        weighings = self._weighings(queries)
        found = []
        for part in self._parts():
            scores = []
            for query, weighing in zip(queries, weighings, strict=True):
                rows = part.vectors[part.starts[:, None] + query.steps]  # (targets, Q, D)
                sums = np.einsum("tqd,qd->t", rows, query.vectors)
                scores.append(weighing.scores(sums, part.lengths))
            best = np.argmax(scores, axis=0)
            found.append(Along(np.max(scores, axis=0), np.zeros_like(best), best))
        return _joined(found)

    def _places(self, queries: Sequence[Query]) -> Iterator[AllPlaces]:
        """Every place of some targets at a time."""
        weighings = self._weighings(queries)
        chances = np.array([weighing.chance for weighing in weighings], np.float32)
        for part in self._parts():
            left = part.left()
            every = zip(weighings, _sums(part, queries), strict=True)
            scores = np.stack([weighing.scores(sums, left) for weighing, sums in every])
            yield AllPlaces(scores, chances, part.starts, part.lengths)

    def _parts(self) -> Iterator[Stack]:
        """Neighbouring targets, about BLOCK windows at a time."""
        firsts = np.flatnonzero(np.diff(self._stack.starts // BLOCK, prepend=-1)).tolist()
        for first, last in pairwise([*firsts, len(self._stack.starts)]):
            yield self._stack.part(first, last)

    def _weighings(self, queries: Sequence[Query]) -> list[Weighing]:
        """How the places of each query count; by chance, the median over some that have enough inside, else 0."""
        left = self._some.left()
        weighings = []
        for query, sums in zip(queries, _sums(self._some, queries), strict=True):
            inside = query.inside()
            counts = inside[np.minimum(left, len(inside) - 1)]
            enough = counts / inside[-1] >= LEAST_INSIDE
            chance = float(np.median(sums[enough] / counts[enough])) if enough.any() else 0.0
            weighings.append(Weighing(inside, chance))
        return weighings


class Weighing(NamedTuple):
    """Turns the sums of a query's cosines into scores.

    Attributes:
        inside: as of `Query.inside`.
        chance: the mean cosine of a place by chance.
    """

    inside: NDArray[np.int64]
    chance: float

    def scores(self, sums: NDArray[np.float32], left: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores of places (P,) from their sums and from how many windows their targets go on; -1 of silence."""
        count = int(self.inside[-1])
        scores = sums / np.float32(count)
        scores[left == 0] = -1
        cut = np.flatnonzero((left > 0) & (left < len(self.inside) - 1))
        inside = self.inside[left[cut]]
        scores[cut] = overhung(sums[cut] / np.maximum(inside, 1), inside / count, self.chance)
        return scores


def _sums(stack: Stack, queries: Sequence[Query]) -> Iterator[NDArray[np.float32]]:
    """`diagonal_sums` of each query in its turn."""
    cosines = np.concatenate([query.vectors for query in queries]) @ stack.vectors.T
    at = 0
    for query in queries:
        yield diagonal_sums(cosines[at : at + len(query.steps)], query.steps)
        at += len(query.steps)


def _joined(parts: Sequence[Along]) -> Along:
    if not parts:
        return Along(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Along(*(np.concatenate(values) for values in zip(*parts, strict=True)))
