"""The double-check page in Chromium: by keys alone, with the next item ready before it is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, Route, expect

from annotation.models import PassedOver, Reviewer, ReviewItem, Verdict
from annotation.roles import make_reviewer
from annotation.tests.desks import make_control
from recordings.models import CoverFragment, Fragment, Humming
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RATIO = 1.02
WAIT_MS = 30_000
# From the key to the sound, ms.
MOST_MS = 100


@pytest.fixture(autouse=True)
def one_is_enough(settings, tmp_path) -> None:
    """One verdict settles, and no control items come in between, unless a test says otherwise."""
    factories.use_storage(settings, tmp_path / "storage")
    settings.VERDICTS_TO_SETTLE = 1
    settings.CONTROL_ITEMS = False


@pytest.fixture
def rita(db) -> AbstractBaseUser:
    person = factories.make_person("rita")
    make_reviewer(person)
    return person


OpenDesk = Callable[..., Page]


@pytest.fixture
def open_desk(live_server, rita, chromium_with_microphone: Callable[..., BrowserContext]) -> OpenDesk:
    """The review page of a signed-in reviewer: `open_desk(width=360)`; `at` is where it opens."""

    def open_page(at: str = "/review/", **size: int) -> Page:
        client = Client()
        client.force_login(rita)
        context = chromium_with_microphone(base_url=live_server.url, **size)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        context.add_cookies([cookie])
        page = context.new_page()
        page.goto(at)
        return page

    return open_page


def waiting_hum(title: str) -> ReviewItem:
    recording = factories.make_recording(factories.make_song(title))
    factories.make_analysis(recording)
    return hum_of(factories.make_fragment(recording))


def hum_of(fragment: Fragment, singer: AbstractBaseUser | None = None) -> ReviewItem:
    return ReviewItem.ask_about(factories.make_humming(fragment, singer, Humming.State.CHECKED))


def waiting_cover() -> ReviewItem:
    cover = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    for recording in (cover.recording, cover.fragment.recording):
        factories.make_analysis(recording)
    return ReviewItem.ask_about(cover)


def shows(page: Page, title: str) -> None:
    expect(page.locator("#what:visible")).to_contain_text(title, timeout=WAIT_MS)


def shows_nothing(page: Page) -> None:
    expect(page.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=WAIT_MS)


def heard(page: Page) -> None:
    """So much was heard that it may be accepted."""
    expect(page.locator('[data-act="accept"]')).to_have_attribute("aria-disabled", "false", timeout=WAIT_MS)


def prefetched(page: Page) -> None:
    expect(page.locator("#review")).to_have_attribute("data-next", "ready", timeout=WAIT_MS)


def saved(page: Page) -> None:
    """The last verdict has been answered."""
    expect(page.locator("#undo-left")).to_have_text(re.compile(r"\d+ s"), timeout=WAIT_MS)


# ---------------------------------------------------------------- a sitting

# What the hands do with an item, and what is written of it. Every third is heard and accepted.
STEPS: list[tuple[list[str], dict[str, Any]]] = [
    (["y"], {"decision": "accept"}),
    (["1"], {"decision": "reject", "reason": "wrong_tune"}),
    (["l", ">", ".", "y"], {"decision": "accept", "nudge_s": -0.055 * RATIO}),
    (["0", *"A dog", "Enter"], {"decision": "reject", "reason": "other", "words": "A dog"}),
    (["w", "w", "Shift+Q", "Shift+E", "y"], {"decision": "accept", "trim_start_s": 0.095, "trim_end_s": 0.005}),
    (["k"], {}),
    (["f", ",", "9"], {"decision": "reject", "reason": "silent", "nudge_s": 0.005 * RATIO}),
]
SITTING = 20


def test_twenty_items_by_keys_alone(open_desk: OpenDesk, capsys) -> None:
    recording = factories.make_recording(factories.make_song("A long tune"), seconds=5.5 * SITTING + 2)
    factories.make_analysis(recording)
    singer = factories.make_person("sam")
    items = [hum_of(factories.make_fragment(recording, 5.0 * n, 5.0 * n + 5), singer) for n in range(SITTING)]
    page = open_desk()
    page.evaluate("performance.setResourceTimingBufferSize(2000)")
    shows(page, "A long tune, phrase 1 of 20")
    page.keyboard.press("y")
    expect(page.locator("#hear-first")).to_be_visible()
    assert not Verdict.objects.exists(), "it has not been heard"
    page.keyboard.press("d")
    for n in range(SITTING):
        shows(page, f"A long tune, phrase {n + 1} of 20")
        if n < SITTING - 1:
            prefetched(page)
        keys, _ = STEPS[n % len(STEPS)]
        if keys[-1] == "y":
            heard(page)
        for key in keys:
            page.keyboard.press(key)
    shows_nothing(page)
    for n, item in enumerate(items):
        _, written = STEPS[n % len(STEPS)]
        verdict = Verdict.objects.filter(item=item).first()
        if not written:
            assert verdict is None
            assert PassedOver.objects.filter(item=item).exists()
            continue
        assert verdict is not None, f"phrase {n + 1}"
        for name, value in {"nudge_s": 0.0, "trim_start_s": 0.0, "trim_end_s": 0.0, **written}.items():
            expected = value if isinstance(value, str) else pytest.approx(value, abs=1e-6)
            assert getattr(verdict, name) == expected, f"{name} of phrase {n + 1}"
        assert verdict.took_s > 0
        assert verdict.heard_s >= (1.5 if verdict.accepts else 0)
    measures = measured(page)
    assert len(measures) == SITTING - 1
    with capsys.disabled():
        spent = sorted(each["ms"] for each in measures)
        print(f"\nverdict to sound: median {median(spent):.1f} ms, slowest {spent[-1]:.1f} ms, of {len(spent)}")
    assert median(each["ms"] for each in measures) < MOST_MS
    for each in measures:
        assert each["loaded"] == 4, "both sides and both curves"
        assert each["last"] <= each["from"], "it was loaded before it was needed"


def measured(page: Page) -> list[dict[str, float]]:
    """Each time from a verdict's key to the next sound, with how much of that item was loaded and when at last."""
    return page.evaluate(
        """() => performance.getEntriesByName("verdict-to-sound").map(({ duration, startTime, detail }) => {
          const loads = performance.getEntriesByType("resource").filter(({ name }) => (
            name.includes(detail.item) && /\\/(audio|curve)$/.test(name)));
          const last = Math.max(...loads.map(({ responseEnd }) => responseEnd));
          return { ms: duration, from: startTime, loaded: loads.length, last };
        })"""
    )


