"""Open lists of covers, read into rows. What each format holds is taken from its publishers' own documentation:

- SHS100K (Xu et al., "Key-Invariant Convolutional Neural Network toward Efficient Cover Song Identification", ICME
  2018; github.com/NovaFrost/SHS100K2): a tab between set_id, ver_id, title, performer, url, status; the last may lack.
- Da-TACOS (Yesiler et al., ISMIR 2019; github.com/MTG/da-tacos): JSON, work id -> performance id -> work_title,
  work_artist, perf_title, perf_artist, release_year. It names no videos: its rows are to be searched for.
- Discogs-VI-YT (Araz et al., ISMIR 2024; mtg.github.io/discogs-vi-dataset): one clique a line as JSON, with `versions`,
  each with `tracks` (track_title, track_artist_names, release_artist_names) and `youtube_video` ([{"url"}], the best
  first); and its "light" form: one JSON, clique id -> [{version_id, track_title, youtube_id}].
- CSV with a header, as people export SecondHandSongs and their own tables: the columns are known by their names.

None of them says which version is the original, apart from a column of a CSV. A list is hostile until it is read: its
size is bounded, a line that cannot be read is told with its number, and the others go on.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO

from ml_worker.collecting.names import artist_of, key_of, tidy, video_id_of

# A clique of Discogs-VI with hundreds of versions has about 1 MB.
MAX_LINE_BYTES = 16_000_000
# A list that is one JSON is read as a whole; Da-TACOS and the light Discogs-VI stay below 60 MB.
MAX_DOCUMENT_BYTES = 200_000_000
# Discogs-VI-YT has half a million versions.
MAX_ROWS = 1_000_000
# Lines that cannot be used are kept with their reasons up to so many, and counted beyond: where there are more, the
# list is of another format than it is taken for.
MAX_PROBLEMS = 10_000
# As long as the database keeps them; and as a place in a list is told.
MAX_LETTERS, MAX_LETTERS_OF_A_PLACE = 300, 40
# Lines that are looked at to tell a format, and bytes to tell text from what is none.
LOOKED_AT, LOOKED_AT_BYTES = 20, 8192
UNKNOWN_ARTIST = "unknown artist"

BOM = b"\xef\xbb\xbf"
# How files begin that are no text, or not text as it is read here.
PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!\x1a", b"\xd0\xcf\x11\xe0")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What people and programs write into the cell of a video that there is not.
NO_VIDEO = ("null", "none", "nan", "n/a", "na", "-", "–", "—", "?")
# What they write for yes and no; anything else says neither.
YES, NO = ("1", "true", "yes", "y", "x", "original"), ("0", "false", "no", "n", "cover")


class UnreadableList(ValueError):
    """A list of which nothing can be read. Its text says why and what to do."""


@dataclass(frozen=True)
class ListedRecording:
    """One recording that a list names.

    Attributes:
        group: what the recordings of one song share in the list.
        title, artist: of this recording.
        youtube_id: its video; "" where it is to be searched for.
        is_original: whether the list says so; None where it says nothing.
        year: of its release.
        source_line: where it stands in the list, from 1; of one JSON, the number of its entry.
        work_title, work_artist: the song's own, where the list has them apart.
    """

    group: str
    title: str
    artist: str
    youtube_id: str = ""
    is_original: bool | None = None
    year: int | None = None
    source_line: int = 0
    work_title: str = ""
    work_artist: str = ""


@dataclass(frozen=True)
class Problem:
    """A line that cannot be used, and why; `group` names the entry of a list that is one JSON."""

    line: int
    sentence: str
    group: str = ""

    @property
    def place(self) -> str:
        return f"group {self.group}" if self.group else f"line {self.line}"


@dataclass
class ListRead:
    """What came of reading a list: rows in its order, and the lines that cannot be used.

    `more_problems` counts those that are not kept, as there are too many.
    """

    rows: list[ListedRecording] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0


class _Unusable(ValueError):
    """A line that cannot be used; its text goes into the Problem."""


Row = ListedRecording | Problem


def read(file: BinaryIO, format: str = "auto", *, name: str = "", most: int = MAX_ROWS) -> ListRead:
    """The rows of a list.

    Args:
        file: at its start; it is read forwards only, so that a list of gigabytes costs the memory of its rows.
        format: one of FORMATS, or "auto".
        name: the file's name, a hint for "auto".
        most: rows that are read; what comes after is left.

    Raises:
        UnreadableList: the format is unknown, the file as a whole cannot be read, or it names no recording.
    """
    head = file.read(MAX_LINE_BYTES + 1)
    refuse_no_text(head)
    if format == "auto":
        format = guessed(head, name)
    if format not in FORMATS:
        raise UnreadableList(f"There is no format “{format}”. Take one of: auto, {', '.join(FORMATS)}.")
    found = ListRead()
    for row in FORMATS[format](_Rejoined(head, file)):
        if not isinstance(row, Problem):
            if len(found.rows) == most:
                break
            found.rows.append(row)
        elif len(found.problems) < MAX_PROBLEMS:
            found.problems.append(row)
        else:
            found.more_problems += 1
    if not found.rows and not found.problems:
        raise UnreadableList("The list names no recording. Was it cut off?")
    return found


def refuse_no_text(head: bytes) -> None:
    """Raises UnreadableList for the start of a file that is no text in UTF-8, and says what it seems to be."""
    if head.startswith(PACKED):
        raise UnreadableList("The list is packed, or a workbook. Unpack it, or save its sheet as CSV in UTF-8.")
    if head.startswith(UTF_16):
        raise UnreadableList("The list is text in UTF-16. Save it as UTF-8.")
    if b"\0" in head[:LOOKED_AT_BYTES] and not _is_utf8(head[:LOOKED_AT_BYTES]):
        raise UnreadableList("The list is no text. Lists are CSV, JSON, or lines with tabs between, in UTF-8.")
    if b"\r" in head and b"\n" not in head:
        raise UnreadableList("The lines of the list end with CR alone, as on old Macs. Save it with other line ends.")


def _is_utf8(start: bytes) -> bool:
    """Whether bytes are the start of text in UTF-8; the last letter may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def guessed(head: bytes, name: str = "") -> str:
    """The format of a list, by its first lines."""
    first = [line for line in head.removeprefix(BOM).decode("utf-8", "replace").splitlines() if line.strip()]
    first = first[:LOOKED_AT]
    if not first:
        raise UnreadableList("The list is empty.")
    start = first[0].lstrip().casefold()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise UnreadableList("The list is a web page. Fetch the file itself; some sites want you to sign in first.")
    if start.startswith("["):
        raise UnreadableList(
            "The list is JSON, but neither Da-TACOS nor Discogs-VI. Make it a table (CSV) with the columns title and "
            "artist."
        )
    if start.startswith("{"):
        return _which_json(first[0], head, name)
    return "shs100k" if any(_looks_like_shs100k(line) for line in first) else "csv"


