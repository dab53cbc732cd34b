"""How well hums are recognised: the model, its parts, and the classical baseline.

    python -m ml_worker.retrieval.measure mast songs rendered tunes beyond [--every N] [--cache DIR]

mast: real voices. Performances that a jury passed, sought among the references of their melodies and all tunes of
melodies/. Pitch curves only. songs: hums of the phrases of five real songs made from their scores by the simulated
singer, sought among the recordings, separated and tracked, and 2,000 tunes; the queries are synthetic, the targets
real. rendered: simulated hums of the starter tunes, sought among these, rendered with an accompaniment, separated and
tracked, and 2,000 tunes. tunes: simulated hums of tunes that nothing was trained on, among all tunes. beyond: the same,
hummed on beyond the tunes' ends. These three are synthetic.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ml_worker.audio.separation import METHODS
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.shipped import FOLDER, KINDS
from ml_worker.retrieval.benchmarks import BENCHMARKS, SEPARATIONS, Benchmark, Half
from ml_worker.retrieval.classical import ClassicalMatcher
from ml_worker.retrieval.matcher import Matcher
from ml_worker.retrieval.metrics import hit_rates, intervals
from ml_worker.retrieval.recogniser import Recogniser, starter_fusion

# The quick table takes every so many hums: no multiple of the turns by which starts (3), singers (2) and bands (5) go
# round, so that the mix of them stays.
QUICK = 7


def matchers_of(
    benchmark: Benchmark, parts: Sequence[str] = ("model", "classical"), folder: Path = FOLDER
) -> dict[str, Matcher]:
    """What is compared: the model as it ships, its parts by themselves, the baseline.

    Args:
        folder: has the checkpoints of both kinds, those that ship or others. The model weighs them as those that ship.
    """
    short, long = (Checkpoint.load(folder / f"{kind}.safetensors") for kind in KINDS)
    makers: dict[str, Callable[[], Matcher]] = {
        "model": lambda: Recogniser(benchmark.targets, [short, long], starter_fusion()),
        "fused": lambda: Recogniser(benchmark.targets, [short, long]),
        "short": lambda: Recogniser(benchmark.targets, [short]),
        "long": lambda: Recogniser(benchmark.targets, [long]),
        "classical": lambda: ClassicalMatcher(benchmark.targets),
    }
    return {name: makers[name]() for name in parts}


def measured(
    name: str, benchmark: Benchmark, matchers: Mapping[str, Matcher], *, from_start: bool = False
) -> list[dict[str, Any]]:
    """A row for each matcher: hit rates with 95 % intervals over songs, and seconds a hum."""
    rows = []
    for what, matcher in matchers.items():
        began = time.perf_counter()
        ranks = benchmark.ranks(matcher, from_start=from_start)
        seconds = (time.perf_counter() - began) / len(benchmark.hums)
        rates = hit_rates(ranks)
        bounds = intervals(ranks, [target for target, _ in benchmark.hums]) or {}
        row = {"benchmark": name, "start": "known" if from_start else "any", "matcher": what, "hums": len(ranks)}
        row |= {key: round(value, 3) for key, value in rates.as_dict().items()}
        row |= {f"{key} 95 %": "{:.3f}-{:.3f}".format(*bounds[key]) for key in ("top1", "top10") if key in bounds}
        rows.append(row | {"seconds a hum": round(seconds, 2)})
    return rows


def table(every: int = QUICK) -> list[dict[str, Any]]:
    """For `make bench`: every so many hums of each benchmark."""
    rows = []
    for name, make in BENCHMARKS.items():
        benchmark = make().every(every)
        rows += measured(name, benchmark, matchers_of(benchmark))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all by default")
    every = f"only every Nth hum; {QUICK} keeps the mix of starts and singers, 2, 3 and 5 do not"
    parser.add_argument("--every", type=int, default=1, help=every)
    parser.add_argument("--parts", default="model,fused,short,long,classical")
    parser.add_argument("--half", choices=get_args(Half), default="held out", help="of f0/mast")
    ways = f"how the melodies of recordings are taken from them, of {', '.join(METHODS)}"
    parser.add_argument("--separations", default=",".join(SEPARATIONS), help=ways)
    others = "folder with short.safetensors and long.safetensors to measure instead of those that ship"
    parser.add_argument("--starter", type=Path, default=FOLDER, help=others)
    parser.add_argument("--cache", type=Path, help="folder for the melodies of the songs' recordings")
    asked = parser.parse_args(arguments)
    for name in asked.names or BENCHMARKS:
        of_songs = {"cache": asked.cache, "separations": asked.separations.split(",")}
        extra = {"mast": {"half": asked.half}, "songs": of_songs, "rendered": of_songs}.get(name, {})
        benchmark = BENCHMARKS[name](**extra).every(asked.every)
        matchers = matchers_of(benchmark, asked.parts.split(","), asked.starter)
        starts = (False, True) if name == "mast" else (False,)
        for from_start in starts:
            for row in measured(name, benchmark, matchers, from_start=from_start):
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
