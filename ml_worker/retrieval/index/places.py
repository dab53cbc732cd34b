"""How well a hum fits places of songs: all its windows in their order, of all checkpoints together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.index.codec import Codec, Vectors
from ml_worker.retrieval.index.inverted import Numbers
from ml_worker.retrieval.index.segment import CodesOf
from ml_worker.retrieval.index.votes import Votes
from ml_worker.retrieval.network_matcher import HumWindows
from ml_worker.retrieval.sequences import overhung

# Places that are decoded together, so that they stay in the processor's cache.
BLOCK = 256
# Windows of a segment that tell the mean cosine of a place by chance.
BY_CHANCE = 500


def in_order(
    votes: Votes,
    found_in: Sequence[CodesOf],
    codecs: Sequence[Codec],
    hum: Sequence[Sequence[HumWindows]],
    hops_s: Sequence[float],
    diagonal: int,
) -> NDArray[np.float64]:
    """The best mean cosine of each place, (P,), over the windows that it stands for and one either way.

    What of a hum goes on beyond a song's end counts as in the exact search (`sequences.overhung`).

    Args:
        found_in, codecs, hops_s: of each checkpoint.
        hum: of each checkpoint its windows, projected, at every tempo.
    """
    scores = np.zeros(len(votes.songs))
    lengths = np.diff(found_in[0].firsts)
    usual = [
        codec.decode(one.codes[:: len(one.codes) // BY_CHANCE + 1]) for one, codec in zip(found_in, codecs, strict=True)
    ]
    for tempo in np.unique(votes.tempi):
        windows = [of_one[int(tempo)] for of_one in hum]
        chances = [_chance(one, vectors) for one, vectors in zip(windows, usual, strict=True)]
        of_tempo = np.flatnonzero(votes.tempi == tempo)
        for first in range(0, len(of_tempo), BLOCK):
            at = of_tempo[first : first + BLOCK]
            songs = votes.songs[at]
            places = votes.places[at][:, None] + np.arange(-1, diagonal + 1)
            places = np.clip(places, 0, lengths[songs][:, None] - 1)
            each = [
                _means(of_one, codec, one, songs, np.rint(places * (hops_s[0] / hop_s)).astype(np.int64), chance)
                for of_one, codec, one, hop_s, chance in zip(found_in, codecs, windows, hops_s, chances, strict=True)
            ]
            scores[at] = np.mean(each, axis=0).max(axis=1)
    return scores


def _chance(hum: HumWindows, usual: Vectors) -> float:
    """The mean cosine of a place by chance: of the hum's windows and usual ones of songs."""
    heard, voiced = (vectors[np.any(vectors, axis=1)] for vectors in (hum.vectors, usual))
    return float(heard.mean(axis=0) @ voiced.mean(axis=0)) if len(heard) and len(voiced) else 0.0


def _means(
    found_in: CodesOf, codec: Codec, hum: HumWindows, songs: Numbers, places: Numbers, chance: float
) -> NDArray[np.float64]:
    """The mean cosine of a hum's windows and those of a song from each place on; places (P, S) rise along S."""
    firsts, ends = found_in.firsts[songs], found_in.firsts[songs + 1]
    shifts = places - places[:, :1]
    # Neighbouring places share most windows, so each is decoded and compared once.
    most = int(shifts.max()) + 1
    offsets, which = np.unique(np.arange(most)[:, None] + hum.steps, return_inverse=True)
    which = which.reshape(most, -1)
    wanted = (firsts + places[:, 0])[:, None] + offsets
    inside = wanted < ends[:, None]
    rows = codec.decode(found_in.codes[np.where(inside, wanted, 0)])
    cosines = (rows.reshape(-1, rows.shape[-1]) @ hum.vectors.T).reshape(*wanted.shape, -1)
    cosines[~inside] = 0
    heard = np.any(hum.vectors, axis=1)
    sums = cosines[:, which, np.arange(len(hum.steps))].sum(axis=2)  # (P, most)
    counts = inside[:, which][:, :, heard].sum(axis=2)
    means = overhung(sums / np.maximum(counts, 1), counts / max(1, int(heard.sum())), chance)
    return np.take_along_axis(means, shifts, axis=1)
