"""What correlation means nothing: the null level of r, calibrated on recordings that share no melody.

Encoders differ in how alike they find unrelated melodies, and longer stretches are less alike by chance than shorter
ones. So r is judged against the best that unrelated pairs reach at the same length. The maximum over a whole map
follows a Gumbel law, as scores of local alignments do (Karlin and Altschul, 1990); from it follows how many matches at
least as good are expected by chance between two unrelated recordings.

A network finds even unrelated melodies much alike, so its maxima crowd below 1, where a law without an upper end does
not fit. Its law is that of Fisher's z = artanh r, which has none either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import MASKED, AtTempo, TempoMap, as_tempo_view, tempo_correlation

# Stretches at which the null is measured, seconds; between them it is interpolated over the logarithm.
SPANS_S = (3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0)

# The share of places in one recording whose best match in an unrelated one stays below the `floor`.
BELOW_FLOOR = 0.9

# Fewer unrelated pairs than this say nothing about the tail.
FEWEST_PAIRS = 10

EULER_GAMMA = 0.5772156649

# The highest r that Fisher's z tells apart from 1.
HIGHEST_R = 1 - 1e-6


@dataclass(frozen=True)
class NullLevel:
    """What unrelated recordings reach, for one checkpoint. All tuples have one number for each span.

    Attributes:
        checkpoint: whose fingerprints these are.
        centre: the median r of unrelated places; what is stored as correlation 0.
        spans_s: lengths of the stretches compared, seconds of the original, rising.
        floor: r that `BELOW_FLOOR` of all places stay below at their best match in an unrelated recording.
        location, scale: of the Gumbel law of the maximum over a map.
        area: cells of the maps on which location and scale were measured.
        pairs: how many unrelated pairs were looked at.
        is_of_z: location and scale are of Fisher's z, not of r.
    """

    checkpoint: str
    centre: float
    spans_s: tuple[float, ...]
    floor: tuple[float, ...]
    location: tuple[float, ...]
    scale: tuple[float, ...]
    area: float
    pairs: int
    is_of_z: bool = False

    def correlation(self, r: float) -> float:
        """The correlation that is stored: 0 where r is what unrelated places have, 1 where it is 1."""
        return float(np.clip((r - self.centre) / (1 - self.centre), 0, 1))

    def r_of(self, correlation: float) -> float:
        """The inverse of `correlation`."""
        return self.centre + correlation * (1 - self.centre)

    def floor_at(self, span_s: float) -> float:
        return self._at(self.floor, span_s)

    def chance(self, r: float, span_s: float, area: float) -> float:
        """How many matches of `span_s` at least as good as r an unrelated pair gives, on a map of `area` cells."""
        score = float(fisher_z(r)) if self.is_of_z else r
        exponent = (self._at(self.location, span_s) - score) / self._at(self.scale, span_s)
        return float(area / self.area * np.exp(np.clip(exponent, -60, 60)))

    def level(self, span_s: float, chance: float, area: float) -> float:
        """The r that leaves `chance` matches of an unrelated pair: the inverse of `chance`."""
        score = self._at(self.location, span_s) + self._at(self.scale, span_s) * np.log(area / self.area / chance)
        return float(np.tanh(score) if self.is_of_z else score)

    def _at(self, numbers: Sequence[float], span_s: float) -> float:
        return float(np.interp(np.log(span_s), np.log(self.spans_s), numbers))

    def as_dict(self) -> dict[str, Any]:
        """For JSON, beside the checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> NullLevel:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()})


def windows_in(span_s: float, window_s: float, hop_s: float) -> int:
    """How many windows fit into a stretch, at least one."""
    return max(1, int((span_s - window_s) / hop_s + 1e-6) + 1)


def fisher_z(r: NDArray[np.floating] | float) -> NDArray[np.floating]:
    """Fisher's z of correlations, in their shape; those of 1 as of a little less."""
    return np.arctanh(np.clip(r, -HIGHEST_R, HIGHEST_R))


def calibrate(
    pairs: Iterable[tuple[Fingerprints, Fingerprints | AtTempo]],
    ratios: Sequence[float],
    voiced_share: float,
    *,
    of_z: bool = False,
) -> NullLevel:
    """The null level from pairs of recordings that share no melody.

    Args:
        pairs: original and cover, as `mine` takes them; at least `FEWEST_PAIRS`, of training songs only.
        ratios, voiced_share: as mining has them; a wider tempo grid, or less voice, finds more by chance.
        of_z: whether the law is that of Fisher's z, as networks need it.

    Raises:
        ValueError: too few pairs are long enough, or their fingerprints are not of one checkpoint.
    """
    maxima, floors, centres, areas, names = [], [], [], [], set()
    for original, cover_or_view in pairs:
        cover = as_tempo_view(cover_or_view)
        lengths = [windows_in(span_s, original.window_s, original.hop_s) for span_s in SPANS_S]
        maps = [tempo_correlation(original, cover, length, ratios, voiced_share) for length in lengths]
        if not maps[-1].correlation.size:
            continue
        maxima.append([found.correlation.max() for found in maps])
        floors.append([_floor(found) for found in maps])
        centres.append(_centre(maps[0]))
        areas.append(maps[0].correlation.size)
        names.add(original.checkpoint)
    if len(maxima) < FEWEST_PAIRS:
        raise ValueError(f"{len(maxima)} unrelated pairs are {SPANS_S[-1]:g} s or longer; {FEWEST_PAIRS} are needed")
    if len(names) > 1:
        raise ValueError(f"fingerprints of several checkpoints cannot be compared: {', '.join(sorted(names))}")
    scores = fisher_z(np.array(maxima)) if of_z else np.array(maxima)
    scale = np.std(scores, axis=0, ddof=1) * np.sqrt(6) / np.pi
    return NullLevel(
        checkpoint=names.pop(),
        centre=float(np.median(centres)),
        spans_s=SPANS_S,
        floor=_numbers(np.mean(floors, axis=0)),
        location=_numbers(np.mean(scores, axis=0) - EULER_GAMMA * scale),
        scale=_numbers(scale),
        area=float(np.exp(np.mean(np.log(areas)))),
        pairs=len(maxima),
        is_of_z=of_z,
    )


def _floor(found: TempoMap) -> float:
    return float(np.quantile(found.correlation.max(axis=1), BELOW_FLOOR))


def _centre(found: TempoMap) -> float:
    judged = found.correlation[found.correlation > MASKED]
    return float(np.median(judged)) if judged.size else 0.0


def _numbers(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


PITCH_CURVE_NULL = NullLevel(
    checkpoint="pitch-curve",
    centre=0.1422,
    spans_s=SPANS_S,
    floor=(0.6012, 0.5372, 0.4792, 0.3779, 0.2867, 0.2292, 0.1811),
    location=(0.7019, 0.6151, 0.5421, 0.4148, 0.2963, 0.2254, 0.1756),
    scale=(0.1324, 0.1389, 0.1397, 0.1376, 0.0913, 0.0628, 0.048),
    area=49492.0,
    pairs=48,
)
"""Of the plain pitch curves: `python -m ml_worker.mining.measure --null`, on folk and pop tunes of ../shared/data."""
