"""A melody into fingerprints, with a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import COLUMN_S, LEAD_S, Painter, Source, column_count, window_starts
from ml_worker.fingerprint.network import Encoder
from ml_worker.fingerprint.settings import Settings

# Windows that go through the network together, where each goes by itself.
BATCH = 256
# Columns of a recording that go through the network together; with what they see of their neighbours, 90 s.
PIECE_COLUMNS = 2048


def fingerprint(source: Source, checkpoint: Checkpoint) -> Fingerprints:
    """The fingerprints of a melody (or of a salience), one window every hop from second 0 to the end.

    Audio shorter than a window, and the last window, are filled up with silence. A window without a voice has a
    fingerprint too, and all such are alike: look at voiced_share before trusting a match.

    Args:
        source: of any length and hop.
        checkpoint: what makes them; its name stays with the result.
    """
    return fingerprint_with(checkpoint.encoder(), source, checkpoint)


def fingerprint_with(network: Encoder, source: Source, checkpoint: Checkpoint) -> Fingerprints:
    """The same with a network already made by `checkpoint.encoder()`, for many recordings in a row."""
    return encode(network, source, checkpoint.settings, checkpoint.name)


def encode(network: Encoder, source: Source, settings: Settings, name: str) -> Fingerprints:
    """Fingerprints by any network in its evaluating state, under any name."""
    painter = Painter.of(source, has_attack=settings.attack)
    starts_s = window_starts(painter.duration_s, settings.window_s, settings.hop_s)
    vectors = vectors_at(network, painter, starts_s, settings.window_s, settings)
    shares = painter.voiced_share(starts_s, settings.window_s)
    return Fingerprints(vectors, settings.window_s, settings.hop_s, shares, name)


def vectors_at(
    network: Encoder, painter: Painter, starts_s: NDArray[np.floating], window_s: float, settings: Settings
) -> NDArray[np.float32]:
    """The fingerprints of windows of a recording that start at starts_s (S,), (S, dimensions), as the settings say."""
    with torch.inference_mode():
        if settings.centred == "window":
            return _window_by_window(network, painter, starts_s, window_s)
        return windows_of(network, recording_features(network, painter), starts_s, window_s)


def windows_of(
    network: Encoder, features: Tensor, starts_s: NDArray[np.floating], window_s: float
) -> NDArray[np.float32]:
    """The fingerprints of any windows of a recording, (S, dimensions), from its `recording_features`."""
    starts = torch.as_tensor((starts_s + LEAD_S) / COLUMN_S, dtype=torch.float32, device=features.device)[None, :]
    return network.fingerprints(features, starts, starts + window_s / COLUMN_S)[0].float().cpu().numpy()


def recording_features(network: Encoder, painter: Painter) -> Tensor:
    """What the body finds in a whole recording, in one pass: (1, C, K), LEAD_S of silence before and after it.

    Long recordings go piece by piece, each with as much of its neighbours as the network sees, so that the pieces
    join without a seam and memory does not grow with the pictures.
    """
    columns = column_count(painter.duration_s + 2 * LEAD_S)
    centre = painter.middle_pitch()
    device = next(network.parameters()).device
    found = []
    for first, last, seen_first, seen_last in pieces(columns, network.stride, network.reach):
        start_s = np.array([seen_first * COLUMN_S - LEAD_S])
        images = torch.from_numpy(painter.paint(start_s, seen_last - seen_first, centre)).to(device)
        with torch.autocast(device.type, dtype=torch.float16, enabled=device.type == "cuda"):
            features = network.features(images)
        skipped = (first - seen_first) // network.stride
        found.append(features[:, :, skipped : skipped + -(-(last - first) // network.stride)])
    return torch.cat(found, dim=2)


def features_together(network: Encoder, painters: Sequence[Painter]) -> list[Tensor]:
    """`recording_features` of several short recordings, each as if it went on in silence, by one pass for all.

    Where one is longer than a piece each goes by itself.
    """
    columns = [column_count(painter.duration_s + 2 * LEAD_S) for painter in painters]
    if max(columns) > PIECE_COLUMNS:
        return [recording_features(network, painter) for painter in painters]
    together = -(-max(columns) // network.stride) * network.stride
    images = [painter.paint(np.array([-LEAD_S]), together, painter.middle_pitch()) for painter in painters]
    device = next(network.parameters()).device
    with torch.autocast(device.type, dtype=torch.float16, enabled=device.type == "cuda"):
        features = network.features(torch.from_numpy(np.concatenate(images)).to(device))
    return [of_one[None, :, : -(-own // network.stride)] for of_one, own in zip(features, columns, strict=True)]


def vectors_together(
    network: Encoder,
    painters: Sequence[Painter],
    starts_s: Sequence[NDArray[np.floating]],
    windows_s: Sequence[float],
    settings: Settings,
) -> list[NDArray[np.float32]]:
    """`vectors_at` of several short recordings at once; what they see beyond their silence is silence, too."""
    each = zip(painters, starts_s, windows_s, strict=True)
    if settings.centred == "window":
        return [vectors_at(network, *one, settings) for one in each]
    with torch.inference_mode():
        features = features_together(network, painters)
        found = zip(features, starts_s, windows_s, strict=True)
        return [windows_of(network, of_one, starts, window_s) for of_one, starts, window_s in found]


def pieces(columns: int, stride: int, reach: int) -> Iterator[tuple[int, int, int, int]]:
    """Cuts a recording: columns (first, last, first seen, last seen); both firsts are multiples of the stride."""
    margin = -(-reach // stride) * stride
    step = max(PIECE_COLUMNS // stride, 1) * stride
    for first in range(0, columns, step):
        last = min(first + step, columns)
        yield first, last, max(0, first - margin), min(columns, last + margin)


def _window_by_window(
    network: Encoder, painter: Painter, starts_s: NDArray[np.floating], window_s: float
) -> NDArray[np.float32]:
    """The paper's way: each window is drawn about its own mean pitch and encoded by itself."""
    device = next(network.parameters()).device
    vectors = []
    for first in range(0, len(starts_s), BATCH):
        images = painter.paint(starts_s[first : first + BATCH], column_count(window_s))
        vectors.append(network(torch.from_numpy(images).to(device)).float().cpu().numpy())
    return np.concatenate(vectors)
