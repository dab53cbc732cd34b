"""Where in a take a melody is hummed, how fast, in which key, and how well.

The search is over lines first: for each tempo of a grid and each offset of a grid, the reference is laid over the hum,
the transposition is the median of the pitch differences (so any key fits), and the agreement is counted frame by frame.
The best few lines are refined by a dynamic time warping of limited slope in a narrow band around the line, whose
remaining pitch error and bending make the distance. The offset and the tempo reported are those of the line that is
likeliest near the best one (likely_line.py), since "offset + u * tempo" is what the project stores of a version.

Related: linear scaling and median-centred pitch in query by humming (Jang & Lee, 2008); local slope limits in dynamic
time warping (Sakoe & Chiba, 1978). The form of the costs and every constant are choices of this project, measured by
`python -m ml_worker.judging.measure`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.judging.curves import FINE_HOP_S, Curve, at, coarse, curve, row_medians
from ml_worker.judging.likely_line import likely_line
from ml_worker.judging.thresholds import FLATTEST_REFERENCE_ST, SHORTEST_REFERENCE_S, SIMILAR

Window = tuple[float, float]
"""First and last second."""

COARSE_HOP_S = 0.08
"""Grid of the first search, seconds: four fine frames, a fifth of a short note."""
WARP_HOP_S = 0.04
"""Grid of the time warping, seconds."""

SLOWEST_RATIO, FASTEST_RATIO = 1.4, 0.7
"""Tempo ratios looked at (above 1: the hum is slower)."""
TEMPO_STEPS = 21
"""Tempo ratios in the first search, evenly spaced in their logarithm: steps of 3.5 %."""

MATCH_ST = 1.0
"""A difference of this many semitones counts neither for nor against a line."""
LINE_CAP_ST = 2.0
"""No frame of a line counts as more than this many semitones: one wrong note must not outweigh ten right ones."""
CAP_ST = 1.5
"""The same in the warping, whose costs are squares: a wrong note is wrong from here on, however far off."""
OCTAVE_JUMP_ST = 0.25
"""What a frame that is exactly an octave off counts as: trackers and singers jump octaves, which is no wrong note."""
GAP_COST = 0.5
"""Cost, semitones squared, of a frame with voice in one only: people hum across rests and breathe within notes."""
LINE_GAP = 0.25
"""What such a frame takes from a line's score."""

LEAST_OVERLAP = 0.4
"""Share of the reference's voiced frames (or of the hum's, if fewer) that a line must lay on the take."""
CANDIDATES = 6
"""Lines of the first search that are refined."""
DISTINCT_S = 0.4
"""Two lines are distinct where they differ by this much at the middle of the reference, seconds."""

BAND_S = 0.6
"""Half width of the band around the line in which the path may bend, seconds of the reference."""
TRANSPOSITION_STEPS_ST = np.arange(-2.0, 2.01, 0.5, dtype=np.float32)
"""Transpositions tried around the median of a line."""
BEND_COST = 2.0
"""Distance for one second of standard deviation of the path around its line: the rhythm's part."""
TEMPO_FREE = 0.14
"""Logarithm of the tempo ratio (15 %) up to which people hum faster or slower as they like."""
TEMPO_COST = 4.0
"""Distance for the square of what goes beyond that: 0.06 at 0.77, 0.19 at 0.7. Odd tempos fit other tunes by chance."""
EDGE_S = 0.2
"""A reference frame is hummed where the hum is voiced within this many seconds."""

EXPECTED_LATENCY_S = (-0.1, 0.6)
"""Hummed along, the offset lies in this window after the reference's start: 0 to 0.5 s of latency and reaction."""
EXPECTED_REACTION_S = (-0.15, 0.3)
"""The same where the latency is known and counted in the expected time: what is left is how people keep up with a
melody."""
ALONG_WITHIN_S = 0.3
"""A take that begins within this of that window is hummed along, seconds."""
PRIOR_PER_S, PRIOR_MOST = 0.1, 0.25
"""Score that a line loses (and distance that it gains, in the choice) for each second outside that window, and at
most."""
PRIOR_TEMPO = 0.5
"""The same for a tempo ratio of e."""

