"""Two melodies in, aligned fragments out: with a checkpoint, or without one on the plain pitch curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import AtTempo, at_tempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import AlignedFragment, MiningSettings, mine
from ml_worker.mining.null import PITCH_CURVE_NULL, NullLevel

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint

# What `align` prints: fragments as good as these, an unrelated pair gives one in a hundred pairs.
PRINTED_CHANCE = 0.01

# Tempi at which a network looks at a cover; what lies between is interpolated. A network is trained to overlook
# moderate differences, and each look costs as much as the first.
NETWORK_TEMPI = (0.75, 1.0, 1.33)


def faster(melody: Melody, tempo_ratio: float) -> Melody:
    """The melody as if it were sung `tempo_ratio` times as fast."""
    return replace(melody, hop_s=melody.hop_s / tempo_ratio)


def at_any_tempo(
    melody: Melody, fingerprint: Callable[[Melody], Fingerprints], looks: Sequence[float] | None = None
) -> AtTempo:
    """What gives a melody's fingerprints at a tempo ratio, and remembers them.

    Args:
        melody: of the cover.
        fingerprint: makes fingerprints of a melody.
        looks: the tempi at which `fingerprint` is really called, the rest being interpolated; None: at every one.
    """
    look_at = cache(lambda ratio: fingerprint(faster(melody, ratio)))
    if looks is None:
        return look_at
    return cache(lambda ratio: _from_nearest(look_at, looks, ratio))


def _from_nearest(look_at: AtTempo, looks: Sequence[float], ratio: float) -> Fingerprints:
    nearest = min(looks, key=lambda look: abs(np.log(look / ratio)))
    return at_tempo(look_at(nearest), ratio / nearest)


class Aligned(TypedDict):
    """A fragment as it is printed: from and to in both, seconds."""

    a: list[float]
    b: list[float]
    correlation: float
    tempo_ratio: float


def align_melodies(
    a: Melody, b: Melody, checkpoint: Checkpoint | None = None, null: NullLevel | None = None
) -> list[Aligned]:
    """The fragments that two melodies share, as `manage.py align` prints them.

    Only fragments of passages that are beyond chance; their seconds to a hundredth.

    Args:
        checkpoint: makes the fingerprints; None: the plain pitch curves do.
        null: the checkpoint's null level.

    Raises:
        ValueError: a checkpoint without its null level.
    """
    if checkpoint is None:
        original, cover_at, level = curve_fingerprints(a), at_any_tempo(b, curve_fingerprints), PITCH_CURVE_NULL
    elif null is None:
        raise ValueError(f"The null level of {checkpoint.name} is not known. Calibrate it before mining.")
    else:
        # Only here is torch needed, which takes seconds to import.
        from ml_worker.fingerprint.fingerprinter import fingerprint

        look = partial(fingerprint, checkpoint=checkpoint)
        original, cover_at, level = look(a), at_any_tempo(b, look, NETWORK_TEMPI), null
    found = mine(original, cover_at, MiningSettings(level), (a, b))
    return [_as_printed(one) for one in found if one.chance <= PRINTED_CHANCE]


def _as_printed(found: AlignedFragment) -> Aligned:
    return {
        "a": [round(second, 2) for second in found.a],
        "b": [round(second, 2) for second in found.b],
        "correlation": round(found.correlation, 4),
        "tempo_ratio": round(found.tempo_ratio, 4),
    }
