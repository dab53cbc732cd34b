"""Reviewers: how far each can be relied on, as control items and agreement with others show it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Self

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from annotation.crowd import UNPROVEN, Reliability, counts, gives_feedback, standing
from annotation.crowd import Standing as CrowdStanding
from annotation.crowd.gold import RECENT as RECENT_ANSWERS
from annotation.models.controls import is_right, unsure
from annotation.models.verdicts import Verdict
from recordings.models.history import Stateful

WHY = {
    CrowdStanding.TRUSTED: "The control items were judged well.",
    CrowdStanding.SET_ASIDE: "Too many control items were judged otherwise than they are.",
}
PUT_BACK = "Given while its reviewer judged control items wrongly; the item is asked anew."
SET_ASIDE_NOW = "Its reviewer practises again; it is kept and does not count."


class ReviewerQuerySet(models.QuerySet["Reviewer"]):
    def with_verdicts_to_put_back(self) -> Self:
        """Those who were set aside, though they may be trusted again, and whose verdicts of that time still count."""
        of_that_time = Verdict.objects.counted().filter(
            person=OuterRef("person"), at__range=(OuterRef("put_back_from"), OuterRef("put_back_until"))
        )
        return self.exclude(put_back_from=None).filter(Exists(of_that_time))


class Reviewer(Stateful):
    """A person who judges: their standing, and their reliability as it was last measured."""

    class State(models.TextChoices):
        NEW = CrowdStanding.NEW.value, "learning"
        """Control items come first and are explained; the verdicts count."""
        TRUSTED = CrowdStanding.TRUSTED.value, "trusted"
        """Control items come in between, silently."""
        SET_ASIDE = CrowdStanding.SET_ASIDE.value, "practising again"
        """Control items are explained again; the verdicts do not count until they go well."""

    NEXT = {
        State.NEW: {State.TRUSTED, State.SET_ASIDE},
        State.TRUSTED: {State.SET_ASIDE},
        State.SET_ASIDE: {State.TRUSTED},
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reviewer")
    state = models.CharField(max_length=10, choices=State, default=State.NEW, db_index=True)
    changed_at = models.DateTimeField(default=timezone.now)
    # The verdicts between the two are asked anew.
    put_back_from = models.DateTimeField(null=True, blank=True)
    put_back_until = models.DateTimeField(null=True, blank=True)

    # By Dawid and Skene over everybody's verdicts; empty until it was first measured.
    accepts_good = models.FloatField(null=True, blank=True, help_text="P(accept | good)")
    rejects_bad = models.FloatField(null=True, blank=True, help_text="P(reject | bad)")
    measured_verdicts = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField(null=True, blank=True)

    objects = ReviewerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.person}, {self.get_state_display()}"

    @classmethod
    def of(cls, person: AbstractBaseUser) -> Reviewer:
        return cls.objects.get_or_create(person=person)[0]

    @classmethod
    def reliabilities(cls, people: Iterable[int]) -> dict[int, Reliability]:
        """Measured reliabilities by person, of those that have one."""
        measured = cls.objects.filter(person__in=list(people)).exclude(measured_at=None)
        return {one.person_id: one.reliability for one in measured}

    @property
    def standing(self) -> CrowdStanding:
        return CrowdStanding(self.state)

    @property
    def counts(self) -> bool:
        """Whether verdicts that are given now count."""
        return counts(self.standing)

    @property
    def gets_feedback(self) -> bool:
        return gives_feedback(self.standing)

    @property
    def reliability(self) -> Reliability:
        if self.accepts_good is None or self.rejects_bad is None:
            return UNPROVEN
        return Reliability(self.accepts_good, self.rejects_bad)

    def answers(self) -> models.QuerySet[Verdict]:
        """Verdicts on control items that say something of this reviewer, oldest first.

        Those that were taken back as a slip of the finger are left out; one that was taken back later was an answer.
        """
        slip = Q(undone_at__lte=F("at") + Verdict.UNDO_TIME + Verdict.UNDO_LEEWAY)
        of_controls = Verdict.objects.filter(person=self.person, item__control__isnull=False)
        return of_controls.exclude(slip).exclude(unsure("item__control__")).order_by("at", "pk")

    def answered(self) -> list[tuple[datetime, bool]]:
        """When control items were answered, and whether rightly, oldest first.

        The first answer to each counts. To say that one cannot tell is a wrong one: who was always in doubt of control
        items could else choose those that one is asked.
        """
        passed = apps.get_model("annotation", "PassedOver").objects.filter(person=self.person)
        passed = passed.exclude(item__control=None).exclude(unsure("item__control__"))
        given = [(at, item, False) for at, item in passed.values_list("at", "item")]
        columns = ("at", "item", "item__control__fault", "item__control__facts", "decision", "nudge_s")
        given += [(at, item, is_right(*answer)) for at, item, *answer in self.answers().values_list(*columns)]
        first: dict[uuid.UUID, tuple[datetime, bool]] = {}
        for at, item, right in sorted(given, key=lambda answer: answer[0]):
            first.setdefault(item, (at, right))
        return list(first.values())

    def score(self) -> tuple[int, int]:
        """How many of the latest control items were judged right and wrong; older ones would hide a change."""
        right = [right for _, right in self.answered()[-RECENT_ANSWERS:]]
        return sum(right), len(right) - sum(right)

    def look_again(self) -> None:
        """After a control item was judged or passed over: a change of standing where the answers call for one."""
        since = [(at, right) for at, right in self.answered() if at >= self.changed_at]
        new = standing(self.standing, [right for _, right in since])
        if new == self.standing:
            return
        self.move_to(new.value, why=WHY[new])
        self.changed_at = timezone.now()
        if new == CrowdStanding.SET_ASIDE:
            self.put_back_from, self.put_back_until = since[-min(len(since), RECENT_ANSWERS)][0], self.changed_at
        self.save(update_fields=["changed_at", "put_back_from", "put_back_until"])

    def verdicts_to_put_back(self) -> models.QuerySet[Verdict]:
        if self.put_back_from is None:
            return Verdict.objects.none()
        of_that_time = (self.put_back_from, self.put_back_until)
        return Verdict.objects.counted().filter(person=self.person, at__range=of_that_time).order_by("pk")

    def put_back_recent(self, report: Callable[[int, int], None] = lambda number, of: None) -> int:
        """Everything judged while the control items went wrong is asked anew: how many verdicts. Safe to run twice.

        Each in a transaction of its own: what was put back before a kill stays so, and the next run does the rest.
        """
        verdicts = list(self.verdicts_to_put_back())
        for number, verdict in enumerate(verdicts):
            report(number, len(verdicts))
            verdict.discount(PUT_BACK)
        return len(verdicts)
