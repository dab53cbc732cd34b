"""A real worker, killed with -9 in the middle of a job: the job is put back and done by the next one."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from chad_site.celery import nudge
from chad_site.tests.services import Worker, wait_until
from ml_worker.models import Job
from ml_worker.tasks import put_back_stale
from recordings.importing import About, import_file
from recordings.models import Recording
from recordings.tests import factories

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def children_of(pid: int) -> list[int]:
    """All processes below this one."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found += [int(entry), *children_of(int(entry))]
    return found


def test_a_job_survives_the_death_of_its_worker(celery_worker: Worker, lifeline) -> None:
    long_song = factories.audio_file(factories.tone(240.0, hz=330.0))
    recording, _ = import_file(ContentFile(long_song), About("A long song", "Nobody"))
    nudge()
    wait_until(lambda: running_or_done(recording), "The worker takes the job")
    for pid in reversed(children_of(celery_worker.process.pid)):
        os.kill(pid, signal.SIGKILL)
    job = Job.objects.get(subject=str(recording.pk), kind=Job.Kind.INGEST)
    # What the schedule does when the heartbeat is missed, without waiting for it.
    Job.objects.filter(state=Job.State.RUNNING).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    put_back_stale()
    job.refresh_from_db()
    assert job.state in (Job.State.WAITING, Job.State.DONE)
    if job.state == Job.State.WAITING:
        from ml_worker.running import run_here

        job = run_here(Job.Kind.INGEST, recording.pk)
    assert job.state == Job.State.DONE, job.failure
    recording.refresh_from_db()
    assert recording.state == Recording.State.READY
    assert Recording.objects.count() == 1
    with recording.audio.open() as stored:
        assert stored.size > 0


def running_or_done(recording: Recording) -> bool:
    return Job.objects.filter(subject=str(recording.pk)).exclude(state=Job.State.WAITING).exists()
