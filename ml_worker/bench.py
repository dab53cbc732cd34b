"""The benchmarks of `make bench`: each is measured with its baseline in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Table = list[dict[str, Any]]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark by name.

    Attributes:
        what: one line for the list.
        module: has `table() -> list of rows`, each a dict with the same keys.
    """

    what: str
    module: str

    def run(self) -> Table:
        measure: Callable[[], Table] = import_module(self.module).table
        return measure()


BENCHMARKS = {
    "capture": Benchmark("the browser's sound check and capture, in Chromium (synthetic)", "ml_worker.capture_bench"),
    "melody": Benchmark("pitch trackers and separations against annotated voices", "ml_worker.audio.measure"),
    "judging": Benchmark("the check of hums against plain DTW, on f0/mast", "ml_worker.judging.measure"),
    "hums": Benchmark(
        "hums made from the scores of real songs (simulated singer): where the check and DTW find them",
        "ml_worker.judging.measure.scores",
    ),
    "crowd": Benchmark(
        "labels by weighted consensus against plain majority (simulated crowd)", "annotation.crowd.simulation"
    ),
    "review": Benchmark("the queue of the double-check at up to 100,000 items (made up)", "ml_worker.review_bench"),
    "mining": Benchmark(
        "mined fragments and those of published methods against true time maps (synthetic)", "ml_worker.mining.compare"
    ),
    "model": Benchmark(
        "how fast fingerprints and whole analyses are made, against window by window and CREPE tiny",
        "ml_worker.fingerprint.bench",
    ),
    "qbh": Benchmark(
        "hums recognised by the model and by the classical baseline (real and simulated)", "ml_worker.retrieval.measure"
    ),
    "search": Benchmark("from a hum to its song: index, whole way, open set (simulated)", "ml_worker.search_bench"),
    "pgvector": Benchmark(
        "the search's first stage by the database, against faiss (simulated)", "ml_worker.pgvector_bench"
    ),
    "release": Benchmark(
        "releases of 1,000 and 10,000 versions: time a version and memory, against plain FLAC (made up)",
        "ml_worker.release_bench",
    ),
}
