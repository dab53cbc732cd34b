"""The notes of MIDI files, track by track, in seconds: what melodies and tunes are read from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import mido

MIDI_ENDINGS = {".mid", ".midi", ".kar"}

# By the General MIDI standard drums are on this channel, counted from 0.
PERCUSSION_CHANNEL = 9
# The tempo of a file that names none, microseconds a quarter note: 120 a minute.
DEFAULT_TEMPO = 500_000


class MidiNote(NamedTuple):
    """A note of a MIDI file: seconds, and its number (69 = A at 440 Hz)."""

    start_s: float
    end_s: float
    number: int


class MidiTrack(NamedTuple):
    """The notes of one channel of a track, in the order of their ends: at least one."""

    name: str
    notes: list[MidiNote]


def melody_track(tracks: Sequence[MidiTrack]) -> MidiTrack:
    """Of at least one track: the first that is named a melody or a vocal part, else the one of the highest notes."""
    for track in tracks:
        if "melod" in track.name.lower() or "vocal" in track.name.lower():
            return track
    return max(tracks, key=lambda track: sum(note.number for note in track.notes) / len(track.notes))


def tracks_of(midi: mido.MidiFile) -> list[MidiTrack]:
    """Every track and channel with notes, without percussion.

    Raises:
        ValueError: the notes are timed by film frames.
    """
    if midi.ticks_per_beat <= 0:
        raise ValueError("its notes are timed by film frames")
    seconds_at = _tempo_map(midi)
    found: dict[tuple[int, int], list[MidiNote]] = {}
    for index, track in enumerate(midi.tracks):
        ticks = 0
        sounding: dict[tuple[int, int], int] = {}
        for message in track:
            ticks += message.time
            if message.type not in ("note_on", "note_off") or message.channel == PERCUSSION_CHANNEL:
                continue
            key = (message.channel, message.note)
            if key in sounding:
                note = MidiNote(seconds_at(sounding.pop(key)), seconds_at(ticks), message.note)
                found.setdefault((index, message.channel), []).append(note)
            if message.type == "note_on" and message.velocity:
                sounding[key] = ticks
    return [MidiTrack(midi.tracks[index].name or "", notes) for (index, _), notes in found.items()]


def _tempo_map(midi: mido.MidiFile) -> Callable[[int], float]:
    """The second at which a tick is played, by the file's tempo changes."""
    starts, reached, pace = [0], [0.0], [DEFAULT_TEMPO / 1e6 / midi.ticks_per_beat]
    for tick, tempo in sorted(_tempo_changes(midi), key=lambda change: change[0]):
        reached.append(reached[-1] + (tick - starts[-1]) * pace[-1])
        starts.append(tick)
        pace.append(tempo / 1e6 / midi.ticks_per_beat)

    def seconds(tick: int) -> float:
        part = bisect_right(starts, tick) - 1
        return reached[part] + (tick - starts[part]) * pace[part]

    return seconds


def _tempo_changes(midi: mido.MidiFile) -> Iterator[tuple[int, int]]:
    """(tick, microseconds a quarter note), track by track."""
    for track in midi.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                yield ticks, message.tempo
