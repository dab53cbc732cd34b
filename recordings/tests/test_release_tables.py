"""Values of the tables are written in one way and read back as they were."""

from __future__ import annotations

from ast import literal_eval

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.release.tables import DATASET_COLUMNS, DECIMAL, ID, INTERVAL, interval, number, read_interval


@given(st.floats(-1e6, 1e6))
def test_numbers_are_plain_and_exact_to_the_millionth(value):
    text = number(value)
    assert DECIMAL.fits(text)
    assert "e" not in text
    assert float(text) == pytest.approx(value, abs=5e-7)


@pytest.mark.parametrize(
    ("value", "text"), [(4, "4.0"), (0.25, "0.25"), (-0.0000001, "0.0"), (1e-7, "0.0"), (None, ""), (float("nan"), "")]
)
def test_numbers_as_text(value, text):
    assert number(value) == text


@given(st.floats(0, 1e5), st.floats(0.001, 1e3))
def test_an_interval_is_a_python_literal(start_s, lasts_s):
    text = interval(start_s, start_s + lasts_s)
    assert INTERVAL.fits(text)
    assert literal_eval(text) == list(read_interval(text))


@pytest.mark.parametrize(
    "text", ["", "[]", "[1.0]", "[2.0, 1.0]", "[-1.0, 2.0]", "[1, 2, 3]", "[nan, 1.0]", "[[1, 2]]"]
)
def test_what_is_no_interval(text):
    assert not INTERVAL.fits(text)


@pytest.mark.parametrize(
    "text", ["", "../..", "1B4E28BA-2FA1-41D2-883F-0016D3CCA427", "1b4e28ba2fa141d2883f0016d3cca427"]
)
def test_what_is_no_id(text):
    assert not ID.fits(text)


def test_the_columns_are_those_of_the_paper():
    assert " ".join(DATASET_COLUMNS) == (
        "group_id fragment_id id audio_type youtube_id interval correlation check_by_crowdsource is_available duration"
    )
