"""Fills an instance with simulated people and rounds on the starter catalogue."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker import chain
from ml_worker.models import Job
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
        parser.add_argument("--rounds", type=int, default=1, help="each trains, mines and double-checks")
        parser.add_argument("--takes", type=int, default=40, help="fragments that each singer hums at most")
        parser.add_argument("--songs", type=int, help="prepare only so many songs of the catalogue")
        parser.add_argument("--steps", type=int, help="training steps of a round; the settings say how many by default")

    def work(self, **options: Any) -> None:
        counts = [options[name] for name in ("singers", "reviewers", "spammers", "rounds", "takes")]
        if min(counts) < 0 or min(options["songs"] or 1, options["steps"] or 1) < 1:
            raise BadInput("No number of people, rounds or takes is below zero; songs and steps are above it.")
        self.make_ready(options["songs"])
        self.hum(options["singers"], options["takes"])
        verdicts = self.review(options["reviewers"], options["spammers"])
        rounds = [self.round(number, **options) for number in range(1, options["rounds"] + 1)]
        answer = {"simulated": True, "verdicts": verdicts, "rounds": rounds}
        self.answer(answer, f"{len(rounds)} rounds done, on simulated hums.", as_json=options["json"])

    def make_ready(self, songs: int | None) -> None:
        """Announces, renders and analyses the catalogue."""
        from ml_worker.work.starter import announce_starter_catalogue, starter_songs

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

    def round(self, number: int, **options: Any) -> dict[str, Any]:
        """Trains, mines all songs, double-checks, and compares what was mined with the truth."""
        from ml_worker.work.agreement import tally_of

        trained = self.step(
            Job.Kind.TRAIN, "short", kind="short", **({"steps": options["steps"]} if options["steps"] else {})
        )
        for song in chain.songs_to_mine():
            self.step(Job.Kind.MINE, song.pk)
        verdicts = self.review(options["reviewers"], options["spammers"])
        songs = Song.objects.available()
        seen, unseen = songs.filter(split=Split.TRAIN), songs.exclude(split=Split.TRAIN)
        tallies = {"songs trained on": tally_of(seen), "songs never seen": tally_of(unseen)}
        self.say(f"Round {number}: {trained.message} {verdicts} verdicts on cover fragments.")
        for name, tally in tallies.items():
            self.say(in_words(name, tally.as_dict()))
        return {
            "checkpoint": trained.message,
            "figures": trained.result,
            "mined": {name: tally.as_dict() for name, tally in tallies.items()},
        }

    def step(self, kind: str, subject: Any, /, **arguments: Any) -> Job:
        with ProgressBar() as bar:
            job = run_here(kind, subject, on_progress=bar, **arguments)
        if job.state == Job.State.FAILED:
            self.give_up(job.failure)
        return job


def in_words(name: str, tally: dict[str, Any]) -> str:
    shown = {key: "-" if tally[key] is None else f"{tally[key]:.3f}" for key in ("precision", "recall")}
    error = tally["median_start_error_s"]
    start = "-" if error is None else f"{error:.3f} s"
    return (
        f"{name} ({tally['covers']} covers, simulated hums): precision {shown['precision']}, recall {shown['recall']}, "
        f"median start error {start}"
    )
