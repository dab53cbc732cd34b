"""How far reviewers agree and what their verdicts are worth: figures from the rows, never stored.

Counted verdicts alone go into them: not those that were taken back or do not count, and none on control items. They
are read in one query, as columns; what is reckoned of them is numpy over plain numbers, quick at 100,000 verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.postgres.aggregates import StringAgg
from django.core.cache import cache
from django.db.models import BigIntegerField, Case, Count, F, Min, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, Extract
from django.utils import timezone
from numpy.typing import NDArray

from annotation.crowd import SETTLED_AT, UNPROVEN, Reliability, agreement_share, alpha
from annotation.crowd.consensus import log_weight
from annotation.double_check import suspicions
from annotation.models import Control, ReviewItem, Verdict
from annotation.models.reviewers import PUT_BACK, Reviewer
from annotation.models.verdicts import Decision, Reason

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# People who are made, and so are their takes and verdicts: members of this group.
SIMULATED = "simulated"

KEPT_S = 60
# With fewer units than these an interval would promise too much.
FEWEST_UNITS = 10
# 95 % of a normal distribution lie so many standard errors around its middle.
NORMAL_95 = 1.96
MOST_WEEKS = 52
MOST_APART = 50

SETTLED, NOT_SETTLED = ReviewItem.State.SETTLED.value, -1
DAY_S = 86_400
# The epoch was a Thursday, and weeks begin on Mondays.
MONDAY = 3


def cached(with_simulated: bool = True) -> dict[str, Any]:
    """The figures as they were at most a minute ago; `computed_at` says when."""
    key = f"agreement:{with_simulated}"
    found = cache.get(key)
    if found is None:
        found = figures(with_simulated)
        cache.set(key, found, KEPT_S)
    return found


def figures(with_simulated: bool = True) -> dict[str, Any]:
    """Everything that the page of the double-check shows, as the API answers it."""
    scope = Scope.of(with_simulated)
    given = Given.read(scope)
    people = reviewers(scope, given)
    return {
        "computed_at": timezone.now(),
        "with_simulated": with_simulated,
        "simulated_people": len(scope.simulated),
        "verdicts": verdict_counts(scope, given),
        "agreement": {
            "verdicts": reliability_of(given.of, given.accepts.astype(np.float64), "nominal"),
            "offsets": reliability_of(*given.offsets_of_accepts(), "interval"),
        },
        "per_week": per_week(given),
        "per_reason": per_reason(given),
        "per_reviewer": people,
        "consensus": weighted_beside_majority(given, people),
        "queue": queue(scope, given),
        "controls": controls(scope),
        "suspicious": suspicious(scope),
    }


# --- what is read


def simulated_people() -> frozenset[int]:
    """Keys of the people that are no people, but a program."""
    return frozenset(get_user_model().objects.filter(groups__name=SIMULATED).values_list("pk", flat=True))


@dataclass(frozen=True)
class Scope:
    """Whose verdicts, and which items, are looked at."""

    with_simulated: bool
    simulated: frozenset[int]

    @classmethod
    def of(cls, with_simulated: bool) -> Scope:
        return cls(with_simulated, simulated_people())

    def verdicts(self, verdicts: QuerySet[Verdict]) -> QuerySet[Verdict]:
        """Without the verdicts of simulated reviewers, and those on simulated takes."""
        if self.with_simulated:
            return verdicts
        of_people = Q(item__humming=None) | Q(item__humming__simulated=False)
        return verdicts.exclude(person__in=self.simulated).filter(of_people)

    def items(self, items: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
        return items if self.with_simulated else items.filter(Q(humming=None) | Q(humming__simulated=False))


@dataclass(frozen=True, eq=False)
class Given:
    """Counted verdicts as columns: V verdicts of P people on I items, people and items numbered from 0.

    Attributes:
        items, people: what the numbers stand for: ids of items as text, ids of persons.
        of, by: (V,) which item, and by whom.
        accepts, reason, at_s, offset_s, took_s: (V,) of each verdict; NaN where there is no value.
        states, overruled, settled: (I,) of each item; `settled` is 1 accepted, 0 rejected, -1 not settled.
    """

    items: list[str]
    people: list[int]
    of: Ints
    by: Ints
    accepts: Bools
    reason: NDArray[np.str_]
    at_s: Ints
    offset_s: Floats
    took_s: Floats
    states: NDArray[np.str_]
    overruled: Bools
    settled: Ints

    @classmethod
    def read(cls, scope: Scope) -> Given:
        column = columns(scope.verdicts(Verdict.objects.counted()))
        items, of, first = numbered(column["item"])
        people, by, _ = numbered(column["person"])
        states = np.array(column["state"], dtype="U10")[first]
        is_accepted = np.array(column["accepted"], dtype="U5")[first] == "true"
        return cls(
            items=items,
            people=[int(person) for person in people],
            of=of,
            by=by,
            accepts=np.array(column["decision"], dtype="U10") == Decision.ACCEPT.value,
            reason=np.array(column["reason"], dtype="U20"),
            at_s=np.array(column["at_s"], dtype=np.int64),
            offset_s=np.array(column["proposed_s"], dtype=np.float64) + np.array(column["nudge_s"], dtype=np.float64),
            took_s=np.array(column["took_s"], dtype=np.float64),
            states=states,
            overruled=np.array(column["overruled"], dtype="U5")[first] == "true",
            settled=np.where(states == SETTLED, is_accepted.astype(np.int64), NOT_SETTLED),
        )

    def per_item(self, weights: NDArray[Any] | None = None) -> Floats:
        """(I,) how many verdicts each item has, or the sum of their weights."""
        return np.bincount(self.of, weights, minlength=len(self.items)).astype(np.float64)

    def per_person(self, weights: NDArray[Any]) -> Floats:
        return np.bincount(self.by, weights, minlength=len(self.people)).astype(np.float64)

    @property
    def accepting(self) -> Floats:
        """(I,) how many verdicts accept each item."""
        return self.per_item(self.accepts)

    def offsets_of_accepts(self) -> tuple[Ints, Floats]:
        """Where those who accept say that the fragment begins: the machine's proposal with their own correction."""
        told = self.accepts & ~np.isnan(self.offset_s)
        return self.of[told], self.offset_s[told]


