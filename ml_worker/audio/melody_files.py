"""Melodies from files of every kind that a person may have: audio, MIDI, or a pitch curve as text."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.midi import MIDI_ENDINGS, MidiNote, melody_track, tracks_of
from ml_worker.audio.separation import MIX_RATE, separate
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.audio.trackers import track_melody

# Pitch vectors as MIR-QBSH has them: one column of semitones.
VECTOR_ENDING = ".pv"
CURVE_ENDINGS = {".txt", ".csv", ".tsv", ".f0", VECTOR_ENDING}

# The hop of melodies that are not tracked from audio, seconds.
HOP_S = 0.01
# The hop of pitch vectors: 256 samples at 8 kHz, seconds.
VECTOR_HOP_S = 0.032
# A pitch curve that is named in semitones or Hz and goes beyond these is something else; semitones, Hz.
HIGHEST_SEMITONE = 127.0
HIGHEST_HZ = 20_000.0
# Longest melody that is taken, as for audio; seconds.
LONGEST_S = 3600.0
# Largest text that is taken for a pitch curve; an hour at a hop of 10 ms has some 8 MB. Bytes.
LARGEST_TEXT = 64 * 1024**2

# A note that starts within this time of another's end follows it (legato); earlier, both sound together. Seconds.
LEGATO_S = 0.12
# What mido raises for files that are damaged or no MIDI.
BAD_MIDI = (OSError, EOFError, ValueError, LookupError, ZeroDivisionError, mido.KeySignatureError)

# From this many files on it pays to start further processes; a count.
MANY_FILES = 24
# Most of them; each has the threads of onnxruntime, which are as many as the machine has cores; a count.
MOST_PROCESSES = 8
# Files that a process is given at once, so that handing them over costs little; a count.
FILES_AT_ONCE = 16

Progress = Callable[[float, str], None]


class ReadingStopped(RuntimeError):
    """A process that read files was ended by something else. Its text is a sentence."""


class Heard(NamedTuple):
    """What is in a file: its melody, and the sound that it was tracked in; None of MIDI and pitch curves."""

    melody: Melody
    sound: Sound | None


def is_audio(path: Path) -> bool:
    """Whether `hear` reads a file as audio: whatever is not named like MIDI or a pitch curve."""
    return path.suffix.lower() not in {*MIDI_ENDINGS, *CURVE_ENDINGS}


def read_melody(path: Path, *, mixture: bool = False) -> Melody:
    """The melody in a file: that of `hear`, with the same arguments and errors."""
    return hear(path, mixture=mixture).melody


def hear(path: Path, *, mixture: bool = False) -> Heard:
    """The melody in a file, with its sound, which tells silence from noise where there is no melody.

    Args:
        path: audio (whatever its name says), MIDI (its melody track), text of two columns: seconds, Hz (0 where
            unvoiced), or a .pv pitch vector.
        mixture: the audio is a mixture, so its vocal part is taken first.

    Raises:
        UnusableAudio: with a sentence, where the file holds no melody that we can read.
    """
    if os.path.isdir(path):
        raise UnusableAudio(f"{path} is a folder. Name a file.")
    if not os.path.isfile(path):
        raise UnusableAudio(f"There is no file {path}.")
    if path.suffix.lower() in MIDI_ENDINGS:
        return Heard(melody_of_midi(path), None)
    if path.suffix.lower() == VECTOR_ENDING:
        return Heard(melody_of_vector(path), None)
    if path.suffix.lower() in CURVE_ENDINGS:
        return Heard(melody_of_curve(path), None)
    try:
        sound = decode(path, max_rate=MIX_RATE if mixture else None)
    except OSError as problem:
        raise UnusableAudio(f"{path.name} cannot be read: {problem.strerror}.") from problem
    voice = separate(sound).sound if mixture else sound
    return Heard(track_melody(voice), voice)


# ------------------------------------------------------------------------------------------------------- many files


class Reading(NamedTuple):
    """What came of a file: its melody, or a sentence that says why there is none; and the seconds that it took."""

    melody: Melody | None
    problem: str
    seconds: float


def read_melodies(
    paths: Sequence[Path], *, mixture: bool = False, processes: int = 1, progress: Progress | None = None
) -> list[Reading]:
    """What came of each file, in order.

    Args:
        paths: files of any kind that `read_melody` takes.
        mixture: the audio are mixtures. The vocal part of one takes a whole machine's memory and processors, so they
            are read one by one.
        processes: that may share the work, where there are many files. With more than one, a script that calls this
            needs the usual `if __name__ == "__main__":`.
        progress: told the share that is done, and a message.

    Raises:
        ReadingStopped: one of the processes was killed. It is not known over which file, and one that ends a process
            would end this one too, so nothing is read again.
    """
    read = partial(_reading, mixture=mixture)
    workers = min(processes, MOST_PROCESSES)
    if mixture or workers < 2 or len(paths) < MANY_FILES:
        return list(_told(map(read, paths), paths, progress))
    # Spawned, not forked: the threads of onnxruntime and torch do not survive a fork.
    context = multiprocessing.get_context("spawn")
    at_once = max(1, min(FILES_AT_ONCE, len(paths) // (4 * workers)))
    try:
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            # The others end with this one. The signal from the keyboard reaches them too, and would make each complain.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                readings = pool.map(read, paths, chunksize=at_once)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return list(_told(readings, paths, progress))
    except BrokenProcessPool as problem:
        raise ReadingStopped(
            "A process that read the files was killed, most likely for want of memory. Close other programs, or name "
            "fewer files, and begin again."
        ) from problem


def processors() -> int:
    """How many processors this process may use; where the system does not say, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reading(path: Path, *, mixture: bool) -> Reading:
    began = time.perf_counter()
    try:
        melody, problem = read_melody(path, mixture=mixture), ""
    except UnusableAudio as found:
        melody, problem = None, str(found)
    return Reading(melody, problem, time.perf_counter() - began)


