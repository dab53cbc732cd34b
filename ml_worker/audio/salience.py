"""Salience: how much each pitch is heard in each frame, before any decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody


@dataclass(frozen=True)
class Salience:
    """What a tracker hears at each pitch, and the melody that it takes from that.

    Attributes:
        activation: float32 (B, T), 0..1, low bins first. Frame t is centred on second t * hop_s.
        melody: of the same frames, with voicing and attacks.
        first_pitch: of bin 0, MIDI semitones.
        bin_semitones: from bin to bin: 0.2 for CREPE, 1 for the constant-Q transform.
    """

    activation: NDArray[np.float32]
    melody: Melody
    first_pitch: float
    bin_semitones: float

    def __post_init__(self) -> None:
        frames = len(self.melody.f0_hz)
        if self.activation.ndim != 2 or self.activation.shape[1] != frames:
            raise ValueError(f"A salience has the shape (bins, {frames}) here, not {self.activation.shape}.")

    @property
    def hop_s(self) -> float:
        return self.melody.hop_s

    @property
    def duration_s(self) -> float:
        return self.melody.duration_s

    def cut(self, start_s: float, end_s: float) -> Salience:
        """The frames from start_s to end_s, as `Melody.cut`."""
        first = max(0, round(start_s / self.hop_s))
        last = max(first, round(end_s / self.hop_s))
        return replace(self, activation=self.activation[:, first:last], melody=self.melody.cut(start_s, end_s))

    def faster(self, ratio: float) -> Salience:
        """As if everything were `ratio` times as fast."""
        return replace(self, melody=self.melody.faster(ratio))
