"""What a tune is: notes, chords and phrases on a grid of beats. A beat is a quarter note in every metre."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ml_worker.catalogue.keys import ACCIDENTAL_SEMITONES, LETTER_SEMITONES

# A root, then nothing for major, "m", "7" or "m7".
_CHORD_SYMBOL = re.compile(r"([A-G])([#b]?)(m?)(7?)")


@dataclass(frozen=True)
class Note:
    """A note: when it starts and how long it lasts in beats, and its pitch in MIDI semitones (69 = 440 Hz)."""

    start_beat: Fraction
    beats: Fraction
    pitch: int

    @property
    def end_beat(self) -> Fraction:
        return self.start_beat + self.beats


@dataclass(frozen=True)
class Chord:
    """A chord that holds from its beat until the next one. `intervals` are semitones above the root."""

    start_beat: Fraction
    symbol: str
    root: int
    intervals: tuple[int, ...]

    @classmethod
    def from_symbol(cls, symbol: str, start_beat: Fraction) -> Chord:
        """The chord of a symbol such as G, Am, D7, Em7 or F#m. Raises ValueError for any other."""
        match = _CHORD_SYMBOL.fullmatch(symbol)
        if match is None:
            raise ValueError(f"the chord {symbol!r} is not one of: a root, then nothing, m, 7 or m7")
        letter, accidental, minor, seventh = match.groups()
        root = (LETTER_SEMITONES[letter] + ACCIDENTAL_SEMITONES[accidental]) % 12
        intervals = (0, 3 if minor else 4, 7) + ((10,) if seventh else ())
        return cls(start_beat, symbol, root, intervals)


@dataclass(frozen=True)
class Phrase:
    """A line of the tune, from its first note (an upbeat included) to the start of the next line, in beats."""

    start_beat: Fraction
    end_beat: Fraction


@dataclass(frozen=True)
class Tune:
    """A tune as written.

    Attributes:
        slug: the name of its file, without the ending.
        composer: a name, or "trad." with what else is known.
        origin: the country.
        year: when it was known at the latest.
        metre: beats a bar and the note that counts as one, such as (3, 4) or (6, 8).
        tempo_bpm: quarter notes a minute.
        key: as written, such as "D" or "Ddor".
        upbeat: beats before the first whole bar.
        notes, chords, phrases: in order; the phrases tile the tune from beat 0 to its end.
    """

    slug: str
    title: str
    composer: str
    origin: str
    year: int
    metre: tuple[int, int]
    tempo_bpm: float
    key: str
    upbeat: Fraction
    notes: tuple[Note, ...]
    chords: tuple[Chord, ...]
    phrases: tuple[Phrase, ...]

    @property
    def bar_beats(self) -> Fraction:
        """Quarter notes in a bar."""
        return Fraction(4 * self.metre[0], self.metre[1])

    @property
    def beats(self) -> Fraction:
        """Length of the whole tune."""
        return self.phrases[-1].end_beat

    @property
    def beat_s(self) -> float:
        """Seconds of a quarter note at the tune's own tempo."""
        return 60 / self.tempo_bpm

    @property
    def is_compound(self) -> bool:
        """Whether the beat falls into three, as in 6/8."""
        return self.metre[1] == 8 and self.metre[0] % 3 == 0

    def bar_position(self, beat: Fraction) -> Fraction:
        """Beats from the last bar line to this beat."""
        return (beat - self.upbeat) % self.bar_beats

    def chord_at(self, beat: Fraction) -> Chord:
        """The chord that holds at a beat; before the first chord, the first."""
        held = [chord for chord in self.chords if chord.start_beat <= beat]
        return held[-1] if held else self.chords[0]

    def phrase_s(self, phrase: Phrase) -> float:
        """Seconds that a phrase lasts at the tune's own tempo."""
        return float(phrase.end_beat - phrase.start_beat) * self.beat_s
