"""How surely a leak of the reference is found, by its level, and how often one is seen that is not there.

Three kinds of takes: real voices beside real songs that they do not sing; the simulated singer along with the starter
tunes, in their key and tempo, so that voice and reference share their notes; and as the hardest case a steady synthetic
hum of exactly the notes that the reference, a voice alone, sings, without a room or a microphone.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import TimedNote, render_original, sing, tunes
from ml_worker.catalogue.render import Rendering
from ml_worker.catalogue.singer import room_noise
from ml_worker.catalogue.timbres import HUMMER
from ml_worker.catalogue.voice import sing_line
from ml_worker.judging.leak import find_leak
from ml_worker.judging.measure.data import SHORTEST_PHRASE_S, SONGS, VOICES
from ml_worker.judging.measure.sound import melody_kept
from ml_worker.judging.measure.spoiled import changed, gain, leaked
from ml_worker.judging.reasons import leak_reason

RATE = 48_000
LEVELS_DB = (None, -40, -30, -24, -18, -12, -9, -6, 0, 6)
"""Levels of the leak against the voice that are tried; None is no leak."""
DELAYS_S = (0.02, 0.55)
"""Least and greatest latency."""
EXCERPTS = 2
"""Excerpts of each song that each voice is heard beside."""
LONGEST_VOICE_S = 15.0
BEFORE_S = 1.0
"""Silence put before a simulated take, so that the reference can start before it, seconds."""
STEADY_AT_S = 0.25
"""Latency, seconds, of the steady hum's take, which starts in step with it."""
GROUPS = {
    "real": "real voices, other songs",
    "along": "simulated, the same notes",
    "steady": "steady hum, the same notes",
}


@dataclass(frozen=True)
class LeakTake:
    """A take without a leak, and what may leak into it. Both at RATE; seconds of the take."""

    sound: Sound
    played: Sound
    start_s: float
    delay_s: float


@dataclass(frozen=True)
class LeakOutcome:
    """What was found in a take with a leak of a known level (None: without any).

    Attributes:
        said: refused, told or nothing.
        found: whether a leak was found at all.
        delay_error_s, level_error_db: found minus true; None where there was none or none was found.
        kept: share of the take's melody that is tracked as without the leak.
    """

    group: str
    level_db: float | None
    said: str
    found: bool
    delay_error_s: float | None
    level_error_db: float | None
    kept: float


# --- takes


def takes_of(group: str, number: int, data: Path) -> Iterator[LeakTake]:
    if group == "real":
        yield from beside_songs(number, data)
    elif group == "along":
        yield from along_with(number)
    else:
        yield from steady_along_with(number)


def beside_songs(number: int, data: Path) -> Iterator[LeakTake]:
    """A real voice while excerpts of real songs play."""
    voice = decode(data / VOICES[number]).cut(0, LONGEST_VOICE_S).resampled(RATE)
    voice = Sound.from_mono(voice.mono(), RATE)
    for song in range(len(SONGS)):
        for excerpt in range(EXCERPTS):
            rng = np.random.default_rng([11, number, song, excerpt])
            length_s = min(voice.duration_s - 0.8, float(rng.uniform(4, 9)))
            played = song_sound(data, SONGS[song])
            from_s = float(rng.uniform(8, played.duration_s - length_s - 8))
            start_s, delay_s = float(rng.uniform(0, 0.2)), float(rng.uniform(*DELAYS_S))
            yield LeakTake(voice, played.cut(from_s, from_s + length_s), start_s, delay_s)


@cache
def song_sound(data: Path, name: str) -> Sound:
    audio = next((data / "songs" / name).glob("audio.*"))
    return decode(audio).resampled(RATE)


def along_with(number: int) -> Iterator[LeakTake]:
    """The simulated singer along with each phrase of a starter tune. Synthetic."""
    tune = render_original(tunes()[number])
    mix = tune.mix.resampled(RATE)
    for phrase, (start_s, end_s) in long_phrases(tune):
        rng = np.random.default_rng([12, number, phrase])
        take = sing(tune.phrase_notes(phrase), seed=9000 + 10 * number + phrase, style="along")
        delay_s, reaction_s = float(rng.uniform(*DELAYS_S)), float(rng.uniform(-0.1, 0.25))
        hum = take.sound.mono()
        before = hum.std() * gain(-40) * room_noise(round(BEFORE_S * RATE), rng)
        sound = Sound.from_mono(np.concatenate([before, hum]), RATE)
        yield LeakTake(sound, mix.cut(start_s, end_s), BEFORE_S + take.offset_s - delay_s - reaction_s, delay_s)