MISSING_COST = 1.0
"""Distance of a reference of which the hum reaches nothing; a part missing counts its share."""
LEAST_VOICE_S = 0.5
"""A hum with less voice than this has nothing to align, seconds."""


@dataclass(frozen=True)
class Alignment:
    """How a hum lies over its reference.

    Attributes:
        offset_s: second of the hum at which the reference's second 0 is heard; may lie outside the take.
        tempo_ratio: above 1 where the hum is slower.
        transposition: semitones, hum minus reference, octave included.
        similarity: 0..1, 0.5 at a distance of `half`.
        distance: pitch_cost and what bends, tempo and missing parts add; 0 is the same melody, about 1 another one.
        pitch_cost: mean of the capped squared pitch differences along the path, semitones squared.
        bend_s: standard deviation of the path around a straight line, seconds.
        coverage: share of the reference's voiced frames at which the hum is voiced.
        reached: share of the reference's voiced frames between the hum's first and last voiced frame.
        confidence: 0..1, how far the best line stands out from the best line elsewhere; 0.5 where that one is further
            off by `half`.
        reference_s: length of the reference.
        path: float (P, 2), seconds of the reference against seconds of the hum, rising.
    """

    offset_s: float
    tempo_ratio: float
    transposition: float
    similarity: float
    distance: float
    pitch_cost: float
    bend_s: float
    coverage: float
    reached: float
    confidence: float
    reference_s: float
    path: NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A straight alignment: reference second u is heard at offset_s + u * ratio."""

    offset_s: float
    ratio: float
    transposition: float
    score: float


@dataclass(frozen=True)
class Warp:
    """A bent alignment around a line, in frames of WARP_HOP_S of the reference and of the hum scaled to it."""

    line: Line
    transposition: float
    pitch_cost: float
    bend_s: float
    path: NDArray[np.float64]


# --- curves


def check_reference(reference: Melody) -> None:
    """Refuses a reference that no hum can be judged against.

    Raises:
        ValueError: it has under SHORTEST_REFERENCE_S of voice, or keeps to one note within FLATTEST_REFERENCE_ST.
    """
    pitch = reference.pitch()
    heard = pitch[~np.isnan(pitch)]
    if len(heard) * reference.hop_s < SHORTEST_REFERENCE_S:
        raise ValueError(
            f"The fragment has {len(heard) * reference.hop_s:.1f} s of melody; "
            f"a hum can be judged from {SHORTEST_REFERENCE_S:.0f} s on. Choose a longer fragment."
        )
    if pitch_range(heard) < FLATTEST_REFERENCE_ST:
        raise ValueError("The fragment's melody keeps to one note, so no hum can be told from another. Choose another.")


def pitch_range(heard: Curve) -> float:
    """Semitones between the 10th and the 90th percentile of voiced pitches (N,); 0 where there are none."""
    return float(np.subtract(*np.percentile(heard, [90, 10]))) if len(heard) else 0.0


def off_by(difference: NDArray[np.float32], cap_st: float) -> NDArray[np.float32]:
    """How far off pitch differences are, 0..cap_st semitones, a jump of an octave nearly free; NaN stays NaN."""
    size = np.abs(difference)
    return np.minimum(np.minimum(size, np.abs(size - 12) + OCTAVE_JUMP_ST), np.float32(cap_st))


# --- the straight search


def line_scores(
    hum: Curve,
    reference: Curve,
    hop_s: float,
    offsets_s: NDArray[np.floating],
    ratios: NDArray[np.floating],
    *,
    nearest: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Scores, transpositions and shares laid on the take of lines, each of shape (L,).

    A frame voiced in both counts 1 at no difference, 0 at MATCH_ST and less beyond; a frame voiced in one counts
    -LINE_GAP; one outside the take counts nothing. The score is the sum over the reference's voiced frames, at most 1.

    Args:
        hum, reference: curves on hop_s.
        offsets_s, ratios: (L,) each.
    """
    seconds = offsets_s[:, None] + np.arange(len(reference)) * hop_s * ratios[:, None]
    sung = at(hum, hop_s, seconds, nearest=nearest)
    inside = (seconds >= 0) & (seconds < len(hum) * hop_s)
    voiced = ~np.isnan(reference)
    difference = sung - reference
    centre = row_medians(difference)
    credit = 1 - off_by(difference - centre[:, None], LINE_CAP_ST) / MATCH_ST
    lonely = inside & (np.isnan(sung) == voiced)
    total = np.nansum(credit, axis=1) - LINE_GAP * lonely.sum(axis=1)
    laid = np.sum(~np.isnan(difference), axis=1)
    count = max(1, int(voiced.sum()))
    return total / count, centre, laid / count


