"""The classical matcher finds what was hummed in any key, tempo and place, no worse than plain linear scaling does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.trackers import track_melody
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half
from ml_worker.retrieval import warping
from ml_worker.retrieval.classical import FROM_START_S, ClassicalMatcher, StartCosts
from ml_worker.retrieval.hum_line import LONGEST_S, hum_lines
from ml_worker.retrieval.linear_scaling import (
    CAP_ST,
    COARSE_MEAN_S,
    COARSE_POINTS,
    LEAST_INSIDE,
    OVERHANG_POWER,
    TEMPO_RATIOS,
    TOO_LITTLE_ST,
    capped_distance,
    chance_distance,
    overhung,
    smoothed,
)
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.metrics import hit_rates, rank_of
from ml_worker.retrieval.target_table import HOP_S, StartKind, line_of, note_starts, start_kinds, table_of
from ml_worker.tests.made_hums import curve_melody
from ml_worker.tests.made_tunes import MadeNote, made_tune, melody_of
from ml_worker.tests.shared_data import shared_data

TUNES = {seed: made_tune(seed, 40) for seed in range(40)}
TARGETS = [melody_of(notes, seed=seed, drift=0) for seed, notes in TUNES.items()]


@pytest.fixture(scope="module")
def matcher() -> ClassicalMatcher:
    return ClassicalMatcher(TARGETS)


def hum(
    seed: int, first_note: int, seconds: float, *, tempo_ratio: float = 1.0, transposition: float = 0.0, **off
) -> tuple[Melody, float]:
    """A hum of a tune from a note on, and the second of the tune at which it begins."""
    notes = TUNES[seed][first_note:]
    begin = notes[0].start_s
    sung = [
        MadeNote(
            0.4 + (note.start_s - begin) * tempo_ratio,
            0.4 + (note.end_s - begin) * tempo_ratio,
            note.pitch + transposition,
        )
        for note in notes
        if (note.start_s - begin) * tempo_ratio < seconds
    ]
    return melody_of(sung, seed=seed + 1000, **off), begin


def plain_scores(query: Melody, targets: list[Melody], *, from_start: bool = False) -> list[float]:
    """The peer, written plainly: ten frames a second, rests held, 13 tempi, mean key, mean absolute difference."""
    sung = line_of(query).pitch
    scores = []
    for target in targets:
        line = line_of(target)
        starts = note_starts(line)[:1] if from_start else note_starts(line)
        nearest = np.inf
        for ratio in TEMPO_RATIOS:
            hop = round(0.1 / HOP_S)
            hummed = sung[::hop]
            steps = np.rint(np.arange(len(hummed)) * hop / ratio).astype(int)
            places = line.pitch[np.minimum(starts[:, None] + steps, len(line.pitch) - 1)]
            differences = (places - places.mean(axis=1, keepdims=True)) - (hummed - hummed.mean())
            nearest = min(nearest, float(np.abs(differences).mean(axis=1).min()))
        scores.append(-nearest)
    return scores


# --- what it finds


@pytest.mark.parametrize(
    ("tempo_ratio", "transposition", "first_note"), [(0.63, -5, 0), (0.9, 7.4, 11), (1.0, -12, 20), (1.65, 3, 8)]
)
def test_a_hum_in_any_key_tempo_and_place_finds_its_tune(matcher, tempo_ratio, transposition, first_note):
    query, begin_s = hum(7, first_note, 8, tempo_ratio=tempo_ratio, transposition=transposition, drift=0.3)
    matches = matcher.match(query)
    assert matches.best(1).tolist() == [7]
    assert matches.starts_s[7] == pytest.approx(begin_s, abs=0.4)
    assert matches.tempo_ratios[7] == pytest.approx(tempo_ratio, rel=0.08)


def test_a_hum_known_to_begin_at_the_start_is_laid_there(matcher):
    query, begin_s = hum(3, 0, 7, tempo_ratio=1.2, drift=0.3)
    matches = matcher.match(query, from_start=True)
    assert matches.best(1).tolist() == [3]
    assert matches.starts_s[3] == pytest.approx(begin_s, abs=0.2)
    starts = np.array([notes[0].start_s for notes in TUNES.values()])
    assert (np.abs(matches.starts_s - starts) < FROM_START_S + 0.2).all()


@settings(max_examples=8, deadline=None)
@given(transposition=st.floats(-20, 20), seed=st.integers(0, 39))
def test_the_key_does_not_matter(transposition, seed):
    matcher = ClassicalMatcher(TARGETS[:8])
    query, _ = hum(seed, 5, 6, drift=0.2)
    moved = curve_melody(query.pitch() + np.float32(transposition), query.hop_s)
    assert matcher.match(moved).scores == pytest.approx(matcher.match(query).scores, abs=0.02)


def test_clicks_before_the_hum_and_octave_errors_do_not_hide_the_tune(matcher):
    query, _ = hum(11, 6, 8, drift=0.3, octave_errors=0.15)
    click = np.full(round(0.8 / query.hop_s), np.nan, dtype=np.float32)
    click[2:12] = 33.0
    spoilt = curve_melody(np.concatenate([click, query.pitch()]), query.hop_s)
    assert matcher.match(spoilt).best(1).tolist() == [11]


def test_a_slow_change_of_key_and_an_uneven_tempo_are_followed(matcher):
    query, _ = hum(19, 4, 10, drift=0.2)
    pitch = query.pitch()
    seconds = np.arange(len(pitch)) * query.hop_s
    bent = seconds + 0.5 * np.sin(2 * np.pi * seconds / seconds[-1])
    sung = pitch[np.clip(np.rint(bent / query.hop_s).astype(int), 0, len(pitch) - 1)]
    drifting = curve_melody(sung + np.linspace(0, 1.2, len(sung), dtype=np.float32), query.hop_s)
    assert matcher.match(drifting).best(1).tolist() == [19]


def test_it_is_no_worse_than_plain_linear_scaling(matcher):
    ours, plain = [], []
    for seed in range(0, 40, 3):
        query, _ = hum(seed, seed % 12, 5, tempo_ratio=1.3 - 0.015 * seed, drift=0.6, octave_errors=0.1)
        ours.append(rank_of(seed, range(40), matcher.match(query).scores))
        plain.append(rank_of(seed, range(40), plain_scores(query, TARGETS)))
    assert hit_rates(ours).mrr >= hit_rates(plain).mrr
    assert hit_rates(ours).mrr > 0.9


def test_sung_performances_find_their_melody():
    curves = mast_curves(shared_data("f0", "mast").parents[1])
    names = sorted({curve.name for curve in curves})
    first = {curve.name: curve.melody for curve in reversed(curves) if curve.kind == "reference"}
    references = [first[name] for name in names]
    tuned = mast_half(curves, tuning=True)
    sung = [curve for curve in curves if curve.kind == "pass" and curve.name in tuned][::4]
    performances = [(curve.melody, names.index(curve.name)) for curve in sung]
    matcher = ClassicalMatcher(references)
    ranks = [rank_of(name, range(20), matcher.match(one, from_start=True).scores) for one, name in performances]
    assert hit_rates(ranks).mrr > 0.9


# --- where a hum starts


def test_where_people_start_decides_between_equal_places():
    phrase = [note for note in TUNES[5] if note.start_s < 8]
    long = 20.0
    later = [MadeNote(note.start_s + long, note.end_s + long, note.pitch) for note in phrase]
    at_start, in_middle = melody_of(phrase, drift=0), melody_of([*TUNES[6][:20], *later], drift=0)
    query = melody_of(phrase, seed=9, drift=0.2)
    assert ClassicalMatcher([in_middle, at_start], StartCosts(0, 0.3, 0.6)).match(query).best(1).tolist() == [1]
    assert ClassicalMatcher([at_start, in_middle], StartCosts(0.6, 0, 0)).match(query).best(1).tolist() == [1]


def test_notes_start_after_rests_at_pitch_steps_and_at_attacks():
    notes = [(0, 0.5, 60), (0.5, 1.0, 62), (1.0, 1.5, 62), (2.0, 2.5, 62)]
    pitch = np.full(round(2.6 / HOP_S), np.nan, dtype=np.float32)
    attack = np.zeros(len(pitch), dtype=np.float32)
    for start, end, number in notes:
        pitch[round(start / HOP_S) : round(end / HOP_S)] = number
        attack[round(start / HOP_S)] = 0.9
    line = line_of(curve_melody(pitch, HOP_S))
    assert note_starts(line) * HOP_S == pytest.approx([0, 0.5, 2.0], abs=0.05)
    starts = note_starts(line, attack[: len(line.pitch)])
    assert starts * HOP_S == pytest.approx([0, 0.5, 1.0, 2.0], abs=0.05)
    assert start_kinds(line, starts).tolist() == [StartKind.TUNE, StartKind.NOTE, StartKind.NOTE, StartKind.PHRASE]


def test_vibrato_starts_no_notes():
    seconds = np.arange(0, 3, HOP_S)
    line = line_of(curve_melody((60 + 0.4 * np.sin(2 * np.pi * 5.5 * seconds)).astype(np.float32), HOP_S))
    assert note_starts(line).tolist() == [0]


# --- raw figures for a shortlist


def test_a_comparison_agrees_with_the_match(matcher):
    query, begin_s = hum(7, 9, 8, tempo_ratio=1.1, drift=0.2)
    matches = matcher.match(query)
    among = [3, 7, 30]
    figures = matcher.compare(query, among)
    assert figures.among.tolist() == among
    assert figures.totals == pytest.approx(-matches.scores[among], abs=0.02)
    assert figures.starts_s[1] == pytest.approx(begin_s, abs=0.4)
    assert np.argmin(figures.linear) == np.argmin(figures.warped) == np.argmax(figures.agreements) == 1
    assert figures.agreements[1] > 0.8
    assert ((figures.agreements >= 0) & (figures.agreements <= 1)).all()


# --- hums that go on beyond the end


def hum_beyond(seed: int, last_s: float, beyond_s: float) -> tuple[Melody, float]:
    """The last seconds of a tune and then something else, and the second of the tune at which the hum begins."""
    begin = TUNES[seed][-1].end_s - last_s
    other = made_tune(100)
    last = [note for note in TUNES[seed] if note.start_s >= begin]
    moved_s = TUNES[seed][-1].end_s - other[0].start_s
    more = [MadeNote(note.start_s + moved_s, note.end_s + moved_s, note.pitch) for note in other]
    sung = [note for note in [*last, *more] if note.end_s <= TUNES[seed][-1].end_s + beyond_s]
    begins_s = sung[0].start_s
    notes = [MadeNote(note.start_s - begins_s, note.end_s - begins_s, note.pitch) for note in sung]
    return melody_of(notes, seed=seed + 1000, drift=0.2), begins_s


@pytest.mark.parametrize("seed", [2, 17, 31])
def test_a_hum_of_which_the_last_half_has_no_counterpart_finds_its_tune(matcher, seed):
    query, begins_s = hum_beyond(seed, 8, 8)
    matches = matcher.match(query)
    assert matches.best(1).tolist() == [seed]
    assert matches.starts_s[seed] == pytest.approx(begins_s, abs=0.4)
    figures = matcher.compare(query, [seed])
    assert figures.agreements[0] == pytest.approx(0.5, abs=0.12)


def test_a_place_that_holds_too_little_of_the_hum_is_not_chosen(matcher):
    query, _ = hum_beyond(5, 4, 15)  # a fifth of it is the end of its tune
    (line,) = hum_lines(query)
    targets = [line_of(target) for target in TARGETS]
    ends_s = np.array([target.begins_s + len(target.pitch) * HOP_S for target in targets])
    figures = matcher.compare(query, range(len(TARGETS)))
    for found in (matcher.match(query), figures):
        shares = (ends_s - found.starts_s) * found.tempo_ratios / (len(line.pitch) * HOP_S)
        assert (shares > LEAST_INSIDE - 0.01).all()
    assert (figures.totals < TOO_LITTLE_ST).all()


def test_a_target_of_which_no_place_holds_enough_comes_behind_all_others():
    query, _ = hum(7, 0, 12)
    end_s = query.duration_s
    targets = [TARGETS[7].cut(0, 2), TARGETS[7].cut(0, end_s - 6), *TARGETS[8:12]]
    for from_start in (False, True):
        matches = ClassicalMatcher(targets).match(query, from_start=from_start)
        assert matches.best(1).tolist() == [1]
        assert matches.best(6)[-1] == 0
        assert np.isfinite(matches.scores).all()


def test_one_search_answers_as_single_questions_do(matcher):
    query, _ = hum(23, 4, 8, drift=0.3)
    search = matcher.search(query)
    among = [3, 12, 23, 39]
    answers = [(search.match(), matcher.match(query))]
    for from_start in (False, True):
        answers.append(
            (search.compare(among, from_start=from_start), matcher.compare(query, among, from_start=from_start))
        )
    for one, other in answers:
        for name, values in vars(one).items():
            np.testing.assert_array_equal(values, getattr(other, name))


# --- what cannot be compared


@pytest.mark.parametrize(
    "pitch", [np.zeros(0), np.full(400, np.nan), np.full(10, 60.0)], ids=["nothing", "silence", "0.2 s"]
)
def test_a_query_without_a_melody_is_refused_in_words(matcher, pitch):
    with pytest.raises(NothingHeard, match="no melody"):
        matcher.match(curve_melody(pitch.astype(np.float32), 0.02))


def test_noise_taken_for_pitch_gives_scores(matcher):
    rng = np.random.default_rng(0)
    pitch = rng.uniform(40, 90, 500).astype(np.float32)
    pitch[rng.random(500) < 0.5] = np.nan
    assert np.isfinite(matcher.match(curve_melody(pitch)).scores).all()


def test_speech_gives_scores_that_are_worse_than_a_hums(matcher):
    speech = track_melody(decode(shared_data("alignment", "offset", "timbl_1.mp3"))).cut(0, 12)
    query, _ = hum(7, 0, 8, drift=0.3)
    assert matcher.match(speech).scores.max() < matcher.match(query).scores.max()


def test_targets_without_voice_or_shorter_than_the_hum():
    silent = curve_melody(np.full(100, np.nan, dtype=np.float32))
    nothing = curve_melody(np.zeros(0, dtype=np.float32))
    short = TARGETS[2].cut(0, 3)
    query, _ = hum(7, 0, 9, drift=0.2)
    for from_start in (False, True):
        matches = ClassicalMatcher([silent, short, TARGETS[7], nothing]).match(query, from_start=from_start)
        assert matches.best(4).tolist() == [2, 1]
        assert np.isneginf(matches.scores[[0, 3]]).all()
        assert np.isfinite(matches.scores[[1, 2]]).all()


def test_no_targets_give_no_matches():
    assert len(ClassicalMatcher([]).match(TARGETS[0]).scores) == 0


def test_more_targets_than_the_shortlist_are_all_ranked():
    many = [TARGETS[seed % 40].cut(seed % 7, 30 + seed % 5) for seed in range(220)]
    query, _ = hum(13, 10, 8, drift=0.2)
    matches = ClassicalMatcher(many).match(query)
    assert np.isfinite(matches.scores).all()
    assert matches.best(1)[0] % 40 == 13


# --- the hum's line


def test_a_stray_sound_at_either_end_is_no_part_of_the_hum():
    stray, rest = np.full(15, 40.0), np.full(10, np.nan)
    pitch = np.concatenate([stray, rest, np.full(100, 60.0), rest, stray + 45])
    (line,) = hum_lines(curve_melody(pitch.astype(np.float32), 0.02))
    assert line.pitch == pytest.approx(60, abs=1e-3)
    assert line.begins_s == pytest.approx(0.5)


def test_a_first_short_sound_may_or_may_not_belong_to_the_hum():
    pitch = np.concatenate([np.full(10, 60.0), np.full(10, np.nan), np.full(100, 62.0)])
    lines = hum_lines(curve_melody(pitch.astype(np.float32), 0.02))
    assert [line.begins_s for line in lines] == pytest.approx([0, 0.4])


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("start_s", "seconds"), [(5, 3), (10, 2), (15, 1.5)])
def test_real_words_before_or_after_the_hum_are_no_part_of_it(before, start_s, seconds):
    """The speech of a broadcast, a moment's rest, and a curve that is hummed."""
    words = track_melody(decode(shared_data("alignment", "offset", "timbl_1.mp3"))).cut(start_s, start_s + seconds)
    hop_s = words.hop_s
    hum = np.repeat([60.0, 62.0, 64.0, 60.0, 67.0, 65.0], round(0.5 / hop_s))
    spoken, rest = words.pitch(), np.full(round(0.6 / hop_s), np.nan)
    pitch = np.concatenate([spoken, rest, hum] if before else [hum, rest, spoken])
    (line,) = hum_lines(curve_melody(pitch.astype(np.float32), hop_s))
    assert len(line.pitch) * HOP_S == pytest.approx(3, abs=0.05)
    assert line.begins_s == pytest.approx(seconds + 0.6 if before else 0, abs=0.1)


