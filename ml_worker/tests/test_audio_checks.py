"""Recordings of songs that cannot be used are refused with a sentence that says what to do."""

import numpy as np
import pytest

from ml_worker.audio.checks import check_recording
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.tests.made_audio import tone


def refusal(sound: Sound) -> str:
    with pytest.raises(UnusableAudio) as refused:
        check_recording(sound)
    return str(refused.value)


def test_a_song_passes():
    check_recording(tone(10.0, channels=2))


def test_a_quiet_song_passes():
    check_recording(tone(10.0, level=0.01))


def test_one_silent_channel_does_not_matter():
    loud = tone(5.0).mono()
    check_recording(Sound(np.stack([np.zeros_like(loud), loud]), 44_100))


@pytest.mark.parametrize("level", [0.0, 1e-5], ids=["digital silence", "dither"])
def test_silence(level):
    noise = level * np.random.default_rng(0).standard_normal(44_100 * 5)
    assert "is silent" in refusal(Sound.from_mono(noise, 44_100))


def test_a_constant_offset_only():
    assert "DC" in refusal(Sound(np.full((2, 44_100 * 5), 0.4, np.float32), 44_100))


def test_sound_upon_an_offset_passes():
    check_recording(Sound(tone(5.0).samples + np.float32(0.3), 44_100))


def test_shorter_than_a_fragment():
    assert "at least 4" in refusal(tone(3.0))


def test_four_seconds_less_what_an_encoder_drops():
    check_recording(tone(3.9))


def test_longer_than_an_hour():
    hour_and_a_bit = Sound(np.zeros((1, 3_700 * 100), np.float32), 100)
    assert "longer than one hour" in refusal(hour_and_a_bit)


def test_no_frames():
    assert "0.0 seconds" in refusal(Sound(np.zeros((1, 0), np.float32), 44_100))
