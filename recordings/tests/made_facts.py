"""Made-up facts of releases: a plain one, one with awkward words, and one of which nearly nothing is known."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from recordings.release.described.mirdata_index import index_of
from recordings.release.files.table_files import schema_of, typed
from recordings.release.frozen.facts import Facts
from recordings.release.frozen.statistics import Statistics
from recordings.release.layout import index_path
from recordings.release.tables import (
    DATASET,
    DATASET_COLUMNS,
    DATASET_PARQUET,
    VERSIONS,
    VERSIONS_COLUMNS,
    VERSIONS_PARQUET,
)

SONGS = {"train": "0a000000-0000-4000-8000-000000000001", "test": "0b000000-0000-4000-8000-000000000002"}
HUM_LICENCE = "CC-BY-4.0"

# Words that break YAML, JSON, Markdown, CSV or format strings if they are put in as they are.
AWKWARD = "Größe & \"Söhne\": {}\n---\n# ‘%s’ | `x` <b>\\n</b> - 'é' {version} $HOME"

VERSION = {"version_id": "v-1", "fragment_id": "f-1"}


def row_of(kind: str, split: str, number: int, **told: str) -> tuple[dict[str, str], dict[str, str]]:
    """A row of both tables, as text."""
    song = SONGS[split]
    place = {
        "group_id": song,
        "fragment_id": song.replace("-4000-", "-4001-"),
        "id": f"{number:08x}-0000-4000-8000-00000000000{split == 'test':d}",
        "audio_type": kind,
    }
    known = {"interval": "[0.0, 8.5]", "duration": "8.5", "is_available": "False", "simulated": "False", "split": split}
    known |= {"title": "Lied", "artist": "Wer", "licence": "CC0-1.0", "check_by_crowdsource": "False"} | told | place
    dataset = {name: known.get(name, "") for name in DATASET_COLUMNS}
    return dataset, {name: known.get(name, "") for name in VERSIONS_COLUMNS}


def hum(split: str, number: int, singer: str, **told: str) -> tuple[dict[str, str], dict[str, str]]:
    told = {"ai_training": "True", "check_by_crowdsource": "True", "licence": HUM_LICENCE, **told}
    return row_of("humming", split, number, singer=singer, **{"singer_split": "train", **told})


def rows() -> list[tuple[dict[str, str], dict[str, str]]]:
    """Two songs: one with a cover and two hums, one with a hum."""
    get_it = "not redistributable: get it by youtube_id and interval"
    return [
        row_of("original", "train", 1, correlation="1.0"),
        row_of("cover", "train", 2, correlation="0.75", why_no_audio=get_it, youtube_id="abcdefghijk"),
        hum("train", 3, "singer-a", device_class="phone"),
        hum("train", 4, "singer-b", singer_split="test"),
        row_of("original", "test", 5, correlation="1.0"),
        hum("test", 6, "singer-b", singer_split="test", simulated="True", ai_training="False"),
    ]


def statistics_of(rows: list[tuple[dict[str, str], dict[str, str]]]) -> dict[str, Any]:
    statistics = Statistics()
    for dataset, versions in rows:
        statistics.add(dataset, versions)
    return statistics.as_dict()


def counts_of(rows: list[tuple[dict[str, str], dict[str, str]]]) -> dict[str, Any]:
    versions = [row for _, row in rows]
    kinds = ("original", "cover", "humming")
    of_kind = {kind: sum(row["audio_type"] == kind for row in versions) for kind in kinds}
    splits = {row["group_id"]: row["split"] for row in versions}
    return {
        "songs": len(splits),
        "fragments": len({row["fragment_id"] for row in versions}),
        "versions": len(versions),
        **of_kind,
        "with_audio": sum(not row["why_no_audio"] for row in versions),
        "simulated": sum(row["simulated"] == "True" for row in versions),
        "singers": len({row["singer"] for row in versions} - {""}),
        "songs_of_split": {split: list(splits.values()).count(split) for split in sorted(set(splits.values()))},
        "hours": {kind: round(number * 8.5 / 3600, 4) for kind, number in of_kind.items() if number},
    }


def facts(**changed: Any) -> Facts:
    told = rows()
    first = Facts(
        version="2026.11",
        frozen_on="2026-11-27",
        counts=counts_of(told),
        statistics=statistics_of(told),
        columns={DATASET: list(DATASET_COLUMNS), VERSIONS: list(VERSIONS_COLUMNS)},
        removed=2,
        doi="10.5072/chad.2026.11",
        address="https://chad.example.org/releases/2026.11/",
        publisher="The CHAD people",
        contact="chad@example.org",
        hummed=["2026-10-01", "2026-11-20"],
        consents={"2026-11": {"text": "I sing.\n\nAnyone may hear it.", "hums": 3}},
        crowd={"reviewers": 4, "verdicts": 9, "alpha": 0.8125, "needed": 2},
        checkpoints={"short-7": 1},
        methods={"judge-3": 3},
        changes=changes(),
        history=[
            {"version": "2026.10", "published_on": "2026-10-02", "changes": None, "notes": ""},
            {"version": "2026.9", "published_on": "2026-09-02", "changes": None, "notes": "The first one."},
        ],
        notes="A second song.",
        tools={"libsndfile": "1.2.2", "pyarrow": "26.0.1"},
    )
    return replace(first, **changed)


def changes() -> dict[str, Any]:
    return {
        "against": "2026.10",
        "added": {"humming": 2, "original": 1},
        "removed": {"withdrawn": 1, "taken down": 0, "found wrong": 1, "other": 0},
        "changed": 1,
        "fragments_added": 1,
        "songs_added": 1,
        "reports": [
            {**VERSION, "audio_type": "cover", "reason": "wrong song", "outcome": "removed"},
            {"version_id": "v-2", "fragment_id": "f-1", "audio_type": "humming", "reason": "noise", "outcome": "kept"},
        ],
        "listed": [
            {**VERSION, "audio_type": "cover", "why": "found wrong"},
            {"version_id": "v-3", "fragment_id": "f-2", "audio_type": "humming", "why": "withdrawn"},
        ],
    }  # fmt: skip


def awkward() -> Facts:
    """With awkward words wherever somebody's own words may stand."""
    told = rows()
    for _, versions in told:
        versions["licence"] = AWKWARD
        if versions["singer"]:
            versions["gender"] = AWKWARD
    report = {**VERSION, "audio_type": "cover", "reason": AWKWARD, "outcome": "kept"}
    return facts(
        statistics=statistics_of(told),
        publisher=AWKWARD,
        contact=AWKWARD,
        consents={AWKWARD: {"text": AWKWARD, "hums": 3}},
        checkpoints={AWKWARD: 1},
        methods={AWKWARD: 3},
        changes=changes() | {"reports": [report]},
        history=[{"version": "1.0", "published_on": "2026-01-01", "changes": changes(), "notes": AWKWARD}],
        notes=AWKWARD,
        tools={AWKWARD: AWKWARD},
    )