IS_ACCEPTED = Q(item__humming__state="accepted") | Q(item__cover_fragment__state="accepted")
COLUMNS: dict[str, Any] = {
    "item": F("item_id"),
    "person": F("person_id"),
    "decision": F("decision"),
    "reason": F("reason"),
    "at_s": Cast(Extract("at", "epoch"), BigIntegerField()),
    "proposed_s": F("proposed_offset_s"),
    "nudge_s": F("nudge_s"),
    "took_s": F("took_s"),
    "state": F("item__state"),
    "overruled": Case(When(item__overruled_by__isnull=False, then=Value("true")), default=Value("false")),
    "accepted": Case(When(IS_ACCEPTED, then=Value("true")), default=Value("false")),
}


def columns(verdicts: QuerySet[Verdict]) -> dict[str, list[str]]:
    """Each of COLUMNS as texts, "nan" where there is no value.

    The database writes each column as one text. A tuple of eleven objects for each verdict would take the web process
    four times as long, in which it could answer nobody else.
    """
    found = verdicts.order_by().aggregate(
        **{f"all_{name}": StringAgg(as_text(expression), ",") for name, expression in COLUMNS.items()}
    )
    texts = {name: found[f"all_{name}"] for name in COLUMNS}
    return {name: [] if text is None else text.split(",") for name, text in texts.items()}


def as_text(expression: Any) -> Coalesce:
    return Coalesce(Cast(expression, TextField()), Value("nan"))


