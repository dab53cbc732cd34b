"""Where everything lies in an index's folder, and how it is written so that a reader never sees half of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ml_worker.fingerprint.checkpoint import write_whole

# Readers refuse what a later version has written.
VERSION = 3
MANIFEST = "manifest.json"


class IndexUnusable(RuntimeError):
    """There is no index, or it is damaged, or of other checkpoints. Its text is a sentence."""


@dataclass(frozen=True)
class Manifest:
    """What an index consists of.

    Attributes:
        checkpoints: names of the checkpoints whose fingerprints are in it, short before long.
        segments: names of its segments, in the order in which they came.
        forgotten: keys of songs that are not found any more.
        open_set: what tells whether a tune is there (`open_set.OpenSet`); empty where that was not measured yet.
        settings: of the first stage, as it was built.
        weighed: whether the best are weighed together with the classical comparison (`fusion_path`).
        engine: name of what finds the nearest fingerprints (`inverted.Engine`).
        version: of this layout.
    """

    checkpoints: tuple[str, ...]
    segments: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    open_set: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    weighed: bool = False
    engine: str = "faiss"
    version: int = VERSION

    def save(self, folder: Path) -> None:
        """In place of the one before, at once."""
        write_whole(folder / MANIFEST, json.dumps(asdict(self), indent=1).encode() + b"\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises IndexUnusable."""
        try:
            stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as problem:
            raise IndexUnusable(f"There is no index in {folder.name}. Build it.") from problem
        except (OSError, ValueError) as problem:
            raise IndexUnusable(f"The index {folder.name} cannot be read. Build it anew.") from problem
        if not isinstance(stored, dict) or stored.get("version") != VERSION:
            raise IndexUnusable(f"The index {folder.name} is of another version of CHAD. Build it anew.")
        names = ("checkpoints", "segments", "forgotten")
        try:
            return cls(**{name: tuple(value) if name in names else value for name, value in stored.items()})
        except TypeError as problem:
            raise IndexUnusable(f"The index {folder.name} is damaged ({problem}). Build it anew.") from problem

    def with_segment(self, name: str) -> Self:
        return replace(self, segments=(*self.segments, name))

    def next_segment(self) -> str:
        """A name that no segment has had."""
        return f"{max((int(name) for name in self.segments), default=0) + 1:04d}"


def stamp(folder: Path) -> tuple[int, int] | None:
    """Changes when the manifest does; None where there is none."""
    try:
        told = (folder / MANIFEST).stat()
    except FileNotFoundError:
        return None
    return told.st_ino, told.st_mtime_ns


def segment_folder(folder: Path, name: str) -> Path:
    return folder / "segments" / name


def codec_path(folder: Path, checkpoint: str) -> Path:
    return folder / f"{checkpoint}.codec.npz"


def fusion_path(folder: Path) -> Path:
    """How the best are weighed; not there where they are not."""
    return folder / "fusion.json"


def coarse_path(folder: Path, checkpoint: str) -> Path:
    """The inverted file's trained part, without songs."""
    return folder / f"{checkpoint}.trained.faiss"
