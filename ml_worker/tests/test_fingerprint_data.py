"""What training sees: aligned windows of originals and versions, drawn in a way that can be repeated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.augmentation import noisy_images, sung_pitch, sung_times
from ml_worker.fingerprint.data import AlignedPair, DataRecord, PairSource, turned
from ml_worker.fingerprint.image import frame_times
from ml_worker.fingerprint.settings import Augmentation, Settings
from ml_worker.tests.made_pairs import TINY, made_pair, made_pairs, steady

# Nothing is changed: version and original are drawn as they are.
PLAIN = Augmentation(
    stretch=1, mismatch=1, rubato_s=0, misaligned_s=0, splice=0, drift=0, jitter=0, interval=0, dropped=0, wrong=0,
    octave_slip=0, false_voice=0, mix=0, noise=0, turned=0, own_version=0,
)  # fmt: skip


def slower_lower_and_later(original: Melody, offset_s: float, tempo_ratio: float, semitones: float) -> Melody:
    """The same performance, replayed: alignment is exact by construction."""
    before = np.zeros(round(offset_s / (original.hop_s * tempo_ratio)), np.float32)
    return Melody(
        original.hop_s * tempo_ratio,
        np.concatenate([before, original.f0_hz * np.float32(2 ** (semitones / 12))]),
        np.concatenate([before.astype(bool), original.voiced]),
        np.concatenate([before, original.confidence]),
        "replayed",
    )


def test_the_two_sides_of_a_pair_show_the_same_music():
    pairs = []
    for seed in range(4):
        original = made_pair(seed).original
        version = slower_lower_and_later(original, 0.8, 1.2, -5.4)
        pairs.append(AlignedPair(original, version, 0.8, 1.2, f"song {seed}", "fragment"))
    batch = PairSource(pairs, dataclasses.replace(TINY, augmentation=PLAIN)).batch(0)
    originals, versions = batch.images[:16], batch.images[16:]
    assert batch.labels[:16].tolist() == batch.labels[16:].tolist()
    alike = (originals * versions).sum(axis=(1, 2)) / (originals**2).sum(axis=(1, 2))
    assert alike.min() > 0.9
    other = (originals * np.roll(versions, 1, axis=0)).sum(axis=(1, 2)) / (originals**2).sum(axis=(1, 2))
    assert other.mean() < 0.6


def test_the_same_seed_and_step_give_the_same_batch():
    pairs = made_pairs(range(3))
    one, other = (PairSource(pairs, TINY).batch(7) for _ in range(2))
    np.testing.assert_array_equal(one.images, other.images)
    assert (one.images != PairSource(pairs, TINY).batch(8).images).any()
    assert (one.images != PairSource(pairs, dataclasses.replace(TINY, seed=1)).batch(7).images).any()


def test_songs_take_turns_whatever_the_number_of_their_hums():
    pairs = [*made_pairs(range(1), takes=9), *made_pairs(range(1, 4))]
    plain = dataclasses.replace(TINY, augmentation=PLAIN)
    _, counts = np.unique(PairSource(pairs, plain).batch(0).songs, return_counts=True)
    assert counts.tolist() == [8, 8, 8, 8]


def test_a_turned_song_counts_as_another_song():
    how = dataclasses.replace(PLAIN, turned=1.0)
    songs = PairSource(made_pairs(range(1)), dataclasses.replace(TINY, augmentation=how)).batch(0).songs
    assert set(songs.tolist()) <= {1, 2, 3}
    assert len(set(songs.tolist())) > 1


def test_turning_twice_gives_the_curve_back():
    curve = np.array([60, 62, np.nan, 64], np.float32), np.array([1, 0.5, 0, 0.7], np.float32)
    for turn in range(4):
        pitch, height = turned(turned(curve, turn), turn)
        np.testing.assert_array_equal(pitch, curve[0])
        np.testing.assert_array_equal(height, curve[1])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), silent=st.booleans())
def test_augmentation_keeps_a_curve_a_curve(seed, silent):
    rng = np.random.default_rng(seed)
    every = Augmentation(splice=1, dropped=1, wrong=1, octave_slip=1, false_voice=1, mix=1)
    times = sung_times(frame_times(3.0), every, rng)
    assert np.abs(times - frame_times(3.0)).max() < 0.5
    pitch = np.full(300, np.nan if silent else 60.0, np.float32)
    sung = sung_pitch(pitch, every, rng)
    assert sung.shape == pitch.shape
    assert np.isnan(sung).all() == silent
    assert silent or np.nanmax(np.abs(sung - 60)) < 20
    images = noisy_images(rng.random((4, 80, 75), dtype=np.float32), every, rng)
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_version_that_ends_early_is_silent_there():
    original = steady([60.0, 64.0, 62.0, 67.0] * 3)
    pair = AlignedPair(original, original.cut(0, 1.0), 0.0, 1.0, "song", "fragment")
    images = PairSource([pair], dataclasses.replace(TINY, augmentation=PLAIN)).batch(0).images
    assert images[16:].sum() < images[:16].sum()


def test_the_record_changes_with_the_data_and_with_nothing_else():
    pairs = made_pairs(range(2))
    record = DataRecord.of(pairs)
    assert record == DataRecord.of(made_pairs(range(2)))
    assert record.songs == ("song 0", "song 1")
    assert record.versions[0] == ("song 0", "fragment 0", "hum 0/0")
    assert record.sha256 != DataRecord.of([dataclasses.replace(pairs[0], offset_s=0.5), pairs[1]]).sha256
    assert record.sha256 != DataRecord.of([dataclasses.replace(pairs[0], version=steady([60.0])), pairs[1]]).sha256
    assert DataRecord.from_dict(record.as_dict()) == record


@pytest.mark.parametrize(("offset_s", "tempo_ratio"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, np.inf)])
def test_an_impossible_alignment_is_refused(offset_s, tempo_ratio):
    with pytest.raises(ValueError, match="tempo ratio"):
        AlignedPair(steady([60.0]), steady([60.0]), offset_s, tempo_ratio, "song", "fragment")


def test_settings_go_through_plain_values_and_back():
    for chosen in (Settings(), Settings.of("long", steps=7), Settings.paper("short")):
        assert Settings.from_dict(chosen.as_dict()) == chosen
    assert (Settings.of("long").window_s, Settings.of("long").hop_s) == (8.0, 0.64)
    with pytest.raises(ValueError, match="short and long"):
        Settings.of("fused")
    with pytest.raises(ValueError, match="above zero"):
        Settings(steps=0)
