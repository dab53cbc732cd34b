"""The index of songs brought up to date: built, grown by what is new, rid of what was taken down.

What is searched meanwhile is the index of before. The rows tell what is in it; a process that is killed leaves a folder
without a ready row, which the next one removes, or songs that came without their rows, and those may come twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, overload
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.checkpoint import UnusableCheckpoint
from ml_worker.models import Checkpoint, IndexedRecording, SearchIndex, findable
from ml_worker.retrieval.index import Entry, IndexUnusable, Searcher, build, calibrate, forget, grow
from ml_worker.retrieval.recogniser import starter_fusion
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
BROKEN_OFF = "Its building broke off; another one was begun."
NO_SONGS = "There is no song to build an index of yet: import one, and wait until it is analysed."


def do(job: Job, report: Progress) -> Outcome:
    wanted = job.arguments
    return bring_up_to_date(job, report, again=bool(wanted.get("again")), line=bool(wanted.get("line")))


def bring_up_to_date(job: Job, report: Progress, *, again: bool = False, line: bool = False) -> Outcome:
    """Grows the index in use, or builds one.

    Args:
        again: builds one in any case.
        line: where nothing is new, draws the line between tunes that are there and others, if it is lacking.

    Raises:
        CannotBeDone: there are no songs, or the folder cannot be written.
    """
    SearchIndex.sweep()
    for left in SearchIndex.objects.filter(state=SearchIndex.State.BUILDING):
        left.fail(BROKEN_OFF)
    install_starter_checkpoints()
    weights = weights_in_use()
    index = None if again else usable(weights)
    try:
        if index is None:
            return built(job, weights, report)
        if line and index.lacks_line and not lacks_songs(index):
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
    names = Checkpoint.objects.names_in_use()
    try:
        return [weights_of(name) for name in names]
    except (OSError, UnusableCheckpoint) as problem:
        raise CannotBeDone(
            f"A checkpoint that is in use cannot be read ({', '.join(names)}): {problem} Promote another one."
        ) from problem


def weights_of(name: str) -> Weights:
    return Weights.from_bytes(bytes_of(Checkpoint.objects.get(pk=name).file))


def usable(weights: Sequence[Weights]) -> SearchIndex | None:
    """The index in use, where it may grow; None where a new one is to be built."""
    index = SearchIndex.in_use()
    if index is None or index.checkpoints != [one.name for one in weights]:
        return None
    try:
        Searcher.open(index.path, weights)
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
    index = SearchIndex.objects.create(checkpoints=[one.name for one in weights], job=job)
    index.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        build(index.path, songs, weights, fusion=starter_fusion(), progress=report)
        with transaction.atomic():
            note(index, songs, weights)
            index.songs_built = index.songs
            index.save(update_fields=["songs_built"])
            index.put_in_use()
    except Exception as problem:
        index.fail(f"It could not be built: {problem}")
        if isinstance(problem, ValueError):
            raise CannotBeDone(f"The index could not be built: {problem}") from problem
        raise
    return f"An index of {counted(index.songs)} is in use.{songs.unread_in_words()}", {"songs": index.songs}


def grown(index: SearchIndex, weights: Sequence[Weights], report: Progress) -> Outcome:
    """The index in use, without what may not be found any more, and with what is new."""
    searcher = Searcher.open(index.path, weights)
    known = {str(pk) for pk in index.entries.values_list("recording", flat=True)}
    gone = list(index.gone_entries().values_list("pk", "recording"))
    # A recording that was deleted took its entry with it.
    forgotten = {str(recording) for _, recording in gone} | (searcher.keys - known)
    songs = Songs.of(index.new_recordings())
    if forgotten:
        forget(index.path, forgotten)
        IndexedRecording.objects.filter(pk__in=[pk for pk, _ in gone]).delete()
    if songs:
        grow(index.path, songs, weights, progress=report)
        index.growths += 1
    note(index, songs, weights)
    if not (songs or forgotten):
        return f"The index of {counted(index.songs)} is up to date.", {"songs": index.songs}
    came, went = (counted(len(which)) for which in (songs, gone))
    words = f"{came} came, {went} went; the index has {index.songs} now.{songs.unread_in_words()}"
    return words, {"songs": index.songs, "came": len(songs), "went": len(gone)}


def lacks_songs(index: SearchIndex) -> bool:
    """Whether songs are to come or to go."""
    return index.new_recordings().exists() or index.gone_entries().exists()


def line_drawn(index: SearchIndex, weights: Sequence[Weights], report: Progress) -> Outcome:
    """The line between tunes that are in the index and others, measured on hums of tunes that are nowhere."""
    open_set = calibrate(index.path, weights, progress=report)
    index.line, index.line_songs = open_set.line, open_set.songs
    index.save(update_fields=["line", "line_songs"])
    words = (
        f"Of {open_set.hums} hums of tunes that are not among {counted(open_set.songs)} one in a hundred seems to be. "
        f"A tune is told to be there from {open_set.line:.2f} on."
    )
    return words, {"songs": index.songs, "line": index.line}


@transaction.atomic
def note(index: SearchIndex, songs: Songs, weights: Sequence[Weights]) -> None:
    """The rows of what came, and the index's figures as its folder has them."""
    rows = [IndexedRecording(index=index, recording_id=pk, analysis=one.pk) for pk, one in songs.heard]
    IndexedRecording.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["index", "recording"], update_fields=["analysis"], batch_size=2000
    )
    index.songs = index.entries.count()
    index.windows = Searcher.open(index.path, weights).windows
    index.bytes = sum(path.stat().st_size for path in index.path.rglob("*") if path.is_file())
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
