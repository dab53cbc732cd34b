"""Where in a take the check finds a fragment, how fast and in which key: hums made from the scores of real songs.

Fragments of 4 to 12 s are cut at phrase ends of each song.txt and hummed by the simulated singer (synthetic), along and
freely, heard through a room and a phone's microphone, a telephone, or noise. Each take is aligned to the melody of the
score, which is exact, and to the melody tracked in the real recording after the default separation, which is what the
platform has. The score may lie off its recording by a constant, which is measured without any hum (`Song.late_s`) and
shown; errors against the recording are given as they are and without it.

The baselines are subsequence dynamic time warping (librosa.sequence.dtw), plain and with a limited slope: voiced frames
at 20 ms, median subtracted; the line through the path gives offset and tempo (its first point gives worse offsets), the
median difference the transposition.

The constants of likely_line.py were chosen on the songs of TUNED_ON alone; the others are held out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import librosa
import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.measure import load_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.audio.ultrastar import SungSong
from ml_worker.catalogue import SungTake, TimedNote, sing
from ml_worker.judging.alignment import FINE_HOP_S, align, check_reference, curve
from ml_worker.judging.measure.data import DATA, SONGS
from ml_worker.judging.measure.spoiled import noisy, power_db, telephoned

Against = Literal["score", "recording"]
Found = tuple[float, float, float]
"""Offset, seconds; tempo ratio; transposition, semitones."""

SHORTEST_S, LONGEST_S = 4.0, 12.0
"""Lengths of fragments, seconds."""
STYLES = ("along", "free")
HEARD = ("phone", "telephone", "noise")
"""Through the singer's own room and phone; also through a telephone (300 to 3400 Hz at 8 kHz); also over noise."""
NOISE_DB = 10.0
"""How far the noise lies under the take, dB."""
LATENESS_S = np.arange(-0.5, 0.501, 0.01)
"""By how much a recording may be later than its score."""
LATENCY_S = (0.02, 0.5)
"""Least and greatest latency of a take that is hummed along."""
REACTION_S = (0.06, 0.07)
"""Mean and standard deviation of how late people are when they hum along."""
NEAR_ST = 0.5
"""A transposition is right within this, and a frame is on the note, semitones."""
SCORE_HOP_S = 0.016
MOST = 1000
"""Fragments of a song that are measured, unless fewer are asked for."""
TUNED_ON = ("monkeyshines", "mrfancypants")
"""Songs that constants were chosen on."""
COLUMNS = ("takes", "offset", "90 %", "own", "90 %", "late", "tempo %", "90 %", "key")
"""Of the printed table, after what is compared: offset and late in ms, own without the score's own error, late the
median with its sign, key the share of right keys and octaves."""


@dataclass(frozen=True)
class Song:
    """A song with its score.

    Attributes:
        notes: the pitched ones, seconds of the score.
        fragments: start and end, seconds of the score.
        refused: how many fragments there are beside, which the check takes for no melody (one note).
        tracked: the melody of the recording.
        late_s: how much later than the score the recording has it.
        agreement: share of the score's frames that the tracked melody has within NEAR_ST, octave aside, at late_s.
    """

    name: str
    notes: list[TimedNote]
    fragments: list[tuple[float, float]]
    refused: int
    tracked: Melody
    late_s: float
    agreement: float


@dataclass(frozen=True)
class Errors:
    """How far off one method is with one take: found minus true.

    Attributes:
        offset_s: seconds; against a recording with the score's own error in it.
        own_offset_s: the same without that error.
        tempo: of the ratio, relative.
        transposition: semitones, octave included.
    """

    offset_s: float
    own_offset_s: float
    tempo: float
    transposition: float


@dataclass(frozen=True)
class Case:
    """One method on one take. errors: None where it found nothing."""

    song: str
    style: str
    heard: str
    against: Against
    method: str
    errors: Errors | None


# --- songs


