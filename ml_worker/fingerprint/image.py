"""Melody as a picture: what the network sees.

The paper's design: CREPE's salience, cropped to three octaves around the mean pitch and scaled down to 80 rows and a
quarter of its 10 ms frames (Amatov et al., ISMIR 2023, read second hand). A plain pitch curve is drawn in the same
form, as the narrow ridge that a salience has. A second channel, of this project, shows where notes begin, so that
repeated notes stay apart.

Free of torch: drawing is NumPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.audio.salience import Salience

# Rows of a picture, low pitches first.
ROWS = 80
# What the rows cover: three octaves, in semitones; so a row is 0.45 semitones high.
SPAN_SEMITONES = 36.0
ROW_SEMITONES = SPAN_SEMITONES / ROWS
# A column, seconds: four of CREPE's frames (the paper's T / 4). A curve is read twice in it.
COLUMN_S = 0.04
READINGS = 2
FRAME_S = COLUMN_S / READINGS
# Silence that is drawn before and after a recording, seconds; whole steps of the network.
LEAD_S = 0.64
# Standard deviation of the ridge drawn for a pitch curve, semitones. CREPE was trained with 0.25; with rows of 0.45 a
# ridge that thin would flicker as it moves between rows, so it is drawn about one row wide.
RIDGE_SEMITONES = 0.4
# Rows on each side of a ridge that are drawn; beyond, it is below a hundredth.
RIDGE_ROWS = 3
# The faintest that a voiced frame is drawn: trackers differ in how sure they say they are, all of them heard a voice.
FAINTEST = 0.4
# Two voiced frames further apart than this, semitones, are a step and not a glide: nothing is drawn between them.
STEP_SEMITONES = 3.0

# An octave slip of a tracker: a stretch of at most this many seconds that jumps away by an octave and back, unbroken.
SLIP_LONGEST_S = 0.3
# How far from twelve semitones both jumps may be, semitones.
SLIP_TOLERANCE = 1.5

# Readings this near to halfway between two frames, in frames, count as halfway: float error must not decide, or parts
# of a recording would be drawn otherwise than the whole.
TIE = 1e-6

# A beginning of a note: a local maximum of the attack from this strength on; drawn as a triangle, seconds to each side.
ATTACK_FROM = 0.3
ATTACK_REACH_S = 0.03
# Where attacks are not known: a note begins where the voice sets in or the pitch steps by so much, semitones, within
# so many seconds, and not again within so many.
STEP_OF_NOTE = 0.7
STEP_WITHIN_S = 0.05
LEAST_NOTE_S = 0.08

Image = NDArray[np.float32]
Source = Melody | Salience


class Sampled(NamedTuple):
    """A melody read at some instants; all arrays have one shape.

    Attributes:
        pitch: semitones, NaN where unvoiced.
        height: how strongly it is drawn, 0 where unvoiced.
        attack: how strongly a note begins there, 0..1.
    """

    pitch: NDArray[np.float32]
    height: NDArray[np.float32]
    attack: NDArray[np.float32]


@dataclass(frozen=True)
class Curve:
    """A pitch curve ready to be read at any time: octave slips mended, confidence as ridge height.

    Attributes:
        hop_s: seconds from frame to frame.
        pitch: float32 (T,), semitones, NaN where unvoiced.
        height: float32 (T,), how strongly a frame is drawn, 0 where unvoiced.
        begins_s, strengths: (K,) where notes begin, rising, and how clearly, 0..1.
    """

    hop_s: float
    pitch: NDArray[np.float32]
    height: NDArray[np.float32]
    begins_s: NDArray[np.float64]
    strengths: NDArray[np.float32]

    @classmethod
    def of(cls, melody: Melody) -> Curve:
        pitch = without_octave_slips(melody.pitch(), melody.hop_s)
        height = np.where(np.isnan(pitch), 0, np.clip(melody.confidence, FAINTEST, 1)).astype(np.float32)
        if melody.attack is None:
            frames = begins_of_curve(pitch, melody.hop_s)
            strengths = np.ones(len(frames), np.float32)
        else:
            frames = peaks(melody.attack)
            strengths = melody.attack[frames]
        return cls(melody.hop_s, pitch, height, frames * melody.hop_s, strengths)

    @property
    def duration_s(self) -> float:
        return len(self.pitch) * self.hop_s

    def at(self, times_s: NDArray[np.floating]) -> Sampled:
        """The curve at any times, in their shape; unvoiced outside it.

        Voicing is that of the nearest frame; pitch is drawn linearly between neighbours unless they are a step apart.
        """
        if not len(self.pitch):
            nothing = np.zeros(times_s.shape, np.float32)
            return Sampled(np.full(times_s.shape, np.nan, np.float32), nothing, nothing)
        place = times_s / self.hop_s
        nearest = nearest_frames(times_s, self.hop_s)
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
        return Sampled(pitch, height, attack_at(times_s, self.begins_s, self.strengths))


def nearest_frames(times_s: NDArray[np.floating], hop_s: float) -> NDArray[np.int64]:
    """The frames nearest to any times, in their shape; of two that are as near the later one, however times round."""
    return np.floor(times_s / hop_s + 0.5 + TIE).astype(np.int64)


def attack_at(
    times_s: NDArray[np.floating], begins_s: NDArray[np.floating], strengths: NDArray[np.floating]
) -> NDArray[np.float32]:
    """How strongly notes begin at any times: a triangle around each beginning, in the shape of the times."""
    if not len(begins_s):
        return np.zeros(times_s.shape, np.float32)
    after = np.clip(np.searchsorted(begins_s, times_s), 0, len(begins_s) - 1)
    before = np.maximum(after - 1, 0)
    found = np.zeros(times_s.shape)
    for near in (before, after):
        reach = np.clip(1 - np.abs(times_s - begins_s[near]) / ATTACK_REACH_S, 0, 1)
        found = np.maximum(found, strengths[near] * reach)
    return found.astype(np.float32)


def peaks(attack: NDArray[np.floating]) -> NDArray[np.int64]:
    """Frames of an attack curve (T,) at which a note begins: its local maxima."""
    padded = np.concatenate([[-1.0], attack, [-1.0]])
    return np.flatnonzero((attack >= ATTACK_FROM) & (attack > padded[:-2]) & (attack >= padded[2:]))


def begins_of_curve(pitch: NDArray[np.floating], hop_s: float) -> NDArray[np.int64]:
    """Frames at which a pitch curve (T,) alone shows that a note begins: a voice sets in, or the pitch steps."""
    reach = max(1, round(STEP_WITHIN_S / hop_s))
    before = np.concatenate([np.full(reach, np.nan), pitch[:-reach]])[: len(pitch)]
    with np.errstate(invalid="ignore"):
        is_step = np.abs(pitch - before) > STEP_OF_NOTE
    last = np.concatenate([[np.nan], pitch[:-1]])[: len(pitch)]
    found = np.flatnonzero(~np.isnan(pitch) & (np.isnan(last) | is_step))
    least = round(LEAST_NOTE_S / hop_s)
    kept: list[int] = []
    for frame in found:
        if not kept or frame - kept[-1] >= least:
            kept.append(int(frame))
    return np.array(kept, dtype=np.int64)


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


def column_count(seconds: float) -> int:
    """Columns of so many seconds, at least one."""
    return max(1, round(seconds / COLUMN_S))


def reading_times(columns: int) -> NDArray[np.float64]:
    """When a curve is read for so many columns, seconds from the first column's start, (columns * READINGS,)."""
    return (np.arange(columns * READINGS) + 0.5) * FRAME_S


