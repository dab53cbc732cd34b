"""Linear scaling: a hum is laid over a target at every start, in a few tempi and in its best key.

Linear scaling is the standard method of query by humming (Jang and Lee, 2008). Here a first pass with few points finds
promising places, and a second one with many points judges them; both measure the mean of the clipped absolute pitch
difference after the key, which no single wrong note can spoil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.target_table import HOP_S, Curve, TargetTable

Floats = NDArray[np.float32]

# Tempo ratios (above 1: the hum is slower than the target), evenly spaced in their logarithm.
TEMPO_RATIOS = np.geomspace(0.6, 1.7, 13)

# No frame counts as more than this: one wrong note must not outweigh ten right ones; semitones.
CAP_ST = 3.0
# A hum may go on beyond its target's end, where there is nothing to compare. How much nearer than by chance the rest is
# counts by the share of the hum that it is, to this power: a half is what independent frames would ask for, as the mean
# of few scatters more; less finds more, and costs hardly any (docs/experiments-fingerprint.md).
OVERHANG_POWER = 0.3
# A smaller share of a hum is never compared: it would be in every target.
LEAST_INSIDE = 0.4
# What a place counts of which less lies inside: more than any other can; semitones.
TOO_LITTLE_ST = 2 * CAP_ST
# Starts that tell what a place by chance counts.
BY_CHANCE = 2000
# What a tempo ratio of e (or 1/e) adds, as its square: people hum near the tempo that they know; semitones.
TEMPO_COST_ST = 0.3

# Points of the first pass, and seconds over which it averages.
COARSE_POINTS, COARSE_MEAN_S = 20, 0.24
# Starts that the first pass looks at in one go: its arrays stay in the processor's cache.
CHUNK = 8192
# Places that the first pass hands on: of each target, and over all targets.
PLACES_A_TARGET, PLACES = 3, 4000

# Hop of the second pass, seconds of the hum.
FINE_HOP_S = 0.1
# Places of the second pass that are tried again at tempi and starts near by, and those (ratios, seconds).
REFINED_PLACES = 2500
NEAR_RATIOS = (0.96, 1.0, 1.04)
NEAR_STARTS_S = (-0.12, 0.0, 0.12)


@dataclass(frozen=True)
class Places:
    """Places where the hum may lie.

    Attributes:
        owners: (P,) index of the target.
        frames: (P,) frame of the table at which the hum starts.
        ratios: (P,) tempo ratio, above 1 where the hum is slower.
        kinds: (P,) what begins there.
        keys: (P,) semitones, target minus hum.
        distances: (P,) semitones a frame, with the cost of the tempo.
    """

    owners: NDArray[np.intp]
    frames: NDArray[np.intp]
    ratios: NDArray[np.float64]
    kinds: NDArray[np.int8]
    keys: Floats
    distances: Floats

    def __len__(self) -> int:
        return len(self.owners)

    def take(self, which: NDArray) -> Places:
        """Some of them, by index or by mask."""
        fields = (self.owners, self.frames, self.ratios, self.kinds, self.keys, self.distances)
        return Places(*(values[which] for values in fields))


NOWHERE = Places(*(np.zeros(0, kind) for kind in (np.intp, np.intp, np.float64, np.int8, np.float32, np.float32)))


def points_of(query: Curve, count: int) -> Floats:
    """`count` points evenly over the query, the first on its first frame."""
    return query[np.linspace(0, len(query) - 1, count).round().astype(int)]


def smoothed(curve: Curve, seconds: float) -> Curve:
    """Means over `seconds` around each frame."""
    if len(curve) == 0:
        return curve
    half = round(seconds / HOP_S) // 2
    sums = np.cumsum(np.pad(curve, (half + 1, half), mode="edge"), dtype=np.float64)
    return ((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)).astype(np.float32)


def capped_distance(
    table_pitch: Curve,
    points: Floats,
    length: int,
    frames: NDArray[np.intp],
    ends: NDArray[np.intp],
    ratios: NDArray[np.float64] | float,
    *,
    exact_key: bool,
) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Mean clipped difference of a hum and of each place, in its best key, over the points inside the target.

    Args:
        table_pitch: (F,) pitch of the targets.
        points: (K,) the hum, evenly over its length.
        length: of the hum, in frames of HOP_S.
        frames: (P,) where the hum starts.
        ends: (P,) the frame after the target's last, above `frames`.
        ratios: (P,) or one, how much slower the hum is.
        exact_key: the key is first the median of the differences, not their mean, which is faster.

    Returns:
        distances in semitones, the share of the points inside, and keys in semitones, (P,) each. Where less than
        LEAST_INSIDE lies inside, the distance is CAP_ST and the key 0.
    """
    offsets = np.rint(np.linspace(0, length - 1, len(points))[:, None] / np.atleast_1d(ratios)).astype(np.intp)
    left = ends - frames
    distances, keys = np.full(len(frames), CAP_ST, np.float32), np.zeros(len(frames), np.float32)
    shares = np.ones(len(frames))
    is_whole = offsets[-1] < left

    def differences(which: NDArray[np.intp]) -> Floats:
        steps = offsets if offsets.shape[1] == 1 else offsets[:, which]
        off = table_pitch.take(frames[which] + steps, mode="clip")
        off -= points[:, None]
        return off

    whole = np.flatnonzero(is_whole)
    distances[whole], keys[whole] = _in_best_key(differences(whole), exact_key)
    cut = np.flatnonzero(~is_whole)
    if len(cut):
        inside = (offsets if offsets.shape[1] == 1 else offsets[:, cut]) < left[cut]
        shares[cut] = inside.mean(axis=0)
        enough = shares[cut] >= LEAST_INSIDE
        cut, inside = cut[enough], inside[:, enough]
        distances[cut], keys[cut] = _cut_in_best_key(differences(cut), inside, exact_key)
    return distances, shares, keys


