"""Melody of a voice: pitch trackers behind one interface, on a fixed hop, with voicing.

`track_melody` gives f0 with voicing; `track_salience` the salience with it, of the trackers that have one.
Which one is the default and why: docs/experiments-audio.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import binary_propagation, maximum_filter1d

from ml_worker.audio import cqt
from ml_worker.audio.attack import attack
from ml_worker.audio.melody import Melody
from ml_worker.audio.salience import Salience
from ml_worker.audio.sound import Samples, Sound, uncancelled

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

Values = NDArray[np.float32]

# Rate that every tracker here works at; Hz.
RATE = 16_000

# Range of a voice, whistling included. Its lower end lies above mains hum (50 and 60 Hz); Hz.
LOWEST_HZ, HIGHEST_HZ = 65.0, 2000.0

# Frames of a second at which the trackers answer; samples at RATE.
SWIFT_HOP = 256
SALIENCE_HOP = 160  # of CREPE and CQT

# Confidence from which a frame counts as voiced; on vocadito_1 both give the best overall accuracy near these. 0..1.
VOICED_FROM = {"swift-f0": 0.5, "crepe-tiny": 0.5, "crepe-full": 0.5, "pyin": 0.5, "cqt": 0.5}

# A recording's loud level is the one that its frames exceed for this share of the time and no less than this long, so
# that a click does not set it; share, seconds.
LOUD_SHARE = 0.05
LOUD_FOR_S = 0.3

# A recording whose loud level is below the first is silent; in others a frame is silent this far below the loud level
# (voices in the real hums of ../shared/data reach 31 dB below theirs); dB of full scale, dB.
SILENT_BELOW_DB = -60.0
SILENT_UNDER_LOUD_DB = 45.0

# Trackers hear a recording with its loud level brought here (swift-f0 misses a voice 20 dB below it), raised by no more
# than this; dB of full scale, dB.
HEARD_AT_DB = -24.0
MOST_GAIN_DB = 40.0

# Voiced runs shorter than this are clicks, not notes; seconds.
SHORTEST_VOICED_S = 0.05

# What is this far above the loud level, and for no longer than this, is a click or a thump; dB, seconds.
CLICK_OVER_LOUD_DB = 12.0
LONGEST_CLICK_S = 0.15
# It rings on while the level falls by this from frame to frame, and what is this near belongs to it; dB, seconds.
RINGING_FALLS_DB = 0.5
NEAR_CLICK_S = 0.03

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
            weights), "pyin" (16 ms; Mauch and Dixon 2014, librosa's), "cqt" (10 ms; harmonic sum of a constant-Q
            transform).

    Returns:
        A Melody, with its attack, whose `method` names tracker and voicing threshold. Silence gives no voiced frame,
        a sound shorter than a frame at most one frame.

    Raises:
        ValueError: for a method that does not exist.
    """
    if method not in TRACKERS:
        raise ValueError(f"There is no tracker {method!r}; there are {', '.join(TRACKERS)}.")
    track, hop = TRACKERS[method]
    mono = at_rate(sound, RATE)
    if len(mono) == 0:
        return _melody(mono, np.zeros(0), np.zeros(0), hop, method)
    f0_hz, confidence = track(at_usual_level(mono, hop))
    return _melody(mono, f0_hz, confidence, hop, method)


def track_salience(sound: Sound, method: str = "crepe-tiny") -> Salience:
    """The salience of a solo voice (or of a vocal part), with the melody that the same tracker hears in it.

    Args:
        sound: any length, any rate; channels are averaged.
        method: one of SALIENCES.

    Raises:
        ValueError: for a method that has no salience.
    """
    if method not in SALIENCES:
        raise ValueError(f"There is no salience {method!r}; there are {', '.join(SALIENCES)}.")
    kind = SALIENCES[method]
    mono = at_rate(sound, RATE)
    activation = kind.salience(at_usual_level(mono, SALIENCE_HOP))
    melody = _melody(mono, *kind.pitch(activation), SALIENCE_HOP, method)
    return Salience(activation, melody, kind.first_pitch, kind.bin_semitones)