def _which_json(first: str, head: bytes, name: str) -> str:
    """Discogs-VI has a whole clique in its first line; the others are one JSON, each with keys of its own."""
    try:
        is_clique = isinstance(json.loads(first).get("versions"), list)
    except (ValueError, RecursionError):
        is_clique = PurePath(name).suffix == ".jsonl"
    if is_clique:
        return "discogs-vi"
    return "discogs-vi-light" if b'"track_title"' in head else "datacos"


def _looks_like_shs100k(line: str) -> bool:
    cells = line.split("\t")
    return len(cells) in (5, 6) and cells[0].isdigit() and cells[1].isdigit()


class _Rejoined(io.RawIOBase):
    """A file of which the head was read already, from its start."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        line = self._head.readline(size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        return line + self._rest.readline(size if size < 0 else size - len(line))

    def read(self, size: int = -1, /) -> bytes:
        start = self._head.read(size)
        return start + self._rest.read(size if size < 0 else size - len(start))


# ---------------------------------------------------------------- lines


def lines_of(file: BinaryIO) -> Iterator[tuple[int, str] | Problem]:
    """(number, text) of each line that is not empty; a Problem for one that is too long or no UTF-8."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE_BYTES)
            yield Problem(number, f"The line is longer than {MAX_LINE_BYTES // 1_000_000} MB.")
            continue
        try:
            text = line.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            yield Problem(number, "The line is no text in UTF-8. Save the list as UTF-8.")
            continue
        if text.strip():
            yield number, text


