"""Pitch curves as people sing them and trackers hear them, made from the notes of a score: what the network learns on.

The same departures as in the simulated singer of `catalogue.singer`, who makes sound, but here on curves: a thousand
hums take a second, so a network never sees one twice. What it makes is synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_worker.fingerprint.image import FAINTEST, FRAME_S, Sampled, attack_at, begins_of_curve
from ml_worker.fingerprint.settings import Recorded, Singing

Floats = NDArray[np.float64]

# Notes are no nearer than this, seconds.
LEAST_GAP_S = 0.05
# Vibrato sets in so long after a note's start, seconds.
VIBRATO_AFTER_S = 0.18
# What an instrument plays that is taken for the voice: steps from its pitch, semitones, each for so many frames.
INSTRUMENT_STEPS = (-5, 0, 0, 2, 3, 4, 7, 12)
INSTRUMENT_FRAMES = 10
# Standard deviation of where an attack is heard, seconds.
ATTACK_OFF_S = 0.02


@dataclass(frozen=True)
class Notes:
    """A monophonic line in order: starts and ends in seconds, pitch in MIDI semitones, all (N,)."""

    starts_s: Floats
    ends_s: Floats
    pitch: Floats

    def __len__(self) -> int:
        return len(self.pitch)

    def part(self, first: int, last: int) -> Notes:
        """Notes first to last (exclusive), at the seconds that they have."""
        span = slice(first, last)
        return Notes(self.starts_s[span], self.ends_s[span], self.pitch[span])

    def at_pace(self, pace: float) -> Notes:
        """The notes so many times as slow."""
        return Notes(self.starts_s * pace, self.ends_s * pace, self.pitch)

    @property
    def seconds(self) -> float:
        """From the first note's start to the last one's end."""
        return float(self.ends_s[-1] - self.starts_s[0])


@dataclass(frozen=True)
class Sung:
    """A curve as it was heard, with the truth about its timing.

    Attributes:
        sampled: (F,) each; frame t is at second t * FRAME_S.
        score_s, sung_s: (K,) rising; what is at score_s[k] in the score is heard at sung_s[k].
    """

    sampled: Sampled
    score_s: Floats
    sung_s: Floats

    def sung_at(self, score_s: Floats | float) -> Floats:
        """When a second of the score is heard."""
        return np.interp(score_s, self.score_s, self.sung_s)

    def score_at(self, sung_s: Floats | float) -> Floats:
        """What second of the score is heard at a second of the curve."""
        return np.interp(sung_s, self.sung_s, self.score_s)


def sing(notes: Notes, how: Singing, rng: Generator) -> Sung:
    """The notes as one person might hum them and a tracker hear them, from the first note on."""
    skill = rng.uniform(*how.clumsiness)  # how far this person departs from the score
    onsets, ends, score_s, sung_s = _timing(notes, how, skill, rng)
    pitch = _notes_sung(notes, onsets, how, skill, rng)
    silent = rng.random(len(notes)) < how.dropped * skill * 0.5
    frames = int(sung_s[-1] / FRAME_S) + 1
    times_s = np.arange(frames) * FRAME_S
    note = np.clip(np.searchsorted(onsets, times_s, side="right") - 1, 0, None)
    voiced = (times_s >= onsets[0]) & (times_s < ends[note]) & ~silent[note]
    curve = _voice(pitch[note], times_s, times_s - onsets[note], how, skill, rng)
    begins_s, strengths = _attacks(onsets[~silent], times_s[-1], how, rng)
    curve, voiced = _misheard(curve, voiced, how, rng)
    return Sung(_as_heard(curve, voiced, begins_s, strengths, how, rng), score_s, sung_s)


def recorded(notes: Notes, how: Recorded, rng: Generator) -> Sung:
    """The notes as a target: a score drawn exactly, or a recording whose melody was tracked in an accompaniment."""
    if rng.random() < how.score:
        return written(notes, is_attack_known=rng.random() >= how.no_attack)
    sung = sing(notes, how.singing, rng)
    return Sung(_accompanied(sung.sampled, how, rng), sung.score_s, sung.sung_s)


def written(notes: Notes, *, is_attack_known: bool = True) -> Sung:
    """The notes exactly as written. Where attacks are not known they are what a curve alone shows of them."""
    first_s, end_s = float(notes.starts_s[0]), float(notes.ends_s[-1])
    times_s = np.arange(int((end_s - first_s) / FRAME_S) + 1) * FRAME_S
    note = np.clip(np.searchsorted(notes.starts_s - first_s, times_s + 1e-6, side="right") - 1, 0, None)
    voiced = times_s < notes.ends_s[note] - first_s
    pitch = np.where(voiced, notes.pitch[note], np.nan)
    begins_s = notes.starts_s - first_s if is_attack_known else begins_of_curve(pitch, FRAME_S) * FRAME_S
    attack = attack_at(times_s, begins_s, np.ones(len(begins_s)))
    knots = np.array([first_s, max(end_s, first_s + LEAST_GAP_S)])
    return Sung(Sampled(pitch, voiced.astype(float), attack), knots, knots - first_s)


# --- what a person does


def _timing(notes: Notes, how: Singing, skill: float, rng: Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """Onsets and ends of the notes as sung (N,), and the map from the score's seconds to the sung ones."""
    score = np.concatenate([notes.starts_s, [notes.ends_s[-1]]])
    between = np.maximum(np.diff(score), 1e-3)
    swing = how.swing * skill * _wander(len(notes), 3, rng)
    sung = between * np.exp(rng.normal(0, how.pace) + swing)
    knots = np.concatenate([[0.0], np.cumsum(sung)])
    knots[:-1] += rng.normal(0, how.onset_s * skill, len(notes))
    knots = np.maximum.accumulate(knots - knots[0] + np.arange(len(knots)) * 1e-3)
    gaps = np.maximum(np.diff(knots), LEAST_GAP_S)
    knots = np.concatenate([[0.0], np.cumsum(gaps)])
    held = np.clip((notes.ends_s - notes.starts_s) / between, 0, 1)
    detached = rng.uniform(0, how.detached) * rng.uniform(0.5, 1.5, len(notes))
    length = np.maximum(gaps * held * (1 - np.clip(detached, 0, 0.7)), LEAST_GAP_S)
    is_breath = (rng.random(len(notes)) < how.breath) & (gaps > 0.4)
    length = np.where(is_breath, np.maximum(length - rng.uniform(0.1, 0.4, len(notes)), 0.1), length)
    if rng.random() < how.run_together:
        length = gaps * np.maximum(held, 0.95)
    return knots[:-1], knots[:-1] + np.minimum(length, gaps), score, knots


