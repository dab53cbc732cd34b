"""Pitch curves on a fixed hop, and where between their frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody

Curve = NDArray[np.float32]
"""Semitones on a fixed hop, NaN where unvoiced."""

FINE_HOP_S = 0.02
"""Grid of the curves, seconds: half of the shortest scoop between two sung notes."""


def curve(melody: Melody, hop_s: float = FINE_HOP_S) -> Curve:
    """The melody in semitones on another hop: pitch between frames by interpolation, voicing by the nearest frame."""
    pitch = melody.pitch()
    if len(pitch) == 0:
        return np.zeros(0, dtype=np.float32)
    frames = max(1, round(melody.duration_s / hop_s))
    return at(pitch, melody.hop_s, np.arange(frames) * hop_s)


def at(pitch: Curve, hop_s: float, seconds: NDArray[np.floating], *, nearest: bool = False) -> Curve:
    """The curve at any seconds (any shape): NaN outside it and where the nearest frame is unvoiced.

    Between two voiced frames the pitch is interpolated, unless the nearest frame is asked for, which is faster.
    """
    padded = np.concatenate([[np.nan], pitch, [np.nan]]).astype(np.float32)
    position = np.asarray(seconds, dtype=np.float32) / np.float32(hop_s)
    frame = np.rint(position)
    place = np.clip(frame, -1, len(pitch)).astype(np.intp) + 1
    value = padded[place]
    if nearest:
        return value
    rise = np.nan_to_num(np.diff(padded))  # from each place to the next; 0 where one of them is unvoiced
    share = position - frame
    ahead = np.minimum(place, len(rise) - 1)
    return value + share * np.where(share > 0, rise[ahead], rise[np.maximum(place - 1, 0)])


def coarse(pitch: Curve, factor: int) -> Curve:
    """Medians of `factor` frames; NaN where most of them are unvoiced."""
    padded = np.concatenate([pitch, np.full(-len(pitch) % factor, np.nan, dtype=np.float32)]).reshape(-1, factor)
    enough = np.sum(~np.isnan(padded), axis=1) * 2 >= factor
    result = np.full(len(padded), np.nan, dtype=np.float32)
    if enough.any():
        result[enough] = np.nanmedian(padded[enough], axis=1)
    return result


def row_medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians along the last axis without its NaNs; NaN where there is nothing else. Faster than np.nanmedian."""
    ordered = np.sort(values, axis=-1)
    count = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.maximum(count // 2 - (count == 0), 0), axis=-1)
    return ((low + high) / 2)[..., 0]
