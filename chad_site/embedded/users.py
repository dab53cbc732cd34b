"""The side of those who use the embedded PostgreSQL: be counted, see that a keeper runs, leave."""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from chad_site.embedded import locks, server
from chad_site.embedded.errors import EmbeddedError, as_sentences
from chad_site.embedded.places import REPOSITORY, Places

# How long the last user waits, when it leaves, for the keeper to be gone, in seconds.
LEAVING_LIMIT_S = 10.0
# Set for a home that is thrown away afterwards: the server need not write to disk at every commit.
THROWAWAY = "CHAD_THROWAWAY"

# The shared locks by which this process is counted as a user. Forked children share them with their parent.
_counted: dict[Path, int] = {}
_one_thread = threading.Lock()


def ensure_postgres(home: Path) -> None:
    """Returns once the embedded PostgreSQL of `home` takes connections, starting it where it is not running.

    From then on this process counts as a user, until it ends or calls `release_postgres`.
    Raises EmbeddedError where the server cannot run here.
    """
    places = Places(home)
    with _one_thread:
        places.prepare()
        if home not in _counted:
            # While a keeper stops its server it holds this lock exclusively, so this waits for its end.
            _counted[home] = locks.take_shared(places.users_lock)
            atexit.register(release_postgres, home)
        if server.answers(places):
            return
        with locks.exclusive(places.start_lock):
            if not server.answers(places):
                start_keeper(places)


def is_user(home: Path) -> bool:
    """Whether this process has asked for the server before."""
    return home in _counted


def start_keeper(places: Places) -> None:
    """Starts a keeper on its own and waits for its word: "ready", or the sentence that says why not."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "chad_site.embedded", "keep", str(places.home), str(writer)]
    command += ["--throwaway"] if os.environ.get(THROWAWAY) else []
    environment = server.clean_environment() | {"PYTHONPATH": str(REPOSITORY), "CHAD_HOME": str(places.home)}
    with as_sentences(places.home), (places.logs / "keeper.log").open("ab") as log:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", pass_fds=(writer,), env=environment
        )
    os.close(writer)
    with os.fdopen(reader, "rb") as word:
        said = word.read().decode()
    if said != "ready":
        raise EmbeddedError(said or f"The keeper of the embedded database ended; see {places.logs / 'keeper.log'}.")


def release_postgres(home: Path) -> None:
    """This process uses the database no more. The last user waits until the server has stopped.

    The descriptor is closed and never unlocked: a forked child that leaves must not take its parent's lock away.
    """
    with _one_thread:
        fd = _counted.pop(home, None)
    if fd is None:
        return
    os.close(fd)
    if home.exists():
        wait_for_the_end(Places(home))


def wait_for_the_end(places: Places) -> None:
    """Waits for the server's end, unless others still use it."""
    deadline = time.monotonic() + LEAVING_LIMIT_S
    users, running = locks.opened(places.users_lock), locks.opened(places.server_lock)
    try:
        while time.monotonic() < deadline and not locks.try_lock(running, fcntl.LOCK_EX):
            unused = locks.try_lock(users, fcntl.LOCK_EX)
            if not unused and locks.try_lock(users, fcntl.LOCK_SH):
                return  # others hold it shared
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(locks.PAUSE_S)
    finally:
        os.close(users)
        os.close(running)
