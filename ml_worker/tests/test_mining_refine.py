"""The fine alignment: frame by frame on both pitch curves, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml_worker.audio.melody import Melody
from ml_worker.mining import refine
from ml_worker.mining.passage import Passage
from ml_worker.mining.refine import FRAME_S, SHIFT_STEP_S, align_finely, notes_in, pitch_at
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of

NOTES = made_tune(3, 40)
ORIGINAL = melody_of(NOTES, seed=1)


def cover(**differences: float) -> tuple[Melody, np.ndarray]:
    """All of the tune, and its time map (2, N)."""
    played, (line,) = made_cover(NOTES, [(0, 40)], **differences)
    return melody_of(played, seed=2), np.array(line).T


# --- the path


def cheapest_plainly(costs: np.ndarray, change: np.ndarray) -> float:
    """The least that any path costs, of all there are."""
    rows, columns = costs.shape
    return min(
        sum(costs[row, column] for row, column in enumerate(path))
        + sum(change[row, path[row]] for row in range(1, rows) if path[row] != path[row - 1])
        for path in product(range(columns), repeat=rows)
        if all(abs(here - before) <= 1 for before, here in pairwise(path))
    )


@given(st.data())
def test_the_path_is_the_cheapest_of_all_that_move_by_one_at_most(data):
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 4)))
    costs, change = (data.draw(arrays(np.float64, shape, elements=st.floats(0, 1))) for _ in range(2))
    path = refine.steady_path(costs, change)
    assert (np.abs(np.diff(path)) <= 1).all()
    moved = np.flatnonzero(np.diff(path)) + 1
    cost = costs[np.arange(len(path)), path].sum() + change[moved, path[moved]].sum()
    assert cost == pytest.approx(cheapest_plainly(costs, change))


# --- what it finds


@pytest.mark.parametrize("off_s", [-0.8, -0.3, 0.0, 0.4, 0.9])
def test_a_passage_that_is_placed_roughly_is_placed_to_a_note(off_s):
    played, (original_s, cover_s) = cover(tempo_ratio=1.1, transposition=5)
    rough = Passage.line((5.0, 25.0), float(np.interp(5.0, original_s, cover_s)) + off_s, 1.1)
    fine = align_finely(ORIGINAL, played, rough)
    middle = slice(len(fine.mismatch) // 5, -len(fine.mismatch) // 5)
    true_s = np.interp(fine.passage.original_s, original_s, cover_s)
    assert np.abs(fine.passage.cover_s - true_s)[middle] == pytest.approx(0, abs=0.1)
    assert np.median(fine.mismatch[fine.is_sung]) < 0.15


def test_rubato_is_followed():
    played, (original_s, cover_s) = cover(tempo_ratio=1.1, rubato=0.15)
    fine = align_finely(ORIGINAL, played, Passage.line((2.0, 34.0), float(np.interp(2.0, original_s, cover_s)), 1.1))
    off_s = fine.passage.cover_s - np.interp(fine.passage.original_s, original_s, cover_s)
    assert np.median(np.abs(off_s)) < 0.05


def test_the_course_stays_within_what_is_searched_and_never_turns_back():
    played, _ = cover(rubato=0.1)
    line = Passage.line((2.0, 30.0), 2.5, 1.0)
    fine = align_finely(ORIGINAL, played, line, reach_s=0.4)
    assert (np.diff(fine.passage.cover_s) >= 0).all()
    assert np.abs(fine.passage.cover_s - line.cover_at(fine.passage.original_s)).max() <= 0.4 + SHIFT_STEP_S
    assert np.diff(fine.passage.original_s) == pytest.approx(FRAME_S, rel=0.05)


def test_a_melody_against_itself_agrees_everywhere_without_strain():
    fine = align_finely(ORIGINAL, ORIGINAL, Passage.line((1.0, 30.0), 1.0, 1.0))
    assert fine.mismatch.max() == pytest.approx(0, abs=1e-9)
    assert fine.strain.max() == 0
    assert fine.passage.cover_s == pytest.approx(fine.passage.original_s)
    assert fine.transposition == 0


def test_another_melody_mismatches():
    other = melody_of(made_tune(77, 40), seed=2)
    mismatches = [
        align_finely(ORIGINAL, one, Passage.line((2.0, 30.0), 2.0, 1.0)).mismatch.mean() for one in (other, cover()[0])
    ]
    assert mismatches[0] > 2 * mismatches[1]


@pytest.mark.parametrize("semitones", [-14, -7, 0, 3, 12])
def test_the_transposition_includes_the_octave(semitones):
    played, _ = cover(transposition=semitones)
    assert refine.transposition(ORIGINAL, played, Passage.line((3.0, 20.0), 3.0, 1.0)) == pytest.approx(
        semitones, abs=0.3
    )


def test_strain_is_what_the_tempo_had_to_bend():
    played, (original_s, cover_s) = cover(rubato=0.15)
    line = Passage.line((2.0, 34.0), float(np.interp(2.0, original_s, cover_s)), 1.0)
    fine = align_finely(ORIGINAL, played, line)
    assert fine.strain[0] == 0
    assert fine.strain.sum() > 0
    assert set(np.unique(fine.strain)) <= {0.0, refine.SHIFT_COST_IN_REST, refine.SHIFT_COST}


def test_without_a_voice_on_either_side_there_is_nothing_to_align():
    silent = replace(ORIGINAL, f0_hz=np.zeros_like(ORIGINAL.f0_hz), voiced=np.zeros_like(ORIGINAL.voiced))
    line = Passage.line((1.0, 10.0), 1.0, 1.0)
    assert align_finely(ORIGINAL, silent, line) is None
    assert align_finely(silent, ORIGINAL, line) is None
    assert refine.transposition(silent, silent, line) is None


def test_a_part_of_it_is_the_same_frames():
    fine = align_finely(ORIGINAL, cover()[0], Passage.line((2.0, 20.0), 2.0, 1.0))
    part = fine.between(50, 120)
    assert part.passage.original == (fine.passage.original_s[50], fine.passage.original_s[119])
    for name in ("mismatch", "strain", "is_sung", "both_rest"):
        assert (getattr(part, name) == getattr(fine, name)[50:120]).all()
    assert part.transposition == fine.transposition


# --- curves


@example([(60, 2), (61, 2)], 0.0)
@given(st.lists(st.tuples(st.integers(40, 80), st.integers(2, 8)), min_size=1, max_size=20), st.floats(-0.3, 0.3))
def test_notes_are_counted_as_they_change(notes, off):
    """Rests and a pitch that is a little off make no difference; a note held on is one."""
    curve = np.concatenate([[*[pitch + off] * frames, np.nan] for pitch, frames in notes])
    pitches = [pitch for pitch, _ in notes]
    changes = sum(one != other for one, other in pairwise(pitches))
    assert notes_in(curve) == 1 + changes


def test_nothing_sung_is_no_note_and_a_single_frame_is_none():
    assert notes_in(np.full(20, np.nan)) == notes_in(np.array([])) == notes_in(np.array([60.0])) == 0
    assert notes_in(np.array([60.0, 60.0, 64.0, 60.0, 60.0])) == 1


def test_the_pitch_outside_of_a_melody_is_unvoiced():
    ends_s = np.array([[-5.0, -0.02], [ORIGINAL.duration_s + 0.02, 1e6]])
    assert np.isnan(pitch_at(ORIGINAL, ends_s)).all()
    inside_s = np.arange(len(ORIGINAL.f0_hz)) * ORIGINAL.hop_s
    np.testing.assert_array_equal(pitch_at(ORIGINAL, inside_s), ORIGINAL.pitch().astype(float))
