"""Checks a release. It needs the folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand, ProgressBar
from recordings.release import ReleaseRefused, verify
from recordings.release.checked.verifying import Findings


class Command(ChadCommand):
    help = "Checks the release in a folder: sums, tables, audio, splits, leaks. Exits with 1 if anything is wrong."
    needs_database = False

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def work(self, **options: Any) -> None:
        try:
            with ProgressBar() as bar:
                findings = verify(options["folder"], bar)
        except ReleaseRefused as problem:
            raise BadInput(str(problem)) from problem
        self.answer(as_dict(findings), in_words(findings), as_json=options["json"])
        if not findings.ok:
            self.give_up(f"Release {findings.version or 'in this folder'} has faults: {len(findings.faults)}.", 1)


def as_dict(findings: Findings) -> dict[str, Any]:
    faults = [{"file": file, "fault": sentence} for file, sentence in findings.faults]
    return {"ok": findings.ok, "version": findings.version, "counts": findings.counts, "faults": faults}


def in_words(findings: Findings) -> str:
    """A line for each fault, or one that says what is there."""
    if not findings.ok:
        return "\n".join(findings.lines)
    return (
        "Release {version} is in order: {versions} versions of {fragments} fragments of {songs} songs ({original} "
        "originals, {cover} covers, {humming} hums), {audio_files} audio files, {files} files in all."
    ).format(version=findings.version, **findings.counts)
