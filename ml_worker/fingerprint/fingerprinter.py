"""A melody into fingerprints, with a checkpoint."""

from __future__ import annotations

import numpy as np
import torch

from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import Source, windows
from ml_worker.fingerprint.network import Encoder

# Windows that go through the network together.
BATCH = 256


def fingerprint(source: Source, checkpoint: Checkpoint, *, batch: int = BATCH) -> Fingerprints:
    """The fingerprints of a melody (or of CREPE's salience), one window every hop from second 0 to the end.

    Audio shorter than a window, and the last window, are filled up with silence. A window without a voice has a
    fingerprint too, and all such are alike: look at voiced_share before trusting a match.

    Args:
        source: of any length and hop.
        checkpoint: what makes them; its name stays with the result.
        batch: windows that go through the network together; it only costs memory.
    """
    return fingerprint_with(checkpoint.encoder(), source, checkpoint, batch=batch)


def fingerprint_with(network: Encoder, source: Source, checkpoint: Checkpoint, *, batch: int = BATCH) -> Fingerprints:
    """The same with a network already made by `checkpoint.encoder()`, for many recordings in a row."""
    settings = checkpoint.settings
    return encode(network, source, settings.window_s, settings.hop_s, checkpoint.name, batch=batch)


def encode(
    network: Encoder, source: Source, window_s: float, hop_s: float, name: str, *, batch: int = BATCH
) -> Fingerprints:
    """Fingerprints by any network in its evaluating state, under any name."""
    vectors, shares = [], []
    with torch.inference_mode():
        for images, voiced_share in windows(source, window_s, hop_s, batch):
            vectors.append(network(torch.from_numpy(images)[:, None]).numpy())  # (B, 1, 80, T) -> (B, D)
            shares.append(voiced_share)
    return Fingerprints(np.concatenate(vectors), window_s, hop_s, np.concatenate(shares), name)
