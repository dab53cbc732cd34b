"""File locks (flock). The kernel frees them when the last process that holds the descriptor is gone, so none is ever
stale."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chad_site.embedded.errors import as_sentences

PAUSE_S = 0.02


def opened(path: Path) -> int:
    """A descriptor of a lock file, made if absent. Children do not inherit it unless it is passed to them."""
    with as_sentences(path.parent):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def take_shared(path: Path) -> int:
    """Waits for a shared lock; closing the returned descriptor frees it."""
    fd = opened(path)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def take_exclusive(path: Path) -> int:
    """Waits for the exclusive lock; closing the returned descriptor frees it."""
    fd = opened(path)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def try_lock(fd: int, kind: int) -> bool:
    """Takes fcntl.LOCK_SH or LOCK_EX on an open lock file if that is possible at once."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_exclusive(path: Path, seconds: float = 0.0) -> int | None:
    """The exclusive lock, if it can be had within `seconds`: its descriptor, else None."""
    fd = opened(path)
    deadline = time.monotonic() + seconds
    while not try_lock(fd, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            os.close(fd)
            return None
        time.sleep(PAUSE_S)
    return fd


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the exclusive lock while the block runs."""
    fd = take_exclusive(path)
    try:
        yield
    finally:
        os.close(fd)
