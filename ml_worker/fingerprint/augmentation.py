"""What singers, rooms and trackers do to a melody, as changes to sampled curves and to pictures.

A curve here is a pitch (F,) in semitones with NaN where unvoiced, on frames of FRAME_S.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_worker.fingerprint.image import FRAME_S, Image
from ml_worker.fingerprint.settings import Augmentation

Curve1D = NDArray[np.float32]
# Shortest stretch that is dropped, sung wrong or taken for a voice, seconds.
SHORTEST_NOTE_S = 0.08
# Time constant of the unsteadiness of a voice, in frames.
JITTER_FRAMES = 3
# Most stretches of one kind in a window, where there is any.
MOST_STRETCHES = 3


def factor(most: float, rng: Generator) -> float:
    """A factor between 1 / most and most, evenly on a log scale."""
    return float(np.exp(rng.uniform(-1, 1) * np.log(most)))


def slow_wave(frames: int, rng: Generator) -> Curve1D:
    """A smooth curve between about -1 and 1 with one or two slow turns, (F,)."""
    phase = np.linspace(0, 1, frames, dtype=np.float32)
    turns = rng.uniform(0.2, 1.5)
    return np.sin(2 * np.pi * (turns * phase + rng.uniform())).astype(np.float32)


def stretch_of_frames(frames: int, longest_s: float, rng: Generator) -> slice:
    """A random stretch of between 0.08 and longest_s seconds, somewhere in the window."""
    length = round(rng.uniform(SHORTEST_NOTE_S, max(longest_s, SHORTEST_NOTE_S)) / FRAME_S)
    start = int(rng.integers(0, max(frames - length, 1)))
    return slice(start, start + length)


def sung_times(times_s: NDArray[np.float64], settings: Augmentation, rng: Generator) -> NDArray[np.float64]:
    """The seconds of a version at which a window's frames (F,) are read: rubato, misalignment and SpliceOut."""
    wander = settings.rubato_s * rng.uniform() * slow_wave(len(times_s), rng)
    heard = times_s + wander + rng.uniform(-1, 1) * settings.misaligned_s
    if rng.uniform() < settings.splice:
        cut_s = rng.uniform(0, settings.splice_s)
        place = int(rng.integers(0, len(times_s)))
        # Half a cut on either side, so that the window's middle stays where it was.
        heard = heard + np.where(np.arange(len(times_s)) < place, -cut_s / 2, cut_s / 2)
    return heard


def sung_pitch(pitch: Curve1D, settings: Augmentation, rng: Generator) -> Curve1D:
    """The curve (F,) as another voice might have sung and another tracker heard it."""
    frames = len(pitch)
    voiced = ~np.isnan(pitch)
    if not voiced.any():
        return pitch
    middle = pitch[voiced].mean()
    sung = middle + (pitch - middle) * np.float32(1 + rng.uniform(-1, 1) * settings.interval)
    sung += settings.drift * rng.uniform() * slow_wave(frames, rng)
    noise = rng.normal(size=frames + JITTER_FRAMES - 1)
    smooth = np.convolve(noise, np.full(JITTER_FRAMES, JITTER_FRAMES**-0.5), mode="valid")
    sung += (settings.jitter * rng.uniform(0, 1.5) * smooth).astype(np.float32)
    if rng.uniform() < settings.wrong:
        wrong = stretch_of_frames(frames, settings.note_s, rng)
        sung[wrong] += rng.uniform(-1, 1) * settings.wrong_semitones
    if rng.uniform() < settings.octave_slip:
        sung[stretch_of_frames(frames, settings.note_s, rng)] += rng.choice((-12, 12))
    return voicing_errors(sung, middle, settings, rng)


def voicing_errors(pitch: Curve1D, middle: float, settings: Augmentation, rng: Generator) -> Curve1D:
    """Dropped notes, and breaths taken for a voice."""
    heard = pitch.copy()
    if rng.uniform() < settings.dropped:
        for _ in range(rng.integers(1, MOST_STRETCHES + 1)):
            heard[stretch_of_frames(len(pitch), settings.note_s, rng)] = np.nan
    if rng.uniform() < settings.false_voice:
        breath = stretch_of_frames(len(pitch), settings.note_s / 2, rng)
        silent = np.isnan(heard[breath])
        heard[breath] = np.where(silent, middle + rng.uniform(-12, 12), heard[breath])
    return heard


def noisy_images(images: Image, settings: Augmentation, rng: Generator) -> Image:
    """Pictures (B, 80, C) with other pictures laid underneath and grain, clipped to 0..1."""
    count = len(images)
    strength = rng.uniform(*settings.mix_strength, size=count) * (rng.uniform(size=count) < settings.mix)
    other = np.roll(images, int(rng.integers(1, max(count, 2))), axis=0)
    other = np.roll(other, int(rng.integers(-20, 21)), axis=1)
    loudness = rng.uniform(0, settings.noise, (count, 1, 1)).astype(np.float32)
    grain = loudness * rng.random(images.shape, dtype=np.float32)
    mixed = np.maximum(images, other * strength[:, None, None].astype(np.float32)) + grain
    return np.clip(mixed, 0, 1).astype(np.float32)
