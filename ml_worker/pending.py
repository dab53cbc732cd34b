"""What lower parts wait for, made into jobs: a recording without audio, one without an analysis, a hum without a check.

A subject whose last job failed is not tried again by itself: a person reads the sentence and starts it anew.
"""

from __future__ import annotations

from django.db.models import CharField, Exists, OuterRef, QuerySet
from django.db.models.functions import Cast

from ml_worker.models import Job
from recordings.models import Humming, Recording

# Somebody is looking at the screen.
PERSON_WAITS = 100
# Makes songs that can be hummed.
ORIGINALS = 50

KIND_OF_SOURCE = {
    Recording.Source.GENERATED: Job.Kind.RENDER,
    Recording.Source.YOUTUBE: Job.Kind.FETCH,
    Recording.Source.FILE: Job.Kind.INGEST,
}


def without_job(rows: QuerySet, kind: str) -> QuerySet:
    """Rows that no job of this kind is open for, nor failed on."""
    blocking = Job.objects.filter(
        kind=kind, subject=Cast(OuterRef("pk"), CharField()), state__in=[*Job.OPEN, Job.State.FAILED]
    )
    return rows.exclude(Exists(blocking))


def priority_of(recording: Recording) -> int:
    return ORIGINALS if recording.kind == Recording.Kind.ORIGINAL else Job.UNHURRIED


def make_jobs() -> None:
    for humming in without_job(Humming.objects.without_check(), Job.Kind.CHECK):
        Job.ask(Job.Kind.CHECK, humming.pk, priority=PERSON_WAITS)
    for source, kind in KIND_OF_SOURCE.items():
        for recording in without_job(Recording.objects.waiting().filter(source=source), kind):
            Job.ask(kind, recording.pk, priority=priority_of(recording))
    for recording in without_job(Recording.objects.without_analysis(), Job.Kind.ANALYSE):
        Job.ask(Job.Kind.ANALYSE, recording.pk, priority=priority_of(recording))
