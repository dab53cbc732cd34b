"""The benchmark of pgvector measures what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml_worker.bench import BENCHMARKS
from ml_worker.fingerprint.shipped import starter_checkpoint
from ml_worker.models import SearchIndex
from ml_worker.pgvector_bench import Every, Timed, neighbours_found, of_searcher, said, share_found, variants
from ml_worker.retrieval.index import Entry, Searcher, build
from ml_worker.retrieval.index.calibration import foreign_hums
from ml_worker.retrieval.index.inverted import InvertedFiles
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.simulated import Hum
from ml_worker.window_vectors import PROBES, PgVector


class EveryWindow(InvertedFiles):
    """An engine that keeps nothing: it compares with every window."""

    def __init__(self, least: float) -> None:
        """
        Args:
            least: neighbours that are less similar are not found.
        """
        self.least = least
        self.written: dict[str, Every] = {}

    def write(self, index, segment, checkpoint, codes, codec, settings) -> None:
        vectors = settings.voting(codec.decode(codes[:: settings.every]))
        self.written[checkpoint] = Every(vectors, np.arange(0, len(codes), settings.every))

    def open(self, index, segment, checkpoint, settings):
        return Near(self.written[checkpoint], self.least)


class Near:
    def __init__(self, every: Every, least: float) -> None:
        self.every, self.least = every, least

    def search(self, vectors, count):
        similarities, numbers = self.every.search(vectors, count)
        return similarities, np.where(similarities < self.least, -1, numbers)


def searcher(tmp_path, hums: Sequence[Hum], least: float) -> Searcher:
    """Of an index whose songs are no more than their hums."""
    checkpoints = [starter_checkpoint("short")]
    songs = [Entry(str(hum.song), hum.melody) for hum in hums]
    settings = FirstStage(from_windows=1, neighbours=5)
    engine = EveryWindow(least)
    build(tmp_path / "index", songs, checkpoints, settings=settings, engine=engine)
    return Searcher.open(tmp_path / "index", checkpoints, engine=engine)


def test_it_is_among_the_benchmarks():
    assert BENCHMARKS["pgvector"].module == "ml_worker.pgvector_bench"


def test_the_nearest_of_every_window_are_the_nearest():
    rng = np.random.default_rng(0)
    vectors, asked = rng.normal(size=(40, 8)), rng.normal(size=(3, 8))
    similarities, numbers = Every(vectors, 2 * np.arange(40)).search(asked, 5)
    for one, of_one, of_numbers in zip(asked, similarities, numbers, strict=True):
        products = {2 * at: float(one @ vector) for at, vector in enumerate(vectors)}
        assert of_numbers.tolist() == sorted(products, key=products.__getitem__)[:-6:-1]
        np.testing.assert_allclose(of_one, [products[number] for number in of_numbers])


def test_who_finds_all_neighbours_has_found_all_of_them_and_who_finds_none_none(tmp_path):
    hums = [Hum(number, melody) for number, melody in enumerate(foreign_hums(2))]
    every = searcher(tmp_path / "every", hums, -2.0)
    assert neighbours_found(every, hums) == 1.0
    assert neighbours_found(searcher(tmp_path / "none", hums, 2.0), hums) == 0.0
    row = of_searcher(every, hums, [[str(one.song)] for one in hums])
    assert (row["hummed song among ten"], row["recall@10"]) == (1.0, 0.1)


def test_what_was_found_is_held_against_as_many_nearest():
    assert share_found(np.array([1, 2, 3, 4]), np.array([2, 1])) == 1.0
    assert share_found(np.array([1, 2, 3, 4]), np.array([2, 3])) == 0.5


def test_writing_is_timed():
    waits = InvertedFiles()
    waits.write = lambda *what: None  # type: ignore[method-assign]
    timed = Timed(waits)
    timed.write()
    assert timed.took_s > 0


def test_of_pgvector_other_shares_of_the_lists_are_measured_beside_that_of_chad():
    index = SearchIndex(checkpoints=[], engine=SearchIndex.Engine.PGVECTOR)
    assert [said(one) for one in variants(PgVector(index))] == [
        f"pgvector, {probes} lists" for probes in (PROBES, PROBES // 2, 2 * PROBES)
    ]
    assert [said(one) for one in variants(InvertedFiles())] == ["faiss"]
