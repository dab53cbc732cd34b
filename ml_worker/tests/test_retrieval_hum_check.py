"""What is no melody is said to be none, in a sentence; what people hum is let through. And how sure an answer is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.augmentation import NOISES, noise
from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import sing
from ml_worker.judging.measure.data import VOICES
from ml_worker.judging.sentences import NO_VOICE, SILENT
from ml_worker.retrieval.hum_check import SPEECH, TONE, TOO_LITTLE, TOO_SHORT, check_hum, held, hum_signs
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.network_matcher import heard_hum
from ml_worker.retrieval.sureness import CANDIDATES, fit_temperature, sureness
from ml_worker.tests.made_hums import curve_melody
from ml_worker.tests.made_tunes import made_tune
from ml_worker.tests.shared_data import shared_data

RATE, HOP_S = 16_000, 0.016


def what_is_said(melody: Melody, sound: Sound | None = None) -> str | None:
    try:
        check_hum(melody, sound)
    except NothingHeard as said:
        return str(said)
    return None


def said_of(samples: np.ndarray) -> str | None:
    sound = Sound.from_mono(samples, RATE)
    return what_is_said(track_melody(sound), sound)


def speaking(seconds: float, seed: int = 0) -> Melody:
    """A pitch that never rests: syllables of 0.2 s, each of which falls by some semitones."""
    times = np.arange(0, seconds, HOP_S)
    syllable, within = np.divmod(times, 0.25)
    heights = np.random.default_rng(seed).normal(50, 2, int(syllable[-1]) + 1)
    pitch = heights[syllable.astype(int)] - 6 * within / 0.2
    return curve_melody(np.where(within < 0.2, pitch, np.nan).astype(np.float32), HOP_S)


def humming(notes: list[float], note_s: float = 0.4) -> Melody:
    """Notes with a vibrato of a third of a semitone."""
    times = np.arange(0, note_s * len(notes), HOP_S)
    pitch = np.array(notes)[np.minimum((times / note_s).astype(int), len(notes) - 1)]
    return curve_melody((pitch + 0.33 * np.sin(2 * np.pi * 5.5 * times)).astype(np.float32), HOP_S)


# --- what is refused


def test_a_recording_of_a_moment_is_too_short():
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE // 5) / RATE)
    assert said_of(tone) == TOO_SHORT
    assert what_is_said(humming([60, 62]).cut(0, 0.2)) == TOO_SHORT


def test_nothing_at_all_is_too_short():
    assert said_of(np.zeros(0)) == TOO_SHORT
    assert what_is_said(humming([60]).cut(0, 0)) == TOO_SHORT


@pytest.mark.parametrize("level", [0.0, 1e-5, 3e-4])
def test_a_silent_recording_is_called_silent(level):
    assert said_of(level * np.random.default_rng(0).standard_normal(3 * RATE)) == SILENT


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("level", [0.02, 0.2])
def test_noise_is_called_sound_without_humming(kind, level):
    assert said_of(level * noise(kind, 4 * RATE, RATE, np.random.default_rng(1))) == NO_VOICE


def test_clicks_are_no_melody():
    samples = np.zeros(4 * RATE)
    samples[:: RATE // 5] = 0.9
    assert said_of(samples) == NO_VOICE


@pytest.mark.parametrize("hz", [100.0, 120.0])
def test_the_hum_of_a_supply_is_a_tone_and_no_tune(hz):
    times = np.arange(4 * RATE) / RATE
    samples = sum(0.1 * np.sin(2 * np.pi * hz * order * times) / order for order in range(1, 6))
    assert said_of(samples + 1e-3 * np.random.default_rng(0).standard_normal(len(times))) == TONE


@pytest.mark.parametrize("seed", range(5))
def test_a_pitch_that_never_rests_is_speech(seed):
    assert what_is_said(speaking(5.0, seed)) == SPEECH


def test_without_the_sound_little_voice_is_only_called_too_little():
    assert what_is_said(curve_melody(np.full(200, np.nan, np.float32))) == TOO_LITTLE
    assert what_is_said(curve_melody(np.r_[np.full(40, 60.0), np.full(200, np.nan)].astype(np.float32))) == TOO_LITTLE


def doubted(melody: Melody, method: str = "swift-f0, voiced from 0.5") -> Melody:
    """The melody as a tracker has it who hardly believes in it."""
    return Melody(HOP_S, melody.f0_hz, melody.voiced, np.full_like(melody.confidence, 0.55), method)


def test_a_tracker_that_hardly_believes_itself_has_heard_no_voice():
    times = np.arange(0, 4, HOP_S)
    struck = curve_melody((60 - 13 * np.mod(times, 0.3)).astype(np.float32), HOP_S)  # as toms fall
    assert what_is_said(doubted(struck)) == NO_VOICE
    assert what_is_said(doubted(struck, "another")) is None


def test_of_a_tune_of_long_pure_tones_a_tracker_may_be_unsure():
    assert what_is_said(doubted(humming([60, 62, 64, 65], note_s=1.5))) is None


def test_real_speech_is_refused():
    """One speaker; pieces of 5 s, on which no limit was chosen."""
    talk = decode(shared_data("alignment", "offset", "timbl_1.mp3"))
    said = [what_is_said(track_melody(talk.cut(start_s, start_s + 5))) for start_s in range(25, 43, 5)]
    assert said == [SPEECH] * len(said)


# --- what passes


@given(
    notes=st.lists(st.integers(45, 72), min_size=4, max_size=20).filter(lambda notes: len(set(notes)) > 1),
    note_s=st.floats(0.3, 1.0),
)
@settings(max_examples=50, deadline=None)
def test_notes_that_are_held_pass(notes, note_s):
    check_hum(humming(notes, note_s))


@pytest.mark.parametrize("note", [45.0, 60.0])
def test_one_note_of_a_voice_passes(note):
    check_hum(humming([note] * 4))


@pytest.mark.parametrize("number", range(4))
def test_poor_singers_pass_over_a_phone(number):
    notes = [(note.start_s, note.end_s, note.pitch) for note in made_tune(number, 5)]
    take = sing(notes, seed=number, style="poor", band="phone")
    check_hum(track_melody(take.sound), take.sound)


def test_real_voices_pass_whole_and_in_pieces():
    for name in VOICES:
        sound = decode(shared_data(*name.split("/")))
        check_hum(track_melody(sound), sound)
        piece = sound.cut(0.5, 4.5)
        check_hum(track_melody(piece), piece)


def test_a_matcher_refuses_what_the_check_refuses():
    with pytest.raises(NothingHeard, match="speaking"):
        heard_hum(speaking(5.0))
    assert heard_hum(humming([60, 62, 64, 65])).duration_s == pytest.approx(1.6, abs=0.05)


# --- signs


@given(seed=st.integers(0, 1000), semitones=st.floats(-12, 12))
@settings(max_examples=30, deadline=None)
def test_signs_do_not_depend_on_the_key(seed, semitones):
    rng = np.random.default_rng(seed)
    pitch = np.where(rng.random(300) < 0.8, 60 + np.cumsum(rng.normal(0, 0.3, 300)), np.nan)
    one, other = (hum_signs(curve_melody(values.astype(np.float32))) for values in (pitch, pitch + semitones))
    assert one.voiced_s == other.voiced_s
    # A window that moves by just what is allowed may fall on either side in 32 bits.
    assert one.held_share == pytest.approx(other.held_share, abs=0.1)
    assert one.pace == pytest.approx(other.pace, abs=0.05)
    assert one.range_st == pytest.approx(other.range_st, abs=1e-3)


@given(seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_held_is_what_it_says(seed):
    """Against the same written plainly."""
    rng = np.random.default_rng(seed)
    pitch = np.where(rng.random(120) < 0.97, 60 + np.cumsum(rng.normal(0, 0.3, 120)), np.nan)
    plain = np.zeros(120, dtype=bool)
    for start in range(120 - 8 + 1):
        window = pitch[start : start + 8]
        if not np.isnan(window).any() and window.max() - window.min() <= 1.0:
            plain[start : start + 8] = True
    np.testing.assert_array_equal(held(pitch, HOP_S), plain)


def test_the_signs_of_silence_are_zero():
    signs = hum_signs(curve_melody(np.full(100, np.nan, np.float32)))
    assert signs.voiced_s == signs.held_share == signs.pace == signs.range_st == signs.confidence == 0


# --- how sure

LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=60).map(np.array)


@given(scores=LOGITS, temperature=st.floats(0.1, 10))
def test_sureness_is_the_softmax_of_the_best(scores, temperature):
    shares = np.exp(scores / temperature - np.max(scores / temperature))
    assert sureness(scores, temperature) == pytest.approx((shares / shares.sum()).max(), rel=1e-9)


@given(scores=LOGITS, moved=st.floats(-50, 50))
def test_sureness_knows_only_differences(scores, moved):
    assert sureness(scores + moved) == pytest.approx(sureness(scores), rel=1e-6)


@given(scores=LOGITS.filter(lambda scores: len(scores) > 1), temperature=st.floats(0.5, 3))
def test_a_higher_temperature_is_less_sure(scores, temperature):
    assert sureness(scores, 2 * temperature) <= sureness(scores, temperature) + 1e-12


def test_of_alike_none_is_sure_and_what_cannot_be_compared_does_not_count():
    assert sureness(np.zeros(4)) == pytest.approx(0.25)
    assert sureness(np.array([0.0, -np.inf, 0.0])) == pytest.approx(0.5)
    assert sureness(np.full(3, -np.inf)) == sureness(np.zeros(0)) == 0


def test_thousands_that_are_no_candidates_do_not_add_up():
    few = np.concatenate([[5.0], np.zeros(CANDIDATES - 1)])
    many = np.concatenate([few, np.zeros(10_000)])
    assert sureness(many) == pytest.approx(sureness(few))


def test_a_temperature_above_zero_is_asked_for():
    with pytest.raises(ValueError, match="above zero"):
        sureness(np.zeros(2), 0.0)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_a_fitted_temperature_makes_sureness_the_share_that_is_right(true_temperature):
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(3000):
        scores = rng.normal(0, 2, 10)
        shares = np.exp(scores / true_temperature)
        cases.append((scores, int(rng.choice(10, p=shares / shares.sum()))))
    temperature = fit_temperature(cases)
    assert temperature == pytest.approx(true_temperature, rel=0.1)
    right = np.mean([np.argmax(scores) == answer for scores, answer in cases])
    assert np.mean([sureness(scores, temperature) for scores, _ in cases]) == pytest.approx(right, abs=0.02)


def test_a_temperature_is_not_fitted_on_nothing():
    with pytest.raises(ValueError, match="there is none"):
        fit_temperature([(np.array([-np.inf, 0.0]), 0)])