def _each(lines: Iterable[tuple[int, str] | Problem], read_line: Callable[[int, str], Iterable[Row]]) -> Iterator[Row]:
    """The rows of each line; what a line's reader cannot use becomes a Problem with its number."""
    for line in lines:
        if isinstance(line, Problem):
            yield line
            continue
        try:
            yield from read_line(*line)
        except _Unusable as problem:
            yield Problem(line[0], str(problem))


def _text(value: Any, what: str) -> str:
    """A name out of a list, on one line; refuses what is none."""
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise _Unusable(f"The {what} is no text.")
    text = tidy(str(value))
    if len(text) > MAX_LETTERS:
        raise _Unusable(f"The {what} has more than {MAX_LETTERS} letters.")
    return text


def _title(value: Any) -> str:
    title = _text(value, "title")
    if not title:
        raise _Unusable("The title is missing.")
    return title


def _video(value: Any) -> str:
    """The video's id; "" of a cell that is empty or says that there is none."""
    text = _text(value, "video")
    if text.casefold() in ("", *NO_VIDEO):
        return ""
    found = video_id_of(text)
    if not found:
        raise _Unusable(
            f"“{text[:60]}” is neither a YouTube id nor the address of a YouTube video. Leave it empty where there is "
            "none."
        )
    return found


def _year(value: Any) -> int | None:
    """The year in a year or a date; None where there is none."""
    found = re.search(r"\b(1[5-9]\d\d|20\d\d)\b", str(value or ""))
    return int(found[1]) if found else None


def _is_yes(value: str) -> bool | None:
    """Yes or no; None where nothing is said."""
    answer = value.strip().casefold()
    return answer in YES if answer in (*YES, *NO) else None


# ---------------------------------------------------------------- formats

SHS100K_COLUMNS = "set_id, ver_id, title, performer, url, status"


def shs100k(file: BinaryIO) -> Iterator[Row]:
    """Rows of the list of SHS100K. Whether a video could be had when the list was made says nothing of today."""

    def read_line(number: int, text: str) -> Iterator[Row]:
        cells = text.split("\t")
        if cells[0].strip() == "set_id":
            return
        if len(cells) not in (5, 6):
            columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
            raise _Unusable(f"The line has {columns}; SHS100K has {SHS100K_COLUMNS} with a tab between.")
        group, _, title, artist, video = cells[:5]
        yield ListedRecording(
            _text(group, "set_id"), _title(title), artist_of(_text(artist, "performer")), _video(video),
            source_line=number,
        )  # fmt: skip

    return _each(lines_of(file), read_line)


def discogs_vi(file: BinaryIO) -> Iterator[Row]:
    """Rows of Discogs-VI-YT, one clique a line."""

    def read_line(number: int, text: str) -> Iterator[Row]:
        clique = _json(text)
        if not isinstance(clique, dict) or not isinstance(clique.get("versions"), list):
            raise _Unusable("The line is no clique of Discogs-VI: it has no `versions`.")
        yield from _rows(number, clique["versions"], lambda version: _discogs_version(number, clique, version))

    return _each(lines_of(file), read_line)


def _discogs_version(number: int, clique: dict[str, Any], version: dict[str, Any]) -> ListedRecording:
    tracks, videos = version.get("tracks") or [{}], version.get("youtube_video") or [{}]
    track, video = _mapping(tracks), _mapping(videos)
    names = track.get("track_artist_names") or track.get("release_artist_names") or []
    if not isinstance(names, list):
        raise _Unusable("The artists of a track are no list.")
    artist = ", ".join(artist_of(_text(name, "artist")) for name in names)
    group = _text(clique.get("clique_id"), "clique_id") or f"line {number}"
    title = _title(track.get("track_title"))
    return ListedRecording(group, title, artist, _video(video.get("url")), source_line=number)


