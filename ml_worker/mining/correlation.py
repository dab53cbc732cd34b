"""The correlation map of two fingerprint sequences, and the same over a grid of tempi.

The paper (ISMIR 2023) scores two sequences by the Pearson correlation of their fingerprints, taken as one long
vector. A map holds that number for every pair of places, so that what the recordings share shows as diagonals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints

MASKED = -1.0
"""What a map holds where a place cannot be judged: the lowest correlation there is."""

# Below this share of the spread that the numbers have at their largest, a window of vectors counts as constant.
# Relative to the sum of squares; about the rounding error of the running sums in float32.
CONSTANT = 1e-6

AtTempo = Callable[[float], Fingerprints]
"""Gives a recording's fingerprints as if played `tempo_ratio` times as fast: a cover at its original's tempo."""


def correlation_map(a: NDArray[np.floating], b: NDArray[np.floating], length: int) -> NDArray[np.floating]:
    """Pearson's r of A[i:i+L] and B[j:j+L], each taken as one vector of L * D numbers, for all (i, j).

    The sums of products along the diagonals of A B^T come from sums of half the length, doubled: log2(L) additions
    of whole matrices. That is as exact as the definition, where the difference of two long cumulative sums would
    lose digits, and so float32 is enough for mining.

    Args:
        a: (T, D); b: (S, D), both float32 or float64.
        length: L, how many consecutive vectors are compared.

    Returns:
        (T - L + 1, S - L + 1) in the precision of the input; 0 where one side does not vary at all; with no rows
        or columns where a sequence is shorter than L.

    Raises:
        ValueError: the vectors of the two sides differ in length, or `length` is below 1.
    """
    if length < 1 or a.shape[1] != b.shape[1]:
        raise ValueError("both sides need vectors of one size, and at least one vector is compared")
    if len(a) < length or len(b) < length:
        return np.zeros((max(0, len(a) - length + 1), max(0, len(b) - length + 1)), dtype=a.dtype)
    numbers = length * a.shape[1]
    sums_a, spread_a = _running_spread(a, length, numbers)
    sums_b, spread_b = _running_spread(b, length, numbers)
    products = diagonal_sums(a @ b.T, length)
    products -= np.multiply.outer(sums_a / numbers, sums_b)
    products *= np.multiply.outer(_inverse_root(spread_a), _inverse_root(spread_b))
    return np.clip(products, -1, 1, out=products)


def diagonal_sums(matrix: NDArray[np.floating], length: int) -> NDArray[np.floating]:
    """Sums of `length` consecutive numbers along each diagonal: (T, S) -> (T - length + 1, S - length + 1)."""
    rows, columns = matrix.shape[0] - length + 1, matrix.shape[1] - length + 1
    total = np.zeros((rows, columns), dtype=matrix.dtype)
    block, width, done = matrix, 1, 0  # block[i, j] sums `width` numbers from (i, j) on
    while True:
        if length & width:
            total += block[done : done + rows, done : done + columns]
            done += width
        if done == length:
            return total
        block = block[:-width, :-width] + block[width:, width:]
        width *= 2


def _running_spread(
    vectors: NDArray[np.floating], length: int, numbers: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Sum, and sum of squares about the mean, of every `length` consecutive vectors: two arrays (T - length + 1,)."""
    exact = vectors.astype(np.float64)
    sums = _running_sums(exact.sum(axis=1), length)
    squares = _running_sums((exact**2).sum(axis=1), length)
    spread = squares - sums**2 / numbers
    spread[spread < CONSTANT * squares] = 0
    return sums.astype(vectors.dtype), spread.astype(vectors.dtype)


