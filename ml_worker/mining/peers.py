"""Three published methods that find what two melodies share, for the miner to be compared with.

- `subsequence_dtw`: subsequence dynamic time warping (Müller, Fundamentals of Music Processing, 2015, section 7.2.3) of
  windows of the original within the cover;
- `qmax`: cross recurrence quantification (Serrà, Serra and Andrzejak, New Journal of Physics 11, 2009);
- `matrix_profile`: a join of both pitch curves by their nearest windows (Yeh et al., Matrix Profile I, ICDM 2016; for
  music Silva, Yeh, Batista and Keogh, SiMPle, ISMIR 2016).

They see the same pitch curves as the miner and no fingerprints. Each is told how good a match has to be (`threshold`,
0..1); those of `THRESHOLDS` were chosen on tunes of the training split by `python -m ml_worker.mining.compare
--tune`, the other numbers by hand on the same tunes. No paper says how its windows or paths become fragments. Here they
do as in the miner: every second of the cover keeps the strongest, and what is longer than a fragment may be is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ml_worker.audio.melody import Melody
from ml_worker.mining.extract import TEMPO_RATIOS, Interval
from ml_worker.mining.passage import Passage
from ml_worker.mining.refine import pitch_at

THRESHOLDS = {"subsequence DTW": 0.93, "Qmax": 0.35, "matrix profile": 0.97}

# How long a fragment is, seconds, as the miner has it.
SHORTEST_S, LONGEST_S = 4.0, 20.0

# Rests up to this long are filled with the pitch before them: people breathe in different places. Seconds.
FILLED_S = 1.0

# A window is compared only where at least this share of it has a pitch.
LEAST_VOICED = 0.5

# Pitch is spread over the twelve pitch classes by a bell of this width, semitones: whoever is a quarter-tone off still
# matches, whoever is a semitone off hardly does.
CHROMA_WIDTH_ST = 0.65

# The transpositions tried are those at which the pitch classes of both agree best, this many.
TRANSPOSITIONS = 2

# --- subsequence DTW
DTW_HOP_S, DTW_WINDOW_S, DTW_STEP_S = 0.1, 6.0, 2.0

# Rows and columns of a step, which bound the tempo by half and double, and what its cell counts: each row once.
DTW_STEPS = np.array([[1, 1], [1, 2], [2, 1]])
DTW_WEIGHTS = np.array([1.0, 1.0, 2.0])

# Neighbouring windows belong together if they place the middle between them within this of each other, seconds.
DTW_AGREE_S = 0.5

# --- Qmax: frames embedded, and the share of places that are neighbours. The paper has ten frames of half a second and
# a tenth, for the chroma of mixes; a melody alone is sharper (with ten of a quarter second and a tenth, six in ten
# fragments of the training tunes were right).
QMAX_HOP_S, QMAX_EMBEDDED, QMAX_NEIGHBOURS = 0.2, 8, 0.035

# What a gap costs, in frames: the paper's.
QMAX_GAP_ONSET, QMAX_GAP_EXTEND = 5.0, 0.5

# The score of a path is q / (q + this), q in seconds without a gap: 0.5 at this length.
QMAX_HALF_S = 10.0

# --- the matrix profile
PROFILE_HOP_S, PROFILE_WINDOW_S = 0.1, 6.0

# Windows that move less are not compared, semitones (standard deviation): divided by it, vibrato would be a melody.
PROFILE_LEAST_MOVED_ST = 0.7

# Windows that follow each other go on at one offset if it changes by no more than this, frames.
PROFILE_SAME_OFFSET = 1


@dataclass(frozen=True)
class SharedStretch:
    """A stretch of the original and where the cover plays it.

    Attributes:
        a, b: from and to, seconds of the original and of the cover.
        correlation: the method's own score, 0..1; scores of two methods do not compare.
        tempo_ratio: cover seconds for an original second.
    """

    a: Interval
    b: Interval
    correlation: float
    tempo_ratio: float


Peer = Callable[[Melody, Melody, float], list[SharedStretch]]


@dataclass(frozen=True)
class Match:
    """A passage with its score, 0..1."""

    passage: Passage
    score: float

    @property
    def strength(self) -> float:
        """What decides between two that claim one stretch of the cover."""
        return self.score * self.passage.duration_s


def subsequence_dtw(a: Melody, b: Melody, threshold: float = THRESHOLDS["subsequence DTW"]) -> list[SharedStretch]:
    """Windows of the original warped to where the cover is most like them, neighbours that agree merged.

    Args:
        a, b: of the original and of the cover.
        threshold: the least score of a window; a score is 1 less the mean distance of pitch classes along its path.

    Returns:
        In the order of the cover; empty where one side is shorter than a window or hardly voiced.
    """
    ours, theirs = _curve(a, DTW_HOP_S), _curve(b, DTW_HOP_S)
    width, step = round(DTW_WINDOW_S / DTW_HOP_S), round(DTW_STEP_S / DTW_HOP_S)
    matches: list[Match] = []
    for transposition in _transpositions(ours, theirs):
        distances = 1 - _chroma(ours + transposition) @ _chroma(theirs).T
        windows = [
            list(_warped(distances[first : first + width], first, threshold))
            for first in range(0, len(ours) - width + 1, step)
            if _voiced_share(ours[first : first + width]) >= LEAST_VOICED
        ]
        matches += [_merged(chain) for chain in _chains([match for found in windows for match in found])]
    return _stretches(matches)


def _warped(distances: NDArray[np.float64], first: int, threshold: float) -> Iterator[Match]:
    """Where one window, whose first frame is `first`, ends well in the cover: (window, cover) distances, 0..1."""
    rows = len(distances)
    totals, steps = librosa.sequence.dtw(
        C=distances,
        step_sizes_sigma=DTW_STEPS,
        weights_mul=DTW_WEIGHTS,
        subseq=True,
        backtrack=False,
        return_steps=True,
    )
    scores = 1 - totals[-1] / rows
    while scores.max(initial=-np.inf) >= threshold:
        end = int(np.argmax(scores))
        path = librosa.sequence.dtw_backtracking(steps, step_sizes_sigma=DTW_STEPS, subseq=True, start=end)[::-1]
        yield Match(Passage((first + path[:, 0]) * DTW_HOP_S, path[:, 1] * DTW_HOP_S), float(scores[end]))
        scores[max(0, end - rows // 2) : end + rows // 2 + 1] = -np.inf


def _chains(matches: Sequence[Match]) -> list[list[Match]]:
    """Matches in the order of the original, those that overlap and agree on the middle of the overlap in one chain."""
    chains: list[list[Match]] = []
    for match in matches:
        going_on = [chain for chain in chains if _go_together(chain[-1].passage, match.passage)]
        if going_on:
            max(going_on, key=lambda chain: chain[-1].score).append(match)
        else:
            chains.append([match])
    return chains


def _go_together(one: Passage, following: Passage) -> bool:
    first_s, last_s = following.original[0], one.original[1]
    middle_s = (first_s + last_s) / 2
    apart_s = abs(float(one.cover_at(middle_s)) - float(following.cover_at(middle_s)))
    return one.original[0] < first_s < last_s and apart_s <= DTW_AGREE_S


def _merged(chain: Sequence[Match]) -> Match:
    """One passage through the ends of a chain and the middles of its matches."""
    first, last = chain[0].passage, chain[-1].passage
    middles_s = [sum(match.passage.original) / 2 for match in chain]
    inner_s = [float(match.passage.cover_at(middle_s)) for match, middle_s in zip(chain, middles_s, strict=True)]
    original_s = np.array([first.original[0], *middles_s, last.original[1]])
    cover_s = np.maximum.accumulate([first.cover[0], *inner_s, last.cover[1]])
    return Match(Passage(original_s, cover_s), float(np.mean([match.score for match in chain])))


def qmax(a: Melody, b: Melody, threshold: float = THRESHOLDS["Qmax"]) -> list[SharedStretch]:
    """The paths of the cross recurrence plot that gather most, one after the other.

    Args:
        a, b: of the original and of the cover.
        threshold: the least score of a path: Qmax in seconds, brought to 0..1 (see `QMAX_HALF_S`).

    Returns:
        In the order of the cover; empty where one side is shorter than the embedding or hardly voiced.
    """
    ours, theirs = _curve(a, QMAX_HOP_S), _curve(b, QMAX_HOP_S)
    matches: list[Match] = []
    for transposition in _transpositions(ours, theirs):
        plot = cross_recurrence(ours + transposition, theirs)
        while plot.any():
            gathered, path = librosa.sequence.rqa(plot, gap_onset=QMAX_GAP_ONSET, gap_extend=QMAX_GAP_EXTEND)
            gathered_s = float(gathered.max()) * QMAX_HOP_S
            score = gathered_s / (gathered_s + QMAX_HALF_S)
            if score < threshold:
                break
            matches.append(Match(_through_windows(path, b.duration_s), score))
            plot[:, path[0, 1] : path[-1, 1] + 1] = 0
    return _stretches(matches)


def cross_recurrence(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where each of two embedded places is among the nearest of the other, 0 elsewhere.

    Args:
        ours, theirs: (T,), (S,) semitones, NaN where unvoiced, in one key.

    Returns:
        (T - m + 1, S - m + 1), m = `QMAX_EMBEDDED`; without rows or columns where a side is shorter.
    """
    embedded, voiced = zip(*(_embedded(curve) for curve in (ours, theirs)), strict=True)
    distances = cdist(*embedded)
    if not distances.size:
        return distances
    distances[~voiced[0]] = distances[:, ~voiced[1]] = np.inf
    nearest_of_ours = np.quantile(distances, QMAX_NEIGHBOURS, axis=1, keepdims=True, method="lower")
    nearest_of_theirs = np.quantile(distances, QMAX_NEIGHBOURS, axis=0, keepdims=True, method="lower")
    near = (distances <= nearest_of_ours) & (distances <= nearest_of_theirs) & np.isfinite(distances)
    return near.astype(np.float64)


