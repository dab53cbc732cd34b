"""Votes for places: the nearest neighbours of a hum's fingerprints meet where the hum fits, and scatter elsewhere.

A place is where in a song a hum would begin, at a tempo. It is counted in windows of the first checkpoint; windows of
another, whose hop is another, vote for the place that is nearest in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.index.codec import Vectors
from ml_worker.retrieval.index.inverted import Neighbours, Numbers
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.network_matcher import HumWindows


class Ballot(NamedTuple):
    """What some windows of a hum found among those of a segment by one checkpoint.

    Attributes:
        similarities, numbers: (R, K), of each window its neighbours, the nearest first; -1: there is none.
        steps, tempi: (R,), which window of the hum it is, and at which of its tempi.
        shares: (R,), by how much each counts.
    """

    similarities: Vectors
    numbers: Numbers
    steps: Numbers
    tempi: Numbers
    shares: NDArray[np.float64]


class Votes(NamedTuple):
    """Votes for places; all arrays are (P,).

    Attributes:
        songs: whose place it is.
        tempi: at which of the hum's tempi.
        places: the first of `FirstStage.diagonal` windows at which the hum would begin, counted from the song's first.
        worth: the sum of its votes.
    """

    songs: Numbers
    tempi: Numbers
    places: Numbers
    worth: NDArray[np.float64]

    def of(self, which: NDArray) -> Votes:
        return Votes(*(values[which] for values in self))


def ballot(neighbours: Neighbours, windows: Sequence[HumWindows], share: float, settings: FirstStage) -> Ballot:
    """Asks for the neighbours of some windows of a hum, evenly chosen at each tempo.

    Args:
        windows: the hum's, projected, at every tempo.
        share: by how much all of a tempo count together.
    """
    voters = [_evenly(np.flatnonzero(np.any(one.vectors, axis=1)), settings.voters) for one in windows]
    vectors = np.concatenate([one.vectors[which] for one, which in zip(windows, voters, strict=True)])
    steps = np.concatenate([one.steps[which] for one, which in zip(windows, voters, strict=True)])
    counts = np.array([len(which) for which in voters])
    similarities, numbers = neighbours.search(settings.voting(vectors), settings.neighbours)
    tempi = np.repeat(np.arange(len(windows)), counts)
    return Ballot(similarities, numbers, steps, tempi, np.repeat(share / np.maximum(counts, 1), counts))


def _evenly(numbers: Numbers, most: int) -> Numbers:
    """So many of them at most, from the first to the last."""
    if len(numbers) <= most:
        return numbers
    return numbers[np.rint(np.linspace(0, len(numbers) - 1, most)).astype(int)]


def counted(
    ballots: Sequence[Ballot], firsts: Sequence[Numbers], hops_s: Sequence[float], settings: FirstStage
) -> Votes:
    """The votes of neighbours for places, the most first, `settings.places` at most.

    A neighbour's vote is how much nearer it is than the farthest of its window: what all are near to says nothing.
    The votes of a place's neighbour (on one side, the greater) count with it, as hums do not keep to the grid.

    Args:
        ballots: of each checkpoint.
        firsts: (songs + 1,) of each, the first window of each song and how many there are.
        hops_s: of each, seconds.
    """
    diagonal = settings.diagonal
    # All places of a segment in a row, so far apart from song to song that none are neighbours.
    begins = firsts[0][:-1] + 2 * diagonal * np.arange(len(firsts[0]) - 1)
    spots_a_tempo = int(firsts[0][-1] + 2 * diagonal * len(firsts[0])) // diagonal + 1
    each = [
        _spots(one, of_one, firsts[0], begins, hop_s / hops_s[0], spots_a_tempo, diagonal)
        for one, of_one, hop_s in zip(ballots, firsts, hops_s, strict=True)
    ]
    spots, worth = (np.concatenate(values) for values in zip(*each, strict=True))
    order = np.argsort(spots)
    spots, worth = spots[order], worth[order]
    at = np.flatnonzero(np.append(True, spots[1:] != spots[:-1])[: len(spots)])
    spots, sums = spots[at], np.add.reduceat(worth, at) if len(at) else worth
    follow = spots[1:] == spots[:-1] + 1
    after, before = np.append(follow * sums[1:], 0)[: len(sums)], np.append(0, follow * sums[:-1])[: len(sums)]
    sums = sums + np.maximum(after, before)
    best = _largest(sums, settings.places)
    tempi, spots = np.divmod(spots[best], spots_a_tempo)
    songs = np.searchsorted(begins, (spots + 1) * diagonal - 1, side="right") - 1
    return Votes(songs, tempi, spots * diagonal - begins[songs], sums[best])


def _spots(
    one: Ballot, firsts: Numbers, first_firsts: Numbers, begins: Numbers, ratio: float, a_tempo: int, diagonal: int
) -> tuple[Numbers, NDArray[np.float64]]:
    """The number of the place that each neighbour votes for, and what its vote is worth."""
    found = one.numbers >= 0
    farthest = np.min(one.similarities, axis=1, where=found, initial=np.inf, keepdims=True)
    worth = ((one.similarities - np.where(np.isfinite(farthest), farthest, 0)) * one.shares[:, None])[found]
    numbers = one.numbers[found]
    steps, tempi = (np.broadcast_to(values[:, None], found.shape)[found] for values in (one.steps, one.tempi))
    songs = np.searchsorted(firsts, numbers, side="right") - 1
    places = numbers - firsts[songs] - steps
    if ratio != 1:
        places = np.rint(places * ratio).astype(np.int64)
    inside = (places >= 0) & (places < np.diff(first_firsts)[songs])
    spots = tempi[inside] * a_tempo + (begins[songs[inside]] + places[inside]) // diagonal
    return spots, worth[inside].astype(np.float64)


def _largest(values: NDArray, most: int) -> Numbers:
    """The indices of the largest, the largest first."""
    some = np.argpartition(-values, most - 1)[:most] if len(values) > most else np.arange(len(values))
    return some[np.argsort(-values[some], kind="stable")]
