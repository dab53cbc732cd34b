"""How it is counted whether tunes are told to be in an index, on made figures."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.catalogue import tunes
from ml_worker.retrieval.index import measure_open_set
from ml_worker.retrieval.index.measure_open_set import (
    LEVELS,
    Group,
    Indexes,
    crossing,
    group_row,
    hindsight_level,
    own_hums,
    quantile_level,
    reliability,
    sung_tunes,
    together,
    voices,
)
from ml_worker.retrieval.index.open_set import Told
from ml_worker.tests.shared_data import shared_data


def told(here: list[float], key: str = "") -> Told:
    return Told(np.array(here), np.full(len(here), 5.0), [key] * len(here))


@pytest.mark.parametrize("name", LEVELS)
def test_each_way_of_drawing_a_line_lets_one_normal_value_of_a_hundred_across(name):
    rng = np.random.default_rng(0)
    levels = [LEVELS[name](rng.normal(2, 3, 1000), 0.01) for _ in range(20)]
    assert np.mean(levels) == pytest.approx(2 + 3 * 2.326, abs=0.4)


def test_the_highest_hums_lie_on_a_line_and_not_above():
    reached = np.arange(300.0)
    level = quantile_level(reached, 0.01)
    assert reached[reached >= level].tolist() == [298, 299]
    assert reached[reached >= hindsight_level(reached, 0.01)].tolist() == [298, 299]


def test_lines_are_drawn_again_and_again(monkeypatch):
    monkeypatch.setattr(measure_open_set, "DRAWS", 50)
    rng = np.random.default_rng(1)
    every = Told(rng.uniform(0, 1, 4000), rng.uniform(3, 15, 4000), [""] * 4000)
    shares = crossing(every, 1000, quantile_level, by_length=False)
    assert shares.shape == (50,)
    assert shares.mean() == pytest.approx(0.01, abs=0.002)
    assert shares.std() == pytest.approx(np.sqrt(10) / 1000, rel=0.4)


def test_accepted_is_what_is_right_and_over_the_line():
    group = Group(
        "voices",
        np.array([-1.0, -0.5, 0.5, -2]),
        np.array([1.0, 2.0, -0.1, 0.2]),
        np.array([1, 0, 1, 1], bool),
        "abab",
        "aabb",
    )
    row = group_row(group)
    assert row["n"] == "4, 4"
    assert row["not there, told to be"].startswith("0.250 [")
    assert row["right and told to be there"].startswith("0.500 [")
    assert row["right"] == 0.75
    assert row["at 5% in hindsight"] == 0.25  # only 1.0 is above all that are not there, and right


def test_of_those_told_so_sure_the_share_that_is_there_is_told():
    rows = list(
        reliability("hums", np.array([0.1, 0.85, 0.96]), np.array([0.15, 0.85, 1.0]), np.array([True, True, False]))
    )
    assert [(row["told"], row["n"], row["right and there"]) for row in rows] == [
        ("0..0.2", 2, 0.5),
        ("0.8..0.9", 2, 0.5),
        ("0.95..1", 2, 0.0),
    ]
    assert rows[0]["told on average"] == pytest.approx(0.125)


def test_own_hums_are_of_each_tune_in_turn():
    hums = list(own_hums(3))
    assert [slug for slug, _ in hums] == [tune.slug for tune in tunes()[:3]]
    assert all(melody.voiced.any() for _, melody in hums)


def test_what_was_told_is_kept(tmp_path, monkeypatch):
    indexes = Indexes(tmp_path, tmp_path, [])
    made = []

    def told_here(searcher, hums):
        made.append(list(hums))
        return told([0.25, 0.75], "key")

    monkeypatch.setattr(Indexes, "searcher", lambda self, index: index)
    monkeypatch.setattr(measure_open_set, "told_here", told_here)
    for _ in range(2):
        again = indexes.told("starter", "these", lambda: iter("ab"))
        assert (again.here.tolist(), again.voice_s.tolist(), again.keys) == ([0.25, 0.75], [5, 5], ["key", "key"])
    assert made == [["a", "b"]]
    both = together(again, told([0.5]))
    assert (both.here.tolist(), both.keys) == ([0.25, 0.75, 0.5], ["key", "key", ""])


def test_each_voice_sings_a_tune_that_has_one_reference_and_halves_share_none():
    data = shared_data("f0", "mast").parents[1]
    sung, references = voices(data), sung_tunes(data)
    names = [entry.key for entry in references]
    assert len(names) == len(set(names))
    assert set(sung.tunes) <= set(names)
    tuned = {tune for tune, is_tuned in zip(sung.tunes, sung.tuned, strict=True) if is_tuned}
    assert not tuned & {tune for tune, is_tuned in zip(sung.tunes, sung.tuned, strict=True) if not is_tuned}
    assert len(sung.melodies) == len(sung.tuned) == 149