@pytest.mark.parametrize("rest_s", [4, 20])
def test_after_a_false_start_and_a_long_rest_the_hum_begins_anew(rest_s):
    pitch = np.concatenate([np.full(40, 58.0), np.full(50 * rest_s, np.nan), np.repeat([60.0, 62.0, 64.0, 60.0], 25)])
    (line,) = hum_lines(curve_melody(pitch.astype(np.float32), 0.02))
    assert line.pitch[0] == pytest.approx(60, abs=1e-3)
    assert len(line.pitch) == 100
    assert line.begins_s == pytest.approx(0.8 + rest_s)


def test_a_short_word_between_others_does_not_keep_them():
    words = track_melody(decode(shared_data("alignment", "offset", "timbl_1.mp3")))
    hop_s = words.hop_s
    rest, word = np.full(round(0.6 / hop_s), np.nan), np.full(round(0.2 / hop_s), 50.0)
    hum = np.repeat([60.0, 62.0, 64.0, 60.0, 67.0, 65.0], round(0.5 / hop_s))
    pitch = np.concatenate([words.cut(10, 12).pitch(), rest, word, rest, words.cut(5, 8).pitch(), rest, hum])
    (line,) = hum_lines(curve_melody(pitch.astype(np.float32), hop_s))
    assert len(line.pitch) * HOP_S == pytest.approx(3, abs=0.05)


