"""Items of the double-check as the admin's list shows them: a page from a few queries, however many items there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Count, Q, QuerySet

from annotation.double_check import desk
from annotation.models import Control, ReviewItem, Verdict
from annotation.models.verdicts import Decision
from recordings.models import CoverFragment, Fragment, Humming, Song

ITEMS_A_PAGE = 50
# Whoever looks further back should ask more exactly: each page costs more than the one before it.
MOST_PAGES = 200
# Nobody reads an exact number beyond this, and counting it would cost time.
MOST_COUNTED = 1000


class Shown(models.TextChoices):
    """The parts of the list, in their order."""

    DISPUTED = "disputed", "Disputed"
    WAITING = "waiting", "Waiting"
    SETTLED = "settled", "Settled"
    OVERRULED = "overruled", "Overruled"
    CLOSED = "closed", "Closed"
    CONTROL = "control", "Control items"


EXPLAINED = {
    Shown.DISPUTED: "As many reviewers were asked as ever are, and they do not agree: you decide.",
    Shown.WAITING: "Reviewers are asked about these, in this order: nearest to settled, then least sure, then oldest.",
    Shown.SETTLED: "Reviewers agreed, or an admin decided; the latest first.",
    Shown.OVERRULED: "An admin decided, whatever the verdicts say; the latest first.",
    Shown.CLOSED: "There is nothing to judge any more: the take was withdrawn, or its song taken down.",
    Shown.CONTROL: "Pairs of known truth, mixed in to see who listens. They are never settled.",
}


class Kind(models.TextChoices):
    HUM = "hum", "hums"
    COVER = "cover", "covers"


@dataclass(frozen=True)
class Wish:
    """What the list was asked for."""

    shown: str = ""
    words: str = ""
    reviewer: str = ""
    kind: str = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.words or self.reviewer or self.kind)


def in_order(shown: str) -> QuerySet[ReviewItem]:
    """One part of the list, in an order that an index has."""
    items = ReviewItem.objects.all()
    if shown == Shown.WAITING:
        return items.waiting().most_helpful_first()
    if shown == Shown.SETTLED:
        return items.filter(state=ReviewItem.State.SETTLED, settled_at__isnull=False).order_by("-settled_at", "pk")
    if shown == Shown.OVERRULED:
        return items.filter(state=ReviewItem.State.SETTLED).exclude(overruled_by=None).order_by("-settled_at", "pk")
    return items.filter(state=shown).order_by("-created_at", "pk")


def found(wish: Wish) -> QuerySet[ReviewItem]:
    items = in_order(wish.shown)
    if wish.words:
        items = items.filter(of_songs(wish.words))
    if wish.reviewer:
        judge = get_user_model().objects.filter(username__iexact=wish.reviewer).values_list("pk", flat=True)
        verdicts = Verdict.objects.standing().order_by().filter(person__in=list(judge))
        items = items.filter(pk__in=verdicts.values("item"))
    if wish.kind in Kind.values:
        thing = "humming" if wish.kind == Kind.HUM else "cover_fragment"
        way = f"control__{thing}" if wish.shown == Shown.CONTROL else thing
        items = items.filter(**{f"{way}__isnull": False})
    return items


def of_songs(words: str) -> Q:
    """Items of the songs whose title has all these words. The few songs are looked up first, then what is of them."""
    songs = Song.objects.order_by()
    for word in words.split():
        songs = songs.filter(title__icontains=word)
    fragments = Fragment.objects.order_by().filter(recording__song__in=songs).values("pk")
    ways = ((Humming, "humming"), (CoverFragment, "cover_fragment"), (Control, "control"))
    of_any = Q()
    for model, name in ways:
        of_any |= Q(**{f"{name}__in": model.objects.order_by().filter(fragment__in=fragments).values("pk")})
    return of_any


def page_of(wish: Wish, number: int) -> tuple[list[ReviewItem], bool]:
    """The items of one page, and whether there are more after it."""
    first = (number - 1) * ITEMS_A_PAGE
    # Ids alone, from the index; only what is shown is joined with what it is about.
    ids = list(found(wish).values_list("pk", flat=True)[first : first + ITEMS_A_PAGE + 1])
    items = ReviewItem.objects.select_related(*desk.WITH_ALL, "overruled_by").in_bulk(ids[:ITEMS_A_PAGE])
    return [items[pk] for pk in ids[:ITEMS_A_PAGE] if pk in items], len(ids) > ITEMS_A_PAGE


def tabs(chosen: str) -> list[dict[str, Any]]:
    """The parts of the list with how many items each has, counted up to a bound."""
    found = []
    for shown in Shown:
        many = in_order(shown).order_by()[: MOST_COUNTED + 1].count()
        number = f"{MOST_COUNTED:,}+" if many > MOST_COUNTED else f"{many:,}"
        found.append({"value": shown.value, "label": shown.label, "many": number, "is_chosen": shown == chosen})
    return found


def described(items: Iterable[ReviewItem]) -> list[dict[str, Any]]:
    """Rows of the list: each item with its counted verdicts."""
    items = list(items)
    verdicts = votes_of(items)
    return [
        {
            "item": item,
            "fragment": item.fragment,
            "is_accepted": getattr(item.version, "state", "") == "accepted",
            "accepts": verdicts.get(item.pk, (0, 0))[0],
            "rejects": verdicts.get(item.pk, (0, 0))[1],
        }
        for item in items
    ]


def votes_of(items: list[ReviewItem]) -> dict[Any, tuple[int, int]]:
    """For each item: how many verdicts accept and reject it; of control items all that stand."""
    rows = (
        Verdict.objects.standing()
        .filter(Q(counts=True) | Q(item__control__isnull=False), item__in=[item.pk for item in items])
        .order_by()
        .values_list("item")
        .annotate(
            accepts=Count("pk", filter=Q(decision=Decision.ACCEPT)),
            rejects=Count("pk", filter=Q(decision=Decision.REJECT)),
        )
    )
    return {item: (accepts, rejects) for item, accepts, rejects in rows}
