"""The index of songs, brought up to date."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker.models import Job, SearchIndex
from ml_worker.running import run_here


class Command(ChadCommand):
    help = (
        "Brings the index of songs up to date: builds it, or adds what is new and forgets what was taken down. Then "
        "measures from which probability on a tune is told to be there."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--again", action="store_true", help="builds it anew, whatever is there")

    def work(self, **options: Any) -> None:
        with ProgressBar() as bar:
            job = run_here(Job.Kind.INDEX, on_progress=bar, on_wait=self.say, again=options["again"])
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        index = SearchIndex.in_use()
        if index and index.lacks_line:
            with ProgressBar() as bar:
                line = run_here(Job.Kind.INDEX, on_progress=bar, on_wait=self.say, line=True)
            if line.state == Job.State.FAILED:
                self.give_up(line.failure)
        self.answer(job.result, job.message, as_json=options["json"])
