"""Starts a round of training and mining, or takes up the one that was interrupted, and follows it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from chad_site.errors import NotAllowed
from ml_worker import rounds, rounds_page
from ml_worker.models import Job, Round
from ml_worker.running import run_here
from ml_worker.work.starter import install_starter_checkpoints

# Names of the options that a round is begun with, as training and the rows call them.
OPTIONS = ("kinds", "material", "initial", "steps")


class Command(ChadCommand):
    help = (
        "A round collects, trains, calibrates, mines, asks for the double-check, evaluates, and promotes what it "
        "trained or not. Starts one, or takes up the one that was interrupted, and follows it to its end or until it "
        "waits for people."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--kinds", nargs="+", choices=["short", "long"], help="what is trained; short by default")
        parser.add_argument("--material", choices=["hums", "covers", "both"], help="what it is trained on")
        parser.add_argument(
            "--from",
            dest="initial",
            choices=["starter", "in use", "nothing"],
            help="where training begins; starter by default",
        )
        parser.add_argument("--steps", type=int, help="training steps; the settings say how many by default")
        parser.add_argument("--new", action="store_true", help="begin a new one, though the latest was interrupted")
        parser.add_argument("--go-on", action="store_true", help="wait no longer for the rest of the verdicts")
        parser.add_argument("--stop", action="store_true", help="stop the round that is under way")
        parser.add_argument("--status", action="store_true", help="only tell where the latest round stands")

    def work(self, **options: Any) -> None:
        if options["steps"] is not None and options["steps"] < 1:
            raise BadInput("--steps is above zero.")
        if options["stop"] or options["status"]:
            self.tell(self.stopped() if options["stop"] else self.latest(), as_json=options["json"])
            return
        install_starter_checkpoints()
        round = self.chosen(options)
        self.follow(round)
        self.tell(round, as_json=options["json"])

    def latest(self) -> Round:
        latest = Round.objects.first()
        if latest is None:
            raise BadInput("There has been no round yet. Start one with `manage.py round`.")
        return latest

    def stopped(self) -> Round:
        round = Round.objects.under_way()
        if round is None:
            raise BadInput("No round is under way.")
        rounds.stop(round)
        return round

    def chosen(self, options: dict[str, Any]) -> Round:
        """The open round, the one that was interrupted, or a new one."""
        wanted = {name: options[name] for name in OPTIONS if options[name] is not None}
        latest = Round.objects.under_way() or Round.objects.first()
        is_over = latest is None or latest.state not in (Round.State.OPEN, *Round.INTERRUPTED)
        if latest is None or is_over or (options["new"] and latest.state != Round.State.OPEN):
            try:
                return rounds.start(**wanted)
            except NotAllowed as problem:  # somebody was faster
                raise BadInput(str(problem)) from problem
        if options["new"] or any(latest.options.get(name) != value for name, value in wanted.items()):
            raise BadInput(
                f"Round {latest.number} is {latest.state}, and was begun with other options. Start this without any to "
                "go on with it; stop it, or add --new once it is stopped, to begin another."
            )
        if latest.state in Round.INTERRUPTED or options["go_on"]:
            try:
                rounds.go_on(latest)
            except NotAllowed as problem:
                raise BadInput(str(problem)) from problem
        return latest

    def follow(self, round: Round) -> None:
        """Runs the round's job here, or awaits the worker that has it; then mines with what was promoted."""
        self.say(f"Round {round.number}: {round.why}")
        follow(round)
        if round.state == Round.State.FAILED:
            self.give_up(f"Round {round.number} failed: {rounds_page.failure_of(round)}")
        if round.state == Round.State.PROMOTED:
            mine_what_is_asked(self)

    def tell(self, round: Round, *, as_json: bool) -> None:
        self.answer(rounds_page.described(round), rounds_page.in_words(round), as_json=as_json)


def follow(round: Round) -> None:
    """Takes a round as far as it goes now. Where its job fails, it has failed."""
    if not waits(round):
        with ProgressBar() as bar:
            job = run_here(Job.Kind.ROUND, round.pk, on_progress=bar)
        if job.state == Job.State.FAILED:
            rounds.fail(round, job.failure)
    round.refresh_from_db()


def waits(round: Round) -> bool:
    """Whether it can only wait for people."""
    step = rounds.step_that_waits(round)
    if step is None or round.state != Round.State.OPEN or rounds.open_job(round):
        return False
    return not rounds.waits_no_longer(round, step) and rounds.still_asked(round).exists()


def mine_what_is_asked(command: ChadCommand) -> None:
    """The mining jobs that wait or run now."""
    for song in Job.objects.open().filter(kind=Job.Kind.MINE).values_list("subject", flat=True):
        with ProgressBar() as bar:
            job = run_here(Job.Kind.MINE, song, on_progress=bar)
        command.say(job.failure or job.message)
