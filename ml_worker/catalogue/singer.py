"""A simulated singer: hums a fragment from its notes, with the truth about what was hummed.

What it makes is synthetic and is to be called so wherever a figure comes from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from ml_worker.audio.sound import Sound
from ml_worker.catalogue.timbres import DA_SINGER, HUMMER, NA_SINGER
from ml_worker.catalogue.voice import TimedNote, sing_line

Floats = NDArray[np.float64]
Style = Literal["along", "free", "off"]

SAMPLE_RATE = 48_000

# What can be wrong with a take of the style "off".
FAULTS = ("another tune", "silence", "clipped", "too short", "noise")

# Where a voice is at ease: the middle of what it hums, MIDI semitones, for low and for high voices.
EASY_MIDDLE = ((47.0, 55.0), (57.0, 65.0))
# How people hum, and how many of them.
MANNERS, MANNER_SHARES = (HUMMER, NA_SINGER, DA_SINGER), (0.7, 0.15, 0.15)
# The shortest note that is still sung, s.
SHORTEST_NOTE_S = 0.06
# How long silence lasts after the last note, s.
AFTER_S = (0.3, 1.0)
# "too short" is cut to this, s; "clipped" is turned up by this, dB; "noise" lies over the hum by this, dB.
TOO_SHORT_S, CLIPPED_DB, NOISE_OVER_DB = 0.8, 30.0, 6.0


@dataclass(frozen=True)
class Habits:
    """How a singer of a style departs from the score.

    Attributes:
        tempo: least and greatest tempo ratio.
        before_s: least and greatest silence before the first note.
        warp_s: standard deviation of the onsets around an even tempo.
        mistuned: standard deviation of each note's pitch, semitones.
        drift: standard deviation of the pitch's slow drift over the take, semitones.
        wrong, dropped: how likely a note is another one, or missing.
        own_key: whether the key is the singer's own; else the fragment's, in the octave that lies best.
    """

    tempo: tuple[float, float]
    before_s: tuple[float, float]
    warp_s: float
    mistuned: float
    drift: float
    wrong: float
    dropped: float
    own_key: bool


HABITS = {
    "along": Habits((0.995, 1.005), (0.3, 0.9), 0.025, 0.18, 0.10, 0.02, 0.01, own_key=False),
    "free": Habits((0.85, 1.15), (0.3, 2.0), 0.045, 0.25, 0.25, 0.04, 0.03, own_key=True),
}


@dataclass(frozen=True)
class SungTake:
    """A hum and the truth about it.

    Fragment second u is hummed at offset_s + u * tempo_ratio (the onsets lie around that line, the line fits them
    best); transposition is the mean over the notes of hummed minus written pitch, in semitones, wrong notes apart.

    Attributes:
        sound: mono, 48 kHz.
        notes: what was hummed: seconds of the take, MIDI semitones.
        faults: why the take should be refused; empty where it should not. Of another tune, silence and noise the
            offset, tempo ratio and transposition are those that were meant, and nothing can be measured against them.
    """

    sound: Sound
    offset_s: float
    tempo_ratio: float
    transposition: float
    notes: list[TimedNote] = field(default_factory=list)
    faults: tuple[str, ...] = ()


def sing(
    notes: Sequence[tuple[float, float, float]], *, seed: int, style: Style = "free", fault: str | None = None
) -> SungTake:
    """A take of a fragment. Equal arguments give equal samples.

    Args:
        notes: the fragment's notes in order: start and end in seconds from the fragment's start, MIDI semitones.
        seed: whose voice it is and all that chance decides.
        style: "along" with the fragment, in its key and tempo; "free", in the singer's own; "off", to be refused.
        fault: for "off", which one of FAULTS; by chance where None.

    Raises:
        ValueError: no notes, an unknown style or fault, or a fault in a style other than "off".
    """
    rng = np.random.default_rng([seed, len(notes)])
    if not notes:
        raise ValueError("there are no notes to sing")
    if style not in (*HABITS, "off"):
        raise ValueError(f"{style!r} is not a style; there are along, free and off")
    if fault is not None and (style != "off" or fault not in FAULTS):
        raise ValueError(f"{fault!r} is not a fault of the style {style!r}; the style off has {', '.join(FAULTS)}")
    timed = [TimedNote(*note) for note in notes]
    if style != "off":
        return _take(timed, HABITS[style], rng)
    return _off(timed, fault or FAULTS[rng.integers(len(FAULTS))], rng)


def _take(notes: Sequence[TimedNote], habits: Habits, rng: np.random.Generator) -> SungTake:
    tempo_ratio = float(rng.uniform(*habits.tempo))
    offset_s = float(rng.uniform(*habits.before_s))
    offset_s -= min(0.0, notes[0].start_s) * tempo_ratio
    transposition = _transposition(notes, habits, rng)
    sung = _performed(notes, habits, offset_s, tempo_ratio, transposition, rng)
    seconds = max(note.end_s for note in sung) + float(rng.uniform(*AFTER_S))
    # Short and long throats; the low ones hum low.
    body = float(np.interp(np.mean([note.pitch for note in sung]), (48, 66), (0.88, 1.12)) * rng.normal(1, 0.03))
    manner = MANNERS[rng.choice(len(MANNERS), p=list(MANNER_SHARES))]
    voice = manner.scaled(
        body,
        manner.name,
        tilt_db=manner.tilt_db + float(rng.uniform(-1, 3)),
        vibrato_semitones=float(rng.uniform(0.0, 0.25)),
        glide_s=float(rng.uniform(0.02, 0.045)),
        breath_db=float(rng.uniform(-38, -26)),
    )
    hum = sing_line(sung, voice, seconds=seconds, sample_rate=SAMPLE_RATE, rng=rng)
    sound = Sound.from_mono(_recorded(hum, rng), SAMPLE_RATE)
    return SungTake(sound, offset_s, tempo_ratio, transposition, sung)


def _transposition(notes: Sequence[TimedNote], habits: Habits, rng: np.random.Generator) -> float:
    """To where the voice is at ease: by whole octaves, or to any key."""
    middle = float(np.mean([note.pitch for note in notes]))
    goal = float(rng.uniform(*EASY_MIDDLE[rng.integers(2)]))
    if habits.own_key:
        return goal - middle
    return 12 * round((goal - middle) / 12) + float(rng.normal(0, 0.1))


def _performed(
    notes: Sequence[TimedNote],
    habits: Habits,
    offset_s: float,
    tempo_ratio: float,
    transposition: float,
    rng: np.random.Generator,
) -> list[TimedNote]:
    """The notes as they are hummed, with their small and larger departures."""
    is_wrong = rng.random(len(notes)) < habits.wrong
    is_dropped = rng.random(len(notes)) < habits.dropped
    is_dropped[0] = is_wrong[0] = False
    starts = tempo_ratio * np.array([note.start_s for note in notes])
    onsets = offset_s + starts + _warp(starts, ~is_dropped, habits.warp_s, rng)
    errors = rng.normal(0, habits.mistuned, len(notes)) + _drift(starts, habits.drift, rng)
    errors -= errors[~is_wrong & ~is_dropped].mean()
    errors[is_wrong] += rng.choice([-2, -1, 1, 2], is_wrong.sum())
    sung = []
    for number, note in enumerate(notes):
        next_s = onsets[number + 1] if number + 1 < len(notes) else np.inf
        length_s = max(SHORTEST_NOTE_S, (note.end_s - note.start_s) * tempo_ratio)
        start_s = max(0.0, float(onsets[number]))
        end_s = min(start_s + length_s, float(next_s))
        if not is_dropped[number] and end_s > start_s:
            sung.append(TimedNote(start_s, end_s, float(note.pitch + transposition + errors[number])))
    return _breathing(sung, rng)


def _warp(starts: Floats, kept: NDArray[np.bool_], spread: float, rng: np.random.Generator) -> Floats:
    """Departures from an even tempo, s: some of them carry on from note to note. (N,)

    The best line through the departures of the kept notes is taken out, so that the stated offset and tempo ratio
    are those that fit the take best; no note overtakes half of its distance to the next.
    """
    if kept.sum() < 3:
        return np.zeros(len(starts))
    slow = gaussian_filter1d(rng.standard_normal(len(starts)), 1.5)
    warp = spread * (slow / (slow.std() + 1e-9) + 0.5 * rng.standard_normal(len(starts)))
    line = np.stack([np.ones_like(starts), starts], axis=1)
    warp -= line @ np.linalg.lstsq(line[kept], warp[kept], rcond=None)[0]
    most = np.max(np.abs(np.diff(warp)) / np.diff(starts), initial=1e-9)
    return warp * min(1.0, 0.5 / most)


def _drift(starts: Floats, spread: float, rng: np.random.Generator) -> Floats:
    """Slowly up or down over the take, semitones, (N,)."""
    length_s = max(1e-9, float(starts[-1] - starts[0]))
    return rng.normal(0, spread) * (starts - starts.mean()) / length_s


def _breathing(sung: list[TimedNote], rng: np.random.Generator) -> list[TimedNote]:
    """One long note in the middle gives way to a breath, in half of the takes."""
    inner = range(len(sung) // 4, 3 * len(sung) // 4)
    longest = max(inner, key=lambda number: sung[number].end_s - sung[number].start_s, default=None)
    if longest is None or rng.random() < 0.5:
        return sung
    note = sung[longest]
    if note.end_s - note.start_s > 0.6:
        sung[longest] = note._replace(end_s=note.end_s - 0.3)
    return sung


def _recorded(hum: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The hum in a small room through a phone's microphone, with the room's noise."""
    wet = oaconvolve(hum, _small_room(rng))[: len(hum)]
    heard = hum + float(rng.uniform(0.05, 0.25)) * wet
    noise_db = float(rng.uniform(-42, -28))
    heard = heard + heard.std() * 10 ** (noise_db / 20) * room_noise(len(hum), rng)
    band = butter(2, [rng.uniform(90, 170), rng.uniform(5500, 9000)], "bandpass", fs=SAMPLE_RATE, output="sos")
    heard = sosfilt(band, heard)
    level_db = float(rng.uniform(-20, -5))
    return (heard * 10 ** (level_db / 20) / np.abs(heard).max()).astype(np.float32)


