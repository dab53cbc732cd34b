"""Known fragments of an original in its cover: every time that the cover plays each of them.

What lies within a passage that both share is taken from there: a short fragment is found with all that surrounds it.
What is not is sought by itself: a line that begins alone, in another place or order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_worker.mining.correlation import MASKED, correlation_map, fingerprints_at, tempo_correlation
from ml_worker.mining.extract import (
    AlignedFragment,
    Interval,
    Pair,
    Watched,
    chance_of,
    correlation_along,
    judge,
    windows_along,
)
from ml_worker.mining.null import windows_in
from ml_worker.mining.passage import Passage
from ml_worker.mining.refine import align_finely

# A passage that plays less of a fragment than this does not play it.
PLAYED = 0.85
# Two findings of a fragment that share more than this of their time are one occurrence.
SAME_PLACE = 0.5
# A line that chance gives more often than this in one cover is not looked at more closely.
WORTHLESS = 3.0
# How much better another passage of the original may match what was found, in r, before it counts as that passage.
MUTUAL_MARGIN = 0.1


def find_known(pair: Pair, fragments: Sequence[Interval], watched: Watched) -> dict[Interval, list[AlignedFragment]]:
    """Every place at which the cover plays each fragment, in the order of the cover; the dropped are left out.

    Args:
        pair: both recordings, from `pair_of`.
        fragments: from and to, seconds of the original; those that are not within it are found nowhere.
        watched: what mining the pair saw.
    """
    if watched.was_spared:
        return {fragment: [] for fragment in fragments}
    passages = [(passage, chance_of(pair, passage, pair.area)) for passage in watched.passages]
    return {fragment: _found(pair, fragment, passages) for fragment in fragments}


def _found(pair: Pair, fragment: Interval, passages: Sequence[tuple[Passage, float]]) -> list[AlignedFragment]:
    """Every place at which the cover plays one fragment; each passage comes with its chance."""
    start_s, end_s = fragment
    if not 0 <= start_s < end_s <= pair.heard_s[0] + pair.original.hop_s:
        return []
    within = _within_passages(pair, fragment, passages)
    alone = _by_itself(pair, fragment, taken=[one.b for one in within])
    found = _each_place_once([*within, *alone])
    return sorted((one for one in found if one.decision != "dropped"), key=lambda one: one.b)


def _within_passages(
    pair: Pair, fragment: Interval, passages: Iterable[tuple[Passage, float]]
) -> list[AlignedFragment]:
    """Where passages play it, each as sure as the passage makes it."""
    found = []
    for passage, chance in passages:
        shared_s = min(fragment[1], passage.original[1]) - max(fragment[0], passage.original[0])
        if shared_s >= PLAYED * (fragment[1] - fragment[0]):
            found.append(judge(pair, _inside(pair, passage.between(*fragment)), chance))
    return found


def _inside(pair: Pair, passage: Passage) -> Passage:
    """The part of a passage that lies within the cover."""
    first_s, last_s = max(0.0, passage.cover[0]), min(pair.cover_end_s, passage.cover[1])
    if (first_s, last_s) == passage.cover:
        return passage
    return passage.between(float(passage.original_at(first_s)), float(passage.original_at(last_s)))


def _by_itself(pair: Pair, fragment: Interval, taken: Sequence[Interval]) -> list[AlignedFragment]:
    """Where lines of it alone are found outside of what is taken."""
    lines = [line for line in _lines(pair, fragment) if not any(overlap(line.cover, b) > SAME_PLACE for b in taken)]
    placed = [_placed(pair, line) for line in lines]
    return [judge(pair, line, chance_of(pair, line, pair.places)) for line in placed if _is_mutual(pair, line)]


def _each_place_once(found: Iterable[AlignedFragment]) -> list[AlignedFragment]:
    kept: list[AlignedFragment] = []
    for one in sorted(found, key=lambda one: -one.probability):
        if not any(overlap(one.b, before.b) > SAME_PLACE for before in kept):
            kept.append(one)
    return kept


def overlap(one: Interval, other: Interval) -> float:
    """The share of the shorter that both have in common."""
    shared_s = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, shared_s) / max(1e-9, min(one[1] - one[0], other[1] - other[0]))


def _lines(pair: Pair, fragment: Interval) -> list[Passage]:
    """Lines along which the cover matches the fragment, the best of each stretch of the cover, strongest first."""
    original, settings = pair.original, pair.settings
    span_s = fragment[1] - fragment[0]
    windows = windows_in(span_s, original.window_s, original.hop_s)
    heard_s = (windows - 1) * original.hop_s + original.window_s
    before_s = (span_s - heard_s) / 2
    starts_s = fragment[0] + before_s + np.arange(windows) * original.hop_s
    found = tempo_correlation(
        fingerprints_at(original, starts_s), pair.cover_at, windows, settings.tempo_ratios, settings.least_voiced
    )
    if not found.correlation.size:
        return []
    best, ratios = found.correlation[0], found.tempo_ratio[0]
    level = settings.null.level(heard_s, WORTHLESS, pair.places)
    columns = _peaks(best, level, apart=round(span_s / 2 / original.hop_s))
    return [
        Passage.line(fragment, column * original.hop_s - before_s * ratios[column], float(ratios[column]))
        for column in columns
    ]


def _peaks(values: NDArray[np.floating], level: float, apart: int) -> list[int]:
    """Indices of local maxima above a level, highest first, none nearer to a higher one than `apart`."""
    left = values.copy()
    peaks: list[int] = []
    while left[best := int(np.argmax(left))] > max(level, MASKED):
        peaks.append(best)
        left[max(0, best - apart) : best + apart + 1] = MASKED
    return peaks


def _placed(pair: Pair, line: Passage) -> Passage:
    """The line as the pitch curves place it."""
    fine = align_finely(*pair.melodies, line)
    return fine.passage if fine else line


def _is_mutual(pair: Pair, passage: Passage) -> bool:
    """Whether no other passage of the original matches what was found in the cover clearly better."""
    original = pair.original
    span_s = passage.original[1] - passage.original[0]
    windows = windows_in(span_s, original.window_s, original.hop_s)
    middles_s = sum(passage.original) / 2 + (np.arange(windows) - (windows - 1) / 2) * original.hop_s
    _, theirs = windows_along(pair, passage, middles_s)
    elsewhere = correlation_map(original.vectors, theirs, windows)[:, 0]
    here = (middles_s[0] - original.window_s / 2) / original.hop_s
    apart = np.abs(np.arange(len(elsewhere)) - here) > windows / 2
    return not np.any(elsewhere[apart] > correlation_along(pair, passage) + MUTUAL_MARGIN)
