"""Covers mined in the database: what is stored of a pair, what people keep, and what their verdicts do."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from annotation.models import ReviewItem, Verdict
from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import read_melody
from ml_worker.audio.sound import Sound
from ml_worker.mining.align import PITCH_CURVE
from ml_worker.mining.correlation import MASKED
from ml_worker.mining.extract import Interval, watch
from ml_worker.mining.null import PITCH_CURVE_NULL
from ml_worker.mining.refine import FRAME_S, pitch_at
from ml_worker.mining.sureness import PITCH_CURVE_SURENESS, Evidence, Sureness
from ml_worker.models import Checkpoint, MinedPair
from ml_worker.tests.made_audio import encoded
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of
from ml_worker.tests.manage import make_checkpoint
from ml_worker.tests.shared_data import shared_data
from ml_worker.work import calibrate
from ml_worker.work.mine import Miner, mine_cover, mine_song
from ml_worker.work.pairs import LARGEST_SIDE, Picture, finding_of, reduced
from recordings.models import Analysis, CoverFragment, Recording, Song
from recordings.models.songs import Split
from recordings.splits import split_of
from recordings.storage import put
from recordings.tests import factories

ORIGINAL_S = 40.0
FRAGMENTS = ((3.0, 10.0), (14.0, 20.0), (27.0, 35.0))
NEAR_S = 0.25

MINER = Miner.of(None)
State = CoverFragment.State
Finding = MinedPair.Finding


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    factories.use_storage(request.getfixturevalue("settings"), tmp_path / "storage")


def ids_in(split: str) -> Iterator[uuid.UUID]:
    made = (uuid.uuid5(uuid.NAMESPACE_OID, f"mined {number}") for number in itertools.count())
    return (one for one in made if split_of(one) == split)


@pytest.fixture
def song_in(db: None) -> Callable[[str], Song]:
    """Makes songs of a split, each another one."""
    ids = {split: ids_in(split) for split in Split.values}
    return lambda split: factories.make_song(f"A song of {split}", id=next(ids[split]))


def recording_of(song: Song, kind: str, melody: Melody) -> Recording:
    """A recording in which this melody was heard."""
    recording = factories.make_recording(song, kind, seconds=melody.duration_s)
    hear(recording, melody)
    return recording


def hear(recording: Recording, melody: Melody) -> None:
    """A new analysis, which counts from now on."""
    tracker = f"made {recording.analyses.count()}"
    analysis = Analysis(recording=recording, separation="mix", tracker=tracker, voiced_share=0.9)
    put(analysis.melody, "melody.npz", melody.to_bytes())
    analysis.save()


def sung(sections: Sequence[Interval], seed: int = 1, singer: int = 2, **differences: float) -> Melody:
    return melody_of(made_cover(made_tune(seed, ORIGINAL_S), sections, **differences)[0], seed=singer)


def original_of(song: Song, seed: int = 1) -> Recording:
    """Of a tune of 40 s, with fragments."""
    original = recording_of(song, Recording.Kind.ORIGINAL, melody_of(made_tune(seed, ORIGINAL_S), seed=1))
    for interval in FRAGMENTS:
        factories.make_fragment(original, *interval)
    return original


def original_and_cover(song: Song, melody: Melody, seed: int = 1) -> tuple[Recording, Recording]:
    return original_of(song, seed), recording_of(song, Recording.Kind.COVER, melody)


WHOLE = [(0.0, 40.0)]


# --- what is stored


def test_every_fragment_of_the_original_is_stored_where_the_cover_plays_it(song_in):
    slower = sung(WHOLE, tempo_ratio=1.15, transposition=-3)
    original, cover = original_and_cover(song_in("train"), slower)
    assert mine_cover(original, cover, MINER) == {State.MATCHED: 3}
    rows = list(cover.cover_fragments.order_by("start_s"))
    assert [(row.fragment.start_s, row.fragment.end_s) for row in rows] == list(FRAGMENTS)
    for row in rows:
        places = row.start_s / 1.15, row.end_s / 1.15
        assert places == pytest.approx((row.fragment.start_s, row.fragment.end_s), abs=NEAR_S)
        assert row.tempo_ratio == pytest.approx(1.15, rel=0.03)
        assert row.transposition == pytest.approx(-3, abs=0.3)


def test_a_row_says_how_sure_it_is_and_why(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    for row in cover.cover_fragments.all():
        assert row.probability == pytest.approx(PITCH_CURVE_SURENESS.probability(Evidence(**row.evidence)))
        assert row.probability >= row.mining_settings["accepted_from"]
        assert row.checkpoint == PITCH_CURVE.name
        assert row.null_level == pytest.approx(PITCH_CURVE_NULL.floor_at(row.fragment.duration_s))
        assert Sureness.from_dict(row.mining_settings["sureness"]) == PITCH_CURVE_SURENESS
        assert "null" not in row.mining_settings


def test_people_are_asked_about_what_is_doubtful_and_about_nothing_else(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    undecided = replace(PITCH_CURVE_SURENESS, weights=(0.0,) * 4, intercept=-1.0)
    unsure = Miner(replace(PITCH_CURVE, sureness=undecided))
    assert mine_cover(original, cover, unsure)[State.DOUBTFUL] >= len(FRAGMENTS)
    asked = ReviewItem.objects.waiting().values_list("cover_fragment", flat=True)
    assert set(asked) == set(cover.cover_fragments.values_list("pk", flat=True))
    assert mine_cover(original, cover, MINER) == {State.MATCHED: 3}
    assert not ReviewItem.objects.waiting().exists()


# --- what is kept of the pair


def test_a_pair_is_kept_with_what_is_seen_of_it(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE, tempo_ratio=1.15, transposition=-3))
    mine_cover(original, cover, MINER)
    pair = MinedPair.objects.get()
    assert (pair.original, pair.cover, pair.checkpoint) == (original, cover, PITCH_CURVE.name)
    assert pair.finding == Finding.COVER
    assert pair.covered_share > 0.9
    assert pair.tempo_ratio == pytest.approx(1.15, rel=0.02)
    assert pair.transposition == pytest.approx(-3, abs=0.3)
    assert (pair.was_spared, pair.took_s > 0) == (False, True)
    assert not MinedPair.objects.to_look_at().exists()


def test_the_picture_reads_back_as_what_mining_saw(song_in):
    melodies = melody_of(made_tune(1, ORIGINAL_S), seed=1), sung([(20, 40), (0, 18)], tempo_ratio=1.1)
    original, cover = original_and_cover(song_in("train"), melodies[1])
    mine_cover(original, cover, MINER)
    with MinedPair.objects.get().picture.open() as stored:
        picture = Picture.from_bytes(stored.read())
    pair = PITCH_CURVE.pair(*melodies)
    watched = watch(pair)
    assert same_picture(picture, Picture.of(pair, watched))
    assert picture.map.max() > 150
    # The courses lie where the map is bright.
    assert len(picture.courses) == len(watched.passages) >= 2
    for course in picture.courses:
        middle = course[len(course) // 2] - 2.0  # a cell hears four seconds
        row, column = np.rint(middle / picture.cell_s).astype(int)
        assert picture.map[row - 1 : row + 2, column - 2 : column + 3].max() > 50
    for curve, melody in zip(picture.curves, melodies, strict=True):
        expected = pitch_at(melody, np.arange(0, melody.duration_s, FRAME_S))
        np.testing.assert_allclose(curve, expected, rtol=1e-6)


def same_picture(one: Picture, other: Picture) -> bool:
    same_map = one.map.dtype == other.map.dtype and np.array_equal(one.map, other.map)
    same_facts = (one.cell_s, one.floor) == (other.cell_s, other.floor)
    same_courses = len(one.courses) == len(other.courses) and all(map(np.array_equal, one.courses, other.courses))
    same_curves = all(np.array_equal(*both, equal_nan=True) for both in zip(one.curves, other.curves, strict=True))
    return same_map and same_facts and same_courses and same_curves


maps = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9))
courses_of_a_pair = st.lists(arrays(np.float64, st.tuples(st.integers(2, 5), st.just(2)), elements=st.floats(0, 99)))
pitch_curves = arrays(np.float32, st.integers(0, 9), elements=st.floats(0, 90, width=32) | st.just(np.nan))


@settings(max_examples=30)
@given(cells=maps, courses=courses_of_a_pair, curve=pitch_curves, floor=st.floats(0, 1))
def test_any_picture_reads_back(cells, courses, curve, floor):
    picture = Picture(cells, (0.25, 0.5), floor, courses, (curve, curve[::-1]))
    assert same_picture(Picture.from_bytes(picture.to_bytes()), picture)


@given(st.integers(1, 2000), st.integers(1, 40))
def test_a_reduced_map_has_as_many_cells_as_are_shown_and_hides_no_match(rows, columns):
    correlation = np.random.default_rng(rows).uniform(-1, 1, (rows, columns)).astype(np.float32)
    shown, (down, right) = reduced(correlation)
    assert max(shown.shape) <= LARGEST_SIDE
    for row, column in itertools.product((0, shown.shape[0] - 1), (0, shown.shape[1] - 1)):
        stands_for = correlation[row * down : (row + 1) * down, column * right : (column + 1) * right]
        assert shown[row, column] == stands_for.max()
    assert shown.max() == correlation.max()
    assert shown.min() > MASKED or correlation.min() == MASKED


# --- what is odd


@pytest.mark.parametrize("late_s", [0.0, 1.5])
def test_the_same_recording_is_said_to_be_the_same(song_in, late_s):
    melody = melody_of(made_tune(1, ORIGINAL_S), seed=1)
    original, cover = original_and_cover(song_in("train"), delayed(melody, late_s))
    mine_cover(original, cover, MINER)
    pair = MinedPair.objects.to_look_at().get()
    assert pair.finding == Finding.SAME
    assert pair.tempo_ratio == pytest.approx(1, abs=0.002)
    assert pair.transposition == pytest.approx(0, abs=0.01)


def delayed(melody: Melody, late_s: float) -> Melody:
    """After so much silence."""
    frames = round(late_s / melody.hop_s)
    curves = [
        np.concatenate([np.zeros(frames, one.dtype), one]) for one in (melody.f0_hz, melody.voiced, melody.confidence)
    ]
    return Melody(melody.hop_s, *curves, melody.method)


def test_half_of_a_recording_is_not_the_same_as_the_whole(song_in):
    half = melody_of(made_tune(1, ORIGINAL_S), seed=1).cut(0, 20)
    original, cover = original_and_cover(song_in("train"), half)
    mine_cover(original, cover, MINER)
    assert MinedPair.objects.get().finding == Finding.COVER


@pytest.mark.parametrize("recording", ["vocadito/vocadito_10", "vocadito/vocadito_14", "henter/melody_2"])
def test_one_recording_through_two_codecs_is_the_same(tmp_path, recording):
    sound = decode(shared_data("hums", f"{recording}.wav").read_bytes())
    later = Sound.from_mono(sound.mono()[round(0.3 * sound.sample_rate) :], sound.sample_rate)
    files = tmp_path / "whole.mp3", tmp_path / "later.m4a"
    files[0].write_bytes(encoded(sound, "mp3", "libmp3lame"))
    files[1].write_bytes(encoded(later, "mp4", "aac"))
    pair = PITCH_CURVE.pair(*map(read_melody, files))
    assert finding_of(pair, watch(pair)) == Finding.SAME


@pytest.mark.parametrize(
    ("sections", "differences"),
    [
        (WHOLE, {}),  # to the same beat in the same key, as over a karaoke track
        (WHOLE, {"rubato": 0.05}),
        (WHOLE, {"tempo_ratio": 1.05}),
        (WHOLE, {"transposition": 1.0}),
        (WHOLE, {"transposition": -12.0}),
        ([(0, 25)], {}),
        ([(20, 40), (0, 20)], {"tempo_ratio": 0.95}),
    ],
)
def test_another_performance_is_a_cover(song_in, sections, differences):
    original, cover = original_and_cover(song_in("train"), sung(sections, **differences))
    mine_cover(original, cover, MINER)
    assert MinedPair.objects.get().finding == Finding.COVER


@pytest.mark.parametrize("seed", [50, 51, 52])
def test_a_cover_of_another_song_has_nothing_in_common(song_in, seed):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE, seed=seed, tempo_ratio=1.1))
    assert mine_cover(original, cover, MINER)[State.MATCHED] == 0
    pair = MinedPair.objects.to_look_at().get()
    assert (pair.finding, pair.covered_share) == (Finding.NOTHING, 0)
    assert (pair.tempo_ratio, pair.transposition) == (None, None)
    with pair.picture.open() as stored:
        assert Picture.from_bytes(stored.read()).courses == []


def test_a_silent_cover_has_nothing_in_common(song_in):
    melody = sung(WHOLE)
    silent = replace(melody, f0_hz=np.zeros_like(melody.f0_hz), voiced=np.zeros_like(melody.voiced))
    original, cover = original_and_cover(song_in("train"), silent)
    assert mine_cover(original, cover, MINER) == {}
    assert (MinedPair.objects.get().finding, MinedPair.objects.get().covered_share) == (Finding.NOTHING, 0)


# --- mined again


def test_mining_again_finds_the_same_under_the_same_ids(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    before = list(cover.cover_fragments.order_by("pk").values("pk", "start_s", "state"))
    mine_cover(original, cover, MINER)
    assert list(cover.cover_fragments.order_by("pk").values("pk", "start_s", "state")) == before
    assert MinedPair.objects.count() == 1


def test_mining_again_replaces_what_was_seen(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    first = MinedPair.objects.get()
    hear(cover, sung([(12, 24)], tempo_ratio=1.1))
    assert mine_cover(original, cover, MINER) == {State.MATCHED: 1}
    assert cover.cover_fragments.get().fragment.start_s == FRAGMENTS[1][0]
    again = MinedPair.objects.get()
    assert (again.pk, again.picture.name) == (first.pk, first.picture.name)
    assert again.tempo_ratio == pytest.approx(1.1, rel=0.02)
    with again.picture.open() as stored:
        original_curve, cover_curve = Picture.from_bytes(stored.read()).curves
    assert len(cover_curve) < len(original_curve) / 2
    _, files = default_storage.listdir(str(Path(again.picture.name).parent))
    assert sum(name.startswith("pair-") for name in files) == 1


def test_what_a_person_kept_is_looked_at_anew_only_when_something_else_is_found(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE, seed=50))
    mine_cover(original, cover, MINER)
    MinedPair.objects.update(looked_by=factories.make_person(), looked_at=timezone.now())
    mine_cover(original, cover, MINER)
    assert MinedPair.objects.get().looked_at
    hear(cover, melody_of(made_tune(1, ORIGINAL_S), seed=1))
    mine_cover(original, cover, MINER)
    assert MinedPair.objects.to_look_at().get().finding == Finding.SAME


def test_what_people_judged_stays_and_is_not_found_twice(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    accepted, rejected, begun = cover.cover_fragments.order_by("start_s")
    accepted.move_to(State.ACCEPTED, why="people agreed")
    rejected.move_to(State.REJECTED, why="people found a fault")
    item = ReviewItem.ask_about(begun)
    Verdict.objects.create(item=item, person=factories.make_person(), decision="accept")
    # Half a second later and in another key it is another finding of the same place.
    hear(cover, delayed(sung(WHOLE, transposition=2), 0.5))
    mine_cover(original, cover, MINER)
    assert {row.pk for row in (accepted, rejected, begun)} == set(cover.cover_fragments.values_list("pk", flat=True))
    assert Verdict.objects.count() == 1
    # What was judged of one place says nothing of another.
    hear(cover, sung([(20, 40), (0, 18)]))
    mine_cover(original, cover, MINER)
    assert cover.cover_fragments.filter(state=State.MATCHED).count() == 3


def test_a_finding_that_somebody_reported_stays_while_people_are_asked_about_it(song_in):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    reported = cover.cover_fragments.order_by("start_s").first()
    with transaction.atomic():
        ReviewItem.ask_about(reported).lock().ask_anew(None, "Reported as wrong.")
    mine_cover(original, cover, MINER)
    assert cover.cover_fragments.count() == 3
    assert ReviewItem.objects.get().cover_fragment == reported


def test_a_song_is_mined_cover_by_cover(song_in):
    song = song_in("train")
    original = original_of(song)
    covers = [
        recording_of(song, Recording.Kind.COVER, sung(WHOLE, singer=singer, tempo_ratio=1.1)) for singer in (2, 3)
    ]
    told: list[str] = []
    assert mine_song(song, lambda share, words: told.append(words)) == {State.MATCHED: 6}
    assert [one for one in told if "cover " in one] == [f"{song}: cover {number} of 2" for number in (1, 2)]
    assert set(MinedPair.objects.values_list("original", "cover")) == {(original.pk, cover.pk) for cover in covers}


# --- duplicates among the covers, and covers of other songs


def silently(share: float, words: str) -> None:
    """For who asks for no reports."""


def test_two_covers_that_are_one_recording_are_found(song_in):
    song, melody = song_in("train"), sung(WHOLE, tempo_ratio=1.1)
    original = original_of(song)
    one, twice = (recording_of(song, Recording.Kind.COVER, delayed(melody, late_s)) for late_s in (0.0, 0.4))
    recording_of(song, Recording.Kind.COVER, sung(WHOLE, singer=3, tempo_ratio=1.1))
    mine_song(song, silently)
    same = MinedPair.objects.to_look_at().get()
    assert (same.finding, {same.original, same.cover}) == (Finding.SAME, {one, twice})
    assert MinedPair.objects.filter(original=original, finding=Finding.COVER).count() == 3
    hear(twice, sung(WHOLE, tempo_ratio=0.9))
    mine_song(song, silently)
    assert not MinedPair.objects.to_look_at().exists()


def test_a_cover_of_another_song_is_said_to_be_of_that(song_in):
    song, other, third = (song_in("train") for _ in range(3))
    for seed, one in enumerate((song, other, third), start=1):
        original_of(one, seed)
    mislabelled = recording_of(song, Recording.Kind.COVER, sung(WHOLE, seed=2, tempo_ratio=0.9))
    unknown = recording_of(song, Recording.Kind.COVER, sung(WHOLE, seed=50))
    mine_song(song, silently)
    odd = {pair.cover: (pair.finding, pair.seems_to_be) for pair in MinedPair.objects.to_look_at()}
    assert odd == {mislabelled: (Finding.NOTHING, other), unknown: (Finding.NOTHING, None)}


# --- what verdicts do to the sureness


@pytest.fixture
def checkpoint(db: None) -> Checkpoint:
    """A row with a sureness that was fitted already."""
    fitted = PITCH_CURVE_SURENESS.as_dict()
    return make_checkpoint(sureness={"fitted": fitted, "moved": fitted})


def judged_song(song: Song, state: str) -> list[CoverFragment]:
    """All that is found in a cover of the song, as people judged it."""
    original, cover = original_and_cover(song, sung(WHOLE, tempo_ratio=1.1))
    mine_cover(original, cover, MINER)
    rows = list(cover.cover_fragments.order_by("pk"))
    for row in rows:
        row.move_to(state, why="people said so")
    return rows


def sureness_now(checkpoint: Checkpoint) -> Sureness:
    """As who reads the row anew has it."""
    return calibrate.sureness_of(Checkpoint.objects.get(pk=checkpoint.pk), PITCH_CURVE)


def evidence_of(rows: Sequence[CoverFragment]) -> list[Evidence]:
    return [Evidence(**row.evidence) for row in rows]


def test_verdicts_of_training_songs_move_the_sureness(song_in, checkpoint):
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS
    rows = judged_song(song_in("train"), State.REJECTED)
    moved = sureness_now(checkpoint)
    assert moved == PITCH_CURVE_SURENESS.moved(evidence_of(rows), [False] * len(rows))
    assert moved.verdicts == len(rows)
    sample = evidence_of(rows)[0]
    assert moved.probability(sample) < PITCH_CURVE_SURENESS.probability(sample)
    stored = Checkpoint.objects.get(pk=checkpoint.pk).sureness
    assert Sureness.from_dict(stored["moved"]) == moved
    assert Sureness.from_dict(stored["fitted"]) == PITCH_CURVE_SURENESS


@pytest.mark.parametrize("split", ["validation", "test"])
def test_verdicts_of_other_songs_never_do(song_in, checkpoint, split):
    judged_song(song_in(split), State.REJECTED)
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS
    rows = judged_song(song_in("train"), State.ACCEPTED)
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS.moved(evidence_of(rows), [True] * len(rows))


def test_what_nobody_judged_moves_nothing(song_in, checkpoint):
    original, cover = original_and_cover(song_in("train"), sung(WHOLE))
    mine_cover(original, cover, MINER)
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS


def test_verdicts_move_what_was_fitted_not_what_was_moved_before(song_in, checkpoint):
    """Asked any number of times, the same verdicts say the same."""
    judged_song(song_in("train"), State.REJECTED)
    first = sureness_now(checkpoint)
    assert sureness_now(checkpoint) == first
    judged_song(song_in("train"), State.ACCEPTED)
    CoverFragment.objects.filter(state=State.ACCEPTED).delete()
    assert sureness_now(checkpoint) == first


def test_a_verdict_that_is_overruled_counts_as_it_stands(song_in, checkpoint):
    rows = judged_song(song_in("train"), State.REJECTED)
    before = sureness_now(checkpoint)
    rows[0].move_to(State.ACCEPTED, why="an admin found otherwise")
    after = sureness_now(checkpoint)
    assert after.verdicts == before.verdicts == len(rows)
    assert after == PITCH_CURVE_SURENESS.moved(evidence_of(rows), [True] + [False] * (len(rows) - 1))


def test_verdicts_of_a_song_that_was_taken_down_are_forgotten(song_in, checkpoint):
    rows = judged_song(song_in("train"), State.REJECTED)
    assert sureness_now(checkpoint) != PITCH_CURVE_SURENESS
    Song.objects.filter(pk=rows[0].fragment.song.pk).update(taken_down_at=timezone.now())
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS


def test_of_many_verdicts_the_latest_count(song_in, checkpoint, monkeypatch):
    monkeypatch.setattr(calibrate, "MOST_VERDICTS", len(FRAGMENTS))
    judged_song(song_in("train"), State.REJECTED)
    assert sureness_now(checkpoint).verdicts == len(FRAGMENTS)
    later = judged_song(song_in("train"), State.ACCEPTED)
    assert sureness_now(checkpoint) == PITCH_CURVE_SURENESS.moved(evidence_of(later), [True] * len(later))


def test_what_another_checkpoint_found_is_looked_at_anew(song_in, checkpoint):
    """Its evidence is of other fingerprints; at the same place these have evidence of their own."""
    rows = judged_song(song_in("train"), State.ACCEPTED)
    own = evidence_of(rows)
    CoverFragment.objects.update(checkpoint="short-made", evidence={**own[0].as_dict(), "mismatch": 1.0, "notes": 0})
    anew, right = calibrate.verdicts(calibrate.judged_fragments(), PITCH_CURVE)
    assert right == [True] * len(rows)
    for one, before in zip(anew, own, strict=True):
        assert one.mismatch == pytest.approx(before.mismatch, abs=0.05)
        assert one.agreement_s == pytest.approx(before.agreement_s, abs=0.5)
        assert abs(one.notes - before.notes) <= 2
        assert one.chance < 0.1
