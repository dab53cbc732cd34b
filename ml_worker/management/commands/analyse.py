"""Analyses what is pending, or the recordings that are named."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from ml_worker.models import Job
from ml_worker.pending import KIND_OF_SOURCE
from ml_worker.running import run_here
from ml_worker.work.starter import install_starter_checkpoints
from recordings.models import Recording


class Command(ChadCommand):
    help = "Renders, reads and analyses what is pending: vocal part, melody and fragments, with progress."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("recordings", nargs="*", metavar="RECORDING", help="ids; everything pending by default")

    def work(self, **options: Any) -> None:
        install_starter_checkpoints()
        done, failed = [], []
        for recording in self.chosen(options["recordings"]):
            sentences, ok = self.bring_up(recording)
            (done if ok else failed).append({"recording": str(recording.pk), "message": sentences})
            self.say(sentences)
        words = f"{len(done)} done, {len(failed)} failed."
        self.answer({"done": done, "failed": failed}, words, as_json=options["json"])
        if failed:
            self.give_up(f"{len(failed)} recordings could not be analysed; the sentences above say why.")

    def chosen(self, ids: list[str]) -> list[Recording]:
        if not ids:
            return [*Recording.objects.waiting(), *Recording.objects.without_analysis()]
        try:
            found = list(Recording.objects.filter(pk__in=[UUID(text) for text in ids]))
        except ValueError as problem:
            raise BadInput(f"A recording's id looks like 123e4567-e89b-…: {problem}.") from problem
        missing = set(ids) - {str(recording.pk) for recording in found}
        if missing:
            raise BadInput(f"There is no recording with the id {', '.join(sorted(missing))}.")
        return found

    def bring_up(self, recording: Recording) -> tuple[str, bool]:
        """Takes a recording through what it still lacks: (what came of it, whether it went well)."""
        kinds = []
        if recording.state == Recording.State.WAITING:
            kinds.append(KIND_OF_SOURCE[recording.source])
        kinds.append(Job.Kind.ANALYSE)
        message = f"{recording} is analysed already."
        for kind in kinds:
            if kind == Job.Kind.ANALYSE and recording.analyses.exists():
                break
            with ProgressBar() as bar:
                job = run_here(kind, recording.pk, on_progress=bar)
            if job.state == Job.State.FAILED:
                return f"{recording}: {job.failure}", False
            message = job.message
        return message, True
