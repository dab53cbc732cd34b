"""How sure an answer is: the probability of its best target, of scores that are logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_worker.retrieval.matcher import Matches

Scores = NDArray[np.float64]

# Only so many of the best scores count: what is no candidate has no logit, and thousands of them would add up.
CANDIDATES = 120
# Between these a temperature is looked for; as a logarithm.
TEMPERATURES = (-3.0, 3.0)


def sureness(scores: Scores, temperature: float = 1.0) -> float:
    """How probable it is that the best target is the right one, given that one of the targets is: 0..1.

    The softmax of the best among the CANDIDATES best, with the logits divided by a temperature: above 1 makes less
    sure (temperature scaling; Guo et al. 2017).

    Args:
        scores: (targets,) logits, as of `Recogniser.match`; -inf where a target cannot be compared.
        temperature: above 0, as `fit_temperature` finds it.

    Returns:
        0 where nothing can be compared, 1 of a single target: whether the tune is among the targets at all is another
        question.

    Raises:
        ValueError: the temperature is not above zero.
    """
    if not temperature > 0:
        raise ValueError(f"A temperature is above zero, not {temperature:g}.")
    finite = np.sort(scores[np.isfinite(scores)])[::-1][:CANDIDATES]
    if len(finite) == 0:
        return 0.0
    return float(1 / np.exp((finite - finite[0]) / temperature).sum())


def sure_of(matches: Matches) -> float:
    """How probable it is that the best target is right, 0..1: that the tune is there at all, and that this is it.

    Args:
        matches: of a `Recogniser`, whose scores are logits.
    """
    return matches.here * sureness(matches.scores)


def fit_temperature(cases: Sequence[tuple[Scores, int]]) -> float:
    """The temperature under which the right targets of hums are likeliest.

    Args:
        cases: (targets,) logits of a hum, and which target is right. Hums whose right target has no finite logit teach
            nothing. Take hums that no weight was fitted on.

    Raises:
        ValueError: no hum teaches anything.
    """
    from scipy.optimize import minimize_scalar

    known = [(scores[np.isfinite(scores)], scores[right]) for scores, right in cases if np.isfinite(scores[right])]
    if not known:
        raise ValueError("A temperature is fitted on hums whose right target has a score; there is none.")

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        return float(np.mean([_surprise(logits / temperature, right / temperature) for logits, right in known]))

    return float(np.exp(minimize_scalar(loss, bounds=TEMPERATURES, method="bounded").x))


def _surprise(logits: Scores, right: float) -> float:
    """Minus the logarithm of the right one's probability."""
    highest = logits.max()
    return float(np.log(np.exp(logits - highest).sum()) + highest - right)
