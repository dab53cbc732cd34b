"""The finding page in real Chromium: hummed, searched for while the hum lasts, answered, marked, given away."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import Consent, Guest
from annotation.tests.finding import KEPT, SearchServer, answer
from annotation.tests.hum_stage import DESKTOP, PHONE, OpenBrowser, alice, hear, open_browser, storage
from annotation.tests.test_hum_by_keys import LISTEN, says
from chad_site.tests.browser import seen

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# What the made microphone hums.
VOICE_HZ = 196
# Keeps what the page plays: from which second of the sound on.
COUNT_SOUNDS = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function counted(when, from) {
  if (this.buffer.duration > 10) played.push(from);
  return start.call(this, when, from);
};
"""


@pytest.fixture
def server() -> SearchServer:
    return SearchServer()


def opened(context: BrowserContext, server: SearchServer) -> Page:
    server.serve(context)
    page = context.new_page()
    page.goto("/find/")
    return page


def state_is(page: Page, state: str) -> None:
    page.locator(f"#find[data-state={state}]").wait_for(timeout=40_000)


def hum(page: Page, seconds: float = 1.2) -> None:
    """Hums, and stops."""
    page.locator("#act").click()
    state_is(page, "humming")
    hear(page, seconds)
    page.locator("#act").click()


def answered(page: Page, seconds: float = 1.2) -> None:
    hum(page, seconds)
    state_is(page, "answered")


def heard_of(sound: bytes) -> tuple[float, float, int]:
    """Of what was sent: how long it is in seconds, its strongest frequency in Hz, its rate."""
    samples, rate = soundfile.read(io.BytesIO(sound))
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return len(samples) / rate, float(np.argmax(spectrum)) * rate / len(samples), rate


