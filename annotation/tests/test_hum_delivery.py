"""No take is lost: a dead network, a closed tab, an ended session, a server that fails, in real Chromium."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import Page, Request, Response, Route, expect

from annotation import taking
from annotation.handing_out import claim
from annotation.models import Consent, Lease
from annotation.tests.hum_stage import (
    OpenBrowser,
    alice,
    badge_says,
    drafts_in,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    state_is,
    storage,
    to_the_phrase,
    waiting_in,
)
from annotation.tests.wire import Wire, wire
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories

__all__ = ["alice", "open_browser", "storage", "wire"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TAKES = "**/api/hums/*"
# Bytes of a take that get through before the network fails: about a quarter of a short one.
FIRST_PART = 50_000


@pytest.fixture
def hummed(open_browser: OpenBrowser, alice, wire: Wire) -> Page:
    """A page on which a short take was hummed and not sent yet; there is a second phrase."""
    make_phrases(2)
    page = open_browser(alice, quick=True, base_url=wire.url).new_page()
    to_the_phrase(page)
    hum_shortly(page)
    return page


def is_put(traffic: Request | Response) -> bool:
    request = traffic.request if isinstance(traffic, Response) else traffic
    return request.method == "PUT" and "/api/hums/" in request.url


def answers_to(page: Page) -> list[int]:
    """The statuses of all answers to sent takes from now on, in every tab."""
    statuses: list[int] = []
    page.context.on("response", lambda response: statuses.append(response.status) if is_put(response) else None)
    return statuses


def until(page: Page, ready: Callable[[], bool], what: str, limit_s: float = 30) -> None:
    """Waits while the page goes on; fails with `what` when it does not come."""
    for _ in range(round(limit_s / 0.05)):
        if ready():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{what}: it did not come.")


def online(page: Page) -> None:
    """The browser says that there is a network again."""
    page.evaluate("() => { dispatchEvent(new Event('online')); }")


def test_a_network_that_dies_in_mid_upload_keeps_the_take_and_sends_it_when_it_is_back(
    hummed: Page, wire: Wire
) -> None:
    wire.let_through(FIRST_PART)
    send(hummed)
    wire.wait_until_full()
    state_is(hummed, "sending")
    wire.cut()
    hummed.context.set_offline(True)
    sent(hummed, "kept on this device")
    badge_says(hummed, "1 hum waits")
    assert not Humming.objects.exists()
    wire.mend()
    hummed.context.set_offline(False)
    sent(hummed)
    badge_says(hummed, None)
    assert waiting_in(hummed) == []
    assert Humming.objects.count() == 1


def test_a_tab_closed_in_mid_upload_is_made_up_for_by_another_page(hummed: Page, wire: Wire) -> None:
    context = hummed.context
    wire.let_through(FIRST_PART)
    send(hummed)
    wire.wait_until_full()
    hummed.close()
    wire.cut()
    wire.mend()
    home = context.new_page()
    with home.expect_response(is_put) as answer:
        home.goto("/")
    assert answer.value.status == 201
    badge_says(home, None)
    assert waiting_in(home) == []
    assert Humming.objects.count() == 1


def test_a_take_whose_answer_was_lost_is_sent_again_and_stored_once(hummed: Page, wire: Wire) -> None:
    wire.loses_answers = True
    send(hummed)
    sent(hummed, "kept on this device")
    assert Humming.objects.count() == 1, "the server has it; the browser does not know"
    wire.loses_answers = False
    statuses = answers_to(hummed)
    online(hummed)
    sent(hummed)
    badge_says(hummed, None)
    assert statuses == [200]
    assert Humming.objects.count() == 1


def test_a_take_of_a_session_that_ended_is_saved_in_its_singers_name(hummed: Page, alice) -> None:
    hummed.context.clear_cookies(name="sessionid")
    send(hummed)
    sent(hummed)
    take = Humming.objects.get()
    assert take.singer == alice
    badge_says(hummed, None)
    expect(hummed.locator("#notices")).to_contain_text("Please sign in first.")
    hummed.get_by_role("button", name="Go on as a guest").click()
    hummed.get_by_role("button", name="I agree, with AI training").click()
    hummed.get_by_role("button", name="Skip the check").click()
    state_is(hummed, "ready")
    assert Lease.objects.live().exclude(person=alice).count() == 1


def test_a_take_whose_lease_is_over_is_kept_as_a_spare_when_its_slot_is_taken(
    open_browser: OpenBrowser, alice, settings
) -> None:
    settings.SLOTS_PER_FRAGMENT = 1
    make_phrases()
    page = open_browser(alice, quick=True).new_page()
    to_the_phrase(page)
    hum_shortly(page)
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    of_bob = taking.SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={})
    bob = factories.make_person("bob")
    Consent.give(bob)
    taking.save_take(of_bob, claim(bob))
    send(page)
    sent(page)
    take = Humming.objects.get(singer=alice)
    assert take.surplus
    factories.make_check(take)
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text("kept as a spare")


def test_a_server_that_restarts_gets_the_take_without_another_press(hummed: Page) -> None:
    tries: list[int] = []

    def restarting(route: Route) -> None:
        if route.request.method == "PUT" and len(tries) < 2:
            tries.append((502, 503)[len(tries)])
            route.fulfill(status=tries[-1], body="<html>restarting</html>", content_type="text/html")
        else:
            route.continue_()

    # While a take is on its way the clock stands, or the page would think that nobody answers.
    under_way: set[Request] = set()
    hummed.on("request", lambda request: under_way.add(request) if request.method == "PUT" else None)
    for over in ("requestfinished", "requestfailed"):
        hummed.on(over, lambda request: under_way.discard(request))
    hummed.route(TAKES, restarting)
    hummed.clock.install()
    send(hummed)
    sent(hummed, "sent again soon")
    badge_says(hummed, "1 hum waits")

    def later() -> bool:
        if not under_way:
            hummed.clock.fast_forward(300_000)
        return Humming.objects.exists()

    until(hummed, later, "The take is saved")
    assert tries == [502, 503]
    sent(hummed)
    badge_says(hummed, None)
    assert Humming.objects.count() == 1


def test_a_take_that_was_not_sent_is_offered_on_the_next_visit(hummed: Page) -> None:
    context = hummed.context
    (draft,) = drafts_in(hummed)
    # Another one, as of another day.
    hummed.evaluate(
        """async (id) => {
          const outbox = await import("/static/js/outbox.js");
          const [draft] = await outbox.drafts();
          await outbox.keep({ ...draft, id, title: "Ode to Joy", kept_at: "2026-01-02T03:04:05Z" });
        }""",
        str(uuid.uuid4()),
    )
    hummed.close()
    page = context.new_page()
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert not Humming.objects.exists(), "nobody has pressed Send"
    page.goto("/hum/")
    offers = page.locator("#notices .notice")
    expect(offers).to_have_count(2)
    other = offers.filter(has_text="You hummed “Ode to Joy” on Friday, January 2 and did not send it.")
    other.get_by_role("button", name="Hear it").click()
    other.get_by_role("button", name="Discard it").click()
    expect(offers).to_have_count(1)
    assert drafts_in(page) == [draft]
    statuses = answers_to(page)
    offers.get_by_role("button", name="Send it").click()
    expect(page.locator("#notices")).to_contain_text("1 hum that waited on this device is now saved.")
    assert drafts_in(page) == waiting_in(page) == []
    assert statuses == [201]
    assert str(Humming.objects.get().pk) == draft
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(offers).to_have_count(0)
    assert Humming.objects.count() == 1


def test_two_tabs_store_what_waits_once(hummed: Page, alice) -> None:
    context = hummed.context
    is_away = True
    held: list[Route] = []

    def server(route: Route) -> None:
        if route.request.method != "PUT":
            route.continue_()
        elif is_away:
            route.fulfill(status=503, body="")
        else:
            held.append(route)

    context.route(TAKES, server)
    send(hummed)
    sent(hummed, "sent again soon")
    other = context.new_page()
    to_the_phrase(other)
    hum_shortly(other)
    send(other)
    sent(other, "sent again soon")
    for page in (hummed, other):
        badge_says(page, "2 hums wait")

    is_away = False
    statuses = answers_to(hummed)
    online(hummed)
    until(hummed, lambda: len(held) == 1, "The first tab sends")
    online(other)
    for number in (1, 2):
        until(other, lambda number=number: len(held) == number, "The next take is sent")
        held[-1].continue_()
    for page in (hummed, other):
        badge_says(page, None)
    sent(hummed)
    sent(other)
    assert statuses == [201, 201]
    assert len(held) == 2
    assert Humming.objects.count() == 2


def test_a_damaged_take_is_told_in_words_and_may_be_discarded_or_tried_again(
    hummed: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = [hashlib.sha256(b"something else").hexdigest()] * 2
    monkeypatch.setattr(taking, "sha256_of", lambda audio: damage.pop() if damage else sha256_of(audio))
    phrase = hummed.locator("#phrase").inner_text()
    for wish in ("Discard it", "Try again"):
        send(hummed)
        sent(hummed, "could not be sent: The take was damaged on its way here.")
        badge_says(hummed, "1 hum waits")
        assert not Humming.objects.exists()
        hummed.get_by_role("button", name=wish).click()
        badge_says(hummed, None)
        assert waiting_in(hummed) == []
        if wish == "Discard it":
            state_is(hummed, "ready")
            expect(hummed.locator("#phrase")).to_have_text(phrase)
            hum_shortly(hummed)
    sent(hummed)
    assert Humming.objects.count() == 1
