"""Checks of the tables of a release, on rows of text alone. Free of Django."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from recordings.release.checked.near_duplicates import work_key
from recordings.release.files.folder import is_plain
from recordings.release.tables import (
    ABOUT_SINGERS,
    COVER,
    DATASET,
    HUMMING,
    ORIGINAL,
    PLACE,
    REMOVED,
    VERSIONS,
    Kind,
    columns_of_then,
    read_interval,
)
from recordings.splits import split_of

# Told the file and what is wrong in it.
Tell = Callable[[str, str], None]

EXTENSIONS = ("flac", "wav")
SINGER = re.compile(r"singer-[0-9a-f]{16}")
# The fewest singers who share what is told of them.
FIVE = 5
# The tables round to a microsecond, and a difference of two rounded numbers doubles that.
ROUNDING_S = 0.000_003


class Row(dict[str, str]):
    """A row of one table, or of both together, with the line on which it stands."""

    def __init__(self, values: Mapping[str, str] | Iterable[tuple[str, str]], line: int) -> None:
        super().__init__(values)
        self.line = line

    @property
    def name(self) -> str:
        return f"line {self.line}, {self['audio_type']} {self['id']}"


def read_table(
    folder: Path, path: str, columns: dict[str, Kind], tell: Tell, dialect: type[csv.Dialect] = csv.excel
) -> list[Row]:
    """The rows of a table whose values are what the columns ask for; each other one is a fault."""
    if os.path.lexists(folder / path) and not is_plain(folder / path):
        return []  # told with the sums
    try:
        with (folder / path).open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, dialect, strict=True)
            found = next(reader, None)
            if found not in columns_of_then(columns):
                tell(path, f"has not the columns {', '.join(columns)}")
                return []
            return list(_usable_rows(reader, path, {name: columns[name] for name in found}, tell))
    except FileNotFoundError:
        tell(path, "is missing")
    except UnicodeDecodeError:
        tell(path, "is not text in UTF-8")
    except csv.Error as problem:
        tell(path, f"is not a table: {problem}")
    return []


def _usable_rows(reader: Iterator[list[str]], path: str, columns: dict[str, Kind], tell: Tell) -> Iterator[Row]:
    for values in reader:
        line = reader.line_num  # type: ignore[attr-defined]
        if len(values) != len(columns):
            tell(path, f"line {line} has {len(values)} values; there are {len(columns)} columns")
            continue
        # Most cells repeat: of a hundred thousand rows each text is kept once.
        row = Row(zip(columns, map(sys.intern, values), strict=True), line)
        wrong = [column for column, kind in columns.items() if not kind.fits(row[column])]
        for column in wrong:
            tell(path, f"line {line}: {column} is {row[column][:80]!r}; it has to be {columns[column].what}")
        if not wrong:
            yield row


def together(dataset: list[Row], versions: list[Row], tell: Tell) -> list[Row]:
    """Rows with the columns of both tables. The tables name the same versions, in the same order."""
    further = {row["id"]: row for row in versions}
    known = {row["id"] for row in dataset}
    both = []
    for row in dataset:
        more = further.get(row["id"])
        if more is None:
            tell(DATASET, f"{row.name} has no row of its own in {VERSIONS} that can be used")
        elif differing := [column for column in PLACE if row[column] != more[column]]:
            tell(VERSIONS, f"{more.name}: {', '.join(differing)} not as in {DATASET}")
        else:
            both.append(Row(more | row, more.line))
    for row in versions:
        if row["id"] not in known:
            tell(VERSIONS, f"{row.name} has no row of its own in {DATASET} that can be used")
    if not _in_one_order(dataset, versions):
        tell(VERSIONS, f"has its rows in another order than {DATASET}")
    return both


def _in_one_order(dataset: list[Row], versions: list[Row]) -> bool:
    """Whether the versions that both tables name stand in one order."""
    shared = {row["id"] for row in dataset} & {row["id"] for row in versions}
    first, second = ([row["id"] for row in table if row["id"] in shared] for table in (dataset, versions))
    return first == second or len(set(first)) != len(first) or len(set(second)) != len(second)


def each_id_once(rows: list[Row], path: str, tell: Tell) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        if row["id"] in seen:
            tell(path, f"the id of {row.name} stands on line {seen[row['id']].line} too")
        seen[row["id"]] = row


def one_original_a_fragment(rows: list[Row], tell: Tell) -> None:
    """A fragment is in one song, has one original, and something to compare with it."""
    fragments = defaultdict(list)
    for row in rows:
        fragments[row["fragment_id"]].append(row)
    for fragment, versions in fragments.items():
        originals = sum(row["audio_type"] == ORIGINAL for row in versions)
        if originals != 1:
            tell(DATASET, f"fragment {fragment} has {originals} originals; it has to have one")
        if len(versions) == originals:
            tell(DATASET, f"fragment {fragment} has neither a cover nor a hum")
        if len({row["group_id"] for row in versions}) > 1:
            tell(DATASET, f"fragment {fragment} is in more than one song")


def correlations(rows: list[Row], tell: Tell) -> None:
    """1 of originals, measured of covers, nothing of hums."""
    for row in rows:
        value, audio_type = row["correlation"], row["audio_type"]
        if audio_type == ORIGINAL and (value == "" or float(value) != 1):
            tell(DATASET, f"{row.name}: correlation is {value!r}; of an original it is 1.0")
        if audio_type == COVER and value == "":
            tell(DATASET, f"{row.name} has no correlation")
        if audio_type == HUMMING and value != "":
            tell(DATASET, f"{row.name}: correlation is {value!r}; a hum has none")


def intervals(rows: list[Row], tell: Tell) -> None:
    for row in rows:
        start_s, end_s = read_interval(row["interval"])
        if abs(end_s - start_s - float(row["duration"])) > ROUNDING_S:
            tell(DATASET, f"{row.name}: its interval {row['interval']} does not last {row['duration']} s")


def possible_audio(row: Row) -> set[str]:
    """Where the audio of a row may be."""
    return {f"{row['group_id']}/{row['fragment_id']}/{row['id']}.{extension}" for extension in EXTENSIONS}


def audio_or_reason(rows: list[Row], tell: Tell) -> None:
    """A row has audio with its sum and rate, or says why there is none. A hum has audio."""
    for row in rows:
        told = [bool(row[column]) for column in ("audio", "sha256", "sample_rate")]
        if any(told) != all(told) or any(told) == bool(row["why_no_audio"]):
            tell(VERSIONS, f"{row.name} has to have audio, sha256 and sample_rate, or else why_no_audio")
        elif row["audio_type"] == HUMMING and not row["audio"]:
            tell(VERSIONS, f"{row.name} has no audio")


def preferences(rows: list[Row], tell: Tell) -> None:
    """Of each hum it is known whether models may be trained on it; of nothing else it is asked."""
    for row in rows:
        if "ai_training" in row and (row["audio_type"] == HUMMING) != bool(row["ai_training"]):
            tell(VERSIONS, f"{row.name}: ai_training is {row['ai_training']!r}; only a hum has it, and each does")


def removed(rows: list[Row], gone: list[Row], tell: Tell) -> None:
    """What is listed as removed is listed once, and is in neither table."""
    here, seen = {row["id"] for row in rows}, set()
    for row in gone:
        version = row["version_id"]
        if version in here:
            tell(REMOVED, f"line {row.line}: {version} is listed as removed, and is in the release")
        if version in seen:
            tell(REMOVED, f"line {row.line}: {version} is listed a second time")
        seen.add(version)


def splits(rows: list[Row], tell: Tell) -> None:
    """Each row is in the split of its song, which follows from the song's id alone."""
    for row in rows:
        rule = split_of(row["group_id"])
        if row["split"] != rule:
            tell(VERSIONS, f"{row.name} is in split {row['split']}; its song {row['group_id']} belongs to {rule}")


