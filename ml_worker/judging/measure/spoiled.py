"""Takes made worse by a known amount: level, clipping, noise, holes, telephone. Length and rate stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, oaconvolve, sosfilt

from ml_worker.audio.sound import Sound
from ml_worker.catalogue.singer import room_noise

Floats = NDArray[np.float64]

STEP = 1 / 32768
"""A step of 16-bit audio: browsers and phones record no finer."""
PEAK_DB = -3.0
"""Peak of a take as it is given to the others here, dB of full scale."""
GATE_S, GATE_BELOW_DB = 0.02, 40.0
"""A noise gate looks at so many seconds and closes so far below the loud ones, dB."""
LOUDSPEAKER_HZ = (300.0, 8000.0)
"""What a phone's or a laptop's loudspeaker plays, Hz."""

TELEPHONE_HZ = (300.0, 3400.0)
"""What a telephone passes, Hz."""


def changed(take: Sound, samples: NDArray[np.floating]) -> Sound:
    """Other samples (N,) at the take's rate, rounded to 16 bits."""
    return Sound.from_mono(np.clip(np.rint(samples / STEP) * STEP, -1, 1 - STEP), take.sample_rate)


def gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def power_db(samples: NDArray[np.floating]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


def at_peak(take: Sound, peak_db: float = PEAK_DB) -> Sound:
    """The take with its highest sample at peak_db; over full scale it is clipped."""
    mono = take.mono()
    return changed(take, mono * gain(peak_db) / max(1e-9, float(np.abs(mono).max())))


def at_level(take: Sound, level_db: float, voice_db: float, noise_db: float, rng: np.random.Generator) -> Sound:
    """The take with its voice, at voice_db now, at level_db, over a microphone's own noise."""
    noise = gain(noise_db) * rng.standard_normal(take.frames)
    return changed(take, take.mono() * gain(level_db - voice_db) + noise)


def driven(take: Sound, over_db: float, down_db: float = 0.0) -> Sound:
    """The take clipped at over_db under its peak, then turned down."""
    clipped = at_peak(take, over_db)
    return changed(take, clipped.mono() * gain(-down_db))


def noisy(take: Sound, snr_db: float, voice_db: float, rng: np.random.Generator, *, white: bool = False) -> Sound:
    """The take with noise that many dB under its voice, which is at voice_db; a room's noise or white noise."""
    noise = rng.standard_normal(take.frames) if white else room_noise(take.frames, rng)
    return changed(take, take.mono() + gain(voice_db - snr_db) * noise)


def holed(take: Sound, voiced: NDArray[np.bool_], hole_s: float, total_s: float, rng: np.random.Generator) -> Sound:
    """The take with holes of digital silence within its voice, together total_s as far as there is room.

    Args:
        voiced: of each sample, (N,).
    """
    samples = take.mono().copy()
    size = max(1, round(hole_s * take.sample_rate))
    inside = uniform_filter1d(voiced.astype(float), round(1.3 * size)) > 0.999
    for _ in range(max(1, round(total_s / hole_s))):
        places = np.flatnonzero(inside)
        if len(places) == 0:
            break
        start = int(rng.choice(places)) - size // 2
        samples[max(0, start) : start + size] = 0
        inside[max(0, start - 2 * size) : start + 3 * size] = False
    return changed(take, samples)


def gated(take: Sound) -> Sound:
    """The take with digital silence in its pauses, as noise suppression leaves it."""
    samples = take.mono().astype(np.float64)
    level = uniform_filter1d(samples**2, max(1, round(GATE_S * take.sample_rate)))
    open_ = level > np.percentile(level, 95) * gain(-GATE_BELOW_DB) ** 2
    slope = uniform_filter1d(open_.astype(float), max(1, round(0.005 * take.sample_rate)))
    return changed(take, samples * slope)


def called(take: Sound, rate: int) -> Sound:
    """The take as it comes through a call at 8 or 16 kHz."""
    through = take.resampled(rate).resampled(take.sample_rate).mono()
    samples = np.zeros(take.frames, dtype=np.float32)
    samples[: len(through)] = through[: take.frames]
    return changed(take, samples)


def telephoned(take: Sound) -> Sound:
    """The take as it comes through a telephone: its band, at 8 kHz."""
    band = butter(4, TELEPHONE_HZ, "bandpass", fs=take.sample_rate, output="sos")
    return called(changed(take, sosfilt(band, take.mono())), 8_000)


def low_passed(take: Sound, hz: float) -> Sound:
    """The take without what lies above hz, as a lossy codec leaves it."""
    sections = butter(8, hz, "lowpass", fs=take.sample_rate, output="sos")
    return changed(take, sosfilt(sections, take.mono()))


def through_loudspeaker(played: Floats, rate: int, rng: np.random.Generator) -> Floats:
    """Sound (N,) as a small loudspeaker plays it into a room and a microphone hears it beside the voice."""
    band = butter(2, np.minimum(LOUDSPEAKER_HZ, 0.45 * rate), "bandpass", fs=rate, output="sos")
    direct = sosfilt(band, played)
    length = round(0.3 * rate)
    echo = rng.standard_normal(length) * np.exp(-np.arange(length) / rate / rng.uniform(0.03, 0.08))
    echo *= rng.uniform(0.1, 0.7) / np.sqrt(np.square(echo).sum())
    return direct + oaconvolve(direct, echo)[: len(direct)]


def leaked(take: Sound, played: Sound, start_s: float, level_db: float, rng: np.random.Generator) -> Sound:
    """The take with the reference in it from start_s on.

    Args:
        played: at the take's rate.
        level_db: of the leak against the take while the reference sounds.
    """
    rate = take.sample_rate
    sound = through_loudspeaker(np.pad(played.mono().astype(np.float64), (0, rate // 4)), rate, rng)
    first = round(start_s * rate)
    placed = np.zeros(take.frames)
    placed[first : first + len(sound)] = sound[: max(0, take.frames - first)]
    beside = slice(first, first + len(sound))
    factor = gain(level_db + power_db(take.mono()[beside]) - power_db(placed[beside]))
    both = take.mono() + factor * placed
    return changed(take, both * min(1.0, 0.9 / float(np.abs(both).max())))
