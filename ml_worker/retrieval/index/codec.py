"""Fingerprints as small codes: so many principal axes, of which the strongest have sixteen bits each, strong ones
eight, and weak ones four.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.int8]

# Axes that are kept of a fingerprint in a byte and more, those of them that have two, and further ones in half a byte:
# 72 bytes. What errs most is the strongest axes' steps; what other shares cost is in docs/experiments-search.md.
STRONG, FINE, WEAK = 56, 4, 24
# The largest code of either; what lies beyond is cut off.
LARGEST, LARGEST_WEAK = 127, 7
# Fine steps between two coarse ones.
STEPS_BETWEEN = 2 * LARGEST
# So much of each strong axis is covered by its codes: the few values beyond would make all others coarse.
COVERED = 0.99999
# A weak axis rises by so many standard deviations from one code to the next: what errs least for a normal distribution
# with 15 steps (Max, IRE Transactions on Information Theory, 1960).
WEAK_STEP = 0.335


@dataclass(frozen=True)
class Codec:
    """Turns fingerprints into codes and back.

    Attributes:
        basis: float32 (D, A), orthonormal columns: the principal axes of fingerprints as they are, not less their mean,
            so that products of projections are products of fingerprints. The strongest first.
        step: float32 (A,), by how much an axis rises from one code to the next.
        strong: so many axes have a byte each; the others, an even number of them, share one between two.
        fine: so many of the strongest have another byte, for what is left between two steps.
    """

    basis: Vectors
    step: Vectors
    strong: int
    fine: int

    @classmethod
    def fitted(cls, vectors: Vectors, strong: int = STRONG, weak: int = WEAK, fine: int = FINE) -> Self:
        """The best codec for fingerprints (N, D) like these; rows of zeros (silence) do not count.

        Args:
            strong, weak, fine: axes of each kind, as far as there are so many dimensions; `weak` is even.

        Raises:
            ValueError: all of them are silent.
        """
        heard = vectors[np.any(vectors, axis=1)].astype(np.float64)
        if not len(heard):
            raise ValueError("There are no fingerprints of any voice to make codes for.")
        strong = min(strong, heard.shape[1])
        weak = min(weak, (heard.shape[1] - strong) // 2 * 2)
        _, axes_by_energy = np.linalg.eigh(heard.T @ heard)
        basis = axes_by_energy[:, ::-1][:, : strong + weak]
        along = heard @ basis
        step = np.quantile(np.abs(along), COVERED, axis=0) / LARGEST
        step[strong:] = WEAK_STEP * along[:, strong:].std(axis=0)
        return cls(basis.astype(np.float32), np.maximum(step, 1e-6).astype(np.float32), strong, min(fine, strong))

    @property
    def axes(self) -> int:
        return self.basis.shape[1]

    @property
    def width(self) -> int:
        """Bytes of a code."""
        return self.strong + (self.axes - self.strong) // 2 + self.fine

    def project(self, vectors: Vectors) -> Vectors:
        """Fingerprints (N, D) on the axes (N, A): what decoded codes are compared with."""
        return (vectors @ self.basis).astype(np.float32)

    def encode(self, vectors: Vectors) -> Codes:
        """Fingerprints (N, D) as codes (N, width); silence stays zeros."""
        largest = np.where(np.arange(self.axes) < self.strong, LARGEST, LARGEST_WEAK)
        along = self.project(vectors) / self.step
        steps = np.clip(np.rint(along), -largest, largest).astype(np.int8)
        first, second = steps[:, self.strong :: 2], steps[:, self.strong + 1 :: 2]
        left = (along - steps)[:, : self.fine]
        finer = np.clip(np.rint(left * STEPS_BETWEEN), -LARGEST, LARGEST).astype(np.int8)
        return np.concatenate([steps[:, : self.strong], (first << 4) | (second & 15), finer], axis=1)

    def decode(self, codes: Codes) -> Vectors:
        """Codes (..., width) as projections (..., A)."""
        steps = np.empty((*codes.shape[:-1], self.axes), dtype=np.float32)
        steps[..., : self.strong] = codes[..., : self.strong]
        steps[..., : self.fine] += codes[..., self.width - self.fine :] * np.float32(1 / STEPS_BETWEEN)
        pairs = codes[..., self.strong : self.width - self.fine]
        # Shifted back arithmetically, so that the sign of the four bits is kept.
        steps[..., self.strong :: 2] = pairs >> 4
        steps[..., self.strong + 1 :: 2] = (pairs << 4) >> 4
        steps *= self.step
        return steps

    def to_bytes(self) -> bytes:
        """As an .npz file (no pickles inside)."""
        buffer = io.BytesIO()
        np.savez(buffer, basis=self.basis, step=self.step, shares=np.array([self.strong, self.fine]))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of to_bytes; refuses pickles."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return cls(stored["basis"], stored["step"], *(int(axes) for axes in stored["shares"]))
