"""What alignment promises: offset, tempo and key of a hum are found, wherever and in whichever octave it lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ml_worker.judging import align, check_reference
from ml_worker.judging.alignment import at, cheapest_sums, pitch_range, trace
from ml_worker.tests.made_hums import curve_melody, hummed, phrase
from ml_worker.tests.made_tunes import made_tune, melody_of


def moves(reference):
    """Whether it is more than one note, which made-up phrases of 4 s may be."""
    pitch = reference.pitch()
    return pitch_range(pitch[~np.isnan(pitch)]) > 2


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    seconds=st.floats(4, 12),
    offset_s=st.floats(0, 4),
    tempo_ratio=st.floats(0.72, 1.38),
    transposition=st.integers(-24, 24),
    after_s=st.floats(0, 3),
)
def test_offset_tempo_and_key_are_found(seed, seconds, offset_s, tempo_ratio, transposition, after_s):
    reference = phrase(seed, seconds)
    assume(moves(reference))
    hum = hummed(reference, offset_s=offset_s, tempo_ratio=tempo_ratio, transposition=transposition, after_s=after_s)
    found = align(hum, reference)
    assert found.offset_s == pytest.approx(offset_s, abs=0.03)
    assert found.tempo_ratio == pytest.approx(tempo_ratio, rel=0.01)
    assert found.transposition == pytest.approx(transposition, abs=0.1)
    assert found.similarity > 0.7
    assert found.coverage > 0.95


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), offset_s=st.floats(0, 3), tempo_ratio=st.floats(0.8, 1.25))
def test_a_person_who_drifts_and_slips_octaves_is_found_too(seed, offset_s, tempo_ratio):
    notes = made_tune(seed, 20)
    reference = melody_of(notes, drift=0).cut(3, 11)
    person = melody_of(notes, seed=seed, drift=0.3, octave_errors=0.05).cut(3, 11)
    found = align(hummed(person, offset_s=offset_s, tempo_ratio=tempo_ratio), reference)
    assert found.offset_s == pytest.approx(offset_s, abs=0.05)
    assert found.tempo_ratio == pytest.approx(tempo_ratio, rel=0.02)


def test_any_key_and_octave_are_equally_similar():
    reference = phrase(1)
    similarities = [align(hummed(reference, transposition=key), reference).similarity for key in (-12, -5, 0, 0.5, 12)]
    assert np.ptp(similarities) < 0.03


def test_the_hop_of_the_curves_does_not_matter():
    reference = phrase(2)
    finer = curve_melody(at(reference.pitch(), reference.hop_s, np.arange(0, reference.duration_s, 0.01)), 0.01)
    hum = hummed(reference, offset_s=1.0, tempo_ratio=1.1)
    assert align(hum, finer).offset_s == pytest.approx(align(hum, reference).offset_s, abs=0.02)


def test_what_comes_before_and_after_does_not_matter():
    reference = phrase(3)
    take = hummed(reference, offset_s=0.2)
    rng = np.random.default_rng(0)
    laughter = rng.uniform(50, 80, 60).repeat(4).astype(np.float32)
    silence = np.full(120, np.nan, dtype=np.float32)
    longer = curve_melody(np.concatenate([laughter, silence, take.pitch(), silence, laughter]))
    found = align(longer, reference)
    assert found.offset_s == pytest.approx(0.2 + 360 * take.hop_s, abs=0.03)
    assert found.similarity > 0.7


def test_a_part_is_found_where_it_belongs():
    reference = phrase(4, 9)
    whole = hummed(reference, offset_s=0)
    end = whole.cut(3, whole.duration_s)
    found = align(end, reference)
    assert found.offset_s == pytest.approx(-3, abs=0.05)
    assert found.coverage == pytest.approx(6 / 9, abs=0.1)


def test_covering_more_of_the_melody_is_more_similar():
    reference = phrase(5, 8)
    whole = hummed(reference, offset_s=0, after_s=0)
    similarities = [align(whole.cut(0, seconds), reference).similarity for seconds in (4, 5, 6, 7, 8)]
    assert similarities == sorted(similarities)


def test_more_wrong_notes_are_less_similar():
    reference = phrase(6, 8)
    pitch = hummed(reference, offset_s=0, after_s=0).pitch()
    similarities = []
    for wrong_s in (0, 1, 2, 3, 4):
        worse = pitch.copy()
        worse[: round(wrong_s / 0.016)] += 4
        similarities.append(align(curve_melody(worse), reference).similarity)
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] - similarities[-1] > 0.3


def test_worse_tuning_is_less_similar():
    notes = made_tune(7, 20)
    reference = melody_of(notes, drift=0).cut(3, 11)
    similarities = [
        align(melody_of(notes, seed=1, drift=drift).cut(3, 11), reference).similarity for drift in (0, 0.4, 0.8, 1.6)
    ]
    assert similarities == sorted(similarities, reverse=True)


def test_a_melody_sung_twice_is_found_at_the_expected_time():
    reference = phrase(8, 5)
    once = hummed(reference, offset_s=0.5, after_s=0.5).pitch()
    twice = curve_melody(np.concatenate([once, once]))
    second_s = 0.5 + len(once) * 0.016
    assert align(twice, reference, expected_offset_s=0.3).offset_s == pytest.approx(0.5, abs=0.03)
    assert align(twice, reference, expected_offset_s=second_s - 0.2).offset_s == pytest.approx(second_s, abs=0.03)


def test_hummed_once_it_is_found_far_from_the_expected_time_too():
    reference = phrase(9, 6)
    hum = hummed(reference, offset_s=5.0, tempo_ratio=0.85)
    assert align(hum, reference, expected_offset_s=0.0).offset_s == pytest.approx(5.0, abs=0.03)


def test_one_place_is_surer_than_two():
    reference = phrase(10, 5)
    once = hummed(reference).pitch()
    assert align(curve_melody(once), reference).confidence > 0.5
    assert align(curve_melody(np.concatenate([once, once])), reference).confidence < 0.1


def test_the_path_rises_and_lies_at_the_notes():
    reference = phrase(11, 8)
    found = align(hummed(reference, offset_s=1, tempo_ratio=1.2), reference)
    assert (np.diff(found.path, axis=0) > 0).all()
    assert np.abs(found.path[:, 1] - (1 + 1.2 * found.path[:, 0])).max() < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_a_reference_of_which_a_third_is_wrong_is_found_in_time(seed):
    """As melodies are that were tracked in a mix."""
    reference = phrase(20 + seed, 9)
    pitch = reference.pitch()
    rng = np.random.default_rng(seed)
    for start in rng.permutation(len(pitch) // 20)[: len(pitch) // 60]:
        pitch[start * 20 : (start + 1) * 20] = rng.uniform(45, 75)
    found = align(hummed(reference, offset_s=1.2, tempo_ratio=1.04), curve_melody(pitch, reference.hop_s))
    assert found.offset_s == pytest.approx(1.2, abs=0.04)
    assert found.tempo_ratio == pytest.approx(1.04, rel=0.01)


def test_no_voice_gives_no_alignment():
    assert align(curve_melody(np.full(500, np.nan, dtype=np.float32)), phrase(12)) is None
    assert align(curve_melody(np.zeros(0, dtype=np.float32)), phrase(12)) is None


def test_a_reference_that_nothing_can_be_judged_by_is_refused_in_words():
    with pytest.raises(ValueError, match="Choose a longer fragment"):
        check_reference(phrase(13).cut(0, 0.5))
    with pytest.raises(ValueError, match="keeps to one note"):
        check_reference(curve_melody(np.full(400, 60, dtype=np.float32)))


def test_sums_of_paths_agree_with_the_definition_written_as_loops():
    costs = np.random.default_rng(0).uniform(0, 1, (9, 2, 5)).astype(np.float32)
    total = cheapest_sums(costs)
    expected = np.full((9, 2, 5), np.inf)
    expected[0] = 2 * costs[0]
    for row in range(1, 9):
        for key in range(2):
            for place in range(5):
                cost = costs[row, key, place]
                options = [expected[row - 1, key, place] + 2 * cost]
                if place > 0:
                    options.append(expected[row - 1, key, place - 1] + 3 * cost)
                if place < 4 and row > 1:
                    options.append(expected[row - 2, key, place + 1] + 3 * cost)
                expected[row, key, place] = min(options)
    np.testing.assert_allclose(total[:, :, 1:-1], expected, rtol=1e-5)
    place = int(np.argmin(expected[-1, 0]))
    cells = trace(total[:, 0], costs[:, 0], place)
    weights = np.concatenate([[2], np.diff(cells[:, 0]) + np.diff(cells.sum(axis=1))])
    assert np.sum(weights * costs[cells[:, 0], 0, cells[:, 1]]) == pytest.approx(expected[-1, 0, place], rel=1e-4)
