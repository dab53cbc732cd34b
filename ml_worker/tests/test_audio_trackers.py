"""Melodies of voices agree with their annotations; what is no voice is unvoiced; nothing odd breaks a tracker."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.decode import decode
from ml_worker.audio.measure import chance, chroma_right, load_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import (
    CREPE_BINS,
    TRACKERS,
    at_rate,
    crepe_salience,
    is_click,
    level_db,
    loud_db,
    pitch_of_salience,
    track_melody,
    without_short_runs,
)
from ml_worker.tests.made_audio import tone
from ml_worker.tests.shared_data import shared_data

QUICK = ("swift-f0", "crepe-tiny", "cqt")
MDB = ("f0", "mdb_stem_synth", "AClassicEducation_NightOwl_STEM_08.RESYN")
VOCADITO = ("hums", "vocadito")


def scores(melody: Melody, annotation: np.ndarray) -> dict[str, float]:
    """mir_eval's melody metrics against an annotation (T, 2) of seconds and Hz."""
    times = np.arange(len(melody.f0_hz)) * melody.hop_s
    return mir_eval.melody.evaluate(*annotation.T, times, melody.f0_hz.astype(float))


class TestRealVoices:
    @pytest.mark.parametrize("method", QUICK)
    def test_a_stem_with_exact_pitch(self, method):
        annotation = np.loadtxt(shared_data(*MDB[:2], f"{MDB[2]}.csv"), delimiter=",")
        found = scores(track_melody(decode(shared_data(*MDB[:2], f"{MDB[2]}.wav")), method), annotation)
        assert found["Raw Pitch Accuracy"] > 0.97
        assert found["Overall Accuracy"] > 0.95

    def test_a_singer(self):
        """The whole of vocadito_1 gives 0.96 overall; here its first 15 seconds."""
        annotation = np.loadtxt(shared_data(*VOCADITO, "Annotations", "F0", "vocadito_1_f0.csv"), delimiter=",")
        sound = decode(shared_data(*VOCADITO, "Audio", "vocadito_1.wav")).cut(0, 15)
        found = scores(track_melody(sound), annotation[annotation[:, 0] < 15])
        assert found["Overall Accuracy"] > 0.92
        assert found["Voicing False Alarm"] < 0.12

    def test_the_default_chain_hears_a_song_better_than_chance(self):
        """The first 60 s of ontherun, vocal part and melody by default, against its notes.

        A frame is right within 50 cents, octave aside. The margin: right at least 0.15 more often than the best of 100
        random moves of the same melody in time.
        """
        shared_data("songs", "ontherun")
        sound, song = load_song("ontherun", shared_data(), first_s=60)
        melody = track_melody(separate(sound).sound)
        assert chroma_right(melody, song).mean() > chance(melody, song, moves=100).max() + 0.15

    def test_two_takes_of_one_tune_have_like_ranges(self):
        """Real hums: voiced over most of their time, within two octaves of a voice, no octave slips."""
        for name in ("melody_1.wav", "melody_2.wav"):
            melody = track_melody(decode(shared_data("hums", "henter", name)))
            pitch = melody.pitch()[melody.voiced]
            assert melody.voiced.mean() > 0.6
            assert np.percentile(pitch, 99) - np.percentile(pitch, 1) < 15
            assert np.mean(np.abs(np.diff(pitch)) > 9) < 0.01


