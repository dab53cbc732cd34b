"""Cover fragments to train on: whose, how sure, how many, and what the checkpoint says of them."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from annotation.models import ReviewItem, Verdict
from ml_worker.fingerprint.data import AlignedPair, DataRecord
from ml_worker.judging.alignment import at
from ml_worker.models import Job
from ml_worker.tests import made_rows
from ml_worker.tests.made_pairs import TINY, untrained
from ml_worker.work import CannotBeDone, train
from ml_worker.work.mined_data import Caps, mined_pairs
from ml_worker.work.released_data import released_covers
from ml_worker.work.train import Data
from recordings.models import CoverFragment, Fragment, Recording, Song, TrainingUse
from recordings.release import export, freeze
from recordings.splits import split_of
from recordings.tests import factories

State = CoverFragment.State

Sing = Callable[..., Fragment]


@pytest.fixture
def song_in(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Sing:
    """Makes a sung song of a split, each another one, with a fragment."""
    factories.use_storage(settings, tmp_path / "storage")
    make_song = factories.make_song
    numbers = iter(range(1000))

    def make(split: str = "train") -> Fragment:
        number = next(numbers)
        pk = next(
            pk for pk in (uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {n}") for n in range(99)) if split_of(pk) == split
        )
        monkeypatch.setattr(factories, "make_song", lambda *about, **fields: make_song(*about, id=pk, **fields))
        return made_rows.sung_song(number)

    return make


def cover(fragment: Fragment, state: str = State.MATCHED, **changes: Any) -> CoverFragment:
    made = made_rows.sung_cover(fragment, state)
    for name, value in changes.items():
        setattr(made, name, value)
    made.save()
    return made


def accept(found: CoverFragment, *nudges: float) -> None:
    item = ReviewItem.objects.filter(cover_fragment=found).first() or made_rows.settled(found)
    for nudge_s in nudges:
        person = factories.make_person(f"reviewer {Verdict.objects.count()}")
        Verdict.objects.create(item=item, person=person, decision="accept", nudge_s=nudge_s)


def silent(share: float, message: str) -> None:
    """For who asks for no reports."""


def ids(pairs: list[AlignedPair]) -> set[str]:
    return {pair.version_id for pair in pairs}


def share_in_tune(pair: AlignedPair) -> float:
    """Of the frames voiced in both, the share in which the version is the original, transposed by one interval."""
    original = pair.original.pitch()
    seconds = np.arange(len(original)) * pair.original.hop_s
    off = at(pair.version.pitch(), pair.version.hop_s, pair.offset_s + seconds * pair.tempo_ratio) - original
    off = off[~np.isnan(off)]
    assert len(off) > 0.5 * pair.original.voiced.sum()
    return float(np.mean(np.abs(off - np.median(off)) < 0.5))


# --- which, and how sure


def test_what_people_accepted_or_a_machine_is_sure_of_enters(song_in):
    fragment = song_in()
    accepted, matched = cover(fragment, State.ACCEPTED), cover(fragment, State.MATCHED, correlation=0.7)
    cover(fragment, State.DOUBTFUL)
    cover(fragment, State.REJECTED)
    by_id = {pair.version_id: pair for pair in mined_pairs().pairs}
    assert set(by_id) == {str(accepted.pk), str(matched.pk)}
    people_s, machine_s = by_id[str(accepted.pk)], by_id[str(matched.pk)]
    assert (people_s.weight, people_s.self_made, people_s.source) == (1.0, False, "cover")
    assert (machine_s.weight, machine_s.self_made, machine_s.source) == (0.7, True, "cover")
    assert people_s.song_id == str(fragment.recording.song_id)
    assert people_s.fragment_id == str(fragment.pk)


def test_only_songs_of_the_training_split_that_were_not_taken_down_enter(song_in):
    mine, *others = (cover(song_in(split), State.ACCEPTED) for split in ("train", "validation", "test"))
    gone = cover(song_in(), State.MATCHED)
    Song.objects.filter(pk=gone.fragment.recording.song_id).update(taken_down_at=timezone.now())
    assert [one.fragment.recording.song.split for one in others] == ["validation", "test"]
    assert ids(mined_pairs().pairs) == {str(mine.pk)}


def test_a_pair_holds_the_same_music_on_both_sides(song_in):
    found = cover(song_in())
    (pair,) = mined_pairs().pairs
    assert pair.tempo_ratio == found.tempo_ratio
    assert pair.original.duration_s == pytest.approx(found.fragment.duration_s, abs=0.02)
    assert pair.version.duration_s == pytest.approx(found.end_s - found.start_s, abs=0.02)
    assert share_in_tune(pair) > 0.8


def test_it_begins_where_those_who_accepted_it_say(song_in):
    """Found too early by 0.4 s, and moved back."""
    found = cover(song_in(), State.ACCEPTED, start_s=1.6)
    assert share_in_tune(mined_pairs().pairs[0]) < 0.7
    accept(found, 0.38, 0.4, 0.42)
    (pair,) = mined_pairs().pairs
    assert pair.offset_s == 0
    assert share_in_tune(pair) > 0.8


def test_before_the_cover_s_beginning_there_is_nothing_to_cut(song_in):
    found = cover(song_in(), State.ACCEPTED, start_s=0.1)
    accept(found, -0.3)
    (pair,) = mined_pairs().pairs
    assert pair.offset_s == pytest.approx(-0.2)


def test_where_people_do_not_agree_it_is_left_out_and_it_is_said(song_in, caplog):
    accept(cover(song_in(), State.ACCEPTED), 0.0, 2.0)
    with caplog.at_level(logging.WARNING, "chad.jobs"):
        mined = mined_pairs()
    assert mined.pairs == []
    assert mined.facts["left_out"]["people_disagree"] == 1
    assert "people do not agree where they begin: 1 cover fragments" in caplog.text


# --- how many


def test_the_surest_of_a_fragment_and_of_a_song_enter(song_in):
    fragment = song_in()
    other = factories.make_fragment(fragment.recording, 2.0, 10.0)
    accepted = cover(fragment, State.ACCEPTED, correlation=0.4)
    sure, less, least = (cover(fragment, correlation=value) for value in (0.9, 0.8, 0.6))
    elsewhere = cover(other, correlation=0.7)
    few = mined_pairs(Caps(per_song=3, per_fragment=2))
    assert ids(few.pairs) == {str(one.pk) for one in (accepted, sure, elsewhere)}
    assert few.facts["left_out"] == {"beyond_cap_of_fragment": 2, "beyond_cap_of_song": 0, "people_disagree": 0}
    fewer = mined_pairs(Caps(per_song=2, per_fragment=9))
    assert ids(fewer.pairs) == {str(accepted.pk), str(sure.pk)}
    assert fewer.facts["left_out"]["beyond_cap_of_song"] == 3
    assert fewer.facts["caps"] == {"per_song": 2, "per_fragment": 9}
    assert len(mined_pairs().pairs) == 5
    assert less.pk != least.pk


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=60), st.integers(1, 12), st.integers(1, 6))
def test_caps_leave_out_no_more_than_they_must(found, per_song, per_fragment):
    kept, left_out = Caps(per_song, per_fragment).keep(found)
    assert kept == sorted(set(kept))
    assert len(kept) + sum(left_out.values()) == len(found)
    songs, fragments = Counter(found[place][0] for place in kept), Counter(found[place] for place in kept)
    assert max(songs.values(), default=0) <= per_song
    assert max(fragments.values(), default=0) <= per_fragment
    for place in set(range(len(found))) - set(kept):
        before = [found[one] for one in kept if one < place]
        song, _ = found[place]
        assert before.count(found[place]) == per_fragment or sum(one == song for one, _ in before) == per_song


# --- what training takes, and what the checkpoint says of it


def test_without_asking_hums_and_covers_are_trained_on_where_there_are_covers(song_in):
    hum = made_rows.sung_hum(song_in())
    assert Data.of({}, silent).material == "hums"
    found = cover(hum.fragment)
    for asked, taken in {
        None: {hum.pk, found.pk},
        "both": {hum.pk, found.pk},
        "hums": {hum.pk},
        "covers": {found.pk},
    }.items():
        data = Data.of({"material": asked, "sound_versions": 0}, silent)
        assert ids(data.pairs) == {str(pk) for pk in taken}
        assert data.material == (asked or "both")


def test_the_share_of_self_made_labels_is_told(song_in):
    hum = made_rows.sung_hum(song_in())
    cover(hum.fragment, State.ACCEPTED)
    cover(hum.fragment, State.MATCHED, correlation=0.5)
    cover(song_in(), State.MATCHED, correlation=0.6)
    data = Data.of({"sound_versions": 0, "caps": {"per_song": 7, "per_fragment": 7}}, silent)
    facts = data.facts()
    assert (facts["hums"], facts["covers_by_people"], facts["covers_by_machine"]) == (1, 1, 2)
    assert facts["self_made_of_pairs"] == 0.5
    # Both songs take turns: in the first 0.5 of 2.5 is the machine's, in the second all.
    assert facts["self_made_of_draws"] == pytest.approx(0.5 * 0.2 + 0.5)
    assert facts["material"] == "both"
    assert facts["caps"] == {"per_song": 7, "per_fragment": 7}
    assert data.in_words() == "1 hums and 3 fragments of covers"


def test_each_cover_fragment_that_trained_is_a_row(song_in):
    """So that a removal finds the checkpoint."""
    found = [cover(song_in(), state) for state in (State.ACCEPTED, State.MATCHED)]
    weights = replace(untrained(TINY), data=DataRecord.of(mined_pairs().pairs))
    stored = train.store(weights, Job.objects.create(kind=Job.Kind.TRAIN, subject="short"))
    uses = TrainingUse.objects.filter(checkpoint=stored.name).values_list("version_id", flat=True)
    assert set(uses) == {one.pk for one in found}


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ("hums", "accepted hums of at least 4 songs"),
        ("covers", "fragments found in covers of at least 4 songs"),
        ("both", "accepted hums, or of fragments found in covers, of at least 4 songs"),
    ],
)
def test_too_little_is_said_of_what_lacks(settings, tmp_path, material, words):
    settings.CHAD_HOME = tmp_path
    with pytest.raises(CannotBeDone, match=f"{words}; there are 0. Nothing was trained."):
        train.trained({"material": material}, Data([], [], material=material))


def test_who_begins_with_nothing_is_trained_on_the_material_alone(settings, tmp_path, monkeypatch):
    settings.CHAD_HOME = tmp_path
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(train, "train", lambda chosen, pairs, **rest: told.append({"settings": chosen} | rest))
    monkeypatch.setattr(train, "refuse_too_little", lambda *about, **rest: None)
    monkeypatch.setattr(train, "tunes_to_hum", lambda: ["a tune"])
    for initial in ("nothing", "starter"):
        train.trained({"kind": "short", "initial": initial, "labels": "shuffled"}, Data([], []))
    alone, from_starter = told
    assert (alone["initial"], alone["tunes"]) == (None, [])
    assert from_starter["initial"] is not None
    assert from_starter["tunes"] == ["a tune"]
    assert from_starter["settings"].learning_rate == train.GENTLE_RATE < alone["settings"].learning_rate
    assert alone["labels"] == from_starter["labels"] == "shuffled"


@pytest.mark.django_db
def test_the_command_says_what_another_run_was_told_as_one_would_type_it(capsys):
    Job.ask(Job.Kind.TRAIN, "short", kind="short", initial="nothing", material="covers")
    with pytest.raises(SystemExit):
        call_command("train", kind="short")
    assert "with --from nothing --material covers. Start it with the same" in capsys.readouterr().err


def test_a_release_gives_its_covers_as_well(song_in, tmp_path):
    fragment = song_in()
    accepted, matched = cover(fragment, State.ACCEPTED), cover(fragment, State.MATCHED, correlation=0.75)
    cover(song_in("validation"), State.ACCEPTED)
    Recording.objects.update(redistributable=True, licence="CC0-1.0")
    folder = tmp_path / "release"
    export(freeze("1.0"), folder)
    mined = released_covers(folder, Caps())
    by_id = {pair.version_id: pair for pair in mined.pairs}
    assert set(by_id) == {str(accepted.pk), str(matched.pk)}
    assert [by_id[str(one.pk)].weight for one in (accepted, matched)] == [1.0, 0.75]
    assert [by_id[str(one.pk)].self_made for one in (accepted, matched)] == [False, True]
    assert mined.facts["covers_by_machine"] == 1
    assert all(share_in_tune(pair) > 0.6 for pair in mined.pairs)
    assert ids(released_covers(folder, Caps(per_fragment=1)).pairs) == {str(accepted.pk)}
