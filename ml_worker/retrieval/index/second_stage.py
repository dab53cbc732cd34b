"""The second stage: candidates' fingerprints along their diagonals under a hum's, at every tempo.

The score is that of the exact search (`NetworkMatcher`), on decoded codes: the best mean cosine of the hum's windows
and those of a song in the same order, which for unit vectors is the correlation of both sequences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.retrieval.index.codec import Vectors
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.network_matcher import HumEncoder, HumWindows, TargetsAlong
from ml_worker.retrieval.sequences import Sequences


def scored(
    songs: Sequence[Vectors], begins_s: NDArray[np.float64], windows: Sequence[HumWindows], encoder: HumEncoder
) -> tuple[Matches, Matches]:
    """How well each song fits a hum that may begin anywhere, and one that begins where the song does.

    Args:
        songs: of each its projected fingerprints (T, A), zeros where it is silent; none where it has no voice.
        begins_s: (songs,) the second of each first window.
        windows: the hum's, projected, at every tempo.
        encoder: the checkpoint's.
    """
    settings = encoder.settings
    prints = [
        Fingerprints(one, settings.window_s, settings.hop_s, np.ones(len(one), np.float32), encoder.name)
        for one in songs
    ]
    is_voiced = np.array([len(one) > 0 for one in songs], dtype=bool)
    along = TargetsAlong(Sequences(prints, encoder.longest), begins_s, is_voiced, settings.hop_s)
    return along.anywhere_and_from_start(windows)
