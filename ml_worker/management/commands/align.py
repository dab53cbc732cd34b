"""Aligned fragments of two files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, BatchCommand


class Command(BatchCommand):
    help = "Prints the fragments that two files share, as JSON. Needs no database."
    parts = ("a", "b")

    def add_own_arguments(self, parser: CommandParser) -> None:
        super().add_own_arguments(parser)
        parser.add_argument("--mix", action="store_true", help="the audio is a mixture: take its vocal part first")

    def answer_to(self, *asked: str, **options: Any) -> list[dict[str, Any]]:
        from ml_worker.audio.chroma import read_chroma
        from ml_worker.audio.melody_files import read_melody
        from ml_worker.audio.sound import UnusableAudio
        from ml_worker.mining.align import align_melodies, shipped_methods

        try:
            a, b = (read_melody(Path(path), mixture=options["mix"]) for path in asked)
            chromas = read_chroma(Path(asked[0])), read_chroma(Path(asked[1]))
        except UnusableAudio as problem:
            raise BadInput(str(problem)) from problem
        return align_melodies(a, b, shipped_methods(), chromas)
