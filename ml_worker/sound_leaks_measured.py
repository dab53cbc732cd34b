"""Measures how a release finds one sound in two splits, against Chromaprint: python -m ml_worker.sound_leaks_measured

Twins are clips of 4 to 20 s that were encoded anew, resampled, made quiet, padded, or cut again with at least 3 s in
common. Clips that are no twins are two performances of one tune, two parts of one recording, and all else. The
constants were chosen on all the real recordings and on the first tunes of the catalogue: quote figures of later tunes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ml_worker.catalogue import render_cover, render_original, sing, tunes
from recordings.release.checked import near_duplicates
from recordings.release.checked.near_duplicates import Fingerprint, Index

Samples = NDArray[np.float32]
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE = 44_100
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SHORTEST_S, LONGEST_S, LONGEST_HUM_S = 4.0, 20.0, 10.0
CLIPS_OF_A_RECORDING = 8
# Codecs at rates that nobody would release, since what passes these passes better ones.
CODECS = {
    "MP3 64k": ("mp3", "-b:a", "64k"),
    "MP3 32k": ("mp3", "-b:a", "32k", "-ar", "22050"),
    "Opus 24k": ("ogg", "-c:a", "libopus", "-b:a", "24k"),
    "AAC 48k": ("adts", "-b:a", "48k"),
}
HOWS = (*CODECS, "8 kHz", "-20 dB", "padded", "cut again", "cut again, 3 s", "8 kHz, Opus, cut")
# Chromaprint's own: a number every 0.124 s, of 2.6 s of sound each. AcoustID takes for one what agrees so well.
CHROMAPRINT_STEP_S = 0.1238
CHROMAPRINT_FEWEST = 4
# So many tunes, the first, were looked at when the constants were chosen.
CHOSEN_ON = 6
# Lower than this is the tail of a recording; of its peak.
TAIL = 0.05
# For the measure of time each clip is played at other speeds, forwards and backwards, so that there are enough.
SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True)
class Recording:
    """`sound` is one for what is the very same audio, `work` for what is the same tune."""

    name: str
    work: str
    sound: str
    is_hum: bool
    samples: Samples


class Clip(NamedTuple):
    """A cut of a recording as a release has it: `twin_of` is the number of the clip that it was made of, and how."""

    recording: Recording
    start_s: float
    end_s: float
    samples: Samples
    rate: int
    twin_of: int | None = None
    how: str = ""


def without_tail(samples: Samples) -> Samples:
    """Without what dies away at the end: two cuts that share a silence share no sound."""
    return samples[: np.flatnonzero(np.abs(samples) > TAIL * np.abs(samples).max())[-1] + 1]


def decoded(path: Path) -> Samples:
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def encoded(samples: Samples, rate: int, codec: str) -> Samples:
    """Through a codec and back, at RATE."""
    container, *options = CODECS[codec]
    raw = [
        FFMPEG,
        "-v",
        "error",
        "-f",
        "f32le",
        "-ac",
        "1",
        "-ar",
        str(rate),
        "-i",
        "-",
        *options,
        "-f",
        container,
        "-",
    ]
    data = subprocess.run(raw, input=samples.tobytes(), capture_output=True, check=True).stdout
    back = [FFMPEG, "-v", "error", "-i", "-", "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    return np.frombuffer(subprocess.run(back, input=data, capture_output=True, check=True).stdout, np.float32)


def real_recordings(half: int) -> Iterator[Recording]:
    """Songs, solo voices and a riff in four recordings: every second one, since they take long."""
    paths = [
        *(path for path in sorted((SHARED / "songs").rglob("audio.*"))),
        *(path for path in sorted((SHARED / "separation").glob("*.*")) if path.suffix in (".mp4", ".mp3")),
        *sorted((SHARED / "hums").rglob("*.wav")),
    ]
    riff = sorted((SHARED / "alignment" / "sir_duke").glob("*.mp3"))
    for path in [path for number, path in enumerate(paths) if number % 2 == half] + (riff if half else []):
        name = path.parent.name if path.stem == "audio" else path.stem
        yield Recording(
            name, "sir_duke" if path in riff else name, name, "hums" in path.parts, without_tail(decoded(path))
        )


def made_recordings(half: int, tunes_of_a_half: int) -> Iterator[Recording]:
    """Originals, covers and simulated hums of the catalogue's tunes."""
    for tune in tunes()[half * CHOSEN_ON :][:tunes_of_a_half]:
        original = render_original(tune)
        yield Recording(
            f"{tune.slug} original", tune.slug, f"{tune.slug} original", False, without_tail(original.mix.mono())
        )
        for number in range(1, 5):
            cover = without_tail(render_cover(tune, number, half).mix.mono())
            yield Recording(f"{tune.slug} cover {number}", tune.slug, f"{tune.slug} cover {number}", False, cover)
        for phrase in range(min(2, len(original.phrases))):
            notes = [tuple(note) for note in original.phrase_notes(phrase)]
            shape = str([(round(start, 3), round(end, 3), pitch) for start, end, pitch in notes])
            for seed in range(4):
                for style in ("along", "free"):
                    hum = sing(notes, seed=seed + 10 * half, style=style).sound
                    # The same notes by the same singer are the same samples, and phrases return in tunes.
                    name = f"{tune.slug} hum {phrase} {seed} {style}"
                    samples = soxr.resample(hum.mono(), hum.sample_rate, RATE)
                    yield Recording(name, tune.slug, f"{seed} {style} {shape}", True, without_tail(samples))


