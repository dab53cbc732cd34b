"""Small training runs in processes of their own: to be killed, or to be started twice at once by `torchrun`.

    python -m ml_worker.tests.trained_apart FOLDER RUN ... [--wait-at STEP]

Each run has a folder of its own, with the checkpoint; what each process returned lies beside it, by its rank.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import safetensors.torch
import torch

from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.distributed import joined
from ml_worker.fingerprint.training import Progress, _start, _step, batches_of, loss_with, train
from ml_worker.tests.made_pairs import TINY, made_pairs
from ml_worker.tests.made_sung import made_singable

# Seven pairs a batch, so that two processes have unequal parts.
SMALL = TINY.changed(batch=7, steps=4, look_every=2, warmup_steps=2)
RUNS = {
    "aligned": SMALL,
    "segment-set": SMALL.changed(loss="segment-set", windows=4),
    "windows": SMALL.changed(centred="window", attack=False),
    "longer": SMALL.changed(steps=8),
    "patient": SMALL.changed(steps=40, look_every=1, patience=1, learning_rate=1e-9),
}


def trained(name: str, folder: Path | None = None, wait_at: int = 0) -> tuple[Checkpoint, list[int]]:
    """One of the runs; returns the checkpoint and the steps that were told of.

    Args:
        folder: for the checkpoint and the resumable state.
        wait_at: step after which to say so and do nothing more, until killed; 0: never.
    """
    told: list[int] = []

    def progress(at: Progress) -> None:
        told.append(at.step)
        if at.step == wait_at:
            print("waiting", flush=True)
            sys.stdin.read()

    pairs, tunes, unheard = made_pairs(range(3)), made_singable(range(3)), made_pairs(range(50, 52))
    return train(RUNS[name], pairs, tunes=tunes, validation=unheard, out=folder, progress=progress), told


def gradients(name: str) -> dict[str, torch.Tensor]:
    """The gradients of a run's first step, by the names of the weights."""
    settings, pairs, tunes = RUNS[name], made_pairs(range(3)), made_singable(range(3))
    processes = joined()
    run = _start(settings, None, None, processes)
    _step(run, settings, loss_with(settings), batches_of(settings, pairs, tunes, 0.5).batch(0), processes)
    return {part: weights.grad.contiguous() for part, weights in run.network.named_parameters()}


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="+", choices=RUNS)
    parser.add_argument("--wait-at", type=int, default=0)
    asked = parser.parse_args()
    rank = os.environ.get("RANK", "0")
    for name in asked.runs:
        checkpoint, told = trained(name, asked.folder / name, asked.wait_at)
        (asked.folder / f"{name}.{rank}.safetensors").write_bytes(checkpoint.to_bytes())
        safetensors.torch.save_file(gradients(name), asked.folder / f"{name}.{rank}.gradients")
        (asked.folder / f"{name}.{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
