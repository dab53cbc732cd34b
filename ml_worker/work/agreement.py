"""Mined cover fragments of the starter catalogue against the true time maps of its covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml_worker.catalogue import TimedNote
from ml_worker.mining.gold import Place, TimeMap, agreement, agreement_on_fragments, repeats, through_repeats
from recordings.models import CoverFragment, Recording, Song


@dataclass
class Tally:
    """Cover fragments of several covers against the truth, pooled."""

    covers: int = 0
    found: int = 0
    right: int = 0
    expected: int = 0
    start_errors_s: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.right / self.expected if self.expected else None

    @property
    def median_start_error_s(self) -> float | None:
        return float(np.median(self.start_errors_s)) if self.start_errors_s else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "covers": self.covers,
            "found": self.found,
            "right": self.right,
            "expected": self.expected,
            "precision": self.precision,
            "recall": self.recall,
            "median_start_error_s": self.median_start_error_s,
        }

    def add(self, cover: Recording, accepted: Iterable[CoverFragment]) -> None:
        """Counts one generated cover's accepted fragments."""
        original = cover.song.original
        intervals = {fragment.pk: (fragment.start_s, fragment.end_s) for fragment in original.fragments.live()}
        found: dict[Any, list[Place]] = {interval: [] for interval in intervals.values()}
        for row in accepted:
            if row.fragment_id in intervals:
                found[intervals[row.fragment_id]].append(placed(row))
        result = agreement_on_fragments(found, cover.truth["time_map"], alike=alike(original, cover))
        self.covers += 1
        self.found += result.found
        self.right += result.right
        self.expected += result.expected
        self.start_errors_s += result.start_errors_s


def tally_of(songs: Iterable[Song]) -> Tally:
    """All mined covers of these songs that were generated, so that the truth about them is known."""
    tally = Tally()
    for cover in Recording.objects.analysed().covers().filter(song__in=songs, truth__isnull=False):
        tally.add(cover, cover.cover_fragments.accepted())
    return tally


def alike(original: Recording, cover: Recording) -> TimeMap:
    """Where the cover plays the music of a passage that it took from elsewhere: a phrase that the tune repeats."""
    notes = [TimedNote(*note) for note in original.truth["notes"]]
    return through_repeats(repeats(notes), cover.truth["time_map"])


def placed(row: CoverFragment) -> Place:
    return Place((row.fragment.start_s, row.fragment.end_s), (row.start_s, row.end_s), row.correlation)


def is_right(row: CoverFragment) -> bool:
    """Whether the cover really plays the fragment there."""
    cover = row.recording
    truths = agreement([placed(row)], cover.truth["time_map"], alike=alike(cover.song.original, cover))
    return truths.right == 1
