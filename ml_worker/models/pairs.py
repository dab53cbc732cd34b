"""Pairs of recordings that were mined, with what the page of a pair shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone

from recordings.models import Recording, Song

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def picture_name(pair: MinedPair, filename: str) -> str:
    return f"recordings/{pair.cover_id}/pair-{pair.original_id}.npz"


class MinedPairQuerySet(models.QuerySet["MinedPair"]):
    def to_look_at(self) -> Self:
        """Pairs in which something is odd, and which nobody has looked at since it was found."""
        return self.odd().filter(looked_at=None)

    def looked_at(self) -> Self:
        """Odd pairs that a person has looked at, and keeps."""
        return self.odd().filter(looked_at__isnull=False)

    def odd(self) -> Self:
        """The same recording twice, or covers that share nothing with their song; of songs that may be used."""
        return self.filter(finding__in=MinedPair.ODD, original__song__taken_down_at=None)

    def duplicates(self) -> Self:
        """Pairs that are one recording twice, and that no person has kept all the same."""
        return self.filter(finding=MinedPair.Finding.SAME, looked_at=None)


class MinedPair(models.Model):
    """One original and one recording that was compared with it: as a rule a cover of its song."""

    class Finding(models.TextChoices):
        COVER = "cover", "shares passages"
        SAME = "same", "the same recording"
        """At one tempo and in one key from beginning to end: a duplicate, not another performance."""
        NOTHING = "nothing", "nothing in common"
        """No passage beyond chance: mislabelled, or too free."""

    ODD = (Finding.SAME, Finding.NOTHING)

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
    # Of an odd pair: who looked at it and keeps it as it is. What is found anew is to be looked at anew.
    looked_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    looked_at = models.DateTimeField(null=True, blank=True)

    objects = MinedPairQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["original", "cover"], name="one_mining_of_a_pair")]

    def __str__(self) -> str:
        return f"{self.cover} against {self.original}"

    @property
    def is_odd(self) -> bool:
        return self.finding in self.ODD

    def in_words(self, against: str = "") -> str:
        """What was found of it, in sentences about the cover; `against`: what the other recording is called."""
        other = against or ("another cover" if self.original.kind == Recording.Kind.COVER else "the original")
        if self.finding == self.Finding.SAME:
            return (
                f"This is the same recording as {other}: nearly all of both is heard in order, at one tempo and in one "
                "key, and nobody plays so exactly twice."
            )
        if self.finding == self.Finding.NOTHING:
            what = f"It seems to be {self.seems_to_be}." if self.seems_to_be else "It is mislabelled, or very free."
            return f"This has nothing in common with {other}, beyond chance. {what}"
        return f"This shares passages with {other}."

    def keep(self, person: AbstractBaseUser) -> None:
        """A person has looked at it: it is right as it is."""
        self.looked_by, self.looked_at = person, timezone.now()
        self.save(update_fields=["looked_by", "looked_at"])

    def look_again(self) -> None:
        """Takes that back."""
        self.looked_by = self.looked_at = None
        self.save(update_fields=["looked_by", "looked_at"])
