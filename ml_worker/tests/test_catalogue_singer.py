"""The simulated singer: its takes are what they say, and takes to be refused are marked."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swift_f0 import SwiftF0

from ml_worker.catalogue import TimedNote, sing, tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.singer import FAULTS, HABITS, SAMPLE_RATE, TOO_HIGH_SHARE, perform, with_automatic_gain

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


@pytest.mark.parametrize(
    ("seed", "style", "truth", "samples"),
    [
        (0, "free", (0.794696, 1.036606, -8.922306), (0.17923947, 0.18702036, 0.19506231)),
        (1, "along", (0.679394, 1.004549, -12.059827), (-0.10254396, -0.10209917, -0.10171383)),
        (2, "off", (1.305553, 0.929264, -17.859059), (-0.14104716, -0.10559162, -0.08275899)),
    ],
)
def test_takes_stay_what_they_were(seed, style, truth, samples):
    """Measurements rest on these takes: what is added to the singer leaves them as they are."""
    take = sing(CLEMENTINE, seed=seed, style=style)
    assert (take.offset_s, take.tempo_ratio, take.transposition) == pytest.approx(truth, abs=1e-6)
    assert tuple(take.sound.samples[0, 100_000:100_003]) == pytest.approx(samples, abs=1e-4)


# --- who cannot sing, and who calls


def performed(seeds, style="poor", notes=CLEMENTINE):
    return [perform(notes, seed=seed, style=style) for seed in seeds]


@pytest.mark.parametrize("style", list(HABITS))
def test_what_is_performed_is_what_is_sung(style):
    take, line = sing(CLEMENTINE, seed=4, style=style), perform(CLEMENTINE, seed=4, style=style)
    assert take.notes == line.notes
    assert (take.offset_s, take.tempo_ratio, take.transposition) == line[1:4]
    assert take.slip == line.slip
    assert take.sound.duration_s == pytest.approx(line.seconds, abs=1e-4)


@pytest.mark.parametrize("band", ["wide", "phone"])
def test_a_poor_singer_sings_what_the_take_says(band):
    close = []
    for take in (sing(CLEMENTINE, seed=seed, style="poor", band=band) for seed in range(4)):
        seconds, pitch = pitch_of(take)
        for note in take.notes:
            inside = pitch[(seconds >= note.start_s + 0.05) & (seconds <= note.end_s - 0.03)]
            close.append(np.abs(inside - note.pitch) < 0.7)
    assert np.mean(np.concatenate(close)) > 0.85


@given(seed=st.integers(0, 10_000))
def test_a_poor_singers_truth_fits_the_notes_best(seed):
    take = perform(CLEMENTINE, seed=seed, style="poor")
    assert all(a.end_s <= b.start_s for a, b in pairwise(take.notes))
    assert HABITS["poor"].tempo[0] <= take.tempo_ratio <= HABITS["poor"].tempo[1]
    if len(take.notes) < len(CLEMENTINE):
        return
    tempo_ratio, offset_s = np.polyfit([n.start_s for n in CLEMENTINE], [n.start_s for n in take.notes], 1)
    assert (tempo_ratio, offset_s) == pytest.approx((take.tempo_ratio, take.offset_s), abs=1e-6)
    errors = departures(take, CLEMENTINE)
    assert abs(np.median(errors)) < 1


def departures(take, notes):
    """Hummed minus written pitch of each note of a take without dropped ones, a change of octave put right."""
    slip = take.slip
    octaves = [slip.semitones if slip and note.start_s >= slip.from_s else 0 for note in take.notes]
    written = np.array([note.pitch for note in notes])
    return np.array([note.pitch for note in take.notes]) - octaves - written - take.transposition


def test_a_poor_singer_departs_more_than_a_free_one():
    def spread(style):
        whole = [take for take in performed(range(200), style) if len(take.notes) == len(CLEMENTINE)]
        assert len(whole) > 20
        onsets = [
            np.array([note.start_s for note in take.notes])
            - take.offset_s
            - take.tempo_ratio * np.array([note.start_s for note in CLEMENTINE])
            for take in whole
        ]
        return np.mean([departures(take, CLEMENTINE).std() for take in whole]), np.mean([o.std() for o in onsets])

    (poor_pitch, poor_time), (free_pitch, free_time) = spread("poor"), spread("free")
    assert poor_pitch > 1.5 * free_pitch
    assert poor_time > 1.3 * free_time


def test_poor_singers_change_octave_where_the_tune_goes_too_high_or_too_low():
    slipped = [take for take in performed(range(200)) if take.slip]
    assert 20 < len(slipped) < 80
    assert {take.slip.semitones for take in slipped} == {12, -12}
    for take in slipped:
        meant = [n.pitch - (take.slip.semitones if n.start_s >= take.slip.from_s else 0) for n in take.notes]
        first = next(place for place, note in enumerate(take.notes) if note.start_s == take.slip.from_s)
        height = (meant[first] - min(meant)) / np.ptp(meant)
        assert first >= len(take.notes) // 4
        assert height > TOO_HIGH_SHARE if take.slip.semitones < 0 else height < 1 - TOO_HIGH_SHARE
    assert not any(take.slip for style in ("along", "free") for take in performed(range(50), style))


def test_a_tune_of_a_small_compass_needs_no_other_octave():
    narrow = [note._replace(pitch=60 + number % 3) for number, note in enumerate(ODE)]
    assert not any(take.slip for take in performed(range(100), notes=narrow))


def test_some_poor_singers_run_the_notes_together():
    together = [all(a.end_s == b.start_s for a, b in pairwise(take.notes[:4])) for take in performed(range(100))]
    assert 20 < sum(together) < 60


def test_some_poor_singers_whistle():
    whistled = [seed for seed, take in enumerate(performed(range(100))) if take.voice.name == "whistle"]
    assert 4 < len(whistled) < 20
    take = sing(CLEMENTINE, seed=whistled[0], style="poor")
    samples = take.sound.samples[0]
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    lowest_hz, highest_hz = (440 * 2 ** ((pick(n.pitch for n in take.notes) - 69) / 12) for pick in (min, max))
    assert lowest_hz > 300
    assert power[(frequencies > 0.9 * lowest_hz) & (frequencies < 1.1 * highest_hz)].sum() > 0.8 * power.sum()


def test_a_call_has_a_narrow_band_noise_and_clicks():
    wide, call = (sing(CLEMENTINE, seed=3, band=band) for band in ("wide", "phone"))
    assert wide.notes == call.notes
    assert wide.sound.duration_s == call.sound.duration_s

    def share_in_band(samples):
        power = np.abs(np.fft.rfft(samples)) ** 2
        frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
        return power[(frequencies > 250) & (frequencies < 4000)].sum() / power.sum()

    started = round(0.3 * SAMPLE_RATE)
    hum_wide, hum_call = wide.sound.samples[0, started:], call.sound.samples[0, started:]
    assert share_in_band(hum_call) > 0.8
    assert share_in_band(hum_call) > share_in_band(hum_wide)
    # The start is louder than the silence after it.
    silence = slice(started, round((call.notes[0].start_s - 0.05) * SAMPLE_RATE))
    assert rise_db(call, started, silence) > rise_db(wide, started, silence) + 10


def rise_db(take, started, silence):
    """By how much the peak of a take's first moment is above that of the silence after it."""
    samples = np.abs(take.sound.samples[0])
    return 20 * np.log10(samples[:started].max() / samples[silence].max())


