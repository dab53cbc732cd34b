"""The look at a pair before its map is made: no cover is spared, and most unrelated pairs are."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import PITCH_CURVE
from ml_worker.mining.calibration import constructed
from ml_worker.mining.constructed import Constructed, Situation
from ml_worker.mining.extract import NOTHING_SEEN, Pair, watch
from ml_worker.mining.known import find_known
from ml_worker.mining.prefilter import EVERY, SHORT_S, has_something_in_common, thinned
from ml_worker.tests.made_tunes import made_tune, melody_of


@cache
def pairs() -> list[Constructed]:
    return list(constructed(len(Situation)))


def pair_of(original: Constructed, cover: Constructed) -> Pair:
    return PITCH_CURVE.pair(original.original.melody, cover.cover.melody)


def silent(melody: Melody) -> Melody:
    return replace(melody, f0_hz=np.zeros_like(melody.f0_hz), voiced=np.zeros_like(melody.voiced))


@pytest.mark.parametrize("number", range(len(Situation)), ids=list(Situation))
def test_no_cover_is_spared_whatever_it_does(number):
    assert has_something_in_common(pair_of(pairs()[number], pairs()[number]))


def test_most_unrelated_pairs_are_spared():
    spared = [
        not has_something_in_common(pair_of(pairs()[number], pairs()[(number + away) % len(pairs())]))
        for number in range(len(pairs()))
        for away in (1, 2)
    ]
    assert np.mean(spared) > 0.6


def test_of_a_spared_pair_nothing_is_seen_and_its_map_is_made_on_demand():
    pair = PITCH_CURVE.pair(pairs()[0].original.melody, silent(pairs()[0].cover.melody))
    assert watch(pair) is NOTHING_SEEN
    assert (watch(pair).was_spared, watch(pair).kept) == (True, [])
    assert find_known(pair, [(2.0, 9.0)], watch(pair)) == {(2.0, 9.0): []}
    on_demand = watch(pair, spares=False)
    assert (on_demand.was_spared, on_demand.map.correlation.size > 0) == (False, True)


def test_short_recordings_are_never_spared():
    """Their maps are small, and the look sees too little of them."""
    long, other = (melody_of(made_tune(seed, 60)) for seed in (1, 2))
    for melodies in ((long.cut(0, SHORT_S - 1), other), (long, other.cut(0, 5)), (silent(long.cut(0, 20)), other)):
        pair = PITCH_CURVE.pair(*melodies)
        assert has_something_in_common(pair)
        assert not watch(pair).was_spared


@given(st.integers(0, 60))
def test_thinned_fingerprints_are_every_other_one_at_the_same_seconds(count):
    vectors = np.random.default_rng(count).normal(size=(count, 8)).astype(np.float32)
    voiced = np.linspace(0, 1, count, dtype=np.float32)
    whole = Fingerprints(vectors, 3.0, 0.25, voiced, "made")
    thin = thinned(whole)
    assert (thin.window_s, thin.hop_s, thin.checkpoint) == (3.0, EVERY * 0.25, "made")
    assert len(thin) == -(-count // EVERY)
    for number in range(len(thin)):
        assert (thin.vectors[number] == vectors[EVERY * number]).all()
        assert thin.voiced_share[number] == voiced[EVERY * number]