def clips_of(recording: Recording, chance: np.random.Generator) -> Iterator[Clip]:
    whole_s, start_s = len(recording.samples) / RATE, 0.0
    for _ in range(CLIPS_OF_A_RECORDING):
        longest_s = LONGEST_HUM_S if recording.is_hum else LONGEST_S
        end_s = start_s + min(chance.uniform(SHORTEST_S, longest_s), whole_s - start_s)
        if end_s - start_s < SHORTEST_S:
            return
        yield Clip(recording, start_s, end_s, between(recording.samples, start_s, end_s), RATE)
        start_s = end_s + (0 if recording.is_hum else chance.uniform(0, 10))


def between(samples: Samples, start_s: float, end_s: float) -> Samples:
    return samples[round(start_s * RATE) : round(end_s * RATE)]


def twin_of(clip: Clip, number: int, how: str, chance: np.random.Generator) -> Clip:
    samples, rate, start_s, end_s = clip.samples, RATE, clip.start_s, clip.end_s
    if "cut" in how:
        shared_s = 3.0 if "3 s" in how else chance.uniform(3, min(8, end_s - start_s))
        whole_s = len(clip.recording.samples) / RATE
        start_s, end_s = end_s - shared_s, min(end_s + chance.uniform(1, 8), whole_s)
        samples = between(clip.recording.samples, start_s, end_s)
    if how in CODECS:
        samples = encoded(samples, RATE, how)
    elif how == "8 kHz":
        samples, rate = soxr.resample(samples, RATE, 8_000), 8_000
    elif how == "-20 dB":
        samples = samples * np.float32(0.1)
    elif how == "padded":
        samples = np.concatenate([np.zeros(54_321, np.float32), samples, np.zeros(30_000, np.float32)])
    elif how == "8 kHz, Opus, cut":
        samples = encoded(soxr.resample(samples, RATE, 8_000), 8_000, "Opus 24k")
    else:
        samples = encoded(samples, RATE, "MP3 64k")
    return Clip(clip.recording, start_s, end_s, samples, rate, number, how)


def made_clips(half: int, tunes_of_a_half: int) -> list[Clip]:
    """All clips, then the twins of each."""
    chance = np.random.default_rng(half)
    recordings = [*real_recordings(half), *made_recordings(half, tunes_of_a_half)]
    clips = [clip for recording in recordings for clip in clips_of(recording, chance)]
    return clips + [twin_of(clip, number, how, chance) for number, clip in enumerate(clips) for how in HOWS]


class OurFinder:
    name = "Haitsma & Kalker"

    def fingerprint(self, path: Path) -> Fingerprint:
        return Fingerprint.of_file(path)

    def pairs(self, prints: list[Fingerprint], sides: list[str]) -> set[tuple[int, int]]:
        """What is one sound and on two sides, by the numbers of the fingerprints."""
        index = Index()
        for number, (side, one) in enumerate(zip(sides, prints, strict=True)):
            index.add(number, (side,), one)
        return {(pair.one, pair.other) for pair in index.leaks()}

    def twins(self, bare: list[Fingerprint], twins: list[Fingerprint]) -> int:
        """Of how many clips the twin at the same place is found among all others."""
        found = self.pairs(bare + twins, ["a"] * len(bare) + ["b"] * len(twins))
        return sum((number, len(bare) + number) in found for number in range(len(twins)))


