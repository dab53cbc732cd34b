"""Trains a checkpoint on the accepted hums."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import claimed_here, run_claimed, run_here
from ml_worker.work import CannotBeDone
from ml_worker.work.starter import install_starter_checkpoints

IS_TRAINED = (
    "Another process trains this kind already. Wait until it is done, or where it was killed for half a minute, and "
    "start again."
)
ARGUMENTS = ("kind", "data", "material", "initial", "epochs", "steps", "sound_versions")
# Arguments of the job that are called otherwise here.
OPTIONS = {"initial": "from", "sound_versions": "sound-versions"}


class Command(ChadCommand):
    help = (
        "Trains a checkpoint on double-checked hums and on fragments found in covers, from the database or from a "
        "release folder, beginning with the starter checkpoint. Under torchrun, several processes train together."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kind", choices=["short", "long"], default="short")
        parser.add_argument("--data", metavar="DIR", help="a release folder; the database by default")
        parser.add_argument(
            "--material",
            choices=["hums", "covers", "both"],
            help="what to train on; by default both where the database has covers, and hums of a release folder",
        )
        parser.add_argument(
            "--from",
            dest="initial",
            choices=["starter", "in use", "nothing"],
            help="the starter checkpoint, which is the default; the one in use that was trained here; or nothing: then "
            "on the material alone, without tunes",
        )
        parser.add_argument("--epochs", type=int, help="how often each pair is drawn on average")
        parser.add_argument("--steps", type=int, help="or how many steps to train")
        parser.add_argument(
            "--sound-versions",
            type=int,
            metavar="N",
            help="how many further versions each hum gets, its sound changed and listened to anew; by default one "
            "where there are few hums",
        )

    def work(self, **options: Any) -> None:
        arguments = {name: options[name] for name in ARGUMENTS if options[name] is not None}
        if any(arguments.get(name, 1) < 1 for name in ("epochs", "steps")):
            raise BadInput("--epochs and --steps are above zero.")
        if arguments.get("sound_versions", 0) < 0:
            raise BadInput("--sound-versions is zero or more.")
        refuse_beside_another(options["kind"], arguments)
        install_starter_checkpoints()
        with ProgressBar() as bar:
            if several_train():
                job = self.train_together(options["kind"], arguments, bar)
            else:
                job = run_here(Job.Kind.TRAIN, options["kind"], on_progress=bar, **arguments)
        if job is None:
            return
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        self.answer({"message": job.message, "figures": job.result}, job.message, as_json=options["json"])

    def train_together(self, kind: str, arguments: dict[str, Any], bar: ProgressBar) -> Job | None:
        """The job as the first process ran it, with the help of the others; None in these.

        A job that a worker has is not waited for: the others would wait for the first one all the time.
        """
        from ml_worker.fingerprint.distributed import joined

        processes = joined()
        job, is_ours = claimed_here(Job.Kind.TRAIN, kind, **arguments) if processes.is_first else (None, False)
        asked_for = processes.told_by_first(job.arguments if job and is_ours else None)
        if asked_for is None:
            if processes.is_first:
                self.say(IS_TRAINED)
            sys.exit(1)
        if job:
            return run_claimed(job, bar)
        self.help_out(asked_for)
        return None

    def help_out(self, arguments: dict[str, Any]) -> None:
        """Trains along with the first process, which stores what comes of it."""
        from ml_worker.work.train import Data, trained

        try:
            trained(arguments, Data.of(arguments, lambda share, message: None))
        except CannotBeDone as problem:
            self.give_up(str(problem))


def refuse_beside_another(kind: str, arguments: dict[str, Any]) -> None:
    """Nobody gets what another run was told to train.

    Raises:
        BadInput: a run of this kind is open that was told otherwise.
    """
    job = Job.objects.open().filter(kind=Job.Kind.TRAIN, subject=kind).first()
    if job and {"kind": kind} | job.arguments != arguments:
        told = " ".join(
            f"--{OPTIONS.get(name, name)} {value}" for name, value in job.arguments.items() if name != "kind"
        )
        raise BadInput(
            f"Another run of the kind {kind} is under way, or was interrupted, with {told}. Start it with the same to "
            "go on with it, or wait until it is done."
        )


def several_train() -> bool:
    """Whether torchrun started more than this process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
