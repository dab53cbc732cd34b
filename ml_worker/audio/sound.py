"""Audio in memory: samples with their rate, and the error that says why audio cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# Channels cancel where their mean keeps less than this share of their energy (-20 dB): a cable with its poles swapped,
# even where one side is a tenth louder. Any two that have nothing in common keep a half, 64 keep 1/64.
CANCELLED = 0.01
# Frames looked at together, so that memory does not grow with the recording; a count.
BLOCK = 2**16


class UnusableAudio(ValueError):
    """Audio that cannot be used. Its text is a sentence for the person who can mend it."""


def gettext_noop(message: str) -> str:
    """Marks a sentence for xgettext and leaves it as it is: it is translated where a page shows it."""
    return message


@dataclass(frozen=True)
class Sound:
    """Audio in memory.

    Attributes:
        samples: float32 (C, N), full scale is 1.0, channels first.
        sample_rate: frames a second.
    """

    samples: Samples
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise ValueError(f"samples have the shape (channels, frames), not {self.samples.shape}")

    @classmethod
    def from_mono(cls, samples: NDArray[np.floating], sample_rate: int) -> Sound:
        """A Sound of one channel from samples (N,)."""
        return cls(np.asarray(samples, dtype=np.float32)[None, :], sample_rate)

    @property
    def frames(self) -> int:
        return self.samples.shape[1]

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    def mono(self) -> Samples:
        """The mean of the channels, (N,); where they cancel, the loudest of them."""
        return uncancelled(self.samples).mean(axis=0)

    def resampled(self, sample_rate: int) -> Sound:
        """The same sound at another rate (soxr, high quality)."""
        if sample_rate == self.sample_rate:
            return self
        frames_first = soxr.resample(self.samples.T, self.sample_rate, sample_rate)
        return Sound(np.ascontiguousarray(frames_first.T, dtype=np.float32), sample_rate)

    def cut(self, start_s: float, end_s: float) -> Sound:
        """The interval from start_s to end_s, clipped to what there is."""
        first = max(0, round(start_s * self.sample_rate))
        last = min(self.frames, round(end_s * self.sample_rate))
        return Sound(self.samples[:, first:last], self.sample_rate)


def uncancelled(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    """The channels (C', N) of samples (C, N) whose mean is heard as they are: all, or the loudest where they cancel."""
    channels, frames = samples.shape
    if channels < 2 or frames == 0:
        return samples
    energies, kept = np.zeros(channels), 0.0
    for start in range(0, frames, BLOCK):
        block = samples[:, start : start + BLOCK]
        energies += np.einsum("cn,cn->c", block, block, dtype=np.float64)
        mean = block.mean(axis=0, dtype=np.float64)
        kept += float(mean @ mean)
    if kept >= CANCELLED * energies.mean():
        return samples
    loudest = int(energies.argmax())
    return samples[loudest : loudest + 1]
