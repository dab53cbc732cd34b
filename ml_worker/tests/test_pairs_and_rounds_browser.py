"""The picture of a mined pair in real Chromium, by pointer and by keys; and rounds started, stopped and taken up."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from chad_site.tests.browser import seen
from ml_worker.models import MinedPair, Round
from ml_worker.tests.made_pages import make_fragments, make_pair, make_round
from ml_worker.tests.test_manage_browser import desk, storage  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pair() -> MinedPair:
    made = make_pair()
    make_fragments(made)
    return made


def boxes(page: Page):
    return page.locator(".pair__one")


def test_a_fragment_under_the_focus_shows_its_numbers_and_plays(desk, pair: MinedPair):  # noqa: F811
    page = desk(f"/manage/pairs/{pair.pk}/")
    expect(boxes(page)).to_have_count(4)
    expect(seen(page, "Choose a box in the picture")).to_be_visible()
    boxes(page).first.focus()
    aside = page.locator("#fragment")
    expect(aside).to_contain_text("Phrase 1")
    expect(aside).to_contain_text("matched by the machine")
    for words in ("0:04.3–0:10.9", "0.83", "0.35", "97 %", "× 1.10", "−2.0 semitones", "1 in 5,000", "3.8 s"):
        expect(aside).to_contain_text(words)
    page.keyboard.press("ArrowRight")
    expect(boxes(page).nth(1)).to_be_focused()
    expect(aside).to_contain_text("Phrase 2")
    expect(aside).to_contain_text("to be double-checked")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(boxes(page).last).to_be_focused()
    with (
        page.expect_response("**/api/fragments/*/audio") as original,
        page.expect_response("**/api/cover-fragments/*/audio") as cover,
    ):
        page.keyboard.press("Enter")
    assert (original.value.status, cover.value.status) == (200, 200)


def test_a_fragment_under_the_pointer_shows_its_numbers(desk, pair: MinedPair):  # noqa: F811
    page = desk(f"/manage/pairs/{pair.pk}/")
    boxes(page).nth(2).hover()
    expect(page.locator("#fragment")).to_contain_text("accepted by people")


def test_buttons_play_one_side_until_they_are_pressed_again(desk, pair: MinedPair):  # noqa: F811
    page = desk(f"/manage/pairs/{pair.pk}/")
    button = page.get_by_role("row", name="Phrase 1").get_by_role("button", name="Cover: Phrase 1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_the_map_is_drawn_where_the_cells_are(desk, pair: MinedPair):  # noqa: F811
    """A dark diagonal, and light beside it, as the browser shows them."""
    page = desk(f"/manage/pairs/{pair.pk}/")
    page.wait_for_load_state("networkidle")
    # The image as it is, decoded by the browser: opacity on and beside the diagonal.
    on, beside = page.evaluate(
        """async () => {
          const image = new Image();
          image.src = document.querySelector("#picture image").getAttribute("href");
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height);
          const pen = canvas.getContext("2d");
          pen.drawImage(image, 0, 0);
          return [[46, 40], [46, 10]].map(([x, y]) => pen.getImageData(x, y, 1, 1).data[3]);
        }"""
    )
    assert (on, beside) == (255, 0)
    area = page.locator("#picture .pair__frame").bounding_box()
    shown = page.locator("#picture .pair__map").bounding_box()
    for side in ("x", "y", "width", "height"):
        assert shown[side] == pytest.approx(area[side], abs=2)


@pytest.mark.parametrize(
    "address", ["/manage/pairs/{pair}/", "/manage/pairs/", "/manage/rounds/", "/manage/rounds/{round}/"]
)
def test_no_page_is_wider_than_a_phone(desk, pair: MinedPair, address: str):  # noqa: F811
    make_pair("nothing", title="A very long title " * 8)
    made = make_round()
    page = desk(address.format(pair=pair.pk, round=made.pk), width=360)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_row_of_pages_is_one_row_and_shows_the_page_that_is_open(desk):  # noqa: F811
    for width in (1280, 360):
        page = desk("/manage/help/", width=width)
        row = page.locator(".sub-nav")
        assert row.evaluate("(nav) => new Set([...nav.children].map((one) => one.offsetTop)).size") == 1
        expect(row.get_by_role("link", name="Help")).to_be_in_viewport(ratio=0.9)


# --- rounds


def test_a_round_is_started_stopped_and_taken_up_again(desk):  # noqa: F811
    page = desk("/manage/rounds/")
    short = page.get_by_label("short, which mines")
    short.uncheck()
    page.get_by_role("button", name="Start a round").click()
    expect(seen(page, "Choose a network to train.")).to_be_visible()
    short.check()
    page.get_by_label("Trained on").select_option("hums")
    page.get_by_label("Steps of training").fill("a few")
    page.get_by_role("button", name="Start a round").click()
    expect(page.locator("[data-error]")).to_contain_text("a whole number, such as 2000")
    page.get_by_label("Steps of training").fill("1,500")
    page.get_by_label("Why").fill("To see.")
    page.get_by_role("button", name="Start a round").click()
    expect(page.get_by_role("button", name="Stop the round")).to_be_visible()
    begun = Round.objects.get()
    assert (begun.why, begun.options) == ("To see.", {"kinds": ["short"], "material": "hums", "steps": 1500})
    expect(page.get_by_role("button", name="Start a round")).to_have_count(0)

    page.get_by_role("button", name="Stop the round").click()
    expect(seen(page, "Stopped by admin.").first).to_be_visible()
    expect(page.get_by_role("button", name="Start a round")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Stop the round")).to_be_visible()
    begun.refresh_from_db()
    assert begun.state == Round.State.OPEN


def test_an_open_round_is_followed_as_it_goes_on(desk):  # noqa: F811
    begun = Round.begin("Started by hand.")
    page = desk(f"/manage/rounds/{begun.pk}/")
    expect(page.locator(".round-step--waiting")).to_have_count(7)
    begun.step("collect").begin({})
    expect(page.locator(".round-step--running")).to_have_count(1)
    begun.end(Round.State.REFUSED, "Nothing was trained.")
    expect(seen(page, "Nothing was trained.")).to_be_visible()
    expect(page.locator("[data-announcer]")).to_have_text("The round has ended.")


def test_what_the_server_refuses_is_said_at_the_round(desk):  # noqa: F811
    Round.begin("Started by hand.")
    page = desk("/manage/rounds/")
    refused = {"error": "Round 1 was refused; only one that is under way can be stopped.", "code": "not_allowed"}
    page.route("**/api/manage/rounds/*/stop", lambda route: route.fulfill(status=409, json=refused))
    page.get_by_role("button", name="Stop the round").click()
    expect(page.locator(".round [data-error]")).to_have_text(refused["error"])


def test_figures_are_drawn_as_lines_over_rounds(desk):  # noqa: F811
    for top1 in (0.6, 0.7, 0.8):
        make_round(top1=top1)
    page = desk("/manage/rounds/")
    expect(page.locator("figure[data-plot] svg")).to_have_count(4)
    first = page.locator("figure[data-plot] svg").first
    expect(first.locator(".plot__line")).to_have_count(4)
    first.hover()
    expect(first.locator(".plot__seen")).to_contain_text("hums, frozen 0.")