def bare() -> Facts:
    """Of an instance that says nothing of itself, with originals alone."""
    told = [row_of("original", "train", 1, correlation="1.0")]
    empty = {"doi": "", "address": "", "contact": "", "hummed": [], "consents": {}, "crowd": {}, "checkpoints": {}}
    empty |= {
        "methods": {},
        "changes": None,
        "history": [],
        "notes": "",
        "tools": {},
        "removed": 0,
        "publisher": "CHAD",
    }
    return facts(counts=counts_of(told), statistics=statistics_of(told), **empty)


def empty() -> Facts:
    """Of a release without any row."""
    return replace(bare(), counts=counts_of([]), statistics=statistics_of([]))


EVERY = {"plain": facts, "awkward": awkward, "bare": bare, "empty": empty}


RATE = 8000
TABLES = {DATASET: (DATASET_COLUMNS, DATASET_PARQUET), VERSIONS: (VERSIONS_COLUMNS, VERSIONS_PARQUET)}


def write_folder(folder: Path, made: list[tuple[dict[str, str], dict[str, str]]] | None = None) -> list[dict[str, str]]:
    """A little release without texts: tables, audio, curves of hums, index. Gives the rows of the second table."""
    made = rows() if made is None else made
    for _, versions in made:
        if not versions["why_no_audio"]:
            add_audio(folder, versions)
    for path, number in ((DATASET, 0), (VERSIONS, 1)):
        write_table(folder, path, [both[number] for both in made])
    versions = [row for _, row in made]
    with (folder / index_path("2026.11")).open("w", encoding="utf-8", newline="") as file:
        tracks = ((row["id"], {name: sum_of(folder, row[name]) for name in ("audio", "f0")}) for row in by_id(versions))
        metadata = {"dataset": sum_of(folder, DATASET), "versions": sum_of(folder, VERSIONS)}
        file.writelines(index_of("2026.11", tracks, metadata))
    (folder / "metadata/release.json").write_text(json.dumps({"dataset": "CHAD", "version": "2026.11"}))
    return versions


def by_id(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(rows, key=lambda row: row["id"])


def add_audio(folder: Path, row: dict[str, str]) -> None:
    """A tone of its own for a row, and of a hum its pitch curve."""
    place = f"{row['group_id']}/{row['fragment_id']}/{row['id']}"
    hz = 200.0 + int(row["id"][:8], 16)
    row |= {"audio": f"{place}.flac", "sample_rate": str(RATE)}
    (folder / row["audio"]).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / row["audio"], 0.1 * np.sin(np.arange(int(8.5 * RATE)) * 2 * np.pi * hz / RATE), RATE)
    row["sha256"] = hashlib.sha256((folder / row["audio"]).read_bytes()).hexdigest()
    if row["audio_type"] == "humming":
        row["f0"] = f"f0/{place}.csv"
        (folder / row["f0"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / row["f0"]).write_text(f"0.0000,0.000\n0.0100,{hz:.3f}\n")


def write_table(folder: Path, path: str, rows: list[dict[str, str]]) -> None:
    columns, parquet = TABLES[path]
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with (folder / path).open("w", encoding="utf-8", newline="") as file:
        sink = csv.DictWriter(file, list(columns), lineterminator="\n")
        sink.writeheader()
        sink.writerows(rows)
    pq.write_table(pa.Table.from_pylist([typed(row, columns) for row in rows], schema_of(columns)), folder / parquet)


def sum_of(folder: Path, path: str) -> tuple[str, str] | None:
    return (path, hashlib.md5((folder / path).read_bytes()).hexdigest()) if path else None