def centre_of(pitch: NDArray[np.floating]) -> NDArray[np.float32]:
    """The mean pitch of the voiced readings, (B, F) -> (B, 1); 0 where nothing is voiced."""
    voiced = ~np.isnan(pitch)
    total = np.where(voiced, pitch, 0).sum(axis=1, keepdims=True, dtype=np.float64)
    return (total / np.maximum(voiced.sum(axis=1, keepdims=True), 1)).astype(np.float32)


def draw(
    pitch: NDArray[np.floating],
    height: NDArray[np.floating],
    attack: NDArray[np.floating] | None,
    centre: NDArray[np.floating],
) -> Image:
    """Curves as pictures.

    Args:
        pitch, height, attack: (B, F) as in Sampled; without attacks there is one channel.
        centre: (B, 1), the pitch that lies in the middle of the rows.

    Returns:
        (B, channels, 80, F / READINGS): the ridge of the pitch, and the same ridge where notes begin.
    """
    count, frames = pitch.shape
    margin = 2 * RIDGE_ROWS + 1
    canvas = np.zeros((count, frames, ROWS + 2 * margin), np.float32)
    voiced = ~np.isnan(pitch)
    row = np.where(voiced, pitch - centre, 1e3) / ROW_SEMITONES + (ROWS - 1) / 2
    nearest = np.rint(row).astype(np.int64)
    seen = voiced & (nearest >= -RIDGE_ROWS) & (nearest < ROWS + RIDGE_ROWS)
    base = np.arange(count * frames).reshape(count, frames)[seen] * canvas.shape[2] + margin + nearest[seen]
    off = ((nearest - row)[seen] * (ROW_SEMITONES / RIDGE_SEMITONES)).astype(np.float32)
    heights = height[seen].astype(np.float32)
    flat = canvas.reshape(-1)
    for step in range(-RIDGE_ROWS, RIDGE_ROWS + 1):
        distance = off + np.float32(step * ROW_SEMITONES / RIDGE_SEMITONES)
        flat[base + step] = heights * np.exp(-0.5 * distance * distance)
    # Readings one by one: NumPy takes several times as long for a mean or maximum along so short an axis.
    readings = [canvas[:, first::READINGS, margin : margin + ROWS] for first in range(READINGS)]
    channels = [reduce(np.add, readings) / np.float32(READINGS)]
    if attack is not None:
        begins = attack.astype(np.float32)[:, :, None]
        channels.append(reduce(np.maximum, (one * begins[:, k::READINGS] for k, one in enumerate(readings))))
    return np.ascontiguousarray(np.stack(channels, axis=1).transpose(0, 1, 3, 2))