def _notes_sung(notes: Notes, onsets: Floats, how: Singing, skill: float, rng: Generator) -> Floats:
    """The pitch of each note as it is meant by the singer, (N,)."""
    count = len(notes)
    middle = notes.pitch.mean()
    pitch = middle + (notes.pitch - middle) * (1 + rng.normal(0, how.interval * skill))
    pitch = pitch + rng.normal(0, how.mistuned * skill, count)
    span = max(onsets[-1] - onsets[0], 1e-3)
    pitch += rng.normal(0, how.drift * skill) * (onsets - onsets[0]) / span
    if rng.random() < how.new_key * skill:  # loses the key at some note and goes on in another one
        pitch[rng.integers(0, count) :] += rng.normal(0, 1.2)
    wrong = rng.random(count) < how.wrong * skill
    pitch[wrong] += rng.choice([-2, -1, 1, 2], wrong.sum())
    merged = np.flatnonzero(rng.random(count) < how.dropped * skill)
    for index in merged[merged > 0]:  # the note before is held on
        pitch[index] = pitch[index - 1]
    if rng.random() < how.octave_change:
        first = rng.integers(0, count)
        pitch[first : first + rng.integers(1, max(2, count // 2))] += rng.choice([-12, 12])
    return pitch


def _voice(pitch: Floats, times_s: Floats, into_note_s: Floats, how: Singing, skill: float, rng: Generator) -> Floats:
    """Glides, scoops, vibrato and unsteadiness over the held notes, (F,)."""
    reach = max(1, round(rng.uniform(*how.glide_s) / FRAME_S))
    kernel = np.hanning(2 * reach + 3)[1:-1]
    padded = np.concatenate([np.full(reach, pitch[0]), pitch, np.full(reach, pitch[-1])])
    curve = np.convolve(padded, kernel / kernel.sum(), "valid")[: len(pitch)]
    if rng.random() < how.scoop:
        curve = curve - rng.uniform(0, 1.5) * np.exp(-into_note_s / rng.uniform(0.03, 0.1))
    if rng.random() < how.vibrato:
        depth = rng.uniform(0.1, 0.6) * (into_note_s > VIBRATO_AFTER_S)
        curve = curve + depth * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * times_s + rng.uniform(0, 6))
    slow = 0.25 * skill * _wander(len(pitch), 20, rng)
    fast = rng.uniform(0, how.jitter) * _wander(len(pitch), 2, rng)
    return curve + slow + fast


# --- what a tracker does


def _attacks(onsets: Floats, seconds: float, how: Singing, rng: Generator) -> tuple[Floats, Floats]:
    """Where attacks are heard, rising, and how strong they are; some are missed and some invented."""
    heard = onsets[rng.random(len(onsets)) < rng.uniform(*how.attack_heard)]
    invented = rng.uniform(0, seconds, rng.poisson(rng.uniform(0, how.false_attacks) * seconds))
    begins_s = np.concatenate([heard + rng.normal(0, ATTACK_OFF_S, len(heard)), invented])
    strengths = np.concatenate([rng.uniform(0.4, 1, len(heard)), rng.uniform(0.3, 1, len(invented))])
    order = np.argsort(begins_s)
    return begins_s[order], strengths[order]


def _misheard(
    curve: Floats, voiced: NDArray[np.bool_], how: Singing, rng: Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Stretches an octave away, unheard stretches, and breaths or clicks that are taken for a voice."""
    curve, heard = curve.copy(), voiced.copy()
    if rng.random() < how.octave_slip:
        for _ in range(rng.integers(1, 4)):
            curve[_stretch(len(curve), 0.05, 0.5, rng)] += rng.choice([-12, 12])
    if rng.random() < how.unheard:
        for _ in range(rng.integers(1, 5)):
            heard[_stretch(len(curve), 0.04, 0.4, rng)] = False
    if rng.random() < how.false_voice:
        for _ in range(rng.integers(1, 4)):
            breath = _stretch(len(curve), 0.05, 0.25, rng)
            silent = ~heard[breath]
            curve[breath] = np.where(silent, curve[breath].mean() + rng.uniform(-14, 14), curve[breath])
            heard[breath] = True
    return curve, heard


def _as_heard(
    curve: Floats, voiced: NDArray[np.bool_], begins_s: Floats, strengths: Floats, how: Singing, rng: Generator
) -> Sampled:
    pitch = np.where(voiced, curve, np.nan)
    if rng.random() < how.no_attack:
        begins_s = begins_of_curve(pitch, FRAME_S) * FRAME_S
        strengths = np.ones(len(begins_s))
    attack = attack_at(np.arange(len(pitch)) * FRAME_S, begins_s, strengths)
    sure = np.clip(rng.uniform(0.6, 1) + 0.2 * _wander(len(pitch), 10, rng), FAINTEST, 1)
    return Sampled(pitch, np.where(voiced, sure, 0.0), attack)


def _accompanied(sampled: Sampled, how: Recorded, rng: Generator) -> Sampled:
    """A tracked melody with instruments in its rests and over it: other notes, octaves, holes."""
    pitch = sampled.pitch
    seconds = len(pitch) * FRAME_S
    middle = np.nanmean(pitch) if np.any(~np.isnan(pitch)) else 60.0
    steps = rng.choice(INSTRUMENT_STEPS, len(pitch) // INSTRUMENT_FRAMES + 1)
    other = np.repeat(middle + rng.uniform(-15, 15) + steps, INSTRUMENT_FRAMES)[: len(pitch)]
    taken = _stretches(len(pitch), rng.poisson(rng.uniform(0, how.taken_over) * seconds), 0.8, rng)
    if rng.random() < how.filled_rests:
        taken |= np.isnan(pitch)
    holes = _stretches(len(pitch), rng.poisson(rng.uniform(0, how.holes) * seconds), 0.6, rng)
    heard = np.where(holes, np.nan, np.where(taken, other, pitch))
    height = np.where(holes, 0, np.where(taken, rng.uniform(FAINTEST, 1), sampled.height))
    return Sampled(heard, height, sampled.attack)


# --- small parts


def _wander(length: int, smooth: int, rng: Generator) -> Floats:
    """Smooth noise of about standard deviation 1, (length,): a moving mean over `smooth` numbers."""
    noise = rng.standard_normal(length + smooth - 1)
    sums = np.cumsum(np.concatenate([[0.0], noise]))
    return (sums[smooth:] - sums[:-smooth]) / np.sqrt(smooth)


def _stretches(frames: int, count: int, longest_s: float, rng: Generator) -> NDArray[np.bool_]:
    """Which frames lie in some stretches of a tenth of a second or more, (frames,)."""
    inside = np.zeros(frames, bool)
    for _ in range(count):
        inside[_stretch(frames, 0.1, longest_s, rng)] = True
    return inside


def _stretch(frames: int, least_s: float, most_s: float, rng: Generator) -> slice:
    """A stretch of frames somewhere."""
    length = max(1, round(rng.uniform(least_s, most_s) / FRAME_S))
    start = int(rng.integers(0, max(frames - length, 1)))
    return slice(start, start + length)
