"""One item as an admin sees it: every verdict, what they come to, and its whole history."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from annotation import report_list
from annotation.double_check import desk
from annotation.models import ReviewItem, Verdict
from annotation.models.reviewers import Reviewer
from annotation.models.verdicts import Decision, Reason
from recordings.models import Humming
from recordings.models.history import StateChange

NOTHING_TO_DECIDE = {
    ReviewItem.State.CLOSED: "This item is closed: there is nothing to decide any more.",
    ReviewItem.State.CONTROL: "This is a control item: its truth is known, so there is nothing to decide.",
}


def verdicts_of(item: ReviewItem) -> list[dict[str, Any]]:
    """All that were given, oldest first; those that were taken back, too."""
    rows = Verdict.objects.filter(item=item).select_related("person__reviewer").order_by("at", "pk")
    return [described(verdict) for verdict in rows]


def described(verdict: Verdict) -> dict[str, Any]:
    """One verdict for a page of an admin. Milliseconds, as the review page shows them."""
    reviewer: Reviewer | None = getattr(verdict.person, "reviewer", None)
    return {
        "row": verdict,
        "who": verdict.person.get_username(),
        "reviewer": reviewer,
        "accepts": verdict.accepts,
        "reason": str(Reason(verdict.reason).label) if verdict.reason else "",
        "moved": f"{verdict.nudge_s * 1000:+.0f} ms".replace("-", "−") if verdict.nudge_s else "",
        "trims_ms": (round(verdict.trim_start_s * 1000), round(verdict.trim_end_s * 1000)),
    }


def weights(item: ReviewItem) -> dict[str, Any]:
    """What the counted verdicts come to by their reviewers' reliability, beside plain counting."""
    decisions = list(item.verdicts.counted().values_list("decision", flat=True))
    accepts = decisions.count(Decision.ACCEPT)
    found = item.weigh()
    return {
        "probability": found.probability if decisions else None,
        "accepts": accepts,
        "rejects": len(decisions) - accepts,
        "majority": found.majority,
        "weighted": found.accepts,
        "missing": found.missing,
        "disputed": found.disputed,
    }


def history_of(item: ReviewItem) -> QuerySet[StateChange]:
    """Every change of the item and of what it is about, oldest first. Of a control item only its own."""
    subjects = [item.pk] if item.control else [item.pk, item.version.pk]
    return StateChange.objects.filter(subject_id__in=subjects).select_related("person").order_by("at", "pk")


def stands(item: ReviewItem) -> dict[str, str]:
    """Where the item stands, in words, with the kind of its mark."""
    state = item.state
    if state == ReviewItem.State.SETTLED:
        accepted = item.version.state == "accepted"
        words = f"{'accepted' if accepted else 'rejected'} by {'an admin' if item.overruled_by_id else 'the reviewers'}"
        return {"kind": "good" if accepted else "bad", "words": words}
    if state == ReviewItem.State.CONTROL:
        return {"kind": "control", "words": f"control item: {item.control.get_fault_display()}"}
    words = {
        ReviewItem.State.DISPUTED: "disputed: an admin decides",
        ReviewItem.State.WAITING: "waits for verdicts",
        ReviewItem.State.CLOSED: "closed",
    }
    kinds = {ReviewItem.State.DISPUTED: "warning", ReviewItem.State.WAITING: "running"}
    return {"kind": kinds.get(ReviewItem.State(state), "closed"), "words": words[ReviewItem.State(state)]}


def in_words(about: dict[str, Any]) -> str:
    """What the machine proposes for the version."""
    version, likeness = about["version"], "similarity" if about["kind"] == "hum" else "correlation"
    offset_s, tempo, key = version["offset_s"], version["tempo_ratio"], version["transposition"]
    parts = [
        f"of {version['duration_s']:.1f} s it begins at {offset_s:.3f} s" if offset_s is not None else "",
        f"tempo × {tempo:.2f}" if tempo is not None else "",
        f"{key:+.1f} semitones" if key is not None else "interval unknown",
        f"{likeness} {about['similarity']:.2f}" if about["similarity"] is not None else f"{likeness} unknown",
    ]
    return ", ".join(filter(None, parts)).replace("-", "−")


def has_sound(item: ReviewItem) -> bool:
    """Whether there is something to hear: the sound of a take goes with its singer, who may ask for that."""
    if item.control and item.control.audio:
        return True
    version = item.version
    return not isinstance(version, Humming) or bool(version.audio)


def shown(item: ReviewItem) -> dict[str, Any]:
    """What the page shows. `why_not` says why an item cannot be decided; `sound` whether there is one to hear."""
    about = desk.describe(item)
    return {
        "item": item,
        "about": about,
        "proposal": in_words(about),
        "stands": stands(item),
        "verdicts": verdicts_of(item),
        "weights": None if item.control else weights(item),
        "history": history_of(item),
        "reports": report_list.of_item(item),
        "why_not": NOTHING_TO_DECIDE.get(ReviewItem.State(item.state), ""),
        "sound": has_sound(item),
    }
