"""Trains the starter checkpoints that ship: on tunes that are free of restrictions, hummed by simulated singers.

    python -m ml_worker.fingerprint.starter_training short --tunes cre.zip pop909.zip --out DIR
    python -m ml_worker.fingerprint.starter_training long --tunes cre.zip pop909.zip --out DIR --initial SHORT

SHORT is the file that the first one left in DIR. The same command under `torchrun` uses several GPUs; each of them is
fast enough for several processes that draw hums (`--workers`). Every tenth tune is held back for validation. The run's
log is written beside the checkpoint, a line a look.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.catalogue.tune_files import read_tunes
from ml_worker.fingerprint.checkpoint import Checkpoint, write_whole
from ml_worker.fingerprint.data import FEWEST_NOTES, Tune
from ml_worker.fingerprint.distributed import joined
from ml_worker.fingerprint.evaluation import simulated_pairs
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.shipped import notes_of
from ml_worker.fingerprint.training import Progress, train

# Tunes that are composed by rule beside those that are read.
COMPOSED = 2000
COMPOSER_SEED = 1
# Every so many tunes one is held back.
HELD_BACK = 10
# Settings that the command line changes.
CHANGEABLE = ("width", "batch", "steps", "look_every")
# Weights are stored in half precision: half the file, and figures that differ in the fourth digit at most.
STORED_AS = torch.float16


def tunes_from(paths: Sequence[Path], composed: int = COMPOSED) -> list[Tune]:
    """The tunes of archives or folders, by name, and then those composed by rule."""
    scores = [score for path in paths for score in sorted(read_tunes(path).scores, key=lambda score: score.name)]
    scores += compose_tunes(composed, seed=COMPOSER_SEED)
    return [Tune(score.name, notes_of(score.notes)) for score in scores if len(score.notes) >= 2 * FEWEST_NOTES]


def split(tunes: Sequence[Tune]) -> tuple[list[Tune], list[Tune]]:
    """What is trained on, and what is held back."""
    trained = [tune for number, tune in enumerate(tunes) if number % HELD_BACK]
    return trained, list(tunes[::HELD_BACK])


def stored(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its weights as they are shipped."""
    state = {
        name: tensor.to(STORED_AS) if tensor.is_floating_point() else tensor
        for name, tensor in checkpoint.state.items()
    }
    return Checkpoint(checkpoint.settings, state, checkpoint.data, checkpoint.figures, checkpoint.created)


def log_of(checkpoint: Checkpoint) -> str:
    """The run as a table: step, mean loss since the last line, hit rates on hums of the tunes held back."""
    lines, last = ["step\tloss\ttop1\ttop10\tmrr"], 0
    losses = checkpoint.figures["losses"]
    for look in checkpoint.figures["validation"]:
        step = int(look["step"])
        loss = float(np.mean(losses[last:step]))
        lines.append(f"{step}\t{loss:.4f}\t{look['top1']:.4f}\t{look['top10']:.4f}\t{look['mrr']:.4f}")
        last = step
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["short", "long"])
    parser.add_argument("--tunes", type=Path, nargs="+", default=[], help="archives or folders of MIDI files")
    parser.add_argument("--composed", type=int, default=COMPOSED, help="tunes composed by rule beside them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, its log and what resumes")
    parser.add_argument("--initial", type=Path, help="a checkpoint of the same network to begin with")
    for name in CHANGEABLE:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="instead of what the settings say")
    parser.add_argument("--workers", type=int, default=0, help="processes that draw the hums, 0 for a thread")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the processor")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    changes = {name: getattr(asked, name) for name in CHANGEABLE if getattr(asked, name) is not None}
    settings = Settings.starter(asked.kind, **changes)
    trained, held_back = split(tunes_from(asked.tunes, asked.composed))
    initial = Checkpoint.load(asked.initial) if asked.initial else None
    is_first = joined().is_first  # of several processes only the first tells and writes
    began = time.monotonic()
    with tqdm(total=settings.steps, unit="step", disable=not is_first) as bar:

        def tell(at: Progress) -> None:
            rate = "" if at.hit_rate is None else f", top-1 {at.hit_rate:.3f}"
            bar.set_postfix_str(f"loss {at.loss:.3f}{rate}", refresh=False)
            bar.update(at.step - bar.n)

        validation = simulated_pairs(held_back, settings, settings.seed)
        checkpoint = train(
            settings,
            [],
            tunes=trained,
            initial=initial,
            validation=validation,
            out=asked.out,
            progress=tell,
            workers=asked.workers,
        )
    if not is_first:
        return
    shipped = stored(checkpoint)
    write_whole(asked.out / f"{asked.kind}.safetensors", shipped.to_bytes())
    write_whole(asked.out / f"training-{asked.kind}.tsv", log_of(shipped).encode())
    print(f"{shipped.name}: {len(trained)} tunes, {settings.steps} steps, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
