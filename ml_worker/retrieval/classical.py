"""The classical matcher: linear scaling over everything, then time warping of limited slope on a shortlist.

It learns nothing but a handful of constants, and serves as the baseline of query by humming and as the second stage
of the model, which takes its raw figures for a shortlist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.linear_scaling import (
    COARSE_MEAN_S,
    Places,
    Rough,
    chance_distance,
    first_pass,
    overhung,
    second_pass,
    smoothed,
    tempo_costs,
)
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.target_table import HOP_S, Line, TargetTable, table_of
from ml_worker.retrieval.warping import warp

# A hum known to begin at the start begins within this, as its first notes may be lost or not heard; seconds.
FROM_START_S = 1.2
# Targets that are compared by warping.
SHORTLIST = 150
# Places of each target that are warped.
WARPED_PLACES = 2
# The linear distance's part of the final one.
LINEAR_SHARE = 0.4


class StartCosts(NamedTuple):
    """What a start of each kind adds to a distance, semitones: log-odds of where people begin, in its unit."""

    tune: float = 0.0
    phrase: float = 0.08
    note: float = 0.12


USUAL_START_COSTS = StartCosts()


@dataclass(frozen=True)
class Comparison:
    """Raw figures of some targets; all arrays are (N,), in the order of `among`.

    Attributes:
        among: indices of the targets.
        totals: what `match` ranks by: linear and warped distance blended, with the costs of tempo, end and start;
            semitones, inf where a target cannot be compared.
        linear: mean clipped pitch difference along the best straight line, with the costs of tempo and end; semitones.
        warped: the same along the best bent path, without costs; semitones. Of a hum that goes on beyond the target's
            end both are of the part before it, as `overhung` weighs it.
        agreements: share of the hum's voiced frames within `AGREES_ST` of that path.
        starts_s: second of the target at which the hum starts.
        tempo_ratios: how much slower the hum is.
        kinds: `StartKind` of the place; -1 where there is none.
    """

    among: NDArray[np.intp]
    totals: NDArray[np.float64]
    linear: NDArray[np.float64]
    warped: NDArray[np.float64]
    agreements: NDArray[np.float64]
    starts_s: NDArray[np.float64]
    tempo_ratios: NDArray[np.float64]
    kinds: NDArray[np.int8]


class ClassicalMatcher:
    """Compares hums with the targets that it was made for."""

    name = "classical"

    def __init__(self, targets: Sequence[Melody], start_costs: StartCosts = USUAL_START_COSTS) -> None:
        """
        Args:
            targets: their melodies; one without voice is never found.
            start_costs: zeros make every start equal.
        """
        self._table = table_of(targets)
        self._smooth = smoothed(self._table.pitch, COARSE_MEAN_S)
        self._start_costs = np.array(start_costs, dtype=np.float32)

    def match(self, query: Melody, *, from_start: bool = False) -> Matches:
        """How well each target fits: as `Matcher.match`.

        The scores are negative distances in semitones. Targets off the shortlist, which are only compared linearly,
        come after those on it.

        Raises:
            NothingHeard: the query holds less than a second of voice.
        """
        return self.search(query, from_start=from_start).match()

    def compare(self, query: Melody, among: Sequence[int], *, from_start: bool = False) -> Comparison:
        """The raw figures of some targets: as `Search.compare`.

        Raises:
            NothingHeard: the query holds less than a second of voice.
        """
        return self.search(query, from_start=from_start, among=among).compare(among)

    def search(self, query: Melody, *, from_start: bool = False, among: Sequence[int] | None = None) -> Search:
        """A search for a hum, which answers several questions.

        Args:
            from_start: only where targets begin.
            among: indices of the targets that are searched; all by default.

        Raises:
            NothingHeard: the query holds less than a second of voice.
        """
        starts = starts_of(self._table, from_start, among)
        heard = []
        for line in hum_lines(query):
            chance = chance_distance(self._table, self._smooth, line.pitch)
            rough = first_pass(self._table, self._smooth, line.pitch, starts, self._start_costs, chance)
            heard.append(Heard(line, chance, rough))
        return Search(self._table, self._start_costs, heard)


class Heard(NamedTuple):
    """One of the lines that a hum may be: what a place counts by chance, and the first pass over the starts."""

    line: Line
    chance_st: float
    rough: Rough


@dataclass(frozen=True)
class Search:
    """What the first pass found for one hum, the longest line first."""

    table: TargetTable
    start_costs: NDArray[np.float32]
    heard: Sequence[Heard]

    def match(self) -> Matches:
        """As `ClassicalMatcher.match`."""
        found = [self._places(one, one.rough) for one in self.heard]
        every = np.arange(self.table.targets)
        rough = self._best_of_lines(found, every, warped=False)
        shortlist = np.sort(np.argsort(rough.totals, kind="stable")[:SHORTLIST])
        fine = self._best_of_lines(found, shortlist, warped=True)
        behind = np.max(fine.totals, where=np.isfinite(fine.totals), initial=0.0)
        totals, starts_s, tempo_ratios = rough.totals + behind, rough.starts_s.copy(), rough.tempo_ratios.copy()
        totals[shortlist], starts_s[shortlist], tempo_ratios[shortlist] = fine.totals, fine.starts_s, fine.tempo_ratios
        return Matches(-totals, starts_s, tempo_ratios)

    def compare(self, among: Sequence[int], *, from_start: bool = False) -> Comparison:
        """The raw figures of some targets, each by its best place: linear, warped, and all that tells how they fit.

        Args:
            among: indices of targets, a few hundred at most.
            from_start: only where the targets begin.
        """
        chosen = np.asarray(among, dtype=np.intp)
        starts = starts_of(self.table, from_start, chosen)
        found = [self._places(one, one.rough.among(starts)) for one in self.heard]
        return self._best_of_lines(found, chosen, warped=True)

    def _places(self, heard: Heard, rough: Rough) -> Places:
        return second_pass(self.table, heard.line.pitch, rough, self.start_costs, heard.chance_st)

    def _best_of_lines(self, found: Sequence[Places], among: NDArray[np.intp], *, warped: bool) -> Comparison:
        """Each target by its best place over what the hum may be. Its start is that of the first line, the longest."""
        compared = []
        for heard, places in zip(self.heard, found, strict=True):
            one = self._warped(heard, places, among) if warped else self._straight(places, among)
            delay_s = (heard.line.begins_s - self.heard[0].line.begins_s) / one.tempo_ratios
            compared.append(replace(one, starts_s=np.maximum(0, one.starts_s - delay_s)))
        return _merged(compared)

    def _straight(self, places: Places, among: NDArray[np.intp]) -> Comparison:
        unknown = np.full(len(places), np.nan)
        return self._best_of(places, among, places.distances, unknown, unknown)

    def _warped(self, heard: Heard, places: Places, among: NDArray[np.intp]) -> Comparison:
        """Each target by the best of its few places that are nearest in linear distance."""
        places = places.take(_first_of_each(places, among))
        ends, line = self.table.lasts[places.owners], heard.line
        warps = warp(
            self.table.pitch, line.pitch, line.voiced, places.frames, ends, places.ratios, places.keys, heard.chance_st
        )
        warped = overhung(warps.distances, warps.shares, heard.chance_st)
        bent = warped + tempo_costs(places.ratios) + self.start_costs[places.kinds]
        totals = LINEAR_SHARE * places.distances + (1 - LINEAR_SHARE) * bent
        return self._best_of(places, among, totals, warped, warps.agreements)

    def _best_of(
        self, places: Places, among: NDArray[np.intp], totals: NDArray, warped: NDArray, agreements: NDArray
    ) -> Comparison:
        """The place of the lowest total of each target."""
        order = np.lexsort((totals, places.owners))
        owners, first = np.unique(places.owners[order], return_index=True)
        best = np.full(self.table.targets, -1)
        best[owners] = order[first]
        best = best[among]
        there = best >= 0

        def chosen(values: NDArray, otherwise: float) -> NDArray[np.float64]:
            answer = np.full(len(among), otherwise, dtype=np.float64)
            answer[there] = values[best[there]]
            return answer

        seconds = (places.frames - self.table.firsts[places.owners]) * HOP_S + self.table.begins_s[places.owners]
        return Comparison(
            among,
            chosen(totals, np.inf),
            chosen(places.distances - self.start_costs[places.kinds], np.inf),
            chosen(warped, np.inf),
            chosen(agreements, 0.0),
            chosen(seconds, 0.0),
            chosen(places.ratios, 1.0),
            chosen(places.kinds, -1).astype(np.int8),
        )


def starts_of(table: TargetTable, from_start: bool, among: Sequence[int] | None) -> NDArray[np.intp]:
    """Indices of the table's starts at which a hum may begin: of all targets or some, anywhere or where they begin."""
    starts = np.arange(len(table.starts))
    if among is not None:
        starts = starts[np.isin(table.owners, among)]
    if from_start:
        starts = starts[(table.starts[starts] - table.firsts[table.owners[starts]]) * HOP_S < FROM_START_S]
    return starts


def _first_of_each(places: Places, among: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of the nearest `WARPED_PLACES` places of each target among some."""
    order = np.lexsort((places.distances, places.owners))
    owners = places.owners[order]
    place_in_owner = np.arange(len(order)) - np.searchsorted(owners, owners)
    return order[(place_in_owner < WARPED_PLACES) & np.isin(owners, among)]


def _merged(comparisons: Sequence[Comparison]) -> Comparison:
    """Of each target the comparison of the lowest total; all are of the same targets."""
    totals = np.stack([one.totals for one in comparisons])
    chosen = np.argmin(totals, axis=0), np.arange(totals.shape[1])
    names = ("totals", "linear", "warped", "agreements", "starts_s", "tempo_ratios", "kinds")
    return Comparison(
        comparisons[0].among,
        *(np.stack([getattr(one, name) for one in comparisons])[chosen] for name in names),
    )
