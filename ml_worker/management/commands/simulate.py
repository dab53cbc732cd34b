"""Fills an instance with simulated people and rounds on the starter catalogue."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from chad_site.errors import NotAllowed
from ml_worker import chain, rounds, rounds_page
from ml_worker.management.commands.round import follow
from ml_worker.models import Checkpoint, Job, Round
from ml_worker.pending import KIND_OF_SOURCE
from ml_worker.running import run_here
from recordings.models import Recording, Song
from recordings.models.songs import Split


class Command(ChadCommand):
    help = "Simulated singers hum the starter catalogue, simulated reviewers judge; then rounds of training and mining."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--singers", type=int, default=4, help="how many hum (%(default)s)")
        parser.add_argument("--reviewers", type=int, default=2, help="how many judge (%(default)s)")
        parser.add_argument("--spammers", type=int, default=0, help="how many judge by no truth besides (%(default)s)")
        parser.add_argument("--rounds", type=int, default=1, help="rounds of the loop, one after the other")
        parser.add_argument("--takes", type=int, default=40, help="fragments that each singer hums at most")
        parser.add_argument("--songs", type=int, help="prepare only so many songs of the catalogue")
        parser.add_argument("--steps", type=int, help="training steps of a round; the settings say how many by default")
        parser.add_argument(
            "--from",
            dest="initial",
            choices=["starter", "nothing"],
            default="starter",
            help="where training begins; from nothing, rounds do as if no checkpoint had come with CHAD (%(default)s)",
        )
        parser.add_argument(
            "--sabotage", type=int, metavar="ROUND", help="shuffle the labels in this one of the rounds: it is refused"
        )

    def work(self, **options: Any) -> None:
        counts = [options[name] for name in ("singers", "reviewers", "spammers", "rounds", "takes")]
        if min(counts) < 0 or min(options["songs"] or 1, options["steps"] or 1) < 1:
            raise BadInput("No number of people, rounds or takes is below zero; songs and steps are above it.")
        if options["sabotage"] is not None and not 1 <= options["sabotage"] <= options["rounds"]:
            raise BadInput("--sabotage names one of the rounds, counted from 1.")
        self.make_ready(options["songs"])
        self.hum(options["singers"], options["takes"])
        verdicts = self.review(options["reviewers"], options["spammers"])
        answers = [self.told(self.round(number, **options)) for number in range(1, options["rounds"] + 1)]
        answer = {"simulated": True, "verdicts": verdicts, "rounds": answers}
        self.answer(answer, f"{len(answers)} rounds done, on simulated hums.", as_json=options["json"])

    def make_ready(self, songs: int | None) -> None:
        """Installs what comes with CHAD, and renders and analyses the catalogue."""
        from ml_worker.work.starter import announce_starter_catalogue, install_starter_checkpoints, starter_songs

        install_starter_checkpoints()
        announce_starter_catalogue(songs)
        chosen = Recording.objects.filter(song__in=starter_songs(songs))
        kinds = [
            *((KIND_OF_SOURCE[one.source], one) for one in chosen.waiting()),
            *((Job.Kind.ANALYSE, one) for one in chosen.waiting() if one.kind == Recording.Kind.COVER),
            *((Job.Kind.ANALYSE, one) for one in chosen.without_analysis()),
        ]
        self.say(f"{len(kinds)} renderings and analyses are to be done first.")
        with ProgressBar() as bar:
            for number, (kind, recording) in enumerate(kinds):
                bar(number / len(kinds), str(recording))
                job = run_here(kind, recording.pk)
                if job.state == Job.State.FAILED:
                    self.say(f"{recording}: {job.failure}")

    def hum(self, singers: int, takes: int) -> None:
        from ml_worker.work.simulate import Singer

        for number in range(1, singers + 1):
            with ProgressBar() as bar:
                done = Singer(f"simulated-singer-{number}", number).hum(takes, bar)
            self.say(f"simulated-singer-{number} hummed {done} fragments.")

    def review(self, reviewers: int, spammers: int) -> int:
        from ml_worker.work.simulate import Crowd, fewest_reviewers

        if 0 < reviewers < (fewest := fewest_reviewers()):
            self.say(f"{fewest} reviewers judge instead of {reviewers}: with fewer, a split is never settled.")
            reviewers = fewest
        crowd = Crowd.of(reviewers, spammers)
        verdicts = crowd.judge_all()
        if more := len(crowd.reviewers) - reviewers - spammers:
            self.say(f"{more} more judged what stayed open when all had judged it.")
        return verdicts

    def round(self, number: int, **options: Any) -> Round:
        """A round with a simulated double-check, and then songs mined with what is in use and double-checked."""
        round = self.begun(number, **options)
        self.follow(round)
        while rounds.step_that_waits(round):
            if not self.review(options["reviewers"], options["spammers"]):
                rounds.go_on(round)
            self.follow(round)
        for song in chain.songs_not_mined():
            self.step(Job.Kind.MINE, song.pk)
        verdicts = self.review(options["reviewers"], options["spammers"])
        self.say(f"{rounds_page.in_words(round)} {verdicts} verdicts on cover fragments.")
        return round

    def begun(self, number: int, **options: Any) -> Round:
        """A new round; or the one that a simulation began which was killed."""
        under_way = Round.objects.under_way()
        if under_way and under_way.options.get("is_simulated"):
            return under_way
        is_sabotaged = options["sabotage"] == number
        goes_on = number > 1 and options["initial"] == "nothing"
        told = {"is_simulated": True, "initial": "in use" if goes_on else options["initial"]}
        told |= {"as_if_nothing_came": True} if options["initial"] == "nothing" else {}
        told |= {"steps": options["steps"]} if options["steps"] else {}
        told |= {"labels": "shuffled"} if is_sabotaged else {}
        why = f"Round {number} of a simulation{', its labels shuffled' if is_sabotaged else ''}."
        try:
            return rounds.start(why, **told)
        except NotAllowed as problem:
            self.give_up(str(problem))

    def follow(self, round: Round) -> None:
        follow(round)
        if round.state in Round.INTERRUPTED:
            self.give_up(rounds_page.in_words(round))

    def told(self, round: Round) -> dict[str, Any]:
        """What came of a round, beside the one before it."""
        from ml_worker.work.agreement import tally_of

        songs = Song.objects.available()
        seen, unseen = songs.filter(split=Split.TRAIN), songs.exclude(split=Split.TRAIN)
        tallies = {"songs trained on": tally_of(seen), "songs never seen": tally_of(unseen)}
        for name, tally in tallies.items():
            self.say(in_words(name, tally.as_dict()))
        checkpoint = trained_in(round)
        return {
            "number": round.number,
            "state": round.state,
            "decision": round.decision,
            "checkpoint": round.step("train").outputs.get("words", {}).get("short", ""),
            "figures": checkpoint.figures if checkpoint else {},
            "mined": {name: tally.as_dict() for name, tally in tallies.items()},
            "round": rounds_page.figures_of(round),
            "tunes_never_seen": self.on_unseen(checkpoint, trained_before(round)) if checkpoint else {},
        }

    def on_unseen(self, checkpoint: Checkpoint, before: Checkpoint | None) -> dict[str, Any]:
        """Hit rates on tunes that nobody trained on, and the difference to the round before with its interval."""
        from ml_worker.work import promotion
        from ml_worker.work.round_steps import beside

        found = {}
        for name, looks_of in (("composed", promotion.looks_of), ("starter", promotion.unseen_looks_of)):
            found[name] = beside(looks_of(checkpoint), looks_of(before) if before else None)
            for benchmark, look in found[name].items():
                self.say(unseen_in_words(name, benchmark, look))
        return found

    def step(self, kind: str, subject: Any, /, **arguments: Any) -> Job:
        with ProgressBar() as bar:
            job = run_here(kind, subject, on_progress=bar, **arguments)
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        return job


def trained_in(round: Round) -> Checkpoint | None:
    return round.checkpoints.filter(kind="short").first()


def trained_before(round: Round) -> Checkpoint | None:
    """What the latest simulated round before this one trained."""
    earlier = Round.objects.filter(number__lt=round.number, options__is_simulated=True)
    return next((found for one in earlier if (found := trained_in(one))), None)


def unseen_in_words(name: str, benchmark: str, look: dict[str, Any]) -> str:
    words = f"{name} tunes never seen, {benchmark} (simulated): mean reciprocal rank {look['rates']['mrr']:.3f}"
    if "mrr_difference" not in look:
        return words
    difference, low, high = look["mrr_difference"]
    return f"{words}, {difference:+.3f} to the round before (95 % interval {low:+.3f} to {high:+.3f})"


def in_words(name: str, tally: dict[str, Any]) -> str:
    shown = {key: "-" if tally[key] is None else f"{tally[key]:.3f}" for key in ("precision", "recall")}
    error = tally["median_start_error_s"]
    start = "-" if error is None else f"{error:.3f} s"
    return (
        f"{name} ({tally['covers']} covers, simulated hums): precision {shown['precision']}, recall {shown['recall']}, "
        f"median start error {start}"
    )
