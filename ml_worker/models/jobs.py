"""Jobs: the work of machines, as rows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from recordings.models import Recording

# A running job says so at least this often; one that has been still for three times as long lost its worker.
HEARTBEAT = timedelta(seconds=10)
STALE_AFTER = 3 * HEARTBEAT
# A job whose worker dies this often is the cause of it, and is not tried again by itself.
MAX_ATTEMPTS = 3


class JobQuerySet(models.QuerySet["Job"]):
    def open(self) -> Self:
        return self.filter(state__in=Job.OPEN)

    def waiting(self) -> Self:
        return self.filter(state=Job.State.WAITING)

    def of_queue(self, queue: str) -> Self:
        return self.filter(kind__in=Job.HEAVY) if queue == "heavy" else self.exclude(kind__in=Job.HEAVY)

    def urgent(self) -> Self:
        """Jobs that somebody waits for."""
        return self.filter(priority__gt=Job.UNHURRIED)

    def running_unhurried(self) -> Self:
        return self.filter(state=Job.State.RUNNING, priority__lte=Job.UNHURRIED)

    def most_urgent_first(self) -> Self:
        return self.order_by("-priority", "created_at")

    def stale(self) -> Self:
        return self.filter(state=Job.State.RUNNING, heartbeat_at__lt=timezone.now() - STALE_AFTER)


class Job(models.Model):
    """One piece of work for a machine. It may be killed at any moment and run twice."""

    class Kind(models.TextChoices):
        RENDER = "render", "render a tune"
        SEARCH = "search", "search for covers of a song"
        FETCH = "fetch", "fetch a video"
        AVAILABLE = "available", "look whether videos are still there"
        INGEST = "ingest", "read a file"
        ANALYSE = "analyse", "analyse a recording"
        CHECK = "check", "check a hum"
        TRAIN = "train", "train the model"
        MINE = "mine", "mine the covers of a song"
        RELEASE = "release", "export a release"
        CONTROLS = "controls", "make control items"
        CROWD = "crowd", "measure the reviewers"
        REASK = "reask", "ask anew what a reviewer judged"
        ROUND = "round", "a round of the loop"
        INDEX = "index", "build the index of songs"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"
        """A person stopped it; it can be started again."""

    OPEN = (State.WAITING, State.RUNNING)
    # May be started again.
    INTERRUPTED = (State.FAILED, State.STOPPED)
    # The priority of what nobody waits for.
    UNHURRIED = 0
    HEAVY = (Kind.TRAIN, Kind.MINE, Kind.RELEASE, Kind.ROUND)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    subject = models.CharField(max_length=80, blank=True, help_text="The id of the row that it is about")
    arguments = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_index=True)
    priority = models.SmallIntegerField(default=0, help_text="Higher first")
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(default=0.0, help_text="0..1")
    message = models.TextField(blank=True, help_text="What it is doing, or what came of it")
    failure = models.TextField(blank=True)
    result = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(state__in=("waiting", "running")),
                name="one_open_job_of_a_thing",
            )
        ]
        indexes = [models.Index(fields=["state", "-priority", "created_at"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}".strip()

    @classmethod
    def ask(cls, kind: str, subject: Any = "", /, *, priority: int = 0, **arguments: Any) -> Job:
        """The open job of this kind about this subject, made if there is none."""
        job, _ = cls.objects.open().get_or_create(
            kind=kind, subject=str(subject), defaults={"arguments": arguments, "priority": priority}
        )
        return job

    @classmethod
    @transaction.atomic
    def claim(cls, worker: str, waiting: models.QuerySet[Job]) -> Job | None:
        """The most urgent of these waiting jobs, now running for this worker; None when there is none."""
        job = waiting.waiting().most_urgent_first().select_for_update(skip_locked=True).first()
        if job is None:
            return None
        job.state, job.worker = cls.State.RUNNING, worker
        job.attempts += 1
        job.started_at = job.heartbeat_at = timezone.now()
        job.progress, job.failure = 0.0, ""
        job.save()
        return job

    def beat(self) -> None:
        type(self).objects.filter(pk=self.pk, state=self.State.RUNNING).update(heartbeat_at=timezone.now())

    def report(self, progress: float, message: str) -> None:
        """What the admin's page shows while it runs."""
        now = timezone.now()
        self.progress, self.message = progress, message
        type(self).objects.filter(pk=self.pk).update(progress=progress, message=message, heartbeat_at=now)

    def finish(self, message: str, result: Any = None) -> None:
        self.state, self.progress, self.message, self.result = self.State.DONE, 1.0, message, result
        self.finished_at = timezone.now()
        self.save(update_fields=["state", "progress", "message", "result", "finished_at"])

    def fail(self, sentence: str) -> None:
        self.state, self.failure, self.finished_at = self.State.FAILED, sentence, timezone.now()
        self.save(update_fields=["state", "failure", "finished_at"])

    @transaction.atomic
    def ask_to_stop(self, person: AbstractBaseUser | None = None) -> bool:
        """Has an open job stop: at once where no worker is at it, else at the next place where its work looks whether
        it is to. False if it is over."""
        job = Job.objects.select_for_update().get(pk=self.pk)
        if job.state in self.OPEN and job.stop_asked_at is None:
            job.stop_asked_at, job.stop_asked_by = timezone.now(), person
            job.save(update_fields=["stop_asked_at", "stop_asked_by"])
        if job.state == self.State.WAITING or Job.objects.stale().filter(pk=job.pk).exists():
            job.stop()
            self.refresh_from_db()
            return True
        self.refresh_from_db()
        return job.state in self.OPEN

    @property
    def is_to_stop(self) -> bool:
        """Whether somebody asked it to stop, as the row says now."""
        return Job.objects.filter(pk=self.pk, stop_asked_at__isnull=False).exists()

    @property
    def is_stopping(self) -> bool:
        return self.state in self.OPEN and self.stop_asked_at is not None

    def stop(self) -> None:
        """It was asked to stop, and does."""
        self.refresh_from_db(fields=["stop_asked_at", "stop_asked_by"])
        self.message = f"Stopped by {self.stop_asked_by or 'an admin'}."
        self.state, self.finished_at = self.State.STOPPED, timezone.now()
        self.save(update_fields=["state", "message", "finished_at"])

    @transaction.atomic
    def start_again(self) -> bool:
        """A failed or stopped job waits anew, with all its attempts before it. False if it is neither."""
        job = Job.objects.select_for_update().get(pk=self.pk)
        twin = Job.objects.open().filter(kind=job.kind, subject=job.subject).exists()
        if job.state not in self.INTERRUPTED or twin:
            return False
        if job.kind in (self.Kind.RENDER, self.Kind.FETCH, self.Kind.INGEST):
            Recording.objects.filter(pk=job.subject, state=Recording.State.FAILED).update(
                state=Recording.State.WAITING, failure=""
            )
        self.state, self.attempts, self.failure, self.message = self.State.WAITING, 0, "", ""
        self.stop_asked_at = self.stop_asked_by = None
        self.save(update_fields=["state", "attempts", "failure", "message", "stop_asked_at", "stop_asked_by"])
        return True

    def put_back(self) -> None:
        """Back to waiting after its worker was lost, unless it has cost too many workers or was asked to stop."""
        still_lost = Job.objects.stale().filter(pk=self.pk)
        if self.is_to_stop and still_lost.exists():
            self.stop()
        elif self.attempts >= MAX_ATTEMPTS and still_lost.exists():
            self.fail(
                f"Its worker died {self.attempts} times while it ran. Look at the worker's log, then start it again."
            )
        else:
            still_lost.update(state=self.State.WAITING)