def test_where_everything_is_spoken_all_of_it_is_kept():
    """So that who asks is told that it is speech, and not that there is too little."""
    words = track_melody(decode(shared_data("alignment", "offset", "timbl_1.mp3"))).cut(0, 12)
    (line, *_) = hum_lines(words)
    assert len(line.pitch) * HOP_S > 8


def test_of_a_long_hum_the_beginning_is_used():
    (line,) = hum_lines(curve_melody(np.full(3000, 60, dtype=np.float32), 0.02))
    assert len(line.pitch) * HOP_S == pytest.approx(LONGEST_S)


# --- the same, written plainly


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    ratio=st.sampled_from([0.6, 1.0, 1.7]),
    length=st.integers(20, 200),
    exact_key=st.booleans(),
    one_ratio=st.booleans(),
)
def test_the_capped_distance_is_what_it_says(seed, ratio, length, exact_key, one_ratio):
    rng = np.random.default_rng(seed)
    table = rng.uniform(58, 66, 600).astype(np.float32)
    points = rng.uniform(58, 66, 12).astype(np.float32)
    starts = rng.integers(0, 200, 9)
    ends = starts + rng.integers(1, 400, 9)
    ratios = ratio if one_ratio else np.full(9, ratio)
    found = capped_distance(table, points, length, starts, ends, ratios, exact_key=exact_key)
    for start, end, distance, share, key in zip(starts, ends, *found, strict=True):
        expected = _plain_capped(table, points, length, int(start), int(end), ratio, exact_key)
        assert (distance, share, key) == pytest.approx(expected, abs=1e-3)


