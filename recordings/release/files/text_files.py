"""What describes a release, its loader and its download script: every file that is neither table nor audio."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from recordings.models import Release
from recordings.release import shipped
from recordings.release.described.card import card_of as readme_of
from recordings.release.described.changelog import changelog_of
from recordings.release.described.citation import citation_of
from recordings.release.described.croissant import croissant_of
from recordings.release.described.datacite import datacite_of
from recordings.release.described.datasheet import datasheet_of
from recordings.release.described.licence import licence_of
from recordings.release.described.mirdata_index import index_of
from recordings.release.files.folder import file_md5, file_sha256, files_of, text_file, write_whole
from recordings.release.files.sums import core_files
from recordings.release.frozen.facts import Facts
from recordings.release.layout import (
    CHANGELOG,
    CITATION,
    CROISSANT,
    DATACITE,
    DATASHEET,
    DOWNLOAD,
    LICENCE,
    LOADER,
    README,
    SHARD,
    SHARDS,
    index_path,
)
from recordings.release.tables import DATASET, VERSIONS


def write_texts(release: Release, out: Path) -> None:
    """All of them; tables, audio and curves are there already, since the index and Croissant name their sums."""
    facts = Facts.of_json(release.facts | {"notes": release.notes})
    texts = release.settings["texts"] | {
        README: readme_of(facts, configs_of(out)),
        LICENCE: licence_of(facts),
        DATASHEET: datasheet_of(facts),
        CHANGELOG: changelog_of(facts),
        CITATION: citation_of(facts),
        DATACITE: datacite_of(facts),
        LOADER: shipped_file(LOADER),
        DOWNLOAD: shipped_file(DOWNLOAD),
    }
    for path, text in texts.items():
        write_whole(out / path, text.encode())
    with text_file(out / index_path(release.version)) as index:
        index.writelines(index_of(release.version, tracks_of(release, out), metadata_of(out)))
    sums = {path: file_sha256(out / path) for path in core_files(out) if path != CROISSANT}
    has_audio = bool(release.settings["counts"]["with_audio"])
    write_whole(out / CROISSANT, croissant_of(facts, sums, has_audio).encode())


def shipped_file(name: str) -> str:
    return resources.files(shipped).joinpath(name).read_text(encoding="utf-8")


def configs_of(out: Path) -> dict[str, dict[str, list[str]]]:
    """The patterns of the shards that were written, by config and split."""
    configs: dict[str, dict[str, list[str]]] = {}
    for path in files_of(out):
        if SHARD.fullmatch(path):
            _, config, name = path.split("/")
            split = name.partition("-")[0]
            configs.setdefault(config, {})[split] = [f"{SHARDS}/{config}/{split}-*.parquet"]
    return configs


def tracks_of(release: Release, out: Path) -> Iterator[tuple[str, dict[str, tuple[str, str] | None]]]:
    """Each version with the path and MD5 of its audio and its pitch curve, by id."""
    for version in release.versions.order_by("version_id").iterator(chunk_size=200):
        paths = {"audio": version.audio, "f0": version.row["versions"]["f0"]}
        files = {name: (path, file_md5(out / path)) if path else None for name, path in paths.items()}
        yield str(version.version_id), files


def metadata_of(out: Path) -> dict[str, tuple[str, str]]:
    return {name: (path, file_md5(out / path)) for name, path in (("dataset", DATASET), ("versions", VERSIONS))}
