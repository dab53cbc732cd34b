"""The model: which of many targets a hum is of. Fingerprints find candidates, the classical comparison weighs in.

Two kinds of evidence go wrong in different ways: a network overlooks how people depart from a score, and runs together
what it was not taught to tell apart; linear scaling and warping measure every note, and take each departure for a
fault. Candidates are what either finds; their figures are then weighed by a conditional logit (McFadden 1974): the
probability that a candidate is the one is proportional to exp(weights . figures). That is given that one of them is
right; whether the best one is, or the tune is not there at all, is told by a logistic regression on its own figures.
The weights are part of what ships (`Fusion`), fitted by `ml_worker.retrieval.fit`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.shipped import FOLDER, shipped_kinds, starter_checkpoint
from ml_worker.retrieval.classical import ClassicalMatcher, Comparison, Search
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.network_matcher import HumWindows, NetworkMatcher
from ml_worker.retrieval.target_table import StartKind

Figures = NDArray[np.float64]

# Where the weights lie that come with the starter checkpoints.
FUSION_PATH = FOLDER / "fusion.json"
# Candidates from each kind of evidence.
CANDIDATES = 120
# The names of what is weighed, in the order of `figures_of`.
FIGURES = (
    "network",
    "network from the start",
    "total",
    "total from the start",
    "linear",
    "warped",
    "agreement",
    "tune start",
    "phrase start",
    "tempo",
    "same place",
)
# Network and classical comparison mean the same place within this, seconds.
SAME_PLACE_S = 1.0
# What a candidate without a finite distance counts, semitones.
FARTHEST_ST = 4.0


@dataclass(frozen=True)
class Fusion:
    """How candidates are weighed.

    Attributes:
        weights: of each of FIGURES, where the hum may begin anywhere.
        weights_from_start: the same where it is known to begin where the target does.
        temperature, temperature_from_start: what the weighed figures are divided by, so that their softmax is a
            probability; fitted on hums that the weights were not fitted on.
        here, here_from_start: of each of FIGURES of the best candidate, and last a constant: the log-odds that it is
            right, against its tune not being among the targets. Empty: nobody knows.
        fitted_on: in words.
    """

    weights: tuple[float, ...]
    weights_from_start: tuple[float, ...]
    temperature: float = 1.0
    temperature_from_start: float = 1.0
    here: tuple[float, ...] = ()
    here_from_start: tuple[float, ...] = ()
    fitted_on: str = ""

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.weights_from_start) == len(FIGURES):
            raise ValueError(f"There is one weight for each of {', '.join(FIGURES)}.")
        if not {len(self.here), len(self.here_from_start)} <= {0, len(FIGURES) + 1}:
            raise ValueError("What tells whether a tune is there has a weight for each figure, and a constant.")

    def scaled(self, from_start: bool) -> Figures:
        """The weights over their temperature, (FIGURES,)."""
        if from_start:
            return np.array(self.weights_from_start) / self.temperature_from_start
        return np.array(self.weights) / self.temperature

    def is_here(self, figures: Figures, from_start: bool) -> float:
        """The probability that the best candidate, with these figures (FIGURES,), is right and not its tune missing."""
        weights = self.here_from_start if from_start else self.here
        if not weights:
            return 1.0
        return float(expit(figures @ np.array(weights[:-1]) + weights[-1]))

    def to_json(self) -> bytes:
        return json.dumps(asdict(self) | {"figures": FIGURES}, indent=2).encode() + b"\n"

    def save(self, path: Path) -> None:
        path.write_bytes(self.to_json())

    @classmethod
    def load(cls, path: Path) -> Fusion:
        """Raises ValueError where the file's figures are others."""
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if tuple(stored.pop("figures", ())) != FIGURES:
            raise ValueError(f"{path.name} weighs other figures than this version has. Fit it again.")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()})


@dataclass(frozen=True)
class Candidates:
    """What is known of the candidates of one hum.

    Attributes:
        among: (C,) indices of the targets, rising.
        figures: (C, FIGURES).
        starts_s, tempo_ratios: (C,) where and how fast each is hummed.
        network: (targets,) mean score of the networks, for what is no candidate.
    """

    among: NDArray[np.int64]
    figures: Figures
    starts_s: Figures
    tempo_ratios: Figures
    network: Matches


