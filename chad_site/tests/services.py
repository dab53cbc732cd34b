"""Fixtures: the tests' own Redis, and a real Celery worker on the tests' database."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chad_site.embedded import chad_home, redis, redis_url, server
from chad_site.embedded.places import Places
from chad_site.supervisor import children
from chad_site.supervisor.children import Lifeline

# How long a service may take to answer on a busy machine, in seconds.
ANSWER_LIMIT_S = 90.0


def wait_until(ready: Callable[[], bool], what: str, limit_s: float = ANSWER_LIMIT_S) -> None:
    """Waits for something that another process does; fails the test with `what` when it does not come."""
    deadline = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} within {limit_s:.0f} s: it did not come.")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def lifeline() -> Iterator[Lifeline]:
    """Ends what tests start under a guard, even when pytest is killed."""
    lifeline = Lifeline.new(os.open(os.devnull, os.O_RDONLY))
    yield lifeline
    lifeline.close()


@pytest.fixture(scope="session")
def redis_server(lifeline: Lifeline) -> Iterator[str]:
    """The URL of a Redis of the tests' own, the one that settings name as the broker."""
    places = Places(chad_home())
    places.prepare()
    with (places.logs / "redis.log").open("ab") as log:
        part = children.redis_part(places)
        process = lifeline.guarded(part.command, part.plan, dict(os.environ), log.fileno())
    wait_until(lambda: redis.answers(places), "Redis answers")
    yield redis_url(places.home)
    process.terminate()
    process.wait()


@dataclass
class Worker:
    """A worker process, and what it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return "\n".join(server.last_lines(self.log, 200))


@pytest.fixture
def celery_worker(transactional_db: None, redis_server: str, lifeline: Lifeline, tmp_path: Path) -> Iterator[Worker]:
    """A real worker for both queues, in its own process, on the tests' database and Redis.

    What it shall see must be committed: the test's database is a transactional one. Nothing is scheduled: call
    `chad_site.celery.nudge()` to make it look.
    """
    from django.db import connection

    from chad_site.celery import app

    app.control.purge()
    part = children.worker_part("ordinary,heavy", 1)
    environment = os.environ | {"CHAD_DATABASE_NAME": str(connection.settings_dict["NAME"])}
    with started_worker(part, part.command, lifeline, environment, tmp_path / "worker.log") as worker:
        yield worker


@contextmanager
def started_worker(
    part: children.Part, command: list[str], lifeline: Lifeline, environment: dict[str, str], log: Path
) -> Iterator[Worker]:
    """A worker of the supervisor's, ready, and ended afterwards."""
    with log.open("ab") as file:
        process = lifeline.guarded(command, part.plan, environment, file.fileno())
    worker = Worker(process, log)
    try:
        wait_until(lambda: " ready." in worker.said() or process.poll() is not None, "The worker is ready")
        assert process.poll() is None, worker.said()
        yield worker
    finally:
        process.terminate()
        process.wait()
