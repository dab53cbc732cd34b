from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chad_site.celery import nudge
from ml_worker.models import (
    Checkpoint,
    FingerprintSet,
    IndexedRecording,
    Job,
    MinedPair,
    Round,
    RoundFinding,
    RoundStep,
    SearchIndex,
    StandingChange,
    WindowPart,
)
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


@admin.register(StandingChange)
class StandingChangeAdmin(RowsAdmin):
    list_display = ("checkpoint", "before", "after", "why", "person", "at", "undone_at")
    list_filter = ("after", "at")
    search_fields = ("checkpoint__name", "why")


@admin.register(Round)
class RoundAdmin(RowsAdmin):
    list_display = ("number", "state", "why", "asked_by", "created_at", "finished_at")
    list_filter = ("state", "created_at")
    search_fields = ("why", "decision")


@admin.register(RoundStep)
class RoundStepAdmin(RowsAdmin):
    list_display = ("round", "name", "state", "reason", "attempts", "started_at", "finished_at")
    list_filter = ("name", "state")
    search_fields = ("reason",)
    list_select_related = ("round",)


@admin.register(RoundFinding)
class RoundFindingAdmin(RowsAdmin):
    list_display = ("round", "fragment", "recording", "start_s", "correlation", "is_sure", "asked_about")
    list_filter = ("round", "is_sure")
    search_fields = ("fragment__recording__song__title",)
    list_select_related = ("round", "fragment__recording__song", "recording__song", "asked_about")


@admin.register(MinedPair)
class MinedPairAdmin(RowsAdmin):
    list_display = ("original", "cover", "finding", "covered_share", "tempo_ratio", "checkpoint", "created_at")
    list_filter = ("finding", "checkpoint")
    search_fields = ("original__song__title",)
    list_select_related = ("original__song", "cover__song")


@admin.register(FingerprintSet)
class FingerprintSetAdmin(RowsAdmin):
    list_display = ("recording", "checkpoint", "created_at")
    list_filter = ("checkpoint", "created_at")
    search_fields = ("analysis__recording__song__title", "checkpoint__name")
    list_select_related = ("analysis__recording__song", "checkpoint")


@admin.register(SearchIndex)
class SearchIndexAdmin(RowsAdmin):
    list_display = (
        "created_at",
        "state",
        "engine",
        "songs",
        "windows",
        "bytes",
        "growths",
        "line",
        "built_at",
        "problem",
    )
    list_filter = ("state", "engine", "created_at")


@admin.register(IndexedRecording)
class IndexedRecordingAdmin(RowsAdmin):
    list_display = ("index", "recording", "analysis")
    list_filter = ("index",)
    search_fields = ("recording__song__title",)
    list_select_related = ("index", "recording__song")


@admin.register(WindowPart)
class WindowPartAdmin(RowsAdmin):
    list_display = ("index", "segment", "checkpoint", "windows", "bytes", "created_at")
    list_filter = ("index",)
    list_select_related = ("index",)
