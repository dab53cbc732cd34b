"""Releases: frozen, numbered snapshots of the dataset."""

from __future__ import annotations

from django.db import models


class Release(models.Model):
    """A frozen snapshot. Its rows are copies, so that what happens later changes nothing in it."""

    version = models.CharField(max_length=40, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    settings = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"CHAD {self.version}"


class ReleasedVersion(models.Model):
    """One version of a fragment as it stands in a release."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="versions")
    version_id = models.UUIDField()
    audio_type = models.CharField(max_length=10)
    # The row of metadata, and where its audio is cut from.
    row = models.JSONField()
    source = models.JSONField(help_text='{"file", "start_s", "end_s"} in the storage; empty if no audio is released')
    audio_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "version_id"], name="once_in_a_release")]

    def __str__(self) -> str:
        return f"{self.release}: {self.audio_type} {self.version_id}"
