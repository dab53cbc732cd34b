"""Freezing, drafting and publishing in one go, although people may take something back meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from recordings.models import Release
from recordings.release.checklist import Check
from recordings.release.errors import ReleaseRefused, SnapshotDiscarded
from recordings.release.exporting import export, prepare
from recordings.release.frozen.crowd import NOBODY, Crowd
from recordings.release.frozen.snapshot import freeze
from recordings.release.progress import Progress, quiet
from recordings.release.removed import discard

ATTEMPTS = 3

Outcome = TypeVar("Outcome")


def draft(version: str, out: Path, progress: Progress = quiet, crowd: Crowd = NOBODY, notes: str = "") -> list[Check]:
    """Freezes a version anew as it stands now, writes it to `out` and checks it; what the checks found.

    `notes` are those of a draft that was discarded; those of one that is there go first. Raises ReleaseRefused if the
    version is published, or cannot be written.
    """
    notes = notes_of(version) or notes
    discard(Release.objects.drafts().filter(version=version))
    return _until_it_holds(version, lambda: prepare(freeze(version, crowd, notes), out, progress, crowd))


def publish(
    version: str,
    out: Path,
    progress: Progress = quiet,
    crowd: Crowd = NOBODY,
    notes: str | None = None,
    ticked: Collection[str] | None = None,
    snapshot: str | None = None,
) -> dict[str, Any]:
    """Freezes a version, unless it is frozen, checks, publishes and writes it to `out`; the counts, as `export` gives
    them. A published one is written again.

    `notes` are words on what is new, for the changelog; those that a draft has stay where None are given. `ticked` is
    what a person has minded; None does not ask. `snapshot` is that of the draft that a person has looked at: another
    one is not published, but for what is withdrawn or taken down meanwhile.

    Raises ReleaseRefused if the draft is another one than was looked at, or whatever else stops it.
    """
    if snapshot is not None and not is_that_draft(version, snapshot):
        raise ReleaseRefused(
            f"The draft {version} that was looked at was frozen anew or thrown away since. Look at it as it is now, "
            "and publish that one."
        )
    words = notes_of(version) if notes is None else notes

    def write() -> dict[str, Any]:
        release = freeze(version, crowd, words)
        if not release.is_published and release.notes != words:
            release.notes = words
            release.save(update_fields=["notes"])
        return export(release, out, progress, crowd, ticked)

    return _until_it_holds(version, write)


def is_that_draft(version: str, snapshot: str) -> bool:
    """Whether the version is still the draft with this snapshot, or published."""
    release = Release.objects.filter(version=version).first()
    return release is not None and (release.is_published or release.settings.get("snapshot") == snapshot)


def notes_of(version: str) -> str:
    """What an admin wrote for a draft; it outlives the draft's being frozen anew."""
    return Release.objects.drafts().filter(version=version).values_list("notes", flat=True).first() or ""


def _until_it_holds(version: str, work: Callable[[], Outcome]) -> Outcome:
    """Where something of a draft is withdrawn or taken down while it is written, it is frozen anew and written from
    the start."""
    for _ in range(ATTEMPTS):
        try:
            return work()
        except SnapshotDiscarded:
            continue
    raise ReleaseRefused(
        f"Something of release {version} was withdrawn or taken down while it was written, {ATTEMPTS} times in a row. "
        "Nothing of it is kept. Export it again later."
    )
