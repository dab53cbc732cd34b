"""Freezing and writing a release in one go, although people may take something back meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordings.release.errors import ReleaseRefused, SnapshotDiscarded
from recordings.release.exporting import export
from recordings.release.progress import Progress, quiet
from recordings.release.snapshot import freeze

ATTEMPTS = 3


def publish(version: str, out: Path, progress: Progress = quiet) -> dict[str, Any]:
    """Freezes a version, unless it is frozen, and writes it to `out`; the counts, as `export` gives them.

    Where something of a snapshot is withdrawn or taken down while it is written for the first time, it is frozen anew
    and written from the start.
    """
    for _ in range(ATTEMPTS):
        try:
            return export(freeze(version), out, progress)
        except SnapshotDiscarded:
            continue
    raise ReleaseRefused(
        f"Something of release {version} was withdrawn or taken down while it was written, {ATTEMPTS} times in a row. "
        "Nothing of it is kept. Export it again later."
    )
