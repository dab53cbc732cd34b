"""Answering searches: a process holds the networks and the index in use open, and takes one search after the other."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.db import OperationalError
from django.utils.translation import gettext_noop

from annotation.models import Search
from annotation.models.searches import HEARTBEAT
from chad_site.celery import nudge
from ml_worker.audio.decode import decode_with_report
from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import is_audio, read_melody
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.singer import sing
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.checkpoint import UnusableCheckpoint
from ml_worker.models import Job, SearchIndex, findable
from ml_worker.retrieval.hum_check import check_hum
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.index import Answer, IndexUnusable, Searcher
from ml_worker.retrieval.index.searcher import Shard, timed
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.target_table import HOP_S
from ml_worker.running import heartbeat
from ml_worker.window_vectors import engine_of
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

# Why searches are refused where no index can be had, as a word for scripts.
NO_INDEX = "no_index"

# Stored in English, and translated where it is read.
ONLY_FIRST = gettext_noop("Only the first 15 seconds were searched for.")
BUILDING = gettext_noop("The index of the songs is being built just now. Wait, or try again in a minute.")
NO_SONGS = gettext_noop("There are no songs to find yet. The first are being prepared: wait, or try again later.")
NOT_BUILT = gettext_noop("The index of the songs could not be built. Whoever runs this place can see why.")
UNFORESEEN = gettext_noop("Something went wrong with this search, and whoever runs this place can see what. Try again.")
LOST = gettext_noop("This hum is gone. Hum it again.")
SOME_MISSING = gettext_noop("Some of the songs could not be searched just now. Try again in a minute.")


class NoIndex(Exception):
    """There is no index to search. Its text is a sentence that says why.

    Attributes:
        code: a word for scripts, where there will be none before somebody has looked into it: who searches is told at
            once. Otherwise "", and searches wait for the index.
        why: what is wrong, in a sentence for whoever runs this place; "" where nothing is.
    """

    def __init__(self, sentence: str, code: str = "", why: str = "") -> None:
        super().__init__(sentence)
        self.code, self.why = code, why


class HumLost(Exception):
    """A search's file is not there."""


@dataclass(frozen=True)
class InUse:
    """An index that is open: its row, and the searcher."""

    row: SearchIndex
    searcher: Searcher


