"""What one person's recent verdicts look like when nobody listened: signs for an admin, never a judgement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from annotation.crowd.consensus import UNPROVEN

# What an honest reviewer shows more seldom than this is a sign.
IMPROBABLE = 1e-3

# Fewer verdicts than these say nothing.
FEWEST_ALIKE, FEWEST_TIMED, FEWEST_REASONS, FEWEST_COMPARED = 20, 10, 15, 15

# Nobody has heard a fragment before this share of it has passed.
TOO_FAST = 0.5

# How often two UNPROVEN people agree: both right or both wrong.
AGREE = UNPROVEN.accepts_good * UNPROVEN.rejects_bad + (1 - UNPROVEN.accepts_good) * (1 - UNPROVEN.rejects_bad)

# Counts and shares that should be equal differ by less than this.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Judged:
    """A verdict with what was known beside it.

    Attributes:
        accepts: the verdict.
        reason: of a rejection; "" where none was given.
        took_s: seconds from being shown the item to the verdict; None where it is not known.
        length_s: of the fragment, seconds.
        crowd_accepts: what the others say, or the settled decision; None while there is neither.
    """

    accepts: bool
    reason: str
    took_s: float | None
    length_s: float
    crowd_accepts: bool | None


@dataclass(frozen=True)
class Pattern:
    """A sign.

    Attributes:
        code: "all_yes", "all_no", "too_fast", "one_reason" or "at_odds".
        sentence: what was seen, with the figures.
    """

    code: str
    sentence: str


def suspicious_patterns(judged: Sequence[Judged], accept_share: float) -> list[Pattern]:
    """The signs in one person's recent verdicts, none where all is well.

    Args:
        judged: the verdicts, in any order.
        accept_share: the share of everybody's verdicts that accept, 0 to 1.

    Raises:
        ValueError: `accept_share` is not a share.
    """
    if not 0 <= accept_share <= 1:
        raise ValueError(f"A share is between 0 and 1, not {accept_share}.")
    return [
        *_all_alike(judged, accept_share),
        *_too_fast(judged),
        *_one_reason(judged),
        *_at_odds(judged, accept_share),
    ]


def _all_alike(judged: Sequence[Judged], accept_share: float) -> Iterator[Pattern]:
    many, accepted = len(judged), sum(one.accepts for one in judged)
    if many < FEWEST_ALIKE or 0 < accepted < many:
        return
    code, verb, share = ("all_yes", "accept", accept_share) if accepted else ("all_no", "reject", 1 - accept_share)
    if share**many < IMPROBABLE:
        yield Pattern(code, f"All {many} recent verdicts {verb}; of everybody's, {share:.0%} do.")


def _too_fast(judged: Sequence[Judged]) -> Iterator[Pattern]:
    shares = [one.took_s / one.length_s for one in judged if one.took_s is not None and one.length_s > 0]
    if len(shares) >= FEWEST_TIMED and median(shares) < TOO_FAST:
        yield Pattern(
            "too_fast",
            f"Half of {len(shares)} recent verdicts came before {median(shares):.0%} of the fragment could be heard.",
        )


def _one_reason(judged: Sequence[Judged]) -> Iterator[Pattern]:
    reasons = [one.reason for one in judged if not one.accepts]
    if len(reasons) < FEWEST_REASONS or len(set(reasons)) > 1:
        return
    what = f"give the same reason, “{reasons[0]}”" if reasons[0] else "come without a reason"
    yield Pattern("one_reason", f"All {len(reasons)} recent rejections {what}.")


def _at_odds(judged: Sequence[Judged], accept_share: float) -> Iterator[Pattern]:
    """Agreeing no more than by chance, and not by bad luck.

    Chance is somebody who accepts as often as everybody does, without listening. (The person's own share will not
    do: who rejects one item in fifteen, and not the one that the others reject, is "under chance" by that with 87 %.)
    Bad luck is what an UNPROVEN reviewer has more seldom than IMPROBABLE.
    """
    compared = [one for one in judged if one.crowd_accepts is not None]
    if len(compared) < FEWEST_COMPARED:
        return
    many, agreed = len(compared), sum(one.accepts == one.crowd_accepts for one in compared)
    crowd = sum(bool(one.crowd_accepts) for one in compared) / many
    chance = accept_share * crowd + (1 - accept_share) * (1 - crowd)
    if agreed / many < chance - ROUNDING and at_most_probability(agreed, many, AGREE) < IMPROBABLE:
        yield Pattern(
            "at_odds",
            f"{agreed} of {many} recent verdicts agree with the others' ({agreed / many:.0%}); "
            f"without listening, {chance:.0%} would.",
        )


def at_most_probability(count: int, many: int, share: float) -> float:
    """How probably at most `count` of `many` happen, each with probability `share`: the binomial distribution."""
    return math.fsum(math.comb(many, k) * share**k * (1 - share) ** (many - k) for k in range(count + 1))
