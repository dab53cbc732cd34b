"""Handing out items of the double-check: what waits, most helpful first, with control items in between."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Iterable

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet

from annotation.crowd import probability_of_gold
from annotation.models import Control, Reviewer, ReviewItem, Verdict
from annotation.models.review import lock_person

# The item on the desk and the next one, which is loaded before it is needed.
HELD_AT_ONCE = 2
# How many items a claim tries before it says that nothing is left: more than people claim in one moment.
CANDIDATES = 50
# Of control items any will do.
FEW = 5


@transaction.atomic
def claim(person: AbstractBaseUser, holding: Collection[uuid.UUID] = ()) -> ReviewItem | None:
    """A lease on the next item for this person, beside those that are on their desk (`holding`).

    What they hold without having it on the desk (another tab's, or a page that was loaded anew) comes first. None
    when nothing is left for them, or when they hold as many as anyone may.
    """
    # Two tabs of one person claim in turn, so that nobody hoards.
    lock_person(person)
    held = list(ReviewItem.objects.held_by(person).new_to(person).order_by("leased_until").values_list("pk", flat=True))
    forgotten = _first_leased((pk for pk in held if pk not in holding), person)
    if forgotten or len(held) >= HELD_AT_ONCE:
        return forgotten
    return _claim_control(person) or _claim_waiting(person)


def clear_desk(person: AbstractBaseUser, but: uuid.UUID) -> None:
    """After a verdict was taken back: that item, what lay on the desk and what was loaded ahead, and no more."""
    others = ReviewItem.objects.held_by(person).exclude(pk=but).order_by("-leased_at").values_list("pk", flat=True)
    ReviewItem.objects.filter(pk__in=list(others[HELD_AT_ONCE:])).release()


def _claim_waiting(person: AbstractBaseUser) -> ReviewItem | None:
    others = _not_held(ReviewItem.objects.for_person(person), person)
    candidates = others.most_helpful_first().values_list("pk", flat=True)[:CANDIDATES]
    return _first_leased(list(candidates), person)


def _claim_control(person: AbstractBaseUser) -> ReviewItem | None:
    """A control item, where it is time for one: always while practising, else by chance."""
    if not settings.CONTROL_ITEMS:
        return None
    reviewer = Reviewer.of(person)
    if not reviewer.gets_feedback and random.random() >= probability_of_gold(*reviewer.score()):
        return None
    controls = _not_held(ReviewItem.objects.controls_for(person), person)
    head = ReviewItem.objects.for_person(person).most_helpful_first().first()
    for wanted in _wishes(head):
        candidates = controls.filter(*wanted).order_by("?").values_list("pk", flat=True)[:FEW]
        item = _first_leased(list(candidates), person)
        if item:
            _blend_in(item, person, head)
            return item
    return None


def _wishes(head: ReviewItem | None) -> list[tuple[Q, Q]]:
    """Which control items to look for, one wish after the other.

    Half of them good, so that neither always accepting nor always rejecting goes well; and of the kind that would come
    otherwise, where there is one, so that the kind tells nothing.
    """
    good = Q(control__fault=Control.Fault.AS_IS)
    truths = (good, ~good) if random.random() < 0.5 else (~good, good)
    alike = Q(control__humming__isnull=head.kind == "cover") if head else Q()
    return [(kind, truth) for kind in (alike, Q()) for truth in truths]


def _blend_in(item: ReviewItem, person: AbstractBaseUser, head: ReviewItem | None) -> None:
    """A control item shows a likeness that fits where it stands: between the last item and the one it precedes."""
    if head is None or head.kind != item.kind:
        item.sureness = item.control.similarity or 0.0
    else:
        last = Verdict.objects.filter(person=person).select_related("item").first()
        low = last.item.sureness if last and last.item.kind == head.kind else 0.95 * head.sureness
        item.sureness = random.uniform(min(low, head.sureness), head.sureness)
    item.save(update_fields=["sureness"])


def _not_held(items: QuerySet[ReviewItem], person: AbstractBaseUser) -> QuerySet[ReviewItem]:
    return items.exclude(pk__in=ReviewItem.objects.held_by(person).values("pk"))


def _first_leased(ids: Iterable[uuid.UUID], person: AbstractBaseUser) -> ReviewItem | None:
    return next(filter(None, (_try_to_lease(pk, person) for pk in ids)), None)


def _try_to_lease(item_id: uuid.UUID, person: AbstractBaseUser) -> ReviewItem | None:
    """Locks one item and leases it if it still waits: a lease or a verdict may have come since it was looked up."""
    item = ReviewItem.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=item_id).first()
    if item and ReviewItem.objects.new_to(person).filter(pk=item_id, state__in=ReviewItem.ASKED).exists():
        item.lease(person)
        return item
    return None
