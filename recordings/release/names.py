"""What a version of the dataset may be called."""

from __future__ import annotations

import re

from recordings.release.errors import ReleaseRefused

# The version becomes a folder's name and part of file names, on every kind of disk.
VERSION_NAME = re.compile(r"[0-9a-z]+(?:[._-][0-9a-z]+)*", re.ASCII)
LONGEST_VERSION_NAME = 40  # letters, as many as the database keeps


def check_name(version: str) -> None:
    """Refuses what cannot be the name of a version."""
    if not version:
        raise ReleaseRefused(
            "Type a version, such as 2026.11: digits and small letters, with single dots, hyphens or underscores "
            "between."
        )
    if len(version) > LONGEST_VERSION_NAME or not VERSION_NAME.fullmatch(version):
        raise ReleaseRefused(
            f"{version[:60]!r} cannot be a version. Take digits and small letters with single dots, hyphens or "
            f"underscores between, such as 1.0 or 2026.11-rc1, {LONGEST_VERSION_NAME} at most."
        )