def leaks(rows: list[Row], tell: Tell) -> None:
    """No song, no video and no audio file is in two splits, and no singer in two of the singers'."""
    for column, split, what in (
        ("group_id", "split", "song"),
        ("youtube_id", "split", "video"),
        ("sha256", "split", "audio with the sum"),
        ("singer", "singer_split", "singer"),
    ):
        of_thing = defaultdict(set)
        for row in rows:
            if row[column] and row.get(split):
                of_thing[row[column]].add(row[split])
        for thing, found in of_thing.items():
            if len(found) > 1:
                tell(VERSIONS, f"the {what} {thing} leaks over the {split}s {', '.join(sorted(found))}")


def same_works(rows: list[Row], tell: Tell) -> None:
    """No work was entered as two songs that are in different splits."""
    songs = {row["group_id"]: (row["title"], row["artist"], row["split"]) for row in rows}
    works = defaultdict(list)
    for group, (title, artist, split) in songs.items():
        works[work_key(title, artist)].append((split, title, group))
    for entered in works.values():
        if len({split for split, *_ in entered}) > 1:
            listed = "; ".join(f"{title} ({group}) in {split}" for split, title, group in sorted(entered))
            tell(VERSIONS, f"one work leaks over the splits as several songs: {listed}")


def judgements(rows: list[Row], tell: Tell) -> None:
    """Verdicts and agreement say the same, and a hum has a side of the singers' split."""
    for row in rows:
        if "agreement" not in row:
            return  # of a release from before
        told = [row[column] for column in ("verdicts_for", "verdicts_against")]
        if row["agreement"] and not sum(int(number or 0) for number in told):
            tell(VERSIONS, f"{row.name} has an agreement and no verdicts")
        if row["audio_type"] == HUMMING and not (SINGER.fullmatch(row["singer"]) and row["licence"]):
            tell(VERSIONS, f"{row.name} has to name its singer's pseudonym and its licence")
        if (row["audio_type"] == HUMMING) != bool(row["singer_split"]):
            tell(VERSIONS, f"{row.name}: singer_split is {row['singer_split']!r}; only a hum has it, and each does")


def shared_by_five(rows: list[Row], tell: Tell) -> None:
    """What is told of singers is told only where at least five of them share it."""
    singers = defaultdict(set)
    for row in rows:
        shown = tuple(row.get(column, "") for column in ABOUT_SINGERS)
        if any(shown):
            singers[shown].add(row["singer"])
    for shown, people in singers.items():
        if len(people) < FIVE:
            words = ", ".join(text for text in shown if text)
            tell(VERSIONS, f"only {len(people)} singers are told to be {words}; that takes {FIVE} or more")
