"""Trains a network on the accepted hums paired with their originals, and stores the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings as django_settings
from django.db import transaction

from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.training import Progress, TooLittleData, steps_for, train
from ml_worker.jobs_in_words import uuids
from ml_worker.models import Checkpoint
from ml_worker.work import CannotBeDone
from ml_worker.work.released_data import released_pairs
from ml_worker.work.training_data import hummed_pairs
from recordings.models import TrainingUse
from recordings.models.songs import Split
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
    from ml_worker.fingerprint.data import AlignedPair
    from ml_worker.models import Job
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    """Arguments of the job: kind ("short" or "long"), and epochs or steps where they are not the default."""
    report(0.0, "Gathering the accepted hums")
    pairs, validation = (pairs_of(job, split) for split in (Split.TRAIN, Split.VALIDATION))
    settings = Settings.of(job.arguments.get("kind", "short"))
    if job.arguments.get("epochs"):
        settings = settings.changed(steps=steps_for(job.arguments["epochs"], pairs, settings))
    if job.arguments.get("steps"):
        settings = settings.changed(steps=job.arguments["steps"])
    scratch = Path(django_settings.CHAD_HOME) / "training" / str(job.pk)
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        weights = train(settings, pairs, validation=validation, out=scratch, progress=teller(report))
    except TooLittleData as problem:
        raise CannotBeDone(f"{problem} Nothing was trained.") from problem
    checkpoint = store(weights, job)
    return f"{checkpoint.name}, from {len(pairs)} hums of {len(weights.data.songs)} songs.", weights.figures


def pairs_of(job: Job, split: str) -> list[AlignedPair]:
    """A split's pairs, from the release folder that the job names or from the database."""
    folder = job.arguments.get("data")
    return released_pairs(Path(folder), split) if folder else hummed_pairs(split)


def teller(report: Callable[[float, str], None]) -> Callable[[Progress], None]:
    """Tells the job's row of every tenth step."""

    def tell(at: Progress) -> None:
        if at.step % 10 == 0 or at.step == at.steps:
            report(at.step / at.steps, f"Step {at.step} of {at.steps}, loss {at.loss:.3f}")

    return tell


def store(weights: Weights, job: Job | None) -> Checkpoint:
    """The checkpoint's row and file, and a row of each version that trained it. The same weights are one checkpoint."""
    before = Checkpoint.objects.filter(pk=weights.name).first()
    if before:
        return before
    checkpoint = Checkpoint(
        name=weights.name,
        kind=weights.settings.kind,
        settings=weights.settings.as_dict(),
        data=weights.data.as_dict(),
        figures=weights.figures,
        job=job,
    )
    put(checkpoint.file, "weights", weights.to_bytes())
    with transaction.atomic():
        checkpoint.save()
        note_uses(checkpoint)
    return checkpoint


def note_uses(checkpoint: Checkpoint) -> None:
    """Which versions trained it, so that a removal finds it. What was trained on elsewhere is no row here."""
    versions = uuids({version for _, _, version in checkpoint.data["versions"]})
    uses = [TrainingUse(version_id=version, checkpoint=checkpoint.name) for version in sorted(versions)]
    TrainingUse.objects.bulk_create(uses, ignore_conflicts=True, batch_size=1000)
