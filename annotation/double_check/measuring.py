"""How far each reviewer can be relied on: everybody's verdicts together, anchored by the control items among them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import Q
from django.utils import timezone

from annotation.crowd import Fit, fit
from annotation.models import Control, Reviewer, Verdict
from annotation.models.controls import is_right, unsure
from annotation.models.verdicts import Decision

# Rows that are read, or written, at one go.
AT_ONCE = 5000
FIELDS = ("accepts_good", "rejects_bad", "measured_verdicts", "measured_at")


@dataclass(frozen=True)
class Measured:
    """What a measuring went by, and what it took."""

    reviewers: int
    verdicts: int
    on_controls: int
    items: int
    good_share: float | None
    iterations: int
    seconds: float


@dataclass(frozen=True)
class Votes:
    """Verdicts as plain numbers: items and people are numbered in the order in which they came."""

    items: list[int]
    people: list[int]
    accepts: list[bool]
    person_ids: list[int]
    n_items: int
    known: dict[int, bool]  # what control items are
    on_controls: int


def measure_reviewers() -> Measured:
    """Measures everybody who has given verdicts, and writes it to their rows. Safe to run twice."""
    begun, now = time.monotonic(), timezone.now()
    votes = read_votes()
    found = fit(votes.items, votes.people, votes.accepts, known=votes.known, n_items=votes.n_items)
    if votes.person_ids:
        write(votes, found, now)
    return Measured(
        reviewers=len(votes.person_ids),
        verdicts=len(votes.items),
        on_controls=votes.on_controls,
        items=votes.n_items,
        good_share=found.prior if votes.items else None,
        iterations=found.iterations,
        seconds=round(time.monotonic() - begun, 3),
    )


def read_votes() -> Votes:
    """All verdicts that say something of their reviewers. No rows are kept, so 100,000 take little memory."""
    items: dict[Any, int] = {}
    people: dict[int, int] = {}
    of, by, what = [], [], []
    known: dict[int, bool] = {}
    on_controls = 0
    for item_id, person_id, decision, nudge_s, fault, facts in rows():
        item = items.setdefault(item_id, len(items))
        of.append(item)
        by.append(people.setdefault(person_id, len(people)))
        if fault is None:
            what.append(decision == Decision.ACCEPT)
            continue
        known[item] = fault == Control.Fault.AS_IS
        # Who moves a shifted one back and accepts it has found what is bad in it.
        what.append(known[item] == is_right(fault, facts, decision, nudge_s))
        on_controls += 1
    return Votes(of, by, what, list(people), len(items), known, on_controls)


def rows() -> Iterator[tuple[Any, int, str, float, str | None, dict[str, Any] | None]]:
    """Item, person, decision and nudge, and of control items what was done to them.

    An answer to a control item shows what its reviewer is worth also where verdicts do not count. One that was an
    accepted pair and was retired may have been no good pair after all, so nothing is learnt from it.
    """
    counted = Q(item__control=None, counts=True)
    control = Q(item__control__isnull=False) & ~unsure("item__control__")
    verdicts = Verdict.objects.standing().filter(counted | control).order_by()
    columns = "item_id", "person_id", "decision", "nudge_s", "item__control__fault", "item__control__facts"
    return verdicts.values_list(*columns).iterator(AT_ONCE)


def write(votes: Votes, found: Fit, now: datetime) -> None:
    """The reliabilities, to the rows of those who have one; who has none yet gets one."""
    many = np.bincount(votes.people, minlength=len(votes.person_ids))
    number_of = {person_id: number for number, person_id in enumerate(votes.person_ids)}
    known = set(Reviewer.objects.values_list("person_id", flat=True))
    new = [Reviewer(person_id=person_id) for person_id in votes.person_ids if person_id not in known]
    Reviewer.objects.bulk_create(new, ignore_conflicts=True)
    reviewers = list(Reviewer.objects.filter(person__in=votes.person_ids).only("pk", "person_id").order_by("pk"))
    for reviewer in reviewers:
        number = number_of[reviewer.person_id]
        worth = found.reliability(number)
        reviewer.accepts_good, reviewer.rejects_bad = worth.accepts_good, worth.rejects_bad
        reviewer.measured_verdicts, reviewer.measured_at = int(many[number]), now
    Reviewer.objects.bulk_update(reviewers, FIELDS, batch_size=AT_ONCE)
