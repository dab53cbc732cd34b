"""Checkpoints and the fingerprints that they made. (The neural network is in fingerprint/network.py.)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from chad_site.errors import NotAllowed
from ml_worker.models.jobs import Job
from ml_worker.models.rounds import Round

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from recordings.models import Recording

# Whether what came with CHAD finds known fragments in covers better than the plain pitch curves, which need no network:
# docs/experiments-mining.md.
STARTER_MINES = False
# Where a checkpoint's figures hold how it compares with the one that came with CHAD, see work/train.py.
COMPARED = "compared"


def weights_name(checkpoint: Checkpoint, filename: str) -> str:
    return f"checkpoints/{checkpoint.name}.safetensors"


# The kinds of checkpoints that there are, see fingerprint/settings.py.
KINDS = ("short", "long")


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def shipped(self) -> Self:
        """Those that came with CHAD."""
        return self.filter(is_shipped=True)

    def trained_here(self) -> Self:
        return self.filter(is_shipped=False)

    def usable(self, kind: str = "short") -> Self:
        """Those that were promoted, the one that is used first: what was trained here before what came with CHAD, then
        what was promoted last.
        """
        promoted = self.filter(standing=Checkpoint.Standing.PROMOTED, kind=kind)
        return promoted.order_by("is_shipped", Coalesce("promoted_at", "created_at").desc())

    def latest(self, kind: str = "short") -> Checkpoint | None:
        """The one that is used, of its kind."""
        return self.usable(kind).first()

    def names_in_use(self) -> list[str]:
        """Of the checkpoints that searches use: of each kind the one that is used, short before long."""
        promoted = self.filter(standing=Checkpoint.Standing.PROMOTED, kind__in=KINDS)
        latest = promoted.order_by("kind", "is_shipped", Coalesce("promoted_at", "created_at").desc()).distinct("kind")
        return [name for _, name in sorted(latest.values_list("kind", "name"), key=lambda row: KINDS.index(row[0]))]

    def to_mine_with(self) -> Checkpoint | None:
        """The checkpoint that mining uses; None for the plain pitch curves."""
        return (self.usable() if STARTER_MINES else self.usable().trained_here()).first()


class Checkpoint(models.Model):
    """Trained weights with everything needed to use and repeat them."""

    class Standing(models.TextChoices):
        CANDIDATE = "candidate"
        """Nothing is decided on it yet."""
        PROMOTED = "promoted"
        """It may be used: the one that was promoted last is."""
        REFUSED = "refused"
        """It is kept for the record."""

    name = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=10)
    file = models.FileField(upload_to=weights_name)
    settings = models.JSONField()
    # What it was trained on: ids of songs, fragments and versions, with a digest.
    data = models.JSONField()
    figures = models.JSONField(default=dict)
    null_level = models.JSONField(null=True, blank=True, help_text="What unrelated pairs reach, see mining/null.py")
    sureness = models.JSONField(
        default=dict, blank=True, help_text='{"fitted", "moved" by verdicts}: how sure its findings are'
    )
    is_shipped = models.BooleanField("came with CHAD", default=False)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="checkpoints")
    round = models.ForeignKey(Round, models.SET_NULL, null=True, blank=True, related_name="checkpoints")
    standing = models.CharField(max_length=10, choices=Standing, default=Standing.CANDIDATE)
    standing_why = models.TextField(blank=True, help_text="Why it was promoted or refused, in words")
    promoted_at = models.DateTimeField(null=True, blank=True, help_text="When it was promoted last")
    # {"version", "looks": {benchmark: values of each query}}, see work/promotion.py.
    frozen = models.JSONField(default=dict, blank=True, help_text="What it reached on the frozen benchmarks")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_promoted(self) -> bool:
        return self.standing == self.Standing.PROMOTED

    @transaction.atomic
    def change_standing(self, standing: str, why: str, person: AbstractBaseUser | None = None) -> StandingChange:
        """Promotes or refuses it, and writes the row of that. What is promoted is used from now on."""
        row = Checkpoint.objects.select_for_update(of=("self",)).get(pk=self.pk)
        change = StandingChange.objects.create(
            checkpoint=row,
            before=row.standing,
            before_why=row.standing_why,
            before_promoted_at=row.promoted_at,
            after=standing,
            why=why,
            person=person,
        )
        if standing == self.Standing.PROMOTED:
            self.promoted_at = timezone.now()
        self.standing, self.standing_why = standing, why
        self.save(update_fields=["standing", "standing_why", "promoted_at"])
        return change

    @transaction.atomic
    def take_back_change(self, change: StandingChange, person: AbstractBaseUser | None = None) -> None:
        """It stands as it did before its latest change.

        Raises:
            NotAllowed: it was changed again since, or the change is taken back already.
        """
        Checkpoint.objects.select_for_update(of=("self",)).get(pk=self.pk)
        change = self.standing_changes.get(pk=change.pk)
        if change.undone_at or self.standing_changes.filter(pk__gt=change.pk, undone_at=None).exists():
            raise NotAllowed("How this checkpoint stands was changed again since; that change is the one to take back.")
        change.undone_at, change.undone_by = timezone.now(), person
        change.save(update_fields=["undone_at", "undone_by"])
        self.standing, self.standing_why = change.before, change.before_why
        self.promoted_at = change.before_promoted_at
        self.save(update_fields=["standing", "standing_why", "promoted_at"])


class StandingChange(models.Model):
    """A checkpoint was promoted or refused: by the gates, or by a person with a reason."""

    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="standing_changes")
    before = models.CharField(max_length=10)
    before_why = models.TextField(blank=True)
    before_promoted_at = models.DateTimeField(null=True, blank=True)
    after = models.CharField(max_length=10)
    why = models.TextField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.checkpoint_id}: {self.before} -> {self.after} ({self.why})"


def fingerprints_name(fingerprints: FingerprintSet, filename: str) -> str:
    folder = f"recordings/{fingerprints.analysis.recording_id}"
    return f"{folder}/fingerprints-{fingerprints.analysis_id}-{fingerprints.checkpoint_id}.npz"


class FingerprintSet(models.Model):
    """The fingerprints of a recording by a checkpoint."""

    analysis = models.ForeignKey("recordings.Analysis", models.CASCADE, related_name="fingerprint_sets")
    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, related_name="fingerprint_sets")
    file = models.FileField(upload_to=fingerprints_name)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["analysis", "checkpoint"], name="one_fingerprint_set")]

    def __str__(self) -> str:
        return f"{self.analysis.recording} by {self.checkpoint_id}"

    @property
    def recording(self) -> Recording:
        return self.analysis.recording
