"""The admin's pages of the double-check in Chromium: the plots are there, and an item is overruled by keys alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import ReviewItem, Verdict
from annotation.models.reviewers import Reviewer
from chad_site.tests.browser import seen
from recordings.models import Humming
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def open_page(live_server, chromium_with_microphone: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Opens a page as an admin."""
    cache.clear()

    def opened(path: str, **size: int) -> Page:
        client = Client()
        client.force_login(factories.make_person("admin", is_staff=True))
        context = chromium_with_microphone(base_url=live_server.url, **size)
        cookie = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.goto(path)
        return page

    yield opened
    cache.clear()


def hum() -> ReviewItem:
    recording = factories.make_recording()
    factories.make_analysis(recording)
    take = factories.make_humming(factories.make_fragment(recording), state=Humming.State.CHECKED)
    return ReviewItem.ask_about(take)


def test_the_figures_have_their_plots_and_each_plot_its_table(open_page) -> None:
    people = [factories.make_person(name) for name in ("ann", "bo")]
    now = timezone.now()
    for person, worth in zip(people, (0.9, 0.7), strict=True):
        Reviewer.objects.create(person=person, accepts_good=worth, rejects_bad=0.8, measured_at=now)
    for week, decisions in enumerate((("accept", "accept"), ("reject", "reject"), ("accept", "reject")) * 2):
        item = hum()
        for person, decision in zip(people, decisions, strict=True):
            facts = {"decision": decision, "reason": "" if decision == "accept" else "noise"}
            Verdict.objects.create(item=item, person=person, at=now - timedelta(weeks=week % 2), **facts)
    page = open_page("/manage/double-check/")
    weeks = page.get_by_role("img", name="Alpha of the verdicts by week, from")
    expect(weeks.locator("path.plot__line")).to_have_count(2)
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("row").filter(has_text=now.strftime("%Y-"))).to_have_count(2)
    expect(page.locator("svg.bar").first).to_be_visible()
    # By keys from one reviewer to the next; the name is shown and said.
    point = page.get_by_role("img", name="bo: 0.70 / 0.80")
    point.focus()
    expect(page.locator(".plot__text--said", has_text="bo, 0.70 / 0.80")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("img", name="ann: 0.90 / 0.80")).to_be_focused()
    page.get_by_role("link", name="ann", exact=True).click()
    expect(page.get_by_role("heading", name="ann")).to_be_visible()


def test_an_item_is_overruled_by_keys_alone(open_page) -> None:
    item = hum()
    page = open_page(f"/manage/items/{item.pk}/")
    expect(seen(page, "waits for verdicts")).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator('[data-play="both"]')).to_have_attribute("aria-pressed", "true", timeout=30_000)
    page.keyboard.press("Space")
    expect(page.locator('[data-play="both"]')).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("o")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Reject")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#overrule-error")).to_contain_text("Please say why")
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("It is the second verse, not the first.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(seen(page, "rejected by an admin")).to_be_visible(timeout=30_000)
    expect(page.locator(".history")).to_contain_text("It is the second verse, not the first.")
    item.refresh_from_db()
    assert (item.state, item.humming.state) == (ReviewItem.State.SETTLED, Humming.State.REJECTED)
    # Decided once more, it changes its mind.
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Accept").check(force=True)
    page.get_by_label("Why").fill("Heard again: it is the first.")
    page.get_by_role("button", name="Decide").click()
    expect(seen(page, "accepted by an admin")).to_be_visible(timeout=30_000)


def test_a_reviewer_is_set_aside_with_a_reason(open_page) -> None:
    reviewer = Reviewer.objects.create(person=factories.make_person("farid"))
    page = open_page(f"/manage/reviewers/{reviewer.pk}/", width=360, height=740)
    page.get_by_role("button", name="Set aside").click()
    expect(page.locator("#standing-error")).to_contain_text("Please say why")
    page.get_by_label("Why").fill("Every verdict came within two seconds.")
    page.get_by_label("Verdicts to be asked anew").select_option("all")
    page.get_by_role("button", name="Set aside").click()
    expect(seen(page, "practising again")).to_be_visible(timeout=30_000)
    expect(page.locator(".history")).to_contain_text("Every verdict came within two seconds.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