def test_songs_show_while_somebody_hums_and_the_answer_follows(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    expect(seen(page, "Hum up to 15 seconds of a song, and see which one it is.")).to_be_visible()
    page.locator("#act").click()
    state_is(page, "humming")
    expect(page.locator("#found li")).to_have_count(3)
    expect(page.locator("#found li").first).to_contain_text("possible, 40%")
    expect(page.locator("#level-word")).to_have_text("good")
    hear(page, 3)
    page.keyboard.press("Space")
    state_is(page, "answered")

    partial = [sent["partial"] for sent in server.sent]
    assert partial[-1] == "false"
    assert set(partial[:-1]) == {"true"}
    assert len(partial) >= 3
    assert len({sent["hum"] for sent in server.sent}) == 1
    lengths = [heard_of(sound)[0] for sound in server.sounds]
    assert lengths[0] == pytest.approx(3.0, abs=0.5)
    assert lengths == sorted(lengths)
    _, hz, rate = heard_of(server.sounds[-1])
    assert hz == pytest.approx(VOICE_HZ, abs=1)
    assert rate == 24_000

    expect(page.get_by_role("heading", name="This is “Auld Lang Syne”")).to_be_focused()
    expect(page.locator("#found > li")).to_have_count(10)
    first = page.locator("#found .find__choose").first
    expect(first).to_contain_text("almost certain, 93%")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#place")).to_have_text("You hummed 1:02 to 1:11 of it, 3 semitones lower, 11% slower")
    expect(page.locator("#both")).to_have_attribute("aria-label", re.compile("The melody: 13.0 s.* Your hum: 8.0 s"))
    expect(page.locator("#searched")).to_have_text(re.compile(r"1,234 songs searched in [0-9.]+ s"))


def test_a_hum_ends_by_itself_after_15_seconds(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    page.keyboard.press("Space")
    state_is(page, "answered")
    assert heard_of(server.sounds[-1])[0] == pytest.approx(15.0, abs=0.05)
    assert page.evaluate("madeMicrophone.track.readyState") == "ended", "nobody listens when nobody hums"


def test_the_song_is_heard_and_watched_from_the_place(open_browser: OpenBrowser, server: SearchServer) -> None:
    context = open_browser()
    context.add_init_script(COUNT_SOUNDS)
    page = opened(context, server)
    answered(page)
    expect(page.get_by_role("link", name="Watch")).to_have_attribute("href", re.compile("t=62s"))
    play = page.get_by_role("button", name="Play from 1:02")
    play.click()
    expect(play).to_have_attribute("aria-pressed", "true")
    page.evaluate("async () => { while (!played.length) await new Promise((go) => { setTimeout(go, 20); }); }")
    assert page.evaluate("played") == [0], "the sound begins at the place, so all of it is played"
    page.keyboard.press("l")
    expect(play).to_have_attribute("aria-pressed", "false")
    # The second can only be watched, the third neither.
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found .find__choose").nth(1)).to_be_focused()
    expect(play).to_be_hidden()
    expect(page.get_by_role("link", name="Watch")).to_be_visible()
    expect(page.locator("#place")).to_have_text("Your hum fits 1:02 to 1:11, 11% slower")
    page.keyboard.press("ArrowDown")
    expect(seen(page, "only to people who are signed in")).to_be_visible()
    # Whoever signs in for it comes back to the answer.
    back = re.compile(r"next=%2Ffind%2F%3Fsearch%3D[0-9a-f-]{36}")
    expect(page.locator("#silent").get_by_role("link", name="Sign in")).to_have_attribute("href", back)
    expect(page.locator("#place")).to_have_text("Your hum fits 1:02 to 1:11, 3 semitones lower, 11% slower")


def test_the_sound_of_a_song_may_come_late(open_browser: OpenBrowser, server: SearchServer) -> None:
    context = open_browser()
    context.add_init_script(COUNT_SOUNDS)
    page = opened(context, server)
    answered(page)
    play = page.get_by_role("button", name="Play from 1:02")
    server.held = []
    page.keyboard.press("l")
    expect(play).to_have_attribute("aria-busy", "true")
    page.keyboard.press("ArrowUp")  # the first stays open
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#found .find__choose").nth(3)).to_be_focused()
    expect(play).to_have_attribute("aria-pressed", "false")
    expect(play).to_have_attribute("aria-busy", "false")
    for _ in range(3):  # on, off, on
        page.keyboard.press("l")
    expect(play).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(200)
    server.let_go()
    expect(play).to_have_attribute("aria-busy", "false")
    expect(play).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("played.length") == 1, "one sound at a time, and only that of the song that is open"
    page.keyboard.press("l")
    expect(play).to_have_attribute("aria-pressed", "false")
    server.listen_refusal = (404, {"error": "This song was taken down meanwhile.", "code": "taken_down"})
    page.keyboard.press("l")
    expect(page.locator("#chosen-trouble")).to_contain_text("This song was taken down meanwhile.")
    expect(play).to_have_attribute("aria-pressed", "false")


def test_what_is_not_in_the_catalogue_is_an_answer(open_browser: OpenBrowser, server: SearchServer) -> None:
    server.whole = answer([0.1, 0.05], here=0.2)
    page = opened(open_browser(), server)
    answered(page)
    expect(page.get_by_role("heading", name="We do not know this one")).to_be_focused()
    expect(page.locator("#outcome")).to_contain_text("not among the 1,234 songs")
    expect(page.locator("#outcome")).to_contain_text("Hum longer, or another passage")
    expect(page.locator("#near-found li").first).to_be_hidden()
    page.get_by_text("What came nearest").click()
    page.get_by_role("button", name="Auld Lang Syne").click()
    expect(page.locator("#both")).to_be_visible()
    expect(page.get_by_role("button", name="Hum again")).to_be_visible()


def test_a_tune_that_is_rather_there_than_not_is_told_to_be_unsure(
    open_browser: OpenBrowser, server: SearchServer
) -> None:
    server.whole = answer([0.58, 0.06], here=0.64, is_here=False)
    page = opened(open_browser(), server)
    answered(page)
    expect(page.get_by_role("heading", name="We are not sure")).to_be_focused()
    expect(page.locator("#outcome")).to_contain_text("It may be one of these. If it is none")
    expect(page.locator("#outcome")).not_to_contain_text("not among")
    expect(page.get_by_role("button", name="Auld Lang Syne")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#near")).to_be_hidden()
    # Nobody knows that it was this song.
    expect(page.locator("#place")).to_contain_text("Your hum fits 1:02 to 1:11")


def test_where_some_songs_were_not_searched_nothing_is_told_to_be_nowhere(
    open_browser: OpenBrowser, server: SearchServer
) -> None:
    server.whole = answer([0.1, 0.05], here=0.2, is_here=None, warnings=["Some of the songs could not be searched."])
    page = opened(open_browser(), server)
    answered(page)
    expect(page.get_by_role("heading", name="We could not look through all songs")).to_be_focused()
    expect(page.locator("#outcome")).to_have_text("Some of the songs could not be searched.")
    page.get_by_text("What came nearest").click()
    expect(page.locator("#near-found > li")).to_have_count(2)


def test_a_word_on_a_song_is_kept_and_can_be_taken_back(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    answered(page)
    page.keyboard.press("n")
    expect(page.get_by_role("button", name="Not this", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#found .find__choose").first).to_have_accessible_name(re.compile("Your word: not this"))
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("button", name="Not this", exact=True)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("y")
    expect(page.locator("#marked")).to_contain_text("Thank you.")
    song = [result["song"]["id"] for result in server.whole["found"]]
    assert server.marks == [
        {"song": song[0], "right": False, "keep": False},
        {"song": song[0], "right": None, "keep": False},
        {"song": song[1], "right": True, "keep": False},
    ]
    # Another hum has an answer of its own.
    page.keyboard.press("a")
    state_is(page, "humming")
    hear(page, 1.2)
    page.keyboard.press("Space")
    state_is(page, "answered")
    expect(page.get_by_role("button", name="That’s it", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#marked")).to_be_empty()


def test_a_stranger_gives_a_hum_by_agreeing_first(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    answered(page)
    page.get_by_role("button", name="That’s it", exact=True).click()
    page.get_by_role("button", name="Give this hum").click()
    expect(page.locator("#consent")).to_contain_text("Your hums become part of CHAD")
    page.get_by_role("button", name="Not now").click()
    assert not Guest.objects.exists()
    page.get_by_role("button", name="Give this hum").click()
    page.get_by_role("button", name="I agree, without AI training").click()
    expect(page.locator("#marked")).to_contain_text(KEPT)
    consent = Consent.objects.get()
    assert consent.ai_training is False
    assert Guest.is_one(consent.person)
    assert server.marks[-1] == {"song": server.whole["found"][0]["song"]["id"], "right": True, "keep": True}
    own = page.locator("#marked").get_by_role("link", name="My takes", exact=True)
    expect(own).to_have_attribute("href", "/takes/")
    # One hum is given once: no other word withdraws it by the way.
    marked = len(server.marks)
    page.keyboard.press("y")
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Not this", exact=True).click(force=True)
    assert len(server.marks) == marked


def test_a_hum_that_cannot_be_kept_is_not_asked_for(open_browser: OpenBrowser, server: SearchServer) -> None:
    why_not = "This part of the song is not collected, so your hum cannot be kept."
    server.whole["found"][0] |= {"keepable": False, "why_not": why_not}
    page = opened(open_browser(), server)
    answered(page)
    page.keyboard.press("y")
    expect(page.locator("#marked")).to_contain_text(why_not)
    expect(page.locator("#give")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("y")
    expect(page.get_by_role("button", name="Give this hum")).to_be_visible()


def test_an_answer_is_still_there_after_loading_the_page_again(open_browser: OpenBrowser, server: SearchServer) -> None:
    server.whole = answer([0.9999, 0.01])
    page = opened(open_browser(), server)
    answered(page)
    expect(page.locator("#found .find__choose").first).to_contain_text("almost certain, 99%")
    page.keyboard.press("y")
    expect(page.locator("#marked")).to_contain_text("Thank you.")
    page.reload()
    state_is(page, "answered")
    expect(page.get_by_role("heading", name="This is “Auld Lang Syne”")).to_be_focused()
    expect(page.get_by_role("button", name="That’s it", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#found .find__choose").first).to_have_accessible_name(re.compile("Your word: that’s it"))
    expect(page.locator("#searched")).to_have_text("1,234 songs searched")
    page.goto("/")
    page.go_back()
    state_is(page, "answered")
    # Of somebody else, or too old: the server knows no difference.
    page.goto("/find/?search=00000000-0000-0000-0000-000000000001")
    expect(page.locator("#notices")).to_contain_text("There is no such answer of yours any more.")
    state_is(page, "ready")
    assert page.url.endswith("/find/")


def test_who_has_agreed_is_not_asked_again(open_browser: OpenBrowser, server: SearchServer, alice) -> None:
    server.why_not_kept = "Your word is kept. The hum is not: hums are deleted after an hour."
    page = opened(open_browser(alice), server)
    answered(page)
    page.keyboard.press("y")
    page.get_by_role("button", name="Give this hum").click()
    expect(page.locator("#marked")).to_contain_text(server.why_not_kept)
    expect(page.locator("#consent")).to_be_hidden()
    assert server.marks[-1]["keep"] is True


def test_a_refused_mark_is_said_where_it_was_made(open_browser: OpenBrowser, server: SearchServer) -> None:
    server.mark_refusal = (404, {"error": "This song is not in the answer of that search.", "code": "not_found"})
    page = opened(open_browser(), server)
    answered(page)
    page.keyboard.press("y")
    expect(page.locator("#marked")).to_contain_text("This song is not in the answer of that search.")
    expect(page.get_by_role("button", name="That’s it", exact=True)).to_have_attribute("aria-pressed", "false")


def test_a_sound_file_is_searched_as_it_is(open_browser: OpenBrowser, server: SearchServer) -> None:
    server.whole = answer([0.6, 0.2], warnings=["Only the first 15 seconds were searched."])
    page = opened(open_browser(), server)
    page.set_input_files("#file", {"name": "my hum.ogg", "mimeType": "audio/ogg", "buffer": b"OggS and more"})
    state_is(page, "answered")
    assert server.sounds == [b"OggS and more"]
    expect(page.get_by_role("heading", name="Probably “Auld Lang Syne”")).to_be_visible()
    expect(page.locator("#outcome")).to_contain_text("Only the first 15 seconds were searched.")
    page.set_input_files("#file", {"name": "nothing.wav", "mimeType": "audio/wav", "buffer": b""})
    expect(page.locator("#notices")).to_contain_text("This file is empty.")
    assert len(server.sounds) == 1


# --- troubles


def test_without_a_microphone_the_page_says_what_to_do(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    page.evaluate("madeMicrophone.error = 'NotAllowedError'")
    page.locator("#act").click()
    expect(page.locator("#notices")).to_contain_text("The browser keeps the microphone from us.")
    expect(page.get_by_role("button", name="Use a sound file")).to_be_visible()
    page.evaluate("madeMicrophone.error = null")
    answered(page)
    expect(page.locator("#notices")).to_be_empty()


def test_a_hum_that_cannot_be_searched_is_told_in_the_servers_words(
    open_browser: OpenBrowser, server: SearchServer
) -> None:
    server.whole = {"state": "refused", "code": "silent", "sentence": "We could not hear you. Move closer."}
    page = opened(open_browser(), server)
    hum(page)
    expect(page.locator("#notices")).to_contain_text("We could not hear you. Move closer.")
    state_is(page, "ready")


def test_a_busy_server_is_asked_again_with_the_same_hum(open_browser: OpenBrowser, server: SearchServer) -> None:
    busy = "Too many people search just now. Please try again in some seconds."
    server.refusal = (429, {"error": busy, "code": "busy"})
    page = opened(open_browser(), server)
    hum(page)
    expect(page.locator("#notices")).to_contain_text(busy)
    server.refusal = None
    page.get_by_role("button", name="Search again").click()
    state_is(page, "answered")
    assert server.sounds[0] == server.sounds[1]
    expect(page.locator("#notices")).to_be_empty()


def test_a_file_that_is_too_large_is_not_sent_again(open_browser: OpenBrowser, server: SearchServer) -> None:
    server.refusal = (413, {"error": "A hum to search for is at most 20 MB.", "code": "too_large"})
    page = opened(open_browser(), server)
    page.set_input_files("#file", {"name": "long.wav", "mimeType": "audio/wav", "buffer": b"RIFF and more"})
    expect(page.locator("#notices")).to_contain_text("at most 20 MB")
    expect(page.get_by_role("button", name="Search again")).to_have_count(0)


def test_a_microphone_that_goes_is_told_and_what_was_heard_is_searched(
    open_browser: OpenBrowser, server: SearchServer
) -> None:
    page = opened(open_browser(), server)
    page.locator("#act").click()
    state_is(page, "humming")
    hear(page, 1.2)
    page.evaluate("madeMicrophone.pull()")
    state_is(page, "answered")
    expect(page.locator("#notices")).to_contain_text("The sound was interrupted")
    assert heard_of(server.sounds[-1])[0] > 0.8


def test_a_slip_of_the_finger_is_not_searched_for(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    hum(page, 0.1)
    expect(page.locator("#notices")).to_contain_text("That was too short.")
    state_is(page, "ready")
    assert not server.sent


def test_escape_forgets_the_hum(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    page.locator("#act").click()
    state_is(page, "humming")
    hear(page, 0.5)
    page.keyboard.press("Escape")
    state_is(page, "ready")
    server.slow = True
    hum(page)
    state_is(page, "searching")
    page.get_by_role("button", name="Cancel").click()
    state_is(page, "ready")
    server.slow = False
    answered(page)
    assert [sent["partial"] for sent in server.sent] == ["false", "false"]


# --- for everyone


def test_it_is_all_done_by_keys_and_said_aloud(open_browser: OpenBrowser, server: SearchServer) -> None:
    context = open_browser()
    context.add_init_script(LISTEN)
    page = opened(context, server)
    page.keyboard.press("Space")
    says(page, "Hum now. We listen.")
    state_is(page, "humming")
    hear(page, 1.2)
    page.keyboard.press("Space")
    says(page, "Searching.")
    state_is(page, "answered")
    expect(page.locator("#answer-title")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#found .find__choose").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#found .find__choose").nth(1)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("y")
    says(page, "Thank you.")
    page.keyboard.press("y")
    says(page, "Taken back.")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("play the song from there")


@pytest.mark.parametrize("size", [(844, 390), (320, 568), (568, 320)])
def test_on_a_short_screen_all_is_in_view_while_somebody_hums(
    open_browser: OpenBrowser, server: SearchServer, size: tuple[int, int]
) -> None:
    width, height = size
    page = opened(open_browser(locale="de-DE", width=width, height=height), server)
    page.locator("#act").click()
    expect(page.locator("#found li")).to_have_count(3)
    for control in ("#act", "#cancel"):
        box = page.locator(control).bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height, control
    if height > 360:
        last, bar = page.locator("#found li").last.bounding_box(), page.locator("#act").bounding_box()
        assert last
        assert bar
        assert last["y"] + last["height"] <= bar["y"], "no song lies behind the button"


def test_what_has_the_focus_is_not_behind_the_bar(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(), server)
    page.set_viewport_size(PHONE)
    answered(page)
    for _ in range(14):
        page.keyboard.press("Tab")
        focused = page.locator("#answer-title ~ * :focus")
        if focused.count():
            box, bar = focused.bounding_box(), page.locator(".find__act").bounding_box()
            assert box
            assert bar
            assert box["y"] + box["height"] <= bar["y"] + 1
            assert box["y"] >= 0
    assert page.evaluate("scrollY") > 0, "what is further down came into view"


def test_it_fits_on_a_phone_in_german(open_browser: OpenBrowser, server: SearchServer) -> None:
    page = opened(open_browser(locale="de-DE"), server)
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollHeight") <= size["height"]
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("heading", name="Lied per Summen finden")).to_be_visible()
    answered(page)
    expect(page.get_by_role("heading", name="Das ist „Auld Lang Syne“")).to_be_visible()
    expect(page.locator("#found .find__choose").first).to_contain_text("so gut wie sicher, 93\xa0%")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_the_ways_to_the_page(open_browser: OpenBrowser) -> None:
    page = open_browser(**DESKTOP).new_page()
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Find a song by humming").click()
    here = page.get_by_role("navigation").get_by_role("link", name="Find", exact=True)
    expect(here).to_have_attribute("aria-current", "page")
