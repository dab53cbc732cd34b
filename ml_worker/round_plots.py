"""The figures of all rounds as lines over rounds, each with the table that says the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]

# The lines of hit rates: where they stand in a round's figures, and their names.
RATES = (
    ("hit_rates", "hums", "hums, frozen"),
    ("hit_rates", "covers", "covers, frozen"),
    ("hit_rates_unseen", "hums", "hums, unseen"),
    ("hit_rates_unseen", "covers", "covers, unseen"),
)


# Lines differ in dash and weight, by their place.
LINES = tuple(f"plot__line--{place}" for place in ("first", "second", "third", "fourth"))


@dataclass(frozen=True)
class Series:
    """One line: of each round its value, None where there is none."""

    name: str
    line: str
    values: list[float | None]


@dataclass(frozen=True)
class Plot:
    """Lines over rounds.

    Attributes:
        title, note: what is shown, and how to read it.
        rounds: their numbers.
        high: the highest value that there can be; None where there is no such.
    """

    title: str
    note: str
    rounds: list[int]
    series: list[Series]
    high: float | None = 1.0

    @property
    def rows(self) -> list[tuple[int, list[str]]]:
        """Of each round its values in words."""
        return [(number, [self.told(one.values[k]) for one in self.series]) for k, number in enumerate(self.rounds)]

    def told(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:,.0f}" if self.high is None else f"{value:.3f}"

    @property
    def plotted_json(self) -> str:
        """For the page's script."""
        series = [
            {
                "name": one.name,
                "className": one.line,
                "points": [
                    [number, value, f"{one.name} {self.told(value)}"]
                    for number, value in zip(self.rounds, one.values, strict=True)
                    if value is not None
                ],
            }
            for one in self.series
        ]
        return json.dumps({"series": series, "high": self.high, "label": self.title})


def plots(figures: list[Figures]) -> list[Plot]:
    """Hit rates of each kind of network, precision, yield, and the share of self-made labels; oldest round first."""
    if not figures:
        return []
    kinds = sorted({kind for one in figures for kind in one["hit_rates"]}, reverse=True)
    rates = [hit_rates(figures, kind) for kind in kinds]
    return [*rates, precision(figures), found(figures), self_made(figures, kinds)]


def hit_rates(figures: list[Figures], kind: str) -> Plot:
    def rate(place: str, benchmark: str) -> Callable[[Figures], float | None]:
        return lambda one: one[place].get(kind, {}).get(benchmark, {}).get("top1")

    return plot(
        f"Hits at first place, {kind} network",
        "The share of queries that find their tune first. Frozen: benchmarks that never change, by which is decided. "
        "Unseen: tunes of the starter catalogue outside training, by which nothing is decided. All queries are "
        "simulated.",
        figures,
        [(name, rate(place, benchmark)) for place, benchmark, name in RATES],
    )


def precision(figures: list[Figures]) -> Plot:
    return plot(
        "Precision of what was found in covers",
        "Of findings of which the machine was sure: by people, of those that they judged; by the truth, where covers "
        "were generated.",
        figures,
        [
            ("by people", lambda one: one["precision"]),
            ("by the truth, trained on", lambda one: one["precision_by_truth"].get("seen")),
            ("by the truth, never seen", lambda one: one["precision_by_truth"].get("unseen")),
        ],
    )


def found(figures: list[Figures]) -> Plot:
    return plot(
        "Cover fragments found",
        "How many findings the machine was sure of, and how many were doubtful.",
        figures,
        [("sure", lambda one: one["sure"]), ("doubtful", lambda one: one["doubtful"])],
        high=None,
    )


def self_made(figures: list[Figures], kinds: Iterable[str]) -> Plot:
    def share(kind: str) -> Callable[[Figures], float | None]:
        return lambda one: one["self_made_share"].get(kind)

    return plot(
        "Share of self-made labels",
        "Of the pairs trained on, how many nobody but a machine has judged.",
        figures,
        [(f"{kind} network", share(kind)) for kind in kinds],
    )


def plot(
    title: str,
    note: str,
    figures: list[Figures],
    lines: Iterable[tuple[str, Callable[[Figures], float | None]]],
    high: float | None = 1.0,
) -> Plot:
    """A plot of those of at most four lines that have any value."""
    series = [
        Series(name, line, [value(one) for one in figures]) for line, (name, value) in zip(LINES, lines, strict=False)
    ]
    some = [one for one in series if any(value is not None for value in one.values)]
    return Plot(title, note, [one["number"] for one in figures], some, high)
