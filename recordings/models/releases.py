"""Releases: frozen, numbered snapshots of the dataset."""

from __future__ import annotations

from django.db import models


class Release(models.Model):
    """A frozen snapshot. Its rows are copies, so that what happens later changes nothing in it."""

    version = models.CharField(max_length=40, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    exported_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was first written out whole; from then on it never changes"
    )
    settings = models.JSONField(
        default=dict, help_text="Columns, texts, counts, encoder, and the pseudonyms' key, which is never published"
    )

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"CHAD {self.version}"


class ReleasedVersion(models.Model):
    """One version of a fragment as it stands in a release. In the order of the keys, which is the release's own."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="versions")
    version_id = models.UUIDField()
    audio_type = models.CharField(max_length=10)
    # The rows of both tables, every value as text, and where the audio is cut from.
    row = models.JSONField(help_text='{"dataset": {column: text}, "versions": {column: text}}')
    source = models.JSONField(
        help_text='{"file", "sha256"} in the storage, "start_s" and "end_s" if it is cut; empty if no audio is released'
    )
    # Noted when the first export has encoded it; every later one has to come out the same.
    audio = models.CharField(max_length=160, blank=True, help_text="Its path in the release")
    audio_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "version_id"], name="once_in_a_release")]

    def __str__(self) -> str:
        return f"{self.release}: {self.audio_type} {self.version_id}"
