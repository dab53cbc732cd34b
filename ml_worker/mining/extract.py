"""Aligned fragments extraction: the passages that an original and its cover share.

The steps of `mine`, each a function below, in order:

1. `tempo_correlation`: how well every place of the original matches every place of the cover, at its best tempo;
2. `local_paths`: candidates are chains of places that go on in order in both, grown and merged along the diagonal;
3. `passage_of`: a chain becomes a passage, a smooth course of cover seconds over original seconds;
4. `_one_at_a_time`: every second of the cover keeps the strongest passage alone;
5. `_trim`: its ends are moved to where the match really begins and ends (on the pitch curves, if there are any);
6. `_pieces`: what is longer than a fragment may be is cut, in a rest if there is one;
7. `_judge`: r over the whole piece, against what unrelated recordings reach: accepted, doubtful or dropped.

`find_fragment` looks for one known fragment instead, and finds every time that the cover plays it.

The paper (ISMIR 2023) names this algorithm without its steps; steps and thresholds are choices of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import (
    MASKED,
    AtTempo,
    as_tempo_view,
    correlation_map,
    fingerprints_at,
    tempo_correlation,
)
from ml_worker.mining.null import NullLevel, windows_in
from ml_worker.mining.passage import Passage, passage_of
from ml_worker.mining.paths import local_paths
from ml_worker.mining.refine import FRAME_S, align_finely, pitch_at

Decision = Literal["accepted", "doubtful", "dropped"]
Interval = tuple[float, float]

# Tempo ratios from 2/3 to 3/2 in steps of 5 %: half a step bends five seconds by an eighth of a second.
TEMPO_RATIOS = tuple(float(ratio) for ratio in 1.05 ** np.arange(-8, 9))


@dataclass(frozen=True)
class MiningSettings:
    """What mining goes by. Stored with every fragment that it finds.

    Attributes:
        null: what unrelated recordings reach, of the checkpoint that made the fingerprints.
        tempo_ratios: the tempo grid.
        cell_s: how much music one cell of the map compares, seconds of the original.
        least_voiced: share of a cell that has to be voiced.
        least_score, most_lost: of a path, in units of r times hops (see `local_paths`).
        shortest_s, longest_s: how long a fragment is.
        accepted_chance, doubtful_chance: a fragment is accepted (doubtful) if at most this many as good are expected
            by chance between two unrelated recordings of this length.
        accepted_correlation, doubtful_correlation: and if its stored correlation is at least this. The paper's
            uncertain range is 0.3 to 0.5; below 0.4 hardly any true fragment was found (docs/experiments-mining.md).
    """

    null: NullLevel
    tempo_ratios: tuple[float, ...] = TEMPO_RATIOS
    cell_s: float = 4.0
    least_voiced: float = 0.3
    least_score: float = 0.3
    most_lost: float = 2.0
    shortest_s: float = 4.0
    longest_s: float = 20.0
    accepted_chance: float = 0.001
    doubtful_chance: float = 0.1
    accepted_correlation: float = 0.5
    doubtful_correlation: float = 0.4


@dataclass(frozen=True)
class AlignedFragment:
    """A stretch of the original and where the cover plays it.

    Attributes:
        a, b: from and to, seconds of the original and of the cover.
        correlation: 0..1, as stored.
        tempo_ratio: cover seconds for an original second.
        transposition: semitones, cover minus original, octave included; None if no pitch curves were given.
        decision: "accepted", "doubtful" (for the double-check) or "dropped".
        chance: how many passages as good as the one that it is a piece of are expected by chance between two
            unrelated recordings of this length.
    """

    a: Interval
    b: Interval
    correlation: float
    tempo_ratio: float
    transposition: float | None
    decision: Decision
    chance: float


@dataclass(frozen=True)
class Pair:
    """Both recordings as the steps see them."""

    original: Fingerprints
    cover_at: AtTempo
    melodies: tuple[Melody, Melody] | None
    settings: MiningSettings = field(repr=False)

    @property
    def heard_s(self) -> tuple[float, float]:
        """How many seconds of the original and of the cover have fingerprints."""
        return _heard_s(self.original), _heard_s(self.cover_at(1.0))

    @property
    def cover_end_s(self) -> float:
        return self.melodies[1].duration_s if self.melodies else self.heard_s[1]

    @property
    def places(self) -> float:
        """Places of the cover at which a given passage of the original may begin."""
        return max(1.0, self.heard_s[1] / self.original.hop_s)

    @property
    def area(self) -> float:
        """Cells of the pair's map, which is how often chance may strike."""
        return self.places * max(1.0, self.heard_s[0] / self.original.hop_s)


