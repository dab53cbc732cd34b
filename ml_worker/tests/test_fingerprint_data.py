"""What training sees: aligned windows of originals and versions, drawn in a way that can be repeated."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.augmentation import noisy_images, sung_pitch, sung_times
from ml_worker.fingerprint.data import (
    LEAD_S,
    TURNS,
    AlignedPair,
    Batches,
    DataRecord,
    Example,
    PairSource,
    Source,
    TuneSource,
    drawn,
    matched_windows,
    part_between,
    part_from_a_note,
    shares_of_draws,
    songs_in_turn,
    turned,
)
from ml_worker.fingerprint.image import COLUMN_S, FRAME_S, Sampled
from ml_worker.fingerprint.settings import Augmentation, Recorded, Settings
from ml_worker.tests.made_pairs import TINY, made_pair, made_pairs, steady
from ml_worker.tests.made_sung import FLAWLESS, SCORE, SOLO, UNSTEADY, made_notes, made_singable

# Nothing is changed: version and original are drawn as they are.
PLAIN = Augmentation(
    stretch=1, mismatch=1, rubato_s=0, misaligned_s=0, splice=0, drift=0, jitter=0, interval=0, dropped=0, wrong=0,
    octave_slip=0, false_voice=0, mix=0, noise=0, turned=0, own_version=0, off_centre=(0, 0), window_spread=0,
)  # fmt: skip
SEEDS = st.integers(0, 100_000)
# So many are looked at together where one alone may be an odd one.
TUNES = 16


def slower_lower_and_later(original: Melody, offset_s: float, tempo_ratio: float, semitones: float) -> Melody:
    """The same performance, replayed: alignment is exact by construction."""
    before = np.zeros(round(offset_s / (original.hop_s * tempo_ratio)), np.float32)
    return Melody(
        original.hop_s * tempo_ratio,
        np.concatenate([before, original.f0_hz * np.float32(2 ** (semitones / 12))]),
        np.concatenate([before.astype(bool), original.voiced]),
        np.concatenate([before, original.confidence]),
        "replayed",
    )


def replayed_pairs(count: int, semitones: float = -5.4) -> list[AlignedPair]:
    pairs = []
    for seed in range(count):
        original = made_pair(seed).original
        version = slower_lower_and_later(original, 0.8, 1.2, semitones)
        pairs.append(AlignedPair(original, version, 0.8, 1.2, f"song {seed}", "fragment"))
    return pairs


def read(side: Sampled, times_s: np.ndarray) -> np.ndarray:
    """The pitch at some seconds; NaN where silent and outside."""
    frames = np.rint(times_s / FRAME_S).astype(int)
    inside = (frames >= 0) & (frames < len(side.pitch))
    return np.where(inside, side.pitch[np.clip(frames, 0, len(side.pitch) - 1)], np.nan)


def share_alike(example: Example, chosen: Settings, semitones: float) -> float:
    """Of the frames voiced in both windows of a pair, the share in which the version is the original, transposed."""
    versions, originals = matched_windows([example], chosen, np.random.default_rng(0))
    alike = []
    for (first_s, last_s), (there_s, _) in zip(versions[0], originals[0], strict=True):
        steps_s = np.arange(0, last_s - first_s, FRAME_S)
        off = read(example.version, first_s + steps_s) - read(example.original, there_s + steps_s) - semitones
        alike.append(np.abs(off[~np.isnan(off)]) < 0.4)
    together = np.concatenate(alike)
    assert len(together) > 20
    return float(together.mean())


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, turn=st.integers(0, TURNS - 1), stretch=st.sampled_from([1.0, 1.25]))
def test_the_windows_of_a_pair_hold_the_same_music(seed, turn, stretch):
    chosen = TINY.changed(augmentation=dataclasses.replace(PLAIN, stretch=stretch, window_spread=0.3), windows=3)
    example = turned(PairSource(replayed_pairs(1), chosen).example(0, np.random.default_rng(seed)), turn)
    assert share_alike(example, chosen, 5.4 if turn & 1 else -5.4) > 0.9


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, turn=st.integers(0, TURNS - 1), recorded=st.sampled_from([SCORE, SOLO]))
def test_the_windows_of_a_hummed_tune_hold_the_same_music(seed, turn, recorded):
    chosen = TINY.changed(singing=FLAWLESS, recorded=recorded, windows=3)
    example = turned(
        TuneSource(made_singable(range(seed, seed + 1)), chosen).example(0, np.random.default_rng(seed)), turn
    )
    assert share_alike(example, chosen, 0.0) > 0.8  # glides of a few frames at every note


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, turn=st.integers(0, TURNS - 1))
def test_the_middles_of_windows_are_the_same_music_at_any_tempo(seed, turn):
    """With versions at another pace and with swings of it, the middles still belong together.

    Of a single tune most may lie at the borders of notes: a voice that is done soon leaves few places to a window.
    """
    chosen = TINY.changed(singing=UNSTEADY, recorded=SCORE, windows=50)
    source, rng = TuneSource(made_singable(range(seed, seed + TUNES)), chosen), np.random.default_rng(seed)
    examples = [turned(source.example(number, rng), turn) for number in range(TUNES)]
    versions, originals = matched_windows(examples, chosen, np.random.default_rng(0))
    off = np.concatenate(
        [
            read(example.version, version.mean(axis=1)) - read(example.original, original.mean(axis=1))
            for example, version, original in zip(examples, versions, originals, strict=True)
        ]
    )
    assert (np.abs(off[~np.isnan(off)]) < 1.4).mean() > 0.75  # what is left are the borders of notes


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, turn=st.integers(0, TURNS - 1), window_s=st.sampled_from([3.0, 8.0]))
def test_windows_lie_within_what_is_sung(seed, turn, window_s):
    chosen = Settings(window_s=window_s)
    rng = np.random.default_rng(seed)
    sources: list[Source] = [PairSource(made_pairs(range(2)), chosen), TuneSource(made_singable(range(2)), chosen)]
    examples = [turned(source.example(1, rng), turn) for source in sources]
    versions, originals = matched_windows(examples, chosen, rng)
    assert versions.shape == originals.shape == (2, chosen.windows, 2)
    lengths = versions[..., 1] - versions[..., 0]
    np.testing.assert_allclose(originals[..., 1] - originals[..., 0], lengths)
    assert versions.min() >= 0
    for example, windows in zip(examples, versions, strict=True):
        assert windows.max() <= example.sung_s + 1e-9 <= (len(example.version.pitch) + 2) * FRAME_S


@pytest.mark.parametrize("centred", ["recording", "window"])
def test_the_two_sides_of_a_batch_show_the_same_music(centred):
    chosen = TINY.changed(augmentation=PLAIN, centred=centred, attack=False)
    batch = Batches([PairSource(replayed_pairs(4), chosen)], chosen).batch(0)
    sides = []
    for images, windows in ((batch.originals, batch.original_windows), (batch.versions, batch.version_windows)):
        columns = np.rint(windows[:, 0]).astype(int)
        sides.append(
            np.stack([image[0][:, first : first + 70] for image, (first, _) in zip(images, columns, strict=True)])
        )
    originals, versions = sides
    assert np.median([likeness(*both) for both in zip(originals, versions, strict=True)]) > 0.85
    assert np.median([likeness(*both) for both in zip(originals, np.roll(versions, 1, axis=0), strict=True)]) < 0.7


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Of two pictures (80, columns), wherever the middle of their rows is."""
    shifted = np.stack([np.roll(other, step, axis=0) for step in range(-15, 16)])
    return float((shifted * one).sum(axis=(1, 2)).max() / np.sqrt((one**2).sum() * (other**2).sum()))


