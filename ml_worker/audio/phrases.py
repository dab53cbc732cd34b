"""Phrases of a melody: the intervals that a person can hum in one go, found from the melody alone.

A phrase ends where the singer rests or breathes, and rather after a long note (gaps and long notes end phrases:
Temperley, The Cognition of Basic Musical Structures, 2001, ch. 3). Each such place may be a bound. Of all ways to
choose bounds so that phrases have a good length, dynamic programming finds the one that cuts at the clearest places
and runs through the least clear ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody

# A rest shorter than this is a consonant or a lost frame, not a place to cut; seconds.
SHORTEST_REST_S = 0.1

# A rest that ends a phrase for sure; a longer one says nothing more; seconds.
CLEAR_REST_S = 1.2

# A rest that no phrase runs through: nobody hums an instrumental part; seconds.
LONGEST_REST_S = 3.0

# A note from which its end may be a bound even without a rest, one beyond which length says nothing more, and how
# much its length weighs against a rest's; seconds, seconds, a factor.
LONG_NOTE_S, LONGEST_NOTE_S = 0.5, 1.5
NOTE_WEIGHT = 0.3

# Frames within this distance of a note's mean belong to it, and so many others in a row end it; semitones, seconds.
SAME_NOTE = 0.7
LEAVING_S = 0.06

# Sung passages shorter than this and alone between rests are a tracker's ghosts; seconds.
SHORTEST_SUNG_S = 0.15

# Air before the first and after the last sung frame, so that onset and release are whole; seconds.
AIR_S = 0.15

# What a phrase should last, and the price of being longer or shorter by a factor of e, against 1 for a clear rest
# run through. About two lines of a song: long enough to know it, short enough to keep it in mind; seconds, a price.
AIMED_S = 8.0
LENGTH_PRICE = 0.7

# Price of leaving sung passages out of every phrase, for each AIMED_S seconds of them.
LEFT_OUT_PRICE = 8.0

# Less sung than this, and there is too little to hum along with; share of the phrase's frames.
ENOUGH_VOICED = 0.4


@dataclass(frozen=True)
class Phrase:
    """An interval of a recording, seconds, and the share of its frames in which something is sung, 0..1."""

    start_s: float
    end_s: float
    voiced_share: float


@dataclass(frozen=True)
class _Piece:
    """What is sung between two places that may be bounds.

    `clearness` (0..1) says how surely a phrase ends after it; `rest_s` how long the rest after it is.
    """

    start_s: float
    end_s: float
    rest_s: float
    clearness: float


def propose_phrases(melody: Melody, *, shortest_s: float = 4.0, longest_s: float = 20.0) -> list[Phrase]:
    """Phrases of a melody, in order, never overlapping.

    Args:
        melody: of the vocal part. Its voicing decides, so an instrument that is taken for the voice hides rests.
        shortest_s, longest_s: what a phrase may last.

    Returns:
        Phrases with at least ENOUGH_VOICED voicing; none where too little is sung.
    """
    pieces = _pieces(melody)
    proposals = _proposals(melody, pieces, shortest_s, longest_s)
    # Cheapest way to deal with the first n pieces: its price, and the phrase that it ends with.
    price = [0.0]
    last: list[tuple[int, Phrase | None]] = [(0, None)]
    for end, piece in enumerate(pieces, start=1):
        left_out = price[end - 1] + LEFT_OUT_PRICE * (piece.end_s - piece.start_s) / AIMED_S
        ways = [(left_out, end - 1, None)]
        ways += [(price[start] + cost, start, phrase) for start, cost, phrase in proposals.get(end, [])]
        cheapest, start, phrase = min(ways, key=lambda way: way[0])
        price.append(cheapest)
        last.append((start, phrase))
    return _traced_back(last)


def _traced_back(last: list[tuple[int, Phrase | None]]) -> list[Phrase]:
    found, end = [], len(last) - 1
    while end > 0:
        end, phrase = last[end]
        if phrase is not None:
            found.append(phrase)
    return found[::-1]


def _proposals(
    melody: Melody, pieces: list[_Piece], shortest_s: float, longest_s: float
) -> dict[int, list[tuple[int, float, Phrase]]]:
    """All phrases that are allowed: by the number of pieces up to their end, (pieces before them, price, phrase)."""
    sung = np.concatenate([[0], np.cumsum(melody.voiced)])
    found: dict[int, list[tuple[int, float, Phrase]]] = {}
    for first in range(len(pieces)):
        run_through = 0.0
        for end in range(first + 1, len(pieces) + 1):
            phrase = _phrase(melody, pieces, first, end, sung)
            seconds = phrase.end_s - phrase.start_s
            if seconds > longest_s:
                break
            if seconds >= shortest_s and phrase.voiced_share >= ENOUGH_VOICED:
                cost = run_through + LENGTH_PRICE * abs(np.log(seconds / AIMED_S)) + 1 - pieces[end - 1].clearness
                found.setdefault(end, []).append((first, cost, phrase))
            run_through += pieces[end - 1].clearness
            if pieces[end - 1].rest_s > LONGEST_REST_S:
                break
    return found


def _phrase(melody: Melody, pieces: list[_Piece], first: int, end: int, sung: NDArray[np.int_]) -> Phrase:
    """The phrase of pieces first to end (exclusive), with air around it, of which neighbours have their half."""
    before_s = pieces[first - 1].rest_s if first else 2 * AIR_S
    start_s = max(0.0, pieces[first].start_s - min(AIR_S, before_s / 2))
    end_s = min(melody.duration_s, pieces[end - 1].end_s + min(AIR_S, pieces[end - 1].rest_s / 2))
    frames = slice(round(start_s / melody.hop_s), max(1, round(end_s / melody.hop_s)))
    share = (sung[min(frames.stop, len(sung) - 1)] - sung[frames.start]) / (frames.stop - frames.start)
    return Phrase(round(start_s, 3), round(end_s, 3), round(float(share), 3))


# ------------------------------------------------------------------------------------------------- places for bounds


def _pieces(melody: Melody) -> list[_Piece]:
    """The melody cut at every rest and after every long note."""
    hop = melody.hop_s
    runs = _sung_runs(melody)
    rests = [(after - end) * hop for (_, end), (after, _) in pairwise(runs)] + [LONGEST_REST_S]
    pieces = []
    for (start, end), rest_s in zip(runs, rests, strict=False):
        begun = start
        for note_start, note_end in _notes(melody, start, end):
            length_s = (note_end - note_start) * hop
            gap_s = rest_s if note_end == end else 0.0
            if note_end == end or length_s >= LONG_NOTE_S:
                pieces.append(_Piece(begun * hop, note_end * hop, gap_s, _clearness(gap_s, length_s)))
                begun = note_end
    return pieces


def _clearness(rest_s: float, note_s: float) -> float:
    """How surely a phrase ends in a rest after a note, 0..1."""
    of_note = NOTE_WEIGHT * min(note_s, LONGEST_NOTE_S) / LONGEST_NOTE_S
    return min(1.0, rest_s / CLEAR_REST_S + of_note)


def _sung_runs(melody: Melody) -> list[tuple[int, int]]:
    """First frame and end of what is sung without a rest, ghosts left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], melody.voiced.astype(np.int8), [0]])))
    shortest_rest, runs = SHORTEST_REST_S / melody.hop_s, []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < shortest_rest:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [(start, end) for start, end in runs if (end - start) * melody.hop_s >= SHORTEST_SUNG_S]


def _notes(melody: Melody, start: int, end: int) -> list[tuple[int, int]]:
    """Frames start to end as notes: a note ends where the pitch leaves its mean for good."""
    leaving = max(1, round(LEAVING_S / melody.hop_s))
    return list(_held(melody.pitch()[start:end], start, leaving))


def _held(pitch: NDArray[np.float32], offset: int, leaving: int) -> Iterator[tuple[int, int]]:
    begun, total, count, away = 0, 0.0, 0, 0
    for index, value in enumerate(pitch.tolist()):
        if value != value:  # a lost frame within the run
            continue
        if count and abs(value - total / count) > SAME_NOTE:
            away += 1
            if away >= leaving:
                yield offset + begun, offset + index + 1 - away
                begun, total, count, away = index + 1 - away, value, 1, 0
            continue
        total, count, away = total + value, count + 1, 0
    yield offset + begun, offset + len(pitch)
