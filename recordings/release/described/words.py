"""How the texts of a release put things: counts, tables and other people's words, in Markdown that stays as meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recordings.release.frozen.facts import Facts
from recordings.release.tables import COVER, HUMMING, ORIGINAL

NAME = "CHAD"
LONG_NAME = "Covers and Hummings Aligned Dataset"

# One of each kind, and more than one.
ONE_OF_KIND = {ORIGINAL: ("original", "originals"), COVER: ("cover", "covers"), HUMMING: ("hum", "hums")}

# What Markdown takes as markup: anywhere in a line, and at its start (rules, lists, underlined titles).
MARKUP = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
LINE_MARKUP = re.compile(r"^(?:(\d+)(?=[.)])|(?=[-+=]))")
# Would end a code span or a cell, and cannot be escaped there.
NOT_IN_CODE = str.maketrans({"`": "'", "|": "/"})
LINKED = re.compile(r"https?://[^\s<>]+|[^\s<>@:/]+@[^\s<>@:/]+")


def counted(number: int, one: str, many: str) -> str:
    """`1 hum`, `12 hums`, `0 hums`."""
    return f"{number} {one if number == 1 else many}"


def of_kind(number: int, kind: str) -> str:
    """The same of an audio type."""
    return counted(number, *ONE_OF_KIND[kind])


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def one_line(text: str) -> str:
    """With every run of spaces and line ends as one space."""
    return " ".join(text.split())


def plain(text: str) -> str:
    """Somebody's words on one line that no Markdown reader takes for markup."""
    escaped = MARKUP.sub(lambda found: f"\\{found[0]}", one_line(text))
    return LINE_MARKUP.sub(r"\1\\", escaped)


def code(text: str) -> str:
    """A name of a machine's, as code on one line."""
    return f"`{one_line(text).translate(NOT_IN_CODE)}`"


def link(address: str) -> str:
    """An address of the web or of mail as a link; anything else as it is."""
    return f"<{address}>" if LINKED.fullmatch(address) else plain(address)


def quoted(text: str) -> str:
    """Somebody's words as a quotation, line by line, none of which is taken for markup."""
    return "\n".join(f"> {plain(line)}".rstrip() for line in text.strip().splitlines())


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table. Cells are Markdown on one line; foreign words have to be `plain`."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(one_line(str(cell)) for cell in line)} |" for line in lines)


def contents(counts: Mapping[str, Any]) -> str:
    """`12 songs, 20 fragments and 80 versions: 20 originals, 20 covers and 40 hums`."""
    things = [counted(counts["songs"], "song", "songs"), counted(counts["fragments"], "fragment", "fragments")]
    versions = counted(counts["versions"], "version", "versions")
    return f"{listed([*things, versions])}: {listed([of_kind(counts[kind], kind) for kind in ONE_OF_KIND])}"


def in_short(facts: Facts) -> str:
    """What the dataset is, in a paragraph without markup."""
    with_them = []
    if facts.counts["humming"]:
        with_them.append(f"hums of them by {singers(facts.counts)}")
    if facts.counts["cover"]:
        with_them.append("the same fragments in cover versions")
    found = f", with {', and with '.join(with_them)}, aligned in time" if with_them else ""
    return (
        f"{NAME} {facts.version} ({LONG_NAME}): fragments of songs, 4 to 20 seconds long{found}. It has "
        f"{contents(facts.counts)}."
    )


def singers(counts: Mapping[str, Any]) -> str:
    """Who sang the hums, and whether they are people: `12 singers`, `12 simulated singers`."""
    if counts["humming"] and counts["simulated"] == counts["humming"]:
        return counted(counts["singers"], "simulated singer", "simulated singers")
    word = counted(counts["singers"], "singer", "singers")
    return f"{word}, people and simulated ones" if counts["simulated"] else word


def reviewers(crowd: Mapping[str, Any]) -> str:
    """Who judged, and whether they are people: `4 reviewers, 2 of them simulated`."""
    all_of_them, by_program = crowd["reviewers"], crowd.get("simulated_reviewers", 0)
    if by_program and by_program == all_of_them:
        return counted(by_program, "simulated reviewer", "simulated reviewers")
    word = counted(all_of_them, "reviewer", "reviewers")
    return f"{word}, {by_program} of them simulated" if by_program else word


def simulated(counts: Mapping[str, Any]) -> str:
    """How many hums a program sang, as a sentence; nothing if none."""
    hums, by_program = counts["humming"], counts["simulated"]
    if not by_program:
        return ""
    if by_program == hums:
        return "All hums are by simulated singers, that is, sung by a program; no person sang any of them."
    are = "is" if by_program == 1 else "are"
    return (
        f"Of the {hums} hums, {by_program} {are} by simulated singers, that is, sung by a program: column `simulated`."
    )


def hours(number: float) -> str:
    """Hours with as many digits as tell something: `259.03`, `0.014`."""
    return f"{number:.2f}" if number >= 0.1 else f"{number:.2g}"


def title(facts: Facts) -> str:
    """The name of the release in full."""
    return f"{NAME} {facts.version}: {LONG_NAME}"


def year(facts: Facts) -> int:
    """The year in which it was frozen; when it will be published is not known by then."""
    return int(facts.frozen_on[:4])


def at_doi(doi: str) -> str:
    return f"https://doi.org/{doi}"
