"""CHANGELOG.md: what a release changed, what was reported as wrong and what became of it, and the releases before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recordings.release.described.words import NAME, counted, listed, of_kind, plain, quoted, table
from recordings.release.frozen.facts import Facts
from recordings.release.tables import REMOVED, TAKEN_DOWN, WITHDRAWN

# Why versions left, as a clause after "3 versions left".
WHY = {
    WITHDRAWN: "withdrawn by their singers",
    TAKEN_DOWN: "taken down with their songs",
    "found wrong": "found wrong by people since",
    "other": "gone for another reason",
}
# Of a release that is compared with nothing, where its numbers are not told either.
FIRST: dict[str, Any] = {
    **{"against": None, "added": {}, "removed": {}, "changed": 0, "fragments_added": 0, "songs_added": 0},
    **{"reports": [], "listed": []},
}


def changelog_of(facts: Facts) -> str:
    parts = [f"# Changelog of {NAME}"]
    parts += entry(facts.version, f"frozen on {facts.frozen_on}", facts.changes or FIRST, facts.notes)
    for release in facts.history:
        told = f"published on {release['published_on']}"
        parts += entry(release["version"], told, release["changes"], release["notes"])
    return "\n\n".join(parts) + "\n"


def entry(version: str, when: str, changes: Mapping[str, Any] | None, notes: str) -> list[str]:
    """A release's part: the publisher's own words as a quotation, then what the tables say."""
    parts = [f"## {version}, {when}"]
    if notes.strip():
        parts.append(quoted(notes))
    if changes is None:
        return [*parts, "What it changed was not kept."]
    parts.append(f"Against {changes['against']}:" if changes["against"] else "The first release.")
    if lines := lines_of(changes):
        parts.append("\n".join(f"- {line}" for line in lines))
    if changes["reports"]:
        parts += ["### Reported as wrong, and decided since", reports_table(changes["reports"])]
    if changes["listed"]:
        parts += ["### No longer in it", PLEASE_DELETE, gone_table(changes["listed"])]
    return parts


PLEASE_DELETE = f"""\
What was withdrawn or taken down is in {REMOVED} too. Please delete your copies of it, and leave it out of what you
train."""


def lines_of(changes: Mapping[str, Any]) -> list[str]:
    """What changed in numbers, a line each."""
    lines = []
    added = [of_kind(number, kind) for kind, number in sorted(changes["added"].items()) if number]
    if added:
        fragments, songs = changes["fragments_added"], changes["songs_added"]
        things = listed([counted(fragments, "fragment", "fragments"), counted(songs, "song", "songs")])
        lines.append(f"New: {listed(added)}{f'; new are {things}' if changes['against'] else f', of {things}'}.")
    for why, words in WHY.items():
        if number := changes["removed"].get(why):
            lines.append(f"{counted(number, 'version', 'versions')} left: {words}.")
    if changes["changed"]:
        told = counted(changes["changed"], "version", "versions")
        by_column = [f"`{one['column']}` of {one['count']}" for one in changes.get("told_otherwise", [])]
        lines.append(f"Told otherwise in some column: {told}{f' ({listed(by_column)})' if by_column else ''}.")
    if reports := changes["reports"]:
        kept = sum(report["outcome"] == "kept" for report in reports)
        told = counted(len(reports), "report", "reports")
        lines.append(f"{told} of something wrong decided: {kept} kept, {len(reports) - kept} removed.")
    return lines or (["Nothing changed."] if changes["against"] else [])


def reports_table(reports: list[dict[str, str]]) -> str:
    header = ["version", "fragment", "type", "reported as", "outcome"]
    columns = ("version_id", "fragment_id", "audio_type", "reason", "outcome")
    return table(header, [[plain(report[column]) for column in columns] for report in reports])


def gone_table(gone: list[dict[str, str]]) -> str:
    columns = ("version_id", "fragment_id", "audio_type", "why")
    return table(["version", "fragment", "type", "why"], [[plain(one[column]) for column in columns] for one in gone])
