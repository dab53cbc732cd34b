"""The measures of a search count what was not found, and their intervals know that a song's hums are alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.retrieval.metrics import TOPS, gains_of, hit_rates, interval_of_means, intervals, rank_of

SCORES = st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 1.0, math.nan]), min_size=1, max_size=12)
RANKS = st.lists(st.one_of(st.none(), st.integers(1, 200)), min_size=1, max_size=40)


def test_ranks_count_from_one():
    assert rank_of("b", ["a", "b", "c"], [0.9, 0.5, 0.1]) == 2


def test_a_tie_counts_against_the_target():
    assert rank_of("a", ["a", "b", "c"], [0.5, 0.5, 0.5]) == 3


@pytest.mark.parametrize("score", [-math.inf, math.nan])
def test_a_target_without_a_score_or_a_name_is_a_miss(score):
    assert rank_of("a", ["a", "b"], [score, 0.1]) is None
    assert rank_of("z", ["a", "b"], [0.2, 0.1]) is None
    assert rank_of("z", [], []) is None


def test_a_song_of_several_recordings_counts_once_by_its_best():
    names = ["song", "other", "other", "third", "song"]
    assert rank_of("song", names, [0.1, 0.9, 0.8, 0.2, 0.5]) == 2


def test_as_many_scores_as_names():
    with pytest.raises(ValueError, match="2 names"):
        rank_of("a", ["a", "b"], [1.0])


@given(SCORES, st.integers(0, 11))
def test_ranks_are_as_counted_plainly(scores, place):
    place = place % len(scores)
    rank = rank_of(place, range(len(scores)), scores)
    own = scores[place]
    if math.isnan(own) or own == -math.inf:
        assert rank is None
    else:
        assert rank == sum(score >= own for score in scores)


def test_queries_without_a_target_are_misses():
    rates = hit_rates([1, 2, None, 11])
    assert rates.top == {1: 0.25, 3: 0.5, 5: 0.5, 10: 0.5, 100: 0.75}
    assert rates.mrr == pytest.approx((1 + 1 / 2 + 0 + 1 / 11) / 4)
    assert rates.queries == 4
    assert rates.as_dict() == {"top1": 0.25, "top3": 0.5, "top5": 0.5, "top10": 0.5, "top100": 0.75, "mrr": rates.mrr}
    of_songs = hit_rates([1, 2, None, 11], songs=60)
    assert of_songs.as_dict() == rates.as_dict() | {"queries": 4, "songs": 60}


@given(RANKS)
def test_rates_are_as_written_plainly(ranks):
    rates = hit_rates(ranks)
    for k in TOPS:
        assert rates.top[k] == pytest.approx(sum(1 for rank in ranks if rank and rank <= k) / len(ranks))
    assert rates.mrr == pytest.approx(sum(1 / rank for rank in ranks if rank) / len(ranks))


@given(RANKS)
def test_a_miss_more_never_helps(ranks):
    before, after = hit_rates(ranks), hit_rates([*ranks, None])
    assert after.mrr <= before.mrr
    assert all(after.top[k] <= before.top[k] for k in TOPS)


def test_no_queries_and_impossible_ranks_are_refused():
    with pytest.raises(ValueError, match="no queries"):
        hit_rates([])
    with pytest.raises(ValueError, match="from 1"):
        hit_rates([0])


def drawn_plainly(values, songs, draws=3000):
    """The bootstrap over songs, written as it is told."""
    rng = np.random.default_rng(1)
    of_song = {song: [v for v, s in zip(values, songs, strict=True) if s == song] for song in songs}
    names = list(of_song)
    means = [np.mean(np.concatenate([of_song[names[n]] for n in rng.integers(0, len(names), len(names))]))
             for _ in range(draws)]  # fmt: skip
    return np.quantile(means, [0.025, 0.975])


def test_intervals_are_those_of_a_bootstrap_over_songs():
    rng = np.random.default_rng(0)
    songs = [f"song {n}" for n in rng.integers(0, 12, 60)]
    values = rng.random(60) + np.array([hash_of(song) for song in songs])
    ((low, high),) = interval_of_means(values, songs)
    assert [low, high] == pytest.approx(drawn_plainly(values, songs), abs=0.02)


def hash_of(song: str) -> float:
    """A level for each song."""
    return int(song.split()[1]) % 3


def test_hums_of_one_song_say_less_than_hums_of_many():
    values = [1.0] * 50 + [0.0] * 50
    ((low, high),) = interval_of_means(values, ["a"] * 50 + ["b"] * 50)
    ((low_of_many, high_of_many),) = interval_of_means(values, list(range(100)))
    assert (low, high) == (0, 1)
    assert 0.3 < low_of_many < 0.5 < high_of_many < 0.7


def test_one_song_gives_no_interval():
    assert interval_of_means([1.0, 0.0], ["a", "a"]) is None
    assert intervals([1, None], ["a", "a"]) is None


@given(RANKS, st.integers(2, 8))
def test_intervals_hold_between_what_songs_give_and_are_repeatable(ranks, count):
    songs = [place % count for place in range(len(ranks))]
    found = intervals(ranks, songs)
    assert found == intervals(ranks, songs)
    if len(set(songs)) < 2:
        assert found is None
        return
    assert list(found) == [*(f"top{k}" for k in TOPS), "mrr"]
    gains = gains_of(ranks)
    for column, (low, high) in enumerate(found.values()):
        means = [gains[[s == song for s in songs], column].mean() for song in set(songs)]
        assert min(means) - 1e-9 <= low <= high <= max(means) + 1e-9
