"""Studies: doors for a paid crowd. A participant's work is bound to the study, and a code says that it is safe."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import Count, F, Q
from django.utils import timezone

from annotation.models.verdicts import Verdict
from recordings.models import Humming

# A closed study takes nobody new; who has begun may finish for so long, and is still told the code.
FINISH_TIME = timedelta(days=1)


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

    @property
    def is_open(self) -> bool:
        """Whether somebody new may take part, if there is a place."""
        return self.closed_at is None

    @property
    def minutes(self) -> int:
        """How long it takes, about: a minute a hum, twenty seconds a verdict, and what comes before the first."""
        return 2 + (self.pieces if self.kind == self.Kind.HUM else -(-self.pieces // 3))

    @property
    def places_left(self) -> int:
        return max(0, self.places - self.participations.count())

    def close(self) -> None:
        """Ends it for everybody new. A study that is closed already keeps its time."""
        Study.objects.filter(pk=self.pk, closed_at=None).update(closed_at=timezone.now())
        self.refresh_from_db()

    def open_again(self) -> None:
        Study.objects.filter(pk=self.pk).update(closed_at=None)
        self.refresh_from_db()


class ParticipationQuerySet(models.QuerySet["Participation"]):
    def open(self) -> Self:
        """Those whose work is still asked for."""
        not_over = Q(study__closed_at=None) | Q(study__closed_at__gt=timezone.now() - FINISH_TIME)
        return self.filter(not_over, completed_at=None)

    def of(self, person: AbstractBaseUser, kind: str) -> Self:
        return self.filter(person=person, study__kind=kind)

    def with_work(self) -> Self:
        """Each with `accepted`, `rejected`, `waiting` and `controls`: what became of the work, to be known when paying.

        Of verdicts: "accepted" are those that count and whose item is settled, "rejected" those that do not count.
        """
        takes, verdicts = "work__humming__state", "work__verdict"
        states = Humming.State
        settled = Q(work__verdict__item__state="settled", work__verdict__counts=True)
        good = Q(**{takes: states.ACCEPTED}) | settled
        bad = Q(**{f"{takes}__in": (states.REFUSED, states.REJECTED)}) | Q(**{f"{verdicts}__counts": False})
        open_takes = Q(**{f"{takes}__in": (states.SAVED, states.CHECKED)})
        of_controls = Q(work__verdict__item__control__isnull=False)
        open_verdicts = Q(work__verdict__counts=True) & ~Q(work__verdict__item__state="settled") & ~of_controls
        standing = Q(work__verdict__undone_at=None)
        return self.annotate(
            accepted=Count("work", filter=good & standing),
            rejected=Count("work", filter=bad & standing),
            waiting=Count("work", filter=(open_takes | open_verdicts) & standing),
            controls=Count("work", filter=of_controls & standing),
            takes_done=Count("work__humming__fragment", filter=~Q(**{takes: states.WITHDRAWN}), distinct=True),
            verdicts_done=Count("work__verdict__item", filter=standing, distinct=True),
        ).annotate(pieces_done=F("takes_done") + F("verdicts_done"))


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

    objects = ParticipationQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["study", "participant_id"], name="one_participation_of_a_participant"),
            models.UniqueConstraint(fields=["study", "person"], name="one_participation_of_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.participant_id} in {self.study}"

    @classmethod
    def present_of(cls, person: AbstractBaseUser, kind: str) -> Participation | None:
        """What the person takes part in at present: the newest that is open, else what was completed of late."""
        fresh = Q(completed_at__gt=timezone.now() - FINISH_TIME) | Q(pk__in=cls.objects.of(person, kind).open())
        open_first = (F("completed_at").desc(nulls_first=True), "-started_at")
        return cls.objects.of(person, kind).filter(fresh).select_related("study").order_by(*open_first).first()

    @classmethod
    def lets_review(cls, person: AbstractBaseUser) -> bool:
        """Whether the person takes part in a study of verdicts that is not done yet."""
        return cls.objects.of(person, Study.Kind.REVIEW).open().exists()

    @property
    def done(self) -> int:
        """How many pieces are stored. Refused and rejected takes are: they are paid, whatever comes of them.

        The same phrase hummed again after a refusal is one piece, and so is an item judged again after an undo; a take
        that its singer took back is none.
        """
        if self.study.kind == Study.Kind.HUM:
            takes = self.work.exclude(humming=None).exclude(humming__state=Humming.State.WITHDRAWN)
            return takes.values("humming__fragment").distinct().count()
        return self.work.filter(verdict__undone_at=None).values("verdict__item").distinct().count()

    @property
    def complete(self) -> bool:
        return self.completed_at is not None


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

    @classmethod
    def bind_take(cls, humming: Humming) -> None:
        """A take of a participant belongs to the study. Call in the transaction that stores it."""
        cls._bind(humming.singer_id, Study.Kind.HUM, humming=humming)

    @classmethod
    def bind_verdict(cls, verdict: Verdict) -> None:
        cls._bind(verdict.person_id, Study.Kind.REVIEW, verdict=verdict)

    @classmethod
    def _bind(cls, person_id: int, kind: str, **piece: Any) -> None:
        # Locked, so that of two last pieces at once one sees the other. Nothing is locked after this row.
        opened = Participation.objects.filter(person=person_id, study__kind=kind).open().select_related("study")
        participation = opened.select_for_update(of=("self",), no_key=True).first()
        if participation is None:
            return
        cls.objects.create(participation=participation, **piece)
        if participation.done >= participation.study.pieces:
            participation.completed_at = timezone.now()
            participation.save(update_fields=["completed_at"])
