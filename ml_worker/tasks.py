"""What Celery runs. A message only says "work": the work itself is rows, so a lost message loses nothing."""

from __future__ import annotations

import os
import socket
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.db.models import QuerySet

from annotation import leaving, limits
from annotation.models import Guest, Search
from chad_site.celery import call_for_work
from ml_worker import pending
from ml_worker.models import Job, SearchIndex
from ml_worker.polite import kinds_that_wait
from ml_worker.running import run
from ml_worker.work import release

if TYPE_CHECKING:
    from ml_worker.finding import Finder
    from ml_worker.shards import ShardFinder


@shared_task(name="ml_worker.tidy")
def tidy() -> None:
    """Once a day: what is over is forgotten. Sessions, guests who came to nothing, old counts of calls, files."""
    call_command("clearsessions")
    Guest.forget_idle()
    limits.forget()
    leaving.sweep()
    release.tidy()


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


@shared_task(name="ml_worker.answer_searches")
def answer_searches() -> None:
    """Answers the searches that wait. Called every other second, too, so that the index in use is open by then."""
    # Only processes of the queue `search` load what that needs.
    from ml_worker.finding import answer_all

    answer_all(finder(), this_worker())


@cache
def finder() -> Finder:
    """This process's."""
    if settings.SEARCH_SHARDS > 1:
        from ml_worker.shards import FinderInShards, Shards

        return FinderInShards(Shards(settings.SEARCH_SHARDS, settings.SHARD_LIMIT_S))
    from ml_worker.finding import Finder

    return Finder()


# Nobody waits for it any more when a worker that died would be replaced: it is not done again.
@shared_task(name="ml_worker.search_shard", ignore_result=False, acks_late=False)
def search_shard(question: dict[str, Any]) -> dict[str, Any] | None:
    """Searches a part of the index for a hum: see `ml_worker/shards.py`."""
    from ml_worker.shards import Question

    asked = Question.from_plain(question)
    reply = shard_finder(*asked.shard).reply_to(asked)
    return reply and reply.as_plain()


@shared_task(name="ml_worker.open_shard")
def open_shard(number: int, of: int) -> None:
    """Called every other second, so that a part of the index in use is open before somebody asks."""
    shard_finder(number, of).keep_open()


@cache
def shard_finder(number: int, of: int) -> ShardFinder:
    """This process's."""
    from ml_worker.retrieval.index.searcher import Shard
    from ml_worker.shards import ShardFinder

    return ShardFinder(Shard(number, of))


@shared_task(name="ml_worker.forget_searches")
def forget_searches() -> None:
    """Every few minutes: hums that were searched for are deleted after an hour, and old indexes at once."""
    Search.forget_over()
    SearchIndex.sweep()


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
