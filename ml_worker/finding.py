"""Answering searches: a process holds the networks and the index in use open, and takes one search after the other."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import OperationalError
from django.utils.translation import gettext_noop

from annotation.models import Search
from annotation.models.searches import HEARTBEAT
from chad_site.celery import nudge
from ml_worker.audio.decode import decode_with_report
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.singer import sing
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.models import Job, SearchIndex, findable
from ml_worker.retrieval.hum_check import check_hum
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.index import Answer, IndexUnusable, Searcher
from ml_worker.retrieval.index.searcher import timed
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.target_table import HOP_S
from ml_worker.running import heartbeat
from ml_worker.work.audio_files import bytes_of
from ml_worker.work.index import weights_of

log = logging.getLogger("chad.searches")

# Of a recording this much is searched for, from its beginning, seconds.
LONGEST_S = 15.0
# Higher rates are brought down as a hum is read: no tracker hears more, Hz.
RATE = 48_000
# Songs that an answer holds; ten are shown, and some of these may be taken down meanwhile.
TOP = 15
# A hum's curve is kept at this hop, as pages draw it, seconds.
CURVE_HOP_S = 0.02
# What tracker and networks are woken with before the first search: a scale; start and end in seconds, semitones.
SCALE = [(0.5 * number, 0.5 * number + 0.45, pitch) for number, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]

# Stored in English, and translated where it is read.
ONLY_FIRST = gettext_noop("Only the first 15 seconds were searched for.")
BUILDING = gettext_noop("The index of the songs is being built just now. Try again in a minute.")
NO_SONGS = gettext_noop("There are no songs to find yet. The first ones are being prepared; try again in some minutes.")
NOT_BUILT = gettext_noop("The index of the songs could not be built. Whoever runs this place can see why.")
UNFORESEEN = gettext_noop("Something went wrong with this search, and whoever runs this place can see what. Try again.")
LOST = gettext_noop("This hum is gone. Hum it again.")


class NoIndex(Exception):
    """There is no index to search. Its text is a sentence that says why."""


class HumLost(Exception):
    """A search's file is not there."""


@dataclass(frozen=True)
class InUse:
    """An index that is open: its row, and the searcher."""

    row: SearchIndex
    searcher: Searcher

    def told(self) -> dict[str, Any]:
        """What an answer tells of it."""
        built_at = self.row.built_at.isoformat() if self.row.built_at else None
        return {"songs": self.row.songs, "built_at": built_at}


class Finder:
    """The index in use, held open by one process; nothing is read again while it stays the same."""

    def __init__(self) -> None:
        self._open: InUse | None = None
        self._weights: dict[str, Weights] = {}

    def index(self) -> InUse:
        """The index as it is now.

        Raises:
            NoIndex: there is none, or it cannot be opened; another one is asked for then.
        """
        row = SearchIndex.in_use()
        if row is None:
            self._open = None
            raise NoIndex(why_there_is_none())
        try:
            if self._open and self._open.row.pk == row.pk:
                self._open = InUse(row, self._open.searcher.renewed())
            else:
                self._open = self._opened(row)
        except IndexUnusable as problem:
            log.exception("%s cannot be searched.", row)
            self._open = None
            row.fail(str(problem))
            nudge()
            raise NoIndex(BUILDING) from problem
        return self._open

    def _opened(self, row: SearchIndex) -> InUse:
        names = row.checkpoints
        self._weights = {name: self._weights.get(name) or weights_of(name) for name in names}
        searcher = Searcher.open(row.path, [self._weights[name] for name in names])
        wake(searcher)
        return InUse(row, searcher)


def why_there_is_none() -> str:
    if not findable().exists():
        return NO_SONGS
    failed = Job.objects.filter(state=Job.State.FAILED, kind=Job.Kind.INDEX).exists()
    under_way = Job.objects.open().filter(kind=Job.Kind.INDEX).exists()
    return NOT_BUILT if failed and not under_way else BUILDING


def wake(searcher: Searcher) -> None:
    """One search for nothing in particular, so that the first person does not wait for what is read at first use."""
    searcher.find(track_melody(sing(SCALE, seed=0).sound), top=1)


# --- a hum


