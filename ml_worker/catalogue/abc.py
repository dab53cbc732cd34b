"""Reads tunes in ABC notation, the part of it that the catalogue uses.

Fields X, T, C, O, N ("year 1788"), M, L, Q and K in that order of meaning; then one line of music for each phrase, with
notes, accidentals (which hold to the bar line), lengths, broken rhythm (> and <), ties, rests, bar lines and chord
symbols in quotes. Repeats, tuplets, grace notes and voices are refused in words rather than misread: a phrase that
comes twice is written twice. Standard: https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ml_worker.catalogue.keys import LETTER_SEMITONES, key_signature
from ml_worker.catalogue.tune import Chord, Note, Phrase, Tune

TUNES_DIR = Path(__file__).parent / "tunes"

# MIDI pitch of the letter C as ABC writes middle C.
MIDDLE_C = 60
REQUIRED_FIELDS = {
    "T": "its title",
    "C": 'its composer, or "trad."',
    "O": "its origin",
    "N": 'its year, as in "N:year 1788"',
    "M": "its metre",
    "L": "the unit of note lengths",
    "Q": "its tempo",
    "K": "its key",
}

ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_TOKENS = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<bar>\|\]|\|\||\|(?!:))
  | "(?P<chord>[^"]*)"
  | (?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)
  | (?P<rest>z)(?P<rest_length>\d*/*\d*)
  | (?P<broken>>{1,3}|<{1,3})
  | (?P<tie>-)
    """,
    re.VERBOSE,
)
_LENGTH = re.compile(r"(\d*)(?:(/+)(\d*))?")
_TEMPO = re.compile(r"(\d+)/(\d+)\s*=\s*(\d+(?:\.\d+)?)")
_FRACTION = re.compile(r"(\d+)/(\d+)")
_YEAR = re.compile(r"year (\d{4})\b.*")


