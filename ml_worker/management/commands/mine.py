"""Mines the covers of a song, or of all songs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import ChadCommand, ProgressBar
from ml_worker import chain
from ml_worker.management.commands.import_song import song_of
from ml_worker.models import Job
from ml_worker.running import run_here
from ml_worker.work.starter import install_starter_checkpoints


class Command(ChadCommand):
    help = "Finds the fragments of songs in their covers: with what was trained here, else on the pitch curves."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--song", metavar="S", help="the id of one song; all songs that have covers by default")

    def work(self, **options: Any) -> None:
        install_starter_checkpoints()
        songs = [song_of(options["song"])] if options["song"] else list(chain.songs_to_mine())
        if not songs:
            self.give_up("No song has both an analysed original with fragments and an analysed cover yet.")
        done, failed = [], []
        for song in songs:
            with ProgressBar() as bar:
                job = run_here(Job.Kind.MINE, song.pk, on_progress=bar)
            if job.state == Job.State.FAILED:
                failed.append({"song": str(song.pk), "error": job.failure})
            else:
                done.append({"song": str(song.pk), "found": job.result})
            self.say(job.failure or job.message)
        words = f"{len(done)} songs mined, {len(failed)} failed."
        self.answer({"done": done, "failed": failed}, words, as_json=options["json"])
        if failed:
            self.give_up(f"{len(failed)} songs could not be mined; the sentences above say why.")