def steady_along_with(number: int) -> Iterator[LeakTake]:
    """A hum without vibrato, in step with the lead of a starter tune, in its octave and the one below by turns."""
    tune = render_original(tunes()[number])
    lead = tune.lead.resampled(RATE)
    timbre = HUMMER.scaled(1.0, "steady", vibrato_semitones=0.0)
    for phrase, (start_s, end_s) in long_phrases(tune):
        at_s, key = 0.05 + STEADY_AT_S, -12 * ((number + phrase) % 2)
        notes = [TimedNote(n.start_s + at_s, n.end_s + at_s, n.pitch + key) for n in tune.phrase_notes(phrase)]
        rng = np.random.default_rng([13, number, phrase])
        hum = sing_line(notes, timbre, seconds=end_s - start_s + 1, sample_rate=RATE, rng=rng)
        noise = np.abs(hum).max() * gain(-60) * rng.standard_normal(len(hum))
        yield LeakTake(Sound.from_mono(hum + noise, RATE), lead.cut(start_s, end_s), 0.05, STEADY_AT_S)


def long_phrases(tune: Rendering) -> list[tuple[int, tuple[float, float]]]:
    return [(k, (start, end)) for k, (start, end) in enumerate(tune.phrases) if end - start >= SHORTEST_PHRASE_S]


# --- what comes out


def outcomes_of(group: str, number: int, data: Path) -> list[LeakOutcome]:
    return [each for take in takes_of(group, number, data) for each in outcomes(group, number, take)]


def outcomes(group: str, number: int, take: LeakTake) -> Iterator[LeakOutcome]:
    clean = track_melody(take.sound)
    for level_db in LEVELS_DB:
        rng = np.random.default_rng([14, number, round(take.delay_s * 1e4)])
        sound = take.sound
        if level_db is not None:
            sound = leaked(sound, take.played, take.start_s + take.delay_s, level_db, rng)
        leak = find_leak(changed(sound, sound.mono()), take.played, take.start_s)
        reason = leak_reason(leak)
        known = leak is not None and level_db is not None
        yield LeakOutcome(
            group,
            level_db,
            "nothing" if reason is None else "refused" if reason.fatal else "told",
            leak is not None,
            leak.delay_s - take.delay_s if known else None,
            leak.level_db - level_db if known else None,
            melody_kept(while_playing(clean, take), while_playing(track_melody(sound), take)) or 0.0,
        )


def while_playing(melody: Melody, take: LeakTake) -> Melody:
    start_s = take.start_s + take.delay_s
    return melody.cut(start_s, min(melody.duration_s, start_s + take.played.duration_s))


def measure_leaks(data: Path, numbers: range, processes: int) -> None:
    """A line for each kind of take and level."""
    asked = [
        *(("real", k) for k in range(len(VOICES))),
        *((group, k) for group in ("along", "steady") for k in numbers),
    ]
    groups, counts = zip(*asked, strict=True)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        found = [each for part in pool.map(outcomes_of, groups, counts, [data] * len(asked)) for each in part]
    print("\nleak of the reference: errors of those found, median (90 %)")
    for group, name in GROUPS.items():
        for level_db in LEVELS_DB:
            print(line(name, level_db, [each for each in found if (each.group, each.level_db) == (group, level_db)]))


def line(name: str, level_db: float | None, found: list[LeakOutcome]) -> str:
    level = "no leak" if level_db is None else f"{level_db:+.0f} dB"
    said = ", ".join(f"{sum(each.said == word for each in found)} {word}" for word in ("refused", "told"))
    text = f"{name:28}{level:>9}: of {len(found)} {sum(each.found for each in found)} found, {said}"
    delays = [abs(each.delay_error_s) * 1000 for each in found if each.delay_error_s is not None]
    levels = [each.level_error_db for each in found if each.level_error_db is not None]
    if delays:
        text += f"; delay off by {np.median(delays):.2f} ms ({np.percentile(delays, 90):.2f})"
        text += f", level by {np.median(levels):+.1f} dB ({np.percentile(np.abs(levels), 90):.1f})"
    return f"{text}; melody kept {np.median([each.kept for each in found]):.2f}"
