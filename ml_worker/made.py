"""What machines made, as the admin's pages show it: checkpoints with what they know of themselves, and releases."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from django.db.models import Count, Q

from ml_worker.chain import plural
from ml_worker.models import COMPARED, Checkpoint, Job, StandingChange
from ml_worker.work.release import DRAFT
from recordings.models import CoverFragment, Humming, Release, ReleasedVersion, TrainingUse
from recordings.release.removed import taken_back

# Spans at which the page tells the null level, seconds: the shortest fragment, a usual one, the longest.
TOLD_SPANS_S = (4.0, 10.0, 20.0)
# Points of a learning curve, as many as the eye tells apart, and rows of the table that says the same.
POINTS, ROWS = 120, 12


@dataclass(frozen=True)
class Gone:
    """How many of the versions that trained a checkpoint may not be trained on any more, each for one reason."""

    withdrawn: int = 0
    taken_down: int = 0
    unwilling: int = 0

    def __bool__(self) -> bool:
        return any(astuple(self))

    @property
    def in_words(self) -> str:
        """The mark of the checkpoint, in a sentence; "" where nothing is gone."""
        parts = []
        if self.withdrawn:
            parts.append(f"{hums_in_words(self.withdrawn)} {'was' if self.withdrawn == 1 else 'were'} withdrawn")
        if self.taken_down:
            parts.append(f"{self.taken_down} {plural(self.taken_down, 'version')} whose song was taken down")
        if self.unwilling:
            whose = "whose singer has" if self.unwilling == 1 else "whose singers have"
            words = f"{self.unwilling} {plural(self.unwilling, 'hum')} {whose} said no to AI training"
            parts.append(words)
        if not parts:
            return ""
        return f"Trained on {listed(parts)} since; train anew to leave {'it' if self.total == 1 else 'them'} out."

    @property
    def total(self) -> int:
        return sum(astuple(self))


def hums_in_words(number: int) -> str:
    return f"{number} {plural(number, 'hum')} that"


def listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


class CurveRow(NamedTuple):
    """A line of the table of a learning curve: the loss since the line before, the hit rate if there was a look."""

    step: int
    loss: float
    hit_rate: float | None


@dataclass(frozen=True)
class LearningCurve:
    """How a training went.

    Attributes:
        losses: (step, loss), the loss being the median of the steps since the point before.
        hit_rates: (step, top-1 of validation hums, 0..1); none where there were no validation songs.
        rows: the same in a few lines.
    """

    losses: list[tuple[int, float]]
    hit_rates: list[tuple[int, float]]
    rows: list[CurveRow]

    @classmethod
    def of(cls, losses: Sequence[float], looks: Sequence[dict[str, Any]]) -> LearningCurve:
        """Of one loss a step, and looks at the validation hums."""
        hit_rates = [(int(look["step"]), float(look["top1"])) for look in looks]
        steps = evenly([step for step, _ in hit_rates] or range(1, len(losses) + 1), ROWS)
        found = dict(hit_rates)
        rows = [CurveRow(step, loss, found.get(step)) for step, loss in medians(losses, steps)]
        return cls(medians(losses, evenly(range(1, len(losses) + 1), POINTS)), hit_rates, rows)

    @property
    def in_words(self) -> str:
        """What the picture shows."""
        if not self.rows:
            return ""
        words = f"The loss over {self.rows[-1].step:,} steps, from {self.losses[0][1]:.2f} to {self.losses[-1][1]:.2f}"
        if not self.hit_rates:
            return f"{words}."
        best_step, best = max(self.hit_rates, key=lambda point: point[1])
        last = self.hit_rates[-1][1]
        return f"{words}; hits at first place {last:.2f} at the end and at best {best:.2f}, after step {best_step:,}."

    @property
    def plotted_json(self) -> str:
        """For the page's script."""
        return json.dumps({"losses": self.losses, "hit_rates": self.hit_rates})


