"""What the miner finds in covers made from a tune with a known time map."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import align_melodies, at_any_tempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import MiningSettings, find_fragment, mine
from ml_worker.mining.gold import agreement
from ml_worker.mining.null import PITCH_CURVE_NULL
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of

SETTINGS = MiningSettings(PITCH_CURVE_NULL)
HOP_S = 0.25


def mined(original, cover, settings=SETTINGS):
    return mine(curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), settings, (original, cover))


def pair_of(sections, seed=0, **differences):
    """Melodies of a tune of 50 s and of a cover that plays these sections of it, and the true time map."""
    notes = made_tune(seed, 50)
    played, time_map = made_cover(notes, sections, **differences)
    return melody_of(notes, seed=1), melody_of(played, seed=2, octave_errors=0.05), time_map


def test_a_cover_in_another_key_and_tempo_is_found_from_start_to_end():
    original, cover, time_map = pair_of([(0, 50)], tempo_ratio=1.15, transposition=-5, rubato=0.05)
    result = agreement(mined(original, cover), time_map)
    assert result.precision == 1
    assert result.recall > 0.9
    assert result.median_start_error_s < 0.15


def test_fragments_are_as_long_as_fragments_may_be_and_do_not_overlap():
    original, cover, _ = pair_of([(0, 50)])
    found = mined(original, cover)
    assert all(4 <= one.a[1] - one.a[0] <= 20 and 4 <= one.b[1] - one.b[0] <= 20.5 for one in found)
    assert all(before.b[1] <= after.b[0] + 1e-6 for before, after in pairwise(found))


def test_sections_in_another_order_repeated_and_left_out_are_each_found_where_they_are():
    sections = [(28, 46), (4, 18), (4, 18)]
    original, cover, time_map = pair_of(sections, tempo_ratio=0.9, transposition=3)
    found = mined(original, cover)
    result = agreement(found, time_map)
    assert result.precision == 1
    assert result.recall > 0.85
    middle = [(one.a[0] + one.a[1]) / 2 for one in found]
    assert sum(4 <= second <= 18 for second in middle) >= 2
    assert not any(18 < second < 28 for second in middle)


def test_what_is_played_between_the_sections_is_left_out():
    between = made_tune(99, 12)
    original, cover, time_map = pair_of([(2, 20), (25, 45)], between=between)
    found = mined(original, cover)
    assert agreement(found, time_map).precision == 1
    gap = time_map[0][-1][1] + 1, time_map[1][0][1] - 1
    assert not any(one.b[0] < gap[1] and one.b[1] > gap[0] for one in found)


@pytest.mark.parametrize("ratio", [0.8, 1.25])
def test_the_tempo_ratio_is_right_to_two_percent(ratio):
    original, cover, _ = pair_of([(0, 50)], tempo_ratio=ratio)
    found = mined(original, cover)
    assert found
    assert [one.tempo_ratio for one in found] == pytest.approx([ratio] * len(found), rel=0.02)


def test_the_transposition_is_known_octave_included():
    original, cover, _ = pair_of([(0, 50)], transposition=-14)
    found = mined(original, cover)
    assert [one.transposition for one in found] == pytest.approx([-14] * len(found), abs=0.5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_unrelated_recordings_share_nothing(seed):
    original, _, _ = pair_of([(0, 50)])
    _, other, _ = pair_of([(0, 50)], seed=50 + seed, tempo_ratio=1.1)
    assert [one for one in mined(original, other) if one.decision == "accepted"] == []
    assert align_melodies(original, other) == []


def test_without_pitch_curves_passages_are_found_to_the_protocols_half_second():
    original, cover, time_map = pair_of([(28, 46), (4, 18)], tempo_ratio=1.1)
    found = mine(curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), SETTINGS)
    result = agreement(found, time_map)
    assert result.right == result.found >= 2
    assert result.recall > 0.7
    assert {one.transposition for one in found} == {None}


# --- a known fragment


def test_a_known_fragment_is_found_at_every_place_where_it_is_played():
    original, cover, time_map = pair_of([(30, 48), (5, 20), (5, 20)], tempo_ratio=1.2, transposition=4)
    found = find_fragment(
        curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), 8, 15, SETTINGS, (original, cover)
    )
    true_starts = [float(np.interp(8, *np.array(line).T)) for line in time_map[1:]]
    assert [one.b[0] for one in found] == pytest.approx(true_starts, abs=HOP_S)
    assert all(one.a == (8, 15) for one in found)
    assert [one.tempo_ratio for one in found] == pytest.approx([1.2, 1.2], rel=0.02)


def test_a_known_fragment_that_is_not_played_is_not_found():
    original, cover, _ = pair_of([(30, 48)], tempo_ratio=1.2)
    found = find_fragment(curve_fingerprints(original), at_any_tempo(cover, curve_fingerprints), 8, 15, SETTINGS)
    assert found == []


def planted(at, seed=0):
    """Random fingerprints of two recordings; 24 of the original's, from 40 on, stand in the cover too."""
    rng = np.random.default_rng(seed)

    def walk(count):
        steps = np.cumsum(rng.normal(size=(count + 12, 32)), axis=0)
        vectors = (steps[12:] - steps[:-12]).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    original, cover = walk(160), walk(140)
    cover[at : at + 24] = original[40:64]
    name = PITCH_CURVE_NULL.checkpoint
    return [Fingerprints(vectors, 3.0, HOP_S, np.ones(len(vectors), np.float32), name) for vectors in (original, cover)]


@pytest.mark.parametrize("at", [0, 30, 77, 116])
def test_planted_fingerprints_are_found_to_a_hop(at):
    original, cover = planted(at)
    (one,) = mine(original, cover, SETTINGS)
    middles = (one.a[0] + one.a[1]) / 2, (one.b[0] + one.b[1]) / 2
    assert middles[1] - middles[0] == pytest.approx((at - 40) * HOP_S, abs=HOP_S)
    (known,) = find_fragment(original, cover, 40 * HOP_S, 63 * HOP_S + 3.0, SETTINGS)
    assert known.b[0] == pytest.approx(at * HOP_S, abs=HOP_S)
    assert known.correlation > 0.95


# --- too little to go by


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0, 3.9])
def test_recordings_too_short_for_a_fragment_share_none(seconds):
    original, cover, _ = pair_of([(0, 50)])
    short = original.cut(0, seconds)
    assert mined(short, cover) == []
    assert mined(cover, short) == []
    assert align_melodies(short, short) == []
    known = curve_fingerprints(original), curve_fingerprints(short)
    assert find_fragment(*known, 8, 15, SETTINGS) == []
    assert find_fragment(*reversed(known), 0, 5, SETTINGS) == []


def test_a_recording_without_a_voice_shares_nothing():
    original, _, _ = pair_of([(0, 50)])
    silent = replace(original, f0_hz=np.zeros_like(original.f0_hz), voiced=np.zeros_like(original.voiced))
    assert mined(original, silent) == []
    assert mined(silent, silent) == []


def test_fingerprints_of_another_checkpoint_than_the_null_level_are_refused():
    original, cover = planted(30)
    with pytest.raises(ValueError, match="Calibrate the null level"):
        mine(replace(original, checkpoint="short-0123456789ab"), cover, SETTINGS)