def _plain_capped(
    table: np.ndarray, points: np.ndarray, length: int, start: int, end: int, ratio: float, exact_key: bool
) -> tuple[float, float, float]:
    """The distance over the points before the end, their share and the key."""
    along = [start + round(k * (length - 1) / (len(points) - 1) / ratio) for k in range(len(points))]
    off = np.array([table[at] - point for at, point in zip(along, points, strict=True) if at < end])
    share = len(off) / len(points)
    if share < LEAST_INSIDE:
        return CAP_ST, share, 0
    if exact_key:
        key = np.median(off)
        near = [value for value in off - key if abs(value) <= 1]
        key += np.mean(near) if near else 0
    else:
        key = np.mean(off)
        key += np.mean(np.clip(off - key, -CAP_ST, CAP_ST))
    return float(np.minimum(np.abs(off - key), CAP_ST).mean()), share, float(key)


@given(
    within=st.floats(0, CAP_ST),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    chance=st.floats(1, CAP_ST),
)
def test_what_lies_beyond_the_end_counts_as_by_chance(within, shares, chance):
    found = overhung(np.full(len(shares), within, np.float32), np.array(shares), chance)
    for share, distance in zip(shares, found, strict=True):
        if share < LEAST_INSIDE:
            assert distance == TOO_LITTLE_ST
        else:
            assert distance == pytest.approx(chance - (chance - within) * share**OVERHANG_POWER, abs=1e-5)
            assert min(within, chance) - 1e-5 <= distance <= max(within, chance) + 1e-5