@pytest.mark.parametrize("seed", range(3))
def test_a_calls_noise_is_steady_and_at_most_ten_decibels_below(seed):
    take = sing(CLEMENTINE, seed=seed, band="phone")
    call = take.sound.samples[0]
    tail = call[round((take.notes[-1].end_s + 0.2) * SAMPLE_RATE) :]
    hum = call[round(take.notes[0].start_s * SAMPLE_RATE) : round(take.notes[-1].end_s * SAMPLE_RATE)]
    assert -45 < rms_db(tail) - rms_db(hum) < -5


def test_automatic_gain_brings_loud_and_soft_nearer():
    noise = np.random.default_rng(0).standard_normal(6 * RATE)
    noise[3 * RATE :] *= 0.1
    heard = with_automatic_gain(noise)
    loud, soft = heard[2 * RATE : 3 * RATE], heard[5 * RATE :]
    assert 5 < rms_db(loud) - rms_db(soft) < 12
    # It lags behind: just after the change the soft part is still as soft as it was.
    after = slice(3 * RATE, 3 * RATE + RATE // 50)
    assert rms_db(loud) - rms_db(heard[after]) > 18


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
        ({"band": "narrow"}, "'narrow' is not a band"),
        ({"style": "off", "fault": "boredom"}, "'boredom' is not a fault"),
        ({"style": "free", "fault": "silence"}, "not a fault of the style 'free'"),
    ],
)
def test_what_cannot_be_sung_is_said(arguments, words):
    with pytest.raises(ValueError, match=words):
        sing(**({"notes": ODE, "seed": 0} | arguments))
