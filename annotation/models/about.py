"""What singers tell of themselves, if they like."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AboutSinger(models.Model):
    """What a singer told of their voice. Each field may stay empty, and a row with none is none.

    A release shows of it only what five or more singers share; see `recordings.release.frozen.rule_of_five`.
    """

    class AgeBand(models.TextChoices):
        FROM_18 = "18-29", _("18 to 29")
        FROM_30 = "30-39", _("30 to 39")
        FROM_40 = "40-49", _("40 to 49")
        FROM_50 = "50-59", _("50 to 59")
        FROM_60 = "60-69", _("60 to 69")
        FROM_70 = "70 and over", _("70 and over")

    class Gender(models.TextChoices):
        WOMAN = "woman", _("woman")
        MAN = "man", _("man")
        ANOTHER = "another", _("another gender")

    class Training(models.TextChoices):
        NONE = "none", _("no lessons")
        SOME = "some lessons", _("some lessons")
        TRAINED = "trained", _("three years of lessons or more")
        PROFESSIONAL = "professional", _("professional")

    TOLD = ("age_band", "gender", "musical_training")

    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="about_singer")
    age_band = models.CharField(max_length=12, choices=AgeBand, blank=True)
    gender = models.CharField(max_length=8, choices=Gender, blank=True)
    musical_training = models.CharField(max_length=14, choices=Training, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "about singers"

    def __str__(self) -> str:
        return f"{self.person_id}: {', '.join(filter(None, self.told.values())) or 'nothing'}"

    @property
    def told(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.TOLD}

    @classmethod
    def of_all(cls, people: Collection[int]) -> dict[int, dict[str, str]]:
        """What each of these people told; who told nothing is left out."""
        rows = cls.objects.filter(person__in=people).values("person", *cls.TOLD)
        told = {row.pop("person"): row for row in rows}
        return {person: row for person, row in told.items() if any(row.values())}