def song_of(name: str, data: Path = DATA) -> Song:
    sound, score = load_song(name, data)
    tracked = track_melody(separate(sound).sound)
    late_s, agreement = lateness(tracked, score)
    notes = [TimedNote(note.start_s, note.end_s, note.pitch) for note in score.notes if note.pitch is not None]
    fragments = fragments_of(score)
    judged = [each for each in fragments if can_be_judged(score_melody(notes, *each), tracked.cut(*each))]
    return Song(name, notes, judged, len(fragments) - len(judged), tracked, late_s, agreement)


def can_be_judged(*references: Melody) -> bool:
    """Whether they have enough melody for the check, which refuses others."""
    try:
        for reference in references:
            check_reference(reference)
    except ValueError:
        return False
    return True


def fragments_of(score: SungSong) -> list[tuple[float, float]]:
    """Phrases in a row, as many as make SHORTEST_S, none over LONGEST_S, each from its first to its last note."""
    fragments, first_s = [], None
    for phrase in score.phrases:
        pitched = [note for note in phrase if note.pitch is not None]
        if not pitched:
            first_s = None
            continue
        first_s = pitched[0].start_s if first_s is None else first_s
        if pitched[-1].end_s - first_s > LONGEST_S:
            first_s = pitched[0].start_s
        if SHORTEST_S <= pitched[-1].end_s - first_s <= LONGEST_S:
            fragments.append((first_s, pitched[-1].end_s))
            first_s = None
    return fragments


def lateness(tracked: Melody, score: SungSong) -> tuple[float, float]:
    """How much later than the score the recording has the melody, and how much of it they share then."""
    shares = [np.mean(np.abs(folded(off_score(tracked, score, late_s))) < NEAR_ST) for late_s in LATENESS_S]
    best = int(np.argmax(shares))
    return float(LATENESS_S[best]), float(shares[best])


def off_score(tracked: Melody, score: SungSong, late_s: float) -> NDArray[np.float64]:
    """Semitones above the score of the frames in which a note is sung, (F,); NaN where nothing is tracked."""
    note = score.pitch_at(np.arange(len(tracked.f0_hz)) * tracked.hop_s - late_s)
    sung = np.isfinite(note)
    return tracked.pitch()[sung] - note[sung]


def folded(semitones: NDArray[np.float64]) -> NDArray[np.float64]:
    """To the nearest octave, -6..6; NaN stays."""
    return (semitones + 6) % 12 - 6


def octaves_above(heard: Melody, written: Melody) -> float:
    """How many semitones, in whole octaves, a melody lies above the score that it goes along with."""
    frames = min(len(one := curve(heard)), len(other := curve(written)))
    difference = one[:frames] - other[:frames]
    right = difference[np.abs(folded(difference)) < NEAR_ST]
    return float(12 * np.round(np.median(right) / 12)) if len(right) else 0.0


def score_melody(notes: list[TimedNote], start_s: float, end_s: float) -> Melody:
    """The score between two times as a curve; its time 0 is start_s."""
    seconds = start_s + np.arange(round((end_s - start_s) / SCORE_HOP_S)) * SCORE_HOP_S
    f0_hz = np.zeros(len(seconds), dtype=np.float32)
    for note in notes:
        f0_hz[(seconds >= note.start_s) & (seconds < note.end_s)] = 440 * 2 ** ((note.pitch - 69) / 12)
    return Melody(SCORE_HOP_S, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "score")


# --- takes


def hummed(song: Song, number: int, style: str, seed: int) -> SungTake:
    """A fragment hummed from its notes."""
    start_s, end_s = song.fragments[number]
    inside = [note for note in song.notes if start_s <= note.start_s < end_s]
    notes = [TimedNote(note.start_s - start_s, note.end_s - start_s, note.pitch) for note in inside]
    return sing(notes, seed=seed, style=style)


def as_heard(sound: Sound, heard: str, seed: int) -> Sound:
    if heard == "telephone":
        return telephoned(sound)
    if heard == "noise":
        return noisy(sound, NOISE_DB, power_db(sound.mono()), np.random.default_rng(seed))
    return sound


