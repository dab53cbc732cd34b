"""The humming page in real Chromium on a phone's screen: hummed, kept, sent once, told in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from annotation import taking
from annotation.models import Consent
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RATE = 44_100
# The phrase of these tests: short, so that they are.
PHRASE_S = 4.0


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def alice():
    return factories.make_person("alice")


@pytest.fixture
def voice(tmp_path) -> Path:
    """A minute of a hum-like tone with harmonics and a slow vibrato."""
    t = np.arange(60 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(196 * 2 ** (0.3 * np.sin(2 * np.pi * 5 * t) / 12)) / RATE
    hum = 0.2 * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase))
    soundfile.write(tmp_path / "voice.wav", hum, RATE, subtype="PCM_16")
    return tmp_path / "voice.wav"


@pytest.fixture
def phone(alice, voice, live_server, chromium_with_microphone: Callable[..., BrowserContext]) -> BrowserContext:
    """Alice's phone, signed in."""
    client = Client()
    client.force_login(alice)
    context = chromium_with_microphone(voice, loop=True, width=360, height=740, base_url=live_server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    return context


def make_phrases(count: int = 1) -> None:
    recording = factories.make_recording()
    factories.make_analysis(recording)
    for number in range(count):
        factories.make_fragment(recording, number, number + PHRASE_S)


def state_is(page: Page, state: str, seconds: float = 30) -> None:
    page.locator(f"#hum[data-state={state}]").wait_for(timeout=seconds * 1000)


def to_the_phrase(page: Page) -> None:
    """From the page's address to a phrase that can be hummed, past the sound check."""
    page.goto("/hum/")
    page.get_by_role("button", name="turn on the microphone").click()
    page.get_by_role("button", name="Skip the check").click()
    state_is(page, "ready")


def hum_along(page: Page) -> None:
    page.get_by_role("radio", name="Yes").check()
    page.locator("#act").click()
    state_is(page, "taken")


def test_from_consent_to_the_outcome(phone: BrowserContext, alice) -> None:
    make_phrases()
    page = phone.new_page()
    to_the_phrase(page)
    assert Consent.given_by(alice)
    expect(page.get_by_role("heading", name="Auld Lang Syne")).to_be_visible()
    hum_along(page)
    expect(page.locator("#outcome")).to_contain_text("We heard you well.")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#outcome")).to_contain_text("Saved, thank you.")

    take = Humming.objects.get()
    with take.audio.open() as stored:
        assert sha256_of(stored) == take.audio_sha256
        samples, rate = soundfile.read(io.BytesIO(stored.read()))
    assert take.reference_start_frame == round(0.5 * rate)
    assert len(samples) / rate == pytest.approx(0.5 + PHRASE_S + 1, abs=0.01)
    assert np.abs(samples).max() > 0.2
    assert take.capture["mode"] == "along"
    assert take.capture["gaps"] == []
    assert take.capture["track_settings"]["echoCancellation"] is False
    assert not {"deviceId", "groupId"} & set(take.capture["track_settings"])

    factories.make_check(take, ok=True)
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text("the check knows the melody")
    expect(page.get_by_role("button", name="Both")).to_be_enabled()


def test_a_refused_take_is_told_in_words_and_may_be_hummed_again(phone: BrowserContext) -> None:
    make_phrases()
    page = phone.new_page()
    to_the_phrase(page)
    hum_along(page)
    page.get_by_role("button", name="Send", exact=True).click()
    state_is(page, "sent")
    sentence = "This does not sound like the phrase. Listen to it once more, then hum it again."
    take = Humming.objects.get()
    factories.make_check(take, ok=False, reasons=[{"code": "wrong_tune", "sentence": sentence}])
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text(sentence)
    page.get_by_role("button", name="Hum it again").click()
    state_is(page, "ready")
    expect(page.get_by_role("heading", name="Auld Lang Syne")).to_be_visible()


def test_by_keys_alone(phone: BrowserContext) -> None:
    make_phrases(2)
    page = phone.new_page()
    page.goto("/hum/")
    for name in ("turn on the microphone", "Skip the check"):
        button = page.get_by_role("button", name=name)
        button.wait_for()
        while not button.evaluate("(element) => element === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    state_is(page, "ready")
    page.keyboard.press("l")
    expect(page.locator("#play-reference")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("l")
    page.locator("input[name=mode][value=along]").focus()
    page.keyboard.press("Space")
    page.locator("#act").focus()
    page.keyboard.press("Space")
    state_is(page, "busy")
    state_is(page, "taken")
    page.keyboard.press("Enter")
    state_is(page, "sent")
    page.keyboard.press("n")
    expect(page.locator("#phrase")).to_contain_text("phrase 2 of 2")


def test_a_take_without_network_is_kept_and_saved_once_when_the_page_is_next_opened(phone: BrowserContext) -> None:
    make_phrases()
    page = phone.new_page()
    to_the_phrase(page)
    hum_along(page)
    phone.set_offline(True)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#outcome")).to_contain_text("kept on this device")
    expect(page.locator("[data-outbox-words]")).to_have_text("1 hum waits")
    page.close()
    assert Humming.objects.count() == 0
    phone.set_offline(False)
    page = phone.new_page()
    page.goto("/hum/")
    expect(page.locator("#notices")).to_contain_text("1 hum that waited on this device is now saved.")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert Humming.objects.count() == 1


MICROPHONE_ERRORS = {
    "NotAllowedError": "The browser keeps the microphone from us.",
    "NotFoundError": "We found no microphone.",
    "NotReadableError": "Another program holds the microphone.",
}


def test_without_a_microphone_the_page_says_what_to_do(phone: BrowserContext, alice) -> None:
    Consent.give(alice)
    page = phone.new_page()
    page.goto("/hum/")
    for error, sentence in MICROPHONE_ERRORS.items():
        page.evaluate(
            "(name) => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', name) } }",
            error,
        )
        page.get_by_role("button", name="turn on the microphone").click()
        expect(page.locator("#notices")).to_contain_text(sentence)
        expect(page.get_by_role("button", name="Turn on the microphone")).to_be_enabled()


def test_with_nothing_left_the_page_says_so(phone: BrowserContext, alice) -> None:
    Consent.give(alice)
    page = phone.new_page()
    page.goto("/hum/")
    page.get_by_role("button", name="turn on the microphone").click()
    page.get_by_role("button", name="Skip the check").click()
    expect(page.get_by_text("You have hummed everything that is open right now.").first).to_be_visible()


def test_everything_fits_on_one_screen(phone: BrowserContext) -> None:
    make_phrases()
    page = phone.new_page()
    to_the_phrase(page)
    for width, height in ((360, 740), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert size[0] <= width
        assert size[1] <= height
