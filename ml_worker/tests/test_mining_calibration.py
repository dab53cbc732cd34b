"""The sureness of a kind of fingerprint, fitted on pairs of which is known where they share what."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint.shipped import unseen_tunes
from ml_worker.mining.align import PITCH_CURVE
from ml_worker.mining.calibration import (
    SHORTEST_S,
    Known,
    composed_scores,
    constructed,
    known_fragments,
    played_slower,
    sureness_of,
)
from ml_worker.mining.constructed import Constructed, Situation
from ml_worker.mining.sureness import Evidence, Sureness

PAIRS = 7
UNRELATED_TO = 2


@cache
def pairs() -> list[Constructed]:
    return list(constructed(PAIRS))


@cache
def known() -> Known:
    return known_fragments(PITCH_CURVE, pairs(), UNRELATED_TO)


def counting(weight: float, of: Known) -> list[tuple[Evidence, bool]]:
    """Fragments that count so much, and whether they are right."""
    rows = zip(of.evidence, of.right, of.weights, strict=True)
    return [(evidence, right) for evidence, right, counts in rows if counts == weight]


# --- the pairs


def test_every_situation_comes_in_turn_and_the_first_pairs_are_always_the_same():
    assert [pair.situation for pair in pairs()] == list(Situation)
    assert [pair.name for pair in constructed(3)] == [pair.name for pair in pairs()[:3]]


def test_the_tunes_are_trained_on_by_nobody_and_are_not_those_of_the_null_level():
    names = {score.name for score in composed_scores(20)}
    assert len(names) == 20
    assert not names & {score.name for score in compose_tunes(20, seed=1)}
    assert not names & {tune.name for tune in unseen_tunes(20, SHORTEST_S)}


def test_no_cover_plays_anything_of_another_pairs_tune():
    """Not even where something foreign was inserted: else what is right would be learnt as wrong."""
    for pair in pairs():
        assert pieces(pair.cover.notes) & pieces(pair.original.notes)
        others = [other for other in pairs() if other.name != pair.name]
        assert not [other.name for other in others if pieces(pair.cover.notes) & pieces(other.original.notes)]


def pieces(notes, length: int = 16) -> set[tuple]:
    """The intervals of a melody in all pieces of so many."""
    steps = [later.pitch - earlier.pitch for earlier, later in pairwise(notes)]
    return {tuple(steps[first : first + length]) for first in range(len(steps) - length + 1)}


def test_a_tune_played_slower_is_the_same_tune():
    (score,) = composed_scores(1)
    slower = played_slower(score, 1.5)
    assert [note.pitch for note in slower.notes] == [note.pitch for note in score.notes]
    for before, after in zip(score.notes, slower.notes, strict=True):
        assert (after.start_s, after.end_s) == pytest.approx((1.5 * before.start_s, 1.5 * before.end_s))


# --- what is known of them


def test_fragments_of_one_tune_count_whole_and_those_of_unrelated_pairs_in_part():
    assert set(known().weights) == {1.0, 1 / UNRELATED_TO}
    assert len(known().evidence) == len(known().right) == len(known().weights)
    # Alone, a pair has nothing that it is unrelated to, and the same is found in it.
    alone = [known_fragments(PITCH_CURVE, [pair], UNRELATED_TO) for pair in pairs()[:2]]
    assert {weight for of_one in alone for weight in of_one.weights} == {1.0}
    of_both = [evidence for of_one in alone for evidence in of_one.evidence]
    assert [evidence for evidence, _ in counting(1.0, known())][: len(of_both)] == of_both


def test_nothing_that_unrelated_pairs_share_is_right_and_most_that_is_no_chance_is():
    assert not any(right for _, right in counting(1 / UNRELATED_TO, known()))
    beyond_chance = [right for evidence, right in counting(1.0, known()) if evidence.chance < 0.01]
    assert len(beyond_chance) >= PAIRS
    assert np.mean(beyond_chance) > 0.9


def test_even_what_mining_drops_is_learnt_from():
    hopeless = [PITCH_CURVE.sureness.probability(evidence) for evidence, _ in counting(1 / UNRELATED_TO, known())]
    assert np.median(hopeless) < PITCH_CURVE.settings.doubtful_from


# --- the fit


def test_it_is_always_the_same_and_looks_at_no_sureness():
    first, again = (sureness_of(replace(PITCH_CURVE, sureness=one), 4, 1) for one in (None, PITCH_CURVE.sureness))
    assert first == again
    assert (first.rows > 0, first.verdicts) == (True, 0)


def test_few_pairs_are_enough_to_tell_others_apart_that_were_never_seen():
    fitted = Sureness.fitted(known().evidence, known().right, known().weights)
    unseen = known_fragments(PITCH_CURVE, list(constructed(PAIRS + 4))[PAIRS:], 1)
    said = {right: [] for right in (True, False)}
    for evidence, right in zip(unseen.evidence, unseen.right, strict=True):
        said[right].append(fitted.probability(evidence))
    assert np.mean(said[True]) > 0.8
    assert np.mean(said[False]) < 0.1