def _melody(
    mono: Samples, f0_hz: NDArray[np.floating], confidence: NDArray[np.floating], hop: int, method: str
) -> Melody:
    """The melody of what a tracker found in the frames (T,) of `mono`: voicing decided, attacks added."""
    frames = len(f0_hz)
    in_range = (f0_hz >= LOWEST_HZ) & (f0_hz <= HIGHEST_HZ)
    level = level_db(mono, hop, frames)
    voiced = in_range & (confidence >= VOICED_FROM[method]) & is_loud(level, hop) & ~is_click(level, hop)
    voiced = without_short_runs(voiced, round(SHORTEST_VOICED_S * RATE / hop))
    melody = Melody(
        hop_s=hop / RATE,
        f0_hz=np.where(voiced, f0_hz, 0).astype(np.float32),
        voiced=voiced,
        confidence=np.clip(confidence, 0, 1).astype(np.float32),
        method=f"{method}, voiced from {VOICED_FROM[method]:g}",
    )
    return replace(melody, attack=attack(mono, RATE, hop, melody.pitch()))


# ----------------------------------------------------------------------------------------------- what trackers share


def at_rate(sound: Sound, sample_rate: int) -> Samples:
    """The mono sound at another rate, (N,), as `Sound.mono`; resampled as a stream, so that only the result grows."""
    if sound.frames == 0:
        return np.zeros(0, dtype=np.float32)
    if sound.sample_rate == sample_rate:
        return sound.mono()
    stream = soxr.ResampleStream(sound.sample_rate, sample_rate, 1, dtype="float32")
    piece = round(PIECE_S * sound.sample_rate)
    # One array from the start: joining parts at the end would hold everything twice.
    resampled = np.empty(int(np.ceil(sound.frames * sample_rate / sound.sample_rate)) + 1, np.float32)
    filled = 0
    channels = uncancelled(sound.samples)
    for start in range(0, sound.frames, piece):
        block = channels[:, start : start + piece].mean(axis=0)
        part = stream.resample_chunk(block, last=start + piece >= sound.frames)
        resampled[filled : filled + len(part)] = part
        filled += len(part)
    return resampled[:filled]


def level_db(mono: Samples, hop: int, frames: int) -> Values:
    """Level of the two hops around each frame's centre, dB of full scale, (T,); an offset (DC) counts as silence."""
    if frames == 0:
        return np.zeros(0, np.float32)
    padded = np.pad(mono[: frames * hop], (0, max(0, frames * hop - len(mono))))
    hops = padded.reshape(frames, hop)
    sums = np.pad(hops.sum(axis=1, dtype=np.float64), (1, 0), mode="edge")
    squares = np.pad(np.einsum("th,th->t", hops, hops, dtype=np.float64), (1, 0), mode="edge")
    mean = (sums[:-1] + sums[1:]) / (2 * hop)
    variance = (squares[:-1] + squares[1:]) / (2 * hop) - mean**2
    return (10 * np.log10(np.maximum(variance, 1e-14))).astype(np.float32)


def loud_db(level: NDArray[np.floating], hop: int) -> float:
    """The loud level of a recording from its frames' (T,), dB of full scale; of less than 0.6 s the median."""
    if not len(level):
        return -np.inf
    at_least = min(LOUD_FOR_S * RATE / hop, len(level) / 2)
    rank = round(max(LOUD_SHARE * len(level), at_least))
    return float(np.sort(level)[-max(1, rank)])


