"""Checking a folder that claims to be a release. It needs the folder alone: no database, no network.

Nothing in the folder is believed: paths are compared before they are opened, links are not followed, and only plain
files are opened.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

from recordings.release import checks
from recordings.release.checks import Row
from recordings.release.errors import ReleaseRefused, in_words
from recordings.release.folder import file_sha256, is_plain
from recordings.release.progress import Progress, by_percent, quiet
from recordings.release.tables import (
    AUDIO_TYPES,
    DATASET,
    DATASET_COLUMNS,
    REMOVED,
    REMOVED_COLUMNS,
    VERSIONS,
    VERSIONS_COLUMNS,
)

SUMS = "SHA256SUMS"
CARD = "metadata/release.json"
# What is in every release besides audio.
FIXED = {DATASET, VERSIONS, CARD, "README.md", "LICENSE"}
# What releases have that were frozen since it was thought of; their cards say so.
LATER = {REMOVED}

SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
# Half a frame at 8 kHz is 0.06 ms, and the tables round to a microsecond.
DURATION_TOLERANCE_S = 0.001
BLOCK = 65_536  # frames decoded at once
# The share of the work that is the sums; reading the audio is the rest.
SUMS_SHARE = 0.4


@dataclass
class Findings:
    """What was found in a release: faults, each with the file that it is in, and counts."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    version: str = ""

    def fault(self, file: str, sentence: str) -> None:
        # A folder may hold names that are no text.
        self.faults.append((printable(file), printable(sentence)))

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def lines(self) -> list[str]:
        """A line for each fault."""
        return [f"{file}: {sentence}" for file, sentence in self.faults]


def printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def verify(folder: Path, progress: Progress = quiet) -> Findings:
    """Checks the release in `folder`: sums, tables, audio, splits. Raises ReleaseRefused if it is no release at all."""
    if not folder.is_dir():
        raise ReleaseRefused(f"There is no folder {folder}.")
    if not any((folder / path).is_file() for path in (SUMS, DATASET, VERSIONS)):
        raise ReleaseRefused(f"{folder} is no release: it has neither {SUMS} nor {DATASET}.")
    findings, progress = Findings(), by_percent(progress)
    with in_words(folder):
        sums = read_sums(folder, findings)
        whole = check_sums(folder, sums, findings, progress)
        rows = check_tables(folder, findings)
        check_removed(folder, rows, sums, findings)
        check_card(folder, sums, findings)
        check_audio(folder, rows, sums, whole, findings, progress)
    findings.counts["files"] = len(sums)
    progress(1.0, "Done")
    return findings


def read_sums(folder: Path, findings: Findings) -> dict[str, str]:
    """SHA256SUMS as {path: sum}. Lines that name nothing inside the folder are faults.

    Where it is missing, the sums are those of the files as they are, so that all else can still be checked.
    """
    try:
        text = (folder / SUMS).read_text(encoding="utf-8") if is_plain(folder / SUMS) else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        findings.fault(SUMS, "is missing or no text: the export did not finish, or the file was removed")
        paths = (path for path in files_in(folder) if is_plain(folder / path) and path != SUMS)
        return {path: file_sha256(folder / path) for path in paths}
    sums: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        found = SUM_LINE.fullmatch(line)
        if found is None or not is_inside(found[2]):
            findings.fault(SUMS, f"line {number} is not a sum and the path of a file in the release: {line[:120]!r}")
        elif found[2] in sums:
            findings.fault(SUMS, f"line {number} names {found[2]} a second time")
        else:
            sums[found[2]] = found[1]
    return sums


def is_inside(path: str) -> bool:
    """Whether a path of a release stays in it: relative, plain, with no step up."""
    parts = path.split("/")
    return not any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)


