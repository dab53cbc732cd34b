"""Control items: how many, and what follows from the answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.crowd.gold import (
    LEAST,
    MOST,
    RECENT,
    START,
    Standing,
    accuracy,
    counts,
    gives_feedback,
    probability_of_gold,
    standing,
)
from annotation.crowd.simulation import passing_table, standing_table

NEW, TRUSTED, SET_ASIDE = Standing

answers_of = st.lists(st.booleans(), max_size=40)
few = st.integers(0, 50)


def after(before, answers):
    """Answers as "+" and "-"."""
    return standing(before, [answer == "+" for answer in answers])


def test_who_is_new_meets_many_and_who_has_proved_reliable_few():
    assert probability_of_gold(0, 0) == MOST
    assert LEAST < probability_of_gold(4, 1) < MOST
    assert probability_of_gold(3, 2) == MOST
    assert probability_of_gold(5, 0) < 0.08
    assert probability_of_gold(18, 2) < LEAST + 0.001
    assert probability_of_gold(14, 6) == MOST
    assert probability_of_gold(100_000, 10_000) == pytest.approx(LEAST)
    assert probability_of_gold(0, 100_000) == MOST


@given(few, few)
def test_right_answers_lower_it_and_wrong_ones_raise_it(right, wrong):
    now = probability_of_gold(right, wrong)
    assert LEAST <= probability_of_gold(right + 1, wrong) <= now <= probability_of_gold(right, wrong + 1) <= MOST


def test_counts_are_not_negative():
    with pytest.raises(ValueError, match="from 0"):
        probability_of_gold(-1, 0)


@pytest.mark.parametrize(
    ("before", "answers", "expected"),
    [
        (NEW, "", NEW),
        (NEW, "++++", NEW),
        (NEW, "++++++++", NEW),
        (NEW, "-+++++++++", TRUSTED),
        (NEW, "--++++++++", NEW),
        (NEW, "---+++++++++", TRUSTED),
        (NEW, "-------", NEW),
        (NEW, "-+-+-+-+", SET_ASIDE),
        (NEW, "-+++--++", NEW),
        (TRUSTED, "", TRUSTED),
        (TRUSTED, "----", TRUSTED),
        (TRUSTED, "-----", SET_ASIDE),
        (TRUSTED, "+++--", TRUSTED),
        (TRUSTED, "++---", SET_ASIDE),
        (TRUSTED, "+" * 40 + "-" * 7, TRUSTED),
        (TRUSTED, "+" * 40 + "-" * 8, SET_ASIDE),
        (SET_ASIDE, "", SET_ASIDE),
        (SET_ASIDE, "+" * 11, SET_ASIDE),
        (SET_ASIDE, "+" * 11 + "-", TRUSTED),
        (SET_ASIDE, "+" * 10 + "--", SET_ASIDE),
        (SET_ASIDE, "-" * 20 + "-" + "+" * 11, TRUSTED),
    ],
)
def test_standings(before, answers, expected):
    assert after(before, answers) is expected


@given(st.sampled_from(Standing), answers_of)
def test_only_these_changes_happen(before, answers):
    possible = {NEW: {NEW, TRUSTED, SET_ASIDE}, TRUSTED: {TRUSTED, SET_ASIDE}, SET_ASIDE: {SET_ASIDE, TRUSTED}}
    assert standing(before, answers) in possible[before]


@given(st.lists(st.booleans(), min_size=RECENT, max_size=40))
def test_what_is_long_past_is_forgotten(answers):
    assert standing(TRUSTED, answers) == standing(TRUSTED, answers[-RECENT:])


@given(answers_of)
def test_one_more_right_answer_never_sets_aside_who_is_trusted(answers):
    if len(answers) >= 5 and standing(TRUSTED, answers) is TRUSTED:
        assert standing(TRUSTED, [*answers, True]) is TRUSTED


def test_accuracy_starts_from_what_is_expected():
    assert accuracy([]) == START
    assert 0.85 < accuracy([True] * 5) < 1
    assert accuracy([False] * 100 + [True] * RECENT) == accuracy([True] * RECENT)


def test_whose_verdicts_count_and_who_is_told():
    assert [counts(one) for one in (NEW, TRUSTED, SET_ASIDE)] == [True, True, False]
    assert [gives_feedback(one) for one in (NEW, TRUSTED, SET_ASIDE)] == [True, False, True]


def test_good_reviewers_are_rarely_set_aside_and_who_guesses_soon():
    rows = {row["accuracy (synthetic)"]: row for row in standing_table(people=500)}
    assert rows[0.95]["set aside"] < 0.01
    assert rows[0.9]["set aside"] < 0.06
    assert rows[0.5]["set aside"] > 0.99
    assert rows[0.5]["median answers until"] <= 8
    assert rows[0.6]["median answers until"] <= 13


def test_who_does_not_listen_rarely_passes_and_who_does_passes_soon():
    rows = {row["reviewer (synthetic)"]: row for row in passing_table(people=400)}
    for guesses in (rows["says always yes"], rows["flips a coin"]):
        assert guesses["passes training"] < 0.1
        assert guesses["ever trusted"] < 0.15
        assert guesses["that count"] < 3
    for listens in (rows["0.90"], rows["0.95"]):
        assert listens["median items until"] < 14
        assert listens["not within 30"] < 0.03
        assert listens["share"] > 0.98
