"""Songs that can be found, an index of them, and hums of them, as rows and as sound."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from annotation.models import Search
from chad_site.celery import nudge_searches
from chad_site.tests.services import wait_until
from ml_worker.finding import Finder, InUse
from ml_worker.models import Job, SearchIndex
from ml_worker.running import run_here
from ml_worker.tests.made_hums import hummed, voice
from ml_worker.tests.made_rows import reference_of, sung_song, wav_of
from recordings.models import Fragment

# Where a hum lies in its recording and how it is sung, see made_rows.sung_song and hum_of.
TEMPO_RATIO, TRANSPOSITION, SILENCE_S = 1.1, -5.0, 0.7


def made_songs(seeds: Sequence[int]) -> list[Fragment]:
    """Songs that a voice sings, analysed; of each its one fragment."""
    return [sung_song(seed) for seed in seeds]


def indexed(*, again: bool = False) -> Job:
    """The index brought up to date by a job."""
    return run_here(Job.Kind.INDEX, again=again)


def killed_before_it_was_whole(monkeypatch: pytest.MonkeyPatch) -> SearchIndex:
    """What a job leaves that was killed when all was written, and nothing put in use yet."""

    class Killed(BaseException):
        """As SIGKILL: nothing of the job runs after it."""

    def dies(self) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(SearchIndex, "put_in_use", dies)
        with pytest.raises(Killed):
            indexed()
    return SearchIndex.objects.get()


def answered_by_workers(search: Search, what: str = "An answer") -> Search:
    """A search that the workers have answered."""

    def is_over() -> bool:
        nudge_searches()  # what the schedule does every other second
        search.refresh_from_db()
        return not search.is_open

    wait_until(is_over, what)
    assert search.state == Search.State.DONE, search.sentence
    return search


def opened() -> InUse:
    """The index as a process that has just started sees it."""
    return Finder().index()


def hum_of(fragment: Fragment, *, tempo_ratio: float = TEMPO_RATIO) -> bytes:
    """A hum of a fragment, after a little silence, as a WAV."""
    reference = reference_of(fragment)
    melody = hummed(reference, offset_s=SILENCE_S, tempo_ratio=tempo_ratio, transposition=TRANSPOSITION)
    return wav_of(voice(melody))
