"""The sums of a release, as `sha256sum -c` reads them from its folder: of the core, and of each part apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recordings.models import Release
from recordings.release.files.folder import PART, file_sha256, files_of, text_file
from recordings.release.files.shards import rows_of_shard
from recordings.release.files.table_files import in_order
from recordings.release.layout import ALL_SUMS, AUDIO, PARTS, SHARD, SUMS, part_of, sums_of


def write_part_sums(out: Path) -> None:
    """The sums of the parts that may be left out."""
    paths = written(out)
    for part in PARTS:
        of_part = [path for path in paths if part_of(path) == part]
        if of_part:
            with text_file(out / sums_of(part)) as file:
                file.writelines(f"{file_sha256(out / path)}  {path}\n" for path in of_part)


def write_sums(release: Release, out: Path, to: Path) -> None:
    """The sums of the core: of tables and texts by path, then of the audio in the order of the rows."""
    with to.open("w", encoding="utf-8", newline="") as file:
        for path in core_files(out):
            file.write(f"{file_sha256(out / path)}  {path}\n")
        for version in in_order(release):
            if version.audio:
                file.write(f"{version.audio_sha256}  {version.audio}\n")


def core_files(out: Path) -> list[str]:
    return [path for path in written(out) if not part_of(path) and not AUDIO.fullmatch(path)]


def written(out: Path) -> list[str]:
    """What an export wrote, but sums and what is not whole yet."""
    return [path for path in files_of(out) if path not in ALL_SUMS and not path.endswith(PART)]


def facts_of_files(out: Path, sums: Path) -> dict[str, dict[str, Any]]:
    """Sum and size of everything but audio and pitch curves, and of shards how many rows they have; `sums` is what will
    be SHA256SUMS."""
    curves = f"{PARTS[1]}/"
    paths = [path for path in files_of(out) if not path.endswith(PART) and not AUDIO.fullmatch(path)]
    files = {path: out / path for path in paths if not path.startswith(curves) or path in ALL_SUMS} | {SUMS: sums}
    facts = {path: {"sha256": file_sha256(file), "bytes": file.stat().st_size} for path, file in sorted(files.items())}
    for path in filter(SHARD.fullmatch, facts):
        facts[path]["rows"] = rows_of_shard(files[path])
    return facts
