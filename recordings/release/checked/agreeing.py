"""What a release says twice says the same: typed tables, shards, index and descriptions against the first tables."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recordings.release.checked.checks import Row, Tell
from recordings.release.files.folder import is_plain
from recordings.release.layout import CONFIGS, CROISSANT, DATACITE, INDEX, SHARD, SHARDS
from recordings.release.tables import (
    DATASET,
    DATASET_COLUMNS,
    DATASET_PARQUET,
    FROM_DATASET,
    VERSIONS,
    VERSIONS_COLUMNS,
    VERSIONS_PARQUET,
    Kind,
)

ROWS_AT_ONCE = 500
# With the audio in them, which may have megabytes.
ROWS_WITH_AUDIO_AT_ONCE = 8


def check_described(
    folder: Path, rows: list[Row], named: Collection[str], whole: Mapping[str, str], tell: Tell
) -> None:
    """Everything of `whole`, the files that are as they should be with their MD5 sums, that repeats what the tables
    say. `named` are all files that the sums name."""
    for path, columns, table in (
        (DATASET_PARQUET, DATASET_COLUMNS, DATASET),
        (VERSIONS_PARQUET, VERSIONS_COLUMNS, VERSIONS),
    ):
        if path in whole:
            check_typed_table(folder, path, columns, table, rows, tell)
    shards = sorted(path for path in whole if SHARD.fullmatch(path))
    if shards:
        check_shards(folder, shards, rows, named, tell)
    for path in sorted(path for path in whole if INDEX.fullmatch(path)):
        check_index(folder, path, rows, whole, tell)
    for path in (CROISSANT, DATACITE):
        if path in whole and not isinstance(json_of(folder / path), dict):
            tell(path, "is no JSON object")


def check_typed_table(
    folder: Path, path: str, columns: dict[str, Kind], table: str, rows: list[Row], tell: Tell
) -> None:
    """The same rows in the same order, each cell the value that the text says."""
    wanted = [name for name in columns if rows and name in rows[0]]
    if rows and names_in(folder / path, path, tell) != wanted:
        tell(path, f"has not the columns of {table}: {', '.join(wanted)}")
        return
    for number, (cells, row) in enumerate(zip_longest(cells_of(folder / path, path, None, tell), rows), 1):
        if cells is None or row is None:
            tell(path, f"has {'fewer' if cells is None else 'more'} rows than {table} has that can be used")
            return
        wrong = [name for name in wanted if columns[name].value(row[name]) != cells[name]]
        if wrong:
            tell(path, f"row {number} is not as {row.name}: {', '.join(wrong)}")


def check_shards(folder: Path, shards: list[str], rows: list[Row], named_files: Collection[str], tell: Tell) -> None:
    """Each version that has audio is in one shard of its split, with that very audio."""
    named = {row["id"]: row for row in rows if row["audio"]}
    for path in missing_of(shards):
        tell(path, "is missing: its versions are in no shard")
    for path in shards:
        _, config, file = path.split("/")
        split = file.partition("-")[0]
        wanted = shard_kinds(rows[0]) if rows else {}
        if names_in(folder / path, path, tell) != [*wanted, "audio"]:
            tell(path, f"has not the columns {', '.join([*wanted, 'audio'])}")
            continue
        for cells in cells_of(folder / path, path, [*wanted, "audio"], tell):
            row = named.pop(str(cells["id"]), None)
            if row is None:
                tell(path, f"{cells['id']} is no version with audio, or in two shards")
            elif (CONFIGS[row["audio_type"]], row["split"]) != (config, split):
                tell(path, f"{row.name} is of split {row['split']}, and in a shard of {config}, {split}")
            elif wrong := [name for name, kind in wanted.items() if kind.value(row[name]) != cells[name]]:
                tell(path, f"{row.name} is not as in the tables: {', '.join(wrong)}")
            elif not is_audio_of(cells["audio"], row):
                tell(path, f"{row.name} has other audio than {row['audio']}")
    whole = {path.rpartition("-")[0].rpartition("-")[0].rpartition("-")[0] for path in shards}
    left = [(f"{SHARDS}/{CONFIGS[row['audio_type']]}/{row['split']}", row) for row in named.values()]
    known = {side for side, _ in left if any(path.startswith(f"{side}-") for path in named_files)}
    for side, number in sorted(Counter(side for side, _ in left if side not in known).items()):
        tell(side, f"there is no shard of it, for {number} versions with audio")
    for side, row in left:
        # A shard that is missing was told with its name.
        if side in whole and not any(path.startswith(f"{side}-") for path in missing_of(shards)):
            tell(side, f"no shard has {row.name}")


def shard_kinds(row: Row) -> dict[str, Kind]:
    """The columns of a shard of a release whose tables have these columns together."""
    told = {name: kind for name, kind in VERSIONS_COLUMNS.items() if name in row and name != "audio"}
    return told | {name: kind for name, kind in DATASET_COLUMNS.items() if name in FROM_DATASET}


def is_audio_of(cell: Any, row: Row) -> bool:
    if not isinstance(cell, dict) or not isinstance(cell.get("bytes"), bytes):
        return False
    return cell.get("path") == row["audio"] and hashlib.sha256(cell["bytes"]).hexdigest() == row["sha256"]


def missing_of(shards: list[str]) -> list[str]:
    """The shards that the others' names say that there are, and that are not there."""
    sides = {tuple(path.removesuffix(".parquet").rsplit("-", 3)[::3]) for path in shards}
    named = (f"{side}-{number:05d}-of-{of}.parquet" for side, of in sides for number in range(int(of)))
    return sorted(set(named) - set(shards))


