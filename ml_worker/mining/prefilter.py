"""A cheap look at a pair before its map is made: whether anything in it matches better than chance.

Every second window at every second tempo, so an eighth of the work, but over longer stretches than the map's cells:
two recordings of one song share some seconds in a row somewhere, and long stretches match by chance least.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import tempo_correlation
from ml_worker.mining.null import windows_in

if TYPE_CHECKING:
    from ml_worker.mining.extract import Pair

# Every so many windows, and tempi, are looked at.
EVERY = 2
# Stretches that are compared, seconds, and the chance up to which each speaks for the pair. On constructed pairs of one
# tune the longer one was at most .007, on unrelated ones at least .04 (docs/experiments-mining.md).
STRETCHES = ((7.0, 0.25), (12.0, 0.05))
# The maps of recordings shorter than this are small; they are always made, seconds.
SHORT_S = 30.0


def has_something_in_common(pair: Pair) -> bool:
    """Whether a pair is worth its map; always, where one of both is short."""
    if min(pair.heard_s) < SHORT_S:
        return True
    original, ratios = thinned(pair.original), pair.settings.tempo_ratios[::EVERY]
    cover = {ratio: thinned(pair.cover_at(ratio)) for ratio in ratios}
    for span_s, chance in STRETCHES:
        length = windows_in(span_s, original.window_s, original.hop_s)
        found = tempo_correlation(original, cover.__getitem__, length, ratios, pair.settings.least_voiced)
        heard_s = (length - 1) * original.hop_s + original.window_s
        if found.correlation.size and pair.settings.null.chance(found.correlation.max(), heard_s, pair.area) <= chance:
            return True
    return False


def thinned(fingerprints: Fingerprints) -> Fingerprints:
    """Every `EVERY`-th of them."""
    return replace(
        fingerprints,
        vectors=np.ascontiguousarray(fingerprints.vectors[::EVERY]),
        voiced_share=fingerprints.voiced_share[::EVERY],
        hop_s=fingerprints.hop_s * EVERY,
    )