def test_a_batch_has_pictures_of_crops_and_windows_in_columns():
    batch = Batches([PairSource(made_pairs(range(3)), TINY)], TINY).batch(0)
    assert batch.originals.shape[:3] == batch.versions.shape[:3] == (12, 2, 80)
    assert batch.original_windows.shape == batch.version_windows.shape == (12, 2, 2)
    assert batch.songs.shape == (12,)
    assert batch.version_windows.min() >= round(LEAD_S / COLUMN_S)
    assert batch.version_windows.max() <= batch.versions.shape[3]
    assert not batch.originals[..., : round(LEAD_S / COLUMN_S)].any()
    assert 0 <= batch.versions.min() <= batch.versions.max() <= 1


def test_the_paper_s_way_has_a_picture_for_each_window():
    chosen = TINY.changed(centred="window", attack=False, windows=3)
    batch = Batches([PairSource(made_pairs(range(3)), chosen)], chosen).batch(0)
    assert batch.originals.shape == batch.versions.shape == (36, 1, 80, 75)
    assert batch.songs.shape == (36,)
    np.testing.assert_array_equal(batch.version_windows, np.tile([0, 75], (36, 1, 1)))


def test_the_same_seed_and_step_give_the_same_batch():
    def batch(step: int, chosen: Settings = TINY):
        sources: list[Source] = [PairSource(made_pairs(range(3)), chosen), TuneSource(made_singable(range(3)), chosen)]
        return Batches(sources, chosen).batch(step)

    one, same = batch(7), batch(7)
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, vars(same)[name])
    assert not np.array_equal(one.version_windows, batch(8).version_windows)
    assert not np.array_equal(one.version_windows, batch(7, TINY.changed(seed=1)).version_windows)


