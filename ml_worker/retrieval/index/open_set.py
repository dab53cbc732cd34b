"""Whether the tune of a hum is in the index at all.

What the weighing says of that was fitted among some thousand tunes. The more songs there are, the better the best wrong
one fits; so for each index hums are tried whose tunes are in no catalogue (`foreign_hums`), and what they reach is the
line: one in a hundred crosses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

# The share of foreign hums that may be told to be there.
FALSE_ACCEPTS = 0.01
# Before anything was measured: as likely as not.
UNMEASURED = 0.5


@dataclass(frozen=True)
class OpenSet:
    """What tells whether a tune is there.

    Attributes:
        line: from this probability on it is.
        hums: how many foreign hums it was measured with; 0: it was not.
        songs: how many songs there were then.
    """

    line: float = UNMEASURED
    hums: int = 0
    songs: int = 0

    @classmethod
    def measured(cls, foreign: Sequence[float], songs: int, false_accepts: float = FALSE_ACCEPTS) -> Self:
        """The line that so many of the foreign hums' probabilities cross; it errs to the safe side.

        Raises:
            ValueError: there are too few hums to tell.
        """
        if len(foreign) * false_accepts < 1:
            raise ValueError(
                f"A line that {false_accepts:.0%} cross needs {int(1 / false_accepts)} hums, not {len(foreign)}."
            )
        falling = np.sort(np.asarray(foreign, dtype=np.float64))[::-1]
        line = float(np.nextafter(falling[int(len(falling) * false_accepts) - 1], 2))
        return cls(line, len(foreign), songs)

    def is_here(self, here: float) -> bool:
        return here >= self.line

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        return cls(**stored)