def names_in(file: Path, path: str, tell: Tell) -> list[str]:
    """The columns of a Parquet file."""
    try:
        return pq.read_schema(file).names
    except (pa.ArrowException, OSError) as problem:
        tell(path, f"cannot be read as Parquet: {problem}")
        return []


def cells_of(file: Path, path: str, columns: list[str] | None, tell: Tell) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, a few at a time."""
    try:
        with pq.ParquetFile(file, pre_buffer=False) as table:
            at_once = ROWS_WITH_AUDIO_AT_ONCE if "audio" in (columns or ()) else ROWS_AT_ONCE
            for batch in table.iter_batches(at_once, columns=columns, use_threads=False):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as problem:
        tell(path, f"cannot be read as Parquet: {problem}")


def check_index(folder: Path, path: str, rows: list[Row], whole: Mapping[str, str], tell: Tell) -> None:
    """The index names each version with its audio and its pitch curve, and both with their MD5 sums."""
    index = json_of(folder / path)
    tracks = index.get("tracks") if isinstance(index, dict) else None
    if not isinstance(tracks, dict):
        tell(path, "is no index of tracks")
        return
    for row in rows:
        track = tracks.get(row["id"])
        named = {name: first_of(track, name) for name in ("audio", "f0")}
        if track is None or named != {name: row.get(name, "") for name in named}:
            tell(path, f"does not name {row.name} as {VERSIONS} does")
            continue
        for name, file in named.items():
            if file in whole and track[name][1] != whole[file]:
                tell(path, f"{row.name}: its MD5 sum of {file} is not that of the file")
    if len(tracks) != len(rows):
        tell(path, f"has {len(tracks)} tracks; {VERSIONS} has {len(rows)} rows that can be used")


def first_of(track: Any, name: str) -> Any:
    """The path that an index gives for a file of a track; "" for none."""
    pair = track.get(name) if isinstance(track, dict) else None
    return (pair[0] or "") if isinstance(pair, list) and len(pair) == 2 else None


def json_of(path: Path) -> Any:
    """What a file holds; None if it is no JSON, or no file of its own."""
    try:
        return json.loads(path.read_bytes()) if is_plain(path) else None
    except (ValueError, RecursionError):
        return None
