"""Gates: they let through what is no worse, and refuse what is, in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint import frozen, shipped
from ml_worker.fingerprint.data import Mislabelled, PairSource, Tune
from ml_worker.fingerprint.gates import (
    FEWEST_JUDGED,
    LEAST_PRECISION,
    MOST_FALL,
    Counted,
    Decision,
    decide,
    difference_of_shares,
    interval_of_difference,
    wilson,
)
from ml_worker.fingerprint.looked import Looked
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.training import train
from ml_worker.tests.made_pairs import TINY, made_pairs

TUNES = 40
RANKS = st.lists(st.none() | st.integers(1, 50), min_size=TUNES, max_size=TUNES)
COUNTED = st.integers(1, 300).flatmap(lambda judged: st.builds(Counted, st.integers(0, judged), st.just(judged)))


def looked(ranks: list[int | None], checkpoint: str = "short-new", **changes: object) -> Looked:
    """A look with one query a tune, among 600."""
    facts = {"version": 1, "tunes": tuple(f"tune {number}" for number in range(len(ranks))), "songs": 600}
    return Looked(**(facts | {"checkpoint": checkpoint, "ranks": tuple(ranks)} | changes))


def decided(new: list[int | None], old: list[int | None] | None, *precisions: Counted | None) -> Decision:
    incumbent = None if old is None else {"hums": looked(old, "short-old")}
    return decide({"hums": looked(new)}, incumbent, *precisions)


# --- numbers


@given(RANKS, RANKS)
def test_a_difference_the_other_way_round_is_the_same_with_another_sign(new, old):
    groups = [number // 2 for number in range(TUNES)]
    new_, old_ = looked(new).reciprocal, looked(old).reciprocal
    there, back = interval_of_difference(new_, old_, groups), interval_of_difference(old_, new_, groups)
    assert there.difference == pytest.approx(new_.mean() - old_.mean())
    assert there.low - 1e-9 <= there.high
    np.testing.assert_allclose((-there.high, -there.low), back[1:], atol=1e-9)


def test_the_interval_is_that_of_a_bootstrap_over_tunes():
    """As in a loop: the tunes are drawn again, each with all its queries, and both checkpoints' values with them."""
    rng = np.random.default_rng(5)
    groups = [f"tune {number}" for number in rng.integers(0, 25, 80)]
    old = rng.uniform(0, 1, 80)
    new = old + rng.normal(0.05, 0.2, 80)
    places = {tune: [place for place, group in enumerate(groups) if group == tune] for tune in groups}
    tunes = sorted(places)
    means = []
    for _ in range(4000):
        drawn = [place for tune in rng.choice(tunes, len(tunes)) for place in places[tune]]
        means.append(new[drawn].mean() - old[drawn].mean())
    found = interval_of_difference(new, old, groups)
    np.testing.assert_allclose(found[1:], np.quantile(means, [0.025, 0.975]), atol=0.006)


def test_what_changes_every_query_alike_is_sure_and_one_tune_tells_nothing():
    old = np.linspace(0, 0.9, 30)
    np.testing.assert_allclose(interval_of_difference(old + 0.1, old, range(30)), (0.1, 0.1, 0.1))
    assert interval_of_difference(old + 0.1, old, ["one"] * 30)[1:] == (-1, 1)
    with pytest.raises(ValueError, match="give one for each"):
        interval_of_difference([], [], [])


@given(COUNTED)
def test_wilson_s_interval_is_scipy_s(counted):
    theirs = binomtest(counted.right, counted.judged).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(counted), (theirs.low, theirs.high), atol=1e-12)


def test_of_nothing_judged_nothing_is_known():
    assert wilson(Counted(0, 0)) == (0, 1)
    with pytest.raises(ValueError, match="cannot be right"):
        wilson(Counted(3, 2))


def test_the_difference_of_shares_is_newcombe_s():
    """His first example, 56 of 70 against 48 of 80, by method 10."""
    found = difference_of_shares(Counted(56, 70), Counted(48, 80))
    np.testing.assert_allclose(found, (0.2, 0.0524, 0.3339), atol=5e-5)


# --- the rule


@given(RANKS, RANKS)
def test_a_benchmark_holds_unless_it_falls_by_more_than_chance_or_by_much(new, old):
    new_, old_ = looked(new), looked(old)
    change = interval_of_difference(new_.reciprocal, old_.reciprocal, new_.tunes)
    holds = change.high >= 0 and new_.mrr - old_.mrr >= -MOST_FALL - 1e-12
    decision = decided(new, old)
    assert decision.promote == holds == decision.gates[0].holds
    assert decision.words.startswith("Promoted: " if holds else "Refused: ")


def test_what_stayed_or_rose_is_promoted():
    same = [1, 2, None, 3] * 10
    assert "stayed at 0.458" in decided(same, same).words
    better = decided([1, 1, None, 1] * 10, same)
    assert better.promote
    assert "On hums the mean reciprocal rank rose from 0.458 to 0.750 (95 % interval of the difference +0." in (
        better.words
    )


