"""The admin's pages in real Chromium: phrases edited by hand and by keys, steps started, a file brought in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from chad_site.tests.browser import seen
from ml_worker.models import Checkpoint, Job
from ml_worker.tests.manage import make_checkpoint
from recordings.models import Fragment, Recording
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "A very long title that goes on and on, as titles of broadside ballads and of prog rock suites do, Part Two"


@pytest.fixture(autouse=True)
def storage(admin: Client, settings, tmp_path: Path) -> None:
    """Files: the page asks for a recording's peaks and its sound at once, and two who read one in memory disturb each
    other."""
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def desk(admin: Client, live_server, chromium_with_microphone: Callable) -> Iterator[Callable[..., Page]]:
    """Opens a page as an admin, at a width; what the browser complains of fails the test."""
    complaints: list[str] = []
    # Pages look at the server every few seconds, and the machine may be busy.
    expect.set_options(timeout=20_000)

    def opened(path: str, width: int = 1280) -> Page:
        context = chromium_with_microphone(width=width, height=800, base_url=live_server.url)
        cookie = {"name": "sessionid", "value": admin.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(path)
        return page

    yield opened
    # A call that is refused in words is told by the browser, too; that is no complaint.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


@pytest.fixture
def original() -> Recording:
    recording = factories.make_recording(seconds=30.0)
    factories.make_analysis(recording)
    factories.make_fragment(recording, 2.0, 8.0)
    return recording


def bounds() -> list[tuple[float, float]]:
    live = Fragment.objects.live().order_by("start_s")
    return [(round(start_s, 2), round(end_s, 2)) for start_s, end_s in live.values_list("start_s", "end_s")]


def saved(page: Page, words: str) -> None:
    """Waits for the editor to say that the server has it."""
    expect(page.locator("[data-announcer]")).to_have_text(words)


def test_a_phrase_is_resized_by_dragging_its_edge(desk, original: Recording):
    page = desk(f"/manage/songs/{original.song_id}/")
    edge = page.get_by_role("slider", name="Phrase 1, its end").bounding_box()
    second = page.locator("#track").bounding_box()["width"] / 30.0
    x, y = edge["x"] + edge["width"] / 2, edge["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3 * second, y, steps=4)
    page.mouse.up()
    saved(page, "Moved.")
    assert bounds() == [(2.0, pytest.approx(11.0, abs=0.1))]


def test_a_phrase_is_moved_by_the_arrow_keys_as_one_change_that_undo_takes_back(desk, original: Recording):
    page = desk(f"/manage/songs/{original.song_id}/")
    page.get_by_role("slider", name="Phrase 1, its place").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    saved(page, "Moved.")
    assert bounds() == [(3.2, 9.2)]
    page.keyboard.press("u")
    saved(page, "Undone: the move.")
    assert bounds() == [(2.0, 8.0)]


def test_numbers_that_the_server_refuses_stay_to_be_mended_beside_its_sentence(desk, original: Recording):
    page = desk(f"/manage/songs/{original.song_id}/")
    end = page.get_by_role("textbox", name="Phrase 1, end in seconds")
    end.fill("5")
    end.press("Tab")
    row = page.get_by_role("listitem").filter(has=end)
    expect(row).to_contain_text("A fragment lasts between 4 and 20 seconds.")
    expect(end).to_have_value("5")
    assert bounds() == [(2.0, 8.0)]
    end.fill("9,5")
    end.press("Tab")
    saved(page, "Moved.")
    expect(row).not_to_contain_text("A fragment lasts between 4 and 20 seconds.")
    assert bounds() == [(2.0, 9.5)]


def test_a_phrase_is_added_where_it_plays_and_removed_and_both_are_undone(desk, original: Recording):
    page = desk(f"/manage/songs/{original.song_id}/")
    track = page.locator("#track").bounding_box()
    page.mouse.click(track["x"] + track["width"] / 2, track["y"] + 30)
    page.get_by_role("button", name="Add a phrase here").click()
    saved(page, "Phrase added at 15.0 seconds.")
    assert bounds() == [(2.0, 8.0), (pytest.approx(15.0, abs=0.1), pytest.approx(23.0, abs=0.1))]
    page.get_by_role("button", name="Remove Phrase 1").click()
    saved(page, "Removed. Undo brings it back.")
    assert len(bounds()) == 1
    for words in ("the removal", "the added phrase"):
        page.get_by_role("button", name=f"Undo {words}").click()
        saved(page, f"Undone: {words}.")
    assert bounds() == [(2.0, 8.0)]


def test_a_phrase_with_takes_is_moved_as_a_new_one_and_undo_brings_the_old_one_back(desk, original: Recording):
    fragment = Fragment.objects.get()
    factories.make_humming(fragment)
    page = desk(f"/manage/songs/{original.song_id}/")
    expect(seen(page, "1 take; moving it makes a new phrase")).to_be_visible()
    start = page.get_by_role("textbox", name="Phrase 1, start in seconds")
    start.fill("1")
    start.press("Tab")
    saved(page, "Moved, as a new phrase.")
    assert Fragment.objects.live().get().pk != fragment.pk
    page.get_by_role("button", name="Undo the move").click()
    saved(page, "Undone: the move.")
    assert Fragment.objects.live().get().pk == fragment.pk


def test_a_phrase_is_played_from_its_start(desk, original: Recording):
    page = desk(f"/manage/songs/{original.song_id}/")
    button = page.get_by_role("button", name="Play Phrase 1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#position")).not_to_have_text("0:00.0 of 0:30.0")
    seconds = float(page.locator("#position").inner_text().split(" ")[0].removeprefix("0:"))
    assert 2.0 <= seconds <= 8.0
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")


def test_a_recording_that_gets_ready_brings_its_editor(desk, original: Recording):
    Recording.objects.update(state=Recording.State.WAITING)
    page = desk(f"/manage/songs/{original.song_id}/")
    expect(seen(page, "waits to be read")).to_be_visible()
    Recording.objects.update(state=Recording.State.READY)
    expect(page.get_by_role("heading", name="Phrases to hum")).to_be_visible()


def test_training_starts_by_its_button_and_its_failure_is_started_again(desk, original: Recording):
    page = desk("/manage/")
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_role("button", name="Training")).to_be_visible()
    Job.objects.get().fail("There are too few hums to train on.")
    expect(seen(page, "There are too few hums to train on.")).to_be_visible()
    page.get_by_role("button", name="Start again: train the model, the short network").click()
    expect(seen(page, "There are too few hums to train on.")).to_be_hidden()
    assert Job.objects.get().state == Job.State.WAITING


def test_what_cannot_be_started_says_why_beside_its_button(desk, original: Recording):
    page = desk("/manage/")
    mining = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Mining"))
    mining.get_by_role("button").click(force=True)
    expect(mining).to_contain_text("Needs a song with a ready cover.")
    release = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Release"))
    release.get_by_role("textbox", name="Version of the new release").fill("../1")
    release.get_by_role("button", name="Make a draft").click()
    expect(release).to_contain_text("'../1' cannot be a version.")
    assert not Job.objects.exists()


def test_a_running_job_shows_its_progress_and_its_end_is_said_aloud(desk, original: Recording):
    job = Job.ask(Job.Kind.MINE, original.song_id)
    Job.claim("a test", Job.objects.all()).report(0.25, "cover 1 of 4")
    page = desk("/manage/")
    progress = page.get_by_role("progressbar")
    expect(progress).to_have_attribute("aria-valuenow", "25")
    job.report(0.5, "cover 3 of 4")
    expect(progress).to_have_attribute("aria-valuenow", "50")
    job.finish("Auld Lang Syne: 2 matched.")
    said = "Done: mine the covers of a song, Auld Lang Syne. Auld Lang Syne: 2 matched."
    expect(page.locator("[data-announcer]")).to_have_text(said)


def test_a_checkpoint_is_promoted_by_hand_with_a_reason_and_that_is_undone(desk):
    make_checkpoint("short-aaaaaaaaaaaa")
    refused = make_checkpoint("short-bbbbbbbbbbbb", standing="refused", standing_why="Refused: On hums it fell.")
    page = desk("/manage/checkpoints/", 390)
    shown = page.get_by_role("article").filter(has=page.get_by_role("heading", name=refused.name))
    expect(shown).to_contain_text("Refused: On hums it fell.")
    shown.get_by_text("Decide by hand").click()
    shown.get_by_role("button", name=f"Promote {refused.name}").click()
    expect(shown).to_contain_text("Please say why")
    shown.get_by_label("Why").fill("It hears whistling better.")
    shown.get_by_role("button", name=f"Promote {refused.name}").click()
    expect(shown).to_contain_text("in use")
    expect(shown).to_contain_text("It hears whistling better.")
    assert Checkpoint.objects.latest() == refused
    shown.get_by_text("Decide by hand").click()
    shown.get_by_role("button", name="Undo the last decision").click()
    expect(shown).to_contain_text("Refused: On hums it fell.")
    refused.refresh_from_db()
    assert refused.standing == "refused"


def test_a_file_is_brought_in_by_the_page_and_leads_to_its_song(desk, tmp_path: Path):
    file = tmp_path / "Beethoven - Ode to Joy.wav"
    file.write_bytes(factories.audio_file(factories.tone(5.0)))
    page = desk("/manage/import/", 360)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#id_file_error")).to_have_text("Choose a file with sound in it.")
    page.get_by_label("Audio file").set_input_files(file)
    expect(page.get_by_label("Title")).to_have_value("Ode to Joy")
    expect(page.get_by_label("Artist")).to_have_value("Beethoven")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Ode to Joy")).to_be_visible()
    assert Recording.objects.get().state == Recording.State.WAITING


def test_no_page_is_wider_than_a_phone(desk):
    song = factories.make_song(LONG, LONG)
    recording = factories.make_recording(song, seconds=30.0)
    factories.make_analysis(recording)
    factories.make_cover_fragment(factories.make_fragment(recording))
    make_checkpoint()
    Job.ask(Job.Kind.MINE, song.pk).fail(LONG)
    Job.ask(Job.Kind.RELEASE, "1" * 40).fail(LONG)
    page = desk("/manage/", 360)
    for path in ("", f"songs/{song.pk}/", "songs/", "import/", "jobs/", "checkpoints/", "releases/"):
        page.goto(f"/manage/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path
