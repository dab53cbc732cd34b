"""Fingerprints as small codes: so many principal axes, eight bits each."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Codes = NDArray[np.int8]

# Axes that are kept of a fingerprint: those of the starter checkpoints hold 99.8 % of the energy in 64 (the command in
# docs/search.md measures what the rest costs).
AXES = 64
# The largest code; what lies beyond is cut off.
LARGEST = 127
# So much of each axis is covered by the codes: the few values beyond would make all others coarse.
COVERED = 0.99999


@dataclass(frozen=True)
class Codec:
    """Turns fingerprints into codes and back.

    Attributes:
        basis: float32 (D, A), orthonormal columns: the principal axes of fingerprints as they are, not less their mean,
            so that products of projections are products of fingerprints.
        step: float32 (A,), by how much an axis rises from one code to the next.
    """

    basis: Vectors
    step: Vectors

    @classmethod
    def fitted(cls, vectors: Vectors, axes: int = AXES) -> Self:
        """The best codec for fingerprints (N, D) like these; rows of zeros (silence) do not count.

        Raises:
            ValueError: all of them are silent.
        """
        heard = vectors[np.any(vectors, axis=1)].astype(np.float64)
        if not len(heard):
            raise ValueError("There are no fingerprints of any voice to make codes for.")
        _, axes_by_energy = np.linalg.eigh(heard.T @ heard)
        basis = axes_by_energy[:, ::-1][:, :axes]
        reach = np.quantile(np.abs(heard @ basis), COVERED, axis=0)
        return cls(basis.astype(np.float32), np.maximum(reach / LARGEST, 1e-6).astype(np.float32))

    @property
    def axes(self) -> int:
        return self.basis.shape[1]

    def project(self, vectors: Vectors) -> Vectors:
        """Fingerprints (N, D) on the axes (N, A): what codes are compared with."""
        return (vectors @ self.basis).astype(np.float32)

    def encode(self, vectors: Vectors) -> Codes:
        """Fingerprints (N, D) as codes (N, A); silence stays zeros."""
        return np.clip(np.rint(self.project(vectors) / self.step), -LARGEST, LARGEST).astype(np.int8)

    def decode(self, codes: Codes) -> Vectors:
        """Codes (N, A) as projections (N, A)."""
        return codes.astype(np.float32) * self.step

    def to_bytes(self) -> bytes:
        """As an .npz file (no pickles inside)."""
        buffer = io.BytesIO()
        np.savez(buffer, basis=self.basis, step=self.step)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of to_bytes; refuses pickles."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return cls(stored["basis"], stored["step"])
