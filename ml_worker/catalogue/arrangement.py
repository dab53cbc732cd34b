"""What accompanies a melody: which tones of the chords sound when, in a few styles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ml_worker.catalogue.instruments import (
    BASS,
    GUITAR,
    HARP,
    PIANO,
    Event,
    Samples,
    Strings,
    play_pad,
    play_shaker,
    play_strings,
)
from ml_worker.catalogue.performance import Harmony, Performance, harmonies
from ml_worker.catalogue.tune import Tune

# Chord tones lie within an octave from here, bass tones from there (MIDI).
CHORD_FROM, BASS_FROM = 53, 40
# The pattern moves in half beats where those last at least so long, else in beats, s.
SHORTEST_STEP_S = 0.23
# A light shaker keeps time from this tempo on, quarter notes a minute.
SHAKER_FROM_BPM = 100
# A plucked tone rings at most so long, s.
LONGEST_RING_S = 2.2
# Hands are never quite together: standard deviations of a tone's start, s, and of its strength.
TIMING_S, STRENGTH = 0.004, 0.06
# A strum's tones follow each other by this, s.
STRUM_S = 0.014


@dataclass(frozen=True)
class Stem:
    """One instrument's sound, (N,), its place from -1 (left) to 1 (right), and its level."""

    samples: Samples
    place: float
    gain: float


@dataclass(frozen=True)
class Style:
    """An accompaniment: its chord instrument, its figure, and whether a pad lies under it."""

    name: str
    strings: Strings
    figure: Callable[[Figure], None]
    has_pad: bool = False


