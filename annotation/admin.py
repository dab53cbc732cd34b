from __future__ import annotations

from django.contrib import admin

from annotation import limits
from annotation.models import (
    AboutSinger,
    Consent,
    Control,
    ControlTold,
    Familiarity,
    Guest,
    Lease,
    Participation,
    PassedOver,
    Removal,
    Report,
    Reviewer,
    ReviewItem,
    Search,
    SearchMark,
    Skip,
    Slot,
    Study,
    StudyWork,
    Verdict,
)
from recordings.rows_admin import RowsAdmin


@admin.register(Consent)
class ConsentAdmin(RowsAdmin):
    list_display = ("person", "version", "licence", "ai_training", "at")
    list_filter = ("version", "ai_training", "at")
    search_fields = ("person__username",)
    list_select_related = ("person",)


@admin.register(AboutSinger)
class AboutSingerAdmin(RowsAdmin):
    list_display = ("person", "age_band", "gender", "musical_training", "changed_at")
    list_filter = ("age_band", "gender", "musical_training")
    search_fields = ("person__username",)
    list_select_related = ("person",)


@admin.register(Report)
class ReportAdmin(RowsAdmin):
    list_display = ("version_id", "audio_type", "release", "reason", "words", "person", "at", "state", "decided_at")
    list_filter = ("state", "audio_type", "reason", "release", "at")
    search_fields = ("version_id", "fragment_id", "words", "decided_why", "person__username")
    list_select_related = ("person",)
    date_hierarchy = "at"


@admin.register(Guest)
class GuestAdmin(RowsAdmin):
    list_display = ("person", "created_at")
    list_filter = ("created_at",)
    search_fields = ("person__username",)
    list_select_related = ("person",)


@admin.register(Removal)
class RemovalAdmin(RowsAdmin):
    list_display = ("kind", "subject", "subject_id", "person", "why", "at", "lifted_at")
    list_filter = ("kind", ("lifted_at", admin.EmptyFieldListFilter), "at")
    search_fields = ("subject", "subject_id", "why")
    list_select_related = ("person",)
    date_hierarchy = "at"


@admin.register(Familiarity)
class FamiliarityAdmin(RowsAdmin):
    list_display = ("person", "song", "knows", "at")
    list_filter = ("knows", "at")
    search_fields = ("person__username", "song__title")
    list_select_related = ("person", "song")


@admin.register(Slot)
class SlotAdmin(RowsAdmin):
    list_display = ("fragment", "number", "humming_state")
    list_filter = (("humming", admin.EmptyFieldListFilter), "number")
    search_fields = ("fragment__recording__song__title", "fragment__id")
    list_select_related = ("fragment__recording__song", "humming")

    @admin.display(description="take", ordering="humming__state")
    def humming_state(self, slot: Slot) -> str:
        return slot.humming.state if slot.humming else "–"


@admin.register(Lease)
class LeaseAdmin(RowsAdmin):
    list_display = ("person", "slot", "issued_at", "expires_at", "closed_at", "outcome")
    list_filter = ("outcome", "issued_at")
    search_fields = ("person__username", "slot__fragment__recording__song__title")
    list_select_related = ("person", "slot__fragment__recording__song")


@admin.register(Skip)
class SkipAdmin(RowsAdmin):
    list_display = ("person", "fragment", "why", "at")
    list_filter = ("why", "at")
    search_fields = ("person__username", "fragment__recording__song__title")
    list_select_related = ("person", "fragment__recording__song")


@admin.register(ReviewItem)
class ReviewItemAdmin(RowsAdmin):
    list_display = ("of", "kind", "leased_to", "leased_until", "settled_at", "created_at")
    list_filter = (
        ("humming", admin.EmptyFieldListFilter), ("settled_at", admin.EmptyFieldListFilter), "humming__state",
    )  # fmt: skip
    search_fields = (
        "humming__fragment__recording__song__title",
        "cover_fragment__fragment__recording__song__title",
        "id",
    )
    list_select_related = (
        "humming__fragment__recording__song", "cover_fragment__fragment__recording__song", "leased_to",
    )  # fmt: skip

    @admin.display
    def of(self, item: ReviewItem) -> str:
        return str(item.version.fragment)


