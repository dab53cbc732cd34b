"""The processes that the supervisor runs: what they are, how each is started, watched and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chad_site.embedded import redis
from chad_site.embedded.places import REPOSITORY, Places
from chad_site.embedded.server import rotate
from chad_site.supervisor.preflight import Address

# A child that keeps stopping is started again after 1, 2, 4, … seconds, at most this many.
LONGEST_PAUSE_S = 30.0
# So many stops within so many seconds end everything: it would only go on like that.
MOST_STOPS = 5
STOPS_WINDOW_S = 120.0
# A guard needs this much longer than the plan for its child, in seconds.
GUARD_MARGIN_S = 5.0

# Signals and the seconds after each; what is left then is killed.
QUICK = ((signal.SIGTERM, 5.0),)
# gunicorn: TERM lets requests end. Celery: TERM lets jobs end, QUIT leaves them to be put back at the next start.
WEB = ((signal.SIGTERM, 7.0), (signal.SIGQUIT, 2.0))
WORKER = ((signal.SIGTERM, 6.0), (signal.SIGQUIT, 2.0))

# Threads of each web process. Some of them wait for the answer of a search (annotation/views/search_api.py says how
# many at most); the others go on.
WEB_THREADS = 24
# A process that searches answers one hum at a time on one thread: two hums beside one another are done sooner than one
# after the other on two.
ONE_THREAD = ("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")

Plan = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Part:
    """One process to run: its name (of its log file), what people call it, its command, how it is stopped."""

    name: str
    title: str
    command: list[str]
    plan: Plan = QUICK


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def celery(*arguments: str) -> list[str]:
    return python("-m", "celery", "-A", "chad_site", *arguments)


def redis_part(places: Places) -> Part:
    return Part("redis", "Redis", redis.command(places))


def worker_part(queue: str, processes: int, level: str = "INFO") -> Part:
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", level]
    command = celery("worker", "-Q", queue, "-c", str(processes), "-n", f"{queue}@%h", *quiet)
    return Part(f"worker-{queue}", f"The worker for {queue} jobs", command, WORKER)


def search_part(processes: int) -> Part:
    """The worker that answers searches. It is called every other second, which is no news for its log."""
    part = worker_part("search", processes, "WARNING")
    return Part(part.name, "The worker for searches", ["/usr/bin/env", *ONE_THREAD, *part.command], part.plan)


def shard_part(number: int) -> Part:
    """The worker that searches a shard of the index, counted from 0; called as often as that for searches."""
    part = worker_part(f"shard-{number}", 1, "WARNING")
    title = f"The worker for shard {number} of the index"
    return Part(part.name, title, ["/usr/bin/env", *ONE_THREAD, *part.command], part.plan)


def scheduler_part() -> Part:
    return Part("scheduler", "The scheduler", celery("beat", "--pidfile=", "--loglevel", "INFO"))


def web_part(where: Address) -> Part:
    options = ["--bind", where.bind, "--workers", "2", "--threads", str(WEB_THREADS)]
    options += ["--timeout", "120", "--graceful-timeout", "5", "--no-control-socket", "--access-logfile", "-"]
    return Part("web", "The web server", python("-m", "gunicorn", "chad_site.wsgi:application", *options), WEB)


@dataclass
class Lifeline:
    """What every guard inherits: the pipe that tells the supervisor's end, and the lock that tells its own."""

    reader: int
    writer: int
    lock: int

    @classmethod
    def new(cls, lock: int) -> Lifeline:
        return cls(*os.pipe(), lock)

    def close(self) -> None:
        """Lets go of everything, as the kernel does for a process that ends: the guards then end their commands."""
        for fd in {self.reader, self.writer, self.lock} - {-1}:
            os.close(fd)
        self.reader = self.writer = self.lock = -1

    def guarded(
        self, command: Iterable[str], plan: Plan, environment: dict[str, str], output: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a command under a guard, away from the terminal's signals; `output` None is the terminal."""
        steps = ",".join(f"{int(signum)}:{seconds}" for signum, seconds in plan)
        guard = python("-m", "chad_site.supervisor.guard", str(self.reader), steps)
        return subprocess.Popen(
            [*guard, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output and subprocess.STDOUT,
            cwd=REPOSITORY, env=environment, pass_fds=(self.reader, self.lock), start_new_session=True,
        )  # fmt: skip


class Child:
    """A part that runs, or that is to be started again."""

    def __init__(self, part: Part, logs: Path, lifeline: Lifeline, environment: dict[str, str]) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.lifeline = lifeline
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.stops: deque[float] = deque(maxlen=MOST_STOPS)
        self.start_at = 0.0

    def start(self) -> None:
        rotate(self.log)
        with self.log.open("ab") as log:
            self.process = self.lifeline.guarded(
                self.part.command, self.part.plan, self.environment, output=log.fileno()
            )

    def ended(self) -> int | None:
        """The exit code, once, when it has stopped since the last look."""
        code = None if self.process is None else self.process.poll()
        if code is not None:
            self.process = None
            self.stops.append(time.monotonic())
            self.start_at = time.monotonic() + self.pause_s
        return code

    @property
    def recent_stops(self) -> int:
        return sum(time.monotonic() - stop < STOPS_WINDOW_S for stop in self.stops)

    @property
    def pause_s(self) -> float:
        """How long to wait before the next start."""
        return min(LONGEST_PAUSE_S, 2.0 ** (self.recent_stops - 1))

    @property
    def hopeless(self) -> bool:
        return self.recent_stops >= MOST_STOPS

    @property
    def due(self) -> bool:
        return self.process is None and time.monotonic() >= self.start_at

    def ask_to_stop(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def wait_for_stop(self) -> None:
        """Waits for the guard to carry out the plan; a guard that hangs is killed with its child's group."""
        if self.process is None:
            return
        try:
            self.process.wait(sum(seconds for _, seconds in self.part.plan) + GUARD_MARGIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
