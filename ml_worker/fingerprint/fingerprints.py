"""Fingerprints: a melody as a sequence of vectors, one for each window, on a fixed hop."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fingerprints:
    """A sequence of fingerprints. Window t hears the seconds from t * hop_s to t * hop_s + window_s.

    Attributes:
        vectors: float32 (T, D), one L2-normalised fingerprint a window.
        window_s: how much melody one fingerprint hears.
        hop_s: seconds from window to window.
        voiced_share: float32 (T,), the share of each window in which there is a voice, 0..1.
        checkpoint: the name of what made them: a checkpoint, or a method without weights.
    """

    vectors: NDArray[np.float32]
    window_s: float
    hop_s: float
    voiced_share: NDArray[np.float32]
    checkpoint: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors have the shape (windows, numbers), not {self.vectors.shape}")
        if self.voiced_share.shape != self.vectors.shape[:1]:
            raise ValueError("voiced_share has one number for each window")

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def times_s(self) -> NDArray[np.float64]:
        """The second at which each window starts, (T,)."""
        return np.arange(len(self.vectors)) * self.hop_s

    def to_bytes(self) -> bytes:
        """As an .npz file (no pickles inside)."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            vectors=self.vectors.astype(np.float32),
            window_s=np.float64(self.window_s),
            hop_s=np.float64(self.hop_s),
            voiced_share=self.voiced_share.astype(np.float32),
            checkpoint=np.str_(self.checkpoint),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprints:
        """The inverse of to_bytes; refuses pickles."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return cls(
                vectors=stored["vectors"],
                window_s=float(stored["window_s"]),
                hop_s=float(stored["hop_s"]),
                voiced_share=stored["voiced_share"],
                checkpoint=str(stored["checkpoint"]),
            )
