"""Removals: a take withdrawn, an account deleted, a song taken down; each with what it touched."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Removal(models.Model):
    """The row of what a removal did. Who looks later sees who, when, why and what went."""

    class Kind(models.TextChoices):
        TAKE = "take", "a take withdrawn"
        ACCOUNT = "account", "an account deleted"
        SONG = "song", "a song taken down"

    kind = models.CharField(max_length=10, choices=Kind)
    subject_id = models.CharField(max_length=40, db_index=True, help_text="Of the take, the person or the song")
    # What it was called, where that may be kept: a song's title; nothing of a person.
    subject = models.CharField(max_length=300, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    why = models.TextField(blank=True)
    touched = models.JSONField(default=dict, help_text="Counts by kind of row, and names of checkpoints and releases")
    at = models.DateTimeField(auto_now_add=True)
    lifted_at = models.DateTimeField(null=True, blank=True, help_text="When a song was put back")
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject or self.subject_id}"
