"""Releases: frozen, numbered snapshots of the dataset."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from django.db import models

# What a check before publication finds: all well; something that a person has to tick; something that stops it.
GOOD, MIND, STOPS = "good", "mind", "stops"


class ReleaseQuerySet(models.QuerySet["Release"]):
    def published(self) -> Self:
        return self.exclude(published_at=None)

    def drafts(self) -> Self:
        return self.filter(published_at=None)

    def latest_first(self) -> Self:
        """Published ones, the last published first."""
        return self.published().order_by("-published_at", "-pk")


def bundle_name(release: Release, filename: str) -> str:
    """By its own sum: nothing that is published is ever written over."""
    return f"releases/{release.settings['snapshot']}-{release.bundle_sha256[:16]}.zip"


class Release(models.Model):
    """A frozen snapshot. Its rows are copies, so that what happens later changes nothing in it.

    Until it is published it is a draft: it may be looked at, thrown away and frozen anew. From then on the database
    itself refuses to change it or its versions (the triggers in the migrations).
    """

    version = models.CharField(max_length=40, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="From then on it never changes")
    notes = models.TextField(blank=True, help_text="The admin's words on what is new, for the changelog")
    settings = models.JSONField(
        default=dict, help_text="Columns, counts, tools, and the pseudonyms' key, which is never published"
    )
    facts = models.JSONField(
        default=dict, help_text="What its texts and pages tell: recordings/release/frozen/facts.py"
    )
    # What the checks before publication found: [{"name", "state", "says"}].
    checks = models.JSONField(default=list, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    # Noted when it is published; every later export has to come out the same.
    files = models.JSONField(default=dict, blank=True, help_text="{path: SHA-256} of all files but the versions' audio")
    bundle = models.FileField(
        upload_to=bundle_name, blank=True, max_length=200, help_text="All files but audio and shards, as one archive"
    )
    bundle_sha256 = models.CharField(max_length=64, blank=True)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"CHAD {self.version}"

    @property
    def is_published(self) -> bool:
        return self.published_at is not None

    @property
    def may_be_published(self) -> bool:
        """Whether it was checked, and nothing stops it."""
        return self.checked_at is not None and not any(check["state"] == STOPS for check in self.checks)

    def unticked(self, ticked: Collection[str]) -> list[str]:
        """What a publisher has to mind and did not tick, by its name."""
        return [check["name"] for check in self.checks if check["state"] == MIND and check["name"] not in ticked]


class ReleasedVersion(models.Model):
    """One version of a fragment as it stands in a release. In the order of the keys, which is the release's own."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="versions")
    version_id = models.UUIDField()
    audio_type = models.CharField(max_length=10)
    # The rows of both tables, every value as text, and where audio and pitch curve come from.
    row = models.JSONField(help_text='{"dataset": {column: text}, "versions": {column: text}}')
    source = models.JSONField(
        help_text='{"file", "sha256"} in the storage, "start_s" and "end_s" if it is cut; empty if no audio is released'
    )
    melody = models.JSONField(
        default=dict, blank=True, help_text='{"file"} in the storage, "start_s" and "end_s" if it is cut; may be empty'
    )
    # Noted when it is first encoded; every later export has to come out the same.
    audio = models.CharField(max_length=160, blank=True, help_text="Its path in the release")
    audio_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "version_id"], name="once_in_a_release")]

    def __str__(self) -> str:
        return f"{self.release}: {self.audio_type} {self.version_id}"

    @property
    def written(self) -> dict[str, dict[str, str]]:
        """The rows of both tables with what was noted after they were frozen: path and sum of the audio."""
        audio = {"audio": self.audio, "sha256": self.audio_sha256}
        return {"dataset": self.row["dataset"], "versions": self.row["versions"] | audio}