def mine(
    original: Fingerprints,
    cover: Fingerprints | AtTempo,
    settings: MiningSettings,
    melodies: tuple[Melody, Melody] | None = None,
) -> list[AlignedFragment]:
    """All fragments that the two recordings share, in the order of the cover; the dropped are left out.

    Args:
        original: fingerprints of the original.
        cover: fingerprints of the cover, or what gives them at a tempo (better, and dearer).
        settings: with the null level of the checkpoint that made both.
        melodies: pitch curves of both; with them ends are true to a note, and the transposition is known.
    """
    pair = _pair(original, cover, settings, melodies)
    found = [
        _judge(pair, piece, chance)
        for passage in _one_at_a_time(pair, _candidates(pair))
        for chance in [_chance(pair, passage, pair.area)]
        for piece in _pieces(pair, passage)
    ]
    return sorted((one for one in found if one.decision != "dropped"), key=lambda one: one.b)


def _pair(
    original: Fingerprints, cover: Fingerprints | AtTempo, settings: MiningSettings, melodies: tuple | None
) -> Pair:
    if original.checkpoint != settings.null.checkpoint:
        raise ValueError(
            f"The fingerprints are of {original.checkpoint} and the null level is of {settings.null.checkpoint}. "
            "Calibrate the null level for the checkpoint in use."
        )
    return Pair(original, as_tempo_view(cover), melodies, settings)


def _heard_s(fingerprints: Fingerprints) -> float:
    return (len(fingerprints) - 1) * fingerprints.hop_s + fingerprints.window_s if len(fingerprints) else 0.0


# --- 1 to 3: the map, its paths, their courses


def _candidates(pair: Pair) -> list[Passage]:
    """Passages that hold together in order on both sides, strongest first."""
    settings, window_s = pair.settings, pair.original.window_s
    length = windows_in(settings.cell_s, window_s, pair.original.hop_s)
    found = tempo_correlation(pair.original, pair.cover_at, length, settings.tempo_ratios, settings.least_voiced)
    floor = settings.null.floor_at((length - 1) * pair.original.hop_s + window_s)
    paths = local_paths(found.correlation - floor, settings.least_score, settings.most_lost)
    return [passage_of(path, found, floor, window_s, pair.heard_s) for path in paths]


# --- 4: one passage at a time


def _one_at_a_time(pair: Pair, candidates: Sequence[Passage]) -> list[Passage]:
    """Passages trimmed, no two of which share a second of the cover; the stronger keeps it (they come first)."""
    kept: list[Passage] = []
    for candidate in candidates:
        free = _outside(pair, candidate, kept)
        trimmed = _trim(pair, free) if free else None
        rest = _outside(pair, trimmed, kept) if trimmed else None
        if rest:
            kept.append(rest)
    return kept


def _outside(pair: Pair, passage: Passage, kept: Sequence[Passage]) -> Passage | None:
    """The longest part of a passage that no kept one takes of the cover; None if it is shorter than a fragment."""
    first_s, last_s = _longest_free(passage.cover, [other.cover for other in kept])
    if last_s <= first_s:
        return None
    rest = passage.between(float(passage.original_at(first_s)), float(passage.original_at(last_s)))
    return rest if rest.duration_s >= pair.settings.shortest_s else None


def _longest_free(interval: Interval, taken: Sequence[Interval]) -> Interval:
    """The longest part of an interval outside all that is taken."""
    first_s, last_s = interval
    free, at_s = [], first_s
    for start_s, end_s in sorted(taken):
        if end_s > first_s and start_s < last_s:
            free.append((at_s, min(start_s, last_s)))
            at_s = max(at_s, end_s)
    free.append((at_s, last_s))
    return max(free, key=lambda part: part[1] - part[0])


# --- 5: the ends


def _trim(pair: Pair, passage: Passage) -> Passage | None:
    """The part of a passage that truly matches, or None if too little does."""
    trimmed = _trim_on_curves(*pair.melodies, passage) if pair.melodies else _trim_on_fingerprints(pair, passage)
    return trimmed if trimmed and trimmed.duration_s >= pair.settings.shortest_s else None


# Frames of a matching passage mismatch less than this on average, frames of others more.
EVEN_MISMATCH = 0.35

# A frame in which both rest counts this much against a passage: rests within one are crossed, those around it are not
# part of it.
REST = 0.01

# How much further than its cells a passage may reach, seconds of the original.
REACH_S = 2.0


def _trim_on_curves(original: Melody, cover: Melody, passage: Passage) -> Passage | None:
    """The stretch of the fine alignment that gathers most agreement."""
    fine = align_finely(original, cover, _reaching(passage, original, cover))
    if fine is None:
        return None
    both_rest = np.isnan(pitch_at(original, fine.passage.original_s)) & np.isnan(pitch_at(cover, fine.passage.cover_s))
    first, last = _best_run(np.where(both_rest, -REST, EVEN_MISMATCH - fine.mismatch))
    if last - first < 2:
        return None
    return Passage(fine.passage.original_s[first:last], fine.passage.cover_s[first:last])


