"""Melody as a picture: what the network sees.

The paper's design: CREPE's salience, cropped to three octaves around the mean pitch and scaled down to 80 rows and a
quarter of its 10 ms frames (Amatov et al., ISMIR 2023, read second hand). A plain pitch curve is drawn in the same
form, as the narrow ridge that a salience has. Every window is centred on its own mean pitch, so a transposed melody
gives the same picture.

Free of torch: drawing is NumPy alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.audio.trackers import CENTS_A_BIN, CREPE_BINS, FIRST_BIN_CENTS, VOICED_FROM, pitch_of_salience

# Rows of a picture, low pitches first.
ROWS = 80
# What the rows cover: three octaves, in semitones; so a row is 0.45 semitones high.
SPAN_SEMITONES = 36.0
ROW_SEMITONES = SPAN_SEMITONES / ROWS
# A fine frame, seconds; a column of the picture is the mean of four (the paper's T / 4 of CREPE's 10 ms).
FRAME_S = 0.01
FRAMES_A_COLUMN = 4
COLUMN_S = FRAME_S * FRAMES_A_COLUMN
# Standard deviation of the ridge drawn for a pitch curve, semitones. CREPE was trained with 0.25; with rows of 0.45 a
# ridge that thin would flicker as it moves between rows, so it is drawn about one row wide.
RIDGE_SEMITONES = 0.4
# The faintest that a voiced frame is drawn: trackers differ in how sure they say they are, all of them heard a voice.
FAINTEST = 0.4
# Two voiced frames further apart than this, semitones, are a step and not a glide: nothing is drawn between them.
STEP_SEMITONES = 3.0

# An octave slip of a tracker: a stretch of at most this many seconds that jumps away by an octave and back, unbroken.
SLIP_LONGEST_S = 0.3
# How far from twelve semitones both jumps may be, semitones.
SLIP_TOLERANCE = 1.5

# CREPE's bins as semitones: their height, and the pitch of the first one.
CREPE_BIN_SEMITONES = CENTS_A_BIN / 100
CREPE_FIRST_PITCH = 69 + 12 * np.log2(10 / 440) + FIRST_BIN_CENTS / 100

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Salience:
    """CREPE's output before any decision. Frame t is centred on second t * hop_s.

    Attributes:
        activation: float32 (360, T), 0..1, low bins first, as audio.trackers.crepe_salience gives it.
        hop_s: seconds from frame to frame.
    """

    activation: NDArray[np.float32]
    hop_s: float = FRAME_S

    def __post_init__(self) -> None:
        if self.activation.ndim != 2 or len(self.activation) != CREPE_BINS:
            raise ValueError(f"A salience has the shape ({CREPE_BINS}, frames), not {self.activation.shape}.")

    @property
    def duration_s(self) -> float:
        return self.activation.shape[1] * self.hop_s

    def melody(self) -> Melody:
        """The pitch of the highest ridge, voiced where the tracker would say so."""
        f0_hz, confidence = pitch_of_salience(self.activation)
        voiced = confidence >= VOICED_FROM["crepe-tiny"]
        return Melody(self.hop_s, np.where(voiced, f0_hz, 0).astype(np.float32), voiced, confidence, "crepe-salience")


Source = Melody | Salience


@dataclass(frozen=True)
class Curve:
    """A pitch curve ready to be sampled at any time: octave slips mended, confidence as ridge height.

    Attributes:
        hop_s: seconds from frame to frame.
        pitch: float32 (T,), semitones, NaN where unvoiced.
        height: float32 (T,), how strongly a frame is drawn, 0 where unvoiced.
    """

    hop_s: float
    pitch: NDArray[np.float32]
    height: NDArray[np.float32]

    @classmethod
    def of(cls, melody: Melody) -> Curve:
        pitch = without_octave_slips(melody.pitch(), melody.hop_s)
        height = np.where(np.isnan(pitch), 0, np.clip(melody.confidence, FAINTEST, 1)).astype(np.float32)
        return cls(melody.hop_s, pitch, height)

    @property
    def duration_s(self) -> float:
        return len(self.pitch) * self.hop_s

    def at(self, times_s: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pitch and height at any times, in their shape; unvoiced outside the curve.

        Voicing is that of the nearest frame; pitch is drawn linearly between neighbours unless they are a step apart.
        """
        if not len(self.pitch):
            return np.full(times_s.shape, np.nan, np.float32), np.zeros(times_s.shape, np.float32)
        place = times_s / self.hop_s
        nearest = np.rint(place).astype(np.int64)
        inside = (nearest >= 0) & (nearest < len(self.pitch))
        nearest = np.clip(nearest, 0, len(self.pitch) - 1)
        before = np.clip(np.floor(place).astype(np.int64), 0, len(self.pitch) - 1)
        after = np.minimum(before + 1, len(self.pitch) - 1)
        rise = self.pitch[after] - self.pitch[before]
        glide = self.pitch[before] + rise * (place - before).astype(np.float32)
        steps = np.isnan(rise) | (np.abs(rise) > STEP_SEMITONES)
        pitch = np.where(steps, self.pitch[nearest], glide).astype(np.float32)
        pitch[~inside] = np.nan
        height = np.where(np.isnan(pitch), 0, self.height[nearest]).astype(np.float32)
        return pitch, height


