"""A simulated singer: hums a fragment from its notes, with the truth about what was hummed.

What it makes is synthetic and is to be called so wherever a figure comes from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from ml_worker.audio.sound import Sound
from ml_worker.catalogue.timbres import DA_SINGER, FLUTE, HUMMER, NA_SINGER, Timbre
from ml_worker.catalogue.voice import TimedNote, sing_line

Floats = NDArray[np.float64]
Style = Literal["along", "free", "poor", "off"]
Band = Literal["wide", "phone"]

SAMPLE_RATE = 48_000

# What can be wrong with a take of the style "off".
FAULTS = ("another tune", "silence", "clipped", "too short", "noise")

# Where a voice is at ease: the middle of what it hums, MIDI semitones, for low and for high voices.
EASY_MIDDLE = ((47.0, 55.0), (57.0, 65.0))
# How people hum, and how many of them.
MANNERS, MANNER_SHARES = (HUMMER, NA_SINGER, DA_SINGER), (0.7, 0.15, 0.15)
# Whistling: almost a bare tone with breath, two octaves above the voice.
WHISTLER = replace(FLUTE, name="whistle", tilt_db=-24.0, glide_s=0.03, scoop=0.4, vibrato_semitones=0.1, octave=24)
# The shortest note that is still sung, s.
SHORTEST_NOTE_S = 0.06
# Local tempo swings to and fro in so many seconds.
SWING_S = (3.0, 8.0)
# Notes that a singer runs together: shorter silences between them are sung through, s, and the voice glides, s, with
# hardly a dip in level, dB.
SUNG_THROUGH_S, SLUR_GLIDE_S, SLUR_DIP_DB = 0.25, (0.045, 0.08), -1.5
# A tune of a smaller compass fits any voice, semitones; beyond this share of a larger one a note is too high or low.
FITS_ANY_VOICE, TOO_HIGH_SHARE = 7.0, 0.8
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
        stretch: by how much intervals are sung too narrow or too wide at most, as a share.
        swing: by how much the local tempo departs from the even one at most, as a share.
        slips: how likely the octave changes where the tune goes too high or too low.
        slurs: how likely the notes are run together.
        manners, shares: how the tune is hummed, and how likely each of these ways is.
    """

    tempo: tuple[float, float]
    before_s: tuple[float, float]
    warp_s: float
    mistuned: float
    drift: float
    wrong: float
    dropped: float
    own_key: bool
    stretch: float = 0.0
    swing: float = 0.0
    slips: float = 0.0
    slurs: float = 0.0
    manners: tuple[Timbre, ...] = MANNERS
    shares: tuple[float, ...] = MANNER_SHARES


HABITS = {
    "along": Habits((0.995, 1.005), (0.3, 0.9), 0.025, 0.18, 0.10, 0.02, 0.01, own_key=False),
    "free": Habits((0.85, 1.15), (0.3, 2.0), 0.045, 0.25, 0.25, 0.04, 0.03, own_key=True),
    # Somebody who never learnt to sing.
    "poor": Habits(
        tempo=(0.75, 1.3),
        before_s=(0.3, 2.0),
        warp_s=0.06,
        mistuned=0.45,
        drift=0.8,
        wrong=0.08,
        dropped=0.06,
        own_key=True,
        stretch=0.15,
        swing=0.15,
        slips=0.25,
        slurs=0.4,
        manners=(*MANNERS, WHISTLER),
        shares=(0.55, 0.2, 0.15, 0.1),
    ),
}


class Slip(NamedTuple):
    """A change of octave in mid-tune, from a second of the take until its end."""

    from_s: float
    semitones: int


class Performance(NamedTuple):
    """What is hummed in a take, as SungTake has it, before it sounds: and in which voice, and how long it takes."""

    notes: list[TimedNote]
    offset_s: float
    tempo_ratio: float
    transposition: float
    slip: Slip | None
    voice: Timbre
    seconds: float


