"""Small matchers and melodies, for tests of what is done with matchers."""

from __future__ import annotations

import numpy as np

from ml_worker.retrieval.matcher import Matches, NothingHeard


class ByMeanPitch:
    """Fits a query by how near the mean pitches are."""

    name = "mean pitch"

    def __init__(self, targets):
        self.means = np.array([mean_of(target) for target in targets])
        self.asked = []

    def match(self, query, *, from_start=False):
        self.asked.append(from_start)
        if not query.voiced.any():
            raise NothingHeard("Nothing was heard. Hum louder.")
        nowhere = np.zeros(len(self.means))
        return Matches(-np.abs(self.means - mean_of(query)), nowhere, nowhere + 1)


class Alike(ByMeanPitch):
    """Finds every target alike."""

    name = "alike"

    def match(self, query, *, from_start=False):
        scores = np.zeros(len(self.means))
        return Matches(scores, scores, scores + 1)


def mean_of(melody):
    return float(np.nanmean(melody.pitch()))


def curve(path, semitone, seconds=1.0):
    """A pitch vector of one note; 0 is silence."""
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join([str(semitone)] * round(seconds / 0.032)))
    return path