def without_octave_slips(pitch: NDArray[np.float32], hop_s: float) -> NDArray[np.float32]:
    """The curve (T,) with short unbroken stretches an octave away put back.

    Only a stretch of at most 0.3 s that is reached and left by opposite jumps of about twelve semitones without a
    breath is taken for a slip: a singer's own octave leap lasts longer or starts a new note.
    """
    mended = pitch.copy()
    jump = np.diff(pitch)  # (T - 1,)
    edges = np.flatnonzero(np.abs(np.abs(jump) - 12) <= SLIP_TOLERANCE)
    for left, right in pairwise(edges):
        short = (right - left) * hop_s <= SLIP_LONGEST_S
        unbroken = not np.isnan(pitch[left : right + 2]).any()
        if short and unbroken and jump[left] * jump[right] < 0:
            mended[left + 1 : right + 1] -= 12 * np.sign(jump[left])
    return mended


def frame_count(window_s: float) -> int:
    """Fine frames in a window: whole columns of four."""
    return round(window_s / COLUMN_S) * FRAMES_A_COLUMN


def frame_times(window_s: float) -> NDArray[np.float64]:
    """The centres of a window's fine frames, seconds from its start, (F,)."""
    return (np.arange(frame_count(window_s)) + 0.5) * FRAME_S