@given(within=st.lists(st.floats(0, CAP_ST, width=32), max_size=5), chance=st.floats(0, CAP_ST))
def test_a_hum_that_lies_inside_counts_as_it_fits(within, chance):
    distances = np.array(within, np.float32)
    np.testing.assert_array_equal(overhung(distances, np.ones(len(distances)), chance), distances)


def test_a_place_by_chance_is_one_in_the_middle_of_those_that_hold_enough():
    table = table_of(TARGETS[:3])
    smooth = smoothed(table.pitch, COARSE_MEAN_S)
    query = line_of(TARGETS[9].cut(0, 25)).pitch
    points = smoothed(query, COARSE_MEAN_S)[np.linspace(0, len(query) - 1, COARSE_POINTS).round().astype(int)]
    distances = []
    for start, owner in zip(table.starts, table.owners, strict=True):
        end = int(table.lasts[owner])
        if end - start >= LEAST_INSIDE * len(query):
            distances.append(_plain_capped(smooth, points, len(query), int(start), end, 1.0, exact_key=False)[0])
    assert 0 < len(distances) < len(table.starts)
    assert chance_distance(table, smooth, query) == pytest.approx(np.median(distances), abs=1e-3)
    assert chance_distance(table, smooth, np.tile(query, 10)) == CAP_ST  # no target holds enough of it


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 14), beyond=st.integers(0, 20))
def test_a_warped_path_costs_what_the_recursion_says(seed, frames, beyond):
    rng = np.random.default_rng(seed)
    hum_pitch = rng.uniform(58, 64, frames).astype(np.float32)
    heard = rng.random(frames) < 0.8
    window = rng.uniform(58, 64, frames + 2 * warping.BAND).astype(np.float32)
    window[len(window) - beyond :] = np.nan
    cost, counts = warping._paths(hum_pitch, heard, window[None], 1.9)
    assert cost[0] == pytest.approx(_plain_warp(hum_pitch, window, 1.9), abs=1e-4)
    agrees, inside = counts[0]
    assert 0 <= agrees <= min(inside, heard.sum())
    assert inside <= frames
    assert beyond or inside == frames


