from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chad_site.celery import nudge
from ml_worker.models import Checkpoint, FingerprintSet, Job
from recordings.rows_admin import RowsAdmin


@admin.register(Job)
class JobAdmin(RowsAdmin):
    list_display = (
        "kind",
        "subject",
        "state",
        "percent",
        "attempts",
        "worker",
        "started_at",
        "finished_at",
    )
    list_filter = ("state", "kind", "created_at")
    search_fields = ("subject", "message", "failure", "worker", "id")
    date_hierarchy = "created_at"
    actions = ("start_again",)

    @admin.display(description="progress", ordering="progress")
    def percent(self, job: Job) -> str:
        return f"{job.progress:.0%}"

    @admin.action(permissions=["act"], description="Start failed jobs again")
    def start_again(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        started = sum(job.start_again() for job in jobs)
        if started:
            nudge()
        left = jobs.count() - started
        self.message_user(request, f"Started again: {started}.")
        if left:
            self.message_user(request, f"Left as they are, as they had not failed: {left}.", messages.WARNING)


@admin.register(Checkpoint)
class CheckpointAdmin(RowsAdmin):
    list_display = ("name", "kind", "hums", "loss", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("name",)

    @admin.display
    def hums(self, checkpoint: Checkpoint) -> int:
        return len({version for _, _, version in checkpoint.data["versions"]})

    @admin.display(description="last loss")
    def loss(self, checkpoint: Checkpoint) -> str:
        loss = checkpoint.figures.get("loss_last")
        return "–" if loss is None else f"{loss:.3f}"


@admin.register(FingerprintSet)
class FingerprintSetAdmin(RowsAdmin):
    list_display = ("recording", "checkpoint", "created_at")
    list_filter = ("checkpoint", "created_at")
    search_fields = ("analysis__recording__song__title", "checkpoint__name")
    list_select_related = ("analysis__recording__song", "checkpoint")