@dataclass(frozen=True)
class Sought:
    """What a search came to.

    Attributes:
        answer: as the searcher gives it.
        index: that was searched.
        songs: of it that were searched.
        is_whole: whether these are all.
    """

    answer: Answer
    index: InUse
    songs: int
    is_whole: bool = True

    def as_plain(self, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
        """The answer as it is stored, with sentences about what is missing.

        A tune that is not among some of the songs may be among the others: then nobody knows whether it is there, and
        `is_here` is None.
        """
        told = as_plain(self.answer)
        if not self.is_whole:
            told["is_here"] = told["is_here"] or None
            warnings = (*warnings, SOME_MISSING)
        built_at = self.index.row.built_at
        searched = {"songs": self.songs, "complete": self.is_whole, "built_at": built_at and built_at.isoformat()}
        return told | {"warnings": list(warnings), "index": searched}


class Finder:
    """The index in use, or a part of it, held open by one process; nothing is read again while it stays the same."""

    def __init__(self, shard: Shard | None = None) -> None:
        """
        Args:
            shard: the part; None: all.
        """
        self.shard = shard
        self._open: InUse | None = None
        self._weights: dict[str, Weights] = {}

    def index(self) -> InUse:
        """The index as it is now.

        Raises:
            NoIndex: there is none, or it cannot be opened; another one is asked for where that mends it.
        """
        row = SearchIndex.in_use()
        if row is None:
            self._open = None
            sentence = why_there_is_none()
            raise NoIndex(sentence, NO_INDEX if sentence == NOT_BUILT else "")
        try:
            return self.held(row)
        except IndexUnusable as problem:
            self._given_up(row, problem)
            raise NoIndex(BUILDING, why=str(problem)) from problem
        except UnusableCheckpoint as problem:
            # No other index can be built with it either.
            self._given_up(row, problem)
            raise NoIndex(NOT_BUILT, NO_INDEX, str(problem)) from problem
        except OperationalError:
            raise  # a database that is away for a moment: searches wait
        except Exception as problem:
            log.exception("%s cannot be opened.", row)
            why = f"The index cannot be opened: {type(problem).__name__}: {problem}."
            raise NoIndex(UNFORESEEN, "unforeseen", why) from problem

    def _given_up(self, row: SearchIndex, problem: Exception) -> None:
        log.error("%s cannot be searched.", row, exc_info=problem)
        row.fail(str(problem))
        nudge()

    def held(self, row: SearchIndex) -> InUse:
        """An index as it is now, in place of the one that was open. Raises IndexUnusable, UnusableCheckpoint."""
        before, self._open = self._open, None
        is_same = before is not None and before.row.pk == row.pk
        self._open = InUse(row, before.searcher.renewed() if is_same else self._opened(row))
        return self._open

    def find(self, melody: Melody) -> Sought:
        """The songs that a hum may be of.

        Raises:
            NothingHeard: there is no melody in it. Its text is a sentence.
            NoIndex: as of `index`.
        """
        index = self.index()
        return Sought(index.searcher.find(melody, top=TOP), index, index.row.songs)

    def wake(self, searcher: Searcher) -> None:
        """One search for nothing in particular, so that the first person does not wait for what is read first."""
        searcher.find(made_hum(), top=1)

    def _opened(self, row: SearchIndex) -> Searcher:
        names = row.checkpoints
        self._weights = {name: self._weights.get(name) or weights_of(name) for name in names}
        weights = [self._weights[name] for name in names]
        searcher = Searcher.open(row.path, weights, engine=engine_of(row), shard=self.shard)
        self.wake(searcher)
        return searcher


def why_there_is_none() -> str:
    if not findable().exists():
        return NO_SONGS
    failed = Job.objects.filter(state=Job.State.FAILED, kind=Job.Kind.INDEX).exists()
    under_way = Job.objects.open().filter(kind=Job.Kind.INDEX).exists()
    return NOT_BUILT if failed and not under_way else BUILDING


def made_hum() -> Melody:
    """The melody of SCALE as somebody hums it; hearing it wakes the tracker."""
    return track_melody(sing(SCALE, seed=0).sound)


# --- a hum


@dataclass(frozen=True)
class Hum:
    """What was heard in a recording: its melody, with the sound, and sentences about what is missing.

    Of MIDI and pitch curves there is no sound.
    """

    melody: Melody
    sound: Sound | None
    warnings: tuple[str, ...]


def hear(source: bytes | Path, took: dict[str, float]) -> Hum:
    """The melody of the first LONGEST_S seconds of any recording: a file's bytes, or where it lies.

    Raises:
        UnusableAudio: it cannot be read.
    """
    with timed(took, "reading"):
        decoded = decode_with_report(source, max_s=LONGEST_S, max_rate=RATE, only_first=True)
    with timed(took, "melody"):
        melody = track_melody(decoded.sound)
    return Hum(melody, decoded.sound, (*((ONLY_FIRST,) if decoded.is_cut else ()), *decoded.warnings))


def hum_in(path: Path) -> Hum:
    """The hum in a file: of audio as `hear`, of MIDI and pitch curves the first LONGEST_S seconds of the melody.

    Raises:
        UnusableAudio: it holds no melody that can be read. Its text is a sentence.
    """
    if path.is_file() and is_audio(path):
        try:
            return hear(path, {})
        except OSError as problem:
            raise UnusableAudio(f"{path.name} cannot be read: {problem.strerror}.") from problem
    melody = read_melody(path)
    return Hum(melody.cut(0, LONGEST_S), None, (ONLY_FIRST,) if melody.duration_s > LONGEST_S else ())


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
    """Answers what waits, one after the other: how many that were. Without an index they wait, and are told why, or are
    refused where there is nothing to wait for.
    """
    answered = 0
    while True:
        search = None
        try:
            finder.index()
            search = Search.claim(worker)
            if search is None:
                return answered
            answer(search, finder)
        except NoIndex as problem:
            if search is not None:
                search.put_back()
            if problem.code:
                Search.refuse_waiting(str(problem), problem.code)
            else:
                Search.objects.filter(state=Search.State.WAITING).update(sentence=str(problem))
            Search.refuse_hopeless()
            return answered
        answered += 1


def answer(search: Search, finder: Finder) -> None:
    """Writes the answer of a claimed search, or why there is none.

    Raises:
        NoIndex: there is nothing to search any more; it is still to be answered.
    """
    took = {"waiting": round((search.claimed_at - search.created_at).total_seconds(), 3)}
    try:
        with heartbeat(search, HEARTBEAT):
            found, curve = found_for(search, finder, took)
    except NoIndex:
        raise
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


def found_for(search: Search, finder: Finder, took: dict[str, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to a search, and the hum's curve."""
    try:
        data = bytes_of(search.audio)
    except FileNotFoundError as problem:
        raise HumLost(search.audio.name) from problem
    hum = hear(data, took)
    check_hum(hum.melody, hum.sound)
    sought = finder.find(hum.melody)
    took |= sought.answer.seconds
    return sought.as_plain(hum.warnings), curve_of(hum.melody)


def rounded(took: dict[str, float]) -> dict[str, float]:
    return {step: round(seconds, 3) for step, seconds in took.items()}
