"""When weighted verdicts settle an item."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.crowd.consensus import SETTLED_AT, UNPROVEN, Consensus, Reliability, Vote, consensus, log_weight

shares = st.floats(0, 1)
reliabilities = st.builds(Reliability, shares, shares)
# People by number, each with a verdict and, for some, a known reliability.
crowds = st.lists(st.tuples(st.booleans(), st.none() | reliabilities), max_size=8)
rules = st.fixed_dictionaries({"needed": st.integers(1, 4), "at_most": st.integers(1, 8)})


def asked(crowd, **rule):
    votes = [Vote(person, accepts) for person, (accepts, _) in enumerate(crowd)]
    return consensus(votes, {person: known for person, (_, known) in enumerate(crowd) if known}, **rule)


def unproven(verdicts, **rule):
    """Of people nothing is known of: "+" accepts, "-" rejects."""
    return asked([(verdict == "+", None) for verdict in verdicts], **rule)


def test_two_who_agree_settle_and_a_split_asks_a_third():
    assert unproven("") == Consensus(None, 0.5, None, 2, False)
    assert unproven("+").accepts is None
    assert unproven("+").missing == 1
    assert unproven("++").accepts is True
    assert unproven("--").accepts is False
    assert unproven("+-") == Consensus(None, 0.5, None, 1, False)
    assert unproven("+--").accepts is False
    assert unproven("+--").probability == pytest.approx(0.15)


def test_one_is_enough_where_one_is_needed():
    assert unproven("-", needed=1).accepts is False
    assert unproven("", needed=1).missing == 1


def test_two_of_seventy_per_cent_who_agree_settle():
    found = asked([(True, Reliability(0.7, 0.7))] * 2)
    assert found.accepts is True
    assert found.probability == pytest.approx(0.49 / 0.58)


def test_who_accepts_everything_says_nothing_by_it():
    always_yes = Reliability(1.0, 0.0)
    found = asked([(True, always_yes), (True, always_yes)])
    assert (found.accepts, found.probability, found.majority) == (None, 0.5, True)
    assert asked([(True, always_yes), (True, None)]).accepts is True


def test_the_weightier_side_does_not_settle_against_the_number():
    found = asked([(True, Reliability(0.6, 0.6)), (True, Reliability(0.6, 0.6)), (False, Reliability(0.95, 0.95))])
    assert found.accepts is None
    assert found.majority is True
    assert found.probability < 1 - SETTLED_AT
    assert found.missing == 2  # two more rejections; acceptances would need three


def test_a_split_of_as_many_as_are_asked_is_for_an_admin():
    found = unproven("+-+-", at_most=4)
    assert (found.accepts, found.missing, found.disputed) == (None, 0, True)
    assert unproven("+-+-", at_most=5).disputed is False


def test_no_more_than_are_asked_are_missing():
    assert unproven("+", needed=4, at_most=2).missing == 3
    assert unproven("+-+-", needed=4, at_most=5).missing == 1


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="one vote"):
        consensus([Vote("ann", True), Vote("ann", True)], {})
    with pytest.raises(ValueError, match="At least one"):
        consensus([], {}, needed=0)


@given(crowds, rules, st.none() | reliabilities)
def test_one_more_vote_for_the_settled_decision_never_unsettles_it(crowd, rule, newcomer):
    before = asked(crowd, **rule)
    if before.accepts is not None:
        assert asked([*crowd, (before.accepts, newcomer)], **rule).accepts is before.accepts


@given(crowds, rules)
def test_accepting_and_rejecting_are_alike(crowd, rule):
    mirrored = [(not accepts, known and Reliability(known.rejects_bad, known.accepts_good)) for accepts, known in crowd]
    one, other = asked(crowd, **rule), asked(mirrored, **rule)
    assert other.accepts is (None if one.accepts is None else not one.accepts)
    assert other.majority is (None if one.majority is None else not one.majority)
    assert other.probability == pytest.approx(1 - one.probability)
    assert (other.missing, other.disputed) == (one.missing, one.disputed)


@given(crowds, rules)
def test_what_settles_has_enough_voices_leads_and_is_probable(crowd, rule):
    found = asked(crowd, **rule)
    if found.accepts is None:
        return
    agreeing = sum(accepts is found.accepts for accepts, _ in crowd)
    assert agreeing >= rule["needed"]
    assert found.majority is found.accepts
    assert (found.probability if found.accepts else 1 - found.probability) >= SETTLED_AT - 1e-6


@given(crowds, rules, st.randoms())
def test_the_order_of_votes_does_not_matter(crowd, rule, random):
    votes = [Vote(person, accepts) for person, (accepts, _) in enumerate(crowd)]
    known = {person: one for person, (_, one) in enumerate(crowd) if one}
    shuffled = random.sample(votes, len(votes))
    assert consensus(votes, known, **rule) == consensus(shuffled, known, **rule)


@given(crowds, rules)
def test_an_item_is_settled_or_disputed_or_somebody_is_missing(crowd, rule):
    found = asked(crowd, **rule)
    assert (found.accepts is not None) + found.disputed + (found.missing > 0) == 1
    assert len(crowd) + found.missing <= max(rule["at_most"], rule["needed"], len(crowd))


@given(crowds, rules)
def test_as_many_alike_as_are_missing_end_it_and_fewer_do_not(crowd, rule):
    missing = asked(crowd, **rule).missing
    for more in range(1, missing + 1):
        after = [asked([*crowd, *[(accepts, None)] * more], **rule) for accepts in (True, False)]
        assert any(one.accepts is not None or one.disputed for one in after) == (more == missing)


@given(reliabilities)
def test_a_vote_never_speaks_for_the_other_side_and_nobody_decides_alone_for_ever(reliability):
    assert 0 <= log_weight(reliability, True) <= math.log(49) + 1e-9
    assert -math.log(49) - 1e-9 <= log_weight(reliability, False) <= 0
    assert log_weight(UNPROVEN, True) == pytest.approx(-log_weight(UNPROVEN, False))


@given(crowds, crowds, rules)
def test_votes_from_before_weigh_and_settle_nothing_by_themselves(old, new, rule):
    votes = [Vote(number, accepts, before=True) for number, (accepts, _) in enumerate(old)]
    votes += [Vote(number, accepts) for number, (accepts, _) in enumerate(new, len(old))]
    known = {number: worth for number, (_, worth) in enumerate([*old, *new]) if worth}
    found = consensus(votes, known, **rule)
    assert found.probability == pytest.approx(asked([*old, *new]).probability)
    agreeing = sum(accepts == found.accepts for accepts, _ in new)
    assert found.accepts is None or agreeing >= max(rule["needed"], len(new) - agreeing + 1)
    assert len(new) + found.missing <= max(rule["at_most"], rule["needed"], len(new)), "the old ones take nobody's turn"