def _mapping(values: Any) -> dict[str, Any]:
    """The first of these values, which is to be a JSON object."""
    if not isinstance(values, list) or not isinstance(values[0], dict):
        raise _Unusable("The tracks or videos of a version are no list of objects.")
    return values[0]


def _rows(
    line: int, values: list[Any], row_of: Callable[[dict[str, Any]], ListedRecording], group: str = ""
) -> Iterator[Row]:
    """A row for each value, and a Problem for one that cannot be used."""
    for value in values:
        try:
            if not isinstance(value, dict):
                raise _Unusable("A version is no object.")
            yield row_of(value)
        except _Unusable as problem:
            yield Problem(line, str(problem), group)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise _Unusable("The line is no JSON.") from problem


def _document(file: BinaryIO) -> dict[str, Any]:
    data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise UnreadableList(f"The list has more than {MAX_DOCUMENT_BYTES // 1_000_000} MB. Cut it into parts.")
    try:
        found = json.loads(data.removeprefix(BOM))
    except (ValueError, RecursionError) as problem:
        raise UnreadableList("The list is no JSON. Was it cut off? Fetch it again.") from problem
    if not isinstance(found, dict):
        raise UnreadableList("The list is no JSON object of groups, as Da-TACOS and Discogs-VI are.")
    return found


def groups_as_json(file: BinaryIO) -> Iterator[Row]:
    """Rows of a list that is one JSON: the metadata of Da-TACOS, or the light form of Discogs-VI-YT."""
    for number, (group, versions) in enumerate(_document(file).items(), start=1):
        name = tidy(group)[:MAX_LETTERS_OF_A_PLACE]
        if isinstance(versions, list):
            yield from _rows(number, versions, lambda version, at=(number, group): _light_version(*at, version), name)
        elif isinstance(versions, dict):
            values = list(versions.values())
            yield from _rows(number, values, lambda version, at=(number, group): _performance(*at, version), name)
        else:
            yield Problem(number, "It holds no versions, as the groups of Da-TACOS and Discogs-VI do.", name)


def _light_version(number: int, group: str, version: dict[str, Any]) -> ListedRecording:
    title, video = _title(version.get("track_title")), _video(version.get("youtube_id"))
    return ListedRecording(_text(group, "clique_id"), title, "", video, source_line=number)


def _performance(number: int, group: str, one: dict[str, Any]) -> ListedRecording:
    title = _title(one.get("perf_title") or one.get("work_title"))
    artist = artist_of(_text(one.get("perf_artist"), "artist"))
    work = _text(one.get("work_title"), "title"), artist_of(_text(one.get("work_artist"), "artist"))
    year = _year(one.get("release_year"))
    return ListedRecording(_text(group, "work id"), title, artist, "", None, year, number, *work)


# Columns of a CSV by the names that exports give them; the first that is there counts.
COLUMNS = {
    "group": ("group", "group_id", "work_id", "work", "clique_id", "clique", "set_id", "song_id", "wid", "original_id"),
    "title": ("title", "perf_title", "performance_title", "track_title", "song_title", "song", "name"),
    "artist": ("artist", "perf_artist", "performer", "performance_artist", "artists", "artist_name", "singer"),
    "video": ("youtube_id", "youtube", "yt_id", "video_id", "video", "youtube_url", "url", "address", "link"),
    "year": ("year", "release_year", "date", "release_date", "released"),
    "original": ("is_original", "original", "first_release"),
    "work_title": ("work_title", "original_title"),
    "work_artist": ("work_artist", "original_artist"),
}
DELIMITERS = {"\t": "a tab", ";": "a semicolon", ",": "a comma", "|": "a bar"}
# Letters of a header that are shown where it names too little.
HEADER_SHOWN = 80


