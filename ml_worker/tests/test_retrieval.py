"""Search finds the melody that was hummed."""

import numpy as np
import pytest

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import at_any_tempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.retrieval.search import rank
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of


def test_a_hum_in_another_key_and_tempo_finds_its_tune_and_the_place():
    targets = {seed: curve_fingerprints(melody_of(made_tune(seed, 30), seed=seed)) for seed in range(12)}
    hummed, _ = made_cover(made_tune(7, 30), [(12, 20)], tempo_ratio=1.12, transposition=-3)
    answers = rank(at_any_tempo(melody_of(hummed, seed=99, drift=0.3), curve_fingerprints), targets)
    assert answers[0].target == 7
    assert answers[0].start_s == pytest.approx(12, abs=0.75)
    assert len(answers) == 12
    assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)


def made(vectors):
    return Fingerprints(np.asarray(vectors, dtype=np.float32), 3.0, 0.25, np.ones(len(vectors), np.float32), "made")


def test_a_target_without_fingerprints_comes_last():
    query = np.random.default_rng(0).normal(size=(8, 4))
    answers = rank(made(query), {"empty": made(np.zeros((0, 4))), "same": made(query)}, [1.0])
    assert [answer.target for answer in answers] == ["same", "empty"]
    assert answers[0].score == pytest.approx(1)


def test_a_target_shorter_than_the_query_is_compared_as_far_as_it_goes():
    query = np.random.default_rng(0).normal(size=(20, 4))
    (answer,) = rank(made(query), {"beginning": made(query[:6])}, [1.0])
    assert answer.score == pytest.approx(1)


def test_a_query_without_fingerprints_is_refused_in_words():
    with pytest.raises(ValueError, match="Hum a little longer"):
        rank(made(np.zeros((0, 4))), {"any": made(np.ones((3, 4)))})
