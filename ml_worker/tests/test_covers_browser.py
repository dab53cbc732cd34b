"""The pages of covers in real Chromium: decisions by keys and by buttons, and a list shown before it comes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from chad_site.tests.browser import seen
from ml_worker.models import Job
from ml_worker.tests.test_cover_lists import LIST
from ml_worker.tests.test_manage_browser import desk, storage  # noqa: F401
from ml_worker.tests.test_manage_covers import LIVE, make_candidate
from recordings.models import CoverCandidate, Recording, Song
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def song() -> Song:
    song = factories.make_song("Hallelujah", "Leonard Cohen")
    for number, name in enumerate(("first-video", "second-vide", "third-video")):
        make_candidate(song, name, title=name, views=1000 - number)
    make_candidate(song, "live-video0", title="live-video0", filtered_because=[LIVE])
    return song


def states() -> dict[str, str]:
    return dict(CoverCandidate.objects.values_list("youtube_id", "state"))


def said(page: Page, words: str) -> None:
    expect(page.locator("[data-announcer]")).to_have_text(words)


def current(page: Page) -> str:
    return page.locator('.video[aria-current="true"] h2').inner_text().splitlines()[0].removesuffix(" (opens YouTube)")


def test_videos_are_approved_refused_and_taken_back_by_keys(desk, song: Song):  # noqa: F811
    page = desk(f"/manage/covers/{song.pk}/")
    assert current(page) == "first-video"
    page.keyboard.press("y")
    said(page, "Approved.")
    expect(page.locator(".video").first).to_contain_text("approved; it waits to be fetched")
    assert current(page) == "second-vide"
    page.keyboard.press("n")
    said(page, "Refused.")
    expect(page.locator(".video").nth(1)).to_contain_text("refused")
    assert current(page) == "third-video"
    assert states() == {
        "first-video": "approved", "second-vide": "refused", "third-video": "proposed", "live-video0": "filtered",
    }  # fmt: skip
    for name, state in (("second-vide", "proposed"), ("first-video", "proposed")):
        page.keyboard.press("u")
        said(page, "Taken back.")
        expect(page.locator(f'.video[data-state="{state}"]', has_text=name)).to_be_visible()
        assert current(page) == name
        assert states()[name] == state
    assert not Recording.objects.exists()
    expect(page.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("j")
    assert current(page) == "second-vide"
    page.keyboard.press("k")
    assert current(page) == "first-video"


def test_buttons_decide_and_keep_the_focus_at_the_video(desk, song: Song):  # noqa: F811
    page = desk(f"/manage/covers/{song.pk}/?state=filtered")
    page.get_by_role("button", name="Approve: live-video0").click()
    back = page.get_by_role("button", name="Take back: live-video0")
    expect(back).to_be_focused()
    assert states()["live-video0"] == "approved"
    back.click()
    expect(page.get_by_role("button", name="Approve: live-video0")).to_be_focused()
    assert states()["live-video0"] == "filtered"


def test_what_is_refused_by_the_server_is_said_at_its_video(desk, song: Song):  # noqa: F811
    factories.make_recording(youtube_id="first-video", source="youtube")
    page = desk(f"/manage/covers/{song.pk}/")
    page.keyboard.press("y")
    first = page.locator(".video").first
    expect(first).to_contain_text("This video is here already")
    expect(first.get_by_role("button", name="Refuse: first-video")).to_be_visible()
    assert states()["first-video"] == "proposed"


def test_a_search_shows_that_it_waits_and_then_what_it_found(desk, song: Song):  # noqa: F811
    page = desk(f"/manage/covers/{song.pk}/")
    page.get_by_role("button", name="Search for covers: Hallelujah").click()
    expect(seen(page, "The search waits for its turn")).to_be_visible()
    Job.objects.get().fail("The site was away.")
    expect(seen(page, "The site was away.")).to_be_visible()
    page.get_by_role("button", name="Start again").click()
    expect(seen(page, "The search waits for its turn")).to_be_visible()
    make_candidate(song, "fourth-vide", title="fourth-vide", views=2000)
    Job.objects.get().finish("1 video found.")
    page.get_by_role("button", name="Show what was found").click()
    expect(page.locator(".video").first).to_contain_text("fourth-vide")


def test_a_list_is_shown_and_then_brought_in(desk):  # noqa: F811
    page = desk("/manage/covers/")
    page.get_by_role("button", name="Show what would come").click()
    expect(seen(page, "Choose a list.")).to_be_visible()
    page.set_input_files("#list-file", {"name": "odd.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    page.get_by_role("button", name="Show what would come").click()
    expect(page.locator("#list-error")).to_contain_text("no title and no artist")
    page.set_input_files("#list-file", {"name": "my.csv", "mimeType": "text/csv", "buffer": LIST.encode()})
    page.get_by_role("button", name="Show what would come").click()
    expect(page.get_by_role("heading", name="What would come")).to_be_focused()
    expect(page.locator("#plan-facts")).to_contain_text("originals")
    expect(page.locator("#plan-problems")).to_contain_text("line 7")
    assert not Song.objects.exists()
    page.get_by_role("button", name="Bring it in").click()
    expect(page.get_by_role("heading", name="Brought in: 2 originals, 2 covers")).to_be_visible()
    assert CoverCandidate.objects.filter(state="approved").count() == 2
    page.get_by_role("button", name="Show what would come").click()
    expect(page.get_by_role("heading", name="Nothing new would come")).to_be_visible()
    expect(page.get_by_role("button", name="Bring it in")).to_be_hidden()


def test_lines_that_cannot_be_used_are_all_there_for_download(desk):  # noqa: F811
    page = desk("/manage/covers/")
    odd = "title,artist\n" + ",nobody\n" * 150
    page.set_input_files("#list-file", {"name": "odd.csv", "mimeType": "text/csv", "buffer": odd.encode()})
    page.get_by_role("button", name="Show what would come").click()
    expect(page.get_by_role("heading", name="Nothing can be used")).to_be_visible()
    expect(page.locator("#problems-more")).to_contain_text("The first 100 of 150.")
    with page.expect_download() as download:
        page.get_by_role("button", name="All of them as a table (CSV)").click()
    assert len(download.value.path().read_text().splitlines()) == 151


@pytest.mark.parametrize(
    "address", ["/manage/covers/", "/manage/covers/{song}/", "/manage/covers/{song}/?state=filtered"]
)
def test_no_page_is_wider_than_a_phone(desk, song: Song, address: str):  # noqa: F811
    CoverCandidate.objects.update(title="A very long title " * 12, channel="x" * 120)
    page = desk(address.format(song=song.pk), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
