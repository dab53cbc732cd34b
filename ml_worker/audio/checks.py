"""Whether a recording of a song can be used at all, before any work goes into it."""

from __future__ import annotations

import numpy as np

from ml_worker.audio.sound import Sound, UnusableAudio

# A fragment has at least 4 seconds, so a recording has too; seconds.
SHORTEST_S = 4.0

# Songs end long before; what is longer is a set, an album or a mistake; seconds.
LONGEST_S = 3600.0

# Decoders and encoders add or drop a little at the ends; seconds.
TOLERANCE_S = 0.2

# Below this peak nothing can be heard, dithered silence included; full scale is 1 (-60 dB).
SILENT_PEAK = 1e-3

# Frames looked at together, so that memory does not grow with the recording; a count.
BLOCK = 2**22


def check_recording(sound: Sound) -> None:
    """Returns where a recording can be used.

    Raises:
        UnusableAudio: where it is too short, too long, silent, or a constant (DC) only; the sentence says what to do.
    """
    seconds = sound.duration_s
    if seconds < SHORTEST_S - TOLERANCE_S:
        raise UnusableAudio(
            f"The recording is {seconds:.1f} seconds long, and a fragment needs at least {SHORTEST_S:.0f}. "
            "Please bring in a longer one."
        )
    if seconds > LONGEST_S + TOLERANCE_S:
        raise UnusableAudio(
            f"The recording is longer than one hour ({seconds / 60:.0f} minutes). Please cut it to the song itself."
        )
    lowest, highest = _extremes(sound)
    if np.max(highest - lowest) / 2 < SILENT_PEAK:
        raise UnusableAudio(_why_silent(np.maximum(np.abs(lowest), np.abs(highest)).max()))


def _extremes(sound: Sound) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sample of each channel, (C,) each. Their difference is free of a constant offset."""
    blocks = [sound.samples[:, start : start + BLOCK] for start in range(0, sound.frames, BLOCK)]
    return np.min([block.min(axis=1) for block in blocks], axis=0), np.max([b.max(axis=1) for b in blocks], axis=0)


def _why_silent(peak: float) -> str:
    if peak < SILENT_PEAK:
        return "The recording is silent. Please check that the right file or microphone was chosen, and send it again."
    return (
        "The recording holds no sound, only a constant offset (DC), as a broken cable or sound card makes it. "
        "Please record it again with another input."
    )