# --- methods


def by_check(hum: Melody, reference: Melody, start_s: float | None) -> Found | None:
    """As the platform does: who hums along has heard the reference from start_s on."""
    found = align(hum, reference, expected_offset_s=start_s)
    return (found.offset_s, found.tempo_ratio, found.transposition) if found else None


def by_check_alone(hum: Melody, reference: Melody, _: float | None) -> Found | None:
    """Without knowing when the reference started, as the baseline."""
    return by_check(hum, reference, None)


def by_plain_dtw(hum: Melody, reference: Melody, _: float | None) -> Found | None:
    """The baseline: steps of (1, 1), (1, 0) and (0, 1)."""
    return by_dtw(hum, reference)


def by_limited_dtw(hum: Melody, reference: Melody, _: float | None) -> Found | None:
    """The same with steps of (1, 1), (1, 2) and (2, 1), so at half to twice the tempo."""
    return by_dtw(hum, reference, step_sizes_sigma=np.array([[1, 1], [1, 2], [2, 1]]), weights_mul=np.ones(3))


def by_dtw(hum: Melody, reference: Melody, **steps: NDArray[np.generic]) -> Found | None:
    (model_s, model), (sung_s, sung) = voiced_curve(reference), voiced_curve(hum)
    rows = [(pitch - np.median(pitch))[None] for pitch in (model, sung)]
    try:
        _, path = librosa.sequence.dtw(*rows, metric="cityblock", subseq=True, **steps)
    except librosa.ParameterError:  # no path at these slopes
        return None
    ratio, offset_s = np.polyfit(model_s[path[:, 0]], sung_s[path[:, 1]], 1)
    return float(offset_s), float(ratio), float(np.median(sung[path[:, 1]] - model[path[:, 0]]))


def voiced_curve(melody: Melody) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Seconds and semitones of the voiced frames, (V,) each."""
    pitch = curve(melody)
    frames = np.flatnonzero(~np.isnan(pitch))
    return frames * FINE_HOP_S, pitch[frames]


METHODS: dict[str, Callable[[Melody, Melody, float | None], Found | None]] = {
    "check": by_check,
    "check, start unknown": by_check_alone,
    "plain DTW": by_plain_dtw,
    "DTW, slope limited": by_limited_dtw,
}


# --- what comes out


def cases_of(song: Song, number: int) -> list[Case]:
    """Every method on a fragment's takes: one of each style, heard in another way from fragment to fragment."""
    return [each for turn in range(len(STYLES)) for each in cases_of_take(song, number, turn)]


def cases_of_take(song: Song, number: int, turn: int) -> Iterator[Case]:
    style, heard = STYLES[turn], HEARD[(number + turn) % len(HEARD)]
    seed = 1000 * SONGS.index(song.name) + 10 * number + turn
    take = hummed(song, number, style, seed)
    hum = track_melody(as_heard(take.sound, heard, seed))
    start_s, end_s = song.fragments[number]
    by_score, by_ear = score_melody(song.notes, start_s, end_s), song.tracked.cut(start_s, end_s)
    octaves_st = octaves_above(by_ear, score_melody(song.notes, start_s - song.late_s, end_s - song.late_s))
    began_s = began(take, seed) if style == "along" else None
    for name, method in METHODS.items():
        case = partial(Case, song.name, style, heard)
        found = method(hum, by_score, began_s)
        yield case("score", name, errors(found, take, 0.0, 0.0))
        found = method(hum, by_ear, began_s)
        yield case("recording", name, errors(found, take, song.late_s, octaves_st))


def began(take: SungTake, seed: int) -> float:
    """When the browser started the reference of a take that is hummed along: a latency and a reaction before it."""
    rng = np.random.default_rng([seed, 1])
    return take.offset_s - float(rng.uniform(*LATENCY_S)) - float(rng.normal(*REACTION_S))


