"""What runs for a CHAD_HOME, found by looking at every process of the machine, and how tests start things there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from chad_site.embedded import server
from chad_site.embedded.places import REPOSITORY, Places
from chad_site.tests.services import wait_until

# Everything is to be gone within seconds; the limit is generous because the machine may be busy.
GONE_LIMIT_S = 40.0


def belongs(process: Path, home: Path) -> bool:
    """Whether a process (a folder of /proc) names the home in its environment or command, or works in it."""
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False  # ended, and waits for its parent to notice
        words = (process / "environ").read_bytes().split(b"\0") + (process / "cmdline").read_bytes().split(b"\0")
        folder = os.readlink(process / "cwd")
    except OSError:
        return False  # gone, or somebody else's
    name = os.fsencode(home)
    return f"{folder}/".startswith(f"{home}/") or any(word == b"CHAD_HOME=" + name or name in word for word in words)


def processes_of(home: Path) -> list[int]:
    """The processes that run for this home, apart from this one."""
    found = [int(process.name) for process in Path("/proc").glob("[0-9]*") if belongs(process, home)]
    return [pid for pid in found if pid != os.getpid()]


def named(home: Path, words: str) -> list[int]:
    """Those of the home's processes whose command contains `words`."""
    commands = {pid: command(pid) for pid in processes_of(home)}
    return [pid for pid, text in commands.items() if words in text]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def wait_until_gone(home: Path) -> None:
    """Fails the test, naming what is left, unless everything of this home ends."""
    try:
        wait_until(lambda: not processes_of(home), "The end of everything", GONE_LIMIT_S)
    finally:
        left = processes_of(home)
        for pid in left:
            print("left:", pid, command(pid))
            os.kill(pid, signal.SIGKILL)


def environment(home: Path, **more: str) -> dict[str, str]:
    return os.environ | {"CHAD_HOME": str(home)} | more


def psql(home: Path, sql: str) -> subprocess.Popen[str]:
    """A command of its own that uses the home's database; `finish` gives what it printed."""
    arguments = ["-m", "chad_site.embedded", "run", "psql", "-AtqX", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=REPOSITORY, env=environment(home), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """Waits for a command that is to succeed, and gives what it printed."""
    output, errors = process.communicate(timeout=GONE_LIMIT_S * 3)
    assert process.returncode == 0, errors
    return output.strip()


def query(home: Path, sql: str) -> str:
    return finish(psql(home, sql))


def keeper_of(home: Path) -> int:
    """The keeper's process number; fails the test unless there is exactly one."""
    keepers = named(home, "chad_site.embedded keep")
    assert len(keepers) == 1, keepers
    return keepers[0]


def postmaster_of(home: Path) -> int:
    number = server.number(Places(home))
    assert number is not None, "no server runs"
    return number


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
