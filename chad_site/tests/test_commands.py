"""Commands end in a sentence, or quietly, and with a status that scripts can tell apart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chad_site.commands import INTERRUPTED, UNREAD, BatchCommand, ChadCommand

ROOT = Path(__file__).parents[2]
BY_LINE = 1  # written out with every line, as standard error is


class Answers(ChadCommand):
    """Says something and answers."""

    needs_database = False

    def work(self, **options: Any) -> None:
        self.say("At work.")
        self.answer({"n": 1}, "one", as_json=options["json"])


class Interrupted(ChadCommand):
    needs_database = False

    def work(self, **options: Any) -> None:
        raise KeyboardInterrupt


class Twice(BatchCommand):
    """Gives both parts of a question."""

    parts = ("a", "b")

    def answer_to(self, *asked: str, **options: Any) -> Any:
        return list(asked)


def ended(command: ChadCommand) -> int | None:
    """The status that a command ends with at the shell; None where it comes to its end."""
    try:
        command.run_from_argv(["manage.py", "it"])
    except SystemExit as stop:
        return int(stop.code or 0)
    return None


@pytest.fixture
def unread() -> Iterator[Any]:
    """A pipe whose reader has gone. That closing it raises nothing is part of each test: Python does so at its end."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8", buffering=BY_LINE) as stream:
        yield stream


@pytest.fixture
def full() -> Iterator[Any]:
    """A file on a disk without room."""
    with open("/dev/full", "w", encoding="utf-8", buffering=BY_LINE) as stream:
        yield stream


def test_where_nobody_reads_on_a_command_ends_without_a_word(unread: Any) -> None:
    said = StringIO()
    assert ended(Answers(stdout=unread, stderr=said)) == UNREAD
    assert said.getvalue() == "At work.\n"


def test_where_nobody_reads_its_messages_a_command_ends(unread: Any) -> None:
    answered = StringIO()
    assert ended(Answers(stdout=answered, stderr=unread)) == UNREAD
    assert answered.getvalue() == ""


def test_an_answer_that_cannot_be_written_is_a_failure_in_words(full: Any) -> None:
    said = StringIO()
    assert ended(Answers(stdout=full, stderr=said)) == 1
    assert said.getvalue().splitlines()[1:] == [
        "The answer cannot be written to standard output: No space left on device."
    ]


def test_a_full_disk_for_messages_is_a_failure(full: Any) -> None:
    assert ended(Answers(stdout=StringIO(), stderr=full)) == 1


def test_stopped_from_the_keyboard_a_command_says_so() -> None:
    said = StringIO()
    assert ended(Interrupted(stderr=said)) == INTERRUPTED
    assert said.getvalue() == "Stopped.\n"


def test_at_the_shell_nothing_else_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pv").write_text("60\n" * 50)
    (tmp_path / "batch.tsv").write_text(f"{tmp_path / 'a.pv'}\n" * 3)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "manage.py", "melody", "--batch", str(tmp_path / "batch.tsv")],
        cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (UNREAD, "")


def test_every_line_of_a_batch_has_its_answer(tmp_path: Path) -> None:
    (tmp_path / "batch.tsv").write_text("x\ty\r\n\nz\n \t \n1\t2\t3\n")
    answers = StringIO()
    Twice(stdout=answers).run_from_argv(["manage.py", "twice", "--batch", str(tmp_path / "batch.tsv")])
    assert answers.getvalue().splitlines() == [
        '["x", "y"]',
        '{"error": "The line is empty."}',
        '{"error": "The line has 1 column, not 2."}',
        '{"error": "The line is empty."}',
        '{"error": "The line has 3 columns, not 2."}',
    ]


@pytest.mark.parametrize(
    ("closed", "status", "answered", "said"),
    [
        ("1", 1, "", "The answer cannot be written to standard output: Bad file descriptor.\n"),
        ("2", 0, "hop_s", ""),
        ("12", 1, "", ""),
    ],
)
def test_closed_standard_streams_are_no_traceback(
    tmp_path: Path, closed: str, status: int, answered: str, said: str
) -> None:
    (tmp_path / "a.pv").write_text("60\n" * 50)
    closing = " ".join(f"{number}>&-" for number in closed)
    done = subprocess.run(
        ["bash", "-c", f'"$0" manage.py melody "$1" {closing}', sys.executable, str(tmp_path / "a.pv")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, said)
    assert answered in done.stdout