class AbcError(ValueError):
    """A tune that cannot be read: which file, which line and what is wrong."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(f"{name}, line {line}: {problem}")


def tunes() -> list[Tune]:
    """All tunes of the catalogue, by slug."""
    return [read_tune(path) for path in sorted(TUNES_DIR.glob("*.abc"))]


def read_tune(path: Path) -> Tune:
    """The tune in an ABC file. Raises AbcError."""
    return parse_abc(path.read_text(encoding="utf-8"), slug=path.stem, name=path.name)


def parse_abc(text: str, *, slug: str, name: str = "tune") -> Tune:
    """A tune from its ABC text. `name` is how errors call the file. Raises AbcError."""
    header: dict[str, tuple[int, str]] = {}
    music: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("%", 1)[0].strip()
        is_field = re.match(r"[A-Za-z]:", line) is not None
        if is_field and music:
            raise AbcError(name, number, f"the field {line[:2]} stands after the music; fields come first")
        if is_field:
            header.setdefault(line[0], (number, line[2:].strip()))
        elif line:
            music.append((number, line))
    return _Reader(slug, name, header, music).tune()


def _length(written: str) -> Fraction:
    """A length in units: "" is 1, "3" is 3, "/" is 1/2, "3/2" is 3/2."""
    match = _LENGTH.fullmatch(written)
    if match is None:
        raise ValueError(f"the length {written!r} is not understood")
    above, slashes, below = match.groups()
    numerator = int(above) if above else 1
    denominator = 1 if not slashes else int(below) if below else 2 ** len(slashes)
    if numerator == 0 or denominator == 0:
        raise ValueError(f"the length {written!r} has a zero")
    return Fraction(numerator, denominator)


def _pitch(letter: str, octave: str, alteration: int) -> int:
    """MIDI pitch of a letter with its octave marks; small letters are an octave up."""
    octaves = octave.count("'") - octave.count(",") + (1 if letter.islower() else 0)
    return MIDDLE_C + LETTER_SEMITONES[letter.upper()] + 12 * octaves + alteration


@dataclass
class _Sounding:
    """A note or rest (pitch None) while it is being read; lengths in beats."""

    pitch: int | None
    beats: Fraction
    line: int
    tied: bool = False


@dataclass
class _Reader:
    """Reads one tune; the fields after `music` are where the reading has come to."""

    slug: str
    name: str
    header: dict[str, tuple[int, str]]
    music: list[tuple[int, str]]
    line: int = 1
    signature: dict[str, int] = field(default_factory=dict)
    in_bar: dict[tuple[str, str], int] = field(default_factory=dict)
    sounding: list[_Sounding] = field(default_factory=list)
    chords: list[Chord] = field(default_factory=list)
    broken: str = ""
    beat: Fraction = Fraction(0)
    bar_start: Fraction = Fraction(0)
    bars: int = 0
    upbeat: Fraction = Fraction(0)
    short_bar: tuple[int, str] | None = None

    def tune(self) -> Tune:
        """The whole tune. Raises AbcError."""
        try:
            return self._tune()
        except AbcError:
            raise
        except ValueError as problem:
            raise AbcError(self.name, self.line, str(problem)) from problem

    def _tune(self) -> Tune:
        for letter, meaning in REQUIRED_FIELDS.items():
            if not self.header.get(letter, (0, ""))[1]:
                raise ValueError(f"the field {letter}: with {meaning} is missing")
        metre = self._metre()
        unit = 4 * self._fraction("L")
        tempo = self._tempo()
        self.signature = self._key()
        phrases = self._phrases(Fraction(4 * metre[0], metre[1]), unit)
        notes = self._notes()
        if not self.chords:
            raise ValueError('there is no chord symbol; write at least one, such as "G"')
        return Tune(
            slug=self.slug,
            title=self._field("T"),
            composer=self._field("C"),
            origin=self._field("O"),
            year=self._year(),
            metre=metre,
            tempo_bpm=tempo,
            key=self._field("K"),
            upbeat=self.upbeat,
            notes=notes,
            chords=tuple(self.chords),
            phrases=tuple(phrases),
        )

    def _field(self, letter: str) -> str:
        self.line, value = self.header[letter]
        return value

    def _fraction(self, letter: str) -> Fraction:
        value = self._field(letter)
        match = _FRACTION.fullmatch(value)
        if match is None or "0" in match.groups():
            raise ValueError(f"{letter}:{value} is not a fraction such as 1/8")
        return Fraction(int(match[1]), int(match[2]))

    def _metre(self) -> tuple[int, int]:
        self._fraction("M")
        above, below = self._field("M").split("/")
        return int(above), int(below)

    def _tempo(self) -> float:
        """Quarter notes a minute, from 1/4=96 or 3/8=60."""
        match = _TEMPO.fullmatch(self._field("Q"))
        if match is None or float(match[3]) <= 0 or "0" in match.groups():
            raise ValueError(f"the tempo {self.header['Q'][1]!r} is not understood; write it like 1/4=96")
        return float(Fraction(4 * int(match[1]), int(match[2])) * Fraction(match[3]))

    def _key(self) -> dict[str, int]:
        return key_signature(self._field("K"))

    def _year(self) -> int:
        match = _YEAR.fullmatch(self._field("N"))
        if match is None:
            raise ValueError(f'N:{self.header["N"][1]} does not begin with a year, as in "N:year 1788"')
        return int(match[1])

    def _phrases(self, bar_beats: Fraction, unit: Fraction) -> list[Phrase]:
        """Reads every line of music; one phrase a line."""
        phrases = []
        for number, line in self.music:
            self.line = number
            start = self.beat
            self._read_line(line, bar_beats, unit)
            if self.broken:
                raise ValueError(f"the line ends with {self.broken}, and no note follows")
            if self.beat == start:
                raise ValueError("the line has no note")
            phrases.append(Phrase(start, self.beat))
        if not phrases:
            raise ValueError("there is no music")
        if self.beat > self.bar_start:
            self._close_bar(bar_beats)
        return phrases

    def _read_line(self, line: str, bar_beats: Fraction, unit: Fraction) -> None:
        position = 0
        while position < len(line):
            match = _TOKENS.match(line, position)
            if match is None:
                raise ValueError(f"{line[position : position + 8]!r} is not understood")
            position = match.end()
            self._read_token(match, bar_beats, unit)

    def _read_token(self, token: re.Match[str], bar_beats: Fraction, unit: Fraction) -> None:
        if token["bar"]:
            self._close_bar(bar_beats)
        elif token["chord"] is not None:
            self.chords.append(Chord.from_symbol(token["chord"], self.beat))
        elif token["letter"]:
            self._add(_Sounding(self._pitch_of(token), unit * _length(token["length"]), self.line))
        elif token["rest"]:
            self._add(_Sounding(None, unit * _length(token["rest_length"]), self.line))
        elif token["broken"]:
            self._break(token["broken"])
        elif token["tie"]:
            self._tie()

    def _pitch_of(self, token: re.Match[str]) -> int:
        """An accidental holds for its letter in its octave to the bar line; else the key's holds."""
        letter, octave = token["letter"], token["octave"]
        if token["accidental"]:
            self.in_bar[letter, octave] = ACCIDENTALS[token["accidental"]]
        alteration = self.in_bar.get((letter, octave), self.signature.get(letter.upper(), 0))
        return _pitch(letter, octave, alteration)

    def _add(self, sounding: _Sounding) -> None:
        if self.broken:
            self._share_with_previous(sounding)
        self.sounding.append(sounding)
        self.beat += sounding.beats

    def _share_with_previous(self, sounding: _Sounding) -> None:
        """Broken rhythm: a>b lengthens a by half and shortens b by half; a>>b by three quarters."""
        previous = self.sounding[-1]
        if previous.beats != sounding.beats:
            raise ValueError(f"{self.broken} stands between notes of different length")
        kept = Fraction(1, 2 ** len(self.broken))
        moved = sounding.beats * (1 - kept) * (1 if ">" in self.broken else -1)
        previous.beats += moved
        sounding.beats -= moved
        self.beat += moved
        self.broken = ""

    def _break(self, mark: str) -> None:
        if self.broken or not self.sounding:
            raise ValueError(f"{mark} has no note before it")
        self.broken = mark

    def _tie(self) -> None:
        if not self.sounding or self.sounding[-1].pitch is None:
            raise ValueError("a tie has no note before it")
        self.sounding[-1].tied = True

    def _close_bar(self, bar_beats: Fraction) -> None:
        """Bars are full, but for the upbeat before the first and a last one that is cut short."""
        held = self.beat - self.bar_start
        if self.short_bar is not None:
            raise AbcError(self.name, *self.short_bar)
        if held > bar_beats:
            raise ValueError(f"bar {self.bars + 1} holds {held} beats, more than the {bar_beats} of the metre")
        if held < bar_beats and self.bars == 0 and self.upbeat == 0 and held > 0:
            self.upbeat = held
        elif held < bar_beats:
            # Only the last bar may be short: remembered, and refused if another bar follows.
            problem = f"bar {self.bars + 1} holds {held} beats, the metre wants {bar_beats}"
            self.short_bar = (self.line, problem)
            self.bars += 1
        else:
            self.bars += 1
        self.bar_start = self.beat
        self.in_bar = {}

    def _notes(self) -> tuple[Note, ...]:
        """Ties joined, rests left out."""
        notes: list[Note] = []
        beat = Fraction(0)
        tied = False
        for sounding in self.sounding:
            self.line = sounding.line
            if tied:
                if sounding.pitch != notes[-1].pitch:
                    raise ValueError("a tie leads to another pitch")
                notes[-1] = Note(notes[-1].start_beat, notes[-1].beats + sounding.beats, notes[-1].pitch)
            elif sounding.pitch is not None:
                notes.append(Note(beat, sounding.beats, sounding.pitch))
            tied = sounding.tied
            beat += sounding.beats
        if not notes:
            raise ValueError("there is no note, only rests")
        if tied:
            raise ValueError("the last note is tied to nothing")
        return tuple(notes)
