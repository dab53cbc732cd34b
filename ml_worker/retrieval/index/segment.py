"""A segment: some songs of an index, written once and memory-mapped ever after.

Files of a segment: `songs.json` (keys, and how much there is), `lines.npy` (each song's first frame in `pitch.bin` and
`attack.bin`), and of each checkpoint NAME: `NAME.codes.bin`, `NAME.firsts.npy` (each song's first window),
`NAME.begins.npy` (the second of its first window) and, where there are many songs, `NAME.faiss` (the inverted file;
see `inverted.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.index.codec import Codes
from ml_worker.retrieval.index.inverted import Neighbours
from ml_worker.retrieval.index.layout import IndexUnusable
from ml_worker.retrieval.index.lines import HOP_S, StoredLine


class SegmentWriter:
    """Writes the songs of a segment, one after the other, into a folder that is there and empty."""

    def __init__(self, folder: Path, checkpoints: Sequence[str], widths: Sequence[int]) -> None:
        """
        Args:
            checkpoints: their names.
            widths: bytes of a code of each.
        """
        self.folder, self.checkpoints, self.widths = folder, checkpoints, widths
        self.keys: list[str] = []
        self._codes = [_opened(folder / f"{name}.codes.bin") for name in checkpoints]
        self._pitch, self._attack = _opened(folder / "pitch.bin"), _opened(folder / "attack.bin")
        self._firsts: list[list[int]] = [[0] for _ in checkpoints]
        self._begins_s: list[list[float]] = [[] for _ in checkpoints]
        self._lines = [0]

    def add(self, key: str, codes: Sequence[Codes], begins_s: Sequence[float], line: StoredLine) -> None:
        """A song: of each checkpoint its codes (T, width) and the second at which its first window begins."""
        self.keys.append(key)
        for number, (of_one, begin_s) in enumerate(zip(codes, begins_s, strict=True)):
            self._codes[number].write(np.ascontiguousarray(of_one).data)
            self._firsts[number].append(self._firsts[number][-1] + len(of_one))
            self._begins_s[number].append(begin_s)
        self._pitch.write(np.ascontiguousarray(line.pitch).data)
        self._attack.write(np.ascontiguousarray(line.attack).data)
        self._lines.append(self._lines[-1] + len(line.pitch))

    @property
    def windows(self) -> list[int]:
        """How many fingerprints of each checkpoint there are."""
        return [firsts[-1] for firsts in self._firsts]

    def close(self) -> None:
        """Writes what is known only at the end; without it there is no segment."""
        for file in (*self._codes, self._pitch, self._attack):
            file.close()
        np.save(self.folder / "lines.npy", np.array(self._lines, dtype=np.int64))
        for name, firsts, begins_s in zip(self.checkpoints, self._firsts, self._begins_s, strict=True):
            np.save(self.folder / f"{name}.firsts.npy", np.array(firsts, dtype=np.int64))
            np.save(self.folder / f"{name}.begins.npy", np.array(begins_s, dtype=np.float64))
        told = {"keys": self.keys, "widths": dict(zip(self.checkpoints, self.widths, strict=True))}
        (self.folder / "songs.json").write_text(json.dumps(told) + "\n", encoding="utf-8")


def _opened(path: Path) -> IO[bytes]:
    return path.open("wb")


@dataclass(frozen=True)
class CodesOf:
    """A segment's fingerprints of one checkpoint.

    Attributes:
        codes: int8 (W, width), mapped.
        firsts: (songs + 1,) each song's first window, and last how many there are.
        begins_s: (songs,) the second of each song's first window.
        neighbours: finds the nearest windows, by their number; None where there are few.
    """

    codes: Codes
    firsts: NDArray[np.int64]
    begins_s: NDArray[np.float64]
    neighbours: Neighbours | None = None

    def of_song(self, song: int) -> Codes:
        return self.codes[self.firsts[song] : self.firsts[song + 1]]


@dataclass(frozen=True)
class Segment:
    """Some songs of an index.

    Attributes:
        keys: of its songs.
        by_checkpoint: their fingerprints, by the checkpoint's name.
        lines: (songs + 1,) each song's first frame.
        pitch, attack: (F,) the pitch lines of all, mapped; see `StoredLine`.
    """

    keys: tuple[str, ...]
    by_checkpoint: dict[str, CodesOf]
    lines: NDArray[np.int64]
    pitch: NDArray[np.uint16]
    attack: NDArray[np.uint8]

    @classmethod
    def open(cls, folder: Path, neighbours: Callable[[str], Neighbours | None] = lambda _: None) -> Self:
        """Maps a segment's files.

        Args:
            neighbours: gives what finds the nearest windows of a checkpoint, by its name.

        Raises:
            IndexUnusable: one is missing, or shorter than it was.
        """
        try:
            told = json.loads((folder / "songs.json").read_text(encoding="utf-8"))
            lines = np.load(folder / "lines.npy", allow_pickle=False)
            by_checkpoint = {
                name: _codes_of(folder, name, width, neighbours(name)) for name, width in told["widths"].items()
            }
            return cls(
                tuple(told["keys"]),
                by_checkpoint,
                lines,
                _mapped(folder / "pitch.bin", np.uint16, (int(lines[-1]),)),
                _mapped(folder / "attack.bin", np.uint8, (int(lines[-1]),)),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as problem:
            raise IndexUnusable(
                f"The segment {folder.name} of the index is damaged ({problem}). Build the index anew."
            ) from problem

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """Where each key stands."""
        return {key: number for number, key in enumerate(self.keys)}

    def line(self, song: int) -> StoredLine:
        """A song's pitch line."""
        part = slice(int(self.lines[song]), int(self.lines[song + 1]))
        return StoredLine(self.pitch[part], self.attack[part])

    def duration_s(self, song: int) -> float:
        return float(self.lines[song + 1] - self.lines[song]) * HOP_S


def _codes_of(folder: Path, name: str, width: int, neighbours: Neighbours | None) -> CodesOf:
    firsts = np.load(folder / f"{name}.firsts.npy", allow_pickle=False)
    begins_s = np.load(folder / f"{name}.begins.npy", allow_pickle=False)
    return CodesOf(
        _mapped(folder / f"{name}.codes.bin", np.int8, (int(firsts[-1]), width)), firsts, begins_s, neighbours
    )


def _mapped(path: Path, kind: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """A file's numbers; an empty file cannot be mapped."""
    wanted = int(np.prod(shape)) * np.dtype(kind).itemsize
    if path.stat().st_size != wanted:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, not {wanted}")
    return np.memmap(path, dtype=kind, mode="r", shape=shape) if wanted else np.zeros(shape, dtype=kind)
