"""The work itself: one module a kind of job, each with a function that its job and its command call.

Each takes the job and a progress callback, and gives a sentence of what came of it and a JSON result. The modules
import torch and other heavy libraries only when they run, so that the web process can name jobs without loading them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml_worker.models import Job


class CannotBeDone(Exception):
    """Work that cannot be done as things are. Its text says why, and what would mend it."""


class JobStopped(Exception):
    """Work that ends here, since somebody asked its job to stop."""


Outcome = tuple[str, Any]
Work = Callable[["Job", Callable[[float, str], None]], Outcome]


def _of(module: str) -> Work:
    def work(job: Job, report: Callable[[float, str], None]) -> Outcome:
        return import_module(f"ml_worker.work.{module}").do(job, report)

    return work


FUNCTIONS: dict[str, Work] = {
    kind: _of(kind)
    for kind in (
        "render",
        "search",
        "fetch",
        "available",
        "ingest",
        "analyse",
        "check",
        "train",
        "mine",
        "release",
        "controls",
        "crowd",
        "reask",
        "round",
        "index",
    )
}
