"""What can go wrong with the embedded services, always as a sentence for the person who can mend it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EmbeddedError(RuntimeError):
    """An embedded service cannot run. Its text says why and what to do."""


def sentence_of(problem: OSError, folder: Path) -> str:
    """What an error of the operating system in `folder` means to a person."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk that holds {folder} is full. Free some space, or set CHAD_HOME to a folder elsewhere."
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{problem.filename or folder} cannot be written. Change its permissions, or set CHAD_HOME elsewhere."
    if problem.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{problem.filename or folder} is not a folder. Set CHAD_HOME to a folder that CHAD may write."
    return f"{folder} cannot be used: {problem.strerror} ({problem.filename}). Set CHAD_HOME to another folder."


@contextmanager
def as_sentences(folder: Path) -> Iterator[None]:
    """Turns errors of the operating system on `folder` into EmbeddedError."""
    try:
        yield
    except OSError as problem:
        raise EmbeddedError(sentence_of(problem, folder)) from problem
