"""Reports as the admin reads them: a page from a few queries, each report with its song and where it is decided."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import models

from annotation import reporting
from annotation.models import Report, ReviewItem
from recordings.models import Fragment

KINDS = {"original": "original", "cover": "cover", "humming": "hum"}
OUTCOMES = {
    Report.State.OPEN: "open",
    Report.State.REMOVED: "found wrong",
    Report.State.KEPT: "kept",
    Report.State.VOID: "void",
}


class Shown(models.TextChoices):
    """The parts of the list, in their order."""

    OPEN = "open", "Open"
    DECIDED = "decided", "Decided"


@dataclass(frozen=True)
class ShownReport:
    """A row of the list.

    Attributes:
        row: the report.
        kind: original, cover or hum.
        outcome: where it stands, in words.
        fragment: what it is of, with its song; None if it is not in the database any more.
        item: the item of the double-check that decides it; None where an admin does.
    """

    row: Report
    kind: str
    outcome: str
    fragment: Fragment | None
    item: UUID | None

    @property
    def is_an_admins(self) -> bool:
        return self.row.is_open and self.item is None


def reports(shown: str) -> models.QuerySet[Report]:
    """One part of the list: what is open oldest first, what is decided latest first."""
    if shown == Shown.OPEN:
        return reporting.open_reports()
    return Report.objects.exclude(state=Report.State.OPEN).order_by("-decided_at", "pk")


def described(rows: Iterable[Report]) -> list[ShownReport]:
    rows = list(rows)
    fragments = Fragment.objects.select_related("recording__song").in_bulk({row.fragment_id for row in rows})
    items = items_of({row.version_id for row in rows})
    return [
        ShownReport(
            row=row,
            kind=KINDS[row.audio_type],
            outcome="mended" if is_mended(row) else OUTCOMES[Report.State(row.state)],
            fragment=fragments.get(row.fragment_id),
            item=items.get(row.version_id),
        )
        for row in rows
    ]


def is_mended(row: Report) -> bool:
    """An original leaves no release: what was wrong with it is put right."""
    return row.state == Report.State.REMOVED and row.audio_type == "original"


def items_of(versions: set[UUID]) -> dict[UUID, UUID]:
    """The items of the double-check of these hums and covers."""
    of_any = models.Q(humming__in=versions) | models.Q(cover_fragment__in=versions)
    found = ReviewItem.objects.filter(of_any).values_list("pk", "humming", "cover_fragment")
    return {hum or cover: item for item, hum, cover in found}


def of_item(item: ReviewItem) -> list[ShownReport]:
    """Everything that was reported of one item, the latest first; nothing of a control item."""
    if item.control_id:
        return []
    rows = Report.objects.filter(version_id=item.version.pk).select_related("person")
    return [ShownReport(row, KINDS[row.audio_type], OUTCOMES[Report.State(row.state)], None, item.pk) for row in rows]
