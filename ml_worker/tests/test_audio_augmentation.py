"""Changes to a sound are as large as they were asked to be, and the map of time says where each second went."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.augmentation import (
    CROSSFADE_S,
    NOISES,
    SoundAugmentation,
    Stretch,
    TimeMap,
    augmented,
    by_phone,
    in_a_room,
    mixed,
    noise,
    noisy,
    power,
    slowed,
    spliced,
    transposed,
    without,
)
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.tests.made_audio import glide, tone

RATE = 16_000
SEEDS = st.integers(0, 100_000)
# Everything happens.
ALL = SoundAugmentation(splice=1, mix=1, noise=1, room=1, phone=1)
# Nothing happens.
NONE = SoundAugmentation(semitones=0, slower=1, splice=0, mix=0, noise=0, room=0, phone=0)


def by_chance(seed: int, channels: int = 1, frames: int = 4000) -> Sound:
    return Sound(0.1 * np.random.default_rng(seed).standard_normal((channels, frames), np.float32), RATE)


def pitch_of(sound: Sound) -> float:
    return float(np.nanmedian(track_melody(sound).pitch()))


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


def of_difference(after: Sound, before: Sound) -> float:
    """Power of what was added."""
    return power(Sound(after.samples - before.samples, before.sample_rate))


# --- key and tempo


@pytest.mark.parametrize("semitones", [-4.0, -1.5, 2.0, 4.0])
def test_a_transposed_tone_sounds_as_much_higher_and_is_as_long(semitones):
    given_tone = tone(1.5, RATE)
    higher = transposed(given_tone, semitones)
    assert higher.frames == given_tone.frames
    assert pitch_of(higher) - pitch_of(given_tone) == pytest.approx(semitones, abs=0.1)


@pytest.mark.parametrize("ratio", [0.8, 0.93, 1.25])
def test_a_slowed_tone_keeps_its_pitch(ratio):
    slow, _ = slowed(tone(1.5, RATE), ratio)
    assert pitch_of(slow) == pytest.approx(pitch_of(tone(1.5, RATE)), abs=0.1)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_slowed_sound_has_each_moment_where_the_map_says(ratio):
    """A glide has another pitch at each moment."""
    rising = glide(4.0, RATE)
    slow, time_map = slowed(rising, ratio)
    before, after = track_melody(rising), track_melody(slow)
    seconds = np.arange(0.3, 3.7, 0.1)
    was = np.interp(seconds, np.arange(len(before.f0_hz)) * before.hop_s, before.pitch())
    now = np.interp(time_map.at(seconds), np.arange(len(after.f0_hz)) * after.hop_s, after.pitch())
    heard = ~np.isnan(was) & ~np.isnan(now)
    assert heard.mean() > 0.8
    # It rises by three semitones a second: no frame is off by 70 ms, all together not by 20 ms.
    np.testing.assert_allclose(now[heard], was[heard], atol=0.2)
    assert np.mean(now[heard] - was[heard]) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_a_slowed_sound_begins_where_the_map_says(ratio):
    late = Sound(np.pad(tone(1.0, RATE).samples, ((0, 0), (RATE // 2, 0))), RATE)
    slow, time_map = slowed(late, ratio)
    blocks = np.sqrt(np.square(slow.samples[0][: slow.frames // 80 * 80].reshape(-1, 80)).mean(axis=1))
    begins_s = 80 / RATE * np.argmax(blocks > blocks.max() / 2)
    assert begins_s == pytest.approx(time_map.at(0.5), abs=0.02)


@given(frames=st.integers(0, 3000), ratio=st.floats(0.8, 1.25), channels=st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_lengths_are_exact(frames, ratio, channels):
    sound = by_chance(0, channels, frames)
    slow, time_map = slowed(sound, ratio)
    assert slow.samples.shape == (channels, round(frames * ratio))
    assert time_map.at(sound.duration_s) == pytest.approx(slow.duration_s, abs=1 / RATE)
    assert transposed(sound, 12 * np.log2(ratio)).samples.shape == sound.samples.shape


def test_a_sound_is_not_slowed_by_nothing():
    with pytest.raises(ValueError, match="above zero"):
        slowed(tone(0.1), 0.0)


# --- cuts


@given(start=st.floats(0, 0.2), length=st.floats(0.001, 0.2), seed=SEEDS)
def test_a_cut_takes_out_what_it_should_and_leaves_the_rest_as_it_was(start, length, seed):
    sound = by_chance(seed, frames=RATE // 2)
    left, time_map = without(sound, start, length)
    count, first = round(length * RATE), round(start * RATE)
    assert left.frames == sound.frames - count
    fade = round(CROSSFADE_S * RATE)
    np.testing.assert_array_equal(left.samples[:, :first], sound.samples[:, :first])
    np.testing.assert_array_equal(left.samples[:, first + fade :], sound.samples[:, first + count + fade :])
    assert time_map.at(0.48) == pytest.approx(0.48 - count / RATE)
    if first:
        assert time_map.at(first / RATE / 2) == pytest.approx(first / RATE / 2)
    assert np.isnan(time_map.at((first + count / 2) / RATE))


def test_a_cut_does_not_click():
    steady = tone(1.0, RATE)
    left, _ = without(steady, 0.4, 0.1003)
    assert np.abs(np.diff(left.samples)).max() < 1.2 * np.abs(np.diff(steady.samples)).max()


def test_a_cut_without_room_for_its_crossfade_changes_nothing():
    sound = tone(0.5, RATE)
    for start_s, length_s in ((0.45, 0.05), (0.3, 1.0), (0.1, 0.0)):
        left, time_map = without(sound, start_s, length_s)
        assert left is sound
        assert time_map == TimeMap.of(sound)


@given(seed=SEEDS, cuts=st.integers(0, 5))
@settings(max_examples=60)
def test_a_spliced_sound_has_each_sample_where_the_map_says(seed, cuts):
    sound = by_chance(seed, frames=2 * RATE)
    left, time_map = spliced(sound, cuts, 0.3, np.random.default_rng(seed))
    kept_s = sum(end_s - start_s for start_s, end_s, _, _ in time_map.stretches)
    assert left.duration_s == pytest.approx(kept_s, abs=1e-9)
    assert left.duration_s >= sound.duration_s - 0.3 * cuts
    fade = round(CROSSFADE_S * RATE)
    for start_s, end_s, offset_s, _ in time_map.stretches:
        # A stretch's first frames are faded in (but for the sound's own start), later ones are as they were.
        first, last = round(start_s * RATE) + fade, round(end_s * RATE)
        there = first + round(offset_s * RATE)
        np.testing.assert_array_equal(left.samples[:, there : there + last - first], sound.samples[:, first:last])


# --- maps of time

STRETCHES = st.lists(st.floats(0.05, 1), min_size=2, max_size=8)


def made_map(lengths: list[float], ratio: float) -> TimeMap:
    """Stretches and gaps by turns, one after another in the sound after."""
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    stretches, there_s = [], 0.0
    for start_s, end_s in zip(bounds[:-1:2], bounds[1::2], strict=False):
        stretches.append(Stretch(start_s, end_s, there_s - ratio * start_s, ratio))
        there_s += ratio * (end_s - start_s)
    return TimeMap(tuple(stretches))


@given(first=STRETCHES, second=STRETCHES, ratios=st.tuples(st.floats(0.8, 1.25), st.floats(0.8, 1.25)))
def test_one_change_after_another_is_both(first, second, ratios):
    one, other = made_map(first, ratios[0]), made_map(second, ratios[1])
    seconds = np.linspace(0, 8, 701)
    np.testing.assert_allclose(one.then(other).at(seconds), other.at(one.at(seconds)), atol=1e-9)


def test_what_was_cut_out_is_nowhere():
    cut = TimeMap((Stretch(0, 1), Stretch(2, 3, -1.0)))
    np.testing.assert_array_equal(cut.at(np.array([0.5, 1.5, 2.5, 3.5])), [0.5, np.nan, 1.5, np.nan])
    assert not cut.is_straight
    assert TimeMap.of(tone(1.0), 1.2).is_straight


# --- company and noise


@given(seed=SEEDS, below_db=st.floats(0, 30), channels=st.integers(1, 2), frames=st.integers(100, 9000))
@settings(max_examples=50, deadline=None)
def test_what_is_mixed_in_lies_as_far_below_as_asked(seed, below_db, channels, frames):
    sound, other = by_chance(seed, channels), by_chance(seed + 1, 2, frames)
    both = mixed(sound, other, below_db, np.random.default_rng(seed))
    assert decibels(power(sound) / of_difference(both, sound)) == pytest.approx(below_db, abs=0.01)


@pytest.mark.parametrize("kind", NOISES)
@given(seed=SEEDS, snr_db=st.floats(3, 30), channels=st.integers(1, 2))
@settings(max_examples=20, deadline=None)
def test_noise_lies_as_far_below_as_asked(kind, seed, snr_db, channels):
    sound = by_chance(seed, channels)
    louder = noisy(sound, snr_db, kind, np.random.default_rng(seed))
    assert decibels(power(sound) / of_difference(louder, sound)) == pytest.approx(snr_db, abs=0.01)


def test_noises_fall_as_they_should():
    """Power of the octaves from 100 to 6400 Hz: white gains 3 dB an octave, pink is even, a room's falls."""

    def slope(kind):
        spectrum = np.abs(np.fft.rfft(noise(kind, 8 * RATE, RATE, np.random.default_rng(0)))) ** 2
        hz = np.fft.rfftfreq(8 * RATE, 1 / RATE)
        octaves = [spectrum[(hz >= low) & (hz < 2 * low)].sum() for low in 100 * 2.0 ** np.arange(6)]
        return np.polyfit(np.arange(6), 10 * np.log10(octaves), 1)[0]

    assert slope("white") == pytest.approx(3, abs=0.3)
    assert slope("pink") == pytest.approx(0, abs=0.3)
    assert slope("room") < -0.5
    for kind in NOISES:
        assert np.mean(noise(kind, RATE, RATE, np.random.default_rng(0)) ** 2) == pytest.approx(1, abs=0.05)


