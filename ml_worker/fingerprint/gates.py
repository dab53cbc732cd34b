"""Gates: whether a new checkpoint may take the place of the one in use, and why, in words.

A benchmark holds unless it falls by more than its confidence interval, and never where it falls by much. Precision on
pairs that people checked holds unless it is clearly lower than before, or clearly too low. One gate that does not hold
refuses the checkpoint. Where data is too little to tell, a gate holds and says so: the benchmarks are always there.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ml_worker.fingerprint.looked import Looked
from ml_worker.retrieval.metrics import CONFIDENCE, interval_of_means

# A fall of the mean reciprocal rank by more than this is never let through, however wide its interval is.
MOST_FALL = 0.05
# With fewer judged pairs than this, their precision tells nothing.
FEWEST_JUDGED = 20
# A checkpoint whose precision surely lies below this finds too much that is wrong, whatever was in use before.
LEAST_PRECISION = 0.9

Benchmarks = Mapping[str, Looked]


class Counted(NamedTuple):
    """Pairs that people judged, and how many of them are right."""

    right: int
    judged: int

    @property
    def share(self) -> float:
        return self.right / self.judged if self.judged else math.nan


class Difference(NamedTuple):
    """New minus old, and the bounds of its 95 % confidence interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        name: what was looked at.
        new, old: its values, 0..1; None where there is none.
        low, high: 95 % confidence interval of new minus old; of the new value itself where there is no old one; None
            where nothing can be told.
        holds: whether the checkpoint may pass.
        sentence: the same in words.
    """

    name: str
    new: float | None
    old: float | None
    low: float | None
    high: float | None
    holds: bool
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    """Whether a checkpoint is promoted, by which gates, and the same in words."""

    promote: bool
    gates: list[Gate]
    words: str

    def as_dict(self) -> dict[str, Any]:
        return {"promote": self.promote, "gates": [gate.as_dict() for gate in self.gates], "words": self.words}


def decide(
    new: Benchmarks,
    old: Benchmarks | None,
    precision_new: Counted | None = None,
    precision_old: Counted | None = None,
) -> Decision:
    """Whether a checkpoint may take the place of the one in use.

    Args:
        new, old: looks at the same benchmarks by name; old is None where nothing is in use: then the new one has to
            find more than who guesses.
        precision_new, precision_old: of what each of them found, as people judged it; None where nobody was asked.

    Raises:
        ValueError: the looks are not at the same benchmarks; look at them again with both checkpoints.
    """
    if old is not None and set(new) != set(old):
        raise ValueError(f"Looks at {sorted(new)} and {sorted(old)} cannot be compared. Look again with both.")
    gates = [_benchmark(name, look, old[name]) if old else _first(name, look) for name, look in new.items()]
    gates.append(_precision(precision_new, precision_old))
    promote = all(gate.holds for gate in gates)
    # What decides comes first.
    told = sorted(gates, key=lambda gate: gate.holds)
    return Decision(promote, gates, " ".join(["Promoted:" if promote else "Refused:", *(one.sentence for one in told)]))


# --- benchmarks


def interval_of_difference(new: ArrayLike, old: ArrayLike, groups: Sequence[Hashable], seed: int = 0) -> Difference:
    """New minus old in the mean over the same queries, with its interval by a paired bootstrap over groups.

    Args:
        new, old: (Q,) a value of each query, 0..1.
        groups: (Q,) what is drawn again as a whole: the tune of each query.
        seed: the same seed gives the same interval.

    Returns:
        With a single group, which tells nothing of others, the interval is all that there can be: -1 to 1.

    Raises:
        ValueError: there are not as many values as groups, or none.
    """
    change = np.asarray(new, dtype=float) - np.asarray(old, dtype=float)
    if change.shape != (len(groups),) or not len(groups):
        raise ValueError(f"{len(groups)} groups have values of the shape {change.shape}; give one for each.")
    bounds = interval_of_means(change, groups, seed=seed)
    low, high = bounds[0] if bounds else (-1.0, 1.0)
    return Difference(float(change.mean()), low, high)


def _benchmark(name: str, new: Looked, old: Looked) -> Gate:
    if (new.version, new.tunes, new.songs) != (old.version, old.tunes, old.songs):
        raise ValueError(
            f"{new.checkpoint} and {old.checkpoint} did not look at the same {name}. Look again with both of them."
        )
    change = interval_of_difference(new.reciprocal, old.reciprocal, new.tunes)
    falls_much, falls_surely = change.difference < -MOST_FALL, change.high < 0
    moved = "fell" if change.difference < 0 else "rose" if change.difference > 0 else "stayed"
    from_to = f"at {new.mrr:.3f}" if moved == "stayed" else f"from {old.mrr:.3f} to {new.mrr:.3f}"
    sentence = f"On {name} the mean reciprocal rank {moved} {from_to} ({_signed(change.low, change.high)})"
    if falls_much:
        sentence += f", by more than the {MOST_FALL} that are ever let through"
    elif falls_surely:
        sentence += ", which is more than chance"
    holds = not (falls_much or falls_surely)
    return Gate(name, new.mrr, old.mrr, change.low, change.high, holds, f"{sentence}.")


def _first(name: str, new: Looked) -> Gate:
    """Where nothing is in use: whether it finds more than who guesses."""
    bounds = interval_of_means(new.reciprocal, new.tunes)
    low, high = bounds[0] if bounds else (0.0, 1.0)
    holds = low > new.by_chance
    compared = "above" if holds else "not clearly above"
    sentence = (
        f"On {name} the mean reciprocal rank is {new.mrr:.3f} (95 % interval {low:.3f} to {high:.3f}), {compared} the "
        f"{new.by_chance:.3f} of a guess; there is nothing in use to compare it with."
    )
    return Gate(name, new.mrr, None, low, high, holds, sentence)


def _signed(low: float, high: float) -> str:
    return f"95 % interval of the difference {low:+.3f} to {high:+.3f}"


# --- precision


def wilson(counted: Counted) -> tuple[float, float]:
    """95 % confidence interval of a share: Wilson's score interval (JASA 22, 1927); 0 to 1 where nothing was judged."""
    right, judged = counted
    if not 0 <= right <= judged:
        raise ValueError(f"Of {judged} pairs {right} cannot be right.")
    if judged == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (right + z**2 / 2) / (judged + z**2)
    reach = z / (judged + z**2) * math.sqrt(right * (judged - right) / judged + z**2 / 4)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference_of_shares(new: Counted, old: Counted) -> Difference:
    """New minus old share of two independent samples, both not empty: Newcombe's hybrid score interval (Statistics in
    Medicine 17, 1998, method 10).
    """
    (low_n, high_n), (low_o, high_o) = wilson(new), wilson(old)
    change = new.share - old.share
    below = math.hypot(new.share - low_n, high_o - old.share)
    above = math.hypot(high_n - new.share, old.share - low_o)
    return Difference(change, change - below, change + above)


