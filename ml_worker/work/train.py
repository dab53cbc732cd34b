"""Trains a network on the accepted hums paired with their originals, and stores the checkpoint.

Training goes on from the starter checkpoint, and a part of each batch is simulated hums of tunes: with few hums, that
keeps what the starter checkpoint knows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings as django_settings
from django.db import transaction

from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.evaluation import evaluate_pairs, simulated_pairs
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.training import Progress, TooLittleData, refuse_too_little, steps_for, train
from ml_worker.jobs_in_words import uuids
from ml_worker.models import COMPARED, Checkpoint
from ml_worker.work import CannotBeDone
from ml_worker.work.released_data import released_pairs, released_sounds
from ml_worker.work.sound_versions import further_pairs, stored_sound, versions_of
from ml_worker.work.training_data import hummed_pairs, tunes_to_hum
from recordings.models import TrainingUse
from recordings.models.songs import Split
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
    from ml_worker.fingerprint.data import AlignedPair
    from ml_worker.mining.null import NullLevel
    from ml_worker.models import Job
    from ml_worker.work import Outcome

LOOKED_AT = (Split.TRAIN, Split.VALIDATION)
# Weights that know something already are changed gently: at the rate of new ones they first lose what they know.
GENTLE_RATE = 5e-4
# The part of every batch that is simulated hums of tunes.
SHARE_OF_TUNES = 0.5
# With fewer hums of validation songs than this, two checkpoints are compared on so many simulated hums.
FEWEST_COMPARED = 20
SIMULATED_COMPARED = 100
# A checkpoint counts as worse from this loss of mean reciprocal rank on; less is chance on so few hums.
TOLERATED = 0.02


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    """Arguments of the job: kind ("short" or "long"), and where they are not the default epochs or steps, data, and
    sound_versions, how many further versions each hum gets from its sound.
    """
    report(0.0, "Gathering the accepted hums")
    data = Data.of(job.arguments, report)
    weights = trained(job.arguments, data, teller(report))
    report(1.0, "Comparing it with the starter checkpoint")
    weights = replace(weights, figures={**weights.figures, **compared(weights, data), "further": len(data.further)})
    checkpoint = store(weights, job)
    further = f" and {len(data.further)} versions of their sounds" if data.further else ""
    words = f"{checkpoint.name}, from {len(data.pairs)} hums{further} of {len(weights.data.songs)} songs."
    return words, weights.figures


@dataclass(frozen=True)
class Data:
    """Hums with their originals, of training songs and of validation songs; and changed sounds of the former."""

    pairs: list[AlignedPair]
    validation: list[AlignedPair]
    further: list[AlignedPair] = field(default_factory=list)

    @classmethod
    def of(cls, arguments: Mapping[str, Any], report: Callable[[float, str], None]) -> Self:
        """From the release folder that the arguments name, or from the database."""
        folder = Path(arguments["data"]) if arguments.get("data") else None
        pairs, validation = (released_pairs(folder, split) if folder else hummed_pairs(split) for split in LOOKED_AT)
        times = versions_of(arguments.get("sound_versions"), len(pairs))
        sounds = released_sounds(folder) if folder else stored_sound
        return cls(pairs, validation, further_pairs(pairs, sounds, times, report))

    @property
    def trained_on(self) -> list[AlignedPair]:
        return [*self.pairs, *self.further]


def trained(arguments: Mapping[str, Any], data: Data, progress: Callable[[Progress], None] | None = None) -> Weights:
    """The weights that come of it. A run that was killed goes on where it was.

    Raises:
        CannotBeDone: there are too few hums.
    """
    settings = settings_of(arguments, data)
    folder = Path(django_settings.CHAD_HOME) / "training"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Tunes are no substitute for hums: a network of tunes alone is what came with CHAD already.
        refuse_too_little(settings, data.pairs)
        return train(
            settings,
            data.trained_on,
            tunes=tunes_to_hum(),
            share_of_tunes=SHARE_OF_TUNES,
            initial=beginning(settings),
            validation=data.validation,
            out=folder,
            progress=progress,
        )
    except TooLittleData as problem:
        raise CannotBeDone(f"{problem} Nothing was trained.") from problem


def settings_of(arguments: Mapping[str, Any], data: Data) -> Settings:
    """The defaults of the kind that is asked for, with as many steps."""
    settings = Settings.of(arguments.get("kind", "short"))
    if arguments.get("epochs"):
        # The hums are a part of each batch only.
        steps = math.ceil(steps_for(arguments["epochs"], data.pairs, settings) / (1 - SHARE_OF_TUNES))
        settings = settings.changed(steps=steps)
    if arguments.get("steps"):
        settings = settings.changed(steps=arguments["steps"])
    return settings.changed(learning_rate=GENTLE_RATE) if beginning(settings) else settings


def beginning(settings: Settings) -> Weights | None:
    """The starter checkpoint's weights, where its network is the one that is to be trained."""
    if settings.kind not in shipped.shipped_kinds():
        return None
    starter = shipped.starter_checkpoint(settings.kind)
    return starter if starter.settings.network == settings.network else None


