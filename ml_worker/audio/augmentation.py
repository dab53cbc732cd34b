"""What a recording goes through, as changes to its sound: another key, another tempo, cuts, company, noise, a room.

The paper's augmentation of audio (Amatov et al., ISMIR 2023): pitch shift, time stretch, SpliceOut (Jain et al. 2021),
mixing with others and noise; a small room and a telephone's band are of this project. Each is a function of the sound
and its parameters; what moves sounds in time also gives the map of where they went. `augmented` draws from all by
chance; the same generator gives the same sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

from ml_worker.audio.sound import Samples, Sound
from ml_worker.catalogue.singer import room_noise

Floats = NDArray[np.float64]
NoiseKind = Literal["white", "pink", "room"]
NOISES: tuple[NoiseKind, ...] = ("white", "pink", "room")

# The phase vocoder's window, seconds: four periods of a low voice. It steps by a quarter of it.
VOCODER_S = 0.046
# What joins where a cut was: long enough not to click, short enough not to be heard as two voices; seconds.
CROSSFADE_S = 0.01
# Pink noise is even below this, as its power there would be without end; Hz.
PINK_FROM_HZ = 20.0


# --- where time went


class Stretch(NamedTuple):
    """Seconds start_s to end_s of the sound before are at offset_s + ratio * second in the sound after."""

    start_s: float
    end_s: float
    offset_s: float = 0.0
    ratio: float = 1.0


@dataclass(frozen=True)
class TimeMap:
    """Where each second of a sound is after a change. What lies in no stretch was cut out.

    Attributes:
        stretches: in order, without overlap.
    """

    stretches: tuple[Stretch, ...]

    @classmethod
    def of(cls, sound: Sound, ratio: float = 1.0) -> TimeMap:
        """All of a sound, `ratio` times as slow."""
        return cls((Stretch(0.0, sound.duration_s, 0.0, ratio),))

    @property
    def is_straight(self) -> bool:
        """Whether one line holds for all that there is."""
        return len(self.stretches) == 1

    def at(self, seconds: float | Floats) -> Floats:
        """Where some seconds went, NaN where they were cut out; of the shape of `seconds`."""
        given = np.asarray(seconds, dtype=np.float64)
        found = np.full(given.shape, np.nan)
        for start_s, end_s, offset_s, ratio in self.stretches:
            inside = (given >= start_s) & (given <= end_s)
            found[inside] = offset_s + ratio * given[inside]
        return found

    def then(self, later: TimeMap) -> TimeMap:
        """This change and after it another one."""
        stretches = []
        for one in self.stretches:
            for other in later.stretches:
                start_s = max(one.start_s, (other.start_s - one.offset_s) / one.ratio)
                end_s = min(one.end_s, (other.end_s - one.offset_s) / one.ratio)
                if start_s < end_s:
                    offset_s = other.offset_s + other.ratio * one.offset_s
                    stretches.append(Stretch(start_s, end_s, offset_s, one.ratio * other.ratio))
        return TimeMap(tuple(stretches))


# --- key, tempo and cuts


def slowed(sound: Sound, ratio: float) -> tuple[Sound, TimeMap]:
    """The sound `ratio` times as slow at the same pitch, by a phase vocoder (librosa's).

    Levels lie where the map says; pitches come up to 20 ms late, as a phase is that of the step before.

    Args:
        ratio: above 0; above 1 is slower. round(frames * ratio) frames come back.

    Raises:
        ValueError: the ratio is not above zero.
    """
    if not ratio > 0:
        raise ValueError(f"A sound is slowed by a ratio above zero, not {ratio:g}.")
    if ratio == 1 or sound.frames == 0:
        return sound, TimeMap.of(sound)
    stretched = _vocoded(sound, ratio, round(sound.frames * ratio))
    return Sound(stretched, sound.sample_rate), TimeMap.of(sound, ratio)


def transposed(sound: Sound, semitones: float) -> Sound:
    """The sound as much higher, at the same tempo and of the same length: slowed, and played faster (soxr).

    Vowels move with the pitch, as on a tape.
    """
    import soxr

    if semitones == 0 or sound.frames == 0:
        return sound
    higher = 2 ** (semitones / 12)
    stretched = _vocoded(sound, higher, round(sound.frames * higher))
    played = soxr.resample(stretched.T, higher * sound.sample_rate, sound.sample_rate).T[:, : sound.frames]
    filled = np.pad(played, ((0, 0), (0, sound.frames - played.shape[1])))
    return Sound(np.ascontiguousarray(filled, dtype=np.float32), sound.sample_rate)


def _vocoded(sound: Sound, ratio: float, frames: int) -> Samples:
    """Samples (C, frames), `ratio` times as slow."""
    import librosa

    size = 2 ** round(np.log2(VOCODER_S * sound.sample_rate))
    padded = np.pad(sound.samples, ((0, 0), (0, max(0, size - sound.frames))))
    spectra = librosa.stft(padded, n_fft=size, hop_length=size // 4)
    spectra = librosa.phase_vocoder(spectra, rate=1 / ratio, hop_length=size // 4, n_fft=size)
    return librosa.istft(spectra, n_fft=size, hop_length=size // 4, length=frames).astype(np.float32)


def without(sound: Sound, start_s: float, length_s: float) -> tuple[Sound, TimeMap]:
    """The sound with a piece cut out; what is on both sides is joined by a crossfade after the cut's start.

    To the nearest frame, and exactly that: so many frames are missing afterwards. A cut that would leave no room for
    its crossfade changes nothing.
    """
    rate = sound.sample_rate
    first, count, fade = round(start_s * rate), round(length_s * rate), round(CROSSFADE_S * rate)
    if first < 0 or count < 1 or first + count + fade > sound.frames:
        return sound, TimeMap.of(sound)
    rising = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
    before, after = sound.samples[:, :first], sound.samples[:, first + count :]
    joined = sound.samples[:, first : first + fade] * (1 - rising) + after[:, :fade] * rising
    left = np.concatenate([before, joined, after[:, fade:]], axis=1).astype(np.float32)
    kept = (Stretch(0.0, first / rate), Stretch((first + count) / rate, sound.duration_s, -count / rate))
    return Sound(left, rate), TimeMap(tuple(one for one in kept if one.start_s < one.end_s))


def spliced(sound: Sound, cuts: int, longest_s: float, rng: Generator) -> tuple[Sound, TimeMap]:
    """SpliceOut (Jain et al. 2021): so many pieces of up to longest_s each are cut out, anywhere."""
    time_map = TimeMap.of(sound)
    for _ in range(cuts):
        length_s = rng.uniform(0, longest_s)
        start_s = rng.uniform(0, max(0.0, sound.duration_s - length_s - CROSSFADE_S))
        sound, cut = without(sound, start_s, length_s)
        time_map = time_map.then(cut)
    return sound, time_map


# --- company and noise


def power(sound: Sound) -> float:
    """Mean square over all channels and frames; 0 of nothing."""
    return float(np.mean(np.square(sound.samples, dtype=np.float64))) if sound.samples.size else 0.0


def mixed(sound: Sound, other: Sound, below_db: float, rng: Generator) -> Sound:
    """The sound with another one under it, whose mean power is so far below its own.

    The other comes in from a place by chance, and again from its start where it ends too soon. Where either is silent
    there is nothing to mix.
    """
    heard = other.resampled(sound.sample_rate).mono()
    if len(heard) == 0 or sound.frames == 0:
        return sound
    begin = int(rng.integers(len(heard)))
    return _with(sound, np.resize(np.roll(heard, -begin), sound.frames), below_db)


def noisy(sound: Sound, snr_db: float, kind: NoiseKind, rng: Generator) -> Sound:
    """The sound with noise whose mean power is so far below its own; silence stays silent."""
    return _with(sound, noise(kind, sound.frames, sound.sample_rate, rng), snr_db)


def _with(sound: Sound, added: NDArray[np.floating], below_db: float) -> Sound:
    """The sound with samples (N,) added to each channel, their mean power so far below its own."""
    own, others = power(sound), float(np.mean(np.square(added, dtype=np.float64))) if len(added) else 0.0
    if own == 0 or others == 0:
        return sound
    gain = np.sqrt(own / others) * 10 ** (-below_db / 20)
    return Sound((sound.samples + gain * added).astype(np.float32), sound.sample_rate)


def noise(kind: NoiseKind, frames: int, sample_rate: int, rng: Generator) -> Floats:
    """Noise (frames,) of mean power about 1.

    Args:
        kind: "white"; "pink", which falls by 3 dB an octave; "room", which is strongest low down.

    Raises:
        ValueError: for another kind.
    """
    if kind not in NOISES:
        raise ValueError(f"There is no noise {kind!r}; there are {', '.join(NOISES)}.")
    if frames == 0:
        return np.zeros(0)
    if kind == "room":
        return room_noise(frames, rng) if frames > 1 else np.ones(1)
    white = rng.standard_normal(frames)
    if kind == "white":
        return white
    hz = np.fft.rfftfreq(frames, 1 / sample_rate)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(hz, PINK_FROM_HZ)), frames)
    return pink / max(1e-9, float(np.sqrt(np.mean(np.square(pink)))))


# --- where it was recorded


def in_a_room(sound: Sound, falls_s: float, level: float, rng: Generator) -> Sound:
    """The sound with the answer of a small room: noise that falls by 60 dB; of the same length.

    Args:
        falls_s: how long it takes to fall, seconds.
        level: of the answer against the sound itself, as a factor of amplitude.
    """
    if sound.frames == 0:
        return sound
    count = max(1, round(falls_s * sound.sample_rate))
    answer = rng.standard_normal(count) * np.exp(-np.log(1000) * np.arange(count) / count)
    answer *= level / max(1e-9, float(np.linalg.norm(answer)))
    wet = oaconvolve(sound.samples, answer[None, :], axes=1)[:, : sound.frames]
    return Sound((sound.samples + wet).astype(np.float32), sound.sample_rate)


def by_phone(sound: Sound, band_hz: tuple[float, float]) -> Sound:
    """The sound through a band, Hz, as far as its rate has it."""
    low, high = band_hz
    highest = 0.45 * sound.sample_rate
    if sound.frames == 0 or low >= highest:
        return sound
    band = butter(4, [low, min(high, highest)], "bandpass", fs=sound.sample_rate, output="sos")
    return Sound(sosfilt(band, sound.samples, axis=1).astype(np.float32), sound.sample_rate)


# --- all of it, by chance


@dataclass(frozen=True)
class SoundAugmentation:
    """How far sounds are changed, and how likely. The paper gives the ranges of the first five.

    Attributes:
        semitones: most that it goes up or down.
        slower: most that it is slowed or hastened, as a factor either way; 1.25 is 0.8 to 1.25.
        splice, cuts, cut_s: probability of SpliceOut, most cuts, their longest, seconds.
        mix, mix_below_db: probability of company, and how far below.
        noise, snr_db: probability of noise, and how far below.
        room, room_falls_s, room_level: probability of a room, and how it is.
        phone, phone_hz: probability of a telephone, and its band.
    """

    semitones: float = 4.0
    slower: float = 1.25
    splice: float = 0.3
    cuts: int = 3
    cut_s: float = 0.3
    mix: float = 0.3
    mix_below_db: tuple[float, float] = (5.0, 10.0)
    noise: float = 0.5
    snr_db: tuple[float, float] = (3.0, 30.0)
    room: float = 0.3
    room_falls_s: tuple[float, float] = (0.1, 0.5)
    room_level: tuple[float, float] = (0.1, 0.7)
    phone: float = 0.2
    phone_hz: tuple[float, float] = (300.0, 3400.0)

    def __post_init__(self) -> None:
        if self.slower < 1 or self.semitones < 0:
            raise ValueError("slower is 1 or above, semitones 0 or above.")


def augmented(
    sound: Sound, others: Sequence[Sound], settings: SoundAugmentation, rng: Generator
) -> tuple[Sound, TimeMap]:
    """The sound as it might have been sung and recorded at another time, and where its seconds went.

    Args:
        others: what may be mixed under it; none of them where this is empty.
    """
    sound = transposed(sound, rng.uniform(-settings.semitones, settings.semitones))
    sound, time_map = slowed(sound, float(np.exp(rng.uniform(-1, 1) * np.log(settings.slower))))
    if rng.uniform() < settings.splice:
        sound, cut = spliced(sound, int(rng.integers(1, settings.cuts + 1)), settings.cut_s, rng)
        time_map = time_map.then(cut)
    if rng.uniform() < settings.room:
        sound = in_a_room(sound, rng.uniform(*settings.room_falls_s), rng.uniform(*settings.room_level), rng)
    if others and rng.uniform() < settings.mix:
        sound = mixed(sound, others[int(rng.integers(len(others)))], rng.uniform(*settings.mix_below_db), rng)
    if rng.uniform() < settings.noise:
        sound = noisy(sound, rng.uniform(*settings.snr_db), NOISES[rng.integers(len(NOISES))], rng)
    if rng.uniform() < settings.phone:
        sound = by_phone(sound, settings.phone_hz)
    return sound, time_map
