"""Studies: doors for a paid crowd. A participant's work is bound to the study, and a code says that it is safe."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.verdicts import Verdict
from recordings.models import Humming


def new_token() -> str:
    return secrets.token_urlsafe(12)


def new_code() -> str:
    """A completion code as the platforms use them: capital letters and digits that nobody takes for one another."""
    return "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(8))


class Study(models.Model):
    """A job for a paid crowd: so many hums or verdicts from each participant."""

    class Kind(models.TextChoices):
        HUM = "hum", "humming"
        REVIEW = "review", "double-check"

    class Platform(models.TextChoices):
        PROLIFIC = "prolific", "Prolific"
        TOLOKA = "toloka", "Toloka"
        MTURK = "mturk", "Mechanical Turk"
        OTHER = "other", "another"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind)
    platform = models.CharField(max_length=10, choices=Platform)
    token = models.CharField(max_length=40, unique=True, default=new_token, help_text="The secret part of its link")
    completion_code = models.CharField(max_length=40, default=new_code)
    pieces = models.PositiveSmallIntegerField(default=10, help_text="How many hums or verdicts complete it")
    places = models.PositiveIntegerField(default=100, help_text="How many people may take part")
    closed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return f"{self.name} ({self.get_platform_display()})"


class Participation(models.Model):
    """A participant of a study: the platform's ids, and the account that the work is done with."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="participations")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="participations")
    participant_id = models.CharField(max_length=120)
    # The platform's own names of its study and of this visit.
    platform_study_id = models.CharField(max_length=120, blank=True)
    session_id = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["study", "participant_id"], name="one_participation_of_a_participant"),
            models.UniqueConstraint(fields=["study", "person"], name="one_participation_of_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.participant_id} in {self.study}"


class StudyWork(models.Model):
    """One piece of a participant's work: a take or a verdict. It is paid whatever comes of it."""

    participation = models.ForeignKey(Participation, models.CASCADE, related_name="work")
    humming = models.OneToOneField(Humming, models.CASCADE, null=True, blank=True, related_name="study_work")
    verdict = models.OneToOneField(Verdict, models.CASCADE, null=True, blank=True, related_name="study_work")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "study work"
        constraints = [
            models.CheckConstraint(condition=Q(humming=None) ^ Q(verdict=None), name="work_is_a_take_or_a_verdict")
        ]

    def __str__(self) -> str:
        return f"work of {self.participation_id}"