def at_usual_level(mono: Samples, hop: int) -> Samples:
    """The recording (N,) with its loud level at HEARD_AT_DB, where that does not take too much gain."""
    loud = loud_db(level_db(mono, hop, -(-len(mono) // hop)), hop)
    gain_db = min(HEARD_AT_DB - loud, MOST_GAIN_DB)
    return mono * np.float32(10 ** (gain_db / 20))


def is_loud(level: NDArray[np.floating], hop: int) -> NDArray[np.bool_]:
    """Whether each frame is more than silence, from the frames' levels, (T,)."""
    loud = loud_db(level, hop)
    return (loud > SILENT_BELOW_DB) & (level > loud - SILENT_UNDER_LOUD_DB)


def is_click(level: NDArray[np.floating], hop: int) -> NDArray[np.bool_]:
    """Whether each frame is a click or a thump, or next to one, from the frames' levels, (T,).

    A button pressed, a phone put down: far louder than the voice, and over at once.
    """
    over = level > loud_db(level, hop) + CLICK_OVER_LOUD_DB
    lasting = without_short_runs(over, round(LONGEST_CLICK_S * RATE / hop) + 1)
    click = over & ~lasting
    if not click.any():
        return click
    falling = np.diff(level, prepend=level[0]) < -RINGING_FALLS_DB
    ringing = binary_propagation(click, mask=click | falling)
    return maximum_filter1d(ringing, 2 * round(NEAR_CLICK_S * RATE / hop) + 1)


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

    # Where a process is to compute on so many threads, onnxruntime, which asks nobody, does too.
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return SwiftF0(threads=int(wanted) if wanted.isdigit() and int(wanted) else None, spin=False)


# ------------------------------------------------------------------------------------------------------------- CREPE


def crepe_salience(mono: Samples, model: str) -> Values:
    """CREPE's salience of samples (N,) at RATE: float32 (360, T), bins of 20 cents upwards from 31.7 Hz.

    Args:
        model: "tiny" or "full".
    """
    import torch
    import torchcrepe

    if len(mono) == 0:
        return np.zeros((CREPE_BINS, 0), dtype=np.float32)
    salience = np.empty((CREPE_BINS, 1 + len(mono) // SALIENCE_HOP), dtype=np.float32)
    for start, frames in _crepe_frames(mono):
        with torch.inference_mode():
            answer = torchcrepe.infer(torch.from_numpy(frames), model)
        salience[:, start : start + len(frames)] = answer.numpy().T
    return salience


def _crepe_frames(mono: Samples) -> Iterator[tuple[int, Samples]]:
    """(first frame, frames (B, 1024)) batch by batch, each frame centred and scaled as CREPE was trained."""
    padded = np.pad(mono, CREPE_WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, CREPE_WINDOW)[::SALIENCE_HOP]
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


# ---------------------------------------------------------------------------------------------- what trackers there are

Found = tuple[NDArray[np.floating], NDArray[np.floating]]


@dataclass(frozen=True)
class SalienceKind:
    """A kind of salience.

    Attributes:
        salience: samples (N,) at RATE -> (B, T), frames SALIENCE_HOP apart.
        pitch: salience -> Hz and confidence, (T,) each.
        first_pitch: of bin 0, MIDI semitones.
        bin_semitones: from bin to bin.
    """

    salience: Callable[[Samples], Values]
    pitch: Callable[[Values], Found]
    first_pitch: float
    bin_semitones: float

    def __call__(self, mono: Samples) -> Found:
        return self.pitch(self.salience(mono))


CREPE_FIRST_PITCH = 69 + 12 * np.log2(10 / 440) + FIRST_BIN_CENTS / 100

SALIENCES = {
    "crepe-tiny": SalienceKind(
        partial(crepe_salience, model="tiny"), pitch_of_salience, CREPE_FIRST_PITCH, CENTS_A_BIN / 100
    ),
    "crepe-full": SalienceKind(
        partial(crepe_salience, model="full"), pitch_of_salience, CREPE_FIRST_PITCH, CENTS_A_BIN / 100
    ),
    "cqt": SalienceKind(
        partial(cqt.cqt_salience, rate=RATE, hop=SALIENCE_HOP),
        partial(cqt.pitch_of_salience, lowest_hz=LOWEST_HZ, highest_hz=HIGHEST_HZ),
        cqt.FIRST_PITCH,
        12 / cqt.BINS_AN_OCTAVE,
    ),
}

# Name of each tracker: its function and its hop in samples at RATE.
TRACKERS: dict[str, tuple[Callable[[Samples], Found], int]] = {
    "swift-f0": (_swift_f0, SWIFT_HOP),
    "pyin": (_pyin, SWIFT_HOP),
    **{name: (kind, SALIENCE_HOP) for name, kind in SALIENCES.items()},
}
