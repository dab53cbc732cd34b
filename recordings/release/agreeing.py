"""What a release says twice says the same: typed tables, shards, index and descriptions against the first tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recordings.release.checks import Row, Tell
from recordings.release.folder import is_plain
from recordings.release.layout import CROISSANT, DATACITE, INDEX, SHARD
from recordings.release.tables import (
    DATASET,
    DATASET_COLUMNS,
    DATASET_PARQUET,
    VERSIONS,
    VERSIONS_COLUMNS,
    VERSIONS_PARQUET,
    Kind,
)

ROWS_AT_ONCE = 500
# With the audio in them, which may have megabytes.
ROWS_WITH_AUDIO_AT_ONCE = 8


def check_described(folder: Path, rows: list[Row], whole: set[str], tell: Tell) -> None:
    """Everything of `whole`, the files that are as they should be, that repeats what the tables say."""
    for path, columns, table in (
        (DATASET_PARQUET, DATASET_COLUMNS, DATASET),
        (VERSIONS_PARQUET, VERSIONS_COLUMNS, VERSIONS),
    ):
        if path in whole:
            check_typed_table(folder, path, columns, table, rows, tell)
    shards = sorted(path for path in whole if SHARD.fullmatch(path))
    if shards:
        check_shards(folder, shards, rows, tell)
    for path in sorted(path for path in whole if INDEX.fullmatch(path)):
        check_index(folder, path, rows, tell)
    for path in (CROISSANT, DATACITE):
        if path in whole and json_of(folder / path) is None:
            tell(path, "is no JSON")


def check_typed_table(
    folder: Path, path: str, columns: dict[str, Kind], table: str, rows: list[Row], tell: Tell
) -> None:
    """The same rows in the same order, each cell the value that the text says."""
    named = {row["id"]: row for row in rows}
    for number, cells in enumerate(cells_of(folder / path, path, None, tell), 1):
        row = named.pop(str(cells.get("id")), None)
        if row is None:
            tell(path, f"row {number} is in no row of {table} that can be used, or there twice")
            continue
        wrong = [name for name in cells if name not in row or columns[name].value(row[name]) != cells[name]]
        if wrong:
            tell(path, f"row {number}, {row.name}: {', '.join(wrong)} not as in {table}")
    for row in named.values():
        tell(path, f"has no row for {row.name}")


def check_shards(folder: Path, shards: list[str], rows: list[Row], tell: Tell) -> None:
    """Each version that has audio is in one shard of its split, with that very audio."""
    named = {row["id"]: row for row in rows if row["audio"]}
    for path in shards:
        split = path.rpartition("/")[2].partition("-")[0]
        for cells in cells_of(folder / path, path, ["id", "split", "audio"], tell):
            row = named.pop(str(cells["id"]), None)
            if row is None:
                tell(path, f"{cells['id']} is no version with audio, or in two shards")
            elif {cells["split"], split} != {row["split"]}:
                tell(path, f"{row.name} is in split {row['split']}, and in a shard of {split}")
            elif hashlib.sha256(cells["audio"]["bytes"]).hexdigest() != row["sha256"]:
                tell(path, f"{row.name} has other audio than {row['audio']}")
    for row in named.values():
        tell(shards[0].rpartition("/")[0], f"no shard has {row.name}")


def cells_of(file: Path, path: str, columns: list[str] | None, tell: Tell) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, a few at a time."""
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:
            at_once = ROWS_WITH_AUDIO_AT_ONCE if "audio" in (columns or ()) else ROWS_AT_ONCE
            for batch in table.iter_batches(at_once, columns=columns, use_threads=False):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as problem:
        tell(path, f"cannot be read as Parquet: {problem}")


def check_index(folder: Path, path: str, rows: list[Row], tell: Tell) -> None:
    """The index names each version with its audio and its pitch curve."""
    index = json_of(folder / path)
    tracks = index.get("tracks") if isinstance(index, dict) else None
    if not isinstance(tracks, dict):
        tell(path, "is no index of tracks")
        return
    for row in rows:
        track = tracks.get(row["id"])
        named = {name: (track or {}).get(name, [None])[0] or "" for name in ("audio", "f0")}
        if track is None or named != {name: row.get(name, "") for name in named}:
            tell(path, f"does not name {row.name} as {VERSIONS} does")
    if len(tracks) != len(rows):
        tell(path, f"has {len(tracks)} tracks; {VERSIONS} has {len(rows)} rows that can be used")


def json_of(path: Path) -> Any:
    """What a file holds; None if it is no JSON, or no file of its own."""
    try:
        return json.loads(path.read_bytes()) if is_plain(path) else None
    except (ValueError, RecursionError):
        return None
