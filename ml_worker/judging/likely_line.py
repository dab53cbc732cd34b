"""The likeliest offset and tempo near a line that is known to fit, by all frames together.

Where the reference was tracked in a mix, half of its frames are not the melody, and the best-fitting line is pulled to
where wrong frames happen to agree. Here a frame is right, within RIGHT_ST, or wrong, anywhere, each with its
probability, and the answer is the mean over all lines near by, each weighed by its likelihood. What that gains is in
docs/experiments-judging.md, with its command.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.judging.curves import FINE_HOP_S, Curve, at

Floats = NDArray[np.float64]

RIGHT_ST = 0.6
"""Standard deviation of a right frame's pitch, semitones: mistuned, gliding, or at a note's edge."""
WRONG_SHARE = 0.6
"""Prior share of frames that are wrong, spread evenly over WRONG_OVER_ST semitones."""
WRONG_OVER_ST = 8.0
OCTAVE_SHARE = 0.5
"""How likely a frame an octave off is against one that is right: trackers and singers jump octaves."""
SHARED = 1.0
"""What a frame that is voiced in both counts at least, so that a line that lays more on the take is likelier."""
LONELY = 0.3
"""What a frame voiced in one only takes off."""
RINGS_ON_S = 0.1
"""But not where the hum sounds on for so long after the reference ends: voices and rooms ring on, and that a hum stops
late must not say that it began late."""
INDEPENDENT = 0.3
"""Share of the frames that count as independent of their neighbours: a note's error lasts."""

FREE_TEMPO = 0.1
"""Standard deviation of the tempo ratio's logarithm: people hum up to about 15 % faster or slower as they like."""
ALONG_TEMPO = 0.01
"""The same of takes that are hummed along: who keeps within 0.1 s of a fragment of 6 s is within 1.7 %."""
NOT_KEPT = 0.2
"""Share of those that begin with the reference and do not keep up with it."""

SPAN_S, SPAN_TEMPO = 0.3, 0.1
"""First search to each side: seconds at the reference's middle, logarithm of the tempo ratio."""
LEAST_SPAN_S, LEAST_SPAN_TEMPO = 0.02, 0.004
"""Later searches are no narrower."""
STEPS_S, STEPS_TEMPO = 13, 11
"""Lines of a search: shifts and tempos."""
ROUNDS = 3
"""Searches, each around the last answer and three of its standard deviations wide."""
KEYS_ST = np.arange(-1.5, 1.51, 0.05)
"""Transpositions tried around the line's."""


@dataclass(frozen=True)
class Place:
    """A line by where it has the reference's middle, and how far off it may be.

    Attributes:
        middle_s: second of the hum at which the reference's middle is heard.
        tempo: logarithm of the tempo ratio.
        off_s, off_tempo: standard deviations of both.
    """

    middle_s: float
    tempo: float
    off_s: float = SPAN_S / 3
    off_tempo: float = SPAN_TEMPO / 3


def likely_line(
    hum: Curve,
    reference: Curve,
    line: tuple[float, float, float],
    along: bool,
    ratios: tuple[float, float],
) -> tuple[float, float]:
    """Offset, seconds, and tempo ratio of the likeliest line near one that fits.

    Args:
        hum, reference: curves on FINE_HOP_S.
        line: offset, seconds; tempo ratio; transposition, semitones.
        along: whether the hum begins where one does that is hummed along with the reference.
        ratios: least and greatest tempo ratio.
    """
    offset_s, ratio, key = line
    from_middle_s = (np.arange(len(reference)) - len(reference) / 2) * FINE_HOP_S
    place = Place(offset_s - from_middle_s[0] * ratio, float(np.log(ratio)))
    for _ in range(ROUNDS):
        key = likely_key(hum, reference, place.middle_s + from_middle_s * np.exp(place.tempo), key)
        middles, tempos = around(place)
        tempos = np.clip(tempos, *np.log(ratios))
        heard_s = middles[:, None] + from_middle_s * np.exp(tempos)[:, None]
        weight = weights(likelihoods(hum, reference + np.float32(key), heard_s), tempos, along)
        place = mean_place(middles, tempos, weight)
    return place.middle_s + float(from_middle_s[0] * np.exp(place.tempo)), float(np.exp(place.tempo))


