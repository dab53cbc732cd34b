"""Sparing the video site: how often it is searched, and a pause between two downloads, whichever worker does them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from ml_worker.models import Job
from recordings.models import CoverSearch

HOUR = timedelta(hours=1)


def kinds_that_wait() -> list[str]:
    """Kinds of jobs that no worker takes up now; they stay in the queue, and no worker sleeps for them."""
    waiting = set(
        Job.objects.waiting().filter(kind__in=(Job.Kind.SEARCH, Job.Kind.FETCH)).values_list("kind", flat=True)
    )
    not_now = []
    if Job.Kind.SEARCH in waiting and searches_used_up_until() is not None:
        not_now.append(Job.Kind.SEARCH)
    if Job.Kind.FETCH in waiting and (is_fetching() or rest_s()):
        not_now.append(Job.Kind.FETCH)
    return not_now


def searches_used_up_until(now: datetime | None = None) -> datetime | None:
    """When the site may be searched again, where this hour's searches are used up; None where it may be now."""
    now = now or timezone.now()
    lately = CoverSearch.objects.filter(at__gt=now - HOUR).order_by("-at").values_list("at", flat=True)
    counted = list(lately[: settings.SEARCHES_AN_HOUR])
    if len(counted) < settings.SEARCHES_AN_HOUR:
        return None
    return counted[-1] + HOUR if counted else now + HOUR


def is_fetching() -> bool:
    return Job.objects.filter(state=Job.State.RUNNING, kind=Job.Kind.FETCH).exists()


def rest_s(now: datetime | None = None) -> float:
    """Seconds until the next download may begin; 0 where none ended lately."""
    now = now or timezone.now()
    pause = timedelta(seconds=settings.VIDEO_PAUSE_S)
    lately = Job.objects.filter(kind=Job.Kind.FETCH, finished_at__gt=now - pause)
    ended_at = lately.aggregate(last=Max("finished_at"))["last"]
    return 0.0 if ended_at is None else min(pause, ended_at + pause - now).total_seconds()
