"""Checkpoints and the fingerprints that they made. (The neural network is in fingerprint/network.py.)"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from ml_worker.models.jobs import Job

if TYPE_CHECKING:
    from recordings.models import Recording

# Whether what came with CHAD finds known fragments in covers better than the plain pitch curves, which need no network:
# docs/experiments-mining.md.
STARTER_MINES = False
# Where a checkpoint's figures hold how it compares with the one that came with CHAD, see work/train.py.
COMPARED = "compared"


def weights_name(checkpoint: Checkpoint, filename: str) -> str:
    return f"checkpoints/{checkpoint.name}.safetensors"


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def shipped(self) -> Self:
        """Those that came with CHAD."""
        return self.filter(is_shipped=True)

    def trained_here(self) -> Self:
        return self.filter(is_shipped=False)

    def usable(self, kind: str = "short") -> Self:
        """Those that may be used, the one that is used first: what was trained here before what came with CHAD, then
        the latest. What turned out to be worse than what came with CHAD is not among them.
        """
        worse = Q(figures__contains={COMPARED: {"is_worse": True}})
        return self.filter(~worse, kind=kind).order_by("is_shipped", "-created_at")

    def latest(self, kind: str = "short") -> Checkpoint | None:
        """The one that is used, of its kind."""
        return self.usable(kind).first()

    def to_mine_with(self) -> Checkpoint | None:
        """The checkpoint that mining uses; None for the plain pitch curves."""
        return (self.usable() if STARTER_MINES else self.usable().trained_here()).first()


class Checkpoint(models.Model):
    """Trained weights with everything needed to use and repeat them."""

    name = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=10)
    file = models.FileField(upload_to=weights_name)
    settings = models.JSONField()
    # What it was trained on: ids of songs, fragments and versions, with a digest.
    data = models.JSONField()
    figures = models.JSONField(default=dict)
    null_level = models.JSONField(null=True, blank=True, help_text="What unrelated pairs reach, see mining/null.py")
    is_shipped = models.BooleanField("came with CHAD", default=False)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="checkpoints")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


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
