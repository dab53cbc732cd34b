"""What an index costs and finds, on simulated songs: `python -m ml_worker.retrieval.index.measure`.

    --songs N ...    sizes to measure, songs of four minutes each (1000 10000)
    --unlike N       songs with melodies of their own; the others are their mirrors, see simulated.py (a tenth, at least
                     1000)
    --hums N         simulated hums of 8 s, of songs with melodies of their own (40)
    --folder F       where fingerprints and indexes are kept between runs (var/bench/search)
    --exact N        hums that are also sought exhaustively (20)

Prints, for each size: how long the index took to build, its size on disk, the memory of a process that searched it,
the time of each stage (median and 95th percentile over hums), how often the song hummed is among the first ten, and
recall@10: of the ten songs that an exhaustive search of the uncompressed fingerprints finds best, how many the index
finds among its own ten. Everything is synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.shipped import starter_checkpoint
from ml_worker.retrieval.index.building import Printed, build_printed
from ml_worker.retrieval.index.searcher import Searcher
from ml_worker.retrieval.index.second_stage import along, fits
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.simulated import Catalogue, Hum, hum
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.network_matcher import HumEncoder
from ml_worker.retrieval.recogniser import starter_fusion

SIZES, HUMS, EXACT, LEAST_UNLIKE = (1_000, 10_000), 40, 20, 1_000
TOP = 10
# Songs whose fingerprints the exhaustive search compares at once.
AT_ONCE = 100
# Hums that are sought before the clock counts: the files are mapped, and read where they are first touched.
WARM_UP = 3


@dataclass(frozen=True)
class Measured:
    """What was measured of one index; times in seconds, sizes in bytes.

    Attributes:
        stages: of each stage (and their sum) the median and the 95th percentile.
        top10, top1: the share of hums whose song is among the first ten, the first, after the weighing.
        recall: of the ten best of the exhaustive search, the share that is among the index's ten, both by fingerprints
            alone; None where that was not measured.
        exact_s: what the exhaustive search takes for a hum; None as well.
    """

    songs: int
    windows: int
    build_s: float
    disk: int
    memory: int
    stages: dict[str, tuple[float, float]]
    top10: float
    top1: float
    recall: float | None
    exact_s: float | None


def heard_hums(count: int, unlike: int, encoders: Sequence[HumEncoder]) -> list[Hum]:
    """So many simulated hums in which a melody is heard."""
    found: list[Hum] = []
    number = 0
    while len(found) < count:
        one = hum(number, unlike)
        number += 1
        try:
            encoders[0].windows(one.melody)
        except NothingHeard:
            continue
        found.append(one)
    return found


# --- the exhaustive search


def exhaustive(
    songs: Iterable[Printed], hums: Sequence[Hum], encoders: Sequence[HumEncoder], top: int = TOP
) -> tuple[list[list[str]], float]:
    """The best songs of each hum by the exact score of every song, and the seconds that a hum took."""
    windows = [[encoder.windows(one.melody) for encoder in encoders] for one in hums]
    best: list[list[tuple[float, str]]] = [[] for _ in hums]
    took_s = 0.0
    for block in _blocks(songs, AT_ONCE):
        keys = [song.key for song in block]
        alongs = [
            along([song.vectors[n] for song in block], np.array([song.begins_s[n] for song in block]), encoder)
            for n, encoder in enumerate(encoders)
        ]
        began = time.perf_counter()
        for number, of_hum in enumerate(windows):
            scores = fits(alongs, of_hum).together.scores
            for at in np.argsort(-scores)[:top]:
                best[number].append((float(scores[at]), keys[at]))
            best[number] = sorted(best[number], reverse=True)[:top]
        took_s += time.perf_counter() - began
    return [[key for _, key in of_hum] for of_hum in best], took_s / max(len(hums), 1)


def _blocks(songs: Iterable[Printed], size: int) -> Iterable[list[Printed]]:
    block: list[Printed] = []
    for song in songs:
        block.append(song)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


# --- an index


def built(folder: Path, catalogue: Catalogue, checkpoints: Sequence[Checkpoint], settings: FirstStage) -> float:
    """Builds the index of a catalogue where it is not there yet; the seconds that it took, kept beside it."""
    told = folder.with_suffix(".json")
    if not folder.exists():
        began = time.perf_counter()
        build_printed(folder, catalogue, [one.name for one in checkpoints], settings=settings)
        told.write_text(json.dumps({"build_s": time.perf_counter() - began}), encoding="utf-8")
    return float(json.loads(told.read_text(encoding="utf-8"))["build_s"])


def searched(searcher: Searcher, hums: Sequence[Hum]) -> tuple[list[list[str]], dict[str, tuple[float, float]]]:
    """The keys of what is found for each hum, and the times of each stage."""
    for one in hums[:WARM_UP]:
        searcher.find(one.melody, top=TOP)
    answers = [searcher.find(one.melody, top=TOP) for one in hums]
    names = list(answers[0].seconds)
    times = {name: [answer.seconds[name] for answer in answers] for name in names}
    times["both stages"] = [answer.seconds["first stage"] + answer.seconds["second stage"] for answer in answers]
    times["in all"] = [sum(answer.seconds.values()) for answer in answers]
    spread = {name: (float(np.median(values)), float(np.quantile(values, 0.95))) for name, values in times.items()}
    return [[found.key for found in answer.found] for answer in answers], spread


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def anonymous_bytes() -> int:
    """What this process holds that is no file's: mapped files can be dropped and read again."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(folder: Path, songs: int, unlike: int, hums: int, exact: int, settings: FirstStage) -> Measured:
    """Builds what is missing and measures."""
    import torch

    torch.set_num_threads(1)
    checkpoints = [starter_checkpoint("short"), starter_checkpoint("long")]
    catalogue = Catalogue(folder / "prints", checkpoints, min(unlike, songs), songs)
    catalogue.make()
    index = folder / f"index-{songs}"
    build_s = built(index, catalogue, checkpoints, settings)
    fingerprints_alone = Searcher.open(index, checkpoints, settings=settings)
    sought = heard_hums(max(hums, exact), min(unlike, songs), fingerprints_alone.encoders)
    weighing = Searcher.open(index, checkpoints, settings=settings)
    weighing.fusion = starter_fusion()
    found, stages = searched(weighing, sought[:hums])
    memory = anonymous_bytes()
    recall = exact_s = None
    if exact:
        truth, exact_s = exhaustive(catalogue, sought[:exact], weighing.encoders)
        ours, _ = searched(fingerprints_alone, sought[:exact])
        recall = float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(truth, ours, strict=True)]))
    hits = [[str(one.song) in keys[:top] for one, keys in zip(sought, found, strict=False)] for top in (TOP, 1)]
    return Measured(
        songs=songs,
        windows=fingerprints_alone.windows,
        build_s=build_s,
        disk=size_of(index),
        memory=memory,
        stages=stages,
        top10=float(np.mean(hits[0])),
        top1=float(np.mean(hits[1])),
        recall=recall,
        exact_s=exact_s,
    )


