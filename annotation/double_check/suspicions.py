"""Suspicious patterns in the last weeks' verdicts, reviewer by reviewer: signs for an admin, never a judgement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, F, Max, Q, QuerySet, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from annotation.crowd import Judged, Pattern, suspicious_patterns
from annotation.models import ReviewItem, Verdict
from annotation.models.verdicts import Decision

RECENT = timedelta(days=30)
# The newest verdicts of each reviewer that are looked at: enough for every sign, and the same for the busiest.
LOOKED_AT = 200
# How many reviewers `of_all` looks at: those who judged last.
MOST_PEOPLE = 500


@dataclass(frozen=True)
class Suspicion:
    """What is suspicious of one reviewer.

    Attributes:
        person, name: the account.
        verdicts: how many of theirs were looked at.
        last_at: when they judged last.
        patterns: the signs, each with its sentence; none where all is well.
    """

    person: int
    name: str
    verdicts: int
    last_at: datetime
    patterns: list[Pattern]


def of_person(person: AbstractBaseUser) -> Suspicion | None:
    """One reviewer's, without patterns where all is well; None who judged nothing of late."""
    found = _look_at([person.pk])
    return found[0] if found else None


def of_all() -> list[Suspicion]:
    """Reviewers of the last 30 days in whose verdicts there are signs, those with the most signs first."""
    people = _recent().values("person").annotate(last_at=Max("at")).order_by("-last_at")
    people = people.values_list("person", flat=True)[:MOST_PEOPLE]
    found = [one for one in _look_at(people) if one.patterns]
    return sorted(found, key=lambda one: (-len(one.patterns), one.name))


def _recent() -> QuerySet[Verdict]:
    """What people were asked in earnest: control items have a page of their own."""
    since = timezone.now() - RECENT
    return Verdict.objects.standing().filter(at__gte=since, item__control=None)


def _look_at(people: Iterable[int]) -> list[Suspicion]:
    rows = _newest_of_each(list(people))
    if not rows:
        return []
    share, others = _accept_share(), _what_was_said_of({row["item"] for row in rows})
    by_person: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_person[row["person"]].append(row)
    names = dict(get_user_model().objects.filter(pk__in=by_person).values_list("pk", "username"))
    return [
        Suspicion(
            person=person,
            name=names[person],
            verdicts=len(own),
            last_at=max(row["at"] for row in own),
            patterns=suspicious_patterns([_judged(row, others[row["item"]]) for row in own], share),
        )
        for person, own in by_person.items()
    ]


def _newest_of_each(people: list[int]) -> list[dict[str, Any]]:
    lengths = [
        F(f"item__{of}__fragment__end_s") - F(f"item__{of}__fragment__start_s") for of in ("humming", "cover_fragment")
    ]
    numbered = _recent().filter(person__in=people).annotate(
        number=Window(RowNumber(), partition_by=F("person"), order_by=F("at").desc()), length_s=Coalesce(*lengths)
    )  # fmt: skip
    names = ("person", "item", "decision", "reason", "took_s", "at", "length_s", "counts")
    return list(numbered.filter(number__lte=LOOKED_AT).values(*names))


def _accept_share() -> float:
    """How much of everybody's recent verdicts accepts."""
    accepting = Count("pk", filter=Q(decision=Decision.ACCEPT))
    found = _recent().aggregate(many=Count("pk"), accepting=accepting)
    return found["accepting"] / found["many"] if found["many"] else 0.5


@dataclass(frozen=True)
class Said:
    """The counted verdicts on an item, and what an admin decided."""

    accepts: int
    rejects: int
    overruled: bool | None


def _what_was_said_of(items: set[Any]) -> dict[Any, Said]:
    counted = Q(verdicts__counts=True, verdicts__undone_at=None)
    tallies = ReviewItem.objects.filter(pk__in=items).annotate(
        accepts=Count("verdicts", filter=counted & Q(verdicts__decision=Decision.ACCEPT)),
        rejects=Count("verdicts", filter=counted & Q(verdicts__decision=Decision.REJECT)),
    )
    states = ("humming__state", "cover_fragment__state")
    values = tallies.values_list("pk", "accepts", "rejects", "overruled_by", *states)
    return {
        pk: Said(accepts, rejects, None if admin is None else "accepted" in (hum, cover))
        for pk, accepts, rejects, admin, hum, cover in values
    }


def _judged(row: dict[str, Any], said: Said) -> Judged:
    """A verdict beside what the others say: an admin, else the majority of the other counted verdicts."""
    accepts = row["decision"] == Decision.ACCEPT
    balance = said.accepts - said.rejects
    if row["counts"]:
        balance -= 1 if accepts else -1
    crowd = said.overruled if said.overruled is not None else (balance > 0 if balance else None)
    return Judged(accepts, row["reason"], row["took_s"], row["length_s"], crowd)