@dataclass(frozen=True)
class Hum:
    """What was heard in a recording: its melody, with the sound, and sentences about what is missing."""

    melody: Melody
    sound: Sound
    warnings: tuple[str, ...]


def hear(data: bytes, took: dict[str, float]) -> Hum:
    """The melody of the first LONGEST_S seconds of any recording.

    Raises:
        UnusableAudio: it cannot be read.
    """
    with timed(took, "reading"):
        decoded = decode_with_report(data, max_s=LONGEST_S, max_rate=RATE, only_first=True)
    with timed(took, "melody"):
        melody = track_melody(decoded.sound)
    return Hum(melody, decoded.sound, (*((ONLY_FIRST,) if decoded.is_cut else ()), *decoded.warnings))


def curve_of(melody: Melody) -> dict[str, Any]:
    """What of a hum was searched for, as pages draw it: {"hop_s", "pitch"}, MIDI semitones, None where unvoiced.

    It begins with the hum, after the silence, at what the index calls the hum's start.
    """
    line = hum_lines(melody)[0]
    times_s = line.begins_s + np.arange(0, len(line.pitch) * HOP_S, CURVE_HOP_S)
    frames = np.minimum(np.rint(times_s / melody.hop_s).astype(int), len(melody.f0_hz) - 1)
    pitch = [None if np.isnan(one) else round(float(one), 2) for one in melody.pitch()[frames]]
    return {"hop_s": CURVE_HOP_S, "pitch": pitch}


def as_plain(answer: Answer) -> dict[str, Any]:
    """An answer as it is stored and printed."""
    found = [
        {
            "recording": one.key,
            "score": round(one.score, 4),
            "probability": round(one.probability, 4),
            "start_s": round(one.start_s, 2),
            "end_s": round(one.end_s, 2),
            "tempo_ratio": round(one.tempo_ratio, 4),
            "transposition": None if one.transposition is None else round(one.transposition, 2),
        }
        for one in answer.found
    ]
    return {"here": round(answer.here, 4), "is_here": answer.is_here, "found": found}


# --- searches that wait


def answer_all(finder: Finder, worker: str) -> int:
    """Answers what waits, one after the other: how many that were. Without an index they wait, and are told why."""
    answered = 0
    while True:
        try:
            index = finder.index()
        except NoIndex as problem:
            Search.objects.filter(state=Search.State.WAITING).update(sentence=str(problem))
            Search.refuse_hopeless()
            return answered
        search = Search.claim(worker)
        if search is None:
            return answered
        answer(search, index)
        answered += 1


def answer(search: Search, index: InUse) -> None:
    """Writes the answer of a claimed search, or why there is none."""
    took = {"waiting": round((search.claimed_at - search.created_at).total_seconds(), 3)}
    try:
        with heartbeat(search, HEARTBEAT):
            found, curve = found_for(search, index, took)
    except HumLost:
        search.refuse(LOST, "lost", rounded(took))
    except UnusableAudio as problem:
        search.refuse(str(problem), "unreadable", rounded(took))
    except NothingHeard as problem:
        search.refuse(str(problem), "nothing_heard", rounded(took))
    except OperationalError:
        # A database that is away for a moment: it is taken again, as if this process had died.
        log.exception("%s is taken again.", search)
        return
    except Exception:
        log.exception("%s failed.", search)
        search.refuse(UNFORESEEN, "unforeseen", rounded(took))
    else:
        search.finish(found, curve, rounded(took))
    if search.partial:
        search.forget_sound()  # the whole hum follows, and only that may be kept


def found_for(search: Search, index: InUse, took: dict[str, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a search, and the hum's curve."""
    try:
        data = bytes_of(search.audio)
    except FileNotFoundError as problem:
        raise HumLost(search.audio.name) from problem
    hum = hear(data, took)
    check_hum(hum.melody, hum.sound)
    found = index.searcher.find(hum.melody, top=TOP)
    took |= found.seconds
    told = as_plain(found) | {"warnings": list(hum.warnings), "index": index.told()}
    return told, curve_of(hum.melody)


def rounded(took: dict[str, float]) -> dict[str, float]:
    return {step: round(seconds, 3) for step, seconds in took.items()}
