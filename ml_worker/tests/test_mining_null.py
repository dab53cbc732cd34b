"""The null level says what correlation unrelated recordings reach, and how often chance does better."""

import json

import numpy as np
import pytest

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.null import SPANS_S, NullLevel, calibrate

AREA = 1000.0
LEVEL = NullLevel(
    checkpoint="made",
    centre=0.2,
    spans_s=SPANS_S,
    floor=tuple(np.linspace(0.5, 0.2, len(SPANS_S))),
    location=tuple(np.linspace(0.6, 0.3, len(SPANS_S))),
    scale=(0.05,) * len(SPANS_S),
    area=AREA,
    pairs=40,
)


def random_fingerprints(seed, count=120, offset=0.0):
    """Unrelated by construction; with an offset all have something in common, as many encoders' have."""
    vectors = np.random.default_rng(seed).normal(size=(count, 16)) + offset * np.linspace(-1, 1, 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Fingerprints(vectors.astype(np.float32), 3.0, 0.25, np.ones(count, np.float32), "made")


def pairs(offset=0.0, count=12):
    made = [random_fingerprints(seed, offset=offset) for seed in range(2 * count)]
    return list(zip(made[::2], made[1::2], strict=True))


def test_stored_correlation_is_nought_at_the_null_and_one_at_the_top():
    assert LEVEL.correlation(0.2) == 0
    assert LEVEL.correlation(-0.5) == 0
    assert LEVEL.correlation(0.6) == pytest.approx(0.5)
    assert LEVEL.correlation(1.0) == 1


@pytest.mark.parametrize("span_s", [3.0, 6.0, 20.0])
@pytest.mark.parametrize("chance", [0.001, 0.1])
def test_level_and_chance_are_inverse(span_s, chance):
    assert LEVEL.chance(LEVEL.level(span_s, chance, 5000), span_s, 5000) == pytest.approx(chance)


def test_chance_falls_with_r_and_with_length_and_grows_with_the_map():
    assert LEVEL.chance(0.8, 5, AREA) < LEVEL.chance(0.7, 5, AREA)
    assert LEVEL.chance(0.7, 10, AREA) < LEVEL.chance(0.7, 5, AREA)
    assert LEVEL.chance(0.7, 5, 2 * AREA) == pytest.approx(2 * LEVEL.chance(0.7, 5, AREA))


def test_calibration_sees_what_an_encoder_finds_alike_in_everything():
    plain, alike = calibrate(pairs(), [1.0], 0), calibrate(pairs(offset=1.5), [1.0], 0)
    assert abs(plain.centre) < 0.05
    assert alike.centre > 0.3
    assert all(level > before for level, before in zip(alike.location, plain.location, strict=True))


def test_longer_stretches_are_less_alike_by_chance():
    level = calibrate(pairs(), [1.0], 0)
    assert list(level.location) == sorted(level.location, reverse=True)
    assert list(level.floor) == sorted(level.floor, reverse=True)
    assert level.floor[0] < level.location[0]


def test_new_unrelated_pairs_stay_below_the_level():
    level = calibrate(pairs(), [1.0], 0)
    fresh = calibrate([(random_fingerprints(900 + n), random_fingerprints(800 + n)) for n in range(10)], [1.0], 0)
    assert all(level.level(span_s, 0.001, fresh.area) > r for span_s, r in zip(SPANS_S, fresh.location, strict=True))


def test_a_level_survives_being_stored():
    assert NullLevel.from_dict(json.loads(json.dumps(LEVEL.as_dict()))) == LEVEL


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="10 are needed"):
        calibrate(pairs(count=4), [1.0], 0)
