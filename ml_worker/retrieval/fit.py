"""Fits the weights by which the model weighs its evidence, and stores them beside the starter checkpoints.

    python -m ml_worker.retrieval.fit --out ml_worker/fingerprint/starter/fusion.json

On simulated hums of tunes that were held back from the training of the starter checkpoints, among the tunes of the same
archives and composed ones: the weights ship, so they are fitted on what is free of restrictions, and nothing that is
reported is used. Simulated hums flatter the networks, which were trained on their like; so their weights are turned
down by TRUST afterwards.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint.shipped import shipped_kinds, starter_checkpoint
from ml_worker.fingerprint.starter_training import split, tunes_from
from ml_worker.judging.measure.data import DATA
from ml_worker.retrieval.benchmarks import STARTS, Benchmark, scores_of, tunes
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.recogniser import FIGURES, Figures, Fusion, Recogniser, fit_here, fit_weights
from ml_worker.retrieval.sureness import fit_temperature

# The archives that the starter checkpoints were trained on.
TRAINED_ON = ("cre", "pop909")
# Simulated hums of what was held back, and composed tunes that they are sought among beside the others. There are whole
# rounds of STARTS, so that every STARTS-th hum begins at its tune's start.
HUMS, COMPOSED, COMPOSER_SEED = 70 * STARTS, 1000, 2
# Hums beside them that go on beyond the tune's end; people do it now and then.
HUMS_BEYOND = 40
# The networks' share of what was fitted. Chosen on the half of f0/mast that constants may be chosen on (real voices).
TRUST = 0.75
FITTED_ON = "simulated hums of tunes held back from training"


class HeldBack(NamedTuple):
    """Simulated hums of tunes that the starter checkpoints never saw: within their tunes, and beyond their ends."""

    within: Benchmark
    beyond: Benchmark

    def cases(self, recogniser: Recogniser, *, from_start: bool) -> list[Case]:
        """Of all hums, or of those that begin where their tunes do."""
        if from_start:
            return cases_of(recogniser, self.within.every(STARTS), from_start=True)
        return [case for hums in self for case in cases_of(recogniser, hums, from_start=False)]


def held_back_hums(data: Path = DATA) -> HeldBack:
    """Of the archives that the checkpoints were trained on."""
    _, held_back = split(tunes_from([data / "melodies" / f"{archive}.zip" for archive in TRAINED_ON], composed=0))
    names = {tune.name for tune in held_back}
    read = [score for archive in TRAINED_ON for score in scores_of(archive, data)]
    hummed = [score for score in read if score.name in names]
    among = [*read, *compose_tunes(COMPOSED, seed=COMPOSER_SEED)]
    within = tunes(data, HUMS, hummed=hummed, among=among, first=HUMS)
    beyond = tunes(data, HUMS_BEYOND, hummed=hummed, among=among, first=2 * HUMS, goes_on=True)
    return HeldBack(within, beyond)


class Case(NamedTuple):
    """The figures of a hum's candidates (C, FIGURES), and which of them is right."""

    figures: Figures
    right: int

    def best(self, weights: Sequence[float], *, is_here: bool = True) -> tuple[Figures, bool]:
        """The figures of what comes first, and whether it is right: among all, or where the right one is missing."""
        figures = self.figures if is_here else np.delete(self.figures, self.right, axis=0)
        first = int(np.argmax(figures @ np.array(weights)))
        return figures[first], is_here and first == self.right


def cases_of(recogniser: Recogniser, benchmark: Benchmark, *, from_start: bool) -> list[Case]:
    """A case of each hum; those whose target is no candidate teach nothing."""
    cases = []
    for name, hum in benchmark.hums:
        try:
            found = recogniser.candidates(hum, from_start=from_start)
        except NothingHeard:
            continue
        right = [row for row, index in enumerate(found.among) if benchmark.names[index] == name]
        if right:
            best = max(right, key=lambda row: found.figures[row, FIGURES.index("total")])
            kept = [row for row in range(len(found.among)) if row == best or row not in right]
            cases.append(Case(found.figures[kept], kept.index(best)))
    return cases


def trusted(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights with those of the networks turned down by TRUST."""
    return tuple(
        weight * (TRUST if name.startswith("network") else 1) for name, weight in zip(FIGURES, weights, strict=True)
    )


def crossed_temperature(cases: Sequence[Case]) -> float:
    """The temperature of weights on hums that they were not fitted on: every third hum, each third in its turn."""
    unseen = []
    for third in range(3):
        weights = np.array(trusted(fit_weights([case for number, case in enumerate(cases) if number % 3 != third])))
        unseen += [(figures @ weights, right) for figures, right in cases[third::3]]
    return fit_temperature(unseen)


def here_cases(cases: Sequence[Case], weights: Sequence[float]) -> list[tuple[Figures, bool]]:
    """The best candidate of each hum with its tune among the targets, and without it."""
    return [case.best(weights, is_here=is_here) for case in cases for is_here in (True, False)]


def told_apart(cases: Sequence[Case], weights: Sequence[float]) -> str:
    """How well that is told on hums that it was not fitted on, in words: every third hum, each third in its turn."""
    accepted: dict[bool, list[bool]] = {True: [], False: []}
    for third in range(3):
        rest = [case for number, case in enumerate(cases) if number % 3 != third]
        constants = fit_here(here_cases(rest, weights))
        for figures, is_right in here_cases(cases[third::3], weights):
            accepted[is_right].append(float(figures @ np.array(constants[:-1]) + constants[-1]) > 0)
    right, wrong = (np.mean(accepted[is_right]) for is_right in (True, False))
    return f"taken for right: {right:.3f} of the right ones, {wrong:.3f} of the wrong ones"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args(arguments)
    hums = held_back_hums(asked.data)
    nothing = Fusion((0.0,) * len(FIGURES), (0.0,) * len(FIGURES))
    weights, temperatures, here = {}, {}, {}
    checkpoints = [starter_checkpoint(kind) for kind in shipped_kinds()]
    recogniser = Recogniser(hums.within.targets, checkpoints, nothing)
    for from_start in (False, True):
        cases = hums.cases(recogniser, from_start=from_start)
        weights[from_start] = trusted(fit_weights(cases))
        temperatures[from_start] = crossed_temperature(cases)
        here[from_start] = fit_here(here_cases(cases, weights[from_start]))
        told = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(FIGURES, weights[from_start], strict=True))
        print(f"{'known' if from_start else 'any'} start, {len(cases)} hums: {told}")
        first = np.mean([np.argmax(figures @ np.array(weights[from_start])) == right for figures, right in cases])
        print(f"  right on the first place: {first:.3f} (of what they were fitted on)")
        print(f"  temperature {temperatures[from_start]:.2f}; {told_apart(cases, weights[from_start])}", flush=True)
    Fusion(
        weights[False], weights[True], temperatures[False], temperatures[True], here[False], here[True], FITTED_ON
    ).save(asked.out)


if __name__ == "__main__":
    main()
