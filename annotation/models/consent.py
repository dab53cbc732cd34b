"""Consent: what a singer agreed to, and when."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

HUM_LICENCE = "CC-BY-4.0"
# A changed text gets a new version, the day it is from, and everyone is asked again.
CONSENT_VERSION = "2026-11-26"
CONSENT_SINCE = date(2026, 11, 26)
CONSENT_TEXT = _(
    "Your hums become part of CHAD, an open dataset for finding songs by humming. They are published without your "
    "name under the licence CC BY 4.0: anyone may use and share them. Whether AI may be trained on them is your "
    "choice, asked beside this text. You may withdraw any take at any time; it then leaves every future release. Do "
    "not say anything private while recording."
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
    @transaction.atomic
    def give(cls, person: AbstractBaseUser, *, ai_training: bool = True) -> Consent:
        """The person agrees to the present text, as it is written in their language. Twice is once, with the last wish.

        Pages and calls ask for the wish and never suppose one; the default is for simulated singers and tests.
        """
        # In turn with a take that is being stored under it.
        get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
        agreed = {"text": str(CONSENT_TEXT), "licence": HUM_LICENCE, "ai_training": ai_training}
        consent, is_new = cls.objects.get_or_create(person=person, version=CONSENT_VERSION, defaults=agreed)
        if not is_new and consent.ai_training != ai_training:
            consent.ai_training = ai_training
            consent.save(update_fields=["ai_training"])
        return consent

    @classmethod
    def given_by(cls, person: AbstractBaseUser) -> bool:
        """Whether the person agreed to the present text."""
        return cls.objects.filter(person=person, version=CONSENT_VERSION).exists()

    @classmethod
    def latest_of(cls, person: AbstractBaseUser) -> Consent | None:
        """The newest text that the person agreed to, whichever it is. Versions are days, so they sort."""
        return cls.objects.filter(person=person).order_by("-version", "-at").first()
