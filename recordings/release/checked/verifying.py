"""Checking a folder that claims to be a release. It needs the folder alone: no database, no network.

Nothing in the folder is believed: paths are compared before they are opened, links are not followed, and only plain
files are opened.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import soundfile

from recordings.release.checked import checks
from recordings.release.checked.agreeing import check_described, json_of
from recordings.release.checked.checks import Row, Tell
from recordings.release.checked.near_duplicates import near_duplicates
from recordings.release.checked.privacy import leaks_in
from recordings.release.errors import ReleaseRefused, in_words
from recordings.release.files.curves import curve_path, is_curve
from recordings.release.files.folder import file_digests, file_sha256, files_of, is_plain
from recordings.release.layout import (
    ALL_SUMS,
    ALWAYS,
    AUDIO,
    CARD,
    CURVE,
    CURVES,
    FETCHED,
    PARTS,
    SUMS,
    is_ours,
    part_of,
    sums_of,
)
from recordings.release.progress import Progress, by_percent, quiet, share_of
from recordings.release.tables import (
    AUDIO_TYPES,
    DATASET,
    DATASET_COLUMNS,
    REMOVED,
    REMOVED_COLUMNS,
    VERSIONS,
    VERSIONS_COLUMNS,
)

SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
# Half a frame at 8 kHz is 0.06 ms, and the tables round to a microsecond.
DURATION_TOLERANCE_S = 0.001
BLOCK = 65_536  # frames decoded at once
# The shares of the work: the sums, reading the audio; looking for near-duplicates and for what is private is the rest.
SUMS_SHARE, AUDIO_SHARE = 0.25, 0.6


class Subject(StrEnum):
    """What a fault is about."""

    FILES = "files"
    """Missing, changed and foreign files, and audio that is not what its row says."""
    TABLES = "tables"
    SPLITS = "splits"
    """Songs, singers, videos or sounds that are in two splits."""
    PRIVACY = "privacy"
    NAMES = "names"
    """Words that are also the name of somebody's account."""


