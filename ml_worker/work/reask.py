"""Asks anew what a reviewer judged while the control items went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotation.models import Reviewer

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
    put_back = reviewer.put_back_recent(
        lambda number, of: report(number / of, f"Verdict {number + 1} of {of} by {name}")
    )
    words = f"Asked anew: {put_back} items, which {name} judged while control items went wrong."
    return (words if put_back else NOTHING.format(name=name)), {"verdicts": put_back}
