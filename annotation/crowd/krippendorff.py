"""Krippendorff's alpha: how far people agree beyond what chance would give.

Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). The pairs within units and over all values
are summed in closed form, through counts (nominal) or variances (interval), so that 100,000 units take less than a
second.

A unit is what several people judged, given by their values in any order: verdicts (nominal; True and False will do)
or numbers such as a start in seconds (interval). NaN stands for a person who gave none, so that the rows of a table
of units and people can be given as they are. Units with fewer than two values have nothing to compare and are left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["nominal", "interval"]
Units = Sequence[Sequence[float]]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def alpha(units: Units, metric: Metric) -> float | None:
    """1 where people agree wholly, 0 where they agree as by chance, below 0 where they disagree on purpose.

    None where no unit has two values, and where all values that can be compared are the same: no disagreement was
    to be expected then, and whether people agree or always say the same cannot be told.

    Args:
        units: the values of each unit.
        metric: "nominal": values are equal or not; "interval": the square of their difference counts.

    Raises:
        ValueError: the metric is another, or a value is infinite.
    """
    if metric not in SQUARES:
        raise ValueError(f"The metric is one of {', '.join(SQUARES)}, not {metric}.")
    unit_of, values, sizes = _pairable(units)
    if len(values) == 0 or values.min() == values.max():
        return None
    within = SQUARES[metric](unit_of, values, sizes)  # (U,)
    overall = SQUARES[metric](np.zeros_like(unit_of), values, np.array([len(values)]))[0]
    observed = (within / (sizes - 1)).sum() / len(values)
    expected = overall / (len(values) * (len(values) - 1))
    return float(1 - observed / expected)


def agreement_share(units: Units) -> float | None:
    """How often two people agree on the same unit, 0 to 1, chance not taken off; None where no unit has two values.

    As in alpha, a unit weighs as much as it has values: for each value, the share of the unit's other values that
    are the same, averaged over all values.
    """
    unit_of, values, sizes = _pairable(units)
    if len(values) == 0:
        return None
    return float(1 - (_unequal_pairs(unit_of, values, sizes) / (sizes - 1)).sum() / len(values))


def _pairable(units: Units) -> tuple[Ints, Floats, Ints]:
    """(N,) the unit of each value, (N,) the values, (U,) how many each unit has; units of at least two only."""
    values = np.fromiter(chain.from_iterable(units), np.float64)
    unit_of = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    given = ~np.isnan(values)
    if np.isinf(values).any():
        raise ValueError("A value is infinite.")
    values, unit_of = values[given], unit_of[given]
    sizes = np.bincount(unit_of, minlength=len(units))
    pairable = sizes >= 2
    kept = pairable[unit_of]
    renumbered = np.cumsum(pairable) - 1
    return renumbered[unit_of[kept]], values[kept], sizes[pairable]


# Of each unit: the squared differences between all its values and all others of it, each pair counted both ways.


def _unequal_pairs(unit_of: Ints, values: Floats, sizes: Ints) -> Floats:
    distinct, code = np.unique(values, return_inverse=True)
    cells, counts = np.unique(unit_of * len(distinct) + code, return_counts=True)  # values of one kind in one unit
    equal = np.bincount(cells // len(distinct), counts.astype(np.float64) ** 2, len(sizes))
    return sizes.astype(np.float64) ** 2 - equal


def _squared_differences(unit_of: Ints, values: Floats, sizes: Ints) -> Floats:
    # The sum over all pairs of (a - b)^2 is 2 m times the sum of (a - mean)^2.
    means = np.bincount(unit_of, values, len(sizes)) / sizes
    return 2 * sizes * np.bincount(unit_of, (values - means[unit_of]) ** 2, len(sizes))


SQUARES: dict[str, Callable[[Ints, Floats, Ints], Floats]] = {
    "nominal": _unequal_pairs,
    "interval": _squared_differences,
}
