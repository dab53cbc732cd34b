"""Pairs of recordings that were mined, with what the page of a pair shows."""

from __future__ import annotations

from typing import Self

from django.db import models

from recordings.models import Recording, Song


def picture_name(pair: MinedPair, filename: str) -> str:
    return f"recordings/{pair.cover_id}/pair-{pair.original_id}.npz"


class MinedPairQuerySet(models.QuerySet["MinedPair"]):
    def to_look_at(self) -> Self:
        """Pairs in which something is odd: the same recording twice, or covers that share nothing."""
        odd = (MinedPair.Finding.SAME, MinedPair.Finding.NOTHING)
        return self.filter(finding__in=odd, original__song__taken_down_at=None)


class MinedPair(models.Model):
    """One original and one recording that was compared with it: as a rule a cover of its song."""

    class Finding(models.TextChoices):
        COVER = "cover", "shares passages"
        SAME = "same", "the same recording"
        """At one tempo and in one key from beginning to end: a duplicate, not another performance."""
        NOTHING = "nothing", "nothing in common"
        """No passage beyond chance: mislabelled, or too free."""

    original = models.ForeignKey(Recording, models.CASCADE, related_name="pairs_as_original")
    cover = models.ForeignKey(Recording, models.CASCADE, related_name="pairs_as_cover")
    checkpoint = models.CharField(max_length=80)
    settings = models.JSONField(default=dict)
    finding = models.CharField(max_length=10, choices=Finding, db_index=True)
    covered_share = models.FloatField(help_text="Of the cover's voiced seconds, how many lie in passages; 0..1")
    tempo_ratio = models.FloatField(null=True, blank=True, help_text="Of the longest passage")
    transposition = models.FloatField(null=True, blank=True, help_text="Of the longest passage, semitones")
    was_spared = models.BooleanField(default=False, help_text="The pre-filter found nothing, and no map was made")
    # Where a cover that shares nothing with its song was found instead.
    seems_to_be = models.ForeignKey(Song, models.SET_NULL, null=True, blank=True, related_name="+")
    picture = models.FileField(upload_to=picture_name, blank=True)
    took_s = models.FloatField(help_text="Seconds, fingerprints not counted")
    created_at = models.DateTimeField(auto_now=True)

    objects = MinedPairQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["original", "cover"], name="one_mining_of_a_pair")]

    def __str__(self) -> str:
        return f"{self.cover} against {self.original}"
