"""The pages of releases in a browser: heard, seen, copied, looked up, and reported."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from chad_site.tests.browser import seen
from chad_site.tests.services import wait_until
from recordings.models import Fragment
from recordings.release import publish
from recordings.tests import factories as make

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MELODY = "The melody: 5.0 seconds, from A3 to A3; it ends about where it starts."
HUM = "5.4 seconds, from A3 to A3; it ends about where it starts."


@pytest.fixture
def fragment(settings, tmp_path) -> Fragment:
    """A release is out with a phrase, two hums of it and a cover."""
    make.use_storage(settings, tmp_path / "storage")
    settings.CHAD_HOME = tmp_path
    fragment = make.make_phrase()
    cover = make.make_recording(
        fragment.song, "cover", redistributable=True, licence="CC0", hz=440, artist="The Others"
    )
    make.make_analysis(cover)
    make.make_cover_fragment(fragment, cover)
    publish("1.0", tmp_path / "releases/1.0")
    return fragment


@pytest.fixture
def page(live_server, fragment, chromium_with_microphone: Callable[..., BrowserContext]) -> Page:
    context = chromium_with_microphone(width=360, height=740, base_url=live_server.url)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context.new_page()


def test_from_the_history_to_what_is_in_a_release(page):
    page.goto("/releases/")
    expect(page.locator("#growth-curve svg circle")).to_have_count(1)
    page.get_by_role("link", name="CHAD 1.0").click()
    figures = page.locator("figure[data-plot]")
    for number in range(figures.count()):
        expect(figures.nth(number).locator("svg rect.bar").first).to_be_attached()
        name = figures.nth(number).locator("svg").get_attribute("aria-label")
        section = page.locator(".plots__one").nth(number)
        expect(section.get_by_role("heading", name=name)).to_be_visible()
        section.locator("summary").click()
        expect(section.get_by_role("table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_phrase_is_heard_and_seen(page):
    page.goto("/releases/1.0/")
    canvas = page.locator(".example canvas")
    expect(canvas).to_have_attribute("aria-label", f"{MELODY} The hum or cover, in the original’s key: {HUM}")
    buttons = page.locator(".example [data-play]")
    expect(buttons).to_have_count(4)
    for name in ("Original", "Hum 1", "The Others"):
        button = page.get_by_role("button", name=re.compile(f"{name} ?: Auld Lang Syne"))
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".example [aria-pressed=true]")).to_have_count(1)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#notices")).to_be_empty()


def test_audio_that_left_while_the_page_was_open_is_said(page, fragment):
    page.goto("/releases/1.0/")
    fragment.hummings.all().update(state="withdrawn")
    page.get_by_role("button", name=re.compile("Hum 1 ?: Auld Lang Syne")).click()
    expect(page.locator("#notices")).to_contain_text("withdrawn or taken down")


def test_a_command_is_copied(page):
    page.goto("/releases/1.0/")
    page.locator(".snippet").first.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "python download.py --from" in copied


def test_what_is_wider_than_a_phone_says_so_and_is_pulled_by_keys(page):
    page.goto("/releases/1.0/")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
          .filter((one) => one.scrollWidth > one.clientWidth && /auto|scroll/.test(getComputedStyle(one).overflowX))
          .map((one) => [one.tabIndex, Boolean(one.ariaLabel), getComputedStyle(one).backgroundAttachment])"""
    )
    assert len(wide) > 3
    assert {tuple(one) for one in wide} == {(0, True, "local, local, scroll, scroll, scroll")}
    code = page.locator(".snippet pre").first
    code.focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: code.evaluate("(one) => one.scrollLeft") > 0, "The code's way to the left")


def test_one_is_looked_up_heard_and_reported(page, fragment):
    hum = fragment.hummings.first()
    page.goto("/releases/1.0/")
    page.get_by_label("Its id, as in the tables").fill(str(hum.pk))
    page.get_by_role("button", name="Look it up").click()
    expect(page.get_by_role("heading", name="Auld Lang Syne")).to_be_visible()
    told = f"{MELODY} This version, in the original’s key: {HUM}"
    expect(page.locator("#curves")).to_have_attribute("aria-label", told)
    both = page.get_by_role("button", name="Both")
    both.click()
    expect(both).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Report as wrong").click()
    page.get_by_role("button", name="Send the report").click()
    expect(page.locator("#report-error")).to_contain_text("Choose what is wrong with it.")
    page.get_by_label("something else").check()
    page.get_by_role("button", name="Send the report").click()
    expect(page.locator("#report-error")).to_contain_text("Please say in words what is wrong.")
    page.get_by_label("it is too noisy").check()
    page.get_by_label("In your words, if you like").fill("A train goes by.")
    page.get_by_role("button", name="Send the report").click()
    expect(page.locator("#report-sent")).to_contain_text("Thank you.")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_scripts_everything_is_there(live_server, fragment, chromium_with_microphone):
    page = chromium_with_microphone(
        width=360, height=740, base_url=live_server.url, java_script_enabled=False
    ).new_page()
    page.goto("/releases/1.0/")
    page.locator("summary").filter(has_text="The same as a table").first.click()
    expect(page.get_by_role("table").first).to_be_visible()
    page.goto(f"/releases/1.0/{fragment.pk}/")
    expect(seen(page, "Reporting needs JavaScript.")).to_be_visible()


def test_german_words_fit_on_a_phone(live_server, fragment, chromium_with_microphone):
    context = chromium_with_microphone(width=360, height=740, base_url=live_server.url, locale="de-DE")
    page = context.new_page()
    for address in ("/releases/", "/releases/1.0/", f"/releases/1.0/{fragment.hummings.first().pk}/"):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        assert page.evaluate("document.documentElement.scrollWidth") == 360, address
