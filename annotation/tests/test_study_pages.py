"""A participant of a study in real Chromium: from the platform's link to the completion code."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from annotation.models import Guest, Participation, Study
from annotation.tests.hum_stage import (
    OpenBrowser,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    state_is,
    storage,
    waiting_in,
)
from chad_site.tests.test_accessibility import look_at
from recordings.models import Humming
from recordings.tests import factories

__all__ = ["open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TAKES = "**/api/hums/*"


@pytest.fixture
def study(db) -> Study:
    return Study.objects.create(name="Winter", kind="hum", platform="prolific", pieces=2)


def link_of(study: Study) -> str:
    return f"/study/{study.token}/?PROLIFIC_PID=5f3c0a7be1d2&STUDY_ID=s1&SESSION_ID=visit1"


def begin(page: Page, study: Study) -> None:
    page.goto(link_of(study))
    page.get_by_role("button", name="Start").click()
    page.locator("#agree").click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")


def test_a_participant_hums_until_the_code_shows(open_browser: OpenBrowser, study: Study) -> None:
    make_phrases(3)
    page = open_browser(quick=True).new_page()
    begin(page, study)
    bar = page.locator("#study-bar")
    expect(bar).to_contain_text("0 of 2 done")
    hum_shortly(page)
    send(page)
    sent(page)
    expect(bar).to_contain_text("1 of 2 done")
    page.keyboard.press("n")
    state_is(page, "ready")
    hum_shortly(page)

    # The second one does not get through yet.
    tries: list[str] = []

    def busy(route: Route) -> None:
        if route.request.method != "PUT":
            route.continue_()
            return
        tries.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "1"}, json={"error": "Too often.", "code": "throttled"})

    page.context.route(TAKES, busy)
    send(page)
    state_is(page, "sent")
    page.locator("#study-code").click()
    expect(page.locator("#waits")).to_contain_text("1 hum is still on its way.")
    expect(page.locator("main")).to_contain_text("1 of 2 hums are stored here.")
    expect(page.locator("body")).not_to_contain_text(study.completion_code)
    page.context.unroute(TAKES, busy)
    expect(page.locator("#code")).to_contain_text(study.completion_code, timeout=20_000)
    assert tries
    expect(page.get_by_role("link", name="Back to Prolific")).to_have_attribute(
        "href", re.compile(f"cc={study.completion_code}$")
    )
    page.reload()
    expect(page.locator("#code")).to_contain_text(study.completion_code)
    assert waiting_in(page) == []
    mine = Participation.objects.get()
    assert (mine.done, mine.complete, mine.person) == (2, True, Guest.objects.get().person)
    assert Humming.objects.count() == 2


def test_the_pages_keep_to_the_rules_of_access(open_browser: OpenBrowser, study: Study) -> None:
    make_phrases()
    root = factories.make_person("root", is_staff=True, is_superuser=True)
    page = open_browser(quick=True).new_page()
    page.goto(f"/study/{study.token}/")
    look_at(page, "a broken link")
    page.goto(link_of(study))
    look_at(page, "the welcome")
    page.get_by_role("button", name="Start").click()
    page.locator("#agree").wait_for()
    look_at(page, "the bar above the consent")
    page.locator("#study-code").click()
    page.wait_for_url("**/done")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look_at(page, "not quite done")
    Participation.objects.update(completed_at=timezone.now())
    page.reload()
    expect(page.locator("#code")).to_contain_text(study.completion_code)
    look_at(page, "the code")
    page.goto("/hum/")
    expect(page.locator("#study-bar")).to_contain_text("Get your completion code")
    page.locator("#agree").wait_for()
    look_at(page, "the bar of a study that is done")
    admins = open_browser(root).new_page()
    for address in ("/manage/studies/", f"/manage/studies/{study.pk}/"):
        admins.goto(address)
        look_at(admins, address)


def test_the_code_waits_for_what_is_left_on_this_device(open_browser: OpenBrowser, study: Study) -> None:
    """More than was asked for is hummed, and the last one is not delivered: the code shows when it is."""
    Study.objects.update(pieces=1)
    make_phrases(3)
    page = open_browser(quick=True).new_page()
    begin(page, study)
    hum_shortly(page)
    send(page)
    sent(page)
    bar = page.locator("#study-bar")
    expect(bar.get_by_role("link")).to_have_text("Get your completion code")
    page.keyboard.press("n")
    state_is(page, "ready")
    hum_shortly(page)
    page.context.route(TAKES, lambda route: route.abort() if route.request.method == "PUT" else route.continue_())
    send(page)
    state_is(page, "sent")
    page.locator("#study-code").click()
    expect(page.locator("#waits")).to_contain_text("1 hum is still on its way.")
    expect(page.locator("#code")).to_be_empty()
    page.context.unroute_all()
    page.evaluate("() => { dispatchEvent(new Event('online')); }")
    expect(page.locator("#code")).to_contain_text(study.completion_code, timeout=20_000)
    expect(page.locator("#waits")).to_be_hidden()


def test_without_javascript_the_servers_count_alone_decides(open_browser: OpenBrowser, study: Study) -> None:
    page = open_browser(java_script_enabled=False).new_page()
    page.goto(link_of(study))
    page.get_by_role("button", name="Start").click()
    page.goto(f"/study/{study.token}/done")
    expect(page.locator("main")).to_contain_text("0 of 2 hums are stored here.")
    Participation.objects.update(completed_at="2026-11-26T06:00:00Z")
    page.reload()
    # This way of forbidding scripts does not make Chromium draw <noscript>; a browser without them does.
    assert study.completion_code in page.locator("main noscript").text_content()