def numbered(values: Sequence[Any]) -> tuple[list[Any], Ints, list[int]]:
    """The distinct values, (V,) the number of each value, and where each of the distinct ones comes first."""
    number: dict[Any, int] = {}
    first: list[int] = []
    numbers = np.empty(len(values), dtype=np.int64)
    for k, value in enumerate(values):
        if value not in number:
            number[value] = len(number)
            first.append(k)
        numbers[k] = number[value]
    return list(number), numbers, first


# --- agreement


def as_units(of: Ints, values: NDArray[Any]) -> list[list[float]]:
    """The values of each item, items of two or more only: what Krippendorff's alpha calls units."""
    order = np.argsort(of, kind="stable")
    starts = np.flatnonzero(np.diff(of[order], prepend=-1))
    in_order, bounds = values[order].tolist(), [*starts.tolist(), len(of)]
    return [in_order[a:b] for a, b in pairwise(bounds) if b - a >= 2]


def reliability_of(of: Ints, values: Floats, metric: str) -> dict[str, Any]:
    """Krippendorff's alpha with its 95 % interval, the plain share of agreement, and how much they stand on."""
    units = as_units(of, values)
    found = alpha(units, metric)
    interval = None if found is None else alpha_interval(of, values, found)
    return {
        "alpha": found,
        "low": interval and interval[0],
        "high": interval and interval[1],
        "agreement": agreement_share(units) if metric == "nominal" else None,
        "units": len(units),
        "values": sum(map(len, units)),
    }


def alpha_interval(of: Ints, values: Floats, found: float) -> tuple[float, float] | None:
    """A 95 % interval by the jackknife: alpha anew without each of the units in turn, from sums alone.

    For verdicts, 0 and 1, the squared difference is the nominal one, so one formula serves both metrics.
    """
    sizes = np.bincount(of).astype(np.float64)
    # The squares of what lies far from 0 would swallow the differences.
    values = values - values.mean()
    sums, squares = np.bincount(of, values), np.bincount(of, values**2)
    several = sizes >= 2
    sizes, sums, squares = sizes[several], sums[several], squares[several]
    many = len(sizes)
    if many < FEWEST_UNITS:
        return None
    within = 2 * (sizes * squares - sums**2) / (sizes - 1)
    n = sizes.sum() - sizes
    observed = (within.sum() - within) / n
    expected = 2 * (n * (squares.sum() - squares) - (sums.sum() - sums) ** 2) / (n * (n - 1))
    if (expected <= 0).any():
        return None
    without = 1 - observed / expected
    error = float(np.sqrt((many - 1) / many * ((without - without.mean()) ** 2).sum()))
    return max(-1.0, found - NORMAL_95 * error), min(1.0, found + NORMAL_95 * error)


def per_week(given: Given) -> list[dict[str, Any]]:
    """Agreement week by week. An item belongs to the week, from Monday (UTC), of its latest verdict."""
    if not given.items:
        return []
    week_of = (given.at_s // DAY_S + MONDAY) // 7
    item_weeks = np.zeros(len(given.items), dtype=np.int64)
    np.maximum.at(item_weeks, given.of, week_of)
    by_item = item_weeks[given.of]
    found = []
    for week in np.unique(week_of)[-MOST_WEEKS:]:
        mine = by_item == week
        units = as_units(given.of[mine], given.accepts[mine].astype(np.float64))
        found.append(
            {
                "week": monday(int(week)),
                "verdicts": int((week_of == week).sum()),
                "units": len(units),
                "alpha": alpha(units, "nominal"),
                "agreement": agreement_share(units),
            }
        )
    return found


def monday(week: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=7 * week - MONDAY)).date().isoformat()


