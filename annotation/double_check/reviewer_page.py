"""One reviewer as an admin sees them: standing with its history, verdicts, control items; and changing the standing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.utils import timezone

from annotation.double_check import desk, item_page, suspicions
from annotation.models import Verdict
from annotation.models.reviewers import Reviewer
from chad_site.errors import Refused

LATEST = 50
NOTHING_CHANGED = "They are {state} already. Load the page anew to see how it stands."


class PutBack(models.TextChoices):
    """Which verdicts of somebody who is set aside are asked anew."""

    SINCE = "since", "Those since their standing last changed"
    ALL = "all", "All of them"
    NONE = "none", "None of them"


def shown(reviewer: Reviewer) -> dict[str, Any]:
    verdicts = Verdict.objects.filter(person=reviewer.person).order_by("-at")
    with_items = verdicts.select_related("person__reviewer", *(f"item__{name}" for name in desk.WITH_ALL))
    of_items, of_controls = with_items.filter(item__control=None), with_items.of_controls()
    right, wrong = reviewer.score()
    suspicion = suspicions.of_person(reviewer.person)
    return {
        "reviewer": reviewer,
        "name": reviewer.person.get_username(),
        "suspicious": suspicion.patterns if suspicion else [],
        "right": right,
        "wrong": wrong,
        "given": verdicts.counted().count(),
        "verdicts": [item_page.described(verdict) for verdict in of_items[:LATEST]],
        "answers": [
            item_page.described(verdict) | {"is_right": verdict.item.control.is_right(verdict)}
            for verdict in of_controls[:LATEST]
        ],
        "history": reviewer.history.select_related("person"),
        "may_set_aside": Reviewer.State.SET_ASIDE in Reviewer.NEXT[Reviewer.State(reviewer.state)],
        "may_trust": Reviewer.State.TRUSTED in Reviewer.NEXT[Reviewer.State(reviewer.state)],
        "put_back": PutBack,
    }


@transaction.atomic
def change_standing(reviewer_id: Any, state: str, why: str, put_back: str, admin: AbstractBaseUser) -> Reviewer:
    """An admin sets somebody aside, or trusts them (again). What is to be put back is done by a worker.

    It goes by the control items that are answered from now on, as after any change of standing.
    """
    reviewer = Reviewer.objects.select_for_update(of=("self",)).get(pk=reviewer_id)
    if reviewer.state == state:
        raise Refused(NOTHING_CHANGED.format(state=reviewer.get_state_display()), "no_change")
    changed_at = reviewer.changed_at
    reviewer.move_to(state, why=why, person=admin)
    reviewer.changed_at = timezone.now()
    reviewer.put_back_from = from_when(reviewer, put_back, changed_at) if state == Reviewer.State.SET_ASIDE else None
    reviewer.put_back_until = reviewer.changed_at if reviewer.put_back_from else None
    reviewer.save(update_fields=["changed_at", "put_back_from", "put_back_until"])
    return reviewer


def from_when(reviewer: Reviewer, put_back: str, changed_at: datetime) -> datetime | None:
    if put_back == PutBack.NONE:
        return None
    if put_back == PutBack.SINCE:
        return changed_at
    first = Verdict.objects.filter(person=reviewer.person).order_by("at").values_list("at", flat=True).first()
    return first or changed_at