def errors(found: Found | None, take: SungTake, late_s: float, octaves_st: float) -> Errors | None:
    """Found minus true, against a reference that is later and higher than the score by so much."""
    if found is None:
        return None
    offset_s, ratio, transposition = found
    return Errors(
        offset_s - take.offset_s,
        offset_s + late_s * take.tempo_ratio - take.offset_s,
        ratio / take.tempo_ratio - 1,
        transposition + octaves_st - take.transposition,
    )


def measured(names: tuple[str, ...], data: Path, most: int, processes: int) -> tuple[list[Song], list[Case]]:
    """The songs, and every case of at most so many fragments of each."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        songs = list(pool.map(partial(song_of, data=data), names))
        asked = [(song, number) for song in songs for number in range(min(most, len(song.fragments)))]
        cases = [each for part in pool.map(cases_of, *zip(*asked, strict=True), chunksize=4) for each in part]
    return songs, cases


def row(cases: list[Case], **what: Any) -> dict[str, Any]:
    """The figures of some cases of one method."""
    found = [case.errors for case in cases if case.errors]
    offset_ms = np.abs([each.offset_s for each in found]) * 1000
    own_ms = np.abs([each.own_offset_s for each in found]) * 1000
    tempo = np.abs([each.tempo for each in found]) * 100
    key = np.abs([each.transposition for each in found])
    return what | {
        "takes": len(cases),
        "offset error, ms": float(np.median(offset_ms)),
        "of 90 %": float(np.percentile(offset_ms, 90)),
        "without the score's own, ms": float(np.median(own_ms)),
        "of 90 %, without": float(np.percentile(own_ms, 90)),
        "late, ms": float(np.median([each.own_offset_s for each in found])) * 1000,
        "tempo error, %": float(np.median(tempo)),
        "tempo of 90 %": float(np.percentile(tempo, 90)),
        "key and octave right": float(np.sum(key < NEAR_ST) / len(cases)),
    }


def rows(cases: list[Case]) -> Iterator[dict[str, Any]]:
    for against in ("score", "recording"):
        for method in METHODS:
            own = [case for case in cases if (case.against, case.method) == (against, method)]
            if any(case.errors for case in own):
                yield row(own, against=against, method=method)


def parts(cases: list[Case]) -> dict[str, list[Case]]:
    """The cases of held-out songs, and of those that constants were chosen on."""
    return {
        "held out": [case for case in cases if case.song not in TUNED_ON],
        "tuned on": [case for case in cases if case.song in TUNED_ON],
    }


def table() -> list[dict[str, Any]]:
    """For `make bench`: the errors of offset, tempo and key of hums made from scores (synthetic hums, real songs)."""
    cases = measured(SONGS, DATA, MOST, os.cpu_count() or 1)[1]
    return [{"songs": name} | each for name, part in parts(cases).items() for each in rows(part)]


def measure_scores(data: Path, names: tuple[str, ...], most: int, processes: int) -> None:
    """The same with the songs' own lateness, by style, by what it is heard through and by song."""
    songs, cases = measured(names, data, most, processes)
    print("\nhums from scores (simulated singer, real songs)")
    for song in songs:
        print(
            f"{song.name}: {len(song.fragments)} fragments, {song.refused} without melody; the recording is"
            f" {song.late_s * 1000:+.0f} ms later than its score; {song.agreement:.0%} of the frames agree"
        )
    print(f"{'songs':26}{'against':11}{'method':22}" + "".join(f"{name:>9}" for name in COLUMNS))
    for name, part in parts(cases).items():
        show(name, part)
        for field in ("style", "heard", "song"):
            for value in dict.fromkeys(getattr(case, field) for case in part):
                show(f"{name}, {value}", [case for case in part if getattr(case, field) == value])


def show(title: str, cases: list[Case]) -> None:
    for each in rows(cases):
        values = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in each.values()]
        print(f"{title:26}{values[0]:11}{values[1]:22}" + "".join(f"{value:>9}" for value in values[2:]))