def _in_best_key(off: Floats, exact_key: bool) -> tuple[Floats, Floats]:
    """The mean clipped difference and the key of differences (K, P), which are overwritten."""
    key = np.median(off, axis=0) if exact_key else off.mean(axis=0)
    off -= key
    # One step towards the key that fits most frames: the mean of the clipped differences.
    step = np.clip(off, -CAP_ST, CAP_ST).mean(axis=0) if not exact_key else _near_mean(off)
    off -= step
    np.abs(off, out=off)
    np.minimum(off, CAP_ST, out=off)
    return off.mean(axis=0), key + step


def _cut_in_best_key(off: Floats, inside: NDArray[np.bool_], exact_key: bool) -> tuple[Floats, Floats]:
    """The same over the differences inside (K, P), some of each place and the first ones; the others have no say."""
    count = inside.sum(axis=0, dtype=np.float32)
    if exact_key:
        rising = np.sort(np.where(inside, off, np.inf), axis=0)
        last, column = inside.sum(axis=0) - 1, np.arange(off.shape[1])
        key = (rising[last // 2, column] + rising[(last + 1) // 2, column]) / 2
    else:
        key = off.sum(axis=0, where=inside) / count
    off -= key
    off[~inside] = 0 if not exact_key else CAP_ST
    step = np.clip(off, -CAP_ST, CAP_ST).sum(axis=0) / count if not exact_key else _near_mean(off)
    off -= step
    np.abs(off, out=off)
    np.minimum(off, CAP_ST, out=off)
    return off.sum(axis=0, where=inside) / count, key + step


def _near_mean(off: Floats) -> Floats:
    """Mean of the differences within a semitone, which are those of the right notes; 0 where there are none."""
    near = np.abs(off) <= 1
    return (off * near).sum(axis=0) / np.maximum(near.sum(axis=0), 1)


def overhung(within: Floats, shares: NDArray[np.float64], chance_st: float) -> Floats:
    """What places count where only a share of the hum lies inside the target, (P,) semitones.

    Args:
        within: (P,) mean distance of that share.
        shares: (P,) 0..1.
        chance_st: the distance of a place by chance.
    """
    counted = np.array(within, dtype=np.float32)
    cut = np.flatnonzero(shares < 1)
    weighed = chance_st - (chance_st - counted[cut]) * shares[cut] ** OVERHANG_POWER
    counted[cut] = np.where(shares[cut] < LEAST_INSIDE, TOO_LITTLE_ST, weighed)
    return counted


def tempo_costs(ratios: NDArray[np.float64] | float) -> Floats | np.float32:
    """What odd tempi add, as many as there are ratios."""
    return np.float32(TEMPO_COST_ST) * np.log(ratios).astype(np.float32) ** 2


def chance_distance(table: TargetTable, smooth_table: Curve, query: Curve) -> float:
    """The distance of a place by chance: the median over places that hold enough of the hum, semitones.

    CAP_ST where there is none.
    """
    left = table.lasts[table.owners] - table.starts
    enough = np.flatnonzero(left >= LEAST_INSIDE * len(query))
    if len(enough) == 0:
        return CAP_ST
    some = enough[:: -(-len(enough) // BY_CHANCE)]
    points = points_of(smoothed(query, COARSE_MEAN_S), COARSE_POINTS)
    frames = table.starts[some]
    distances, _, _ = capped_distance(
        smooth_table, points, len(query), frames, frames + left[some], 1.0, exact_key=False
    )
    return float(np.median(distances))


class Rough(NamedTuple):
    """What the first pass found of some starts.

    Attributes:
        starts: (S,) indices into `TargetTable.starts`, rising.
        ratios: (S,) the tempo ratio at which each fits best.
        distances: (S,) semitones, with the costs of tempo and start.
    """

    starts: NDArray[np.intp]
    ratios: NDArray[np.float64]
    distances: Floats

    def among(self, starts: NDArray[np.intp]) -> Rough:
        """Those of some starts."""
        kept = np.isin(self.starts, starts)
        return Rough(*(values[kept] for values in self))


def first_pass(
    table: TargetTable,
    smooth_table: Curve,
    query: Curve,
    starts: NDArray[np.intp],
    start_costs: Floats,
    chance_st: float,
) -> Rough:
    """How well the hum fits at each start, by a few points.

    Args:
        smooth_table: `smoothed(table.pitch, COARSE_MEAN_S)`.
        query: the hum's line.
        starts: indices into `table.starts`, rising.
        start_costs: (kinds,) what each kind of start adds, semitones.
        chance_st: `chance_distance` of the hum.
    """
    points = points_of(smoothed(query, COARSE_MEAN_S), COARSE_POINTS)
    best = np.full(len(starts), np.inf, dtype=np.float32)
    ratios = np.ones(len(starts))
    frames, ends = table.starts[starts], table.lasts[table.owners[starts]]
    for first in range(0, len(starts), CHUNK):
        part = slice(first, first + CHUNK)
        for tempo in TEMPO_RATIOS:
            within, shares, _ = capped_distance(
                smooth_table, points, len(query), frames[part], ends[part], tempo, exact_key=False
            )
            found = overhung(within, shares, chance_st) + tempo_costs(tempo)
            better = found < best[part]
            np.copyto(best[part], found, where=better)
            np.copyto(ratios[part], tempo, where=better)
    return Rough(starts, ratios, best + start_costs[table.kinds[starts]])


def second_pass(table: TargetTable, query: Curve, rough: Rough, start_costs: Floats, chance_st: float) -> Places:
    """The best places of every target that has a start in the first pass.

    Returns:
        Places with refined tempi and starts where they are promising, at least one of each target.
    """
    if len(rough.starts) == 0:
        return NOWHERE
    promising = _promising(table.owners[rough.starts], rough.distances)
    starts, distances = rough.starts[promising], rough.distances[promising]
    owners, kinds, keys = table.owners[starts], table.kinds[starts], np.zeros_like(distances)
    places = Places(owners, table.starts[starts], rough.ratios[promising], kinds, keys, distances)
    return _refined(table, query, places, start_costs, chance_st)


def _promising(owners: NDArray[np.intp], distances: Floats) -> NDArray[np.intp]:
    """The nearest few of each owner, and the nearest of all. Owners are rising."""
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(firsts, append=len(owners))
    left = distances.copy()
    found = np.zeros(len(owners), dtype=bool)
    for _ in range(PLACES_A_TARGET):
        nearest = np.flatnonzero(left == np.repeat(np.minimum.reduceat(left, firsts), sizes))
        _, first_of_owner = np.unique(owners[nearest], return_index=True)
        found[nearest[first_of_owner]] = True
        left[nearest[first_of_owner]] = np.inf
    of_all = np.argpartition(distances, PLACES)[:PLACES] if len(distances) > PLACES else np.arange(len(distances))
    found[of_all] = True
    return np.flatnonzero(found)


def _refined(table: TargetTable, query: Curve, places: Places, start_costs: Floats, chance_st: float) -> Places:
    """The places by many points, those that are nearest also at tempi and starts near by."""
    points = points_of(query, max(2, round(len(query) * HOP_S / FINE_HOP_S)))
    judged = _judged(table, query, points, places, start_costs, chance_st)
    best_first = np.argsort(judged.distances, kind="stable")
    near = judged.take(best_first[:REFINED_PLACES])
    tries = []
    for ratio in NEAR_RATIOS:
        for shift_s in NEAR_STARTS_S:
            frames = np.clip(
                near.frames + round(shift_s / HOP_S), table.firsts[near.owners], table.lasts[near.owners] - 1
            )
            moved = Places(near.owners, frames, near.ratios * ratio, near.kinds, near.keys, near.distances)
            tries.append(_judged(table, query, points, moved, start_costs, chance_st))
    every = np.stack([tried.distances for tried in tries])
    chosen = np.argmin(every, axis=0)
    column = np.arange(len(near))
    refined = Places(
        near.owners,
        np.stack([tried.frames for tried in tries])[chosen, column],
        np.stack([tried.ratios for tried in tries])[chosen, column],
        near.kinds,
        np.stack([tried.keys for tried in tries])[chosen, column],
        every[chosen, column],
    )
    return _joined(refined, judged.take(best_first[REFINED_PLACES:]))


def _judged(
    table: TargetTable, query: Curve, points: Floats, places: Places, start_costs: Floats, chance_st: float
) -> Places:
    distances, keys = [], []
    for first in range(0, len(places), CHUNK):
        part = places.take(np.arange(first, min(first + CHUNK, len(places))))
        ends = table.lasts[part.owners]
        within, shares, key = capped_distance(
            table.pitch, points, len(query), part.frames, ends, part.ratios, exact_key=True
        )
        costs = tempo_costs(part.ratios) + start_costs[part.kinds]
        distances.append(overhung(within, shares, chance_st) + costs)
        keys.append(key)
    return Places(
        places.owners, places.frames, places.ratios, places.kinds, np.concatenate(keys), np.concatenate(distances)
    )


def _joined(one: Places, other: Places) -> Places:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return Places(*(np.concatenate(pair) for pair in pairs))
