"""What the automatic check of a hum promises: the right tune passes, and each fault gets its reason in words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.judging import judge_hum, judge_melody
from ml_worker.judging.alignment import align
from ml_worker.judging.quality import runs
from ml_worker.tests.made_hums import RATE, curve_melody, hummed, phrase, voice
from ml_worker.tests.shared_data import shared_data

REFERENCE = phrase(0)


def good_take(**how: float) -> Sound:
    return voice(hummed(REFERENCE, offset_s=0.8, transposition=-5, **how))


def with_noise(sound: Sound, level: float) -> Sound:
    noise = np.random.default_rng(1).normal(0, level, sound.frames).astype(np.float32)
    return Sound(sound.samples + noise, sound.sample_rate)


def with_holes(sound: Sound, hole_s: float) -> Sound:
    """Nothing for hole_s in the middle of each of the four longest notes."""
    samples = sound.samples.copy()
    starts, ends = runs(np.convolve(np.abs(samples[0]), np.ones(800) / 800, mode="same") > 0.05)
    for note in np.argsort(starts - ends)[:4]:
        middle = (starts[note] + ends[note]) // 2
        samples[:, middle : middle + round(hole_s * RATE)] = 0
    return Sound(samples, sound.sample_rate)


def loud_at_times(sound: Sound) -> Sound:
    """Over full scale for a fortieth of a second in the middle."""
    samples = sound.samples.copy()
    middle = samples.shape[1] // 2
    samples[:, middle : middle + RATE // 40] *= 8
    return Sound(np.clip(samples, -1, 1), sound.sample_rate)


def clipped(sound: Sound, gain: float) -> Sound:
    return Sound(np.clip(sound.samples * gain, -1, 1), sound.sample_rate)


def steady_tone(seconds: float = 6.0) -> Sound:
    return voice(curve_melody(np.full(round(seconds / 0.016), 57, dtype=np.float32)))


def out_of_time() -> Sound:
    """The right notes, each third of the phrase ahead or behind by turns."""
    melody = hummed(phrase(3, 8), offset_s=0.5)
    seconds = np.arange(len(melody.f0_hz)) * melody.hop_s
    bent = np.interp(seconds + 0.45 * np.sin(2 * np.pi * seconds / 4), seconds, np.arange(len(seconds)))
    return voice(curve_melody(melody.pitch()[np.rint(bent).astype(int)]))


def codes(judgement) -> list[str]:
    return [reason.code for reason in judgement.reasons if reason.fatal]


def told(judgement) -> list[str]:
    return [reason.code for reason in judgement.reasons if not reason.fatal]


def test_a_good_take_is_accepted_with_where_and_how_it_lies():
    judged = judge_hum(good_take(tempo_ratio=1.1), REFERENCE)
    assert judged.ok, judged.reasons
    assert judged.offset_s == pytest.approx(0.8, abs=0.05)
    assert judged.tempo_ratio == pytest.approx(1.1, rel=0.02)
    assert judged.transposition == pytest.approx(-5, abs=0.3)
    assert judged.similarity > 0.6
    assert judged.coverage > 0.9
    assert judged.melody.voiced.any()


@pytest.mark.parametrize(
    ("take", "code"),
    [
        pytest.param(Sound.from_mono(np.zeros(5 * RATE), RATE), "silent", id="digital silence"),
        pytest.param(with_noise(Sound.from_mono(np.zeros(5 * RATE), RATE), 1e-3), "silent", id="a quiet room"),
        pytest.param(Sound.from_mono(np.full(5 * RATE, 0.4), RATE), "silent", id="a constant"),
        pytest.param(voice(hummed(REFERENCE), level=0.005, noise=1e-6), "too_quiet", id="far away"),
        pytest.param(clipped(good_take(), 12), "clipped", id="too loud"),
        pytest.param(with_noise(good_take(), 0.12), "noise", id="beside a waterfall"),
        pytest.param(with_noise(Sound.from_mono(np.zeros(5 * RATE), RATE), 0.2), "noise", id="only the waterfall"),
        pytest.param(good_take().cut(0, 0.1), "silent", id="a slip"),
        pytest.param(good_take().cut(1, 1.5), "cut_off", id="half a second"),
        pytest.param(good_take().cut(0, 2.8), "cut_off", id="the first third"),
        pytest.param(good_take().cut(0, 4.9), "cut_off", id="without its end"),
        pytest.param(good_take().cut(2.7, 9), "cut_off", id="without its beginning"),
        pytest.param(Sound.from_mono(np.zeros(130 * RATE), RATE), "too_long", id="two minutes"),
        pytest.param(voice(hummed(phrase(77))), "wrong_tune", id="another phrase"),
        pytest.param(steady_tone(), "wrong_tune", id="one note"),
        pytest.param(with_holes(good_take(), 0.06), "dropouts", id="a busy phone"),
    ],
)
def test_each_fault_is_refused_with_its_reason(take, code):
    judged = judge_hum(take, REFERENCE)
    assert not judged.ok
    assert code in codes(judged)
    for reason in judged.reasons:
        assert reason.sentence.endswith(".")
        assert "!" not in reason.sentence


def test_the_right_notes_out_of_time_are_told_so():
    assert codes(judge_hum(out_of_time(), phrase(3, 8))) == ["off_time"]


def test_a_sentence_says_which_part_is_missing():
    end = judge_hum(good_take().cut(0, 4.9), REFERENCE).reasons[0].sentence
    beginning = judge_hum(good_take().cut(2.7, 9), REFERENCE).reasons[0].sentence
    assert "its end is missing" in end
    assert "its beginning is missing" in beginning


@pytest.mark.parametrize(
    ("take", "code"),
    [
        pytest.param(loud_at_times(good_take()), "clipped", id="loud at times"),
        pytest.param(with_noise(good_take(), 0.04), "noise", id="a fan"),
        pytest.param(with_holes(good_take(), 0.01), "dropouts", id="small gaps"),
        pytest.param(good_take(), "narrow_band", id="sampled at 16 kHz"),
    ],
)
def test_a_small_fault_is_told_and_the_take_kept(take, code):
    judged = judge_hum(take, REFERENCE)
    assert judged.ok, judged.reasons
    assert code in told(judged)


def test_somebody_far_behind_the_melody_is_told_and_kept():
    take = good_take()
    assert "off_time" in told(judge_hum(take, REFERENCE, reference_start_s=-1.5))
    assert "off_time" not in told(judge_hum(take, REFERENCE, reference_start_s=0.6))
    assert judge_hum(take, REFERENCE, reference_start_s=-1.5).ok


@pytest.mark.parametrize("seed", range(6))
def test_steady_tones_noise_and_sirens_are_never_the_melody(seed):
    reference = phrase(seed, 5)
    rng = np.random.default_rng(seed)
    siren = 57 + 5 * np.sin(np.arange(400) * 0.016 * rng.uniform(1, 8))
    for pitch in (np.full(400, rng.uniform(45, 70)), siren, rng.uniform(45, 70, 400)):
        assert not judge_melody(curve_melody(pitch.astype(np.float32)), reference).ok


@pytest.mark.parametrize("seed", range(8))
def test_another_phrase_is_refused_and_the_own_one_accepted(seed):
    reference = phrase(seed, 6)
    assert judge_melody(hummed(reference, tempo_ratio=0.9, transposition=7), reference).ok
    other = judge_melody(hummed(phrase(seed + 100, 6)), reference)
    assert codes(other) == ["wrong_tune"]


STRANGE = {
    "empty": np.zeros((1, 0)),
    "one sample": np.ones((1, 1)),
    "a tenth of a second": np.zeros((1, RATE // 10)),
    "not a number": np.full((1, RATE * 2), np.nan),
    "infinite": np.full((2, RATE * 2), np.inf),
    "seven channels": np.random.default_rng(0).normal(0, 0.1, (7, RATE * 2)),
    "far over full scale": np.random.default_rng(0).normal(0, 1e6, (1, RATE * 2)),
    "clicks": np.eye(1, RATE * 2, 500),
}


@pytest.mark.parametrize("samples", STRANGE.values(), ids=STRANGE.keys())
def test_strange_sounds_are_answered(samples):
    judged = judge_hum(Sound(samples.astype(np.float32), RATE), REFERENCE)
    assert not judged.ok
    json.dumps(judged.measures, allow_nan=False)


@pytest.mark.parametrize("rate", [8000, 22_050, 192_000])
def test_any_rate_and_channels_are_judged_alike(rate):
    sound = good_take().resampled(rate)
    stereo = Sound(np.repeat(sound.samples, 2, axis=0), rate)
    assert judge_hum(stereo, REFERENCE).ok


# --- estimates


def estimate(judged, quantity, method="curves"):
    found = [each for each in judged.estimates if (each.quantity, each.method) == (quantity, method)]
    return found[0] if len(found) == 1 else None


def test_estimates_name_their_method_and_confidence():
    judged = judge_hum(good_take(tempo_ratio=1.05), REFERENCE)
    assert estimate(judged, "offset_s").value == judged.offset_s
    assert estimate(judged, "tempo_ratio").value == judged.tempo_ratio
    assert estimate(judged, "transposition").value == judged.transposition
    assert {each.confidence for each in judged.estimates} == {judged.measures["confidence"]}
    assert estimate(judged, "latency_s") is None


def test_hummed_along_the_curves_say_a_latency_with_the_singers_reaction_in_it():
    judged = judge_hum(good_take(), REFERENCE, reference_start_s=0.6)
    latency = estimate(judged, "latency_s")
    assert latency.value == pytest.approx(judged.offset_s - 0.6)
    assert latency.confidence <= 0.3


def test_nothing_is_estimated_of_a_take_without_voice():
    assert judge_hum(Sound.from_mono(np.zeros(5 * RATE), RATE), REFERENCE).estimates == []


def test_with_a_known_latency_a_take_is_late_against_what_its_singer_heard():
    take = good_take()
    assert "off_time" in told(judge_hum(take, REFERENCE, reference_start_s=-0.4))
    judged = judge_hum(take, REFERENCE, reference_start_s=-0.4, latency_s=1.1)
    assert "off_time" not in told(judged)
    assert judged.offset_s == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("tempo_ratio", [0.9, 0.97, 1.03, 1.1])
def test_who_begins_with_the_reference_and_does_not_keep_up_is_found_too(tempo_ratio):
    take = judge_melody(hummed(REFERENCE, offset_s=0.8, tempo_ratio=tempo_ratio), REFERENCE, reference_start_s=0.6)
    assert take.tempo_ratio == pytest.approx(tempo_ratio, rel=0.01)
    assert take.offset_s == pytest.approx(0.8, abs=0.05)


def test_figures_are_ready_for_json():
    measures = judge_hum(good_take(), REFERENCE).measures
    assert json.loads(json.dumps(measures, allow_nan=False)) == measures


def test_a_reference_without_melody_is_refused_in_words():
    with pytest.raises(ValueError, match="Choose a longer fragment"):
        judge_hum(good_take(), REFERENCE.cut(0, 0.4))


# --- real hums


@pytest.fixture(scope="module")
def henter() -> list[Sound]:
    return [decode(shared_data("hums", "henter", f"melody_{number}.wav")) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def song(henter):
    return track_melody(henter[0])


def test_a_second_take_of_the_tune_is_accepted_and_another_tune_refused(henter, song):
    assert judge_hum(henter[0], song).similarity > 0.9
    same = judge_hum(henter[1], song)
    assert same.ok, same.reasons
    assert same.measures["confidence"] > 0.3
    other = judge_hum(henter[2], song)
    assert codes(other) == ["wrong_tune"]
    assert "does not sound like the phrase" in other.reasons[0].sentence


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 4), (0, 5.5), (1.5, 7.4), (2.4, 6.9), (3.2, 7.4)])
def test_every_fragment_of_the_song_is_found_in_the_take_and_only_there(henter, song, start_s, end_s):
    fragment = song.cut(start_s, end_s)
    whole = align(track_melody(henter[1]), song)
    judged = judge_hum(henter[1], fragment)
    assert judged.ok, judged.reasons
    assert judged.offset_s == pytest.approx(whole.offset_s + start_s * whole.tempo_ratio, abs=0.15)
    assert codes(judge_hum(henter[2], fragment)) == ["wrong_tune"]


@pytest.mark.parametrize(("start_s", "seconds", "silence_s"), [(2.0, 11, 0.5), (4.5, 12, 0.0), (0.3, 8, 2.0)])
def test_a_take_that_starts_in_mid_tune_and_goes_round_is_accepted(henter, song, start_s, seconds, silence_s):
    """A microphone that plays a file in a loop, as in the tests of the browser."""
    for number, wanted in ((1, []), (2, ["wrong_tune"])):
        hum = henter[number]
        first = round(start_s * hum.sample_rate)
        looped = np.take(hum.mono(), np.arange(first, first + round(seconds * hum.sample_rate)), mode="wrap")
        take = Sound.from_mono(np.concatenate([np.zeros(round(silence_s * hum.sample_rate)), looped]), hum.sample_rate)
        judged = judge_hum(take, song.cut(0.1, 7.0), reference_start_s=0.4)
        assert codes(judged) == wanted


@pytest.mark.parametrize("name", ["vocadito/vocadito_10.wav", "vocadito/vocadito_14.wav", "hum2sol/hum.wav"])
def test_other_real_voices_are_not_the_song(song, name):
    assert codes(judge_hum(decode(shared_data("hums", *name.split("/"))), song)) == ["wrong_tune"]
