"""The model: networks and the classical comparison weighed together, with scores that are logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.settings import Settings
from ml_worker.retrieval import recogniser as module
from ml_worker.retrieval.matcher import Matches, NothingHeard
from ml_worker.retrieval.recogniser import FIGURES, Fusion, Recogniser, fit_here, fit_weights
from ml_worker.retrieval.sureness import fit_temperature, sure_of, sureness
from ml_worker.tests.made_pairs import steady, untrained
from ml_worker.tests.made_tunes import made_tune, melody_of

TUNES = [melody_of(made_tune(seed, 20), seed=seed) for seed in range(6)]
SILENT = steady([np.nan] * 20)
CHECKPOINTS = [untrained(Settings.of("short", width=4)), untrained(Settings.of("long", width=4))]


def fusion(**weights: float) -> Fusion:
    """Weights by name, with spaces as underscores; the others are 0."""
    values = tuple(weights.get(name.replace(" ", "_"), 0.0) for name in FIGURES)
    return Fusion(values, values)


@pytest.fixture(scope="module")
def model() -> Recogniser:
    return Recogniser([*TUNES, SILENT], CHECKPOINTS, fusion(total=8.0, network=1.0, network_from_the_start=-0.5))


@pytest.mark.parametrize("from_start", [False, True])
def test_a_tune_finds_itself_and_silence_is_never_found(model, from_start):
    for index, tune in enumerate(TUNES):
        found = model.match(tune, from_start=from_start)
        assert found.best(1)[0] == index
        assert np.isfinite(found.scores[:-1]).all()
        assert found.scores[-1] == -np.inf


def test_what_is_no_candidate_comes_behind_in_the_order_of_the_networks(model, monkeypatch):
    monkeypatch.setattr(module, "CANDIDATES", 2)
    among = model.candidates(TUNES[0]).among
    others = np.setdiff1d(np.arange(len(TUNES)), among)
    scores, of_networks = model.match(TUNES[0]).scores, model.by_networks(TUNES[0]).scores
    assert len(others) > 0
    assert scores[others].max() < scores[among].min()
    assert np.argsort(scores[others]).tolist() == np.argsort(of_networks[others]).tolist()


def test_without_weights_the_networks_have_their_mean_score():
    both = Recogniser(TUNES, CHECKPOINTS).match(TUNES[1]).scores
    each = [Recogniser(TUNES, [checkpoint]).match(TUNES[1]).scores for checkpoint in CHECKPOINTS]
    assert both == pytest.approx(np.mean(each, axis=0))


def test_a_temperature_divides_the_logits():
    cool = fusion(total=1.0)
    warm = Fusion(cool.weights, cool.weights_from_start, temperature=4.0)
    one, other = (Recogniser(TUNES, CHECKPOINTS[:1], weights).match(TUNES[2]).scores for weights in (cool, warm))
    assert one == pytest.approx(4 * other)


@pytest.mark.parametrize("hum", [SILENT, TUNES[0].cut(0, 0.2)])
def test_nothing_heard_is_said(model, hum: Melody):
    with pytest.raises(NothingHeard):
        model.match(hum)


def test_weights_come_back_from_their_file_and_others_are_refused(tmp_path):
    here = tuple(map(float, range(len(FIGURES) + 1)))
    weights = Fusion(here[:-1], (0.5,) * len(FIGURES), 1.5, here=here, fitted_on="something")
    weights.save(tmp_path / "fusion.json")
    assert Fusion.load(tmp_path / "fusion.json") == weights
    text = (tmp_path / "fusion.json").read_text().replace(FIGURES[0], "charm")
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match="Fit it again"):
        Fusion.load(tmp_path / "other.json")
    with pytest.raises(ValueError, match="one weight for each"):
        Fusion((1.0,), (1.0,))
    with pytest.raises(ValueError, match="and a constant"):
        Fusion(here[:-1], here[:-1], here=here[:-1])


def test_weights_are_fitted_to_the_choices_that_they_made():
    """Choices drawn from a conditional logit give its weights back; what speaks against the right ones has none."""
    rng = np.random.default_rng(0)
    true = np.array([2.0, 0.7, 0.0])
    cases = []
    for _ in range(1500):
        figures = rng.normal(size=(8, 3))
        right = int(rng.choice(8, p=softmax(figures @ true)))
        cases.append((np.column_stack([figures, -figures[:, 0]]), right))
    weights = fit_weights(cases, penalty=1e-6)
    assert weights == pytest.approx([*true, 0.0], abs=0.2)
    assert min(weights) >= 0


# --- how sure


def test_whether_a_tune_is_there_is_told_by_the_best_candidate_alone():
    """A constant that no figure outweighs, and one that an agreement of a half does."""
    agreement = [float(name == "agreement") for name in FIGURES]
    sure = Fusion(fusion(total=8.0).weights, fusion(total=8.0).weights, here=(*([0.0] * len(FIGURES)), 30.0))
    asked = Fusion(sure.weights, sure.weights, here=(*(60 * one for one in agreement), -30.0))
    assert Recogniser(TUNES, CHECKPOINTS[:1], sure).match(TUNES[1]).here == pytest.approx(1)
    among, without = Recogniser(TUNES, CHECKPOINTS[:1], asked), Recogniser(TUNES[2:], CHECKPOINTS[:1], asked)
    assert among.match(TUNES[1]).here > 0.99
    assert without.match(TUNES[1]).here < among.match(TUNES[1]).here
    assert Recogniser(TUNES, CHECKPOINTS[:1], fusion(total=8.0)).match(TUNES[1]).here == 1


def test_what_tells_right_from_wrong_is_found():
    """Answers drawn from a logistic model give its constants back; what speaks against the right ones has none."""
    rng = np.random.default_rng(2)
    true = np.array([1.5, 0.5, 0.0])
    figures = rng.normal(3, 1, size=(4000, 3))
    right = rng.random(4000) < expit(figures @ true - 6)
    cases = [(np.append(row, -row[0]), bool(is_right)) for row, is_right in zip(figures, right, strict=True)]
    assert fit_here(cases, penalty=1e-6) == pytest.approx([*true, 0.0, -6.0], abs=0.4)


@given(st.floats(0, 1), st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_nobody_is_surer_than_that_the_tune_is_there(here, logits):
    matches = Matches(np.array(logits), np.zeros(len(logits)), np.ones(len(logits)), here)
    assert sure_of(matches) == pytest.approx(here * sureness(matches.scores))
    assert sure_of(matches) <= here


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30), st.floats(0.1, 10))
def test_sureness_is_the_greatest_share_of_the_softmax(logits, temperature):
    scores = np.array([*logits, -np.inf])
    assert sureness(scores, temperature) == pytest.approx(softmax(np.array(logits) / temperature).max())


def test_of_nothing_nothing_is_sure():
    assert sureness(np.full(3, -np.inf)) == 0
    with pytest.raises(ValueError, match="above zero"):
        sureness(np.zeros(2), 0)
    with pytest.raises(ValueError, match="there is none"):
        fit_temperature([(np.array([0.0, -np.inf]), 1)])


@pytest.mark.parametrize("true", [0.5, 3.0])
def test_the_temperature_of_drawn_answers_is_found(true):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (2000, 6))
    cases = [(row, int(rng.choice(6, p=softmax(row / true)))) for row in logits]
    assert fit_temperature(cases) == pytest.approx(true, rel=0.15)


def test_the_best_are_those_that_can_be_compared():
    matches = Matches(np.array([0.1, -np.inf, 0.3, 0.1]), np.zeros(4), np.ones(4))
    assert matches.best(10).tolist() == [2, 0, 3]
    assert matches.best(2).tolist() == [2, 0]