@admin.register(Verdict)
class VerdictAdmin(RowsAdmin):
    list_display = ("item_of", "person", "decision", "reason", "words", "nudge_s", "at", "undone_at")
    list_filter = ("decision", "reason", ("undone_at", admin.EmptyFieldListFilter), "at")
    search_fields = ("person__username", "words", "item__id", "item__humming__fragment__recording__song__title")
    list_select_related = (
        "person",
        "item__humming__fragment__recording__song",
        "item__cover_fragment__fragment__recording__song",
    )
    date_hierarchy = "at"

    @admin.display(description="of")
    def item_of(self, verdict: Verdict) -> str:
        return f"{verdict.item.kind}: {verdict.item.version.fragment}"


@admin.register(PassedOver)
class PassedOverAdmin(RowsAdmin):
    list_display = ("person", "item", "at")
    list_filter = ("at",)
    search_fields = ("person__username", "item__id")
    list_select_related = ("person", "item__humming__fragment__recording__song", "item__cover_fragment__fragment")


@admin.register(Reviewer)
class ReviewerAdmin(RowsAdmin):
    list_display = ("person", "state", "changed_at", "accepts_good", "rejects_bad", "measured_verdicts", "measured_at")
    list_filter = ("state", "changed_at")
    search_fields = ("person__username",)
    list_select_related = ("person",)


@admin.register(Control)
class ControlAdmin(RowsAdmin):
    list_display = ("fragment", "kind", "fault", "similarity", "created_at", "retired_at")
    list_filter = ("fault", ("humming", admin.EmptyFieldListFilter), ("retired_at", admin.EmptyFieldListFilter))
    search_fields = ("fragment__recording__song__title", "id")
    list_select_related = ("fragment__recording__song",)


@admin.register(ControlTold)
class ControlToldAdmin(RowsAdmin):
    list_display = ("person", "control", "at")
    list_filter = ("at",)
    search_fields = ("person__username", "control__id")
    list_select_related = ("person", "control__humming__fragment__recording__song", "control__cover_fragment__fragment")


@admin.register(Study)
class StudyAdmin(RowsAdmin):
    list_display = ("name", "kind", "platform", "pieces", "places", "created_at", "closed_at")
    list_filter = ("kind", "platform", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "completion_code")


@admin.register(Participation)
class ParticipationAdmin(RowsAdmin):
    list_display = ("participant_id", "study", "person", "started_at", "completed_at")
    list_filter = (("completed_at", admin.EmptyFieldListFilter), "study__platform", "started_at")
    search_fields = ("participant_id", "session_id", "person__username", "study__name")
    list_select_related = ("study", "person")


@admin.register(StudyWork)
class StudyWorkAdmin(RowsAdmin):
    list_display = ("participation", "humming", "verdict", "at")
    list_filter = (("humming", admin.EmptyFieldListFilter), "at")
    search_fields = ("participation__participant_id", "participation__study__name")
    list_select_related = (
        "participation__study", "humming__fragment__recording__song", "verdict",
    )  # fmt: skip


# The admin's own sign-in guesses passwords no faster than the other one.
admin.site.login = limits.sign_ins(admin.site.login)  # type: ignore[method-assign]


@admin.register(Search)
class SearchAdmin(RowsAdmin):
    list_display = ("id", "owner", "partial", "state", "code", "created_at", "finished_at")
    list_filter = ("state", "partial", "created_at")
    search_fields = ("id", "hum", "owner__username")
    list_select_related = ("owner",)


@admin.register(SearchMark)
class SearchMarkAdmin(RowsAdmin):
    list_display = ("search", "song", "right", "humming", "at")
    list_filter = ("right", "at")
    search_fields = ("song__title",)
    list_select_related = ("search", "song", "humming")
