"""The index of songs brought up to date: built, grown by what is new, rid of what was taken down.

What is searched meanwhile is the index of before. The rows tell what is in it; a process that is killed leaves a folder
without a ready row, which the next one removes, or songs that came without their rows, and those may come twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.checkpoint import UnusableCheckpoint
from ml_worker.models import Checkpoint, IndexedRecording, SearchIndex, findable
from ml_worker.models.window_parts import drop_strays
from ml_worker.retrieval.index import Entry, IndexUnusable, Searcher, build, calibrate, forget, grow
from ml_worker.retrieval.index.layout import Manifest
from ml_worker.retrieval.index.open_set import MIDDLING_S
from ml_worker.retrieval.recogniser import starter_fusion
from ml_worker.window_vectors import engine_of, problem_with_database
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import bytes_of, melody_of
from ml_worker.work.starter import install_starter_checkpoints
from recordings.models import Analysis, Recording

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ml_worker.models import Job
    from ml_worker.work import Outcome

Progress = Callable[[float, str], None]

log = logging.getLogger("chad.index")

# An index that grew this often, or by as many songs as it began with, is built anew: each growth is one part more to
# look into.
MOST_GROWTHS = 50
# Seconds of voice of a short hum, for telling where the line lies then.
SHORT_S = 4.0
BROKEN_OFF = "Its building broke off; another one was begun."
NO_SONGS = "There is no song to build an index of yet: import one, and wait until it is analysed."


def do(job: Job, report: Progress) -> Outcome:
    wanted = job.arguments
    return bring_up_to_date(job, report, again=bool(wanted.get("again")), line=bool(wanted.get("line")))


def bring_up_to_date(job: Job, report: Progress, *, again: bool = False, line: bool = False) -> Outcome:
    """Grows the index in use, or builds one.

    Args:
        again: builds one in any case.
        line: where nothing is new, draws the line between tunes that are there and others, if it is lacking; where that
            is overdue, before anything else.

    Raises:
        CannotBeDone: there are no songs, or the folder cannot be written, or CHAD_INDEX names no engine, or one that
            the database is too old for.
    """
    problem = SearchIndex.problem_with_setting()
    if settings.INDEX_ENGINE == SearchIndex.Engine.PGVECTOR:
        problem = problem_with_database()
    if problem:
        raise CannotBeDone(problem)
    # One is built at a time: what seems to be being built broke off.
    for left in SearchIndex.objects.filter(state=SearchIndex.State.BUILDING):
        left.fail(BROKEN_OFF)
    SearchIndex.sweep()
    drop_strays()
    install_starter_checkpoints()
    weights = weights_in_use()
    index = None if again else usable(weights)
    try:
        if index is None:
            return built(job, weights, report)
        if line and index.lacks_line and (index.line_is_overdue or not lacks_songs(index)):
            return line_drawn(index, weights, report)
        return grown(index, weights, report)
    except OSError as problem:
        raise CannotBeDone(
            f"The index cannot be written to {settings.INDEX_FOLDER}: {problem.strerror or problem}. Make room there, "
            "or let this instance write there, then start this again."
        ) from problem


def weights_in_use() -> list[Weights]:
    """The checkpoints to search with: of each kind the one that is in use, short before long.

    Raises:
        CannotBeDone: one of them cannot be read.
    """
    try:
        return [weights_of(name) for name in Checkpoint.objects.names_in_use()]
    except UnusableCheckpoint as problem:
        raise CannotBeDone(str(problem)) from problem
    except OSError as problem:
        raise CannotBeDone(f"The checkpoints in use cannot be read just now: {problem}. Try again later.") from problem


def weights_of(name: str) -> Weights:
    """The checkpoint of this name.

    Raises:
        UnusableCheckpoint: it is gone, or its file is, or that is damaged; the text names it and says what to do.
    """
    row = Checkpoint.objects.filter(pk=name).first()
    if row is None:
        raise UnusableCheckpoint(f"There is no checkpoint {name} any more. Promote another one.")
    try:
        return Weights.from_bytes(bytes_of(row.file))
    except FileNotFoundError as problem:
        raise UnusableCheckpoint(
            f"The file of the checkpoint {name} is missing: {row.file.name}. Put it back into the storage, or promote "
            "another checkpoint."
        ) from problem
    except UnusableCheckpoint as problem:
        raise UnusableCheckpoint(f"The checkpoint {name} cannot be used: {problem} Or promote another.") from problem


def usable(weights: Sequence[Weights]) -> SearchIndex | None:
    """The index in use, where it may grow; None where a new one is to be built."""
    index = SearchIndex.in_use()
    if index is None or not index.is_built_for([one.name for one in weights]):
        return None
    try:
        Searcher.open(index.path, weights, engine=engine_of(index))
    except IndexUnusable as problem:
        index.fail(str(problem))
        return None
    to_come = index.new_recordings().count()
    added = index.songs - index.songs_built + to_come
    if to_come and (added >= index.songs_built or index.growths >= MOST_GROWTHS):
        return None
    return index


def built(job: Job, weights: Sequence[Weights], report: Progress) -> Outcome:
    """A new index of every song that can be found, in use at once when it is whole."""
    songs = Songs.of(findable())
    if not songs:
        raise CannotBeDone(NO_SONGS)
    names = [one.name for one in weights]
    index = SearchIndex.objects.create(checkpoints=names, engine=settings.INDEX_ENGINE, job=job)
    index.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        build(index.path, songs, weights, fusion=starter_fusion(), progress=report, engine=engine_of(index))
        index.line = line_for_now(index)
        with transaction.atomic():
            note(index, songs, weights)
            index.songs_built = index.songs
            index.save(update_fields=["songs_built", "line"])
            index.put_in_use()
    except Exception as problem:
        index.fail(f"It could not be built: {problem}")
        if isinstance(problem, ValueError):
            raise CannotBeDone(f"The index could not be built: {problem}") from problem
        raise
    return f"An index of {counted(index.songs)} is in use.{songs.unread_in_words()}", {"songs": index.songs}


def grown(index: SearchIndex, weights: Sequence[Weights], report: Progress) -> Outcome:
    """The index in use, without what may not be found any more, and with what is new."""
    engine = engine_of(index)
    searcher = Searcher.open(index.path, weights, engine=engine)
    known = {str(pk) for pk in index.entries.values_list("recording", flat=True)}
    gone = list(index.gone_entries().values_list("pk", "recording"))
    # A recording that was deleted took its entry with it.
    forgotten = {str(recording) for _, recording in gone} | (searcher.keys - known)
    songs = Songs.of(index.new_recordings())
    if forgotten:
        forget(index.path, forgotten)
        IndexedRecording.objects.filter(pk__in=[pk for pk, _ in gone]).delete()
    if songs:
        grow(index.path, songs, weights, progress=report, engine=engine)
        index.growths += 1
    note(index, songs, weights)
    if not (songs or forgotten):
        return f"The index of {counted(index.songs)} is up to date.", {"songs": index.songs}
    came, went = (counted(len(which)) for which in (songs, gone))
    words = f"{came} came, {went} went; the index has {index.songs} now.{songs.unread_in_words()}"
    return words, {"songs": index.songs, "came": len(songs), "went": len(gone)}


def line_for_now(index: SearchIndex) -> float | None:
    """Gives a new index the line of the one before of the same checkpoints, until it has its own: the line, or None.

    Of other songs it would be another one, though a nearer one than none.
    """
    before = SearchIndex.with_line_of(index.checkpoints)
    try:
        open_set = Manifest.load(before.path).open_set if before else {}
    except IndexUnusable as problem:
        log.warning("The line of %s cannot be taken on: %s", before, problem)
        open_set = {}
    if before is None or not open_set:
        return None
    replace(Manifest.load(index.path), open_set=open_set).save(index.path)
    return before.line


def lacks_songs(index: SearchIndex) -> bool:
    """Whether songs are to come or to go."""
    return index.new_recordings().exists() or index.gone_entries().exists()


def line_drawn(index: SearchIndex, weights: Sequence[Weights], report: Progress) -> Outcome:
    """The line between tunes that are in the index and others, measured on hums of tunes that are nowhere."""
    open_set = calibrate(index.path, weights, progress=report, engine=engine_of(index))
    index.line, index.line_songs = open_set.line, open_set.songs
    index.line_at = timezone.now()
    index.save(update_fields=["line", "line_songs", "line_at"])
    least, most = open_set.false_accepts
    words = (
        f"Of {open_set.hums} hums of tunes that are not among {counted(open_set.songs)} one in a hundred seems to be, "
        f"of others {100 * least:.1f} to {100 * most:.1f} %. A tune is told to be there from {open_set.line:.2f} on "
        f"where it is hummed for {MIDDLING_S:.0f} s, from {open_set.line_at(SHORT_S):.2f} on where for {SHORT_S:.0f} s."
    )
    return words, {"songs": index.songs, "line": index.line}


@transaction.atomic
def note(index: SearchIndex, songs: Songs, weights: Sequence[Weights]) -> None:
    """The rows of what came, and the index's figures as its folder and its tables have them."""
    rows = [IndexedRecording(index=index, recording_id=pk, analysis=one.pk) for pk, one in songs.heard]
    IndexedRecording.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["index", "recording"], update_fields=["analysis"], batch_size=2000
    )
    index.songs = index.entries.count()
    index.windows = Searcher.open(index.path, weights, engine=engine_of(index)).windows
    in_tables = index.window_parts.aggregate(bytes=Sum("bytes", default=0))["bytes"]
    index.bytes = in_tables + sum(path.stat().st_size for path in index.path.rglob("*") if path.is_file())
    index.built_at = timezone.now()
    index.save(update_fields=["songs", "windows", "bytes", "built_at", "growths"])


