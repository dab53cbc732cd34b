"""Aligned fragments extraction: the passages that an original and its cover share.

A pair that has nothing in common at first sight (`mining/prefilter.py`) is spared the rest. The steps of `mine`, each a
function below, in order:

1. `tempo_correlation`: how well every place of the original matches every place of the cover, at its best tempo;
2. `local_paths`: candidates are chains of places that go on in order in both, grown and merged along the diagonal;
3. `passage_of`: a chain becomes a passage, a smooth course of cover seconds over original seconds;
4. `_one_at_a_time`: every second of the cover keeps the strongest passage alone;
5. `_trim`: its ends are moved to where the pitch curves really begin and end to agree;
6. `_pieces`: what is longer than a fragment may be is cut, in a rest if there is one;
7. `_judge`: what speaks for each piece becomes a probability: accepted, doubtful or dropped.

`watch` gives the same with what each step saw, for a picture. `mining/known.py` looks for known fragments instead.

The paper (ISMIR 2023) names this algorithm without its steps; steps and thresholds are choices of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import (
    AtTempo,
    TempoMap,
    as_tempo_view,
    correlation_map,
    fingerprints_at,
    tempo_correlation,
)
from ml_worker.mining.null import NullLevel, windows_in
from ml_worker.mining.passage import Passage, passage_of, smoothed
from ml_worker.mining.paths import Path, local_paths
from ml_worker.mining.prefilter import has_something_in_common
from ml_worker.mining.refine import FRAME_S, SEARCHED_S, FineAlignment, align_finely, notes_in, pitch_at
from ml_worker.mining.sureness import Evidence, Sureness

Decision = Literal["accepted", "doubtful", "dropped"]
Interval = tuple[float, float]

# Tempo ratios from 2/3 to 3/2 in steps of 5 %: half a step bends five seconds by an eighth of a second.
TEMPO_RATIOS = tuple(float(ratio) for ratio in 1.05 ** np.arange(-8, 9))


@dataclass(frozen=True)
class MiningSettings:
    """What mining goes by. Stored with every fragment that it finds.

    Attributes:
        null: what unrelated recordings reach, of the checkpoint that made the fingerprints.
        sureness: from evidence to probability, of the same.
        tempo_ratios: the tempo grid.
        cell_s: how much music one cell of the map compares, seconds of the original.
        least_voiced: share of a cell that has to be voiced.
        least_score, most_lost: of a path, in units of r times hops (see `local_paths`).
        shortest_s, longest_s: how long a fragment is.
        accepted_from: a fragment is accepted if it is right with at least this probability.
        doubtful_from: and doubtful, which is for people to say, from this one on.
    """

    null: NullLevel
    sureness: Sureness
    tempo_ratios: tuple[float, ...] = TEMPO_RATIOS
    cell_s: float = 4.0
    least_voiced: float = 0.3
    least_score: float = 0.3
    most_lost: float = 2.0
    shortest_s: float = 4.0
    longest_s: float = 20.0
    accepted_from: float = 0.4
    doubtful_from: float = 0.05

    def as_dict(self) -> dict[str, Any]:
        """For JSON, beside what was found. The null level is the checkpoint's and stands there."""
        return {name: value for name, value in asdict(self).items() if name != "null"}


@dataclass(frozen=True)
class AlignedFragment:
    """A stretch of the original and where the cover plays it.

    Attributes:
        a, b: from and to, seconds of the original and of the cover.
        correlation: 0..1, as stored.
        tempo_ratio: cover seconds for an original second, from end to end.
        transposition: semitones, cover minus original, octave included; None where the curves nowhere agree.
        decision: "accepted", "doubtful" (for the double-check) or "dropped".
        probability: that it is right.
        evidence: what the probability comes from.
    """

    a: Interval
    b: Interval
    correlation: float
    tempo_ratio: float
    transposition: float | None
    decision: Decision
    probability: float
    evidence: Evidence


