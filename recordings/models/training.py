"""Which versions trained which checkpoints: what machines leave as rows, so that a removal finds them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self
from uuid import UUID

from django.db import models


class TrainingUseQuerySet(models.QuerySet["TrainingUse"]):
    def of(self, versions: Collection[UUID]) -> Self:
        return self.filter(version_id__in=versions)

    def checkpoints(self) -> list[str]:
        return sorted(self.values_list("checkpoint", flat=True).distinct())


class TrainingUse(models.Model):
    """One version (a hum or a cover fragment) was in the training data of one checkpoint."""

    version_id = models.UUIDField()
    checkpoint = models.CharField(max_length=80)

    objects = TrainingUseQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version_id", "checkpoint"], name="one_use_of_a_version")]

    def __str__(self) -> str:
        return f"{self.version_id} trained {self.checkpoint}"