class Recogniser:
    """Recognises hums among the targets that it was made for.

    Args:
        targets: their melodies; one without voice is never found.
        checkpoints: whose fingerprints are used, the scores of several being averaged: `short` and `long` make `fused`.
        fusion: how candidates are weighed; None: by the networks alone.

    Raises:
        ValueError: there are no targets.
    """

    def __init__(
        self, targets: Sequence[Melody], checkpoints: Sequence[Checkpoint], fusion: Fusion | None = None
    ) -> None:
        if not targets:
            raise ValueError("There are no targets to recognise hums among.")
        self.networks = [NetworkMatcher(targets, checkpoint) for checkpoint in checkpoints]
        self.fusion = fusion
        self.classical = ClassicalMatcher(targets) if fusion else None
        names = " + ".join(network.name for network in self.networks)
        self.name = f"{names} with linear scaling and warping" if fusion else names

    def match(self, query: Melody, *, from_start: bool = False) -> Matches:
        """How well each target fits, as `Matcher.match`.

        Scores of candidates are logits: their softmax is the probability of each, given that it is one of them. What
        is no candidate comes behind them, in the networks' order.
        """
        if self.fusion is None:
            return self.by_networks(query, from_start=from_start)
        found = self.candidates(query, from_start=from_start)
        logits = found.figures @ self.fusion.scaled(from_start)
        scores = found.network.scores - 2 + logits.min(initial=0.0)  # cosines lie within 1 of 0
        scores[found.among] = logits
        starts_s, ratios = found.network.starts_s.copy(), found.network.tempo_ratios.copy()
        starts_s[found.among], ratios[found.among] = found.starts_s, found.tempo_ratios
        here = self.fusion.is_here(found.figures[np.argmax(logits)], from_start) if len(logits) else 0.0
        return Matches(scores, starts_s, ratios, here)

    def by_networks(self, query: Melody, *, from_start: bool = False) -> Matches:
        """The networks' mean score; places and tempi are the first network's."""
        return self._mean_of_networks([network.windows(query) for network in self.networks], from_start)

    def _mean_of_networks(self, windows: Sequence[Sequence[HumWindows]], from_start: bool) -> Matches:
        networks = zip(self.networks, windows, strict=True)
        return mean_of([network.match_windows(of_hum, from_start=from_start) for network, of_hum in networks])

    def candidates(self, query: Melody, *, from_start: bool = False) -> Candidates:
        """What either kind of evidence finds, with all figures of each."""
        assert self.classical is not None
        windows = [network.windows(query) for network in self.networks]
        if from_start:
            network = at_start = self._mean_of_networks(windows, True)
        else:
            both = [network.match_both(of_hum) for network, of_hum in zip(self.networks, windows, strict=True)]
            network, at_start = (mean_of(matches) for matches in zip(*both, strict=True))
        search = self.classical.search(query, from_start=from_start)
        among = np.union1d(network.best(CANDIDATES), search.match().best(CANDIDATES))
        return candidates_of(search, among, network, at_start, from_start=from_start)


def candidates_of(
    search: Search, among: NDArray[np.int64], network: Matches, at_start: Matches, *, from_start: bool = False
) -> Candidates:
    """All figures of some targets.

    Args:
        search: of the hum among the targets.
        among: indices of the candidates, rising.
        network, at_start: what the networks say of the targets, anywhere and from the start.
        from_start: the hum is known to begin where the target does.
    """
    compared_at_start = search.compare(among, from_start=True)
    compared = compared_at_start if from_start else search.compare(among)
    figures = figures_of(compared, compared_at_start, network, at_start)
    return Candidates(among, figures, compared.starts_s, compared.tempo_ratios, network)


def mean_of(each: Sequence[Matches]) -> Matches:
    """The mean score of several; places and tempi are the first's."""
    return Matches(np.mean([one.scores for one in each], axis=0), each[0].starts_s, each[0].tempo_ratios)


