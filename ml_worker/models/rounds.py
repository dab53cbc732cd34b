"""Rounds of the loop: an audited state machine, every change of which leaves a row."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Max, Q
from django.utils import timezone

from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Fragment, Recording
from recordings.models.history import Stateful
from recordings.models.songs import Split

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class RoundQuerySet(models.QuerySet["Round"]):
    def under_way(self) -> Round | None:
        """The open round; there is one at most."""
        return self.filter(state=Round.State.OPEN).first()


class Round(Stateful):
    """One turn of the loop: train, mine, double-check, and decide on what was trained."""

    class State(models.TextChoices):
        OPEN = "open", "under way"
        PROMOTED = "promoted"
        """At least one of its checkpoints is used from now on."""
        REFUSED = "refused"
        """None of its checkpoints is used; or there was too little to train on."""
        STOPPED = "stopped"
        """A person stopped it; it can go on."""
        FAILED = "failed"
        """A step failed, and says why; it can go on when that is mended."""

    NEXT = {
        State.OPEN: {State.PROMOTED, State.REFUSED, State.STOPPED, State.FAILED},
        State.STOPPED: {State.OPEN},
        State.FAILED: {State.OPEN},
        State.PROMOTED: set(),
        State.REFUSED: set(),
    }
    # Those that a person may take up again.
    INTERRUPTED = (State.STOPPED, State.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN, db_index=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    why = models.TextField(help_text="Why it was started")
    options = models.JSONField(default=dict, help_text="kinds, material, initial, steps, …")
    decision = models.TextField(blank=True, help_text="What was decided, and why, in words")
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["state"], condition=Q(state="open"), name="one_round_at_a_time")]

    def __str__(self) -> str:
        return f"round {self.number}"

    @classmethod
    def begin(cls, why: str, *, asked_by: AbstractBaseUser | None = None, **options: Any) -> Round:
        """A new round with its steps before it. Of several that begin one at once, one does.

        Raises:
            NotAllowed: another round is under way.
        """
        try:
            with transaction.atomic():
                latest = cls.objects.aggregate(number=Max("number"))["number"] or 0
                made = cls.objects.create(number=latest + 1, why=why, asked_by=asked_by, options=options)
                RoundStep.objects.bulk_create(
                    RoundStep(round=made, name=name, place=place) for place, name in enumerate(RoundStep.Name.values)
                )
        except IntegrityError as problem:
            raise NotAllowed(ANOTHER_IS_UNDER_WAY) from problem
        return made

    @property
    def kinds(self) -> list[str]:
        """The kinds of network that it trains."""
        return list(self.options.get("kinds") or ["short"])

    def step(self, name: str) -> RoundStep:
        return self.steps.get(name=name)

    @property
    def next_step(self) -> RoundStep | None:
        """The first one that is not over."""
        return self.steps.exclude(state__in=RoundStep.OVER).first()

    @property
    def is_to_stop(self) -> bool:
        """Whether somebody asked it to stop, as the row says now."""
        return Round.objects.filter(pk=self.pk, stop_asked_at__isnull=False).exists()

    @transaction.atomic
    def end(self, state: str, decision: str) -> None:
        """Its end, with the decision in words."""
        self.decision, self.finished_at = decision, timezone.now()
        self.move_to(state, why=decision)
        self.save(update_fields=["decision", "finished_at"])

    @transaction.atomic
    def interrupt(self, state: str, why: str, person: AbstractBaseUser | None = None) -> None:
        """Stopped or failed, with the step that was under way."""
        of_a_step = {Round.State.STOPPED: RoundStep.State.STOPPED, Round.State.FAILED: RoundStep.State.FAILED}[state]
        self.move_to(state, why=why, person=person)
        for step in self.steps.filter(state__in=RoundStep.UNDER_WAY):
            step.leave(of_a_step, why)

    def take_up(self, why: str, person: AbstractBaseUser | None = None) -> None:
        """A stopped or failed round goes on with the step that it was in.

        Raises:
            NotAllowed: another round is under way, or it is over.
        """
        try:
            with transaction.atomic():
                self.move_to(self.State.OPEN, why=why, person=person)
                self.stop_asked_at = self.stop_asked_by = None
                self.save(update_fields=["stop_asked_at", "stop_asked_by"])
        except IntegrityError as problem:
            self.refresh_from_db()
            raise NotAllowed(ANOTHER_IS_UNDER_WAY) from problem


ANOTHER_IS_UNDER_WAY = "Another round is under way. Wait until it is done, or stop it; there is one at a time."


class RoundStep(Stateful):
    """One step of a round: what went into it, what came out, how long it took, and why it ended as it did."""

    class Name(models.TextChoices):
        """In the order in which they are taken."""

        COLLECT = "collect", "collect what there is"
        TRAIN = "train"
        CALIBRATE = "calibrate", "calibrate, and compare on the frozen benchmarks"
        MINE = "mine"
        DOUBLE_CHECK = "double_check", "double-check"
        EVALUATE = "evaluate"
        DECIDE = "decide", "promote or not"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        PEOPLE = "people", "waits for people"
        DONE = "done"
        SKIPPED = "skipped"
        FAILED = "failed"
        STOPPED = "stopped"

    NEXT = {
        State.WAITING: {State.RUNNING, State.SKIPPED},
        # It runs anew where its worker was lost.
        State.RUNNING: {State.RUNNING, State.PEOPLE, State.DONE, State.SKIPPED, State.FAILED, State.STOPPED},
        State.PEOPLE: {State.RUNNING, State.FAILED, State.STOPPED},
        State.FAILED: {State.RUNNING},
        State.STOPPED: {State.RUNNING},
        State.DONE: set(),
        State.SKIPPED: set(),
    }
    UNDER_WAY = (State.RUNNING, State.PEOPLE)
    OVER = (State.DONE, State.SKIPPED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    round = models.ForeignKey(Round, models.CASCADE, related_name="steps")
    name = models.CharField(max_length=20, choices=Name)
    place = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    inputs = models.JSONField(default=dict)
    outputs = models.JSONField(default=dict, help_text="What came of it; while it runs, what is done of it so far")
    reason = models.TextField(blank=True, help_text="Why it was skipped, failed, stopped or waits")
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "step"
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["round", "name"], name="one_step_of_a_name")]

    def __str__(self) -> str:
        return f"{self.round}: {self.get_name_display()}"

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER

    @transaction.atomic
    def begin(self, inputs: dict[str, Any]) -> None:
        """It runs now, for the first time or again."""
        self.move_to(self.State.RUNNING, why="It begins." if not self.attempts else "It goes on.")
        self.started_at = self.started_at or timezone.now()
        self.attempts += 1
        self.inputs = self.inputs | inputs
        self.reason = ""
        self.save(update_fields=["started_at", "attempts", "inputs", "reason"])

    def note(self, **outputs: Any) -> None:
        """Keeps what is done so far, so that a killed step does not do it again."""
        self.outputs = self.outputs | outputs
        self.save(update_fields=["outputs"])

    @transaction.atomic
    def finish(self, outputs: dict[str, Any]) -> None:
        self.outputs = self.outputs | outputs
        self.finished_at = timezone.now()
        self.move_to(self.State.DONE, why="It is done.")
        self.save(update_fields=["outputs", "finished_at"])

    @transaction.atomic
    def leave(self, state: str, reason: str) -> None:
        """Skipped, failed, stopped, or waiting for people; the reason is a sentence."""
        self.reason = reason
        self.finished_at = timezone.now() if state == self.State.SKIPPED else None
        self.move_to(state, why=reason)
        self.save(update_fields=["reason", "finished_at"])


class RoundFindingQuerySet(models.QuerySet["RoundFinding"]):
    def sure(self) -> Self:
        return self.filter(is_sure=True)

    def of_training(self) -> Self:
        """In songs of the training split."""
        return self.filter(fragment__recording__song__split=Split.TRAIN)


class RoundFinding(models.Model):
    """What a round's checkpoint found in a cover. It is no cover fragment as long as the checkpoint is not in use."""

    round = models.ForeignKey(Round, models.CASCADE, related_name="findings")
    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="+")
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="+")
    start_s = models.FloatField()
    end_s = models.FloatField()
    correlation = models.FloatField()
    tempo_ratio = models.FloatField()
    transposition = models.FloatField(null=True, blank=True)
    probability = models.FloatField(help_text="That it is right, as the machine has it")
    evidence = models.JSONField(default=dict, help_text="What the probability comes from")
    is_sure = models.BooleanField(help_text="The machine is sure; else it is doubtful")
    # What people are asked about: a cover fragment of this place.
    asked_about = models.ForeignKey(CoverFragment, models.SET_NULL, null=True, blank=True, related_name="+")
    # The cover fragment was made for the asking, and is forgotten if nobody judged it.
    is_made_for_asking = models.BooleanField(default=False)

    objects = RoundFindingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["round", "fragment", "recording", "start_s"], name="one_finding_of_a_place")
        ]

    def __str__(self) -> str:
        return f"{self.fragment} in {self.recording_id} at {self.start_s:.2f} s, {self.round}"
