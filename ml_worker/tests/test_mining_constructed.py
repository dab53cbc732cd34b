"""Gold by construction: the second playing does what is said of it, and the time map says exactly where."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.catalogue.tune_files import Score
from ml_worker.catalogue.voice import TimedNote
from ml_worker.mining.calibration import composed_scores
from ml_worker.mining.constructed import (
    INSTRUMENTAL_S,
    OCTAVE_OFF,
    RATIOS,
    SECTION_S,
    SHIFTS_ST,
    TEMPO_CHANGE,
    UNHEARD,
    Constructed,
    Heard,
    Situation,
    construct,
    from_zero,
    heard,
    sections,
)
from ml_worker.mining.refine import pitch_at

situations = pytest.mark.parametrize("situation", Situation)
# Between two points of a time map, a quarter of a second apart, the tempo may change by a quarter: seconds.
EXACT_S = 0.02
# Rubato turns the tempo by less than this from point to point; a change of tempo by far more.
SMOOTH = 1.05


@cache
def scores() -> list[Score]:
    return composed_scores(8)


@cache
def made(situation: Situation, number: int = 0, seed: int = 0) -> Constructed:
    return construct(scores()[number], situation, scores()[-1], seed)


def mapped(pair: Constructed, note: TimedNote) -> list[tuple[float, float]]:
    """Where the time map has the cover play a note of the original: from and to, each time that it does."""
    lines = [np.array(line).T for line in pair.time_map]
    playing = [line for line in lines if line[0][0] <= note.start_s + 1e-9 and note.end_s <= line[0][-1] + 1e-9]
    return [tuple(np.interp([note.start_s, note.end_s], *line)) for line in playing]


def times_played(pair: Constructed) -> list[int]:
    """How often the cover plays each note of the original."""
    return [len(mapped(pair, note)) for note in pair.original.notes]


def runs(numbers: list[int]) -> list[int]:
    """Neighbours that are equal as one."""
    return [number for place, number in enumerate(numbers) if place == 0 or number != numbers[place - 1]]


def slopes(pair: Constructed) -> np.ndarray:
    """The tempo ratio from point to point, in the order in which the cover plays."""
    parts = [np.diff(np.array(line), axis=0) for line in pair.time_map]
    steps = np.concatenate(parts)
    long_enough = steps[steps[:, 0] > 0.1]
    return long_enough[:, 1] / long_enough[:, 0]


# --- the time map


@situations
@settings(max_examples=12)
@given(number=st.integers(0, 6), seed=st.integers(0, 3))
def test_every_note_sounds_where_the_time_map_says_in_the_key_that_is_said(situation, number, seed):
    pair = made(situation, number, seed)
    assert any(times_played(pair))
    played = list(pair.cover.notes)
    for note in pair.original.notes:
        for start_s, end_s in mapped(pair, note):
            same = [one for one in played if abs(one.start_s - start_s) < EXACT_S and abs(one.end_s - end_s) < EXACT_S]
            (one,) = [one for one in same if one.pitch == note.pitch + pair.transposition]
            played.remove(one)
    assert not any(is_mapped(pair, one) for one in played)
    assert bool(played) == (situation is Situation.INSERTED)


@situations
def test_both_sides_of_a_time_map_rise_and_lie_within_the_recordings(situation):
    pair = made(situation, 1)
    for line in pair.time_map:
        assert (np.diff(np.array(line), axis=0) > 0).all()
        assert 0 <= line[0][0] < line[-1][0] <= pair.original.melody.duration_s
        assert 0 <= line[0][1] < line[-1][1] <= pair.cover.melody.duration_s
    assert [line[0][1] for line in pair.time_map] == sorted(line[0][1] for line in pair.time_map)


@situations
def test_tempo_and_key_differ_as_far_as_is_said(situation):
    for number in range(4):
        pair = made(situation, number)
        spans = [np.array(line)[-1] - np.array(line)[0] for line in pair.time_map]
        assert pair.tempo_ratio == pytest.approx(sum(one[1] for one in spans) / sum(one[0] for one in spans))
        assert RATIOS[0] / TEMPO_CHANGE * 0.9 < pair.tempo_ratio < RATIOS[1] * TEMPO_CHANGE * 1.1
        assert pair.transposition % 12 in {shift % 12 for shift in SHIFTS_ST}
        assert slopes(pair).std() > 0


# --- situations


def test_plain_plays_all_once_and_in_order():
    pair = made(Situation.PLAIN)
    assert times_played(pair) == [1] * len(pair.original.notes)
    assert [note.pitch - pair.transposition for note in pair.cover.notes] == [one.pitch for one in pair.original.notes]
    turns = slopes(pair)[1:] / slopes(pair)[:-1]
    assert 1 / SMOOTH < turns.min() < turns.max() < SMOOTH


@pytest.mark.parametrize("number", range(4))
def test_a_tempo_change_is_one_jump_by_what_is_said(number):
    pair = made(Situation.TEMPO_CHANGE, number)
    assert times_played(pair) == [1] * len(pair.original.notes)
    # Of one point to the next but one, as the change may lie between two points.
    turns = np.abs(np.log(slopes(pair)[2:] / slopes(pair)[:-2]))
    changed = turns > np.log(SMOOTH) * 1.5
    assert len(runs(list(changed))) == 3
    assert np.exp(turns.max()) == pytest.approx(TEMPO_CHANGE, rel=0.05)


def test_reordered_plays_the_second_half_first():
    pair = made(Situation.REORDERED)
    assert times_played(pair) == [1] * len(pair.original.notes)
    first_played, last_played = pair.time_map[0], pair.time_map[-1]
    assert first_played[0][0] > last_played[-1][0] - 1e-6
    assert last_played[0][0] == pytest.approx(pair.original.notes[0].start_s)


@pytest.mark.parametrize("number", range(4))
def test_repeated_plays_one_section_twice_and_all_else_once(number):
    pair = made(Situation.REPEATED, number)
    played = times_played(pair)
    assert sorted(set(played)) == [1, 2]
    assert runs(played).count(2) == 1
    assert 2 * SECTION_S > seconds_of(pair, played, 2) > SECTION_S / 2


@pytest.mark.parametrize("number", range(4))
def test_missing_leaves_one_section_out(number):
    pair = made(Situation.MISSING, number)
    played = times_played(pair)
    assert sorted(set(played)) == [0, 1]
    assert runs(played).count(0) == 1
    assert 2 * SECTION_S > seconds_of(pair, played, 0) > SECTION_S / 2


def seconds_of(pair: Constructed, played: list[int], times: int) -> float:
    """From the first to the last of the notes that are played so many times."""
    notes = [note for note, count in zip(pair.original.notes, played, strict=True) if count == times]
    return notes[-1].end_s - notes[0].start_s


@pytest.mark.parametrize("number", range(4))
def test_inserted_plays_a_section_of_the_other_tune(number):
    pair = made(Situation.INSERTED, number)
    assert times_played(pair) == [1] * len(pair.original.notes)
    foreign = [note.pitch - pair.transposition for note in pair.cover.notes if not is_mapped(pair, note)]
    assert foreign in [[note.pitch for note in part] for part in sections(from_zero(scores()[-1].notes))]


@pytest.mark.parametrize("number", range(7))
def test_instrumental_has_a_stretch_in_which_nobody_sings(number):
    pair = made(Situation.INSTRUMENTAL, number)
    assert times_played(pair) == [1] * len(pair.original.notes)
    longest_s = longest_wait_s(pair.cover)
    assert INSTRUMENTAL_S[0] * RATIOS[0] * 0.9 < longest_s < (INSTRUMENTAL_S[1] + 10) * RATIOS[1] * 1.1
    assert longest_wait_s(pair.original) < INSTRUMENTAL_S[0] / 2


def is_mapped(pair: Constructed, note: TimedNote) -> bool:
    """Whether the time map says where a note of the cover comes from."""
    return any(line[0][1] < note.end_s - EXACT_S and note.start_s + EXACT_S < line[-1][1] for line in pair.time_map)


def longest_wait_s(playing: Heard) -> float:
    """The longest time before or between notes."""
    notes = playing.notes
    return max(notes[0].start_s, *(later.start_s - earlier.end_s for earlier, later in pairwise(notes)))


# --- the same again


@situations
def test_equal_arguments_give_equal_pairs_and_others_do_not(situation):
    first, again = (construct(scores()[0], situation, scores()[1]) for _ in range(2))
    other = construct(scores()[0], situation, scores()[1], seed=1)
    assert facts(first) == facts(again)
    assert facts(first) != facts(other)
    assert first.original.notes == other.original.notes


def facts(pair: Constructed) -> tuple:
    curves = [(one.notes, one.melody.f0_hz.tobytes()) for one in (pair.original, pair.cover)]
    return pair.name, pair.situation, curves, pair.time_map, pair.tempo_ratio, pair.transposition


# --- sections


@given(st.lists(st.tuples(st.floats(0.1, 2), st.floats(0, 3)), min_size=1, max_size=120))
def test_sections_are_all_the_notes_in_a_row(lengths):
    notes, at_s = [], 1.0
    for length_s, rest_s in lengths:
        notes.append(TimedNote(at_s, at_s + length_s, 60))
        at_s += length_s + rest_s
    found = sections(notes)
    assert [note for part in found for note in part] == notes
    assert all(found)
    assert all(part[-1].start_s - part[0].start_s <= SECTION_S * 4 / 3 for part in found[:-1])


def test_a_section_ends_where_the_tune_waits_longest():
    beats = [TimedNote(float(second), second + 0.9, 60) for second in range(40)]
    waited = [
        note._replace(start_s=note.start_s + 0.5, end_s=note.end_s + 0.5) if note.start_s >= 10 else note
        for note in beats
    ]
    first = sections(waited)[0]
    assert first[-1].start_s == 9


# --- as a tracker hears it


def test_a_tracker_hears_nearly_what_is_played():
    notes = from_zero(scores()[0].notes)
    melody = heard(notes, np.random.default_rng(1))
    middles_s = np.array([(3 * note.start_s + note.end_s) / 4 for note in notes])
    apart = pitch_at(melody, middles_s) - [note.pitch for note in notes]
    missed = np.isnan(apart)
    octaves = np.abs(np.abs(apart) - 12) < 1
    assert 0 < missed.mean() < 4 * UNHEARD
    assert octaves.mean() < 4 * OCTAVE_OFF
    assert (np.abs(apart[~missed & ~octaves]) < 1).all()
    assert 0.02 < np.abs(apart[~missed & ~octaves]).mean() < 0.4


def test_a_tracker_hears_nothing_where_nothing_is_sung():
    pair = made(Situation.INSTRUMENTAL)
    assert_silent_between(pair.cover)
    assert_silent_between(pair.original)


def assert_silent_between(playing: Heard) -> None:
    seconds = np.flatnonzero(playing.melody.voiced) * playing.melody.hop_s
    starts_s, ends_s = (np.array([getattr(note, end) for note in playing.notes]) for end in ("start_s", "end_s"))
    sounding = ((seconds[:, None] >= starts_s - 1e-6) & (seconds[:, None] < ends_s + 1e-6)).any(axis=1)
    assert sounding.all()
