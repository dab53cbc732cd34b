"""Melodies composed by rule: singable, in a key, in phrases that come back, and like the tunes of archives."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.catalogue.composer import MODES, SECONDS, comparison, compose, compose_tunes, statistics
from ml_worker.catalogue.tune_files import Score, read_tunes
from ml_worker.catalogue.voice import TimedNote
from ml_worker.tests.shared_data import shared_data

SEEDS = st.integers(0, 1_000_000)
TUNES = compose_tunes(200)


def sections(score):
    """(label, notes from the phrase's start) of each phrase."""
    ends = [section.start_s for section in score.phrases[1:]] + [float("inf")]
    for section, end_s in zip(score.phrases, ends, strict=True):
        notes = [note for note in score.notes if section.start_s - 1e-6 <= note.start_s < end_s - 1e-6]
        yield section.label, [(note.start_s - section.start_s, note.end_s - note.start_s, note.pitch) for note in notes]


@settings(max_examples=50)
@given(SEEDS)
def test_a_tune_is_one_singable_line(seed):
    score = compose(seed)
    assert all(before.end_s <= after.start_s + 1e-9 for before, after in pairwise(score.notes))
    assert all(note.end_s - note.start_s > 0.05 for note in score.notes)
    pitches = [note.pitch for note in score.notes]
    assert 45 < min(pitches) < max(pitches) < 95
    assert max(pitches) - min(pitches) <= 26
    assert widest_leap(score) < 24


def widest_leap(score) -> float:
    """The widest step from a note to the next within a section, semitones."""
    leaps = (abs(after[2] - before[2]) for _, notes in sections(score) for before, after in pairwise(notes))
    return max(leaps, default=0)


def test_hardly_any_tune_leaps_further_than_an_octave():
    assert np.mean([widest_leap(compose(seed)) <= 12 for seed in range(300)]) >= 0.95


@settings(max_examples=50)
@given(SEEDS)
def test_it_lasts_as_long_as_promised(seed):
    # The last note need not sound until the end of the last bar.
    assert 0.9 * SECONDS[0] < compose(seed).notes[-1].end_s <= SECONDS[1]


@settings(max_examples=50)
@given(SEEDS)
def test_it_stays_in_a_mode_and_ends_on_the_tonic(seed):
    pitches = [round(note.pitch) for note in compose(seed).notes]
    tones = {(pitch - pitches[-1]) % 12 for pitch in pitches}
    assert any(tones <= set(scale) for scale, _ in MODES.values())


def test_nearly_all_end_on_a_note_that_is_longer_than_most():
    lengths = [[note.end_s - note.start_s for note in score.notes] for score in TUNES]
    assert np.mean([tune[-1] >= np.median(tune) - 1e-6 for tune in lengths]) > 0.9
    assert np.mean([tune[-1] > 1.5 * np.median(tune) for tune in lengths]) > 0.6


@settings(max_examples=50)
@given(SEEDS)
def test_phrases_of_one_label_are_the_same_music_and_others_are_not(seed):
    found = {}
    for label, notes in sections(compose(seed)):
        known = found.setdefault(label, notes)
        assert len(notes) == len(known)
        assert all(note == pytest.approx(other) for note, other in zip(notes, known, strict=True))
    assert all(found.values())
    assert len({str(np.round(notes, 4)) for notes in found.values()}) == len(found)


def test_phrases_begin_the_tune_and_cover_it():
    for score in TUNES:
        starts = [section.start_s for section in score.phrases]
        assert starts[0] == 0
        assert starts == sorted(starts)
        assert sum(len(notes) for _, notes in sections(score)) == len(score.notes)


def test_phrases_come_back_in_most_tunes_exactly_and_in_some_varied():
    exact = [len({section.label for section in score.phrases}) < len(score.phrases) for score in TUNES]
    varied = [any("'" in section.label for section in score.phrases) for score in TUNES]
    assert sum(exact) > 0.5 * len(TUNES)
    assert sum(varied) > 0.3 * len(TUNES)


def test_equal_seeds_give_equal_tunes_and_others_other_ones():
    assert compose(7) == compose(7)
    assert compose_tunes(5, seed=3) == compose_tunes(8, seed=3)[:5]
    melodies = {tuple(note.pitch - score.notes[0].pitch for note in score.notes[:16]) for score in TUNES}
    assert len(melodies) == len(TUNES)
    assert len({score.name for score in [*TUNES, *compose_tunes(5, seed=1)]}) == len(TUNES) + 5


def test_they_are_like_the_tunes_of_archives():
    """Every share of intervals and of rhythms lies between the least and greatest of two archives, give or take."""
    composed = statistics(TUNES)
    archives = [statistics(read_tunes(shared_data("melodies", name)).scores) for name in ("cre.zip", "pop909.zip")]
    for row in composed:
        if row.startswith(("interval", "ratio")):
            least, greatest = sorted(archive[row] for archive in archives)
            assert least - 0.05 <= composed[row] <= greatest + 0.05, row


def test_statistics_are_those_of_the_notes():
    notes = [
        TimedNote(0, 1, 60),
        TimedNote(1, 2, 60),
        TimedNote(2, 2.4, 64),
        TimedNote(2.5, 3, 62),
        TimedNote(3, 4, 74),
    ]
    found = statistics([Score("tune", notes)])
    assert [found[f"interval {name}"] for name in ("unison", "1-2 st", "3-4 st", "5-6 st", "7 st", "more")] == [
        *(0.25, 0.25, 0.25, 0, 0, 0.25)
    ]
    # Between the starts are 1, 1, 0.5 and 0.5 s.
    assert [found[f"ratio {name}"] for name in ("1/4", "1/2", "1", "2", "4")] == pytest.approx([0, 1 / 3, 2 / 3, 0, 0])
    assert found["range, st"] == 14
    table = comparison({"one": [Score("tune", notes)], "two": TUNES}).splitlines()
    assert table[0].split() == ["one", "two"]
    assert len(table) == len(found) + 1
