"""Searches the video site for covers of songs; what is found waits for a person."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker.collecting.filters import FILTERS
from ml_worker.management.commands.import_covers import refuse_odd_limit
from ml_worker.management.commands.import_song import song_of
from ml_worker.models import Job
from ml_worker.polite import searches_used_up_until
from ml_worker.running import run_here
from recordings.models import Song


class Command(ChadCommand):
    help = (
        "Searches YouTube for covers of a song, or of the songs that were never searched for. When this hour's "
        "searches are used up, the others are left to the workers."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--song", metavar="S", help="the id of one song")
        parser.add_argument("--limit", type=int, metavar="N", default=10, help="at most so many songs (10)")
        parser.add_argument(
            "--without", action="append", choices=list(FILTERS), default=[], help="leave this filter out"
        )

    def work(self, **options: Any) -> None:
        refuse_odd_limit(options["limit"])
        filters = [name for name in FILTERS if name not in options["without"]]
        songs = [song_of(options["song"])] if options["song"] else list(never_searched()[: options["limit"]])
        if not songs:
            self.give_up("Every song was searched for before. Name one with --song to search for it again.")
        done, failed, left = [], [], []
        for song in songs:
            if searches_used_up_until() is not None:
                Job.ask(Job.Kind.SEARCH, song.pk, filters=filters)
                left.append(str(song.pk))
                continue
            with ProgressBar() as bar:
                job = run_here(Job.Kind.SEARCH, song.pk, on_progress=bar, filters=filters)
            self.say(f"{song}: {job.failure or job.message}")
            if job.state == Job.State.FAILED:
                failed.append({"song": str(song.pk), "error": job.failure})
            else:
                done.append({"song": str(song.pk), **job.result})
        words = f"{len(done)} songs searched for, {len(failed)} failed, {len(left)} left to the workers."
        self.answer({"done": done, "failed": failed, "left": left}, words, as_json=options["json"])
        if failed:
            self.give_up(f"{len(failed)} songs could not be searched for; the sentences above say why.")


def never_searched() -> QuerySet[Song]:
    return Song.objects.available().filter(cover_searches=None).order_by("created_at")
