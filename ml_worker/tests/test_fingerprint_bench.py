"""The benchmark of speed has its rows, whatever they say on this machine."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.audio.measure_memory import write_song
from ml_worker.bench import BENCHMARKS
from ml_worker.fingerprint import bench
from ml_worker.fingerprint.bench import HOP_S, made_melody, row_of, table

SECONDS = 4.0


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[dict]:
    song = tmp_path_factory.mktemp("made") / "song.wav"
    write_song(song, SECONDS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "PEER", "cqt")  # CREPE takes seconds
        return table(SECONDS, song, turns=1, memory=False)


def test_every_way_and_part_has_a_row(rows):
    names = [row["what"] for row in rows]
    assert len(names) == len(set(names))
    for kind in ("short", "long"):
        for way in ("in one pass", "window by window"):
            assert f"{kind} fingerprints {way}" in names
        assert f"analysis, {kind} fingerprints" in names
    assert {"analysis, decoding", "analysis, melody", "analysis, all", "melody by cqt"} <= set(names)


def test_the_rows_have_one_form_and_the_targets_stand_beside_what_they_are_for(rows):
    assert all(list(row) == ["what", "on", "seconds", "times", "target", "MB"] for row in rows)
    targets = {row["what"]: row["target"] for row in rows if row["target"]}
    assert targets == {
        "short fingerprints in one pass": 100,
        "long fingerprints in one pass": 100,
        "analysis, all": 20,
    }


def test_the_parts_make_up_the_whole(rows):
    seconds = {row["what"]: row["seconds"] for row in rows}
    parts = [name for name in seconds if name.startswith("analysis, ") and name != "analysis, all"]
    assert sum(seconds[name] for name in parts) == pytest.approx(seconds["analysis, all"], abs=0.01)


def test_times_is_music_for_each_second_of_work():
    assert row_of("a", "b", 2.0, 240.0, 100) == {
        "what": "a", "on": "b", "seconds": 2.0, "times": 120.0, "target": 100,
    }  # fmt: skip


def test_the_made_melody_is_as_long_as_asked_and_has_what_a_tracked_one_has():
    melody = made_melody(10.0)
    assert melody.duration_s == pytest.approx(10.0, abs=HOP_S)
    assert 0.8 < melody.voiced.mean() < 0.95
    assert melody.attack is not None
    assert len(np.unique(np.round(melody.pitch()[melody.voiced]))) > 5


def test_the_benchmarks_are_there_by_name():
    assert BENCHMARKS["model"].module == bench.__name__
    assert BENCHMARKS["qbh"].module == "ml_worker.retrieval.measure"
