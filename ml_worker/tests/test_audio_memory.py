"""Beyond the sound itself, memory does not grow with a recording's length.

tracemalloc sees NumPy's arrays. What grows is counted out: the vocal part and the curves, which are the answer.
"""

import tracemalloc
from collections.abc import Callable

import numpy as np

from ml_worker.audio import attack, cqt, separation, trackers
from ml_worker.audio.decode import decode
from ml_worker.audio.measure_memory import in_fresh_process, track_a_tone, write_song
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import at_rate, crepe_salience, track_melody

RATE = 16_000
# Both have several whole blocks of 5 s with their neighbours.
SHORT_S, LONG_S = 22.0, 40.0


def noise(seconds: float, channels: int = 1, rate: int = RATE) -> Sound:
    return Sound(0.1 * np.random.default_rng(0).standard_normal((channels, round(seconds * rate)), np.float32), rate)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth_a_second(work: Callable[[Sound], object], channels: int = 1, rate: int = RATE) -> float:
    """Bytes of peak memory that each further second takes."""
    work(noise(2.0, channels, rate))  # what is loaded or kept at the first call
    short, long = (noise(seconds, channels, rate) for seconds in (SHORT_S, LONG_S))
    return (peak_bytes(lambda: work(long)) - peak_bytes(lambda: work(short))) / (LONG_S - SHORT_S)


# float32 samples at 22.05 kHz and at 16 kHz, and 100 frames of 84 float32 bins, of one second; bytes.
VOCAL, MONO, CQT_FRAMES = 4 * separation.RATE, 4 * trackers.RATE, 4 * 84 * 100


def test_a_separation_in_blocks_holds_only_its_answer():
    """What is done to a block is bounded by its length, which test_audio_separation looks at."""
    grows = growth_a_second(
        lambda sound: separation.in_blocks(sound, lambda block: block.resampled(separation.RATE).mono(), block_s=5),
        channels=2,
        rate=44_100,
    )
    assert grows < 1.2 * VOCAL


def test_the_mix_holds_only_its_answer(monkeypatch):
    monkeypatch.setattr(trackers, "PIECE_S", 5.0)
    assert growth_a_second(lambda sound: separate(sound, "mix"), channels=2, rate=44_100) < 1.2 * VOCAL


def test_resampling_holds_only_its_answer(monkeypatch):
    monkeypatch.setattr(trackers, "PIECE_S", 5.0)
    assert growth_a_second(lambda sound: at_rate(sound, RATE), channels=2, rate=44_100) < 1.1 * MONO


def test_melody_holds_a_few_copies_of_the_voice(monkeypatch):
    """Not the sound's spectra, which are 20 times as large: an hour takes less than 1.5 GB beside the sound."""
    monkeypatch.setattr(trackers, "PIECE_S", 5.0)
    monkeypatch.setattr(attack, "BLOCK", 256)
    for method in ("swift-f0", "cqt"):
        assert growth_a_second(lambda sound, method=method: track_melody(sound, method)) < 6 * MONO, method


def test_the_transform_holds_only_its_answer():
    grows = growth_a_second(lambda sound: cqt.cqt(sound.samples[0], RATE, 160))
    assert grows < 2.2 * MONO + CQT_FRAMES


def test_crepe_takes_a_batch_at_a_time(monkeypatch):
    """However long the sound, the network never sees more frames at once."""
    import torch
    import torchcrepe

    taken = []

    def remembered(frames, model):
        taken.append(len(frames))
        return torch.zeros(len(frames), 360)

    monkeypatch.setattr(torchcrepe, "infer", remembered)
    assert crepe_salience(noise(30.0).samples[0], "tiny").shape == (360, 3001)
    assert max(taken) <= trackers.CREPE_BATCH
    assert sum(taken) == 3001


def test_a_lower_rate_is_made_while_reading(tmp_path):
    """Reading at a quarter of the rate takes less than half of the memory (libav's own is not seen)."""
    write_song(tmp_path / "song.wav", 240)
    whole = peak_bytes(lambda: decode(tmp_path / "song.wav", max_s=241))
    low = peak_bytes(lambda: decode(tmp_path / "song.wav", max_s=241, max_rate=11_025))
    assert low < whole / 2


def test_a_fresh_process_is_measured_and_nothing_of_its_parent():
    large = np.ones(75_000_000)
    megabytes, seconds = in_fresh_process(track_a_tone, "cqt")
    assert 50 < megabytes < large.nbytes / 1e6 / 1.5
    assert seconds > 0
