"""How much memory the way from a file to its melody takes: `python -m ml_worker.audio.measure memory`.

Each figure is the greatest resident size of a fresh process, so that nothing else is counted in; that process makes no
sound but reads a file.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ml_worker.audio.decode import decode
from ml_worker.audio.separation import MIX_RATE, separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody

# A recording as people bring them: its rate, Hz; channels are two.
RATE = 44_100

# A model of Demucs' design, as small as it goes.
TINY_DEMUCS = {
    "sources": ["drums", "bass", "other", "vocals"],
    "channels": 8,
    "depth": 4,
    "t_layers": 1,
    "segment": 2,
}

# What a tracker alone is measured on; seconds.
TRACKER_S = 10.0

# Where Linux says how large a process has been at most. ru_maxrss counts in the parent, whose size it keeps over exec.
STATUS = Path("/proc/self/status")


def measure_chains(
    separations: tuple[str, ...], trackers: tuple[str, ...], minutes: tuple[float, ...]
) -> Iterator[dict[str, Any]]:
    """From file through separation to melody, for each length; "MB" is the peak of the whole process.

    "demucs" is a tiny model of random weights in Demucs' format: what it makes is no voice, but it goes the same way.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights"
        if "demucs" in separations:
            in_fresh_process(write_tiny_demucs, weights)
        for length in minutes:
            file = Path(folder) / "made.wav"
            write_song(file, 60 * length)
            for separation in separations:
                for tracker in trackers:
                    megabytes, seconds = in_fresh_process(chain, file, separation, tracker, weights)
                    yield {
                        "what": f"{tracker} after {separation}",
                        "minutes": length,
                        "MB": megabytes,
                        "cost": seconds / (60 * length),
                    }


def write_song(file: Path, seconds: float) -> None:
    """A made song, stereo: tones that change each half second, and noise."""
    rng = np.random.default_rng(0)
    times = np.arange(RATE // 2) / RATE
    with soundfile.SoundFile(file, "w", RATE, 2) as output:
        for _ in range(round(2 * seconds)):
            hz = 110 * 2 ** (rng.integers(24) / 12)
            voice = 0.2 * sum(np.sin(2 * np.pi * hz * order * times) / order for order in range(1, 6))
            output.write(voice[:, None] + 0.02 * rng.standard_normal((len(times), 2)))


def write_tiny_demucs(folder: Path) -> None:
    """A folder of weights with a tiny HTDemucs."""
    import torch
    from demucs.htdemucs import HTDemucs
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = HTDemucs(**TINY_DEMUCS)
    facts = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(TINY_DEMUCS)}
    tensors = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    folder.mkdir()
    save_file(tensors, folder / "0123abcd.safetensors", metadata=facts)
    (folder / "htdemucs.yaml").write_text("models: ['0123abcd']\n")


def chain(file: Path, separation: str, tracker: str, weights: Path) -> None:
    track_melody(separate(decode(file, max_rate=MIX_RATE), separation, weights=weights).sound, tracker)


def of_tracker(method: str) -> float:
    """The most that a process takes that tracks 10 s of a tone, MB; what its libraries take is most of that."""
    return in_fresh_process(track_a_tone, method)[0]


def track_a_tone(method: str) -> None:
    times = np.arange(round(TRACKER_S * 16_000)) / 16_000
    track_melody(Sound.from_mono(0.2 * np.sin(2 * np.pi * 220 * times), 16_000), method)


def in_fresh_process(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Peak resident size of a new process that does the work, MB, and the seconds that the work took."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of, (work, arguments))


def _peak_of(work: Callable[..., None], arguments: tuple[Any, ...]) -> tuple[float, float]:
    begun = time.perf_counter()
    work(*arguments)
    seconds = time.perf_counter() - begun
    return peak_kilobytes() / 1024, seconds


def peak_kilobytes() -> int:
    """The greatest resident size of this process so far; beyond Linux, or its parent's where that is more."""
    said = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text()) if STATUS.exists() else None
    return int(said[1]) if said else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
