"""Songs that can be found, an index of them, and hums of them, as rows and as sound."""

from __future__ import annotations

from collections.abc import Sequence

from ml_worker.finding import Finder, InUse
from ml_worker.models import Job
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


def opened() -> InUse:
    """The index as a process that has just started sees it."""
    return Finder().index()


def hum_of(fragment: Fragment, *, tempo_ratio: float = TEMPO_RATIO) -> bytes:
    """A hum of a fragment, after a little silence, as a WAV."""
    reference = reference_of(fragment)
    melody = hummed(reference, offset_s=SILENCE_S, tempo_ratio=tempo_ratio, transposition=TRANSPOSITION)
    return wav_of(voice(melody))
