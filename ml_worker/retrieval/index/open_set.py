"""Whether the tune of a hum is in the index at all.

What the weighing says of that, `here`, was fitted among some thousand tunes. The more songs there are, and the shorter
the hum, the better the best wrong one fits. So for each index hums are tried whose tunes are in no catalogue
(`foreign_hums`), and what they reach is the line: one in a hundred crosses it. It is a straight one, of the log-odds
of `here` over the logarithm of the seconds of voice, so that of short hums as many cross it as of long ones; and it
goes by the tail of what they reach, which is steadier than the few hums that reach most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from ml_worker.audio.melody import Melody
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.target_table import HOP_S

Values = NDArray[np.float64]

# The share of foreign hums that may be told to be there.
FALSE_ACCEPTS = 0.01
# Before anything was measured: as likely as not.
UNMEASURED = 0.5
# Seconds of voice of a hum of middling length: what is told of the line in one number is of such hums.
MIDDLING_S = 8.0
# The tail that a line goes by are ten times as many hums as may cross it, and at most half of all.
TAIL, MOST = 10, 0.5
# Bounds of a tail's shape; what hums reach has a light one.
SHAPES = (-5.0, 0.5)
# What false accepts may be lies between with this probability, by hums that are drawn again so often.
CONFIDENCE, DRAWS = 0.9, 400
# No hum is surer than this, nor less sure; and a line lies a little higher, so that where many hums are as sure no
# rounding takes them across; log-odds.
SUREST, OVER = 10.0, 1e-6
# No line falls more steeply; and hums whose lengths are as near to each other as this, as logarithms, tell nothing.
STEEPEST, ALIKE = -5.0, 0.1


class Told(NamedTuple):
    """What an index told of some hums.

    Attributes:
        here: (N,) how sure it was that their tunes are there, 0..1; 0 where it heard nothing.
        voice_s: (N,) seconds of voice of each; 0 where it heard nothing.
        keys: of the song that it found first for each; "" where it found none.
    """

    here: Values
    voice_s: Values
    keys: list[str]


class Tail(NamedTuple):
    """The upper tail of values: a generalised Pareto distribution above a threshold (Pickands 1975).

    Attributes:
        share: of all values, that lies above the threshold.
        threshold, scale: in units of the values.
        shape: below 0 where there is a highest value, 0 of an exponential tail, above 0 of a heavier one.
    """

    share: float
    threshold: float
    scale: float
    shape: float

    @classmethod
    def of(cls, values: Values, share: float) -> Self:
        """The tail of so many of the values (N,), by probability-weighted moments (Hosking and Wallis 1987).

        Raises:
            ValueError: so many are fewer than two, or all.
        """
        rising = np.sort(values)
        count = round(len(rising) * share)
        if not 2 <= count < len(rising):
            raise ValueError(f"A tail is of two values at least, and not of all; {share:.0%} of {len(rising)} are not.")
        threshold = float(rising[-count - 1 : len(rising) - count + 1].mean())
        beyond = rising[-count:] - threshold
        mean = float(beyond.mean())
        weighted = float(beyond @ np.arange(count - 1, -1, -1)) / (count * (count - 1))
        shape = float(np.clip(2 - mean / max(mean - 2 * weighted, 1e-12), *SHAPES))
        return cls(count / len(rising), threshold, max(mean * (1 - shape), 1e-12), shape)

    def above(self, level: float) -> float:
        """The share of all values that lies above a level; below the threshold that of the tail."""
        over = max(0.0, level - self.threshold) / self.scale
        if abs(self.shape) < 1e-9:
            return self.share * float(np.exp(-over))
        return self.share * float(max(0.0, 1 + self.shape * over) ** (-1 / self.shape))

    def level(self, share: float) -> float:
        """The level above which such a share of all values lies, a smaller one than the tail."""
        times = self.share / share
        if abs(self.shape) < 1e-9:
            return self.threshold + self.scale * float(np.log(times))
        return self.threshold + self.scale * float(times**self.shape - 1) / self.shape


@dataclass(frozen=True)
class OpenSet:
    """What tells whether a tune is there.

    Attributes:
        line: from this probability on it is, of a hum with MIDDLING_S of voice.
        slope: how the line falls, log-odds for each unit of the logarithm of the seconds of voice; at most 0.
        hums: how many foreign hums it was measured with; 0: it was not.
        songs: how many songs there were then.
        false_accepts: the share of foreign hums that cross it lies between these with CONFIDENCE, as far as those that
            it was measured with are like others.
    """

    line: float = UNMEASURED
    slope: float = 0.0
    hums: int = 0
    songs: int = 0
    false_accepts: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def measured(cls, foreign: Told, songs: int, false_accepts: float = FALSE_ACCEPTS) -> Self:
        """The line that such a share of foreign hums crosses, by these; and what the share may be.

        What it may be is found by drawing the hums again (a bootstrap): by how many of them the line is crossed.

        Raises:
            ValueError: there are too few hums to tell.
        """
        hums = len(foreign.here)
        if hums * false_accepts < 1:
            raise ValueError(f"A line that {false_accepts:.0%} cross needs {int(1 / false_accepts)} hums, not {hums}.")
        slope, of_all = slope_of(foreign), min(TAIL * false_accepts, MOST)
        reached = as_of_middling(foreign, slope)
        level = Tail.of(reached, of_all).level(false_accepts) + OVER
        rng = np.random.default_rng(hums)
        drawn = [Tail.of(rng.choice(reached, hums), of_all).above(level) for _ in range(DRAWS)]
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return cls(float(expit(level)), slope, hums, songs, (float(low), float(high)))

    def over(self, here: ArrayLike, voice_s: ArrayLike = MIDDLING_S) -> Values:
        """How far over the line hums are, log-odds; below it where less than 0.

        Args:
            here: (N,) or one, probabilities.
            voice_s: (N,) or one, seconds of voice.
        """
        return log_odds(here) - logit(self.line) - self.slope * over_middling(voice_s)

    def is_here(self, here: float, voice_s: float = MIDDLING_S) -> bool:
        """Whether a hum's tune is told to be there: how sure that is, 0..1, and the hum's seconds of voice."""
        return bool(self.over(here, voice_s) >= 0)

    def line_at(self, voice_s: float) -> float:
        """The probability from which on a hum with so many seconds of voice is told to be there."""
        return float(expit(logit(self.line) + self.slope * over_middling(voice_s)))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """What `as_dict` gave, also by way of JSON; of an earlier version what it has."""
        low, high = stored.get("false_accepts", cls.false_accepts)
        return cls(**{**stored, "false_accepts": (low, high)})


def slope_of(told: Told) -> float:
    """How the log-odds of `here` fall with the logarithm of the seconds of voice, by least squares; STEEPEST..0.

    0 where all hums are equally long.
    """
    heard = told.voice_s > 0
    lengths = over_middling(told.voice_s[heard])
    if not heard.any() or np.ptp(lengths) < ALIKE:
        return 0.0
    apart = lengths - lengths.mean()
    return float(np.clip(apart @ log_odds(told.here[heard]) / (apart @ apart), STEEPEST, 0.0))


def as_of_middling(told: Told, slope: float) -> Values:
    """The log-odds of `here` that hums would reach if all had MIDDLING_S of voice."""
    return log_odds(told.here) - slope * over_middling(told.voice_s)


def log_odds(probability: ArrayLike) -> Values:
    """Between -SUREST and SUREST."""
    with np.errstate(divide="ignore"):
        return np.clip(logit(np.asarray(probability, dtype=np.float64)), -SUREST, SUREST)


def over_middling(voice_s: ArrayLike) -> Values:
    """The logarithm of how often MIDDLING_S a hum's seconds of voice are; of none at all 0."""
    seconds = np.asarray(voice_s, dtype=np.float64)
    return np.log(np.where(seconds > 0, seconds, MIDDLING_S) / MIDDLING_S)


def voice_s(hum: Melody) -> float:
    """Seconds of voice in what of a hum is searched for. Raises NothingHeard where that is none."""
    return float(np.count_nonzero(hum_lines(hum)[0].voiced)) * HOP_S