def test_a_small_but_sure_fall_is_refused():
    old = [1] * 400
    decision = decided([1] * 388 + [2] * 12, old)
    assert not decision.promote
    assert "fell from 1.000 to 0.985" in decision.words
    assert "which is more than chance" in decision.words
    assert "Refused" in decision.words


def test_a_large_fall_is_refused_however_unsure():
    """Two tunes: the interval is wide."""
    new, old = looked([1, 4], tunes=("a", "b")), looked([2, 1], "short-old", tunes=("a", "b"))
    decision = decide({"hums": new}, {"hums": old})
    gate = decision.gates[0]
    assert gate.low < 0 < gate.high
    assert not decision.promote
    assert "more than the 0.05 that are ever let through" in decision.words


def test_without_anything_in_use_it_has_to_find_more_than_a_guess():
    found = decided([1, 2, 3, None] * 10, None)
    assert found.promote
    assert "nothing in use" in found.words
    guessing = [number * 600 // TUNES + 2 for number in range(TUNES)]
    guess = decided(guessing, None)
    assert not guess.promote
    assert "not clearly above the 0.012 of a guess" in guess.words


def test_looks_at_something_else_are_not_compared():
    new = {"hums": looked([1, 2])}
    for other in ({"version": 2}, {"tunes": ("x", "y")}, {"songs": 4}):
        with pytest.raises(ValueError, match="Look again with both"):
            decide(new, {"hums": looked([1, 2], **other)})
    with pytest.raises(ValueError, match="cannot be compared"):
        decide(new, new | {"covers": looked([1, 2])})


# --- precision

SAME = [1, 2, 3, 4]


@given(COUNTED, COUNTED | st.none())
def test_precision_holds_unless_it_is_clearly_lower_or_clearly_too_low(new, old):
    decision = decided(SAME, SAME, new, old)
    if new.judged < FEWEST_JUDGED:
        assert decision.promote
        assert "too few to tell" in decision.words
        return
    is_too_low = wilson(new)[1] < LEAST_PRECISION
    is_lower = old is not None and old.judged >= FEWEST_JUDGED and difference_of_shares(new, old).high < 0
    assert decision.promote == (not is_too_low and not is_lower)


def test_precision_is_told_in_words():
    assert "It was not mined with" in decided(SAME, SAME).words
    assert "found 29 of 30 findings right, a precision of 0.967" in decided(SAME, SAME, Counted(29, 30)).words
    low = decided(SAME, SAME, Counted(20, 40), Counted(39, 40))
    assert not low.promote
    assert "below the 0.9 that is asked for" in low.words
    assert "clearly lower" in low.words
    assert low.words.index("clearly lower") < low.words.index("stayed"), "what refuses it comes first"


def test_a_decision_can_be_stored():
    decision = decided(SAME, None, Counted(29, 30))
    stored = json.loads(json.dumps(decision.as_dict()))
    assert stored["promote"] == decision.promote
    assert [gate["name"] for gate in stored["gates"]] == ["hums", "precision"]
    assert stored["words"] == decision.words


def test_looks_can_be_stored():
    one = looked([1, None, 7])
    plain = json.loads(json.dumps(one.as_dict()))
    assert Looked.from_dict(plain) == one
    assert plain["rates"]["top5"] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="a rank for each"):
        replace(one, ranks=(1,))


# --- a training that was spoiled


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_training_on_shuffled_labels_is_refused():
    """Two that go on from the starter checkpoint, alike but for the labels."""
    settings = Settings.of("short", steps=10, batch=24, windows=2, learning_rate=3e-3, warmup_steps=1)
    tunes = [Tune(score.name, shipped.notes_of(score.notes)) for score in compose_tunes(40, seed=1)]
    starter = shipped.starter_checkpoint("short")
    sound = train(settings, [], tunes=tunes, initial=starter)
    spoiled = train(settings, [], tunes=tunes, initial=starter, labels="shuffled")
    assert spoiled.figures["labels"] == "shuffled"
    assert "labels" not in sound.figures
    looks = {one.name: frozen.look(one, frozen.Size(tunes=24, distractors=0)) for one in (sound, spoiled)}
    refused = decide(looks[spoiled.name], looks[sound.name])
    assert not refused.promote, refused.words
    assert all(gate.new < gate.old - MOST_FALL and not gate.holds for gate in refused.gates[:2])
    promoted = decide(looks[sound.name], looks[spoiled.name])
    assert promoted.promote, promoted.words


def test_shuffled_labels_pair_originals_with_versions_of_other_songs():
    settings = TINY.changed(augmentation=replace(TINY.augmentation, own_version=0.0))
    source = PairSource(made_pairs(range(3)), settings)
    for song in range(3):
        shuffled = Mislabelled(source).example(song, np.random.default_rng(1))
        own = source.example(song, np.random.default_rng(1))
        np.testing.assert_array_equal(shuffled.original.pitch, own.original.pitch)
        heard = shuffled.version.pitch[~np.isnan(shuffled.version.pitch)]
        assert not np.isin(heard, own.version.pitch).all()
    with pytest.raises(ValueError, match="single song"):
        Mislabelled(PairSource(made_pairs(range(1)), settings))
