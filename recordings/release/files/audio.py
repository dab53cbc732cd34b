"""Audio of a release: the very samples, lossless, and nothing of the file that they came in. Free of Django.

A file's header may carry a name, a device or a date, so no file is ever copied: the samples are read and written anew.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.io import wavfile

# What of libsndfile's sample formats holds whole numbers, and the FLAC format that holds the same ones.
FLAC_OF = {
    "PCM_S8": "PCM_S8",
    "PCM_U8": "PCM_S8",
    "PCM_16": "PCM_16",
    "PCM_24": "PCM_24",
    "ULAW": "PCM_16",
    "ALAW": "PCM_16",
}
# libFLAC's limits.
MOST_CHANNELS = 8
HIGHEST_RATE = 655_350  # Hz
# The strongest of libsndfile's range. A part of the bytes of a release, so it never changes.
COMPRESSION = 1.0
FULL_SCALE_24 = 2**23


@dataclass(frozen=True)
class Encoded:
    """Audio as a release holds it."""

    data: bytes
    extension: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def encode_take(file: BinaryIO) -> Encoded:
    """A whole take, every sample as it came."""
    with soundfile.SoundFile(file) as source:
        return encode_next(source, source.frames)


def encode_interval(source: soundfile.SoundFile, start_s: float, end_s: float) -> Encoded:
    """The interval of an open recording; what lies beyond its end is left out."""
    rate = source.samplerate
    source.seek(min(source.frames, round(start_s * rate)))
    return encode_next(source, round((end_s - start_s) * rate))


def encode_next(source: soundfile.SoundFile, frames: int) -> Encoded:
    """The next `frames` of an open file: as FLAC, or as floating-point WAV where FLAC cannot hold the samples."""
    flac_fits = source.channels <= MOST_CHANNELS and source.samplerate <= HIGHEST_RATE
    if flac_fits and source.subtype in FLAC_OF:
        samples = source.read(frames, dtype="int32", always_2d=True)
        return _flac(samples, source.samplerate, FLAC_OF[source.subtype])
    samples = source.read(frames, dtype="float64", always_2d=True)
    if flac_fits and _are_24_bit(samples):
        whole = np.round(samples * FULL_SCALE_24).astype(np.int32) << 8
        return _flac(whole, source.samplerate, "PCM_24")
    return _wav(samples, source.samplerate)


def _are_24_bit(samples: NDArray[np.float64]) -> bool:
    """Whether these floating-point samples are whole numbers of 24 bits in disguise."""
    scaled = samples * FULL_SCALE_24
    whole = np.array_equal(scaled, np.round(scaled))
    return whole and bool(np.all((scaled >= -FULL_SCALE_24) & (scaled < FULL_SCALE_24)))


def _flac(samples: NDArray[np.int32], rate: int, subtype: str) -> Encoded:
    """FLAC of samples (N, C) that fill 32 bits from the top."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype=subtype, compression_level=COMPRESSION)
    return Encoded(file.getvalue(), "flac")


def _wav(samples: NDArray[np.float64], rate: int) -> Encoded:
    """WAV of samples (N, C), in 32 bits where they hold every sample, else in 64.

    Written by SciPy, since libsndfile puts the present time into the header of such files.
    """
    narrow = samples.astype(np.float32)
    file = io.BytesIO()
    wavfile.write(file, rate, narrow if np.array_equal(narrow, samples, equal_nan=True) else samples)
    return Encoded(file.getvalue(), "wav")
