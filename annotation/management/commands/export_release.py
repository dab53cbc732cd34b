"""Writes a release: the twin of the job of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.releasing import publish
from chad_site.commands import BadInput, ChadCommand, ProgressBar
from recordings.release import ReleaseRefused


class Command(ChadCommand):
    help = (
        "Writes a release of the dataset to a folder. The first call with a version checks and publishes it: from then "
        "on it never changes."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="such as 1.0 or 2026.11-rc1")
        parser.add_argument("--out", type=Path, required=True, help="an empty folder, or one with this release begun")
        parser.add_argument("--notes", help="what is new in it, in words, for its changelog")

    def work(self, **options: Any) -> None:
        try:
            with ProgressBar() as bar:
                result = publish(options["version"], options["out"], bar, notes=options["notes"])
        except ReleaseRefused as problem:
            raise BadInput(str(problem)) from problem
        self.answer(result, in_words(result), as_json=options["json"])


def in_words(result: dict[str, Any]) -> str:
    return (
        "Release {version} is in {folder}: {versions} versions of {fragments} fragments of {songs} songs ({original} "
        "originals, {cover} covers, {humming} hums), {with_audio} of them with audio."
    ).format(**result)
