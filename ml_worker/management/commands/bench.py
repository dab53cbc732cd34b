"""Runs the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from chad_site.commands import BadInput, ChadCommand
from ml_worker.bench import BENCHMARKS, Table

WHERE_DATA_ARE = "CHAD_SHARED_DATA names the folder that holds f0/, hums/, songs/ and so on; README says what they are."


class Command(ChadCommand):
    help = "Runs the benchmarks, prints a table of each and writes var/bench/<name>.json."
    needs_database = False

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help=f"one of {', '.join(BENCHMARKS)}; all by default")

    def work(self, **options: Any) -> None:
        if options["name"] and options["name"] not in BENCHMARKS:
            raise BadInput(f"There is no benchmark {options['name']}; there are {', '.join(BENCHMARKS)}.")
        folder = Path(settings.CHAD_HOME) / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        for name in [options["name"]] if options["name"] else BENCHMARKS:
            self.say(f"{name}: {BENCHMARKS[name].what}")
            try:
                table = BENCHMARKS[name].run()
            except FileNotFoundError as problem:
                raise BadInput(f"The benchmark {name} needs {problem.filename}. {WHERE_DATA_ARE}") from problem
            (folder / f"{name}.json").write_text(json.dumps(table, indent=2) + "\n")
            self.answer({name: table}, as_text(table), as_json=options["json"])


def as_text(table: Table) -> str:
    """The rows under their column names, in columns."""
    if not table:
        return "nothing measured"
    names = list(table[0])
    cells = [names, *([shown(row.get(name)) for name in names] for row in table)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
