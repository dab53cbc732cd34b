"""What can go wrong with a release, always as a sentence for the person who can mend it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ReleaseRefused(ValueError):
    """A release that cannot be frozen, written or checked. Its text says why and what to do."""


class SnapshotDiscarded(ReleaseRefused):
    """The snapshot that is being written was thrown away, since it holds what was withdrawn or taken down."""


def sentence_of(problem: OSError, out: Path) -> str:
    """What an error of the operating system means to whoever writes a release to `out`."""
    place = problem.filename or out
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The disk that holds {out} is full. Free some space and export again; what is written is kept."
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place} cannot be written. Change its permissions, or choose another folder."
    if problem.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return f"{place} is in the way: a folder was wanted there. Choose another folder."
    return f"{out} cannot be used: {problem.strerror} ({place}). Choose another folder."


@contextmanager
def in_words(out: Path) -> Iterator[None]:
    """Turns errors of the operating system into ReleaseRefused."""
    try:
        yield
    except OSError as problem:
        raise ReleaseRefused(sentence_of(problem, out)) from problem
