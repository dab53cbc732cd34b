"""What is looked at before anything is started. Each finding is one sentence that says what to do."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chad_site.embedded.errors import as_sentences
from chad_site.embedded.places import Places, chad_home, free_megabytes

PYTHON = (3, 11)
DEFAULT_PORT = 8000
# A first start writes the database (60 MB) and the starter catalogue; below this it would soon fail. In megabytes.
LEAST_FREE_MB = 1000
# Processes that answer searches, unless somebody asks for more: each takes 0.6 GB.
MOST_SEARCH_PROCESSES = 2


class Unfit(RuntimeError):
    """CHAD cannot start here. The text says why and what to do."""


@dataclass(frozen=True)
class Address:
    """Where the web server listens."""

    host: str
    port: int

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def near(self) -> str:
        """A host under which this machine reaches itself."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        return f"http://{Address(self.near, self.port).bind}"


def address() -> Address:
    """From CHAD_BIND (127.0.0.1) and PORT (8000)."""
    wanted = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not wanted.isdecimal() or not 0 < int(wanted) < 65536:
        raise Unfit(f"PORT is {wanted!r}; it should be a number from 1 to 65535.")
    return Address(os.environ.get("CHAD_BIND") or "127.0.0.1", int(wanted))


def least_free_megabytes() -> int:
    """How much free disk a start asks for; CHAD_MIN_FREE_MB changes it."""
    wanted = os.environ.get("CHAD_MIN_FREE_MB") or str(LEAST_FREE_MB)
    if not wanted.isdecimal():
        raise Unfit(f"CHAD_MIN_FREE_MB is {wanted!r}; it should be a number of megabytes.")
    return int(wanted)


def search_processes() -> int:
    """How many processes answer searches: CHAD_SEARCH_PROCESSES, else one a core, at most two."""
    wanted = os.environ.get("CHAD_SEARCH_PROCESSES") or str(min(os.cpu_count() or 1, MOST_SEARCH_PROCESSES))
    if not wanted.isdecimal() or int(wanted) == 0:
        raise Unfit(f"CHAD_SEARCH_PROCESSES is {wanted!r}; it should be a number of processes, from 1 on.")
    return int(wanted)


def search_shards() -> int:
    """In how many shards the index is searched, each by a process of its own: CHAD_SEARCH_SHARDS, else one."""
    wanted = os.environ.get("CHAD_SEARCH_SHARDS") or "1"
    if not wanted.isdecimal() or int(wanted) == 0:
        raise Unfit(f"CHAD_SEARCH_SHARDS is {wanted!r}; it should be a number of shards, from 1 on.")
    return int(wanted)


def check_python() -> None:
    if sys.version_info[:2] != PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise Unfit(f"CHAD needs Python {PYTHON[0]}.{PYTHON[1]}, and this is {found}. Start it with `make run`.")


def check_disk(home: Path) -> None:
    free, least = free_megabytes(home), least_free_megabytes()
    if free < least:
        raise Unfit(
            f"The disk that holds {home} is full: {free} MB are free and a start needs {least} MB. "
            f"Free some space, or set CHAD_HOME to a folder elsewhere."
        )


def check_port(where: Address) -> None:
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((where.host, where.port))
            probe.listen()
        except OSError as problem:
            raise Unfit(port_sentence(problem, where)) from problem


def port_sentence(problem: OSError, where: Address) -> str:
    if problem.errno == errno.EADDRINUSE:
        return (
            f"Port {where.port} is taken by another program. "
            f"Set PORT to another one, for example: PORT={where.port + 1} make run"
        )
    if problem.errno == errno.EACCES:
        return f"Port {where.port} is only for root. Set PORT to one above 1023, for example: PORT=8000 make run"
    return f"The web server cannot listen on {where.bind}: {problem.strerror}. Look at CHAD_BIND and PORT."


def check_home(places: Places) -> None:
    """Makes the folders, and sees that files can be written there."""
    places.prepare()
    with as_sentences(places.home), tempfile.NamedTemporaryFile(dir=places.run) as probe:
        probe.write(bytes(65536))
        probe.flush()


def home_places() -> Places:
    check_python()
    places = Places(chad_home())
    check_disk(places.home)
    check_home(places)
    return places
