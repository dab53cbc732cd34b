"""`make run` as a person meets it: what it says, what runs, and that nothing is left however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chad_site.embedded.places import REPOSITORY
from chad_site.supervisor.guard import parents
from chad_site.supervisor.preflight import Address, Unfit, check_port
from chad_site.tests.processes import (
    environment,
    free_port,
    keeper_of,
    named,
    processes_of,
    query,
    wait_until_gone,
)
from chad_site.tests.services import wait_until

COMMAND = [sys.executable, "-m", "chad_site.supervisor"]
# From nothing to the first answer, on a machine that does other things beside.
UP_LIMIT_S = 240.0


@dataclass
class Run:
    """A supervisor in a process of its own, and what it says."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    words: Path

    @classmethod
    def start(cls, home: Path) -> Run:
        port, words = free_port(), home.with_name("words")
        with words.open("wb") as output:
            process = subprocess.Popen(
                COMMAND, cwd=REPOSITORY, env=environment(home, PORT=str(port)), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        run = cls(home, port, process, words)
        wait_until(lambda: "CHAD is up" in run.said() or process.poll() is not None, "CHAD is up", UP_LIMIT_S)
        assert process.poll() is None, run.said()
        return run

    def said(self) -> str:
        return self.words.read_text()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self, signum: int) -> int:
        """Sends a signal to the supervisor alone, and returns its exit code when all processes are gone."""
        self.process.send_signal(signum)
        code = self.process.wait(90)
        wait_until_gone(self.home)
        return code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Run]:
    """The first start on a fresh home."""
    run = Run.start(folder / "home")
    yield run
    if run.process.poll() is None:
        run.end(signal.SIGKILL)


def refused(home: Path, **variables: str) -> str:
    """The one line with which a start is refused."""
    done = subprocess.run(
        COMMAND, cwd=REPOSITORY, env=environment(home, **variables), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_the_first_start_says_each_step_the_address_and_how_to_sign_in(running):
    said = running.said()
    for step in ("Database: making a new one", "Redis: ready", "Database tables: done", "Web server: ready"):
        assert step in said
    assert f"CHAD is up: http://127.0.0.1:{running.port}" in said
    sign_in = running.home / "sign-in.txt"
    assert sign_in.stat().st_mode & 0o777 == 0o600
    for line in sign_in.read_text().splitlines():
        assert line in said


def test_every_part_runs(running):
    assert running.healthy()
    for part in ("redis-server", "-Q ordinary", "-Q heavy", "celery -A chad_site beat", "gunicorn", "postgres -D"):
        assert named(running.home, part), part


def test_pages_have_their_styles(running):
    """Static files come from the project's folder, so that nothing has to be collected before a start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/static/css/chad.css", timeout=30) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/css")


def test_all_processes_are_below_the_supervisor(running):
    above = parents()
    for pid in processes_of(running.home):
        while pid not in (running.process.pid, 0, 1):
            pid = above.get(pid, running.process.pid)
        assert pid == running.process.pid


def test_a_second_run_on_the_same_home_names_the_address_of_the_first(running):
    sentence = refused(running.home, PORT=str(free_port()))
    assert f"http://127.0.0.1:{running.port}" in sentence
    assert "already runs" in sentence


def test_a_taken_port_is_said_with_what_to_set(running, tmp_path):
    sentence = refused(tmp_path / "other", PORT=str(running.port))
    assert sentence == (
        f"Port {running.port} is taken by another program. "
        f"Set PORT to another one, for example: PORT={running.port + 1} make run"
    )


def test_a_command_beside_it_uses_its_database_and_leaves_it_alone(running):
    keeper = keeper_of(running.home)
    assert int(query(running.home, "SELECT count(*) FROM auth_user")) >= 3
    assert keeper_of(running.home) == keeper
    assert running.healthy()


def test_a_web_server_that_is_killed_comes_back_and_the_person_is_told(running):
    guards = named(running.home, "supervisor.guard")
    web = next(pid for pid in named(running.home, "gunicorn") if pid not in guards)
    os.kill(web, signal.SIGKILL)
    wait_until(lambda: "The web server stopped" in running.said(), "It is said")
    wait_until(running.healthy, "It is back", UP_LIMIT_S)


def test_a_database_that_is_killed_comes_back(running):
    os.kill(keeper_of(running.home), signal.SIGKILL)
    wait_until(lambda: "The database had stopped and was started again" in running.said(), "It is said")
    wait_until(running.healthy, "It is back")


def test_ctrl_c_ends_every_child_in_order(running):
    query(running.home, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')")
    assert running.end(signal.SIGINT) == 0
    assert running.said().rstrip().endswith("Everything has ended.")


def test_a_second_start_finds_all_data_and_kill_9_leaves_no_process(running, folder):
    """After the kill another start, at once, finds neither a stale lock nor a half-dead server in its way."""
    assert running.process.poll() is not None
    again = Run.start(running.home)
    assert "making a new one" not in again.said()
    assert "Applying" not in again.said()
    assert query(again.home, "SELECT word FROM kept") == "here"
    again.process.kill()
    again.process.wait()
    third = Run.start(running.home)
    assert named(third.home, "redis-server")
    assert third.end(signal.SIGTERM) == 0
    assert again.end(signal.SIGKILL) == -signal.SIGKILL


def test_a_killed_supervisor_leaves_nothing_while_things_are_being_started(tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        COMMAND, cwd=REPOSITORY, env=environment(home, PORT=str(free_port())), stdout=subprocess.DEVNULL
    )
    wait_until(lambda: bool(named(home, "manage.py migrate")), "Tables are being made")
    process.kill()
    process.wait()
    wait_until_gone(home)


@pytest.mark.parametrize("port", ["0", "65536", "eighty", "-1", "8000 "])
def test_a_port_that_is_none_is_said(tmp_path, port):
    assert refused(tmp_path / "home", PORT=port) == f"PORT is {port!r}; it should be a number from 1 to 65535."


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path):
    sentence = refused(tmp_path / "home", CHAD_MIN_FREE_MB="999999999")
    assert sentence.startswith(f"The disk that holds {tmp_path}/home is full: ")
    assert "CHAD_HOME" in sentence
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    assert "is not a folder. Set CHAD_HOME" in refused(tmp_path / "file")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB, on which PostgreSQL's files have no room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", disk]).returncode != 0:
        pytest.skip("a disk can be mounted by root alone, and not in every container")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fills_up_during_the_start_is_said(tiny_disk):
    sentence = refused(tiny_disk / "home", CHAD_MIN_FREE_MB="1", PORT=str(free_port()))
    assert sentence.startswith(f"The disk that holds {tiny_disk}/home is full.")
    wait_until_gone(tiny_disk / "home")


def test_an_address_is_one_that_this_machine_can_open_and_is_free():
    assert Address("0.0.0.0", 8000).url == "http://127.0.0.1:8000"
    assert Address("::", 8000).url == "http://[::1]:8000"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Unfit, match="is taken"):
            check_port(Address("127.0.0.1", taken.getsockname()[1]))


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_a_wrong_python_is_said_with_what_to_install(tmp_path):
    for name in ("python", "python3", "python3.11"):
        stand_in = tmp_path / name
        stand_in.write_text("#!/bin/sh\necho Python 3.12.1\nexit 1\n")
        stand_in.chmod(0o755)
    done = subprocess.run(
        ["make", "run"], cwd=REPOSITORY, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 2
    sentence = done.stderr.splitlines()[0]
    assert sentence.startswith("CHAD needs Python 3.11, and there is none here (python3 is Python 3.12.1).")
    assert sentence.endswith("apt-get install python3.11 python3.11-venv")
