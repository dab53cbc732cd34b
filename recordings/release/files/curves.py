"""Pitch curves of a release: two columns of text, seconds of the version's audio and Hz, 0 where no voice is heard.

The two-column form is what query-by-humming collections use, and what this project's own commands read. Free of Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from recordings.release.layout import CURVES

LONGEST_FRAME_S = 0.1


def curve_path(row: Mapping[str, str]) -> str:
    """Where the curve of a row is in a release."""
    return f"{CURVES}/{row['group_id']}/{row['fragment_id']}/{row['id']}.csv"


def curve_text(melody: BinaryIO, start_s: float = 0.0, end_s: float | None = None) -> str:
    """The curve of an interval of a stored melody: lines of `seconds,Hz`, seconds from the interval's start.

    Args:
        melody: the npz of an analysis or of an automatic check: `hop_s`, `f0_hz` (N,), `voiced` (N,).
        start_s, end_s: seconds of the melody; to its end where `end_s` is None.
    """
    with np.load(melody, allow_pickle=False) as stored:
        hop_s, f0_hz, voiced = float(stored["hop_s"]), stored["f0_hz"], stored["voiced"]
    times = np.arange(len(f0_hz)) * hop_s
    # Half a microsecond: a bound that is a frame's own time is not lost by rounding.
    inside = times >= start_s - 5e-7
    if end_s is not None:
        inside &= times < end_s - 5e-7
    heard = np.where(voiced & (f0_hz > 0), f0_hz, 0.0)
    lines = zip(times[inside] - start_s, heard[inside], strict=True)
    return "".join(f"{abs(seconds):.4f},{hz:.3f}\n" for seconds, hz in lines)


def is_curve(text: str, duration_s: float) -> bool:
    """Whether a text is a pitch curve of something that lasts so long."""
    try:
        points = [tuple(map(float, line.split(","))) for line in text.splitlines()]
        times, pitches = zip(*points, strict=True) if points else ((), ())
    except ValueError:
        return False
    rises = all(before < after for before, after in pairwise(times))
    # A tracker's last frame may begin where the sound ends.
    return rises and all(0 <= time <= duration_s + LONGEST_FRAME_S for time in times) and all(hz >= 0 for hz in pitches)