def prior(line_offsets_s: NDArray[np.floating], ratios: NDArray[np.floating], expected: Window | None) -> NDArray:
    """What lines lose for lying where a person who hums along is not expected to be; 0 where nothing is expected."""
    if expected is None:
        return np.zeros(len(line_offsets_s))
    outside = np.maximum(0, expected[0] - line_offsets_s) + np.maximum(0, line_offsets_s - expected[1])
    return np.minimum(PRIOR_MOST, PRIOR_PER_S * outside) + PRIOR_TEMPO * np.abs(np.log(ratios))


def unlikely(line: Line, expected: Window | None) -> float:
    """The prior of one line."""
    return float(prior(np.array([line.offset_s]), np.array([line.ratio]), expected)[0])


def search_lines(hum: Curve, reference: Curve, expected: Window | None) -> list[Line]:
    """The best lines of the whole grid of tempos and offsets, best first, no two alike, at most CANDIDATES + 1."""
    factor = round(COARSE_HOP_S / FINE_HOP_S)
    sung, model = coarse(hum, factor), coarse(reference, factor)
    needed = LEAST_OVERLAP * min(1.0, np.sum(~np.isnan(sung)) / max(1, np.sum(~np.isnan(model))))
    lines: list[Line] = []
    for ratio in np.geomspace(FASTEST_RATIO, SLOWEST_RATIO, TEMPO_STEPS):
        first = -len(model) * COARSE_HOP_S * ratio
        offsets = np.arange(first, len(sung) * COARSE_HOP_S, COARSE_HOP_S)
        ratios = np.full(len(offsets), ratio)
        score, centre, laid = line_scores(sung, model, COARSE_HOP_S, offsets, ratios, nearest=True)
        score = score - prior(offsets, ratios, expected)
        score[laid < needed] = -np.inf
        best = np.argsort(-score)[: 4 * CANDIDATES]
        lines += [Line(offsets[i], ratio, float(centre[i]), float(score[i])) for i in best if np.isfinite(score[i])]
    return distinct(lines, len(reference) * FINE_HOP_S)


def distinct(lines: list[Line], reference_s: float) -> list[Line]:
    """The best lines, none within DISTINCT_S of a better one at the reference's middle."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda each: -each.score):
        middle = line.offset_s + line.ratio * reference_s / 2
        if all(abs(middle - other.offset_s - other.ratio * reference_s / 2) > DISTINCT_S for other in kept):
            kept.append(line)
        if len(kept) > CANDIDATES:
            break
    return kept


def sharpen(hum: Curve, reference: Curve, line: Line) -> Line:
    """The best line near a line of the first search, to 2.5 ms and 0.1 % of tempo, by three rounds of finer grids."""
    middle_s = len(reference) * FINE_HOP_S / 2
    for shift_s, stretch in ((0.04, 0.0175), (0.01, 0.005), (0.0025, 0.001)):
        shifts, stretches = np.meshgrid(np.arange(-4, 5) * shift_s, np.exp(np.arange(-4, 5) * stretch))
        ratios = np.clip(line.ratio * stretches.ravel(), FASTEST_RATIO, SLOWEST_RATIO)
        offsets = line.offset_s + shifts.ravel() + middle_s * (line.ratio - ratios)
        score, centre, _ = line_scores(hum, reference, FINE_HOP_S, offsets, ratios)
        best = int(np.argmax(score))
        line = Line(float(offsets[best]), float(ratios[best]), float(centre[best]), float(score[best]))
    return line


# --- the bent refinement


def reached_frames(hum: Curve, reference: Curve, hop_s: float, line: Line) -> tuple[int, int]:
    """First and one past the last frame of the reference (on hop_s) that lie between the hum's first and last voice."""
    voiced = np.flatnonzero(~np.isnan(hum)) * FINE_HOP_S
    start = (voiced[0] - line.offset_s) / line.ratio - EDGE_S
    end = (voiced[-1] - line.offset_s) / line.ratio + EDGE_S
    first = int(np.clip(np.ceil(start / hop_s), 0, len(reference)))
    last = int(np.clip(np.floor(end / hop_s) + 1, first, len(reference)))
    return first, last


