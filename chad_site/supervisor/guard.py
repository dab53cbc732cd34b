"""Stands between the supervisor and one of its children, so that the child never outlives the supervisor.

    python -m chad_site.supervisor.guard LIFELINE PLAN COMMAND...

LIFELINE is the reading end of a pipe whose other end the supervisor alone holds: when the supervisor ends, even by
kill -9, the kernel closes it. PLAN says how the command is stopped, as `signal:seconds,…`; what is left after that is
killed. The guard adopts whatever the command leaves behind (pool workers, converters) and ends it too. It answers
SIGTERM by stopping the command, and ends with the command's exit code.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chad_site.embedded.account import die_with_parent, libc

# linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36

# When the supervisor was killed there is nobody to wait for: no step of the plan gets more than this, in seconds.
HURRIED_S = 1.5
PAUSE_S = 0.02
# The keeper of the embedded database may have been started from here, and serves others as well: it is not ours.
KEEPER = b"chad_site.embedded\0keep"

Plan = list[tuple[int, float]]


def adopt_orphans() -> None:
    """Descendants whose parents end become children of this process rather than of init."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_plan(text: str) -> Plan:
    """`15:8,3:2` is SIGTERM, then SIGQUIT after 8 s, then the end after another 2 s."""
    pairs = (step.split(":") for step in text.split(","))
    return [(int(signum), float(seconds)) for signum, seconds in pairs]


def parents() -> dict[int, int]:
    """The parent of each process of this machine, by process number."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        found[int(stat.parent.name)] = int(fields[1])
    return found


def is_keeper(pid: int) -> bool:
    try:
        return KEEPER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def descendants(root: int) -> list[int]:
    """All processes below `root`, without keepers and what they run."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = list(children.get(root, []))
    while waiting:
        pid = waiting.pop()
        if not is_keeper(pid):
            found.append(pid)
            waiting.extend(children.get(pid, []))
    return found


class Guard:
    """One command, from its start to the end of the last process that it left."""

    def __init__(self, lifeline: int, plan: Plan, command: Sequence[str]) -> None:
        self.lifeline = lifeline
        self.plan = plan
        self.asked = False
        self.hurried = False
        self.deadline: float | None = None
        self.exit_code: int | None = None
        self.alarm = wake_on_signals(self.ask)
        self.process = subprocess.Popen(command, process_group=0, preexec_fn=die_with_parent)

    def ask(self, *_: object) -> None:
        """A signal's handler: the command is to be stopped."""
        self.asked = True

    def run(self) -> int:
        """Waits for the command's end, stopping it when asked to; returns its exit code."""
        while self.exit_code is None:
            self.wait_for_news()
            self.reap()
            if self.asked and (self.deadline is None or time.monotonic() >= self.deadline):
                self.next_step()
        self.end_the_rest()
        return self.exit_code

    def wait_for_news(self) -> None:
        """Until a signal comes, the supervisor is gone, or the present step of the plan is over."""
        watched = [self.alarm] if self.hurried else [self.alarm, self.lifeline]
        limit = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], limit)
        if self.alarm in ready:
            os.read(self.alarm, 4096)
        if self.lifeline in ready:
            self.asked = self.hurried = True
            self.deadline = None if self.deadline is None else min(self.deadline, time.monotonic() + HURRIED_S)

    def next_step(self) -> None:
        signum, seconds = self.plan.pop(0) if self.plan else (signal.SIGKILL, HURRIED_S)
        self.deadline = time.monotonic() + (min(seconds, HURRIED_S) if self.hurried else seconds)
        if self.exit_code is None:
            os.kill(self.process.pid, signum)

    def reap(self) -> None:
        """Takes notice of each child, own or adopted, that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.process.pid:
                code = os.waitstatus_to_exitcode(status)
                self.exit_code = code if code >= 0 else 128 - code

    def end_the_rest(self) -> None:
        while left := descendants(os.getpid()):
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.reap()
            time.sleep(PAUSE_S)


def wake_on_signals(ask: Callable[..., None]) -> int:
    """A descriptor that becomes readable at a signal. SIGINT and SIGHUP are for the supervisor to pass on."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for signum in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, lambda *_: None)
    signal.signal(signal.SIGTERM, ask)
    return reader


def main(arguments: Sequence[str]) -> int:
    lifeline, plan, *command = arguments
    adopt_orphans()
    return Guard(int(lifeline), read_plan(plan), command).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
