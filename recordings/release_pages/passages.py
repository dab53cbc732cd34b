"""Sections of a release's own texts, as paragraphs and code for a page."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
