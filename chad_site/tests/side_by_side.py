"""How the tests run in several processes: `make test` gives each core one, and each file of tests to one process.

A process has a home, a database, a Redis and a browser of its own. `-n 0` runs everything in one, for a debugger.
"""

from __future__ import annotations

import os

import pytest

# What one process needs at its most, with its database, browser and workers, in megabytes: where two of its own train.
PROCESS_MB = 2500
# Where Linux says how much memory programs may still have.
MEMORY = "/proc/meminfo"


def free_memory_mb(said: str) -> int:
    """The memory that programs may still have, in megabytes, from the text of /proc/meminfo."""
    available = next(line for line in said.splitlines() if line.startswith("MemAvailable:"))
    return int(available.split()[1]) // 1000


def processes(cores: int, memory_mb: int) -> int:
    """How many processes run tests beside the one that deals them out; 0 where that one does it all itself."""
    most = min(cores, memory_mb // PROCESS_MB)
    return most if most > 1 else 0


def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    with open(MEMORY) as memory:
        return processes(len(os.sched_getaffinity(0)), free_memory_mb(memory.read()))


def pytest_xdist_setupnodes() -> None:
    """Other processes begin as this one did: they make a home of their own before they load settings."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def slow_files_first(items: list[pytest.Item]) -> None:
    """Puts files with slow tests before all others, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After pytest-django, which puts tests that empty the tables behind those that do not."""
    if hasattr(config, "workerinput"):
        slow_files_first(items)
