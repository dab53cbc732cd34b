"""Trains a network on accepted hums and on fragments found in covers, and stores the checkpoint.

Training goes on from the starter checkpoint, and a part of each batch is simulated hums of tunes: with few hums, that
keeps what the starter checkpoint knows. A network that begins with nothing has nothing to keep, and is trained on the
material alone, as in the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone

from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.data import shares_of_draws
from ml_worker.fingerprint.evaluation import evaluate_pairs
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.training import Progress, TooLittleData, refuse_too_little, steps_for, train
from ml_worker.jobs_in_words import uuids
from ml_worker.models import COMPARED, Checkpoint
from ml_worker.work import CannotBeDone, promotion
from ml_worker.work.audio_files import bytes_of
from ml_worker.work.mined_data import Caps, Mined, mined_pairs
from ml_worker.work.released_data import released_covers, released_pairs, released_sounds
from ml_worker.work.sound_versions import further_pairs, stored_sound, versions_of
from ml_worker.work.training_data import hummed_pairs, tunes_to_hum
from recordings.models import TrainingUse
from recordings.models.songs import Split
from recordings.storage import put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ml_worker.fingerprint.data import AlignedPair
    from ml_worker.mining.null import NullLevel
    from ml_worker.models import Job, Round
    from ml_worker.work import Outcome

Material = Literal["hums", "covers", "both"]
# What is too little where there is too little, in words.
WORDS: dict[Material, str] = {
    "hums": "accepted hums",
    "covers": "fragments found in covers",
    "both": "accepted hums, or of fragments found in covers,",
}
# Weights that know something already are changed gently: at the rate of new ones they first lose what they know.
GENTLE_RATE = 5e-4
# Weights that were trained here on the material alone have less to lose.
CONTINUED_RATE = 1e-3
# The part of every batch that is simulated hums of tunes.
SHARE_OF_TUNES = 0.5
# Fewer hums of validation songs than this tell nothing.
FEWEST_COMPARED = 20


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    """Arguments of the job: kind ("short" or "long"), and where they are not the default: epochs or steps; data;
    initial ("starter", "in use" or "nothing"); material ("hums", "covers" or "both"); caps, of what covers give;
    sound_versions, how many further versions each hum gets from its sound; labels ("shuffled" spoils the training, to
    show that it is refused).
    """
    checkpoint, words = made(job.arguments, job, report)
    report(1.0, "Comparing it with the checkpoint in use")
    promotion.settle(checkpoint, promotion.decision_on(checkpoint, promotion.incumbent_of(checkpoint)))
    return f"{words} {checkpoint.standing_why}", checkpoint.figures | {"standing": checkpoint.standing}


def made(
    arguments: Mapping[str, Any], job: Job, report: Callable[[float, str], None], round: Round | None = None
) -> tuple[Checkpoint, str]:
    """A checkpoint that nothing is decided on yet, and from how much it is, in words."""
    report(0.0, "Gathering what is trained on")
    data = Data.of(arguments, report)
    weights = trained(arguments, data, teller(report))
    report(1.0, "Comparing it with the starter checkpoint")
    figures = {**weights.figures, **compared(weights, data), "further": len(data.further), "material": data.facts()}
    weights = replace(weights, figures=figures)
    checkpoint = store(weights, job, round=round)
    words = f"{checkpoint.name}, from {data.in_words()} of {len(weights.data.songs)} songs."
    return checkpoint, words


@dataclass(frozen=True)
class Data:
    """Hums and covers of training songs with their originals; hums of validation songs; and changed sounds of hums.

    `mined` says what was taken of covers and what was left out, see `mined_data`.
    """

    pairs: list[AlignedPair]
    validation: list[AlignedPair]
    further: list[AlignedPair] = field(default_factory=list)
    material: Material = "hums"
    mined: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any], report: Callable[[float, str], None]) -> Self:
        """From the release folder that the arguments name, or from the database. Without any material in them, hums,
        and what the database has of covers too.
        """
        folder = Path(arguments["data"]) if arguments.get("data") else None
        asked = arguments.get("material") or ("hums" if folder else None)
        limits = Caps(**(arguments.get("caps") or {}))
        pairs_of = partial(released_pairs, folder) if folder else hummed_pairs
        covers_of = partial(released_covers, folder) if folder else mined_pairs
        hums = [] if asked == "covers" else pairs_of(Split.TRAIN)
        mined = Mined([]) if asked == "hums" else covers_of(limits)
        times = versions_of(arguments.get("sound_versions"), len(hums))
        sounds = released_sounds(folder) if folder else stored_sound
        further = further_pairs(hums, sounds, times, report)
        material = asked or ("both" if mined.pairs else "hums")
        return cls([*hums, *mined.pairs], pairs_of(Split.VALIDATION), further, material, mined.facts)

    @property
    def trained_on(self) -> list[AlignedPair]:
        return [*self.pairs, *self.further]

    @property
    def hums(self) -> int:
        return sum(pair.source == "hum" for pair in self.pairs)

    def facts(self) -> dict[str, Any]:
        """What it is made of, for the checkpoint: plain JSON values. Shares are 0..1.

        "self_made_of_pairs" is the share of pairs that nobody but a machine has judged, "self_made_of_draws" how often
        they are drawn, of all draws of pairs.
        """
        self_made = np.array([pair.self_made for pair in self.trained_on], dtype=bool)
        drawn = float(shares_of_draws(self.trained_on)[self_made].sum()) if self_made.any() else 0.0
        return {
            "material": self.material,
            "hums": self.hums,
            "further": len(self.further),
            "covers_by_people": sum(pair.source == "cover" and not pair.self_made for pair in self.pairs),
            "covers_by_machine": int(self_made.sum()),
            "self_made_of_pairs": round(float(self_made.mean()), 4) if len(self_made) else 0.0,
            "self_made_of_draws": round(drawn, 4),
        } | {name: self.mined[name] for name in ("caps", "left_out") if name in self.mined}

    def in_words(self) -> str:
        """What it is made of, such as "7 hums, 7 versions of their sounds and 12 fragments of covers"."""
        covers = len(self.pairs) - self.hums
        parts = [
            *([f"{self.hums} hums"] if self.hums or not covers else []),
            *([f"{len(self.further)} versions of their sounds"] if self.further else []),
            *([f"{covers} fragments of covers"] if covers else []),
        ]
        return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def trained(arguments: Mapping[str, Any], data: Data, progress: Callable[[Progress], None] | None = None) -> Weights:
    """The weights that come of it. A run that was killed goes on where it was.

    Raises:
        CannotBeDone: there is too little of the material.
    """
    settings = settings_of(arguments, data)
    begins = beginning(arguments, settings)
    folder = Path(django_settings.CHAD_HOME) / "training"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Tunes are no substitute for hums: a network of tunes alone is what came with CHAD already.
        refuse_too_little(settings, data.pairs, what=WORDS[data.material])
        return train(
            settings,
            data.trained_on,
            tunes=tunes_to_hum() if begins.with_tunes else [],
            share_of_tunes=SHARE_OF_TUNES,
            initial=begins.weights,
            validation=data.validation,
            out=folder,
            progress=progress,
            labels=arguments.get("labels", "true"),
        )
    except TooLittleData as problem:
        raise CannotBeDone(f"{problem} Nothing was trained.") from problem


def settings_of(arguments: Mapping[str, Any], data: Data) -> Settings:
    """The defaults of the kind that is asked for, with as many steps."""
    settings = Settings.of(arguments.get("kind", "short"))
    begins = beginning(arguments, settings)
    if arguments.get("epochs"):
        # The pairs are a part of each batch only where there are tunes too.
        share = 1 - SHARE_OF_TUNES if begins.with_tunes else 1
        settings = settings.changed(steps=math.ceil(steps_for(arguments["epochs"], data.pairs, settings) / share))
    if arguments.get("steps"):
        settings = settings.changed(steps=arguments["steps"])
    return settings.changed(learning_rate=begins.rate) if begins.rate else settings


class Beginning(NamedTuple):
    """Where a training begins.

    Attributes:
        weights: of another checkpoint; None for new ones.
        with_tunes: whether simulated hums of tunes are a part of each batch, to keep what came of them.
        rate: the learning rate that suits the weights; None for that of new ones.
    """

    weights: Weights | None
    with_tunes: bool
    rate: float | None


ANEW = Beginning(None, with_tunes=False, rate=None)


def beginning(arguments: Mapping[str, Any], settings: Settings) -> Beginning:
    """As `initial` says: with what came with CHAD ("starter", where nothing is said), with what was trained here and
    is used now ("in use"; the same as "starter" where there is none), or with nothing.

    With nothing, too, where what is to be gone on from has another network than the one that is to be trained.
    """
    initial = arguments.get("initial", "starter")
    if initial == "nothing":
        return ANEW
    here = Checkpoint.objects.usable(settings.kind).trained_here().first() if initial == "in use" else None
    if here:
        weights = Weights.from_bytes(bytes_of(here.file))
        with_tunes = bool(weights.data.tunes)
        begins = Beginning(weights, with_tunes, GENTLE_RATE if with_tunes else CONTINUED_RATE)
    elif settings.kind in shipped.shipped_kinds():
        begins = Beginning(shipped.starter_checkpoint(settings.kind), with_tunes=True, rate=GENTLE_RATE)
    else:
        return ANEW
    return begins if begins.weights.settings.network == settings.network else ANEW


# --- whether it is any better


def compared(weights: Weights, data: Data) -> dict[str, Any]:
    """How the new weights and the starter checkpoint find the same hums of validation songs: a checkpoint's figure.

    It is told, and decides nothing: no validation song has a part in the choice of a checkpoint. Nothing where there
    are too few hums, or no starter checkpoint to compare with.
    """
    if weights.settings.kind not in shipped.shipped_kinds() or len(data.validation) < FEWEST_COMPARED:
        return {}
    starter = shipped.starter_checkpoint(weights.settings.kind)
    new, old = (evaluate_pairs(one.encoder(), one.settings, data.validation, data.pairs) for one in (weights, starter))
    figure = {
        "with": starter.name,
        "mrr": round(new.mrr, 4),
        "mrr_of_starter": round(old.mrr, 4),
        "queries": new.queries,
    }
    return {COMPARED: figure}


# --- telling and storing


def teller(report: Callable[[float, str], None]) -> Callable[[Progress], None]:
    """Tells the job's row of every tenth step."""

    def tell(at: Progress) -> None:
        if at.step % 10 == 0 or at.step == at.steps:
            report(at.step / at.steps, f"Step {at.step} of {at.steps}, loss {at.loss:.3f}")

    return tell


def store(weights: Weights, job: Job | None, null: NullLevel | None = None, round: Round | None = None) -> Checkpoint:
    """The checkpoint's row and file, and a row of each version that trained it. What no job made came with CHAD.

    What came with CHAD may be used; on others the gates decide.

    The same weights are one checkpoint, also where two processes store them at once: the second waits for the first.
    """
    facts = {
        "kind": weights.settings.kind,
        "settings": weights.settings.as_dict(),
        "data": weights.data.as_dict(),
        "figures": weights.figures,
        "null_level": null.as_dict() if null else None,
        "job": job,
        "round": round,
        "is_shipped": job is None,
        "standing": Checkpoint.Standing.CANDIDATE if job else Checkpoint.Standing.PROMOTED,
        "promoted_at": None if job else timezone.now(),
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
