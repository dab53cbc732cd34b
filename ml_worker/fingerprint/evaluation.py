"""How well fingerprints find their own: versions against all originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.fingerprint.data import AlignedPair
from ml_worker.fingerprint.fingerprinter import encode
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import Source
from ml_worker.fingerprint.network import Encoder
from ml_worker.fingerprint.settings import Settings

# A window with less voice than this, as a share, has no say.
LEAST_VOICED = 0.2
# Tempi at which a version is compared, as slopes of the diagonal: 0.8 to 1.25 in even factors.
TEMPO_RATIOS = tuple(float(ratio) for ratio in np.geomspace(0.8, 1.25, 7))


@dataclass(frozen=True)
class HitRates:
    """Shares of the queries whose song is found, 0..1.

    Attributes:
        top1, top10: the song is the best, among the ten best.
        mrr: the mean of 1 / rank.
        queries, songs: how many of each; chance is 1 / songs for top1 and 10 / songs for top10.
    """

    top1: float
    top10: float
    mrr: float
    queries: int
    songs: int

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


class Originals:
    """Fingerprints of originals laid end to end, with silence between them, to be searched at one go.

    Args:
        targets: (song, fingerprints of an original fragment or recording); a song may have several.
        longest: windows of the longest query to come.
    """

    def __init__(self, targets: Sequence[tuple[str, Fingerprints]], longest: int) -> None:
        # So much silence that a query never reaches from one original into the next.
        silence = int(np.ceil(longest * max(TEMPO_RATIOS))) + 1
        self.songs = [song for song, _ in targets]
        parts, starts, at = [], [], 0
        for _, prints in targets:
            starts.append(at)
            gap = np.zeros((silence, prints.vectors.shape[1]), np.float32)
            parts += [gap, heard(prints)]
            at += silence + len(prints)
        self.starts = np.asarray(starts)
        self.vectors = np.concatenate([*parts, gap])  # (P, D)

    def scores(self, query: Fingerprints) -> NDArray[np.float32]:
        """The best mean cosine of a query along any diagonal of each original, -1..1, (targets,).

        Several slopes are tried, as tempo may differ. Where query or original is silent or ends, the cosine is 0.
        """
        vectors = heard(query)
        cosine = vectors @ self.vectors.T  # (Q, P)
        best = np.full(len(self.starts), -1, np.float32)
        for slope in TEMPO_RATIOS:
            steps = np.rint(np.arange(len(vectors)) * slope).astype(np.int64)  # (Q,)
            places = cosine.shape[1] - steps[-1]
            along = np.zeros(places, np.float32)
            for row, step in zip(cosine, steps, strict=True):
                along += row[step : step + places]
            best = np.maximum(best, np.maximum.reduceat(along, self.starts))
        return best / max(int(np.any(vectors, axis=1).sum()), 1)


def heard(prints: Fingerprints) -> NDArray[np.float32]:
    """The vectors (T, D), with zeros for windows without a voice, which would else match one another."""
    return np.where((prints.voiced_share >= LEAST_VOICED)[:, None], prints.vectors, 0)


def hit_rates(queries: Sequence[tuple[str, Fingerprints]], targets: Sequence[tuple[str, Fingerprints]]) -> HitRates:
    """Ranks songs for each query by their best original. A query without a voice or whose song is no target is a miss.

    Args:
        queries: (song, fingerprints of a version).
        targets: (song, fingerprints of an original fragment or recording); a song may have several.
    """
    originals = Originals(targets, max(len(prints) for _, prints in queries))
    ranks = np.array([rank_of(song, originals.songs, originals.scores(prints)) for song, prints in queries])
    return HitRates(
        top1=float((ranks <= 1).mean()),
        top10=float((ranks <= 10).mean()),
        mrr=float((1 / ranks).mean()),
        queries=len(queries),
        songs=len(set(originals.songs)),
    )


def rank_of(song: str, songs: Sequence[str], scores: NDArray[np.float32]) -> float:
    """The rank of a song by its best original, ties counted against it; infinite where it is not there."""
    best: dict[str, float] = {}
    for name, score in zip(songs, scores, strict=True):
        best[name] = max(best.get(name, -np.inf), float(score))
    if song not in best:
        return np.inf
    return 1.0 + sum(score >= best[song] for name, score in best.items() if name != song)


def evaluate_pairs(
    network: Encoder, settings: Settings, pairs: Sequence[AlignedPair], distractors: Sequence[AlignedPair] = ()
) -> HitRates:
    """Every version of the pairs is sought among all originals of the pairs and the distractors, by song."""
    network.eval()

    def fingerprints(melody: Source) -> Fingerprints:
        return encode(network, melody, settings.window_s, settings.hop_s, "under evaluation")

    originals = {(pair.song_id, pair.fragment_id): pair.original for pair in [*distractors, *pairs]}
    targets = [(song, fingerprints(melody)) for (song, _), melody in originals.items()]
    return hit_rates([(pair.song_id, fingerprints(pair.version)) for pair in pairs], targets)
