"""What a release changes against the last published one, for its preview and its changelog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from recordings.models import Release, ReleasedVersion
from recordings.release.removed import FOUND_WRONG, why_left
from recordings.release.tables import COVER, HUMMING, ORIGINAL, TAKEN_DOWN, WITHDRAWN

OTHER = "other"
WHY_NOT_IN_IT = (WITHDRAWN, TAKEN_DOWN, FOUND_WRONG, OTHER)
# Changes with every release: a singer's pseudonym.
NOT_COMPARED = {"singer"}
ROWS_AT_ONCE = 500
# Versions that are named of each column; of the others it is told how many there are.
FIRST_FEW = 5
PLURALS = {ORIGINAL: "originals", COVER: "covers", HUMMING: "hums"}

Row = dict[str, dict[str, str]]


def changes_since(release: Release, before: Release | None, reports: list[dict[str, str]]) -> dict[str, Any]:
    """Ready for JSON:

    - `against`: the version compared with; None for the first release, of which all is new;
    - `added`: {audio_type: versions}, `songs_added`, `fragments_added`;
    - `removed`: {"withdrawn", "taken down", "found wrong", "other": versions}, and `listed`, each of them:
      {"version_id", "fragment_id", "audio_type", "why"};
    - `changed`: versions of both of which something is told otherwise; columns that are new do not count;
    - `told_otherwise`: the same by column, most versions first: {"column", "count", "first"}, where `first` names the
      first few: {"version_id", "audio_type"};
    - `reports`: what was reported as wrong and decided since: {"version_id", "fragment_id", "audio_type", "reason",
      "outcome"}.
    """
    added: Counter[str] = Counter()
    changed, told_otherwise = 0, ToldOtherwise()
    for now, then in side_by_side(release, before):
        if then is None:
            added[now["versions"]["audio_type"]] += 1
        elif now is not None and (columns := columns_that_differ(now, then)):
            changed += 1
            told_otherwise.add(columns, now)
    listed = gone(release, before) if before else []
    why = Counter(one["why"] for one in listed)
    return {
        "against": before and before.version,
        "added": dict(sorted(added.items())),
        "songs_added": len(things(release, "group_id") - things(before, "group_id")),
        "fragments_added": len(things(release, "fragment_id") - things(before, "fragment_id")),
        "removed": {reason: why[reason] for reason in WHY_NOT_IN_IT},
        "changed": changed,
        "told_otherwise": told_otherwise.as_json(),
        "reports": reports,
        "listed": listed,
    }


def side_by_side(release: Release, before: Release | None) -> Iterator[tuple[Row | None, Row | None]]:
    """The rows of both releases, each version once, by a walk along both in the order of the ids."""
    now, then = rows_by_id(release), rows_by_id(before)
    new, old = next(now, None), next(then, None)
    while new or old:
        if old is None or (new is not None and new[0] < old[0]):
            yield new[1], None
            new = next(now, None)
        elif new is None or old[0] < new[0]:
            yield None, old[1]
            old = next(then, None)
        else:
            yield new[1], old[1]
            new, old = next(now, None), next(then, None)


def rows_by_id(release: Release | None) -> Iterator[tuple[UUID, Row]]:
    if release is None:
        return iter(())
    return release.versions.order_by("version_id").values_list("version_id", "row").iterator(chunk_size=ROWS_AT_ONCE)


def columns_that_differ(now: Row, then: Row) -> set[str]:
    """Columns that both releases have and that say something else. One that both tables have counts once."""
    return {
        column
        for table, columns in then.items()
        for column, text in columns.items()
        if column not in NOT_COMPARED and now[table].get(column, text) != text
    }


class ToldOtherwise:
    """Counts by column of how many versions something is told otherwise, and keeps the first few of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[dict[str, str]]] = {}

    def add(self, columns: set[str], row: Row) -> None:
        self.counts.update(columns)
        named = {"version_id": row["dataset"]["id"], "audio_type": row["versions"]["audio_type"]}
        for column in columns:
            first = self.first.setdefault(column, [])
            if len(first) < FIRST_FEW:
                first.append(named)

    def as_json(self) -> list[dict[str, Any]]:
        most_first = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        return [{"column": column, "count": count, "first": self.first[column]} for column, count in most_first]


def things(release: Release | None, column: str) -> set[str]:
    if release is None:
        return set()
    return set(release.versions.order_by().values_list(f"row__versions__{column}", flat=True).distinct())


def gone(release: Release, before: Release) -> list[dict[str, str]]:
    """What the release before held and this one does not, and why, by fragment."""
    left = before.versions.exclude(version_id__in=release.versions.order_by().values("version_id"))
    reasons = why_left(left)
    rows = ReleasedVersion.objects.filter(pk__in=left.order_by().values("pk"))
    told = rows.order_by("row__versions__fragment_id", "version_id")
    return [
        {"version_id": str(version), "fragment_id": fragment, "audio_type": kind, "why": reasons.get(version, OTHER)}
        for version, fragment, kind in told.values_list("version_id", "row__versions__fragment_id", "audio_type")
    ]


def history() -> list[dict[str, Any]]:
    """Every published release, the latest first, as changelogs name them. Those from before there were facts have no
    changes to tell."""
    return [
        {
            "version": release.version,
            "published_on": release.published_at.date().isoformat(),
            "changes": release.facts.get("changes") and in_numbers(release.facts["changes"]),
            "notes": release.notes,
        }
        for release in Release.objects.latest_first()
    ]


def in_numbers(changes: dict[str, Any]) -> dict[str, Any]:
    """Without the versions that left and those that are told otherwise: each is named once, by the release that lacks
    it or tells it so."""
    told_otherwise = [one | {"first": []} for one in changes.get("told_otherwise", [])]
    return changes | {"listed": [], "told_otherwise": told_otherwise}


def in_words(changes: dict[str, Any]) -> list[str]:
    """What changed, a line each, for pages; the changelog has more."""
    added = ", ".join(f"{count} {PLURALS[kind]}" for kind, count in changes["added"].items() if count)
    fragments, songs = changes["fragments_added"], changes["songs_added"]
    lines = [f"New: {added}; {fragments} new fragments, {songs} new songs."] if added else []
    lines += [f"{count} left: {why}." for why, count in changes["removed"].items() if count]
    if changes["changed"]:
        versions = "version" if changes["changed"] == 1 else "versions"
        lines.append(f"Told otherwise in some column: {changes['changed']} {versions}.")
    lines += [
        f"Reported as {report['reason']}, and {report['outcome']}: {report['audio_type']} {report['version_id']}."
        for report in changes["reports"]
    ]
    return lines or ["Nothing."]
