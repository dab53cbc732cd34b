"""How far a piece of work is, told to whoever waits."""

from __future__ import annotations

import math
from collections.abc import Callable

# Told the share that is done, 0 to 1, and what is being done.
Progress = Callable[[float, str], None]


def quiet(share: float, message: str) -> None:
    """Progress for nobody."""


def by_percent(progress: Progress) -> Progress:
    """Tells `progress` only when another whole percent is done: a release has more files than anybody wants to hear."""
    told = -1

    def tell(share: float, message: str) -> None:
        nonlocal told
        percent = math.floor(100 * share)
        if percent > told:
            told = percent
            progress(share, message)

    return tell


def share_of(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a step that takes the whole from the share `start` to the share `end`."""
    return lambda share, message: progress(start + (end - start) * share, message)
