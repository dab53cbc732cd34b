"""What the check of hums refuses: `python -m ml_worker.retrieval.measure_hum_check`.

People, instruments, sung curves, simulated hums and tunes that glide from note to note should pass; speech, with a
supply humming under it or not, noises, drums, sirens, engines and sweeps should not. (A horn of two tones is two notes,
and passes.) The limits were chosen on the half of each group that is called tuned: every second recording, performance
or hum of a kind, of speech (one speaker, 48 s; a later take with noise added) the first half of the time. Pieces with
less than a second of voice are counted by themselves: nothing could be found with them.
"""

from __future__ import annotations

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
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half
from ml_worker.judging.measure.scores import fragments_of
from ml_worker.retrieval.hum_check import LEAST_VOICE_S, check_hum, hum_signs
from ml_worker.retrieval.matcher import NothingHeard

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
# A supply under speech, dB over the speech; the pieces are of so many seconds.
MAINS_DB, MAINS_PIECES_S = (-20, -10, 0, 10), (5, 8)
# Lengths and levels of sirens, engines and sweeps, and of what glides from note to note; seconds, dB of full scale.
GLIDE_S, GLIDE_DB, GLIDES_EACH = (3, 8), (-30.0, -20.0), 4
# What glides from note to note: share of each note that the glide takes, vibrato in semitones (either way), partials,
# and the tune's lowest note in Hz.
GLIDING_VOICES = {
    "portamento": (0.4, 0.3, 8, 150),
    "theremin": (0.8, 0.4, 3, 300),
    "theremin without vibrato": (0.8, 0.05, 3, 300),
    "whistle": (0.4, 0.03, 1, 900),
}
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
    curves = mast_curves(data)
    tuned = mast_half(curves, tuning=True)
    for curve in curves:
        yield Piece(f"f0/mast, {curve.kind}", True, curve.name in tuned, curve.melody)


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


def gliding_voices(_: Path) -> Iterator[Piece]:
    """Tunes made by chance, whose notes are led into each other."""
    for name, (glide, vibrato_st, partials, lowest_hz) in GLIDING_VOICES.items():
        for length_s, level_db, number, rng in _chances(4):
            note_s = rng.uniform(0.25, 0.9)
            steps = rng.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7], int(length_s / note_s) + 3)
            notes = np.abs((np.cumsum(steps) + 12) % 24 - 12)
            seconds = np.arange(length_s * RATE) / RATE
            place, within = np.divmod(seconds / note_s, 1)
            led = 0.5 - 0.5 * np.cos(np.pi * np.clip((within - 1 + glide) / glide, 0, 1))
            height = np.interp(place + led, np.arange(len(notes)), notes)
            height += vibrato_st * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * seconds)
            height += 0.1 * np.interp(seconds, np.arange(0, length_s + 1, 0.1), rng.standard_normal(10 * length_s + 10))
            wave = tone(lowest_hz * 2 ** (height / 12), rng, partials)
            yield heard(f"made: {name}", True, number % 2 == 0, recorded(wave, level_db, rng))


# --- what should not


def speech(data: Path) -> Iterator[Piece]:
    for name, at_s in SPEECHES.items():
        sound = decode(data / "alignment" / "offset" / f"{name}.mp3")
        group = "speech with noise" if name == "timbl_3" else "speech"
        for length_s in SPEECH_PIECES_S:
            for number, piece in enumerate(cut(sound, length_s)):
                tuned = at_s + (number + 0.5) * length_s < SPEECH_HALF_S
                yield heard(f"{group}, {length_s} s", False, tuned, piece)


def speech_over_mains(data: Path) -> Iterator[Piece]:
    sound = decode(data / "alignment" / "offset" / "timbl_1.mp3").resampled(RATE)
    for length_s in MAINS_PIECES_S:
        for number, piece in enumerate(cut(sound, length_s)):
            talk, tuned = piece.mono(), (number + 0.5) * length_s < SPEECH_HALF_S
            for hz in (50, 60, 100):
                under = mains(len(talk), np.random.default_rng(number), hz)
                for level_db in MAINS_DB:
                    wave = talk + under * talk.std() / under.std() * 10 ** (level_db / 20)
                    loudest = max(1.0, float(np.abs(wave).max()))
                    group = f"speech, mains of {hz} Hz at {level_db:+d} dB"
                    yield heard(group, False, tuned, Sound.from_mono(wave / loudest, RATE))


def glides(data: Path) -> Iterator[Piece]:
    """Sirens, engines and sweeps that are made, and one sweep from a file, which was looked at after the limits."""
    for name, make in GLIDES.items():
        for length_s, level_db, number, rng in _chances(5):
            yield heard(name, False, number % 2 == 0, recorded(make(length_s * RATE, rng), level_db, rng))
    for file in sorted((data / "f0" / "sweep").glob("*.wav")):
        yield heard("sweep, from a file", False, False, decode(file))


