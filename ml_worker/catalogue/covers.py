"""How a cover differs from its original: key, tempo with rubato, who plays, the order of phrases, ornaments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ml_worker.catalogue.arrangement import (
    HARP_AND_PAD,
    PIANO_CHORDS,
    PIANO_OOMPAH,
    STRUMMED_GUITAR,
    Style,
)
from ml_worker.catalogue.keys import scale
from ml_worker.catalogue.performance import KNOT, Performance, introduction_bars, knot_count, lay_out
from ml_worker.catalogue.timbres import CLARINET, FLUTE, SOPRANO, TENOR, VIOLIN, Timbre
from ml_worker.catalogue.tune import Tune
from ml_worker.catalogue.voice import TimedNote

# Odd covers are sung, even ones played.
VOICES = (SOPRANO, TENOR)
INSTRUMENTS = (VIOLIN, CLARINET, FLUTE)
STYLES_OF_VOICES = (PIANO_CHORDS, PIANO_OOMPAH)
STYLES_OF_INSTRUMENTS = (HARP_AND_PAD, STRUMMED_GUITAR)

# Another key, by at least and at most so many semitones up or down.
SHIFTS = (2, 5)
# The lowest and the highest pitch that a cover's lead may have.
COMPASS = (45, 82)
# Tempo ratios to choose from (above 1 is slower), and the limits within which rubato stays.
FASTER, SLOWER, RATIO_LIMITS = (0.86, 0.94), (1.07, 1.16), (0.8, 1.25)
# Rubato: standard deviation of the tempo's logarithm, its smoothing in beats, and how much a phrase's end is held.
RUBATO, RUBATO_BEATS, PHRASE_END_HELD = 0.03, 2.0, 0.07
INTERLUDE_BARS = {2: 4, 3: 4, 4: 2, 6: 4}

# Share of the notes that get an ornament, and the shortest that may, s; a grace note lasts so long, s.
ORNAMENTED, ORNAMENT_FROM_S, GRACE_S = 0.12, 0.35, 0.09


@dataclass(frozen=True)
class CoverPlan:
    """What a cover does with a tune. `order` are phrases, None is an interlude."""

    transposition: int
    tempo_ratio: float
    timbre: Timbre
    style: Style
    order: tuple[int | None, ...]


def plan_cover(tune: Tune, number: int, rng: np.random.Generator) -> CoverPlan:
    """Chooses what cover `number` (1, 2, ...) of a tune does."""
    if number < 1:
        raise ValueError(f"covers are numbered from 1, not {number}")
    is_sung = number % 2 == 1
    styles = STYLES_OF_VOICES if is_sung else STYLES_OF_INSTRUMENTS
    # Where one cover goes up, the next goes down, and where one is slower the next is faster.
    goes_up = (number + sum(map(ord, tune.slug))) % 2 == 0
    is_slower = (number + len(tune.title)) % 2 == 0
    shift = int(rng.integers(SHIFTS[0], SHIFTS[1] + 1)) * (1 if goes_up else -1)
    limits = SLOWER if is_slower else FASTER
    timbres = [timbre for timbre in (VOICES if is_sung else INSTRUMENTS) if _lies_well(tune, shift, timbre)]
    timbre = timbres[rng.integers(len(timbres))]
    return CoverPlan(
        transposition=shift + timbre.octave,
        tempo_ratio=float(rng.uniform(*limits)),
        timbre=timbre,
        style=styles[rng.integers(len(styles))],
        order=_order(len(tune.phrases), is_sung),
    )


def _lies_well(tune: Tune, shift: int, timbre: Timbre) -> bool:
    """Whether a timbre can carry the tune in that key."""
    pitches = [note.pitch + shift + timbre.octave for note in tune.notes]
    return min(pitches) >= COMPASS[0] and max(pitches) <= COMPASS[1]


def _order(phrases: int, is_sung: bool) -> tuple[int | None, ...]:
    """Sung: all, an interlude, the second half again. Played: the second half first, all but the first after it."""
    middle = phrases // 2
    everything, second_half = range(phrases), range(middle, phrases)
    if is_sung:
        return (*everything, None, *second_half)
    first_half_but_one = range(1 if middle > 1 else 0, middle)
    return (*second_half, None, *first_half_but_one, *second_half)


def cover_performance(tune: Tune, plan: CoverPlan, rng: np.random.Generator) -> Performance:
    """The plan laid out in time, with rubato."""
    interlude = INTERLUDE_BARS.get(tune.metre[0], 4)
    sections = lay_out(tune, plan.order, introduction_bars=introduction_bars(tune), interlude_bars=interlude)
    ratios = plan.tempo_ratio * np.exp(_rubato(knot_count(sections) - 1, rng))
    for section in sections:
        if section.phrase is not None:
            end = int(section.end_beat // KNOT)
            ratios[max(0, end - 2) : end] *= 1 + PHRASE_END_HELD
    ratios = np.clip(ratios, *RATIO_LIMITS)
    knot_s = np.concatenate([[0.0], np.cumsum(ratios * float(KNOT) * tune.beat_s)])
    return Performance(tune, tuple(sections), plan.transposition, knot_s)


def _rubato(count: int, rng: np.random.Generator) -> np.ndarray:
    """Logarithms of the local tempo ratio, smooth, (count,)."""
    noise = gaussian_filter1d(rng.standard_normal(count), RUBATO_BEATS / float(KNOT))
    return RUBATO * noise / (noise.std() + 1e-9)


def ornamented(notes: Sequence[TimedNote], tune: Tune, transposition: int, rng: np.random.Generator) -> list[TimedNote]:
    """The notes with a grace note, a turn or a passing tone here and there; nothing moves in time."""
    tones = frozenset((pitch + transposition) % 12 for pitch in scale(tune.key))
    ornaments = (_grace, _mordent, _passing)
    out: list[TimedNote] = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        chosen = ornaments[rng.integers(len(ornaments))]
        if rng.random() < ORNAMENTED and note.end_s - note.start_s >= ORNAMENT_FROM_S:
            out += chosen(note, following, tones)
        else:
            out.append(note)
    return out


def _neighbour(pitch: float, step: int, tones: frozenset[int]) -> float:
    """The next tone of the scale above (step 1) or below (step -1)."""
    pitch += step
    while round(pitch) % 12 not in tones:
        pitch += step
    return pitch


def _grace(note: TimedNote, _following: TimedNote | None, tones: frozenset[int]) -> list[TimedNote]:
    """From the tone above, quickly."""
    turn_s = note.start_s + GRACE_S
    above = _neighbour(note.pitch, 1, tones)
    return [TimedNote(note.start_s, turn_s, above), note._replace(start_s=turn_s)]


def _mordent(note: TimedNote, _following: TimedNote | None, tones: frozenset[int]) -> list[TimedNote]:
    """The tone, the one below, the tone again."""
    first_s, second_s = note.start_s + GRACE_S, note.start_s + 2 * GRACE_S
    below = _neighbour(note.pitch, -1, tones)
    return [note._replace(end_s=first_s), TimedNote(first_s, second_s, below), note._replace(start_s=second_s)]


def _passing(note: TimedNote, following: TimedNote | None, tones: frozenset[int]) -> list[TimedNote]:
    """Where the melody leaps by a third, the tone between, for the last quarter of the note."""
    leap = 0 if following is None or following.start_s > note.end_s + 0.01 else following.pitch - note.pitch
    if abs(leap) not in (3, 4):
        return [note]
    between = _neighbour(note.pitch, int(np.sign(leap)), tones)
    turn_s = note.end_s - 0.25 * (note.end_s - note.start_s)
    return [note._replace(end_s=turn_s), TimedNote(turn_s, note.end_s, between)]
