"""The first stage: a hum's fingerprints vote for songs by their nearest neighbours among all fingerprints.

An inverted file of product codes (Jégou, Douze and Schmid, TPAMI 2011), as faiss has it. A neighbour is a vote for its
song, at the tempo of the hum's window, on the diagonal on which window and neighbour lie: votes of a hum that fit one
place meet there, while those by chance are scattered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.index.codec import Codec, Vectors
from ml_worker.retrieval.network_matcher import HumWindows

if TYPE_CHECKING:
    import faiss

    from ml_worker.retrieval.index.segment import CodesOf

# Windows are trained on, decoded and added so many at a time.
BLOCK = 1 << 18


@dataclass(frozen=True)
class FirstStage:
    """How fingerprints are found again. What the search goes by may be changed without a new index, the rest not.

    Attributes:
        from_windows: a segment of fewer fingerprints of the first checkpoint has no first stage: all its songs go on.
        lists_a_root: lists of the inverted file, for the square root of the fingerprints; at most `most_lists`.
        most_lists: so many at most: assigning takes as long as there are lists.
        trained_on: fingerprints a list that it is trained on.
        bytes_a_code: of the product code of a fingerprint.
        every: every so manieth window of a song is in the inverted file, as neighbours hear nearly the same.
        probes: lists that are looked into for each window of a hum.
        neighbours: of each window of a hum that vote.
        diagonal: windows that count as one place.
        places: with most votes, that are looked at in order.
        candidates: songs that go on.
    """

    from_windows: int = 300_000
    lists_a_root: float = 4.0
    most_lists: int = 8192
    trained_on: int = 40
    bytes_a_code: int = 16
    every: int = 2
    probes: int = 32
    neighbours: int = 512
    diagonal: int = 4
    places: int = 6000
    candidates: int = 100

    def lists(self, windows: int) -> int:
        """Of an inverted file over so many fingerprints: a power of two."""
        wanted = min(self.most_lists, self.lists_a_root * np.sqrt(max(windows, 1)))
        return 1 << max(0, int(np.log2(max(wanted, 1))))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Votes:
    """Votes for places; all arrays are (P,), the most votes first.

    Attributes:
        songs: whose place it is.
        tempi: at which of the hum's tempi.
        diagonals: the first window of the segment at which the hum would start, to the nearest `diagonal` below.
        worth: the sum of its votes.
    """

    songs: NDArray[np.int64]
    tempi: NDArray[np.int64]
    diagonals: NDArray[np.int64]
    worth: NDArray[np.float64]


def trained(sample: Vectors, windows: int, settings: FirstStage) -> faiss.Index:
    """An inverted file without songs, for so many fingerprints, trained on some of them (N, A)."""
    import faiss

    lists = settings.lists(windows)
    # np: no polysemous training, which takes long and is for a search that is not done here.
    made = faiss.index_factory(sample.shape[1], f"IVF{lists},PQ{settings.bytes_a_code}np", faiss.METRIC_INNER_PRODUCT)
    made.cp.max_points_per_centroid = max(settings.trained_on, 64)
    made.train(sample)
    return made


def sample_size(windows: int, settings: FirstStage) -> int:
    """How many fingerprints an inverted file for so many is trained on."""
    return min(windows, max(settings.trained_on * settings.lists(windows), 1 << 16))


def write_inverted(made: faiss.Index, codes: NDArray[np.int8], codec: Codec, every: int, path: Path) -> None:
    """Adds windows (W, A) to a trained inverted file that has none, by their numbers, and writes it."""
    import faiss

    numbers = np.arange(0, len(codes), every, dtype=np.int64)
    for first in range(0, len(numbers), BLOCK):
        some = numbers[first : first + BLOCK]
        vectors = codec.decode(codes[some[0] : some[-1] + 1 : every])
        heard = np.any(vectors, axis=1)
        made.add_with_ids(np.ascontiguousarray(vectors[heard]), some[heard])
    faiss.write_index(made, str(path))


def songs_voted_for(
    found_in: CodesOf, codec: Codec, windows: Sequence[HumWindows], settings: FirstStage
) -> NDArray[np.float64]:
    """How well each song of a segment fits by its best voted place, (songs,), -inf of those without votes.

    Args:
        found_in: fingerprints with an inverted file.
        windows: the hum's, projected, at every tempo.
    """
    scores = np.full(len(found_in.firsts) - 1, -np.inf)
    found = votes(found_in, windows, settings)
    np.maximum.at(scores, found.songs, in_order(found, found_in, codec, windows, settings.diagonal))
    return scores


def votes(found_in: CodesOf, windows: Sequence[HumWindows], settings: FirstStage) -> Votes:
    """The places of a segment for which a hum's windows vote most. Arguments as of `songs_voted_for`."""
    import faiss

    assert found_in.inverted is not None
    heard = [np.any(one.vectors, axis=1) for one in windows]
    vectors = np.concatenate([one.vectors[is_heard] for one, is_heard in zip(windows, heard, strict=True)])
    steps = np.concatenate([one.steps[is_heard] for one, is_heard in zip(windows, heard, strict=True)])
    tempi = np.repeat(np.arange(len(windows)), [int(is_heard.sum()) for is_heard in heard])
    search = faiss.SearchParametersIVF(nprobe=settings.probes)
    similarities, numbers = found_in.inverted.search(vectors, settings.neighbours, params=search)
    return counted(similarities, numbers, steps, tempi, found_in.firsts, settings)


