"""The vocal part of a recording. Which method made it is always in the answer.

Default: Demucs where its weights lie in a folder; else "centre", which gave the best melody of the methods that need
no weights on five songs with known notes (docs/experiments-audio.md: REPET-SIM fell behind even
the plain mix there).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml_worker.audio.demucs_weights import Bag, NoWeights, fetch_weights, find_weights, load
from ml_worker.audio.sound import Samples, Sound
from ml_worker.audio.trackers import at_rate

if TYPE_CHECKING:
    from demucs.apply import BagOfModels

# Rate of every vocal part: holds a voice's harmonics for trackers and CQT, and keeps an hour at 320 MB; Hz.
RATE = 22_050

# Rate to which a recording may be brought down before it is separated (`decode(..., max_rate=MIX_RATE)`): it holds what
# the vocal part can hold and half an octave more as a cue, and an hour of stereo takes 920 MB; Hz.
MIX_RATE = 32_000

# Recordings are separated block by block, so that memory does not grow with their length; whole seconds.
BLOCK_S = 30
# What a block sees of its neighbours (whole seconds), and over how much of it two blocks are cross-faded; seconds.
CONTEXT_S = 2
FADE_S = 0.5

# Spectrogram of the methods without weights, in samples at RATE: 93 ms windows, a quarter of that from frame to frame.
WINDOW = 2048
HOP = 512

# "centre": how sharply sound off the centre is turned down (power of the panning similarity), and how far at most, so
# that a voice panned to one side is not lost.
CENTRE_POWER = 1
CENTRE_FLOOR = 0.2
# "centre": frames and bins of the median filters that part harmonic from percussive sound (Fitzgerald 2010).
MEDIANS = (31, 31)

# "repet-sim": its blocks, long enough that a song's accompaniment comes back in each; whole seconds.
REPEAT_WITHIN_S = 60
# "repet-sim": frames that are alike are sought at least this far apart; seconds.
REPEAT_APART_S = 2.0
# "repet-sim": how much louder than the repeating background the voice must be (10 in librosa's example; 2 keeps more
# of the melody); a factor.
REPEAT_MARGIN = 2.0

# Demucs: overlap of its segments, and its own rate is in the model; share of a segment.
DEMUCS_OVERLAP = 0.25

METHODS = ("auto", "demucs", "centre", "repet-sim", "mix")


@dataclass(frozen=True)
class Vocal:
    """A vocal part: a Sound of one channel at 22.05 kHz (the mix of a lower rate keeps its own), and how it was made.

    `method` begins with one of METHODS; Demucs' also names its weights ("demucs htdemucs 955717e8").
    """

    sound: Sound
    method: str


def separate(sound: Sound, method: str = "auto", *, weights: Path | None = None, download: bool = False) -> Vocal:
    """The vocal part of a recording.

    Args:
        sound: the mix, any length and rate.
        method: "demucs" (htdemucs, Rouard et al. 2023), "centre" (the harmonic part of the stereo centre), "repet-sim"
            (Rafii and Pardo 2012), "mix" (nothing is done), or "auto": Demucs where its weights lie in `weights`, else
            "centre".
        weights: folder of Demucs' weights, see demucs_weights.
        download: whether "demucs" may fetch weights that are not there. "auto" never does.

    Raises:
        NoWeights: with a sentence, where "demucs" was asked for and its weights are not to be had.
        ValueError: for a method that does not exist.
    """
    if method not in METHODS:
        raise ValueError(f"There is no separation {method!r}; there are {', '.join(METHODS)}.")
    bag = _weights(method, weights, download) if method in ("auto", "demucs") else None
    if bag is not None:
        return Vocal(_by_demucs(sound, load(bag)), f"demucs {bag.name}"[:40])
    if method == "auto":
        method = "centre"
    if sound.frames == 0 or method == "mix":
        rate = min(RATE, sound.sample_rate)
        return Vocal(Sound.from_mono(at_rate(sound, rate), rate), "mix")
    if method == "repet-sim":
        return Vocal(in_blocks(sound, _repet_sim, REPEAT_WITHIN_S), method)
    return Vocal(in_blocks(sound, _centre), method)


def _weights(method: str, place: Path | None, download: bool) -> Bag | None:
    """Demucs' weights; None where "auto" has to do without."""
    found = find_weights(place) if place is not None else None
    if found or method == "auto":
        return found
    if place is None:
        raise NoWeights("Demucs needs a folder for its weights. Please set CHAD_DEMUCS_WEIGHTS.")
    if not download:
        raise NoWeights(f"There are no Demucs weights in {place}. Please fetch them, or use another separation.")
    return fetch_weights(place)


def in_blocks(sound: Sound, work: Callable[[Sound], Samples], block_s: int = BLOCK_S) -> Sound:
    """Applies `work` block by block and cross-fades the answers.

    Args:
        work: takes a Sound of at most block_s + 2 CONTEXT_S seconds, gives its vocal part (n,) at RATE.
    """
    total = round(sound.duration_s * RATE)
    answer = np.zeros(total, dtype=np.float32)
    for start_s in range(0, max(1, int(np.ceil(sound.duration_s))), block_s):
        end_s = start_s + block_s
        first = max(0, start_s - CONTEXT_S) * RATE
        part = work(sound.cut(start_s - CONTEXT_S, end_s + CONTEXT_S))[: total - first]
        times = (first + np.arange(len(part))) / RATE
        rising = (times - start_s) / FADE_S + 0.5 if start_s > 0 else np.ones(len(part))
        falling = (end_s - times) / FADE_S + 0.5 if end_s < sound.duration_s else np.ones(len(part))
        answer[first : first + len(part)] += part * np.clip(np.minimum(rising, falling), 0, 1).astype(np.float32)
    return Sound.from_mono(answer, RATE)


