"""Drafts a release, or publishes and writes it, in the instance's folder of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome

# What a job is asked for, in its arguments: a draft to look at, or the release itself.
DRAFT = "draft"


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    from annotation import releasing
    from ml_worker.work import CannotBeDone
    from recordings.release import ReleaseRefused
    from recordings.release.home import folder_of
    from recordings.release.publishing import notes_of

    folder = folder_of(job.subject)
    try:
        if job.arguments.get("step") == DRAFT:
            checks = releasing.draft(job.subject, folder, report, job.arguments.get("notes", ""))
            # Kept beside the draft, which goes when something in it is withdrawn.
            kept = {"folder": str(folder), "notes": notes_of(job.subject)}
            return in_words(job.subject, [check.state for check in checks]), kept
        asked = {name: job.arguments.get(name) for name in ("notes", "ticked", "snapshot")}
        counts = releasing.publish(job.subject, folder, report, **asked)
    except ReleaseRefused as problem:
        raise CannotBeDone(str(problem)) from problem
    return f"Release {job.subject} is published and exported.", counts


def throw_away(version: str) -> bool:
    """A draft goes, or a version that was asked for and never frozen, with what is told of its work; nothing of it was
    ever out. Gives False where it is being written right now."""
    from django.db import transaction

    from ml_worker.models import Job
    from recordings.models import Release
    from recordings.release.removed import discard

    jobs = Job.objects.filter(kind=Job.Kind.RELEASE, subject=version)
    with transaction.atomic():
        if jobs.open().exists():
            return False
        discard(Release.objects.drafts().filter(version=version))
        jobs.exclude(state__in=Job.OPEN).delete()
    return True


def in_words(version: str, states: list[str]) -> str:
    stops = states.count("stops")
    if stops:
        return f"Draft {version} is checked: {stops} of {len(states)} checks stop its publication."
    return f"Draft {version} is checked: nothing stops its publication."
