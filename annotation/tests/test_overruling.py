"""An admin overrules an item, and changes a reviewer's standing: what it does, and the rows that it leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone

from annotation import take_words
from annotation.models import Control, ReviewItem, Slot, Verdict
from annotation.models.reviewers import Reviewer
from annotation.roles import make_reviewer
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_chance(settings):
    """Control items come by chance, and calls are limited: not here."""
    settings.CONTROL_ITEMS = False
    cache.clear()


@pytest.fixture
def admin():
    return factories.make_person("admin", is_staff=True)


@pytest.fixture
def desk(admin) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def reviewers():
    people = [factories.make_person(name) for name in ("ann", "bo", "cleo")]
    for person in people:
        make_reviewer(person)
    return people


@pytest.fixture
def hum() -> ReviewItem:
    humming = factories.make_humming(state=Humming.State.CHECKED)
    Slot.lay_out()
    slot = humming.fragment.slots.first()
    slot.humming = humming
    slot.save()
    return ReviewItem.ask_about(humming)


def overrule(desk: Client, item: ReviewItem, decision: str = "accept", why: str = "I have heard it."):
    sent = {"decision": decision, "why": why}
    return desk.post(f"/api/manage/items/{item.pk}/overrule", sent, content_type="application/json")


def slot_of(humming: Humming) -> Slot | None:
    return Slot.objects.filter(humming=humming).first()


def fresh(item: ReviewItem) -> ReviewItem:
    return ReviewItem.objects.get(pk=item.pk)


def test_rejecting_frees_the_slot_and_accepting_again_takes_one(desk, hum, reviewers):
    for person in reviewers[:2]:
        hum.judge(person, "accept")
    assert fresh(hum).state == ReviewItem.State.SETTLED
    assert slot_of(hum.humming)
    answer = overrule(desk, hum, "reject", "It is the second verse.")
    assert (answer.status_code, answer.json()["version"]) == (200, "rejected")
    assert slot_of(hum.humming) is None
    assert overrule(desk, hum, "accept", "No, it is the first.").json()["version"] == "accepted"
    assert slot_of(hum.humming)
    hum.humming.refresh_from_db()
    assert not hum.humming.surplus


def test_accepting_a_rejected_hum_whose_slots_are_all_taken_keeps_it_as_surplus(desk, hum):
    overrule(desk, hum, "reject")
    for slot in Slot.objects.filter(fragment=hum.humming.fragment):
        slot.humming = factories.make_humming(hum.humming.fragment)
        slot.save()
    assert overrule(desk, hum).status_code == 200
    hum.humming.refresh_from_db()
    assert (hum.humming.state, hum.humming.surplus, slot_of(hum.humming)) == ("accepted", True, None)


def test_each_step_is_a_row_of_who_when_why_before_and_after(desk, admin, hum):
    overrule(desk, hum, "reject", "It is the second verse.")
    overrule(desk, hum, "accept", "No, it is the first.")
    words = ["Overruled by an admin: It is the second verse.", "Overruled by an admin: No, it is the first."]
    hums = [(row.before, row.after, row.why, row.person) for row in hum.humming.history]
    assert hums == [("checked", "rejected", words[0], admin), ("rejected", "accepted", words[1], admin)]
    items = [(row.before, row.after, row.why, row.person) for row in hum.history]
    assert items == [("waiting", "settled", words[0], admin), ("settled", "settled", words[1], admin)]
    assert all(timezone.now() - row.at < timedelta(minutes=1) for row in hum.history)


def test_what_was_settled_alike_stands_by_the_admins_word_from_then_on(desk, admin, hum, reviewers):
    for person in reviewers[:2]:
        hum.judge(person, "accept")
    assert overrule(desk, hum, "accept", "Indeed.").status_code == 200
    item = fresh(hum)
    assert item.overruled_by == admin
    assert item.history.last().why == "Overruled by an admin: Indeed."
    for verdict in Verdict.objects.all():
        verdict.discount("Its reviewer slept.")
    assert fresh(hum).state == ReviewItem.State.SETTLED


def test_its_singer_reads_the_admins_reason(admin, hum):
    hum.overrule(admin, "reject", "The second half is another song.")
    hum.humming.refresh_from_db()
    (sentence,) = take_words.verdicts_in_words(hum.humming)
    assert "The second half is another song." in sentence


def test_later_verdicts_change_nothing(desk, hum, reviewers):
    overrule(desk, hum, "reject")
    item = fresh(hum)
    for person in reviewers:
        with pytest.raises(NotAllowed):
            item.judge(person, "accept")
    with transaction.atomic():
        item.lock().reconsider(None, why="The reviewers were measured anew.")
    assert (fresh(hum).state, fresh(hum).humming.state) == ("settled", "rejected")


def test_it_leaves_the_desk_where_it_lies(desk, hum, reviewers):
    hum.lease(reviewers[0])
    overrule(desk, hum)
    assert fresh(hum).leased_to is None


def test_a_disputed_cover_fragment_is_decided(desk):
    cover = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    item = ReviewItem.ask_about(cover)
    ReviewItem.objects.filter(pk=item.pk).update(state=ReviewItem.State.DISPUTED)
    assert overrule(desk, item, "reject").json()["state"] == "settled"
    cover.refresh_from_db()
    assert cover.state == CoverFragment.State.REJECTED


@pytest.mark.parametrize(
    ("sent", "hint"),
    [
        ({"decision": "accept"}, "Please say why"),
        ({"decision": "accept", "why": "   "}, "Please say why"),
        ({"decision": "accept", "why": "x" * 1001}, "why"),
        ({"decision": "perhaps", "why": "So."}, "decision"),
        ({"why": "So."}, "decision"),
    ],
)
def test_a_decision_needs_a_reason_and_is_refused_in_words(desk, hum, sent, hint):
    answer = desk.post(f"/api/manage/items/{hum.pk}/overrule", sent, content_type="application/json")
    assert answer.status_code == 400
    assert hint in answer.json()["error"]
    assert fresh(hum).overruled_by is None


def test_closed_and_control_items_are_refused(desk, hum):
    hum.close("Its singer withdrew it.")
    answer = overrule(desk, hum)
    assert answer.status_code == 409
    assert answer.json()["error"] == "This item is closed; there is nothing to decide."
    facts = {"curve": {"hop_s": 0.02, "pitch": []}, "duration_s": 5.0, "offset_s": 0.0, "tempo_ratio": 1.0}
    control = Control.objects.create(humming=hum.humming, fragment=hum.humming.fragment, fault="cut", **facts)
    item = ReviewItem.objects.create(control=control, state=ReviewItem.State.CONTROL)
    assert overrule(desk, item).status_code == 409
    assert fresh(item).state == ReviewItem.State.CONTROL


def test_a_take_that_was_withdrawn_meanwhile_is_refused(desk, hum):
    hum.humming.move_to(Humming.State.WITHDRAWN, why="Taken back.")
    answer = overrule(desk, hum)
    assert answer.status_code == 409
    assert "withdrawn" in answer.json()["error"]
    assert fresh(hum).overruled_by is None


def test_reviewers_do_not_overrule(hum, reviewers):
    client = Client()
    client.force_login(reviewers[0])
    assert overrule(client, hum).status_code == 403
    assert client.get(f"/manage/items/{hum.pk}/").status_code == 403
    assert fresh(hum).state == ReviewItem.State.WAITING


# --- a reviewer's standing


def stand(desk: Client, reviewer: Reviewer, state: str, **more):
    sent = {"state": state, "why": "All alike, within seconds.", **more}
    return desk.post(f"/api/manage/reviewers/{reviewer.pk}/standing", sent, content_type="application/json")


def test_setting_aside_puts_verdicts_back_and_new_ones_do_not_count(desk, admin, hum, reviewers):
    hum.judge(reviewers[0], "accept")
    reviewer = Reviewer.of(reviewers[0])
    answer = stand(desk, reviewer, "set_aside", put_back="all")
    assert answer.status_code == 200
    reviewer.refresh_from_db()
    row = reviewer.history.get()
    assert (row.before, row.after, row.why, row.person) == ("new", "set_aside", "All alike, within seconds.", admin)
    assert reviewer.put_back_from == Verdict.objects.get().at
    assert reviewer in Reviewer.objects.with_verdicts_to_put_back()
    assert reviewer.put_back_recent() == 1
    other = ReviewItem.ask_about(factories.make_humming(state=Humming.State.CHECKED))
    assert not other.judge(reviewers[0], "accept").counts


@pytest.mark.parametrize(("put_back", "expected"), [("since", 1), ("none", 0), ("all", 2)])
def test_which_verdicts_are_put_back(desk, reviewers, put_back, expected):
    for number in range(2):
        item = ReviewItem.ask_about(factories.make_humming(state=Humming.State.CHECKED))
        verdict = item.judge(reviewers[0], "accept")
        Verdict.objects.filter(pk=verdict.pk).update(at=timezone.now() - timedelta(days=10 * number))
    reviewer = Reviewer.of(reviewers[0])
    Reviewer.objects.filter(pk=reviewer.pk).update(changed_at=timezone.now() - timedelta(days=5))
    stand(desk, reviewer, "set_aside", put_back=put_back)
    reviewer.refresh_from_db()
    assert reviewer.verdicts_to_put_back().count() == expected


def test_trusting_again(desk, reviewers):
    reviewer = Reviewer.of(reviewers[0])
    stand(desk, reviewer, "set_aside")
    set_aside_at = Reviewer.objects.get(pk=reviewer.pk).changed_at
    assert stand(desk, reviewer, "trusted").json() == {"state": "trusted", "put_back_from": None}
    reviewer.refresh_from_db()
    assert reviewer.counts
    assert reviewer.changed_at > set_aside_at
    answer = stand(desk, reviewer, "trusted")
    assert answer.status_code == 409
    assert "trusted already" in answer.json()["error"]


def test_a_change_of_standing_needs_a_reason_and_an_admin(desk, reviewers):
    reviewer = Reviewer.of(reviewers[0])
    assert stand(desk, reviewer, "set_aside", why=" ").status_code == 400
    assert stand(desk, reviewer, "new").status_code == 400
    client = Client()
    client.force_login(reviewers[1])
    assert stand(client, reviewer, "set_aside").status_code == 403
    reviewer.refresh_from_db()
    assert reviewer.state == Reviewer.State.NEW
