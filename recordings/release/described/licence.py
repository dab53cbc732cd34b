"""LICENSE: what may be done with which part of a release."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from recordings.release.described.words import NAME, ONE_OF_KIND, listed, of_kind, one_line
from recordings.release.frozen.facts import Facts
from recordings.release.tables import HUMMING, VERSIONS

# Of tables and texts; singers are asked for the same.
OWN_LICENCE = "CC-BY-4.0"
OWN_LICENCE_NAME = "Creative Commons Attribution 4.0 International"
# Of the two programs in the folder, so that nobody has to ask before using or changing them.
PROGRAMS_LICENCE = "CC0-1.0"

ADDRESSES = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}

WIDTH = 118


def licence_of(facts: Facts) -> str:
    licences = facts.statistics["licences"]
    hums = {licence: kinds for licence, kinds in licences.items() if kinds.get(HUMMING)}
    parts = [
        f"The licence of {NAME} {facts.version}",
        paragraph(
            f"Tables and texts: {OWN_LICENCE_NAME} ({OWN_LICENCE}), {ADDRESSES[OWN_LICENCE]}. Attribute them to "
            f'"{one_line(facts.publisher)}: {NAME} {facts.version}".'
        ),
        paragraph(hums_words(facts.version, list(hums))),
        paragraph(
            f'Originals and covers: each under the licence that stands in its row of {VERSIONS}, column "licence"; '
            'name the performer in the column "performer" where it asks for that. Where a row has no audio, this '
            "release gives only a reference to a recording that others published, and no right to it."
        ),
        paragraph(f"The programs chad.py and download.py: {PROGRAMS_LICENCE}, {ADDRESSES[PROGRAMS_LICENCE]}."),
    ]
    if licences:
        parts.append("The licences in this release:\n\n" + "\n".join(lines_of(licences)))
    return "\n\n".join(parts) + "\n"


def hums_words(version: str, licences: list[str]) -> str:
    if not licences:
        return "Hums: there are none in this release."
    under = listed([with_address(licence) for licence in licences])
    return (
        f'Hums: under the licence that their singers agreed to, {under}, in the column "licence" of {VERSIONS}. '
        f'Attribute them to "the singers of {NAME} {version}". The column "ai_training" says whether a singer lets AI '
        "models be trained on a hum; it is the singer's wish, which this licence does not enforce. Please keep to it."
    )


def with_address(licence: str) -> str:
    return f"{one_line(licence)} ({ADDRESSES[licence]})" if licence in ADDRESSES else one_line(licence) or "none told"


def lines_of(licences: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Each licence with what is under it."""
    lines = []
    for licence, kinds in sorted(licences.items()):
        versions = listed([of_kind(kinds[kind], kind) for kind in ONE_OF_KIND if kinds.get(kind)])
        lines.append(f"- {with_address(licence)}: {versions}, {kinds.get('with_audio', 0)} of them with audio")
    return lines


def paragraph(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
