"""How the first stage is built and searched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ml_worker.retrieval.index.codec import Vectors


@dataclass(frozen=True)
class FirstStage:
    """How fingerprints are found again. What the search goes by may be changed without a new index, the rest not.

    Attributes:
        from_windows: a segment of fewer fingerprints of the first checkpoint has no first stage: all its songs go on.
        axes: the strongest axes of fingerprints that are voted with.
        lists_a_root: lists of the inverted file, for the square root of the fingerprints; at most `most_lists`.
        most_lists: so many at most: assigning takes as long as there are lists.
        trained_on: fingerprints a list that it is trained on.
        bytes_a_code: of the product code of a fingerprint.
        every: every so manieth window of a song is in the inverted file, as neighbours hear nearly the same.
        probes: lists that are looked into for each window of a hum.
        voters: windows of a hum that vote, at each tempo and of each checkpoint.
        neighbours: of each window of a hum that vote.
        diagonal: windows that count as one place.
        places: with most votes, that are looked at in order.
        candidates: songs that go on.
    """

    from_windows: int = 300_000
    axes: int = 64
    lists_a_root: float = 4.0
    most_lists: int = 8192
    trained_on: int = 40
    bytes_a_code: int = 16
    every: int = 2
    probes: int = 128
    voters: int = 5
    neighbours: int = 1024
    diagonal: int = 4
    places: int = 6000
    candidates: int = 60

    def lists(self, windows: int) -> int:
        """Of an inverted file over so many windows: a power of two."""
        wanted = min(self.most_lists, self.lists_a_root * np.sqrt(max(windows, 1)))
        return 1 << max(0, int(np.log2(max(wanted, 1))))

    def voting(self, projected: Vectors) -> Vectors:
        """What of projected fingerprints (N, A) is voted with."""
        return projected[:, : self.axes]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
