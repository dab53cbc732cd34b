"""The list of a release's files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from recordings.release_pages.numbers import size_in_words


@dataclass(frozen=True)
class FileFacts:
    path: str
    size: str
    sha256: str
    has_left: bool


def files_of(noted: Mapping[str, Mapping[str, Any]], left: Collection[str] = ()) -> list[FileFacts]:
    """Tables and texts, then shards, as a list to download from. `left` are those that are not given any more."""
    in_order = sorted(noted, key=lambda path: (path.startswith(("data/", "f0/")), path))
    return [
        FileFacts(path, size_in_words(noted[path]["bytes"]), noted[path]["sha256"], path in left) for path in in_order
    ]
