"""The nearest fingerprints of a segment: what finds them, and how faiss does.

An inverted file of product codes (Jégou, Douze and Schmid, TPAMI 2011) lies beside the segment's codes. They are of
four bits a part, which are looked up in the processor's registers (André, Kermarrec and Le Scouarnec, VLDB 2015): faiss
reads such files into memory. Another engine may stand in for it, such as a database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.checkpoint import write_whole
from ml_worker.retrieval.index.codec import Codec, Codes, Vectors
from ml_worker.retrieval.index.layout import coarse_path
from ml_worker.retrieval.index.settings import FirstStage

Numbers = NDArray[np.int64]

if TYPE_CHECKING:
    import faiss

# Windows are decoded and brought to what finds them so many at a time.
BLOCK = 1 << 16
# An inverted file is trained on so many fingerprints at least, as far as there are.
LEAST_SAMPLE = 1 << 16


class Neighbours(Protocol):
    """Finds the nearest fingerprints of a segment."""

    def search(self, vectors: Vectors, count: int) -> tuple[Vectors, Numbers]:
        """The windows with the largest inner products, approximately.

        Args:
            vectors: (R, A).
            count: of windows for each, K.

        Returns:
            Inner products (R, K), the nearest first, and the windows' numbers in the segment (R, K); where there are
            fewer, -inf and -1.
        """
        ...


class Engine(Protocol):
    """Keeps the fingerprints of segments so that the nearest are found.

    Attributes:
        name: of the engine; an index is opened with the one that it was built with.
    """

    name: str

    def write(
        self, index: Path, segment: Path, checkpoint: str, codes: Codes, codec: Codec, settings: FirstStage
    ) -> None:
        """Takes a new segment's fingerprints, `settings.every` of them, by their numbers.

        Args:
            index: the folder of the whole, which may have another name before it is there.
            segment: the folder in which the segment is written; named as it will be, but for a `.part` at its end.
        """
        ...

    def open(self, index: Path, segment: Path, checkpoint: str, settings: FirstStage) -> Neighbours | None:
        """What finds them again; None where the segment has so few that all its songs are looked at."""
        ...


class InvertedFiles:
    """Inverted files beside the codes, by faiss."""

    name = "faiss"

    def write(
        self, index: Path, segment: Path, checkpoint: str, codes: Codes, codec: Codec, settings: FirstStage
    ) -> None:
        """As of `Engine`. The first segment of an index trains the centroids, which all share."""
        import faiss

        path = coarse_path(index, checkpoint)
        if not path.exists():
            rng = np.random.default_rng(0)
            chosen = np.sort(rng.choice(len(codes), size=sample_size(len(codes), settings), replace=False))
            sample = settings.voting(codec.decode(codes[chosen]))
            made = trained(sample[np.any(sample, axis=1)], len(codes), settings)
            write_whole(path, faiss.serialize_index(made).tobytes())
        write_inverted(faiss.read_index(str(path)), codes, codec, settings, _file(segment, checkpoint))

    def open(self, index: Path, segment: Path, checkpoint: str, settings: FirstStage) -> Inverted | None:
        """As of `Engine`."""
        path = _file(segment, checkpoint)
        return Inverted.open(path, settings.probes) if path.exists() else None


def _file(segment: Path, checkpoint: str) -> Path:
    return segment / f"{checkpoint}.faiss"


@dataclass(frozen=True)
class Inverted:
    """An inverted file over the windows of a segment.

    Attributes:
        file: as faiss has it.
        probes: lists that are looked into for each vector.
    """

    file: faiss.Index
    probes: int

    @classmethod
    def open(cls, path: Path, probes: int) -> Self:
        """Reads one from its file."""
        import faiss

        return cls(faiss.read_index(str(path), faiss.IO_FLAG_READ_ONLY), probes)

    def search(self, vectors: Vectors, count: int) -> tuple[Vectors, Numbers]:
        """As of `Neighbours`."""
        import faiss

        faiss.omp_set_num_threads(1)  # of its own in this thread: the parts of a search run side by side already
        asked = faiss.SearchParametersIVF(nprobe=self.probes)
        similarities, numbers = self.file.search(np.ascontiguousarray(vectors), count, params=asked)
        return np.where(numbers < 0, -np.inf, similarities), numbers


def trained(sample: Vectors, windows: int, settings: FirstStage) -> faiss.Index:
    """An inverted file without songs, for so many fingerprints, trained on some of them (N, A)."""
    import faiss

    lists = settings.lists(windows)
    # Two parts of four bits a byte, of what a fingerprint differs by from its list's centroid.
    kind = f"IVF{lists},PQ{2 * settings.bytes_a_code}x4fsr"
    made = faiss.index_factory(sample.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    made.cp.max_points_per_centroid = max(settings.trained_on, 64)
    made.cp.min_points_per_centroid = settings.trained_on // 2  # some of the sample are silent, and left out
    made.train(np.ascontiguousarray(sample))
    return made


def sample_size(windows: int, settings: FirstStage) -> int:
    """How many fingerprints an inverted file for so many is trained on."""
    return min(windows, max(settings.trained_on * settings.lists(windows), LEAST_SAMPLE))


def write_inverted(made: faiss.Index, codes: Codes, codec: Codec, settings: FirstStage, path: Path) -> None:
    """Adds windows (W, width) to a trained inverted file that has none, by their numbers, and writes it."""
    import faiss

    for vectors, numbers in voting_windows(codes, codec, settings):
        made.add_with_ids(np.ascontiguousarray(vectors), numbers)
    faiss.write_index(made, str(path))


def voting_windows(codes: Codes, codec: Codec, settings: FirstStage) -> Iterator[tuple[Vectors, Numbers]]:
    """The windows of a segment that are voted for, block by block: (N, A), and their numbers (N,). None is silent."""
    numbers = np.arange(0, len(codes), settings.every, dtype=np.int64)
    for first in range(0, len(numbers), BLOCK):
        some = numbers[first : first + BLOCK]
        vectors = settings.voting(codec.decode(codes[some[0] : some[-1] + 1 : settings.every]))
        heard = np.any(vectors, axis=1)
        yield vectors[heard], some[heard]
