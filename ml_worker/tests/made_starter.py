"""Starter checkpoints for tests: networks as they ship, untrained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.network import new_encoder
from ml_worker.fingerprint.settings import Kind, Settings
from ml_worker.mining.align import shipped_methods
from ml_worker.mining.null import PITCH_CURVE_NULL


def untrained(kind: Kind, seed: int = 0) -> Checkpoint:
    """A checkpoint of the default network."""
    settings = Settings.of(kind, seed=seed)
    data = DataRecord((), "00" * 32, ("composed 1", "composed 2"))
    return Checkpoint(settings, state_of(new_encoder(seed=seed, **settings.network)), data, {"losses": [3.0, 1.0]})


@contextmanager
def starters_in(folder: Path, seed: int = 0, *, with_null: bool = True) -> Iterator[dict[Kind, str]]:
    """Untrained networks in place of those that ship: their names by kind."""
    before, shipped.FOLDER = shipped.FOLDER, folder
    forget()
    names: dict[Kind, str] = {}
    for kind in shipped.KINDS:
        checkpoint = untrained(kind, seed)
        shipped.starter_path(kind).write_bytes(checkpoint.to_bytes())
        if with_null:
            null = replace(PITCH_CURVE_NULL, checkpoint=checkpoint.name)
            shipped.null_path(kind).write_text(json.dumps(null.as_dict()), encoding="utf-8")
        names[kind] = checkpoint.name
    try:
        yield names
    finally:
        shipped.FOLDER = before
        forget()


def forget() -> None:
    """What was read of the starter folder is read anew."""
    shipped.starter_checkpoint.cache_clear()
    shipped.starter_null.cache_clear()
    shipped.starter_sureness.cache_clear()
    shipped_methods.cache_clear()
