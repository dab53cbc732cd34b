"""What a release tells of its singers is shared by five or more, and as much as that allows is told."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.release.frozen.rule_of_five import suppress

COLUMNS = ("device_class", "age_band", "gender")
VALUES = (("", "phone", "tablet"), ("", "18-29", "30-39"), ("", "woman", "man"))

ROWS = st.lists(
    st.tuples(st.integers(0, 11), *(st.sampled_from(values) for values in VALUES)), max_size=40
)  # fmt: skip


def as_rows(drawn):
    """Rows and singers of (singer, value, value, value)."""
    return [dict(zip(COLUMNS, values, strict=True)) for _, *values in drawn], [singer for singer, *_ in drawn]


def rows_of(values, singers):
    """A row for each singer, all with the same values."""
    return [dict(zip(COLUMNS, values, strict=True)) for _ in singers], list(singers)


def combination(row):
    return tuple(row[column] for column in COLUMNS)


def sets_of(rows, singers):
    """{singer: the combinations that its rows show}."""
    found = defaultdict(set)
    for row, singer in zip(rows, singers, strict=True):
        found[singer] |= {combination(row)} if any(row.values()) else set()
    return found


def holds(rows, singers, at_least):
    """The rule, written plainly: who shows anything shows the same as at least so many singers."""
    found = list(sets_of(rows, singers).values())
    return all(not mine or sum(other == mine for other in found) >= at_least for mine in found)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.integers(1, 5))
def test_every_combination_in_a_row_is_shared(drawn, at_least):
    rows, singers = as_rows(drawn)
    shown = suppress(rows, singers, COLUMNS, at_least)
    showing = defaultdict(set)
    for row, singer in zip(shown, singers, strict=True):
        showing[combination(row)].add(singer)
    assert all(len(who) >= at_least for values, who in showing.items() if any(values))


@settings(max_examples=300, deadline=None)
@given(ROWS, st.integers(1, 5))
def test_what_a_singer_shows_over_all_rows_together_is_shared(drawn, at_least):
    rows, singers = as_rows(drawn)
    shown = suppress(rows, singers, COLUMNS, at_least)
    together = defaultdict(lambda: {column: set() for column in COLUMNS})
    for row, singer in zip(shown, singers, strict=True):
        for column in COLUMNS:
            together[singer][column] |= {row[column]} - {""}
    for mine in together.values():
        assert not any(mine.values()) or sum(other == mine for other in together.values()) >= at_least
    assert holds(shown, singers, at_least)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.integers(1, 5))
def test_a_column_of_a_singer_is_shown_as_it_was_or_emptied_everywhere(drawn, at_least):
    rows, singers = as_rows(drawn)
    shown = suppress(rows, singers, COLUMNS, at_least)
    for column in COLUMNS:
        for singer in singers:
            mine = [(a[column], b[column]) for a, b, who in zip(rows, shown, singers, strict=True) if who == singer]
            assert all(after == before for before, after in mine) or all(after == "" for _, after in mine)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.integers(1, 4))
def test_no_singer_could_show_more(drawn, at_least):
    """Any one singer who showed more columns would break the rule."""
    rows, singers = as_rows(drawn)
    shown = suppress(rows, singers, COLUMNS, at_least)
    for singer in set(singers):
        mine = [place for place, who in enumerate(singers) if who == singer]
        now = {column for column in COLUMNS if any(shown[place][column] for place in mine)}
        told = {column for column in COLUMNS if any(rows[place][column] for place in mine)}
        for size in range(len(now) + 1, len(told) + 1):
            for columns in combinations(told, size):
                more = list(shown)
                for place in mine:
                    more[place] = {column: rows[place][column] if column in columns else "" for column in COLUMNS}
                assert not holds(more, singers, at_least)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_a_second_time_matters(drawn, shuffler: random.Random):
    rows, singers = as_rows(drawn)
    shown = suppress(rows, singers, COLUMNS, 3)
    assert suppress(shown, singers, COLUMNS, 3) == shown
    order = list(range(len(rows)))
    shuffler.shuffle(order)
    shuffled = suppress([rows[place] for place in order], [singers[place] for place in order], COLUMNS, 3)
    assert shuffled == [shown[place] for place in order]


def test_four_singers_are_not_told_apart_and_five_are():
    values = ("phone", "30-39", "woman")
    assert suppress(*rows_of(values, range(5)), COLUMNS) == rows_of(values, range(5))[0]
    assert suppress(*rows_of(values, range(4)), COLUMNS) == rows_of(("", "", ""), range(4))[0]


def test_many_hums_of_four_singers_stay_four():
    values = ("phone", "30-39", "woman")
    assert not any(any(row.values()) for row in suppress(*rows_of(values, [0, 1, 2, 3] * 10), COLUMNS))


def test_the_last_column_is_emptied_first():
    """Six singers who differ in the last column, three and three, and could as well lose the first."""
    women, singers = rows_of(("phone", "30-39", "woman"), range(3))
    men, more = rows_of(("phone", "30-39", "man"), range(3, 6))
    assert suppress(women + men, singers + more, COLUMNS) == rows_of(("phone", "30-39", ""), range(6))[0]


def test_a_rare_device_costs_the_device_alone():
    tablets, singers = rows_of(("tablet", "30-39", "woman"), range(4))
    unknown, more = rows_of(("", "30-39", "woman"), range(4, 5))
    shown = suppress(tablets + unknown, singers + more, COLUMNS)
    assert shown == rows_of(("", "30-39", "woman"), range(5))[0]


def test_one_hum_on_another_device_does_not_single_out():
    """Six with phones, of whom one hummed on a tablet once: that one shows no device at all, nor is there a row that
    only this one has."""
    rows, singers = rows_of(("phone", "30-39", "woman"), range(6))
    rows.append({"device_class": "tablet", "age_band": "30-39", "gender": "woman"})
    shown = suppress(rows, [*singers, 0], COLUMNS)
    assert shown[1:6] == rows[1:6]
    assert shown[0] == shown[6] == {"device_class": "", "age_band": "", "gender": ""}


def test_only_the_columns_are_given_and_missing_ones_are_empty():
    rows = [{"device_class": "phone", "name": "Ann"}] * 5
    assert suppress(rows, "abcde", ("device_class", "gender")) == [{"device_class": "phone", "gender": ""}] * 5


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="each row has to have its singer"):
        suppress([{}], [], COLUMNS)
    with pytest.raises(ValueError, match="no rule"):
        suppress([], [], COLUMNS, 0)
