"""How well melodies are heard, on annotated voices: `python -m ml_worker.audio.measure`.

Voices with annotated f0 are measured by mir_eval's melody metrics (Raffel et al. 2014). Songs have no f0 but the notes
of their song.txt; there a frame is right when the melody, octave aside, lies within 50 cents of the note sung (raw
chroma accuracy; a frame called unvoiced is wrong). Chance is the same melody moved in time, round and round, by many
random amounts: it keeps key, range and voicing and loses only the place.

Beginnings of notes are measured in measure_attacks, memory in measure_memory; both have their command here too.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

from ml_worker.audio import measure_attacks, measure_memory
from ml_worker.audio.decode import decode, decode_with_report
from ml_worker.audio.melody import Melody
from ml_worker.audio.phrases import Phrase, propose_phrases
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import TRACKERS, track_melody
from ml_worker.audio.ultrastar import SungSong, read_song
from ml_worker.catalogue.singer import room_noise

DATA = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

# Voices with annotated f0: audio and CSV of seconds and Hz, both in the data folder.
VOICES = {
    "vocadito_1": ("hums/vocadito/Audio/vocadito_1.wav", "hums/vocadito/Annotations/F0/vocadito_1_f0.csv"),
    "mdb_stem_synth": (
        "f0/mdb_stem_synth/AClassicEducation_NightOwl_STEM_08.RESYN.wav",
        "f0/mdb_stem_synth/AClassicEducation_NightOwl_STEM_08.RESYN.csv",
    ),
}
SONGS = {
    "ontherun": "audio.ogg",
    "northernstar": "audio.ogg",
    "monkeyshines": "audio.mp3",
    "mrfancypants": "audio.mp3",
    "furryoldlobster": "audio.mp3",
}

# Stem files: track 0 is the mix, 4 the vocals alone.
STEMS = ("easton_ellises_falcon69.stem.mp4", "music_delta_80s_rock.stem.mp4")
VOCALS = 4

# song.txt marks where a syllable begins; its pitch is heard this much later (best of -0.3 to 0.3 on all five); seconds.
NOTES_BEFORE_PITCH_S = 0.05

# A phrase's bound agrees with the score's when they are no further apart; seconds.
BOUND_TOLERANCE_S = 0.5

# Random moves that make up chance: how many, and how far at least, so that no note stays where it was; seconds.
MOVES = 200
MOVED_AT_LEAST_S = 2.0

# What voices are measured in: telephone band, Hz; a room's echo, seconds to 60 dB less and level against the voice.
PHONE_BAND = (300.0, 3400.0)
ROOM_S, ROOM_LEVEL = 0.6, 0.7
CONDITIONS = (
    "clean",
    "telephone band",
    "white noise at 10 dB",
    "white noise at 0 dB",
    "room noise at 10 dB",
    "room noise at 0 dB",
    "reverberation",
)

# A low man's hum whose fundamental a microphone hardly hears: its notes, MIDI semitones; harmonics and their level
# against the second, dB; vibrato, semitones and Hz. Synthetic.
LOW_NOTES = (45, 43, 41, 40, 43, 46, 48, 45, 41, 38)
LOW_HARMONICS_DB = (-22.0, 0.0, -3.0, -8.0, -14.0, -20.0, -26.0)
LOW_VIBRATO = (0.2, 5.0)

Row = dict[str, Any]


# ------------------------------------------------------------------------------------------------ against the notes


def chroma_right(melody: Melody, song: SungSong) -> NDArray[np.bool_]:
    """For each frame in which a note is sung, whether the melody has it, octave aside, within 50 cents: (F,)."""
    sung, distance = _distance(melody, song)
    return (distance < 0.5)[sung]


def _distance(melody: Melody, song: SungSong) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which frames are sung (T,), and semitones from the note, octave folded, infinite where unvoiced (T,)."""
    times = np.arange(len(melody.f0_hz)) * melody.hop_s
    note = song.pitch_at(times - NOTES_BEFORE_PITCH_S)
    folded = np.abs((melody.pitch() - note + 6) % 12 - 6)
    return np.isfinite(note), np.where(np.isfinite(folded), folded, np.inf)


def chance(melody: Melody, song: SungSong, moves: int = MOVES, seed: int = 0) -> NDArray[np.float64]:
    """Raw chroma accuracy of the melody (of more than 4 s) moved in time by random amounts, (moves,)."""
    least = round(MOVED_AT_LEAST_S / melody.hop_s)
    shifts = np.random.default_rng(seed).integers(least, len(melody.f0_hz) - least, moves)
    return np.array([chroma_right(_moved(melody, int(shift)), song).mean() for shift in shifts])


