"""What reviewers read of their own verdicts and standing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from annotation.double_check import desk
from annotation.models import Reviewer, ReviewItem, Verdict
from annotation.models.verdicts import Reason

LEARNING = "Practice: some items are ones whose answer we know. After each of them you are told what it is."
SET_ASIDE = (
    "Several items whose answer we know were judged otherwise than they are, so your verdicts since {since} are asked "
    "anew, and new ones do not count for now. Go on: you are told the answers again, and when they go well your "
    "verdicts count."
)
NOTHING_TO_PRACTISE_ON = (
    "Several items whose answer we know were judged otherwise than they are, so your verdicts since {since} are asked "
    "anew, and new ones do not count for now. You have practised on all that there is: more comes as pairs are "
    "accepted, or an admin trusts you again."
)
WELL_DONE = "That went well, and your verdicts count. From now on items whose answer we know come without a word."
WELL_DONE_FOR = timedelta(minutes=2)
SETTLED_WORDS = {True: "settled", False: "waits for others"}


def standing(reviewer: Reviewer) -> str:
    """A notice about the person's standing; empty where there is nothing to be told."""
    if reviewer.state == Reviewer.State.TRUSTED:
        return WELL_DONE if timezone.now() - reviewer.changed_at < WELL_DONE_FOR else ""
    can_practise = ReviewItem.objects.controls_for(reviewer.person).exists()
    if reviewer.state == Reviewer.State.SET_ASIDE:
        since = reviewer.put_back_from or reviewer.changed_at
        words = SET_ASIDE if can_practise else NOTHING_TO_PRACTISE_ON
        return words.format(since=f"{since:%-d %B, %H:%M} UTC")
    return LEARNING if can_practise else ""


def last_verdicts(person: AbstractBaseUser, most: int) -> list[dict[str, Any]]:
    """The latest verdicts, control items among them unless they were explained: silence shows in no list."""
    verdicts = Verdict.objects.filter(person=person).order_by("-at")
    with_items = verdicts.select_related("person", *(f"item__{name}" for name in desk.WITH_ALL))[:most]
    return [describe(verdict) for verdict in with_items]


def describe(verdict: Verdict) -> dict[str, Any]:
    item = verdict.item
    practice = bool(item.control and item.control.told(verdict.person))
    return {
        "id": verdict.pk,
        "item": item.pk,
        "kind": item.kind,
        "song": item.fragment.song.title,
        "phrase": item.fragment.place[0],
        "decision": verdict.decision,
        "why": verdict.words or (Reason(verdict.reason).label if verdict.reason else ""),
        "at": verdict.at,
        "practice": practice,
        "undone": verdict.undone_at is not None,
        "counts": verdict.counts,
        "why_not": verdict.why_not,
        "state": "practice" if practice else SETTLED_WORDS[verdict.seems_settled],
        "may_be_undone": verdict.may_be_undone,
    }
