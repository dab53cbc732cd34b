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
        from_windows: an index of fewer fingerprints of a checkpoint has no first stage: all songs are candidates.
        lists_a_root: lists of the inverted file, for the square root of the fingerprints; at most `most_lists`.
        most_lists: so many at most: assigning takes as long as there are lists.
        trained_on: fingerprints a list that it is trained on.
        bytes_a_code: of the product code of a fingerprint.
        every: every so manieth window of a song is in the inverted file, as neighbours hear nearly the same.
        probes: lists that are looked into for each window of a hum.
        neighbours: of each window of a hum that vote.
        diagonal: windows that count as one place.
        candidates: songs that go on.
    """

    from_windows: int = 300_000
    lists_a_root: float = 4.0
    most_lists: int = 8192
    trained_on: int = 40
    bytes_a_code: int = 16
    every: int = 2
    probes: int = 16
    neighbours: int = 128
    diagonal: int = 4
    candidates: int = 100

    def lists(self, windows: int) -> int:
        """Of an inverted file over so many fingerprints: a power of two."""
        wanted = min(self.most_lists, self.lists_a_root * np.sqrt(max(windows, 1)))
        return 1 << max(0, int(np.log2(max(wanted, 1))))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Votes:
    """Votes for songs.

    Attributes:
        songs: (V,) each once.
        scores: (V,) the sum of the votes of its best place.
    """

    songs: NDArray[np.int64]
    scores: NDArray[np.float64]


def trained(sample: Vectors, windows: int, settings: FirstStage) -> faiss.Index:
    """An inverted file without songs, for so many fingerprints, trained on some of them (N, A)."""
    import faiss

    lists = settings.lists(windows)
    made = faiss.index_factory(sample.shape[1], f"IVF{lists},PQ{settings.bytes_a_code}", faiss.METRIC_INNER_PRODUCT)
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


def votes(found_in: CodesOf, windows: Sequence[HumWindows], settings: FirstStage) -> Votes:
    """The songs of one segment for which a hum votes.

    Args:
        found_in: fingerprints with an inverted file.
        windows: the hum's, projected, at every tempo.
    """
    import faiss

    assert found_in.inverted is not None
    heard = [np.any(one.vectors, axis=1) for one in windows]
    vectors = np.concatenate([one.vectors[is_heard] for one, is_heard in zip(windows, heard, strict=True)])
    if not len(vectors):
        return Votes(np.zeros(0, np.int64), np.zeros(0))
    steps = np.concatenate([one.steps[is_heard] for one, is_heard in zip(windows, heard, strict=True)])
    tempi = np.repeat(np.arange(len(windows)), [int(is_heard.sum()) for is_heard in heard])
    search = faiss.SearchParametersIVF(nprobe=settings.probes)
    similarities, numbers = found_in.inverted.search(vectors, settings.neighbours, params=search)
    return counted(similarities, numbers, steps, tempi, found_in.firsts, settings.diagonal)


def counted(
    similarities: NDArray[np.float32],
    numbers: NDArray[np.int64],
    steps: NDArray[np.int64],
    tempi: NDArray[np.int64],
    firsts: NDArray[np.int64],
    diagonal: int,
) -> Votes:
    """The votes of neighbours.

    A neighbour's vote is how much nearer it is than the farthest of its window: what all are near to says nothing. Of
    one window at one place the best vote counts.

    Args:
        similarities, numbers: (R, K), of each window of a hum its neighbours, the nearest first; -1 where there is none.
        steps, tempi: (R,), which window of the hum it is, and at which tempo.
        firsts: (songs + 1,).
        diagonal: windows that count as one place.
    """
    found = numbers >= 0
    farthest = np.min(similarities, axis=1, where=found, initial=np.inf, keepdims=True)
    worth = np.where(found, similarities - np.where(np.isfinite(farthest), farthest, 0), 0).astype(np.float64)
    row = np.broadcast_to(np.arange(len(numbers))[:, None], numbers.shape)[found]
    number, worth = numbers[found], worth[found]
    songs = np.searchsorted(firsts, number, side="right") - 1
    places = (number - steps[row] - firsts[songs] + firsts[-1]) // diagonal  # never below 0
    # One number for song, tempo and place, and one for these and the window.
    per_song = int((2 * firsts[-1]) // diagonal + 1)
    spots = (songs * (int(tempi.max()) + 1) + tempi[row]) * per_song + places
    order = np.lexsort((-worth, row, spots))
    spots, row, worth, songs = spots[order], row[order], worth[order], songs[order]
    is_best = np.append(True, (spots[1:] != spots[:-1]) | (row[1:] != row[:-1]))
    spots, worth, songs = spots[is_best], worth[is_best], songs[is_best]
    begins = np.flatnonzero(np.append(True, spots[1:] != spots[:-1]))
    sums, of_song = np.add.reduceat(worth, begins), songs[begins]
    voted = np.unique(of_song)
    best = np.zeros(len(voted))
    np.maximum.at(best, np.searchsorted(voted, of_song), sums)
    return Votes(voted, best)
