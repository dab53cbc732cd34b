"""The service worker sends what waits when no page of the site is open any more."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page

from chad_site.tests.services import wait_until
from recordings.models import Humming
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A take as the humming page keeps it; nothing is sent by that.
KEEP = """async ({ ticket, wav, id }) => {
  const outbox = await import("/static/js/outbox.js");
  const { sha256 } = await import("/static/js/wav.js");
  const bytes = Uint8Array.from(atob(wav), (c) => c.charCodeAt(0)).buffer;
  const capture = { sample_rate: 16000, frames: 80000, mode: "after" };
  await outbox.keep({ id, user: "1", title: "A tune", wav: bytes, sha256: await sha256(bytes), ticket, capture });
}"""
LEFT = """async () => (await (await import("/static/js/outbox.js")).waiting()).length"""
TAKE_ID = "8d0c9a1e-5b1e-4ef0-9f5c-0a6c4d1f9b11"


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


def registration_of(devtools: CDPSession) -> str:
    """The id of the site's service worker, once the browser tells of it."""
    told: list[str] = []

    def heard(event: dict) -> None:
        told.extend(one["registrationId"] for one in event["registrations"] if not one["isDeleted"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", heard)
    devtools.send("ServiceWorker.enable")
    wait_until(lambda: bool(told) or devtools.send("ServiceWorker.enable") == 0, "A service worker is registered", 20)
    return told[0]


def keep_a_take(page: Page) -> None:
    """A guest is lent a phrase, and a take of it lies in the outbox."""
    page.goto("/hum/")
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url, "Content-Type": "application/json"}
    page.request.post("/api/hum/consent", headers=headers, data='{"ai_training": true}')
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url, "Content-Type": "application/json"}
    ticket = page.request.post("/api/hum/task", headers=headers, data="{}").json()["task"]["ticket"]
    wav = base64.b64encode(factories.audio_file(factories.tone(5.0))).decode()
    page.evaluate(KEEP, {"ticket": ticket, "wav": wav, "id": TAKE_ID})


def test_a_take_is_sent_after_the_last_tab_is_closed(
    live_server, chromium_with_microphone: Callable[..., BrowserContext]
) -> None:
    factories.make_fragment()
    context = chromium_with_microphone(base_url=live_server.url, service_workers="allow")
    page = context.new_page()
    keep_a_take(page)
    assert not Humming.objects.exists(), "nothing is sent yet"
    devtools = context.new_cdp_session(page)
    registration = registration_of(devtools)
    page.goto("about:blank")  # no page of the site is open any more
    devtools.send(
        "ServiceWorker.dispatchSyncEvent",
        {"origin": live_server.url, "registrationId": registration, "tag": "chad-outbox", "lastChance": False},
    )
    wait_until(Humming.objects.filter(pk=TAKE_ID).exists, "The take is saved", 20)
    page.goto("/")
    wait_until(lambda: page.evaluate(LEFT) == 0, "The outbox is empty", 20)
    assert Humming.objects.count() == 1