class TestWhatIsNoVoice:
    @pytest.mark.parametrize("method", QUICK)
    @pytest.mark.parametrize("kind", ["silence", "DC", "quiet noise", "mains hum, quiet"])
    def test_it_is_unvoiced(self, kind, method):
        times = np.arange(16_000) / 16_000
        noise = np.random.default_rng(0).standard_normal(len(times))
        waves = {
            "silence": 0 * times,
            "DC": 0 * times + 0.5,
            "quiet noise": 10 ** (-65 / 20) * noise,
            "mains hum, quiet": 10 ** (-66 / 20) * np.sin(2 * np.pi * 100 * times) + 10 ** (-80 / 20) * noise,
        }
        melody = track_melody(Sound.from_mono(waves[kind], 16_000), method)
        assert not melody.voiced.any()
        assert not melody.f0_hz.any()

    def test_loud_mains_hum_and_noise_are_no_voice_to_the_default(self):
        times = np.arange(3 * 16_000) / 16_000
        hum = sum(np.sin(2 * np.pi * 50 * k * times) / k for k in (1, 2, 3, 5))
        noise = np.random.default_rng(0).standard_normal(len(times))
        for wave in (0.1 * hum + 1e-3 * noise, 0.1 * noise):
            assert track_melody(Sound.from_mono(wave, 16_000)).voiced.mean() < 0.02

    def test_a_click_at_the_start_is_no_note(self):
        sound = tone(3.0, 16_000)
        wave = np.concatenate([np.zeros(16_000, np.float32), sound.mono()])
        wave[:160] = 0.9 * np.hanning(160)
        melody = track_melody(Sound.from_mono(wave, 16_000))
        voiced_s = np.flatnonzero(melody.voiced) * melody.hop_s
        assert voiced_s[0] > 0.9

    @pytest.mark.parametrize("method", QUICK)
    @pytest.mark.parametrize("place_s", [0.1, 0.5])
    @pytest.mark.parametrize("kind", ["pulse 5 ms", "burst 20 ms", "burst 50 ms", "low thump", "ringing thump"])
    def test_a_loud_click_is_no_note_and_hides_no_quiet_hum(self, kind, place_s, method):
        """A click of full scale before a hum of -30 dBFS, or on its first note."""
        rng = np.random.default_rng(0)
        times = np.arange(3200) / 16_000
        clicks = {
            "pulse 5 ms": np.hanning(80),
            "burst 20 ms": np.clip(0.5 * rng.standard_normal(320), -1, 1),
            "burst 50 ms": np.clip(0.5 * rng.standard_normal(800), -1, 1),
            "low thump": np.sin(2 * np.pi * 80 * times) * np.exp(-times / 0.01),
            "ringing thump": np.sin(2 * np.pi * 300 * times) * np.exp(-times / 0.025),
        }
        hum = tone(2.0, 16_000, level=10 ** (-30 / 20)).mono()
        clean = np.concatenate([np.zeros(8_000, np.float32), hum])
        clean = clean + 1e-5 * rng.standard_normal(len(clean)).astype(np.float32)
        clicked = clean.copy()
        clicked[round(place_s * 16_000) :][: len(clicks[kind])] += clicks[kind].astype(np.float32)
        expected, found = (track_melody(Sound.from_mono(wave, 16_000), method) for wave in (clean, clicked))
        seconds = np.arange(len(found.voiced)) * found.hop_s
        assert not found.voiced[seconds < 0.4].any()
        later = seconds > 0.8
        assert np.array_equal(found.voiced[later], expected.voiced[later])
        assert found.f0_hz[later] == pytest.approx(expected.f0_hz[later], rel=0.01)

    def test_dc_under_a_voice_changes_little(self):
        sound = tone(3.0, 16_000)
        shifted = Sound(sound.samples + np.float32(0.4), 16_000)
        assert np.mean(track_melody(shifted).voiced == track_melody(sound).voiced) > 0.95


