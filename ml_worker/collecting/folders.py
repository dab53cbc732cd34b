"""A plain folder of covers: one folder a song, one file a version (`song/version.ext`)."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from ml_worker.collecting.lists import UNKNOWN_ARTIST, UnreadableList
from ml_worker.collecting.names import tidy

# Endings of files that ml_worker.audio.decode opens.
ENDINGS = frozenset({
    ".wav", ".w64", ".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".mka",
    ".mkv", ".webm", ".caf", ".amr", ".3gp", ".mov", ".wma", ".avi",
})  # fmt: skip
ORIGINAL = "original"


@dataclass(frozen=True)
class FolderRecording:
    """One file of a song's folder.

    Attributes:
        song: the folder's name.
        title, artist: the song's, from a folder named "Artist - Title"; else the title alone.
        performer: the file's name without its ending; the artist's of the original.
        path: the file.
        is_original: `original.*`, else the first of the folder by name.
    """

    song: str
    title: str
    artist: str
    performer: str
    path: Path
    is_original: bool


@dataclass(frozen=True)
class FolderProblem:
    """A file that is not brought in, by its place in the folder, and why."""

    place: str
    sentence: str


@dataclass(frozen=True)
class FolderRead:
    rows: list[FolderRecording]
    problems: list[FolderProblem]


def read_folder(root: Path) -> FolderRead:
    """The recordings of a folder, songs and files by name; originals first in their songs.

    Raises:
        UnreadableList: the folder is not there, cannot be read, or holds nothing.
    """
    found = FolderRead([], [])
    try:
        base = _resolved(root)
        songs = sorted(base.iterdir())
    except OSError as problem:
        raise UnreadableList(f"The folder {root} cannot be read: {problem.strerror}.") from problem
    for song in songs:
        why = _why_not(song, base)
        if not why and not song.is_dir():
            why = "It lies beside the folders of songs: put it into the folder of its song."
        if why:
            found.problems.append(_problem(song.name, why))
        else:
            _read_song(song, base, found)
    if not found.rows and not found.problems:
        raise UnreadableList(f"The folder {root} is empty. It holds a folder for each song, and that its files.")
    return found


def _read_song(song: Path, base: Path, found: FolderRead) -> None:
    files = []
    try:
        entries = sorted(song.iterdir())
    except OSError as problem:
        found.problems.append(_problem(song.name, f"The folder cannot be read: {problem.strerror}."))
        return
    for file in entries:
        why = _why_not(file, base) or _why_no_audio(file)
        if why:
            found.problems.append(_problem(f"{song.name}/{file.name}", why))
        else:
            files.append(file)
    if not files:
        found.problems.append(_problem(song.name, "The folder holds no file of audio, so no song comes of it."))
    original = next((file for file in files if file.stem.casefold() == ORIGINAL), files[0] if files else None)
    artist, title = names_of(song.name)
    for file in sorted(files, key=lambda file: (file != original, file.name)):
        is_original = file == original
        performer = artist if is_original and file.stem.casefold() == ORIGINAL else tidy(file.stem.replace("_", " "))
        found.rows.append(FolderRecording(song.name, title, artist, performer, file, is_original))


def _problem(place: str, sentence: str) -> FolderProblem:
    """A name may hold bytes that are no text; it is told without them."""
    return FolderProblem(tidy(place), sentence)


def names_of(folder: str) -> tuple[str, str]:
    """(artist, title) of a song's folder: "Artist - Title", or the title alone."""
    artist, dash, title = tidy(folder.replace("_", " ")).partition(" - ")
    return (artist, title) if dash and artist and title else (UNKNOWN_ARTIST, artist)


def _why_not(path: Path, base: Path) -> str:
    """Why a file or folder may not be looked at; "" where it may."""
    if path.name.startswith("."):
        return "It is hidden."
    try:
        is_inside = _resolved(path).is_relative_to(base)
    except OSError as problem:
        return f"It cannot be read: {problem.strerror}."
    return "" if is_inside else "It is a link that leaves the folder."


def _resolved(path: Path) -> Path:
    """The place that a path leads to.

    Raises:
        OSError: it leads nowhere, or in a circle, of which pathlib before Python 3.13 raises a RuntimeError.
    """
    try:
        return path.resolve(strict=True)
    except RuntimeError as problem:
        raise OSError(errno.ELOOP, "its links lead in a circle") from problem


def _why_no_audio(path: Path) -> str:
    if path.is_dir():
        return "It is a folder within a song's folder; versions are files: song/version.ext."
    if not path.suffix:
        return "Its name has no ending, such as .wav or .mp3, so it is not taken for audio."
    if path.suffix.casefold() not in ENDINGS:
        return f"Files that end in {path.suffix} are no audio that is read here."
    return "The file is empty." if path.stat().st_size == 0 else ""
