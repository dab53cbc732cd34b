"""Everything that a singer does, by keyboard alone; the focus is never lost, and what happens is said aloud."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from annotation.models import Guest, Skip
from annotation.tests.hum_stage import (
    DESKTOP,
    PHONE,
    OpenBrowser,
    dropped_out,
    make_phrases,
    open_browser,
    state_is,
    storage,
)
from chad_site.tests.browser import seen
from recordings.models import Humming

__all__ = ["open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Long enough for "Three seconds left.", seconds.
PHRASE_S = 5.5
# More than there are places for the focus on any page.
MOST_TABS = 60

# Keeps everything that the page says to screen readers.
LISTEN = """
window.saidAloud = [];
document.addEventListener("DOMContentLoaded", () => {
  const heard = ({ target }) => { if (target.textContent) saidAloud.push(target.textContent); };
  const ear = new MutationObserver((changes) => changes.forEach(heard));
  const places = document.querySelectorAll("[data-announcer], [data-announcer-urgent]");
  places.forEach((place) => ear.observe(place, { childList: true }));
});
"""


def has_focus(page: Page) -> Locator:
    """What has the focus, once something that can be seen has."""
    focused = page.locator(":focus")
    expect(focused).to_have_count(1, timeout=30_000)
    expect(focused).to_be_visible()
    return focused


def tab_to(page: Page, goal: Locator) -> None:
    """Presses Tab until the goal has the focus."""
    goal.wait_for()
    for _ in range(MOST_TABS):
        if goal.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {goal}.")


def choose(page: Page, goal: Locator) -> None:
    tab_to(page, goal)
    page.keyboard.press("Enter")


def says(page: Page, words: str) -> None:
    """Waits until this has been said aloud, after what was last asked for."""
    for _ in range(600):
        at = page.evaluate("(words) => saidAloud.findIndex((said) => said.includes(words))", words)
        if at >= 0:
            page.evaluate("(at) => { saidAloud.splice(0, at + 1); }", at)
            return
        page.wait_for_timeout(50)
    pytest.fail(f"“{words}” was not said; this was: {page.evaluate('saidAloud')}")


def has_act(page: Page, words: str) -> None:
    """The big button has the focus, and says what it does."""
    expect(page.locator("#act-word")).to_have_text(words)
    expect(page.locator("#act")).to_be_focused()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_visit_by_keyboard_alone(open_browser: OpenBrowser, size: dict[str, int]) -> None:
    make_phrases(3, PHRASE_S)
    context = open_browser(**size)
    context.add_init_script(LISTEN)
    page = context.new_page()
    page.goto("/")
    choose(page, page.get_by_role("main").get_by_role("link", name="Hum a phrase"))
    choose(page, page.get_by_role("button", name="I agree, with AI training"))
    if size is PHONE:
        check_the_sound(page)
    else:
        skip_the_check(page)
    has_act(page, "Hum along")

    # Listening, and stopping it.
    listen = page.locator("#play-reference")
    for pressed in ("true", "false"):
        page.keyboard.press("l")
        expect(listen).to_have_attribute("aria-pressed", pressed)
    choose(page, listen)
    expect(listen).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(listen).to_have_attribute("aria-pressed", "false")
    tab_to(page, page.locator("#act"))

    # Humming, and once more where the machine was too busy to hear all of it.
    page.keyboard.press("Space")
    hum(page)
    for _ in range(3):
        if dropped_out(page):
            has_act(page, "Hum it again")
            page.keyboard.press("Space")
            hum(page)
    has_act(page, "Send")
    says(page, "We heard you well.")
    page.keyboard.press("b")
    expect(page.locator("#play-both")).to_have_attribute("aria-pressed", "true")

    # Sending.
    page.keyboard.press("Enter")
    says(page, "Saved, thank you.")
    state_is(page, "sent")
    has_act(page, "Next phrase")
    take = Humming.objects.get()
    assert Guest.is_one(take.singer)

    # The next phrase, skipped, and taken back.
    page.keyboard.press("n")
    state_is(page, "ready")
    has_act(page, "Hum along")
    phrase = page.locator("#phrase").inner_text()
    page.keyboard.press("u")
    expect(page.locator("#notices")).to_contain_text("Skipped “Auld Lang Syne”.")
    expect(page.locator("#phrase")).not_to_have_text(phrase)
    has_act(page, "Hum along")
    assert Skip.objects.count() == 1
    choose(page, page.get_by_role("button", name="Take it back"))
    expect(page.locator("#phrase")).to_have_text(phrase)
    has_act(page, "Hum along")
    assert not Skip.objects.exists()

    # The list of keys, and the menu of skipping.
    page.keyboard.press("?")
    expect(page.get_by_role("checkbox", name="Use these keys")).to_be_focused()
    choose(page, page.get_by_role("button", name="Close"))
    has_act(page, "Hum along")
    skip = page.locator("#skip-menu summary")
    choose(page, skip)
    choose(page, page.get_by_role("button", name="Something else"))
    expect(page.locator("#phrase")).not_to_have_text(phrase)
    has_act(page, "Hum along")

    withdraw(page, take)


def hum(page: Page) -> None:
    """A take under way, ended by the space bar."""
    state_is(page, "busy")
    has_act(page, "Stop")
    says(page, "Get ready.")
    says(page, "Recording.")
    says(page, "Three seconds left.")
    page.keyboard.press("Space")
    state_is(page, "taken")


def skip_the_check(page: Page) -> None:
    """And says by a key that there are headphones."""
    state_is(page, "check")
    expect(page.locator("#check-title")).to_be_focused()
    choose(page, page.get_by_role("button", name="Skip the check"))
    says(page, "Auld Lang Syne. Trad. Scottish · phrase")
    has_act(page, "Listen, then hum")
    page.keyboard.press("h")
    says(page, "Hum along")


def check_the_sound(page: Page) -> None:
    """Both steps, with headphones whose volume was off."""
    state_is(page, "check")
    expect(page.locator("#check-title")).to_be_focused()
    says(page, "We hear you well.")
    page.evaluate("madeMicrophone.voice(false)")
    says(page, "The microphone did not hear the sounds. Did you?")
    expect(has_focus(page)).to_have_text("Yes, in my headphones")
    page.keyboard.press("Tab")
    expect(has_focus(page)).to_have_text("Yes, from a loudspeaker")
    page.keyboard.press("Tab")
    expect(has_focus(page)).to_have_text("No")
    page.keyboard.press("Enter")
    says(page, "Then the volume is off.")
    expect(has_focus(page)).to_have_text("Play the sounds again")
    page.keyboard.press("Tab")
    expect(has_focus(page)).to_have_text("I wear headphones")
    page.keyboard.press("Enter")
    says(page, "Headphones. You can hum along with the melody.")
    expect(has_focus(page)).to_have_text("Go on")
    page.evaluate("madeMicrophone.voice(true)")
    page.keyboard.press("Enter")
    says(page, "Auld Lang Syne. Trad. Scottish · phrase")


def withdraw(page: Page, take: Humming) -> None:
    """My takes, by the menu where the screen is narrow, and a take withdrawn after the question."""
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        choose(page, menu)
    choose(page, page.get_by_role("navigation").get_by_role("link", name="My takes", exact=True))
    page.wait_for_url("**/takes/")
    button = page.locator("[data-withdraw]")
    choose(page, button)
    expect(has_focus(page)).to_have_text("Keep it")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(has_focus(page)).to_have_text("Keep it")
    page.keyboard.press("Tab")
    expect(has_focus(page)).to_have_text("Withdraw it")
    page.keyboard.press("Enter")
    expect(seen(page, "You took it back.")).to_be_visible()
    says(page, "Auld Lang Syne: withdrawn.")
    has_focus(page)
    take.refresh_from_db()
    assert take.state == Humming.State.WITHDRAWN