@dataclass(frozen=True)
class SungTake:
    """A hum and the truth about it.

    Fragment second u is hummed at offset_s + u * tempo_ratio (the onsets lie around that line, the line fits them
    best); transposition is the mean over the notes of hummed minus written pitch, in semitones, wrong notes apart, and
    notes after a change of octave counted as if there had been none.

    Attributes:
        sound: mono, 48 kHz.
        notes: what was hummed: seconds of the take, MIDI semitones.
        slip: where the octave changed, if it did; the notes have it.
        faults: why the take should be refused; empty where it should not. Of another tune, silence and noise the
            offset, tempo ratio and transposition are those that were meant, and nothing can be measured against them.
    """

    sound: Sound
    offset_s: float
    tempo_ratio: float
    transposition: float
    notes: list[TimedNote] = field(default_factory=list)
    faults: tuple[str, ...] = ()
    slip: Slip | None = None


def sing(
    notes: Sequence[tuple[float, float, float]],
    *,
    seed: int,
    style: Style = "free",
    fault: str | None = None,
    band: Band = "wide",
) -> SungTake:
    """A take of a fragment. Equal arguments give equal samples.

    Args:
        notes: the fragment's notes in order: start and end in seconds from the fragment's start, MIDI semitones.
        seed: whose voice it is and all that chance decides.
        style: "along" with the fragment, in its key and tempo; "free", in the singer's own; "poor", as somebody sings
            who cannot; "off", to be refused.
        fault: for "off", which one of FAULTS; by chance where None.
        band: "wide", as an application records on a phone; "phone", as a call is heard, with its noise and clicks.

    Raises:
        ValueError: no notes, an unknown style, band or fault, or a fault in a style other than "off".
    """
    if style not in (*HABITS, "off"):
        raise ValueError(f"{style!r} is not a style; there are {', '.join(HABITS)} and off")
    if band not in ("wide", "phone"):
        raise ValueError(f"{band!r} is not a band; there are wide and phone")
    if fault is not None and (style != "off" or fault not in FAULTS):
        raise ValueError(f"{fault!r} is not a fault of the style {style!r}; the style off has {', '.join(FAULTS)}")
    timed, rng = _timed(notes), _chance(seed, notes)
    if style == "off":
        return _off(timed, fault or FAULTS[rng.integers(len(FAULTS))], band, rng)
    return _sounded(_performance(timed, HABITS[style], rng), band, rng)


def perform(notes: Sequence[tuple[float, float, float]], *, seed: int, style: Style = "free") -> Performance:
    """What `sing` hums of equal arguments, without the sound, and so some hundred times as fast.

    Raises:
        ValueError: no notes, or a style of which there is nothing to perform, such as "off".
    """
    if style not in HABITS:
        raise ValueError(f"{style!r} is not a style that can be performed; there are {', '.join(HABITS)}")
    return _performance(_timed(notes), HABITS[style], _chance(seed, notes))


def _timed(notes: Sequence[tuple[float, float, float]]) -> list[TimedNote]:
    if not notes:
        raise ValueError("there are no notes to sing")
    return [TimedNote(*note) for note in notes]


def _chance(seed: int, notes: Sequence[tuple[float, float, float]]) -> np.random.Generator:
    return np.random.default_rng([seed, len(notes)])


def _performance(notes: Sequence[TimedNote], habits: Habits, rng: np.random.Generator) -> Performance:
    tempo_ratio = float(rng.uniform(*habits.tempo))
    offset_s = float(rng.uniform(*habits.before_s))
    offset_s -= min(0.0, notes[0].start_s) * tempo_ratio
    transposition = _transposition(notes, habits, rng)
    sung = _performed(notes, habits, offset_s, tempo_ratio, transposition, rng)
    seconds = max(note.end_s for note in sung) + float(rng.uniform(*AFTER_S))
    # Short and long throats; the low ones hum low.
    body = float(np.interp(np.mean([note.pitch for note in sung]), (48, 66), (0.88, 1.12)) * rng.normal(1, 0.03))
    manner = habits.manners[rng.choice(len(habits.manners), p=list(habits.shares))]
    voice = manner.scaled(
        body,
        manner.name,
        tilt_db=manner.tilt_db + float(rng.uniform(-1, 3)),
        vibrato_semitones=float(rng.uniform(0.0, 0.25)),
        glide_s=float(rng.uniform(0.02, 0.045)),
        breath_db=float(rng.uniform(-38, -26)),
    )
    sung = [note._replace(pitch=note.pitch + manner.octave) for note in sung]
    sung, slip = _slipped(sung, habits.slips, rng)
    if _happens(habits.slurs, rng):
        sung = _run_together(sung)
        voice = replace(voice, closure=None, closure_db=SLUR_DIP_DB, glide_s=float(rng.uniform(*SLUR_GLIDE_S)))
    return Performance(sung, offset_s, tempo_ratio, transposition + manner.octave, slip, voice, seconds)