@dataclass(frozen=True)
class Pair:
    """Both recordings as the steps see them."""

    original: Fingerprints
    cover_at: AtTempo
    melodies: tuple[Melody, Melody]
    settings: MiningSettings = field(repr=False)

    @property
    def heard_s(self) -> tuple[float, float]:
        """How many seconds of the original and of the cover have fingerprints."""
        return _heard_s(self.original), _heard_s(self.cover_at(1.0))

    @property
    def cover_end_s(self) -> float:
        return self.melodies[1].duration_s

    @property
    def places(self) -> float:
        """Places of the cover at which a given passage of the original may begin."""
        return max(1.0, self.heard_s[1] / self.original.hop_s)

    @property
    def area(self) -> float:
        """Cells of the pair's map, which is how often chance may strike."""
        return self.places * max(1.0, self.heard_s[0] / self.original.hop_s)


@dataclass(frozen=True)
class Watched:
    """What each step of one mining saw.

    Attributes:
        map: the correlation of every pair of places (step 1).
        floor: r above which a place speaks for a match.
        paths: the chains of places that became passages (step 2).
        passages: which they became, trimmed and apart (steps 3 to 5).
        fragments: all pieces with their judgement, the dropped ones too (steps 6 and 7), in the order of the cover.
        was_spared: the pre-filter found nothing in common, and the map stayed empty.
    """

    map: TempoMap
    floor: float
    paths: list[Path]
    passages: list[Passage]
    fragments: list[AlignedFragment]
    was_spared: bool = False

    @property
    def kept(self) -> list[AlignedFragment]:
        """The fragments that were not dropped."""
        return [one for one in self.fragments if one.decision != "dropped"]


NOTHING_SEEN = Watched(
    map=TempoMap(np.zeros((0, 0), dtype=np.float32), np.zeros((0, 0), dtype=np.float32), length=1, hop_s=1.0),
    floor=1.0,
    paths=[],
    passages=[],
    fragments=[],
    was_spared=True,
)
"""Of a pair that has nothing in common at first sight."""


def mine(
    original: Fingerprints,
    cover: Fingerprints | AtTempo,
    settings: MiningSettings,
    melodies: tuple[Melody, Melody],
) -> list[AlignedFragment]:
    """All fragments that the two recordings share, in the order of the cover; the dropped are left out.

    Args:
        original: fingerprints of the original.
        cover: fingerprints of the cover, or what gives them at a tempo (better, and dearer).
        settings: with the null level and the sureness of the checkpoint that made both.
        melodies: pitch curves of both.

    Raises:
        ValueError: the null level is of another checkpoint than the fingerprints.
    """
    return watch(pair_of(original, cover, settings, melodies)).kept


def watch(pair: Pair, *, spares: bool = True) -> Watched:
    """The steps of `mine`, with what each saw.

    Args:
        spares: whether a pair that has nothing in common at first sight is spared the rest.
    """
    if spares and not has_something_in_common(pair):
        return NOTHING_SEEN
    found, floor = map_of(pair)
    paths = local_paths(found.correlation - floor, pair.settings.least_score, pair.settings.most_lost)
    candidates = [passage_of(path, found, floor, pair.original.window_s, pair.heard_s) for path in paths]
    kept = _one_at_a_time(pair, candidates)
    fragments = [
        judge(pair, piece, chance)
        for _, passage in kept
        for chance in [chance_of(pair, passage, pair.area)]
        for piece in _pieces(pair, passage)
    ]
    return Watched(
        map=found,
        floor=floor,
        paths=[paths[number] for number, _ in kept],
        passages=[passage for _, passage in kept],
        fragments=sorted(fragments, key=lambda one: one.b),
    )


def pair_of(
    original: Fingerprints,
    cover: Fingerprints | AtTempo,
    settings: MiningSettings,
    melodies: tuple[Melody, Melody],
) -> Pair:
    """Both recordings as the steps see them; arguments and errors are those of `mine`."""
    if original.checkpoint != settings.null.checkpoint:
        raise ValueError(
            f"The fingerprints are of {original.checkpoint} and the null level is of {settings.null.checkpoint}. "
            "Calibrate the null level for the checkpoint in use."
        )
    return Pair(original, as_tempo_view(cover), melodies, settings)


def _heard_s(fingerprints: Fingerprints) -> float:
    return (len(fingerprints) - 1) * fingerprints.hop_s + fingerprints.window_s if len(fingerprints) else 0.0


