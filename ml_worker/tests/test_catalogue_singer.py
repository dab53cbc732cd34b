"""The simulated singer: its takes are what they say, and takes to be refused are marked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swift_f0 import SwiftF0

from ml_worker.catalogue import TimedNote, sing, tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.singer import FAULTS, HABITS

RATE = 48_000
TUNES = {tune.slug: tune for tune in tunes()}


def phrase(slug, number=0):
    """A phrase's notes, in seconds from its start."""
    performance = as_written(TUNES[slug])
    start_s, end_s = performance.phrases_s()[number]
    return [
        TimedNote(note.start_s - start_s, note.end_s - start_s, note.pitch)
        for note in performance.notes()
        if start_s <= note.start_s < end_s
    ]


ODE, CLEMENTINE = phrase("ode-to-joy"), phrase("clementine")


def rms_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples))) + 1e-12)


def pitch_of(take):
    found = SwiftF0(threads=2).detect(take.sound.samples[0], RATE)
    pitch = 69 + 12 * np.log2(np.asarray(found.pitch_hz) / 440)
    return np.asarray(found.timestamps), np.where(np.asarray(found.confidence) >= 0.5, pitch, np.nan)


@pytest.mark.parametrize("style", ["along", "free"])
def test_the_audio_is_where_and_what_the_take_says(style):
    close = []
    for seed in range(3):
        take = sing(ODE, seed=seed, style=style)
        seconds, pitch = pitch_of(take)
        for note in ODE:
            start_s, end_s = (take.offset_s + second * take.tempo_ratio for second in (note.start_s, note.end_s))
            inside = pitch[(seconds >= start_s + 0.05) & (seconds <= end_s - 0.05)]
            close.append(np.abs(inside - note.pitch - take.transposition) < 1)
    assert np.mean(np.concatenate(close)) > 0.85


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), style=st.sampled_from(["along", "free"]))
def test_offset_tempo_and_transposition_fit_the_notes_best(seed, style):
    take = sing(CLEMENTINE, seed=seed, style=style)
    assert len(take.notes) <= len(CLEMENTINE)
    if len(take.notes) < len(CLEMENTINE):
        return
    tempo_ratio, offset_s = np.polyfit([n.start_s for n in CLEMENTINE], [n.start_s for n in take.notes], 1)
    assert tempo_ratio == pytest.approx(take.tempo_ratio, abs=1e-6)
    assert offset_s == pytest.approx(take.offset_s, abs=1e-6)
    errors = [a.pitch - b.pitch - take.transposition for a, b in zip(take.notes, CLEMENTINE, strict=True)]
    assert abs(np.median(errors)) < 0.5


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), style=st.sampled_from(["along", "free"]))
def test_takes_are_what_a_phone_records(seed, style):
    take = sing(CLEMENTINE, seed=seed, style=style)
    samples = take.sound.samples
    assert take.sound.sample_rate == RATE
    assert samples.shape[0] == 1
    assert np.isfinite(samples).all()
    assert 0.05 < np.abs(samples).max() < 1
    assert HABITS[style].tempo[0] <= take.tempo_ratio <= HABITS[style].tempo[1]
    assert all(a.end_s <= b.start_s for a, b in zip(take.notes, take.notes[1:], strict=False))
    assert take.notes[-1].end_s < take.sound.duration_s
    # Before the first note there is only the room.
    before = samples[0, : max(0, round((take.notes[0].start_s - 0.4) * RATE))]
    if len(before) > 1000:
        assert rms_db(before) < rms_db(samples) - 12
    # A hum: nearly all of it is low.
    power = np.abs(np.fft.rfft(samples[0])) ** 2
    low = np.fft.rfftfreq(samples.shape[1], 1 / RATE) < 1500
    assert power[low].sum() > 0.9 * power.sum()


def test_along_keeps_key_and_tempo_and_free_does_not():
    along = [sing(CLEMENTINE, seed=seed, style="along") for seed in range(8)]
    free = [sing(CLEMENTINE, seed=seed, style="free") for seed in range(8)]
    assert all(abs((take.transposition + 6) % 12 - 6) < 0.5 for take in along)
    assert all(abs(take.tempo_ratio - 1) <= 0.005 for take in along)
    assert any(abs((take.transposition + 6) % 12 - 6) > 1 for take in free)
    assert max(take.tempo_ratio for take in free) > 1.05
    assert min(take.tempo_ratio for take in free) < 0.95
    assert len({take.offset_s for take in free}) == 8
    assert not any(take.faults for take in along + free)


def test_equal_seeds_sing_equally():
    one, two, other = (sing(ODE, seed=seed, style="free") for seed in (5, 5, 6))
    assert np.array_equal(one.sound.samples, two.sound.samples)
    assert one.tempo_ratio != other.tempo_ratio


# --- takes to be refused


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(fault):
    assert sing(ODE, seed=3, style="off", fault=fault).faults == (fault,)


def test_chance_chooses_among_all_faults():
    assert {sing(CLEMENTINE[:4], seed=seed, style="off").faults[0] for seed in range(20)} == set(FAULTS)


def test_silence_has_no_voice():
    take = sing(ODE, seed=1, style="off", fault="silence")
    assert rms_db(take.sound.samples) < -55
    assert np.isnan(pitch_of(take)[1]).mean() > 0.9


def test_clipped_is_flat_at_the_top():
    samples = sing(ODE, seed=1, style="off", fault="clipped").sound.samples
    assert np.mean(np.abs(samples) >= 0.999) > 0.1


def test_too_short_is_under_a_second():
    assert sing(ODE, seed=1, style="off", fault="too short").sound.duration_s < 1


def test_noise_drowns_the_voice():
    clean, noisy = (sing(ODE, seed=1, style="off", fault=fault).sound.samples[0] for fault in ("clipped", "noise"))
    pause = slice(0, round(0.2 * RATE))
    assert rms_db(noisy[pause]) > rms_db(noisy) - 3
    assert rms_db(clean[pause]) < rms_db(clean) - 10


def test_another_tune_does_not_follow_the_melody():
    for seed in range(5):
        take = sing(ODE, seed=seed, style="off", fault="another tune")
        seconds = np.arange(0, ODE[-1].end_s, 0.05)
        expected, sung = np.full(len(seconds), np.nan), np.full(len(seconds), np.nan)
        for note in ODE:
            expected[(seconds >= note.start_s) & (seconds < note.end_s)] = note.pitch
        for note in take.notes:
            start_s, end_s = ((second - take.offset_s) / take.tempo_ratio for second in (note.start_s, note.end_s))
            sung[(seconds >= start_s) & (seconds < end_s)] = note.pitch
        off = sung - expected
        assert np.nanmean(np.abs(off - np.nanmedian(off)) < 0.7) < 0.6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"notes": []}, "no notes"),
        ({"style": "opera"}, "'opera' is not a style"),
        ({"style": "off", "fault": "boredom"}, "'boredom' is not a fault"),
        ({"style": "free", "fault": "silence"}, "not a fault of the style 'free'"),
    ],
)
def test_what_cannot_be_sung_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        sing(**({"notes": ODE, "seed": 0} | arguments))
