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

import numpy as np

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint.shipped import shipped_kinds, starter_checkpoint
from ml_worker.fingerprint.starter_training import split, tunes_from
from ml_worker.judging.measure.data import DATA
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.measure import STARTS, Benchmark, scores_of, tunes
from ml_worker.retrieval.recogniser import FIGURES, Figures, Fusion, Recogniser, fit_weights
from ml_worker.retrieval.sureness import fit_temperature

# The archives that the starter checkpoints were trained on.
TRAINED_ON = ("cre", "pop909")
# Simulated hums of what was held back, and composed tunes that they are sought among beside the others. There are whole
# rounds of STARTS, so that every STARTS-th hum begins at its tune's start.
HUMS, COMPOSED, COMPOSER_SEED = 70 * STARTS, 1000, 2
# The networks' share of what was fitted. Chosen on the half of f0/mast that constants may be chosen on (real voices).
TRUST = 0.5
FITTED_ON = "simulated hums of tunes held back from training"


def held_back_hums(data: Path = DATA) -> Benchmark:
    """Simulated hums of the tunes that the starter checkpoints never saw, of the archives that they were trained on."""
    _, held_back = split(tunes_from([data / "melodies" / f"{archive}.zip" for archive in TRAINED_ON], composed=0))
    names = {tune.name for tune in held_back}
    read = [score for archive in TRAINED_ON for score in scores_of(archive, data)]
    hummed = [score for score in read if score.name in names]
    return tunes(data, HUMS, hummed=hummed, among=[*read, *compose_tunes(COMPOSED, seed=COMPOSER_SEED)], first=HUMS)


def cases_of(recogniser: Recogniser, benchmark: Benchmark, *, from_start: bool) -> list[tuple[Figures, int]]:
    """The figures of each hum's candidates and which is right; hums whose target is no candidate teach nothing."""
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
            cases.append((found.figures[kept], kept.index(best)))
    return cases


def trusted(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights with those of the networks turned down by TRUST."""
    return tuple(
        weight * (TRUST if name.startswith("network") else 1) for name, weight in zip(FIGURES, weights, strict=True)
    )


def crossed_temperature(cases: Sequence[tuple[Figures, int]]) -> float:
    """The temperature of weights on hums that they were not fitted on: every third hum, each third in its turn."""
    unseen = []
    for third in range(3):
        weights = np.array(trusted(fit_weights([case for number, case in enumerate(cases) if number % 3 != third])))
        unseen += [(figures @ weights, right) for figures, right in cases[third::3]]
    return fit_temperature(unseen)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args(arguments)
    benchmark = held_back_hums(asked.data)
    nothing = Fusion((0.0,) * len(FIGURES), (0.0,) * len(FIGURES))
    weights, temperatures = {}, {}
    checkpoints = [starter_checkpoint(kind) for kind in shipped_kinds()]
    recogniser = Recogniser(benchmark.targets, checkpoints, nothing)
    for from_start in (False, True):
        cases = cases_of(recogniser, benchmark.every(STARTS) if from_start else benchmark, from_start=from_start)
        weights[from_start] = trusted(fit_weights(cases))
        temperatures[from_start] = crossed_temperature(cases)
        told = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(FIGURES, weights[from_start], strict=True))
        print(f"{'known' if from_start else 'any'} start, {len(cases)} hums: {told}")
        first = np.mean([np.argmax(figures @ np.array(weights[from_start])) == right for figures, right in cases])
        print(f"  right on the first place: {first:.3f} (of what they were fitted on)")
        print(f"  temperature {temperatures[from_start]:.2f}", flush=True)
    Fusion(weights[False], weights[True], temperatures[False], temperatures[True], FITTED_ON).save(asked.out)


if __name__ == "__main__":
    main()
