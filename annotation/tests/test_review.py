"""The double-check: who gets what, what a verdict does, and taking it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from annotation import taking
from annotation.models import ReviewItem, Slot, Verdict
from annotation.roles import make_reviewer
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita():
    person = factories.make_person("rita")
    make_reviewer(person)
    return person


@pytest.fixture
def desk(rita) -> Client:
    client = Client()
    client.force_login(rita)
    return client


def hum_to_check(**fields) -> ReviewItem:
    humming = factories.make_humming(state=Humming.State.CHECKED, **fields)
    factories.make_analysis(humming.fragment.recording)
    Slot.lay_out()
    slot = humming.fragment.slots.first()
    slot.humming = humming
    slot.save()
    return ReviewItem.objects.create(humming=humming)


def next_item(desk: Client) -> dict:
    return desk.post("/api/review/next").json()


def judge(desk: Client, item: str, decision: str, **more):
    return desk.post(f"/api/review/{item}/verdict", {"decision": decision, **more}, content_type="application/json")


def test_a_reviewer_gets_an_item_with_both_sides(desk):
    hum_to_check()
    answer = next_item(desk)
    item = answer["item"]
    assert answer["left"] == 1
    assert item["kind"] == "hum"
    for side in ("original", "version"):
        assert desk.get(item[side]["audio_url"]).status_code == 200
        assert desk.get(item[side]["curve_url"]).json()["pitch"]


def test_accepting_settles_and_leaves_a_row_of_who_and_why(desk, rita):
    item = hum_to_check()
    next_item(desk)
    answer = judge(desk, item.pk, "accept", nudge_s=0.05).json()
    assert answer["settled"]
    item.humming.refresh_from_db()
    assert item.humming.state == Humming.State.ACCEPTED
    change = item.humming.history.last()
    assert (change.before, change.after, change.person) == ("checked", "accepted", rita)
    assert Verdict.objects.get().nudge_s == 0.05
    assert next_item(desk) == {"item": None, "left": 0}


def test_rejecting_frees_the_slot_and_keeps_the_take(desk):
    item = hum_to_check()
    next_item(desk)
    judge(desk, item.pk, "reject", reason="wrong_tune")
    item.humming.refresh_from_db()
    assert item.humming.state == Humming.State.REJECTED
    assert not Slot.objects.filter(humming=item.humming).exists()
    assert item.humming.audio.size > 0


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ({"decision": "reject"}, "one of the reasons"),
        ({"decision": "reject", "reason": "other"}, "in words"),
        ({"decision": "reject", "reason": "ugly"}, "reason"),
        ({"decision": "maybe"}, "decision"),
        ({"decision": "accept", "nudge_s": 99}, "nudge_s"),
    ],
)
def test_an_odd_verdict_is_refused_in_words_and_changes_nothing(desk, sent, hint):
    item = hum_to_check()
    next_item(desk)
    answer = desk.post(f"/api/review/{item.pk}/verdict", sent, content_type="application/json")
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
    assert not Verdict.objects.exists()


def test_a_verdict_without_the_lease_is_refused(desk):
    item = hum_to_check()
    assert judge(desk, item.pk, "accept").json()["code"] == "lease_over"
    next_item(desk)
    ReviewItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert judge(desk, item.pk, "accept").status_code == 409
    assert not Verdict.objects.exists()


def test_a_leased_item_goes_to_nobody_else(desk):
    hum_to_check()
    assert next_item(desk)["item"]
    other = factories.make_person("roger")
    make_reviewer(other)
    client = Client()
    client.force_login(other)
    assert next_item(client)["item"] is None


def test_nobody_reviews_an_own_take(desk, rita):
    hum_to_check(singer=rita)
    assert next_item(desk)["item"] is None


def test_a_withdrawn_take_leaves_the_queue(desk):
    item = hum_to_check()
    item.humming.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    assert next_item(desk)["item"] is None


def test_a_doubtful_cover_fragment_is_reviewed_like_a_hum(desk):
    cover = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    factories.make_analysis(cover.fragment.recording)
    item = ReviewItem.objects.create(cover_fragment=cover)
    shown = next_item(desk)["item"]
    assert shown["kind"] == "cover"
    assert shown["similarity"] == pytest.approx(cover.correlation)
    for side in ("original", "version"):
        assert desk.get(shown[side]["audio_url"]).status_code == 200
    judge(desk, item.pk, "accept")
    cover.refresh_from_db()
    assert cover.state == CoverFragment.State.ACCEPTED


def test_a_verdict_can_be_taken_back_and_given_again(desk):
    item = hum_to_check()
    next_item(desk)
    verdict = judge(desk, item.pk, "reject", reason="noise").json()["verdict"]
    shown = desk.post(f"/api/review/verdicts/{verdict}/undo").json()["item"]
    assert shown["id"] == str(item.pk)
    item.humming.refresh_from_db()
    assert item.humming.state == Humming.State.CHECKED
    assert Slot.objects.get(humming=item.humming)
    assert judge(desk, item.pk, "accept").json()["settled"]
    assert Verdict.objects.count() == 1


def test_an_old_verdict_and_another_persons_cannot_be_taken_back(desk):
    item = hum_to_check()
    next_item(desk)
    verdict = judge(desk, item.pk, "accept").json()["verdict"]
    other = factories.make_person("roger")
    make_reviewer(other)
    client = Client()
    client.force_login(other)
    assert client.post(f"/api/review/verdicts/{verdict}/undo").status_code == 404
    Verdict.objects.update(at=timezone.now() - timedelta(hours=1))
    assert desk.post(f"/api/review/verdicts/{verdict}/undo").json()["code"] == "too_late"


def test_a_verdict_on_a_take_that_was_withdrawn_cannot_be_taken_back(desk, rita):
    item = hum_to_check()
    next_item(desk)
    verdict = judge(desk, item.pk, "accept").json()["verdict"]
    taking.withdraw(item.humming, item.humming.singer)
    answer = desk.post(f"/api/review/verdicts/{verdict}/undo")
    assert answer.status_code == 409
    assert "withdrawn" in answer.json()["error"]


def test_a_reason_belongs_to_its_kind(desk):
    item = hum_to_check()
    next_item(desk)
    assert judge(desk, item.pk, "reject", reason="medley").status_code == 400
    judge(desk, item.pk, "accept", reason="noise")
    assert Verdict.objects.get().reason == ""


def test_two_must_agree_where_two_are_asked(desk, settings):
    settings.VERDICTS_TO_SETTLE = 2
    item = hum_to_check()
    next_item(desk)
    assert not judge(desk, item.pk, "accept").json()["settled"]
    assert next_item(desk)["item"] is None
    for name, settled in (("roger", False), ("ruth", True)):
        person = factories.make_person(name)
        make_reviewer(person)
        client = Client()
        client.force_login(person)
        assert next_item(client)["item"]
        decision = {"roger": {"decision": "reject", "reason": "off_time"}, "ruth": {"decision": "accept"}}[name]
        answer = client.post(f"/api/review/{item.pk}/verdict", decision, content_type="application/json")
        assert answer.json()["settled"] is settled
    item.humming.refresh_from_db()
    assert item.humming.state == Humming.State.ACCEPTED