# --- 1: the map


def map_of(pair: Pair) -> tuple[TempoMap, float]:
    """The correlation map at each place's best tempo, and the floor that chance rarely exceeds."""
    settings, original = pair.settings, pair.original
    length = windows_in(settings.cell_s, original.window_s, original.hop_s)
    found = tempo_correlation(original, pair.cover_at, length, settings.tempo_ratios, settings.least_voiced)
    return found, settings.null.floor_at((length - 1) * original.hop_s + original.window_s)


# --- 4: one passage at a time


# Candidates that chance gives more often than this, in one pair, are not worth a fine alignment.
WORTHLESS = 30.0


def _one_at_a_time(pair: Pair, candidates: Sequence[Passage]) -> list[tuple[int, Passage]]:
    """Passages trimmed, no two of which share a second of the cover; the stronger keeps it (they come first).

    Each with the number of its candidate.
    """
    kept: list[tuple[int, Passage]] = []
    for number, candidate in enumerate(candidates):
        taken = [passage for _, passage in kept]
        free = _outside(pair, candidate, taken)
        if free is None or chance_of(pair, free, pair.area) > WORTHLESS:
            continue
        trimmed = _trim(pair, free)
        rest = _outside(pair, trimmed, taken) if trimmed else None
        if rest:
            kept.append((number, rest))
    return kept


def _outside(pair: Pair, passage: Passage, kept: Sequence[Passage]) -> Passage | None:
    """The longest part of a passage that no kept one takes of the cover; None if it is shorter than a fragment."""
    first_s, last_s = _longest_free(passage.cover, [other.cover for other in kept])
    if last_s <= first_s:
        return None
    rest = passage.between(float(passage.original_at(first_s)), float(passage.original_at(last_s)))
    return rest if _is_long_enough(pair, rest) else None


def _is_long_enough(pair: Pair, passage: Passage) -> bool:
    """Whether it lasts as long as a fragment: on the original's side; a faster cover needs less for the same music."""
    original_s, cover_s = (side[1] - side[0] for side in (passage.original, passage.cover))
    return original_s >= pair.settings.shortest_s and cover_s >= pair.settings.shortest_s * min(TEMPO_RATIOS)


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


# Frames of a matching passage mismatch less than this on average, frames of others more.
EVEN_MISMATCH = 0.35

# A frame in which both rest counts this much against a passage: rests within one are crossed, those around it are not
# part of it.
REST = 0.01

# What was found first is smoothed over this long, seconds, and looked for once more within so much of that; frames in
# which one of both rests have so little weight in it.
BENT_OVER_S, SEARCHED_AGAIN_S, LEAST_WEIGHT = 3.0, 0.3, 0.02

# How much further than its cells a passage may reach, seconds of the original.
REACH_S = 2.0


def _trim(pair: Pair, passage: Passage) -> Passage | None:
    """The stretch of the fine alignment that gathers most agreement; None where it is shorter than a fragment.

    Twice: what the first found tells the tempo better than the map did, and so the second finds its ends.
    """
    first = _best_stretch(pair, passage, SEARCHED_S)
    if first is None:
        return None
    course = first.passage
    if course.original[1] - course.original[0] >= BENT_OVER_S:
        weights = np.where(first.is_sung, np.maximum(1 - first.mismatch, 0.0), 0.0) + LEAST_WEIGHT
        course = smoothed(course.original_s, course.cover_s, weights, BENT_OVER_S)
    second = _best_stretch(pair, course, SEARCHED_AGAIN_S)
    return second.passage if second and _is_long_enough(pair, second.passage) else None


def _best_stretch(pair: Pair, passage: Passage, reach_s: float) -> FineAlignment | None:
    """The fine alignment of a passage and a little around it, cut to where it gathers most agreement."""
    fine = align_finely(*pair.melodies, _reaching(passage, *pair.melodies), reach_s)
    if fine is None:
        return None
    first, last = _best_run(agreement_of(fine))
    return fine.between(first, last) if last - first >= 2 else None


def agreement_of(fine: FineAlignment) -> NDArray[np.float64]:
    """How far each frame agrees more than chance has it agree, in frames, less what the tempo had to bend for it."""
    return np.where(fine.both_rest, -REST, EVEN_MISMATCH - fine.mismatch) - fine.strain


