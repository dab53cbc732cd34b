"""Melody of a voice: pitch trackers behind one interface, on a fixed hop, with voicing.

Which one is the default and why: docs/experiments-audio.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Samples, Sound

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

Values = NDArray[np.float32]

# Rate that every tracker here works at; Hz.
RATE = 16_000

# Range of a voice, whistling included. Its lower end lies above mains hum (50 and 60 Hz); Hz.
LOWEST_HZ, HIGHEST_HZ = 65.0, 2000.0

# Frames of a second at which the trackers answer; samples at RATE.
SWIFT_HOP = 256
CREPE_HOP = 160

# Confidence from which a frame counts as voiced; on vocadito_1 both give the best overall accuracy near these. 0..1.
VOICED_FROM = {"swift-f0": 0.5, "crepe-tiny": 0.5, "crepe-full": 0.5, "pyin": 0.5}

# A frame is silent below this level, or this far below the recording's loud frames (voices in the real hums of
# ../shared/data reach 31 dB below theirs); dB of full scale, dB.
SILENT_BELOW_DB = -60.0
SILENT_UNDER_LOUD_DB = 45.0

# Voiced runs shorter than this are clicks, not notes; seconds.
SHORTEST_VOICED_S = 0.05

# Audio is resampled and tracked in pieces, so that memory does not grow with its length; seconds.
PIECE_S = 60.0

# What a piece shows of its neighbours, so that no frame knows that it lies at an edge; seconds.
CONTEXT_S = 1.0

# CREPE: its window in samples, its bins of 20 cents, bin 0 in cents above 10 Hz, bins on each side of a peak.
CREPE_WINDOW = 1024
CREPE_BINS = 360
CENTS_A_BIN = 20.0
FIRST_BIN_CENTS = 1997.3794084376191
PEAK_BINS = 4

# Frames that CREPE takes at once; a count.
CREPE_BATCH = 512


def track_melody(sound: Sound, method: str = "swift-f0") -> Melody:
    """The melody of a solo voice (or of a vocal part).

    Args:
        sound: any length, any rate; channels are averaged.
        method: "swift-f0" (hop 16 ms, the default), "crepe-tiny" or "crepe-full" (10 ms; Kim et al. 2018, torchcrepe's
            weights), "pyin" (16 ms; Mauch and Dixon 2014, librosa's).

    Returns:
        A Melody whose `method` names tracker and voicing threshold. Silence gives no voiced frame, a sound shorter
        than a frame at most one frame.

    Raises:
        ValueError: for a method that does not exist.
    """
    if method not in TRACKERS:
        raise ValueError(f"There is no tracker {method!r}; there are {', '.join(TRACKERS)}.")
    track, hop = TRACKERS[method]
    mono = at_rate(sound, RATE)
    if len(mono) == 0:
        return _melody(np.zeros(0), np.zeros(0), np.zeros(0, bool), hop, method)
    f0_hz, confidence = track(mono)
    in_range = (f0_hz >= LOWEST_HZ) & (f0_hz <= HIGHEST_HZ)
    voiced = in_range & (confidence >= VOICED_FROM[method]) & is_loud(mono, hop, len(f0_hz))
    voiced = without_short_runs(voiced, round(SHORTEST_VOICED_S * RATE / hop))
    return _melody(f0_hz, confidence, voiced, hop, method)


def _melody(
    f0_hz: NDArray[np.floating], confidence: NDArray[np.floating], voiced: NDArray[np.bool_], hop: int, method: str
) -> Melody:
    return Melody(
        hop_s=hop / RATE,
        f0_hz=np.where(voiced, f0_hz, 0).astype(np.float32),
        voiced=voiced,
        confidence=np.clip(confidence, 0, 1).astype(np.float32),
        method=f"{method}, voiced from {VOICED_FROM[method]:g}",
    )


# ----------------------------------------------------------------------------------------------- what trackers share


def at_rate(sound: Sound, sample_rate: int) -> Samples:
    """The mean of the channels at another rate, (N,); resampled as a stream, so that only the result grows."""
    if sound.frames == 0:
        return np.zeros(0, dtype=np.float32)
    if sound.sample_rate == sample_rate:
        return sound.mono()
    stream = soxr.ResampleStream(sound.sample_rate, sample_rate, 1, dtype="float32")
    piece = round(PIECE_S * sound.sample_rate)
    parts = []
    for start in range(0, sound.frames, piece):
        block = sound.samples[:, start : start + piece].mean(axis=0)
        parts.append(stream.resample_chunk(block, last=start + piece >= sound.frames))
    return np.concatenate(parts)


def level_db(mono: Samples, hop: int, frames: int) -> Values:
    """Level of the two hops around each frame's centre, dB of full scale, (T,); an offset (DC) counts as silence."""
    padded = np.pad(mono[: frames * hop], (0, max(0, frames * hop - len(mono))))
    hops = padded.reshape(frames, hop)
    sums = np.pad(hops.sum(axis=1, dtype=np.float64), (1, 0), mode="edge")
    squares = np.pad(np.einsum("th,th->t", hops, hops, dtype=np.float64), (1, 0), mode="edge")
    mean = (sums[:-1] + sums[1:]) / (2 * hop)
    variance = (squares[:-1] + squares[1:]) / (2 * hop) - mean**2
    return (10 * np.log10(np.maximum(variance, 1e-14))).astype(np.float32)


def is_loud(mono: Samples, hop: int, frames: int) -> NDArray[np.bool_]:
    """Whether each frame is more than silence, (T,)."""
    level = level_db(mono, hop, frames)
    loud = np.percentile(level, 95) if frames else 0.0
    return level > max(SILENT_BELOW_DB, loud - SILENT_UNDER_LOUD_DB)


def without_short_runs(voiced: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Voiced runs of fewer than `shortest` frames become unvoiced."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    kept = voiced.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < shortest:
            kept[start:end] = False
    return kept


# ---------------------------------------------------------------------------------------------------------- swift-f0


def _swift_f0(mono: Samples) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    found = _swift_detector(os.getpid()).detect(mono, RATE, LOWEST_HZ, HIGHEST_HZ)
    return found.pitch_hz, found.confidence


@lru_cache(maxsize=1)
def _swift_detector(process: int) -> SwiftF0:
    """One detector for each process: its threads do not survive a fork."""
    from swift_f0 import SwiftF0

    return SwiftF0(spin=False)


# ------------------------------------------------------------------------------------------------------------- CREPE


def crepe_salience(sound: Sound, model: str = "tiny") -> Values:
    """CREPE's salience: float32 (360, T), bins of 20 cents upwards from 31.7 Hz, frame t centred on t * 10 ms.

    Args:
        sound: any length, any rate; channels are averaged.
        model: "tiny" or "full".
    """
    return _crepe_salience(at_rate(sound, RATE), model)


def _crepe_salience(mono: Samples, model: str) -> Values:
    import torch
    import torchcrepe

    if len(mono) == 0:
        return np.zeros((CREPE_BINS, 0), dtype=np.float32)
    salience = np.empty((CREPE_BINS, 1 + len(mono) // CREPE_HOP), dtype=np.float32)
    for start, frames in _crepe_frames(mono):
        with torch.inference_mode():
            answer = torchcrepe.infer(torch.from_numpy(frames), model)
        salience[:, start : start + len(frames)] = answer.numpy().T
    return salience


def _crepe_frames(mono: Samples) -> Iterator[tuple[int, Samples]]:
    """(first frame, frames (B, 1024)) batch by batch, each frame centred and scaled as CREPE was trained."""
    padded = np.pad(mono, CREPE_WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, CREPE_WINDOW)[::CREPE_HOP]
    for start in range(0, len(windows), CREPE_BATCH):
        frames = windows[start : start + CREPE_BATCH]
        frames = frames - frames.mean(axis=1, keepdims=True)
        yield start, (frames / np.maximum(frames.std(axis=1, keepdims=True), 1e-10)).astype(np.float32)


def pitch_of_salience(salience: Values) -> tuple[Values, Values]:
    """Pitch and confidence of each frame: the mean of the bins around the highest one, and its height.

    As CREPE's own weighted mean, in the range of a voice; without torchcrepe's random dither, so that the same sound
    always gives the same curve.

    Returns:
        Hz (T,) and 0..1 (T,).
    """
    cents = FIRST_BIN_CENTS + CENTS_A_BIN * np.arange(CREPE_BINS)
    hz = 10 * 2 ** (cents / 1200)
    inside = np.flatnonzero((hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ))
    peak = inside[0] + np.argmax(salience[inside], axis=0)
    near = np.clip(peak[None, :] + np.arange(-PEAK_BINS, PEAK_BINS + 1)[:, None], 0, CREPE_BINS - 1)
    weights = np.take_along_axis(salience, near, axis=0)
    mean_cents = (weights * cents[near]).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-9)
    confidence = np.take_along_axis(salience, peak[None, :], axis=0)[0]
    return (10 * 2 ** (mean_cents / 1200)).astype(np.float32), confidence


def _crepe_tiny(mono: Samples) -> tuple[Values, Values]:
    return pitch_of_salience(_crepe_salience(mono, "tiny"))


def _crepe_full(mono: Samples) -> tuple[Values, Values]:
    return pitch_of_salience(_crepe_salience(mono, "full"))


# -------------------------------------------------------------------------------------------------------------- pYIN


def _pyin(mono: Samples) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """pYIN piece by piece (its tables grow with the square of nothing but the length, and are large)."""
    pieces = [_pyin_piece(*bounds, mono) for bounds in _pieces(1 + len(mono) // SWIFT_HOP)]
    f0_hz, confidence = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return f0_hz, confidence


def _pieces(frames: int) -> Iterator[tuple[int, int]]:
    step = round(PIECE_S * RATE / SWIFT_HOP)
    return ((start, min(start + step, frames)) for start in range(0, frames, step))


def _pyin_piece(start: int, end: int, mono: Samples) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Frames start to end, tracked with some context on both sides."""
    import librosa

    context = round(CONTEXT_S * RATE / SWIFT_HOP)
    first = max(0, start - context)
    seen = mono[first * SWIFT_HOP : (end + context) * SWIFT_HOP]
    f0_hz, voiced, probability = librosa.pyin(
        seen, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE, hop_length=SWIFT_HOP, frame_length=1024, fill_na=0.0
    )
    inner = slice(start - first, end - first)
    # pYIN decides voicing by its own Viterbi path; the threshold of 0.5 repeats that decision.
    decided = np.where(voiced, np.maximum(probability, 0.5), np.minimum(probability, 0.49))
    return f0_hz[inner], decided[inner]


Tracker = Callable[[Samples], tuple[NDArray[np.floating], NDArray[np.floating]]]

# Name of each tracker: its function and its hop in samples at RATE.
TRACKERS: dict[str, tuple[Tracker, int]] = {
    "swift-f0": (_swift_f0, SWIFT_HOP),
    "crepe-tiny": (_crepe_tiny, CREPE_HOP),
    "crepe-full": (_crepe_full, CREPE_HOP),
    "pyin": (_pyin, SWIFT_HOP),
}
