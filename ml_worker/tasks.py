"""What Celery runs. A message only says "work": the work itself is rows, so a lost message loses nothing."""

from __future__ import annotations

import os
import socket

from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.db.models import QuerySet

from annotation import leaving, limits
from annotation.models import Guest
from chad_site.celery import call_for_work
from ml_worker import pending
from ml_worker.models import Job
from ml_worker.polite import kinds_that_wait
from ml_worker.running import run


@shared_task(name="ml_worker.tidy")
def tidy() -> None:
    """Once a day: what is over is forgotten. Sessions, guests who came to nothing, old counts of calls, files."""
    call_command("clearsessions")
    Guest.forget_idle()
    limits.forget()
    leaving.sweep()


def this_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@shared_task(name="ml_worker.work")
def work(queue: str) -> None:
    """Looks for what is pending, does the most urgent job of this queue, and calls for the next."""
    put_back_stale()
    pending.make_jobs()
    job = Job.claim(this_worker(), claimable(queue))
    if job is None:
        return
    run(job, tried_again=True)
    if claimable(queue).waiting().exists():
        call_for_work(queue)


def claimable(queue: str) -> QuerySet[Job]:
    """The jobs of a queue. Of those that nobody waits for only a few run at once, so that people find a free worker.

    Searches and downloads stay in the queue while the video site is to be spared.
    """
    jobs = Job.objects.of_queue(queue).exclude(kind__in=kinds_that_wait())
    if queue == "heavy" or jobs.running_unhurried().count() < settings.UNHURRIED_JOBS:
        return jobs
    return jobs.urgent()


def put_back_stale() -> None:
    """Jobs whose worker was lost go back to waiting."""
    for job in Job.objects.stale():
        job.put_back()