def evenly(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of these steps, evenly spread, with the last one."""
    count = min(most, len(steps))
    return [steps[len(steps) * (number + 1) // count - 1] for number in range(count)]


def medians(losses: Sequence[float], steps: Sequence[int]) -> list[tuple[int, float]]:
    """(step, median loss since the step before) for rising steps, which count from 1."""
    return [(last, round(median(losses[first:last]), 4)) for first, last in pairwise([0, *steps]) if losses[first:last]]


@dataclass(frozen=True)
class ShownCheckpoint:
    """A checkpoint in figures.

    Attributes:
        is_latest: it is the one that is used, of its kind.
        hums, covers: how many versions of each it was trained on.
        tunes: that hums were simulated of.
        gone: what it was trained on and what may not be trained on any more, by the reason.
        found: cover fragments that were found with it.
    """

    row: Checkpoint
    is_latest: bool
    songs: int
    hums: int
    covers: int
    tunes: int
    gone: Gone
    found: int

    @property
    def self_made_percent(self) -> float:
        """Of the labels that it was trained on, how many nobody but a machine has judged."""
        return 100 * self.row.figures.get("material", {}).get("self_made_of_pairs", 0.0)

    @cached_property
    def curve(self) -> LearningCurve:
        return LearningCurve.of(self.row.figures.get("losses", []), self.looks)

    @property
    def compared_in_words(self) -> str:
        """How it compares with the starter checkpoint; "" where that was not measured."""
        compared = self.row.figures.get(COMPARED)
        if not compared:
            return ""
        hums = "simulated hums" if compared.get("is_simulated") else "hums of validation songs"
        words = f"MRR {compared['mrr']:.2f} on {compared['queries']} {hums}"
        return f"{words}, that of the starter checkpoint {compared['mrr_of_starter']:.2f}."

    @cached_property
    def changed_by_hand(self) -> StandingChange | None:
        """The latest change of how it stands, where a person made it."""
        changes = self.row.standing_changes.filter(undone_at=None).select_related("person")
        latest = changes.order_by("pk").last()
        return latest if latest and latest.person else None

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
    used = {latest.pk for kind in {row.kind for row in rows} if (latest := Checkpoint.objects.latest(kind))}
    gone = taken_away()
    return [shown_checkpoint(row, row.pk in used, gone.get(row.pk, Gone())) for row in rows]


def shown_checkpoint(row: Checkpoint, is_latest: bool, gone: Gone) -> ShownCheckpoint:
    versions = row.data["versions"]
    songs, different = {song for song, _, _ in versions}, {version for _, _, version in versions}
    material = row.figures.get("material", {})
    covers = material.get("covers_by_people", 0) + material.get("covers_by_machine", 0)
    return ShownCheckpoint(
        row=row,
        is_latest=is_latest,
        songs=len(songs),
        hums=len(different) - covers,
        covers=covers,
        tunes=len(row.data.get("tunes", ())),
        gone=gone,
        found=CoverFragment.objects.filter(checkpoint=row.name).count(),
    )


def taken_away() -> dict[str, Gone]:
    """What trained each checkpoint and may not be trained on any more; a version counts for its first reason."""
    down = Q(fragment__recording__song__taken_down_at__isnull=False)
    withdrawn = Q(state=Humming.State.WITHDRAWN)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, versions in (
        ("withdrawn", Humming.objects.filter(withdrawn)),
        ("taken_down", Humming.objects.filter(down).exclude(withdrawn)),
        ("taken_down", CoverFragment.objects.filter(down)),
        ("unwilling", Humming.objects.filter(ai_training=False).exclude(withdrawn | down)),
    ):
        uses = TrainingUse.objects.filter(version_id__in=versions.order_by().values("pk"))
        for checkpoint, number in uses.values_list("checkpoint").annotate(n=Count("pk")):
            counts[checkpoint][reason] += number
    return {checkpoint: Gone(**of_it) for checkpoint, of_it in counts.items()}


@dataclass(frozen=True)
class ShownRelease:
    """A version: frozen, or asked for and not frozen yet; with the latest job that exports it.

    Attributes:
        gone: how many of its versions were withdrawn or taken down since it was published.
    """

    version: str
    row: Release | None
    job: Job | None
    gone: int = 0

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
        """Whether it may be asked for again: it is out, and no job is open for it nor waits to be started again."""
        is_out = self.row is not None and self.row.is_published
        return is_out and (self.job is None or self.job.state == Job.State.DONE)

    @property
    def is_no_more(self) -> bool:
        """Whether it was a draft, which was discarded since."""
        return self.row is None and self.job is not None and self.job.state == Job.State.DONE

    @property
    def was_frozen(self) -> bool:
        """Whether its work was at a draft when it ended early, and that draft was discarded since."""
        return self.row is None and self.is_interrupted and "snapshot" in self.job.arguments

    @property
    def is_interrupted(self) -> bool:
        return self.job is not None and self.job.state in Job.INTERRUPTED

    @property
    def again(self) -> str:
        """What the button does that starts its job again; "" where that cannot be: only the draft that was looked at is
        published, and it is no more."""
        if self.does == "Draft":
            return "Start again"
        if self.row is None:
            return ""
        return "Go on exporting" if self.row.is_published else "Go on publishing"

    @property
    def does(self) -> str:
        """What its job does."""
        if self.job and self.job.arguments.get("step") == DRAFT:
            return "Draft"
        return "Export" if self.row and self.row.is_published else "Publication"

    @property
    def is_open(self) -> bool:
        """Whether it waits to be written, or is being written."""
        return self.job is not None and self.job.state in Job.OPEN

    @property
    def stopped_in_words(self) -> str:
        """Who stopped its job, and whether anything of it is out."""
        if self.job is None or self.job.state != Job.State.STOPPED:
            return ""
        is_out = {"Draft": "", "Publication": " It is not published.", "Export": " It is out, as before."}
        return self.job.message + is_out[self.does]

    @property
    def gone_in_words(self) -> str:
        """What may not be handed on any more of what was exported; "" where nothing is gone."""
        if not self.gone:
            return ""
        were, them = ("was", "it") if self.gone == 1 else ("were", "them")
        return (
            f"{self.gone} of its versions {were} withdrawn or taken down since. Its exported folder still holds "
            f"{them}, and so does one that is exported again: do not hand it on, to Zenodo or Hugging Face. Publish a "
            "new release instead."
        )

    @property
    def notes(self) -> str:
        """The words for the changelog: the draft's, or, where it is no more, those that it had."""
        if self.row or self.job is None:
            return self.row.notes if self.row else ""
        return self.job.arguments.get("notes") or (self.job.result or {}).get("notes") or ""

    @property
    def snapshot(self) -> str:
        """Which draft it is, among those that were frozen of this version; "" where there is none."""
        return self.row.settings.get("snapshot", "") if self.row else ""

    @property
    def folder(self) -> str:
        """Where its latest export lies."""
        done = self.job and self.job.state == Job.State.DONE and self.job.result
        return done["folder"] if done and self.row and self.row.is_published else ""


def releases() -> list[ShownRelease]:
    """Every version that is frozen or was asked for, the latest first."""
    jobs = {job.subject: job for job in Job.objects.filter(kind=Job.Kind.RELEASE).order_by("created_at")}
    frozen = {row.version: row for row in Release.objects.all()}
    asked = [job for version, job in jobs.items() if version not in frozen]
    newest_first = sorted([*frozen.values(), *asked], key=lambda row: row.created_at, reverse=True)
    versions = [row.version if isinstance(row, Release) else row.subject for row in newest_first]
    gone = gone_since_published()
    return [ShownRelease(version, frozen.get(version), jobs.get(version), gone.get(version, 0)) for version in versions]


def gone_since_published() -> dict[str, int]:
    """How many versions of each release that is out were withdrawn or taken down, where there are any."""
    out = ReleasedVersion.objects.exclude(release__published_at=None)
    gone = out.filter(taken_back()).values_list("release__version")
    return dict(gone.annotate(number=Count("pk")))
