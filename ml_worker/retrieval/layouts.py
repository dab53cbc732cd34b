"""Collections for query by humming, as their folders are laid out: which query seeks which target.

MIR-QBSH, CHAD and IOACAS are laid out as their own papers, pages and the public code that loads them describe. Of
MTG-QBH the name of the table and its columns could not be confirmed; its loader takes any table that names its audio.
"""

from __future__ import annotations

import contextlib
import csv
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ml_worker.audio.melody_files import CURVE_ENDINGS, MIDI_ENDINGS, VECTOR_ENDING, read_melody
from ml_worker.audio.sound import UnusableAudio

# Endings of files that hold sound, films included. What a file is, is decided when it is decoded.
AUDIO_ENDINGS = {
    *(".wav", ".flac", ".mp3", ".m4a", ".mp4", ".aac", ".ogg", ".oga", ".opus", ".webm", ".aif", ".aiff", ".aifc"),
    *(".wma", ".caf", ".amr", ".3gp", ".mka", ".mkv", ".mov", ".wv", ".ape", ".w64", ".au", ".mp2"),
}
SOUNDING_ENDINGS = AUDIO_ENDINGS | MIDI_ENDINGS

# Endings of tables, and names of their columns that hold the target, the likeliest first.
TABLE_ENDINGS = {".csv", ".tsv", ".txt"}
# The columns of CHAD's table that are used.
CHAD_COLUMNS = ("group_id", "fragment_id", "id", "audio_type")

# What old collections write their texts in: Big5 is that of Taiwan, and anything is Latin-1.
ENCODINGS = ("utf-8-sig", "big5", "latin-1")
TARGET_COLUMNS = ("target", "song_id", "song", "track_id", "track", "title", "name")


class BadCollection(ValueError):
    """A collection that cannot be used. Its text is one sentence that says why and what to do."""


class Query(NamedTuple):
    """A hum: what the collection calls it, where it lies, and the name of what it seeks; None where nobody knows."""

    name: str
    path: Path
    target: str | None


class Target(NamedTuple):
    """A file to be found, and its name. Several files may bear one name: fragments of one song."""

    path: Path
    name: str


@dataclass(frozen=True)
class Collection:
    """Queries and the targets among which they are sought.

    Attributes:
        queries: in the order of the collection.
        targets: in the order of their paths.
        left_out: sentences about files in the folder of the targets that are no targets.
    """

    queries: Sequence[Query]
    targets: Sequence[Target]
    left_out: Sequence[str] = ()


# ------------------------------------------------------------------------------------------------ a table of queries


def from_table(table: Path, targets: Path) -> Collection:
    """Queries of a text of lines `query<TAB>target`, and a folder of targets, each named by its file's stem.

    A query is a path: absolute, or from the table's folder, or from the working folder. A target may be empty. Empty
    lines, lines that begin with # and a first line `query<TAB>target` are passed over.

    Raises:
        BadCollection: a line is malformed, there are no queries or targets, or two targets have one name.
    """
    found, left_out = targets_in(targets, besides=table)
    names = {target.name for target in found}
    lines = _lines(table)
    queries = [Query(query, _place(query, table.parent), _known_as(target, names)) for query, target in lines]
    if not queries:
        raise BadCollection(f"{table} holds no queries. Write one a line: its path, a tab, the name of its target.")
    return Collection(queries, found, left_out)