def test_songs_take_turns_whatever_the_number_of_their_hums():
    pairs = [*made_pairs(range(1), takes=9), *made_pairs(range(1, 4))]
    plain = TINY.changed(augmentation=PLAIN)
    _, counts = np.unique(Batches([PairSource(pairs, plain)], plain).batch(0).songs, return_counts=True)
    assert counts.tolist() == [3, 3, 3, 3]


@settings(max_examples=50, deadline=None)
@given(songs=st.integers(1, 20), count=st.integers(0, 60), seed=SEEDS)
def test_no_song_comes_twice_before_all_came_once(songs, count, seed):
    drawn = songs_in_turn(songs, count, np.random.default_rng(seed))
    counts = Counter(drawn.tolist())
    assert len(drawn) == count
    assert set(counts) <= set(range(songs))
    assert not count or max(counts.values()) - min(counts[song] for song in range(songs)) <= 1


def test_pairs_and_tunes_share_a_batch_and_no_song():
    chosen = TINY.changed(augmentation=PLAIN)
    sources: list[Source] = [PairSource(made_pairs(range(3)), chosen), TuneSource(made_singable(range(5)), chosen)]
    songs = Batches(sources, chosen, shares=[0.25, 0.75]).batch(0).songs // TURNS
    assert (songs < 3).sum() == 3
    assert set(songs[songs >= 3]) <= set(range(3, 8))


def test_a_turned_song_counts_as_another_song():
    chosen = TINY.changed(augmentation=dataclasses.replace(PLAIN, turned=1.0))
    songs = Batches([PairSource(made_pairs(range(1)), chosen)], chosen).batch(0).songs
    assert set(songs.tolist()) <= {1, 2, 3}
    assert len(set(songs.tolist())) > 1


def test_turning_twice_gives_the_example_back():
    example = PairSource(made_pairs(range(1)), TINY).example(0, np.random.default_rng(0))
    for turn in range(TURNS):
        back = turned(turned(example, turn), turn)
        for side, before in ((back.original, example.original), (back.version, example.version)):
            for values, values_before in zip(side, before, strict=True):
                np.testing.assert_array_equal(values, values_before)
        np.testing.assert_allclose(back.version_s, example.version_s, atol=1e-9)
        np.testing.assert_allclose(back.original_s, example.original_s, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), silent=st.booleans())
