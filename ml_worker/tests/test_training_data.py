"""Pairs to train on, where the people who accepted them say that they begin, and what their sounds give besides."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from annotation.models import ReviewItem, Verdict
from ml_worker.catalogue import tunes
from ml_worker.fingerprint.data import AlignedPair, DataRecord
from ml_worker.judging.alignment import at
from ml_worker.tests import made_rows
from ml_worker.work import CannotBeDone
from ml_worker.work.corrections import correction_of
from ml_worker.work.sound_versions import MOST_BY_ITSELF, further_pairs, stored_sound, versions_of
from ml_worker.work.starter import announce_starter_catalogue, starter_id
from ml_worker.work.train import Data, trained
from ml_worker.work.training_data import COMPOSED, hummed_pairs, tunes_to_hum
from recordings.models import Humming, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def hum(settings, tmp_path) -> Humming:
    factories.use_storage(settings, tmp_path / "storage")
    made = made_rows.sung_hum(made_rows.sung_song(1))
    return made


def pairs_of(hum: Humming) -> list[AlignedPair]:
    return hummed_pairs(Song.objects.get().split)


def accept(hum: Humming, *nudges: float, **fields: object) -> None:
    item = ReviewItem.objects.filter(humming=hum).first() or made_rows.settled(hum)
    for nudge_s in nudges:
        person = factories.make_person(f"reviewer {Verdict.objects.count()}")
        Verdict.objects.create(item=item, person=person, **{"decision": "accept", "nudge_s": nudge_s} | fields)


def test_nobody_s_slip_moves_the_beginning(hum):
    accept(hum, 0.02, 0.04, 0.25)
    (pair,) = pairs_of(hum)
    assert pair.offset_s == pytest.approx(made_rows.OFFSET_S + 0.04)


def test_what_does_not_count_or_rejects_says_nothing_of_the_beginning(hum):
    accept(hum, 0.02)
    accept(hum, 3.0, counts=False)
    accept(hum, 3.0, decision="reject")
    assert correction_of(item__humming=hum) == pytest.approx(0.02)


def test_without_people_s_verdicts_it_is_the_machine_s(hum):
    assert [pair.offset_s for pair in pairs_of(hum)] == [made_rows.OFFSET_S]


def test_where_people_do_not_agree_the_hum_is_left_out_and_it_is_said(hum, caplog):
    accept(hum, 0.0, 5.0)
    with caplog.at_level(logging.WARNING, "chad.jobs"):
        assert pairs_of(hum) == []
    assert "people do not agree where they begin: 1 hums" in caplog.text


def test_tunes_to_hum_are_composed_or_of_training_songs(db):
    announce_starter_catalogue(6)
    names = {tune.name for tune in tunes_to_hum()}
    known = {tune.slug: Song.objects.get(pk=starter_id(tune.slug)) for tune in tunes()[:6]}
    assert {slug for slug in known if slug in names} == {slug for slug, song in known.items() if song.split == "train"}
    assert len([name for name in names if name.startswith("composed ")]) == COMPOSED


def test_tunes_are_no_substitute_for_hums(settings, tmp_path):
    settings.CHAD_HOME = tmp_path
    with pytest.raises(CannotBeDone, match="there are 0"):
        trained({"kind": "short"}, Data([], []))


# --- sounds


def silent(share: float, message: str) -> None:
    """For who asks for no reports."""


def off_key(pair: AlignedPair) -> np.ndarray:
    """Version minus original in semitones, where the pair says that both are the same music."""
    original = pair.original.pitch()
    seconds = np.arange(len(original)) * pair.original.hop_s
    off = at(pair.version.pitch(), pair.version.hop_s, pair.offset_s + seconds * pair.tempo_ratio) - original
    return off[~np.isnan(off)]


def test_a_changed_sound_is_a_further_version_of_the_same_hum_and_place(hum):
    accept(hum, 0.0)
    (pair,) = pairs_of(hum)
    told: list[str] = []
    further = further_pairs([pair], stored_sound, 3, lambda share, message: told.append(message))
    assert len(further) == 3
    for one in further:
        assert (one.version_id, one.fragment_id, one.song_id) == (str(hum.pk), pair.fragment_id, pair.song_id)
        assert one.original is pair.original
        assert one.tempo_ratio != pair.tempo_ratio
        off = off_key(one)
        assert len(off) > 0.5 * pair.original.voiced.sum()
        assert np.mean(np.abs(off - np.median(off)) < 0.5) > 0.8
    assert len({one.tempo_ratio for one in further}) == 3
    assert "3 of 3" in told[-1]
    assert " s in all" in told[-1]


def test_the_same_hums_give_the_same_further_versions(hum):
    """Else a run that was killed would begin anew."""
    accept(hum, 0.0)
    pairs = pairs_of(hum)
    first, second = (DataRecord.of(further_pairs(pairs, stored_sound, 1, silent)) for _ in range(2))
    assert first.sha256 == second.sha256 != DataRecord.of(pairs).sha256


def test_a_hum_whose_audio_is_gone_is_trained_on_as_it_was_heard(hum):
    accept(hum, 0.0)
    pairs = pairs_of(hum)
    Humming.objects.update(audio="")
    assert further_pairs(pairs, stored_sound, 2, silent) == []


def test_many_hums_are_not_changed_unless_it_is_asked_for():
    assert [versions_of(None, hums) for hums in (0, MOST_BY_ITSELF, MOST_BY_ITSELF + 1)] == [1, 1, 0]
    assert [versions_of(asked, MOST_BY_ITSELF + 1) for asked in (0, 3)] == [0, 3]
