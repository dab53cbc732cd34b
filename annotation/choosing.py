"""Which phrase to hand out next. Plain numbers in, an order out; where they come from is `handing_out.py`.

The worth of a phrase is a weighted sum, so that each wish has its say and none is absolute. The weights are choices of
this project: what a person knows outweighs everything else together, since an unknown tune is hummed badly or
skipped; a phrase that lacks little comes before one that lacks much, since it is of use only once it is complete; the
rest decides among those.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

KNOWN = 4.0
"""For a song that the person says they know; taken off for one that they say they do not."""
NEARLY_COMPLETE = 2.0
"""Times the share of the phrase's slots that are filled."""
DOUBTFUL = 1.0
"""Times how unsure the machine is of the phrase's versions."""
SPREAD = 1.0
"""Times the share of the song's slots that are still free: songs fill up together, not one after another."""
SKIPPED = 1.5
"""Taken off, times the share of people who skipped the phrase among those to whom it was handed out."""
CHANCE = 0.2
"""At most added by chance, so that people who come at one moment are not all sent to one phrase."""

BELIEVED_AFTER = 3
"""So many people are imagined to have hummed a phrase before anybody came: one skip among one is not the end of it."""


@dataclass(frozen=True)
class Offer:
    """A phrase that could be handed out to one person.

    Attributes:
        knows: whether the person knows the song: their own word, None where they have said nothing.
        filled, wanted: slots of the phrase with a take, and in all.
        doubt: 0..1, how unsure the machine is of the phrase's versions; None where there are none.
        song_free: 0..1, share of the song's slots that are free.
        skips, takes: how many people skipped it, and how many hummed it.
    """

    fragment: UUID
    knows: bool | None = None
    filled: int = 0
    wanted: int = 1
    doubt: float | None = None
    song_free: float = 1.0
    skips: int = 0
    takes: int = 0

    @property
    def skipped_share(self) -> float:
        return self.skips / (self.skips + self.takes + BELIEVED_AFTER)


UNKNOWN_DOUBT = 0.5
"""The doubt of a phrase of which the machine has seen no version: neither sure nor unsure."""


def doubt_of(similarities: Sequence[float | None]) -> float | None:
    """How unsure a machine is that gives these figures, 0..1 each: 1 at one half, 0 at nought and one.

    None where there are none.
    """
    known = [value for value in similarities if value is not None]
    if not known:
        return None
    return sum(1 - abs(2 * min(1.0, max(0.0, value)) - 1) for value in known) / len(known)


def worth(offer: Offer) -> float:
    """How much it helps that this person hums this phrase now."""
    knows = 0 if offer.knows is None else 1 if offer.knows else -1
    doubt = UNKNOWN_DOUBT if offer.doubt is None else offer.doubt
    return (
        KNOWN * knows
        + NEARLY_COMPLETE * offer.filled / max(1, offer.wanted)
        + DOUBTFUL * doubt
        + SPREAD * offer.song_free
        - SKIPPED * offer.skipped_share
    )


def best_first(offers: Sequence[Offer], chance: random.Random) -> list[UUID]:
    """The phrases in the order in which they are offered."""
    ranked = sorted(offers, key=lambda offer: -worth(offer) - CHANCE * chance.random())
    return [offer.fragment for offer in ranked]
