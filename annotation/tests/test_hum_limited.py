"""A take that a limit refuses stays in the outbox, and is sent when the server said, not before."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route

from annotation.tests.hum_stage import (
    OpenBrowser,
    alice,
    badge_says,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    storage,
    to_the_phrase,
    waiting_in,
)
from annotation.tests.test_hum_delivery import TAKES, until
from recordings.models import Humming

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_take_beyond_the_limit_waits_as_long_as_the_server_says(open_browser: OpenBrowser, alice) -> None:
    make_phrases(2)
    page: Page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    hum_shortly(page)
    tries: list[int] = []

    def limited(route: Route) -> None:
        if route.request.method == "PUT" and len(tries) < 2:
            tries.append(429)
            told = {"error": "That came too often from here.", "code": "throttled"}
            route.fulfill(status=429, headers={"Retry-After": "400"}, json=told)
        else:
            route.continue_()

    page.route(TAKES, limited)
    page.clock.install()
    send(page)
    sent(page, "sent again soon")
    badge_says(page, "1 hum waits")
    # Longer than it would wait of itself, and shorter than it was told.
    page.clock.fast_forward(380_000)
    page.evaluate("() => { document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(500)
    assert tries == [429]
    assert len(waiting_in(page)) == 1

    # One leap for each try: a leap while a take is on its way would end its patience.
    page.clock.fast_forward(30_000)
    until(page, lambda: len(tries) == 2, "The second try")
    page.wait_for_timeout(500)
    page.clock.fast_forward(410_000)
    until(page, Humming.objects.exists, "The take is saved")
    badge_says(page, None)
    assert waiting_in(page) == []
