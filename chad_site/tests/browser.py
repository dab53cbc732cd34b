"""Fixtures: real Chromium whose microphone plays a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, sync_playwright

# Playwright's own builds are not needed: Debian's package does.
CHROMIUM = "/usr/bin/chromium"


def chromium_path() -> str:
    """Where Chromium is (CHAD_CHROMIUM names another one); skips the test where there is none."""
    path = os.environ.get("CHAD_CHROMIUM") or CHROMIUM
    if shutil.which(path) is None:
        pytest.skip(f"There is no Chromium at {path}: apt-get install chromium, or set CHAD_CHROMIUM.")
    return path


def seen(page: Page, words: str) -> Locator:
    """What says so where people see it: what is read aloud of the same words, a moment later, is left out."""
    return page.get_by_text(words).and_(page.locator(":not([data-announcer], [data-announcer-urgent])"))


def arguments(wav: Path | None, loop: bool) -> list[str]:
    """Chromium's switches for a fake microphone: it plays `wav`, or beeps where there is none."""
    switches = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if wav is not None:
        if not wav.exists():
            pytest.fail(f"The microphone's file {wav} is not there.")
        switches.append(f"--use-file-for-fake-audio-capture={wav}" + ("" if loop else "%noloop"))
    if os.getuid() == 0:
        switches.append("--no-sandbox")  # Chromium's sandbox does not work for root
    return switches


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver. It keeps an event loop in this thread, which Django would take for asynchronous code."""
    chromium_path()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as driver:
        yield driver
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


OpenChromium = Callable[..., BrowserContext]


@pytest.fixture(scope="session")
def beeping_chromium(playwright: Playwright) -> Iterator[Callable[[], Browser]]:
    """Gives the one Chromium of all tests that ask for no file and no switches; another one where it has died."""
    browsers: list[Browser] = []

    def running() -> Browser:
        if not browsers or not browsers[-1].is_connected():
            browsers.append(launched(playwright, arguments(None, loop=False)))
        return browsers[-1]

    yield running
    for browser in browsers:
        browser.close()


def launched(playwright: Playwright, switches: Sequence[str]) -> Browser:
    return playwright.chromium.launch(executable_path=chromium_path(), args=list(switches))


@pytest.fixture
def chromium_with_microphone(playwright: Playwright, beeping_chromium: Callable[[], Browser]) -> Iterator[OpenChromium]:
    """Opens Chromium: `chromium_with_microphone(wav, width=390, height=844, base_url=live_server.url)`.

    The microphone, which pages may use, plays the WAV file once from the moment that a page opens it (`loop=True`:
    again and again). Each call has cookies, storage and a cache of its own. `switches` go to Chromium, further
    arguments to Playwright's `new_context`; service workers, which would send behind a test's back, are blocked unless
    these say otherwise. An exception that a page's script did not catch fails the test.
    """
    browsers, contexts, uncaught = [], [], []

    def open_chromium(
        wav: Path | None = None,
        *,
        loop: bool = False,
        width: int = 1280,
        height: int = 800,
        switches: Sequence[str] = (),
        **options: Any,
    ) -> BrowserContext:
        if wav is None and not switches:
            browser = beeping_chromium()
        else:
            browser = launched(playwright, [*arguments(wav, loop), *switches])
            browsers.append(browser)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            permissions=["microphone"],
            **{"service_workers": "block", **options},
        )
        contexts.append(context)
        context.on("weberror", lambda problem: uncaught.append(str(problem.error)))
        return context

    yield open_chromium
    for opened in (*contexts, *browsers):
        opened.close()
    assert not uncaught, "Scripts failed in the browser:\n" + "\n".join(uncaught)