def _reaching(passage: Passage, original: Melody, cover: Melody) -> Passage:
    """A little more than the passage, within both recordings."""
    first_s = max(passage.original[0] - REACH_S, 0.0, float(passage.original_at(0.0)))
    last_s = min(passage.original[1] + REACH_S, original.duration_s, float(passage.original_at(cover.duration_s)))
    return passage.between(first_s, last_s)


def _trim_on_fingerprints(pair: Pair, passage: Passage) -> Passage | None:
    """The stretch whose windows are alike, its ends placed by how much of the outermost windows still matches."""
    window_s, hop_s = pair.original.window_s, pair.original.hop_s
    middles_s = np.arange(passage.original[0] + window_s / 2, passage.original[1] - window_s / 2 + hop_s / 2, hop_s)
    if not len(middles_s):
        return None
    alike = np.einsum("ij,ij->i", *_windows_along(pair, passage, middles_s)) - pair.settings.null.centre
    usual = max(float(np.median(alike)), 1e-6)
    first, last = _best_run(alike - usual / 2)
    if last == first:
        return None
    shares = np.clip(alike[[first, last - 1]] / usual, 0.5, 1) * window_s
    start_s, end_s = middles_s[first] + window_s / 2 - shares[0], middles_s[last - 1] - window_s / 2 + shares[1]
    return _settled(pair, passage.between(start_s, end_s))


# Where a passage is looked for around its course if there are no pitch curves: shifts (seconds of the cover) and
# factors of its tempo. Its ends, which match in part, may have bent it.
SETTLING_SHIFTS_S = np.arange(-1.0, 1.01, 0.125)
SETTLING_FACTORS = np.arange(0.9, 1.101, 0.02)


def _settled(pair: Pair, passage: Passage) -> Passage:
    """The passage shifted and stretched a little to where the fingerprints correlate best."""
    middle_s = sum(passage.cover) / 2
    options = [
        Passage(passage.original_s, middle_s + shift_s + factor * (passage.cover_s - middle_s))
        for factor in SETTLING_FACTORS
        for shift_s in SETTLING_SHIFTS_S
    ]
    return max(options, key=lambda option: _correlation_along(pair, option))


