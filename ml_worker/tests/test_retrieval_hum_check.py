"""What is no melody is said to be none, in a sentence; what people hum is let through. And how sure an answer is."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ml_worker.audio.augmentation import NOISES, noise
from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import sing
from ml_worker.judging.measure.data import VOICES
from ml_worker.judging.sentences import NO_VOICE, SILENT
from ml_worker.retrieval.hum_check import (
    GLIDE_MOVES_ST,
    GLIDE_ROUGH_SHARE,
    GLIDE_ROUGH_ST,
    GLIDING,
    SOME_MAINS,
    SPEECH,
    TONE,
    TOO_LITTLE,
    TOO_SHORT,
    HumSigns,
    check_hum,
    doubt_of,
    gliding,
    held,
    hum_signs,
)
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.network_matcher import heard_hum
from ml_worker.retrieval.sureness import CANDIDATES, fit_temperature, sureness
from ml_worker.tests.made_hums import curve_melody
from ml_worker.tests.made_tunes import made_tune
from ml_worker.tests.shared_data import shared_data

RATE, HOP_S = 16_000, 0.016


def said_of(samples: np.ndarray) -> str:
    sound = Sound.from_mono(samples, RATE)
    return doubt_of(track_melody(sound), sound)


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
    assert doubt_of(humming([60, 62]).cut(0, 0.2)) == TOO_SHORT


def test_a_hum_that_was_cut_off_soon_is_too_short_rather_than_unheard():
    def said(voice_s: float, seconds: float) -> str:
        times = np.arange(0, seconds, HOP_S)
        sound = Sound.from_mono(0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE), RATE)
        return doubt_of(curve_melody(np.where(times < voice_s, 57.0, np.nan).astype(np.float32), HOP_S), sound)

    assert [said(voice_s, 1.2) for voice_s in (0.2, 0.5, 0.9)] == [TOO_SHORT] * 3
    assert said(0.0, 1.2) == NO_VOICE, "nothing was hummed"
    assert said(0.2, 4.0) == NO_VOICE, "that may be anything"
    assert said(0.5, 4.0) == TOO_LITTLE


def test_nothing_at_all_is_too_short():
    assert said_of(np.zeros(0)) == TOO_SHORT
    assert doubt_of(humming([60]).cut(0, 0)) == TOO_SHORT


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
    assert doubt_of(speaking(5.0, seed)) == SPEECH


def test_without_the_sound_little_voice_is_only_called_too_little():
    assert doubt_of(curve_melody(np.full(200, np.nan, np.float32))) == TOO_LITTLE
    assert doubt_of(curve_melody(np.r_[np.full(40, 60.0), np.full(200, np.nan)].astype(np.float32))) == TOO_LITTLE


def doubted(melody: Melody, method: str = "swift-f0, voiced from 0.5") -> Melody:
    """The melody as a tracker has it who hardly believes in it."""
    return Melody(HOP_S, melody.f0_hz, melody.voiced, np.full_like(melody.confidence, 0.55), method)


def struck(height_st: float) -> Melody:
    """Strokes that fall by two semitones and ring on, as toms do."""
    since = np.mod(np.arange(0, 4, HOP_S), 0.3)
    return curve_melody((height_st - 13 * np.minimum(since, 0.15)).astype(np.float32), HOP_S)


def test_a_tracker_that_hardly_believes_itself_has_heard_no_voice():
    assert doubt_of(doubted(struck(60))) == NO_VOICE
    assert doubt_of(doubted(struck(60), "another")) == ""


def test_of_a_tune_of_long_pure_tones_a_tracker_may_be_unsure():
    assert doubt_of(doubted(humming([60, 62, 64, 65], note_s=1.5))) == ""


def test_of_a_whistle_a_tracker_may_be_unsure():
    """It is nearly a pure tone, and higher than drums."""
    assert doubt_of(doubted(struck(84))) == ""


def siren(seconds: float, period_s: float) -> Melody:
    """Up and down over 18 semitones."""
    times = np.arange(0, seconds, HOP_S)
    return curve_melody((75 - 9 * np.cos(2 * np.pi * times / period_s)).astype(np.float32), HOP_S)


@pytest.mark.parametrize("period_s", [0.3, 0.5, 3.0, 5.0, 8.0])
def test_a_siren_glides(period_s):
    assert doubt_of(siren(6.0, period_s)) == GLIDING


@pytest.mark.parametrize("semitones_a_second", [-16.0, -6.0, -1.5, 1.5, 6.0, 16.0])
def test_a_sweep_glides(semitones_a_second):
    times = np.arange(0, 3, HOP_S)
    pitch = 65 + semitones_a_second * (times - 1.5)
    assert doubt_of(curve_melody(pitch.astype(np.float32), HOP_S)) == GLIDING


def test_a_sweep_that_breaks_off_again_and_again_holds_no_note_either():
    times = np.arange(0, 3, HOP_S)
    pitch = np.where(np.mod(times, 0.5) < 0.4, 45 + 12 * times, np.nan)
    assert doubt_of(curve_melody(pitch.astype(np.float32), HOP_S)) == GLIDING


def test_sirens_and_sweeps_that_are_heard_glide():
    times = np.arange(4 * RATE) / RATE
    for octaves in (0.5 - 0.5 * np.cos(2 * np.pi * times / 4), times / 4, 1 - times / 4):
        phase = 2 * np.pi * np.cumsum(500 * 2 ** (1.4 * octaves)) / RATE
        wave = sum(0.1 * np.sin(order * phase) / order for order in range(1, 5))
        assert said_of(wave + 1e-3 * np.random.default_rng(0).standard_normal(len(wave))) == GLIDING


def with_mains(melody: Melody, share: float, hz: float = 100.0) -> Melody:
    """The supply is heard where nothing else is, and in so much of the rest, by syllables of 0.25 s."""
    times = np.arange(len(melody.f0_hz)) * melody.hop_s
    drowned = np.random.default_rng(1).random(int(times[-1] / 0.25) + 1) < share
    pitch = melody.pitch()
    tone = 69 + 12 * np.log2(hz / 440) + 0.03 * np.sin(times)
    return curve_melody(np.where(np.isnan(pitch) | drowned[(times / 0.25).astype(int)], tone, pitch), HOP_S)


@pytest.mark.parametrize("hz", [50.0, 60.0, 100.0, 120.0])
def test_speech_over_the_hum_of_a_supply_is_speech(hz):
    assert doubt_of(with_mains(speaking(8.0), 0.3, hz)) == SPEECH


def test_what_drowns_in_the_hum_of_a_supply_is_a_tone():
    assert doubt_of(with_mains(speaking(8.0), 0.8)) == TONE


def test_humming_over_the_hum_of_a_supply_passes():
    assert doubt_of(with_mains(humming([50, 52, 54, 55, 52] * 3), 0.4)) == ""


def test_real_speech_is_refused():
    """One speaker; pieces of 5 s, on which no limit was chosen."""
    talk = decode(shared_data("alignment", "offset", "timbl_1.mp3"))
    said = [doubt_of(track_melody(talk.cut(start_s, start_s + 5))) for start_s in range(25, 43, 5)]
    assert said == [SPEECH] * len(said)


@pytest.mark.parametrize("level_db", [-20, -10])
def test_real_speech_over_the_hum_of_a_supply_is_speech(level_db):
    """Pieces of 5 s, on which no limit was chosen."""
    talk = decode(shared_data("alignment", "offset", "timbl_1.mp3")).resampled(RATE)
    for start_s in range(25, 43, 5):
        said = talk.cut(start_s, start_s + 5).mono()
        times = np.arange(len(said)) / RATE
        hum = sum(np.sin(2 * np.pi * 100 * order * times) / order for order in range(1, 8))
        assert said_of(said + hum * said.std() / hum.std() * 10 ** (level_db / 20)) == SPEECH


# --- what passes


def led_from_note_to_note(notes: list[float], note_s: float, glide: float) -> np.ndarray:
    """A pitch that takes the last share `glide` of each note to reach the next one."""
    place, within = np.divmod(np.arange(0, note_s * (len(notes) - 1), HOP_S) / note_s, 1)
    led = 0.5 - 0.5 * np.cos(np.pi * np.clip((within - 1 + glide) / glide, 0, 1))
    return np.interp(place + led, np.arange(len(notes)), notes).astype(np.float32)


@given(
    seed=st.integers(0, 10_000),
    note_s=st.floats(0.25, 0.8),
    glide=st.floats(0.1, 0.7),
    vibrato_st=st.floats(0, 0.5),
)
@settings(max_examples=100, deadline=None)
def test_notes_that_are_led_into_each_other_pass(seed, note_s, glide, vibrato_st):
    steps = np.random.default_rng(seed).choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5], 16)
    pitch = led_from_note_to_note((60.4 + np.cumsum(steps)).tolist(), note_s, glide)
    vibrato = vibrato_st * np.sin(2 * np.pi * 5.5 * np.arange(len(pitch)) * HOP_S)
    check_hum(curve_melody(pitch + vibrato.astype(np.float32), HOP_S))


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
    # What may be a supply's is told by its height.
    assume(max(one.mains_share, other.mains_share) <= SOME_MAINS)
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


@given(seed=st.integers(0, 1000), roughness=st.floats(0, 0.2), moves=st.floats(0, 12))
@settings(max_examples=50, deadline=None)
def test_gliding_is_what_it_says(seed, roughness, moves):
    """Against the same written plainly, by a fit to each window."""
    rng = np.random.default_rng(seed)
    times = np.arange(220) * HOP_S
    pitch = 60 + moves * np.sin(times * rng.uniform(0.5, 4)) + rng.normal(0, roughness, 220)
    pitch[rng.integers(0, 220)] = np.nan
    plain, size = np.zeros(220, dtype=bool), round(1.5 / HOP_S)
    for start in range(220 - size + 1):
        window = pitch[start : start + size]
        if not np.isnan(window).any():
            parabola = np.polyval(np.polyfit(times[:size], window, 2), times[:size])
            rough_up_to = GLIDE_ROUGH_ST + GLIDE_ROUGH_SHARE * parabola.std()
            if parabola.std() >= GLIDE_MOVES_ST and (window - parabola).std() <= rough_up_to:
                plain[start : start + size] = True
    np.testing.assert_array_equal(gliding(pitch, HOP_S), plain)


def test_the_signs_of_silence_are_zero():
    signs = hum_signs(curve_melody(np.full(100, np.nan, np.float32)))
    assert signs == HumSigns(*[0.0] * len(fields(HumSigns)))


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