def _plain_warp(hum_pitch: np.ndarray, window: np.ndarray, beyond_st: float) -> float:
    """The same path cell by cell: frame i of the hum on frame j of the window, i <= j <= i + 2 BAND."""
    frames, band = len(hum_pitch), warping.BAND

    def local(i: int, j: int) -> float:
        off = abs(float(window[j]) - float(hum_pitch[i]))
        return beyond_st if np.isnan(off) else min(off, abs(off - 12) + warping.OCTAVE_ST, warping.CAP_ST)

    total: dict[tuple[int, int], float] = {}
    for i in range(frames):
        for j in range(i, i + 2 * band + 1):
            if i == 0:
                total[i, j] = local(i, j) if abs(j - band) <= warping.START_SLACK else np.inf
                continue
            ways = [total.get((i - 1, j - 1), np.inf), total.get((i - 1, j - 2), np.inf) + warping.BEND_ST]
            if i > 1 and j <= i - 1 + 2 * band:
                ways.append(total.get((i - 2, j - 1), np.inf) + local(i - 1, j) + warping.BEND_ST)
            total[i, j] = local(i, j) + min(ways)
    return min(cost for (i, _), cost in total.items() if i == frames - 1)


@pytest.mark.parametrize("inside", [50, 70, 100])
def test_a_warped_distance_is_of_the_frames_inside_the_target(inside):
    step = round(warping.WARP_HOP_S / HOP_S)
    rng = np.random.default_rng(inside)
    sung = np.repeat(rng.uniform(55, 65, 100), step).astype(np.float32)
    target = np.concatenate([np.full(100, 60, np.float32), sung[: inside * step] + np.float32(5.3), sung[::-1]])
    voiced, key = np.ones(len(sung), bool), np.array([5.3], np.float32)
    frames, ends = np.array([100]), np.array([100 + inside * step])
    warps = warping.warp(target, sung, voiced, frames, ends, np.ones(1), key, 2.0)
    # The path may bend by a frame or two to stay inside.
    assert warps.distances[0] == pytest.approx(0, abs=0.05)
    assert warps.shares[0] == pytest.approx(inside / 100, abs=0.03)
    assert warps.agreements[0] == pytest.approx(inside / 100, abs=0.03)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(40, 80, width=32), min_size=1, max_size=60))
def test_smoothing_takes_means(values):
    curve = np.array(values, dtype=np.float32)
    half = round(0.24 / HOP_S) // 2
    padded = np.pad(curve, half, mode="edge").astype(float)
    expected = [padded[at : at + 2 * half + 1].mean() for at in range(len(curve))]
    assert smoothed(curve, 0.24) == pytest.approx(expected, abs=1e-3)