def _best_run(gains: NDArray[np.floating]) -> tuple[int, int]:
    """The run [first, last) with the largest sum (Kadane); an empty run where none is above 0."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums)
    last = int(np.argmax(sums - lowest))
    return int(np.argmin(sums[: last + 1])), last


# --- 6: pieces


def _pieces(pair: Pair, passage: Passage) -> list[Passage]:
    """A passage in as few pieces as keep to the longest duration on both sides, cut in rests where there are any."""
    first_s, last_s = passage.original
    longest_s = pair.settings.longest_s / max(1.0, passage.tempo_ratio)
    count = max(1, int(np.ceil((last_s - first_s) / longest_s)))
    even_s = np.linspace(first_s, last_s, num=count + 1)
    even_piece_s = (last_s - first_s) / count
    leeway_s = max(0.0, min(longest_s - even_piece_s, even_piece_s - pair.settings.shortest_s) / 2)
    cuts_s = [_rest_near(pair, float(cut_s), leeway_s) for cut_s in even_s[1:-1]]
    return [passage.between(*bounds) for bounds in pairwise([first_s, *cuts_s, last_s])]


def _rest_near(pair: Pair, cut_s: float, leeway_s: float) -> float:
    """The middle of the original's longest rest within the leeway, or the cut itself if there is none."""
    if not pair.melodies:
        return cut_s
    seconds = np.arange(cut_s - leeway_s, cut_s + leeway_s, FRAME_S)
    rests = np.isnan(pitch_at(pair.melodies[0], seconds)).astype(float)
    first, last = _best_run(np.where(rests > 0, 1.0, -len(rests) - 1.0))
    return float(seconds[(first + last) // 2]) if last > first else cut_s


# --- 7: the judgement


def _judge(pair: Pair, passage: Passage, chance: float) -> AlignedFragment:
    fine = align_finely(*pair.melodies, passage) if pair.melodies else None
    correlation = pair.settings.null.correlation(_correlation_along(pair, passage))
    return AlignedFragment(
        a=passage.original,
        b=(max(0.0, passage.cover[0]), min(passage.cover[1], pair.cover_end_s)),
        correlation=correlation,
        tempo_ratio=passage.tempo_ratio,
        transposition=fine.transposition if fine else None,
        decision=_decide(pair.settings, correlation, chance, passage.tempo_ratio),
        chance=chance,
    )


def _chance(pair: Pair, passage: Passage, area: float) -> float:
    """How many passages as good unrelated recordings would give among `area` places; the shorter side counts."""
    return pair.settings.null.chance(_correlation_along(pair, passage), passage.duration_s, area)


def _decide(settings: MiningSettings, correlation: float, chance: float, tempo_ratio: float) -> Decision:
    if not min(settings.tempo_ratios) * 0.95 <= tempo_ratio <= max(settings.tempo_ratios) * 1.05:
        return "dropped"  # beyond the grid by more than its step: nobody plays so, chance does
    if chance <= settings.accepted_chance and correlation >= settings.accepted_correlation:
        return "accepted"
    if chance <= settings.doubtful_chance and correlation >= settings.doubtful_correlation:
        return "doubtful"
    return "dropped"


def _correlation_along(pair: Pair, passage: Passage) -> float:
    """Pearson's r of the fingerprints along a passage, as `correlation_map` defines it."""
    window_s, hop_s = pair.original.window_s, pair.original.hop_s
    windows = windows_in(passage.original[1] - passage.original[0], window_s, hop_s)
    middle_s = sum(passage.original) / 2
    middles_s = middle_s + (np.arange(windows) - (windows - 1) / 2) * hop_s
    ours, theirs = _windows_along(pair, passage, middles_s)
    return float(correlation_map(ours.astype(np.float64), theirs.astype(np.float64), windows)[0, 0])


def _windows_along(
    pair: Pair, passage: Passage, middles_s: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fingerprints of both recordings whose windows have their middles at these seconds of the original."""
    ratio = min(pair.settings.tempo_ratios, key=lambda one: abs(np.log(one / passage.tempo_ratio)))
    ours = fingerprints_at(pair.original, middles_s - pair.original.window_s / 2)
    theirs = fingerprints_at(pair.cover_at(ratio), passage.cover_at(middles_s) / ratio - pair.original.window_s / 2)
    return ours.vectors, theirs.vectors


# --- a known fragment

# What r may gain when an occurrence is placed between the hops and steps at which it was first seen.
GAINED_BY_PLACING = 0.15

# How much better another passage of the original may match what was found, in r, before it counts as that passage.
MUTUAL_MARGIN = 0.1


def find_fragment(
    original: Fingerprints,
    cover: Fingerprints | AtTempo,
    a_start_s: float,
    a_end_s: float,
    settings: MiningSettings,
    melodies: tuple[Melody, Melody] | None = None,
) -> list[AlignedFragment]:
    """Every place at which the cover plays one known fragment of the original, in the order of the cover.

    Args:
        a_start_s, a_end_s: the fragment, seconds of the original; nothing is found if it is not within it.
        original, cover, settings, melodies: as for `mine`.
    """
    pair = _pair(original, cover, settings, melodies)
    if not 0 <= a_start_s < a_end_s <= pair.heard_s[0] + original.hop_s:
        return []
    candidates = [_placed(pair, passage) for passage in _occurrences(pair, (a_start_s, a_end_s))]
    found = [
        _judge(pair, passage, _chance(pair, passage, pair.places))
        for passage in candidates
        if _is_mutual(pair, passage)
    ]
    return sorted((one for one in found if one.decision != "dropped"), key=lambda one: one.b)


def _occurrences(pair: Pair, fragment: Interval) -> list[Passage]:
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
    level = settings.null.level(heard_s, settings.doubtful_chance, pair.places)
    worth_a_look = max(level, settings.null.r_of(settings.doubtful_correlation) - GAINED_BY_PLACING)
    best, ratios = found.correlation[0], found.tempo_ratio[0]
    columns = _peaks(best, worth_a_look, apart=round(span_s / 2 / original.hop_s))
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


def _placed(pair: Pair, passage: Passage) -> Passage:
    """The occurrence as the pitch curves place it, if there are any."""
    fine = align_finely(*pair.melodies, passage) if pair.melodies else None
    return fine.passage if fine else passage


def _is_mutual(pair: Pair, passage: Passage) -> bool:
    """Whether no other passage of the original matches what was found in the cover clearly better."""
    original = pair.original
    span_s = passage.original[1] - passage.original[0]
    windows = windows_in(span_s, original.window_s, original.hop_s)
    middles_s = sum(passage.original) / 2 + (np.arange(windows) - (windows - 1) / 2) * original.hop_s
    ours, theirs = _windows_along(pair, passage, middles_s)
    r = correlation_map(ours, theirs, windows)[0, 0]
    elsewhere = correlation_map(original.vectors, theirs, windows)[:, 0]
    here = (middles_s[0] - original.window_s / 2) / original.hop_s
    apart = np.abs(np.arange(len(elsewhere)) - here) > windows / 2
    return not np.any(elsewhere[apart] > r + MUTUAL_MARGIN)
