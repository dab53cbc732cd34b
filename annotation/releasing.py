"""Releases, with what people know of the versions in them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from annotation.released_facts import CrowdFacts
from recordings import release as releases
from recordings.release.checklist import Check
from recordings.release.progress import Progress, quiet


def draft(version: str, out: Path, progress: Progress = quiet, notes: str = "") -> list[Check]:
    """Freezes a version anew, writes it to `out` and checks it, without publishing it. `notes` are those of a draft
    that was discarded."""
    return releases.draft(version, out, progress, CrowdFacts(), notes)


def publish(
    version: str,
    out: Path,
    progress: Progress = quiet,
    *,
    notes: str | None = None,
    ticked: Collection[str] | None = None,
    snapshot: str | None = None,
) -> dict[str, Any]:
    """Freezes a version, unless it is frozen, checks, publishes and writes it to `out`; its counts.

    `notes` are words on what is new, for the changelog; those that a draft has stay where None are given.
    `ticked` is what a person has minded of the checklist; None does not ask. `snapshot` is that of the draft that was
    looked at; None takes any.
    """
    return releases.publish(version, out, progress, CrowdFacts(), notes, ticked, snapshot)
