"""The plots of a release: bars, with the tables that say the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recordings.release.tables import AUDIO_TYPES, COVER, HUMMING, ORIGINAL, SPLITS
from recordings.release_pages.numbers import count, decimal

# Two colours have one meaning each, everywhere; covers are ink.
CLASSES = {ORIGINAL: "bar--reference", COVER: "bar--cover", HUMMING: "bar--voice"}
PLAIN = "bar--plain"

KINDS: dict[str, Promise] = {
    ORIGINAL: gettext_lazy("originals"),
    COVER: gettext_lazy("covers"),
    HUMMING: gettext_lazy("hums"),
}
DEVICES: dict[str, Promise] = {
    "phone": gettext_lazy("phone"),
    "tablet": gettext_lazy("tablet"),
    "computer": gettext_lazy("computer"),
    "": gettext_lazy("not told"),
}
# What hums have of something is shown one by one up to here, then in groups.
ONE_BY_ONE = 12
GROUPS = ((13, 20), (21, 50), (51, 100), (101, 200), (201, 500), (501, 1000))


@dataclass(frozen=True)
class Plot:
    """Bars with the table that says the same.

    Attributes:
        key: its name in the page.
        title, note: what is shown, and how to read it.
        head: of the table, the names of its columns.
        rows: of the table.
        shape: `panels` of upright bars above each other, or `rows` of lying ones.
        parts: names and classes of what a lying bar consists of, for the legend; empty if it needs none.
        drawn: what the page's script draws, ready for JSON.
    """

    key: str
    title: str
    note: str
    head: list[str]
    rows: list[list[str]]
    shape: str
    drawn: dict[str, Any]
    parts: Sequence[tuple[str, str]] = ()

    @property
    def plotted_json(self) -> str:
        return json.dumps({"shape": self.shape, "label": self.title, **self.drawn})


def plots(statistics: Mapping[str, Any]) -> list[Plot]:
    """Everything that the statistics of a release hold; what is empty is left out."""
    if not statistics:
        return []
    shown = [
        durations(statistics["durations"]),
        correlations(statistics["correlation"]),
        per_thing(
            "hums-per-fragment",
            _("Hums per phrase"),
            _("How many phrases have so many hums."),
            _("phrases"),
            statistics["hums_per_fragment"],
        ),
        per_thing(
            "hums-per-singer",
            _("Hums per singer"),
            _("How many singers sang so many of the hums."),
            _("singers"),
            statistics["hums_per_singer"],
        ),
        splits(statistics["splits"]),
        singer_splits(statistics["singer_splits"], statistics["strict"]),
        licences(statistics["licences"]),
        devices(statistics["named"].get("device_class", {})),
    ]
    return [plot for plot in shown if plot]


def durations(histograms: Mapping[str, list[float]]) -> Plot | None:
    edges = histograms["edges"]
    there = [kind for kind in AUDIO_TYPES if sum(histograms[kind])]
    last = max((k for kind in there for k, number in enumerate(histograms[kind]) if number), default=0)
    if not there:
        return None
    labels = [spanned(edges[k], edges[k + 1], k == len(edges) - 2) for k in range(last + 1)]
    seconds = [_("%(span)s s") % {"span": label} for label in labels]
    return Plot(
        "durations",
        _("How long they are"),
        _("Originals and covers are cut to the phrase; a hum is the whole take, with what comes before and after it."),
        [_("length"), *(str(KINDS[kind]) for kind in there)],
        [
            [label, *(count(histograms[kind][k]) for kind in there)]
            for k, label in enumerate(seconds)
            if any(histograms[kind][k] for kind in there)
        ],
        "panels",
        {
            "xName": _("seconds"),
            "ticks": [count(edge) for edge in edges[: last + 2]],
            "names": seconds,
            "panels": [
                {"name": str(KINDS[kind]), "className": CLASSES[kind], "values": histograms[kind][: last + 1]}
                for kind in there
            ],
        },
    )


def spanned(low: float, high: float, is_last: bool) -> str:
    """`4–5`, or `29 and more`."""
    if is_last:
        return _("%(low)s and more") % {"low": count(low)}
    return f"{count(low)}–{count(high)}"


def correlations(histograms: Mapping[str, list[float]]) -> Plot | None:
    names = {"people": _("judged by people"), "machine": _("found by the machine alone")}
    edges, there = histograms["edges"], [by for by in names if sum(histograms[by])]
    if not there:
        return None
    first = min(k for by in there for k, number in enumerate(histograms[by]) if number)
    spans = [f"{decimal(edges[k], 2)}–{decimal(edges[k + 1], 2)}" for k in range(first, len(edges) - 1)]
    return Plot(
        "correlation",
        _("How alike covers are to their originals"),
        _(
            "The correlation that the checkpoint measured, 0 to 1. Where the machine was sure, nobody was asked; the "
            "doubtful ones are in the release if people judged them to be the same and in step."
        ),
        [_("correlation"), *(names[by] for by in there)],
        [
            [span, *(count(histograms[by][first + k]) for by in there)]
            for k, span in enumerate(spans)
            if any(histograms[by][first + k] for by in there)
        ],
        "panels",
        {
            "xName": _("correlation"),
            "ticks": [decimal(edge, 2) for edge in edges[first:]],
            "names": spans,
            "panels": [{"name": names[by], "className": PLAIN, "values": histograms[by][first:]} for by in there],
        },
    )


def per_thing(key: str, title: str, note: str, things: str, how_many: Mapping[str, int]) -> Plot | None:
    """How many things have how many hums: {"3": 20}."""
    bars = grouped(how_many)
    if not bars:
        return None
    return Plot(
        key,
        title,
        note,
        [_("hums"), things],
        [[label, count(number)] for label, number in bars],
        "panels",
        {
            "xName": _("hums"),
            "categories": [label for label, _number in bars],
            "names": [f"{_('hums')}: {label}" for label, _number in bars],
            "panels": [{"name": things, "className": CLASSES[HUMMING], "values": [number for _label, number in bars]}],
        },
    )


def grouped(how_many: Mapping[str, int]) -> list[tuple[str, int]]:
    """One by one while numbers are small, else in groups; from the first that there is to the last."""
    numbers = {int(number): times for number, times in how_many.items() if times}
    if not numbers:
        return []
    spans = [(number, number) for number in range(ONE_BY_ONE + 1)]
    spans += [*GROUPS, (GROUPS[-1][1] + 1, max(GROUPS[-1][1] + 1, *numbers))]
    bars = [(span, sum(times for number, times in numbers.items() if span[0] <= number <= span[1])) for span in spans]
    there = [k for k, (_span, times) in enumerate(bars) if times]
    return [
        (count(low) if low == high else f"{count(low)}–{count(high)}", times)
        for (low, high), times in bars[there[0] : there[-1] + 1]
    ]


def splits(sides: Mapping[str, Mapping[str, float]]) -> Plot:
    columns = ("songs", "fragments", *AUDIO_TYPES, "singers")
    names = [_("songs"), _("phrases"), *(str(KINDS[kind]) for kind in AUDIO_TYPES), _("singers")]
    return Plot(
        "splits",
        _("Splits by song"),
        _(
            "Each song is in one split, with everything of it, in this release and in every later one. Train on one "
            "and test on another, and no tune is known beforehand."
        ),
        [_("split"), *names, _("hours")],
        [
            [
                split,
                *(count(sides[split][name]) for name in columns),
                decimal(sides[split]["hours"], 2),
            ]
            for split in SPLITS
        ],
        "rows",
        {"rows": [lying(split, kinds_of(sides[split])) for split in SPLITS]},
        legend(AUDIO_TYPES),
    )


def singer_splits(sides: Mapping[str, Mapping[str, float]], strict: Mapping[str, int]) -> Plot | None:
    if not any(side[HUMMING] for side in sides.values()):
        return None
    same, other = _("in the same split by song, too"), _("not")
    rows = []
    for split in SPLITS:
        hums, both = sides[split][HUMMING], strict[split]
        rows.append(lying(split, [(same, CLASSES[HUMMING], both), (other, "bar--pale", hums - both)]))
    return Plot(
        "singer-splits",
        _("Splits by singer"),
        _(
            "A second split of the hums, in which no singer is in two. The strictest test takes hums of which both "
            "splits say the same: neither the tune nor the voice is known."
        ),
        [_("split by singer"), _("hums"), _("singers"), _("songs"), _("hours"), same],
        [
            [
                split,
                *(count(sides[split][name]) for name in (HUMMING, "singers", "songs")),
                decimal(sides[split]["hours"], 2),
                count(strict[split]),
            ]
            for split in SPLITS
        ],
        "rows",
        {"rows": rows},
        ((same, CLASSES[HUMMING]), (other, "bar--pale")),
    )


def licences(kinds_of_licence: Mapping[str, Mapping[str, int]]) -> Plot | None:
    if not kinds_of_licence:
        return None
    none = _("none told")
    by_size = sorted(
        kinds_of_licence.items(), key=lambda item: (-sum(item[1].get(kind, 0) for kind in AUDIO_TYPES), item)
    )
    return Plot(
        "licences",
        _("Licences"),
        _("Each version has its own, in the column licence. Audio is in the release where its licence allows it."),
        [_("licence"), *(str(KINDS[kind]) for kind in AUDIO_TYPES), _("with audio")],
        [
            [licence or none, *(count(kinds.get(name, 0)) for name in (*AUDIO_TYPES, "with_audio"))]
            for licence, kinds in by_size
        ],
        "rows",
        {"rows": [lying(licence or none, kinds_of(kinds)) for licence, kinds in by_size]},
        legend(AUDIO_TYPES),
    )


def versions_in(kinds: Mapping[str, int]) -> int:
    return sum(kinds.get(kind, 0) for kind in AUDIO_TYPES)


def devices(hums: Mapping[str, int]) -> Plot | None:
    if not any(hums.get(device) for device in DEVICES if device):
        return None
    told = [(str(name), hums.get(device, 0)) for device, name in DEVICES.items() if hums.get(device)]
    return Plot(
        "devices",
        _("Recorded on"),
        _("What hums were recorded on, where it is told; only what five or more singers share is told."),
        [_("device"), _("hums")],
        [[name, count(number)] for name, number in told],
        "rows",
        {"rows": [lying(name, [(str(KINDS[HUMMING]), CLASSES[HUMMING], number)]) for name, number in told]},
    )


def kinds_of(side: Mapping[str, float]) -> list[tuple[str, str, float]]:
    return [(str(KINDS[kind]), CLASSES[kind], side.get(kind, 0)) for kind in AUDIO_TYPES]


def lying(name: str, parts: Iterable[tuple[str, str, float]]) -> dict[str, Any]:
    """One lying bar: of its parts name, class and value."""
    shown = [
        {"className": css, "value": value, "words": f"{part}: {count(value)}"} for part, css, value in parts if value
    ]
    return {"name": name, "parts": shown, "words": count(sum(one["value"] for one in shown))}


def legend(kinds: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((str(KINDS[kind]), CLASSES[kind]) for kind in kinds)
