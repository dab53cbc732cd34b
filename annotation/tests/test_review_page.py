"""The double-check page in Chromium, by keys alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import ReviewItem, Verdict
from annotation.roles import make_reviewer
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def waiting_hum(title: str) -> ReviewItem:
    recording = factories.make_recording(factories.make_song(title))
    factories.make_analysis(recording)
    fragment = factories.make_fragment(recording)
    humming = factories.make_humming(fragment, factories.make_person(f"singer of {title}"), Humming.State.CHECKED)
    return ReviewItem.objects.create(humming=humming)


def waiting_cover() -> ReviewItem:
    cover = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    for recording in (cover.recording, cover.fragment.recording):
        factories.make_analysis(recording)
    return ReviewItem.objects.create(cover_fragment=cover)


@pytest.fixture
def open_desk(live_server, chromium_with_microphone: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """The review page of a signed-in reviewer."""

    def open_page(**size: int) -> Page:
        rita = factories.make_person("rita")
        make_reviewer(rita)
        client = Client()
        client.force_login(rita)
        assert SESSION_KEY in client.session
        context = chromium_with_microphone(base_url=live_server.url, **size)
        cookie = client.cookies["sessionid"]
        context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.goto("/review/")
        return page

    return open_page


def shows(page: Page, title: str) -> None:
    expect(page.locator("#what:visible")).to_contain_text(title, timeout=30_000)


def test_accept_by_keys_after_hearing_both(open_desk) -> None:
    item = waiting_hum("First tune")
    page = open_desk()
    shows(page, "First tune")
    page.keyboard.press("y")
    assert not Verdict.objects.exists(), "it has not been heard"
    page.keyboard.press("d")
    expect(page.locator('[data-play="both"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press(">")
    page.keyboard.press(".")
    expect(page.locator("#nudge")).to_have_text("+55 ms")
    page.keyboard.press("y")
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=30_000)
    verdict = Verdict.objects.get(item=item)
    ratio = item.humming.check_result.tempo_ratio
    assert verdict.decision == "accept"
    # 55 ms later: the fragment begins 55 ms (at the version's pace) earlier in the take.
    assert verdict.nudge_s == pytest.approx(-0.055 * ratio)


def test_reject_by_number_and_take_it_back(open_desk) -> None:
    item = waiting_hum("First tune")
    page = open_desk()
    shows(page, "First tune")
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=30_000)
    assert Verdict.objects.get().reason == "off_time"
    page.keyboard.press("u")
    shows(page, "First tune")
    item.refresh_from_db()
    assert item.settled_at is None
    assert Humming.objects.get().state == Humming.State.CHECKED
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=30_000)
    assert Verdict.objects.get().reason == "wrong_tune"


def test_other_reasons_are_given_in_words(open_desk) -> None:
    waiting_hum("First tune")
    page = open_desk()
    shows(page, "First tune")
    page.get_by_role("button", name="other, in words").click()
    page.keyboard.type("A dog barks all the way")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=30_000)
    assert Verdict.objects.get().words == "A dog barks all the way"


def test_a_cover_fragment_has_its_own_reasons(open_desk) -> None:
    waiting_cover()
    page = open_desk()
    shows(page, "cover")
    expect(page.get_by_role("button", name="different song")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=30_000)
    assert Verdict.objects.get().reason == "different_song"


def test_it_fits_a_phone(open_desk) -> None:
    waiting_hum("A tune with a title that is very much longer than any phone is wide, and then some")
    page = open_desk(width=360, height=740)
    shows(page, "A tune")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_someone_elses_verdict_in_between_is_told_and_the_next_one_comes(open_desk) -> None:
    first = waiting_hum("First tune")
    waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    ReviewItem.objects.filter(pk=first.pk).update(leased_to=None, leased_until=None)
    first.humming.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    page.keyboard.press("1")
    shows(page, "Second tune")
    expect(page.locator("#notices .notice--bad")).to_be_visible()
    assert not Verdict.objects.exists()
