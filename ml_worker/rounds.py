"""Rounds of the loop from outside: begun by hand or by the schedule, stopped, taken up again, and looked after.

What a round does is in work/round.py; nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.models import ReviewItem
from chad_site.errors import NotAllowed
from ml_worker.models import Job, Round, RoundStep
from recordings.models import CoverFragment, Humming, StateChange
from recordings.models.songs import Split

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

BY_HAND = "Started by hand."
# How a round that is not under way came to that.
ENDING = {
    Round.State.PROMOTED: "was promoted",
    Round.State.REFUSED: "was refused",
    Round.State.STOPPED: "was stopped",
    Round.State.FAILED: "failed",
}
# So much newly accepted material is worth a round when the time for one has come.
LEAST_NEW = 10


def start(why: str = BY_HAND, *, asked_by: AbstractBaseUser | None = None, **options: Any) -> Round:
    """Begins a round, and asks for its job.

    Raises:
        NotAllowed: another round is under way.
    """
    with transaction.atomic():
        begun = Round.begin(why, asked_by=asked_by, **options)
        Job.ask(Job.Kind.ROUND, begun.pk)
    return begun


def stop(round: Round, person: AbstractBaseUser | None = None) -> None:
    """Asks an open round to stop; where no machine is at it, it stops at once.

    Raises:
        NotAllowed: it is not under way.
    """
    with transaction.atomic():
        row = Round.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if row.state != Round.State.OPEN:
            raise NotAllowed(f"Round {row.number} {ENDING[row.state]}; only one that is under way can be stopped.")
        row.stop_asked_at, row.stop_asked_by = timezone.now(), person
        row.save(update_fields=["stop_asked_at", "stop_asked_by"])
        Job.objects.waiting().filter(kind=Job.Kind.ROUND, subject=str(row.pk)).delete()
        if not open_job(row):
            row.interrupt(Round.State.STOPPED, why_stopped(row), person)
    round.refresh_from_db()


def why_stopped(round: Round) -> str:
    return f"Stopped by {round.stop_asked_by or 'an admin'}."


def go_on(round: Round, person: AbstractBaseUser | None = None) -> None:
    """A stopped or failed round goes on; one that waits for people waits no longer.

    Raises:
        NotAllowed: it is at work, or it is over, or another round is under way.
    """
    with transaction.atomic():
        row = Round.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if row.state in Round.INTERRUPTED:
            row.take_up("Taken up again by hand.", person)
        elif (step := step_that_waits(row)) is not None:
            step.inputs = step.inputs | {"waits_no_longer": f"{person or 'An admin'} went on without the rest."}
            step.save(update_fields=["inputs"])
        else:
            what = "is at work already" if row.state == Round.State.OPEN else ENDING[row.state]
            raise NotAllowed(f"Round {row.number} {what}; there is nothing to go on with.")
        Job.ask(Job.Kind.ROUND, row.pk)
    round.refresh_from_db()


def open_job(round: Round) -> Job | None:
    return Job.objects.open().filter(kind=Job.Kind.ROUND, subject=str(round.pk)).first()


def latest_job(round: Round) -> Job | None:
    jobs = Job.objects.filter(kind=Job.Kind.ROUND, subject=str(round.pk))
    return jobs.order_by("-created_at").first()


# --- waiting for people


def step_that_waits(round: Round) -> RoundStep | None:
    return round.steps.filter(state=RoundStep.State.PEOPLE).first()


def still_asked(round: Round) -> QuerySet[ReviewItem]:
    """Items of the round that people have not settled yet."""
    return ReviewItem.objects.waiting().filter(cover_fragment__in=round.findings.values("asked_about"))


def waits_no_longer(round: Round, step: RoundStep) -> str:
    """Why a round goes on without the rest of its verdicts; "" as long as it waits for them."""
    if words := step.inputs.get("waits_no_longer"):
        return words
    longest = timedelta(days=settings.ROUND_WAITS_DAYS)
    if step.started_at and timezone.now() - step.started_at >= longest:
        return f"The rest of the verdicts did not come within {settings.ROUND_WAITS_DAYS} days."
    return ""


# --- what the schedule does, every few seconds


def look_after() -> None:
    """Takes up the open round where it can go on, tells it of a job that failed, or begins one that is due."""
    under_way = Round.objects.under_way()
    if under_way:
        keep_going(under_way)
    elif why := due():
        try:
            start(why)
        except NotAllowed:
            return  # another worker was faster


def keep_going(round: Round) -> None:
    """An open round without an open job gets one, unless it waits for people; where its job failed, it failed too."""
    if open_job(round):
        return
    job = latest_job(round)
    if job and job.state == Job.State.FAILED and not is_newer(round, job):
        fail(round, job.failure)
        return
    step = step_that_waits(round)
    if step is None or waits_no_longer(round, step) or not still_asked(round).exists():
        Job.ask(Job.Kind.ROUND, round.pk)


def is_newer(round: Round, job: Job) -> bool:
    """Whether the round was taken up again since the job failed."""
    return round.history.filter(after=Round.State.OPEN, at__gt=job.finished_at or job.created_at).exists()


def fail(round: Round, sentence: str) -> None:
    """Its job failed, and what failed could not tell the round."""
    with transaction.atomic():
        row = Round.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if row.state == Round.State.OPEN:
            row.interrupt(Round.State.FAILED, sentence)


@dataclass(frozen=True)
class Schedule:
    """What the schedule goes by when no round is under way.

    The rule. A round that was decided, whether promoted or refused, has had its answer on what it trained on: only
    what was accepted after that counts, or a refused one would be begun anew at once with the same material. One that
    was stopped or failed has had no answer, so the count goes on as if it had not been; but what ended it may end the
    next one as well, so after it the schedule begins none for ROUND_AFTER_DAYS, however much there is. A person may
    begin one, or take the interrupted one up, at any time.

    Attributes:
        counted: the latest round that has had its answer, or is under way; None before the first.
        counts_from: when it took stock of its material; what was accepted since then counts, and all before the first.
        interrupted: the latest round, if it was stopped or failed.
        rests_from: from when the days are counted: the latest round's beginning, or its interruption; None before the
            first round.
    """

    counted: Round | None
    counts_from: datetime | None
    interrupted: Round | None
    rests_from: datetime | None

    @classmethod
    def now(cls) -> Schedule:
        latest = Round.objects.first()
        if latest is None:
            return cls(None, None, None, None)
        if latest.state not in Round.INTERRUPTED:
            return cls(latest, took_stock_at(latest), None, latest.created_at)
        counted = Round.objects.exclude(state__in=Round.INTERRUPTED).first()
        return cls(counted, took_stock_at(counted) if counted else None, latest, interrupted_at(latest))

    def new(self, most: int | None = None) -> int:
        """How much there is that counts, up to `most`."""
        return new_material(self.counts_from, most)

    @property
    def rests_until(self) -> datetime | None:
        """When days are reason enough, with LEAST_NEW; None before the first round."""
        return self.rests_from + timedelta(days=settings.ROUND_AFTER_DAYS) if self.rests_from else None


def took_stock_at(round: Round) -> datetime:
    """When a round last looked at what there is to train on: training that is taken up again looks anew."""
    looks = round.steps.filter(name__in=(RoundStep.Name.COLLECT, RoundStep.Name.TRAIN)).values("pk")
    begun = StateChange.objects.filter(
        subject=RoundStep._meta.model_name, subject_id__in=looks, after=RoundStep.State.RUNNING
    ).last()
    return begun.at if begun else round.created_at


def interrupted_at(round: Round) -> datetime:
    """When a stopped or failed round was interrupted last."""
    change = round.history.filter(after=round.state).last()
    return change.at if change else round.created_at


def due() -> str:
    """Why a round is due, by the rule of `Schedule`; "" where none is."""
    if not settings.ROUNDS_SCHEDULED:
        return ""
    now = Schedule.now()
    new = now.new(most=settings.ROUND_AFTER_NEW)
    since = f"since round {now.counted.number}" if now.counted else "and no round yet"
    if new >= settings.ROUND_AFTER_NEW and not now.interrupted:
        return f"{new} or more newly accepted hums and cover fragments {since}."
    if now.rests_until and timezone.now() >= now.rests_until and new >= LEAST_NEW:
        days = (timezone.now() - now.rests_from).days
        if now.interrupted:
            since = f"since round {now.interrupted.number} {ENDING[now.interrupted.state]}"
        return f"{days} days {since}, and {new} newly accepted hums and cover fragments."
    return ""


def new_material(since: datetime | None, most: int | None = None) -> int:
    """How many hums and cover fragments of training songs people accepted since then; counted up to `most`."""
    hums = Q(
        humming__state=Humming.State.ACCEPTED,
        humming__ai_training=True,
        humming__fragment__recording__song__split=Split.TRAIN,
    )
    covers = Q(
        cover_fragment__state=CoverFragment.State.ACCEPTED,
        cover_fragment__fragment__recording__song__split=Split.TRAIN,
    )
    settled = ReviewItem.objects.filter(hums | covers, state=ReviewItem.State.SETTLED)
    if since:
        settled = settled.filter(settled_at__gt=since)
    return settled[:most].count()