def noises(_: Path) -> Iterator[Piece]:
    for length_s in NOISE_S:
        for level_db in NOISE_DB:
            for number in range(NOISES_EACH):
                rng = np.random.default_rng([length_s, number])
                for name, make in NOISES.items():
                    wave = make(length_s * RATE, rng)
                    yield heard(name, False, number % 2 == 0, recorded(wave, level_db, rng))
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


def tone(hz: np.ndarray, rng: np.random.Generator, partials: int) -> np.ndarray:
    """A tone of a changing frequency (N,) whose partials fall by 6 dB an octave, of phases by chance."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    orders = range(1, partials + 1)
    return sum(np.sin(order * phase + rng.uniform(0, 6.3)) / order * (order * hz < RATE / 2) for order in orders)


def between(low_hz: float, high_hz: float, share: np.ndarray) -> np.ndarray:
    """Frequencies at shares of the interval between two, in semitones."""
    return low_hz * (high_hz / low_hz) ** share


def wail(frames: int, rng: np.random.Generator, period_s: tuple[float, float]) -> np.ndarray:
    """An electronic siren that goes up and down in a period by chance."""
    turns = np.arange(frames) / RATE / rng.uniform(*period_s) + rng.uniform()
    low_hz, high_hz = rng.uniform(400, 700), rng.uniform(1200, 1700)
    return tone(between(low_hz, high_hz, 0.5 - 0.5 * np.cos(2 * np.pi * turns)), rng, 4)


def mechanical_siren(frames: int, rng: np.random.Generator) -> np.ndarray:
    """A siren that gets going, slower and slower."""
    risen = 1 - np.exp(-np.arange(frames) / RATE / rng.uniform(2, 5))
    return tone(between(150, rng.uniform(500, 900), risen), rng, 6)


def engine(frames: int, rng: np.random.Generator) -> np.ndarray:
    """A buzz between 80 and 200 Hz under a foot that changes its mind every one or two seconds, and some hiss."""
    seconds = np.arange(frames) / RATE
    changes_s = np.arange(0, frames / RATE + 2, rng.uniform(0.6, 2))
    pressed = np.interp(seconds, changes_s, rng.uniform(0, 1, len(changes_s)))
    slow, uneven = np.hanning(RATE // 2), np.ones(RATE // 40) / np.sqrt(RATE // 40)
    turning = np.convolve(np.pad(pressed, RATE // 4, mode="edge"), slow / slow.sum(), mode="same")[RATE // 4 :][:frames]
    hz = between(80, 200, turning) * (1 + 0.01 * np.convolve(rng.standard_normal(frames), uneven, mode="same"))
    buzz = tone(hz, rng, 20)
    return buzz + 0.2 * buzz.std() * rng.standard_normal(frames)


def sweep(frames: int, rng: np.random.Generator, linear: bool, down: bool) -> np.ndarray:
    """A sine over two or three octaves, by equal steps in Hz or in semitones."""
    share = np.linspace(down, 1 - down, frames)
    low_hz, high_hz = rng.uniform(80, 250), rng.uniform(800, 2000)
    return tone(low_hz + (high_hz - low_hz) * share if linear else between(low_hz, high_hz, share), rng, 1)


GLIDES: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "siren, wail": lambda frames, rng: wail(frames, rng, (3, 8)),
    "siren, yelp": lambda frames, rng: wail(frames, rng, (0.25, 0.4)),
    "siren, mechanical": mechanical_siren,
    "engine": engine,
    "sweep, linear, up": lambda frames, rng: sweep(frames, rng, True, False),
    "sweep, linear, down": lambda frames, rng: sweep(frames, rng, True, True),
    "sweep, exponential, up": lambda frames, rng: sweep(frames, rng, False, False),
    "sweep, exponential, down": lambda frames, rng: sweep(frames, rng, False, True),
}
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


def recorded(wave: np.ndarray, level_db: float, rng: np.random.Generator) -> Sound:
    """What is made, at a level, over a microphone's own noise."""
    own = rng.standard_normal(len(wave)) * 10 ** (MICROPHONE_DB / 20)
    return Sound.from_mono(np.clip(wave * 10 ** (level_db / 20) / max(1e-9, float(wave.std())) + own, -1, 1), RATE)


def _chances(kind: int) -> Iterator[tuple[int, float, int, np.random.Generator]]:
    """Length, level, number and what decides the rest of everything of a kind that glides."""
    for length_s in GLIDE_S:
        for level_db in GLIDE_DB:
            for number in range(GLIDES_EACH):
                yield length_s, level_db, number, np.random.default_rng([kind, length_s, int(-level_db), number])


def cut(sound: Sound, length_s: float) -> Iterator[Sound]:
    """Whole pieces one after another."""
    return (sound.cut(k * length_s, (k + 1) * length_s) for k in range(int(sound.duration_s // length_s)))


GROUPS = (people, singers, riffs, sung_curves, simulated, gliding_voices, speech, speech_over_mains, noises, glides)


def table(data: Path = DATA) -> list[dict[str, Any]]:
    """A row for each group and half: how many, how many have too little voice, and what is refused of the others."""
    groups: dict[tuple[str, bool, bool], list[tuple[bool, bool]]] = {}
    for pieces in GROUPS:
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
