"""What all commands share: messages on standard error, answers on standard output, bad input in one line."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser, OutputWrapper
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from tqdm import tqdm

# What shells tell of a program that was stopped from the keyboard (SIGINT), and of one whose reader left (SIGPIPE).
INTERRUPTED, UNREAD = 130, 141


class BadInput(Exception):
    """Input that a command cannot use. Its text is one line that says why and what to do."""


class ChadCommand(BaseCommand):
    """A command that people and scripts use alike.

    With --json, standard output is JSON alone. Bad input exits with 2 and one line on standard error. Stopped from the
    keyboard, it says so in a word; where nobody reads on what it prints (`| head`), it ends without one.
    """

    # The database is reached when the work does, so that commands without one need none.
    requires_system_checks: list[str] = []
    needs_database = True

    def __init__(self, *args: Any, **options: Any) -> None:
        open_closed_streams()
        super().__init__(*args, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the answer as JSON, and nothing else")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: CommandParser) -> None:
        """Arguments of the command itself."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            self.give_up("Stopped.", INTERRUPTED)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if self.needs_database:
                self.prepare_database()
            self.work(**options)
        except BadInput as problem:
            self.give_up(str(problem), 2)

    def work(self, **options: Any) -> None:
        """What the command does."""
        raise AssertionError("Each command has its own work().")

    def prepare_database(self) -> None:
        """Tables as this version of the code wants them: made in the embedded database, asked for in any other."""
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return
        if settings.DATABASES["default"]["ENGINE"] != "chad_site.postgresql":
            raise BadInput("The database is not up to date. Run `manage.py migrate` once, then this command again.")
        self.say("Preparing the database.")
        call_command("migrate", verbosity=0)

    def say(self, text: str) -> None:
        """A message for the person at the shell."""
        self.stderr.style_func = None
        try:
            self.stderr.write(text)
        except OSError as problem:
            # Nobody can be told anything any more.
            forget_unwritten(self.stderr)
            sys.exit(UNREAD if isinstance(problem, BrokenPipeError) else 1)

    def answer(self, value: Any, words: str = "", *, as_json: bool = False) -> None:
        """The command's answer: JSON where it was asked for, words otherwise. It is written out when this returns."""
        try:
            self.stdout.write(words if words and not as_json else json.dumps(value, default=str))
            self.stdout.flush()
        except BrokenPipeError:
            forget_unwritten(self.stdout)
            sys.exit(UNREAD)
        except OSError as problem:
            forget_unwritten(self.stdout)
            self.give_up(f"The answer cannot be written to standard output: {problem.strerror}.")

    def give_up(self, sentence: str, status: int = 1) -> NoReturn:
        self.say(" ".join(sentence.split()))
        sys.exit(status)


def open_closed_streams() -> None:
    """Standard streams that the shell closed (`>&-`) are None in Python, which nothing can write to.

    Messages that nobody wants go nowhere. The answer is to fail in words, so its stream is one that cannot be written.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def forget_unwritten(stream: OutputWrapper) -> None:
    """What a standard stream could not write goes nowhere. Python would try again as it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class BatchCommand(ChadCommand):
    """A command that answers one question, or with --batch one a line of a file of tab-separated questions.

    A batch prints one JSON line for each of its lines, in order; one that fails gives {"error": ...}.
    """

    needs_database = False
    # The names of the question's parts.
    parts: tuple[str, ...] = ()

    def add_own_arguments(self, parser: CommandParser) -> None:
        for part in self.parts:
            parser.add_argument(part, nargs="?", metavar=part.upper())
        parser.add_argument("--batch", metavar="FILE.tsv", help="one question a line: " + " TAB ".join(self.parts))

    def work(self, **options: Any) -> None:
        if options["batch"]:
            self.work_through(Path(options["batch"]), options)
            return
        asked = [options[part] for part in self.parts]
        if None in asked:
            raise BadInput(f"Name {' and '.join(part.upper() for part in self.parts)}, or use --batch FILE.tsv.")
        self.answer(self.answer_to(*asked, **options))

    def work_through(self, file: Path, options: dict[str, Any]) -> int:
        """Answers each line of a file: how many of them failed."""
        try:
            lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
            raise BadInput(f"{file} cannot be read: {why}.") from problem
        failed = 0
        for line in lines:
            try:
                told = self.answer_of_line(line.rstrip("\r"), options)
            except BadInput as problem:
                failed += 1
                told = {"error": str(problem)}
            self.answer(told)
        return failed

    def answer_of_line(self, line: str, options: dict[str, Any]) -> Any:
        """The answer to a line. Raises BadInput."""
        asked = line.split("\t")
        if not line.strip():
            raise BadInput("The line is empty.")
        if len(asked) != len(self.parts):
            columns = "1 column" if len(asked) == 1 else f"{len(asked)} columns"
            raise BadInput(f"The line has {columns}, not {len(self.parts)}.")
        return self.answer_to(*asked, **options)

    def answer_to(self, *asked: str, **options: Any) -> Any:
        """The answer to one question, as plain values. Raises BadInput."""
        raise AssertionError("Each command has its own answer_to().")


class ProgressBar:
    """A bar on standard error, told the share that is done and a message."""

    def __init__(self) -> None:
        # Drawn at the first progress, so that bad input leaves one line on standard error and nothing else.
        self.bar: tqdm | None = None

    def __call__(self, share: float, message: str) -> None:
        if self.bar is None:
            form = "{percentage:3.0f} % |{bar:30}| {desc}"
            self.bar = tqdm(total=100, file=sys.stderr, disable=None, bar_format=form, leave=False)
        self.bar.set_description_str(message, refresh=False)
        self.bar.n = round(100 * share)
        self.bar.refresh()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar:
            self.bar.close()
