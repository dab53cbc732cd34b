"""Pitch lines of songs, small: what the weighing compares a hum with, and what a page draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody

# Twice the hop of the weighing's table, which halves the files; seconds.
HOP_S = 0.04
# A pitch is kept to so many steps a semitone; 0 is no voice.
STEPS_A_SEMITONE = 100
# How strongly a note begins is kept to so many steps.
LARGEST_ATTACK = 255


class StoredLine(NamedTuple):
    """A melody on HOP_S.

    Attributes:
        pitch: uint16 (T,), steps of semitones (69 * STEPS_A_SEMITONE = 440 Hz), 0 where unvoiced.
        attack: uint8 (T,); all 0 where it is not known.
    """

    pitch: NDArray[np.uint16]
    attack: NDArray[np.uint8]

    @classmethod
    def of(cls, melody: Melody) -> StoredLine:
        """The nearest frames; of the attack the greatest that falls on each, so that no note is lost."""
        frames = round(melody.duration_s / HOP_S)
        nearest = np.minimum(np.rint(np.arange(frames) * HOP_S / melody.hop_s).astype(int), len(melody.f0_hz) - 1)
        semitones = np.nan_to_num(melody.pitch())[nearest] if frames else np.zeros(0)
        pitch = np.clip(np.rint(semitones * STEPS_A_SEMITONE), 0, np.iinfo(np.uint16).max).astype(np.uint16)
        attack = np.zeros(frames, dtype=np.uint8)
        if melody.attack is not None and frames:
            at = np.minimum(np.rint(np.arange(len(melody.attack)) * melody.hop_s / HOP_S).astype(int), frames - 1)
            strength = np.rint(np.clip(melody.attack, 0, 1) * LARGEST_ATTACK).astype(np.uint8)
            np.maximum.at(attack, at, strength)
        return cls(pitch, attack)

    def melody(self) -> Melody:
        """As a melody again."""
        voiced = self.pitch > 0
        semitones = self.pitch.astype(np.float64) / STEPS_A_SEMITONE
        f0_hz = np.where(voiced, 440 * 2 ** ((semitones - 69) / 12), 0).astype(np.float32)
        attack = self.attack.astype(np.float32) / LARGEST_ATTACK if self.attack.any() else None
        return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), "index", attack)