class Figure:
    """Collects the tones of an accompaniment; beats in, seconds out."""

    def __init__(self, performance: Performance, rng: np.random.Generator) -> None:
        self.performance = performance
        self.tune: Tune = performance.tune
        self.chords = harmonies(performance)
        self.rng = rng
        self.tones: list[Event] = []
        self.bass: list[Event] = []
        self.shaker: list[Event] = []
        step_s = float(np.diff(performance.knot_s).mean())
        self.step = Fraction(1, 2) if step_s >= SHORTEST_STEP_S or self.tune.is_compound else Fraction(1)

    def steps(self) -> list[tuple[Fraction, Fraction, Harmony]]:
        """Every step of the pattern: beat, place in the bar, and the chord that holds."""
        count = int(self.performance.beats // self.step)
        beats = [number * self.step for number in range(count)]
        return [(beat, beat % self.tune.bar_beats, self.chord_at(beat)) for beat in beats]

    def chord_at(self, beat: Fraction) -> Harmony:
        return next(chord for chord in self.chords if chord.start_beat <= beat < chord.end_beat)

    def strong(self, place: Fraction) -> bool:
        """Where a bass tone falls: the bar's start, and its middle where it has one."""
        return place == 0 or (self.tune.metre[0] in (4, 6) and place == self.tune.bar_beats / 2)

    def pluck(self, beat: Fraction, pitch: int, strength: float, chord: Harmony, late_s: float = 0.0) -> None:
        self.tones.append(self._event(beat, pitch, strength, chord, late_s))

    def strum(self, beat: Fraction, chord: Harmony, strength: float) -> None:
        for number, pitch in enumerate(voicing(chord)):
            self.pluck(beat, pitch, strength, chord, number * STRUM_S)

    def bass_note(self, beat: Fraction, place: Fraction, chord: Harmony, strength: float = 0.85) -> None:
        """The root, and in the middle of a bar the fifth if the chord still holds."""
        is_fifth = place != 0 and chord.start_beat < beat
        pitch_class = chord.root + (chord.intervals[2] if is_fifth else 0)
        pitch = BASS_FROM + (pitch_class - BASS_FROM) % 12
        self.bass.append(self._event(beat, pitch, strength, chord))

    def _event(self, beat: Fraction, pitch: int, strength: float, chord: Harmony, late_s: float = 0.0) -> Event:
        start_s = max(0.0, self.performance.seconds(beat) + late_s + self.rng.normal(0, TIMING_S))
        ring_s = self.performance.seconds(chord.end_beat) - start_s
        end_s = start_s + float(np.clip(ring_s, 0.12, LONGEST_RING_S))
        return Event(start_s, end_s, pitch, float(strength * (1 + self.rng.normal(0, STRENGTH))))

    def keep_time(self) -> None:
        """The shaker, a little stronger off the beat."""
        for beat, place, _ in self.steps():
            start_s = self.performance.seconds(beat)
            strength = 0.7 if self.strong(place) else 1.0 if place.denominator == 1 else 0.45
            self.shaker.append(Event(start_s, start_s + 0.1, 0, strength))

    def close(self) -> None:
        """One last chord after the last note."""
        end = self.performance.beats
        home = self.chords[-1]
        last = Harmony(end, end + self.tune.bar_beats, home.root, home.intervals[:3])
        self.bass_note(end, Fraction(0), last, 0.7)
        for number, pitch in enumerate([*voicing(last), voicing(last)[0] + 12]):
            self.pluck(end, pitch, 0.6, last, 0.05 * number)


def voicing(chord: Harmony) -> list[int]:
    """The chord's tones within one octave from CHORD_FROM, low to high; near chords move by small steps."""
    return sorted(CHORD_FROM + (chord.root + interval - CHORD_FROM) % 12 for interval in chord.intervals)


def picked(figure: Figure) -> None:
    """Tones one after another, up and down the chord."""
    order = (0, 2, 1, 2) if not figure.tune.is_compound else (0, 1, 2)
    for number, (beat, place, chord) in enumerate(figure.steps()):
        tones = voicing(chord)
        if figure.strong(place) or chord.start_beat == beat:
            figure.bass_note(beat, place, chord)
        figure.pluck(beat, tones[order[number % len(order)] % len(tones)], 0.62, chord)
        if place == 0:
            figure.pluck(beat, tones[-1], 0.5, chord)


def strummed(figure: Figure) -> None:
    """Bass on the strong beats, chords on the weak ones."""
    for beat, place, chord in figure.steps():
        if figure.strong(place):
            figure.bass_note(beat, place, chord)
        elif (place * (2 if figure.tune.is_compound else 1)).denominator == 1:
            figure.strum(beat, chord, 0.42)


def held(figure: Figure) -> None:
    """A chord at each change and each bar, and a tone or two between."""
    for beat, place, chord in figure.steps():
        if place == 0 or chord.start_beat == beat:
            figure.bass_note(beat, Fraction(0), chord)
            figure.strum(beat, chord, 0.5)
        elif place.denominator == 1:
            figure.pluck(beat, voicing(chord)[1], 0.38, chord)


PICKED_GUITAR = Style("picked guitar", GUITAR, picked)
STRUMMED_GUITAR = Style("strummed guitar", GUITAR, strummed)
PIANO_CHORDS = Style("piano", PIANO, held, has_pad=True)
PIANO_OOMPAH = Style("piano in oom-pah", PIANO, strummed)
HARP_AND_PAD = Style("harp and strings", HARP, picked, has_pad=True)


def accompany(
    performance: Performance, style: Style, *, frames: int, sample_rate: int, rng: np.random.Generator
) -> list[Stem]:
    """The accompaniment of a whole performance, one stem for each instrument."""
    figure = Figure(performance, rng)
    style.figure(figure)
    figure.close()
    sizes = {"frames": frames, "sample_rate": sample_rate, "rng": rng}
    stems = [
        Stem(play_strings(style.strings, figure.tones, **sizes), -0.25, 1.0),
        Stem(play_strings(BASS, figure.bass, **sizes), 0.05, 1.0),
    ]
    beat_s = 2 * float(np.diff(performance.knot_s).mean())
    if beat_s <= 60 / SHAKER_FROM_BPM:
        figure.keep_time()
        stems.append(Stem(play_shaker(figure.shaker, **sizes), 0.4, 0.12))
    if style.has_pad:
        stems.append(Stem(play_pad(_pad_events(performance, figure.chords), **sizes), 0.3, 0.8))
    return stems


def _pad_events(performance: Performance, chords: list[Harmony]) -> list[Event]:
    events = []
    for chord in chords:
        start_s, end_s = performance.seconds(chord.start_beat), performance.seconds(chord.end_beat)
        events += [Event(start_s, end_s, pitch, 0.6) for pitch in voicing(chord)]
    return events
