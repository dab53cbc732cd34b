"""The state of a training run, so that a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ml_worker.fingerprint.checkpoint import canonical_json, metadata_of, state_of, write_whole
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.settings import Settings

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
        text = json.dumps({"step": step, "losses": list(losses), "looks": list(looks)})
        write_whole(self.path, safetensors.torch.save(tensors, metadata={ENTRY: text}))

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Found | None:
        """Puts the saved state into network and optimiser; None where there is none or it cannot be read."""
        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        try:
            tensors = safetensors.torch.load(content)
            text = json.loads(metadata_of(content)[ENTRY])
        except (SafetensorError, KeyError, ValueError, struct.error):
            return None  # a damaged state costs time, not the run: it starts anew
        network.load_state_dict(_part(tensors, "network."))
        whole = optimiser.state_dict()
        whole["state"] = _by_parameter(_part(tensors, "optimiser."))
        optimiser.load_state_dict(whole)
        return text["step"], text["losses"], text["looks"]

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
