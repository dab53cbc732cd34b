"""Makes control items for the double-check out of accepted pairs."""

from __future__ import annotations

from typing import Any

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import run_here


class Command(ChadCommand):
    help = "Makes control items out of accepted pairs, as many as are useful, and retires those that are none any more."

    def work(self, **options: Any) -> None:
        with ProgressBar() as bar:
            job = run_here(Job.Kind.CONTROLS, on_progress=bar)
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        self.answer({"message": job.message, **job.result}, job.message, as_json=options["json"])
