"""Where the people who accepted a pair say that it begins."""

from __future__ import annotations

from statistics import median
from typing import Any

from annotation.models import Verdict
from annotation.models.verdicts import Decision

# People who are further apart, seconds, do not agree where it begins.
APART_S = 0.3


def correction_of(**item: Any) -> float | None:
    """What those who accepted it moved it by, seconds: the median; None where they do not agree.

    Args:
        item: which verdicts, as a filter: `item__humming` or `item__cover_fragment`.
    """
    accepting = Verdict.objects.counted().filter(decision=Decision.ACCEPT, **item)
    nudges = list(accepting.order_by().values_list("nudge_s", flat=True))
    if not nudges:
        return 0.0
    return median(nudges) if max(nudges) - min(nudges) <= APART_S else None
