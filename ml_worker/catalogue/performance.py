"""When each beat of a tune sounds: sections in order, tempo, notes and chords in seconds, and the true time map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ml_worker.catalogue.keys import tonic
from ml_worker.catalogue.tune import Chord, Phrase, Tune
from ml_worker.catalogue.voice import TimedNote

# A list of polylines, one for each passage of the original that is played: [[original s, version s], ...].
TimeMap = list[list[list[float]]]

# The tempo is set at this grid of beats and constant between, so time maps are exact with a point at each.
KNOT = Fraction(1, 2)
# How long an introduction is to last, s.
INTRODUCTION_S = 4.0
# At the end of a phrase the singer breathes: the last note gives up this much, s, but no more than this share.
BREATH_S, BREATH_SHARE = 0.20, 0.25


@dataclass(frozen=True)
class Section:
    """A stretch of a performance, in beats from its start. phrase is None where only the accompaniment plays."""

    start_beat: Fraction
    beats: Fraction
    phrase: int | None

    @property
    def end_beat(self) -> Fraction:
        return self.start_beat + self.beats


@dataclass(frozen=True)
class Harmony:
    """A chord as it is played: from beat to beat of the performance, its root's pitch class, semitones above it."""

    start_beat: Fraction
    end_beat: Fraction
    root: int
    intervals: tuple[int, ...]


@dataclass(frozen=True)
class Performance:
    """A tune as it is played.

    Attributes:
        sections: tile the performance; bar lines are at whole multiples of the tune's bar.
        transposition: semitones above the tune as written.
        knot_s: (K,) seconds at every KNOT beats from the start to the end.
    """

    tune: Tune
    sections: tuple[Section, ...]
    transposition: int
    knot_s: NDArray[np.float64]

    @property
    def beats(self) -> Fraction:
        return self.sections[-1].end_beat

    def seconds(self, beat: Fraction | float) -> float:
        """When a beat of the performance sounds."""
        return float(np.interp(float(beat / KNOT), np.arange(len(self.knot_s)), self.knot_s))

    def played(self) -> Iterator[tuple[Section, Phrase]]:
        """The sections that play a phrase, with it."""
        for section in self.sections:
            if section.phrase is not None:
                yield section, self.tune.phrases[section.phrase]

    def phrases_s(self) -> list[tuple[float, float]]:
        """Start and end of each phrase that is played, in order, in seconds."""
        return [(self.seconds(section.start_beat), self.seconds(section.end_beat)) for section, _ in self.played()]

    def notes(self) -> list[TimedNote]:
        """The melody in seconds, with room to breathe between phrases."""
        return [note for section, phrase in self.played() for note in self._notes_of(section, phrase)]

    def _notes_of(self, section: Section, phrase: Phrase) -> list[TimedNote]:
        shift = section.start_beat - phrase.start_beat
        notes = [
            TimedNote(
                self.seconds(note.start_beat + shift),
                self.seconds(note.end_beat + shift),
                note.pitch + self.transposition,
            )
            for note in self.tune.notes
            if phrase.start_beat <= note.start_beat < phrase.end_beat
        ]
        last = notes[-1]
        breath_s = min(BREATH_S, BREATH_SHARE * (last.end_s - last.start_s))
        return [*notes[:-1], last._replace(end_s=last.end_s - breath_s)]


def lay_out(tune: Tune, order: Sequence[int | None], *, introduction_bars: int, interlude_bars: int) -> list[Section]:
    """Sections for an order of phrases, with None for an interlude.

    Each phrase falls on the part of the bar on which it was written; where that leaves a gap, the accompaniment
    fills it.
    """
    bar = tune.bar_beats
    sections: list[Section] = []
    beat = Fraction(0)
    ready = introduction_bars * bar
    for number in order:
        if number is None:
            ready += interlude_bars * bar
            continue
        phrase = tune.phrases[number]
        start = ready + (tune.bar_position(phrase.start_beat) - ready) % bar
        if start > beat:
            sections.append(Section(beat, start - beat, None))
        sections.append(Section(start, phrase.end_beat - phrase.start_beat, number))
        beat = ready = sections[-1].end_beat
    return sections


