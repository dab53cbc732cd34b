"""What a raw take is like as sound: level, clipping, noise, gaps, bandwidth. The limits stand in thresholds.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, uniform_filter1d
from scipy.signal import welch

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound, uncancelled

FRAME_S = 0.02
"""Levels are taken over frames of this many seconds: two periods of the lowest voice."""
SILENT_DB = -60.0
"""A frame under this level, dB of full scale, is silence in any room."""
LOWEST_DB = -120.0
"""What digital silence counts as, dB of full scale."""
FULL_SCALE = 0.999
"""A sample from here on is at full scale (16-bit audio ends at 0.99997)."""
CLIPPED_RUN = 3
"""So many samples in a row at full scale are clipped; one or two may be a peak that just fits."""
CEILING, STEEP = 1.5 / 32768, 6 / 32768
"""A ceiling under full scale is flat to this, one and a half steps of 16 bits, and the samples beside it lie this much
lower: a smooth crest that is flat for three samples falls by 4.2 steps on the next at most."""
LOWEST_CEILING = 0.1
"""A ceiling is looked for in takes that reach this: in quieter ones the steps are too coarse."""
DROPOUT_S = 0.003
"""An exact zero (or a held value) this long within sound is a drop-out: an audio block of a browser is 2.7 ms."""
HOLE = 0.01
"""A hole lies within this of zero; a value held further out is clipped or a constant."""
BESIDE_S = 0.004
"""Seconds looked at on both sides of a hole: sound breaks off at a drop-out, and dies away into a pause."""
BESIDE_DB = -40.0
"""Level right before and right after a drop-out, dB of full scale."""
BAND_HZ = 100.0
"""Width of the bands in which the bandwidth is looked for."""
BAND_FLOOR_DB = -111.0
"""A band under this level is empty: 10 dB above the noise of 16-bit rounding in 100 Hz at 44.1 kHz."""
QUIET_PERCENTILE = 20
"""The noise is the level that this per cent of the unvoiced frames stay under: breath and speech are not noise."""
LOUD_PERCENTILE = 95
"""The loudest frames are over the level that this per cent of all frames stay under: a click is not a voice."""
BESIDE_VOICE_S = 0.06
"""Frames this close to a voiced one hold its beginning or its end and are not noise."""
LEAST_QUIET_S = 0.2
"""With fewer seconds of unvoiced frames the noise is not known."""


@dataclass(frozen=True)
class TakeMeasures:
    """A take in numbers. Levels in dB of full scale (a sine of full scale is -3).

    Attributes:
        duration_s: length.
        peak: largest magnitude, 1 is full scale, DC included.
        dc: mean.
        clipped_share: share of samples in runs at full scale.
        level_db: of the voiced frames, or of all frames where none is voiced.
        loud_db: of the loudest frames, voiced or not.
        noise_db: of the quiet frames between; None where there are too few.
        snr_db: level_db - noise_db; None with it.
        silent_share: share of frames under SILENT_DB.
        voiced_s: seconds voiced.
        voiced_share: share of frames voiced.
        dropouts: how many holes there are in the sound.
        dropout_s: their sum.
        bandwidth_hz: up to where there is sound at all.
    """

    duration_s: float
    peak: float
    dc: float
    clipped_share: float
    level_db: float
    loud_db: float
    noise_db: float | None
    snr_db: float | None
    silent_share: float
    voiced_s: float
    voiced_share: float
    dropouts: int
    dropout_s: float
    bandwidth_hz: float

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def measure_take(sound: Sound, melody: Melody) -> TakeMeasures:
    """All measures of a take and its tracked melody. Takes any sound: empty, silent, of one sample; never fails."""
    samples = np.nan_to_num(sound.samples.astype(np.float64), posinf=1.0, neginf=-1.0)
    mono = uncancelled(samples).mean(axis=0) if samples.size else np.zeros(0)
    dc = float(mono.mean()) if mono.size else 0.0
    levels = frame_levels(mono - dc, sound.sample_rate)
    voiced = frames_voiced(melody, len(levels))
    level_db = mean_level(levels[voiced] if voiced.any() else levels)
    noise_db = noise_level(levels[~binary_dilation(voiced, iterations=round(BESIDE_VOICE_S / FRAME_S))])
    holes = dropout_lengths(mono, sound.sample_rate)
    return TakeMeasures(
        duration_s=sound.duration_s,
        peak=float(np.abs(samples).max()) if samples.size else 0.0,
        dc=dc,
        clipped_share=clipped_share(samples),
        level_db=level_db,
        loud_db=float(np.percentile(levels, LOUD_PERCENTILE)) if len(levels) else LOWEST_DB,
        noise_db=noise_db,
        snr_db=None if noise_db is None else level_db - noise_db,
        silent_share=float(np.mean(levels < SILENT_DB)) if len(levels) else 1.0,
        voiced_s=float(melody.voiced.sum() * melody.hop_s),
        voiced_share=float(melody.voiced.mean()) if len(melody.voiced) else 0.0,
        dropouts=len(holes),
        dropout_s=float(holes.sum() / sound.sample_rate),
        bandwidth_hz=bandwidth(mono - dc, sound.sample_rate),
    )


def frame_levels(mono: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Level of each frame of FRAME_S, dB of full scale, (T,)."""
    size = max(1, round(FRAME_S * sample_rate))
    whole = mono[: len(mono) // size * size].reshape(-1, size)
    return decibels(np.mean(whole**2, axis=1))


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10, digital silence as LOWEST_DB."""
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10)))


def mean_level(levels: NDArray[np.float64]) -> float:
    """The level of the mean power of frames, dB."""
    return float(decibels(np.mean(10 ** (levels / 10)))) if len(levels) else LOWEST_DB


def noise_level(unvoiced: NDArray[np.float64]) -> float | None:
    """Level of the quiet among the unvoiced frames, dB; None with too few of them."""
    if len(unvoiced) * FRAME_S < LEAST_QUIET_S:
        return None
    return float(np.percentile(unvoiced, QUIET_PERCENTILE))


def frames_voiced(melody: Melody, frames: int) -> NDArray[np.bool_]:
    """The melody's voicing on the frames of frame_levels."""
    if len(melody.voiced) == 0:
        return np.zeros(frames, dtype=bool)
    nearest = np.rint((np.arange(frames) + 0.5) * FRAME_S / melody.hop_s).astype(int)
    return melody.voiced[np.clip(nearest, 0, len(melody.voiced) - 1)]


def runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends (one past) of the runs of True in a mask (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges[::2], edges[1::2]


def clipped_share(samples: NDArray[np.float64]) -> float:
    """The largest share, among the channels (C, N), of samples cut off at full scale or at a ceiling of their own."""
    if samples.size == 0:
        return 0.0
    return max(flat_samples(channel) + flat_samples(-channel) for channel in samples) / samples.shape[1]


def flat_samples(channel: NDArray[np.float64]) -> int:
    """How many samples stand in runs at full scale, or, where nothing reaches it, in flat runs at the highest value.

    A take that was clipped and then turned down has its ceiling lower. A smooth crest may keep within CEILING of the
    top for some samples too, but then falls slowly; at a cut the sound comes and goes at full speed.
    """
    if (highest := float(channel.max())) >= FULL_SCALE:
        starts, ends = runs(channel >= FULL_SCALE)
        return int(np.sum((ends - starts)[ends - starts >= CLIPPED_RUN]))
    if highest < LOWEST_CEILING:
        return 0
    starts, ends = runs(channel >= highest - CEILING)
    inside = (ends - starts >= CLIPPED_RUN) & (starts > 0) & (ends < len(channel))
    starts, ends = starts[inside], ends[inside]
    steep = highest - np.maximum(channel[starts - 1], channel[ends]) >= STEEP
    return int(np.sum((ends - starts)[steep]))


def dropout_lengths(mono: NDArray[np.float64], sample_rate: int) -> NDArray[np.int64]:
    """Lengths in samples of the stretches of one held value, zero as a rule, with sound right before and after."""
    if len(mono) < 2:
        return np.zeros(0, dtype=np.int64)
    starts, ends = runs((np.abs(np.diff(mono)) < 1e-7) & (np.abs(mono[1:]) < HOLE))
    long = ends - starts >= DROPOUT_S * sample_rate
    starts, ends = starts[long], ends[long]
    beside = max(1, round(BESIDE_S * sample_rate))
    power = np.concatenate([[0.0], np.cumsum(mono**2)])
    before = power[starts] - power[np.maximum(starts - beside, 0)]
    after = power[np.minimum(ends + 1 + beside, len(mono))] - power[np.minimum(ends + 1, len(mono))]
    loud = decibels(np.minimum(before, after) / beside) > BESIDE_DB
    return (ends - starts)[loud]


def bandwidth(mono: NDArray[np.float64], sample_rate: int) -> float:
    """The upper end of the highest band of BAND_HZ with sound in it, Hz; 0 in silence."""
    size = round(sample_rate / BAND_HZ) * 4
    if len(mono) < size:
        return 0.0
    frequencies, density = welch(mono, sample_rate, nperseg=size)
    in_band = uniform_filter1d(density, 4) * BAND_HZ
    heard = np.flatnonzero(decibels(in_band) > BAND_FLOOR_DB)
    return float(frequencies[heard[-1]]) if len(heard) else 0.0