def _told(readings: Iterator[Reading], paths: Sequence[Path], progress: Progress | None) -> Iterator[Reading]:
    """The readings, with word of each."""
    for number, (reading, path) in enumerate(zip(readings, paths, strict=True), start=1):
        if progress:
            progress(number / len(paths), f"{number} of {len(paths)}: {path.name}")
        yield reading


# ----------------------------------------------------------------------------------------------------- pitch curves


def melody_of_curve(path: Path) -> Melody:
    """A two-column text, separated by commas or white space, put on a fixed hop by the nearest line.

    Lines that begin with #, and one line of column names, are passed over.
    """
    what = f"{path.name} is not a pitch curve: two columns, rising seconds and Hz."
    table = _numbers(_lines(path), what, columns=2)
    if any(len(row) < 2 for row in table) or len(table) < 2:
        raise UnusableAudio(what)
    times, hz = np.array(table).T
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0) or times[-1] < 0 or np.any(hz > HIGHEST_HZ):
        raise UnusableAudio(what)
    _check_length(times[-1], path)
    wanted = np.arange(0, times[-1] + HOP_S / 2, HOP_S)
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    nearest = np.where(wanted - times[after - 1] < times[after] - wanted, after - 1, after)
    return _melody(HOP_S, np.where(wanted >= times[0] - HOP_S, hz[nearest], 0), "pitch-curve file")


def melody_of_vector(path: Path) -> Melody:
    """A pitch vector as MIR-QBSH (Jang) labels its hums: semitones (69 = 440 Hz), 0 where unvoiced, 31.25 a second."""
    what = f"{path.name} is not a pitch vector: semitones from 0 to 127."
    semitones = np.array([value for row in _numbers(_lines(path), what, columns=None) for value in row])
    if not len(semitones) or not np.all((semitones >= 0) & (semitones <= HIGHEST_SEMITONE)):
        raise UnusableAudio(what)
    _check_length(len(semitones) * VECTOR_HOP_S, path)
    return _melody(VECTOR_HOP_S, _hz(semitones), "pitch-vector file")


