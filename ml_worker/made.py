"""What machines made, as the admin's pages show it: checkpoints with what they know of themselves, and releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ml_worker.jobs_in_words import uuids
from ml_worker.models import Checkpoint, Job
from recordings.models import CoverFragment, Humming, Release

# Spans at which the page tells the null level, seconds: the shortest fragment, a usual one, the longest.
TOLD_SPANS_S = (4.0, 10.0, 20.0)


@dataclass(frozen=True)
class ShownCheckpoint:
    """A checkpoint in figures.

    Attributes:
        is_latest: it is the one that is used, of its kind.
        gone: hums that it was trained on and that were withdrawn since, or whose song was taken down.
        found: cover fragments that were found with it.
    """

    row: Checkpoint
    is_latest: bool
    songs: int
    hums: int
    gone: int
    found: int

    @property
    def losses(self) -> list[float]:
        return self.row.figures.get("losses", [])

    @property
    def looks(self) -> list[dict[str, Any]]:
        """What the validation songs said as the training went on; the last is of the checkpoint itself."""
        return self.row.figures.get("validation", [])

    @property
    def settings(self) -> list[tuple[str, Any]]:
        """Every setting by name, those of the augmentation after the others."""
        plain = dict(self.row.settings)
        augmentation = plain.pop("augmentation", {})
        return [
            *sorted(plain.items()),
            *((f"augmentation: {name}", augmentation[name]) for name in sorted(augmentation)),
        ]

    @property
    def null_floors(self) -> list[tuple[float, float]]:
        """(span in seconds, the r that nine of ten unrelated places stay below), where it is calibrated."""
        level = self.row.null_level
        if not level:
            return []
        floors = dict(zip(level["spans_s"], level["floor"], strict=True))
        return [(span_s, floors[span_s]) for span_s in TOLD_SPANS_S if span_s in floors]


def checkpoints() -> list[ShownCheckpoint]:
    """All of them, the latest first."""
    rows = list(Checkpoint.objects.select_related("job"))
    latest = {row.kind: row.pk for row in reversed(rows)}
    return [shown_checkpoint(row, latest[row.kind] == row.pk) for row in rows]


def shown_checkpoint(row: Checkpoint, is_latest: bool) -> ShownCheckpoint:
    versions = row.data["versions"]
    songs, hums = {song for song, _, _ in versions}, {hum for _, _, hum in versions}
    return ShownCheckpoint(
        row=row,
        is_latest=is_latest,
        songs=len(songs),
        hums=len(hums),
        gone=taken_away(hums),
        found=CoverFragment.objects.filter(checkpoint=row.name).count(),
    )


def taken_away(hums: set[str]) -> int:
    """How many of these hums were withdrawn, or are of a song that was taken down."""
    down = Q(fragment__recording__song__taken_down_at__isnull=False)
    return Humming.objects.filter(Q(state=Humming.State.WITHDRAWN) | down, pk__in=uuids(hums)).count()


@dataclass(frozen=True)
class ShownRelease:
    """A version: frozen, or asked for and not frozen yet; with the latest job that exports it."""

    version: str
    row: Release | None
    job: Job | None

    @property
    def counts(self) -> dict[str, Any]:
        return self.row.settings.get("counts", {}) if self.row else {}

    @property
    def hours(self) -> float:
        """Audio of all kinds together."""
        return sum(self.counts.get("hours", {}).values())

    @property
    def minutes(self) -> float:
        return 60 * self.hours

    @property
    def is_long(self) -> bool:
        return self.hours >= 1

    @property
    def can_export(self) -> bool:
        """Whether it may be asked for: it is frozen, and no job is open for it nor waits to be started again."""
        return self.row is not None and (self.job is None or self.job.state == Job.State.DONE)

    @property
    def folder(self) -> str:
        """Where its latest export lies."""
        done = self.job and self.job.state == Job.State.DONE and self.job.result
        return done["folder"] if done else ""


def releases() -> list[ShownRelease]:
    """Every version that is frozen or was asked for, the latest first."""
    jobs = {job.subject: job for job in Job.objects.filter(kind=Job.Kind.RELEASE).order_by("created_at")}
    frozen = {row.version: row for row in Release.objects.all()}
    asked = [job for version, job in jobs.items() if version not in frozen]
    newest_first = sorted([*frozen.values(), *asked], key=lambda row: row.created_at, reverse=True)
    versions = [row.version if isinstance(row, Release) else row.subject for row in newest_first]
    return [ShownRelease(version, frozen.get(version), jobs.get(version)) for version in versions]