def _sounded(performed: Performance, band: Band, rng: np.random.Generator) -> SungTake:
    hum = sing_line(performed.notes, performed.voice, seconds=performed.seconds, sample_rate=SAMPLE_RATE, rng=rng)
    heard = _recorded(hum, rng) if band == "wide" else _over_the_phone(hum, rng)
    return SungTake(
        Sound.from_mono(heard, SAMPLE_RATE),
        performed.offset_s,
        performed.tempo_ratio,
        performed.transposition,
        performed.notes,
        slip=performed.slip,
    )


def _happens(how_likely: float, rng: np.random.Generator) -> bool:
    """Whether it does; what never happens asks nothing of chance, so that other styles stay as they are."""
    return how_likely > 0 and bool(rng.random() < how_likely)


def _slipped(sung: list[TimedNote], how_likely: float, rng: np.random.Generator) -> tuple[list[TimedNote], Slip | None]:
    """The notes with an octave less from where they go too high, or more from where they go too low, at times."""
    pitches = np.array([note.pitch for note in sung])
    compass = np.ptp(pitches)
    if compass < FITS_ANY_VOICE or not _happens(how_likely, rng):
        return sung, None
    down = bool(rng.random() < 0.5)
    height = (pitches - pitches.min()) / compass
    # A singer notices only after some notes that it cannot go on like this.
    begun = len(sung) // 4
    outside = np.flatnonzero((height if down else 1 - height)[begun:] > TOO_HIGH_SHARE)
    if not len(outside):
        return sung, None
    first, semitones = begun + int(outside[0]), -12 if down else 12
    later = [note._replace(pitch=note.pitch + semitones) for note in sung[first:]]
    return sung[:first] + later, Slip(sung[first].start_s, semitones)


def _run_together(sung: list[TimedNote]) -> list[TimedNote]:
    """Each note held until the next one, but for breaths."""
    held = [
        note._replace(end_s=after.start_s) if after.start_s - note.end_s < SUNG_THROUGH_S else note
        for note, after in pairwise(sung)
    ]
    return [*held, sung[-1]]


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
    onsets = offset_s + starts + _warp(starts, ~is_dropped, habits, rng)
    errors = rng.normal(0, habits.mistuned, len(notes)) + _drift(starts, habits.drift, rng)
    if habits.stretch:
        errors += rng.uniform(-habits.stretch, habits.stretch) * np.array([note.pitch for note in notes])
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


def _warp(starts: Floats, kept: NDArray[np.bool_], habits: Habits, rng: np.random.Generator) -> Floats:
    """Departures from an even tempo, s: some of them carry on from note to note. (N,)

    The best line through the departures of the kept notes is taken out, so that the stated offset and tempo ratio
    are those that fit the take best; no note overtakes half of its distance to the next.
    """
    if kept.sum() < 3:
        return np.zeros(len(starts))
    slow = gaussian_filter1d(rng.standard_normal(len(starts)), 1.5)
    warp = habits.warp_s * (slow / (slow.std() + 1e-9) + 0.5 * rng.standard_normal(len(starts)))
    if habits.swing:
        warp += _swing(starts, habits.swing, rng)
    line = np.stack([np.ones_like(starts), starts], axis=1)
    warp -= line @ np.linalg.lstsq(line[kept], warp[kept], rcond=None)[0]
    most = np.max(np.abs(np.diff(warp)) / np.diff(starts), initial=1e-9)
    return warp * min(1.0, 0.5 / most)


