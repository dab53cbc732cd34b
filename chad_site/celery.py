"""Celery: two queues, `ordinary` for what a person waits for and `heavy` for training and mining."""

from __future__ import annotations

import logging
import os

from celery import Celery
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chad_site.settings")

log = logging.getLogger("chad.jobs")

app = Celery("chad_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["ml_worker"])


def nudge() -> None:
    """Tells the workers to look for pending rows now, rather than at the next tick of the schedule.

    A hint only: the rows are in the database, so a broker that is away costs seconds, never work.
    """
    try:
        app.send_task("ml_worker.look", retry=False, expires=30)
    except OperationalError as problem:
        log.warning("The broker is away (%s); pending work waits for the schedule.", problem)
