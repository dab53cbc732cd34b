"""The published methods that the miner is compared with, on melodies whose shared stretches are known."""

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.mining.compare import measured, tuned
from ml_worker.mining.correlation import correlation_map
from ml_worker.mining.labelled import LabelledPair
from ml_worker.mining.peers import (
    LONGEST_S,
    PEERS,
    QMAX_EMBEDDED,
    QMAX_NEIGHBOURS,
    SHORTEST_S,
    THRESHOLDS,
    SharedStretch,
    cross_recurrence,
    nearest_windows,
)
from ml_worker.tests.made_pairs import steady
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of

MATRIX_PROFILE = pytest.param("matrix profile", marks=pytest.mark.slow)
"""Its loops take a long time to compile, once."""

every_peer = pytest.mark.parametrize("name", ["subsequence DTW", "Qmax", MATRIX_PROFILE])

SECTION = (20.0, 40.0)


def a_cover(seed: int = 4) -> tuple[Melody, Melody, list]:
    """A tune of 45 s, and a section of it slower and higher within another tune."""
    notes = made_tune(seed, 45)
    played, time_map = made_cover(notes, [SECTION], tempo_ratio=1.1, transposition=3, between=made_tune(99, 15))
    return melody_of(notes, seed=1), melody_of(played, seed=2), time_map


@every_peer
def test_a_section_is_found_in_another_key_and_slower(name):
    original, cover, time_map = a_cover()
    found = PEERS[name](original, cover, THRESHOLDS[name])
    figures = measured(lambda a, b: found, [LabelledPair(original, cover, time_map)])
    assert figures.precision == 1
    assert figures.recall > 0.7
    assert figures.start_error_s < 0.4
    assert any(one.tempo_ratio == pytest.approx(1.1, rel=0.04) for one in found)


@every_peer
def test_what_is_found_keeps_to_the_recordings_and_to_the_durations_of_a_fragment(name):
    notes = made_tune(7, 60)
    melody = melody_of(notes, seed=1)
    found = PEERS[name](melody, melody_of(notes, seed=2), THRESHOLDS[name])
    assert len(found) >= 3
    assert [one.b for one in found] == sorted(one.b for one in found)
    for one in found:
        assert 0 <= one.correlation <= 1 + 1e-9
        for first_s, last_s in (one.a, one.b):
            assert 0 <= first_s < last_s <= melody.duration_s + 1e-6
            assert SHORTEST_S - 1e-6 <= last_s - first_s <= LONGEST_S * 1.1


def in_unrelated(name: str) -> list[int]:
    """How many fragments a method finds in each of twelve pairs of melodies that have nothing to do with each other."""
    return [
        len(PEERS[name](melody_of(made_tune(seed, 40)), melody_of(made_tune(seed + 50, 40), seed=2), THRESHOLDS[name]))
        for seed in range(12)
    ]


def test_unrelated_melodies_share_nothing_by_their_recurrence():
    assert sum(in_unrelated("Qmax")) == 0


@pytest.mark.parametrize("name", ["subsequence DTW", MATRIX_PROFILE])
def test_unrelated_melodies_mostly_share_nothing(name):
    """These two are fooled by a few notes; their thresholds are of song-like tunes, not of random walks."""
    assert np.median(in_unrelated(name)) == 0
    assert sum(in_unrelated(name)) < 12


@every_peer
def test_a_lower_threshold_finds_at_least_as_much_in_unrelated_melodies(name):
    one, other = melody_of(made_tune(1, 40)), melody_of(made_tune(51, 40))
    lenient = PEERS[name](one, other, THRESHOLDS[name] - 0.3)
    assert lenient
    assert max(found.correlation for found in lenient) < THRESHOLDS[name]


@every_peer
def test_without_a_voice_or_with_too_little_of_one_nothing_is_found(name):
    melody = melody_of(made_tune(3, 20))
    for other in (steady([]), steady([60.0, 62.0]), steady([np.nan] * 40)):
        assert PEERS[name](melody, other, THRESHOLDS[name]) == []
        assert PEERS[name](other, melody, THRESHOLDS[name]) == []


@pytest.mark.slow
def test_thenearest_windows_are_those_that_correlate_most():
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(60, 3, 90), rng.normal(60, 3, 70)
    nearest, correlation = nearest_windows(ours, theirs, 20)
    plainly = correlation_map(ours[:, None], theirs[:, None], 20)
    assert correlation == pytest.approx(plainly.max(axis=1), abs=1e-9)
    assert (nearest == plainly.argmax(axis=1)).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A large number of values")
def test_one_held_note_is_no_melody_to_the_matrix_profile():
    """Divided by its spread, what does not move would match everything."""
    assert PEERS["matrix profile"](steady([60.0] * 40), steady([64.0] * 30), 0.0) == []


def test_places_recur_where_each_is_among_the_nearest_of_the_other():
    rng = np.random.default_rng(0)
    ours, theirs = rng.uniform(55, 67, 60), rng.uniform(55, 67, 50)
    theirs[20:40] = ours[10:30]
    plot = cross_recurrence(ours, theirs)
    assert plot.shape == (60 - QMAX_EMBEDDED + 1, 50 - QMAX_EMBEDDED + 1)
    shared = np.arange(20 - QMAX_EMBEDDED + 1)
    assert plot[10 + shared, 20 + shared].all()
    most = [int(QMAX_NEIGHBOURS * (length - 1)) + 1 for length in plot.shape]
    assert plot.sum(axis=1).max() <= most[1]
    assert plot.sum(axis=0).max() <= most[0]


def test_the_threshold_is_the_best_that_is_precise_enough():
    """A made-up method: below 0.5 it also finds what is not there, from 0.8 on it finds nothing."""
    melody = steady([60.0] * 40)
    right, wrong = (SharedStretch(a, a, 0.9, 1.0) for a in ((0.0, 10.0), (0.0, 5.0)))

    def method(a: Melody, b: Melody, threshold: float) -> list[SharedStretch]:
        of_related = [right] if threshold < 0.8 else []
        return of_related if a is b else [wrong] if threshold < 0.5 else []

    pairs = [LabelledPair(melody, melody, [[(0.0, 0.0), (20.0, 20.0)]]), LabelledPair(melody, steady([60.0]), ())]
    threshold, figures = tuned(method, pairs, (0.4, 0.6, 0.7, 0.9))
    assert threshold == 0.7
    assert (figures.precision, figures.recall, figures.false_per_unrelated) == (1.0, 0.5, 0.0)
    _, lenient = tuned(method, pairs, (0.4,))
    assert (lenient.precision, lenient.false_per_unrelated) == (0.5, 1.0)