def warp_costs(
    hum: Curve, reference: Curve, line: Line, first: int, last: int, transpositions: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Costs (M, T, W): reference frame, transposition, place in the band around the line.

    Frames in which neither is voiced cost nothing.
    """
    half = round(BAND_S / WARP_HOP_S)
    places = np.arange(first, last)[:, None] + np.arange(-half, half + 1)[None, :]
    sung = at(hum, FINE_HOP_S, line.offset_s + places * WARP_HOP_S * line.ratio)  # (M, W)
    model = reference[first:last, None]  # (M, 1)
    difference = (sung - model)[:, None, :] - transpositions[None, :, None]
    cost = off_by(difference, CAP_ST) ** 2
    lonely = np.where(np.isnan(sung) & np.isnan(model), 0.0, GAP_COST).astype(np.float32)[:, None, :]
    return np.where(np.isnan(cost), lonely, cost)


def cheapest_sums(costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums (M, T, W + 2) of the cheapest paths from the first row to each cell of costs (M, T, W), inf on both sides.

    Steps (reference, hum) are (1, 1), (1, 2) and (2, 1), each weighted by its length, so a path may run at half to
    twice the line's speed and pays for every frame that it passes. No step stays in its row: a row is one vector
    operation.
    """
    rows, batch, width = costs.shape
    twice, thrice = 2 * costs, 3 * costs
    total = np.full((rows, batch, width + 2), np.inf, dtype=np.float32)
    total[0, :, 1:-1] = twice[0]
    inner = slice(1, -1)
    for row in range(1, rows):
        bent = total[row - 1, :, :-2]
        if row > 1:
            bent = np.minimum(bent, total[row - 2, :, 2:])
        np.minimum(total[row - 1, :, inner] + twice[row], bent + thrice[row], out=total[row, :, inner])
    return total


def trace(total: NDArray[np.float32], cost: NDArray[np.float32], place: int) -> NDArray[np.int64]:
    """The path (P, 2) of rows and places in the band, from the first row to the last, that ends at a place.

    Args:
        total: (M, W + 2), one transposition of cheapest_sums.
        cost: (M, W), its costs.
    """
    row = len(cost) - 1
    cells = [(row, place)]
    while row > 0:
        options = {
            (row - 1, place): total[row - 1, place + 1] + 2 * cost[row, place],
            (row - 1, place - 1): total[row - 1, place] + 3 * cost[row, place],
        }
        if row > 1:
            options[row - 2, place + 1] = total[row - 2, place + 2] + 3 * cost[row, place]
        row, place = min(options, key=options.__getitem__)
        cells.append((row, place))
    return np.array(cells[::-1])


def warp(hum: Curve, reference: Curve, line: Line) -> Warp | None:
    """The cheapest bent alignment around a line over the part of the reference that the hum reaches; None without any.

    Args:
        hum: curve on FINE_HOP_S.
        reference: curve on WARP_HOP_S.
    """
    first, last = reached_frames(hum, reference, WARP_HOP_S, line)
    if last - first < 2 or np.isnan(reference[first:last]).all():
        return None
    transpositions = line.transposition + TRANSPOSITION_STEPS_ST
    costs = warp_costs(hum, reference, line, first, last, transpositions.astype(np.float32))
    total = cheapest_sums(costs)
    key, place = np.unravel_index(int(np.argmin(total[-1, :, 1:-1])), costs.shape[1:])
    cells = trace(total[:, key], costs[:, key], int(place))
    return measured(cells, costs[:, key], hum, reference, line, first, float(transpositions[key]))


def straightened(found: Warp) -> Line:
    """The line through a warp's path: where the search ended on one that only its band made fit."""
    path = found.path
    if path[-1, 0] - path[0, 0] < SHORTEST_REFERENCE_S:
        return found.line
    ratio, offset_s = np.polyfit(path[:, 0], path[:, 1], 1)
    return Line(float(offset_s), float(np.clip(ratio, FASTEST_RATIO, SLOWEST_RATIO)), found.transposition, -np.inf)


def measured(
    cells: NDArray[np.int64],
    costs: NDArray[np.float32],
    hum: Curve,
    reference: Curve,
    line: Line,
    first: int,
    transposition: float,
) -> Warp:
    """A path in seconds, its mean cost over the frames where something is voiced, its bend and its transposition."""
    half = costs.shape[1] // 2
    rows, lag = cells[:, 0], cells[:, 1] - half
    frames = first + rows
    heard_s = line.offset_s + (frames + lag) * WARP_HOP_S * line.ratio
    difference = at(hum, FINE_HOP_S, heard_s) - reference[frames]
    weight = np.diff(rows, prepend=-1) + np.diff(frames + lag, prepend=(frames + lag)[0] - 1)
    silent = np.isnan(at(hum, FINE_HOP_S, heard_s)) & np.isnan(reference[frames])
    weight = np.where(silent, 0, weight)
    error = float(np.sum(weight * costs[rows, cells[:, 1]]) / max(1, weight.sum()))
    trend = np.polyval(np.polyfit(rows, lag, 1), rows) if len(rows) > 2 else lag
    near = difference[np.abs(difference - transposition) < LINE_CAP_ST]
    if len(near):
        transposition = float(np.median(near))
    path = np.stack([frames * WARP_HOP_S, heard_s], axis=1)
    return Warp(line, transposition, error, float(np.std(lag - trend)) * WARP_HOP_S, path)


# --- the whole


def voiced_seconds(pitch: Curve) -> float:
    """Seconds voiced of a curve on FINE_HOP_S."""
    return float(np.sum(~np.isnan(pitch))) * FINE_HOP_S


def reached_share(hum: Curve, reference: Curve, line: Line) -> float:
    """Share of the reference's voiced frames (on WARP_HOP_S) between the hum's first and last voiced frame."""
    first, last = reached_frames(hum, reference, WARP_HOP_S, line)
    voiced = ~np.isnan(reference)
    return float(voiced[first:last].sum() / max(1, voiced.sum()))


def distance(hum: Curve, reference: Curve, found: Warp) -> float:
    """How far a warp is from the same melody hummed in full and in time: its pitch, bend, tempo and missing part."""
    missing = 1 - reached_share(hum, reference, found.line)
    stretch = max(0.0, abs(np.log(found.line.ratio)) - TEMPO_FREE) ** 2
    return float(found.pitch_cost + BEND_COST * found.bend_s + TEMPO_COST * stretch + MISSING_COST * missing)


def hummed_share(hum: Curve, reference: Curve, path: NDArray[np.float64]) -> float:
    """Share of the reference's voiced frames (on WARP_HOP_S) with voice in the hum within EDGE_S of where they lie."""
    near = round(EDGE_S / FINE_HOP_S)
    voiced = np.convolve(~np.isnan(hum), np.ones(2 * near + 1), mode="same") > 0
    frames = np.flatnonzero(~np.isnan(reference)) * WARP_HOP_S
    seconds = np.interp(frames, path[:, 0], path[:, 1])
    place = np.rint(seconds / FINE_HOP_S).astype(int)
    known = (frames >= path[0, 0] - 1e-6) & (frames <= path[-1, 0] + 1e-6) & (place >= 0) & (place < len(voiced))
    return float(np.sum(voiced[place[known]]) / max(1, len(frames)))


def align(
    hum: Melody,
    reference: Melody,
    *,
    expected_offset_s: float | None = None,
    late_s: Window = EXPECTED_LATENCY_S,
    half: float = SIMILAR,
) -> Alignment | None:
    """The best alignment of a hum to a reference, wherever in the hum it lies; None where the hum has next to no voice.

    Args:
        hum, reference: melodies on any hops.
        expected_offset_s: where in the hum the reference started to sound, when it was hummed along; offsets shortly
            after it and tempos near 1 are then preferred among places that are similar enough, not forced.
        late_s: how much later than that a hum is expected.
        half: distance at which the similarity is 0.5.

    Raises:
        ValueError: the reference has too little voice to look for (`check_reference`).
    """
    check_reference(reference)
    sung, model = curve(hum), curve(reference)
    if voiced_seconds(sung) < LEAST_VOICE_S:
        return None
    rough = model[:: round(WARP_HOP_S / FINE_HOP_S)]
    lines = search_lines(sung, model, None)
    expected = None
    if expected_offset_s is not None:
        expected = (expected_offset_s + late_s[0], expected_offset_s + late_s[1])
        lines += search_lines(sung, model, expected)
    warps = [found for line in lines if (found := warp(sung, rough, line))]
    if not warps:
        return None

    def order(found: Warp) -> tuple[bool, float]:
        own = distance(sung, rough, found)
        return own > half, own + unlikely(found.line, expected)

    ranked = sorted(warps, key=order)
    elsewhere = [found for found in ranked[1:] if apart(found, ranked[0]) > DISTINCT_S]
    rival = distance(sung, rough, elsewhere[0]) if elsewhere else MISSING_COST
    lead = max(0.0, rival - distance(sung, rough, ranked[0]))
    starts = (ranked[0].line, straightened(ranked[0]))
    line = max((sharpen(sung, model, start) for start in starts), key=lambda each: each.score)
    best = warp(sung, rough, line) or ranked[0]
    confidence = float(1 - 2 ** (-lead / half))
    likely = settled(sung, model, best, expected)
    return described(sung, rough, best, likely, confidence, half)


def settled(hum: Curve, reference: Curve, best: Warp, expected: Window | None) -> tuple[float, float]:
    """Offset and tempo ratio to report: the likeliest near the best line."""
    line = best.line
    along = expected is not None and expected[0] - ALONG_WITHIN_S <= line.offset_s <= expected[1] + ALONG_WITHIN_S
    near = (line.offset_s, line.ratio, best.transposition)
    return likely_line(hum, reference, near, along, (FASTEST_RATIO, SLOWEST_RATIO))


def apart(one: Warp, other: Warp) -> float:
    """Median of the seconds between where two warps find the same moments of the reference; lines may bend into one."""
    return float(np.median(np.abs(np.interp(other.path[:, 0], *one.path.T) - other.path[:, 1])))


def described(
    hum: Curve, reference: Curve, best: Warp, likely: tuple[float, float], confidence: float, half: float
) -> Alignment:
    """The alignment's figures from its final warp, and its offset and tempo ratio from the likeliest line."""
    own = distance(hum, reference, best)
    return Alignment(
        offset_s=likely[0],
        tempo_ratio=likely[1],
        transposition=best.transposition,
        similarity=float(2 ** (-own / half)),
        distance=own,
        pitch_cost=best.pitch_cost,
        bend_s=best.bend_s,
        coverage=hummed_share(hum, reference, best.path),
        reached=reached_share(hum, reference, best.line),
        confidence=confidence,
        reference_s=len(reference) * WARP_HOP_S,
        path=best.path,
    )
