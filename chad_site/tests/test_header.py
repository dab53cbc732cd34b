"""The header: every entry in words, in one row; with all its icons, or with none where they have no room."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, expect

from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = (1920, 1600, 1599, 1440, 1280, 1279, 1152, 1024)
# Where each entry that is shown begins, from above; and what a reader of the screen calls it.
ROWS = """(bar) => new Set([...document.querySelectorAll(`${bar} .nav-link`)]
  .filter((entry) => entry.checkVisibility()).map((entry) => Math.round(entry.getBoundingClientRect().top))).size"""
# Whether the entries that are shown have icons: all of them, none, or (a fault) some.
ICONS = """(bar) => [...new Set([...document.querySelectorAll(`${bar} .nav-link`)]
  .filter((entry) => entry.checkVisibility()).map((entry) => entry.querySelector(".icon").checkVisibility()))]"""
NAMES = {
    "en": ["Hum", "Find", "Dataset", "My takes", "Double-check", "Manage", "Deutsch", "Dark", "Sign out"],
    "de": [
        "Summen",
        "Finden",
        "Datensatz",
        "Meine Aufnahmen",
        "Gegenprüfung",
        "Verwalten",
        "English",
        "Dunkel",
        "Abmelden",
    ],
}


@pytest.mark.parametrize("language", NAMES)
def test_an_admins_header_is_one_row_of_words(
    language, live_server, chromium_with_microphone: Callable[..., BrowserContext]
):
    client = Client()
    client.force_login(factories.make_person("a-rather-long-name-of-an-admin", is_staff=True))
    context = chromium_with_microphone(base_url=live_server.url, locale=language)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    for address, bars in (("/releases/", [".site-nav"]), ("/manage/help/", [".site-nav", ".sub-nav"])):
        page.goto(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for bar in bars:
                assert page.evaluate(ROWS, bar) == 1, (address, bar, width)
                assert page.evaluate(ICONS, bar) == [width >= 1600], (address, bar, width)
            assert page.evaluate("document.documentElement.scrollWidth") == width
    page.goto("/releases/")
    header = page.locator(".site-header")
    for name in NAMES[language]:
        entry = header.get_by_role("link", name=name, exact=True).or_(
            header.get_by_role("button", name=name, exact=True)
        )
        expect(entry).to_be_visible()
    expect(header.get_by_role("link", name="a-rather-long-name-of-an-admin")).to_be_visible()
    expect(header.get_by_role("link", name="CHAD")).to_be_visible()


# From which width on it has icons, and down to which one it is one row.
@pytest.mark.parametrize(
    ("name", "language", "icons_from", "one_row_from"),
    [
        ("a-rather-long-name-of-a-singer", "en", 1024, 768),
        ("a-rather-long-name-of-a-singer", "de", 1280, 800),
        ("erin", "de", 1280, 768),
        (None, "en", 768, 768),
        (None, "de", 1024, 768),
    ],
)
def test_the_header_of_singers_and_strangers_is_one_row_with_all_icons_or_none(
    name: str | None,
    language: str,
    icons_from: int,
    one_row_from: int,
    live_server,
    chromium_with_microphone: Callable[..., BrowserContext],
):
    context = chromium_with_microphone(base_url=live_server.url, locale=language)
    if name:
        client = Client()
        client.force_login(factories.make_person(name))
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/releases/")
    for width in (1920, 1280, 1279, 1024, 1023, 800, 768):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(ICONS, ".site-nav") == [width >= icons_from], width
        assert page.evaluate(ROWS, ".site-nav") == 1 or width < one_row_from, width
        assert page.evaluate("document.documentElement.scrollWidth") == width
