"""Tunes from MIDI files, in folders and in zip archives, as lines of notes."""

from __future__ import annotations

import heapq
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import mido

from ml_worker.audio.midi import MIDI_ENDINGS, melody_track, tracks_of
from ml_worker.catalogue.voice import TimedNote

# A MIDI file of one tune is a few kilobytes; larger ones, longer ones and archives that unpack to more are refused.
LARGEST_FILE_BYTES = 4_000_000
LONGEST_TUNE_S = 3_600.0
# Notes that start nearer than this are struck together, as a chord.
CHORD_S = 0.03
# A lower note that starts within this time of a higher note's end follows it; earlier, it lies under it.
LEGATO_S = 0.12
# What remains of a note that another one cuts short is a note from this length on.
SHORTEST_NOTE_S = 0.02

# What damaged files raise, and archives that are damaged, encrypted or packed in a way that we cannot undo.
UNREADABLE = (
    *(OSError, EOFError, ValueError, LookupError, struct.error, mido.KeySignatureError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)

# Path to melody.
_Found = dict[str, list[TimedNote]]


class Section(NamedTuple):
    """A part of a tune, from start_s to the next section's start.

    Sections with the same letter are the same music: "A" and "A" exactly, "A" and "A'" with changes.
    """

    start_s: float
    label: str


@dataclass(frozen=True)
class Score:
    """A melody as a line of notes.

    Attributes:
        name: what the tune is called; the stem of its file.
        notes: in order, one at a time.
        phrases: the tune's sections in order, where they are known.
    """

    name: str
    notes: list[TimedNote]
    phrases: list[Section] = field(default_factory=list)


class TuneFiles(NamedTuple):
    """What was found in folders and archives.

    Attributes:
        scores: in the order of their paths.
        skipped: files that hold no tune that we can read, as path to a sentence that says why.
    """

    scores: list[Score]
    skipped: dict[str, str]


def read_tunes(source: Path) -> TuneFiles:
    """The melodies of all MIDI files in a folder and the folders within, in a zip archive, or in a folder of such.

    Files of other kinds are passed over. Nothing of an archive is unpacked to disk, and its paths serve as names only.

    Raises:
        FileNotFoundError: there is no such folder or archive.
        ValueError: the source is a file of another kind.
    """
    if not source.exists():
        raise FileNotFoundError(f"There is no folder or archive {source}.")
    if source.is_file() and source.suffix.lower() not in {".zip", *MIDI_ENDINGS}:
        raise ValueError(f"{source} is neither a folder, nor a zip archive, nor a MIDI file.")
    paths = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    found: _Found = {}
    skipped: dict[str, str] = {}
    for path in paths:
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        if path.suffix.lower() in MIDI_ENDINGS:
            _add(name, partial(path.open, "rb"), found, skipped)
        elif path.suffix.lower() == ".zip":
            _zip_entries(path, name, found, skipped)
    return TuneFiles(_named(found), skipped)


def melody_notes(content: bytes) -> list[TimedNote]:
    """The melody of a MIDI file: of the track named so, else of the highest; of notes at one time the highest.

    Raises:
        ValueError: with a sentence, where there are no notes or the tune is longer than an hour; and what mido
            raises where the file is damaged (UNREADABLE).
    """
    tracks = tracks_of(mido.MidiFile(file=io.BytesIO(content)))
    if not tracks:
        raise ValueError("It holds no notes.")
    notes = [TimedNote(note.start_s, note.end_s, float(note.number)) for note in melody_track(tracks).notes]
    if max(note.end_s for note in notes) > LONGEST_TUNE_S:
        raise ValueError("It is longer than an hour.")
    line = one_at_a_time(notes)
    if not line:
        raise ValueError("It holds no notes that last.")
    return line


def one_at_a_time(notes: Iterable[TimedNote]) -> list[TimedNote]:
    """The highest line of notes that may overlap; the result is in order and does not overlap.

    What lay under a held note is heard from that note's end on.
    """
    waiting = [(note.start_s, -note.pitch, note) for note in notes]
    heapq.heapify(waiting)
    line: list[TimedNote] = []
    while waiting:
        note = heapq.heappop(waiting)[-1]
        before = line[-1] if line else None
        if before is None or note.start_s >= before.end_s:
            line.append(note)
        elif note.start_s - before.start_s < CHORD_S and note.pitch != before.pitch:
            line[-1] = max(before, note, key=lambda n: n.pitch)
        elif note.pitch >= before.pitch or before.end_s - note.start_s <= LEGATO_S:
            line[-1] = before._replace(end_s=note.start_s)
            line.append(note)
        elif note.end_s > before.end_s:
            later = note._replace(start_s=before.end_s)
            heapq.heappush(waiting, (later.start_s, -later.pitch, later))
    return [note for note in line if note.end_s - note.start_s >= SHORTEST_NOTE_S]


# --- folders and archives


def _zip_entries(path: Path, name: str, found: _Found, skipped: dict[str, str]) -> None:
    """Adds the melodies of an archive; each entry is read in memory, and its path is no more than a name."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if PurePosixPath(entry.filename).suffix.lower() in MIDI_ENDINGS and not entry.is_dir():
                    _add(f"{name}/{entry.filename}", partial(archive.open, entry), found, skipped)
    except UNREADABLE as problem:
        skipped[name] = f"{name} is no zip archive that we can read: {_in_words(problem)}"


def _add(path: str, opened: Callable[[], IO[bytes]], found: _Found, skipped: dict[str, str]) -> None:
    try:
        with opened() as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            raise ValueError("It is too large for a tune.")
        found[path] = melody_notes(content)
    except UNREADABLE as problem:
        skipped[path] = f"{path} is no tune that we can read: {_in_words(problem)}"


def _in_words(problem: Exception) -> str:
    return str(problem) or type(problem).__name__


def _named(found: _Found) -> list[Score]:
    """Scores with the stems of their paths as names; a name that is taken gets a number."""
    scores: dict[str, Score] = {}
    for path, notes in found.items():
        stem = _plain(path)
        names = (stem if number == 1 else f"{stem} ({number})" for number in count(1))
        name = next(name for name in names if name not in scores)
        scores[name] = Score(name, notes)
    return list(scores.values())


def _plain(path: str) -> str:
    """The stem of a path, safe to print and to build a file name from."""
    stem = PurePosixPath(path.replace("\\", "/")).stem
    return "".join(letter for letter in stem if letter.isprintable()).strip(". ") or "tune"