def per_reason(given: Given) -> list[dict[str, Any]]:
    """Of each reason: how often others who judged the same item rejected it, too, and for the same reason.

    The shares are of verdicts by others, each once for every rejection that it stands beside.
    """
    others = given.per_item()[given.of] - 1
    rejecting = given.per_item(~given.accepts)[given.of] - 1
    found = []
    for reason in Reason:
        mine = ~given.accepts & (given.reason == reason.value)
        if not mine.any():
            continue
        same = given.per_item(mine)[given.of] - 1
        compared = int(others[mine].sum())
        found.append(
            {
                "reason": reason.value,
                "label": str(reason.label),
                "rejections": int(mine.sum()),
                "others": compared,
                "rejected_too": share(rejecting[mine].sum(), compared),
                "same_reason": share(same[mine].sum(), compared),
            }
        )
    return sorted(found, key=lambda one: -one["rejections"])


def share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


# --- reviewers


def reviewers(scope: Scope, given: Given) -> list[dict[str, Any]]:
    """Everybody who has judged, who gave most verdicts first."""
    answers = control_answers(scope)
    seen = set(given.people) | set(answers)
    counts = dict(zip(given.people, judged_by(given), strict=True))
    nothing = {"verdicts": 0, "with_others": None, "compared": 0, "with_settled": None, "settled": 0, "took_s": None}
    rows = [
        described_person(person, scope) | counts.get(person["pk"], nothing) | answers.get(person["pk"], NO_ANSWERS)
        for person in get_user_model().objects.filter(pk__in=seen).values("pk", "username", *OF_REVIEWER)
    ]
    for row in rows:
        row["controls_all"] = row["controls_right"] + row["controls_wrong"]
    return sorted(rows, key=lambda row: (-row["verdicts"], row["name"]))


OF_REVIEWER = tuple(
    f"reviewer__{name}" for name in ("pk", "state", "changed_at", "accepts_good", "rejects_bad", "measured_at")
)
NO_ANSWERS = {"controls_right": 0, "controls_wrong": 0}


def described_person(person: dict[str, Any], scope: Scope) -> dict[str, Any]:
    state = person["reviewer__state"] or Reviewer.State.NEW.value
    return {
        "person": person["pk"],
        "name": person["username"],
        "reviewer": person["reviewer__pk"],
        "simulated": person["pk"] in scope.simulated,
        "standing": state,
        "standing_words": str(Reviewer.State(state).label),
        "since": person["reviewer__changed_at"],
        "accepts_good": person["reviewer__accepts_good"],
        "rejects_bad": person["reviewer__rejects_bad"],
        "measured_at": person["reviewer__measured_at"],
    }


def judged_by(given: Given) -> list[dict[str, Any]]:
    """For each person: how many verdicts, how many as the majority of the others and as the item was settled."""
    others = given.per_item()[given.of] - 1
    lead = 2 * (given.accepting[given.of] - given.accepts) - others
    compared = lead != 0
    agrees = compared & ((lead > 0) == given.accepts)
    settled = given.settled[given.of]
    is_settled = settled != NOT_SETTLED
    as_settled = is_settled & (settled == given.accepts)
    took_s = medians(given.by, given.took_s, len(given.people))
    columns = (
        given.per_person(np.ones(len(given.by))),
        given.per_person(compared),
        given.per_person(agrees),
        given.per_person(is_settled),
        given.per_person(as_settled),
        took_s,
    )
    return [
        {
            "verdicts": int(verdicts),
            "with_others": share(agreed, many),
            "compared": int(many),
            "with_settled": share(right, ended),
            "settled": int(ended),
            "took_s": None if np.isnan(took) else float(took),
        }
        for verdicts, many, agreed, ended, right, took in zip(*columns, strict=True)
    ]


def suspicious(scope: Scope) -> list[dict[str, Any]]:
    """Signs in the verdicts of the last weeks, each with its sentence."""
    found = [one for one in suspicions.of_all() if scope.with_simulated or one.person not in scope.simulated]
    rows = dict(Reviewer.objects.filter(person__in=[one.person for one in found]).values_list("person", "pk"))
    return [
        {"person": one.person, "name": one.name, "reviewer": rows.get(one.person), "code": sign.code}
        | {"sentence": sign.sentence}
        for one in found
        for sign in one.patterns
    ]


