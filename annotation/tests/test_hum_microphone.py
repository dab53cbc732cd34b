"""What can be amiss with a microphone while humming, and with the time for a phrase: told in words, and a way on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import Lease
from annotation.tests.hum_stage import (
    PHONE,
    QUICK_COUNT_IN_S,
    SHORT_S,
    OpenBrowser,
    alice,
    begin,
    drafts_in,
    hear,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    state_is,
    storage,
    to_the_phrase,
)
from recordings.models import Humming

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def notices(page: Page, words: str) -> None:
    expect(page.locator("#notices")).to_contain_text(words, timeout=30_000)


def turn_on(page: Page) -> None:
    page.locator("#agree").or_(page.locator("#open-microphone")).filter(visible=True).click()


# ---------------------------------------------------------------- none, or not this one


@pytest.mark.parametrize(
    ("host", "switch", "words"),
    [
        ("localhost", "--use-fake-ui-for-media-stream=deny", "The browser keeps the microphone from us."),
        ("hum.test", "--host-resolver-rules=MAP hum.test 127.0.0.1", "This address is not secure"),
    ],
)
def test_a_browser_that_gives_no_microphone(
    live_server, chromium_with_microphone: Callable[..., BrowserContext], settings, host: str, switch: str, words: str
) -> None:
    """For real: the person says no; the page came by plain http from another machine."""
    settings.ALLOWED_HOSTS = [host]
    url = live_server.url.replace("localhost", host)
    page = chromium_with_microphone(**PHONE, base_url=url, switches=[switch]).new_page()
    page.goto("/hum/")
    page.get_by_role("button", name="I agree, with AI training").click()
    notices(page, words)
    state_is(page, "microphone")
    expect(page.get_by_role("button", name="Turn on the microphone")).to_be_focused()


def test_every_trouble_with_a_microphone_has_its_sentence_and_is_over_when_it_is(
    open_browser: OpenBrowser, alice
) -> None:
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    page.goto("/hum/")
    troubles = {
        "NotAllowedError": "The browser keeps the microphone from us.",
        "NotFoundError": "We found no microphone.",
        "NotReadableError": "Another program holds the microphone.",
    }
    for error, words in troubles.items():
        page.evaluate("(error) => { madeMicrophone.error = error; }", error)
        turn_on(page)
        notices(page, words)
        expect(page.get_by_role("button", name="Turn on the microphone")).to_be_enabled()
    page.evaluate("madeMicrophone.error = null")
    turn_on(page)
    state_is(page, "check")
    expect(page.locator("#notices")).to_be_empty()


def test_voice_processing_that_stays_on_is_told_and_kept(open_browser: OpenBrowser, alice) -> None:
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    page.goto("/hum/")
    page.evaluate("madeMicrophone.settings.echoCancellation = true")
    turn_on(page)
    notices(page, "This browser keeps its echo cancellation on")
    # It may have taken the check's sounds away, so that they tell nothing.
    expect(page.locator("#check-voice")).to_have_attribute("data-step", "done")
    page.evaluate("madeMicrophone.voice(false)")
    page.get_by_role("button", name="I wear headphones").wait_for()
    page.evaluate("madeMicrophone.voice(true)")
    page.get_by_role("button", name="I wear headphones").click()
    page.get_by_role("button", name="Go on").click()
    state_is(page, "ready")
    hum_shortly(page)
    send(page)
    sent(page)
    capture = Humming.objects.get().capture
    assert capture["track_settings"]["echoCancellation"] is True
    assert capture["sound_check"]["kind"] == "headphones", "as the person said"


# ---------------------------------------------------------------- gone, or another one


def test_a_microphone_that_goes_in_mid_take_leaves_what_was_heard(open_browser: OpenBrowser, alice) -> None:
    make_phrases(2)
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    begin(page)
    hear(page, QUICK_COUNT_IN_S + SHORT_S)
    page.evaluate("madeMicrophone.pull()")
    state_is(page, "taken")
    notices(page, "The microphone is gone.")
    send(page)
    sent(page)
    assert Humming.objects.get().capture["interrupted"] == "ended"
    page.get_by_role("button", name="Next phrase").click()
    state_is(page, "ready")
    page.locator("#act").click()
    state_is(page, "microphone")
    notices(page, "The microphone is gone.")
    turn_on(page)
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    # At rest, and while counting in.
    page.evaluate("madeMicrophone.pull()")
    state_is(page, "microphone")
    expect(page.get_by_role("button", name="Turn on the microphone")).to_be_focused()
    turn_on(page)
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    page.locator("#act").click()
    state_is(page, "busy")
    page.evaluate("madeMicrophone.pull()")
    state_is(page, "microphone")
    assert Humming.objects.count() == 1


def test_a_microphone_that_goes_after_a_take_leaves_the_take(open_browser: OpenBrowser, alice) -> None:
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    hum_shortly(page)
    (draft,) = drafts_in(page)
    page.evaluate("madeMicrophone.pull()")
    notices(page, "The microphone is gone.")
    state_is(page, "taken")
    # Humming it again cannot begin; the take is still there, and offered.
    page.keyboard.press("a")
    state_is(page, "microphone")
    notices(page, "You hummed “Auld Lang Syne”")
    page.get_by_role("button", name="Send it").click()
    notices(page, "1 hum that waited on this device is now saved.")
    assert str(Humming.objects.get().pk) == draft


def test_other_headphones_are_checked_anew(open_browser: OpenBrowser, alice) -> None:
    make_phrases(2)
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    # At rest at once.
    page.evaluate("madeMicrophone.plug('headphones')")
    state_is(page, "check")
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    assert page.evaluate("madeMicrophone.opened") == 2
    # With a take on the stage when the person wants it; the take is offered after it.
    hum_shortly(page)
    (draft,) = drafts_in(page)
    page.evaluate("madeMicrophone.plug('other headphones')")
    notices(page, "Your microphone or headphones changed")
    state_is(page, "taken")
    page.get_by_role("button", name="Check the sound again").click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    assert drafts_in(page) == [draft]
    page.get_by_role("button", name="Send it").click()
    notices(page, "1 hum that waited on this device is now saved.")


def test_other_headphones_are_checked_before_the_next_phrase(open_browser: OpenBrowser, alice) -> None:
    make_phrases(2)
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    first = page.locator("#phrase").inner_text()
    hum_shortly(page)
    page.evaluate("madeMicrophone.plug('headphones')")
    notices(page, "Your microphone or headphones changed")
    send(page)
    sent(page)
    page.get_by_role("button", name="Next phrase").click()
    state_is(page, "check")
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")
    expect(page.locator("#phrase")).not_to_have_text(first)


# ---------------------------------------------------------------- the time for a phrase


def test_the_time_for_a_phrase_is_told_and_kept_longer_by_a_key(open_browser: OpenBrowser, alice) -> None:
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    page.clock.install()
    to_the_phrase(page)
    notice = page.locator("#notices")

    def ends() -> timezone.datetime:
        return Lease.objects.get().expires_at

    # Who is at it keeps it without a word.
    first = ends()
    page.clock.fast_forward(460_000)
    page.keyboard.press("Shift")
    with page.expect_response("**/extend"):
        page.clock.fast_forward(6_000)
    kept = ends()
    assert kept > first
    expect(notice).to_be_empty()
    # Who is away is asked in time.
    page.clock.fast_forward(555_000)
    expect(notice).to_contain_text("This phrase is kept for you for another")
    with page.expect_response("**/extend"):
        page.keyboard.press("k")
    expect(notice).to_be_empty()
    assert ends() > kept
    # And told when it is over.
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page.clock.fast_forward(610_000)
    expect(notice).to_contain_text("The time for this phrase is over")
    expect(page.get_by_role("button", name="Listen, then hum")).to_be_enabled()
