"""Control items as a stock: how many are wanted, and which may not be shown any more."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from annotation.models import Control, PassedOver, Reviewer, ReviewItem, Verdict
from annotation.models.controls import NO_CURVE, of_songs
from recordings.models import CoverFragment, Humming, Song

# How many may be met at the same time. Of somebody proven one item in twenty is one.
WANTED = 60
# So many are left to everybody who judges, for nobody is asked twice: enough to win trust back. And so many at most.
LEFT_TO_EACH, MOST = 15, 1000
# So many people are looked at who may have met nearly all.
FEW = 10
# Who judged within this time still judges.
STILL_JUDGES = timedelta(days=30)


def wanted() -> int:
    """How many are wanted: more as soon as somebody has met nearly all."""
    return min(MOST, max(WANTED, Control.objects.live().count() + lacking()))


def lacking() -> int:
    """How many more it takes so that enough are left to everybody who judges."""
    return max(in_need().values(), default=0)


def in_need() -> dict[int, int]:
    """People who judge and whom too few are left, each with how many more it takes; the neediest FEW at most.

    It is asked often, and counting for each person what is left takes a question each: only those are counted who, by
    all that they have judged, may have met too many.
    """
    most = Control.objects.live().count() - LEFT_TO_EACH
    met = met_at_most()
    people = judging() if most < 0 else judging().filter(person__in=[one for one, many in met.items() if many > most])
    neediest = sorted(people.select_related("person"), key=lambda one: -met[one.person_id])[:FEW]
    left = {one.person_id: ReviewItem.objects.controls_for(one.person).count() for one in neediest}
    return {person: LEFT_TO_EACH - many for person, many in left.items() if many < LEFT_TO_EACH}


def met_at_most() -> Counter[int]:
    """By person, how many live control items they have met or know the pair of; some are counted twice."""
    met: Counter[int] = Counter()
    of_live = {"item__control__isnull": False, "item__control__retired_at": None}
    of_hums = {"item__humming__controls__isnull": False, "item__humming__controls__retired_at": None}
    of_covers = {"item__cover_fragment__controls__isnull": False, "item__cover_fragment__controls__retired_at": None}
    for rows, person in (
        (Verdict.objects.filter(**of_live), "person"),
        (PassedOver.objects.filter(**of_live), "person"),
        (Verdict.objects.filter(**of_hums), "person"),
        (Verdict.objects.filter(**of_covers), "person"),
        (Control.objects.live().exclude(humming=None), "humming__singer"),
    ):
        met.update(dict(rows.order_by().values_list(person).annotate(many=Count("pk"))))
    return met


def judging() -> QuerySet[Reviewer]:
    """Who practises, or judged of late."""
    of_late = Verdict.objects.filter(person=OuterRef("person"), at__gte=timezone.now() - STILL_JUDGES)
    practises = Q(state__in=(Reviewer.State.NEW, Reviewer.State.SET_ASIDE))
    return Reviewer.objects.filter(practises | Exists(of_late), person__is_active=True)


def doubtful() -> Q:
    """Control items whose truth, or whose right to be shown, is gone."""
    hum = Q(humming__isnull=False) & ~Q(humming__state=Humming.State.ACCEPTED)
    cover = Q(cover_fragment__isnull=False) & ~Q(cover_fragment__state=CoverFragment.State.ACCEPTED)
    return hum | cover | of_songs(Song.objects.exclude(taken_down_at=None))


def retire_doubtful() -> int:
    """Retires those of pairs that are accepted no more: how many. What was made of a deleted take is deleted too."""
    gone = list(Control.objects.live().filter(doubtful()))
    for control in gone:
        control.retire()
    of_deleted_takes = Control.objects.exclude(retired_at=None).filter(humming__audio="").exclude(curve=NO_CURVE)
    for control in of_deleted_takes:
        for storage, name in control.empty():
            storage.delete(name)
    return len(gone)
