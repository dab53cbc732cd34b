"""Exports a release into the instance's folder of releases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    from ml_worker.work import CannotBeDone
    from recordings.release import ReleaseRefused, publish

    folder = Path(settings.CHAD_HOME) / "releases" / job.subject
    try:
        counts = publish(job.subject, folder, report)
    except ReleaseRefused as problem:
        raise CannotBeDone(str(problem)) from problem
    return f"Release {job.subject} is exported.", counts
