"""What the plots of a release show, counted from its rows while they are frozen. Free of Django."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recordings.release.tables import AUDIO_TYPES, COVER, HUMMING, SPLITS

# Seconds: fragments last 4 to 20, hums may be longer.
DURATION_EDGES = list(range(0, 31))
CORRELATION_EDGES = [round(step / 20, 2) for step in range(21)]


class Statistics:
    """Takes the rows of a release one by one and keeps sums of them, never the rows."""

    def __init__(self) -> None:
        self.durations: dict[str, list[float]] = defaultdict(list)
        self.correlations: dict[str, list[float]] = defaultdict(list)
        self.hums_of_fragment: Counter[str] = Counter()
        self.hums_of_singer: Counter[str] = Counter()
        self.splits = {split: _Side() for split in SPLITS}
        self.singer_splits: dict[str, _Side] = {split: _Side() for split in SPLITS}
        self.strict: Counter[str] = Counter()
        self.named: dict[str, Counter[str]] = defaultdict(Counter)
        self.licences: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, dataset: Mapping[str, str], versions: Mapping[str, str]) -> None:
        """One row of both tables."""
        kind, seconds, split = dataset["audio_type"], float(dataset["duration"]), versions["split"]
        self.durations[kind].append(seconds)
        self.splits[split].add(kind, seconds, versions)
        self.hums_of_fragment[versions["fragment_id"]] += kind == HUMMING
        self.licences[versions["licence"]][kind] += 1
        self.licences[versions["licence"]]["with_audio"] += not versions["why_no_audio"]
        if versions["why_no_audio"]:
            self.named["why_no_audio"][versions["why_no_audio"]] += 1
        if kind == COVER:
            by = "people" if dataset["check_by_crowdsource"] == "True" else "machine"
            self.correlations[by].append(float(dataset["correlation"]))
        if kind == HUMMING:
            self._add_hum(seconds, versions)

    def _add_hum(self, seconds: float, versions: Mapping[str, str]) -> None:
        self.hums_of_singer[versions["singer"]] += 1
        side = versions["singer_split"]
        self.singer_splits[side].add(HUMMING, seconds, versions)
        if side == versions["split"]:
            self.strict[side] += 1
        for column in ("device_class", "age_band", "gender", "musical_training", "ai_training", "latency_method"):
            self.named[column][versions[column]] += 1

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON:

        - `durations`: {"edges": seconds, audio_type: counts between them}, the last count with all that is longer;
        - `correlation`: {"edges": .., "people": counts of covers that people checked, "machine": counts of others};
        - `hums_per_fragment`, `hums_per_singer`: {"how many hums": how many fragments (singers) have so many};
        - `splits`: {split: {"songs", "fragments", "original", "cover", "humming", "singers", "hours"}};
        - `singer_splits`: the same of hums by the second split;
        - `strict`: {split: hums that both splits put there};
        - `named`: {column: {value: hums}}, of `why_no_audio` all versions; an empty value is one that is not told;
        - `licences`: {licence: {audio_type: versions, "with_audio": n}}.
        """
        return {
            "durations": {
                "edges": DURATION_EDGES,
                **{kind: histogram(self.durations[kind], DURATION_EDGES) for kind in AUDIO_TYPES},
            },
            "correlation": {
                "edges": CORRELATION_EDGES,
                **{by: histogram(self.correlations[by], CORRELATION_EDGES) for by in ("people", "machine")},
            },
            "hums_per_fragment": how_often(self.hums_of_fragment),
            "hums_per_singer": how_often(self.hums_of_singer),
            "splits": {split: side.as_dict() for split, side in self.splits.items()},
            "singer_splits": {split: side.as_dict() for split, side in self.singer_splits.items()},
            "strict": {split: self.strict[split] for split in SPLITS},
            "named": {column: dict(sorted(values.items())) for column, values in sorted(self.named.items())},
            "licences": {licence: dict(sorted(kinds.items())) for licence, kinds in sorted(self.licences.items())},
        }


class _Side:
    """What is in one split."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.seconds = 0.0
        self.songs: set[str] = set()
        self.fragments: set[str] = set()
        self.singers: set[str] = set()

    def add(self, kind: str, seconds: float, versions: Mapping[str, str]) -> None:
        self.kinds[kind] += 1
        self.seconds += seconds
        self.songs.add(versions["group_id"])
        self.fragments.add(versions["fragment_id"])
        if versions["singer"]:
            self.singers.add(versions["singer"])

    def as_dict(self) -> dict[str, float]:
        sizes = {"songs": len(self.songs), "fragments": len(self.fragments), "singers": len(self.singers)}
        return sizes | {kind: self.kinds[kind] for kind in AUDIO_TYPES} | {"hours": round(self.seconds / 3600, 4)}


def histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie between the edges; what lies outside counts with the outermost."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return counts.tolist()


def how_often(counts: Counter[str]) -> dict[str, int]:
    """How many things have 0, 1, 2, … of it."""
    return {str(number): times for number, times in sorted(Counter(counts.values()).items())}