def as_written(tune: Tune) -> Performance:
    """The whole tune in its key and at its even tempo, after a short introduction."""
    bars = introduction_bars(tune)
    sections = lay_out(tune, range(len(tune.phrases)), introduction_bars=bars, interlude_bars=0)
    knots = np.arange(knot_count(sections))
    return Performance(tune, tuple(sections), 0, knots * float(KNOT) * tune.beat_s)


def introduction_bars(tune: Tune) -> int:
    """Whole bars before the tune (and its upbeat, where it has one) for an introduction of about INTRODUCTION_S."""
    before_upbeat = tune.bar_position(Fraction(0))

    def seconds(bars: int) -> float:
        return float(bars * tune.bar_beats + before_upbeat) * tune.beat_s

    # Two chords at least, so that the key is heard.
    choices = (1, 2, 4) if before_upbeat else (2, 4)
    return min(choices, key=lambda bars: abs(seconds(bars) - INTRODUCTION_S))


def knot_count(sections: Sequence[Section]) -> int:
    """How many knots cover the sections, both ends included."""
    return int(-(-sections[-1].end_beat // KNOT)) + 1


def time_map(original: Performance, version: Performance) -> TimeMap:
    """Where the version plays what the original plays: one polyline for each run of phrases in the written order."""
    starts = {section.phrase: section.start_beat for section, _ in original.played()}
    lines: TimeMap = []
    before: Section | None = None
    for section, _ in version.played():
        follows = before is not None and before.end_beat == section.start_beat and before.phrase == section.phrase - 1
        if not follows:
            lines.append([])
        points = [
            [original.seconds(starts[section.phrase] + beat - section.start_beat), version.seconds(beat)]
            for beat in _knots_within(section)
        ]
        lines[-1] += points[1:] if follows else points
        before = section
    return lines


def _knots_within(section: Section) -> list[Fraction]:
    first = -(-section.start_beat // KNOT) * KNOT
    inside = [first + number * KNOT for number in range(int((section.end_beat - first) // KNOT) + 1)]
    return sorted({section.start_beat, *inside, section.end_beat})


def harmonies(performance: Performance) -> list[Harmony]:
    """The chords of the whole performance, transposed: those of the tune, and a plain turn where it pauses."""
    played = []
    for section, following in zip(performance.sections, [*performance.sections[1:], None], strict=True):
        if section.phrase is None:
            played += _turn(performance.tune, section, following)
        else:
            played += _chords_of(performance.tune, section)
    shift = performance.transposition
    return [Harmony(start, end, (chord.root + shift) % 12, chord.intervals) for start, end, chord in played]


Played = tuple[Fraction, Fraction, Chord]


def _chords_of(tune: Tune, section: Section) -> list[Played]:
    phrase = tune.phrases[section.phrase or 0]
    changes = [chord for chord in tune.chords if phrase.start_beat < chord.start_beat < phrase.end_beat]
    chords = [tune.chord_at(phrase.start_beat), *changes]
    shift = section.start_beat - phrase.start_beat
    starts = [section.start_beat, *(chord.start_beat + shift for chord in changes)]
    return list(zip(starts, [*starts[1:], section.end_beat], chords, strict=True))


def _turn(tune: Tune, section: Section, following: Section | None) -> list[Played]:
    """The key's own chord and its fourth in turn, bar by bar; last its fifth, if what follows starts at home."""
    bar = tune.bar_beats
    first_line = (section.start_beat // bar + 1) * bar
    lines = [first_line + number * bar for number in range(-(-(section.end_beat - first_line) // bar))]
    starts = [section.start_beat, *lines]
    home, fourth, fifth = (_chord_on(tune, semitones) for semitones in (0, 5, 7))
    chords = [home if number % 2 == 0 else fourth for number in range(len(starts))]
    leads_home = following is not None and _first_chord(tune, following.phrase or 0).root == home.root
    chords[-1] = fifth if leads_home else home
    return list(zip(starts, [*starts[1:], section.end_beat], chords, strict=True))


def _chord_on(tune: Tune, semitones: int) -> Chord:
    """The tune's chord so far above the key's tonic; where it has none, the first of its chords on the tonic."""
    root = (tonic(tune.key) + semitones) % 12
    at_home = next((chord for chord in tune.chords if chord.root == tonic(tune.key)), tune.chords[-1])
    return next((chord for chord in tune.chords if chord.root == root), at_home)


def _first_chord(tune: Tune, phrase: int) -> Chord:
    return tune.chord_at(tune.phrases[phrase].start_beat)