class Songs(Sequence[Entry]):
    """Recordings with their melodies, each read when its turn comes."""

    def __init__(self, heard: list[tuple[UUID, Analysis]]) -> None:
        self.heard = heard
        self.unread: set[UUID] = set()

    @classmethod
    def of(cls, recordings: QuerySet[Recording]) -> Songs:
        """Of recordings with `heard`."""
        pairs = list(recordings.order_by("created_at", "pk").values_list("pk", "heard"))
        analyses = Analysis.objects.in_bulk([heard for _, heard in pairs])
        return cls([(pk, analyses[heard]) for pk, heard in pairs if heard in analyses])

    def __len__(self) -> int:
        return len(self.heard)

    @overload
    def __getitem__(self, number: int) -> Entry: ...
    @overload
    def __getitem__(self, number: slice) -> Songs: ...
    def __getitem__(self, number: int | slice) -> Entry | Songs:
        if isinstance(number, slice):
            return Songs(self.heard[number])
        pk, analysis = self.heard[number]
        try:
            melody = melody_of(analysis.melody)
        except (OSError, ValueError):
            # It is in the index as one without a voice, which nothing finds, and is told of.
            log.exception("The melody of %s cannot be read.", analysis)
            self.unread.add(pk)
            melody = Melody(0.016, *(np.zeros(0, kind) for kind in (np.float32, bool, np.float32)), method="none")
        return Entry(str(pk), melody)

    def unread_in_words(self) -> str:
        if not self.unread:
            return ""
        return f" The melodies of {counted(len(self.unread))} cannot be read, so nothing finds them: analyse them anew."


def counted(songs: int) -> str:
    return "1 song" if songs == 1 else f"{songs} songs"
