"""Measures how far each reviewer can be relied on, from all verdicts and the control items among them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from annotation.double_check.measuring import measure_reviewers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    report(0.0, "Measuring the reviewers")
    found = measure_reviewers()
    if not found.verdicts:
        return "There are no verdicts yet to measure reviewers by.", asdict(found)
    return (
        f"Reviewers measured: {found.reviewers}, by {found.verdicts:,} verdicts, of which {found.on_controls:,} on "
        f"control items, in {found.seconds:.1f} s.",
        asdict(found),
    )