def test_there_is_no_other_noise():
    with pytest.raises(ValueError, match="white, pink, room"):
        noise("brown", 10, RATE, np.random.default_rng(0))


def test_silence_stays_silent_and_silence_adds_nothing():
    silent, sound = Sound.from_mono(np.zeros(500), RATE), by_chance(0)
    rng = np.random.default_rng(0)
    assert mixed(sound, silent, 5, rng) is sound
    assert mixed(silent, sound, 5, rng) is silent
    assert noisy(silent, 5, "white", rng) is silent


def test_the_other_sound_comes_at_its_own_pitch():
    """It is brought to the sound's rate."""
    both = mixed(Sound.from_mono(1e-3 * np.ones(2 * RATE), RATE), tone(2.0, 44_100, hz=330.0), -40, _rng())
    assert pitch_of(both) == pytest.approx(64.02, abs=0.1)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


# --- rooms and telephones


def test_a_room_answers_after_the_sound_at_its_level():
    click = np.zeros(RATE, np.float32)
    click[100] = 1
    answered = in_a_room(Sound.from_mono(click, RATE), 0.3, 0.5, _rng()).samples[0]
    assert np.abs(answered[:100]).max() < 1e-6
    assert np.linalg.norm(answered - click) == pytest.approx(0.5, abs=1e-3)
    early, late = (np.square(answered[100 + k : 100 + k + 480]).sum() for k in (480, 2880))
    # 60 dB in 0.3 s; these lie 0.15 s apart.
    assert decibels(early / late) == pytest.approx(30, abs=2)


