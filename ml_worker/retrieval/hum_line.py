"""What of a hum is searched for: one line of pitch, without the clicks and breaths before and after it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.judging.sentences import gettext_noop
from ml_worker.retrieval.hum_check import LEAST_VOICE_S
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.target_table import HOP_S, Line, line_of

# Of a longer hum this much is used: it tells tunes apart, and tables need not grow; seconds.
LONGEST_S = 20.0
# A run of voice at an end is no note where it is shorter than this and this far from the hum's middle pitch;
# seconds, semitones.
STRAY_S, STRAY_ST = 0.45, 7.5
# The hum may as well begin after a first run that is shorter than this and followed by this much rest; seconds.
DOUBTFUL_S, DOUBTFUL_REST_S = 0.35, 0.1

NO_MELODY = gettext_noop("We heard no melody in this recording. Hum for a few seconds, close to the microphone.")


def hum_lines(hum: Melody) -> list[Line]:
    """The lines that a hum may be: usually one, two where it is in doubt whether its first sound belongs to it.

    Raises:
        NothingHeard: there is less than a second of voice.
    """
    return [_line_from(hum, first, last) for first, last in hum_spans(hum)]


def hum_spans(hum: Melody) -> list[tuple[int, int]]:
    """Where the hum may lie: its first frame and the frame after its last, without stray sounds at the ends.

    Raises:
        NothingHeard: there is less than a second of voice.
    """
    pitch = hum.pitch()
    runs = _voiced_runs(~np.isnan(pitch))
    voice_s = float(sum(end - start for start, end in runs)) * hum.hop_s
    if voice_s < LEAST_VOICE_S:
        raise NothingHeard(NO_MELODY)
    middle = float(np.nanmedian(pitch))
    while len(runs) > 1 and _is_stray(pitch, runs[0], middle, hum.hop_s):
        runs = runs[1:]
    while len(runs) > 1 and _is_stray(pitch, runs[-1], middle, hum.hop_s):
        runs = runs[:-1]
    begins = [runs[0][0]]
    if len(runs) > 1:
        (start, end), (following, _) = runs[0], runs[1]
        if (end - start) * hum.hop_s < DOUBTFUL_S and (following - end) * hum.hop_s >= DOUBTFUL_REST_S:
            begins.append(following)
    return [(begin, runs[-1][1]) for begin in begins]


def _line_from(hum: Melody, first: int, last: int) -> Line:
    line = line_of(hum.cut(first * hum.hop_s, last * hum.hop_s))
    longest = round(LONGEST_S / HOP_S)
    return Line(line.pitch[:longest], line.voiced[:longest], first * hum.hop_s + line.begins_s)


def _voiced_runs(voiced: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First frame and frame after the last of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _is_stray(pitch: NDArray[np.float32], run: tuple[int, int], middle: float, hop_s: float) -> bool:
    start, end = run
    return (end - start) * hop_s < STRAY_S and abs(float(np.median(pitch[start:end])) - middle) > STRAY_ST
