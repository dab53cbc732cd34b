"""The second stage: the whole of each candidate under a hum, along its diagonals, at every tempo.

What a place is worth is the mean cosine of the hum's windows and those of the song in the same order, which for unit
vectors is the correlation of both sequences; short and long windows count together, at the same place and tempo: a song
that fits in one place by the one and in another by the other fits nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval.index.codec import Vectors
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.network_matcher import HumEncoder, HumWindows, TargetsAlong
from ml_worker.retrieval.recogniser import mean_of
from ml_worker.retrieval.sequences import AllPlaces, Sequences


class Fits(NamedTuple):
    """How well songs fit a hum.

    Attributes:
        together: the best place by all checkpoints together: what songs are ranked by.
        anywhere, at_start: the mean of what each checkpoint says of its own best place, and of the song's first: what
            the weighing goes by, as in `retrieval/recogniser.py`.
    """

    together: Matches
    anywhere: Matches
    at_start: Matches


def along(songs: Sequence[Vectors], begins_s: NDArray[np.float64], encoder: HumEncoder) -> TargetsAlong:
    """Songs to be laid under hums.

    Args:
        songs: of each its fingerprints (T, D), projected or not, zeros where it is silent; none where it has no voice.
        begins_s: (songs,) the second of each first window.
        encoder: the checkpoint's.
    """
    settings = encoder.settings
    prints = [
        Fingerprints(one, settings.window_s, settings.hop_s, np.ones(len(one), np.float32), encoder.name)
        for one in songs
    ]
    is_voiced = np.array([len(one) > 0 for one in songs], dtype=bool)
    return TargetsAlong(Sequences(prints, encoder.longest), begins_s, is_voiced, settings.hop_s)


def fits(each: Sequence[TargetsAlong], hum: Sequence[Sequence[HumWindows]]) -> Fits:
    """How well songs fit a hum.

    Args:
        each: the songs by each checkpoint.
        hum: of each checkpoint its windows at every tempo, projected where the songs are.
    """
    places = [of_one.every_place(windows) for of_one, windows in zip(each, hum, strict=True)]
    one_by_one = list(zip(each, hum, places, strict=True))
    anywhere = mean_of([of_one.matches(windows, found.best()) for of_one, windows, found in one_by_one])
    at_start = mean_of([of_one.matches(windows, found.at_start()) for of_one, windows, found in one_by_one])
    both = together(places, [of_one.hop_s for of_one in each])
    return Fits(each[0].matches(hum[0], both.best()), anywhere, at_start)


def together(each: Sequence[AllPlaces], hops_s: Sequence[float]) -> AllPlaces:
    """The mean of what several checkpoints say of the places of the first.

    Where one has no window any more, as its windows are longer, it counts as by chance.
    """
    first = each[0]
    its = np.repeat(np.arange(len(first.starts)), np.diff(first.starts, append=first.scores.shape[1]))
    place = np.arange(first.scores.shape[1]) - first.starts[its]
    scores = first.scores.copy()
    for more, hop_s in zip(each[1:], hops_s[1:], strict=True):
        same = np.rint(place * (hops_s[0] / hop_s)).astype(np.int64)
        is_there = same < more.lengths[its]
        of_place = more.scores[:, np.where(is_there, more.starts[its] + same, 0)]
        scores += np.where(is_there, of_place, more.chances[:, None])
    return first._replace(scores=scores / len(each), chances=np.mean([one.chances for one in each], axis=0))
