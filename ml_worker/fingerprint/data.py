"""Training data: aligned pairs of melodies, and the batches drawn from them.

A batch of a step follows from the seed and the step's number alone, so a run can be resumed or repeated to the same
numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.augmentation import factor, noisy_images, sung_pitch, sung_times
from ml_worker.fingerprint.image import Curve, Image, draw, frame_times
from ml_worker.fingerprint.settings import Settings

# A window with less voice than this, as a share, teaches nothing.
LEAST_VOICED = 0.4
# How often a window is drawn anew where there is too little voice; the last one is taken as it is.
TRIES = 6
# Ways to turn a pair: as it is, upside down, backwards, both.
TURNS = 4


@dataclass(frozen=True)
class AlignedPair:
    """A fragment's original and one version of it, with what is known of their alignment.

    Second u of the original is heard in the version at offset_s + u * tempo_ratio.

    Attributes:
        original: the melody of the fragment in the original recording; its time 0 is the fragment's start.
        version: the melody of a hum or a cover, whole.
        offset_s: where the fragment starts in the version, seconds.
        tempo_ratio: how much slower the version is; above 1 is slower.
        song_id: the musical work. Fragments of one song are never pushed apart.
        fragment_id: the fragment.
        version_id: the hum or cover fragment, for the record of what a checkpoint was trained on.
    """

    original: Melody
    version: Melody
    offset_s: float
    tempo_ratio: float
    song_id: str
    fragment_id: str
    version_id: str = ""

    def __post_init__(self) -> None:
        if not (self.tempo_ratio > 0 and np.isfinite(self.tempo_ratio) and np.isfinite(self.offset_s)):
            raise ValueError("The tempo ratio is above zero, and both it and the offset are finite.")


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint was trained on.

    Attributes:
        versions: (song, fragment, version) of each pair, in order.
        sha256: of the ids, alignments and melodies together; the same data gives the same sum.
    """

    versions: tuple[tuple[str, str, str], ...]
    sha256: str

    @classmethod
    def of(cls, pairs: Sequence[AlignedPair]) -> DataRecord:
        digest = hashlib.sha256()
        for pair in pairs:
            facts = [pair.song_id, pair.fragment_id, pair.version_id, pair.offset_s, pair.tempo_ratio]
            digest.update(json.dumps(facts).encode())
            for melody in (pair.original, pair.version):
                digest.update(np.float64(melody.hop_s).tobytes())
                digest.update(np.ascontiguousarray(melody.f0_hz, dtype="<f4").tobytes())
                digest.update(np.ascontiguousarray(melody.voiced, dtype=bool).tobytes())
                digest.update(np.ascontiguousarray(melody.confidence, dtype="<f4").tobytes())
        versions = tuple((pair.song_id, pair.fragment_id, pair.version_id) for pair in pairs)
        return cls(versions, digest.hexdigest())

    @property
    def songs(self) -> tuple[str, ...]:
        """The songs, each once, sorted."""
        return tuple(sorted({song for song, _, _ in self.versions}))

    def as_dict(self) -> dict[str, object]:
        return {"versions": [list(version) for version in self.versions], "sha256": self.sha256}

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> DataRecord:
        """The inverse of as_dict.

        Raises:
            KeyError, TypeError, ValueError: where it is not one.
        """
        versions = tuple((str(song), str(fragment), str(version)) for song, fragment, version in plain["versions"])
        return cls(versions, str(plain["sha256"]))


@dataclass(frozen=True)
class Batch:
    """One step's pictures.

    Attributes:
        images: float32 (2 B, 80, columns): B originals, then their B versions in the same order.
        labels: int64 (2 B,): equal for the two sides of a pair.
        songs: int64 (2 B,): equal for windows of one song turned the same way.
    """

    images: Image
    labels: NDArray[np.int64]
    songs: NDArray[np.int64]


@dataclass(frozen=True)
class _Curves:
    """An AlignedPair, its curves ready to be sampled."""

    pair: AlignedPair
    original: Curve
    version: Curve


