"""Counts that the pages show. Computed from the rows, never stored."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from annotation.models import Slot
from recordings.models import CoverFragment, Fragment, Humming, Song

KEPT = (Humming.State.SAVED, Humming.State.CHECKED, Humming.State.ACCEPTED)


def progress_of(person: AbstractBaseUser) -> dict[str, int]:
    """A singer's takes: today, in all, accepted (by people)."""
    own = Humming.objects.filter(singer=person)
    return {
        "today": own.filter(created_at__date=timezone.localdate()).count(),
        "all": own.count(),
        "accepted": own.filter(state=Humming.State.ACCEPTED).count(),
    }


def collection() -> dict[str, int]:
    """The collection's progress: takes that are kept, and how many the phrases want in all. Simulated ones count."""
    slots = Slot.objects.filter(fragment__in=Fragment.objects.live())
    return slots.aggregate(takes=Count("humming"), wanted=Count("pk"))


def growth() -> list[dict[str, Any]]:
    """How many kept takes there were at the end of each day: [{"date", "takes"}], oldest first."""
    days = (
        Humming.objects.filter(state__in=KEPT, simulated=False)
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(n=Count("pk"))
        .order_by("day")
    )
    curve, total = [], 0
    for day in days:
        total += day["n"]
        curve.append({"date": day["day"].isoformat(), "takes": total})
    return curve


def totals() -> dict[str, int]:
    """The collection's size. Takes of simulated singers are not people's and are counted apart."""
    kept = Humming.objects.filter(state__in=KEPT)
    return {
        "songs": Song.objects.available().count(),
        "fragments": Fragment.objects.live().count(),
        "takes": kept.filter(simulated=False).count(),
        "simulated_takes": kept.filter(simulated=True).count(),
        "cover_fragments": CoverFragment.objects.accepted().count(),
    }
