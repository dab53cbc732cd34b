"""Tunes from MIDI files, in folders and in zip archives, as lines of notes."""

from __future__ import annotations

import heapq
import io
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import mido
import numpy as np

from ml_worker.catalogue.voice import TimedNote

MIDI_ENDINGS = {".mid", ".midi", ".kar"}
# A MIDI file of one tune is a few kilobytes; larger ones, longer ones and archives that unpack to more are refused.
LARGEST_FILE_BYTES = 4_000_000
LONGEST_TUNE_S = 3_600.0
# By the General MIDI standard drums are on this channel, counted from 0.
PERCUSSION_CHANNEL = 9
# The tempo of a file that names none, microseconds a quarter note: 120 a minute.
DEFAULT_TEMPO = 500_000
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
    midi = mido.MidiFile(file=io.BytesIO(content))
    if midi.ticks_per_beat <= 0:
        raise ValueError("Its notes are timed by film frames, which we cannot read.")
    notes = _melody_track(_tracks(midi))
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


def _melody_track(tracks: list[tuple[str, list[TimedNote]]]) -> list[TimedNote]:
    if not tracks:
        raise ValueError("It holds no notes.")
    for name, notes in tracks:
        if "melod" in name.lower() or "vocal" in name.lower():
            return notes
    return max((notes for _, notes in tracks), key=lambda notes: np.mean([note.pitch for note in notes]))


def _tracks(midi: mido.MidiFile) -> list[tuple[str, list[TimedNote]]]:
    """(name, notes) of every track and channel with notes, without percussion."""
    ticks_of_changes, second_of_changes, pace = _tempo_map(midi)

    def second_at(ticks: int) -> float:
        part = bisect_right(ticks_of_changes, ticks) - 1
        return second_of_changes[part] + (ticks - ticks_of_changes[part]) * pace[part]

    found: dict[tuple[int, int], list[TimedNote]] = {}
    for number, track in enumerate(midi.tracks):
        ticks = 0
        sounding: dict[tuple[int, int], int] = {}
        for message in track:
            ticks += message.time
            if message.type not in ("note_on", "note_off") or message.channel == PERCUSSION_CHANNEL:
                continue
            key = (message.channel, message.note)
            if key in sounding:
                note = TimedNote(second_at(sounding.pop(key)), second_at(ticks), float(message.note))
                found.setdefault((number, message.channel), []).append(note)
            if message.type == "note_on" and message.velocity:
                sounding[key] = ticks
    return [(midi.tracks[number].name, notes) for (number, _), notes in found.items()]


def _tempo_map(midi: mido.MidiFile) -> tuple[list[int], list[float], list[float]]:
    """The tempo changes: their ticks, their seconds, and from there on the seconds a tick."""
    ticks_of_changes, seconds, pace = [0], [0.0], [mido.tick2second(1, midi.ticks_per_beat, DEFAULT_TEMPO)]
    for at, tempo in sorted(_tempo_changes(midi)):
        seconds.append(seconds[-1] + (at - ticks_of_changes[-1]) * pace[-1])
        ticks_of_changes.append(at)
        pace.append(mido.tick2second(1, midi.ticks_per_beat, tempo))
    return ticks_of_changes, seconds, pace


def _tempo_changes(midi: mido.MidiFile) -> Iterator[tuple[int, int]]:
    """(tick, microseconds a beat) of every change of tempo, track by track."""
    for track in midi.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                yield ticks, message.tempo


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
