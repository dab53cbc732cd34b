"""What each part of the network is worth: the poster's ablations on simulated hums. Synthetic.

    python -m ml_worker.retrieval.ablations --tunes cre.zip pop909.zip [--steps N] [--out TABLE.md]

Features (CREPE's salience, constant-Q transform, the fast tracker) x windows (short, long, fused) x losses, and each
departure from the paper's design by itself. All networks are trained alike, for so many steps, on hums that are
simulated as curves; the features are those of the hums that are sought, so a network meets salience it was not trained
on. Hums are of tunes that nothing was trained on, by the simulated singer who makes sound, among a fifth of all tunes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody, track_salience
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.image import Source
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.starter_training import split, tunes_from
from ml_worker.fingerprint.training import train
from ml_worker.retrieval.benchmarks import Benchmark, tunes
from ml_worker.retrieval.metrics import hit_rates
from ml_worker.retrieval.recogniser import Recogniser

FEATURES: Mapping[str, Callable[[Sound], Source]] = {
    "fast tracker": track_melody,
    "CREPE tiny": partial(track_salience, method="crepe-tiny"),
    "CQT": partial(track_salience, method="cqt"),
}
LOSSES = ("nt-xent", "segment-set")
# Departures from the paper, each taken back by itself.
WITHOUT: Mapping[str, dict[str, Any]] = {
    "without attacks": {"attack": False},
    "windows by themselves": {"centred": "window", "windows": 1, "batch": 384},
    "windows by themselves, without attacks, ResNet18's steps": {
        "centred": "window", "windows": 1, "batch": 384, "attack": False, "time_strides": (1, 2, 2, 2),
    },
}  # fmt: skip
STEPS, HUMS = 300, 60
# Every so many of the tunes that are not hummed are sought among.
FEWER = 5


def trained(kind: str, steps: int, on: Sequence[Any], **changes: Any) -> Checkpoint:
    settings = Settings.starter(kind, steps=steps, **changes)
    return train(settings, [], tunes=on)


def row(name: str, feature: str, windows: str, benchmark: Benchmark, checkpoints: Sequence[Checkpoint]) -> str:
    ranks = benchmark.ranks(Recogniser(benchmark.targets, checkpoints))
    rates = hit_rates(ranks)
    return f"| {name} | {feature} | {windows} | {rates.mrr:.3f} | {rates.top[1]:.3f} | {rates.top[10]:.3f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tunes", type=Path, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--hums", type=int, default=HUMS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    on, _ = split(tunes_from(asked.tunes))
    benchmarks = {name: tunes(hums=asked.hums, track=track).among_fewer(FEWER) for name, track in FEATURES.items()}
    lines = ["| network | feature | windows | MRR | top-1 | top-10 |", "|---|---|---|---|---|---|"]
    began = time.monotonic()

    def tell(line: str) -> None:
        lines.append(line)
        print(f"{line} {time.monotonic() - began:.0f} s", flush=True)
        if asked.out:
            asked.out.write_text("\n".join(lines) + "\n", encoding="utf-8")

    for loss in LOSSES:
        short, long = (trained(kind, asked.steps, on, loss=loss) for kind in ("short", "long"))
        for windows, checkpoints in (("short", [short]), ("long", [long]), ("fused", [short, long])):
            for feature, benchmark in benchmarks.items():
                tell(row(loss, feature, windows, benchmark, checkpoints))
    for name, changes in WITHOUT.items():
        checkpoint = trained("short", asked.steps, on, **changes)
        tell(row(name, "fast tracker", "short", benchmarks["fast tracker"], [checkpoint]))


if __name__ == "__main__":
    main()
