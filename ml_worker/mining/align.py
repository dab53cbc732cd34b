"""Two melodies in, aligned fragments out: with a checkpoint, or without one on the plain pitch curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Self, TypedDict

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import AtTempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import AlignedFragment, MiningSettings, mine
from ml_worker.mining.null import PITCH_CURVE_NULL, NullLevel

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint

# What `align` prints: fragments as good as these, an unrelated pair gives one in a hundred pairs.
PRINTED_CHANCE = 0.01


def at_any_tempo(melody: Melody, fingerprint: Callable[[Melody], Fingerprints]) -> AtTempo:
    """What gives a melody's fingerprints at a tempo ratio, and remembers them.

    Args:
        melody: of the cover.
        fingerprint: makes fingerprints of a melody; called once for each tempo.
    """
    return cache(lambda ratio: fingerprint(melody.faster(ratio)))


@dataclass(frozen=True)
class Method:
    """What the miner compares: a kind of fingerprint, and what unrelated recordings reach with it.

    Attributes:
        look: the fingerprints of a melody.
        null: the level of chance of these fingerprints.
    """

    look: Callable[[Melody], Fingerprints]
    null: NullLevel

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, null: NullLevel) -> Self:
        """A checkpoint's. Raises ValueError where the null level is another one's."""
        # Only here is torch needed, which takes seconds to import.
        from ml_worker.fingerprint.fingerprinter import fingerprint_with

        if null.checkpoint != checkpoint.name:
            raise ValueError(
                f"The null level is of {null.checkpoint}. Calibrate that of {checkpoint.name} before mining."
            )
        return cls(partial(fingerprint_with, checkpoint.encoder(), checkpoint=checkpoint), null)

    @property
    def name(self) -> str:
        """The checkpoint's, or what stands in its place."""
        return self.null.checkpoint

    @property
    def settings(self) -> MiningSettings:
        return MiningSettings(self.null)

    def cover_at(self, cover: Melody) -> AtTempo:
        """A cover's fingerprints at any tempo."""
        return at_any_tempo(cover, self.look)


PITCH_CURVE = Method(curve_fingerprints, PITCH_CURVE_NULL)
"""The plain pitch curves, which need no network."""


class Aligned(TypedDict):
    """A fragment as it is printed: from and to in both, seconds."""

    a: list[float]
    b: list[float]
    correlation: float
    tempo_ratio: float


def align_melodies(a: Melody, b: Melody, method: Method = PITCH_CURVE) -> list[Aligned]:
    """The fragments that two melodies share, as `manage.py align` prints them.

    Only fragments of passages that are beyond chance; their seconds to a hundredth.
    """
    found = mine(method.look(a), method.cover_at(b), method.settings, (a, b))
    return [_as_printed(one) for one in found if one.chance <= PRINTED_CHANCE]


def _as_printed(found: AlignedFragment) -> Aligned:
    return {
        "a": [round(second, 2) for second in found.a],
        "b": [round(second, 2) for second in found.b],
        "correlation": round(found.correlation, 4),
        "tempo_ratio": round(found.tempo_ratio, 4),
    }
