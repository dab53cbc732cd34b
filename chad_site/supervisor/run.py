"""The supervisor: starts the parts in order, says what it does, watches over them, and ends them in order."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from chad_site.embedded import EmbeddedError, ensure_postgres, locks, redis, release_postgres, server
from chad_site.embedded.account import die_with_parent
from chad_site.embedded.errors import sentence_of
from chad_site.embedded.places import Places, chad_home, free_megabytes
from chad_site.supervisor import children, preflight
from chad_site.supervisor.children import Child, Lifeline, Part
from chad_site.supervisor.guard import adopt_orphans, parents
from chad_site.supervisor.preflight import Address, Unfit

# How long a child may take until it answers, in seconds. The first import of the libraries from a slow disk is long.
REDIS_LIMIT_S = 60.0
WEB_LIMIT_S = 180.0
# How long the guards of a run that was killed may take to end their children, in seconds.
PREDECESSOR_LIMIT_S = 30.0
# The pace of watching, in seconds.
LOOK_EVERY_S = 0.25
DATABASE_EVERY_S = 3.0
DISK_EVERY_S = 30.0
# Below this the person is told while CHAD runs, in megabytes.
LOW_DISK_MB = 300


class Stopped(Exception):
    """The person asked for the end while something was being started."""


def say(text: str) -> None:
    """Tells the person, if the terminal is still there; without it everything still has to be ended in order."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


