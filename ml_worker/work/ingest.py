"""Reads a file that came in: decoded, checked, and stored losslessly. What came is kept byte for byte beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from ml_worker.audio.checks import check_recording
from ml_worker.audio.decode import decode_with_report
from ml_worker.audio.sound import UnusableAudio
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import bytes_of, store_audio
from recordings.models import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    recording = Recording.objects.select_related("song").get(pk=job.subject)
    report(0.1, f"Reading {recording}")
    ingest(recording)
    return f"{recording}: {recording.duration_s:.1f} s at {recording.sample_rate} Hz.", None


def ingest(recording: Recording) -> None:
    """Decodes the upload of a waiting recording and stores its working copy, or marks it as failed and says why."""
    try:
        decoded = decode_with_report(bytes_of(recording.upload))
        check_recording(decoded.sound)
    except UnusableAudio as problem:
        recording.fail(str(problem))
        raise CannotBeDone(str(problem)) from problem
    with transaction.atomic():
        present = Recording.objects.select_for_update(of=("self",)).get(pk=recording.pk)
        if present.state == Recording.State.READY:
            return
        store_audio(recording, decoded.sound)
        recording.warnings = list(decoded.warnings)
        recording.save()
