"""Shards: the rows of a release with their audio inside, as Parquet files of a set size, for `datasets`.

`data/{config}/{split}-00000-of-00003.parquet`: a config for hums, originals and covers each. They repeat what the
folder holds otherwise, so they are a part of their own that may be left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recordings.models import Release, ReleasedVersion
from recordings.release.files.folder import file_sha256, whole_file
from recordings.release.files.table_files import PARQUET, in_order, schema_of, tables_of, typed
from recordings.release.layout import CONFIGS, SHARDS
from recordings.release.progress import Progress, quiet
from recordings.release.tables import DATASET, DATASET_COLUMNS, FROM_DATASET, VERSIONS, VERSIONS_COLUMNS

# Audio that is held in memory before it is written: a row group of a shard, and all of a shard that is not written yet.
GROUP_BYTES = 8_000_000
GROUP_ROWS = 100
# FLAC cannot be made smaller, and a dictionary of it would hold it twice.
SHARD = PARQUET | {"compression_level": 1, "use_dictionary": ["audio_type", "split", "licence"]}


@dataclass(frozen=True)
class Place:
    """One of the shards of a config and split."""

    config: str
    split: str
    number: int
    of: int

    @property
    def path(self) -> str:
        return f"{SHARDS}/{self.config}/{self.split}-{self.number:05d}-of-{self.of:05d}.parquet"


def write_shards(release: Release, out: Path, progress: Progress = quiet) -> None:
    """Every shard that is not there as it was at publication. The audio files are in the folder already.

    Rows keep the order of the release; a shard ends with the file that fills it. Memory is bounded by the row groups
    under way, one for each config and split.
    """
    plan = shards_of(release, out)
    kept = {path for path, facts in release.files.items() if is_as_noted(out / path, facts)}
    kinds = columns_of(release)
    schema = audio_schema(schema_of(kinds))
    total, fill = sum(plan.values()), Filling(release.settings["shard_bytes"])
    with ExitStack() as open_shards:
        sinks: dict[tuple[str, str], ShardWriter] = {}
        for done, version in enumerate(with_audio(release)):
            progress(done / max(1, release.settings["counts"]["with_audio"]), f"Shards: {total}")
            size = (out / version.audio).stat().st_size
            config, split, number = fill.next(version, size)
            place = Place(config, split, number, plan[config, split])
            if place.path in kept:
                continue
            sink = sinks.get((config, split))
            if sink is None or sink.place != place:
                if sink:
                    sink.close()
                sink = sinks[config, split] = ShardWriter(place, out, schema)
                open_shards.push(sink.end)
            sink.add(row_of(version, out, kinds), size)


def with_audio(release: Release) -> Iterator[ReleasedVersion]:
    return (version for version in in_order(release) if version.audio)


def shards_of(release: Release, out: Path) -> Counter[tuple[str, str]]:
    """How many shards there are of each config and split."""
    fill, numbers = Filling(release.settings["shard_bytes"]), Counter()
    for version in with_audio(release):
        config, split, number = fill.next(version, (out / version.audio).stat().st_size)
        numbers[config, split] = number + 1
    return numbers


class Filling:
    """Which shard a row goes to: the present one of its config and split, until that is full."""

    def __init__(self, shard_bytes: int) -> None:
        self.shard_bytes = shard_bytes
        self.filled: Counter[tuple[str, str]] = Counter()
        self.number: Counter[tuple[str, str]] = Counter()

    def next(self, version: ReleasedVersion, size: int) -> tuple[str, str, int]:
        key = CONFIGS[version.audio_type], version.row["versions"]["split"]
        if self.filled[key] >= self.shard_bytes:
            self.filled[key] = 0
            self.number[key] += 1
        self.filled[key] += size
        return *key, self.number[key]


class ShardWriter:
    """One shard, written in row groups; it gets its name when it is closed."""

    def __init__(self, place: Place, out: Path, schema: pa.Schema) -> None:
        self.place, self.schema = place, schema
        self.rows: list[dict[str, Any]] = []
        self.bytes = 0
        self.is_open = True
        self.stack = ExitStack()
        part = self.stack.enter_context(whole_file(out / place.path))
        self.sink = self.stack.enter_context(pq.ParquetWriter(part, schema, **SHARD))

    def add(self, row: dict[str, Any], size: int) -> None:
        self.rows.append(row)
        self.bytes += size
        if self.bytes >= GROUP_BYTES or len(self.rows) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            self.sink.write_table(pa.Table.from_pylist(self.rows, self.schema))
        self.rows, self.bytes = [], 0

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._flush()
            self.stack.close()

    def end(self, kind: type[BaseException] | None, *problem: object) -> None:
        """Closes it; where the writing failed it never gets its name."""
        if kind is None:
            self.close()
        else:
            with suppress(OSError, pa.ArrowException):  # the failure itself is told already
                self.sink.close()


def columns_of(release: Release) -> dict[str, Any]:
    """The columns of a shard besides the audio."""
    frozen = release.settings["columns"]
    told = {name: VERSIONS_COLUMNS[name] for name in frozen[VERSIONS] if name != "audio"}
    return told | {name: DATASET_COLUMNS[name] for name in frozen[DATASET] if name in FROM_DATASET}


def audio_schema(schema: pa.Schema) -> pa.Schema:
    """With the audio, and with what tells `datasets` that it is some."""
    audio = pa.field("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    features = {field.name: feature_of(field.type) for field in schema} | {"audio": {"_type": "Audio"}}
    described = {"info": {"features": features}}
    return pa.schema([*schema, audio], metadata={"huggingface": json.dumps(described, sort_keys=True)})


def feature_of(kind: pa.DataType) -> dict[str, Any]:
    """The type of a column in the words of `datasets`."""
    if pa.types.is_list(kind):
        return {"feature": feature_of(kind.value_type), "_type": "List"}
    names = {pa.string(): "string", pa.float64(): "float64", pa.int64(): "int64", pa.bool_(): "bool"}
    return {"dtype": names[kind], "_type": "Value"}


def row_of(version: ReleasedVersion, out: Path, kinds: dict[str, Any]) -> dict[str, Any]:
    tables = tables_of(version)
    row = typed(tables[VERSIONS] | {name: tables[DATASET][name] for name in FROM_DATASET}, kinds)
    return row | {"audio": {"bytes": (out / version.audio).read_bytes(), "path": version.audio}}


def rows_of_shard(path: Path) -> int:
    return pq.read_metadata(path).num_rows


def is_as_noted(path: Path, facts: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == facts["bytes"] and file_sha256(path) == facts["sha256"]
