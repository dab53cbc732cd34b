"""A checkpoint: trained weights with everything that is needed to use and to repeat them.

The file is a safetensors file, which holds numbers and text and cannot run anything; no pickle is ever read. Its
metadata holds one JSON text: class, arguments, settings, data, figures, and a sum over these and the weights. The name
comes from the weights and the settings, so the same training gives the same name, and a name never means two things.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.network import Encoder
from ml_worker.fingerprint.settings import Settings

# The single metadata entry; one entry keeps the file's bytes the same from run to run.
ENTRY = "chad_checkpoint"
# The network's class, as the file names it. Nothing is ever made from a name in a file.
NETWORK = Encoder.__name__
SUFFIX = ".safetensors"


class UnusableCheckpoint(ValueError):
    """A file that is not a checkpoint, or no longer what was saved. Its text is a sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """Trained weights, and how they came about.

    Attributes:
        settings: what the training was told.
        state: the encoder's weights by name.
        data: what it was trained on.
        figures: what was measured: losses, hit rates, steps, seconds. Plain JSON values.
        created: ISO 8601, UTC.
        saved_as: its name, where it comes from a file.
    """

    settings: Settings
    state: Mapping[str, Tensor]
    data: DataRecord
    figures: Mapping[str, Any] = field(default_factory=dict)
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    saved_as: str = ""

    @cached_property
    def name(self) -> str:
        """The kind and the first 12 digits of the sum of weights and settings, e.g. short-0123456789ab.

        A checkpoint that was saved keeps its name, though later versions of the settings have more in them.
        """
        if self.saved_as:
            return self.saved_as
        settings = canonical_json(self.settings.as_dict())
        return f"{self.settings.kind}-{hashlib.sha256(self._weights_sum + settings).hexdigest()[:12]}"

    @cached_property
    def _weights_sum(self) -> bytes:
        return weights_sum(self.state)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the network is made with."""
        return self.settings.network

    def encoder(self) -> Encoder:
        """The network with these weights, ready to be used and no longer trained.

        Raises:
            UnusableCheckpoint: where the weights are not those of the network that the settings describe.
        """
        with torch.device("meta"):  # which makes shapes alone: a network that is described too large would fill memory
            described = Encoder(**self.arguments).state_dict()
        if shapes_of(described) != shapes_of(self.state):
            raise UnusableCheckpoint("The weights do not fit the network that the checkpoint describes.")
        network = Encoder(**self.arguments)
        network.load_state_dict(dict(self.state))
        return network.eval()

    def save(self, folder: Path) -> Path:
        """Writes `<folder>/<name>.safetensors`, whole or not at all, and returns its path."""
        path = Path(folder) / f"{self.name}{SUFFIX}"
        write_whole(path, self.to_bytes())
        return path

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a checkpoint and checks its sums.

        Raises:
            UnusableCheckpoint: where the file is something else, damaged or of another version, or its weights are no
                finite numbers or all zero.
            OSError: where it cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes())

    def to_bytes(self) -> bytes:
        """The whole file."""
        text = self._description()
        state = {name: tensor.contiguous() for name, tensor in self.state.items()}
        return safetensors.torch.save(state, metadata={ENTRY: json.dumps(text, sort_keys=True)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """The inverse of to_bytes. Raises UnusableCheckpoint as load does."""
        try:
            state = safetensors.torch.load(data)
            text = json.loads(metadata_of(data)[ENTRY])
        except (SafetensorError, KeyError, ValueError, struct.error) as error:
            raise UnusableCheckpoint(
                "This file is not a checkpoint of this platform, or it is damaged. Take one that training saved."
            ) from error
        checkpoint = cls._from_description(text, state)
        if text.get("sha256") != described_sum(checkpoint._weights_sum, text):
            raise UnusableCheckpoint(
                "This checkpoint is not what was saved: its checksum differs. Fetch it again, or train again."
            )
        refuse_senseless(state)
        return checkpoint

    def _description(self) -> dict[str, Any]:
        """What the metadata says. The sum is over the weights and all the rest; a changed digit in either shows."""
        text = {
            "name": self.name,
            "class": NETWORK,
            "arguments": json.loads(json.dumps(self.arguments)),
            "settings": self.settings.as_dict(),
            "data": self.data.as_dict(),
            "figures": dict(self.figures),
            "created": self.created,
        }
        return text | {"sha256": described_sum(self._weights_sum, text)}

    @classmethod
    def _from_description(cls, text: Any, state: Mapping[str, Tensor]) -> Checkpoint:
        try:
            settings = Settings.from_dict(text["settings"])
            data = DataRecord.from_dict(text["data"])
            return cls(settings, state, data, dict(text["figures"]), str(text["created"]), str(text["name"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnusableCheckpoint(
                "This checkpoint was made by another version of CHAD, or its settings make no sense. Train again."
            ) from error


def refuse_senseless(state: Mapping[str, Tensor]) -> None:
    """Raises UnusableCheckpoint where weights are no finite numbers, or there are none but zeros."""
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise UnusableCheckpoint("This checkpoint has weights that are not finite numbers. Train again.")
    if not any(bool(tensor.any()) for tensor in state.values()):
        raise UnusableCheckpoint("This checkpoint has no weights but zeros. Train again.")


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor by its name."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def canonical_json(value: Any) -> bytes:
    """JSON in one form only, so that it can be summed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def described_sum(weights: bytes, text: Mapping[str, Any]) -> str:
    """SHA-256 over the weights' sum and all that is said of them but the sum itself."""
    said = {name: value for name, value in text.items() if name != "sha256"}
    return hashlib.sha256(weights + canonical_json(said)).hexdigest()


def weights_sum(state: Mapping[str, Tensor]) -> bytes:
    """SHA-256 over names, types, shapes and numbers of all weights, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()


def metadata_of(data: bytes) -> dict[str, str]:
    """The metadata of a safetensors file in memory: eight bytes of length, then JSON with `__metadata__`."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])["__metadata__"]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file beside its name and renames it, so that a killed process leaves the old one or the new one.

    Raises:
        OSError: it cannot be written, as on a full disk; nothing of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def state_of(network: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of a network's weights on the CPU."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
