"""The keeper: a process of its own whose child is the PostgreSQL server, and which ends with the server's last user."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

from chad_site.embedded import locks, server
from chad_site.embedded.errors import EmbeddedError
from chad_site.embedded.places import Places

# How long the server of a killed keeper is given to go away, or to turn out to be alive, in seconds.
PREDECESSOR_LIMIT_S = 60.0


def keep(places: Places, word: int, throwaway: bool = False) -> int:
    """Runs the server until nobody uses it. Writes "ready", or why not, to the descriptor `word` and closes it."""
    try:
        lock = the_only_one(places)
        if lock is None:
            tell(word, "ready")
            return 0
        process = server.Cluster.of(places, throwaway).start(lock)
    except EmbeddedError as problem:
        tell(word, str(problem))
        return 1
    tell(word, "ready")
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))
    threading.Thread(target=stop_when_unused, args=(places, process), daemon=True).start()
    process.wait()
    with contextlib.suppress(OSError):  # only a folder in /tmp that is empty now; the one in the home may stay
        places.sockets.rmdir()
    return 0


def tell(word: int, text: str) -> None:
    """Says the one word that the starter waits for; it may have been killed meanwhile."""
    with contextlib.suppress(BrokenPipeError):
        os.write(word, text.encode())
    os.close(word)


def the_only_one(places: Places) -> int | None:
    """The server lock; None where another keeper's server already answers."""
    deadline = time.monotonic() + PREDECESSOR_LIMIT_S
    while time.monotonic() < deadline:
        lock = locks.try_exclusive(places.server_lock, seconds=0.2)
        if lock is not None:
            return lock
        if server.answers(places):
            return None
    raise EmbeddedError(f"An earlier database server of {places.home} is still running and does not answer.")


def stop_when_unused(places: Places, process: subprocess.Popen[bytes]) -> None:
    """Waits for the exclusive lock, which comes when no user is left, and stops the server while holding it."""
    locks.take_exclusive(places.users_lock)
    server.stop(process)
