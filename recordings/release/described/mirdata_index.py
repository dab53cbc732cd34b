"""The index of a release in the form of mirdata's: every track with its files and their MD5 sums.

mirdata: https://mirdata.readthedocs.io. The form is {"version", "tracks": {id: {name: [path, md5]}}, "metadata": {..}}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# A path in the release with its MD5 sum, or None where there is no such file.
File = tuple[str, str] | None


def index_of(
    version: str, tracks: Iterable[tuple[str, Mapping[str, File]]], metadata: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """The index's JSON, piece by piece, one track at a time in memory.

    Args:
        version: of the release.
        tracks: each version's id with its files by name, `audio` and `f0`, in the order of the ids.
        metadata: the tables, by name.

    Raises:
        ValueError: if the tracks are not in the order of their ids, each once.
    """
    yield f'{{\n"version": {as_json(version)},\n"tracks": {{'
    before = None
    for track, files in tracks:
        if before is not None and track <= before:
            raise ValueError(f"Track {track} comes after {before}; an index has its tracks by id, each once.")
        yield "\n" if before is None else ",\n"
        yield f"{as_json(track)}: {as_json({name: list(file or (None, None)) for name, file in files.items()})}"
        before = track
    yield f'\n}},\n"metadata": {as_json({name: list(file) for name, file in metadata.items()})}\n}}\n'


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
