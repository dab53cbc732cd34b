"""Signs that nobody listened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.crowd.patterns import Judged, at_most_probability, suspicious_patterns

EVERYBODY = 0.8


def judged(accepts=True, reason="", took_s=12.0, length_s=10.0, crowd=None):
    return Judged(accepts, "" if accepts else reason or "off_time", took_s, length_s, crowd)


def codes(verdicts, accept_share=EVERYBODY):
    return [pattern.code for pattern in suspicious_patterns(verdicts, accept_share)]


def the_sentence(verdicts, accept_share=EVERYBODY):
    (pattern,) = suspicious_patterns(verdicts, accept_share)
    return pattern.sentence


def test_nothing_is_suspicious_of_nothing():
    assert codes([]) == []


def test_all_yes_is_a_sign_only_where_it_is_improbable():
    assert codes([judged()] * 30) == []  # 0.8 to the 30th: one in 800
    assert codes([judged()] * 31) == ["all_yes"]
    assert codes([judged()] * 200, accept_share=1.0) == []
    assert codes([judged()] * 200 + [judged(False)]) == []
    assert the_sentence([judged()] * 40) == "All 40 recent verdicts accept; of everybody's, 80% do."


def test_all_no():
    rejections = [judged(False, reason) for reason in ("off_time", "cut_off")]
    assert codes(rejections * 9) == []
    assert codes(rejections * 10) == ["all_no"]
    assert the_sentence(rejections * 10) == "All 20 recent verdicts reject; of everybody's, 20% do."


def test_verdicts_before_the_fragment_can_be_heard():
    assert codes([judged(took_s=4.0)] * 9) == []
    assert codes([judged(took_s=4.0)] * 10) == ["too_fast"]
    assert codes([judged(took_s=5.0)] * 10) == []
    assert codes([judged(took_s=None)] * 20) == []
    assert codes([judged(took_s=1.0, length_s=0.0)] * 20) == []
    assert codes([judged(took_s=1.0)] * 5 + [judged(took_s=9.0)] * 6) == []
    assert "before 40% of the fragment" in the_sentence([judged(took_s=4.0)] * 10)


def test_one_reason_for_everything():
    accepted = [judged()] * 10
    assert codes(accepted + [judged(False, "off_time")] * 14) == []
    assert codes(accepted + [judged(False, "off_time")] * 15) == ["one_reason"]
    assert codes(accepted + [judged(False, "off_time")] * 30 + [judged(False, "cut_off")]) == []
    assert "“off_time”" in the_sentence(accepted + [judged(False, "off_time")] * 15)
    nameless = [Judged(False, "", None, 10.0, None)] * 15
    assert the_sentence(accepted + nameless) == "All 15 recent rejections come without a reason."


def test_at_odds_with_the_others():
    others = [True] * 16 + [False] * 4
    reasons = ["off_time", "cut_off"] * 10
    against = [judged(not crowd, reason, crowd=crowd) for crowd, reason in zip(others, reasons, strict=True)]
    assert "at_odds" in codes(against)
    assert "at_odds" not in codes(against[:14])
    sentence = next(one.sentence for one in suspicious_patterns(against, EVERYBODY) if one.code == "at_odds")
    assert sentence == "0 of 20 recent verdicts agree with the others' (0%); without listening, 68% would."


def test_who_missed_one_rare_rejection_is_not_at_odds():
    verdicts = [judged(crowd=True)] * 13 + [judged(crowd=False), judged(False, crowd=True)]
    assert codes(verdicts) == []


def simulated(accepts_good, rejects_bad, many, rng):
    """Verdicts beside those of an unproven other person."""
    good = rng.random(many) < EVERYBODY
    accepts = rng.random(many) < np.where(good, accepts_good, 1 - rejects_bad)
    crowd = rng.random(many) < np.where(good, 0.85, 0.15)
    return [
        judged(bool(a), str(rng.choice(["off_time", "cut_off"])), crowd=bool(c))
        for a, c in zip(accepts, crowd, strict=True)
    ]


def test_honest_people_are_left_alone_and_a_coin_is_found():
    rng = np.random.default_rng(0)
    honest = [codes(simulated(0.85, 0.85, 40, rng)) for _ in range(200)]
    coins = [codes(simulated(0.5, 0.5, 60, rng)) for _ in range(50)]
    assert sum(map(bool, honest)) <= 1
    assert sum("at_odds" in one for one in coins) > 30


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1))
def test_the_binomial_distribution(count, more, share):
    many = count + more
    found = at_most_probability(count, many, share)
    assert -1e-12 <= found <= 1 + 1e-12
    assert at_most_probability(many, many, share) == pytest.approx(1)
    if more:
        assert at_most_probability(count, many, 0.5) == pytest.approx(1 - at_most_probability(more - 1, many, 0.5))


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match="between 0 and 1"):
        suspicious_patterns([], 80)
