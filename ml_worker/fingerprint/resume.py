"""The state of a training run, so that a killed one goes on where it was."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import struct
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ml_worker.fingerprint.checkpoint import (
    canonical_json,
    described_sum,
    metadata_of,
    state_of,
    weights_sum,
    write_whole,
)
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.settings import Settings

log = logging.getLogger(__name__)

ENTRY = "chad_training_state"
Found = tuple[int, list[float], list[dict[str, float]]]


class RunState:
    """The state of one run in a folder, under a name that follows from all that its numbers follow from.

    A run with others has another name, so it is never taken up by mistake.

    Args:
        folder: where the state lies.
        settings, data: of the run.
        begun_from: what else it was begun from: the name of its initial weights, and how its data is mixed.
    """

    def __init__(self, folder: Path, settings: Settings, data: DataRecord, *begun_from: str | float) -> None:
        identity = canonical_json([settings.as_dict(), data.sha256, *begun_from])
        self.path = Path(folder) / f"training-{hashlib.sha256(identity).hexdigest()[:12]}.state"

    def save(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        step: int,
        losses: Sequence[float],
        looks: Sequence[dict[str, float]],
    ) -> None:
        """Writes the state, whole or not at all."""
        tensors = {f"network.{name}": tensor for name, tensor in state_of(network).items()}
        for number, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": tensor.contiguous() for name, tensor in values.items()}
        text = {"step": step, "losses": list(losses), "looks": list(looks)}
        text |= {"sha256": described_sum(weights_sum(tensors), text)}
        write_whole(self.path, safetensors.torch.save(tensors, metadata={ENTRY: json.dumps(text)}))

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Found | None:
        """Puts the saved state into network and optimiser; None where there is none.

        A state that is not what was saved costs time, not the run: it is put aside with a warning, and None is given.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            tensors = safetensors.torch.load(content)
            text = json.loads(metadata_of(content)[ENTRY])
            is_whole = text["sha256"] == described_sum(weights_sum(tensors), text)
        except (SafetensorError, KeyError, TypeError, ValueError, struct.error):
            is_whole = False
        if not is_whole:
            self._put_aside()
            return None
        network.load_state_dict(_part(tensors, "network."))
        whole = optimiser.state_dict()
        whole["state"] = _by_parameter(_part(tensors, "optimiser."))
        optimiser.load_state_dict(whole)
        return text["step"], text["losses"], text["looks"]

    def _put_aside(self) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        with contextlib.suppress(FileNotFoundError):  # where another process of the run was faster
            self.path.replace(aside)
        log.warning("The saved state of the training is damaged. It is now %s; training begins anew.", aside)

    def remove(self) -> None:
        """Forgets the state once the checkpoint is saved."""
        self.path.unlink(missing_ok=True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _by_parameter(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """'3.exp_avg' -> {3: {'exp_avg': …}}, as torch's optimisers want it."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, value = name.split(".", 1)
        state.setdefault(int(number), {})[value] = tensor
    return state
