"""What Celery runs. A message only says "look": the work itself is rows, so a lost message loses nothing."""

from __future__ import annotations

import os
import socket

from celery import shared_task

from ml_worker import pending
from ml_worker.models import Job
from ml_worker.running import run


def this_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def call_for_work(queue: str) -> None:
    """Sends a worker of this queue to its next job, if there is one. Calls that nobody answers in time are dropped."""
    if Job.objects.waiting().of_queue(queue).exists():
        work.apply_async([queue], queue=queue, expires=60)


@shared_task(name="ml_worker.look")
def look() -> None:
    """Makes jobs of what is pending, and sends both queues to work."""
    pending.make_jobs()
    for queue in ("ordinary", "heavy"):
        call_for_work(queue)


@shared_task(name="ml_worker.work")
def work(queue: str) -> None:
    """Does one job of this queue, and calls for the next."""
    job = Job.claim(this_worker(), Job.objects.of_queue(queue))
    if job is None:
        return
    run(job)
    call_for_work(queue)


@shared_task(name="ml_worker.put_back_stale")
def put_back_stale() -> None:
    """Jobs whose worker was lost go back to waiting."""
    for job in Job.objects.stale():
        job.put_back()