# -------------------------------------------------------------------------------------------------- without weights


def _centre(block: Sound) -> Samples:
    """What lies in the middle of the stereo image and holds its pitch; of mono only the latter."""
    import librosa

    block = block.resampled(RATE)
    spectra = [librosa.stft(_long_enough(channel), n_fft=WINDOW, hop_length=HOP) for channel in _two(block)]
    middle = np.mean(spectra, axis=0)
    if len(spectra) == 2:
        middle *= _centre_mask(*spectra)
    return librosa.istft(middle * _harmonic_mask(np.abs(middle)), hop_length=HOP, length=block.frames)


def _harmonic_mask(size: np.ndarray) -> np.ndarray:
    """The soft mask of what lasts against what strikes, by medians along time and frequency (Fitzgerald 2010).

    That of librosa.decompose.hpss, number for number; scipy's median of a line is eight times as fast as its median
    of a plane, which that takes.
    """
    import librosa
    from scipy.ndimage import median_filter

    over_time, over_frequency = MEDIANS
    lasting = np.stack([median_filter(line, over_time) for line in size])
    striking = np.stack([median_filter(line, over_frequency) for line in np.ascontiguousarray(size.T)]).T
    return librosa.util.softmask(lasting, striking, power=2, split_zeros=True)


def _two(block: Sound) -> list[Samples]:
    """Left and right of stereo, else the mean alone: in other layouts a voice may lie anywhere."""
    return list(block.samples) if len(block.samples) == 2 else [block.mono()]


def _centre_mask(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Panning similarity (Avendano and Jot 2004) of each bin, sharpened, in-phase only: 1 in the centre, CENTRE_FLOOR
    at the sides."""
    energy = np.abs(left) ** 2 + np.abs(right) ** 2
    similarity = 2 * np.real(left * np.conj(right)) / np.maximum(energy, 1e-12)
    return np.maximum(np.clip(similarity, 0, 1) ** CENTRE_POWER, CENTRE_FLOOR)


def _repet_sim(block: Sound) -> Samples:
    """What does not repeat: each frame less the median of the frames most like it, as in librosa's example."""
    import librosa

    mono = block.resampled(RATE).mono()
    spectrum = librosa.stft(_long_enough(mono), n_fft=WINDOW, hop_length=HOP)
    size = np.abs(spectrum)
    # Frames nearer than REPEAT_APART_S are not compared; a short recording has no more to compare.
    apart = max(1, min(round(REPEAT_APART_S * RATE / HOP), (size.shape[1] - 1) // 4))
    repeating = librosa.decompose.nn_filter(size, aggregate=np.median, metric="cosine", width=apart)
    repeating = np.minimum(size, repeating)
    voice = librosa.util.softmask(size - repeating, REPEAT_MARGIN * repeating, power=2)
    return librosa.istft(spectrum * voice, hop_length=HOP, length=len(mono))


def _long_enough(samples: Samples) -> Samples:
    """At least eight analysis windows, so that medians and similarities are defined for the shortest sound."""
    return np.pad(samples, (0, max(0, 8 * WINDOW - len(samples))))


# ----------------------------------------------------------------------------------------------------------- Demucs


def _by_demucs(sound: Sound, model: BagOfModels) -> Sound:
    """Vocals by Demucs, scaled as its own command does: by mean and deviation of the whole recording's mono mix."""
    mean, deviation = _mean_and_deviation(sound)
    return in_blocks(sound, lambda block: _demucs_block(block, model, mean, deviation))


def _mean_and_deviation(sound: Sound) -> tuple[float, float]:
    """Of the mono mix, block by block."""
    block = BLOCK_S * sound.sample_rate
    sums = np.zeros(2)
    for start in range(0, sound.frames, block):
        mono = sound.samples[:, start : start + block].mean(axis=0, dtype=np.float64)
        sums += mono.sum(), (mono**2).sum()
    mean, square = sums / max(1, sound.frames)
    return mean, max(np.sqrt(max(0.0, square - mean**2)), 1e-8)


def _demucs_block(block: Sound, model: BagOfModels, mean: float, deviation: float) -> Samples:
    import torch
    from demucs.apply import apply_model

    stereo = block.samples if len(block.samples) == 2 else np.stack([block.mono()] * 2)
    scaled = ((stereo - mean) / deviation).astype(np.float32)
    mix = Sound(scaled, block.sample_rate).resampled(model.samplerate).samples
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.inference_mode():
        parts = apply_model(model, torch.from_numpy(mix)[None], shifts=0, overlap=DEMUCS_OVERLAP, device=device)
    vocals = parts[0, model.sources.index("vocals")].mean(dim=0).cpu().numpy() * deviation + mean
    return Sound.from_mono(vocals, model.samplerate).resampled(RATE).mono()
