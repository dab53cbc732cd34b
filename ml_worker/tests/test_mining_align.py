"""Two melodies in, aligned fragments out, as `manage.py align` prints them."""

from dataclasses import replace

import numpy as np
import pytest

from ml_worker.audio.melody_files import read_melody
from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.network import new_encoder
from ml_worker.mining.align import PITCH_CURVE, Method, align_melodies, apart_from, at_any_tempo, shipped_methods
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import AlignedFragment
from ml_worker.mining.null import PITCH_CURVE_NULL
from ml_worker.mining.sureness import PITCH_CURVE_SURENESS, Evidence
from ml_worker.tests.made_pairs import TINY
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of
from ml_worker.tests.shared_data import shared_data


def test_what_is_printed_is_plain_and_in_the_order_of_the_second_file():
    notes = made_tune(4, 40)
    played, _ = made_cover(notes, [(20, 38), (2, 18)], tempo_ratio=1.1, transposition=2)
    found = align_melodies(melody_of(notes, seed=1), melody_of(played, seed=2))
    assert len(found) == 2
    assert [sorted(one) for one in found] == [["a", "b", "correlation", "tempo_ratio"]] * 2
    assert found[0]["b"][0] < found[1]["b"][0]
    assert found[0]["a"][0] > found[1]["a"][0]
    assert all(0 <= one["correlation"] <= 1 and one["tempo_ratio"] == pytest.approx(1.1, rel=0.02) for one in found)


def test_the_cover_is_looked_at_once_for_each_tempo_that_is_asked_for():
    looked_at = []

    def look(melody):
        looked_at.append(melody.hop_s)
        return curve_fingerprints(melody)

    melody = melody_of(made_tune(1, 20))
    cover_at = at_any_tempo(melody, look)
    for ratio in (0.8, 1.0, 1.0, 1.25):
        fingerprints = cover_at(ratio)
        heard_s = (len(fingerprints) - 1) * fingerprints.hop_s + fingerprints.window_s
        assert heard_s == pytest.approx(melody.duration_s / ratio, abs=0.5)
    assert sorted(looked_at) == pytest.approx(sorted(melody.hop_s / ratio for ratio in (0.8, 1.0, 1.25)))


def test_a_faster_melody_is_shorter_and_keeps_its_pitches():
    melody = melody_of(made_tune(1, 20))
    assert melody.faster(1.25).duration_s == pytest.approx(melody.duration_s / 1.25)
    assert (melody.faster(1.25).f0_hz == melody.f0_hz).all()


# --- several methods


def placed(*b):
    evidence = Evidence(chance=0.01, mismatch=0.1, agreement_s=3.0, notes=9)
    return AlignedFragment((0.0, b[1] - b[0]), b, 0.9, 1.0, 0.0, "accepted", 0.9, evidence)


def test_of_a_further_method_is_told_what_lies_where_nothing_was_found_yet():
    found = [placed(5, 15), placed(30, 40)]
    inside, across, next_to_it, between = placed(6, 14), placed(14, 20), placed(14.7, 20), placed(20, 30)
    assert apart_from(found, [inside, across, next_to_it, between]) == [next_to_it, between]
    assert apart_from([], found) == found


def test_one_method_twice_tells_what_it_tells_once():
    notes = made_tune(4, 40)
    melodies = melody_of(notes, seed=1), melody_of(made_cover(notes, [(20, 38)], transposition=2)[0], seed=2)
    once = align_melodies(*melodies)
    assert once
    assert align_melodies(*melodies, [PITCH_CURVE, PITCH_CURVE]) == once


def test_what_only_a_further_method_finds_is_told_in_the_order_of_the_second_file():
    notes = made_tune(4, 40)
    original, cover = melody_of(notes, seed=1), melody_of(made_cover(notes, [(20, 38), (2, 18)])[0], seed=2)

    def look_at_half(melody):
        return curve_fingerprints(silent_from(melody, 19) if melody is original else melody)

    half_blind = replace(PITCH_CURVE, look=look_at_half)
    (seen,) = align_melodies(original, cover, [half_blind])
    added, before = align_melodies(original, cover, [half_blind, PITCH_CURVE])
    assert before == seen
    assert added["b"][1] <= seen["b"][0] + 0.5


def silent_from(melody, second):
    heard = melody.voiced & (np.arange(len(melody.voiced)) * melody.hop_s < second)
    return replace(melody, voiced=heard, f0_hz=np.where(heard, melody.f0_hz, 0).astype(np.float32))


def test_the_pitch_curves_come_with_chad_and_go_first():
    methods = shipped_methods()
    assert methods[0] is PITCH_CURVE
    assert len({method.name for method in methods}) == len(methods)
    assert all(method.settings.accepted_from > method.settings.doubtful_from for method in methods)


# --- real recordings


def test_one_riff_played_fast_and_slow_is_found_whole():
    folder = shared_data("alignment", "sir_duke")
    fast, slow = (read_melody(folder / f"sir_duke_trumpet_{take}.mp3") for take in ("fast", "slow"))
    (one,) = align_melodies(fast, slow)
    assert one["a"][0] < 0.8
    assert one["a"][1] > 4.5
    assert one["b"][0] < 1.0
    assert one["b"][1] > 6.3
    assert 1.2 < one["tempo_ratio"] < 1.4


def test_a_riff_is_not_found_in_another_recording():
    riff = read_melody(shared_data("alignment", "sir_duke", "sir_duke_trumpet_slow.mp3"))
    hum = read_melody(shared_data("hums", "henter", "melody_1.wav"))
    assert align_melodies(riff, hum) == []


# --- checkpoints


@pytest.fixture(scope="module")
def checkpoint():
    return Checkpoint(TINY, state_of(new_encoder(seed=0, **TINY.network)), DataRecord.of([]))


def test_with_a_checkpoint_the_networks_fingerprints_are_compared(checkpoint):
    """Even an untrained network gives the same melody the same fingerprints, whatever its key."""
    notes = made_tune(5, 20)
    played, _ = made_cover(notes, [(0, 20)], transposition=3)
    null = replace(PITCH_CURVE_NULL, checkpoint=checkpoint.name)
    method = Method.of_checkpoint(checkpoint, null, PITCH_CURVE_SURENESS)
    (one,) = align_melodies(melody_of(notes, seed=1), melody_of(played, seed=1), [method])
    assert one["tempo_ratio"] == pytest.approx(1, abs=0.01)
    assert one["b"] == pytest.approx(one["a"], abs=0.1)


def test_a_checkpoint_of_which_nobody_knows_how_sure_it_is_is_refused_in_words(checkpoint):
    method = Method.of_checkpoint(checkpoint, replace(PITCH_CURVE_NULL, checkpoint=checkpoint.name))
    with pytest.raises(ValueError, match=r"was not fitted yet\. Calibrate it"):
        align_melodies(melody_of(made_tune(5, 20)), melody_of(made_tune(5, 20)), [method])
    assert method.settings_to_find_all.doubtful_from == 0


def test_a_checkpoint_with_the_null_level_of_another_is_refused_in_words(checkpoint):
    with pytest.raises(ValueError, match="before mining"):
        Method.of_checkpoint(checkpoint, PITCH_CURVE_NULL)