def _moved(melody: Melody, frames: int) -> Melody:
    rolled = (np.roll(values, frames) for values in (melody.f0_hz, melody.voiced, melody.confidence))
    return Melody(melody.hop_s, *rolled, melody.method)


def load_song(name: str, data: Path = DATA, first_s: float | None = None) -> tuple[Sound, SungSong]:
    """A song of the shared data, up to `first_s`, and its notes up to there."""
    folder = data / "songs" / name
    song = read_song(folder / "song.txt")
    sound = decode(folder / SONGS[name])
    if first_s is None:
        return sound, song
    phrases = tuple(phrase for phrase in song.phrases if phrase[-1].end_s < first_s)
    return sound.cut(0, first_s), SungSong(song.headers, phrases)


# ------------------------------------------------------------------------------------------------------ the measures


def measure_trackers(
    data: Path, methods: tuple[str, ...], conditions: tuple[str, ...] = CONDITIONS, first_s: float | None = None
) -> Iterator[Row]:
    """Each tracker on each annotated voice in each condition; how many MB a tracker takes beside its clean rows."""
    import mir_eval

    memory = {method: measure_memory.of_tracker(method) for method in methods}
    for name, (sound, true_s, true_hz) in annotated_voices(data):
        if first_s is not None:
            sound, kept = sound.cut(0, first_s), true_s < first_s
            true_s, true_hz = true_s[kept], true_hz[kept]
        for condition in conditions:
            heard = in_condition(sound, condition)
            for method in methods:
                melody, cost = _timed(lambda heard=heard, method=method: track_melody(heard, method), heard)
                times = np.arange(len(melody.f0_hz)) * melody.hop_s
                found = mir_eval.melody.evaluate(true_s, true_hz, times, melody.f0_hz.astype(float))
                yield {
                    "what": method,
                    "on": f"{name}, {condition}",
                    "right": found["Overall Accuracy"],
                    "pitch": found["Raw Pitch Accuracy"],
                    "chroma": found["Raw Chroma Accuracy"],
                    "voiced": found["Voicing Recall"],
                    "false alarms": found["Voicing False Alarm"],
                    "chance": None,
                    "cost": cost,
                    "MB": memory[method] if condition == "clean" else None,
                }


Voice = tuple[Sound, NDArray[np.floating], NDArray[np.floating]]


def annotated_voices(data: Path) -> Iterator[tuple[str, Voice]]:
    """Name, and sound with its pitch: seconds and Hz (0 where unvoiced). The last one is synthetic."""
    for name, (audio, annotation) in VOICES.items():
        yield name, (decode(data / audio), *np.loadtxt(data / annotation, delimiter=",").T)
    yield "low hum (synthetic)", low_hum()


