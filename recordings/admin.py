from __future__ import annotations

from django.contrib import admin

from recordings.models import (
    Analysis,
    AvailabilityCheck,
    CoverCandidate,
    CoverFragment,
    CoverSearch,
    Estimate,
    Fragment,
    HumCheck,
    Humming,
    Recording,
    Release,
    ReleasedVersion,
    Song,
    StateChange,
    TrainingUse,
)
from recordings.rows_admin import RowsAdmin, seconds

admin.site.site_header = "CHAD, row by row"
admin.site.site_title = "CHAD"
admin.site.index_title = "Rows"
admin.site.site_url = "/manage/"
admin.site.enable_nav_sidebar = False


@admin.register(Song)
class SongAdmin(RowsAdmin):
    list_display = ("title", "artist", "origin", "year", "split", "taken_down_at", "created_at")
    list_filter = ("split", ("taken_down_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("title", "artist", "origin", "id")
    date_hierarchy = "created_at"
    changeable = ("title", "artist", "origin", "year")
    # Taking down touches more than this row: it is done on the song's own page under /manage/.


@admin.register(Recording)
class RecordingAdmin(RowsAdmin):
    list_display = (
        "song", "kind", "artist", "source", "state", seconds("duration_s", 1), "sample_rate", "is_available", "licence",
        "redistributable",
    )  # fmt: skip
    list_filter = ("kind", "source", "state", "is_available", "redistributable", "licence")
    search_fields = ("song__title", "artist", "youtube_id", "tune", "id", "upload_sha256")
    list_select_related = ("song",)
    changeable = ("artist", "licence", "redistributable")


@admin.register(Analysis)
class AnalysisAdmin(RowsAdmin):
    list_display = ("recording", "separation", "tracker", "voiced_share", "created_at")
    list_filter = ("separation", "tracker")
    search_fields = ("recording__song__title", "recording__id")
    list_select_related = ("recording__song",)


@admin.register(Fragment)
class FragmentAdmin(RowsAdmin):
    list_display = ("song", seconds("start_s"), seconds("end_s"), seconds("duration_s"), "origin", "retired_at")
    list_filter = ("origin", ("retired_at", admin.EmptyFieldListFilter))
    search_fields = ("recording__song__title", "id")
    list_select_related = ("recording__song",)


@admin.register(Humming)
class HummingAdmin(RowsAdmin):
    list_display = (
        "song", "singer", "state", seconds("duration_s"), "surplus", "simulated", "consent_version", "ai_training",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "surplus", "simulated", "consent_version", "ai_training", "created_at")
    search_fields = ("fragment__recording__song__title", "singer__username", "id")
    list_select_related = ("fragment__recording__song", "singer")
    date_hierarchy = "created_at"

    @admin.display(ordering="fragment__recording__song__title")
    def song(self, humming: Humming) -> str:
        return str(humming.fragment)


@admin.register(Estimate)
class EstimateAdmin(RowsAdmin):
    list_display = ("humming", "quantity", "method", "value", "confidence", "created_at")
    list_filter = ("quantity", "method", "created_at")
    search_fields = ("humming__id", "humming__fragment__recording__song__title")
    list_select_related = ("humming__fragment__recording__song",)


@admin.register(HumCheck)
class HumCheckAdmin(RowsAdmin):
    list_display = (
        "humming",
        "ok",
        "found",
        "similarity",
        seconds("offset_s"),
        "tempo_ratio",
        "transposition",
        "method",
    )
    list_filter = ("ok", "method", "created_at")
    search_fields = ("humming__fragment__recording__song__title", "humming__id")
    list_select_related = ("humming__fragment__recording__song",)

    @admin.display
    def found(self, check: HumCheck) -> str:
        return ", ".join(reason["code"] for reason in check.reasons) or "–"


@admin.register(CoverFragment)
class CoverFragmentAdmin(RowsAdmin):
    list_display = (
        "fragment", "state", "correlation", "null_level", seconds("start_s"), seconds("end_s"), "tempo_ratio",
        "transposition", "checkpoint",
    )  # fmt: skip
    list_filter = ("state", "checkpoint", "created_at")
    search_fields = ("fragment__recording__song__title", "recording__artist", "id")
    list_select_related = ("fragment__recording__song",)


@admin.register(Release)
class ReleaseAdmin(RowsAdmin):
    list_display = ("version", "created_at", "published_at", "songs", "versions_in_it")
    search_fields = ("version",)
    secret_keys = ("pseudonym_key",)

    @admin.display
    def songs(self, release: Release) -> int | str:
        return release.settings.get("counts", {}).get("songs", "–")

    @admin.display(description="versions")
    def versions_in_it(self, release: Release) -> int | str:
        return release.settings.get("counts", {}).get("versions", "–")


@admin.register(ReleasedVersion)
class ReleasedVersionAdmin(RowsAdmin):
    list_display = ("version_id", "release", "audio_type", "audio")
    list_filter = ("release", "audio_type")
    search_fields = ("version_id", "audio")
    list_select_related = ("release",)


@admin.register(TrainingUse)
class TrainingUseAdmin(RowsAdmin):
    list_display = ("version_id", "checkpoint")
    list_filter = ("checkpoint",)
    search_fields = ("version_id", "checkpoint")


@admin.register(StateChange)
class StateChangeAdmin(RowsAdmin):
    list_display = ("subject", "subject_id", "before", "after", "why", "person", "at")
    list_filter = ("subject", "after", "at")
    search_fields = ("subject_id", "why", "person__username")
    list_select_related = ("person",)
    date_hierarchy = "at"


@admin.register(CoverCandidate)
class CoverCandidateAdmin(RowsAdmin):
    list_display = (
        "title", "song", "channel", seconds("duration_s", 1), "views", "state", "decided_by", "decided_at",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "decided_at", "created_at")
    search_fields = ("title", "channel", "youtube_id", "song__title", "found_by", "id")
    list_select_related = ("song", "decided_by")


@admin.register(CoverSearch)
class CoverSearchAdmin(RowsAdmin):
    list_display = ("query", "song", "found", "new", "at")
    list_filter = ("at",)
    search_fields = ("query", "song__title")
    list_select_related = ("song",)


@admin.register(AvailabilityCheck)
class AvailabilityCheckAdmin(RowsAdmin):
    list_display = ("recording", "at", "is_available", "said", "next_at")
    list_filter = ("is_available", "at")
    search_fields = ("recording__youtube_id", "recording__song__title", "said")
    list_select_related = ("recording__song",)
