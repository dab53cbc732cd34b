"""Control items ("gold"): items whose answer is known, mixed in unseen to learn how reliable a reviewer is.

Control items have to be good and bad in about equal parts. If they were as the collection is, four good ones in
five, who accepts everything would be right in 80 % of them and never be noticed.

The constants were chosen by this table: reviewers of a given accuracy on control items, from their first answer on,
10,000 of each (`annotation.crowd.simulation.standing_table`, SYNTHETIC).

    accuracy   set aside within 100 answers   median answers until then
      0.95               0.3 %
      0.90               3.5 %
      0.85              17.6 %
      0.60                all                         9
      0.50                all                         8

With WORTH = 4, 8.8 % of reviewers of 0.90 were set aside; with 6, 7.2 %.

PASSED and WON_BACK are looked for after each answer, so luck has many tries. Within 60 control items and 400 items in
all, 2,000 reviewers of each (`annotation.crowd.simulation.passing_table`, SYNTHETIC):

    reviewer       passes     ever     control items until     not within   verdicts   that
                  training   trusted   trusted, median, 90 %       30                  count
    always yes      3.4 %      8.6 %        -        -            95 %           1.3    0.4
    a coin          2.9 %      8.1 %        -        -            96 %           1.0    0.2
      0.60         15.1 %     32.8 %        -        -            81 %            12      6
      0.85         94.3 %      all         10       23            3.2 %          332    329
      0.90         99.1 %      all         10       16            0.6 %          358    358
      0.95          all        all         10       10              0            364    364

With 8, 7 and 10, 9, who always accepts passed in 9.5 %, and was trusted at some time in 24.8 %; with 5, 4 and 6, 5 in
39.6 % and 91.5 %, and 7.6 of 26.7 verdicts counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

# The share of control items: of somebody new or doubtful, and of somebody proven.
MOST, LEAST = 0.5, 0.05

# The share of control items that a reviewer has to get right; that a good one gets right; that a guess does.
BAR, GOOD, GUESS = 0.7, 0.9, 0.5

# What nobody has shown yet: as good as this, worth as many answers.
START, WORTH = 0.85, 8

# Answers that are looked at: older ones say little of today.
RECENT = 20

# Fewest answers before somebody trusted, or new, is set aside.
FEWEST, FEWEST_NEW = 5, 8

# Training is passed, or trust won back, when of the last so many answers so many are right.
PASSED = (10, 9)
WON_BACK = (12, 11)


class Standing(StrEnum):
    """How far a reviewer's verdicts are relied on."""

    NEW = "new"
    """Learning: sees after a control item whether the answer was right; verdicts count already."""

    TRUSTED = "trusted"
    """Verdicts count; control items pass unseen."""

    SET_ASIDE = "set_aside"
    """Verdicts do not count until enough control items are right; sees whether they were."""


def probability_of_gold(right: int, wrong: int) -> float:
    """How probably the next item should be a control item, LEAST to MOST.

    It follows Wald's ratio (1945): how much better guessing would explain the answers than a GOOD reviewer does.
    Every right answer nearly halves it, a wrong one multiplies it by five. (Weighed against a reviewer at the BAR
    instead of a guess, who has 17 of 20 right stayed at 22 %, half as many control items again were asked, and the
    labels of the simulation were hardly better: errors of 2.1 % instead of 2.5 %, with a shorter training than now.)

    Args:
        right, wrong: control items answered. Of the last RECENT: else old merit hides that somebody stopped listening.

    Raises:
        ValueError: a number is below 0.
    """
    if min(right, wrong) < 0:
        raise ValueError(f"Answers are counted from 0, not {right} and {wrong}.")
    log_doubt = right * math.log(GUESS / GOOD) + wrong * math.log((1 - GUESS) / (1 - GOOD))
    return LEAST + (MOST - LEAST) * math.exp(min(0.0, log_doubt))


def standing(before: Standing, answers: Sequence[bool]) -> Standing:
    """The standing after the newest answer; to be asked after each.

    Args:
        before: the standing until now.
        answers: whether control items were answered rightly, oldest first, since the last change of standing.
    """
    if before is Standing.SET_ASIDE:
        return Standing.TRUSTED if _holds(answers, *WON_BACK) else before
    if before is Standing.NEW and _holds(answers, *PASSED):
        return Standing.TRUSTED
    fewest = FEWEST_NEW if before is Standing.NEW else FEWEST
    return Standing.SET_ASIDE if len(answers) >= fewest and accuracy(answers) < BAR else before


def accuracy(answers: Sequence[bool]) -> float:
    """The share of control items that a reviewer gets right, 0 to 1, by the RECENT answers; START without any."""
    recent = answers[-RECENT:]
    return (sum(recent) + START * WORTH) / (len(recent) + WORTH)


def gives_feedback(standing: Standing) -> bool:
    """Whether the reviewer is told after a control item if the answer was right."""
    return standing is not Standing.TRUSTED


def counts(standing: Standing) -> bool:
    """Whether the reviewer's verdicts count."""
    return standing is not Standing.SET_ASIDE


def _holds(answers: Sequence[bool], of_last: int, right: int) -> bool:
    return len(answers) >= of_last and sum(answers[-of_last:]) >= right
