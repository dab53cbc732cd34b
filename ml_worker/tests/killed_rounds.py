"""A round that is killed with -9 in every one of its steps, by a process of its own:

python -m ml_worker.tests.killed_rounds ROUND

For each step a process runs the round's job, up to the end of that step, before any of its outputs is written; in
training up to its last step, and in mining up to the second song. There it is killed, and the next one goes on. Prints
what training by itself, never killed, comes to.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

KILLED_AT = {"train": "Step 2 of 2", "mine": "song 2 of"}


def main(pk: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chad_site.settings")
    import django

    django.setup()
    # Read once, here, before any process is made of this one.
    from ml_worker.models import RoundStep
    from ml_worker.tests import made_rounds
    from ml_worker.work import round

    made_rounds.with_fewer(pytest.MonkeyPatch())
    for name in RoundStep.Name.values:
        told = killed(lambda pause, name=name: run_until(pk, name, pause))
        print(f"Killed in {told}.", file=sys.stderr)
    in_a_process(lambda pause: print(trained_alone(), flush=True))
    assert round


def run_until(pk: str, name: str, pause: Callable[[str], None]) -> None:
    """Runs the round's job and pauses in the step of that name."""
    from ml_worker.models import Job
    from ml_worker.running import run_here
    from ml_worker.work import round

    does = round.STEPS[name]

    def until_then(turn: Any) -> Any:
        outputs = does(turn)
        pause(name)
        return outputs

    def on_progress(share: float, message: str) -> None:
        if name in KILLED_AT and KILLED_AT[name] in message:
            pause(f"{name}, {message}")

    round.STEPS[name] = until_then
    job = run_here(Job.Kind.ROUND, pk, on_progress=on_progress)
    print(f"It was not killed: {job.message} {job.failure}", file=sys.stderr, flush=True)


def killed(work: Callable[[Callable[[str], None]], None]) -> str:
    """What the process said when it paused; then it was killed, and its job is a lost one."""
    process, told = begun(work)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    in_a_process(lambda pause: lose_the_job())
    return told


def lose_the_job() -> None:
    """What time does to a job whose worker was killed."""
    from datetime import timedelta

    from django.utils import timezone

    from ml_worker.models import Job
    from ml_worker.tasks import put_back_stale

    Job.objects.filter(state=Job.State.RUNNING).update(heartbeat_at=timezone.now() - timedelta(minutes=5), attempts=0)
    put_back_stale()


def trained_alone() -> str:
    """The name of the weights that come of the same training in one go."""
    from ml_worker.work.train import Data, trained

    arguments = {"kind": "short", "steps": 2, "sound_versions": 0}
    return trained(arguments, Data.of(arguments, lambda share, message: None)).name


def in_a_process(work: Callable[[Callable[[str], None]], None]) -> None:
    process, _ = begun(work)
    os.waitpid(process, 0)


def begun(work: Callable[[Callable[[str], None]], None]) -> tuple[int, str]:
    """A process made of this one that does the work, and what it says as it pauses or ends."""
    hears, says = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(hears)
        try:
            work(lambda word: pause(says, word))
        finally:
            os._exit(0)
    os.close(says)
    with os.fdopen(hears) as told:
        return process, told.readline().strip()


def pause(says: int, word: str) -> None:
    os.write(says, f"{word}\n".encode())
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
