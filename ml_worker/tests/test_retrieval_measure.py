"""The benchmarks of query by humming: what they seek among what, and that misses count."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.catalogue.abc import tunes as starter_tunes
from ml_worker.catalogue.composer import compose_tunes
from ml_worker.retrieval import benchmarks
from ml_worker.retrieval.benchmarks import (
    SEPARATIONS,
    STARTS,
    Benchmark,
    hum_beyond,
    hum_of,
    mast,
    melody_of_score,
    rendered,
    tunes,
)
from ml_worker.retrieval.matcher import Matches, NothingHeard
from ml_worker.retrieval.measure import measured
from ml_worker.tests.shared_data import shared_data

SCORES = compose_tunes(6, seed=5)


class Knowing:
    """A matcher that finds what is as long as the hum; hears nothing in a hum of one frame."""

    name = "knowing"

    def __init__(self, targets: list[Melody]) -> None:
        self.lengths = np.array([len(target.f0_hz) for target in targets])

    def match(self, query: Melody, *, from_start: bool = False) -> Matches:
        if len(query.f0_hz) == 1:
            raise NothingHeard("Nothing was heard.")
        scores = -np.abs(self.lengths - len(query.f0_hz)).astype(float)
        return Matches(scores, np.zeros(len(scores)), np.ones(len(scores)))


def of_length(frames: int) -> Melody:
    return Melody(0.01, np.full(frames, 220, np.float32), np.ones(frames, bool), np.ones(frames, np.float32), "made")


def benchmark() -> Benchmark:
    targets = [of_length(frames) for frames in (10, 20, 30, 40)]
    hums = [("a", of_length(11)), ("b", of_length(29)), ("c", of_length(1)), ("d", of_length(40))]
    return Benchmark(["a", "b", "c", "d"], targets, hums)


def test_a_hum_in_which_nothing_is_heard_is_a_miss():
    made = benchmark()
    assert made.ranks(Knowing(list(made.targets))) == [1, 2, None, 1]


def test_a_row_holds_the_hit_rates_of_all_hums():
    made = benchmark()
    (row,) = measured("made", made, {"knowing": Knowing(list(made.targets))})
    assert (row["hums"], row["top1"], row["top3"], row["mrr"]) == (4, 0.5, 0.75, 0.625)


def test_among_fewer_what_is_hummed_stays():
    fewer = Benchmark(["a", "b", "c", "d"], [of_length(9)] * 4, [("d", of_length(9))]).among_fewer(3)
    assert fewer.names == ["a", "d"]
    assert len(fewer.targets) == 2


def test_simulated_hums_begin_by_turns_and_are_heard():
    rng = np.random.default_rng(0)
    hums = [hum_of(SCORES[number], number, rng) for number in range(STARTS)]
    assert all(hum.voiced.mean() > 0.4 for hum in hums)


@pytest.mark.parametrize("number", range(4))
def test_hums_that_go_on_begin_before_the_end_and_then_again(number, monkeypatch):
    parts = []
    monkeypatch.setattr(benchmarks, "as_hummed", lambda part, number, track: parts.append(part))
    score = SCORES[number]
    hum_beyond(score, number, np.random.default_rng(number))
    (part,) = parts
    first = score.notes.index(part[0])
    inside = len(score.notes) - first
    assert part[:inside] == score.notes[first:]
    again = [note.pitch for note in part[inside:]]
    assert len(again) > 0
    assert again == [note.pitch for note in score.notes[: len(again)]]
    starts = [note.start_s for note in part]
    assert starts == sorted(starts)


def test_hums_of_rendered_tunes_are_sought_among_what_was_kept_of_their_songs(tmp_path, monkeypatch):
    kept = starter_tunes()
    for tune in kept:
        for separation in SEPARATIONS:
            (tmp_path / f"{tune.slug}-{separation}.npz").write_bytes(of_length(40).to_bytes())
    monkeypatch.setattr(benchmarks, "HUMS_OF_RENDERED", 1)
    monkeypatch.setattr(benchmarks, "track_melody", lambda sound: of_length(round(100 * sound.duration_s)))
    monkeypatch.setattr(benchmarks, "distractors_of_songs", lambda data: [("another", of_length(9))])
    made = rendered(tmp_path, tmp_path)
    assert list(made.names) == [*(tune.slug for tune in kept for _ in SEPARATIONS), "another"]
    assert [name for name, _ in made.hums] == [tune.slug for tune in kept]
    assert all(hum.duration_s > 3 for _, hum in made.hums)


def test_tunes_are_sought_among_what_is_named():
    made = tunes(hums=2, hummed=SCORES[:1], among=SCORES)
    assert list(made.names) == [score.name for score in SCORES]
    assert [name for name, _ in made.hums] == [SCORES[0].name] * 2


def test_the_melody_of_a_score_has_its_notes():
    melody = melody_of_score(SCORES[0])
    assert melody.attack is not None
    assert melody.attack.sum() == pytest.approx(len(SCORES[0].notes), abs=2)


def test_the_halves_of_mast_share_no_melody(monkeypatch):
    shared_data("f0", "mast")
    tuned = mast("tuned")
    # The tunes among which they are sought are the same, and take seconds to read.
    monkeypatch.setattr(benchmarks, "scores_of", lambda archive, data: [])
    held_out = mast("held out")
    assert {name for name, _ in tuned.hums}.isdisjoint(name for name, _ in held_out.hums)
    assert len(tuned.hums) + len(held_out.hums) == 149
    assert len(tuned.targets) == 60 + 1195 + 49 + 1034
