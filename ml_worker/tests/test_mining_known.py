"""Where a cover plays known fragments of its original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.mining.align import PITCH_CURVE
from ml_worker.mining.extract import AlignedFragment, Interval, watch
from ml_worker.mining.gold import TimeMap, agreement_on_fragments
from ml_worker.mining.known import find_known
from ml_worker.tests.made_tunes import MadeNote, made_cover, made_tune, melody_of

ORIGINAL_S = 50.0
# How far from where it is a start may be found, seconds.
NEAR_S = 0.25


def tune_and_cover(sections: Sequence[Interval], seed: int = 0, **differences: float) -> tuple[Melody, Melody, TimeMap]:
    """A tune of 50 s, a cover that plays these sections of it, and the true time map."""
    notes = made_tune(seed, ORIGINAL_S)
    played, time_map = made_cover(notes, sections, **differences)
    return melody_of(notes, seed=1), melody_of(played, seed=2, octave_errors=0.05), time_map


def known(original: Melody, cover: Melody, fragments: Sequence[Interval]) -> dict[Interval, list[AlignedFragment]]:
    pair = PITCH_CURVE.pair(original, cover)
    return find_known(pair, fragments, watch(pair))


def played_at(fragment: Interval, time_map: TimeMap) -> list[Interval]:
    """Where the cover plays a fragment whole."""
    lines = [np.array(line).T for line in time_map]
    return [
        tuple(np.interp(fragment, *line)) for line in lines if line[0][0] <= fragment[0] and fragment[1] <= line[0][-1]
    ]


def starts(found: Sequence[AlignedFragment]) -> list[float]:
    return [one.b[0] for one in found]


# --- where it is


@pytest.mark.parametrize("fragment", [(11.0, 13.5), (12.0, 15.0), (20.0, 24.0)])
def test_a_short_fragment_is_found_with_all_that_surrounds_it(fragment):
    """By itself it says too little: unrelated tunes have three seconds as alike."""
    original, cover, time_map = tune_and_cover([(2, 45)], tempo_ratio=1.15, transposition=-5)
    (one,) = known(original, cover, [fragment])[fragment]
    ((start_s, end_s),) = played_at(fragment, time_map)
    assert one.decision == "accepted"
    assert one.a == pytest.approx(fragment)
    assert one.b == pytest.approx((start_s, end_s), abs=NEAR_S)
    assert one.transposition == pytest.approx(-5, abs=0.5)


def test_a_fragment_that_the_cover_plays_twice_is_found_twice_in_the_order_of_the_cover():
    fragment = (8.0, 15.0)
    original, cover, time_map = tune_and_cover([(5, 20), (30, 48), (5, 20)], tempo_ratio=1.2, transposition=4)
    found = known(original, cover, [fragment])[fragment]
    assert starts(found) == pytest.approx([start_s for start_s, _ in played_at(fragment, time_map)], abs=NEAR_S)
    assert [one.decision for one in found] == ["accepted"] * 2
    assert [one.tempo_ratio for one in found] == pytest.approx([1.2] * 2, rel=0.03)


def test_a_line_alone_in_another_place_is_found_by_itself():
    """Between what is foreign; even where no passage was seen that holds it."""
    fragment = (8.0, 16.0)
    notes = made_tune(0, ORIGINAL_S)
    played, time_map = made_cover(notes, [(30, 48), fragment], transposition=2, between=made_tune(99, 15))
    original, cover = melody_of(notes, seed=1), melody_of(played, seed=2)
    pair = PITCH_CURVE.pair(original, cover)
    watched = watch(pair)
    for seen in (watched, replace(watched, passages=[])):
        (one,) = find_known(pair, [fragment], seen)[fragment]
        assert one.b[0] == pytest.approx(time_map[1][0][1], abs=NEAR_S)
        assert one.decision == "accepted"


def test_all_fragments_of_a_cover_in_another_order_are_each_found_in_their_places():
    fragments = [(first, first + 6.0) for first in np.arange(1.0, 43.0, 6.0)]
    original, cover, time_map = tune_and_cover([(25, 50), (0, 25)], tempo_ratio=0.9, transposition=-2, rubato=0.05)
    found = known(original, cover, fragments)
    assert list(found) == fragments
    result = agreement_on_fragments(found, time_map)
    assert result.expected >= 5
    assert (result.precision, result.recall) == (1, 1)
    assert result.median_start_error_s < 0.15


def test_one_occurrence_is_found_once():
    original, cover, _ = tune_and_cover([(5, 20), (5, 20), (30, 48)], tempo_ratio=1.1)
    fragments = [(6.0, 9.0), (6.0, 14.0), (32.0, 47.0)]
    for ones in known(original, cover, fragments).values():
        for one, other in combinations(ones, 2):
            shared_s = min(one.b[1], other.b[1]) - max(one.b[0], other.b[0])
            assert shared_s < 0.5 * min(one.b[1] - one.b[0], other.b[1] - other.b[0])


def test_a_fragment_that_begins_before_the_cover_is_found_as_far_as_it_is_played():
    """The recording begins a little late; what it plays is most of the fragment."""
    original, cover, time_map = tune_and_cover([(8, 45)], tempo_ratio=1.1)
    fragment = (7.4, 14.0)
    (one,) = known(original, cover, [fragment])[fragment]
    assert one.b[0] >= 0
    assert one.a == pytest.approx((8.0, 14.0), abs=NEAR_S)
    assert one.b[1] == pytest.approx(float(np.interp(14.0, *np.array(time_map[0]).T)), abs=NEAR_S)


def test_a_phrase_that_comes_again_a_little_changed_is_found_as_what_the_cover_plays():
    """Most of its notes are the same; the other phrase of the original matches better, and so this one is not there."""
    phrase = [note for note in made_tune(0, 24) if note.start_s >= 5 and note.end_s <= 13.5]
    changed = [replace(note, pitch=note.pitch + 3) if number % 8 == 0 else note for number, note in enumerate(phrase)]
    length_s = phrase[-1].end_s - phrase[0].start_s
    original = [*made_tune(5, 4), *at(5.0, phrase), *at(15.0, made_tune(9, 9)), *at(25.0, changed)]
    cover = [*made_tune(98, 12), *at(14.0, changed), *at(16.0 + length_s, made_tune(99, 12))]
    first, again = (5.0, 5.0 + length_s), (25.0, 25.0 + length_s)
    found = known(melody_of(original, seed=1), melody_of(cover, seed=2), [first, again])
    assert found[first] == []
    assert starts(found[again]) == pytest.approx([14.0], abs=NEAR_S)


def at(start_s: float, notes: Sequence[MadeNote]) -> list[MadeNote]:
    """The notes from another second on."""
    late_s = start_s - notes[0].start_s
    return [replace(note, start_s=note.start_s + late_s, end_s=note.end_s + late_s) for note in notes]


# --- where it is not


@pytest.mark.parametrize("seed", range(4))
def test_a_fragment_that_the_cover_leaves_out_is_not_accepted_anywhere(seed):
    original, cover, _ = tune_and_cover([(25, 48)], seed=seed, tempo_ratio=1.2)
    for ones in known(original, cover, [(3.0, 10.0), (8.0, 15.0), (16.0, 22.0)]).values():
        assert [one for one in ones if one.decision == "accepted"] == []


@pytest.mark.parametrize("seed", range(4))
def test_no_fragment_is_accepted_in_a_cover_of_another_tune(seed):
    original, _, _ = tune_and_cover([(0, 50)], seed=seed)
    _, other, _ = tune_and_cover([(0, 50)], seed=50 + seed, tempo_ratio=1.1)
    for ones in known(original, other, [(4.0, 9.0), (10.0, 20.0), (25.0, 45.0)]).values():
        assert [one for one in ones if one.decision == "accepted"] == []


def test_a_passage_that_plays_half_of_a_fragment_does_not_play_it():
    original, cover, _ = tune_and_cover([(12, 45)], tempo_ratio=1.1)
    assert known(original, cover, [(4.0, 20.0)])[(4.0, 20.0)] == []


@pytest.mark.parametrize("fragment", [(-1.0, 4.0), (45.0, 90.0), (80.0, 90.0), (9.0, 9.0), (15.0, 8.0)])
def test_what_does_not_lie_within_the_original_is_found_nowhere(fragment):
    original, cover, _ = tune_and_cover([(0, 50)])
    assert known(original, cover, [fragment]) == {fragment: []}


def test_nothing_asked_is_nothing_found():
    original, cover, _ = tune_and_cover([(0, 50)])
    assert known(original, cover, []) == {}