class Every:
    """True once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.next = time.monotonic() + seconds

    def __bool__(self) -> bool:
        if time.monotonic() < self.next:
            return False
        self.next = time.monotonic() + self.seconds
        return True


class Supervisor:
    """One run of everything, from the checks to the last child's end."""

    def __init__(self, places: Places, where: Address, lock: int) -> None:
        self.places = places
        self.where = where
        self.lifeline = Lifeline.new(lock)
        self.own_database = not os.environ.get("DATABASE_URL")
        self.own_broker = not os.environ.get("CELERY_BROKER_URL")
        self.search_processes = preflight.search_processes()
        self.search_shards = preflight.search_shards()
        self.children: list[Child] = []
        self.step: subprocess.Popen[bytes] | None = None
        self.asked = False
        self.database_number: int | None = None
        self.low_disk_said = False
        self.database_tick, self.disk_tick = Every(DATABASE_EVERY_S), Every(DISK_EVERY_S)
        self.environment = os.environ | {
            "CHAD_HOME": str(places.home),
            "PORT": str(where.port),
            "DJANGO_SETTINGS_MODULE": "chad_site.settings",
            "PYTHONUNBUFFERED": "1",
        }

    # --- from start to end

    def run(self) -> None:
        """Starts everything and returns when the person asked for the end. Raises Unfit where it cannot go on."""
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self.ask)
        try:
            self.start()
            self.greet()
            while not self.asked:
                self.look_after()
                time.sleep(LOOK_EVERY_S)
        except Stopped:
            pass
        finally:
            self.stop()

    def ask(self, *_: object) -> None:
        """A signal's handler: everything is to end."""
        self.asked = True
        if self.step is not None:
            self.step.terminate()

    def start(self) -> None:
        self.start_database()
        if not self.own_broker:
            say("Broker: the one that CELERY_BROKER_URL names.")
        else:
            self.start_child(children.redis_part(self.places))
            self.wait_until("Redis", lambda: redis.answers(self.places), REDIS_LIMIT_S)
        self.manage("Database tables", "migrate", "--verbosity", "1", shown="  Applying")
        for part in (
            children.web_part(self.where),
            children.worker_part("ordinary", 2),
            children.worker_part("heavy", 1),
            children.search_part(self.search_processes),
            *(children.shard_part(number) for number in range(self.search_shards) if self.search_shards > 1),
            children.scheduler_part(),
        ):
            self.start_child(part)
        self.manage("Accounts and starter catalogue", "first_start")  # while the others import their libraries
        self.wait_until("Web server", self.is_healthy, WEB_LIMIT_S)

    def greet(self) -> None:
        say(f"\nCHAD is up: {self.where.url}")
        sign_in = self.places.home / "sign-in.txt"
        if sign_in.exists():
            say("Sign in with one of these names and its password:")
            say("".join(f"  {line}\n" for line in sign_in.read_text().splitlines()).rstrip())
        say(f"Logs: {self.places.logs}. Ctrl-C ends everything.")

    # --- starting

    def start_database(self) -> None:
        if not self.own_database:
            say("Database: the one that DATABASE_URL names.")
            return
        first = not self.places.postgres_data.exists()
        began = time.monotonic()
        say("Database: making a new one …" if first else "Database: starting …")
        ensure_postgres(self.places.home)
        self.database_number = server.number(self.places)
        say(f"Database: ready ({time.monotonic() - began:.1f} s).")

    def start_child(self, part: Part) -> None:
        if self.asked:
            raise Stopped
        child = Child(part, self.places.logs, self.lifeline, self.environment)
        child.start()
        self.children.append(child)

    def wait_until(self, title: str, ready: Callable[[], bool], limit_s: float) -> None:
        """Waits for a child to answer, looking after all others meanwhile."""
        began = time.monotonic()
        while not ready():
            if self.asked:
                raise Stopped
            if time.monotonic() - began > limit_s:
                raise Unfit(f"{title}: no answer within {limit_s:.0f} s. The files in {self.places.logs} say more.")
            self.look_after()
            time.sleep(LOOK_EVERY_S / 2)
        say(f"{title}: ready ({time.monotonic() - began:.1f} s).")

    def manage(self, title: str, *arguments: str, shown: str | None = None) -> None:
        """Runs a management command to its end. Raises Unfit where it fails.

        `shown` None passes its output through; else only lines that begin so are shown, all of them if it fails.
        """
        if self.asked:
            raise Stopped
        began = time.monotonic()
        say(f"{title}: …")
        command = children.python("manage.py", *arguments)
        output = None if shown is None else subprocess.PIPE
        self.step = self.lifeline.guarded(command, children.QUICK, self.environment, output)
        lines = list(self.step_lines(shown))
        code = self.step.wait()
        self.step = None
        if self.asked:
            raise Stopped
        if code != 0:
            said = "".join(f"\n  {line}" for line in lines[-server.SHOWN_LINES :])
            raise Unfit(f"{title}: `manage.py {arguments[0]}` failed.{said}")
        say(f"{title}: done ({time.monotonic() - began:.1f} s).")

    def step_lines(self, shown: str | None) -> list[str]:
        """The lines that the present command wrote, those to be shown as soon as they come."""
        lines: list[str] = []
        for raw in (self.step and self.step.stdout) or ():
            lines.append(raw.decode(errors="replace").rstrip())
            if shown and lines[-1].startswith(shown):
                say(lines[-1])
        return lines

    def is_healthy(self) -> bool:
        link = http.client.HTTPConnection(self.where.near, self.where.port, timeout=10)
        try:
            link.request("GET", "/healthz", headers={"Host": "localhost"})  # allowed wherever it listens
            return link.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()

    # --- watching

    def look_after(self) -> None:
        """Starts again what has stopped. Raises Unfit where a part keeps stopping."""
        for child in self.children:
            code = child.ended()
            if code is not None:
                self.mourn(child, code)
            if child.due:
                child.start()
        if self.own_database and self.database_tick:
            self.reap_adopted()
            self.look_after_database()
        if self.disk_tick:
            self.look_at_disk()

    def mourn(self, child: Child, code: int) -> None:
        """Says that a child has stopped, and why as far as its log tells."""
        ending = f"signal {code - 128}" if code > 128 else f"exit code {code}"
        lines = "".join(f"\n  {line}" for line in server.last_lines(child.log))
        say(f"{child.part.title} stopped ({ending}). The end of {child.log}:{lines}")
        if child.hopeless:
            raise Unfit(
                f"{child.part.title} stopped {children.MOST_STOPS} times within {children.STOPS_WINDOW_S:.0f} s. "
                f"Everything is ended; {child.log} says more."
            )
        say(f"{child.part.title} is started again in {child.pause_s:.0f} s.")

    def look_after_database(self) -> None:
        """Starts the server again where it has stopped; a part that needed it may have been quicker."""
        if server.answers(self.places) and server.number(self.places) == self.database_number:
            return
        ensure_postgres(self.places.home)
        self.database_number = server.number(self.places)
        say(f"The database had stopped and was started again; {self.places.logs / 'postgres.log'} says more.")

    def look_at_disk(self) -> None:
        low = free_megabytes(self.places.home) < LOW_DISK_MB
        if low and not self.low_disk_said:
            say(f"The disk that holds {self.places.home} is nearly full: under {LOW_DISK_MB} MB are free. Free some.")
        self.low_disk_said = low

    def reap_adopted(self) -> None:
        """Takes notice of the end of processes that children left behind, the database's keeper among them."""
        own = {child.process.pid for child in self.children if child.process}
        for pid, parent in parents().items():
            if parent == os.getpid() and pid not in own:
                os.waitpid(pid, os.WNOHANG)

    # --- ending

    def stop(self) -> None:
        """Ends all children: web, workers and scheduler at once, then Redis, then the database."""
        if not self.children and self.step is None and not self.own_database:
            return
        say("\nStopping … (jobs that run now go on at the next start)")
        if self.step is not None:
            self.step.terminate()
            self.step.wait()
        carriers = [child for child in self.children if child.part.name == "redis"]
        for group in ([child for child in self.children if child not in carriers], carriers):
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.wait_for_stop()
        self.stop_database()
        say("Everything has ended.")

    def stop_database(self) -> None:
        if not self.own_database:
            return
        release_postgres(self.places.home)
        if server.answers(self.places):
            say("The database goes on for another command that uses it, and ends with that command.")


