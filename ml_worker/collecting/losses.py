"""How long videos stay: the share that is still there after so many months (Kaplan and Meier, JASA 1958).

A video that was seen last month says nothing of the next: it counts as there until then, and no longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Followed:
    """One video: how old it was here when it was last known to be there, or first known to be gone; in months."""

    months: float
    is_lost: bool


def still_there(videos: Sequence[Followed]) -> list[tuple[float, float]]:
    """The share of videos still there by age: [(months, share)], from (0, 1) down, one point for each age of a loss,
    and one for the oldest that is followed.

    At each age with losses, the share falls by the losses among those that were followed that long.
    """
    share, curve = 1.0, [(0.0, 1.0)]
    for age in sorted({video.months for video in videos if video.is_lost}):
        followed = sum(video.months >= age for video in videos)
        lost = sum(video.is_lost and video.months == age for video in videos)
        share *= 1 - lost / followed
        curve.append((age, share))
    oldest = max((video.months for video in videos), default=0.0)
    if oldest > curve[-1][0]:
        curve.append((oldest, share))
    return curve
