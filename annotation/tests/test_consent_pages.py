"""Consent and withdrawing in the browser: two answers of one weight, and what withdrawing touches, told before."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Consent, Guest
from annotation.tests.hum_stage import PHONE, OpenBrowser, alice, make_phrases, open_browser, state_is, storage
from recordings.models import Humming, Release, ReleasedVersion
from recordings.tests import factories

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("words", "wish"), [("I agree, with AI", True), ("I agree, without AI", False)])
def test_one_press_agrees_says_the_wish_and_leads_to_a_phrase(
    open_browser: OpenBrowser, words: str, wish: bool
) -> None:
    make_phrases()
    page = open_browser().new_page()
    page.goto("/hum/")
    page.get_by_role("button", name=words).click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    consent = Consent.objects.get()
    assert consent.ai_training is wish
    assert Guest.is_one(consent.person)


def test_neither_answer_is_the_larger_one_or_has_the_focus_and_both_are_seen_at_once(open_browser: OpenBrowser) -> None:
    page = open_browser(**PHONE).new_page()
    page.goto("/hum/")
    both = [page.locator("#agree"), page.locator("#agree-no-ai")]
    boxes = [one.bounding_box() for one in both]
    assert len({(box["width"], box["height"]) for box in boxes}) == 1
    assert max(box["y"] + box["height"] for box in boxes) <= PHONE["height"]
    looks = [one.evaluate("(e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]") for one in both]
    assert looks[0] == looks[1]
    assert page.evaluate("document.activeElement.id") not in ("agree", "agree-no-ai")


def test_who_agreed_to_an_older_text_is_asked_on_the_page(open_browser: OpenBrowser, alice: AbstractBaseUser) -> None:
    make_phrases()
    Consent.objects.update(version="2026-11")
    page = open_browser(alice).new_page()
    page.goto("/hum/")
    expect(page.locator("#consent-changed")).to_contain_text("This text has changed since Nov. 26, 2026.")
    page.get_by_role("button", name="I agree, without AI").click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    assert Consent.given_by(alice)
    assert Consent.latest_of(alice).ai_training is False


def test_withdrawing_says_first_what_becomes_of_the_take(open_browser: OpenBrowser, alice: AbstractBaseUser) -> None:
    take = factories.make_humming(make_phrases()[0], alice)
    out = Release.objects.create(version="1.0")
    ReleasedVersion.objects.create(release=out, version_id=take.pk, audio_type="humming", row={}, source={})
    Release.objects.update(published_at=timezone.now())
    page = open_browser(alice).new_page()
    page.goto("/takes/")
    page.get_by_role("button", name="Withdraw").click()
    words = page.locator("#withdraw-words")
    expect(words).to_contain_text("It is in release 1.0, which is out. Its public pages stop giving the hum at once")
    expect(words).to_contain_text("Copies that people downloaded before cannot be called back.")
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.locator(f"#take-{take.pk}")).to_contain_text("You took it back.")
    assert Humming.objects.get().state == Humming.State.WITHDRAWN
