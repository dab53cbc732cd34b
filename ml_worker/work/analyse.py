"""Analyses a recording: vocal part, melody with voicing, and of an original the fragments that it proposes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from ml_worker.audio.demucs_weights import NoWeights
from ml_worker.audio.phrases import propose_phrases
from ml_worker.audio.separation import MIX_RATE, separate
from ml_worker.audio.trackers import track_melody
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import sound_of, store_analysis
from recordings.models import Fragment, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.audio.melody import Melody
    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    recording = Recording.objects.select_related("song").get(pk=job.subject)
    return analyse(recording, report), None


def analyse(recording: Recording, report: Callable[[float, str], None]) -> str:
    """Gives a recording its analysis, and an original without fragments its proposals; says what came of it."""
    report(0.1, f"Separating the voice of {recording}")
    weights = Path(settings.DEMUCS_WEIGHTS) if settings.DEMUCS_WEIGHTS else None
    try:
        vocal = separate(sound_of(recording.audio, MIX_RATE), weights=weights)
    except NoWeights as problem:
        raise CannotBeDone(str(problem)) from problem
    report(0.6, "Listening to its melody")
    melody = track_melody(vocal.sound)
    with transaction.atomic():
        Recording.objects.select_for_update(of=("self",)).get(pk=recording.pk)
        analysis = store_analysis(recording, melody, vocal.method)
        proposed = propose(recording, melody) if recording.kind == Recording.Kind.ORIGINAL else 0
    heard = f"{recording}: voice by {analysis.separation}, melody by {analysis.tracker}"
    if recording.kind == Recording.Kind.COVER:
        return f"{heard}."
    if not recording.fragments.exists():
        return f"{heard}. No phrase of 4 to 20 seconds was found; add fragments by hand on the song's page."
    return f"{heard}; {proposed} fragments proposed."


def propose(recording: Recording, melody: Melody) -> int:
    """Fragments at phrase bounds, where the recording has none yet."""
    if recording.fragments.exists():
        return 0
    phrases = propose_phrases(melody)
    for phrase in phrases:
        Fragment.objects.create(
            recording=recording,
            start_s=phrase.start_s,
            end_s=min(phrase.end_s, recording.duration_s),
            origin=Fragment.Origin.MACHINE,
            voiced_share=phrase.voiced_share,
        )
    return len(phrases)