# --- one at a time


def alive(run: dict[str, object]) -> bool:
    """Whether the process that wrote this record is still the one with its number."""
    return run.get("started") is not None and run.get("started") == started(int(str(run.get("pid", 0))))


def started(pid: int) -> str | None:
    """When a process was started, in the kernel's ticks since the boot: with its number, that names it for ever."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if stat[0] == "Z" else stat[19]


def only_one(places: Places, where: Address) -> int:
    """Takes the home for this run. Raises Unfit, naming the address, where another run has it.

    Guards inherit the lock, so that it is free only when the last child of a killed run is gone.
    """
    path = places.run / "supervisor"
    deadline = time.monotonic() + PREDECESSOR_LIMIT_S
    waiting_said = False
    while (lock := locks.try_exclusive(path, seconds=0.2)) is None:
        record = read_record(path)
        if alive(record):
            raise Unfit(
                f"CHAD already runs with {places.home}: {record['url']}. "
                f"Open it there, or set CHAD_HOME and PORT to run another one beside it."
            )
        if time.monotonic() > deadline:
            raise Unfit(f"Processes of an earlier run with {places.home} do not end. Look for them with `ps`.")
        if not waiting_said:
            say("An earlier run was ended by force; waiting for the last of its processes …")
        waiting_said = True
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "started": started(os.getpid()), "url": where.url}).encode(), 0)
    return lock


def read_record(path: Path) -> dict[str, object]:
    """Who wrote the lock file; nothing where it is being written just now."""
    try:
        return json.loads(path.read_text())
    except ValueError:
        return {}


def main() -> int:
    """Returns the exit code: 0 after Ctrl-C, 1 with one sentence where CHAD cannot run here."""
    adopt_orphans()
    if "MAKELEVEL" in os.environ:  # when make is killed, this ends too
        die_with_parent(signal.SIGTERM)
    try:
        places, where = preflight.home_places(), preflight.address()
        lock = only_one(places, where)
        preflight.check_port(where)
        Supervisor(places, where, lock).run()
    except (Unfit, EmbeddedError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(sentence_of(problem, chad_home()), file=sys.stderr)
        return 1
    return 0