def _small_room(rng: np.random.Generator) -> Floats:
    length = round(0.3 * SAMPLE_RATE)
    fall = np.exp(-np.arange(length) / SAMPLE_RATE / rng.uniform(0.03, 0.08))
    response = rng.standard_normal(length) * fall
    return response / np.sqrt(np.square(response).sum())


def room_noise(frames: int, rng: np.random.Generator) -> Floats:
    """Noise that is strongest low down, as rooms have it; standard deviation 1, (frames,)."""
    noise = lfilter([1.0], [1.0, -0.97], rng.standard_normal(frames)) + 0.3 * rng.standard_normal(frames)
    return noise / noise.std()


# --- takes that should be refused


def _off(notes: Sequence[TimedNote], fault: str, rng: np.random.Generator) -> SungTake:
    melody = _another_tune(notes, rng) if fault == "another tune" else notes
    take = _take(melody, HABITS["free"], rng)
    samples = take.sound.samples[0]
    if fault == "silence":
        samples = 10 ** (float(rng.uniform(-75, -60)) / 20) * room_noise(len(samples), rng)
    elif fault == "clipped":
        samples = np.clip(samples / np.abs(samples).max() * 10 ** (CLIPPED_DB / 20), -1, 1)
    elif fault == "too short":
        start = round(take.offset_s * SAMPLE_RATE)
        samples = samples[start : start + round(TOO_SHORT_S * SAMPLE_RATE)]
    elif fault == "noise":
        loud = samples.std() * 10 ** (NOISE_OVER_DB / 20) * room_noise(len(samples), rng)
        samples = 0.5 * (samples + loud) / np.abs(samples + loud).max()
    return SungTake(
        Sound.from_mono(samples, SAMPLE_RATE),
        take.offset_s if fault != "too short" else 0.0,
        take.tempo_ratio,
        take.transposition,
        take.notes,
        (fault,),
    )


def _another_tune(notes: Sequence[TimedNote], rng: np.random.Generator) -> list[TimedNote]:
    """A tune of the same length and compass: other steps, and the lengths in another order."""
    lengths = np.array([note.end_s - note.start_s for note in notes])
    rng.shuffle(lengths)
    starts = notes[0].start_s + np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    low, high = min(note.pitch for note in notes) - 1, max(note.pitch for note in notes) + 1
    pitch = float(rng.integers(int(low), int(high) + 1))
    another = []
    for start_s, length_s in zip(starts, lengths, strict=True):
        another.append(TimedNote(float(start_s), float(start_s + length_s), pitch))
        step = float(rng.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]))
        pitch = pitch + step if low <= pitch + step <= high else pitch - step
    return another
