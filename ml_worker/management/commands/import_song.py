"""Brings an audio file or a YouTube video in."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files import File
from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.running import run_here
from recordings.importing import About, ImportRefused, import_file, import_video
from recordings.models import Recording, Song


class Command(ChadCommand):
    help = "Brings a song or a cover in from an audio file, or with --youtube from a video; prints the ids."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("audio", help="an audio file, or with --youtube a video's id or address")
        parser.add_argument("--youtube", action="store_true", help="AUDIO names a YouTube video")
        parser.add_argument("--title", required=True)
        parser.add_argument("--artist", required=True)
        parser.add_argument("--cover-of", metavar="SONG", help="the id of the song that this is a cover of")
        parser.add_argument("--licence", default="", help="the recording's licence, e.g. CC-BY-4.0")
        parser.add_argument("--redistributable", action="store_true", help="the licence lets its audio into releases")

    def work(self, **options: Any) -> None:
        try:
            about = About(
                title=options["title"],
                artist=options["artist"],
                cover_of=song_of(options["cover_of"]) if options["cover_of"] else None,
                licence=options["licence"],
                redistributable=options["redistributable"],
            )
            recording, is_new = self.bring_in(about, **options)
        except ImportRefused as problem:
            raise BadInput(str(problem)) from problem
        if not is_new:
            self.say(f"This was brought in before: {recording}.")
        try:
            self.make_ready(recording)
        except BadInput:
            if is_new:
                forget(recording)
            raise
        answer = {"song": recording.song_id, "recording": recording.pk, "new": is_new, "warnings": recording.warnings}
        words = f"song {recording.song_id}\nrecording {recording.pk}"
        self.answer(answer, words, as_json=options["json"])

    def bring_in(self, about: About, **options: Any) -> tuple[Recording, bool]:
        if options["youtube"]:
            return import_video(options["audio"], about)
        try:
            with Path(options["audio"]).open("rb") as file:
                return import_file(File(file), about)
        except OSError as problem:
            raise BadInput(f"{options['audio']} cannot be read: {problem.strerror}.") from problem

    def make_ready(self, recording: Recording) -> None:
        """Fetches and reads what came, now; a worker that has the job already is awaited."""
        if recording.state == Recording.State.WAITING:
            kind = Job.Kind.FETCH if recording.source == Recording.Source.YOUTUBE else Job.Kind.INGEST
            with ProgressBar() as bar:
                run_here(kind, recording.pk, on_progress=bar)
            recording.refresh_from_db()
        for warning in recording.warnings:
            self.say(warning)
        if recording.state == Recording.State.FAILED:
            raise BadInput(recording.failure)


def forget(recording: Recording) -> None:
    """Leaves nothing of a recording that was never read, so that a better file can come in its place."""
    song = recording.song
    recording.upload.delete(save=False)
    recording.delete()
    if not song.recordings.exists():
        song.delete()


def song_of(text: str) -> Song:
    try:
        return Song.objects.get(pk=UUID(text))
    except (ValueError, Song.DoesNotExist) as problem:
        raise BadInput(f"There is no song with the id {text}. `import_song` prints the ids of songs.") from problem
