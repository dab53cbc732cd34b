"""One version of a phrase: its name, its columns with what they mean, and why it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recordings.release.described.meanings import MEANINGS
from recordings.release.tables import COVER, DATASET, HUMMING, ORIGINAL, VERSIONS

ONE_OF_KIND: dict[str, Promise] = {
    ORIGINAL: gettext_lazy("the original"),
    COVER: gettext_lazy("a cover"),
    HUMMING: gettext_lazy("a hum"),
}


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
            "Its singer withdrew it since. Releases made from now on are without it; please delete your copies, and "
            "leave it out of what you train."
        ),
        "taken down": _(
            "Its song was taken down since. Releases made from now on are without it; please delete your copies, and "
            "leave it out of what you train."
        ),
        "found wrong": _("People found it wrong since. Releases made from now on are without it."),
    }
    return sentences[why]


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
