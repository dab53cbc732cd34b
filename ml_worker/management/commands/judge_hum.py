"""The automatic check of a hum against a fragment, both as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chad_site.commands import BadInput, BatchCommand


class Command(BatchCommand):
    help = "Judges whether a hum is the melody of a fragment, as JSON. Needs no database."
    parts = ("hum", "fragment")

    def answer_to(self, *asked: str, **options: Any) -> dict[str, Any]:
        from ml_worker.audio.sound import UnusableAudio
        from ml_worker.judging.files import judge_files

        try:
            judgement = judge_files(Path(asked[0]), Path(asked[1]))
        except (UnusableAudio, ValueError) as problem:
            raise BadInput(str(problem)) from problem
        return {
            "ok": judgement.ok,
            "reasons": [reason.sentence for reason in judgement.reasons],
            "codes": [reason.code for reason in judgement.reasons],
            "offset_s": judgement.offset_s,
            "tempo_ratio": judgement.tempo_ratio,
            "transposition": judgement.transposition,
            "similarity": judgement.similarity,
        }
