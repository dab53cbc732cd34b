"""Composes melodies by rule: as many as one likes, nobody's, and built like the tunes that people hum.

A tune has a key and a mode, a metre, a few rhythms that come back bar by bar, phrases that make up a form such as
AABA, and at their ends cadences on long notes. Within a phrase the line goes mostly by step, leaps land mostly on
tones of the bar's chord, and what leapt turns back: the regularities that Huron, Sweet Anticipation (2006), chapters
5 and 6, finds in melodies of many peoples.

    python -m ml_worker.catalogue.composer [ARCHIVE ...]     how 1,000 composed tunes compare with those of archives
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from ml_worker.catalogue.tune_files import Score, Section, read_tunes
from ml_worker.catalogue.voice import TimedNote

# Shortest and longest tune, s.
SECONDS = (15.0, 60.0)
# Beats a minute: of a beat in three, as in 6/8, at most the second figure.
MOST_BEATS_A_MINUTE, MOST_COMPOUND_BEATS_A_MINUTE = 160, 130

# Modes as pitch classes above the tonic, and the seven tones from which their chords are built.
MAJOR, MINOR, HARMONIC_MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 11)
DORIAN, MIXOLYDIAN = (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10)
MODES = {
    "major": (MAJOR, MAJOR),
    "minor": (MINOR, MINOR),
    "harmonic minor": (HARMONIC_MINOR, HARMONIC_MINOR),
    "dorian": (DORIAN, DORIAN),
    "mixolydian": (MIXOLYDIAN, MIXOLYDIAN),
    "major pentatonic": ((0, 2, 4, 7, 9), MAJOR),
    "minor pentatonic": ((0, 3, 5, 7, 10), MINOR),
}

# Forms: a letter a phrase. The last phrase closes on the tonic, those before pause elsewhere as often as not.
FORMS = ("AABA", "ABAC", "AABB", "ABAB", "AABC", "ABCB", "AAAB", "ABCA", "ABBA", "ABCD")
FORM_WEIGHTS = (6, 6, 6, 3, 3, 2, 1, 1, 1, 1)

# Rhythms of one beat and of two, in ticks of a sixteenth; a beat of 6/8 has six.
TICKS_A_QUARTER = 4
CELLS = {
    4: ((4,), (2, 2), (3, 1), (1, 1, 2), (2, 1, 1), (1, 1, 1, 1)),
    6: ((6,), (4, 2), (2, 2, 2), (3, 1, 2), (2, 4)),
    8: ((8,), (6, 2), (2, 4, 2), (3, 3, 2), (2, 2, 4)),
    12: ((12,), (10, 2), (6, 4, 2)),
}

# Which chord (a degree of the scale, 0 the tonic's) a bar inside a phrase has, and how often.
INNER_CHORDS, INNER_CHORD_WEIGHTS = (0, 3, 4, 5, 1), (4, 3, 3, 1, 1)
TONIC, DOMINANT = 0, 4

# How much likelier a tone of the chord is where the beat falls, and how likely a leap lands on another one.
CHORD_ON_BEAT, LEAP_OFF_CHORD = 2.0, 0.35
# From how many degrees on a move is a leap; how much likelier the line then turns back, and else goes on.
LEAP, TURNS_BACK, GOES_ON = 3, 2.0, 1.3
# How likely a note of a varied phrase is another one.
CHANGED_OF_VARIED = 0.15
# Which share of its time a note sounds.
SOUNDING = (0.85, 1.0)
# In how many notes before a cadence the line heads for its last one.
HEADS_FOR_CADENCE = 3


# How far a phrase's middle lies from the tune's, at most, as a share of the compass.
REGISTER = 0.25

# How many composed tunes are compared with others.
COMPARED_TUNES = 1_000


class Metre(NamedTuple):
    """Beats a bar, and ticks a beat."""

    beats: int
    beat_ticks: int

    @property
    def bar_ticks(self) -> int:
        return self.beats * self.beat_ticks


METRES = {"2/4": Metre(2, 4), "3/4": Metre(3, 4), "4/4": Metre(4, 4), "6/8": Metre(2, 6)}


@dataclass(frozen=True)
class Manner:
    """A kind of tune.

    Attributes:
        metres, modes: those it is found in, with weights.
        tempo: least and greatest, beats a minute.
        moves: weights of moves by 0, 1, 2 ... degrees of the scale, up and down together.
        pace: how much likelier a rhythm is for every further note in a beat.
        evenness: how much likelier a rhythm of equal notes is than another.
        broad: how likely two beats are filled by one rhythm that bridges them.
        rhythms: how many different rhythms its bars have.
        sequences: how likely a bar repeats the one before, higher or lower.
        varied: how likely a phrase that comes back comes back changed.
        upbeat: how likely phrases start before the bar.
        rest: how likely phrases end in a rest.
        compass: least and greatest, in degrees of the scale.
    """

    metres: dict[str, float]
    modes: dict[str, float]
    tempo: tuple[float, float]
    moves: tuple[float, ...]
    pace: float
    evenness: float
    broad: float
    rhythms: int
    sequences: float
    varied: float
    upbeat: float
    rest: float
    compass: tuple[int, int]


_FOLK_MODES = {"major": 6, "dorian": 2, "mixolydian": 2, "minor": 2, "major pentatonic": 1, "minor pentatonic": 1}
_POP_MODES = {"major": 5, "minor": 3, "major pentatonic": 2, "minor pentatonic": 2, "mixolydian": 1, "dorian": 1}
_PLAIN_MODES = {"major": 7, "minor": 1, "harmonic minor": 1, "dorian": 1}
MANNERS = {
    "dance": Manner(
        metres={"6/8": 4, "4/4": 4, "2/4": 2, "3/4": 1},
        modes=_FOLK_MODES,
        tempo=(96, 140),
        moves=(0.09, 0.45, 0.27, 0.10, 0.05, 0.02, 0.01, 0.01),
        pace=4.0,
        evenness=4.0,
        broad=0.0,
        rhythms=2,
        sequences=0.25,
        varied=0.4,
        upbeat=0.4,
        rest=0.0,
        compass=(9, 13),
    ),
    "song": Manner(
        metres={"3/4": 4, "4/4": 4, "6/8": 3, "2/4": 2},
        modes=_FOLK_MODES,
        tempo=(76, 132),
        moves=(0.14, 0.50, 0.20, 0.08, 0.05, 0.02, 0.01, 0.01),
        pace=1.0,
        evenness=1.5,
        broad=0.15,
        rhythms=2,
        sequences=0.3,
        varied=0.4,
        upbeat=0.5,
        rest=0.3,
        compass=(8, 12),
    ),
    "hymn": Manner(
        metres={"4/4": 5, "3/4": 3, "6/8": 1},
        modes=_PLAIN_MODES,
        tempo=(80, 132),
        moves=(0.16, 0.58, 0.15, 0.06, 0.04, 0.01, 0.0, 0.01),
        pace=0.25,
        evenness=2.0,
        broad=0.1,
        rhythms=2,
        sequences=0.2,
        varied=0.5,
        upbeat=0.4,
        rest=0.3,
        compass=(7, 10),
    ),
    "nursery rhyme": Manner(
        metres={"4/4": 4, "2/4": 4, "6/8": 3, "3/4": 2},
        modes={"major": 8, "major pentatonic": 2, "minor": 1},
        tempo=(90, 150),
        moves=(0.25, 0.42, 0.22, 0.07, 0.03, 0.01, 0.0, 0.0),
        pace=0.8,
        evenness=3.0,
        broad=0.05,
        rhythms=1,
        sequences=0.4,
        varied=0.2,
        upbeat=0.2,
        rest=0.3,
        compass=(5, 9),
    ),
    "chorus": Manner(
        metres={"4/4": 8, "6/8": 1, "3/4": 1},
        modes=_POP_MODES,
        tempo=(64, 140),
        moves=(0.28, 0.43, 0.15, 0.07, 0.04, 0.02, 0.005, 0.005),
        pace=2.0,
        evenness=1.0,
        broad=0.35,
        rhythms=3,
        sequences=0.3,
        varied=0.4,
        upbeat=0.5,
        rest=0.8,
        compass=(7, 12),
    ),
}


class Event(NamedTuple):
    """A note, as a degree of the scale: 0 the tonic, counted on over the octaves. A rest where the degree is None."""

    ticks: int
    degree: int | None


@dataclass(frozen=True)
class _Plan:
    """What all phrases of a tune have in common."""

    manner: Manner
    metre: Metre
    scale: tuple[int, ...]
    chord_scale: tuple[int, ...]
    rhythms: tuple[tuple[int, ...], ...]
    upbeat: tuple[int, ...]
    bars: int
    rest: int
    lowest: int
    highest: int

    @property
    def degrees(self) -> range:
        return range(self.lowest, self.highest + 1)

    def degrees_in_chord(self, chord: int) -> tuple[int, ...]:
        """Those of the compass that belong to the chord on a degree of the scale."""
        tones = {self.chord_scale[(chord + third) % len(self.chord_scale)] for third in (0, 2, 4)}
        return tuple(degree for degree in self.degrees if self.scale[degree % len(self.scale)] in tones)


@dataclass(frozen=True)
class _Phrase:
    """A phrase without its last bar, and that bar in two ways: open and closed on the tonic."""

    body: tuple[Event, ...]
    open_end: tuple[Event, ...]
    closed_end: tuple[Event, ...]

    def events(self, *, closed: bool) -> tuple[Event, ...]:
        return self.body + (self.closed_end if closed else self.open_end)


def compose_tunes(number: int, *, seed: int = 0) -> list[Score]:
    """So many tunes, each another one. Equal arguments give equal tunes."""
    return [compose(1_000_003 * seed + which) for which in range(number)]


def compose(seed: int) -> Score:
    """A tune of 15 to 60 s with its phrases. Equal seeds give equal tunes.

    Of two phrases with one label the notes are the same, and their times from the phrase's start.
    """
    chance = Random(f"tune {seed}")
    manner = MANNERS[chance.choice(list(MANNERS))]
    metre = METRES[_drawn(manner.metres, chance)]
    scale, chord_scale = MODES[_drawn(manner.modes, chance)]
    most = MOST_BEATS_A_MINUTE if metre.beat_ticks == TICKS_A_QUARTER else MOST_COMPOUND_BEATS_A_MINUTE
    tick_s = 60 / min(chance.uniform(*manner.tempo), most) / metre.beat_ticks
    form = chance.choices(FORMS, FORM_WEIGHTS)[0]
    bars = _bars_a_phrase(len(form) * metre.bar_ticks * tick_s, chance)
    plan = _plan(manner, metre, scale, chord_scale, bars, chance)
    sections = _sections(form, plan, chance)
    sections *= math.ceil(SECONDS[0] / (len(form) * bars * metre.bar_ticks * tick_s))
    # The middle of the compass comes to lie about the middle of a voice; the singer or the player chooses the octave.
    middle = (plan.lowest + plan.highest) / 2 * 12 / len(scale)
    tonic = round(chance.uniform(62, 70) - middle)
    return _as_score(f"composed {seed}", sections, plan, tonic, tick_s, share=chance.uniform(*SOUNDING))


def _drawn(weights: dict[str, float], chance: Random) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def _bars_a_phrase(seconds_of_one: float, chance: Random) -> int:
    """2 or 4, so that the tune is no longer than it may be and, if that can be, long enough without a second verse.

    Args:
        seconds_of_one: length of the tune with phrases of one bar.
    """
    fitting = [bars for bars in (2, 4) if SECONDS[0] <= bars * seconds_of_one <= SECONDS[1]]
    return chance.choice(fitting or ([2] if 4 * seconds_of_one > SECONDS[1] else [4]))


def _plan(
    manner: Manner,
    metre: Metre,
    scale: tuple[int, ...],
    chord_scale: tuple[int, ...],
    bars: int,
    chance: Random,
) -> _Plan:
    half_beat = metre.beat_ticks // 2 if metre.beat_ticks == TICKS_A_QUARTER else metre.beat_ticks // 3
    upbeats = ((half_beat,), (metre.beat_ticks,), (half_beat, half_beat))
    compass = round(chance.randint(*manner.compass) * len(scale) / 7)
    # The tonic lies at the bottom of the compass, or amid it, as in authentic and plagal tunes.
    lowest = -chance.choice((0, 1, compass // 3, compass // 2))
    return _Plan(
        manner,
        metre,
        scale,
        chord_scale,
        rhythms=tuple(_bar_rhythm(manner, metre, chance) for _ in range(manner.rhythms)),
        upbeat=chance.choice(upbeats) if chance.random() < manner.upbeat else (),
        bars=bars,
        rest=chance.choice((half_beat, metre.beat_ticks)) if chance.random() < manner.rest else 0,
        lowest=lowest,
        highest=lowest + compass,
    )


def _bar_rhythm(manner: Manner, metre: Metre, chance: Random) -> tuple[int, ...]:
    rhythm: list[int] = []
    left = metre.beats
    while left:
        beats = 2 if left >= 2 and chance.random() < manner.broad else 1
        cells = CELLS[beats * metre.beat_ticks]
        weights = [
            manner.pace ** (len(cell) / beats - 1) * (manner.evenness if len(set(cell)) == 1 else 1.0) for cell in cells
        ]
        rhythm += chance.choices(cells, weights)[0]
        left -= beats
    return tuple(rhythm)


# --- phrases


def _sections(form: str, plan: _Plan, chance: Random) -> list[tuple[str, tuple[Event, ...]]]:
    """(label, events) of each phrase: a letter that comes back is the same music, or a variant with dashes."""
    phrases: dict[str, _Phrase] = {}
    versions: dict[str, list[tuple[Event, ...]]] = {}
    sections = []
    for place, letter in enumerate(form):
        is_new = letter not in phrases
        if is_new:
            phrases[letter] = _phrase(plan, chance)
        phrase = phrases[letter]
        if not is_new and chance.random() < plan.manner.varied:
            phrase = _varied(phrase, plan, chance)
        is_last = place == len(form) - 1
        events = phrase.events(closed=is_last or (place % 2 == 1 and chance.random() < 0.5))
        known = versions.setdefault(letter, [])
        if events not in known:
            known.append(events)
        sections.append((letter + "'" * known.index(events), events))
    return sections


def _phrase(plan: _Plan, chance: Random) -> _Phrase:
    chord = chance.choice((TONIC, TONIC, 3, 5))
    line = _Line(plan, chance)
    body = line.bar(plan.upbeat, chance.choice((chord, DOMINANT)))
    bar: tuple[Event, ...] = ()
    for _ in range(plan.bars - 1):
        sequence = line.sequence(bar) if bar and chance.random() < plan.manner.sequences else ()
        bar = sequence or line.bar(chance.choice(plan.rhythms), chord)
        body += bar
        chord = chance.choices(INNER_CHORDS, INNER_CHORD_WEIGHTS)[0]
    rhythm = _cadence_rhythm(plan, chance)
    pauses = sorted(plan.degrees_in_chord(DOMINANT), key=lambda degree: abs(degree - line.degree))
    tonic = min(
        (degree for degree in plan.degrees if degree % len(plan.scale) == 0), key=lambda d: abs(d - line.degree)
    )
    ends = []
    for last_chord, goal in ((DOMINANT, chance.choice(pauses[:3])), (TONIC, tonic)):
        end = copy(line).bar(rhythm, last_chord, goal)
        ends.append(_with_rest(end, min(plan.rest, end[-1].ticks - plan.metre.beat_ticks)))
    return _Phrase(body, *ends)


def _cadence_rhythm(plan: _Plan, chance: Random) -> tuple[int, ...]:
    """The last bar of a phrase, less the next one's upbeat: at its end a note of a beat or more."""
    ticks = plan.metre.bar_ticks - sum(plan.upbeat)
    beat = plan.metre.beat_ticks
    as_other_bars = _up_to(chance.choice(plan.rhythms), ticks - beat)
    lead = chance.choice(((), _up_to((beat, beat), ticks // 2), as_other_bars, as_other_bars))
    return (*lead, ticks - sum(lead))


def _up_to(rhythm: Sequence[int], ticks: int) -> tuple[int, ...]:
    """The notes of a rhythm that have ended by then."""
    return tuple(note for note, end in zip(rhythm, accumulate(rhythm), strict=True) if end <= ticks)


def _with_rest(bar: tuple[Event, ...], rest: int) -> tuple[Event, ...]:
    """The bar with its last note cut short by a rest, where there is to be one."""
    last = bar[-1]
    return (*bar[:-1], Event(last.ticks - rest, last.degree), Event(rest, None)) if rest > 0 else bar


def _varied(phrase: _Phrase, plan: _Plan, chance: Random) -> _Phrase:
    """The phrase with some inner notes moved by a step or broken in two."""
    body: list[Event] = []
    for event in phrase.body:
        moved = event.degree + chance.choice((-1, 1))
        if chance.random() > CHANGED_OF_VARIED or moved not in plan.degrees:
            body.append(event)
        elif event.ticks >= TICKS_A_QUARTER:
            first = event.ticks - event.ticks // 2
            body += [Event(first, event.degree), Event(event.ticks - first, moved)]
        else:
            body.append(Event(event.ticks, moved))
    return replace(phrase, body=tuple(body))


class _Line:
    """A melody as it is being made: where it is, and whence it came."""

    def __init__(self, plan: _Plan, chance: Random) -> None:
        self.plan = plan
        self.chance = chance
        # Phrases lie higher or lower within the tune's compass.
        self.middle = (plan.lowest + plan.highest) / 2 + chance.uniform(-REGISTER, REGISTER) * len(plan.degrees)
        self.is_new = True
        self.degree = round(self.middle)
        self.move = 0

    def bar(self, rhythm: Sequence[int], chord: int, goal: int | None = None) -> tuple[Event, ...]:
        """Notes of a rhythm over a chord; with a goal, the last of them is that degree."""
        events, at = [], 0
        for number, ticks in enumerate(rhythm):
            left = len(rhythm) - 1 - number
            if goal is not None and left == 0:
                self._go_to(goal)
            else:
                self._go_to(self._next(chord, on_beat=at % self.plan.metre.beat_ticks == 0, goal=goal, left=left))
            events.append(Event(ticks, self.degree))
            at += ticks
        return tuple(events)

    def sequence(self, bar: tuple[Event, ...]) -> tuple[Event, ...]:
        """A bar again, some degrees higher or lower; empty where that leaves the compass."""
        shift = self.chance.choice((-2, -1, -1, 1, 1, 2))
        moved = tuple(Event(event.ticks, event.degree + shift) for event in bar)
        if any(event.degree not in self.plan.degrees for event in moved):
            return ()
        self._go_to(moved[-1].degree)
        return moved

    def _go_to(self, degree: int) -> None:
        self.move, self.degree, self.is_new = degree - self.degree, degree, False

    def _next(self, chord: int, *, on_beat: bool, goal: int | None, left: int) -> int:
        degrees = self.plan.degrees
        tones = self.plan.degrees_in_chord(chord)
        weights = [self._weight(degree, in_chord=degree in tones, on_beat=on_beat) for degree in degrees]
        if goal is not None and left < HEADS_FOR_CADENCE:
            weights = [weight * math.exp(-abs(d - goal) / left) for d, weight in zip(degrees, weights, strict=True)]
        return self.chance.choices(degrees, weights)[0]

    def _weight(self, degree: int, *, in_chord: bool, on_beat: bool) -> float:
        """How likely the line goes on to a degree, up to a factor."""
        move = degree - self.degree
        spread = max(1, len(self.plan.degrees) / 3)
        weight = math.exp(-(((degree - self.middle) / spread) ** 2) / 2)
        if not self.is_new:
            moves = self.plan.manner.moves
            is_within_octave = abs(move) <= min(len(moves) - 1, len(self.plan.scale))
            weight *= moves[abs(move)] / (2 if move else 1) if is_within_octave else 0.0
        if in_chord and on_beat:
            weight *= CHORD_ON_BEAT
        if not in_chord and abs(move) > 1:
            weight *= LEAP_OFF_CHORD
        if abs(self.move) >= LEAP and move * self.move < 0:
            weight *= TURNS_BACK
        elif 0 < abs(self.move) < LEAP and move * self.move > 0:
            weight *= GOES_ON
        return weight


def _as_score(
    name: str, sections: Sequence[tuple[str, tuple[Event, ...]]], plan: _Plan, tonic: int, tick_s: float, share: float
) -> Score:
    """The tune in seconds; notes sound for a share of their time, so that equal ones can be told apart."""
    notes, phrases, ticks = [], [], 0
    for label, events in sections:
        phrases.append(Section(ticks * tick_s, label))
        for event in events:
            if event.degree is not None:
                octave, step = divmod(event.degree, len(plan.scale))
                pitch = float(tonic + 12 * octave + plan.scale[step])
                notes.append(TimedNote(ticks * tick_s, (ticks + share * event.ticks) * tick_s, pitch))
            ticks += event.ticks
    return Score(name, notes, phrases)


# --- how tunes compare


# Borders between ratios of one note's time to the time of the note before: 1/4, 1/2, 1, 2, 4 and what lies near them.
RATIO_BORDERS = (0.35, 0.7, 1.4, 2.8)
RATIO_NAMES = ("1/4", "1/2", "1", "2", "4")
# Intervals by size in semitones: each name with its greatest.
INTERVALS = {"unison": 0, "1-2 st": 2, "3-4 st": 4, "5-6 st": 6, "7 st": 7, "more": 127}


def statistics(scores: Sequence[Score]) -> dict[str, float]:
    """Shares of intervals and of ratios of note times over all notes, and medians over the tunes of what is said."""
    pitches = [np.array([note.pitch for note in score.notes]) for score in scores]
    times = [np.diff([note.start_s for note in score.notes]) for score in scores]
    sizes = np.concatenate([np.abs(np.diff(pitch)) for pitch in pitches])
    ratios = np.concatenate([time[1:] / time[:-1] for time in times])
    greatest = np.searchsorted(list(INTERVALS.values()), sizes)
    ratio = np.searchsorted(RATIO_BORDERS, ratios)
    return {
        **{f"interval {name}": float(np.mean(greatest == place)) for place, name in enumerate(INTERVALS)},
        **{f"ratio {name}": float(np.mean(ratio == place)) for place, name in enumerate(RATIO_NAMES)},
        "range, st": float(np.median([np.ptp(pitch) for pitch in pitches])),
        "notes a second": float(np.median([1 / np.median(time) for time in times])),
        "seconds": float(np.median([score.notes[-1].end_s for score in scores])),
    }


def comparison(collections: dict[str, Sequence[Score]]) -> str:
    """A table of the statistics of several collections, a column each."""
    columns = {name: statistics(scores) for name, scores in collections.items()}
    rows = [f"{'':20}" + "".join(f"{name:>14}" for name in columns)]
    for row in next(iter(columns.values())):
        rows.append(f"{row:20}" + "".join(f"{column[row]:14.3f}" for column in columns.values()))
    return "\n".join(rows)


def main(archives: Sequence[str]) -> None:
    """Prints how 1,000 composed tunes compare with those of archives or folders."""
    composed = {"composed": compose_tunes(COMPARED_TUNES)}
    print(comparison(composed | {Path(archive).stem: read_tunes(Path(archive)).scores for archive in archives}))


if __name__ == "__main__":
    main(sys.argv[1:])