def _lines(path: Path) -> list[str]:
    """The lines of a text that say something."""
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UnusableAudio(f"{path.name} is larger than 64 MB, as no pitch curve of an hour is. Cut it.")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UnusableAudio(f"{path.name} is not a text.") from problem
    except OSError as problem:
        raise UnusableAudio(f"{path.name} cannot be read: {problem.strerror}.") from problem
    stripped = (line.replace(",", " ").strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _numbers(lines: Sequence[str], what: str, *, columns: int | None) -> list[list[float]]:
    """The first so many numbers of each line (None: all), without a first line of column names.

    Raises UnusableAudio with `what`.
    """
    try:
        return [[float(word) for word in line.split()[:columns]] for line in lines[_has_names(lines) :]]
    except ValueError as problem:
        raise UnusableAudio(what) from problem


def _has_names(lines: Sequence[str]) -> bool:
    return bool(lines) and all(word[0].isalpha() and word.lower() not in ("nan", "inf") for word in lines[0].split())


# ------------------------------------------------------------------------------------------------------------- MIDI


def melody_of_midi(path: Path) -> Melody:
    """The melody track of a MIDI file: the one named so, else the highest; of notes that sound together the top one.

    A note that another follows within its last moment ends where that begins, as in legato. The times are the file's,
    with any silence before the first note. `attack` is 1 where a note of the melody begins and 0 elsewhere.
    """
    try:
        tracks = tracks_of(mido.MidiFile(path, clip=True))
    except BAD_MIDI as problem:
        # Of a file that is cut off, mido says nothing.
        why = str(problem).rstrip(".") or "it ends too early"
        raise UnusableAudio(f"{path.name} is not a MIDI file that we can read: {why}.") from problem
    if not tracks:
        raise UnusableAudio(f"{path.name} holds no notes.")
    notes = melody_track(tracks).notes
    _check_length(max(note.end_s for note in notes), path)
    return melody_of_notes(notes)


def melody_of_notes(notes: Sequence[MidiNote]) -> Melody:
    """The top line of notes as a pitch curve, with the attacks of the notes that are heard in it."""
    line = _legato(notes)
    places = [(round(note.start_s / HOP_S), round(note.end_s / HOP_S), note.number) for note in line]
    pitch = np.zeros(max(last for _, last, _ in places) + 1)
    for first, last, number in places:
        np.maximum(pitch[first:last], number, out=pitch[first:last])
    attack = np.zeros(len(pitch), np.float32)
    for first, last, number in places:
        if first < last and pitch[first] == number:
            attack[first] = 1
    return _melody(HOP_S, _hz(pitch), "midi file", attack)


def _legato(notes: Sequence[MidiNote]) -> list[MidiNote]:
    """The notes in order, none of which reaches a moment into one that starts after it and lasts longer."""
    ordered = sorted(notes)
    starts = [note.start_s for note in ordered]

    def end_of(note: MidiNote) -> float:
        first = bisect_right(starts, max(note.start_s, note.end_s - LEGATO_S))
        last = bisect_left(starts, note.end_s)
        return next((one.start_s for one in ordered[first:last] if one.end_s > note.end_s), note.end_s)

    return [note._replace(end_s=end_of(note)) for note in ordered]


# ------------------------------------------------------------------------------------------------- what kinds share


def _hz(semitones: NDArray[np.floating]) -> NDArray[np.floating]:
    """Hz of MIDI semitones, 0 stays 0."""
    return np.where(semitones > 0, 440 * 2 ** ((semitones - 69) / 12), 0)


def _check_length(seconds: float, path: Path) -> None:
    if seconds > LONGEST_S:
        raise UnusableAudio(f"{path.name} is longer than an hour. Cut out the part that matters.")


def _melody(
    hop_s: float, f0_hz: NDArray[np.floating], method: str, attack: NDArray[np.float32] | None = None
) -> Melody:
    f0_hz = np.where(np.isfinite(f0_hz) & (f0_hz > 0), f0_hz, 0).astype(np.float32)
    voiced = f0_hz > 0
    return Melody(hop_s, f0_hz, voiced, voiced.astype(np.float32), method, attack)