class PairSource:
    """Draws batches from aligned pairs.

    Songs take turns, whatever their number of versions; then a fragment, a version and a window are drawn.
    """

    def __init__(self, pairs: Sequence[AlignedPair], settings: Settings) -> None:
        self.settings = settings
        self.times_s = frame_times(settings.window_s) - settings.window_s / 2  # (F,), 0 is the window's middle
        songs: dict[str, dict[str, list[_Curves]]] = {}
        for pair in pairs:
            curves = _Curves(pair, Curve.of(pair.original), Curve.of(pair.version))
            songs.setdefault(pair.song_id, {}).setdefault(pair.fragment_id, []).append(curves)
        self.songs = [list(fragments.values()) for _, fragments in sorted(songs.items())]

    def batch(self, step: int) -> Batch:
        """The batch of a step; the same seed and step give the same batch."""
        rng = np.random.default_rng([self.settings.seed, step])
        chosen = self._songs_in_turn(rng)
        sides = [self._window(self.songs[song], rng) for song in chosen]
        is_turned = rng.uniform(size=len(chosen)) < self.settings.augmentation.turned
        turns = rng.integers(1, TURNS, len(chosen)) * is_turned
        originals = [turned(original, int(turn)) for (original, _), turn in zip(sides, turns, strict=True)]
        versions = [turned(version, int(turn)) for (_, version), turn in zip(sides, turns, strict=True)]
        pitch, height = (np.stack(part) for part in zip(*originals, *versions, strict=True))  # each (2 B, F)
        images = draw(pitch, height)
        images[len(chosen) :] = noisy_images(images[len(chosen) :], self.settings.augmentation, rng)
        return Batch(images, np.tile(np.arange(len(chosen)), 2), np.tile(chosen * TURNS + turns, 2))

    def _songs_in_turn(self, rng: Generator) -> NDArray[np.int64]:
        """As many songs as there are pairs in a batch: each once before any comes again."""
        rounds = -(-self.settings.batch // len(self.songs))
        order = np.concatenate([rng.permutation(len(self.songs)) for _ in range(rounds)])
        return order[: self.settings.batch]

    def _window(self, fragments: list[list[_Curves]], rng: Generator) -> tuple[_Sampled, _Sampled]:
        """One window of a song's original and of a version of it, with voice on both sides where that can be had."""
        for _ in range(TRIES):
            versions = fragments[rng.integers(len(fragments))]
            window = self._sides(versions[rng.integers(len(versions))], rng)
            if min((~np.isnan(pitch)).mean() for pitch, _ in window) >= LEAST_VOICED:
                break
        return window

    def _sides(self, curves: _Curves, rng: Generator) -> tuple[_Sampled, _Sampled]:
        """A window of the original and the same music in the version, augmented: ((pitch, height), (pitch, height))."""
        how = self.settings.augmentation
        pace = factor(how.stretch, rng)
        half_s = min(self.settings.window_s * pace, curves.original.duration_s) / 2
        middle_s = rng.uniform(half_s, curves.original.duration_s - half_s)
        original = curves.original.at(middle_s + self.times_s * pace)
        sung = sung_times(self.times_s * pace * factor(how.mismatch, rng), how, rng)
        if rng.uniform() < how.own_version:
            pitch, height = curves.original.at(middle_s + sung)
        else:
            ratio = curves.pair.tempo_ratio
            pitch, height = curves.version.at(curves.pair.offset_s + (middle_s + sung) * ratio)
        return original, with_height(sung_pitch(pitch, how, rng), height)


_Sampled = tuple[NDArray[np.float32], NDArray[np.float32]]


def with_height(pitch: NDArray[np.float32], height: NDArray[np.float32]) -> _Sampled:
    """A changed pitch (F,) with heights that fit: none where it is silent, full where a voice was invented."""
    fitting = np.where(np.isnan(pitch), 0, np.where(height > 0, height, 1)).astype(np.float32)
    return pitch, fitting


def turned(sampled: _Sampled, turn: int) -> _Sampled:
    """A curve (F,) as it is (0), upside down (1), backwards (2), or both (3)."""
    pitch, height = sampled
    if turn & 1:
        pitch = -pitch
    return (pitch[::-1], height[::-1]) if turn & 2 else (pitch, height)
