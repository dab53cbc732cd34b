"""Query by humming, evaluated on a collection of hums."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ml_worker.audio.melody import Melody
    from ml_worker.fingerprint.checkpoint import Checkpoint
    from ml_worker.retrieval.layouts import Collection
    from ml_worker.retrieval.qbh import Evaluation, MatcherMaker

PLAIN = "plain"
LAYOUTS = (PLAIN, "mir-qbsh", "ioacas", "mtg-qbh", "chad")

# Files that are left out and named one by one; of more, only how many.
NAMED = 10


class Command(ChadCommand):
    help = (
        "Seeks hums among targets by the model and by the classical baseline, and prints hit rates and MRR; --ranks, "
        "--json and --out also give the rank of every hum. Needs no database."
    )
    needs_database = False

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queries", metavar="QUERIES.tsv", help="lines: hum, a tab, file stem of its target")
        parser.add_argument("targets", metavar="TARGETS", nargs="?", help="folder of audio, MIDI or pitch curves")
        parser.add_argument("--from-start", action="store_true", help="hums are known to begin where targets do")
        parser.add_argument("--ranks", action="store_true", help="also prints the rank of every hum, the worst first")
        parser.add_argument("--out", metavar="FILE", help="also writes the answer there, as JSON")
        parser.add_argument(
            "--targets-mix", action="store_true", help="audio targets are mixtures: take the voice first"
        )
        parser.add_argument("--no-baseline", action="store_true", help="the model alone")
        parser.add_argument(
            "--checkpoint", action="append", default=[], metavar="FILE", help="instead of the starter ones; repeatable"
        )
        layouts = "QUERIES.tsv is the root folder of a collection, and TARGETS a folder of distractors or of its songs"
        parser.add_argument("--layout", choices=LAYOUTS, default=PLAIN, help=layouts)

    def work(self, **options: Any) -> None:
        from ml_worker.audio.melody_files import ReadingStopped, processors
        from ml_worker.retrieval.layouts import BadCollection
        from ml_worker.retrieval.qbh import evaluate, in_words, ranks_in_words

        out = Path(options["out"]) if options["out"] else None
        if out and (not out.parent.is_dir() or out.is_dir() or leads_in_circles(out)):
            raise BadInput(f"{out} cannot be written: name a file in a folder that exists.")
        if out and is_asked_with(out, options):
            raise BadInput(f"{out} is part of what is evaluated. Name another file for the answer.")
        try:
            collection = self.collection(options["layout"], options["queries"], options["targets"])
            with ProgressBar() as progress:
                evaluation = evaluate(
                    collection,
                    self.matchers(options["checkpoint"], baseline=not options["no_baseline"]),
                    from_start=options["from_start"],
                    mixtures=options["targets_mix"],
                    processes=processors(),
                    progress=progress,
                )
        except BadCollection as problem:
            raise BadInput(str(problem)) from problem
        except ReadingStopped as problem:
            self.give_up(str(problem))
        self.say_what_is_missing(evaluation)
        answer = evaluation.as_dict()
        # Before it is printed: nobody may read on. But what took so long to find is printed all the same.
        unwritten = unwritten_in(out, json.dumps(answer, indent=1)) if out else ""
        words = [in_words(evaluation), *([ranks_in_words(evaluation)] if options["ranks"] else [])]
        self.answer(answer, "\n\n".join(words), as_json=options["json"])
        if unwritten:
            self.give_up(unwritten)

    def collection(self, layout: str, queries: str, targets: str | None) -> Collection:
        """The queries and targets that were named. Raises BadCollection and BadInput."""
        from ml_worker.retrieval.layouts import LAYOUTS, from_table

        if layout != PLAIN:
            return LAYOUTS[layout](Path(queries), Path(targets) if targets else None)
        if not targets:
            raise BadInput("Name the folder of the targets after QUERIES.tsv.")
        return from_table(Path(queries), Path(targets))

    def matchers(self, checkpoints: list[str], *, baseline: bool) -> dict[str, MatcherMaker]:
        """What is compared: the model with the starter checkpoints or with those named, and the baseline."""
        from ml_worker.retrieval.classical import ClassicalMatcher
        from ml_worker.retrieval.recogniser import Recogniser, starter_fusion, starter_recogniser

        model: MatcherMaker = starter_recogniser
        if checkpoints:
            read = [self.checkpoint(Path(path)) for path in checkpoints]

            def model(targets: Sequence[Melody]) -> Recogniser:
                return Recogniser(targets, read, starter_fusion())

        return {"model": model, **({"baseline": ClassicalMatcher} if baseline else {})}

    def checkpoint(self, path: Path) -> Checkpoint:
        """A checkpoint from a file. Raises BadInput."""
        from ml_worker.fingerprint.checkpoint import Checkpoint, UnusableCheckpoint

        try:
            checkpoint = Checkpoint.load(path)
            checkpoint.encoder()  # so that one that does not fit is refused before all the targets are read
        except OSError as problem:
            raise BadInput(f"{path} cannot be read: {problem.strerror}.") from problem
        except UnusableCheckpoint as problem:
            raise BadInput(f"{path} cannot be used: {problem}") from problem
        return checkpoint

    def say_what_is_missing(self, evaluation: Evaluation) -> None:
        from ml_worker.retrieval.qbh import counted, missing_in_words

        for sentence in evaluation.left_out[:NAMED]:
            self.say(f"Left out: {sentence}")
        if (further := len(evaluation.left_out) - NAMED) > 0:
            self.say(f"Left out: {counted(further, 'file')} more.")
        if missing := missing_in_words(evaluation):
            self.say(missing)


def is_asked_with(out: Path, options: dict[str, Any]) -> bool:
    """Whether the answer would be written over what is asked with: the table, a checkpoint, a file of the targets."""
    asked = [real(path) for path in (options["queries"], *options["checkpoint"])]
    folder = real(options["targets"]) if options["targets"] else None
    here = real(out)
    return here in asked or (folder is not None and here.exists() and here.is_relative_to(folder))


def unwritten_in(out: Path, text: str) -> str:
    """Writes the answer to a file, whole or not at all. A sentence where that fails, else nothing."""
    from ml_worker.fingerprint.checkpoint import write_whole

    here = real(out)
    try:
        if here.exists() and not here.is_file():  # a pipe or a device, which is no file to put another in the place of
            here.write_text(text, encoding="utf-8")
        else:
            write_whole(here, text.encode())
    except OSError as problem:
        return f"{out} cannot be written: {problem.strerror}."
    return ""


def leads_in_circles(path: Path) -> bool:
    """Whether this is a link that leads back to itself."""
    return real(path).is_symlink()


def real(path: str | Path) -> Path:
    """Where a path leads. Path.resolve would raise where links lead in circles."""
    return Path(os.path.realpath(path))