@pytest.mark.parametrize(("hz", "passes"), [(100, False), (1000, True), (7000, False)])
def test_a_telephone_has_its_band(hz, passes):
    wave = Sound.from_mono(np.sin(2 * np.pi * hz * np.arange(RATE) / RATE), RATE)
    lost_db = decibels(power(wave) / power(by_phone(wave, (300, 3400))))
    assert lost_db < 0.5 if passes else lost_db > 15


@pytest.mark.parametrize("rate", [500, 4000, 8000])
def test_a_telephone_takes_low_rates(rate):
    assert by_phone(Sound.from_mono(np.ones(100), rate), (300, 3400)).frames == 100


# --- all of it


@given(seed=SEEDS, frames=st.sampled_from([0, 1, 2, 50, 3000]), channels=st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_any_sound_can_be_augmented(seed, frames, channels):
    sound = by_chance(seed, channels, frames)
    changed, time_map = augmented(sound, [by_chance(1), sound], ALL, np.random.default_rng(seed))
    assert changed.samples.shape[0] == channels
    assert changed.samples.dtype == np.float32
    assert np.isfinite(changed.samples).all()
    kept_s = sum(ratio * (end_s - start_s) for start_s, end_s, _, ratio in time_map.stretches)
    assert changed.duration_s == pytest.approx(kept_s, abs=2 / RATE)


def test_the_same_seed_gives_the_same_sound_and_another_another():
    sound = tone(0.5, RATE)
    one, again, other = (augmented(sound, [], ALL, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.samples, again.samples)
    assert one.samples.shape != other.samples.shape or not np.array_equal(one.samples, other.samples)


def test_settings_of_nothing_change_nothing():
    sound = tone(0.5, RATE)
    changed, time_map = augmented(sound, [sound], NONE, _rng())
    np.testing.assert_array_equal(changed.samples, sound.samples)
    assert time_map == TimeMap.of(sound)


def test_without_others_there_is_no_company():
    only_mix = dataclasses.replace(NONE, mix=1)
    sound = tone(0.5, RATE)
    np.testing.assert_array_equal(augmented(sound, [], only_mix, _rng())[0].samples, sound.samples)
    assert not np.array_equal(augmented(sound, [by_chance(3)], only_mix, _rng())[0].samples, sound.samples)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="1 or above"):
        SoundAugmentation(slower=0.8)
