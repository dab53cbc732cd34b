"""Weights of Demucs: found in a folder, or fetched into it; read from safetensors only, never from a pickle.

A folder holds what Demucs 4.1 publishes: a bag `htdemucs.yaml` that names models, and each model as
`<name>.safetensors` with its class and arguments as JSON. One .safetensors without a bag will do as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

# The model used unless another is asked for, and whose copy of it is fetched (the author's own, as demucs does).
NAME = "htdemucs"
REPOSITORIES = {"htdemucs": "adefossez/HTDemucs", "htdemucs_ft": "adefossez/HTDemucs-ft"}

# Classes that a weights file may name. Demucs' own reader imports whatever the file says, and calls it.
CLASSES = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")

# Names of models in a bag: a hash, so that no name becomes a path elsewhere.
MODEL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NoWeights(RuntimeError):
    """Demucs' weights are not to be had. Its text says what to do."""


@dataclass(frozen=True)
class Bag:
    """Which files make a model: their paths, each one's weight for each source, and its name ("htdemucs 955717e8")."""

    name: str
    files: tuple[Path, ...]
    weights: list[list[float]] | None = None
    segment: float | None = None


def find_weights(place: Path, name: str = NAME) -> Bag | None:
    """The model `name` in a folder (or the one model file at `place`); None where it is not there in full.

    Raises:
        NoWeights: where the folder's bag is damaged.
    """
    if place.is_file():
        return Bag(place.stem, (place,)) if place.suffix == ".safetensors" else None
    description = place / f"{name}.yaml"
    if not description.is_file():
        alone = sorted(place.glob("*.safetensors"))
        return Bag(alone[0].stem, (alone[0],)) if len(alone) == 1 else None
    bag = _read_bag(description)
    return bag if all(file.is_file() for file in bag.files) else None


def _read_bag(description: Path) -> Bag:
    try:
        bag = yaml.safe_load(description.read_text(encoding="utf-8"))
        models = [str(model) for model in bag["models"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise NoWeights(f"{description.name} does not describe a Demucs model. Please fetch it again.") from error
    if not models or not all(MODEL_NAME.fullmatch(model) for model in models):
        raise NoWeights(f"{description.name} names no models. Please fetch it again.")
    files = tuple(description.parent / f"{model}.safetensors" for model in models)
    return Bag(f"{description.stem} {' '.join(models)}", files, bag.get("weights"), bag.get("segment"))


def fetch_weights(folder: Path, name: str = NAME) -> Bag:
    """Downloads the model into a folder, with progress on standard error; what is there already is not fetched again.

    Raises:
        NoWeights: where the Hugging Face hub cannot be reached or has no such model.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if name not in REPOSITORIES:
        raise NoWeights(f"There is no Demucs model {name}; there are {', '.join(REPOSITORIES)}.")
    if found := find_weights(folder, name):
        return found
    try:
        description = hf_hub_download(REPOSITORIES[name], f"{name}.yaml", local_dir=folder, token=False)
        bag = _read_bag(Path(description))
        for file in bag.files:
            hf_hub_download(REPOSITORIES[name], file.name, local_dir=folder, token=False)
    except (OSError, EntryNotFoundError) as error:
        raise NoWeights(
            f"Demucs' weights could not be fetched ({type(error).__name__}). "
            f"Please put {name}.yaml and its .safetensors files into {folder}, or use another separation."
        ) from error
    return bag


def load(bag: Bag) -> BagOfModels:
    """The model on the CPU, ready to run.

    Raises:
        NoWeights: where a file is no Demucs model, or names a class that is none of Demucs'.
    """
    from demucs.apply import BagOfModels

    models = [_load_one(file) for file in bag.files]
    if any(model.sources != models[0].sources or "vocals" not in model.sources for model in models):
        raise NoWeights(f"{bag.name} does not separate vocals. Please use htdemucs.")
    return BagOfModels(models, bag.weights, bag.segment).eval()


def _load_one(file: Path) -> object:
    from demucs.hf import load_safetensors_model
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="numpy") as content:
            facts = content.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise NoWeights(f"{file.name} is not a safetensors file, or is cut off. Please fetch it again.") from error
    # "structure" rebuilds quantised models by importing what it names; no published full model needs it.
    if facts.get("klass") not in CLASSES or "structure" in facts:
        raise NoWeights(f"{file.name} is not a Demucs model that we load. Please use htdemucs.")
    try:
        return load_safetensors_model(file)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise NoWeights(f"{file.name} does not fit its own description. Please fetch it again.") from error
