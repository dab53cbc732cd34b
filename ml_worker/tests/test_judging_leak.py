"""What the search for the reference in a take promises: found where and as loud as it is, and not where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_original, sing, tunes
from ml_worker.judging import find_leak, judge_hum
from ml_worker.judging.measure.spoiled import leaked
from ml_worker.judging.thresholds import LEAK_DB, SOME_LEAK_DB
from ml_worker.tests.made_hums import RATE, hummed, phrase, voice
from ml_worker.tests.shared_data import shared_data

REFERENCE = phrase(0)
START_S = 0.4


def music(seconds: float = 6.0, seed: int = 0) -> Sound:
    """A reference with a beat: bursts of noise that die away, over a voice."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    beat = rng.normal(0, 0.1, len(times)) * np.exp(-8 * (times % 0.4))
    melody = voice(phrase(40 + seed, seconds)).mono()
    return Sound.from_mono(beat + np.pad(melody, (0, len(beat)))[: len(beat)], RATE)


def take(level_db: float | None, delay_s: float = 0.2, seed: int = 0) -> Sound:
    """A hum with the music in it, or without."""
    hum = voice(hummed(REFERENCE, offset_s=0.9, after_s=1.0), seed=seed)
    if level_db is None:
        return hum
    return leaked(hum, music(seed=seed), START_S + delay_s, level_db, np.random.default_rng(seed))


@settings(max_examples=12, deadline=None)
@given(delay_s=st.floats(0, 0.6), level_db=st.floats(-25, 0), seed=st.integers(0, 50))
def test_a_leak_is_found_with_its_delay_and_level(delay_s, level_db, seed):
    leak = find_leak(take(level_db, delay_s, seed), music(seed=seed), START_S)
    assert leak is not None
    assert leak.delay_s == pytest.approx(delay_s, abs=0.001)
    assert leak.level_db == pytest.approx(level_db, abs=5)
    assert leak.confidence > 0.5


@pytest.mark.parametrize("seed", range(5))
def test_no_leak_is_found_where_there_is_none(seed):
    assert find_leak(take(None, seed=seed), music(seed=seed), START_S) is None


def test_the_louder_a_leak_the_higher_its_level_and_confidence():
    leaks = [find_leak(take(level_db), music(), START_S) for level_db in (-24, -18, -12, -6, 0)]
    assert [leak.level_db for leak in leaks] == sorted(leak.level_db for leak in leaks)
    assert [leak.confidence for leak in leaks] == sorted(leak.confidence for leak in leaks)


def test_none_is_looked_for_where_the_reference_did_not_play():
    assert find_leak(take(0), music(), None) is None


def test_a_reference_that_plays_after_the_take_or_before_it_is_no_leak():
    assert find_leak(take(0), music(), 60.0) is None
    assert find_leak(take(0), music(), -60.0) is None


def test_rate_and_channels_of_both_do_not_matter():
    heard, played = take(-12).resampled(48_000), music().resampled(44_100)
    heard = Sound(np.repeat(heard.samples, 2, axis=0), heard.sample_rate)
    leak = find_leak(heard, Sound(np.repeat(played.samples, 2, axis=0), played.sample_rate), START_S)
    assert leak.delay_s == pytest.approx(0.2, abs=0.001)
    assert leak.level_db == pytest.approx(-12, abs=3)


@settings(max_examples=30, deadline=None)
@given(
    heard=arrays(np.float32, st.tuples(st.integers(1, 2), st.integers(0, 40_000)), elements=st.just(0.0)),
    level=st.sampled_from([0.0, 1e-30, 0.1, 1e6, np.nan, np.inf]),
    start_s=st.sampled_from([None, -1e9, -3.0, 0.0, 0.5, 1e9, np.nan, np.inf]),
    rate=st.sampled_from([8000, 16_000, 44_100]),
)
def test_any_sounds_are_answered(heard, level, start_s, rate):
    noise = np.random.default_rng(heard.size).normal(size=heard.shape).astype(np.float32)
    with np.errstate(all="ignore"):
        heard = (heard + noise * np.float32(level)).astype(np.float32)
    for one, other in ((heard, noise), (noise, heard)):
        leak = find_leak(Sound(one, rate), Sound(other, rate), start_s)
        assert leak is None or np.isfinite([leak.delay_s, leak.level_db, leak.confidence]).all()


# --- in the judgement


def test_the_limits_are_in_order():
    assert SOME_LEAK_DB < LEAK_DB


@pytest.mark.parametrize(("level_db", "fatal"), [(None, None), (-40, None), (LEAK_DB - 4, False), (LEAK_DB + 5, True)])
def test_a_leak_is_told_or_refused_by_its_level(level_db, fatal):
    judged = judge_hum(take(level_db), REFERENCE, reference_start_s=START_S, reference_sound=music())
    assert [reason.fatal for reason in judged.reasons if reason.code == "leak"] == ([] if fatal is None else [fatal])
    assert (judged.measures["leak_db"] is None) == (level_db is None)


def test_a_singer_who_lets_the_loudspeaker_sing_is_refused():
    """The reference alone is the right tune in time; only the leak tells."""
    played = voice(REFERENCE, level=0.3)
    silence = Sound.from_mono(1e-3 * np.random.default_rng(0).normal(size=9 * RATE), RATE)
    heard = leaked(silence, played, START_S + 0.2, 30, np.random.default_rng(0))
    judged = judge_hum(heard, REFERENCE, reference_start_s=START_S, reference_sound=played)
    assert judged.similarity > 0.5
    assert [reason.code for reason in judged.reasons if reason.fatal] == ["leak"]


def test_a_leak_gives_the_latency():
    judged = judge_hum(take(-18), REFERENCE, reference_start_s=START_S, reference_sound=music())
    by = {estimate.method: estimate for estimate in judged.estimates if estimate.quantity == "latency_s"}
    assert by["leak"].value == pytest.approx(0.2, abs=0.001)
    assert by["leak"].confidence > by["curves"].confidence
    assert judged.measures["leak_delay_s"] == by["leak"].value


def test_somebody_who_hums_along_in_the_same_key_is_no_leak():
    tune = render_original(tunes()[1])
    phrases = [k for k, (start_s, end_s) in enumerate(tune.phrases) if end_s - start_s >= 4][:2]
    for number in phrases:
        start_s, end_s = tune.phrases[number]
        sung = sing(tune.phrase_notes(number), seed=number, style="along")
        for played in (tune.mix, tune.lead):
            assert find_leak(sung.sound, played.cut(start_s, end_s), sung.offset_s - 0.2) is None


# --- real voices and songs


def test_a_real_song_beside_a_real_hum():
    hum = decode(shared_data("hums", "henter", "melody_1.wav"))
    hum = Sound.from_mono(hum.mono(), hum.sample_rate)
    song = decode(shared_data("songs", "monkeyshines", "audio.mp3")).cut(12, 18).resampled(hum.sample_rate)
    assert find_leak(hum, song, 0.3) is None
    heard = leaked(hum, song, 0.3 + 0.15, -8, np.random.default_rng(0))
    leak = find_leak(heard, song, 0.3)
    assert leak.delay_s == pytest.approx(0.15, abs=0.001)
    assert leak.level_db == pytest.approx(-8, abs=3)
    judged = judge_hum(heard, track_melody(hum).cut(0.1, 7), reference_start_s=0.3, reference_sound=song)
    assert "leak" in [reason.code for reason in judged.reasons if reason.fatal]
