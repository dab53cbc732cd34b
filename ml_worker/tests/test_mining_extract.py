"""What the miner finds in covers made from a tune with a known time map."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import PITCH_CURVE, align_melodies, at_any_tempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import mine, pair_of, watch
from ml_worker.mining.gold import agreement
from ml_worker.mining.known import find_known
from ml_worker.mining.null import PITCH_CURVE_NULL
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of

SETTINGS = PITCH_CURVE.settings
HOP_S = 0.25


def mined(original, cover, settings=SETTINGS):
    return mine(curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), settings, (original, cover))


def known(original, cover, fragment):
    pair = PITCH_CURVE.pair(original, cover)
    return find_known(pair, [fragment], watch(pair))[fragment]


def tune_and_cover(sections, seed=0, **differences):
    """Melodies of a tune of 50 s and of a cover that plays these sections of it, and the true time map."""
    notes = made_tune(seed, 50)
    played, time_map = made_cover(notes, sections, **differences)
    return melody_of(notes, seed=1), melody_of(played, seed=2, octave_errors=0.05), time_map


def test_a_cover_in_another_key_and_tempo_is_found_from_start_to_end():
    original, cover, time_map = tune_and_cover([(0, 50)], tempo_ratio=1.15, transposition=-5, rubato=0.05)
    result = agreement(mined(original, cover), time_map)
    assert result.precision == 1
    assert result.recall > 0.9
    assert result.median_start_error_s < 0.15


def test_fragments_are_as_long_as_fragments_may_be_and_do_not_overlap():
    original, cover, _ = tune_and_cover([(0, 50)])
    found = mined(original, cover)
    assert all(4 <= one.a[1] - one.a[0] <= 20 and 4 <= one.b[1] - one.b[0] <= 20.5 for one in found)
    assert all(before.b[1] <= after.b[0] + 1e-6 for before, after in pairwise(found))


def test_sections_in_another_order_repeated_and_left_out_are_each_found_where_they_are():
    sections = [(28, 46), (4, 18), (4, 18)]
    original, cover, time_map = tune_and_cover(sections, tempo_ratio=0.9, transposition=3)
    found = mined(original, cover)
    result = agreement(found, time_map)
    assert result.precision == 1
    assert result.recall > 0.85
    middle = [(one.a[0] + one.a[1]) / 2 for one in found]
    assert sum(4 <= second <= 18 for second in middle) >= 2
    assert not any(18 < second < 28 for second in middle)


def test_what_is_played_between_the_sections_is_left_out():
    between = made_tune(99, 12)
    original, cover, time_map = tune_and_cover([(2, 20), (25, 45)], between=between)
    found = mined(original, cover)
    assert agreement(found, time_map).precision == 1
    gap = time_map[0][-1][1] + 1, time_map[1][0][1] - 1
    assert not any(one.b[0] < gap[1] and one.b[1] > gap[0] for one in found)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_the_tempo_ratio_is_right_to_two_percent(ratio):
    original, cover, _ = tune_and_cover([(0, 50)], tempo_ratio=ratio)
    found = mined(original, cover)
    assert found
    assert [one.tempo_ratio for one in found] == pytest.approx([ratio] * len(found), rel=0.02)


def test_the_transposition_is_known_octave_included():
    original, cover, _ = tune_and_cover([(0, 50)], transposition=-14)
    found = mined(original, cover)
    assert [one.transposition for one in found] == pytest.approx([-14] * len(found), abs=0.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_unrelated_recordings_share_nothing(seed):
    original, _, _ = tune_and_cover([(0, 50)])
    _, other, _ = tune_and_cover([(0, 50)], seed=50 + seed, tempo_ratio=1.1)
    assert [one for one in mined(original, other) if one.decision == "accepted"] == []
    assert align_melodies(original, other) == []


def test_each_step_of_mining_is_kept_to_be_looked_at():
    """What a picture of a pair is drawn from: the map, and on it what became of its paths."""
    original, cover, time_map = tune_and_cover([(28, 46), (4, 18)], tempo_ratio=1.1)
    watched = watch(PITCH_CURVE.pair(original, cover))
    assert watched.kept == mined(original, cover)
    assert len(watched.paths) == len(watched.passages) >= 2
    for path, passage in zip(watched.paths, watched.passages, strict=True):
        assert (watched.map.correlation[path.rows, path.columns] > watched.floor).mean() > 0.5
        middle_s = sum(passage.original) / 2
        on_path_s = np.interp(middle_s, path.rows * HOP_S + 2, path.columns * HOP_S + 2.2)
        assert float(passage.cover_at(middle_s)) == pytest.approx(on_path_s, abs=1)
    assert all(one in watched.fragments for one in watched.kept)
    assert agreement([one for one in watched.kept if one.decision == "accepted"], time_map).precision == 1


# --- a known fragment


def test_a_known_fragment_is_found_at_every_place_where_it_is_played():
    original, cover, time_map = tune_and_cover([(30, 48), (5, 20), (5, 20)], tempo_ratio=1.2, transposition=4)
    found = known(original, cover, (8, 15))
    true_starts = [float(np.interp(8, *np.array(line).T)) for line in time_map[1:]]
    assert [one.b[0] for one in found] == pytest.approx(true_starts, abs=HOP_S)
    assert all(one.a == (8, 15) for one in found)
    assert [one.tempo_ratio for one in found] == pytest.approx([1.2, 1.2], rel=0.02)


def test_a_known_fragment_that_is_not_played_is_not_found():
    original, cover, _ = tune_and_cover([(30, 48)], tempo_ratio=1.2)
    assert known(original, cover, (8, 15)) == []


def planted(at, seed=0):
    """Random fingerprints of two recordings; 24 of the original's, from 40 on, stand in the cover too.

    And pitch curves of them, which are alike there and nowhere else.
    """
    rng = np.random.default_rng(seed)

    def walk(count):
        steps = np.cumsum(rng.normal(size=(count + 12, 32)), axis=0)
        vectors = (steps[12:] - steps[:-12]).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def sung(count, seed):
        return melody_of(made_tune(seed, 60), seed=seed).cut(0, count * HOP_S + 3.0 - HOP_S)

    original, cover = walk(160), walk(140)
    cover[at : at + 24] = original[40:64]
    melodies = sung(160, 7), with_part(sung(140, 8), at * HOP_S, sung(160, 7).cut(40 * HOP_S, 63 * HOP_S + 3.0))
    name = PITCH_CURVE_NULL.checkpoint
    looked = [Fingerprints(one, 3.0, HOP_S, np.ones(len(one), np.float32), name) for one in (original, cover)]
    return *looked, melodies


def with_part(melody, at_s, part):
    """A melody with a part of another in place of its own from a second on."""
    first = round(at_s / melody.hop_s)
    curves = []
    for of_melody, of_part in zip(frames_of(melody), frames_of(part), strict=True):
        changed = of_melody.copy()
        changed[first : first + len(of_part)] = of_part[: len(changed) - first]
        curves.append(changed)
    return Melody(melody.hop_s, *curves, melody.method)


def frames_of(melody):
    return melody.f0_hz, melody.voiced, melody.confidence


@pytest.mark.parametrize("at", [0, 30, 77, 116])
def test_planted_fingerprints_are_found_to_a_hop(at):
    original, cover, melodies = planted(at)
    found = [one for one in mine(original, cover, SETTINGS, melodies) if one.decision == "accepted"]
    (one,) = found
    middles = (one.a[0] + one.a[1]) / 2, (one.b[0] + one.b[1]) / 2
    assert middles[1] - middles[0] == pytest.approx((at - 40) * HOP_S, abs=HOP_S)
    pair, fragment = pair_of(original, cover, SETTINGS, melodies), (40 * HOP_S, 63 * HOP_S + 3.0)
    (there,) = find_known(pair, [fragment], watch(pair))[fragment]
    assert there.b[0] == pytest.approx(at * HOP_S, abs=HOP_S)
    assert there.correlation > 0.95


# --- too little to go by


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0, 3.9])
def test_recordings_too_short_for_a_fragment_share_none(seconds):
    original, cover, _ = tune_and_cover([(0, 50)])
    short = original.cut(0, seconds)
    assert mined(short, cover) == []
    assert mined(cover, short) == []
    assert align_melodies(short, short) == []
    assert known(original, short, (8, 15)) == []
    assert known(short, original, (0, 5)) == []


def test_a_recording_without_a_voice_shares_nothing():
    original, _, _ = tune_and_cover([(0, 50)])
    silent = replace(original, f0_hz=np.zeros_like(original.f0_hz), voiced=np.zeros_like(original.voiced))
    assert mined(original, silent) == []
    assert mined(silent, silent) == []


def test_fingerprints_of_another_checkpoint_than_the_null_level_are_refused():
    original, cover, melodies = planted(30)
    with pytest.raises(ValueError, match="Calibrate the null level"):
        mine(replace(original, checkpoint="short-0123456789ab"), cover, SETTINGS, melodies)
