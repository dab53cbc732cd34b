"""When verdicts settle an item, each weighed by how reliable its person has proved.

Who accepts everything says nothing by accepting; who rejects rarely and rightly says much by rejecting. A verdict
weighs the logarithm of how much likelier it is of a good item than of a bad one, and the weights of several people
add up (Nitzan and Paroush, 1982: the best rule for people who judge independently).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

# The probability that a decision has to reach.
SETTLED_AT = 0.8

# No one is trusted, or distrusted, beyond this: a few dozen verdicts cannot prove more.
LEAST_SURE, MOST_SURE = 0.02, 0.98

# Sums of logarithms that should be equal differ by less than this.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Reliability:
    """How often a person is right about items of either kind, each 0 to 1.

    Attributes:
        accepts_good: P(accepts | the item is good).
        rejects_bad: P(rejects | the item is bad).
    """

    accepts_good: float
    rejects_bad: float


# Who nothing is known of.
UNPROVEN = Reliability(0.85, 0.85)


@dataclass(frozen=True)
class Vote:
    """One person's verdict on the item, as it counts here.

    Attributes:
        person: whose it is.
        accepts: whether it says that the item is good.
        before: whether it was given before the item was asked anew: it weighs, and settles nothing by itself.
    """

    person: Hashable
    accepts: bool
    before: bool = False


@dataclass(frozen=True)
class Consensus:
    """Where an item stands.

    Attributes:
        accepts: the settled decision; None while people have to be asked, or when they disagree for good.
        probability: that the item is good, by the weighted votes, with 1/2 before any.
        majority: the plain majority of the same votes; None on a tie and without votes.
        missing: the fewest further verdicts, of UNPROVEN people and all alike, after which the item is settled or,
            where that comes first, disputed; 0 when it is either already.
        disputed: as many verdicts as are ever asked, and still not settled: an admin decides.
    """

    accepts: bool | None
    probability: float
    majority: bool | None
    missing: int
    disputed: bool


@dataclass(frozen=True)
class _Count:
    accepts: int  # of votes that may settle it
    rejects: int
    log_odds: float  # that the item is good, by all votes

    def with_more(self, more: int, accepts: bool) -> _Count:
        """After `more` verdicts of UNPROVEN people, all alike."""
        log_odds = self.log_odds + more * log_weight(UNPROVEN, accepts)
        return _Count(self.accepts + more * accepts, self.rejects + more * (not accepts), log_odds)

    def settled(self, needed: int) -> bool | None:
        enough = math.log(SETTLED_AT) - math.log(1 - SETTLED_AT) - ROUNDING
        if self.accepts >= needed and self.accepts > self.rejects and self.log_odds >= enough:
            return True
        if self.rejects >= needed and self.rejects > self.accepts and -self.log_odds >= enough:
            return False
        return None


def consensus(
    votes: Sequence[Vote], reliabilities: Mapping[Hashable, Reliability], *, needed: int = 2, at_most: int = 5
) -> Consensus:
    """Where an item stands after these votes, in whatever order they came.

    It settles when at least `needed` votes agree, they lead in number, and the item is on their side with a
    probability of at least `SETTLED_AT`. With needed = 2, two UNPROVEN people who agree settle it, a split asks a
    third, who then settles it.

    The prior is 1/2, not the collection's share of good items: with that, some 0.8, every rejection would start
    against odds of 4 to 1, two careful people would hardly ever settle one, and the items that the double-check is
    there to find would be those that it cannot decide.

    Of an item that is asked anew, votes from before add to the probability alone: `needed` and the lead, and how many
    are asked at most, go by the others.

    Args:
        votes: at most one of each person.
        reliabilities: of the people, as far as known; the others are UNPROVEN.
        needed: how many have to agree, at least 1.
        at_most: how many are ever asked; never below `needed`.

    Raises:
        ValueError: a person votes twice, or `needed` is below 1.
    """
    if needed < 1:
        raise ValueError(f"At least one vote is needed to settle an item, not {needed}.")
    if len({vote.person for vote in votes}) < len(votes):
        raise ValueError("A person has one vote on an item.")
    count = _count(votes, reliabilities)
    accepts = count.settled(needed)
    still = max(at_most, needed) - count.accepts - count.rejects
    lead = sum(1 if vote.accepts else -1 for vote in votes)
    return Consensus(
        accepts=accepts,
        probability=_probability(count.log_odds),
        majority=lead > 0 if lead else None,
        missing=0 if accepts is not None or still <= 0 else _missing(count, needed, still),
        disputed=accepts is None and still <= 0,
    )


def log_weight(reliability: Reliability, accepts: bool) -> float:
    """What a verdict adds to the logarithm of the odds that the item is good.

    Who is worse than a coin counts for nothing rather than the other way round: such a person has misunderstood,
    or stopped listening, and will not go on being wrong as reliably as before. So a vote never speaks for the other
    side, and one more vote for a settled decision cannot unsettle it.
    """
    good, bad = (_clipped(share) for share in (reliability.accepts_good, reliability.rejects_bad))
    if accepts:
        return max(0.0, math.log(good) - math.log(1 - bad))
    return min(0.0, math.log(1 - good) - math.log(bad))


def _count(votes: Sequence[Vote], reliabilities: Mapping[Hashable, Reliability]) -> _Count:
    new = [vote.accepts for vote in votes if not vote.before]
    # fsum: the order of the votes does not matter, down to the last bit.
    weights = (log_weight(reliabilities.get(vote.person, UNPROVEN), vote.accepts) for vote in votes)
    return _Count(sum(new), len(new) - sum(new), math.fsum(weights))


def _missing(count: _Count, needed: int, still: int) -> int:
    for more in range(1, still):
        if any(count.with_more(more, accepts).settled(needed) is not None for accepts in (True, False)):
            return more
    return still


def _clipped(share: float) -> float:
    return min(max(share, LEAST_SURE), MOST_SURE)


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