def _running_sums(numbers: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.lib.stride_tricks.sliding_window_view(numbers, length).sum(axis=1)


def _inverse_root(spread: NDArray[np.floating]) -> NDArray[np.floating]:
    inverse = np.zeros_like(spread)
    np.divide(1, np.sqrt(spread), out=inverse, where=spread > 0)
    return inverse


def at_tempo(fingerprints: Fingerprints, tempo_ratio: float) -> Fingerprints:
    """The fingerprints as if the recording were played `tempo_ratio` times as fast, by interpolation along time.

    Window k of the answer stands for the seconds from ratio * k * hop_s to ratio * (k * hop_s + window_s); it is
    read between the two windows whose middles are nearest, and normalised again. What a window hears stays as long
    as it was, so this is good for the moderate ratios that a network learns to overlook.
    """
    if tempo_ratio == 1 or len(fingerprints) == 0:
        return fingerprints
    hop_s, window_s = fingerprints.hop_s, fingerprints.window_s
    heard_s = (len(fingerprints) - 1) * hop_s + window_s
    windows = max(0, int((heard_s / tempo_ratio - window_s) / hop_s + 1e-9) + 1)
    middles_s = np.arange(windows) * hop_s + window_s / 2
    place = (tempo_ratio * middles_s - window_s / 2) / hop_s
    return _between(fingerprints, place)


def fingerprints_at(fingerprints: Fingerprints, starts_s: NDArray[np.float64]) -> Fingerprints:
    """The fingerprints of windows that start at these seconds, which need not be on the grid of hops."""
    return _between(fingerprints, starts_s / fingerprints.hop_s)


def _between(fingerprints: Fingerprints, place: NDArray[np.float64]) -> Fingerprints:
    """Fingerprints at fractional indices, linear between neighbours and as long as they are; the ends are held."""
    place = np.clip(place, 0, len(fingerprints) - 1)
    left = np.minimum(place.astype(int), max(0, len(fingerprints) - 2))
    right = np.minimum(left + 1, len(fingerprints) - 1)
    share = (place - left).astype(np.float32)[:, None]
    vectors = (1 - share) * fingerprints.vectors[left] + share * fingerprints.vectors[right]
    lengths = np.linalg.norm(fingerprints.vectors, axis=1)
    wanted = (1 - share[:, 0]) * lengths[left] + share[:, 0] * lengths[right]
    vectors *= (wanted / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9))[:, None]
    voiced = (1 - share[:, 0]) * fingerprints.voiced_share[left] + share[:, 0] * fingerprints.voiced_share[right]
    return replace(fingerprints, vectors=vectors, voiced_share=voiced.astype(np.float32))


@dataclass(frozen=True)
class TempoMap:
    """The best correlation of every pair of places over a grid of tempi.

    Attributes:
        correlation: float32 (I, J). Row i starts at original second i * hop_s, column j at cover second j * hop_s.
        tempo_ratio: float32 (I, J), the ratio at which it was reached (over 1: the cover is slower).
        length: L, how many windows one cell compares, counted at the original's tempo.
        hop_s: seconds from cell to cell, the same on both sides.
    """

    correlation: NDArray[np.float32]
    tempo_ratio: NDArray[np.float32]
    length: int
    hop_s: float


def tempo_correlation(
    original: Fingerprints, cover: Fingerprints | AtTempo, length: int, ratios: Sequence[float], voiced_share: float = 0
) -> TempoMap:
    """The correlation map at each tempo ratio, and the best ratio in each cell.

    Args:
        original: fingerprints of the original.
        cover: fingerprints of the cover, or what gives them at a tempo (better: windows then hear as much music).
        length: L, windows compared in a cell.
        ratios: the tempo ratios to try, cover seconds for an original second.
        voiced_share: places where fewer than this share is voiced, on either side, are masked with `MASKED`.
    """
    cover_at = as_tempo_view(cover)
    played = {ratio: cover_at(ratio) for ratio in ratios}
    places = [int((len(at_ratio) - length) * ratio) + 1 for ratio, at_ratio in played.items()]
    shape = max([0, *places]), max(0, len(original) - length + 1)
    best, best_ratio = np.full(shape, MASKED, dtype=np.float32), np.ones(shape, dtype=np.float32)
    for ratio, at_ratio in played.items():
        if shape[1] and len(at_ratio) >= length:
            _keep_better(best, best_ratio, _masked_map(at_ratio, original, length, voiced_share), ratio)
    return TempoMap(best.T, best_ratio.T, length, original.hop_s)


def as_tempo_view(cover: Fingerprints | AtTempo) -> AtTempo:
    """What gives the cover at a tempo, and remembers it: itself if it can, by interpolation otherwise."""
    if isinstance(cover, Fingerprints):
        return cache(lambda ratio: at_tempo(cover, ratio))
    return cover if hasattr(cover, "cache_info") else cache(cover)


def _masked_map(a: Fingerprints, b: Fingerprints, length: int, voiced_share: float) -> NDArray[np.floating]:
    """The correlation map of two at one tempo, with what is hardly voiced masked."""
    found = correlation_map(a.vectors, b.vectors, length)
    found[_mean_voiced(a, length) < voiced_share] = MASKED
    found[:, _mean_voiced(b, length) < voiced_share] = MASKED
    return found


def _mean_voiced(fingerprints: Fingerprints, length: int) -> NDArray[np.float64]:
    return _running_sums(fingerprints.voiced_share.astype(np.float64), length) / length


def _keep_better(
    best: NDArray[np.float32], best_ratio: NDArray[np.float32], found: NDArray[np.floating], ratio: float
) -> None:
    """Writes the cells in which `found` is higher into the map. Rows here are the cover's, so that they copy fast."""
    rows = min(len(best), int((len(found) - 1) * ratio) + 1)
    nearest = np.rint(np.arange(rows) / ratio).astype(int)
    at_cover = found[np.minimum(nearest, len(found) - 1)]
    better = at_cover > best[:rows]
    np.copyto(best[:rows], at_cover, where=better, casting="same_kind")
    np.copyto(best_ratio[:rows], ratio, where=better)
