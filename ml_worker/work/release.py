"""Drafts a release, or publishes and writes it, in the instance's folder of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import AbstractBaseUser

    from ml_worker.models import Job
    from ml_worker.work import Outcome

# What a job is asked for, in its arguments: a draft to look at, or the release itself.
DRAFT = "draft"


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    from annotation import releasing
    from ml_worker.work import CannotBeDone, JobStopped
    from recordings.release import ReleaseRefused
    from recordings.release.home import folder_of
    from recordings.release.publishing import notes_of

    folder, report = folder_of(job.subject), stoppable(job, report)
    try:
        # Who is asked to stop by now leaves the draft that is there as it is.
        report(0.0, "Begun")
        if job.arguments.get("step") == DRAFT:
            keep_words(job)
            checks = releasing.draft(job.subject, folder, report, job.arguments.get("notes", ""))
            # Kept beside the draft, which goes when something in it is withdrawn.
            kept = {"folder": str(folder), "notes": notes_of(job.subject)}
            return in_words(job.subject, [check.state for check in checks]) + too_late(job), kept
        asked = {name: job.arguments.get(name) for name in ("notes", "ticked", "snapshot")}
        counts = releasing.publish(job.subject, folder, report, **asked)
    except ReleaseRefused as problem:
        raise CannotBeDone(str(problem)) from problem
    except JobStopped:
        note_draft(job)
        raise
    return f"Release {job.subject} is published and exported." + too_late(job), counts


def stoppable(job: Job, report: Callable[[float, str], None]) -> Callable[[float, str], None]:
    """Reports, and ends the work where an admin asked for that: what is written stays, for a publication to go on with
    or a new draft to clear. What is done is not stopped any more, and what is out is not left half written."""
    from ml_worker.work import JobStopped

    was_out = is_out(job.subject)

    def tell(share: float, message: str) -> None:
        if share < 1.0 and job.is_to_stop and (was_out or not is_out(job.subject)):
            raise JobStopped
        report(share, message)

    return tell


def is_out(version: str) -> bool:
    from recordings.models import Release

    return Release.objects.published().filter(version=version).exists()


def too_late(job: Job) -> str:
    return " It was done before it could be stopped." if job.is_to_stop else ""


def keep_words(job: Job) -> None:
    """The words for the changelog stand beside the draft from the beginning: it is thrown away to be frozen anew, and
    may be gone for good when the work fails or its worker dies."""
    from recordings.release.publishing import notes_of

    words = notes_of(job.subject)
    if words:
        note(job, notes=words)


def note_draft(job: Job) -> None:
    """What is known of a stopped draft outlives it, which goes when something in it is withdrawn: that there was one,
    and the words for the changelog."""
    from recordings.models import Release

    draft = Release.objects.drafts().filter(version=job.subject).first()
    if draft is None or job.arguments.get("step") != DRAFT:
        return
    keep_words(job)
    note(job, snapshot=draft.settings["snapshot"])


def note(job: Job, **told: str) -> None:
    job.arguments = job.arguments | told
    job.save(update_fields=["arguments"])


def stop(version: str, person: AbstractBaseUser | None = None) -> Job | None:
    """Has the work at a version stop; its job, which is stopped or about to be. None where nothing was at work."""
    from ml_worker.models import Job

    job = Job.objects.open().filter(kind=Job.Kind.RELEASE, subject=version).first()
    if job is None or not job.ask_to_stop(person):
        return None
    if job.state == Job.State.STOPPED:
        note_draft(job)
        tidy()
    return job


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
    tidy()
    return True


def tidy() -> None:
    """Clears what was written of drafts that are no more, where whoever wrote it was killed before he could."""
    from ml_worker.models import Job
    from recordings.release.removed import clear_abandoned

    at_work = Job.objects.open().filter(kind=Job.Kind.RELEASE).values_list("subject", flat=True)
    clear_abandoned(busy=set(at_work))


def in_words(version: str, states: list[str]) -> str:
    stops = states.count("stops")
    if stops:
        return f"Draft {version} is checked: {stops} of {len(states)} checks stop its publication."
    return f"Draft {version} is checked: nothing stops its publication."