def _precision(new: Counted | None, old: Counted | None) -> Gate:
    name = "precision"
    if new is None:
        return Gate(name, None, None, None, None, True, "It was not mined with, so there is no precision to tell.")
    if new.judged < FEWEST_JUDGED:
        sentence = (
            f"People judged {new.judged} of its findings, too few to tell their precision; {FEWEST_JUDGED} would be "
            "needed."
        )
        return Gate(name, new.share if new.judged else None, None, None, None, True, sentence)
    low, high = wilson(new)
    said = (
        f"People found {new.right} of {new.judged} findings right, a precision of {new.share:.3f} (95 % interval "
        f"{low:.3f} to {high:.3f})"
    )
    too_low = f", below the {LEAST_PRECISION} that is asked for" if high < LEAST_PRECISION else ""
    if old is None or old.judged < FEWEST_JUDGED:
        return Gate(name, new.share, None, low, high, not too_low, f"{said}{too_low}.")
    change = difference_of_shares(new, old)
    lower = ", clearly lower" if change.high < 0 else ""
    sentence = (
        f"{said}{too_low}; {old.share:.3f} of {old.judged} was that of the checkpoint in use "
        f"({_signed(change.low, change.high)}){lower}."
    )
    return Gate(name, new.share, old.share, change.low, change.high, not (too_low or lower), sentence)
