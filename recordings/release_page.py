"""What the public pages of releases show: figures, plots, changes and facts, each in the reader's words.

The texts that lie in a release itself (how it is loaded and cited, what its columns mean) are in English, as they are
there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from recordings.release.described.meanings import MEANINGS
from recordings.release.tables import AUDIO_TYPES, COVER, DATASET, HUMMING, ORIGINAL, SPLITS, VERSIONS

# Two colours have one meaning each, everywhere; covers are ink.
CLASSES = {ORIGINAL: "bar--reference", COVER: "bar--cover", HUMMING: "bar--voice"}
PLAIN = "bar--plain"

KINDS: dict[str, Promise] = {
    ORIGINAL: gettext_lazy("originals"),
    COVER: gettext_lazy("covers"),
    HUMMING: gettext_lazy("hums"),
}
ONE_OF_KIND: dict[str, Promise] = {
    ORIGINAL: gettext_lazy("the original"),
    COVER: gettext_lazy("a cover"),
    HUMMING: gettext_lazy("a hum"),
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

LEFT: dict[str, Promise] = {
    "withdrawn": gettext_lazy("withdrawn by their singers"),
    "taken down": gettext_lazy("taken down with their songs"),
    "found wrong": gettext_lazy("found wrong by people since"),
    "other": gettext_lazy("gone for another reason"),
}


def count(number: float) -> str:
    """As the reader's language writes it: 12,000 or 12.000."""
    return number_format(number, use_l10n=True, force_grouping=True)


def decimal(number: float, decimals: int = 1) -> str:
    return number_format(number, decimal_pos=decimals, use_l10n=True, force_grouping=True)


# ---------------------------------------------------------------- figures


