"""What all commands share: messages on standard error, answers on standard output, bad input in one line."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm


class BadInput(Exception):
    """Input that a command cannot use. Its text is one line that says why and what to do."""


class ChadCommand(BaseCommand):
    """A command that people and scripts use alike.

    With --json, standard output is JSON alone. Bad input exits with 2 and one line on standard error.
    """

    # The database is reached when the work does, so that commands without one need none.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the answer as JSON, and nothing else")
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: CommandParser) -> None:
        """Arguments of the command itself."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.work(**options)
        except BadInput as problem:
            self.give_up(str(problem), 2)

    def work(self, **options: Any) -> None:
        """What the command does."""
        raise AssertionError("Each command has its own work().")

    def say(self, text: str) -> None:
        """A message for the person at the shell."""
        self.stderr.style_func = None
        self.stderr.write(text)

    def answer(self, value: Any, words: str = "", *, as_json: bool = False) -> None:
        """The command's answer: JSON where it was asked for, words otherwise."""
        self.stdout.write(words if words and not as_json else json.dumps(value, default=str))

    def give_up(self, sentence: str, status: int = 1) -> NoReturn:
        self.say(" ".join(sentence.split()))
        sys.exit(status)


class ProgressBar:
    """A bar on standard error, told the share that is done and a message."""

    def __init__(self) -> None:
        self.bar = tqdm(total=100, file=sys.stderr, bar_format="{percentage:3.0f} % |{bar:30}| {desc}", leave=False)

    def __call__(self, share: float, message: str) -> None:
        self.bar.set_description_str(message, refresh=False)
        self.bar.n = round(100 * share)
        self.bar.refresh()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