class TestAnyLengthAndRate:
    @pytest.mark.parametrize("method", QUICK)
    @pytest.mark.parametrize("frames", [0, 1, 100, 255, 1000, 3200])
    def test_very_short_sounds(self, frames, method):
        melody = track_melody(Sound(tone(1.0, 16_000).samples[:, :frames], 16_000), method)
        assert abs(melody.duration_s - frames / 16_000) <= 2 * melody.hop_s
        assert melody.f0_hz.dtype == melody.confidence.dtype == np.float32

    @pytest.mark.parametrize("rate", [8_000, 192_000])
    def test_rates(self, rate):
        melody = track_melody(tone(2.0, rate, hz=200, channels=7))
        inner = slice(len(melody.f0_hz) // 4, -len(melody.f0_hz) // 4)
        assert melody.f0_hz[inner] == pytest.approx(200, rel=0.01)

    @pytest.mark.parametrize("method", QUICK)
    def test_a_frame_is_centred_on_its_time(self, method):
        """The pitch changes at second 1: no more than a hop and a half away the melody has it."""
        times = np.arange(2 * 16_000) / 16_000
        phase = 2 * np.pi * np.cumsum(np.where(times < 1, 220, 277)) / 16_000
        wave = sum(np.sin(k * phase) / k for k in (1, 2, 3, 4)) * 0.2
        melody = track_melody(Sound.from_mono(wave, 16_000), method)
        changed = np.flatnonzero((melody.f0_hz > 247) & melody.voiced)
        assert abs(changed[changed * melody.hop_s > 0.5][0] * melody.hop_s - 1) < 1.5 * melody.hop_s + 0.01

    @pytest.mark.parametrize("method", QUICK)
    def test_the_level_of_a_recording_does_not_matter(self, method):
        sound = tone(1.5, 16_000)
        loud = track_melody(sound, method)
        quiet = track_melody(Sound(sound.samples * np.float32(0.01), 16_000), method)
        assert np.array_equal(loud.voiced, quiet.voiced)
        assert loud.f0_hz == pytest.approx(quiet.f0_hz, rel=1e-3)

    def test_the_same_sound_gives_the_same_melody(self):
        sound = tone(0.5, 22_050)
        for method in QUICK:
            assert np.array_equal(track_melody(sound, method).f0_hz, track_melody(sound, method).f0_hz)

    def test_resampling_in_pieces_is_resampling_in_one(self):
        sound = Sound.from_mono(0.1 * np.random.default_rng(0).standard_normal(150 * 8_000), 8_000)
        pieces, whole = at_rate(sound, 16_000), sound.resampled(16_000).mono()
        assert len(pieces) == len(whole)
        assert np.abs(pieces - whole).max() < 1e-4

    def test_the_method_names_tracker_and_threshold(self):
        assert track_melody(tone(1.0)).method == "swift-f0, voiced from 0.5"

    def test_an_unknown_tracker(self):
        with pytest.raises(ValueError, match="crepe-full"):
            track_melody(tone(1.0), "ears")

    def test_what_there_is(self):
        assert set(TRACKERS) == {"swift-f0", "crepe-tiny", "crepe-full", "pyin", "cqt"}


class TestSalience:
    def test_of_a_tone(self):
        salience = crepe_salience(tone(1.0, 16_000, hz=220).mono(), "tiny")
        assert salience.shape == (CREPE_BINS, 101)
        hz, confidence = pitch_of_salience(salience)
        assert hz[20:80] == pytest.approx(220, rel=0.01)
        assert confidence[20:80].min() > 0.5

    def test_of_nothing(self):
        assert crepe_salience(np.zeros(0, np.float32), "tiny").shape == (CREPE_BINS, 0)

    @given(st.floats(70, 1900))
    def test_a_peak_between_bins_is_found_between_them(self, hz):
        cents = 1200 * np.log2(hz / 10)
        bins = 1997.3794084376191 + 20 * np.arange(CREPE_BINS)
        salience = np.exp(-0.5 * ((bins - cents) / 25) ** 2).astype(np.float32)[:, None]
        found, _ = pitch_of_salience(salience)
        assert 1200 * np.log2(found[0] / hz) == pytest.approx(0, abs=5)


@pytest.mark.slow
def test_the_other_trackers_hear_the_stem_too():
    annotation = np.loadtxt(shared_data(*MDB[:2], f"{MDB[2]}.csv"), delimiter=",")
    annotation = annotation[annotation[:, 0] < 1.5]
    sound = decode(shared_data(*MDB[:2], f"{MDB[2]}.wav")).cut(0, 1.5)
    for method in ("pyin", "crepe-full"):
        assert scores(track_melody(sound, method), annotation)["Overall Accuracy"] > 0.9
    assert len(track_melody(Sound.from_mono(tone(0.2).mono(), 44_100), "pyin").f0_hz) > 0


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 8))
def test_short_runs_are_dropped_and_nothing_else(frames, shortest):
    voiced = np.array(frames, dtype=bool)
    kept = without_short_runs(voiced, shortest)
    assert not (kept & ~voiced).any()
    runs = [len(run) for run in "".join("x" if v else " " for v in voiced).split()]
    assert kept.sum() == sum(run for run in runs if run >= shortest)


@settings(deadline=None)
@given(st.floats(-0.5, 0.5), st.integers(1, 3000))
def test_level_does_not_hear_an_offset(offset, samples):
    wave = 0.1 * np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    frames = max(1, samples // 256)
    with_offset = level_db(wave + np.float32(offset), 256, frames)
    assert with_offset.shape == (frames,)
    if samples > 512:
        assert with_offset[1:] == pytest.approx(level_db(wave, 256, frames)[1:], abs=0.5)


@given(st.lists(st.floats(-90, 0), max_size=300))
def test_a_click_is_louder_than_what_is_loud(levels):
    level = np.array(levels)
    clicks = is_click(level, 256)
    assert clicks.shape == level.shape
    if clicks.any():
        assert level[clicks].max() > loud_db(level, 256) + 12
    # What is loud for long is a voice.
    assert not is_click(np.concatenate([np.full(200, -40.0), np.full(100, -10.0)]), 256).any()
