"""Somebody says that a released version is wrong: what that sets going, and what comes of it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import Client
from django.utils import timezone

from annotation import keeping, leaving, own_data, removing, reporting, taking
from annotation.models import Guest, Report, Reviewer, ReviewItem, Slot, Verdict
from annotation.models.verdicts import Reason
from annotation.tests.desks import JSON, Desk, hum_to_check
from annotation.tests.test_slots import together
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Fragment, Humming, Release, Song
from recordings.release import freeze
from recordings.release_pages.lists import REPORTED_AS
from recordings.tests import factories

pytestmark = pytest.mark.django_db

REASON = {Humming: "noise", CoverFragment: "medley"}
OPEN, REMOVED, KEPT, VOID = Report.State.OPEN, Report.State.REMOVED, Report.State.KEPT, Report.State.VOID


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")
    settings.SLOTS_PER_FRAGMENT = 3


@pytest.fixture
def admin() -> AbstractBaseUser:
    return factories.make_person("admin", is_staff=True, is_superuser=True)


class Published:
    """A release that is out: a hum that two people accepted, a cover that the machine matched, and their original."""

    def __init__(self) -> None:
        self.item = hum_to_check()
        self.hum: Humming = self.item.humming
        self.fragment: Fragment = self.hum.fragment
        self.judges = [Desk("first"), Desk("second")]
        for desk in self.judges:
            desk.accept(self.item)
        self.cover: CoverFragment = factories.make_cover_fragment(self.fragment)
        factories.make_analysis(self.cover.recording)
        publish("1.0")

    def report(self, version: Any, reason: str = "", **more: Any) -> Any:
        """By somebody who is not signed in."""
        return send(Client(REMOTE_ADDR=f"10.0.0.{next(ADDRESSES)}"), version, reason, **more)


ADDRESSES = iter(range(1, 255))


def publish(version: str) -> Release:
    release = freeze(version)
    Release.objects.filter(pk=release.pk).update(published_at=timezone.now())
    return release


def address_of(version: Any, release: str = "1.0") -> str:
    return f"/api/releases/{release}/{getattr(version, 'pk', version)}/reports"


def send(client: Client, version: Any, reason: str = "", **more: Any) -> Any:
    if not reason:
        reason = REASON.get(type(version), "other")
    return client.post(address_of(version), {"reason": reason, **more}, content_type=JSON)


@pytest.fixture
def published() -> Published:
    return Published()


def state_of(row: Any) -> str:
    return type(row).objects.get(pk=row.pk).state


def item_of(version: Humming | CoverFragment) -> ReviewItem:
    return ReviewItem.objects.get(**{"humming" if isinstance(version, Humming) else "cover_fragment": version})


# ---------------------------------------------------------------- who may say what


def test_anyone_may_report_a_hum_and_nothing_is_kept_of_them(published):
    answer = published.report(published.hum, "words", words="I hear  words.")
    assert (answer.status_code, answer.json()["is_new"]) == (201, True)
    told = Report.objects.get()
    assert (told.version_id, told.fragment_id, told.audio_type) == (published.hum.pk, published.fragment.pk, "humming")
    assert (told.release, told.reason, told.words, told.person) == ("1.0", "words", "I hear  words.", None)
    item = item_of(published.hum)
    assert (item.state, item.missing) == ("waiting", 2)
    assert state_of(published.hum) == Humming.State.ACCEPTED, "a stranger's word does not empty the dataset"


def test_a_matched_cover_gets_an_item_and_stays_matched(published):
    assert published.report(published.cover).status_code == 201
    item = item_of(published.cover)
    assert (item.state, item.sureness) == ("waiting", pytest.approx(published.cover.correlation))
    assert state_of(published.cover) == CoverFragment.State.MATCHED


def test_an_original_is_an_admins(published):
    assert published.report(published.fragment, "noise").status_code == 400
    assert published.report(published.fragment, "other").status_code == 400, "it needs words"
    assert published.report(published.fragment, "other", words="a wrong title").status_code == 201
    assert ReviewItem.objects.filter(cover_fragment=None).count() == 1, "nobody is asked about it"


@pytest.mark.parametrize(("kind", "right", "wrong"), [("hum", "too_quiet", "medley"), ("cover", "medley", "too_quiet")])
def test_reasons_are_those_of_the_kind(published, kind, right, wrong):
    version = getattr(published, kind)
    shown = Client().get(address_of(version)).json()
    assert [reason["code"] for reason in shown["reasons"]] == [reason.value for reason in Reason.of_kind(kind)]
    refused = published.report(version, wrong)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")
    assert published.report(version, right).status_code == 201


def test_what_a_changelog_says_of_each_reason_has_words_on_the_releases_page():
    assert set(REPORTED_AS) == {reporting.in_english(reason) for reason in Reason}


def test_every_reason_has_words_for_strangers_in_their_language(published):
    assert set(reporting.IN_WORDS) == set(Reason)
    german = Client().get(address_of(published.hum), HTTP_ACCEPT_LANGUAGE="de").json()["reasons"]
    assert german[-1]["label"] == "etwas anderes"


def test_the_same_asker_twice_is_one_report(published):
    singer, anon = Client(), Client(REMOTE_ADDR="10.1.0.1")
    singer.force_login(factories.make_person("carl"))
    for client in (singer, anon):
        assert send(client, published.hum).status_code == 201
        again = send(client, published.hum, "words")
        assert (again.status_code, again.json()["is_new"]) == (200, False)
        assert send(client, published.cover).status_code == 201
    assert Report.objects.count() == 4


@pytest.mark.parametrize("words", ["x" * 501, "a\0b"])
def test_words_have_their_limits(published, words):
    assert published.report(published.hum, words=words).status_code == 400
    assert not Report.objects.exists()


def test_only_what_is_out_can_be_reported(published):
    freeze("1.1")
    for version, release in ((published.hum, "1.1"), (published.hum, "9"), (uuid.uuid4(), "1.0")):
        for call in (Client().get, Client().post):
            answer = call(address_of(version, release))
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_has_left_already_is_told(published, admin):
    taking.withdraw(published.hum, published.hum.singer)
    answer = published.report(published.hum)
    assert (answer.status_code, answer.json()["code"]) == (409, "gone")
    removing.take_down(published.fragment.song, admin, "not ours")
    for version, words in ((published.cover, {}), (published.fragment, {"reason": "other", "words": "wrong"})):
        assert published.report(version, **words).json()["code"] == "gone"
    assert not Report.objects.exists()


def test_a_page_of_another_site_cannot_report_in_a_visitors_name(published):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = "a" * 32
    assert send(browser, published.hum).status_code == 403
    signed_in = Client(enforce_csrf_checks=True)
    signed_in.force_login(factories.make_person("carl"))
    assert send(signed_in, published.hum).status_code == 403


def test_one_address_reports_so_often_and_all_strangers_together_so_often(published, settings):
    settings.LIMITS = settings.LIMITS | {"strangers-reports": "1/day"}
    guest, reviewer = Client(), Desk("rita")
    guest.force_login(Guest.arrive())
    assert published.report(published.hum).status_code == 201
    for client in (guest, Client()):
        full = send(client, published.cover)
        assert (full.status_code, full.json()["code"]) == (429, "busy")
        assert int(full["Retry-After"]) > 0
    assert send(reviewer.client, published.cover).status_code == 201, "who reviews is no stranger"
    settings.LIMITS = settings.LIMITS | {"reports": "1/hour"}
    assert [send(Client(REMOTE_ADDR="10.2.0.1"), published.cover).status_code for _ in range(2)][-1] == 429


# ---------------------------------------------------------------- what people then say


def judge(version: Humming | CoverFragment, *decisions: str) -> list[Desk]:
    """New reviewers, one after the other."""
    desks = []
    for decision in decisions:
        desks.append(Desk(f"judge-{uuid.uuid4().hex[:6]}"))
        item_of(version).lease(desks[-1].person)
        more = {"reason": REASON[type(version)]} if decision == "reject" else {}
        assert desks[-1].judge(item_of(version), decision, **more).status_code == 200
    return desks


def test_only_new_people_are_asked_and_who_reported_is_not(published):
    rita = Desk("rita")
    assert send(rita.client, published.hum).status_code == 201
    for desk in (rita, *published.judges):
        assert desk.next()["item"] is None
    assert Desk("ruth").next()["item"]["id"] == str(published.item.pk)


def test_one_new_verdict_decides_nothing_two_keep_it(published):
    published.report(published.hum)
    judge(published.hum, "accept")
    assert (item_of(published.hum).state, Report.objects.get().state) == ("waiting", OPEN)
    judge(published.hum, "accept")
    assert (item_of(published.hum).state, Report.objects.get().state) == ("settled", KEPT)
    assert state_of(published.hum) == Humming.State.ACCEPTED
    assert Report.objects.get().decided_at == item_of(published.hum).settled_at


def test_what_was_accepted_before_weighs_and_three_take_it_out(published):
    published.report(published.hum)
    published.report(published.hum, "words")
    judge(published.hum, "reject", "reject")
    assert state_of(published.hum) == Humming.State.ACCEPTED
    judge(published.hum, "reject")
    assert state_of(published.hum) == Humming.State.REJECTED
    assert set(Report.objects.values_list("state", flat=True)) == {REMOVED}, "several are decided together"
    assert published.report(published.hum).json()["code"] == "gone"


def test_a_matched_cover_is_decided_by_people_then(published):
    published.report(published.cover)
    judge(published.cover, "accept")
    assert state_of(published.cover) == CoverFragment.State.MATCHED
    judge(published.cover, "accept")
    assert (state_of(published.cover), Report.objects.get().state) == (CoverFragment.State.ACCEPTED, KEPT)


def test_a_cover_that_people_reject_is_removed(published):
    published.report(published.cover)
    judge(published.cover, "reject", "reject")
    assert (state_of(published.cover), Report.objects.get().state) == (CoverFragment.State.REJECTED, REMOVED)


def test_taking_the_last_verdict_back_opens_everything_again(published):
    published.report(published.hum)
    judge(published.hum, "reject", "reject")
    last = Desk("last")
    verdict = last.reject(item_of(published.hum))["verdict"]
    assert (state_of(published.hum), Report.objects.get().state) == (Humming.State.REJECTED, REMOVED)
    assert not Slot.objects.filter(humming=published.hum).exists()
    assert last.undo(verdict).status_code == 200
    assert (item_of(published.hum).state, Report.objects.get().state) == ("waiting", OPEN)
    assert state_of(published.hum) == Humming.State.ACCEPTED, "as it was before the verdict"
    assert Slot.objects.filter(humming=published.hum).exists()
    assert Report.objects.get().decided_at is None


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_a_matched_cover_is_the_machines_again_when_a_verdict_is_taken_back(published, decision):
    published.report(published.cover)
    verdicts = []
    for _ in range(2):
        desk = Desk(f"judge-{uuid.uuid4().hex[:6]}")
        item = item_of(published.cover)
        answer = desk.accept(item) if decision == "accept" else desk.reject(item, "medley")
        verdicts.append((desk, answer["verdict"]))
    assert Report.objects.get().state == (KEPT if decision == "accept" else REMOVED)
    desk, verdict = verdicts[-1]
    assert desk.undo(verdict).status_code == 200
    assert (state_of(published.cover), Report.objects.get().state) == (CoverFragment.State.MATCHED, OPEN)


def test_verdicts_from_before_the_report_stay_and_seem_settled(published):
    old = Verdict.objects.filter(item=published.item).last()
    published.report(published.hum)
    assert published.judges[0].undo(Verdict.objects.get(person=published.judges[0].person).pk).status_code == 409
    shown = published.judges[0].get("/api/review/verdicts").json()["verdicts"]
    assert [one["state"] for one in shown] == ["settled"]
    assert Verdict.objects.get(pk=old.pk).undone_at is None


def test_who_disagree_are_left_to_an_admin_whose_word_decides_the_reports(published, admin):
    published.report(published.hum)
    for number, decision in enumerate(["accept", "reject", "accept", "reject", "accept"]):
        desk = Desk(f"weak {number}")
        weak = {"accepts_good": 0.55, "rejects_bad": 0.55, "measured_at": timezone.now()}
        Reviewer.objects.filter(pk=Reviewer.of(desk.person).pk).update(**weak)
        strong = {"accepts_good": 0.51, "rejects_bad": 0.51, "measured_at": timezone.now()}
        Reviewer.objects.filter(person__in=[one.person for one in published.judges]).update(**strong)
        getattr(desk, decision)(item_of(published.hum))
    item = item_of(published.hum)
    assert (item.state, state_of(published.hum)) == ("disputed", Humming.State.ACCEPTED)
    item.overrule(admin, "reject", "It is another tune.")
    assert (state_of(published.hum), Report.objects.get().state) == (Humming.State.REJECTED, REMOVED)
    item.overrule(admin, "accept", "I was wrong.")
    assert (state_of(published.hum), Report.objects.get().state) == (Humming.State.ACCEPTED, KEPT)


def test_what_an_admin_decided_goes_to_an_admin(published, admin):
    published.item.overrule(admin, "accept", "I know it.")
    published.report(published.hum)
    assert (item_of(published.hum).state, state_of(published.hum)) == ("disputed", Humming.State.ACCEPTED)
    assert Desk("ruth").next()["item"] is None
    item_of(published.hum).overrule(admin, "accept", "I know it still.")
    assert (item_of(published.hum).state, Report.objects.get().state) == ("settled", KEPT)


def test_a_second_report_after_a_decision_asks_new_people_and_leaves_the_first_decided(published):
    published.report(published.hum)
    judge(published.hum, "accept", "accept")
    first = Report.objects.get()
    published.report(published.hum, "words")
    assert item_of(published.hum).state == "waiting"
    assert Report.objects.get(pk=first.pk).state == KEPT
    judge(published.hum, "accept")
    assert item_of(published.hum).state == "waiting", "verdicts from before settle nothing by themselves"
    judge(published.hum, "accept")
    assert item_of(published.hum).state == "settled"
    assert Report.objects.get(pk=first.pk).decided_at == first.decided_at


def test_a_report_while_people_are_asked_leaves_their_verdicts(published):
    published.report(published.hum)
    judge(published.hum, "accept")
    published.report(published.hum, "words")
    judge(published.hum, "accept")
    assert set(Report.objects.values_list("state", flat=True)) == {KEPT}


def test_what_is_doubtful_already_is_asked_on(published):
    Verdict.objects.get(person=published.judges[0].person).discount("A test.")
    assert state_of(published.hum) == Humming.State.CHECKED
    published.report(published.hum)
    assert item_of(published.hum).missing == 1, "the verdict that stands counts as before"
    judge(published.hum, "accept")
    assert (state_of(published.hum), Report.objects.get().state) == (Humming.State.ACCEPTED, KEPT)


def test_where_what_made_it_accepted_does_not_stand_it_is_doubtful_while_it_waits(published):
    published.report(published.hum)
    Verdict.objects.get(person=published.judges[0].person).discount("A test.")
    assert (item_of(published.hum).state, state_of(published.hum)) == ("waiting", Humming.State.CHECKED)
    judge(published.hum, "accept", "accept")
    assert (state_of(published.hum), Report.objects.get().state) == (Humming.State.ACCEPTED, KEPT)


def test_a_verdict_that_is_discounted_later_opens_its_reports_again(published):
    published.report(published.hum)
    judge(published.hum, "accept")
    (last,) = judge(published.hum, "accept")
    Verdict.objects.get(person=last.person).discount("A test.")
    assert (item_of(published.hum).state, Report.objects.get().state) == ("waiting", OPEN)
    assert state_of(published.hum) == Humming.State.ACCEPTED


def test_reviewers_do_not_see_that_it_was_reported(published):
    published.report(published.hum, "words", words="secret words of a stranger")
    desk = Desk("ruth")
    shown = desk.client.post("/api/review/next", {}, content_type=JSON).content.decode()
    desk.judge(published.item)
    shown += desk.get("/api/review/verdicts").content.decode() + desk.get("/review/").content.decode()
    assert "secret words" not in shown
    assert "reported" not in shown.lower()


# ---------------------------------------------------------------- what leaves otherwise


def test_a_withdrawn_take_makes_its_reports_void(published):
    published.report(published.hum)
    taking.withdraw(published.hum, published.hum.singer)
    assert Report.objects.get().state == VOID
    assert reporting.decided_between(None, timezone.now()) == []


def test_a_song_that_is_taken_down_makes_all_reports_void_until_it_is_back(published, admin):
    published.report(published.hum)
    published.report(published.cover)
    published.report(published.fragment, "other", words="wrong")
    song = published.fragment.song
    removing.take_down(song, admin, "not ours")
    assert set(Report.objects.values_list("state", flat=True)) == {VOID}
    assert item_of(published.hum).state == "closed"
    assert state_of(published.hum) == Humming.State.ACCEPTED
    removing.put_back(Song.objects.get(pk=song.pk), admin)
    assert set(Report.objects.values_list("state", flat=True)) == {OPEN}
    assert (item_of(published.hum).state, item_of(published.cover).state) == ("waiting", "waiting")
    judge(published.hum, "accept")


def test_what_an_admin_decided_is_an_admins_also_when_its_song_is_back(published, admin):
    published.item.overrule(admin, "accept", "I know it.")
    published.report(published.hum)
    song = published.fragment.song
    removing.take_down(song, admin, "not ours")
    removing.put_back(Song.objects.get(pk=song.pk), admin)
    assert item_of(published.hum).state == "disputed"


def test_leaving_takes_the_name_from_a_report_and_keeping_brings_it_along(published):
    carl, guest = factories.make_person("carl"), Guest.arrive()
    client = Client()
    client.force_login(guest)
    send(client, published.hum)
    keeping.move_to(carl, guest)
    assert Report.objects.get().person == carl
    assert own_data.data_of(carl)["reports"][0]["reason"] == "noise"
    leaving.leave(carl, keep_takes=True)
    assert Report.objects.get().person is None


# ---------------------------------------------------------------- what a release tells


def test_a_changelog_names_what_was_decided_since_and_no_strangers_words(published, admin):
    before = timezone.now()
    for _ in range(2):
        published.report(published.hum, "other", words="a secret")
    published.report(published.cover)
    judge(published.hum, "reject", "reject", "reject")
    told = reporting.decided_between(before, timezone.now())
    assert told == [
        {
            "version_id": str(published.hum.pk),
            "fragment_id": str(published.fragment.pk),
            "audio_type": "humming",
            "reason": "something else",
            "outcome": "removed",
        }
    ]
    assert reporting.decided_between(timezone.now(), timezone.now() + timedelta(days=1)) == []
    assert reporting.open_reports().count() == 1


# ---------------------------------------------------------------- the admin's pages


def test_the_items_page_tells_its_reports(published, admin, client):
    published.report(published.hum, "words", words="I hear <b>words</b>")
    client.force_login(admin)
    page = client.get(f"/manage/items/{published.item.pk}/").content.decode()
    assert "I hear &lt;b&gt;words&lt;/b&gt;" in page
    assert "words sung" in page


def test_an_admin_mends_an_original_or_keeps_it(published, admin, client):
    published.report(published.fragment, "other", words="The title is wrong.")
    published.report(published.fragment, "other", words="Not this one.")
    client.force_login(admin)
    page = client.get("/manage/reports/").content.decode()
    assert "The title is wrong." in page
    told = Report.objects.first()
    without = client.post("/manage/reports/", {"report": told.pk, "decision": "mended", "why": " "})
    assert (without.status_code, Report.objects.open().count()) == (422, 2)
    done = client.post("/manage/reports/", {"report": told.pk, "decision": "mended", "why": "Renamed."}, follow=True)
    assert done.redirect_chain
    assert set(Report.objects.values_list("state", flat=True)) == {REMOVED}
    again = client.post("/manage/reports/", {"report": told.pk, "decision": "keep", "why": "No."})
    assert again.status_code == 422
    assert set(Report.objects.values_list("state", flat=True)) == {REMOVED}
    assert "Renamed." in client.get("/manage/reports/?state=decided").content.decode()


def test_what_the_double_check_decides_is_not_decided_beside_it(published, admin):
    published.report(published.hum)
    with pytest.raises(NotAllowed, match="double-check"):
        reporting.decide(Report.objects.get().pk, admin, removed=True, why="I say so.")


def test_the_list_of_reports_costs_the_same_however_many_there_are(
    published, admin, client, django_assert_max_num_queries
):
    client.force_login(admin)
    for number in range(60):
        Report.objects.create(
            version_id=published.hum.pk, fragment_id=published.fragment.pk, audio_type="humming", release="1.0",
            reason="noise", words=f"words {number}",
        )  # fmt: skip
    with django_assert_max_num_queries(12):
        page = client.get("/manage/reports/?page=2").content.decode()
    assert "words 55" in page


# ---------------------------------------------------------------- at the same time


@pytest.mark.django_db(transaction=True)
def test_two_reports_at_once_make_one_asking(published):
    cover = published.cover
    together(4, lambda _: published.report(cover))
    item = item_of(cover)
    assert Report.objects.count() == 4
    assert [(change.before, change.after) for change in item.history] == []
    assert (item.state, state_of(cover)) == ("waiting", CoverFragment.State.MATCHED)
    hum = published.hum
    together(4, lambda _: published.report(hum))
    assert [(change.before, change.after) for change in item_of(hum).history][1:] == [("settled", "waiting")]


@pytest.mark.django_db(transaction=True)
def test_one_person_reporting_at_once_from_several_tabs_reports_once(published):
    carl = factories.make_person("carl")

    def tab(_number: int) -> None:
        client = Client()
        client.force_login(carl)
        assert send(client, published.hum).status_code in (200, 201)

    together(4, tab)
    assert Report.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_report_and_the_verdict_that_settles_leave_no_open_report_behind(published):
    published.report(published.hum)
    judge(published.hum, "accept")
    desk = Desk("last")
    assert desk.next()["item"]
    acts = (lambda: desk.judge(published.item), lambda: published.report(published.hum, "words"))
    together(2, lambda number: acts[number]())
    item = item_of(published.hum)
    states = set(Report.objects.values_list("state", flat=True))
    # Either the report came first and is decided with the other, or it has people asked anew.
    assert (item.state, states) in ((ReviewItem.State.SETTLED, {KEPT}), (ReviewItem.State.WAITING, {KEPT, OPEN}))
    assert state_of(published.hum) == Humming.State.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_a_report_and_a_withdrawal_leave_nothing_to_be_asked(published):
    hum = published.hum
    acts = (lambda: taking.withdraw(hum, hum.singer), lambda: published.report(hum))
    together(2, lambda number: acts[number]())
    assert item_of(hum).state == "closed"
    assert not Report.objects.open().exists()