class Chromaprint:
    """ffmpeg's, compared exhaustively at every shift, so that no index of ours is to blame."""

    name = "Chromaprint"

    def __init__(self, alike: float) -> None:
        self.alike = alike

    def fingerprint(self, path: Path) -> NDArray[np.uint32]:
        command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "chromaprint", "-fp_format", "raw", "-"]
        return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint32)

    def pairs(self, prints: list[NDArray[np.uint32]], sides: list[str]) -> set[tuple[int, int]]:
        return {
            (one, other)
            for one in range(len(prints))
            for other in range(one + 1, len(prints))
            if sides[one] != sides[other] and self._likeness(prints[one], prints[other]) >= self.alike
        }

    def twins(self, bare: list[NDArray[np.uint32]], twins: list[NDArray[np.uint32]]) -> int:
        return sum(self._likeness(one, other) >= self.alike for one, other in zip(bare, twins, strict=True))

    def _likeness(self, one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
        if min(len(one), len(other)) < CHROMAPRINT_FEWEST:
            return 0.0
        differing = np.bitwise_count(one[:, None] ^ other[None, :])
        shifts = range(CHROMAPRINT_FEWEST - len(one), len(other) - CHROMAPRINT_FEWEST + 1)
        return 1 - min(differing.diagonal(shift).mean() for shift in shifts) / 32


def measured(finder: OurFinder | Chromaprint, clips: list[Clip], folder: Path) -> list[str]:
    """Lines of a table: missed twins of each kind, and how many clips that are no twins were taken for twins."""
    started = time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    prints = [finder.fingerprint(folder / f"{number}.wav") for number in range(len(clips))]
    spent_s = time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - started
    bare = [number for number, clip in enumerate(clips) if clip.twin_of is None]
    lines = [f"{finder.name}: {1_000 * spent_s / len(clips):.1f} ms of processor time a clip"]
    for how in HOWS:
        twins = [prints[number] for number, clip in enumerate(clips) if clip.how == how]
        missed = len(twins) - finder.twins([prints[number] for number in bare], twins)
        lines.append(f"  {how}: {missed} of {len(twins)} missed")
    alike = finder.pairs([prints[number] for number in bare], [str(number) for number in bare])
    counts = Counter(_relation(clips[one].recording, clips[other].recording) for one, other in alike)
    of_all = Counter(
        _relation(clips[one].recording, clips[other].recording) for one in bare for other in bare if one < other
    )
    del counts["one sound"], of_all["one sound"]
    lines += [f"  no twins, {relation}: {counts[relation]} of {of_all[relation]} taken for one" for relation in of_all]
    return lines


def _relation(one: Recording, other: Recording) -> str:
    if one.sound == other.sound:
        return "parts of one recording" if one.name == other.name else "one sound"
    return "one tune" if one.work == other.work else "unrelated"


def measured_time(clips: list[Clip], number: int) -> str:
    """Time and memory of so many clips of 8 s or what there is, by the sound of three splits."""
    speeds = np.geomspace(SLOWEST, FASTEST, number // (2 * len(clips)) + 1)
    index, before, spent_s = Index(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
    for done in range(number):
        turn, which = divmod(done, len(clips))
        speed, way = speeds[turn // 2], 1 if turn % 2 else -1
        samples = np.ascontiguousarray(clips[which].samples[: round(8 * RATE * speed)][::way])
        started = time.process_time()
        one = Fingerprint.of(samples, round(RATE * speed))
        spent_s += time.process_time() - started
        index.add(done, (str(done % 3),), one)
    started = time.process_time()
    pairs = sum(1 for _ in index.leaks())
    looking_s = time.process_time() - started
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return (
        f"{number} clips: {spent_s:.0f} s of listening, {looking_s:.0f} s of looking, {more:.0f} MB more, {pairs} pairs"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--half", type=int, default=1, choices=(0, 1), help="0: the tunes that the constants were chosen on"
    )
    parser.add_argument("--tunes", type=int, default=4, help="of the catalogue, of a half")
    parser.add_argument("--clips", type=int, default=0, help="measure the time of so many clips instead")
    parser.add_argument("--chromaprint", type=float, default=0.85, help="the share of equal bits that it takes for one")
    arguments = parser.parse_args()
    if arguments.clips:
        recordings = [*real_recordings(0), *real_recordings(1)]
        clips = [clip for one in recordings for clip in clips_of(one, np.random.default_rng(0))]
        print(measured_time(clips, arguments.clips))
        return
    clips = made_clips(arguments.half, arguments.tunes)
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(clips):
            soundfile.write(Path(folder, f"{number}.wav"), clip.samples, clip.rate, "PCM_16")
        for finder in (OurFinder(), Chromaprint(arguments.chromaprint)):
            print("\n".join(measured(finder, clips, Path(folder))), flush=True)
    print(f"ALIKE is {near_duplicates.ALIKE}; {len(clips)} clips")


if __name__ == "__main__":
    main()
