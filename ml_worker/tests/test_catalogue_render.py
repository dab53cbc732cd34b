"""Renderings of tunes: the lead sings the notes, the truth about covers is true, levels are even, nothing clicks."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, sosfilt
from swift_f0 import SwiftF0

from ml_worker.catalogue import render_cover, render_original, tunes
from ml_worker.catalogue.__main__ import main
from ml_worker.catalogue.covers import COMPASS, cover_performance, plan_cover
from ml_worker.catalogue.mixing import CEILING_DBFS, LOUDNESS_LUFS, loudness
from ml_worker.catalogue.performance import as_written, harmonies, time_map

ALL = tunes()
BY_SLUG = {tune.slug: tune for tune in ALL}
# Short ones: four phrases with upbeats, and compound time.
LISTENED_TO = ("oh-susanna", "row-your-boat")
RATE = 44_100


@pytest.fixture(scope="module")
def rendered():
    """Every rendering that is listened to: {(slug, cover number, 0 for the original): Rendering}."""
    everything = {}
    for slug in LISTENED_TO:
        everything[slug, 0] = render_original(BY_SLUG[slug])
        for number in (1, 2):
            everything[slug, number] = render_cover(BY_SLUG[slug], number, seed=number)
    return everything


@pytest.fixture(scope="module")
def heard(rendered):
    """The pitch of every lead, tracked: (seconds, MIDI semitones, NaN where unvoiced)."""
    tracker = SwiftF0(threads=2)
    curves = {}
    for key, rendering in rendered.items():
        found = tracker.detect(rendering.lead.samples[0], RATE)
        pitch = 69 + 12 * np.log2(np.asarray(found.pitch_hz) / 440)
        curves[key] = np.asarray(found.timestamps), np.where(np.asarray(found.confidence) >= 0.5, pitch, np.nan)
    return curves


def written(notes, seconds):
    """The notes' pitch at each second, NaN between notes."""
    pitch = np.full(len(seconds), np.nan)
    for note in notes:
        pitch[(seconds >= note.start_s) & (seconds < note.end_s)] = note.pitch
    return pitch


def test_the_lead_sings_the_notes(rendered, heard):
    for key, (seconds, pitch) in heard.items():
        expected = written(rendered[key].notes, seconds)
        off = np.abs(pitch - expected)[~np.isnan(expected)]
        assert np.mean(off < 0.5) >= 0.9, key


def test_the_lead_rests_where_the_singer_does(rendered):
    for key, rendering in rendered.items():
        lead = rendering.lead.samples[0]
        introduction = lead[: round((rendering.notes[0].start_s - 0.5) * RATE)]
        sung = lead[round(rendering.notes[0].start_s * RATE) : round(rendering.notes[-1].end_s * RATE)]
        assert introduction.std() < 0.01 * sung.std(), key


def test_mapped_times_carry_the_same_pitch_class(rendered, heard):
    for (slug, number), rendering in rendered.items():
        if number == 0:
            continue
        matches = []
        for line in rendering.time_map:
            original_s, cover_s = np.array(line).T
            at = np.arange(original_s[0], original_s[-1], 0.02)
            before = np.interp(at, *heard[slug, 0])
            after = np.interp(np.interp(at, original_s, cover_s), *heard[slug, number])
            off = (after - before - rendering.transposition + 6) % 12 - 6
            matches.append(np.abs(off[~np.isnan(off)]) < 0.7)
        assert np.mean(np.concatenate(matches)) >= 0.9, (slug, number)


def test_levels_are_even_and_peaks_stay_under_the_ceiling(rendered):
    for key, rendering in rendered.items():
        samples = rendering.mix.samples
        assert samples.shape == (2, rendering.lead.frames)
        assert rendering.mix.sample_rate == rendering.lead.sample_rate == RATE
        assert loudness(samples, RATE) == pytest.approx(LOUDNESS_LUFS, abs=0.5), key
        peak_db = 20 * np.log10(np.abs(samples).max())
        assert CEILING_DBFS - 5 < peak_db <= CEILING_DBFS + 0.01, key


def test_the_lead_stands_out_but_does_not_stand_alone(rendered):
    for key, rendering in rendered.items():
        rest = rendering.mix.mono() - rendering.lead.samples[0]
        for start_s, end_s in rendering.phrases:
            part = slice(round(start_s * RATE), round(end_s * RATE))
            above = loudness(rendering.lead.samples[:, part], RATE) - loudness(rest[None, part], RATE)
            assert 4 < above < 10, key


def test_notes_join_without_clicks(rendered):
    # No harmonic and hardly any breath is so high up; a jump by a twentieth of full tone would show there.
    high = butter(8, 17_000, "highpass", fs=RATE, output="sos")
    for key, rendering in rendered.items():
        lead = rendering.lead.samples[0].astype(float)
        assert np.abs(sosfilt(high, lead)).max() < 0.006 * np.abs(lead).max(), key


def test_equal_arguments_give_equal_samples_and_another_seed_another_cover(rendered):
    tune = BY_SLUG["row-your-boat"]
    assert np.array_equal(render_original(tune).mix.samples, rendered["row-your-boat", 0].mix.samples)
    again, other = render_cover(tune, 1, seed=1), render_cover(tune, 1, seed=2)
    assert np.array_equal(again.mix.samples, rendered["row-your-boat", 1].mix.samples)
    assert other.mix.samples.shape != again.mix.samples.shape