def figures(counts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is in a release: each figure with its name. Releases of long ago lack some."""
    named = [
        ("songs", _("songs")),
        ("fragments", _("phrases")),
        ("original", _("originals")),
        ("humming", _("hums")),
        ("cover", _("covers")),
        ("singers", _("singers")),
    ]
    told = [(count(counts[name]), words) for name, words in named if name in counts]
    hours = sum(counts.get("hours", {}).values())
    if hours >= 2:
        told.append((decimal(hours), _("hours of audio")))
    elif hours:
        told.append((decimal(60 * hours), _("minutes of audio")))
    return told


def simulated(counts: Mapping[str, Any]) -> str:
    """How many hums a program sang, as a sentence; nothing if none."""
    number, hums = counts.get("simulated", 0), counts.get("humming", 0)
    if not number:
        return ""
    if number == hums:
        return _("All hums in it are by simulated singers, that is, sung by a program; no person sang any of them.")
    return _("%(number)s of the %(hums)s hums in it are by simulated singers, that is, sung by a program.") % {
        "number": count(number),
        "hums": count(hums),
    }


def in_short(counts: Mapping[str, Any]) -> str:
    """A release in a line of a list."""
    parts = [
        ngettext("%(number)s song", "%(number)s songs", counts.get("songs", 0)),
        ngettext("%(number)s phrase", "%(number)s phrases", counts.get("fragments", 0)),
        ngettext("%(number)s hum", "%(number)s hums", counts.get("humming", 0)),
        ngettext("%(number)s cover", "%(number)s covers", counts.get("cover", 0)),
    ]
    numbers = (counts.get(name, 0) for name in ("songs", "fragments", "humming", "cover"))
    return " · ".join(part % {"number": count(number)} for part, number in zip(parts, numbers, strict=True))


# ---------------------------------------------------------------- changes


def changes_in_words(changes: Mapping[str, Any] | None) -> list[str]:
    """What a release changed, a line each; nothing where it was not kept."""
    if changes is None:
        return []
    lines = [*added_in_words(changes)]
    lines += [
        ngettext("%(number)s version left: %(why)s.", "%(number)s versions left: %(why)s.", number)
        % {"number": count(number), "why": LEFT.get(why, why)}
        for why, number in changes["removed"].items()
        if number
    ]
    if changes["changed"]:
        lines.append(
            ngettext(
                "Of %(number)s version something is told otherwise.",
                "Of %(number)s versions something is told otherwise.",
                changes["changed"],
            )
            % {"number": count(changes["changed"])}
        )
    reports = changes["reports"]
    if reports:
        removed = sum(report["outcome"] == "removed" for report in reports)
        lines.append(
            ngettext(
                "%(number)s report of something wrong was decided: %(removed)s removed, %(kept)s kept.",
                "%(number)s reports of something wrong were decided: %(removed)s removed, %(kept)s kept.",
                len(reports),
            )
            % {"number": count(len(reports)), "removed": count(removed), "kept": count(len(reports) - removed)}
        )
    return lines or [_("Nothing changed.")]


def added_in_words(changes: Mapping[str, Any]) -> list[str]:
    singular_and_plural = {
        ORIGINAL: lambda n: ngettext("%(number)s original", "%(number)s originals", n),
        COVER: lambda n: ngettext("%(number)s cover", "%(number)s covers", n),
        HUMMING: lambda n: ngettext("%(number)s hum", "%(number)s hums", n),
    }
    added = [
        singular_and_plural[kind](changes["added"][kind]) % {"number": count(changes["added"][kind])}
        for kind in AUDIO_TYPES
        if changes["added"].get(kind)
    ]
    if not added:
        return []
    if not changes["against"]:
        return [_("The first release.")]
    line = _("New: %(versions)s.") % {"versions": ", ".join(added)}
    songs = changes["songs_added"]
    if songs:
        line += " " + ngettext("%(number)s new song.", "%(number)s new songs.", songs) % {"number": count(songs)}
    return [line]


# ---------------------------------------------------------------- plots


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


# ---------------------------------------------------------------- growth


def growth(releases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many versions each release holds, the first release first. `releases`: the latest first."""
    return [{"version": one["version"], "versions": one["counts"].get("versions", 0)} for one in reversed(releases)]


def growth_in_words(points: Sequence[Mapping[str, Any]]) -> str:
    first, last = points[0], points[-1]
    if first is last:
        return _("%(versions)s versions of phrases in release %(version)s.") % {
            "versions": count(last["versions"]),
            "version": last["version"],
        }
    return _("From %(before)s versions of phrases in release %(first)s to %(now)s in release %(last)s.") % {
        "before": count(first["versions"]),
        "first": first["version"],
        "now": count(last["versions"]),
        "last": last["version"],
    }


# ---------------------------------------------------------------- texts of the release

FENCE = re.compile(r"^```[a-z]*\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
MARKS = re.compile(r"`([^`]+)`|<(https?://[^>\s]+)>|\\(.)")


@dataclass(frozen=True)
class Passage:
    """A paragraph, in stretches of (`text`, `code` or `link`, words); or code to copy."""

    words: list[tuple[str, str]]
    code: str = ""


def section_of(markdown: str, title: str) -> str:
    """What stands under a heading of the second level; nothing if there is none."""
    _before, found, after = markdown.partition(f"\n## {title}\n")
    return after.partition("\n## ")[0].strip() if found else ""


def passages(markdown: str) -> list[Passage]:
    """Paragraphs and code, as a release's own texts have them."""
    found, at = [], 0
    for fence in FENCE.finditer(markdown):
        found += [*paragraphs(markdown[at : fence.start()]), Passage([], fence[1])]
        at = fence.end()
    return [*found, *paragraphs(markdown[at:])]


def paragraphs(markdown: str) -> list[Passage]:
    return [Passage(stretches(" ".join(part.split()))) for part in markdown.split("\n\n") if part.strip()]


def stretches(line: str) -> list[tuple[str, str]]:
    found, at = [], 0
    for mark in MARKS.finditer(line):
        found.append(("text", line[at : mark.start()]))
        kind = "code" if mark[1] else "link" if mark[2] else "text"
        found.append((kind, mark[1] or mark[2] or mark[3]))
        at = mark.end()
    return [one for one in [*found, ("text", line[at:])] if one[1]]


# ---------------------------------------------------------------- files


@dataclass(frozen=True)
class FileFacts:
    path: str
    size: str
    sha256: str


def files_of(noted: Mapping[str, Mapping[str, Any]]) -> list[FileFacts]:
    """Tables and texts, then shards, as a list to download from."""
    in_order = sorted(noted, key=lambda path: (path.startswith(("data/", "f0/")), path))
    return [FileFacts(path, size_in_words(noted[path]["bytes"]), noted[path]["sha256"]) for path in in_order]


def size_in_words(size: float) -> str:
    """In units of a thousand, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{count(size) if unit == 'B' else decimal(size)} {unit}"
        size /= 1000
    raise AssertionError("every size has a unit")


# ---------------------------------------------------------------- one version


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    meaning: str


def facts_of(
    row: Mapping[str, Mapping[str, str]], columns: Mapping[str, Sequence[str]]
) -> tuple[list[Fact], list[Fact]]:
    """Every column of a version with its meaning: those that say something, and the empty ones.

    Args:
        row: the values of `dataset` and `versions`, `audio` and `sha256` included.
        columns: of each table by its path, in their order.
    """
    told: dict[str, Fact] = {}
    for table, values in ((VERSIONS, row["versions"]), (DATASET, row["dataset"])):
        for name in columns.get(table, values):
            told.setdefault(name, Fact(name, values.get(name, ""), MEANINGS[table].get(name, "")))
    facts = list(told.values())
    return [fact for fact in facts if fact.value], [fact for fact in facts if not fact.value]


def why_left(why: str) -> str:
    """What happened to a version since it was released, as a sentence."""
    sentences = {
        "withdrawn": _(
            "Its singer withdrew it since. It has left every later release; please delete your copies, and leave it "
            "out of what you train."
        ),
        "taken down": _(
            "Its song was taken down since. It has left every later release; please delete your copies, and leave it "
            "out of what you train."
        ),
        "found wrong": _("People found it wrong since. It is not in any later release."),
    }
    return sentences[why]


def gone_since(number: int) -> str:
    """What left since a release was published, and what to do about it; nothing if nothing did."""
    if not number:
        return ""
    return ngettext(
        "%(number)s of its versions was withdrawn or taken down since, and is not given any more, nor are the shards "
        "that hold it. The newest release is whole.",
        "%(number)s of its versions were withdrawn or taken down since, and are not given any more, nor are the shards "
        "that hold them. The newest release is whole.",
        number,
    ) % {"number": number}


def kind_of(audio_type: str) -> str:
    return str(ONE_OF_KIND[audio_type])


def name_of(audio_type: str, row: Mapping[str, str], number: int) -> str:
    """What a version is called in a list of a phrase's versions; `number` counts those of its kind from 1."""
    if audio_type == ORIGINAL:
        return _("Original")
    if audio_type == HUMMING:
        return _("Hum %(number)s") % {"number": number}
    if row.get("performer"):
        return _("Cover by %(performer)s") % {"performer": row["performer"]}
    return _("Cover %(number)s") % {"number": number}