@dataclass
class Findings:
    """What was found in a release: faults, each with the file that it is in, and counts.

    Attributes:
        unread: whether rows of the tables cannot be read, so that what they would name is no fault of its own.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    version: str = ""
    subjects: list[Subject] = field(default_factory=list)
    unread: bool = False

    def telling(self, subject: Subject) -> Tell:
        """What takes faults about a subject."""

        def fault(file: str, sentence: str) -> None:
            # A folder may hold names that are no text.
            self.faults.append((printable(file), printable(sentence)))
            self.subjects.append(subject)

        return fault

    def about(self, subject: Subject) -> list[str]:
        """A line for each fault about it."""
        return [line for line, found in zip(self.lines, self.subjects, strict=True) if found == subject]

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
    """Checks the release in `folder`: sums, tables, audio, splits, leaks, privacy.

    Raises ReleaseRefused if it is no release at all.
    """
    if not folder.is_dir():
        raise ReleaseRefused(f"There is no folder {folder}.")
    if not any((folder / path).is_file() for path in (SUMS, DATASET, VERSIONS)):
        raise ReleaseRefused(f"{folder} is no release: it has neither {SUMS} nor {DATASET}.")
    findings = Findings()
    with in_words(folder):
        sums = read_sums(folder, SUMS, findings.telling(Subject.FILES))
        if sums is None:
            # All else can still be checked, against the files as they are.
            core = (path for path in files_of(folder) if not part_of(path) and is_plain(folder / path))
            sums = {path: file_sha256(folder / path) for path in core if path != SUMS}
        inspect(folder, sums, findings, by_percent(progress))
    progress(1.0, "Done")
    return findings


def inspect(
    folder: Path, core: dict[str, str], findings: Findings, progress: Progress, names: Collection[str] = ()
) -> None:
    """Checks a folder against the sums of its core, {path: sum}, and of the parts that are there.

    `names` are what must not be found in it, besides what never may be.
    """
    about_files = findings.telling(Subject.FILES)
    sums = dict(core)
    for part in PARTS:
        if os.path.lexists(folder / part):
            sums |= read_sums(folder, sums_of(part), about_files) or {}
    whole = check_sums(folder, core, sums, about_files, share_of(progress, 0.0, SUMS_SHARE))
    rows = check_tables(folder, findings)
    check_removed(folder, rows, core, findings)
    check_card(folder, core, findings)
    heard = check_audio(folder, rows, sums, whole, findings, share_of(progress, SUMS_SHARE, AUDIO_SHARE))
    check_described(folder, rows, sums.keys(), whole, findings.telling(Subject.FILES))
    check_near_duplicates(folder, heard, findings, share_of(progress, AUDIO_SHARE, 0.95))
    progress(0.95, "Looking for names and addresses")
    check_privacy(folder, findings, names)
    findings.counts["files"] = len(sums)


def read_sums(folder: Path, name: str, tell: Tell) -> dict[str, str] | None:
    """A file of sums as {path: sum}; None, with a fault, if it is missing. Lines that name nothing inside its part of
    the folder are faults."""
    try:
        text = (folder / name).read_text(encoding="utf-8") if is_plain(folder / name) else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        tell(name, "is missing or no text: the export did not finish, or the file was removed")
        return None
    sums: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        found = SUM_LINE.fullmatch(line)
        if found is None or not is_inside(found[2]) or part_of(found[2]) != part_of(name):
            tell(name, f"line {number} is not a sum and the path of a file in the release: {line[:120]!r}")
        elif found[2] in sums:
            tell(name, f"line {number} names {found[2]} a second time")
        else:
            sums[found[2]] = found[1]
    return sums


def is_inside(path: str) -> bool:
    """Whether a path of a release stays in it: relative, plain, with no step up."""
    parts = path.split("/")
    return not any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)


def check_sums(
    folder: Path, core: dict[str, str], sums: dict[str, str], tell: Tell, progress: Progress
) -> dict[str, str]:
    """Missing, changed and foreign files, and links. Gives the files that are as they should be, {path: its MD5 sum},
    as each is read once here."""
    there = {path for path in files_of(folder) if not path.startswith(f"{FETCHED}/") and path not in ALL_SUMS}
    for path in sorted(ALWAYS - core.keys()):
        tell(SUMS, f"does not name {path}")
    for path in sorted(there - sums.keys()):
        tell(path, "is not part of the release")
    whole = {}
    for done, path in enumerate(sorted(sums)):
        progress(done / len(sums), f"File {done + 1} of {len(sums)}")
        if path not in there:
            tell(path, "is missing")
        elif (folder / path).is_symlink():
            tell(path, "is a link; a release has files only")
        elif not is_plain(folder / path):
            tell(path, "is a pipe or a device; a release has files only")
        else:
            sha256, md5 = file_digests(folder / path)
            if sha256 != sums[path]:
                tell(path, f"was changed: its sum is not the one in {sums_of(part_of(path))}")
                continue
            whole[path] = md5
            if not (folder / path).stat().st_size:
                tell(path, "is empty")
    return whole


def check_tables(folder: Path, findings: Findings) -> list[Row]:
    """Both tables: their columns and values, that they agree, and the splits. Gives the rows that can be used."""
    tell, before = findings.telling(Subject.TABLES), len(findings.faults)
    dataset = checks.read_table(folder, DATASET, DATASET_COLUMNS, tell)
    versions = checks.read_table(folder, VERSIONS, VERSIONS_COLUMNS, tell)
    checks.each_id_once(dataset, DATASET, tell)
    checks.each_id_once(versions, VERSIONS, tell)
    findings.unread = len(findings.faults) > before
    rows = checks.together(dataset, versions, ignore if findings.unread else tell)
    if not findings.unread:
        checks.one_original_a_fragment(rows, tell)
    for check in (checks.correlations, checks.intervals, checks.audio_or_reason, checks.preferences, checks.judgements):
        check(rows, tell)
    for check in (checks.splits, checks.leaks, checks.same_works):
        check(rows, findings.telling(Subject.SPLITS))
    checks.shared_by_five(rows, findings.telling(Subject.PRIVACY))
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
        tell = findings.telling(Subject.TABLES)
        gone = checks.read_table(folder, REMOVED, REMOVED_COLUMNS, tell, csv.excel_tab)
        checks.removed(rows, gone, tell)
        findings.counts["removed"] = len(gone)


def check_card(folder: Path, sums: dict[str, str], findings: Findings) -> None:
    """The release's name, and that there are as many versions, kept and removed, as it was frozen with."""
    path, tell = folder / CARD, findings.telling(Subject.TABLES)
    if not is_plain(path):
        return  # the sums have said so
    try:
        card: dict[str, Any] = json.loads(path.read_bytes())
        findings.version, frozen = printable(str(card["version"])), int(card["counts"]["versions"])
        removed = int(card["removed"]) if "removed" in card else None
        listed = {str(name) for name in card.get("files", [])}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        tell(CARD, "is not the description of a release")
        return
    if frozen != findings.counts["rows"]:
        tell(DATASET, f"has {findings.counts['rows']} rows; the release was frozen with {frozen}")
    for name in sorted(listed - sums.keys()):
        tell(SUMS, f"does not name {name[:120]}, which {CARD} says is in it")
    if (removed is None) != (REMOVED not in sums):
        tell(SUMS, f"{'names' if removed is None else 'does not name'} {REMOVED}, unlike {CARD}")
    elif removed is not None and removed != findings.counts["removed"]:
        tell(REMOVED, f"has {findings.counts['removed']} rows; the release was frozen with {removed}")


