"""Training: one readable loop from aligned pairs to a checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import AlignedPair, Batch, DataRecord, PairSource
from ml_worker.fingerprint.evaluation import evaluate_pairs
from ml_worker.fingerprint.losses import AlignedLoss, left_out_pairs
from ml_worker.fingerprint.network import Encoder, new_encoder
from ml_worker.fingerprint.resume import RunState
from ml_worker.fingerprint.settings import Settings

# The loss that the figures quote is the mean over this many last steps.
LAST_STEPS = 50


class TooLittleData(ValueError):
    """There is not enough to train on. Its text is a sentence."""


@dataclass(frozen=True)
class Progress:
    """Where a training run is: told after every step.

    Attributes:
        step, steps: done, and in all.
        loss: of this step.
        hit_rate: top-1 on the validation pairs at the last look, 0..1; None before the first.
    """

    step: int
    steps: int
    loss: float
    hit_rate: float | None


@dataclass
class _Run:
    """A run as it goes: everything that a resumed one needs."""

    network: Encoder
    optimiser: torch.optim.Optimizer
    step: int = 0
    losses: list[float] = field(default_factory=list)
    looks: list[dict[str, float]] = field(default_factory=list)


def train(
    settings: Settings,
    pairs: Sequence[AlignedPair],
    *,
    validation: Sequence[AlignedPair] = (),
    out: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Checkpoint:
    """Trains an encoder on aligned pairs.

    The same settings and pairs give the same checkpoint on the same machine. With `out`, the checkpoint is saved there,
    and a run that was killed goes on from its last look when it is started again with the same settings and pairs.

    Args:
        settings: what to train, see Settings.
        pairs: originals with their versions, of the training split only.
        validation: pairs of other songs, looked at every `look_every` steps; their originals are sought among those of
            the training pairs too.
        out: a folder for the checkpoint and the resumable state.
        progress: called after every step.

    Raises:
        TooLittleData: with fewer songs than `settings.least_songs`; nothing was done.
        FloatingPointError: the loss is no longer a number, in a sentence.
    """
    refuse_too_little(settings, pairs)
    source, loss_of = PairSource(pairs, settings), AlignedLoss(settings.tau, settings.epsilon)
    data, started = DataRecord.of(pairs), time.monotonic()
    state = RunState(out, settings, data) if out else None
    run = _start(settings, state)
    while run.step < settings.steps and not out_of_patience(settings, run.looks):
        run.losses.append(_step(run, settings, loss_of, source.batch(run.step)))
        run.step += 1
        if run.step % settings.look_every == 0 or run.step == settings.steps:
            run.looks += _look(run, settings, validation, pairs)
            if state:
                state.save(run.network, run.optimiser, run.step, run.losses, run.looks)
        if progress:
            progress(Progress(run.step, settings.steps, run.losses[-1], hit_rate_of(run.looks)))
    checkpoint = Checkpoint(settings, state_of(run.network), data, _figures(run, time.monotonic() - started))
    if out and state:
        checkpoint.save(out)
        state.remove()
    return checkpoint


def refuse_too_little(settings: Settings, pairs: Sequence[AlignedPair]) -> None:
    """Raises TooLittleData with fewer songs than the settings ask for."""
    songs = len({pair.song_id for pair in pairs})
    if songs < settings.least_songs:
        raise TooLittleData(
            f"Training needs accepted hums of at least {settings.least_songs} songs; there are {songs}."
        )


def steps_for(epochs: int, pairs: Sequence[AlignedPair], settings: Settings) -> int:
    """Steps in which every pair is drawn `epochs` times on average."""
    return max(1, math.ceil(epochs * len(pairs) / settings.batch))


def learning_rate_at(step: int, settings: Settings) -> float:
    """A straight rise over the warm-up, then half a cosine down to zero at the end."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    share = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def out_of_patience(settings: Settings, looks: Sequence[dict[str, float]]) -> bool:
    """Whether the last `patience` looks brought no better hit rate than those before them."""
    if not settings.patience or len(looks) <= settings.patience:
        return False
    rates = [look["top1"] for look in looks]
    return max(rates[-settings.patience :]) <= max(rates[: -settings.patience])


def hit_rate_of(looks: Sequence[dict[str, float]]) -> float | None:
    """Top-1 at the last look, if there was one."""
    return looks[-1]["top1"] if looks else None


def _start(settings: Settings, state: RunState | None) -> _Run:
    """A new run, or the one that was interrupted."""
    network = new_encoder(settings.width, settings.dimensions, settings.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    run = _Run(network, optimiser)
    if state and (found := state.load(network, optimiser)):
        run.step, run.losses, run.looks = found
    return run


def _step(run: _Run, settings: Settings, loss_of: nn.Module, batch: Batch) -> float:
    """One step of the optimiser; returns the loss."""
    run.network.train()
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate_at(run.step, settings)
    images, labels, songs = as_tensors(batch)
    vectors = run.network(images)  # (2 B, 1, 80, T) -> (2 B, D)
    loss = loss_of(vectors, labels, left_out_pairs(labels, songs))
    run.optimiser.zero_grad()
    if not torch.isfinite(loss):
        raise FloatingPointError(f"The loss was no number at step {run.step}. Train with a lower learning rate.")
    loss.backward()
    run.optimiser.step()
    return float(loss.detach())


def as_tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Images (2 B, 1, 80, T), labels (2 B,), songs (2 B,)."""
    images = torch.from_numpy(batch.images)[:, None]
    return images, torch.from_numpy(batch.labels), torch.from_numpy(batch.songs)


def _look(
    run: _Run, settings: Settings, validation: Sequence[AlignedPair], pairs: Sequence[AlignedPair]
) -> list[dict[str, float]]:
    """One look at the validation pairs; none without them."""
    if not validation:
        return []
    return [{"step": run.step} | evaluate_pairs(run.network, settings, validation, pairs).as_dict()]


def _figures(run: _Run, seconds: float) -> dict[str, Any]:
    """What the checkpoint tells of its training."""
    last = run.losses[-LAST_STEPS:]
    return {
        "steps": run.step,
        "seconds": round(seconds, 1),
        "loss_first": round(run.losses[0], 4),
        "loss_last": round(sum(last) / len(last), 4),
        "losses": [round(loss, 4) for loss in run.losses],
        "validation": run.looks,
    }
