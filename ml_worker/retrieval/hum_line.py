"""What of a hum is searched for: one line of pitch, without the clicks, breaths and words before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.judging.sentences import gettext_noop
from ml_worker.retrieval.hum_check import LEAST_VOICE_S, hum_signs, is_spoken
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.target_table import HOP_S, Line, line_of

# Of a longer hum this much is used: it tells tunes apart, and tables need not grow; seconds.
LONGEST_S = 20.0
# A run of voice at an end is no note where it is shorter than this and this far from the hum's middle pitch;
# seconds, semitones.
STRAY_S, STRAY_ST = 0.45, 7.5
# People say what they will hum, and that it is over. What lies between rests of this length and holds this much voice
# is left out where it is spoken; of less nobody knows; seconds.
WORDS_REST_S, WORDS_VOICE_S = 0.4, 0.5
# After a rest this long somebody has begun anew; of what lies between such rests the part with most voice is the hum.
# Within a tune nobody rests so long; seconds.
NEW_BEGINNING_S = 3.0
# The hum may as well begin after a first run that is shorter than this and followed by this much rest; seconds.
DOUBTFUL_S, DOUBTFUL_REST_S = 0.35, 0.1

# A stretch of voice: its first frame, and the frame after its last.
Run = tuple[int, int]

NO_MELODY = gettext_noop("We heard no melody in this recording. Hum for a few seconds, close to the microphone.")


def hum_lines(hum: Melody) -> list[Line]:
    """The lines that a hum may be: usually one, two where it is in doubt whether its first sound belongs to it.

    Raises:
        NothingHeard: there is less than a second of voice.
    """
    return [_line_from(hum, first, last) for first, last in hum_spans(hum)]


def hum_spans(hum: Melody) -> list[Run]:
    """Where the hum may lie: its first frame and the frame after its last, without words and stray sounds at the ends.

    Raises:
        NothingHeard: there is less than a second of voice.
    """
    pitch = hum.pitch()
    runs = _voiced_runs(~np.isnan(pitch))
    if _voice_s(hum, runs) < LEAST_VOICE_S:
        raise NothingHeard(NO_MELODY)
    runs = _longest_part(hum, _without_words(hum, runs))
    middle = float(np.nanmedian(pitch[runs[0][0] : runs[-1][1]]))
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


def _without_words(hum: Melody, runs: Sequence[Run]) -> list[Run]:
    """The runs without what is spoken at either end; all where too little would be left."""
    passages = _parted(hum, runs, WORDS_REST_S)
    first = _end_of_words(hum, passages)
    last = len(passages) - _end_of_words(hum, passages[::-1])
    left = [run for passage in passages[first:last] for run in passage]
    return left if _voice_s(hum, left) >= LEAST_VOICE_S else list(runs)


def _end_of_words(hum: Melody, passages: Sequence[Sequence[Run]]) -> int:
    """How many passages from the first on are words: up to the last spoken one before there is a hum."""
    end = 0
    for number, passage in enumerate(passages):
        if _voice_s(hum, passage) < WORDS_VOICE_S:
            continue
        if not is_spoken(hum_signs(hum.cut(passage[0][0] * hum.hop_s, passage[-1][1] * hum.hop_s))):
            break
        end = number + 1
    return end


def _longest_part(hum: Melody, runs: Sequence[Run]) -> list[Run]:
    """The part with most voice between rests after which people begin anew; of equal ones the first."""
    return max(_parted(hum, runs, NEW_BEGINNING_S), key=lambda part: _voice_s(hum, part))


def _parted(hum: Melody, runs: Sequence[Run], rest_s: float) -> list[list[Run]]:
    """The runs in parts between which there are rests of that length or more."""
    rests = [after[0] - before[1] for before, after in pairwise(runs)]
    breaks = [number + 1 for number, rest in enumerate(rests) if rest * hum.hop_s >= rest_s]
    return [list(runs[first:last]) for first, last in pairwise([0, *breaks, len(runs)])]


def _voice_s(hum: Melody, runs: Sequence[Run]) -> float:
    return float(sum(end - start for start, end in runs)) * hum.hop_s


def _voiced_runs(voiced: NDArray[np.bool_]) -> list[Run]:
    """First frame and frame after the last of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _is_stray(pitch: NDArray[np.float32], run: Run, middle: float, hop_s: float) -> bool:
    start, end = run
    return (end - start) * hop_s < STRAY_S and abs(float(np.median(pitch[start:end])) - middle) > STRAY_ST
