"""Search by fingerprints: a hum at several tempi along the diagonals of every target. Exact, no index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.fingerprinter import encode, vectors_together
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import Painter, Source, melody_of
from ml_worker.fingerprint.network import Encoder
from ml_worker.retrieval.hum_check import LEAST_VOICE_S, check_hum, hum_signs
from ml_worker.retrieval.hum_line import hum_spans
from ml_worker.retrieval.linear_scaling import TEMPO_RATIOS
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.sequences import LEAST_VOICED, AllPlaces, Along, Query, Sequences

# Most windows of a hum that are compared; a longer hum is looked at less often, as neighbours say nearly the same.
MOST_WINDOWS = 16
# From a hum's first window to its last one, seconds at most, at whatever tempo; what lies beyond is not compared.
LONGEST_REACH_S = 16.0
# So much of a hum is drawn at all: that reach and a window after it, hummed at the slowest tempo; seconds.
LONGEST_HUM_S = 45.0


@dataclass(frozen=True)
class Voiced:
    """A melody (or salience) without the silence around it, and the second at which it begins in the whole."""

    source: Source
    begins_s: float

    @classmethod
    def of(cls, source: Source) -> Voiced:
        frames = np.flatnonzero(melody_of(source).voiced)
        if not len(frames):
            return cls(source.cut(0, 0), 0.0)
        begins_s = float(frames[0] * source.hop_s)
        return cls(source.cut(begins_s, float((frames[-1] + 1) * source.hop_s)), begins_s)

    @property
    def seconds(self) -> float:
        """How long there is a voice."""
        return float(melody_of(self.source).voiced.sum() * self.source.hop_s)


class HumWindows(NamedTuple):
    """A hum's fingerprints at one tempo ratio: (Q, D), zeros where it is silent, and their steps (Q,)."""

    ratio: float
    vectors: NDArray[np.float32]
    steps: NDArray[np.int64]


def heard_hum(query: Source) -> Source:
    """The hum without silence, words and stray sounds. Raises NothingHeard as `check_hum`, where it is none."""
    melody = melody_of(query)
    if hum_signs(melody).voiced_s < LEAST_VOICE_S:
        check_hum(melody)
    first, last = hum_spans(melody)[0]
    hum = query.cut(first * query.hop_s, min(last * query.hop_s, first * query.hop_s + LONGEST_HUM_S))
    check_hum(melody_of(hum))
    return hum