# --- whether it is any better


def compared(weights: Weights, data: Data) -> dict[str, Any]:
    """How the new weights and the starter checkpoint find the same hums: a figure of the checkpoint.

    On hums of validation songs where there are enough, else on simulated hums of tunes that neither was trained on.
    Nothing where there is no starter checkpoint to compare with.
    """
    if weights.settings.kind not in shipped.shipped_kinds():
        return {}
    starter = shipped.starter_checkpoint(weights.settings.kind)
    is_simulated = len(data.validation) < FEWEST_COMPARED
    if is_simulated:
        data = Data([], simulated_pairs(shipped.unseen_tunes(SIMULATED_COMPARED), weights.settings, seed=0))
    new, old = (evaluate_pairs(one.encoder(), one.settings, data.validation, data.pairs) for one in (weights, starter))
    figure = {
        "with": starter.name,
        "mrr": round(new.mrr, 4),
        "mrr_of_starter": round(old.mrr, 4),
        "queries": new.queries,
        "is_simulated": is_simulated,
        "is_worse": new.mrr < old.mrr - TOLERATED,
    }
    return {COMPARED: figure}


# --- telling and storing


def teller(report: Callable[[float, str], None]) -> Callable[[Progress], None]:
    """Tells the job's row of every tenth step."""

    def tell(at: Progress) -> None:
        if at.step % 10 == 0 or at.step == at.steps:
            report(at.step / at.steps, f"Step {at.step} of {at.steps}, loss {at.loss:.3f}")

    return tell


def store(weights: Weights, job: Job | None, null: NullLevel | None = None) -> Checkpoint:
    """The checkpoint's row and file, and a row of each version that trained it. What no job made came with CHAD.

    The same weights are one checkpoint, also where two processes store them at once: the second waits for the first.
    """
    facts = {
        "kind": weights.settings.kind,
        "settings": weights.settings.as_dict(),
        "data": weights.data.as_dict(),
        "figures": weights.figures,
        "null_level": null.as_dict() if null else None,
        "job": job,
        "is_shipped": job is None,
    }
    with transaction.atomic():
        checkpoint, is_new = Checkpoint.objects.get_or_create(name=weights.name, defaults=facts)
        if is_new:
            put(checkpoint.file, "weights", weights.to_bytes())
            checkpoint.save(update_fields=["file"])
            note_uses(checkpoint)
    return checkpoint


def note_uses(checkpoint: Checkpoint) -> None:
    """Which versions trained it, so that a removal finds it. What was trained on elsewhere is no row here."""
    versions = uuids({version for _, _, version in checkpoint.data["versions"]})
    uses = [TrainingUse(version_id=version, checkpoint=checkpoint.name) for version in sorted(versions)]
    TrainingUse.objects.bulk_create(uses, ignore_conflicts=True, batch_size=1000)
