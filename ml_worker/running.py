"""Running a job: heartbeat, progress, and a sentence for whatever ends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

from django.db import OperationalError, connections, transaction

from ml_worker.models import HEARTBEAT, Job
from ml_worker.work import FUNCTIONS, CannotBeDone, JobStopped

log = logging.getLogger("chad.jobs")

Progress = Callable[[float, str], None]


def run(job: Job, *, tried_again: bool = False) -> Job:
    """Runs a claimed job to its end. What fails is stored in words; the traceback goes to the log.

    A database that is away for a moment, or a deadlock, is no fault of the job: where it is `tried_again`, as workers
    do, it is left without a heartbeat and put back like one whose worker was lost, as often as those are.
    """
    try:
        with heartbeat(job):
            message, result = FUNCTIONS[job.kind](job, job.report)
    except CannotBeDone as problem:
        job.fail(str(problem))
    except JobStopped:
        job.stop()
    except Exception as problem:
        log.exception("%s failed", job)
        if tried_again and isinstance(problem, OperationalError):
            return job
        job.fail(f"Something unforeseen: {type(problem).__name__}: {problem}. The worker's log has the details.")
    else:
        job.finish(message, result)
    return job


class Beating(Protocol):
    """A row that is told again and again that its worker lives."""

    pk: Any

    def beat(self) -> None: ...


@contextmanager
def heartbeat(row: Beating, every: timedelta = HEARTBEAT) -> Iterator[None]:
    """Says again and again that the row's worker lives, from a thread of its own."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every.total_seconds()):
            row.beat()
        connections.close_all()

    thread = threading.Thread(target=beat, name=f"heartbeat of {row.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run_here(
    kind: str,
    subject: Any = "",
    /,
    *,
    on_progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
    **arguments: Any,
) -> Job:
    """The job of this kind about this subject, run in this process, or awaited where a worker has it already.

    What management commands call, so that a command and a worker never do the same work side by side. A job whose
    worker was lost is taken over.

    Args:
        on_progress: told the share that is done, and a message.
        on_wait: told in a sentence, once, where another process has it already.
    """
    job, is_claimed = claimed_here(kind, subject, **arguments)
    if is_claimed:
        return run_claimed(job, on_progress)
    if on_wait and job.state in Job.OPEN:
        on_wait(f"Another process is at this already ({job.worker or 'it is not named'}); waiting for it.")
    while job.state in Job.OPEN:
        time.sleep(0.5)
        job.put_back()
        job.refresh_from_db()
        if on_progress:
            on_progress(job.progress, job.message)
        if job.state == Job.State.WAITING:
            return run_here(kind, subject, on_progress=on_progress, on_wait=on_wait, **arguments)
    return job


@transaction.atomic
def claimed_here(kind: str, subject: Any = "", /, **arguments: Any) -> tuple[Job, bool]:
    """The open job of this kind about this subject, and whether it is this process's now: no worker has it.

    A new one is no worker's before it is claimed, as nobody sees it until then.
    """
    job = Job.ask(kind, subject, **arguments)
    claimed = Job.claim("a command", Job.objects.filter(pk=job.pk))
    return claimed or job, claimed is not None


def run_claimed(job: Job, on_progress: Progress | None = None) -> Job:
    """Runs a claimed job to its end, and also tells its progress here."""
    if on_progress:
        _also_tell(job, on_progress)
    return run(job)


def _also_tell(job: Job, on_progress: Progress) -> None:
    stored = job.report

    def report(progress: float, message: str) -> None:
        stored(progress, message)
        on_progress(progress, message)

    job.report = report  # type: ignore[method-assign]
