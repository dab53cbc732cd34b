"""UltraStar's song.txt: a sung melody note by note, tied to a recording.

The format (https://usdx.eu/format/): `#BPM` counts quarter beats and may have a comma as its decimal sign, a tick is a
quarter of such a beat; `#GAP` is the first tick's place in milliseconds. Then a line a note: type, start tick, length
in ticks, pitch in semitones with 0 = C4, syllable. `-` ends a phrase, `E` the song.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Ticks of one beat of #BPM.
TICKS_A_BEAT = 4

# MIDI number of UltraStar's pitch 0 (C4).
MIDI_OF_ZERO = 60

# Line types of notes: normal, golden, freestyle (no pitch), rap and golden rap (no pitch).
NOTE_TYPES = ":*FRG"
UNPITCHED_TYPES = "FRG"


@dataclass(frozen=True)
class SungNote:
    """One syllable. `pitch` in MIDI semitones (its octave is not to be trusted); None where it is spoken."""

    start_s: float
    end_s: float
    pitch: int | None
    syllable: str


@dataclass(frozen=True)
class SungSong:
    """A song.txt. Its phrases are the notes between `-` lines, its headers the `#` lines by name."""

    headers: dict[str, str]
    phrases: tuple[tuple[SungNote, ...], ...]

    @property
    def notes(self) -> tuple[SungNote, ...]:
        return tuple(note for phrase in self.phrases for note in phrase)

    def phrase_bounds(self) -> list[tuple[float, float]]:
        """Start and end of each phrase, seconds in the recording."""
        return [(phrase[0].start_s, phrase[-1].end_s) for phrase in self.phrases]

    def sung_between(self, start_s: float, end_s: float) -> list[tuple[float, float, float]]:
        """The pitched notes that start between two seconds: start and end in seconds from the first, MIDI pitch."""
        return [
            (note.start_s - start_s, note.end_s - start_s, note.pitch)
            for note in self.notes
            if note.pitch is not None and start_s <= note.start_s < end_s
        ]

    def pitch_at(self, times_s: NDArray[np.floating]) -> NDArray[np.float64]:
        """MIDI pitch sung at each of the times (T,); NaN between notes and where nothing pitched is sung."""
        pitch = np.full(len(times_s), np.nan)
        for note in self.notes:
            if note.pitch is not None:
                pitch[(times_s >= note.start_s) & (times_s < note.end_s)] = note.pitch
        return pitch


def parse_song(text: str) -> SungSong:
    """The song that a song.txt describes.

    Raises:
        ValueError: naming the line that is not UltraStar's.
    """
    headers: dict[str, str] = {}
    phrases: list[list[SungNote]] = [[]]
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            if line.startswith("#"):
                name, _, value = line[1:].partition(":")
                headers[name.strip().upper()] = value.strip()
            elif line[:1] in NOTE_TYPES and line.strip():
                phrases[-1].append(_note(line, headers))
            elif line.startswith("-"):
                phrases.append([])
            elif line.startswith("E"):
                break
        except (ValueError, KeyError) as error:
            raise ValueError(f"line {number} is not UltraStar's: {line!r} ({error})") from error
    return SungSong(headers, tuple(tuple(phrase) for phrase in phrases if phrase))


def read_song(path: Path) -> SungSong:
    """The song in the file at `path` (UTF-8, or Windows' code page 1252 as older files have it)."""
    data = path.read_bytes()
    try:
        return parse_song(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return parse_song(data.decode("cp1252"))


def _note(line: str, headers: dict[str, str]) -> SungNote:
    kind = line[0]
    start, length, pitch, *syllable = line[1:].lstrip().split(" ", 3)
    tick_s = 60 / (_number(headers["BPM"]) * TICKS_A_BEAT)
    start_s = _number(headers.get("GAP", "0")) / 1000 + int(start) * tick_s
    sung = None if kind in UNPITCHED_TYPES else MIDI_OF_ZERO + int(pitch)
    return SungNote(start_s, start_s + int(length) * tick_s, sung, "".join(syllable))


def _number(text: str) -> float:
    return float(text.replace(",", "."))
