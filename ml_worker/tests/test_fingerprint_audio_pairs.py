"""A changed version still lies where its pair says: the pitch there is the original's, in another key."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ml_worker.audio.augmentation import SoundAugmentation
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.fingerprint.audio_pairs import SoundPair, augmented_pairs
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.judging.alignment import at
from ml_worker.tests.made_hums import hummed, phrase, voice

MOVED = SoundAugmentation(splice=1, mix=0, noise=0, room=0, phone=0)
EVERYTHING = SoundAugmentation(splice=1, mix=1, noise=1, room=1, phone=1, snr_db=(15, 30))


def made_sound_pair(seed: int, offset_s: float = 0.6, tempo_ratio: float = 1.1) -> SoundPair:
    original = phrase(seed, 5.0)
    take = hummed(original, offset_s=offset_s, tempo_ratio=tempo_ratio, transposition=-3.0)
    return SoundPair(original, voice(take), offset_s, tempo_ratio, f"song {seed}", f"fragment {seed}", f"hum {seed}")


def off_key(pair: AlignedPair) -> np.ndarray:
    """Version minus original in semitones, at the seconds that the pair holds for the same; where both are voiced."""
    original = pair.original.pitch()
    seconds = np.arange(len(original)) * pair.original.hop_s
    sung = at(pair.version.pitch(), pair.version.hop_s, pair.offset_s + seconds * pair.tempo_ratio)
    both = ~np.isnan(original) & ~np.isnan(sung)
    assert both.sum() > 0.7 * (~np.isnan(original)).sum()
    return (sung - original)[both]


@pytest.mark.parametrize("seed", range(4))
def test_the_alignment_is_still_true(seed):
    (pair,) = augmented_pairs([made_sound_pair(seed)], MOVED, seed=seed)
    off = off_key(pair)
    key = np.median(off)
    assert -3 - 4.2 <= key <= -3 + 4.2
    assert np.mean(np.abs(off - key) < 0.5) > 0.9


def test_an_alignment_that_is_off_would_be_seen():
    """The measure of the test before tells half a second apart."""
    (pair,) = augmented_pairs([made_sound_pair(0)], MOVED, seed=0)
    off = off_key(dataclasses.replace(pair, offset_s=pair.offset_s + 0.5))
    assert np.mean(np.abs(off - np.median(off)) < 0.5) < 0.7


@pytest.mark.parametrize("seed", range(2))
def test_it_is_true_under_noise_in_a_room_over_a_phone_with_another_voice(seed):
    mostly_alone = dataclasses.replace(EVERYTHING, mix_below_db=(15.0, 20.0))
    pair, _ = augmented_pairs([made_sound_pair(seed), made_sound_pair(seed + 10)], mostly_alone, seed=seed)
    off = off_key(pair)
    assert np.mean(np.abs(off - np.median(off)) < 0.5) > 0.8


def test_tempo_and_key_differ_from_pair_to_pair_and_stay_within_the_settings():
    known = made_sound_pair(1)
    pairs = list(augmented_pairs([known], MOVED, seed=0, times=4, track=as_long))
    ratios = [pair.tempo_ratio / known.tempo_ratio for pair in pairs]
    assert len({round(ratio, 6) for ratio in ratios}) == 4
    assert all(1 / 1.25 <= ratio <= 1.25 for ratio in ratios)
    for pair, ratio in zip(pairs, ratios, strict=True):
        assert pair.offset_s == pytest.approx(ratio * known.offset_s)
        assert pair.version.duration_s == pytest.approx(ratio * known.version.duration_s, abs=0.02)


def test_ids_and_originals_stay_so_that_the_record_names_them():
    known = [made_sound_pair(1), made_sound_pair(2)]
    pairs = list(augmented_pairs(known, MOVED, seed=0, times=2, track=as_long))
    assert [pair.version_id for pair in pairs] == ["hum 1", "hum 1", "hum 2", "hum 2"]
    assert [pair.song_id for pair in pairs] == ["song 1", "song 1", "song 2", "song 2"]
    assert pairs[2].original is known[1].original
    assert pairs[2].fragment_id == "fragment 2"


def test_the_same_seed_gives_the_same_pairs():
    known = [made_sound_pair(1), made_sound_pair(2)]

    def made(seed):
        return [(pair.offset_s, pair.version.f0_hz.sum()) for pair in augmented_pairs(known, seed=seed, track=by_sum)]

    assert made(3) == made(3)
    assert made(3) != made(4)


def test_only_other_songs_are_mixed_in():
    """Two hums of one song have no company; with another song there is some."""
    one = made_sound_pair(1)
    again = dataclasses.replace(one, version_id="hum again")
    only_mix = SoundAugmentation(semitones=0, slower=1, splice=0, mix=1, noise=0, room=0, phone=0)
    alone = list(augmented_pairs([one, again], only_mix, seed=0, track=by_sum))
    assert {float(pair.version.f0_hz[0]) for pair in alone} == {float(by_sum(one.version).f0_hz[0])}
    first, *_ = augmented_pairs([one, made_sound_pair(2)], only_mix, seed=0, track=by_sum)
    assert first.version.f0_hz[0] != by_sum(one.version).f0_hz[0]


def as_long(sound: Sound) -> Melody:
    """A melody of a sound's length, without listening."""
    frames = round(sound.duration_s / 0.016)
    return Melody(0.016, np.zeros(frames, np.float32), np.zeros(frames, bool), np.zeros(frames, np.float32), "length")


def by_sum(sound: Sound) -> Melody:
    """One frame that tells sounds apart."""
    told = np.array([np.square(sound.samples, dtype=np.float64).sum()], np.float32)
    return Melody(0.016, told, np.ones(1, bool), np.ones(1, np.float32), "sum")