def medians(groups: Ints, values: Floats, many: int) -> Floats:
    """(G,) the median of each group's values; NaN where it has none."""
    known = ~np.isnan(values)
    groups, values = groups[known], values[known]
    order = np.lexsort((values, groups))
    values = values[order]
    sizes = np.bincount(groups, minlength=many)
    starts = np.cumsum(sizes) - sizes
    found = np.full(many, np.nan)
    some = sizes > 0
    low, high = starts[some] + (sizes[some] - 1) // 2, starts[some] + sizes[some] // 2
    found[some] = (values[low] + values[high]) / 2
    return found


def control_answers(scope: Scope) -> dict[int, dict[str, int]]:
    """For each person: how many control items were judged as they are, and otherwise."""
    found: dict[int, dict[str, int]] = {}
    for person, fault, decision, many in answers_by(scope, "person"):
        counts = found.setdefault(person, dict(NO_ANSWERS))
        counts["controls_right" if is_right(fault, decision) else "controls_wrong"] += many
    return found


def answers_by(scope: Scope, *names: str) -> QuerySet[Verdict]:
    answers = scope.verdicts(Verdict.objects.of_controls()).order_by()
    return answers.values_list(*names, "item__control__fault", "decision").annotate(many=Count("pk"))


def is_right(fault: str, decision: str) -> bool:
    return decision == Control(fault=fault).expected


def controls(scope: Scope) -> list[dict[str, Any]]:
    """Control items by what was done to them: how many there are, and how often they are judged as they are."""
    right, wrong = dict.fromkeys(Control.Fault.values, 0), dict.fromkeys(Control.Fault.values, 0)
    for fault, decision, many in answers_by(scope):
        (right if is_right(fault, decision) else wrong)[fault] += many
    live, gone = Count("pk", filter=Q(retired_at=None)), Count("pk", filter=Q(retired_at__isnull=False))
    there = {row["fault"]: row for row in Control.objects.order_by().values("fault").annotate(live=live, gone=gone)}
    nothing = {"live": 0, "gone": 0}
    return [
        {
            "fault": fault.value,
            "label": str(fault.label),
            "live": there.get(fault.value, nothing)["live"],
            "retired": there.get(fault.value, nothing)["gone"],
            "answers": right[fault] + wrong[fault],
            "right": share(right[fault], right[fault] + wrong[fault]),
        }
        for fault in Control.Fault
    ]


# --- items


def weighted_beside_majority(given: Given, people: list[dict[str, Any]]) -> dict[str, Any]:
    """What reliability, as it is measured now, makes of the verdicts, beside what plain counting makes of them."""
    accepts, rejects = given.accepting, given.per_item(~given.accepts)
    probability = probabilities(given, people)
    needed = settings.VERDICTS_TO_SETTLE
    leads = np.sign(accepts - rejects)
    majority_settles = (np.maximum(accepts, rejects) >= needed) & (leads != 0)
    sure = np.where(leads > 0, probability, 1 - probability) >= SETTLED_AT - 1e-9
    asks_on = majority_settles & ~sure
    leans_apart = (leads != 0) & (np.sign(probability - 0.5) == -leads)
    is_settled = given.settled != NOT_SETTLED
    against = given.overruled & is_settled & (leads != 0) & ((leads > 0) != (given.settled == 1))
    apart = asks_on | leans_apart | against
    distance = np.abs(np.where(leads > 0, 1.0, 0.0) - probability)
    order = sorted(np.flatnonzero(apart).tolist(), key=lambda k: (-distance[k], given.items[k]))[:MOST_APART]
    songs = songs_of([given.items[k] for k in order])
    return {
        "items": len(given.items),
        "majority_settles": int(majority_settles.sum()),
        "weights_settle": int((majority_settles & sure).sum()),
        "asks_on": int(asks_on.sum()),
        "leans_apart": int(leans_apart.sum()),
        "settled": int((is_settled & ~given.overruled).sum()),
        "settled_apart": int((is_settled & ~given.overruled & (asks_on | leans_apart)).sum()),
        "overruled": int(given.overruled.sum()),
        "overruled_against_majority": int(against.sum()),
        "apart": int(apart.sum()),
        "list": [
            {
                "item": given.items[k],
                "song": songs.get(given.items[k], ""),
                "accepts": int(accepts[k]),
                "rejects": int(rejects[k]),
                "probability": round(float(probability[k]), 3),
                "state": str(given.states[k]),
                "overruled": bool(given.overruled[k]),
                "why": "overruled" if against[k] else "leans_apart" if leans_apart[k] else "asks_on",
            }
            for k in order
        ],
    }