def around(place: Place) -> tuple[Floats, Floats]:
    """The middles and tempos of the lines of a search, three standard deviations to each side, (L,) each."""
    span_s = np.clip(3 * place.off_s, LEAST_SPAN_S, SPAN_S)
    span_tempo = np.clip(3 * place.off_tempo, LEAST_SPAN_TEMPO, SPAN_TEMPO)
    middles, tempos = np.meshgrid(
        np.linspace(-span_s, span_s, STEPS_S), np.linspace(-span_tempo, span_tempo, STEPS_TEMPO)
    )
    return place.middle_s + middles.ravel(), place.tempo + tempos.ravel()


def mean_place(middles: Floats, tempos: Floats, weight: Floats) -> Place:
    """The mean of lines (L,) with weights that sum to 1."""
    middle_s, tempo = float(weight @ middles), float(weight @ tempos)
    off_s, off_tempo = (
        np.sqrt(weight @ (values - mean) ** 2) for values, mean in ((middles, middle_s), (tempos, tempo))
    )
    return Place(middle_s, tempo, float(off_s), float(off_tempo))


def likely_key(hum: Curve, reference: Curve, heard_s: Floats, near_st: float) -> float:
    """The transposition near one that most frames share; the median would be drawn off by the wrong ones."""
    difference = at(hum, FINE_HOP_S, heard_s) - reference
    difference = difference[~np.isnan(difference)]
    keys = near_st + KEYS_ST
    shared = np.exp(-0.5 * ((difference[:, None] - keys) / RIGHT_ST) ** 2).sum(axis=0)
    return float(keys[np.argmax(shared)])


def likelihoods(hum: Curve, reference: Curve, heard_s: Floats) -> Floats:
    """Logarithms of the likelihoods of lines (L,), up to a constant.

    Args:
        reference: in the hum's key, (M,).
        heard_s: second of the hum at which each line has each frame of the reference, (L, M).
    """
    sung = at(hum, FINE_HOP_S, heard_s)
    both = ~np.isnan(sung) & ~np.isnan(reference)
    off = np.abs(np.where(both, sung - reference, 0))
    right = np.maximum(np.exp(-0.5 * (off / RIGHT_ST) ** 2), OCTAVE_SHARE * np.exp(-0.5 * ((off - 12) / RIGHT_ST) ** 2))
    wrong = WRONG_SHARE / (1 - WRONG_SHARE) * RIGHT_ST * np.sqrt(2 * np.pi) / WRONG_OVER_ST
    shared = np.where(both, SHARED + np.log((right + wrong) / (1 + wrong)), 0).sum(axis=1)
    inside = (heard_s >= 0) & (heard_s < len(hum) * FINE_HOP_S)
    lonely = inside & (np.isnan(sung) != np.isnan(reference)) & ~(ringing(reference) & ~np.isnan(sung))
    return INDEPENDENT * (shared - LONELY * lonely.sum(axis=1))


def ringing(reference: Curve) -> NDArray[np.bool_]:
    """Frames of the reference, (M,), within RINGS_ON_S after its voice ends."""
    voiced = ~np.isnan(reference)
    recent = np.convolve(voiced, np.ones(round(RINGS_ON_S / FINE_HOP_S) + 1))[: len(voiced)] > 0
    return recent & ~voiced


def weights(likelihood: Floats, tempos: Floats, along: bool) -> Floats:
    """Weights of lines (L,) that sum to 1, from their likelihoods and what is expected of their tempos' logarithms."""
    expected = normal(tempos, FREE_TEMPO)
    if along:
        expected = NOT_KEPT * expected + (1 - NOT_KEPT) * normal(tempos, ALONG_TEMPO)
    known = likelihood + np.log(expected)
    weight = np.exp(known - known.max())
    return weight / weight.sum()


def normal(values: Floats, spread: float) -> Floats:
    """Density of the normal distribution around 0."""
    return np.exp(-0.5 * (values / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