class HumEncoder:
    """Turns hums into the fingerprints of one checkpoint, at every tempo.

    Args:
        checkpoint: makes the fingerprints.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.settings = checkpoint.settings
        self.network: Encoder = checkpoint.encoder()
        # Windows that a hum may reach over, from its first to its last.
        self.longest = int(LONGEST_REACH_S / self.settings.hop_s)

    def windows(self, query: Source) -> list[HumWindows]:
        """The hum's fingerprints at every tempo. Raises NothingHeard as `heard_hum`."""
        return self.windows_at(heard_hum(query), TEMPO_RATIOS)

    def windows_at(self, hum: Source, ratios: Sequence[float]) -> list[HumWindows]:
        """The hum's fingerprints at each ratio times its tempo; zeros where it is silent."""
        painters = [Painter.of(hum.faster(ratio), has_attack=self.settings.attack) for ratio in ratios]
        windows_s = [min(self.settings.window_s, painter.duration_s) for painter in painters]
        steps = [self._steps(painter, window_s) for painter, window_s in zip(painters, windows_s, strict=True)]
        starts_s = [of_one * self.settings.hop_s for of_one in steps]
        vectors = vectors_together(self.network, painters, starts_s, windows_s, self.settings)
        found = []
        for at, ratio in enumerate(ratios):
            voiced = painters[at].voiced_share(starts_s[at], windows_s[at]) >= LEAST_VOICED
            heard = np.where(voiced[:, None], vectors[at], 0).astype(np.float32)
            found.append(HumWindows(ratio, heard, steps[at]))
        return found

    def _steps(self, painter: Painter, window_s: float) -> NDArray[np.int64]:
        """At which hops windows are compared, (Q,)."""
        last = min(int((painter.duration_s - window_s) / self.settings.hop_s + 1e-6), self.longest - 1)
        return np.arange(0, last + 1, -(-(last + 1) // MOST_WINDOWS), dtype=np.int64)

    def of_target(self, voiced: Voiced) -> Fingerprints:
        """The fingerprints of a target."""
        return encode(self.network, voiced.source, self.settings, self.name)


class NetworkMatcher:
    """Compares hums with targets by the fingerprints of one checkpoint.

    Args:
        targets: their melodies; one without voice is never found.
        checkpoint: makes the fingerprints.
    """

    def __init__(self, targets: Sequence[Melody], checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.encoder = HumEncoder(checkpoint)
        voiced = [Voiced.of(target) for target in targets]
        begins_s = np.array([one.begins_s for one in voiced])
        is_voiced = np.array([one.seconds > 0 for one in voiced], dtype=bool)
        sequences = Sequences([self.encoder.of_target(one) for one in voiced], self.encoder.longest)
        self.along = TargetsAlong(sequences, begins_s, is_voiced, self.encoder.settings.hop_s)

    def match(self, query: Source, *, from_start: bool = False) -> Matches:
        """How well each target fits: the best mean cosine along any diagonal at any tempo. As `Matcher.match`."""
        return self.match_windows(self.windows(query), from_start=from_start)

    def windows(self, query: Source) -> list[HumWindows]:
        """The hum's fingerprints at every tempo. Raises NothingHeard as `heard_hum`."""
        return self.encoder.windows(query)

    def match_windows(self, windows: Sequence[HumWindows], *, from_start: bool = False) -> Matches:
        """What `match` says of a hum of which the windows are known."""
        return self.along.from_start(windows) if from_start else self.along.anywhere_and_from_start(windows)[0]

    def match_both(self, windows: Sequence[HumWindows]) -> tuple[Matches, Matches]:
        """What `match_windows` says of a hum that may start anywhere, and of one from the start, by one search."""
        return self.along.anywhere_and_from_start(windows)


@dataclass(frozen=True)
class TargetsAlong:
    """Targets whose fingerprints are searched along their diagonals.

    Attributes:
        sequences: their fingerprints from the first voiced frame on.
        begins_s: (targets,) the second at which that is.
        is_voiced: (targets,) whether there is any.
        hop_s: of the fingerprints.
    """

    sequences: Sequences
    begins_s: NDArray[np.float64]
    is_voiced: NDArray[np.bool_]
    hop_s: float

    def from_start(self, windows: Sequence[HumWindows]) -> Matches:
        """How well each target fits a hum that begins where it does."""
        return self.matches(windows, self.sequences.along_starts(_queries(windows)))

    def anywhere_and_from_start(self, windows: Sequence[HumWindows]) -> tuple[Matches, Matches]:
        """How well each target fits a hum that may begin anywhere, and one that begins where it does, by one search."""
        anywhere, at_start = self.sequences.along_all(_queries(windows))
        return self.matches(windows, anywhere), self.matches(windows, at_start)

    def every_place(self, windows: Sequence[HumWindows]) -> AllPlaces:
        """How well the hum at each tempo fits every place of every target; for few targets, as all of it is kept."""
        return self.sequences.every_place(_queries(windows))

    def matches(self, windows: Sequence[HumWindows], found: Along) -> Matches:
        """What was found along the targets, in seconds and tempi."""
        scores = np.where(self.is_voiced, found.scores, -np.inf)
        starts_s = self.begins_s + np.where(self.is_voiced, found.places * self.hop_s, 0)
        ratios = np.array([one.ratio for one in windows])[found.queries]
        return Matches(scores, starts_s, np.where(self.is_voiced, ratios, 1.0))


def _queries(windows: Sequence[HumWindows]) -> list[Query]:
    return [Query(one.vectors, one.steps) for one in windows]
