"""Pairs to train on, and where the people who accepted them say that they begin."""

from __future__ import annotations

import logging

import pytest

from annotation.models import ReviewItem, Verdict
from ml_worker.catalogue import tunes
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.tests import made_rows
from ml_worker.work import CannotBeDone
from ml_worker.work.corrections import correction_of
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
