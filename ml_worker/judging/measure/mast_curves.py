"""The curves of f0/mast: references of melodies, and performances of them that a jury passed or failed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.judging.measure.data import DATA

# Hop of the curves, seconds.
MAST_HOP_S = 0.01


class MastCurve(NamedTuple):
    """A curve: its key, the name of its melody, its kind (reference; pass or fail, the jury's word), and itself."""

    key: str
    name: str
    kind: str
    melody: Melody


def mast_curves(data: Path = DATA) -> list[MastCurve]:
    """All curves, in the order of their table.

    Args:
        data: the folder that holds f0/mast.

    Raises:
        FileNotFoundError: it is not there.
    """
    folder = data / "f0" / "mast"
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    with np.load(folder / "f0.npz", allow_pickle=False) as stored:
        return [MastCurve(row["key"], row["melody"], row["kind"], given_melody(stored[row["key"]])) for row in rows]


def given_melody(f0_hz: NDArray[np.floating]) -> Melody:
    """A curve of the dataset, Hz and 0 where unvoiced, as a melody."""
    f0_hz = np.asarray(f0_hz, dtype=np.float32)
    return Melody(MAST_HOP_S, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "given")


def mast_half(curves: Iterable[MastCurve], *, tuning: bool) -> list[str]:
    """The names of the melodies on which limits may be set: every second one, from the first; or those held out."""
    names = sorted({curve.name for curve in curves})
    return names[0::2] if tuning else names[1::2]
