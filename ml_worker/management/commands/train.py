"""Trains a checkpoint on the accepted hums."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import run_here


class Command(ChadCommand):
    help = "Trains a checkpoint on double-checked hums, from the database or from a release folder."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=["short", "long"], default="short")
        parser.add_argument("--data", metavar="DIR", help="a release folder; the database by default")
        parser.add_argument("--epochs", type=int, help="how often each hum is drawn on average")
        parser.add_argument("--steps", type=int, help="or how many steps to train")

    def work(self, **options: Any) -> None:
        arguments = {name: options[name] for name in ("kind", "data", "epochs", "steps") if options[name] is not None}
        if any(arguments.get(name, 1) < 1 for name in ("epochs", "steps")):
            raise BadInput("--epochs and --steps are above zero.")
        with ProgressBar() as bar:
            job = run_here(Job.Kind.TRAIN, options["kind"], on_progress=bar, **arguments)
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        self.answer({"message": job.message, "figures": job.result}, job.message, as_json=options["json"])
