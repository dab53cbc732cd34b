"""Asks anew what a reviewer judged while the control items went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotation.models import Reviewer
from annotation.models.reviewers import PUT_BACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome

NOTHING = "None of the verdicts of {name} has to be asked anew."


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    reviewer = Reviewer.objects.select_related("person").filter(pk=job.subject).first()
    if reviewer is None:
        return "The reviewer is gone, and the verdicts with them.", {"verdicts": 0}
    name = reviewer.person.get_username()
    # Each in a transaction of its own: what was put back before a kill stays so, and the next run does the rest.
    verdicts = list(reviewer.verdicts_to_put_back())
    for number, verdict in enumerate(verdicts):
        report(number / len(verdicts), f"Verdict {number + 1} of {len(verdicts)} by {name}")
        verdict.discount(PUT_BACK)
    words = f"Asked anew: {len(verdicts)} items, which {name} judged while control items went wrong."
    return (words if verdicts else NOTHING.format(name=name)), {"verdicts": len(verdicts)}
