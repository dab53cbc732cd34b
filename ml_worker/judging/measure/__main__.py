"""`python -m ml_worker.judging.measure [--only NAME]`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ml_worker.judging import alignment
from ml_worker.judging import measure as package
from ml_worker.judging.measure.data import DATA, SONGS
from ml_worker.judging.measure.hums import measure_cuts, measure_loops, measure_simulated, measure_solo
from ml_worker.judging.measure.leaks import measure_leaks
from ml_worker.judging.measure.mast import measure_mast, measure_passed
from ml_worker.judging.measure.scores import MOST, measure_scores
from ml_worker.judging.measure.sound import measure_sound
from ml_worker.judging.measure.sung_words import measure_words

MEASUREMENTS = ("solo", "cuts", "loops", "simulated", "passed", "mast", "sound", "scores")


def main() -> None:
    parser = argparse.ArgumentParser(description=package.__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with f0/mast, hums and alignment")
    parser.add_argument("--melodies", choices=("held-out", "tuning", "both"), default="held-out", help="of f0/mast")
    parser.add_argument("--cuts", type=int, default=100, help="how many random cuts of henter's hums to try")
    parser.add_argument("--tunes", type=int, default=15, help="how many starter tunes to hum by the simulated singer")
    parser.add_argument("--references", type=int, default=3, help="how many references of a melody of f0/mast")
    parser.add_argument("--songs", nargs="+", choices=SONGS, default=SONGS, help="hummed from their scores")
    parser.add_argument("--fragments", type=int, default=MOST, help="at most so many fragments of each song")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=MEASUREMENTS, help="only this measurement")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="try a constant of alignment.py; not with sound or scores",
    )
    given = parser.parse_args()
    try_constants(given.set)
    measurements = {
        "solo": lambda: measure_solo(given.data),
        "cuts": lambda: measure_cuts(given.data, given.cuts),
        "loops": lambda: measure_loops(given.data, given.cuts),
        "simulated": lambda: measure_simulated(given.tunes, given.processes),
        "passed": lambda: measure_passed(given.data, given.references),
        "mast": lambda: measure_mast(given.data, given.references, given.melodies, given.processes),
        "sound": lambda: measure_all_sound(given.data, range(given.tunes), given.processes),
        "scores": lambda: measure_scores(given.data, given.songs, given.fragments, given.processes),
    }
    for name, measure in measurements.items():
        if given.only in (None, name):
            measure()


def measure_all_sound(data: Path, numbers: range, processes: int) -> None:
    """The errors of every limit of the sound: the plain ones, the leak's, the words'."""
    measure_sound(data, numbers, processes)
    measure_leaks(data, numbers, processes)
    measure_words(data, numbers)


def try_constants(assignments: list[str]) -> None:
    """Sets numbers of alignment.py for this run, for trials: BEND_COST=0.

    Raises:
        ValueError: alignment.py has no such number.
    """
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        if not isinstance(getattr(alignment, name, None), float):
            raise ValueError(f"alignment.py has no number {name}")
        setattr(alignment, name, float(value))


if __name__ == "__main__":
    main()