def test_truth_can_be_stored_as_json_and_phrases_cut_out(rendered):
    for rendering in rendered.values():
        truth = {"time_map": rendering.time_map, "phrases": rendering.phrases, "notes": rendering.notes}
        assert json.loads(json.dumps(truth))["time_map"] == rendering.time_map
        assert len(rendering.phrases) == len(rendering.phrase_order)
        for number, (start_s, end_s) in enumerate(rendering.phrases):
            notes = rendering.phrase_notes(number)
            assert notes[0].start_s == pytest.approx(0, abs=1e-9)
            assert notes[-1].end_s <= end_s - start_s


# --- the truth of covers, for every tune, without rendering


def covers():
    return [(tune, number) for tune in ALL for number in (1, 2)]


def laid_out(tune, number):
    rng = np.random.default_rng(number)
    plan = plan_cover(tune, number, rng)
    return plan, cover_performance(tune, plan, rng)


@pytest.mark.parametrize("tune", ALL, ids=lambda tune: tune.slug)
def test_an_original_maps_to_itself_and_plays_all_phrases(tune):
    original = as_written(tune)
    (line,) = time_map(original, original)
    assert [point[0] for point in line] == pytest.approx([point[1] for point in line])
    phrases = original.phrases_s()
    assert [end_s - start_s for start_s, end_s in phrases] == pytest.approx([tune.phrase_s(p) for p in tune.phrases])
    assert (line[0][0], line[-1][0]) == pytest.approx((phrases[0][0], phrases[-1][1]))
    assert 2.5 < phrases[0][0] < 6.5, "the introduction is short"


@pytest.mark.parametrize(("tune", "number"), covers(), ids=lambda value: getattr(value, "slug", value))
def test_time_maps_are_exact(tune, number):
    original = as_written(tune)
    _, cover = laid_out(tune, number)
    lines = time_map(original, cover)
    assert len(lines) >= 2
    for line in lines:
        original_s, cover_s = np.array(line).T
        ratios = np.diff(cover_s) / np.diff(original_s)
        assert np.all(np.diff(original_s) > 0)
        assert ratios.min() >= 0.8 - 1e-6
        assert ratios.max() <= 1.25 + 1e-6
        # Every note of the passage is played where the line says, in the stated key.
        inside = [note for note in original.notes() if original_s[0] <= note.start_s < original_s[-1] - 1e-6]
        starts = np.interp([note.start_s for note in inside], original_s, cover_s)
        played = [note for note in cover.notes() if cover_s[0] - 1e-6 <= note.start_s < cover_s[-1] - 1e-6]
        assert starts == pytest.approx([note.start_s for note in played], abs=1e-6)
        assert [note.pitch + cover.transposition for note in inside] == [note.pitch for note in played]


@pytest.mark.parametrize("tune", ALL, ids=lambda tune: tune.slug)
def test_two_covers_differ_from_the_original_and_from_each_other(tune):
    (first, one), (second, two) = laid_out(tune, 1), laid_out(tune, 2)
    for plan, cover in ((first, one), (second, two)):
        assert (plan.transposition - plan.timbre.octave) in (-5, -4, -3, -2, 2, 3, 4, 5)
        assert 0.8 <= plan.tempo_ratio <= 1.25
        assert abs(plan.tempo_ratio - 1) > 0.05
        assert None in plan.order
        assert [section.phrase for section in cover.sections if section.phrase is not None] != list(
            range(len(tune.phrases))
        )
        pitches = [note.pitch for note in cover.notes()]
        assert COMPASS[0] <= min(pitches) <= max(pitches) <= COMPASS[1]
    assert first.transposition % 12 != second.transposition % 12
    assert (first.tempo_ratio > 1) != (second.tempo_ratio > 1)
    assert first.timbre != second.timbre
    assert first.order != second.order


@pytest.mark.parametrize(("tune", "number"), covers(), ids=lambda value: getattr(value, "slug", value))
def test_chords_hold_without_gaps(tune, number):
    _, cover = laid_out(tune, number)
    chords = harmonies(cover)
    assert chords[0].start_beat == 0
    assert chords[-1].end_beat == cover.beats
    assert all(chord.end_beat > chord.start_beat for chord in chords)
    assert all(a.end_beat == b.start_beat for a, b in pairwise(chords))


def test_covers_are_numbered_from_one():
    with pytest.raises(ValueError, match="numbered from 1"):
        render_cover(ALL[0], 0, seed=0)


# --- the command


def test_the_command_writes_what_there_is_to_hear(tmp_path, capsys):
    assert main(["row-your-boat", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"original.wav", "original-lead.wav", "cover-1.wav", "cover-2.wav", "hum-along.wav"} <= names
    assert soundfile.info(tmp_path / "original.wav").channels == 2
    assert soundfile.info(tmp_path / "hum-along.wav").samplerate == 48_000


def test_the_command_lists_the_tunes_and_refuses_others(tmp_path, capsys):
    assert main([]) == 0
    assert "auld-lang-syne" in capsys.readouterr().out
    assert main(["no-such-tune", str(tmp_path / "out")]) == 2
    assert "without arguments the tunes are listed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