def check_audio(
    folder: Path, rows: list[Row], sums: dict[str, str], whole: Collection[str], findings: Findings, progress: Progress
) -> list[Row]:
    """Every audio file: named by its row, with its sum, readable to the end, and as long as the row says; and every
    pitch curve. Gives the rows whose audio is as it should be."""
    tell = findings.telling(Subject.FILES)
    with_audio = [row for row in rows if row["audio"]]
    sound = []
    for done, row in enumerate(with_audio):
        progress(done / len(with_audio), f"Audio {done + 1} of {len(with_audio)}")
        path = row["audio"]
        if path not in checks.possible_audio(row):
            tell(VERSIONS, f"{row.name}: its audio {path!r} is not at its group, fragment and id")
        elif path not in sums:
            tell(path, f"is not in {SUMS}, but in a row of {VERSIONS}")
        elif sums[path] != row["sha256"]:
            tell(VERSIONS, f"{row.name}: its sum is not the one in {SUMS}")
        elif path in whole and check_sound(folder, row, tell):
            sound.append(row)
    named = {row["audio"] for row in with_audio} | {row.get("f0", "") for row in rows}
    for path in sorted(sums.keys() - named) if not findings.unread else ():
        if AUDIO.fullmatch(path) or not is_ours(path) or CURVE.fullmatch(path):
            tell(path, "is named by no row of the tables")
    if any(part_of(path) == CURVES for path in sums):
        check_curves(folder, rows, sums, whole, tell)
    findings.counts["audio_files"] = len(with_audio)
    return sound


def check_sound(folder: Path, row: Row, tell: Tell) -> bool:
    """Decodes a file to its end and compares rate and duration with the row; whether it can be read."""
    path = row["audio"]
    try:
        with soundfile.SoundFile(folder / path) as sound:
            rate, kind = sound.samplerate, sound.format
            frames = sum(len(block) for block in sound.blocks(BLOCK, dtype="float32"))
    except soundfile.LibsndfileError as problem:
        tell(path, f"cannot be read as audio: {problem.error_string}")
        return False
    if kind != path.rpartition(".")[2].upper():
        tell(path, f"is {kind} under the name of another format")
    if str(rate) != row["sample_rate"]:
        tell(path, f"has {rate} Hz, its row says {row['sample_rate']}")
    if abs(frames / rate - float(row["duration"])) > DURATION_TOLERANCE_S:
        tell(path, f"lasts {frames / rate:.3f} s, its row says {row['duration']}")
    return True


def check_curves(folder: Path, rows: list[Row], sums: dict[str, str], whole: Collection[str], tell: Tell) -> None:
    """Pitch curves, where the release has them: each that a row names is there, at its place, with times that rise
    within the version, and no negative pitch."""
    for row in rows:
        path = row.get("f0", "")
        if not path:
            continue
        if path != curve_path(row):
            tell(VERSIONS, f"{row.name}: its pitch curve {path!r} is not at its group, fragment and id")
        elif path not in sums:
            tell(path, f"is not in {sums_of(CURVES)}, but in a row of {VERSIONS}")
        elif path in whole and not is_curve((folder / path).read_text(errors="replace"), float(row["duration"])):
            tell(path, "is no pitch curve of its version: lines of seconds,Hz with rising seconds within its length")


def check_privacy(folder: Path, findings: Findings, names: Collection[str]) -> None:
    """Nothing of anybody but the publisher, whose address the card tells."""
    card = json_of(folder / CARD)
    allowed = [str(card["contact"])] if isinstance(card, dict) and card.get("contact") else []
    private = set(leaks_in(folder, allowed=allowed))
    named = set(leaks_in(folder, names, allowed)) - private if names else ()
    for subject, leaks in ((Subject.PRIVACY, private), (Subject.NAMES, named)):
        for path, sentence in sorted(leaks):
            findings.telling(subject)(path, sentence)


def check_near_duplicates(folder: Path, rows: list[Row], findings: Findings, progress: Progress) -> None:
    """No sound is in two splits, of songs or of singers, under whatever encoding."""
    tell = findings.telling(Subject.SPLITS)
    for one, other, likeness in near_duplicates(folder, rows, progress):
        for column, what in (("split", "splits"), ("singer_split", "singer splits")):
            sides = {one.get(column, ""), other.get(column, "")}
            if "" not in sides and len(sides) > 1:
                tell(
                    VERSIONS,
                    f"{one.name} and {other.name} are nearly the same audio (likeness {likeness:.2f}), and leak over "
                    f"the {what} {', '.join(sorted(sides))}",
                )
