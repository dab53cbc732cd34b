"""The admin's pages of the double-check: what they list and say, and how many queries that takes."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from annotation.models import Control, ReviewItem
from annotation.models.reviewers import Reviewer
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept(settings):
    settings.CONTROL_ITEMS = False
    cache.clear()
    yield
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
def people():
    return [factories.make_person(name) for name in ("ann", "bo", "cleo")]


def hum_of(title: str, state: str = ReviewItem.State.WAITING) -> ReviewItem:
    recording = factories.make_recording(factories.make_song(title))
    factories.make_analysis(recording)
    take = factories.make_humming(factories.make_fragment(recording), state=Humming.State.CHECKED)
    settled_at = timezone.now() if state == ReviewItem.State.SETTLED else None
    return ReviewItem.objects.create(humming=take, state=state, settled_at=settled_at, sureness=0.5)


def cover_of(title: str) -> ReviewItem:
    fragment = factories.make_fragment(factories.make_recording(factories.make_song(title)))
    return ReviewItem.ask_about(factories.make_cover_fragment(fragment, state=CoverFragment.State.DOUBTFUL))


def control_of(item: ReviewItem) -> ReviewItem:
    facts = {"curve": {"hop_s": 0.02, "pitch": []}, "duration_s": 5.0, "offset_s": 0.0, "tempo_ratio": 1.0}
    control = Control.objects.create(humming=item.humming, fragment=item.humming.fragment, fault="cut", **facts)
    return ReviewItem.objects.create(control=control, state=ReviewItem.State.CONTROL)


def listed(desk: Client, query: str = "") -> list[str]:
    page = desk.get(f"/manage/items/{query}").content.decode()
    return re.findall(r'<td><a href="/manage/items/[^"]+">([^<]+)</a>', page)


def test_what_is_disputed_comes_first_and_else_what_waits(desk):
    waiting = hum_of("One that waits")
    assert listed(desk) == ["One that waits"]
    hum_of("One in dispute", ReviewItem.State.DISPUTED)
    hum_of("One that is settled", ReviewItem.State.SETTLED)
    hum_of("One that is closed", ReviewItem.State.CLOSED)
    control_of(waiting)
    assert listed(desk) == ["One in dispute"]
    for state in ("waiting", "settled", "closed"):
        assert len(listed(desk, f"?state={state}")) == 1
    assert listed(desk, "?state=control") == ["One that waits"]
    assert listed(desk, "?state=overruled") == []


def test_what_an_admin_overruled_is_named(desk, admin):
    item = hum_of("One that waits")
    item.overrule(admin, "reject", "Another verse.")
    page = desk.get("/manage/items/?state=overruled").content.decode()
    assert "One that waits" in page
    assert "by admin" in page


def test_narrowed_by_song_reviewer_and_kind(desk, people):
    joy, sailor, cover = hum_of("Ode to Joy"), hum_of("Drunken Sailor"), cover_of("Another Sailor")
    joy.judge(people[0], "accept")
    cover.judge(people[1], "accept")
    ask = "?state=waiting&"
    assert len(listed(desk, ask)) == 3
    assert sorted(listed(desk, f"{ask}q=sail")) == ["Another Sailor", "Drunken Sailor"]
    assert listed(desk, f"{ask}q=sailor+drunk") == ["Drunken Sailor"]
    assert listed(desk, f"{ask}reviewer=Ann") == ["Ode to Joy"]
    assert listed(desk, f"{ask}reviewer=nobody") == []
    assert listed(desk, f"{ask}kind=cover") == ["Another Sailor"]
    assert listed(desk, f"{ask}kind=hum&q=sailor") == ["Drunken Sailor"]
    control_of(sailor)
    assert listed(desk, "?state=control&kind=hum&q=drunk") == ["Drunken Sailor"]
    assert listed(desk, "?state=control&kind=cover") == []


def test_what_waits_is_listed_in_the_order_in_which_it_is_asked(desk):
    for title, missing, sureness in (("third", 2, 0.9), ("second", 2, 0.1), ("first", 1, 0.9)):
        ReviewItem.objects.filter(pk=hum_of(title).pk).update(missing=missing, sureness=sureness)
    assert listed(desk) == ["first", "second", "third"]


def test_pages_are_turned_and_odd_ones_say_so(desk, monkeypatch):
    monkeypatch.setattr("annotation.double_check.item_list.ITEMS_A_PAGE", 2)
    for title in "abc":
        hum_of(title)
    assert listed(desk) == ["a", "b"]
    assert listed(desk, "?page=2") == ["c"]
    assert "The list ends before this page." in desk.get("/manage/items/?page=7").content.decode()
    for odd in ("x", "-1", "0", "1" * 50, "²"):
        assert desk.get("/manage/items/", {"page": odd}).status_code == 200
    assert desk.get("/manage/items/", {"state": "odd", "q": "\0", "kind": "odd"}).status_code == 200


@pytest.mark.parametrize("many", [1, 12])
def test_the_pages_take_as_many_queries_however_many_items_there_are(desk, people, many, django_assert_max_num_queries):
    for number in range(many):
        item = hum_of(f"Song {number}")
        item.judge(people[0], "accept")
        item.judge(people[1], "reject", reason="noise")
        cover_of(f"Cover {number}")
        control_of(item).judge(people[2], "accept")
    for address in ("?state=waiting", "?state=control", "?state=waiting&q=song&reviewer=ann&kind=hum"):
        with django_assert_max_num_queries(16):
            assert desk.get(f"/manage/items/{address}").status_code == 200
    with django_assert_max_num_queries(24):
        assert desk.get("/manage/double-check/").status_code == 200
    with django_assert_max_num_queries(20):
        assert desk.get(f"/manage/reviewers/{Reviewer.of(people[0]).pk}/").status_code == 200


def test_one_item_with_every_verdict_and_its_whole_history(desk, admin, people):
    item = hum_of("Ode to Joy")
    item.judge(people[0], "accept", nudge_s=-0.055, trim_start_s=0.1, heard_s=4.0, took_s=7.5)
    verdict = item.judge(people[1], "reject", reason="other", words="A dog barks.")
    verdict.undo(people[1])
    item.judge(people[2], "reject", reason="noise").discount("Its reviewer slept.")
    ReviewItem.objects.get(pk=item.pk).overrule(admin, "accept", "The dog is far away.")
    page = desk.get(f"/manage/items/{item.pk}/").content.decode()
    for words in (
        "accepted by an admin", "−55 ms", "100 / 0 ms", "A dog barks.", "taken back", "Its reviewer slept.",
        "Overruled by an admin: The dog is far away.", "plain majority, 1 to 0", "85 %",
    ):  # fmt: skip
        assert words in page, words


def test_closed_and_control_items_and_lost_sound_are_shown_in_words(desk):
    item = hum_of("Ode to Joy")
    control = control_of(item)
    page = desk.get(f"/manage/items/{control.pk}/").content.decode()
    assert "right is who rejects it." in page
    assert "control item: cut short" in page
    assert "there is nothing to decide" in page
    item.close("Its singer withdrew it.")
    Humming.objects.filter(pk=item.humming_id).update(audio="")
    page = desk.get(f"/manage/items/{item.pk}/").content.decode()
    assert "The sound of this take is deleted." in page
    assert "Its singer withdrew it." in page
    assert 'id="overrule"' not in page


def test_the_figures_page_with_and_without_verdicts(desk, people):
    assert "Nobody’s verdict counts here yet." in desk.get("/manage/double-check/").content.decode()
    cache.clear()
    for title in ("a", "b"):
        item = hum_of(title)
        item.judge(people[0], "accept")
        item.judge(people[1], "reject", reason="noise")
    page = desk.get("/manage/double-check/").content.decode()
    assert "Alpha of the verdicts" in page
    assert f'href="/manage/reviewers/{Reviewer.of(people[0]).pk}/"' in page
    assert "split so far" in page