def crop(salience: Salience, times_s: NDArray[np.floating], centre: NDArray[np.floating]) -> Image:
    """Salience as pictures: times (B, F) and mean pitches (B, 1) -> (B, 80, F / READINGS).

    Each row is the mean of three readings across its height, so that bins of 20 cents become rows of 45 without gaps.
    """
    bins, frames = salience.activation.shape
    frame = nearest_frames(times_s, salience.hop_s)  # (B, F)
    inside = (frame >= 0) & (frame < frames)
    frame = np.clip(frame, 0, max(frames - 1, 0))
    rows = (np.arange(ROWS) - (ROWS - 1) / 2) * ROW_SEMITONES
    picture = np.zeros((len(times_s), ROWS, times_s.shape[1]), np.float32)
    for shift in (-ROW_SEMITONES / 3, 0.0, ROW_SEMITONES / 3):
        place = (centre + rows + shift - salience.first_pitch) / salience.bin_semitones  # (B, 80)
        low = np.floor(place).astype(np.int64)
        part = (place - low)[:, :, None]
        for number, weight in ((low, 1 - part), (low + 1, part)):
            known = ((number >= 0) & (number < bins))[:, :, None] & inside[:, None, :]
            value = salience.activation[np.clip(number, 0, bins - 1)[:, :, None], frame[:, None, :]]
            picture += np.where(known, value * weight, 0) / 3
    return picture.reshape(len(times_s), ROWS, -1, READINGS).mean(axis=-1)


def window_starts(duration_s: float, window_s: float, hop_s: float) -> NDArray[np.float64]:
    """Where windows start: multiples of hop_s from 0 until one reaches the end; at least one, (T,) seconds."""
    # A thousandth of a hop of slack, so that float error does not add an empty window.
    reaching = np.ceil((duration_s - window_s) / hop_s - 1e-3)
    return np.arange(max(0, int(reaching)) + 1) * hop_s


@dataclass(frozen=True)
class Painter:
    """Draws parts of one recording.

    Attributes:
        source: a melody, or a salience, which is shown as it is.
        curve: of its melody.
        has_attack: whether there is a second channel.
    """

    source: Source
    curve: Curve
    has_attack: bool

    @classmethod
    def of(cls, source: Source, *, has_attack: bool) -> Painter:
        return cls(source, Curve.of(melody_of(source)), has_attack)

    @property
    def duration_s(self) -> float:
        return self.curve.duration_s

    def middle_pitch(self) -> NDArray[np.float32]:
        """The mean pitch of the whole recording, (1, 1)."""
        return centre_of(self.curve.pitch[None, :]) if len(self.curve.pitch) else np.zeros((1, 1), np.float32)

    def paint(self, starts_s: NDArray[np.floating], columns: int, centre: NDArray[np.floating] | None = None) -> Image:
        """Pictures (B, channels, 80, columns) that start at starts_s (B,); what lies outside is unvoiced.

        Args:
            centre: (B, 1) the pitch in the middle of the rows; the mean pitch of each picture where None.
        """
        times_s = starts_s[:, None] + reading_times(columns)[None, :]
        sampled = self.curve.at(times_s)
        centre = centre_of(sampled.pitch) if centre is None else np.broadcast_to(centre, (len(starts_s), 1))
        drawn = draw(sampled.pitch, sampled.height, sampled.attack if self.has_attack else None, centre)
        if isinstance(self.source, Salience):
            drawn[:, 0] = crop(self.source, times_s, centre)
        return drawn

    def voiced_share(self, starts_s: NDArray[np.floating], window_s: float) -> NDArray[np.float32]:
        """How much of each window (B,) is voiced, 0..1."""
        times_s = starts_s[:, None] + reading_times(column_count(window_s))[None, :]
        return (~np.isnan(self.curve.at(times_s).pitch)).mean(axis=1).astype(np.float32)


def melody_of(source: Source) -> Melody:
    return source.melody if isinstance(source, Salience) else source


def pitch_image(source: Source, *, has_attack: bool = False) -> Image:
    """The whole of a melody or salience as one picture: float32 (channels, 80, columns of 40 ms) about its mean pitch.

    Raises:
        ValueError: where there is less than one column.
    """
    if round(source.duration_s / COLUMN_S) < 1:
        raise ValueError(f"A picture needs at least {COLUMN_S} s of melody; there are {source.duration_s:.3f} s.")
    painter = Painter.of(source, has_attack=has_attack)
    return painter.paint(np.zeros(1), column_count(source.duration_s), painter.middle_pitch())[0]
