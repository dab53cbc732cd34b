"""Jobs as the admin reads them: what each is about by name, where to look at it, how far it is, what came of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone

from annotation.models import Reviewer
from ml_worker.models import Job, Round
from recordings.models import Humming, Recording, Song

ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

OF_A_RECORDING = (Job.Kind.RENDER, Job.Kind.FETCH, Job.Kind.INGEST, Job.Kind.ANALYSE)


class About(NamedTuple):
    """What a job is about, and the page that shows it ("" where there is none)."""

    name: str
    url: str


def described(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Jobs for the page's script, the names of what they are about looked up at one go for all of them."""
    jobs = list(jobs)
    about = what_they_are_about(jobs)
    return [describe(job, about[job.pk]) for job in jobs]


def describe(job: Job, about: About | None = None) -> dict[str, Any]:
    about = about or what_they_are_about([job])[job.pk]
    return {
        "id": str(job.pk),
        "title": job.get_kind_display(),
        "kind": job.kind,
        "about": about.name,
        "url": about.url,
        "subject": job.subject,
        "state": job.state,
        "progress": job.progress,
        "message": job.message,
        "failure": job.failure,
        "attempts": job.attempts,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def what_they_are_about(jobs: Iterable[Job]) -> dict[UUID, About]:
    """What each job is about; of a row that is gone only its id is left to tell."""
    subjects: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        subjects[job.kind].append(job)
    found = {}
    for kind, of_a_kind in subjects.items():
        rows = rows_of(kind, [job.subject for job in of_a_kind])
        found |= {job.pk: about(kind, job.subject, rows.get(job.subject)) for job in of_a_kind}
    return found


def rows_of(kind: str, subjects: list[str]) -> dict[str, Model]:
    """The rows that jobs of a kind are about, by their ids as text."""
    rows = table_of(kind)
    if rows is None:
        return {}
    return {str(row.pk): row for row in rows.filter(pk__in=uuids(subjects))}


def table_of(kind: str) -> QuerySet | None:
    if kind in OF_A_RECORDING:
        return Recording.objects.select_related("song")
    if kind in (Job.Kind.MINE, Job.Kind.SEARCH):
        return Song.objects.all()
    if kind == Job.Kind.CHECK:
        return Humming.objects.select_related("fragment__recording__song")
    if kind == Job.Kind.REASK:
        return Reviewer.objects.select_related("person")
    if kind == Job.Kind.ROUND:
        return Round.objects.all()
    return None


def duration_of(job: Job) -> str:
    """How long a job took, or has taken so far; "" of one that has not started."""
    if job.started_at is None or job.state == Job.State.WAITING:
        return ""
    # One that was started again still knows when it ended before.
    end = timezone.now() if job.state == Job.State.RUNNING else job.finished_at
    seconds = round((end - job.started_at).total_seconds())
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def uuids(texts: Iterable[str]) -> list[UUID]:
    """Those of these texts that are ids; a checkpoint that was trained elsewhere may name things otherwise."""
    return [UUID(text) for text in texts if ID.fullmatch(text)]


def about(kind: str, subject: str, row: Model | None) -> About:
    if isinstance(row, Recording):
        return About(f"{row.song.title}, {row.kind}", reverse("song", args=[row.song_id]))
    if isinstance(row, Song):
        page = "covers-of-song" if kind == Job.Kind.SEARCH else "song"
        return About(row.title, reverse(page, args=[row.pk]))
    if isinstance(row, Humming):
        return About(row.fragment.song.title, reverse("song", args=[row.fragment.recording.song_id]))
    if isinstance(row, Round):
        return About(str(row), reverse("rounds"))
    if isinstance(row, Reviewer):
        return About(row.person.get_username(), reverse("agreement"))
    if kind in (Job.Kind.CONTROLS, Job.Kind.CROWD):
        return About("the double-check", reverse("agreement"))
    if kind == Job.Kind.INDEX:
        return About("all songs that can be found by humming", reverse("find"))
    if kind == Job.Kind.AVAILABLE:
        return About("the fetched videos", reverse("covers"))
    if kind == Job.Kind.TRAIN:
        return About(f"the {subject or 'short'} network", reverse("checkpoints"))
    if kind == Job.Kind.RELEASE:
        return About(f"version {subject}", reverse("releases"))
    return About(subject, "")