def starter_fusion() -> Fusion:
    """The weights that come with the starter checkpoints."""
    return Fusion.load(FUSION_PATH)


def starter_recogniser(targets: Sequence[Melody]) -> Recogniser:
    """The model as it ships. Raises NoStarter where its checkpoints are missing."""
    checkpoints = [starter_checkpoint(kind) for kind in shipped_kinds()] or [starter_checkpoint("short")]
    return Recogniser(targets, checkpoints, starter_fusion())


def figures_of(compared: Comparison, at_start: Comparison, network: Matches, network_at_start: Matches) -> Figures:
    """The figures of candidates, (C, FIGURES): higher is better, but for the kinds of start, which are 0 or 1.

    People often begin where the tune does, so what each kind of evidence says of that place is told apart from what it
    says of the best place; how much it counts is fitted.
    """
    among = compared.among
    distances = (compared.totals, at_start.totals, compared.linear, compared.warped)
    same_place = np.abs(compared.starts_s - network.starts_s[among]) <= SAME_PLACE_S
    return np.stack(
        [
            network.scores[among],
            network_at_start.scores[among],
            *(-np.minimum(values, FARTHEST_ST) for values in distances),
            compared.agreements,
            compared.kinds == StartKind.TUNE,
            compared.kinds == StartKind.PHRASE,
            -np.abs(np.log(compared.tempo_ratios)),
            same_place,
        ],
        axis=1,
    ).astype(np.float64)


def fit_weights(cases: Sequence[tuple[Figures, int]], penalty: float = 1e-2) -> tuple[float, ...]:
    """The weights under which the right candidates are likeliest.

    Args:
        cases: (C, FIGURES) of a hum's candidates, and which row is right.
        penalty: of the squared weights, in units of the figures' standard deviations.
    """
    from scipy.optimize import minimize

    spread = np.concatenate([figures for figures, _ in cases]).std(axis=0) + 1e-9
    scaled = [(figures / spread, right) for figures, right in cases]

    def loss(weights: Figures) -> tuple[float, Figures]:
        total, gradient = penalty * float(weights @ weights), 2 * penalty * weights
        for figures, right in scaled:
            logits = figures @ weights
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            total -= float(np.log(shares[right] + 1e-300)) / len(scaled)
            gradient = gradient + (shares @ figures - figures[right]) / len(scaled)
        return total, gradient

    # Each figure is higher where a candidate fits better, so none speaks against one.
    never_against = [(0.0, None)] * len(spread)
    found = minimize(loss, np.zeros(len(spread)), jac=True, method="L-BFGS-B", bounds=never_against)
    return tuple(float(weight) for weight in found.x / spread)


def fit_here(cases: Sequence[tuple[Figures, bool]], penalty: float = 1e-2) -> tuple[float, ...]:
    """The weights, and last the constant, of a logistic regression of whether a best candidate is right.

    Args:
        cases: (FIGURES,) of the best candidate of a hum, and whether it is the right one. Half of them should be of
            hums whose tune is not among the targets.
        penalty: of the squared weights, in units of the figures' standard deviations.
    """
    from scipy.optimize import minimize

    figures = np.stack([figures for figures, _ in cases])
    signs = np.array([1.0 if is_right else -1.0 for _, is_right in cases])
    middle, spread = figures.mean(axis=0), figures.std(axis=0) + 1e-9
    scaled = (figures - middle) / spread

    def loss(weights: Figures) -> tuple[float, Figures]:
        margins = signs * (scaled @ weights[:-1] + weights[-1])
        slopes = -signs * expit(-margins) / len(signs)
        gradient = np.append(slopes @ scaled + 2 * penalty * weights[:-1], slopes.sum())
        return float(np.logaddexp(0, -margins).mean() + penalty * weights[:-1] @ weights[:-1]), gradient

    # Each figure is higher where a candidate fits better, so none speaks against one; the constant may be anything.
    bounds = [(0.0, None)] * figures.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(figures.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1] / spread
    return (*(float(weight) for weight in weights), float(found[-1] - weights @ middle))