def probabilities(given: Given, people: list[dict[str, Any]]) -> Floats:
    """(I,) that each item is good, by its verdicts and what their reviewers are worth: as `consensus` reckons it."""
    measured = {
        one["person"]: Reliability(one["accepts_good"], one["rejects_bad"])
        for one in people
        if one["measured_at"] and one["accepts_good"] is not None and one["rejects_bad"] is not None
    }
    worth = [measured.get(person, UNPROVEN) for person in given.people]
    accepting = np.array([log_weight(one, True) for one in worth], dtype=np.float64)
    rejecting = np.array([log_weight(one, False) for one in worth], dtype=np.float64)
    log_odds = given.per_item(np.where(given.accepts, accepting[given.by], rejecting[given.by]))
    return 0.5 * (1 + np.tanh(log_odds / 2))


def songs_of(items: list[str]) -> dict[str, str]:
    found = ReviewItem.objects.filter(pk__in=items).values_list(
        "pk", "humming__fragment__recording__song__title", "cover_fragment__fragment__recording__song__title"
    )
    return {str(pk): of_hum or of_cover for pk, of_hum, of_cover in found}


def verdict_counts(scope: Scope, given: Given) -> dict[str, int]:
    """All verdicts, by what becomes of them."""
    standing, no_control = Q(undone_at=None), Q(item__control=None)
    found = scope.verdicts(Verdict.objects.order_by()).aggregate(
        not_counted=Count("pk", filter=standing & no_control & Q(counts=False)),
        put_back=Count("pk", filter=no_control & Q(why_not=PUT_BACK)),
        taken_back=Count("pk", filter=Q(undone_at__isnull=False)),
        on_controls=Count("pk", filter=standing & Q(item__control__isnull=False)),
    )
    return {"counted": len(given.of), "people": len(given.people), **found}


def queue(scope: Scope, given: Given) -> dict[str, Any]:
    """Where the items stand."""
    state, here = ReviewItem.State, ReviewItem.objects.order_by()
    waits = Q(state=state.WAITING)
    found = scope.items(here).aggregate(
        waiting=Count("pk", filter=waits),
        one_from_settled=Count("pk", filter=waits & Q(missing=1)),
        disputed=Count("pk", filter=Q(state=state.DISPUTED)),
        settled=Count("pk", filter=Q(state=state.SETTLED)),
        overruled=Count("pk", filter=Q(state=ReviewItem.State.SETTLED, overruled_by__isnull=False)),
        closed=Count("pk", filter=Q(state=state.CLOSED)),
        on_desks=Count("pk", filter=Q(leased_to__isnull=False, leased_until__gt=timezone.now())),
        oldest=Min("created_at", filter=waits),
    )
    many, accepts = given.per_item(), given.accepting
    split = (given.states == state.WAITING.value) & (accepts > 0) & (accepts < many)
    is_settled = given.states == SETTLED
    found["split"] = int(split.sum())
    found["verdicts_per_item"] = share(many.sum(), len(many))
    found["verdicts_per_settled_item"] = share(many[is_settled].sum(), is_settled.sum())
    return found