def low_hum(rate: int = 16_000) -> Voice:
    """A low hum with a weak fundamental, and its exact pitch every 10 ms."""
    times = np.arange(len(LOW_NOTES) * rate // 2) / rate
    depth, vibrato_hz = LOW_VIBRATO
    pitch = np.array(LOW_NOTES)[(2 * times).astype(int)] + depth * np.sin(2 * np.pi * vibrato_hz * times)
    hz = np.where(times % 0.5 < 0.45, 440 * 2 ** ((pitch - 69) / 12), 0)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    levels = 0.1 * 10 ** (np.array(LOW_HARMONICS_DB) / 20)
    wave = sum(level * np.sin(order * phase) for order, level in enumerate(levels, start=1))
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(len(times))
    every = slice(None, None, rate // 100)
    return Sound.from_mono(np.where(hz > 0, wave, 0) + quiet, rate), times[every], hz[every]


def in_condition(sound: Sound, condition: str) -> Sound:
    """The voice in one of CONDITIONS. Noise is so far below the mean power of the whole sound."""
    mono, rate = sound.mono(), sound.sample_rate
    rng = np.random.default_rng(0)
    if condition == "clean":
        return sound
    if condition == "telephone band":
        return Sound.from_mono(sosfilt(butter(4, PHONE_BAND, "bandpass", fs=rate, output="sos"), mono), rate)
    if condition == "reverberation":
        falling = np.exp(-np.log(1000) * np.arange(round(ROOM_S * rate)) / (ROOM_S * rate))
        room = rng.standard_normal(len(falling)) * falling
        echo = oaconvolve(mono, room / np.linalg.norm(room))[: len(mono)]
        return Sound.from_mono(mono + ROOM_LEVEL * echo, rate)
    kind, _, decibels = condition.partition(" noise at ")
    noise = rng.standard_normal(len(mono)) if kind == "white" else room_noise(len(mono), rng)
    return Sound.from_mono(mono + noise * mono.std() * 10 ** (-int(decibels.split()[0]) / 20), rate)


def measure_noise(methods: tuple[str, ...], seconds: float = 20.0) -> Iterator[Row]:
    """Share of frames that are called voiced in what is no voice."""
    rate, rng = 16_000, np.random.default_rng(0)
    frames = round(seconds * rate)
    times = np.arange(frames) / rate
    mains = sum(np.sin(2 * np.pi * 50 * order * times) / order for order in (1, 2, 3, 5))
    waves = {
        "silence": 0 * times,
        "white noise": 0.1 * rng.standard_normal(frames),
        "room noise": 0.1 * room_noise(frames, rng),
        "quiet room noise": 0.003 * room_noise(frames, rng),
        "mains hum": 0.1 * mains + 1e-3 * rng.standard_normal(frames),
    }
    for name, wave in waves.items():
        for method in methods:
            melody = track_melody(Sound.from_mono(wave, rate), method)
            yield {"what": method, "on": name, "false alarms": float(melody.voiced.mean())}


def measure_separations(
    data: Path, methods: tuple[str, ...], first_s: float | None, trackers: tuple[str, ...] = ("swift-f0",)
) -> Iterator[Row]:
    """Trackers after each separation: on songs against their notes, on stems against the vocals' melody.

    "right" is overall accuracy, octave aside.
    """
    for name in SONGS:
        sound, song = load_song(name, data, first_s)
        for method in methods:
            for tracker, melody, cost in _tracked(sound, method, trackers):
                sung, distance = _distance(melody, song)
                by_chance = float(chance(melody, song).mean())
                yield _song_row(tracker, method, name, sung, distance < 0.5, melody.voiced, by_chance, cost)
    for name in STEMS:
        path = data / "separation" / name
        sound, vocals = decode(path), decode_with_report(path, track=VOCALS).sound
        for method in methods:
            for tracker, melody, cost in _tracked(sound, method, trackers):
                truth = track_melody(vocals, tracker)
                frames = min(len(truth.f0_hz), len(melody.f0_hz))
                right = np.abs((melody.pitch()[:frames] - truth.pitch()[:frames] + 6) % 12 - 6) < 0.5
                yield _song_row(tracker, method, name, truth.voiced[:frames], right, melody.voiced[:frames], None, cost)


def _tracked(sound: Sound, method: str, trackers: tuple[str, ...]) -> Iterator[tuple[str, Melody, float]]:
    """Each tracker's melody of one separation, and the seconds that both take for each second of sound."""
    begun = time.perf_counter()
    vocal = separate(sound, method).sound
    separation_cost = (time.perf_counter() - begun) / sound.duration_s
    for tracker in trackers:
        melody, cost = _timed(lambda tracker=tracker: track_melody(vocal, tracker), sound)
        yield tracker, melody, separation_cost + cost


def _song_row(
    tracker: str,
    method: str,
    name: str,
    sung: NDArray[np.bool_],
    right: NDArray[np.bool_],
    voiced: NDArray[np.bool_],
    by_chance: float | None,
    cost: float,
) -> Row:
    return {
        "what": f"{tracker} after {method}",
        "on": name,
        "right": float(np.where(sung, right, ~voiced).mean()),
        "pitch": None,
        "chroma": float(right[sung].mean()),
        "voiced": float(voiced[sung].mean()),
        "false alarms": float(voiced[~sung].mean()) if (~sung).any() else None,
        "chance": by_chance,
        "cost": cost,
        "MB": None,
    }


def measure_phrases(data: Path, methods: tuple[str, ...], first_s: float | None) -> Iterator[Row]:
    """Proposed bounds against the ends of lines in song.txt; "notes" proposes from the notes themselves."""
    for name in SONGS:
        sound, song = load_song(name, data, first_s)
        melodies = {method: track_melody(separate(sound, method).sound) for method in methods}
        melodies["notes"] = melody_of_notes(song, sound.duration_s)
        for method, melody in melodies.items():
            phrases = propose_phrases(melody)
            starts, ends = bounds_agree(phrases, song)
            by_chance = _chance_of_bounds(phrases, song, sound.duration_s)
            yield {
                "what": f"phrases after {method}",
                "on": name,
                "phrases": len(phrases),
                "starts": starts,
                "ends": ends,
                "chance": by_chance,
                "covered": _covered(phrases, song, sound.duration_s),
            }


def melody_of_notes(song: SungSong, duration_s: float, hop_s: float = 0.016) -> Melody:
    """What a perfect tracker would hear of a singer who sings the notes exactly."""
    pitch = song.pitch_at(np.arange(0, duration_s, hop_s))
    voiced = np.isfinite(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0).astype(np.float32)
    return Melody(hop_s, f0_hz, voiced, voiced.astype(np.float32), "notes")


def bounds_agree(phrases: list[Phrase], song: SungSong) -> tuple[float, float]:
    """Share of proposed starts near the start of a line, and of ends near the end of one; 0 where none is proposed."""
    lines = np.array(song.phrase_bounds())
    if not phrases:
        return 0.0, 0.0
    bounds = np.array([(phrase.start_s, phrase.end_s) for phrase in phrases])
    nearest = np.abs(bounds[:, None, :] - lines[None, :, :]).min(axis=1)  # (phrases, 2)
    starts, ends = (nearest <= BOUND_TOLERANCE_S).mean(axis=0)
    return float(starts), float(ends)


def _chance_of_bounds(phrases: list[Phrase], song: SungSong, duration_s: float) -> float:
    moves = np.random.default_rng(0).uniform(0, duration_s, MOVES)
    moved = ([Phrase((p.start_s + m) % duration_s, (p.end_s + m) % duration_s, 1) for p in phrases] for m in moves)
    return float(np.mean([bounds_agree(each, song) for each in moved]))


def _covered(phrases: list[Phrase], song: SungSong, duration_s: float) -> float:
    """Share of what is sung that lies in a phrase."""
    times = np.arange(0, duration_s, 0.02)
    inside = np.zeros(len(times), dtype=bool)
    for phrase in phrases:
        inside |= (times >= phrase.start_s) & (times < phrase.end_s)
    return float(inside[np.isfinite(song.pitch_at(times))].mean())


def _timed(work: Callable[[], Melody], sound: Sound) -> tuple[Melody, float]:
    """What the work gives, and its seconds for each second of sound."""
    begun = time.perf_counter()
    melody = work()
    return melody, (time.perf_counter() - begun) / sound.duration_s


# --------------------------------------------------------------------------------------------------------- commands


def table() -> list[Row]:
    """For `make bench`: the fast trackers, and the separations without weights on a minute of each song."""
    return [
        *measure_trackers(DATA, ("swift-f0", "crepe-tiny", "cqt"), ("clean", "telephone band", "white noise at 10 dB")),
        *measure_separations(DATA, ("mix", "centre"), first_s=60, trackers=("swift-f0", "cqt")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", choices=("trackers", "noise", "separations", "phrases", "attacks", "memory"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--trackers", help=f"names, with commas; there are {', '.join(TRACKERS)}")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="names, with commas")
    parser.add_argument("--separations", default="mix,centre", help="names, with commas")
    parser.add_argument("--first", type=float, metavar="S", help="only the first seconds of each voice or song")
    parser.add_argument("--minutes", default="5,15", help="lengths for memory, with commas")
    given = parser.parse_args()
    separations = tuple(given.separations.split(","))
    trackers = tuple((given.trackers or "swift-f0,crepe-tiny,cqt").split(","))
    minutes = tuple(float(length) for length in given.minutes.split(","))
    measures: dict[str, Callable[[], Iterator[Row]]] = {
        "trackers": lambda: measure_trackers(given.data, trackers, tuple(given.conditions.split(",")), given.first),
        "noise": lambda: measure_noise(trackers),
        "separations": lambda: measure_separations(given.data, separations, given.first, trackers),
        "phrases": lambda: measure_phrases(given.data, separations, given.first),
        "attacks": lambda: measure_attacks.measure_attacks(given.data),
        "memory": lambda: measure_memory.measure_chains(separations, trackers, minutes),
    }
    for row in measures[given.only]():
        print("  ".join(f"{key} {_shown(value)}" for key, value in row.items()), flush=True)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
