"""Training: one readable loop from aligned pairs to a checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import (
    FEWEST_NOTES,
    AlignedPair,
    Batch,
    Batches,
    DataRecord,
    Labels,
    Mislabelled,
    PairSource,
    Tune,
    TuneSource,
)
from ml_worker.fingerprint.distributed import Processes, joined, local_rank, share_norms
from ml_worker.fingerprint.evaluation import evaluate_pairs
from ml_worker.fingerprint.image import Image
from ml_worker.fingerprint.losses import AlignedLoss, SegmentSetLoss, left_out_pairs
from ml_worker.fingerprint.network import Encoder, new_encoder
from ml_worker.fingerprint.resume import RunState
from ml_worker.fingerprint.settings import Settings

# The loss that the figures quote is the mean over this many last steps.
LAST_STEPS = 50

Windows = NDArray[np.float32]


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


# Gives the loss of the fingerprints of originals and versions, (N, S, D) each, of songs (N,).
LossOf = Callable[[Tensor, Tensor, Tensor], Tensor]


def train(
    settings: Settings,
    pairs: Sequence[AlignedPair],
    *,
    tunes: Sequence[Tune] = (),
    share_of_tunes: float = 0.5,
    initial: Checkpoint | None = None,
    validation: Sequence[AlignedPair] = (),
    out: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    labels: Labels = "true",
    workers: int = 0,
) -> Checkpoint:
    """Trains an encoder on aligned pairs, on hums that are simulated from tunes, or on both.

    The same settings and data give the same checkpoint on the same machine. With `out`, the checkpoint is saved there,
    and a run that was killed goes on from its last look when it is started again with the same settings and data.
    Where `torchrun` started several processes, they train together, and each returns the checkpoint; only the first
    looks at the validation pairs, saves and calls `progress`. They see the same folder `out`.

    Args:
        settings: what to train, see Settings.
        pairs: originals with their versions, of the training split only.
        tunes: to make hums of.
        share_of_tunes: their share of every batch, where there are pairs too.
        initial: weights to begin with, of a network like the one that the settings describe.
        validation: pairs of other songs, looked at every `look_every` steps; their originals are sought among those of
            the training pairs too.
        out: a folder for the checkpoint and the resumable state.
        progress: called after every step.
        labels: "shuffled" spoils the training on purpose, see `Mislabelled`; the figures say so.
        workers: processes that draw the batches, see `Ahead`; a GPU waits for a single one.

    Raises:
        TooLittleData: with fewer songs than `settings.least_songs`; nothing was done.
        ValueError: the initial weights are of another network, or there are more processes than pairs in a batch.
        FloatingPointError: the loss is no longer a number, in a sentence.
    """
    refuse_too_little(settings, pairs, tunes)
    batches, loss_of = batches_of(settings, pairs, tunes, share_of_tunes, labels), loss_with(settings)
    data, started = DataRecord.of(pairs, tunes), time.monotonic()
    begun_from = [initial.name if initial else ""] + ([share_of_tunes] if pairs and tunes else [])
    begun_from += [labels] if labels != "true" else []
    state = RunState(out, settings, data, *begun_from) if out else None
    processes = joined()
    with Ahead(batches, settings.steps, workers) as ahead:
        run = _start(settings, initial, state, processes)
        while run.step < settings.steps and not out_of_patience(settings, run.looks):
            run.losses.append(_step(run, settings, loss_of, ahead.batch(run.step), processes))
            run.step += 1
            if run.step % settings.look_every == 0 or run.step == settings.steps:
                run.looks += processes.told_by_first(_look(run, settings, validation, pairs, processes))
                if state and processes.is_first:
                    state.save(run.network, run.optimiser, run.step, run.losses, run.looks)
            if progress and processes.is_first:
                progress(Progress(run.step, settings.steps, run.losses[-1], hit_rate_of(run.looks)))
    figures = _figures(run, time.monotonic() - started) | ({"initial": initial.name} if initial else {})
    figures |= {"labels": labels} if labels != "true" else {}
    checkpoint = Checkpoint(settings, state_of(run.network), data, figures)
    if out and state and processes.is_first:
        checkpoint.save(out)
        state.remove()
    return checkpoint


def batches_of(
    settings: Settings,
    pairs: Sequence[AlignedPair],
    tunes: Sequence[Tune],
    share_of_tunes: float,
    labels: Labels = "true",
) -> Batches:
    """What the steps draw from: pairs, tunes, or both."""
    sources, shares = [], []
    hummed = TuneSource(tunes, settings)
    if pairs:
        sources.append(PairSource(pairs, settings))
        shares.append(1 - share_of_tunes if hummed.songs else 1.0)
    if hummed.songs:
        sources.append(hummed)
        shares.append(share_of_tunes if pairs else 1.0)
    if labels == "shuffled":
        sources = [Mislabelled(source) for source in sources]
    return Batches(sources, settings, shares)


class Ahead:
    """Batches in the order of their steps, drawn in the background while those before them are trained on.

    Args:
        batches: a step's batch follows from its number alone, so drawing it early, or elsewhere, changes nothing.
        steps: none is drawn from this step on.
        workers: processes that draw them; with 0 a thread of this process does, one batch ahead.
    """

    def __init__(self, batches: Batches, steps: int, workers: int = 0) -> None:
        self.batches, self.steps, self.workers = batches, steps, workers
        self.step = 0
        self.drawn = self._from(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drawn.close()

    def batch(self, step: int) -> Batch:
        """The batch of a step; those after it are begun."""
        if step != self.step:
            self.drawn.close()
            self.drawn = self._from(step)
        self.step = step + 1
        return next(self.drawn)

    def _from(self, step: int) -> Generator[Batch]:
        steps = range(step, self.steps)
        if self.workers:
            return drawn_by_processes(self.batches, steps, self.workers)
        return drawn_by_a_thread(self.batches, steps)


def drawn_by_a_thread(batches: Batches, steps: range) -> Generator[Batch]:
    """The batches of the steps; a thread draws the next one meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(batches.batch, steps.start)
        for step in steps:
            batch = coming.result()
            if step + 1 in steps:
                coming = pool.submit(batches.batch, step + 1)
            yield batch


