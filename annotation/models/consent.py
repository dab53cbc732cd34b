"""Consent: what a singer agreed to, and when."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

HUM_LICENCE = "CC-BY-4.0"
# A changed text gets a new version, and everyone is asked again.
CONSENT_VERSION = "2026-11"
CONSENT_TEXT = _(
    "Your hums become part of CHAD, an open dataset for finding songs by humming. They are published under "
    "CC BY 4.0 without your name, and may be used to train models. You may withdraw any take at any time; it then "
    "leaves every future release. Hum in a quiet place, and do not say anything private while recording."
)


class Consent(models.Model):
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="consents")
    version = models.CharField(max_length=20)
    text = models.TextField()
    licence = models.CharField(max_length=40, default=HUM_LICENCE, help_text="Of the takes: its SPDX identifier")
    # A wish, not a part of the agreement: it may be changed for what is hummed from then on, and for all takes.
    ai_training = models.BooleanField(default=True, help_text="Models may be trained on this person's takes")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "version"], name="one_consent_a_version")]

    def __str__(self) -> str:
        return f"{self.person_id} agreed to {self.version}"

    @classmethod
    def give(cls, person: AbstractBaseUser) -> Consent:
        """The person agrees to the present text, as it is written in their language. Twice is once."""
        agreed = {"text": str(CONSENT_TEXT)}
        return cls.objects.get_or_create(person=person, version=CONSENT_VERSION, defaults=agreed)[0]

    @classmethod
    def given_by(cls, person: AbstractBaseUser) -> bool:
        return cls.objects.filter(person=person, version=CONSENT_VERSION).exists()