def table(file: BinaryIO) -> Iterator[Row]:
    """Rows of a CSV. Without a column of groups, recordings of one title are a group."""
    lines = lines_of(file)
    first = next(lines, None)
    if first is None:
        raise UnreadableList("The list is empty.")
    if isinstance(first, Problem):
        raise UnreadableList(f"The header cannot be read. {first.sentence}")
    delimiter = max(DELIMITERS, key=Counter(first[1]).__getitem__)
    try:
        header = [re.sub(r"\W+", "_", cell.strip().casefold()) for cell in _cells(first[1], delimiter)]
    except _Unusable as problem:
        raise UnreadableList(f"The header cannot be read. {problem}") from problem
    places = {what: next((header.index(name) for name in names if name in header), None)
              for what, names in COLUMNS.items()}  # fmt: skip
    missing = [what for what in ("title", "artist") if places[what] is None]
    if missing:
        raise UnreadableList(
            f"The first line names no {' and no '.join(missing)}: “{tidy(first[1])[:HEADER_SHOWN]}”. A table begins "
            "with a header, with a comma, semicolon, tab or bar between the names of its columns: title and artist, "
            "and where it has them group, youtube_id (or url), year and original."
        )

    def read_line(number: int, text: str) -> Iterator[Row]:
        cells = _cells(text, delimiter)
        if len(cells) != len(header):
            raise _Unusable(_odd_number(len(cells), len(header), DELIMITERS[delimiter]))
        said = {what: "" if place is None else cells[place] for what, place in places.items()}
        title, work_title = _title(said["title"]), _text(said["work_title"], "title")
        yield ListedRecording(
            _text(said["group"], "group") or key_of(work_title or title),
            title, artist_of(_text(said["artist"], "artist")), _video(said["video"]),
            _is_yes(said["original"]), _year(said["year"]), number,
            work_title, artist_of(_text(said["work_artist"], "artist")),
        )  # fmt: skip

    return _each(lines, read_line)


def _odd_number(cells: int, columns: int, between: str) -> str:
    number = "1 cell" if cells == 1 else f"{cells} cells"
    quotes = f" A cell that holds {between} itself stands in quotes." if cells > columns else ""
    return f"With {between} between, the line has {number}; the header has {columns}.{quotes}"


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line; a quoted cell may not go on in the next."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as problem:
        raise _Unusable("The quotes of the line do not match; no cell may go on in the next line.") from problem


FORMATS: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {
    "shs100k": shs100k,
    "datacos": groups_as_json,
    "discogs-vi": discogs_vi,
    "discogs-vi-light": groups_as_json,
    "csv": table,
}


# ---------------------------------------------------------------- groups


@dataclass(frozen=True)
class Group:
    """The recordings of one song in a list; the original is None where it is not among them.

    Attributes:
        title, artist: the song's.
        original: said by the list, else the earliest, else the first.
        is_guessed: whether the list did not say which one is the original, or said so of several.
    """

    title: str
    artist: str
    original: ListedRecording | None
    is_guessed: bool
    covers: tuple[ListedRecording, ...]

    @property
    def rows(self) -> tuple[ListedRecording, ...]:
        return ((self.original,) if self.original else ()) + self.covers


def groups_of(rows: Iterable[ListedRecording], most: int | None = None) -> list[Group]:
    """The songs of a list, in its order; at most so many."""
    together: dict[str, list[ListedRecording]] = {}
    for row in rows:
        together.setdefault(row.group, []).append(row)
    return [group_of(group) for group in islice(together.values(), most)]


def group_of(rows: list[ListedRecording]) -> Group:
    """One song of its rows.

    The list's word decides which is the original. Without it, where the song's own title and artist stand apart the
    original is the earliest by that artist, if one is there; else it is the earliest of all, else the first.
    """
    said = [row for row in rows if row.is_original]
    by_the_artist = [row for row in rows if row.work_artist and key_of(row.artist) == key_of(row.work_artist)]
    knows_artist = any(row.work_artist for row in rows)
    may_be = said or by_the_artist or ([] if knows_artist else [row for row in rows if row.is_original is None] or rows)
    original = min(may_be, key=lambda row: row.year or 9999, default=None)
    named = original or rows[0]
    return Group(
        title=named.work_title or named.title,
        artist=named.work_artist or named.artist or UNKNOWN_ARTIST,
        original=original,
        is_guessed=original is not None and len(said) != 1,
        covers=tuple(row for row in rows if row is not original),
    )