def test_augmentation_keeps_a_curve_a_curve(seed, silent):
    rng = np.random.default_rng(seed)
    every = Augmentation(splice=1, dropped=1, wrong=1, octave_slip=1, false_voice=1, mix=1)
    frames_s = np.arange(150) * FRAME_S
    assert np.abs(sung_times(frames_s, every, rng) - frames_s).max() < 0.5
    pitch = np.full(150, np.nan if silent else 60.0, np.float32)
    sung = sung_pitch(pitch, every, rng)
    assert sung.shape == pitch.shape
    assert np.isnan(sung).all() == silent
    assert silent or np.nanmax(np.abs(sung - 60)) < 20
    images = noisy_images(rng.random((4, 80, 75), dtype=np.float32), every, rng)
    assert images.min() >= 0
    assert images.max() <= 1


def test_a_version_that_ends_early_is_silent_there():
    original = steady([60.0, 64.0, 62.0, 67.0] * 3)
    pair = AlignedPair(original, original.cut(0, 1.0), 0.0, 1.0, "song", "fragment")
    plain = TINY.changed(augmentation=PLAIN)
    batch = Batches([PairSource([pair], plain)], plain).batch(0)
    assert batch.versions[:, 0].sum() < batch.originals[:, 0].sum() / 2


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, seconds=st.floats(0.1, 30))
def test_a_hummed_part_begins_with_a_note_and_has_four_or_more(seed, seconds):
    notes = made_notes(seed, 12)
    part = part_from_a_note(notes, seconds, np.random.default_rng(seed))
    assert len(part) >= 4
    assert part.starts_s[0] in notes.starts_s
    around = part_between(notes, part.starts_s[0] - 1, part.starts_s[0] + seconds)
    assert len(around) >= 4
    assert around.starts_s[0] <= part.starts_s[0]


def test_a_tune_of_three_notes_is_too_short_to_be_hummed():
    tunes = made_singable(range(2))
    short = tunes[0]._replace(notes=tunes[0].notes.part(0, 3))
    assert TuneSource([short, tunes[1]], TINY).songs == [tunes[1].name]


def test_the_record_changes_with_the_data_and_with_nothing_else():
    pairs, tunes = made_pairs(range(2)), made_singable(range(2))
    record = DataRecord.of(pairs)
    assert record == DataRecord.of(made_pairs(range(2)))
    assert record.songs == ("song 0", "song 1")
    assert record.versions[0] == ("song 0", "fragment 0", "hum 0/0")
    changed = [
        DataRecord.of([dataclasses.replace(pairs[0], offset_s=0.5), pairs[1]]),
        DataRecord.of([dataclasses.replace(pairs[0], version=steady([60.0])), pairs[1]]),
        DataRecord.of(pairs, tunes),
        DataRecord.of(pairs, tunes[:1]),
        DataRecord.of(pairs, [tunes[0]._replace(notes=made_notes(7))]),
    ]
    attack = np.zeros(len(pairs[0].version.f0_hz), np.float32)
    with_attack = dataclasses.replace(pairs[0], version=dataclasses.replace(pairs[0].version, attack=attack))
    changed.append(DataRecord.of([with_attack, pairs[1]]))
    assert len({record.sha256, *(one.sha256 for one in changed)}) == len(changed) + 1
    for one in (record, changed[2]):
        assert DataRecord.from_dict(one.as_dict()) == one
    assert changed[2].tunes == ("tune 0", "tune 1")


@pytest.mark.parametrize(("offset_s", "tempo_ratio"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, np.inf)])
def test_an_impossible_alignment_is_refused(offset_s, tempo_ratio):
    with pytest.raises(ValueError, match="tempo ratio"):
        AlignedPair(steady([60.0]), steady([60.0]), offset_s, tempo_ratio, "song", "fragment")


def test_settings_go_through_plain_values_and_back():
    changed = Settings(singing=FLAWLESS, recorded=Recorded(singing=FLAWLESS), time_strides=(1, 1, 1, 1))
    for chosen in (Settings(), Settings.of("long", steps=7), Settings.paper("short"), changed):
        assert Settings.from_dict(chosen.as_dict()) == chosen
    assert (Settings.of("long").window_s, Settings.of("long").hop_s) == (8.0, 0.64)
    with pytest.raises(ValueError, match="short and long"):
        Settings.of("fused")
    with pytest.raises(ValueError, match="above zero"):
        Settings(steps=0)


