"""Measures how far each reviewer can be relied on."""

from __future__ import annotations

from typing import Any

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import run_here


class Command(ChadCommand):
    help = "Measures the reviewers' reliability from all verdicts and the control items among them."

    def work(self, **options: Any) -> None:
        with ProgressBar() as bar:
            job = run_here(Job.Kind.CROWD, on_progress=bar)
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        self.answer({"message": job.message, **job.result}, job.message, as_json=options["json"])