def _embedded(curve: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pitch classes of `QMAX_EMBEDDED` frames in a row (windows, 12 m), and which windows are voiced enough."""
    if len(curve) < QMAX_EMBEDDED:
        return np.empty((0, 12 * QMAX_EMBEDDED)), np.empty(0, dtype=bool)
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(len(curve)), QMAX_EMBEDDED)
    embedded = _chroma(curve)[windows].reshape(len(windows), -1)
    return embedded, (~np.isnan(curve))[windows].mean(axis=1) >= LEAST_VOICED


def _through_windows(path: NDArray[np.intp], cover_end_s: float) -> Passage:
    """A path of embedded places as a passage: middles of windows lie over each other, whatever the tempo.

    It goes on by half a window at either end, within the cover.
    """
    half_s = QMAX_EMBEDDED * QMAX_HOP_S / 2
    middles = Passage(*(path.T * QMAX_HOP_S + half_s))
    first_s = max(middles.original[0] - half_s, float(middles.original_at(0.0)))
    last_s = min(middles.original[1] + half_s, float(middles.original_at(cover_end_s)))
    return middles.between(first_s, last_s)


def matrix_profile(a: Melody, b: Melody, threshold: float = THRESHOLDS["matrix profile"]) -> list[SharedStretch]:
    """Windows of the cover, at several tempi, with the nearest of the original; runs at one offset merged.

    Args:
        a, b: of the original and of the cover.
        threshold: the least correlation (Pearson's r) of a window with its nearest.

    Returns:
        In the order of the cover; empty where one side is shorter than a window or hardly voiced.
    """
    ours = _curve(a, PROFILE_HOP_S)
    width = round(PROFILE_WINDOW_S / PROFILE_HOP_S)
    matches: list[Match] = []
    for ratio in TEMPO_RATIOS:
        theirs = _curve(b.faster(ratio), PROFILE_HOP_S)
        if min(len(ours), len(theirs)) >= width:
            nearest, correlation = nearest_windows(theirs, ours, width)
            for first, last in _runs(nearest, correlation >= threshold):
                original_s = nearest[first] * PROFILE_HOP_S, (nearest[last] + width) * PROFILE_HOP_S
                passage = Passage.line(original_s, first * PROFILE_HOP_S * ratio, ratio)
                matches.append(Match(passage, float(correlation[first : last + 1].mean())))
    return _stretches(matches)


def nearest_windows(
    of: NDArray[np.float64], among: NDArray[np.float64], width: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For every window of one curve the first frame of the nearest of another, and their r; -1 where none is."""
    # Only here is stumpy needed, which takes a second to import.
    from stumpy import stump

    with np.errstate(divide="ignore"):  # windows that do not move at all, which are left out below
        profile = stump(of, width, among, ignore_trivial=False)
    distances, nearest = profile[:, 0].astype(np.float64), profile[:, 1].astype(np.intp)
    moved = np.lib.stride_tricks.sliding_window_view(of, width).std(axis=1) >= PROFILE_LEAST_MOVED_ST
    comparable = np.isfinite(distances) & moved
    return nearest, np.where(comparable, 1 - np.where(comparable, distances, 0) ** 2 / (2 * width), -1)


def _runs(nearest: NDArray[np.intp], good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last of each run of good windows whose nearest windows follow each other too."""
    places = np.flatnonzero(good)
    if not len(places):
        return []
    offsets = nearest[places] - places
    breaks = (np.diff(places) > 1) | (np.abs(np.diff(offsets)) > PROFILE_SAME_OFFSET)
    return [(int(run[0]), int(run[-1])) for run in np.split(places, np.flatnonzero(breaks) + 1)]


# --- what the methods share


def _curve(melody: Melody, hop_s: float) -> NDArray[np.float64]:
    """Semitones on a grid (T,), short rests filled, NaN in longer ones."""
    pitch = pitch_at(melody, np.arange(int(melody.duration_s / hop_s + 1e-6)) * hop_s)
    frames = np.arange(len(pitch))
    last_voiced = np.maximum.accumulate(np.where(np.isnan(pitch), -1, frames))
    near = (last_voiced >= 0) & (frames - last_voiced <= FILLED_S / hop_s)
    return np.where(near, pitch[last_voiced], np.nan)


def _voiced_share(curve: NDArray[np.float64]) -> float:
    return float(np.mean(~np.isnan(curve)))


def _chroma(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) semitones as pitch classes (T, 12) of length 1; 0 where unvoiced."""
    return _on_circle(curve, bins=12)


def _on_circle(curve: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    centres = np.arange(bins) * 12 / bins
    away = (curve[:, None] - centres + 6) % 12 - 6
    spread = np.nan_to_num(np.exp(-((away / CHROMA_WIDTH_ST) ** 2) / 2))
    return spread / np.maximum(np.linalg.norm(spread, axis=1, keepdims=True), 1e-9)


# The pitch circle is divided this finely to tell the transposition: singers keep to no tuning.
KEYS = 120


def _transpositions(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> list[float]:
    """Semitones that bring the first curve to the key of the second, the likeliest first; none without a voice.

    The optimal transposition index (Serrà, Gómez and Herrera, 2008): the rotations at which the mean pitch classes
    agree best.
    """
    heard = [_on_circle(curve, KEYS).sum(axis=0) for curve in (ours, theirs)]
    if not all(one.any() for one in heard):
        return []
    agreement = np.array([np.dot(np.roll(heard[0], shift), heard[1]) for shift in range(KEYS)])
    found: list[float] = []
    while len(found) < TRANSPOSITIONS:
        best = int(np.argmax(agreement))
        found.append(best * 12 / KEYS)
        agreement[(best + np.arange(-KEYS // 24, KEYS // 24 + 1)) % KEYS] = -np.inf
    return found


def _stretches(matches: Sequence[Match]) -> list[SharedStretch]:
    """Matches without overlap in the cover, the stronger first, in pieces no longer than a fragment may be."""
    kept: list[Match] = []
    for match in sorted(matches, key=lambda match: -match.strength):
        rest = _outside(match.passage, [other.passage for other in kept])
        if rest:
            kept.append(Match(rest, match.score))
    found = [
        SharedStretch(piece.original, piece.cover, match.score, piece.tempo_ratio)
        for match in kept
        for piece in _pieces(match.passage)
    ]
    return sorted(found, key=lambda one: one.b)


def _outside(passage: Passage, kept: Sequence[Passage]) -> Passage | None:
    """The passage without what others have of the cover; None where less than a fragment is left."""
    first_s, last_s = passage.cover
    for other in kept:
        start_s, end_s = other.cover
        before, after = (first_s, min(last_s, start_s)), (max(first_s, end_s), last_s)
        first_s, last_s = max(before, after, key=lambda part: part[1] - part[0])
        if last_s <= first_s:
            return None
    rest = passage.between(float(passage.original_at(first_s)), float(passage.original_at(last_s)))
    return rest if rest.duration_s >= SHORTEST_S else None


def _pieces(passage: Passage) -> list[Passage]:
    """A passage cut evenly into as few pieces as keep to the longest duration on both sides."""
    count = max(1, int(np.ceil(max(np.diff(passage.original)[0], np.diff(passage.cover)[0]) / LONGEST_S)))
    cuts_s = np.linspace(*passage.original, num=count + 1)
    return [passage.between(*bounds) for bounds in pairwise(cuts_s)]


PEERS: dict[str, Peer] = {"subsequence DTW": subsequence_dtw, "Qmax": qmax, "matrix profile": matrix_profile}
"""Each by its name."""
