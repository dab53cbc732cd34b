"""What the check of hums refuses: `python -m ml_worker.retrieval.measure_hum_check`.

People, instruments, sung curves and simulated hums should pass; speech, noises and drums should not. The limits were
chosen on the half of each group that is called tuned: every second recording, performance or hum of a kind, of speech
(one speaker, 48 s; a later take with noise added) the first half of the time. Pieces with less than a second of voice
are counted by themselves: nothing could be found with them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ml_worker.audio.augmentation import noise
from ml_worker.audio.decode import decode, decode_with_report
from ml_worker.audio.measure import STEMS, VOCALS, in_condition, load_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.singer import sing
from ml_worker.judging.measure.data import DATA, SONGS, VOICES
from ml_worker.judging.measure.scores import fragments_of
from ml_worker.retrieval.hum_check import LEAST_VOICE_S, check_hum, hum_signs
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.measure import curve_melody

RATE = 16_000
# People are cut into pieces of so many seconds, speech too.
PIECES_S, SPEECH_PIECES_S = (2, 3, 5, 8), (3, 5, 8, 10)
# What people are heard through, in pieces of so many seconds.
CONDITIONS = ("telephone band", "white noise at 10 dB", "room noise at 0 dB", "reverberation")
CONDITION_PIECE_S = 5
RIFFS = ("trumpet_slow", "trumpet_fast", "piano_slow", "piano_fast")
# timbl_2 and 3 begin this late in timbl_1, seconds.
TIMBL_2_AT_S = 12.254
SPEECHES = {"timbl_1": 0.0, "timbl_2": TIMBL_2_AT_S, "timbl_3": TIMBL_2_AT_S}
SPEECH_HALF_S = 24.0
# Lengths, levels and numbers of noises; seconds, dB of full scale.
NOISE_S, NOISE_DB, NOISES_EACH = (3, 8), (-60.0, -45.0, -30.0, -15.0), 4
# A microphone's own noise under what is made, dB of full scale.
MICROPHONE_DB = -80.0
# Simulated hums are also cut to so many seconds from their first note.
CUTS_S = (2, 3, 4)


class Piece(NamedTuple):
    """Something to be checked, and whether the limits were chosen on it."""

    group: str
    should_pass: bool
    tuned: bool
    melody: Melody
    sound: Sound | None = None

    def refused(self) -> bool:
        try:
            check_hum(self.melody, self.sound)
        except NothingHeard:
            return True
        return False


# --- what should pass


def people(data: Path) -> Iterator[Piece]:
    for number, name in enumerate(VOICES):
        sound, tuned = decode(data / name), number % 2 == 0
        yield heard("people, whole", True, tuned, sound)
        for length_s in PIECES_S:
            for piece in cut(sound, length_s):
                yield heard(f"people, {length_s} s", True, tuned, piece)
        for piece in cut(sound, CONDITION_PIECE_S):
            for condition in CONDITIONS:
                yield heard(f"people, {condition}", True, tuned, in_condition(piece, condition))


def singers(data: Path) -> Iterator[Piece]:
    """The vocals of produced songs, sung on words; looked at after the limits were set."""
    for name in STEMS:
        sound = decode_with_report(data / "separation" / name, track=VOCALS).sound
        for piece in (sound, *cut(sound, 3)):
            yield heard("vocals of songs", True, False, piece)


def riffs(data: Path) -> Iterator[Piece]:
    for number, name in enumerate(RIFFS):
        sound = decode(data / "alignment" / "sir_duke" / f"sir_duke_{name}.mp3")
        yield heard("trumpet and piano", True, number % 2 == 0, sound)
        for piece in cut(sound, 3):
            yield heard("trumpet and piano", True, number % 2 == 0, piece)


def sung_curves(data: Path) -> Iterator[Piece]:
    with (data / "f0" / "mast" / "index.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    melodies = sorted({row["melody"] for row in rows})
    with np.load(data / "f0" / "mast" / "f0.npz") as curves:
        for row in rows:
            tuned = melodies.index(row["melody"]) % 2 == 0
            yield Piece(f"f0/mast, {row['kind']}", True, tuned, curve_melody(curves[row["key"]]))


def simulated(data: Path) -> Iterator[Piece]:
    """Hums of the phrases of real songs over a phone, whole and cut. Synthetic."""
    for song in SONGS:
        _, score = load_song(song, data)
        for number, (start_s, end_s) in enumerate(fragments_of(score)):
            notes = score.sung_between(start_s, end_s)
            tuned, style = number % 4 < 2, ("free", "poor")[number % 2]
            take = sing(notes, seed=number, style=style, band="phone")
            yield heard(f"simulated, {style}", True, tuned, take.sound)
            length_s, begins_s = CUTS_S[number % len(CUTS_S)], take.notes[0].start_s
            yield heard("simulated, 2 to 4 s", True, tuned, take.sound.cut(begins_s, begins_s + length_s))


# --- what should not


def speech(data: Path) -> Iterator[Piece]:
    for name, at_s in SPEECHES.items():
        sound = decode(data / "alignment" / "offset" / f"{name}.mp3")
        group = "speech with noise" if name == "timbl_3" else "speech"
        for length_s in SPEECH_PIECES_S:
            for number, piece in enumerate(cut(sound, length_s)):
                tuned = at_s + (number + 0.5) * length_s < SPEECH_HALF_S
                yield heard(f"{group}, {length_s} s", False, tuned, piece)


def noises(_: Path) -> Iterator[Piece]:
    for length_s in NOISE_S:
        for level_db in NOISE_DB:
            for number in range(NOISES_EACH):
                rng = np.random.default_rng([length_s, number])
                for name, make in NOISES.items():
                    wave = make(length_s * RATE, rng)
                    own = rng.standard_normal(len(wave)) * 10 ** (MICROPHONE_DB / 20)
                    wave = wave * 10 ** (level_db / 20) / max(1e-9, float(wave.std())) + own
                    yield heard(name, False, number % 2 == 0, Sound.from_mono(np.clip(wave, -1, 1), RATE))
    hum = 0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE // 5) / RATE)
    for number in range(2):
        yield heard("silence", False, number == 0, Sound.from_mono(np.zeros(3 * RATE), RATE))
        yield heard("0.2 s", False, number == 0, Sound.from_mono(hum, RATE))


def mains(frames: int, rng: np.random.Generator, hz: float) -> np.ndarray:
    """The hum of a supply and its harmonics, of phases by chance."""
    seconds = np.arange(frames) / RATE
    orders = np.arange(1, 8)
    return sum(np.sin(2 * np.pi * hz * order * seconds + rng.uniform(0, 6.3)) / order for order in orders)


def strokes(frames: int, rng: np.random.Generator, fall_s: float, hz: tuple[float, float], hiss: float) -> np.ndarray:
    """A drum beaten about twice a second: a falling tone of a pitch by chance, and a hiss."""
    seconds, wave = np.arange(frames) / RATE, np.zeros(frames)
    for at_s in np.arange(0.1, frames / RATE, rng.uniform(0.3, 0.6)):
        since = np.maximum(seconds - at_s, 0)
        falling = np.where(seconds >= at_s, np.exp(-since / fall_s), 0)
        pitch = rng.uniform(*hz)
        wave += falling * np.sin(2 * np.pi * pitch * since) + hiss * falling**2 * rng.standard_normal(frames)
    return wave


def clicks(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Six clicks a second, of 1 ms."""
    wave = np.zeros(frames)
    wave[rng.integers(0, frames, 6 * frames // RATE)] = 1
    return np.convolve(wave, np.exp(-np.arange(80) / 16), mode="same")


NOISES: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "white noise": lambda frames, rng: noise("white", frames, RATE, rng),
    "pink noise": lambda frames, rng: noise("pink", frames, RATE, rng),
    "room noise": lambda frames, rng: noise("room", frames, RATE, rng),
    "mains hum, 50 Hz": lambda frames, rng: mains(frames, rng, 50),
    "mains hum, 60 Hz": lambda frames, rng: mains(frames, rng, 60),
    "mains hum, 100 Hz": lambda frames, rng: mains(frames, rng, 100),
    "clicks": clicks,
    "bass drum": lambda frames, rng: strokes(frames, rng, 0.05, (55, 90), 0.5),
    "toms": lambda frames, rng: strokes(frames, rng, 0.12, (90, 200), 0.0),
}


# --- the table


def heard(group: str, should_pass: bool, tuned: bool, sound: Sound) -> Piece:
    return Piece(group, should_pass, tuned, track_melody(sound), sound)


def cut(sound: Sound, length_s: float) -> Iterator[Sound]:
    """Whole pieces one after another."""
    return (sound.cut(k * length_s, (k + 1) * length_s) for k in range(int(sound.duration_s // length_s)))


def table(data: Path = DATA) -> list[dict[str, Any]]:
    """A row for each group and half: how many, how many have too little voice, and what is refused of the others."""
    groups: dict[tuple[str, bool, bool], list[tuple[bool, bool]]] = {}
    for pieces in (people, singers, riffs, sung_curves, simulated, speech, noises):
        for piece in pieces(data):
            has_voice = hum_signs(piece.melody).voiced_s >= LEAST_VOICE_S
            key = (piece.group, piece.should_pass, piece.tuned)
            groups.setdefault(key, []).append((has_voice, piece.refused()))
    return [
        {
            "what": group,
            "should": "pass" if should_pass else "be refused",
            "half": "tuned" if tuned else "held out",
            "pieces": len(found),
            "under 1 s of voice": sum(not has_voice for has_voice, _ in found),
            "others refused": sum(has_voice and refused for has_voice, refused in found),
            "passed": sum(not refused for _, refused in found),
        }
        for (group, should_pass, tuned), found in groups.items()
    ]


if __name__ == "__main__":
    for row in table():
        print("  ".join(f"{key} {value}" for key, value in row.items()))
