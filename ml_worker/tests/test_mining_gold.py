"""Agreement with a time map, on cases small enough to check by hand."""

import pytest

from ml_worker.mining.gold import Place, agreement, agreement_on_fragments, is_right, repeats, through_repeats
from ml_worker.tests.made_tunes import MadeNote

# The cover plays 10..30 of the original at half its tempo from second 5 on, then 0..10 at its tempo from 50 on.
TIME_MAP = [[[10, 5], [30, 45]], [[0, 50], [10, 60]]]


def found(a, b, correlation=0.9):
    return Place(a, b, correlation)


def test_true_fragments_are_right():
    result = agreement([found((10, 20), (5, 25)), found((20, 30), (25, 45)), found((0, 10), (50, 60))], TIME_MAP)
    assert (result.precision, result.recall, result.median_start_error_s) == (1, 1, 0)


def test_a_start_half_a_second_off_is_right_and_more_is_not():
    result = agreement([found((10, 20), (5.4, 25)), found((0, 10), (50.6, 60))], TIME_MAP)
    assert (result.found, result.right) == (2, 1)
    assert result.start_errors_s == pytest.approx((0.4,))


def test_a_start_that_is_right_does_not_save_a_wrong_end():
    assert agreement([found((10, 20), (5, 14.9))], TIME_MAP).precision == 0
    assert agreement([found((10, 20), (5, 15.1))], TIME_MAP).precision == 1


def test_a_fragment_mostly_outside_what_is_played_is_wrong():
    assert agreement([found((4, 14), (44, 54))], TIME_MAP).precision == 0


def test_one_fragment_alone_is_judged_as_among_others():
    places = [
        found((10, 20), (5, 25)),
        found((10, 20), (5.6, 25.6)),
        found((4, 14), (44, 54)),
        found((40, 50), (5, 15)),
    ]
    assert [is_right(one, TIME_MAP) for one in places] == [True, False, False, False]
    assert [agreement([one], TIME_MAP).right for one in places] == [1, 0, 0, 0]
    assert not is_right(places[0], [])


def test_recall_is_the_share_of_the_covers_seconds():
    assert agreement([found((0, 10), (50, 60))], TIME_MAP).recall == pytest.approx(10 / 50)
    assert agreement([found((0, 10), (50, 60))] * 2, TIME_MAP).recall == pytest.approx(10 / 50)


def test_nothing_found_where_nothing_is():
    empty = agreement([], [])
    assert (empty.precision, empty.recall, empty.median_start_error_s) == (1, 1, None)
    assert agreement([found((0, 5), (0, 5))], []).precision == 0
    assert agreement([], TIME_MAP).recall == 0


def test_every_occurrence_of_a_known_fragment_is_expected():
    twice = [[[0, 0], [20, 20]], [[5, 30], [20, 45]]]
    both = {(6.0, 12.0): [found((6, 12), (6, 12)), found((6, 12), (31, 37))]}
    one = {(6.0, 12.0): [found((6, 12), (31, 37))]}
    assert agreement_on_fragments(both, twice).recall == 1
    assert agreement_on_fragments(one, twice).recall == 0.5
    assert agreement_on_fragments({(6.0, 12.0): []}, twice).recall == 0


def test_a_fragment_that_the_cover_leaves_out_is_not_expected():
    result = agreement_on_fragments({(40.0, 46.0): []}, TIME_MAP)
    assert (result.precision, result.recall) == (1, 1)


def test_one_occurrence_found_twice_is_wrong_once():
    double = {(12.0, 18.0): [found((12, 18), (9, 21), 0.9), found((12, 18), (9.3, 21.3), 0.8)]}
    result = agreement_on_fragments(double, TIME_MAP)
    assert (result.found, result.right, result.start_errors_s) == (2, 1, pytest.approx((0,)))


def test_the_same_music_elsewhere_is_neither_right_nor_wrong_for_a_known_fragment():
    alike = [[[0, 80], [10, 90]]]
    ones = {(0.0, 10.0): [found((0, 10), (50, 60)), found((0, 10), (80, 90))]}
    assert agreement_on_fragments(ones, TIME_MAP).precision == 0.5
    assert agreement_on_fragments(ones, TIME_MAP, alike=alike).precision == 1


def phrase_at(second, notes, up=0):
    return [MadeNote(second + start, second + start + 0.4, pitch + up) for start, pitch in notes]


PHRASE = [(0, 60), (0.5, 62), (1, 64), (2, 65), (2.5, 67), (4, 60), (5, 59)]
OTHER = [(0, 60), (1, 55), (1.5, 57), (3, 70), (5, 71)]


def test_repeats_are_found_in_the_score_in_any_key():
    score = phrase_at(0, PHRASE) + phrase_at(8, OTHER) + phrase_at(16, PHRASE, up=5)
    found = repeats(score)
    (there,) = [line for line in found if line[0][1] - line[0][0] == pytest.approx(16)]
    assert there[0] == pytest.approx([0, 16], abs=0.1)
    assert there[-1] == pytest.approx([5.4, 21.4], abs=0.6)
    assert [[later, earlier] for earlier, later in there] in found


def test_a_phrase_in_another_rhythm_on_the_same_notes_is_a_repeat():
    varied = [(0, 60), (0.25, 60), (0.5, 62), (1, 64), (1.5, 64), (2, 65), (2.5, 67), (3, 67), (4, 60), (5, 59)]
    assert repeats(phrase_at(0, PHRASE) + phrase_at(8, varied))


def test_another_phrase_is_no_repeat():
    assert repeats(phrase_at(0, PHRASE) + phrase_at(8, OTHER)) == []


def test_what_is_alike_follows_the_repeats_into_the_cover():
    again = [[[0, 16], [5, 21]], [[16, 0], [21, 5]]]
    (line,) = through_repeats(again, [[[16, 100], [21, 110]]])
    assert line[0] == pytest.approx([0, 100])
    assert line[-1] == pytest.approx([5, 110])