def _reaching(passage: Passage, original: Melody, cover: Melody) -> Passage:
    """A little more than the passage, within both recordings."""
    first_s = max(passage.original[0] - REACH_S, 0.0, float(passage.original_at(0.0)))
    last_s = min(passage.original[1] + REACH_S, original.duration_s, float(passage.original_at(cover.duration_s)))
    return passage.between(first_s, last_s)


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
    seconds = np.arange(cut_s - leeway_s, cut_s + leeway_s, FRAME_S)
    rests = np.isnan(pitch_at(pair.melodies[0], seconds)).astype(float)
    first, last = _best_run(np.where(rests > 0, 1.0, -len(rests) - 1.0))
    return float(seconds[(first + last) // 2]) if last > first else cut_s


# --- 7: the judgement


def judge(pair: Pair, passage: Passage, chance: float) -> AlignedFragment:
    """What is to be said of a piece of a passage, of which chance gives so many."""
    fine = align_finely(*pair.melodies, passage, SEARCHED_AGAIN_S)
    evidence = evidence_of(pair, passage, fine, chance)
    probability = pair.settings.sureness.probability(evidence)
    return AlignedFragment(
        a=passage.original,
        b=(max(0.0, passage.cover[0]), min(passage.cover[1], pair.cover_end_s)),
        correlation=pair.settings.null.correlation(correlation_along(pair, passage)),
        tempo_ratio=passage.mean_ratio,
        transposition=fine.transposition if fine else None,
        decision=_decide(pair.settings, probability, passage.mean_ratio),
        probability=probability,
        evidence=evidence,
    )


def evidence_of(pair: Pair, passage: Passage, fine: FineAlignment | None, chance: float) -> Evidence:
    """What speaks for a piece: the fingerprints by their chance, the curves by how they agree."""
    if fine is None:
        return Evidence(chance, mismatch=1.0, agreement_s=0.0, notes=0)
    return Evidence(
        chance=chance,
        mismatch=float(fine.mismatch[fine.is_sung].mean()) if fine.is_sung.any() else 1.0,
        agreement_s=float(agreement_of(fine)[~fine.both_rest].sum() * FRAME_S),
        notes=min(notes_in(pitch) for pitch in fine.pitches),
    )


def chance_of(pair: Pair, passage: Passage, area: float) -> float:
    """How many passages as good unrelated recordings would give among `area` places; the shorter side counts."""
    return pair.settings.null.chance(correlation_along(pair, passage), passage.duration_s, area)


def _decide(settings: MiningSettings, probability: float, tempo_ratio: float) -> Decision:
    if not min(settings.tempo_ratios) * 0.95 <= tempo_ratio <= max(settings.tempo_ratios) * 1.05:
        return "dropped"  # beyond the grid by more than its step: nobody plays so, chance does
    if probability >= settings.accepted_from:
        return "accepted"
    return "doubtful" if probability >= settings.doubtful_from else "dropped"


def correlation_along(pair: Pair, passage: Passage) -> float:
    """Pearson's r of the fingerprints along a passage, as `correlation_map` defines it."""
    window_s, hop_s = pair.original.window_s, pair.original.hop_s
    windows = windows_in(passage.original[1] - passage.original[0], window_s, hop_s)
    middle_s = sum(passage.original) / 2
    middles_s = middle_s + (np.arange(windows) - (windows - 1) / 2) * hop_s
    ours, theirs = windows_along(pair, passage, middles_s)
    return float(correlation_map(ours.astype(np.float64), theirs.astype(np.float64), windows)[0, 0])


def windows_along(
    pair: Pair, passage: Passage, middles_s: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fingerprints of both recordings whose windows have their middles at these seconds of the original."""
    ratio = min(pair.settings.tempo_ratios, key=lambda one: abs(np.log(one / passage.tempo_ratio)))
    ours = fingerprints_at(pair.original, middles_s - pair.original.window_s / 2)
    theirs = fingerprints_at(pair.cover_at(ratio), passage.cover_at(middles_s) / ratio - pair.original.window_s / 2)
    return ours.vectors, theirs.vectors