def drawn_by_processes(batches: Batches, steps: range, workers: int) -> Generator[Batch]:
    """The batches of the steps; processes draw some of those that follow, and pass them through shared memory."""
    loader = DataLoader(
        _Tensors(batches),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # of its own, as torch's global one is left alone
    )
    for tensors in loader:
        yield Batch(*(tensor.numpy() for tensor in tensors))


@dataclass(frozen=True)
class _Tensors:
    """Batches as lists of tensors by their step, which is what a DataLoader passes between processes."""

    batches: Batches

    def __getitem__(self, step: int) -> list[Tensor]:
        return [torch.from_numpy(values) for values in vars(self.batches.batch(step)).values()]


def loss_with(settings: Settings) -> LossOf:
    """The loss that the settings name."""
    if settings.loss == "segment-set":
        return partial(_segment_set_loss, SegmentSetLoss(settings.gamma, settings.best_pairs), settings.windows)
    return partial(_aligned_loss, AlignedLoss(settings.tau, settings.epsilon))


def _aligned_loss(loss: AlignedLoss, originals: Tensor, versions: Tensor, songs: Tensor) -> Tensor:
    """Each window of a version attracts the window of the original that is aligned with it."""
    pairs, windows, dimensions = originals.shape
    labels = torch.arange(pairs * windows, device=songs.device).repeat(2)
    of_windows = songs.repeat_interleave(windows).repeat(2)
    vectors = torch.cat([originals, versions]).reshape(-1, dimensions)
    return loss(vectors, labels, left_out_pairs(labels, of_windows))


