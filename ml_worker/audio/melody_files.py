"""Melodies from files of every kind that a person may have: audio, MIDI, or a pitch curve as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import UnusableAudio
from ml_worker.audio.trackers import track_melody

MIDI_ENDINGS = {".mid", ".midi", ".kar"}
CURVE_ENDINGS = {".txt", ".csv", ".tsv", ".f0"}
# The hop of melodies that are not tracked from audio, seconds.
HOP_S = 0.01
PERCUSSION_CHANNEL = 9


def read_melody(path: Path, *, mixture: bool = False) -> Melody:
    """The melody in a file.

    Args:
        path: audio, MIDI (its melody track), or text of two columns: seconds, Hz (0 where unvoiced).
        mixture: the audio is a mixture, so its vocal part is taken first.

    Raises:
        UnusableAudio: with a sentence, where the file holds no melody that we can read.
    """
    if not path.is_file():
        raise UnusableAudio(f"There is no file {path}.")
    if path.suffix.lower() in MIDI_ENDINGS:
        return melody_of_midi(path)
    if path.suffix.lower() in CURVE_ENDINGS:
        return melody_of_curve(path)
    sound = decode(path)
    return track_melody(separate(sound).sound if mixture else sound)


def melody_of_curve(path: Path) -> Melody:
    """A two-column text, separated by commas or white space, put on a fixed hop by the nearest line."""
    try:
        text = path.read_text(encoding="utf-8").replace(",", " ")
        table = np.array([line.split()[:2] for line in text.splitlines() if line.strip()], dtype=float)
    except (UnicodeDecodeError, ValueError) as problem:
        raise UnusableAudio(f"{path.name} is not a pitch curve: two columns, seconds and Hz.") from problem
    if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2 or np.any(np.diff(table[:, 0]) <= 0):
        raise UnusableAudio(f"{path.name} is not a pitch curve: two columns, rising seconds and Hz.")
    times, hz = table.T
    wanted = np.arange(0, times[-1] + HOP_S / 2, HOP_S)
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    nearest = np.where(wanted - times[after - 1] < times[after] - wanted, after - 1, after)
    return _melody(np.where(wanted >= times[0] - HOP_S, hz[nearest], 0), "pitch-curve file")


def melody_of_midi(path: Path) -> Melody:
    """The melody track of a MIDI file: the one named so, else the highest; of chords the top note."""
    try:
        tracks = _midi_tracks(mido.MidiFile(path))
    except (OSError, EOFError, ValueError, KeyError, IndexError) as problem:
        raise UnusableAudio(f"{path.name} is not a MIDI file that we can read: {problem}.") from problem
    if not tracks:
        raise UnusableAudio(f"{path.name} holds no notes.")
    named = [notes for name, notes in tracks if "melod" in name.lower() or "vocal" in name.lower()]
    notes = named[0] if named else max((notes for _, notes in tracks), key=lambda notes: np.mean([n[2] for n in notes]))
    pitch = np.zeros(round(max(end for _, end, _ in notes) / HOP_S) + 1)
    for start, end, number in notes:
        part = pitch[round(start / HOP_S) : round(end / HOP_S)]
        np.maximum(part, number, out=part)
    return _melody(np.where(pitch > 0, 440 * 2 ** ((pitch - 69) / 12), 0), "midi file")


MidiNote = tuple[float, float, int]


def _midi_tracks(midi: mido.MidiFile) -> list[tuple[str, list[MidiNote]]]:
    """(name, [(start second, end second, MIDI number)]) of every track and channel with notes, without percussion."""
    seconds_at = _tempo_map(midi)
    found: dict[tuple[int, int], list[MidiNote]] = {}
    names: dict[int, str] = {}
    for index, track in enumerate(midi.tracks):
        names[index], ticks, sounding = track.name or "", 0, {}
        for message in track:
            ticks += message.time
            if message.type not in ("note_on", "note_off") or message.channel == PERCUSSION_CHANNEL:
                continue
            key = (message.channel, message.note)
            if key in sounding:
                note = (seconds_at(sounding.pop(key)), seconds_at(ticks), message.note)
                found.setdefault((index, message.channel), []).append(note)
            if message.type == "note_on" and message.velocity:
                sounding[key] = ticks
    return [(names[index], notes) for (index, _), notes in found.items()]


def _tempo_map(midi: mido.MidiFile) -> Callable[[int], float]:
    """The second at which a tick is played, by the file's tempo changes."""
    changes, ticks = [(0, 500_000)], 0
    for message in mido.merge_tracks(midi.tracks):
        ticks += message.time
        if message.type == "set_tempo":
            changes.append((ticks, message.tempo))
    at = np.array([tick for tick, _ in changes], dtype=float)
    pace = np.array([tempo / 1e6 / midi.ticks_per_beat for _, tempo in changes])
    reached = np.concatenate([[0], np.cumsum(np.diff(at) * pace[:-1])])

    def seconds(tick: int) -> float:
        part = int(np.searchsorted(at, tick, side="right")) - 1
        return float(reached[part] + (tick - at[part]) * pace[part])

    return seconds


def _melody(f0_hz: np.ndarray, method: str) -> Melody:
    f0_hz = np.where(np.isfinite(f0_hz) & (f0_hz > 0), f0_hz, 0).astype(np.float32)
    voiced = f0_hz > 0
    return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), method)