def test_settings_from_before_whole_recordings_were_encoded_give_the_old_design():
    plain = Settings.of("short", width=8).as_dict()
    old = {
        name: plain[name]
        for name in ("kind", "window_s", "hop_s", "width", "dimensions", "tau", "epsilon", "batch", "steps", "seed")
    }
    restored = Settings.from_dict(old)
    assert (restored.centred, restored.attack, restored.time_strides) == ("window", False, (1, 2, 2, 2))
    assert restored.network == Settings.paper("short", width=8).network
    assert restored.width == 8


def test_a_tune_of_which_there_are_hums_too_is_the_same_song():
    (pair,), (tune,) = made_pairs(range(1))[:1], made_singable(range(1))
    chosen = TINY.changed(augmentation=dataclasses.replace(PLAIN, turned=0.0))
    sources: list[Source] = [PairSource([pair], chosen), TuneSource([tune._replace(song_id=pair.song_id)], chosen)]
    assert len(set(Batches(sources, chosen).batch(0).songs.tolist())) == 1


# --- weights


def weighed(weights: dict[tuple[int, int, int], float]) -> list[AlignedPair]:
    """Pairs by song, fragment and version, each of the same music."""
    made = made_pair(0)
    return [
        dataclasses.replace(made, song_id=f"{s}", fragment_id=f"{s}/{f}", version_id=f"{s}/{f}/{take}", weight=weight)
        for (s, f, take), weight in weights.items()
    ]


def test_pairs_are_drawn_in_proportion_to_their_weights(monkeypatch):
    pairs = weighed({(0, 0, 0): 1.0, (0, 0, 1): 0.5, (0, 1, 0): 0.25, (0, 1, 1): 0.25, (0, 1, 2): 1.0, (1, 0, 0): 0.4})
    source = PairSource(pairs, TINY)
    versions: Counter[str] = Counter()
    crop = source._crop

    def counting(curves, rng):
        versions[curves.pair.version_id] += 1
        return crop(curves, rng)

    monkeypatch.setattr(source, "_crop", counting)
    rng = np.random.default_rng(3)
    for _ in range(600):
        for song in range(2):
            source.example(song, rng)
    drawn_shares = [versions[pair.version_id] / versions.total() for pair in pairs]
    np.testing.assert_allclose(drawn_shares, shares_of_draws(pairs), atol=0.03)


def plainly(pairs: list[AlignedPair]) -> list[float]:
    """The share of draws of each pair: its song's turn, by its weight among those of its song."""
    shares = []
    for pair in pairs:
        of_song = [one for one in pairs if one.song_id == pair.song_id]
        alike = {
            one.version_id: one.weight / sum(other.fragment_id == one.fragment_id for other in of_song)
            for one in of_song
        }
        shares.append(alike[pair.version_id] / sum(alike.values()) / len({one.song_id for one in pairs}))
    return shares


@given(st.dictionaries(st.tuples(*[st.integers(0, 2)] * 3), st.floats(0.05, 1), min_size=1))
@settings(max_examples=30)
def test_shares_of_draws_are_those_worked_out_plainly(weights):
    pairs = weighed(weights)
    np.testing.assert_allclose(shares_of_draws(pairs), plainly(pairs))
    assert shares_of_draws(pairs).sum() == pytest.approx(1)


def test_where_all_weights_are_alike_chance_is_asked_as_before():
    """So that checkpoints from before there were weights can be made again."""
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    assert [drawn([0.7] * 5, one) for _ in range(20)] == [int(other.integers(5)) for _ in range(20)]
    alike, lighter = weighed({(0, 0, 0): 1.0}), weighed({(0, 0, 0): 0.5})
    assert DataRecord.of(alike).sha256 != DataRecord.of(lighter).sha256


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_pair_that_can_never_be_drawn_is_no_pair(weight):
    with pytest.raises(ValueError, match="above zero and finite"):
        weighed({(0, 0, 0): weight})
