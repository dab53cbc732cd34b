"""Time warping of limited slope of one hum along many places at once.

Subsequence dynamic time warping in a band around the straight line that linear scaling found: the whole hum is used,
the target begins near the line's start and ends anywhere in the band, and the local tempo stays within half and twice
the line's (Sakoe and Chiba, 1978, symmetric steps with P = 1). A batch of places is warped together, frame by frame of
the hum, so that NumPy does the work without compiled code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.target_table import HOP_S, Curve

Floats = NDArray[np.float32]

# Hop of the hum in the warping, seconds.
WARP_HOP_S = 0.08
# Half width of the band around the line, frames of the hum: how far the hum may run ahead or behind.
BAND = 8
# How far from the line's start the path may begin, frames.
START_SLACK = 3
# No frame costs more than this; what a frame costs that is an octave off; semitones.
CAP_ST = 2.5
OCTAVE_ST = 1.0
# What a step costs that is not straight, semitones: bending makes every target fit better.
BEND_ST = 0.3
# Keys tried around that of the line; semitones.
KEYS_ST = (-0.5, 0.0, 0.5)
# A frame agrees within this of the target, semitones.
AGREES_ST = 0.8


@dataclass(frozen=True)
class Warps:
    """Of each place, along the best path.

    Attributes:
        distances: mean cost of the hum's frames inside the target, semitones; 0 where none is.
        shares: of the hum's frames that lie inside the target, 0..1.
        agreements: share of the heard frames that agree with the target.
    """

    distances: Floats
    shares: NDArray[np.float64]
    agreements: Floats


def warp(
    table_pitch: Curve,
    query: Curve,
    voiced: NDArray[np.bool_],
    frames: NDArray[np.intp],
    ends: NDArray[np.intp],
    ratios: NDArray[np.float64],
    keys: Floats,
    beyond_st: float,
) -> Warps:
    """The best warped path near each place, over a few keys.

    Args:
        table_pitch: (F,) pitch of the targets at HOP_S.
        query: (T,) the hum's line at the table's hop; voiced: where it was heard.
        frames: (P,) frame of the table at which the hum starts.
        ends: (P,) the frame after the target's last; frames of the hum beyond it do not agree.
        ratios: (P,) tempo ratios.
        keys: (P,) semitones, target minus hum.
        beyond_st: what a frame of the hum costs beyond the target's end, semitones.
    """
    hum = query[:: round(WARP_HOP_S / HOP_S)]
    heard = voiced[:: round(WARP_HOP_S / HOP_S)]
    windows = _windows(table_pitch, len(hum), frames, ends, ratios)
    # All keys at once: the work on small arrays is mostly that of calling NumPy.
    in_keys = np.concatenate([windows - (keys + np.float32(shift))[:, None] for shift in KEYS_ST])
    costs, counts = _paths(hum, heard, in_keys, beyond_st)
    costs, counts = costs.reshape(len(KEYS_ST), len(frames)), counts.reshape(len(KEYS_ST), len(frames), 2)
    chosen = np.argmin(costs, axis=0)
    place = np.arange(len(frames))
    agrees, inside = counts[chosen, place].T
    distances = (costs[chosen, place] - beyond_st * (len(hum) - inside)) / np.maximum(inside, 1)
    return Warps(distances, inside / len(hum), agrees / max(1, int(heard.sum())))


def _windows(
    table_pitch: Curve,
    hum_frames: int,
    frames: NDArray[np.intp],
    ends: NDArray[np.intp],
    ratios: NDArray[np.float64],
) -> Floats:
    """The targets along the lines, at the hum's tempo, with the band on both sides: (P, hum frames + 2 BAND).

    NaN beyond their ends.
    """
    steps = np.arange(-BAND, hum_frames + BAND)[None, :] * (WARP_HOP_S / HOP_S) / ratios[:, None]
    at = frames[:, None] + np.rint(steps).astype(np.intp)
    return np.where(at < ends[:, None], table_pitch.take(at, mode="clip"), np.float32(np.nan))


def _paths(hum: Curve, heard: NDArray[np.bool_], windows: Floats, beyond_st: float) -> tuple[Floats, Floats]:
    """The cost (P,) of the best path of each window, and how many of its frames agree and lie inside, (P, 2).

    Place b of the band in frame i lies on target frame i + b. A path steps by one frame on both sides, by two of the
    target for one of the hum, or by one of the target for two of the hum; each frame of the hum is counted once.
    """
    width = 2 * BAND + 1
    places = len(windows)
    never = np.full((places, width), np.inf, dtype=np.float32)
    cost = never.copy()
    at_start = slice(BAND - START_SLACK, BAND + START_SLACK + 1)
    local, counted = _local(hum[0], heard[0], windows[:, :width], beyond_st)
    cost[:, at_start] = local[:, at_start]
    counts = counted
    cost_before, counts_before = never, np.zeros_like(counts)
    for i in range(1, len(hum)):
        local_before, counted_before = local, counted
        local, counted = _local(hum[i], heard[i], windows[:, i : i + width], beyond_st)
        total, totals = cost.copy(), counts.copy()
        # Faster: two frames of the target.
        faster = cost[:, :-1] + BEND_ST
        _keep_lower(total[:, 1:], totals[:, :, 1:], faster, counts[:, :, :-1])
        # Slower: two frames of the hum on one of the target.
        if i > 1:
            slower = cost_before[:, 1:] + local_before[:, 1:] + BEND_ST
            _keep_lower(total[:, :-1], totals[:, :, :-1], slower, counts_before[:, :, 1:] + counted_before[:, :, 1:])
        cost_before, counts_before = cost, counts
        cost, counts = total + local, totals + counted
    best = np.argmin(cost, axis=1)
    return cost[np.arange(places), best], counts[:, np.arange(places), best].T


def _local(pitch: float, heard: bool, band: Floats, beyond_st: float) -> tuple[Floats, Floats]:
    """What a frame of the hum costs on each place of a band (P, B), and if it agrees and lies inside, (2, P, B)."""
    off = np.abs(band - pitch)
    counted = np.zeros((2, *off.shape), np.float32)
    np.less_equal(off, AGREES_ST, out=counted[0], where=heard)
    np.isfinite(off, out=counted[1])
    octave = np.abs(off - 12)
    octave += OCTAVE_ST
    np.minimum(off, octave, out=off)
    np.minimum(off, CAP_ST, out=off)
    return np.nan_to_num(off, copy=False, nan=beyond_st), counted


def _keep_lower(total: Floats, counts: Floats, other: Floats, other_counts: Floats) -> None:
    """Takes over the other cost (P, B) and counts (2, P, B) where it is lower."""
    lower = other < total
    np.copyto(total, other, where=lower)
    np.copyto(counts, other_counts, where=lower)
