"""A guarded command never outlives its supervisor, and neither does what the command started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chad_site.embedded.places import Places
from chad_site.supervisor import children
from chad_site.supervisor.children import Child, Lifeline, Part
from chad_site.supervisor.guard import read_plan
from chad_site.supervisor.preflight import Address, Unfit
from chad_site.supervisor.run import Supervisor
from chad_site.tests.processes import environment, processes_of, wait_until_gone
from chad_site.tests.services import wait_until

# A process that does not react to polite signals, with a child in a session of its own that does not either.
STUBBORN = """
import os, signal, sys, time
for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
    signal.signal(signum, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
open(f"{sys.argv[1]}/{os.getpid()}", "w").close()
time.sleep(600)
"""
PLAN = ((signal.SIGTERM, 0.2),)


@pytest.fixture
def own_lifeline() -> Iterator[Lifeline]:
    lifeline = Lifeline.new(os.open(os.devnull, os.O_RDONLY))
    yield lifeline
    lifeline.close()


def stubborn(lifeline: Lifeline, home: Path, plan: children.Plan = PLAN) -> subprocess.Popen[bytes]:
    """Under a guard, two processes that have to be killed; returns when both run."""
    started = home / "started"
    started.mkdir(parents=True, exist_ok=True)
    guard = lifeline.guarded([sys.executable, "-c", STUBBORN, str(started)], plan, environment(home))
    wait_until(lambda: len(list(started.iterdir())) == 2, "Both processes run")
    return guard


def test_a_stubborn_command_and_its_children_are_killed_when_the_plan_is_over(own_lifeline, tmp_path):
    guard = stubborn(own_lifeline, tmp_path)
    guard.terminate()
    assert guard.wait() == 128 + signal.SIGKILL
    assert processes_of(tmp_path) == []


def test_everything_ends_when_the_supervisor_is_gone(own_lifeline, tmp_path):
    guard = stubborn(own_lifeline, tmp_path, plan=((signal.SIGTERM, 600.0),))
    own_lifeline.close()  # what the kernel does for a killed process
    guard.wait()
    assert processes_of(tmp_path) == []


def test_children_of_a_command_that_ended_by_itself_are_ended(own_lifeline, tmp_path):
    command = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); sys.exit(7)"
    guard = own_lifeline.guarded([sys.executable, "-c", command], PLAN, environment(tmp_path))
    assert guard.wait() == 7
    assert processes_of(tmp_path) == []


def test_a_command_whose_guard_is_killed_is_told_to_end(own_lifeline, tmp_path):
    guard = own_lifeline.guarded(["sleep", "600"], PLAN, environment(tmp_path))
    wait_until(lambda: len(processes_of(tmp_path)) == 2, "Guard and command run")
    guard.kill()
    guard.wait()
    wait_until_gone(tmp_path)


def test_the_terminals_signals_reach_neither_guard_nor_command(own_lifeline, tmp_path):
    guard = own_lifeline.guarded(["sleep", "600"], PLAN, environment(tmp_path))
    wait_until(lambda: len(processes_of(tmp_path)) == 2, "Guard and command run")
    guard.send_signal(signal.SIGINT)
    guard.send_signal(signal.SIGHUP)
    assert len(processes_of(tmp_path)) == 2
    guard.terminate()
    assert guard.wait() == 128 + signal.SIGTERM


def test_a_plan_is_read_as_it_is_written():
    assert read_plan("15:6.0,3:2") == [(signal.SIGTERM, 6.0), (signal.SIGQUIT, 2.0)]


@pytest.fixture
def supervisor(tmp_path: Path, own_lifeline: Lifeline) -> Iterator[Supervisor]:
    """One without a database of its own, which is told what to run."""
    places = Places(tmp_path / "home")
    places.prepare()
    supervisor = Supervisor(places, Address("127.0.0.1", 1), own_lifeline.lock)
    supervisor.own_database = False
    yield supervisor
    supervisor.stop()


def test_a_part_that_stops_is_said_with_its_last_words_and_started_again(supervisor, capsys, monkeypatch):
    monkeypatch.setattr(children, "LONGEST_PAUSE_S", 0.01)
    supervisor.start_child(Part("tired", "The tired part", [sys.executable, "-c", "print('so tired'); exit(3)"]))
    child = supervisor.children[0]

    def looked() -> bool:
        supervisor.look_after()
        return child.recent_stops >= 2

    wait_until(looked, "It stops again")
    said = capsys.readouterr().out
    assert "The tired part stopped (exit code 3)" in said
    assert "so tired" in said
    assert "started again" in said


def test_a_part_that_keeps_stopping_ends_everything_in_one_sentence(supervisor, monkeypatch):
    monkeypatch.setattr(children, "LONGEST_PAUSE_S", 0.01)
    supervisor.start_child(Part("tired", "The tired part", ["false"]))

    def looked() -> bool:
        supervisor.look_after()
        return False

    with pytest.raises(Unfit, match=r"The tired part stopped 5 times within 120 s\. Everything is ended"):
        wait_until(looked, "It gives up")


def test_pauses_between_starts_grow_to_a_limit(own_lifeline, tmp_path):
    child = Child(Part("x", "X", ["true"]), tmp_path, own_lifeline, {})
    pauses = []
    for _ in range(children.MOST_STOPS):
        child.stops.append(10**12)  # as recent as can be
        pauses.append(child.pause_s)
    assert pauses == sorted(pauses)
    assert pauses[0] == 1.0
    assert max(pauses) <= children.LONGEST_PAUSE_S
    assert child.hopeless
