"""The index of songs, brought up to date."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import run_here


class Command(ChadCommand):
    help = "Brings the index of songs up to date: builds it, or adds what is new and forgets what was taken down."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="builds it anew, whatever is there")

    def work(self, **options: Any) -> None:
        with ProgressBar() as bar:
            job = run_here(Job.Kind.INDEX, on_progress=bar, again=options["again"])
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        self.answer(job.result, job.message, as_json=options["json"])
