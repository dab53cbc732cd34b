"""Fixtures and steps of the tests that hum in real Chromium: phrases, people, a microphone made of Web Audio."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import Consent
from recordings.models import Fragment, Humming
from recordings.tests import factories

MADE_MICROPHONE = Path(__file__).with_name("made_microphone.js")
PHRASE_S = 4.0
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
# From the press to the first note, seconds: three beats and what the browser needs before them.
COUNT_IN_S = 2.0
QUICK_COUNT_IN_S = 0.5
# A short take: the shortest that may be sent is one second, half of which lies before the first note.
SHORT_S = 0.8


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    """Files of these tests live in a folder of their own; no guest came before."""
    factories.use_storage(settings, tmp_path / "storage")
    cache.clear()


@pytest.fixture
def alice(db) -> AbstractBaseUser:
    person = factories.make_person("alice")
    Consent.give(person)
    return person


OpenBrowser = Callable[..., BrowserContext]


@pytest.fixture
def open_browser(live_server, chromium_with_microphone: Callable[..., BrowserContext]) -> OpenBrowser:
    """Chromium with the made microphone: `open_browser(alice, loop={"delay_s": 0.09, "gain": 0.2})`, a person or None.

    `quick=True`: the count-in takes a third of a second.
    """

    def opened(
        person: AbstractBaseUser | None = None,
        *,
        loop: dict[str, float] | None = None,
        voice: bool = True,
        quick: bool = False,
        **more: Any,
    ) -> BrowserContext:
        context = chromium_with_microphone(**{**PHONE, "base_url": live_server.url, **more})
        options = json.dumps({"loop": loop, "voice": voice})
        context.add_init_script(f"window.madeMicrophoneOptions = {options};")
        context.add_init_script(path=MADE_MICROPHONE)
        if quick:
            count_in_quickly(context)
        if person:
            sign_in(context, person, more.get("base_url", live_server.url))
        return context

    return opened


SLOW_BEAT = "const BEAT_S = 0.6;"
QUICK_BEAT = "const BEAT_S = 0.1;"


def count_in_quickly(context: BrowserContext) -> None:
    """For tests of what comes after the hum: the count-in takes a third of a second, and nothing else is changed."""
    script = (settings.BASE_DIR / "static" / "js" / "studio.js").read_text()
    assert SLOW_BEAT in script
    quick = script.replace(SLOW_BEAT, QUICK_BEAT)
    context.route("**/js/studio.js", lambda route: route.fulfill(body=quick, content_type="text/javascript"))


def sign_in(context: BrowserContext, person: AbstractBaseUser, url: str) -> None:
    client = Client()
    client.force_login(person)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])


def make_phrases(count: int = 1, seconds: float = PHRASE_S, title: str = "Auld Lang Syne") -> list[Fragment]:
    """Phrases of one song that overlap, so that its recording is short."""
    recording = factories.make_recording(factories.make_song(title))
    factories.make_analysis(recording)
    return [factories.make_fragment(recording, number / 2, number / 2 + seconds) for number in range(count)]


# ---------------------------------------------------------------- steps on the page


def state_is(page: Page, state: str, seconds: float = 40) -> None:
    page.locator(f"#hum[data-state={state}]").wait_for(timeout=seconds * 1000)


def to_the_phrase(page: Page, address: str = "/hum/") -> None:
    """From the page's address to a phrase that can be hummed, without the sound check."""
    page.goto(address)
    page.locator("#agree").or_(page.locator("#open-microphone")).filter(visible=True).click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")


def hum_shortly(page: Page, count_in_s: float = QUICK_COUNT_IN_S) -> None:
    """A take that is stopped as soon as it may be sent, heard to be too short for the phrase."""
    begin(page)
    hear(page, count_in_s + SHORT_S)
    page.locator("#act").click()
    state_is(page, "taken")


def begin(page: Page) -> None:
    """Presses the button with headphones on."""
    page.get_by_role("radio", name="Yes").check()
    page.locator("#act").click()
    state_is(page, "busy")


def heard_well(page: Page) -> None:
    """A whole take without findings. A machine that was too busy to hear all of it says so: then it is hummed again."""
    state_is(page, "taken")
    for _ in range(3):
        if not dropped_out(page):
            break
        page.keyboard.press("a")
        state_is(page, "busy")
        state_is(page, "taken")
    expect(page.locator("#outcome")).to_contain_text("We heard you well.")


def dropped_out(page: Page) -> bool:
    return "dropped out" in page.locator("#outcome").inner_text()


def hear(page: Page, seconds: float) -> None:
    """Waits until the microphone has heard so many seconds more, however slow the machine is."""
    page.evaluate("(seconds) => madeMicrophone.heard(seconds)", seconds)


def send(page: Page) -> None:
    """Sends what was hummed, with or without findings."""
    page.locator("#hum[data-state=taken]").wait_for()
    page.get_by_role("button", name="Send").filter(visible=True).first.click()


def sent(page: Page, words: str = "Saved, thank you.") -> None:
    expect(page.locator("#outcome")).to_contain_text(words, timeout=30_000)
    state_is(page, "sent")


def badge_says(page: Page, words: str | None) -> None:
    """How many takes wait, as the navigation says; None: none."""
    badge = page.locator("[data-outbox]")
    if words is None:
        expect(badge).to_have_attribute("hidden", "", timeout=30_000)
    else:
        expect(badge).not_to_have_attribute("hidden", "", timeout=30_000)
        expect(badge.locator("[data-outbox-words]")).to_have_text(words)


WAITING = "async () => (await (await import('/static/js/outbox.js')).waiting()).map(({ id }) => id)"
DRAFTS = "async () => (await (await import('/static/js/outbox.js')).drafts()).map(({ id }) => id)"


def waiting_in(page: Page) -> list[str]:
    """Ids of the takes that lie in the outbox, to be sent."""
    return page.evaluate(WAITING)


def drafts_in(page: Page) -> list[str]:
    """Ids of the takes that were hummed and not sent."""
    return page.evaluate(DRAFTS)


def check_of(take: Humming) -> dict[str, Any] | None:
    return take.capture["sound_check"]
