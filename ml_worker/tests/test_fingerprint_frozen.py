"""Frozen benchmarks: always the same, of tunes that nobody trains on, and able to tell good networks from poor ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.data import Tune
from ml_worker.fingerprint.frozen import (
    BENCHMARKS,
    COVERS,
    FULL,
    ORNAMENTED,
    SEED,
    STYLES,
    VERSION,
    Named,
    Size,
    covered,
    covers,
    frozen_tunes,
    look,
    look_fused,
    unseen,
)
from ml_worker.tests.made_pairs import TINY, untrained
from ml_worker.tests.made_sung import made_notes
from ml_worker.work.training_data import COMPOSED, COMPOSED_SEED

SMALL = Size(tunes=8, distractors=8)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(which: str) -> tuple[list[Named], list[Named]]:
    """What is sought in a benchmark, and among what."""
    sought, among = BENCHMARKS[which]
    tunes, distractors = frozen_tunes(SMALL)
    return list(sought(tunes)), list(among([*tunes, *distractors]))


def measured(melodies: list[Named]) -> tuple[float, float, float]:
    """Means over melodies: of the pitch, semitones; of the voiced time, seconds; of how strongly notes begin."""
    values = [(np.nanmean(one.pitch()), one.voiced.sum() * one.hop_s, one.attack.mean()) for _, one in melodies]
    return tuple(np.mean(values, axis=0))


def test_the_benchmarks_are_as_they_were():
    """Where this fails the benchmarks have changed: raise VERSION, and write here what they are now."""
    assert VERSION == 1
    assert Size(tunes=120, distractors=380) == FULL
    was = [
        [55.5642, 4.7600, 0.0758],
        [66.1439, 24.7313, 0.0898],
        [67.6775, 7.1200, 0.0870],
        [66.2477, 22.1975, 0.0675],
    ]
    now = [measured(side) for which in ("hums", "covers") for side in made(which)]
    np.testing.assert_allclose(now, was, atol=2e-3)


@pytest.mark.parametrize("which", BENCHMARKS)
def test_they_are_the_same_each_time(which):
    for side, same in zip(made(which), made(which), strict=True):
        for (tune, melody), (tune_again, again) in zip(side, same, strict=True):
            assert tune == tune_again
            np.testing.assert_array_equal(melody.f0_hz, again.f0_hz)
            np.testing.assert_array_equal(melody.attack, again.attack)


def test_nobody_trains_on_their_tunes():
    theirs = {f"composed {SEED + number}" for number in range(FULL.tunes + FULL.distractors)}
    assert {tune.name for tunes in frozen_tunes(SMALL) for tune in tunes} < theirs
    trained_on = {score.name for score in compose_tunes(COMPOSED, seed=COMPOSED_SEED)}
    for kind in shipped.shipped_kinds():
        trained_on |= set(shipped.starter_checkpoint(kind).data.tunes)
    assert not theirs & trained_on
    assert not theirs & {tune.name for tune in shipped.unseen_tunes(50)}


def test_each_tune_is_hummed_in_each_style_and_covered_several_times():
    for which, times in (("hums", len(STYLES)), ("covers", COVERS)):
        sought, among = made(which)
        assert Counter(tune for tune, _ in sought) == dict.fromkeys([tune for tune, _ in among[: SMALL.tunes]], times)
        assert len(among) == SMALL.tunes + SMALL.distractors
        assert all(melody.voiced.any() for _, melody in [*sought, *among])


@given(st.integers(0, 10_000), st.integers(4, 40), st.integers(0, 10_000))
@settings(max_examples=60)
def test_a_cover_is_the_tune_in_another_key_and_tempo(tune, count, seed):
    notes = made_notes(tune, count)
    cover = covered(notes, np.random.default_rng(seed))
    assert cover.starts_s[0] == 0
    assert (np.diff(cover.starts_s) > 0).all()
    assert (cover.ends_s > cover.starts_s).all()
    # Ornaments add one or two notes each; the tune's own are all there, moved by one interval.
    assert len(notes) <= len(cover) <= 3 * len(notes)
    shifts = {round(pitch) for pitch in np.subtract.outer(cover.pitch, notes.pitch).ravel()}
    shift = next(one for one in shifts if abs(one) in (2, 3, 4, 5) and is_within(notes.pitch + one, cover.pitch))
    assert 2 <= abs(shift) <= 5
    assert 0.82 * 0.8 < cover.seconds / notes.seconds < 1.22 * 1.25


def is_within(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether the pitches come in this order in the whole, others between them."""
    left = iter(np.round(whole))
    return all(pitch in left for pitch in np.round(part))


def test_about_a_share_of_long_notes_get_an_ornament():
    rng = np.random.default_rng(0)
    more = [len(covered(made_notes(seed), rng)) - len(made_notes(seed)) for seed in range(60)]
    assert 0.3 * ORNAMENTED < np.mean(more) / np.mean([len(made_notes(seed)) for seed in range(60)]) < 2 * ORNAMENTED


# --- looking


def test_a_trained_network_finds_what_an_untrained_one_does_not():
    trained = look(shipped.starter_checkpoint("short"), SMALL)
    assert list(trained) == ["hums", "covers"]
    guessing = look(untrained(TINY), SMALL)
    for name, looked in trained.items():
        assert looked.checkpoint == shipped.starter_checkpoint("short").name
        assert looked.songs == SMALL.tunes + SMALL.distractors
        assert looked.mrr > guessing[name].mrr + 0.3
    assert look(untrained(TINY), SMALL) == guessing, "the same look gives the same ranks"


def test_two_checkpoints_look_together():
    one, other = (untrained(TINY.changed(seed=seed)) for seed in (0, 1))
    together = look_fused(one, other, SMALL)["hums"]
    assert together.checkpoint == f"{one.name} and {other.name}"
    assert together.tunes == look(one, SMALL)["hums"].tunes
    assert look_fused(one, one, SMALL)["covers"].ranks == look(one, SMALL)["covers"].ranks


def test_given_tunes_are_sought_among_the_same_others():
    tunes = [Tune(f"tune {seed}", made_notes(seed)) for seed in range(4)]
    looks = unseen(untrained(TINY), tunes, SMALL)
    assert set(looks["hums"].tunes) == {tune.name for tune in tunes}
    assert looks["covers"].songs == 4 + SMALL.distractors
    # What is made of a tune does not depend on the others.
    alone, among = (next(covers(some))[1] for some in (tunes[:1], tunes))
    np.testing.assert_array_equal(alone.f0_hz, among.f0_hz)
