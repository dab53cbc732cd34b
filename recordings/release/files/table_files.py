"""The tables of a release as files: CSV, and the same values with types as Parquet. A few rows at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recordings.models import Release, ReleasedVersion
from recordings.release.files.folder import text_file, whole_file
from recordings.release.tables import (
    DATASET,
    DATASET_COLUMNS,
    DATASET_PARQUET,
    VERSIONS,
    VERSIONS_COLUMNS,
    VERSIONS_PARQUET,
    Kind,
)

ROWS_AT_ONCE = 200
TABLES = {DATASET: (DATASET_COLUMNS, DATASET_PARQUET), VERSIONS: (VERSIONS_COLUMNS, VERSIONS_PARQUET)}
ARROW_TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "whole number": pa.int64(),
    "flag": pa.bool_(),
    "interval": pa.list_(pa.float64()),
}
# A part of the bytes of a release, so it never changes.
PARQUET = {"compression": "zstd", "compression_level": 9, "use_dictionary": True, "version": "2.6"}


def in_order(release: Release) -> Iterator[ReleasedVersion]:
    """Rows as they were frozen: their keys rise with the order of the release."""
    return release.versions.order_by("pk").iterator(chunk_size=ROWS_AT_ONCE)


def tables_of(version: ReleasedVersion) -> dict[str, dict[str, str]]:
    """The rows of a version in both tables, by the tables' paths."""
    rows = version.written
    return {DATASET: rows["dataset"], VERSIONS: rows["versions"]}


def write_tables(release: Release, out: Path) -> None:
    """Both tables, row by row in the frozen order, with the columns that were frozen."""
    columns = release.settings["columns"]
    with ExitStack() as files:
        sinks = {
            path: csv.DictWriter(files.enter_context(text_file(out / path)), columns[path], lineterminator="\n")
            for path in TABLES
        }
        for sink in sinks.values():
            sink.writeheader()
        for version in in_order(release):
            for path, row in tables_of(version).items():
                sinks[path].writerow(row)


def write_parquet_tables(release: Release, out: Path) -> None:
    """Both tables with types. A cell that is not known is null, an empty text stays an empty text."""
    for path, (columns, parquet) in TABLES.items():
        kinds = {name: columns[name] for name in release.settings["columns"][path]}
        schema = schema_of(kinds)
        with whole_file(out / parquet) as part, pq.ParquetWriter(part, schema, **PARQUET) as sink:
            for batch in batched((tables_of(version)[path] for version in in_order(release)), 5000):
                sink.write_table(pa.Table.from_pylist([typed(row, kinds) for row in batch], schema))


def schema_of(kinds: Mapping[str, Kind]) -> pa.Schema:
    return pa.schema([(name, ARROW_TYPES[kind.holds]) for name, kind in kinds.items()])


def typed(row: Mapping[str, str], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """A row of text with the values of its columns' types."""
    return {name: kind.value(row[name]) for name, kind in kinds.items()}


def batched(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch
