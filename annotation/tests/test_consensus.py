"""When verdicts agree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotation.consensus import settled_decision

decisions = st.lists(st.sampled_from(["accept", "reject"]), max_size=9)


def test_cases():
    assert settled_decision([], needed=1) is None
    assert settled_decision(["accept"], needed=1) == "accept"
    assert settled_decision(["accept"], needed=2) is None
    assert settled_decision(["accept", "reject"], needed=1) is None
    assert settled_decision(["accept", "reject", "reject"], needed=2) == "reject"


@given(decisions, st.integers(1, 4))
def test_only_a_leading_decision_with_enough_voices_settles(votes, needed):
    settled = settled_decision(votes, needed=needed)
    counts = {decision: votes.count(decision) for decision in ("accept", "reject")}
    leading = [decision for decision, n in counts.items() if n >= needed and n > len(votes) - n]
    assert settled == (leading[0] if leading else None)


@given(decisions, st.integers(1, 4))
def test_the_order_of_verdicts_does_not_matter(votes, needed):
    assert settled_decision(votes, needed=needed) == settled_decision(votes[::-1], needed=needed)