def counted(
    similarities: NDArray[np.float32],
    numbers: NDArray[np.int64],
    steps: NDArray[np.int64],
    tempi: NDArray[np.int64],
    firsts: NDArray[np.int64],
    settings: FirstStage,
) -> Votes:
    """The votes of neighbours for places.

    A neighbour's vote is how much nearer it is than the farthest of its window: what all are near to says nothing. Of
    one window at one place the best vote counts.

    Args:
        similarities, numbers: (R, K), of each window of a hum its neighbours, the nearest first; -1: there is none.
        steps, tempi: (R,), which window of the hum it is, and at which tempo.
        firsts: (songs + 1,).
    """
    found = numbers >= 0
    farthest = np.min(similarities, axis=1, where=found, initial=np.inf, keepdims=True)
    worth = (similarities - np.where(np.isfinite(farthest), farthest, 0))[found].astype(np.float64)
    of_row = np.broadcast_to(np.arange(len(numbers))[:, None], numbers.shape)[found]
    row = of_row
    songs = np.searchsorted(firsts, numbers[found], side="right") - 1
    # Before a song's start a hum may begin, too; so that no number is below 0 all are moved by the longest.
    longest = int(steps.max(initial=0))
    diagonals = (numbers[found] - steps[row] + longest) // settings.diagonal
    per_tempo = int(firsts[-1] + longest) // settings.diagonal + 1
    spots = (songs * (int(tempi.max(initial=0)) + 1) + tempi[row]) * per_tempo + diagonals
    order = np.lexsort((-worth, row, spots))
    spots, row, worth = spots[order], row[order], worth[order]
    is_best = np.append(True, (spots[1:] != spots[:-1]) | (row[1:] != row[:-1]))[: len(spots)]
    order, spots, worth = order[is_best], spots[is_best], worth[is_best]
    begins = np.flatnonzero(np.append(True, spots[1:] != spots[:-1])[: len(spots)])
    sums = np.add.reduceat(worth, begins) if len(begins) else worth
    best = np.argsort(-sums, kind="stable")[: settings.places]
    at = order[begins[best]]
    return Votes(songs[at], tempi[of_row[at]], diagonals[at] * settings.diagonal - longest, sums[best])


def in_order(
    found: Votes, found_in: CodesOf, codec: Codec, windows: Sequence[HumWindows], diagonal: int
) -> NDArray[np.float64]:
    """The best mean cosine of each place, (P,), over the diagonals that it stands for, all windows in their order."""
    scores = np.zeros(len(found.songs))
    shifts = np.arange(-1, diagonal + 1)
    for tempo in np.unique(found.tempi):
        at = np.flatnonzero(found.tempi == tempo)
        one = windows[int(tempo)]
        wanted = found.diagonals[at][:, None, None] + shifts[:, None] + one.steps
        first, last = (found_in.firsts[found.songs[at] + more][:, None, None] for more in (0, 1))
        inside = (wanted >= first) & (wanted < last)
        codes = found_in.codes[np.where(inside, wanted, first)]
        cosines = np.einsum("psqa,qa->psq", codes.astype(np.float32), one.vectors * codec.step, optimize=True)
        heard = max(1, int(np.any(one.vectors, axis=1).sum()))
        scores[at] = np.where(inside, cosines, 0).sum(axis=2).max(axis=1) / heard
    return scores
