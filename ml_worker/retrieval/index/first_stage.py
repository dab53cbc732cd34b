"""The first stage: which songs of all are worth a whole look.

Fingerprints of the hum vote for places by their nearest neighbours (`votes`); of all segments the places with most
votes are looked at in order (`places`); the songs of the best places go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.index.codec import Codec
from ml_worker.retrieval.index.places import in_order
from ml_worker.retrieval.index.segment import CodesOf
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.votes import Votes, ballot, counted
from ml_worker.retrieval.network_matcher import HumWindows


class Mapping(Protocol):
    """`map`, or that of a pool of threads."""

    def __call__(self, task: Callable[..., Any], /, *arguments: Iterable[Any]) -> Iterable[Any]: ...


def songs_that_fit(
    segments: Sequence[Sequence[CodesOf]],
    codecs: Sequence[Codec],
    hum: Sequence[Sequence[HumWindows]],
    hops_s: Sequence[float],
    settings: FirstStage,
    mapping: Mapping = map,
) -> list[NDArray[np.float64]]:
    """How well each song of each segment fits by its best voted place, (songs,), -inf of those without.

    Args:
        segments: of each its fingerprints by checkpoint, with neighbours.
        codecs, hops_s: of each checkpoint.
        hum: of each checkpoint its windows, projected, at every tempo.
        mapping: runs parts of it side by side.
    """
    share = 1 / len(codecs)

    def asked(task: tuple[CodesOf, Sequence[HumWindows]]) -> Any:
        found_in, windows = task
        assert found_in.neighbours is not None
        return ballot(found_in.neighbours, windows, share, settings)

    def told(task: tuple[Sequence[CodesOf], Sequence[Any]]) -> Votes:
        found_in, ballots = task
        return counted(ballots, [one.firsts for one in found_in], hops_s, settings)

    def looked_at(task: tuple[Sequence[CodesOf], Votes]) -> NDArray[np.float64]:
        found_in, votes = task
        scores = np.full(len(found_in[0].firsts) - 1, -np.inf)
        np.maximum.at(scores, votes.songs, in_order(votes, found_in, codecs, hum, hops_s, settings.diagonal))
        return scores

    tasks = [(of_one, windows) for found_in in segments for of_one, windows in zip(found_in, hum, strict=True)]
    ballots = list(mapping(asked, tasks))
    by_segment = [ballots[at : at + len(codecs)] for at in range(0, len(ballots), len(codecs))]
    votes = list(mapping(told, list(zip(segments, by_segment, strict=True))))
    return list(mapping(looked_at, list(zip(segments, _most_voted(votes, settings.places), strict=True))))


def _most_voted(each: Sequence[Votes], most: int) -> list[Votes]:
    """Of the places of all segments those with most votes."""
    worth = np.concatenate([votes.worth for votes in each]) if each else np.zeros(0)
    if len(worth) <= most:
        return list(each)
    least = np.partition(worth, len(worth) - most)[len(worth) - most]
    return [votes.of(votes.worth >= least) for votes in each]
