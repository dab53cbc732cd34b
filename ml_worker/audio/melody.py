"""Melody: the pitch of a voice over time, with voicing, on a fixed hop."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Melody:
    """A pitch curve. Frame t is centred on second t * hop_s.

    Attributes:
        hop_s: seconds from frame to frame.
        f0_hz: float32 (T,), the pitch in Hz; 0 where unvoiced.
        voiced: bool (T,).
        confidence: float32 (T,), the tracker's own, 0..1.
        method: which tracker made it, with its settings.
        attack: float32 (T,), how strongly a note begins in each frame, 0..1; None where that is not known, as of a
            pitch curve that came without its sound. It tells repeated notes apart, which a pitch alone runs together.
    """

    hop_s: float
    f0_hz: NDArray[np.float32]
    voiced: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    method: str
    attack: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not self.f0_hz.shape == self.voiced.shape == self.confidence.shape:
            raise ValueError("f0_hz, voiced and confidence have the same shape (T,)")
        if self.attack is not None and self.attack.shape != self.f0_hz.shape:
            raise ValueError("attack has the shape of f0_hz, (T,)")
        if not (0 < self.hop_s < np.inf):
            raise ValueError(f"A hop is above zero seconds, not {self.hop_s:g}")
        if not (np.isfinite(self.f0_hz).all() and np.isfinite(self.confidence).all()):
            raise ValueError("f0_hz and confidence are finite; 0 Hz is unvoiced")

    @property
    def duration_s(self) -> float:
        return len(self.f0_hz) * self.hop_s

    def pitch(self) -> NDArray[np.float32]:
        """MIDI semitones (T,), 69 = 440 Hz, NaN where unvoiced."""
        heard = self.voiced & (self.f0_hz > 0)
        semitones = np.full(self.f0_hz.shape, np.nan, dtype=np.float32)
        semitones[heard] = 69 + 12 * np.log2(self.f0_hz[heard] / 440)
        return semitones

    def cut(self, start_s: float, end_s: float) -> Melody:
        """The frames from start_s to end_s; its time 0 is start_s (to the nearest frame)."""
        first = max(0, round(start_s / self.hop_s))
        last = max(first, round(end_s / self.hop_s))
        part = slice(first, last)
        attack = None if self.attack is None else self.attack[part]
        return Melody(self.hop_s, self.f0_hz[part], self.voiced[part], self.confidence[part], self.method, attack)

    def faster(self, ratio: float) -> Melody:
        """As if it were sung `ratio` times as fast."""
        return replace(self, hop_s=self.hop_s / ratio)

    def to_bytes(self) -> bytes:
        """As an .npz file (no pickles inside)."""
        buffer = io.BytesIO()
        known = {} if self.attack is None else {"attack": self.attack.astype(np.float32)}
        np.savez_compressed(
            buffer,
            **known,
            hop_s=np.float64(self.hop_s),
            f0_hz=self.f0_hz.astype(np.float32),
            voiced=self.voiced.astype(bool),
            confidence=self.confidence.astype(np.float32),
            method=np.str_(self.method),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Melody:
        """The inverse of to_bytes; refuses pickles."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return cls(
                hop_s=float(stored["hop_s"]),
                f0_hz=stored["f0_hz"],
                voiced=stored["voiced"],
                confidence=stored["confidence"],
                method=str(stored["method"]),
                attack=stored.get("attack"),
            )
