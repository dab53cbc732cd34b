"""What a release tells otherwise than the one before, by column, with the first few versions as links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recordings.release_pages.numbers import count
from recordings.release_pages.versions import kind_of

# Of an id so much tells versions apart in a list; the link has all of it.
LETTERS_OF_AN_ID = 8


@dataclass(frozen=True)
class NamedVersion:
    id: str
    name: str


@dataclass(frozen=True)
class Column:
    """A column, of how many versions it is told otherwise, the first few of them, and how many more there are."""

    name: str
    versions: str
    first: list[NamedVersion]
    more: str


def told_otherwise(changes: Mapping[str, Any] | None) -> list[Column]:
    """The columns, those of most versions first; none of releases that did not keep them."""
    return [column_of(one) for one in (changes or {}).get("told_otherwise", [])]


def column_of(told: Mapping[str, Any]) -> Column:
    number, first = told["count"], told["first"]
    more = number - len(first)
    return Column(
        name=told["column"],
        versions=ngettext("%(number)s version", "%(number)s versions", number) % {"number": count(number)},
        first=[NamedVersion(one["version_id"], name_of(one)) for one in first],
        more=_("and %(number)s more") % {"number": count(more)} if more else "",
    )


def name_of(version: Mapping[str, str]) -> str:
    """Its kind and the beginning of its id: titles would outlive songs that are taken down."""
    return f"{kind_of(version['audio_type'])} {version['version_id'][:LETTERS_OF_AN_ID]}"
