"""The finding page with nothing made up behind it: a hum into a browser's microphone, its song on the page."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from django.db import connections
from playwright.sync_api import BrowserContext, expect

from annotation.models import Guest, Search, SearchMark
from annotation.tests.hum_stage import PHONE, storage
from ml_worker.finding import Finder, answer_all
from ml_worker.tests.made_index import hum_of, indexed, made_songs
from recordings.models import Fragment, Humming

__all__ = ["storage"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LOOK_EVERY_S = 0.1
# When the hum is over, seconds: it is 8 s of a song, sung a tenth slower, after some silence.
HUMMED_S = 9


@pytest.fixture
def songs(settings, tmp_path: Path) -> list[Fragment]:
    settings.INDEX_FOLDER = tmp_path / "index"
    made = made_songs([1, 2, 3, 4])
    indexed()
    return made


@pytest.fixture
def answering(songs: list[Fragment]) -> Iterator[None]:
    """Searches are answered beside the test, as by the worker's process."""
    over = threading.Event()

    def answer() -> None:
        finder = Finder()
        while not over.wait(LOOK_EVERY_S):
            answer_all(finder, "this process")
        connections.close_all()

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_hum_is_found_and_given_to_the_collection(
    live_server, chromium_with_microphone: Callable[..., BrowserContext], songs: list[Fragment], answering, tmp_path
) -> None:
    fragment = songs[2]
    samples, rate = soundfile.read(io.BytesIO(hum_of(fragment)))
    soundfile.write(tmp_path / "hum.wav", samples, rate, subtype="PCM_16")  # what Chromium's microphone reads
    page = chromium_with_microphone(tmp_path / "hum.wav", **PHONE, base_url=live_server.url).new_page()
    page.goto("/find/")
    page.locator("#act").click()
    title = fragment.song.title
    expect(page.locator("#found li").first).to_contain_text(title, timeout=40_000)
    expect(page.locator("#count")).to_contain_text(f"{HUMMED_S} of 15 s", timeout=40_000)
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name=title)).to_be_focused(timeout=40_000)
    search = Search.objects.get(partial=False)
    assert Search.objects.filter(hum=search.hum, partial=True, state=Search.State.DONE).exists()

    # Both curves are there, and both sound.
    expect(page.locator("#both")).to_have_attribute("aria-label", re.compile("The melody: .* Your hum: "))
    page.get_by_role("button", name="That’s it", exact=True).click()
    page.get_by_role("button", name="Give this hum").click()
    page.get_by_role("button", name="I agree, with AI training").click()
    expect(page.locator("#marked")).to_contain_text("Your hum is kept")
    take = Humming.objects.get()
    assert take.fragment == fragment
    assert Guest.is_one(take.singer)
    assert SearchMark.objects.get().humming == take

    # Who came in as a guest meanwhile still has the search.
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#marked")).to_be_empty()
    assert not SearchMark.objects.exists()
    take.refresh_from_db()
    assert take.state == Humming.State.WITHDRAWN