def _swing(starts: Floats, most: float, rng: np.random.Generator) -> Floats:
    """What a tempo that swings to and fro by at most a share makes of the onsets, s, (N,)."""
    pace = 2 * np.pi / rng.uniform(*SWING_S)
    return rng.uniform(0.3, 1.0) * most / pace * np.sin(pace * starts + rng.uniform(0, 2 * np.pi))


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


# A call: its band, Hz; its noise under the hum, dB; what its gain evens out: over how long, s, how much of it, and no
# more than so many dB.
CALL_BAND_HZ = (300.0, 3_400.0)
CALL_NOISE_DB = (-30.0, -10.0)
GAIN_S, GAIN_SHARE, MOST_GAIN_DB = 0.4, 0.6, 12.0
# Where the thump of a call's start lies, and its pitch and fall: s, Hz, s; how long clicks ring, s.
THUMP_AT_S, THUMP_HZ, THUMP_FALL_S = (0.0, 0.08), (120.0, 250.0), 0.03
CLICKS, CLICKS_UNTIL_S, CLICK_FALL_S = (1, 4), 0.25, 0.0006


def _over_the_phone(hum: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The hum as a call lets it through: a narrow band, noise, a thump and clicks at the start, automatic gain."""
    heard = hum + float(rng.uniform(0.05, 0.25)) * oaconvolve(hum, _small_room(rng))[: len(hum)]
    heard = heard + np.abs(heard).max() * _thump_and_clicks(len(heard), rng)
    band = butter(2, CALL_BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    noise = sosfilt(band, room_noise(len(hum), rng))
    noise_db = float(rng.uniform(*CALL_NOISE_DB))
    steady = sosfilt(band, hum).std() * 10 ** (noise_db / 20) * noise / noise.std()
    heard = with_automatic_gain(sosfilt(band, heard) + steady)
    level_db = float(rng.uniform(-20, -5))
    return (heard * 10 ** (level_db / 20) / np.abs(heard).max()).astype(np.float32)


def _thump_and_clicks(frames: int, rng: np.random.Generator) -> Floats:
    """What is heard when a recording is started by hand, (frames,), about as loud as a hum of peak 1."""
    seconds = np.arange(frames) / SAMPLE_RATE
    sound = np.zeros(frames)
    since = seconds - rng.uniform(*THUMP_AT_S)
    falling = np.where(since >= 0, np.exp(-np.maximum(since, 0) / THUMP_FALL_S), 0)
    sound += rng.uniform(0.5, 3.0) * falling * np.sin(2 * np.pi * rng.uniform(*THUMP_HZ) * since)
    for _ in range(rng.integers(*CLICKS)):
        since = seconds - rng.uniform(0, CLICKS_UNTIL_S)
        sound += np.where(since >= 0, rng.uniform(0.3, 1.5) * np.exp(-np.maximum(since, 0) / CLICK_FALL_S), 0)
    return sound


def with_automatic_gain(heard: Floats) -> Floats:
    """Soft parts brought up and loud ones down, with a lag, as a phone does it. (N,) at SAMPLE_RATE."""
    keep = np.exp(-1 / (GAIN_S * SAMPLE_RATE))
    level = np.sqrt(lfilter([1 - keep], [1, -keep], np.square(heard), zi=[keep * np.mean(np.square(heard))])[0])
    gain = (heard.std() / np.maximum(level, 1e-9)) ** GAIN_SHARE
    return heard * np.clip(gain, 10 ** (-MOST_GAIN_DB / 20), 10 ** (MOST_GAIN_DB / 20))


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


def _off(notes: Sequence[TimedNote], fault: str, band: Band, rng: np.random.Generator) -> SungTake:
    melody = _another_tune(notes, rng) if fault == "another tune" else notes
    take = _sounded(_performance(melody, HABITS["free"], rng), band, rng)
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