# ---------------------------------------------------------------- hearing and seeing


def test_hearing_from_any_point_and_what_the_hands_move(open_desk: OpenDesk) -> None:
    item = waiting_hum("First tune")
    page = open_desk()
    shows(page, "First tune")
    pressed = page.locator('[data-play][aria-pressed="true"]')
    wave = page.locator("#wave-voice")
    box = wave.bounding_box()
    middle = box["y"] + box["height"] / 2

    def at(second: float) -> float:
        """Where a second of the fragment (5 s long, 0.3 s around it) stands on the screen."""
        return box["x"] + 6 + (second + 0.3) / 5.6 * (box["width"] - 12)

    page.mouse.click(at(3), page.locator("#wave-reference").bounding_box()["y"] + 10)
    expect(pressed).to_have_attribute("data-play", "both")
    expect(page.locator("#clock")).to_have_text(re.compile(r"^3\.\d of 5\.0 s"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#clock")).to_have_text(re.compile(r"^2\.\d of"))
    page.keyboard.press("s")
    expect(pressed).to_have_attribute("data-play", "voice")
    assert 1.5 < place_of(page) < 4, "it goes on from the same place"
    page.keyboard.press(" ")
    expect(pressed).to_have_count(0)
    assert place_of(page) > 1.5
    page.keyboard.press("Home")
    expect(page.locator("#clock")).to_have_text("0.0 of 5.0 s")
    # A drag moves the version while it plays on; a drag of an end trims it.
    page.keyboard.press("l")
    page.keyboard.press("d")
    drag(page, at(2), at(2.5), middle)
    expect(page.locator("#nudge")).to_have_text("+500 ms")
    expect(pressed).to_have_attribute("data-play", "both")
    page.keyboard.press("x")
    expect(page.locator("#nudge")).to_have_text("as found")
    drag(page, at(0) + 3, at(1) + 3, middle)
    expect(page.locator("#trim-start")).to_have_text(re.compile(r"^\+10[12]\d ms"))
    drag(page, at(5) - 3, at(4.5) - 3, middle)
    expect(page.locator("#trim-end")).to_have_text(re.compile(r"^−5[01]\d ms"))
    heard(page)
    page.keyboard.press("y")
    shows_nothing(page)
    verdict = Verdict.objects.get(item=item)
    assert verdict.nudge_s == 0
    assert verdict.trim_start_s == pytest.approx(1.0 * RATIO, abs=0.01)
    assert verdict.trim_end_s == pytest.approx(0.5 * RATIO, abs=0.01)


def place_of(page: Page) -> float:
    return float(page.locator("#clock").inner_text().split()[0])


def drag(page: Page, from_x: float, to_x: float, y: float) -> None:
    page.mouse.move(from_x, y)
    page.mouse.down()
    page.mouse.move((from_x + to_x) / 2, y)
    page.mouse.move(to_x, y)
    page.mouse.up()


def test_the_next_one_waits_where_it_shall(open_desk: OpenDesk) -> None:
    for title in ("First tune", "Second tune", "Third tune"):
        waiting_hum(title)
    page = open_desk()
    shows(page, "First tune")
    page.keyboard.press("s")
    prefetched(page)
    page.keyboard.press("1")
    shows(page, "Second tune")
    expect(page.locator('[data-play="voice"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("p")
    page.keyboard.press("1")
    shows(page, "Third tune")
    expect(page.locator('[data-play][aria-pressed="true"]')).to_have_count(0)
    page.reload()
    shows(page, "Third tune")
    expect(page.locator('[data-act="atOnce"]')).to_have_attribute("aria-pressed", "false")


def test_a_cover_fragment_has_its_own_reasons(open_desk: OpenDesk) -> None:
    waiting_cover()
    page = open_desk()
    shows(page, "cover")
    expect(page.get_by_role("button", name="different song")).to_be_visible()
    page.keyboard.press("1")
    shows_nothing(page)
    assert Verdict.objects.get().reason == "different_song"


def test_it_fits_its_screens_and_nothing_moves(open_desk: OpenDesk) -> None:
    waiting_hum("Short")
    cover = waiting_cover().cover_fragment
    waiting_hum("A tune with a title that is very much longer than any phone is wide, and then some")
    titles = (cover.fragment.recording.song.title, "Short", "A tune with a title")
    page = open_desk(width=1280, height=720)
    places = []
    for title in titles:
        shows(page, title)
        where = ("#curves", "#reasons-of-this", "#hear-first")
        places.append([page.locator(one).bounding_box()["y"] for one in where])
        assert page.evaluate("document.documentElement.scrollHeight") <= 720
        page.keyboard.press("1")
    shows_nothing(page)
    assert places[0] == places[1] == places[2]
    Verdict.objects.all().delete()
    ReviewItem.objects.update(state="waiting", settled_at=None)
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    for title in titles:
        shows(page, title)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.keyboard.press("1")
    shows_nothing(page)


# ---------------------------------------------------------------- taking back


def test_a_verdict_is_taken_back_within_ten_seconds(open_desk: OpenDesk) -> None:
    item = waiting_hum("First tune")
    waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    page.keyboard.press("2")
    shows(page, "Second tune")
    saved(page)
    item.refresh_from_db()
    assert item.settled_at is not None
    page.keyboard.press("u")
    shows(page, "First tune")
    item.refresh_from_db()
    assert item.settled_at is None
    assert Humming.objects.get(pk=item.humming_id).state == Humming.State.CHECKED
    page.keyboard.press("1")
    # What lay on the desk comes next, without being fetched again.
    shows(page, "Second tune")
    page.keyboard.press("3")
    shows_nothing(page)
    page.keyboard.press("u")
    shows(page, "Second tune")
    page.keyboard.press("4")
    shows_nothing(page)
    standing = Verdict.objects.standing().order_by("at").values_list("reason", flat=True)
    assert list(standing) == ["wrong_tune", "leak"]
    assert Verdict.objects.count() == 4


def test_my_last_verdicts(open_desk: OpenDesk, settings) -> None:
    settings.VERDICTS_TO_SETTLE = 2
    item = waiting_hum("First tune")
    waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    page.keyboard.press("6")
    shows(page, "Second tune")
    saved(page)
    # Long enough ago that the line has gone; not settled, so that it may still be taken back.
    Verdict.objects.update(at=timezone.now() - timezone.timedelta(hours=1))
    page.keyboard.press("2")
    shows_nothing(page)
    expect(page.locator("#waits-for-others")).to_be_visible()
    saved(page)
    page.keyboard.press("v")
    rows = page.locator("#last-rows tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("Second tune, phrase 1")
    expect(rows.nth(1)).to_contain_text("clipped")
    expect(rows.nth(1)).to_contain_text("waits for others")
    rows.nth(1).get_by_role("button", name=re.compile("Take back.*First tune, phrase 1")).press("Enter")
    shows(page, "First tune")
    expect(page.locator("#last-verdicts")).to_be_hidden()
    assert list(Verdict.objects.standing().values_list("reason", flat=True)) == ["off_time"]
    assert item.verdicts.standing().count() == 0


# ---------------------------------------------------------------- practice


def test_practice_says_what_it_was_and_stays_until_it_is_read(open_desk: OpenDesk, settings) -> None:
    settings.CONTROL_ITEMS = True
    control = make_control("shifted", shift_ms=300)
    waiting_hum("First tune")
    page = open_desk()
    shows(page, "Auld Lang Syne")
    expect(page.locator("#notices")).to_contain_text("Practice: some items are ones whose answer we know")
    prefetched(page)
    page.keyboard.press("d")
    heard(page)
    page.keyboard.press("y")
    box = page.locator("#practice")
    expect(box).to_contain_text("Not quite: this one is to be rejected", timeout=WAIT_MS)
    expect(box).to_contain_text("It was moved by 300 ms")
    expect(box).to_be_focused()
    expect(page.locator("[data-announcer-urgent]")).to_contain_text("It was moved by 300 ms")
    # It can be heard again, and no verdict slips through meanwhile.
    page.keyboard.press("s")
    expect(page.locator('[data-play="voice"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("1")
    page.keyboard.press("y")
    expect(box).to_be_visible()
    assert Verdict.objects.get().item_id == control.pk
    page.keyboard.press("Enter")
    shows(page, "First tune")
    expect(box).to_be_hidden()
    expect(page.locator("#notices")).to_be_empty()


def test_who_is_set_aside_meanwhile_is_told_with_the_item_open(
    open_desk: OpenDesk, settings, rita, monkeypatch
) -> None:
    settings.CONTROL_ITEMS = True
    Reviewer.of(rita).move_to(Reviewer.State.TRUSTED, why="The control items were judged well.")
    Reviewer.objects.update(changed_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr("annotation.double_check.claims.random.random", lambda: 0.0)
    make_control()
    waiting_hum("First tune")
    page = open_desk()
    shows(page, "Auld Lang Syne")
    prefetched(page)
    expect(page.locator("#notices")).to_be_empty()
    Reviewer.of(rita).move_to(Reviewer.State.SET_ASIDE, why="Too many were judged otherwise than they are.")
    page.keyboard.press("1")
    expect(page.locator("#practice")).to_contain_text("Not quite: this one is good", timeout=WAIT_MS)
    shows(page, "Auld Lang Syne")
    expect(page.locator("#notices .notice--warning")).to_contain_text("new ones do not count for now")
    page.keyboard.press("Enter")
    shows(page, "First tune")
    page.keyboard.press("1")
    shows_nothing(page)
    assert Verdict.objects.exclude(item__humming=None).get().counts is False


# ---------------------------------------------------------------- troubles


def test_an_item_that_went_is_told_and_the_next_one_comes(open_desk: OpenDesk) -> None:
    first = waiting_hum("First tune")
    waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    prefetched(page)
    ReviewItem.objects.filter(pk=first.pk).update(leased_to=None, leased_until=None)
    first.refresh_from_db()
    first.close("Withdrawn by its singer.")
    page.keyboard.press("1")
    shows(page, "Second tune")
    expect(page.locator("#notices .notice--bad")).to_contain_text("First tune, phrase 1: The time for")
    assert not Verdict.objects.exists()
    page.keyboard.press("1")
    shows_nothing(page)
    assert Verdict.objects.count() == 1


def test_a_verdict_that_does_not_go_out_is_kept_and_sent_again(open_desk: OpenDesk) -> None:
    first = waiting_hum("First tune")
    second = waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    prefetched(page)
    server = BrokenServer(page)
    page.keyboard.press("3")
    shows(page, "Second tune")
    kept = page.locator("#notices", has_text="Your verdict is kept on this page")
    expect(kept).to_be_visible()
    assert not Verdict.objects.exists()
    server.state = "well"
    page.get_by_role("button", name="Send it now").click()
    expect(page.locator("#notices")).to_be_empty(timeout=WAIT_MS)
    assert Verdict.objects.get().item == first
    # Once more; this time the server has it, and only its answer is lost.
    server.state = "mute"
    page.keyboard.press("2")
    expect(kept).to_be_visible(timeout=WAIT_MS)
    assert Verdict.objects.filter(item=second).exists()
    server.state = "well"
    page.get_by_role("button", name="Send it now").click()
    expect(page.locator("#notices")).to_be_empty(timeout=WAIT_MS)
    assert Verdict.objects.count() == 2


class BrokenServer:
    """What becomes of verdicts: "broken" refuses them, "mute" takes them and does not say so, "well" is as usual."""

    def __init__(self, page: Page) -> None:
        self.state = "broken"
        page.route("**/verdict", self.answer)

    def answer(self, route: Route) -> None:
        if self.state == "well":
            route.continue_()
            return
        if self.state == "mute":
            route.fetch()
        route.fulfill(status=500, content_type="application/json", body="{}")


def test_leaving_gives_everything_back(open_desk: OpenDesk) -> None:
    waiting_hum("First tune")
    waiting_hum("Second tune")
    page = open_desk()
    shows(page, "First tune")
    prefetched(page)
    assert ReviewItem.objects.exclude(leased_to=None).count() == 2
    page.goto("/")
    for _ in range(WAIT_MS // 100):
        if not ReviewItem.objects.exclude(leased_to=None).exists():
            break
        page.wait_for_timeout(100)
    assert not ReviewItem.objects.exclude(leased_to=None).exists()


def test_who_is_idle_is_asked_and_keeps_the_items(open_desk: OpenDesk) -> None:
    waiting_hum("First tune")
    page = open_desk("/")
    ends: dict[str, str] = {}

    def soon_over(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        if body["item"]:
            ends["first"] = body["item"]["expires_at"]
            body["item"]["expires_at"] = (timezone.now() + timezone.timedelta(seconds=40)).isoformat()
        route.fulfill(response=answer, body=json.dumps(body))

    page.route("**/api/review/next", soon_over)
    page.route("**/js/lease.js", lambda route: idle(route))
    page.goto("/review/")
    shows(page, "First tune")
    keep = page.get_by_role("button", name="Keep it")
    expect(keep).to_be_visible(timeout=15_000)
    keep.click()
    expect(page.locator("#notices")).to_be_empty()
    assert ReviewItem.objects.get().leased_until.isoformat() > ends["first"].replace("Z", "+00:00")


def idle(route: Route) -> None:
    """The lease's script, by which nobody was ever active."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("this.active = Date.now();", "this.active = 0;"))
