"""The browser's limits and the server's: the same where they mean the same, else the browser's are the gentler."""

from __future__ import annotations

import pytest

from annotation.tests.front_end import Modules, modules, static_home
from ml_worker.judging import quality, thresholds

__all__ = ["modules", "static_home"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def limits(modules: Modules) -> dict[str, float]:
    return modules.run("take-limits.js", "return {...m}")


def test_the_browser_withholds_no_take_that_the_server_could_take(limits: dict[str, float]) -> None:
    assert limits["SILENT_DB"] < thresholds.QUIET_SOUND_DB
    assert limits["SILENT_DB"] < thresholds.TOO_QUIET_DB
    assert limits["SLIP_S"] == thresholds.SHORTEST_TAKE_S


def test_the_browser_advises_before_the_server_refuses(limits: dict[str, float]) -> None:
    assert limits["QUIET_DB"] > thresholds.TOO_QUIET_DB
    assert limits["GAPS_S"] < thresholds.DROPPED_S
    assert limits["CEILING"] <= quality.FULL_SCALE


def test_a_brisk_singer_is_not_told_that_a_whole_phrase_is_cut_off(limits: dict[str, float]) -> None:
    """The browser counts seconds, the server notes: all of them take less time at a brisk tempo."""
    assert limits["LEAST_SHARE"] < thresholds.COVERED


def test_what_means_the_same_is_the_same(limits: dict[str, float]) -> None:
    assert limits["FLAT_RUN"] == quality.CLIPPED_RUN
    assert limits["NOTHING_DB"] == quality.LOWEST_DB
    assert (limits["HOLE_S"], limits["HOLE"]) == (quality.DROPOUT_S, quality.HOLE)
    assert (limits["BESIDE_HOLE_S"], limits["BESIDE_HOLE_DB"]) == (quality.BESIDE_S, quality.BESIDE_DB)
    assert limits["NARROW_BAND_HZ"] == thresholds.NARROW_BAND_HZ
    assert limits["EMPTY_BAND_DB"] == quality.BAND_FLOOR_DB


def test_a_leak_that_means_headphones_lies_under_what_the_meter_calls_silent(limits: dict[str, float]) -> None:
    """A melody at -20 dBFS that comes back weaker by that much."""
    assert -20 + limits["HEADPHONES_BELOW_DB"] < limits["SILENT_DB"]