def centre_of(pitch: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean pitch of the voiced frames of each window, (B, F) -> (B, 1); 0 where nothing is voiced."""
    voiced = ~np.isnan(pitch)
    total = np.where(voiced, pitch, 0).sum(axis=1, keepdims=True, dtype=np.float64)
    return (total / np.maximum(voiced.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def draw(pitch: NDArray[np.float32], height: NDArray[np.float32]) -> Image:
    """Curves as pictures: (B, F) semitones with NaN, (B, F) heights -> (B, 80, F / 4), each centred on its mean."""
    rows = (np.arange(ROWS, dtype=np.float32) - (ROWS - 1) / 2)[None, :, None]  # (1, 80, 1)
    voiced = ~np.isnan(pitch)
    offset = np.where(voiced, pitch - centre_of(pitch), 0) / ROW_SEMITONES  # (B, F) in rows
    distance = (rows - offset[:, None, :]) * np.float32(ROW_SEMITONES / RIDGE_SEMITONES)
    ridge = np.exp(-0.5 * distance * distance) * np.where(voiced, height, 0)[:, None, :]  # (B, 80, F)
    return as_columns(ridge.astype(np.float32, copy=False))


def as_columns(fine: NDArray[np.float32]) -> Image:
    """The mean of every four fine frames: (..., F) -> (..., F / 4)."""
    return fine.reshape(*fine.shape[:-1], -1, FRAMES_A_COLUMN).mean(axis=-1)


def crop(salience: Salience, times_s: NDArray[np.floating], centre: NDArray[np.float32]) -> Image:
    """CREPE's salience as pictures: times (B, F) and mean pitches (B, 1) -> (B, 80, F / 4).

    Each row is the mean of three readings across its height, so that 20-cent bins become 45-cent rows without gaps.
    """
    frame = np.rint(times_s / salience.hop_s).astype(np.int64)  # (B, F)
    inside = (frame >= 0) & (frame < salience.activation.shape[1])
    frame = np.clip(frame, 0, max(salience.activation.shape[1] - 1, 0))
    rows = (np.arange(ROWS) - (ROWS - 1) / 2) * ROW_SEMITONES
    picture = np.zeros((len(times_s), ROWS, times_s.shape[1]), np.float32)
    for shift in (-ROW_SEMITONES / 3, 0.0, ROW_SEMITONES / 3):
        place = (centre + rows + shift - CREPE_FIRST_PITCH) / CREPE_BIN_SEMITONES  # (B, 80)
        low = np.floor(place).astype(np.int64)
        part = (place - low)[:, :, None]
        for bins, weight in ((low, 1 - part), (low + 1, part)):
            known = ((bins >= 0) & (bins < CREPE_BINS))[:, :, None] & inside[:, None, :]
            value = salience.activation[np.clip(bins, 0, CREPE_BINS - 1)[:, :, None], frame[:, None, :]]
            picture += np.where(known, value * weight, 0) / 3
    return as_columns(picture)


def pitch_image(source: Source) -> Image:
    """The whole of a melody or salience as one picture: float32 (80, columns of 40 ms), centred on its mean pitch.

    Raises:
        ValueError: where there is less than one column.
    """
    if round(source.duration_s / COLUMN_S) < 1:
        raise ValueError(f"A picture needs at least {COLUMN_S} s of melody; there are {source.duration_s:.3f} s.")
    images, _ = images_at(source, np.zeros(1), source.duration_s)
    return images[0]


def window_starts(duration_s: float, window_s: float, hop_s: float) -> NDArray[np.float64]:
    """Where windows start: multiples of hop_s from 0 until one reaches the end; at least one, (T,) seconds."""
    # A thousandth of a hop of slack, so that float error does not add an empty window.
    reaching = np.ceil((duration_s - window_s) / hop_s - 1e-3)
    return np.arange(max(0, int(reaching)) + 1) * hop_s


def images_at(source: Source, starts_s: NDArray[np.floating], window_s: float) -> tuple[Image, NDArray[np.float32]]:
    """Pictures of the windows that start at starts_s (B,): images (B, 80, columns) and their voiced share (B,), 0..1.

    What lies outside the source is unvoiced.
    """
    melody = source.melody() if isinstance(source, Salience) else source
    times_s = starts_s[:, None] + frame_times(window_s)[None, :]  # (B, F)
    pitch, height = Curve.of(melody).at(times_s)
    voiced_share = (~np.isnan(pitch)).mean(axis=1).astype(np.float32)
    if isinstance(source, Salience):
        return crop(source, times_s, centre_of(pitch)), voiced_share
    return draw(pitch, height), voiced_share


def windows(
    source: Source, window_s: float, hop_s: float, batch: int = 256
) -> Iterator[tuple[Image, NDArray[np.float32]]]:
    """All windows of a recording in batches: images (B, 80, columns) and their voiced share (B,)."""
    starts_s = window_starts(source.duration_s, window_s, hop_s)
    for first in range(0, len(starts_s), batch):
        yield images_at(source, starts_s[first : first + batch], window_s)
