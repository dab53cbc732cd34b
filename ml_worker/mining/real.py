"""Real recordings whose notes are known: what the miner says of them.

`alignment/sir_duke` is one riff on two instruments at two tempi; of slow against fast its description gives a tempo
ratio of 1.26 to 1.30. `alignment/mozart_k265` is a piano piece with the MIDI file of the same performance, to the same
seconds, and a file that says which note of the score was played when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mido
import numpy as np

from ml_worker.audio.chroma import chroma_of_sound, read_chroma
from ml_worker.audio.melody_files import melody_of_midi, read_melody
from ml_worker.audio.midi import MidiNote, tracks_of
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.instruments import PIANO, Event, play_strings
from ml_worker.mining.align import Aligned, Method, align_melodies
from ml_worker.mining.labelled import DATA

# A note lies where the fragments say if it does within so many seconds.
NEAR_S = 0.3
# The score is played at this many quarter notes a minute where it keeps an even tempo.
EVEN_TEMPO = 120
# Everything is struck alike, 0..1; the rate of what is rendered, Hz; and how long it rings on, seconds.
STRENGTH, RATE, RINGS_S = 0.7, 22_050, 1.0

# A line of the file that says which note was played when: pitch, octave, and from and to in beats of the score; number,
# and from and to in ticks of the performance. See Foscarin et al., The match file format, MEC 2022.
MATCHED = re.compile(
    r"snote\([^,]+,\[(?P<step>[A-G]),(?P<alter>[n#b])\],(?P<octave>\d+),[^,]+,[^,]+,[^,]+,"
    r"(?P<first>[\d.]+),(?P<last>[\d.]+),\[.*\]\)-note\([^,]+,(?P<number>\d+),(?P<start>\d+),(?P<end>\d+),"
)
UNITS = re.compile(r"info\(midiClockUnits,(\d+)\)")
RATE_OF_CLOCK = re.compile(r"info\(midiClockRate,(\d+)\)")


@dataclass(frozen=True)
class MatchedNote:
    """A note of a score and when it was played.

    Attributes:
        number: of MIDI.
        beats: from and to in the score.
        start_s: at which it was played.
    """

    number: int
    beats: tuple[float, float]
    start_s: float


# --- alignment/sir_duke


def sir_duke(methods: Sequence[Method]) -> Iterator[str]:
    """What `align` says of each pair of takes, a line each."""
    folder = DATA / "alignment" / "sir_duke"
    if not folder.exists():
        yield f"There is no {folder}; CHAD_SHARED_DATA says where the shared data is."
        return
    files = {file.stem.removeprefix("sir_duke_"): file for file in sorted(folder.glob("*.mp3"))}
    takes = {name: (read_melody(file), read_chroma(file)) for name, file in files.items()}
    for a, (first, first_chroma) in takes.items():
        for b, (second, second_chroma) in takes.items():
            if a < b:
                found = align_melodies(first, second, methods, (first_chroma, second_chroma))
                said = "; ".join(f"{one['a']} to {one['b']}, tempo ratio {one['tempo_ratio']}" for one in found)
                yield f"{a} against {b}: {said or 'nothing'}"


# --- alignment/mozart_k265


def mozart(methods: Sequence[Method]) -> Iterator[str]:
    """How many of the matched notes lie in the recording where `align` says, a line for each way to hear the notes."""
    folder = DATA / "alignment" / "mozart_k265"
    if not folder.exists():
        yield f"There is no {folder}; CHAD_SHARED_DATA says where the shared data is."
        return
    midi, recording = (folder / f"mozart_k265_var1.{ending}" for ending in ("mid", "mp3"))
    matched = read_match((folder / "mozart_k265_var1.match").read_text(encoding="utf-8"))
    beat_s = 60 / EVEN_TEMPO
    performed = [note for track in tracks_of(mido.MidiFile(midi)) for note in track.notes]
    at_even_tempo = [MidiNote(note.beats[0] * beat_s, note.beats[1] * beat_s, note.number) for note in matched]
    heard, played_s = read_melody(recording), [note.start_s for note in matched]
    even_s = [note.start_s for note in at_even_tempo]
    sounds = rendered(performed), rendered(at_even_tempo)
    ways = {
        "its MIDI": (melody_of_midi(midi), read_chroma(midi), played_s),
        "its MIDI, rendered": (track_melody(sounds[0]), chroma_of_sound(sounds[0]), played_s),
        "its score at an even tempo, rendered": (track_melody(sounds[1]), chroma_of_sound(sounds[1]), even_s),
    }
    for name, (melody, chroma, notes_s) in ways.items():
        found = align_melodies(melody, heard, methods, (chroma, read_chroma(recording)))
        near, nowhere = near_and_nowhere(notes_s, played_s, found)
        fragments = "; ".join(f"{one['a']} to {one['b']}" for one in found)
        yield (
            f"{name}: {near} of {len(matched)} notes ({near / len(matched):.1%}) within {NEAR_S} s, {nowhere} in no "
            f"fragment; {fragments or 'nothing'}"
        )


def read_match(text: str) -> list[MatchedNote]:
    """The notes of a match file that were played.

    Raises:
        ValueError: it does not say how long a tick is.
    """
    units, rate = UNITS.search(text), RATE_OF_CLOCK.search(text)
    if not units or not rate:
        raise ValueError(
            "The match file names no midiClockUnits and midiClockRate, without which ticks are no seconds."
        )
    tick_s = int(rate[1]) / 1e6 / int(units[1])
    return [
        MatchedNote(int(one["number"]), (float(one["first"]), float(one["last"])), int(one["start"]) * tick_s)
        for one in MATCHED.finditer(text)
    ]


def rendered(notes: Sequence[MidiNote]) -> Sound:
    """These notes, all of them, on the catalogue's piano."""
    events = [Event(note.start_s, note.end_s, note.number, STRENGTH) for note in notes]
    frames = round((max(note.end_s for note in notes) + RINGS_S) * RATE)
    samples = play_strings(PIANO, events, frames=frames, sample_rate=RATE, rng=np.random.default_rng(0))
    return Sound.from_mono(samples / np.abs(samples).max(), RATE)


def near_and_nowhere(notes_s: Sequence[float], played_s: Sequence[float], found: Sequence[Aligned]) -> tuple[int, int]:
    """Of how many notes the fragments say within `NEAR_S` when they were played, and how many lie in none.

    Args:
        notes_s, played_s: of each note, when it begins in the first recording and when it was played in the second.
        found: as `align` prints them; within one the time goes evenly from its start to its end.
    """
    near = nowhere = 0
    for note_s, true_s in zip(notes_s, played_s, strict=True):
        said_s = [float(np.interp(note_s, one["a"], one["b"])) for one in found if one["a"][0] <= note_s <= one["a"][1]]
        nowhere += not said_s
        near += any(abs(one_s - true_s) <= NEAR_S for one_s in said_s)
    return near, nowhere
