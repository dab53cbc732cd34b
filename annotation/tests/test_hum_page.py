"""The humming page in real Chromium on a phone's screen: hummed, sent, checked, told in words."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, Page, expect

from annotation import taking
from annotation.models import Consent
from annotation.tests.hum_stage import (
    DESKTOP,
    PHONE,
    PHRASE_S,
    OpenBrowser,
    alice,
    heard_well,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    sign_in,
    state_is,
    storage,
    to_the_phrase,
)
from chad_site.tests.browser import seen
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RATE = 44_100
# Keeps how long each sound is that the page begins to play, seconds.
COUNT_SOUNDS = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function counted(...when) {
  played.push(this.buffer.duration);
  return start.apply(this, when);
};
"""


@pytest.fixture
def voice(tmp_path) -> Path:
    """A minute of a hum-like tone with harmonics and a slow vibrato."""
    t = np.arange(60 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(196 * 2 ** (0.3 * np.sin(2 * np.pi * 5 * t) / 12)) / RATE
    hum = 0.2 * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase))
    soundfile.write(tmp_path / "voice.wav", hum, RATE, subtype="PCM_16")
    return tmp_path / "voice.wav"


def test_from_consent_to_the_outcome(
    live_server, chromium_with_microphone: Callable[..., BrowserContext], voice: Path
) -> None:
    make_phrases(2)
    bob = factories.make_person("bob")
    phone = chromium_with_microphone(voice, loop=True, **PHONE, base_url=live_server.url)
    sign_in(phone, bob, live_server.url)
    phone.add_init_script(COUNT_SOUNDS)
    page = phone.new_page()
    to_the_phrase(page)
    assert Consent.given_by(bob)
    expect(page.get_by_role("heading", name="Auld Lang Syne")).to_be_visible()
    expect(page.locator("#progress")).to_have_text("0 today, 0 in all, 0 accepted · everybody: 0 of 14")
    page.get_by_role("radio", name="Yes").check()
    page.locator("#act").click()
    heard_well(page)
    page.get_by_role("button", name="Send", exact=True).click()
    sent(page)

    take = Humming.objects.get()
    with take.audio.open() as stored:
        assert sha256_of(stored) == take.audio_sha256
        samples, rate = soundfile.read(io.BytesIO(stored.read()))
    assert take.reference_start_frame == round(0.5 * rate)
    assert len(samples) / rate == pytest.approx(0.5 + PHRASE_S + 1, abs=0.01)
    assert np.abs(samples).max() > 0.2
    assert take.capture["mode"] == "along"
    lost_s = sum(gap["frames"] for gap in take.capture["gaps"]) / rate
    assert lost_s < 0.06, "a busy machine loses a little; more is told"
    assert take.capture["track_settings"]["echoCancellation"] is False
    assert not {"deviceId", "groupId"} & set(take.capture["track_settings"])

    tip = {"code": "noise", "sentence": "There is some noise around you.", "fatal": False}
    factories.make_check(take, ok=True, reasons=[tip])
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text("the check knows the melody")
    expect(page.locator("#outcome")).to_contain_text("There is some noise around you.")
    both_are_drawn_and_heard(page)
    page.get_by_role("button", name="Next phrase").click()
    state_is(page, "ready")
    expect(page.locator("#progress")).to_have_text("1 today, 1 in all, 0 accepted · everybody: 1 of 14")


def both_are_drawn_and_heard(page: Page) -> None:
    """The curve that the check found lies over the melody, and one button plays both at once."""
    picture = re.compile("The melody: 4.0 seconds, .* Your voice, in the melody’s key: [4-6].[0-9] seconds, from A3")
    expect(page.locator("#curve")).to_have_attribute("aria-label", picture)
    page.evaluate("() => { played.length = 0; }")
    page.get_by_role("button", name="Both").click()
    expect(page.get_by_role("button", name="Both")).to_have_attribute("aria-pressed", "true")
    reference_s, voice_s = page.evaluate("played")
    assert reference_s == pytest.approx(PHRASE_S, abs=0.05)
    assert voice_s == pytest.approx(0.5 + PHRASE_S + 1, abs=0.05)
    page.keyboard.press("b")
    page.get_by_role("button", name="Mine").click()
    expect(page.get_by_role("button", name="Mine")).to_have_attribute("aria-pressed", "true")
    assert len(page.evaluate("played")) == 3


def test_a_refused_take_is_told_in_words_and_may_be_hummed_again(open_browser: OpenBrowser, alice) -> None:
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    hum_shortly(page)
    send(page)
    sent(page)
    sentence = "This does not sound like the phrase. Listen to it once more, then hum it again."
    take = Humming.objects.get()
    factories.make_check(take, ok=False, reasons=[{"code": "wrong_tune", "sentence": sentence}])
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text(sentence)
    page.get_by_role("button", name="Hum it again").click()
    state_is(page, "ready")
    expect(page.get_by_role("heading", name="Auld Lang Syne")).to_be_visible()


def test_with_nothing_left_the_page_says_so(open_browser: OpenBrowser, alice) -> None:
    page = open_browser(alice).new_page()
    page.goto("/hum/")
    page.get_by_role("button", name="turn on the microphone").click()
    page.get_by_role("button", name="Skip the check").click()
    expect(seen(page, "You have hummed everything that is open right now.").first).to_be_visible()


def test_everything_fits_on_one_screen(open_browser: OpenBrowser, alice) -> None:
    make_phrases()
    page = open_browser(alice).new_page()
    to_the_phrase(page)
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        shown = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert shown[0] <= size["width"]
        assert shown[1] <= size["height"]
