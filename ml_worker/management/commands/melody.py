"""The melody of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, BatchCommand


class Command(BatchCommand):
    help = "Prints the melody of a solo voice, or with --mix of a mixture, as JSON. Needs no database."
    parts = ("a",)

    def add_own_arguments(self, parser: CommandParser) -> None:
        super().add_own_arguments(parser)
        parser.add_argument("--mix", action="store_true", help="the audio is a mixture: take its vocal part first")

    def answer_to(self, *asked: str, **options: Any) -> dict[str, Any]:
        from ml_worker.audio.melody_files import read_melody
        from ml_worker.audio.sound import UnusableAudio

        try:
            melody = read_melody(Path(asked[0]), mixture=options["mix"])
        except UnusableAudio as problem:
            raise BadInput(str(problem)) from problem
        return {
            "hop_s": melody.hop_s,
            "f0_hz": [round(float(hz), 3) for hz in melody.f0_hz],
            "voiced": [bool(voiced) for voiced in melody.voiced],
            "method": melody.method,
        }