def _segment_set_loss(loss: SegmentSetLoss, windows: int, originals: Tensor, versions: Tensor, songs: Tensor) -> Tensor:
    """A version and its original are two sets of windows of one song."""
    dimensions = originals.shape[-1]
    sets = torch.cat([originals, versions]).reshape(-1, windows, dimensions)
    exists = torch.ones(sets.shape[:2], dtype=torch.bool, device=sets.device)
    of_sets = songs.reshape(len(sets) // 2, -1)[:, 0].repeat(2)
    return loss(sets, exists, of_sets)


def refuse_too_little(
    settings: Settings, pairs: Sequence[AlignedPair], tunes: Sequence[Tune] = (), what: str = "accepted hums"
) -> None:
    """Raises TooLittleData with fewer songs and (long enough) tunes together than the settings ask for.

    Args:
        what: the pairs are, in words.
    """
    songs = len({pair.song_id for pair in pairs}) + sum(len(tune.notes) >= FEWEST_NOTES for tune in tunes)
    if songs < settings.least_songs:
        raise TooLittleData(f"Training needs {what} of at least {settings.least_songs} songs; there are {songs}.")


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


def _start(settings: Settings, initial: Checkpoint | None, state: RunState | None, processes: Processes) -> _Run:
    """A new run, or the one that was interrupted."""
    if processes.count > settings.batch:
        raise ValueError(f"A batch of {settings.batch} is too small for {processes.count} processes; start fewer.")
    network = new_encoder(seed=settings.seed, **settings.network)
    if initial:
        if initial.settings.network != settings.network:
            raise ValueError(f"{initial.name} is another network than the one to be trained.")
        network.load_state_dict(dict(initial.state))
    if processes.count > 1:
        share_norms(network)
    network = network.to(device()).to(memory_format=network.layout)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    run = _Run(network, optimiser)
    if state and (found := state.load(network, optimiser)):
        run.step, run.losses, run.looks = found
    if run.step != processes.told_by_first(run.step):
        raise ValueError("The processes do not see the same folder, so the run cannot go on. Give one that all share.")
    return run


def device() -> torch.device:
    """Where networks are trained: a GPU where there is one, each process of a machine on its own."""
    return torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")


def _step(run: _Run, settings: Settings, loss_of: LossOf, batch: Batch, processes: Processes) -> float:
    """One step of the optimiser; returns the loss."""
    run.network.train()
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate_at(run.step, settings)
    where = next(run.network.parameters()).device
    part = processes.part_of(batch)
    originals = _encoded(run.network, settings, part.originals, part.original_windows, where)
    versions = _encoded(run.network, settings, part.versions, part.version_windows, where)
    whole = [processes.gathered(vectors, len(batch.songs)) for vectors in (originals, versions)]
    loss = loss_of(*whole, torch.from_numpy(batch.songs).to(where))
    value = float(loss.detach())  # a GPU is waited for here, and goes on by itself afterwards
    if not math.isfinite(value):
        raise FloatingPointError(f"The loss was no number at step {run.step}. Train with a lower learning rate.")
    run.optimiser.zero_grad()
    loss.backward()
    processes.add_gradients(run.network)
    run.optimiser.step()
    return value


def _encoded(network: Encoder, settings: Settings, images: Image, windows: Windows, where: torch.device) -> Tensor:
    """The fingerprints (N, S, D) of windows (N, S, 2) of pictures (N, channels, 80, T)."""
    is_half = settings.precision == "bfloat16"
    with torch.autocast(where.type, dtype=torch.bfloat16, enabled=is_half):
        features = network.features(torch.from_numpy(images).to(where))
    bounds = torch.from_numpy(windows).to(where)
    return network.fingerprints(features, bounds[..., 0], bounds[..., 1])


def _look(
    run: _Run,
    settings: Settings,
    validation: Sequence[AlignedPair],
    pairs: Sequence[AlignedPair],
    processes: Processes,
) -> list[dict[str, float]]:
    """One look at the validation pairs, by the first process; none without them."""
    if not validation or not processes.is_first:
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
