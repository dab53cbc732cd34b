"""The lossless working copy of a sound."""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ml_worker.audio.sound import Sound

# FLAC's limits (RFC 9639, section 9.1): channels, and frames a second.
MAX_CHANNELS = 8
MAX_RATE = 655_350

# Above this rate the encoder takes multiples of 10 only; Hz.
MAX_FREE_RATE = 65_535

# Rate of the copy where the sound's own is over the limit: still beyond all hearing; Hz.
RATE_INSTEAD = 192_000

# Bits a sample: holds 16- and 24-bit sources exactly.
BITS = 24

# Frames written at once, so that the integer copy stays small.
BLOCK = 2**18


def flac_ready(sound: Sound) -> Sound:
    """The sound as FLAC can hold it; most sounds come back as they are.

    More than 8 channels are averaged to one. A rate over 655350 Hz, or over 65535 and no multiple of 10, becomes
    192000. A float sound that exceeds full scale is turned down until it does not clip.
    """
    if sound.samples.shape[0] > MAX_CHANNELS:
        sound = Sound.from_mono(sound.mono(), sound.sample_rate)
    if sound.sample_rate > MAX_RATE or (sound.sample_rate > MAX_FREE_RATE and sound.sample_rate % 10):
        sound = sound.resampled(RATE_INSTEAD)
    peak = max(sound.samples.max(initial=0.0), -sound.samples.min(initial=0.0))
    return sound if peak <= 1 else Sound(sound.samples / np.float32(peak), sound.sample_rate)


def to_flac(sound: Sound) -> bytes:
    """The sound as 24-bit FLAC, after flac_ready. What came from 16 or 24 bits comes back bit for bit."""
    sound = flac_ready(sound)
    buffer = io.BytesIO()
    channels = sound.samples.shape[0]
    with sf.SoundFile(buffer, "w", sound.sample_rate, channels, subtype=f"PCM_{BITS}", format="FLAC") as file:
        for start in range(0, sound.frames, BLOCK):
            file.write(_as_integers(sound.samples[:, start : start + BLOCK].T))
    return buffer.getvalue()


def _as_integers(block: NDArray[np.float32]) -> NDArray[np.int32]:
    """Full scale 1 as the upper 24 bits of int32; by hand, so that the scale is ours."""
    steps = 2 ** (BITS - 1)
    return np.clip(np.rint(block.astype(np.float64) * steps), -steps, steps - 1).astype(np.int32) << (32 - BITS)
