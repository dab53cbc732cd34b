"""The lists below what a release changed, each row in the reader's words: what left it, and what was reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from recordings.release_pages.versions import kind_of

# Why one version is not in it any more, by the word that the release froze.
WHY: dict[str, Promise] = {
    "withdrawn": _("withdrawn by its singer"),
    "taken down": _("taken down with its song"),
    "found wrong": _("found wrong by people since"),
    "other": _("gone for another reason"),
}
# What it was reported as. A release freezes the English words, as its changelog has them.
REPORTED_AS: dict[str, Promise] = {
    "wrong tune": _("wrong tune"),
    "off in time": _("off in time"),
    "words sung": _("words sung"),
    "the reference leaks in": _("the reference leaks in"),
    "noise": _("noise"),
    "clipped": _("clipped"),
    "too quiet": _("too quiet"),
    "cut off": _("cut off"),
    "silent": _("silent"),
    "different song": _("different song"),
    "wrong section": _("wrong section"),
    "instrumental only": _("instrumental only"),
    "medley": _("medley"),
    "tempo changes": _("tempo changes"),
    "bad separation": _("bad separation"),
    "unavailable": _("unavailable"),
    "something else": _("something else"),
}


@dataclass(frozen=True)
class Listed:
    """A row.

    Attributes:
        kind: what the version is: a hum, a cover, the original.
        why: why it left, or what it was reported as.
        is_translated: whether `why` is in the reader's language. Else it stands as the release froze it, in English.
        is_kept: of a report, whether the version stays.
    """

    version_id: str
    kind: str
    why: str
    is_translated: bool
    is_kept: bool = False


def left(rows: Sequence[Mapping[str, str]]) -> list[Listed]:
    return [in_words(row, WHY, row["why"]) for row in rows]


def reported(rows: Sequence[Mapping[str, str]]) -> list[Listed]:
    return [in_words(row, REPORTED_AS, row["reason"], is_kept=row["outcome"] == "kept") for row in rows]


def in_words(row: Mapping[str, str], words: Mapping[str, Promise], frozen: str, *, is_kept: bool = False) -> Listed:
    why = str(words.get(frozen, frozen))
    return Listed(row["version_id"], kind_of(row["audio_type"]), why, frozen in words, is_kept)
