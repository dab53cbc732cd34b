"""Celery: a queue `search`, with one for each shard of the index where there are several, and two of jobs: `ordinary`,
for what a person waits for, and `heavy`.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chad_site.settings")
# Torch's threads sleep when they wait: spinning ones slow a busy machine down many times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

log = logging.getLogger("chad.jobs")

app = Celery("chad_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["ml_worker"])


QUEUES = ("ordinary", "heavy")
# A call that no worker takes in this time is dropped, seconds; the schedule calls again.
CALL_EXPIRES_S = 60


def nudge() -> None:
    """Tells the workers of both queues to look for work now, rather than at the next tick of the schedule."""
    for queue in QUEUES:
        call_for_work(queue)


def nudge_searches() -> None:
    """Tells the processes that search to look now."""
    send("ml_worker.answer_searches", [], "search")


def shard_queue(number: int) -> str:
    """The queue of the workers that search a shard of the index, counted from 0."""
    return f"shard-{number}"


def call_for_work(queue: str) -> None:
    """Tells the workers of a queue to look for work.

    A hint only: the rows are in the database, so a broker that is away costs seconds, never work.
    """
    send("ml_worker.work", [queue], queue)


def send(task: str, arguments: list[Any], queue: str) -> None:
    """One message, or a line in the log where the broker is away."""
    try:
        app.send_task(task, arguments, queue=queue, ignore_result=True, retry=False, expires=CALL_EXPIRES_S)
    except OperationalError as problem:
        log.warning("The broker is away (%s); pending work waits for the schedule.", problem)
