"""Which files a release has, and what each is for. Free of Django."""

from __future__ import annotations

import re

from recordings.release.tables import (
    COVER,
    DATASET,
    DATASET_PARQUET,
    HUMMING,
    ORIGINAL,
    REMOVED,
    VERSIONS,
    VERSIONS_PARQUET,
)

README = "README.md"
LICENCE = "LICENSE"
DATASHEET = "DATASHEET.md"
CHANGELOG = "CHANGELOG.md"
CITATION = "CITATION.cff"
CROISSANT = "croissant.json"
DATACITE = "datacite.json"
LOADER = "chad.py"
DOWNLOAD = "download.py"
CARD = "metadata/release.json"
SUMS = "SHA256SUMS"

# What is in every release besides audio and sums, and what releases have since it was thought of.
ALWAYS = {DATASET, VERSIONS, CARD, README, LICENCE}
LATER = {
    *(REMOVED, DATASET_PARQUET, VERSIONS_PARQUET),
    *(DATASHEET, CHANGELOG, CITATION, CROISSANT, DATACITE, LOADER, DOWNLOAD),
}
INDEX = re.compile(r"metadata/chad_index_[0-9a-z._-]+\.json")

ID = "[0-9a-f-]{36}"
AUDIO = re.compile(rf"{ID}/{ID}/{ID}\.(?:flac|wav)")
CURVE = re.compile(rf"f0/{ID}/{ID}/{ID}\.csv")
SHARD = re.compile(r"data/[a-z_]+/[a-z]+-[0-9]{5}-of-[0-9]{5}\.parquet")

# Parts that may be left out or deleted: each is a folder with sums of its own. The rest is the core.
SHARDS, CURVES = PARTS = ("data", "f0")
CONFIGS = {ORIGINAL: "originals", COVER: "covers", HUMMING: "hums"}
# What download.py fetched on somebody's machine; no part of the release.
FETCHED = "fetched"


def index_path(version: str) -> str:
    """The mirdata-style index."""
    return f"metadata/chad_index_{version}.json"


def part_of(path: str) -> str:
    """`data`, `f0`, or "" for the core."""
    first = path.partition("/")[0]
    return first if first in PARTS else ""


def sums_of(part: str) -> str:
    """The file with the sums of a part."""
    return f"{part}/{SUMS}" if part else SUMS


ALL_SUMS = {sums_of(part) for part in ("", *PARTS)}


def is_ours(path: str) -> bool:
    """Whether an export may have written it."""
    return path in ALWAYS | LATER | ALL_SUMS or any(kind.fullmatch(path) for kind in (INDEX, AUDIO, CURVE, SHARD))
