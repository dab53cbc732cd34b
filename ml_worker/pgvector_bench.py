"""The benchmark `pgvector`: the search's first stage by the database (CHAD_INDEX=pgvector), against faiss and against a
comparison with every window.

1,000 simulated songs, or as many as CHAD_BENCH_SONGS says, in an index of either engine, in a database that is made for
it and dropped afterwards. Of pgvector also with fewer and with more lists looked into than CHAD uses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from django.conf import settings as django_settings

from ml_worker.fingerprint.shipped import starter_checkpoint
from ml_worker.models import SearchIndex
from ml_worker.retrieval.index.building import build_printed
from ml_worker.retrieval.index.codec import Codec, Vectors
from ml_worker.retrieval.index.inverted import Engine, InvertedFiles, Neighbours, Numbers, voting_windows
from ml_worker.retrieval.index.measure import HUMS, LEAST_UNLIKE, TOP, exhaustive, heard_hums, searched
from ml_worker.retrieval.index.searcher import Searcher
from ml_worker.retrieval.index.segment import CodesOf
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.simulated import Catalogue, Hum
from ml_worker.retrieval.index.votes import ballot
from ml_worker.retrieval.linear_scaling import TEMPO_RATIOS
from ml_worker.retrieval.network_matcher import HumWindows, heard_hum
from ml_worker.review_bench import own_database
from ml_worker.search_bench import SIZES, asked_sizes
from ml_worker.window_vectors import PROBES, PgVector

Row = dict[str, Any]

# Lists that are looked into, beside those that CHAD looks into.
OTHER_PROBES = (PROBES // 2, 2 * PROBES)
# Hums whose neighbours are also sought among all windows, and which are sought exhaustively.
EXACT = 20


def table() -> list[Row]:
    sizes = asked_sizes(os.environ.get("CHAD_BENCH_SONGS") or SIZES)
    return [row for songs in sizes for row in rows_of(songs, Path(django_settings.CHAD_HOME) / "bench" / "search")]


def rows_of(songs: int, folder: Path) -> Iterator[Row]:
    """The rows of one size.

    Args:
        folder: where the fingerprints of simulated songs are kept between runs.
    """
    checkpoints = [starter_checkpoint("short"), starter_checkpoint("long")]
    names = [one.name for one in checkpoints]
    catalogue = Catalogue(folder / "prints", checkpoints, min(max(LEAST_UNLIKE, songs // 10), songs), songs)
    catalogue.make()
    with own_database(), TemporaryDirectory(prefix="chad-bench-") as home:
        index = SearchIndex.objects.create(checkpoints=names, engine=SearchIndex.Engine.PGVECTOR)
        hums, found_by_all = None, None
        for engine in (InvertedFiles(), PgVector(index)):
            timed = Timed(engine)
            path = Path(home) / engine.name
            build_printed(path, catalogue, names, settings=FirstStage(), engine=timed)
            opened = Searcher.open(path, checkpoints, engine=engine)
            if hums is None:
                hums = heard_hums(HUMS, catalogue.unlike, opened.encoders)
                found_by_all, _ = exhaustive(catalogue, hums[:EXACT], opened.encoders)
            size = (
                sum(part.bytes for part in index.window_parts.all())
                if isinstance(engine, PgVector)
                else faiss_bytes(path)
            )
            for variant in variants(engine):
                searcher = Searcher.open(path, checkpoints, engine=variant)
                measured = of_searcher(searcher, hums, found_by_all)
                yield {"engine": said(variant), "songs": songs, "built, s": timed.took_s, "MB": size / 1e6, **measured}


def variants(engine: Engine) -> list[Engine]:
    if not isinstance(engine, PgVector):
        return [engine]
    return [engine, *(PgVector(engine.index, probes) for probes in OTHER_PROBES)]


def said(engine: Engine) -> str:
    return f"{engine.name}, {engine.probes} lists" if isinstance(engine, PgVector) else engine.name


def faiss_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.faiss"))


class Timed:
    """An engine whose writing is timed.

    Attributes:
        took_s: seconds that it took.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name, self.took_s = engine, engine.name, 0.0

    def write(self, *what: Any) -> None:
        began = time.perf_counter()
        self.engine.write(*what)
        self.took_s += time.perf_counter() - began

    def open(self, *what: Any, **more: Any) -> Neighbours | None:
        return self.engine.open(*what, **more)


# --- searches


def of_searcher(searcher: Searcher, hums: Sequence[Hum], found_by_all: Sequence[Sequence[str]]) -> Row:
    """What an index finds, and how fast.

    Args:
        hums: the first of them were sought exhaustively.
        found_by_all: what was found so.
    """
    searcher.fusion = None
    found, stages = searched(searcher, hums)
    median, high = stages["first stage"]
    return {
        "first stage, ms": 1e3 * median,
        "p95": 1e3 * high,
        "neighbours found": neighbours_found(searcher, hums[: len(found_by_all)]),
        "recall@10": float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found_by_all, found, strict=False)])),
        "hummed song among ten": float(np.mean([str(hum.song) in keys for hum, keys in zip(hums, found, strict=True)])),
    }


def neighbours_found(searcher: Searcher, hums: Sequence[Hum]) -> float:
    """Of the neighbours that were found, the share that is among as many that are nearest of all."""
    shares = []
    for number, codec in enumerate(searcher.codecs):
        for segment in searcher.segments:
            of_one = segment.by_checkpoint[searcher.manifest.checkpoints[number]]
            every = Every.of(of_one, codec, searcher.settings)
            for hum in hums:
                windows = projected(searcher, number, hum)
                best = [ballot(one, windows, 1.0, searcher.settings).numbers for one in (every, of_one.neighbours)]
                shares += [share_found(nearest, found[found >= 0]) for nearest, found in zip(*best, strict=True)]
    return float(np.mean(shares))


def share_found(nearest: Numbers, found: Numbers) -> float:
    """Of what was found the share that is among as many nearest, (K,), the nearest first; 0 of nothing."""
    return float(np.isin(found, nearest[: len(found)]).mean()) if len(found) else 0.0


def projected(searcher: Searcher, number: int, hum: Hum) -> list[HumWindows]:
    """A hum's windows on the axes of a checkpoint, at every tempo."""
    windows = searcher.encoders[number].windows_at(heard_hum(hum.melody), TEMPO_RATIOS)
    return [HumWindows(one.ratio, searcher.codecs[number].project(one.vectors), one.steps) for one in windows]


@dataclass(frozen=True)
class Every:
    """`Neighbours` by a comparison with every window that votes: their vectors (N, A) and numbers (N,)."""

    vectors: Vectors
    numbers: Numbers

    @classmethod
    def of(cls, found_in: CodesOf, codec: Codec, settings: FirstStage) -> Every:
        blocks = list(voting_windows(found_in.codes, codec, settings))
        return cls(*(np.concatenate(of_blocks) for of_blocks in zip(*blocks, strict=True)))

    def search(self, vectors: Vectors, count: int) -> tuple[Vectors, Numbers]:
        """As of `Neighbours`, exactly."""
        similarities = vectors @ self.vectors.T
        best = np.argsort(-similarities, axis=1)[:, :count]
        return np.take_along_axis(similarities, best, axis=1), self.numbers[best]