def _lines(table: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_text(table, ("utf-8-sig",)).split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not parts[0]:
            raise BadCollection(f"Line {number} of {table} is not of the form: query, a tab, target.")
        if number > 1 or [part.lower() for part in parts] != ["query", "target"]:
            yield parts[0], parts[1]


def _place(query: str, folder: Path) -> Path:
    """Where a query lies: from the table's folder if it is there, else from the working folder."""
    beside = folder / query
    return beside if os.path.lexists(beside) else Path(query)


def _known_as(target: str, names: Iterable[str]) -> str | None:
    """A target's name: as it is written, else without its folder and ending, where that is a name."""
    written = _composed(target)
    stem = PurePosixPath(written).stem
    return stem if written not in names and stem in names else written or None


def _composed(name: str) -> str:
    """One spelling of accents, which file systems spell in two ways."""
    return unicodedata.normalize("NFC", name)


def _text(path: Path, encodings: Sequence[str] = ENCODINGS) -> str:
    """A text in the first of the encodings that fits.

    Raises:
        BadCollection: it cannot be read, or none fits.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BadCollection(f"{path} cannot be read: {problem.strerror}.") from problem
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise BadCollection(f"{path} is not a text in UTF-8.")


# ---------------------------------------------------------------------------------------------- a folder of targets


def targets_in(folder: Path, besides: Path | None = None) -> tuple[list[Target], list[str]]:
    """The audio, MIDI and pitch curves in a folder and the folders within, and sentences about other files.

    A text that bears the name of a sound (lyrics, an f0 annotation) belongs to it and is no target; hidden files are
    passed over, and the table of queries (`besides`), where it lies among them.

    Raises:
        BadCollection: there is no such folder, it holds no targets, or two files have one stem.
    """
    targets: list[Target] = []
    left_out: list[str] = []
    by_stem: dict[str, list[Path]] = defaultdict(list)
    table = besides and os.path.realpath(besides)
    for path in (path for path in files_in(folder) if os.path.realpath(path) != table):
        if path.suffix.lower() in SOUNDING_ENDINGS | CURVE_ENDINGS:
            by_stem[_composed(path.stem)].append(path)
        else:
            left_out.append(f"{path} is neither audio, MIDI nor a pitch curve by its ending.")
    for stem, paths in by_stem.items():
        sounding = [path for path in paths if path.suffix.lower() in SOUNDING_ENDINGS]
        rivals = sounding or (paths if len(paths) == 1 else [path for path in paths if _is_curve(path)])
        if len(rivals) > 1:
            raise BadCollection(
                f"{rivals[0]} and {rivals[1]} would both be the target {stem!r}. Rename one, or take it away."
            )
        targets += [Target(path, stem) for path in rivals]
        if not rivals:
            left_out += [f"{path} is not a pitch curve." for path in paths]
    if not targets:
        raise BadCollection(f"{folder} holds no targets: no audio, MIDI or pitch curves.")
    return targets, left_out


def files_in(folder: Path) -> list[Path]:
    """The files in a folder and the folders within, in order, without hidden ones.

    Raises:
        BadCollection: there is no such folder.
    """
    _check_folder(folder)
    within = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in within if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _check_folder(path: Path) -> None:
    """Raises BadCollection where there is no such folder."""
    if not os.path.isdir(path):
        raise BadCollection(
            f"{path} is a file. Name a folder." if os.path.lexists(path) else f"There is no folder {path}."
        )


def _is_curve(path: Path) -> bool:
    try:
        read_melody(path)
    except UnusableAudio:
        return False
    return True


def _with_distractors(targets: Sequence[Target], folder: Path | None) -> tuple[list[Target], list[str]]:
    """The targets, and the files of a further folder among them, named so that no query can seek them."""
    if folder is None:
        return list(targets), []
    further, left_out = targets_in(folder)
    return [*targets, *(Target(path, f"{folder.name}/{name}") for path, name in further)], left_out


# ------------------------------------------------------------------------------------------------------- MIR-QBSH


def mir_qbsh(root: Path, distractors: Path | None = None) -> Collection:
    """MIR-QBSH (Jang): `waveFile/yearXXXX/personXXXXX/NNNNN.wav` seek `midiFile/NNNNN.mid`, from its start.

    Beside each sound lies `NNNNN.pv`, its pitch as a person labelled it; it is the query where there is no sound.

    Raises:
        BadCollection: the folders are not there or are empty.
    """
    hums, tunes = _folder(root, ("waveFile",)), _folder(root, ("midiFile",))
    sounds = {path.with_suffix(""): path for path in files_in(hums) if path.suffix.lower() == VECTOR_ENDING}
    sounds |= {path.with_suffix(""): path for path in files_in(hums) if path.suffix.lower() in AUDIO_ENDINGS}
    queries = [Query(_name(path, root), path, path.stem) for _, path in sorted(sounds.items())]
    return _collected(root, queries, _midi_in(tunes), distractors)


def _folder(root: Path, names: Sequence[str]) -> Path:
    """The folder that bears one of the names, in any case, in root or the folders within.

    Raises:
        BadCollection: there is none.
    """
    wanted = [name.lower() for name in names]
    _check_folder(root)
    found = sorted(path for path in [root, *root.rglob("*")] if path.name.lower() in wanted and path.is_dir())
    if not found:
        raise BadCollection(f"{root} has no folder {' or '.join(names)}. Name the collection's root folder.")
    return min(found, key=lambda path: len(path.parts))


def _name(path: Path, root: Path) -> str:
    """What a file within (or, by a list, outside) a collection is called there."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _midi_in(folder: Path) -> list[Target]:
    return [Target(path, path.stem) for path in files_in(folder) if path.suffix.lower() in MIDI_ENDINGS]


def _collected(root: Path, queries: Sequence[Query], targets: Sequence[Target], distractors: Path | None) -> Collection:
    if not queries:
        raise BadCollection(f"{root} holds no queries.")
    if not targets:
        raise BadCollection(f"{root} holds no targets.")
    return Collection(queries, *_with_distractors(targets, distractors))


# --------------------------------------------------------------------------------------------------------- IOACAS


def ioacas(root: Path, distractors: Path | None = None) -> Collection:
    """IOACAS and ThinkIT: a `query.list` of lines `sound<TAB>tune`, both with or without folder and ending.

    The sounds lie in `wavfile` and the tunes in `midfile` (IOACAS, in two parts), or in `Query` and `REFMIDI`
    (ThinkIT), beside the list. Every `query.list` in the folder and the folders within is read.

    Raises:
        BadCollection: there is no list, or a line is malformed.
    """
    lists = [path for path in files_in(root) if path.name.lower() == "query.list"]
    if not lists:
        raise BadCollection(f"{root} has no query.list. Name the collection's root folder.")
    queries: list[Query] = []
    targets: list[Target] = []
    for table in lists:
        # The parts number their tunes alike, and their folders may have one name in two places.
        part = f"{_name(table.parent, root)}/" if len(lists) > 1 else ""
        files = files_in(table.parent)
        sounds = {path.stem.lower(): path for path in files if path.suffix.lower() in AUDIO_ENDINGS}
        for number, line in enumerate(_text(table).splitlines(), start=1):
            words = line.strip().split("\t") if "\t" in line.strip() else line.split()
            if words and len(words) != 2:
                raise BadCollection(f"Line {number} of {table} is not of the form: sound, a tab, tune.")
            if words:
                sound, tune = (PurePosixPath(word.strip().replace("\\", "/")) for word in words)
                path = table.parent / sound
                path = path if path.is_file() else sounds.get(_stem(sound).lower(), path)
                queries.append(Query(_name(path, root), path, part + _stem(tune)))
        targets += [Target(path, part + name) for path, name in _midi_in(table.parent)]
    return _collected(root, queries, targets, distractors)


def _stem(path: PurePosixPath) -> str:
    """A file's name without its ending, of the endings that we know: names in lists may hold dots."""
    return path.stem if path.suffix.lower() in SOUNDING_ENDINGS else path.name


# -------------------------------------------------------------------------------------------------------- MTG-QBH


def mtg_qbh(root: Path, songs: Path | None = None) -> Collection:
    """MTG-QBH (Salamon, Serrà, Gómez 2013): hums, a table of what they are, and songs that whoever has them brings.

    The table is any CSV or tab-separated text with a line of column names, one column of which names the hums' files.
    The song's name is in a column `target`, `song_id`, `song`, `track_id`, `track`, `title` or `name`, or else the
    first of these words that a column's name contains. A hum's target is the file in `songs` whose stem is that name,
    or artist and title in either order with a hyphen, whatever the case, punctuation and accents.

    Raises:
        BadCollection: there is no such table, or no folder of songs.
    """
    if songs is None:
        raise BadCollection("MTG-QBH has no songs of its own. Name a folder with them after the collection's folder.")
    targets, left_out = targets_in(songs)
    known = {_plain(target.name): target.name for target in targets}
    hums = {path.stem.lower(): path for path in files_in(root) if path.suffix.lower() in AUDIO_ENDINGS}
    for table in (path for path in files_in(root) if path.suffix.lower() in TABLE_ENDINGS):
        queries = [Query(_name(path, root), path, song) for path, song in _songs_of(_rows(table), hums, known)]
        if queries:
            return Collection(queries, targets, left_out)
    raise BadCollection(f"{root} has no table (.csv) with columns for its hums' files and their songs' names.")


def _rows(table: Path) -> list[dict[str, str]]:
    """The rows of a table with column names in lower case; none where it is no table."""
    lines = list(dropwhile(lambda line: not line.strip(), _text(table).splitlines()))
    if not lines:
        return []
    separator = max("\t;,", key=lines[0].count)
    named = csv.DictReader([lines[0].lower(), *lines[1:]], delimiter=separator)
    try:
        # What a row is short of is empty; what it has more than there are columns bears no name.
        return [{name.strip(): (value or "").strip() for name, value in row.items() if isinstance(name, str)}
                for row in named]  # fmt: skip
    except csv.Error:
        return []


def _songs_of(
    rows: Sequence[dict[str, str]], hums: dict[str, Path], songs: dict[str, str]
) -> Iterator[tuple[Path, str | None]]:
    """The hums that a table names, each with the song that it gives for them."""
    if not rows:
        return
    paths = {column: [hums.get(_stem(PurePosixPath(row.get(column, ""))).lower()) for row in rows]
             for column in rows[0]}  # fmt: skip
    hum_column = max(paths, key=lambda column: sum(path is not None for path in paths[column]))
    others = [column for column in rows[0] if column != hum_column]
    alike = [column for word in TARGET_COLUMNS for column in others if word == column]
    alike += [column for word in TARGET_COLUMNS for column in others if word in column]
    artist_column = next((column for column in others if "artist" in column), "")
    for path, row in zip(paths[hum_column], rows, strict=True):
        if path and alike:
            title, artist = row.get(alike[0], ""), row.get(artist_column, "")
            spellings = (title, f"{artist} - {title}", f"{title} - {artist}")
            known = next((songs[_plain(one)] for one in spellings if _plain(one) in songs), None)
            yield path, known or title or None


def _plain(name: str) -> str:
    """Letters and digits of a name, in lower case and without accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", name).casefold() if letter.isalnum())


# ----------------------------------------------------------------------------------------------------------- CHAD


def chad(root: Path, songs: Path | None = None) -> Collection:
    """CHAD, or a release of this project: hums seek the song (`group_id`) whose fragment they are of.

    `{group_id}/{fragment_id}/{id}.ext` lie in the folder or the folders within, and `metadata/dataset.csv` says which
    is a hum and which an original; the originals are the targets, each named by its song. The subset of hums that is
    published has no table and no originals: all its files are hums, and `songs` has to hold recordings named by
    `group_id`, `fragment_id`, the original's `id` or its `youtube_id`. Other files there are distractors.

    Raises:
        BadCollection: there are no hums or no targets, or a row of the table is cut off.
    """
    files = files_in(root)
    audio = {
        (*path.parts[-3:-1], path.stem): path
        for path in files
        if path.suffix.lower() in AUDIO_ENDINGS and len(path.relative_to(root).parts) > 2
    }
    table = next((path for path in files if path.name == "dataset.csv"), None)
    rows = _rows(table) if table else [dict(zip(CHAD_COLUMNS, (*ids, "humming"), strict=True)) for ids in sorted(audio)]
    missing = set(CHAD_COLUMNS) - set(rows[0] if rows else ())
    if missing:
        raise BadCollection(f"{table or root} has no {', '.join(sorted(missing))}: it is not CHAD.")
    for number, row in enumerate(rows, start=1):
        if absent := [column for column in CHAD_COLUMNS if not row[column]]:
            raise BadCollection(f"Row {number} of {table} has no {', '.join(absent)}. Fetch the table again.")
    originals = [row for row in rows if row["audio_type"] == "original"]
    hums = [row for row in rows if row["audio_type"] == "humming"]
    placed = [(audio[_ids(row)], row["group_id"]) for row in hums if _ids(row) in audio]
    queries = [Query(_name(path, root), path, song) for path, song in placed]
    targets = [Target(audio[_ids(row)], row["group_id"]) for row in originals if _ids(row) in audio]
    left_out = [f"{len(hums) - len(placed)} of the {len(hums)} hums of {table} have no audio here, and are no queries."]
    left_out = left_out if len(placed) < len(hums) else []
    if songs:
        song_of = {row[key]: row["group_id"] for row in originals for key in ("id", "youtube_id") if row.get(key)}
        song_of |= {row["fragment_id"]: row["group_id"] for row in rows}
        song_of |= {row["group_id"]: row["group_id"] for row in rows}
        further, others = targets_in(songs)
        targets += [Target(path, song_of.get(name, f"{songs.name}/{name}")) for path, name in further]
        left_out += others
    return replace(_collected(root, queries, targets, None), left_out=left_out)


def _ids(row: dict[str, str]) -> tuple[str, str, str]:
    return row["group_id"], row["fragment_id"], row["id"]


LAYOUTS: dict[str, Callable[[Path, Path | None], Collection]] = {
    "mir-qbsh": mir_qbsh,
    "ioacas": ioacas,
    "mtg-qbh": mtg_qbh,
    "chad": chad,
}