def files_in(folder: Path) -> Iterator[str]:
    """Every file and link below the folder, by its path; links are not followed."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in names + links:
            yield Path(parent, name).relative_to(folder).as_posix()


def check_sums(folder: Path, sums: dict[str, str], findings: Findings, progress: Progress) -> set[str]:
    """Missing, changed and foreign files, and links. Gives the paths of files that are as they should be."""
    there = set(files_in(folder))
    for path in sorted(FIXED - sums.keys()):
        findings.fault(SUMS, f"does not name {path}")
    for path in sorted(there - sums.keys() - {SUMS}):
        findings.fault(path, "is not part of the release")
    whole = set()
    for done, path in enumerate(sorted(sums)):
        progress(SUMS_SHARE * done / len(sums), f"File {done + 1} of {len(sums)}")
        if path not in there:
            findings.fault(path, "is missing")
        elif (folder / path).is_symlink():
            findings.fault(path, "is a link; a release has files only")
        elif not is_plain(folder / path):
            findings.fault(path, "is a pipe or a device; a release has files only")
        elif file_sha256(folder / path) != sums[path]:
            findings.fault(path, f"was changed: its sum is not the one in {SUMS}")
        else:
            whole.add(path)
    return whole


def check_tables(folder: Path, findings: Findings) -> list[Row]:
    """Both tables: their columns and values, that they agree, and the splits. Gives the rows that can be used."""
    before = len(findings.faults)
    dataset = checks.read_table(folder, DATASET, DATASET_COLUMNS, findings.fault)
    versions = checks.read_table(folder, VERSIONS, VERSIONS_COLUMNS, findings.fault)
    checks.each_id_once(dataset, DATASET, findings.fault)
    checks.each_id_once(versions, VERSIONS, findings.fault)
    # Where rows cannot be read, that they are missing elsewhere is no fault of its own.
    unread = len(findings.faults) > before
    rows = checks.together(dataset, versions, ignore if unread else findings.fault)
    if not unread:
        checks.one_original_a_fragment(rows, findings.fault)
    for check in (checks.correlations, checks.intervals, checks.audio_or_reason, checks.preferences, checks.splits):
        check(rows, findings.fault)
    checks.leaks(rows, findings.fault)
    findings.counts["rows"] = len(dataset)
    findings.counts |= {"versions": len(rows), "songs": len({row["group_id"] for row in rows})}
    findings.counts["fragments"] = len({row["fragment_id"] for row in rows})
    findings.counts |= {kind: sum(row["audio_type"] == kind for row in rows) for kind in AUDIO_TYPES}
    return rows


def ignore(file: str, sentence: str) -> None:
    """Takes a fault that follows from another one."""


def check_removed(folder: Path, rows: list[Row], sums: dict[str, str], findings: Findings) -> None:
    """What is listed as removed, where the release has such a list."""
    if REMOVED in sums:
        gone = checks.read_table(folder, REMOVED, REMOVED_COLUMNS, findings.fault, csv.excel_tab)
        checks.removed(rows, gone, findings.fault)
        findings.counts["removed"] = len(gone)


def check_card(folder: Path, sums: dict[str, str], findings: Findings) -> None:
    """The release's name, and that there are as many versions, kept and removed, as it was frozen with."""
    path = folder / CARD
    if not is_plain(path):
        return  # the sums have said so
    try:
        card: dict[str, Any] = json.loads(path.read_bytes())
        findings.version, frozen = printable(str(card["version"])), int(card["counts"]["versions"])
        removed = int(card["removed"]) if "removed" in card else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        findings.fault(CARD, "is not the description of a release")
        return
    if frozen != findings.counts["rows"]:
        findings.fault(DATASET, f"has {findings.counts['rows']} rows; the release was frozen with {frozen}")
    if (removed is None) != (REMOVED not in sums):
        findings.fault(SUMS, f"{'names' if removed is None else 'does not name'} {REMOVED}, unlike {CARD}")
    elif removed is not None and removed != findings.counts["removed"]:
        findings.fault(REMOVED, f"has {findings.counts['removed']} rows; the release was frozen with {removed}")


def check_audio(
    folder: Path, rows: list[Row], sums: dict[str, str], whole: set[str], findings: Findings, progress: Progress
) -> None:
    """Every audio file: named by its row, with its sum, readable to the end, and as long as the row says."""
    heard = [row for row in rows if row["audio"]]
    for done, row in enumerate(heard):
        progress(SUMS_SHARE + (1 - SUMS_SHARE) * done / len(heard), f"Audio {done + 1} of {len(heard)}")
        path = row["audio"]
        if path not in checks.possible_audio(row):
            findings.fault(VERSIONS, f"{row.name}: its audio {path!r} is not at its group, fragment and id")
        elif path not in sums:
            findings.fault(path, f"is not in {SUMS}, but in a row of {VERSIONS}")
        elif sums[path] != row["sha256"]:
            findings.fault(VERSIONS, f"{row.name}: its sum is not the one in {SUMS}")
        elif path in whole:
            check_sound(folder, row, findings)
    for path in sorted(sums.keys() - FIXED - LATER - {row["audio"] for row in heard}):
        findings.fault(path, "is named by no row of the tables")
    findings.counts["audio_files"] = len(heard)


def check_sound(folder: Path, row: Row, findings: Findings) -> None:
    """Decodes a file to its end and compares rate and duration with the row."""
    path = row["audio"]
    try:
        with soundfile.SoundFile(folder / path) as sound:
            rate = sound.samplerate
            frames = sum(len(block) for block in sound.blocks(BLOCK, dtype="float32"))
    except soundfile.LibsndfileError as problem:
        findings.fault(path, f"cannot be read as audio: {problem.error_string}")
        return
    if str(rate) != row["sample_rate"]:
        findings.fault(path, f"has {rate} Hz, its row says {row['sample_rate']}")
    if abs(frames / rate - float(row["duration"])) > DURATION_TOLERANCE_S:
        findings.fault(path, f"lasts {frames / rate:.3f} s, its row says {row['duration']}")
