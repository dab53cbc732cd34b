"""Renders a tune of the starter catalogue: the original, or one of its covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_cover, render_original, tunes
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import store_analysis, store_audio
from recordings.models import Fragment, Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.catalogue.render import Rendering
    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    recording = Recording.objects.select_related("song").get(pk=job.subject)
    report(0.1, f"Rendering {recording}")
    rendering = render(recording)
    report(0.6, "Listening to its melody")
    store(recording, rendering)
    return f"Rendered {recording}, {recording.duration_s:.0f} s.", {"duration_s": recording.duration_s}


def render(recording: Recording) -> Rendering:
    tune = next((tune for tune in tunes() if tune.slug == recording.tune), None)
    if tune is None:
        raise CannotBeDone(f"There is no tune “{recording.tune}” in the starter catalogue any more.")
    if recording.tune_cover is None:
        return render_original(tune)
    return render_cover(tune, recording.tune_cover, seed=recording.tune_cover)


def store(recording: Recording, rendering: Rendering) -> None:
    """Audio, truth, and of an original its melody and fragments, which the score knows."""
    is_original = recording.kind == Recording.Kind.ORIGINAL
    # The lead alone is at hand, so no separation is needed for the melody that people will hum to.
    melody = track_melody(rendering.lead) if is_original else None
    with transaction.atomic():
        present = Recording.objects.select_for_update(of=("self",)).get(pk=recording.pk)
        if present.state != Recording.State.WAITING:
            return
        store_audio(recording, rendering.mix)
        recording.truth = {
            "time_map": rendering.time_map,
            "phrases": rendering.phrases,
            "notes": [list(note) for note in rendering.notes],
        }
        recording.save()
        if melody is not None:
            store_analysis(recording, melody, separation="stem")
            for start_s, end_s in rendering.phrases:
                Fragment.objects.create(recording=recording, start_s=start_s, end_s=end_s, origin=Fragment.Origin.SCORE)