def measured_apart(arguments: Sequence[str]) -> Measured:
    """The same in a process of its own, so that memory is that of one index."""
    run = [sys.executable, "-m", __name__ if __name__ != "__main__" else __spec__.name, "--one", *arguments]
    told = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    return Measured(**json.loads(told))


def row(one: Measured) -> dict[str, Any]:
    """For a table."""
    cells: dict[str, Any] = {"songs": one.songs, "fingerprints, million": one.windows / 1e6, "built in s": one.build_s}
    cells |= {"disk, GB": one.disk / 1e9, "memory, GB": one.memory / 1e9}
    for name, (median, high) in one.stages.items():
        cells |= {f"{name}, ms": 1e3 * median, f"{name}, p95": 1e3 * high}
    recall = "" if one.recall is None else one.recall
    return cells | {"top 10": one.top10, "top 1": one.top1, "recall@10": recall, "exhaustive, s": one.exact_s or ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, nargs="+", default=SIZES)
    parser.add_argument("--unlike", type=int)
    parser.add_argument("--hums", type=int, default=HUMS)
    parser.add_argument("--exact", type=int, default=EXACT)
    parser.add_argument("--folder", type=Path, default=Path("var/bench/search"))
    parser.add_argument("--one", action="store_true", help="print JSON of one size, for another process")
    asked = parser.parse_args()
    for songs in asked.songs:
        unlike = asked.unlike or max(LEAST_UNLIKE, songs // 10)
        if asked.one:
            print(json.dumps(asdict(measured(asked.folder, songs, unlike, asked.hums, asked.exact, FirstStage()))))
            continue
        numbers = {"songs": songs, "unlike": unlike, "hums": asked.hums, "exact": asked.exact, "folder": asked.folder}
        one = measured_apart([f"--{name}={value}" for name, value in numbers.items()])
        print(
            *(
                f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}"
                for name, value in row(one).items()
            ),
            sep="\n",
        )


if __name__ == "__main__":
    main()
