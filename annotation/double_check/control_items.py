"""Control items as a stock: how many are wanted, and which may not be shown any more."""

from __future__ import annotations

from django.db.models import Q

from annotation.models import Control
from recordings.models import CoverFragment, Humming

# How many may be met at the same time. Of somebody proven one item in twenty is one.
WANTED = 60
# What is left of the curve of one whose sound is deleted.
NO_CURVE = {"hop_s": 0.02, "pitch": []}


def doubtful() -> Q:
    """Control items whose truth, or whose right to be shown, is gone."""
    hum = Q(humming__isnull=False) & ~Q(humming__state=Humming.State.ACCEPTED)
    cover = Q(cover_fragment__isnull=False) & ~Q(cover_fragment__state=CoverFragment.State.ACCEPTED)
    down = (
        Q(fragment__recording__song__taken_down_at__isnull=False)
        | Q(humming__fragment__recording__song__taken_down_at__isnull=False)
        | Q(cover_fragment__fragment__recording__song__taken_down_at__isnull=False)
    )
    return hum | cover | down


def retire_doubtful() -> int:
    """Retires those of pairs that are accepted no more: how many. What was made of a deleted take is deleted too."""
    gone = list(Control.objects.live().filter(doubtful()))
    for control in gone:
        control.retire()
    of_deleted_takes = Control.objects.exclude(retired_at=None).filter(humming__audio="").exclude(curve=NO_CURVE)
    for control in of_deleted_takes:
        if control.audio:
            control.audio.delete(save=False)
        control.curve = NO_CURVE
        control.save(update_fields=["audio", "curve"])
    return len(gone)
