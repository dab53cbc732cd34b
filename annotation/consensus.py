"""When verdicts agree. Pure: counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def settled_decision(decisions: Sequence[str], *, needed: int) -> str | None:
    """The decision that `needed` people share and that leads, or None while people have to be asked.

    With needed = 2, two agreeing verdicts settle and a split asks for a third.
    """
    counts = Counter(decisions).most_common(2)
    if not counts or counts[0][1] < needed:
        return None
    if len(counts) == 2 and counts[0][1] == counts[1][1]:
        return None
    return counts[0][0]
