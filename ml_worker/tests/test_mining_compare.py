"""The figures of mining: the pairs they come from, how what is found is counted, and the methods side by side."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.bench import BENCHMARKS
from ml_worker.catalogue import tunes
from ml_worker.catalogue.composer import compose_tunes
from ml_worker.catalogue.tune_files import Score
from ml_worker.catalogue.voice import TimedNote
from ml_worker.fingerprint.shipped import unseen_tunes
from ml_worker.mining import compare
from ml_worker.mining.align import PITCH_CURVE, align_melodies, shipped_methods
from ml_worker.mining.calibration import SHORTEST_S, composed_scores
from ml_worker.mining.compare import ALIGN, Findings, compared, figures_of, ours, row, true_ratio
from ml_worker.mining.constructed import Situation
from ml_worker.mining.labelled import (
    CUT_S,
    HELD_BACK,
    UNRELATED_PER_TUNE,
    LabelledPair,
    collected_tunes,
    composed_pairs,
    composed_tunes,
    constructed_pairs,
    cut,
    null_tunes,
    seconds_of,
    starter_pairs,
)
from ml_worker.mining.many import ORIGINALS, many_in_words, mine_many, spared_in_words
from ml_worker.mining.peers import SharedStretch
from ml_worker.mining.played import COVERS, from_notes
from ml_worker.tests.made_pairs import steady
from ml_worker.tests.shared_data import shared_data

SILENT = steady([60.0])


def stretch(a: tuple[float, float], b: tuple[float, float]) -> SharedStretch:
    return SharedStretch(a, b, 0.9, (b[1] - b[0]) / (a[1] - a[0]))


# --- the pairs


def test_composed_tunes_for_measuring_are_used_for_nothing_else():
    measured = {score.name for score in composed_tunes(20)}
    assert len(measured) == 20
    assert not measured & {score.name for score in composed_scores(20)}
    assert not measured & {tune.name for tune in unseen_tunes(20, SHORTEST_S)}
    assert not measured & {score.name for score in compose_tunes(20, seed=1)}
    assert [score.name for score in composed_tunes(3)] == [score.name for score in composed_tunes(20)[:3]]


def test_tunes_of_a_collection_are_none_of_its_null_level_and_no_two_are_one():
    shared_data("melodies", "nottingham.zip")
    found = list(islice(collected_tunes("nottingham"), 30))
    null = {name.rsplit("/", 1)[-1].removesuffix(".mid") for name, _ in null_tunes("nottingham")}
    assert not null & {score.name for score in found}
    assert all(SHORTEST_S <= seconds_of(score) <= CUT_S for score in found)
    heard = [pieces(score) for score in found]
    assert not [1 for at, one in enumerate(heard) for other in heard[:at] if one & other]


def pieces(score: Score, length: int = 12) -> set[tuple[float, ...]]:
    steps = [later.pitch - earlier.pitch for earlier, later in pairwise(score.notes)]
    return {tuple(steps[first : first + length]) for first in range(len(steps) - length + 1)}


@given(st.lists(st.floats(0.1, 30), min_size=1, max_size=20), st.floats(0, 50))
def test_a_tune_is_cut_after_a_whole_note(lengths_s, before_s):
    notes, at_s = [], before_s
    for length_s in lengths_s:
        notes.append(TimedNote(at_s, at_s + length_s, 60.0))
        at_s += length_s
    kept = cut(Score("tune", notes)).notes
    assert kept == notes[: len(kept)]
    assert kept[-1].end_s <= before_s + CUT_S
    assert len(kept) == len(notes) or notes[len(kept)].end_s > before_s + CUT_S


def test_each_situation_comes_in_turn_and_each_original_meets_covers_of_others():
    count = len(Situation) + 1
    pairs = composed_pairs(count)
    related = [pair for pair in pairs if pair.time_map]
    assert [pair.situation for pair in related] == [*map(str, Situation), str(Situation.PLAIN)]
    unrelated = [pair for pair in pairs if not pair.time_map]
    assert len(unrelated) == UNRELATED_PER_TUNE * count
    for pair in unrelated:
        (own,) = [one for one in related if one.a is pair.a]
        assert pair.b is not own.b
        assert any(one.b is pair.b for one in related)


def test_two_tunes_are_unrelated_to_each_other_alone():
    assert [bool(pair.time_map) for pair in composed_pairs(2)] == [True, False, True, False]
    assert [bool(pair.time_map) for pair in constructed_pairs(composed_tunes(2))] == [True]


def test_tunes_of_the_catalogue_come_with_all_their_covers():
    held_back = [tune for tune in tunes() if tune.slug in HELD_BACK]
    assert len(held_back) == len(HELD_BACK)
    pairs = starter_pairs(held_back[:3], from_notes)
    assert sum(bool(pair.time_map) for pair in pairs) == 3 * len(COVERS)
    assert sum(not pair.time_map for pair in pairs) == 3 * UNRELATED_PER_TUNE


# --- how it is counted


LINE = [(0.0, 0.0), (20.0, 24.0)]
AGAIN = [(30.0, 0.0), (50.0, 24.0)]


def test_another_place_of_the_same_music_is_right_but_not_strictly():
    pair = LabelledPair(SILENT, SILENT, [LINE], [AGAIN])
    figures = figures_of([Findings(pair, [stretch((0, 10), (0, 12)), stretch((40, 50), (12, 24))])])
    assert (figures.precision, figures.recall) == (1.0, pytest.approx(1.0))
    assert (figures.strict_precision, figures.strict_recall) == (0.5, pytest.approx(0.5))


def test_what_unrelated_pairs_give_is_wrong_and_the_time_is_of_all_pairs():
    related, unrelated = LabelledPair(SILENT, SILENT, [LINE]), LabelledPair(SILENT, SILENT, ())
    right = [stretch((0, 20), (0.1, 24.1))]
    figures = figures_of([Findings(related, right, 1.0), Findings(unrelated, right, 2.0), Findings(unrelated, [], 6.0)])
    assert (figures.found, figures.precision, figures.false_per_unrelated) == (2, 0.5, 0.5)
    assert (figures.start_error_s, figures.seconds) == (pytest.approx(0.1), 3.0)


def test_where_nothing_is_found_nothing_is_wrong():
    figures = figures_of([Findings(LabelledPair(SILENT, SILENT, [LINE]), [])])
    assert (figures.found, figures.precision, figures.recall) == (0, 1.0, 0.0)
    assert (figures.start_error_s, figures.tempo_error) == (None, None)
    assert row("nobody", figures).startswith("nobody")


@given(st.floats(0.7, 1.4), st.floats(0.97, 1.03))
def test_the_tempo_is_off_by_the_share_that_the_ratio_is_off(ratio, factor):
    line = [(0.0, 5.0), (20.0, 5.0 + 20 * ratio)]
    one = SharedStretch((2.0, 18.0), (5 + 2 * ratio, 5 + 18 * ratio), 0.9, ratio * factor)
    figures = figures_of([Findings(LabelledPair(SILENT, SILENT, [line]), [one])])
    assert figures.tempo_error == pytest.approx(abs(factor - 1), abs=1e-6)


def test_the_true_ratio_is_of_what_the_fragment_covers():
    """Of a cover that becomes slower, and only where the fragment is right."""
    line = [(0.0, 0.0), (10.0, 10.0), (20.0, 30.0)]
    assert true_ratio(stretch((10, 20), (10, 30)), [line]) == pytest.approx(2.0)
    assert true_ratio(stretch((5, 15), (5, 20)), [line]) == pytest.approx(1.5)
    assert true_ratio(stretch((0, 10), (15, 25)), [line]) is None


# --- the methods


def test_align_is_what_both_methods_accept_one_after_the_other():
    pair = composed_pairs(2)[0]
    by_name = ours(shipped_methods(), pair)
    assert list(by_name) == ["pitch curves", "short network", ALIGN]
    printed = align_melodies(pair.a, pair.b, shipped_methods())
    assert printed
    assert [(round(one.a[0], 2), round(one.b[1], 2)) for one in by_name[ALIGN].found] == [
        (one["a"][0], one["b"][1]) for one in printed
    ]
    assert by_name[ALIGN].seconds == pytest.approx(sum(one.seconds for one in by_name.values()) / 2, rel=0.05)


def test_methods_are_chosen_by_the_beginnings_of_their_names():
    pairs = [LabelledPair(SILENT, SILENT, ())]
    assert set(compared(pairs, ["qm", "subseq"])) == {"subsequence DTW", "Qmax"}
    assert not compared(pairs, ["nobody"])


@pytest.fixture
def quick(monkeypatch):
    """The pitch curves and one peer alone, which need no network and compile nothing, on two tunes."""
    monkeypatch.setattr(compare, "shipped_methods", lambda: [PITCH_CURVE])
    monkeypatch.setattr(compare, "PEERS", {name: compare.PEERS[name] for name in ("subsequence DTW", "Qmax")})
    monkeypatch.setattr(compare, "composed_pairs", lambda number: composed_pairs(2))


def test_every_method_sees_every_pair(quick):
    pairs = composed_pairs(2)
    for findings in compared(pairs).values():
        assert all(one.pair is pair for one, pair in zip(findings, pairs, strict=True))


def test_the_benchmark_has_a_row_for_each_method(quick):
    assert BENCHMARKS["mining"].module == compare.__name__
    rows = {line["method"]: line for line in BENCHMARKS["mining"].run()}
    assert list(rows) == ["pitch curves", ALIGN, "subsequence DTW", "Qmax"]
    assert rows["subsequence DTW"]["time over DTW's"] == 1.0
    for line in rows.values():
        assert 0 <= line["strict precision"] <= line["precision"] <= 1


def test_tables_are_printed_with_the_situations_of_ours(quick, capsys):
    compare.print_compared("two tunes", composed_pairs(2))
    printed = capsys.readouterr().out
    assert "2 related pairs, 2 unrelated" in printed
    for name in ("pitch curves", "Qmax", str(Situation.PLAIN), str(Situation.TEMPO_CHANGE)):
        assert f"\n{name} " in printed


# --- many pairs


def test_every_original_meets_every_cover_until_there_are_so_many():
    mined = list(mine_many(PITCH_CURVE, ORIGINALS + 3))
    assert len(mined) == ORIGINALS + 3
    assert [at for at, one in enumerate(mined) if one.is_related] == [0, ORIGINALS + 1]
    assert all(one.accepted and not one.was_spared for one in mined if one.is_related)
    assert not any(one.accepted for one in mined if one.was_spared)
    assert [one.peak_bytes for one in mined] == sorted(one.peak_bytes for one in mined)
    assert 10e6 < mined[0].peak_bytes < 100e9


def test_what_was_spared_is_told_of_related_and_unrelated_pairs():
    (one,) = mine_many(PITCH_CURVE, 1)
    unrelated = replace(one, is_related=False, was_spared=True, accepted=0)
    related, others = spared_in_words([replace(one, accepted=2), unrelated, unrelated])
    assert related == "related: 1 pairs, 0 spared the map, 2 fragments accepted"
    assert others == "unrelated: 2 pairs, 2 spared the map, 0 fragments accepted"
    assert np.isfinite(one.seconds)


def test_it_is_told_how_many_pairs_went_how_fast_in_how_much_memory(monkeypatch):
    monkeypatch.setattr("ml_worker.mining.many.TOLD_EVERY", 2)
    lines = list(many_in_words(PITCH_CURVE, 4))
    assert [line.split(" pairs:")[0].strip() for line in lines[:2]] == ["2", "4"]
    assert all(" ms a pair" in line and line.endswith(" MB") for line in lines[:2])
    assert "4 pairs with their fingerprints" in lines[2]
    assert lines[-1].startswith("the first 2 took")
