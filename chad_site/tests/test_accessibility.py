"""No page of singers breaks a rule of WCAG that a machine can check: on a phone and a desk, light and dark.

The rules are those of axe-core. They find perhaps half of what can be amiss; the keyboard and what is said aloud are
tested by annotation/tests/test_hum_by_keys.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotation import taking
from annotation.models import Report, Reviewer, ReviewItem, Verdict
from annotation.roles import make_reviewer
from annotation.tests.desks import make_control
from annotation.tests.finding import SearchServer, answer
from annotation.tests.hum_stage import (
    DESKTOP,
    PHONE,
    OpenBrowser,
    alice,
    hum_shortly,
    make_phrases,
    open_browser,
    send,
    sent,
    state_is,
    storage,
)
from chad_site.tests.browser import seen
from ml_worker import rounds
from ml_worker.tests.made_pages import make_fragments, make_pair, make_round
from recordings.models import AvailabilityCheck, CoverCandidate, Humming
from recordings.release import draft, publish
from recordings.tests import factories

__all__ = ["alice", "open_browser", "storage"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
# Everything that axe has but what is still an experiment of its own, and the size of targets, which it leaves out.
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } });
  return found.violations.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`),
  }));
}"""
# Whatever can be pressed and is smaller than 24 px either way (WCAG 2.5.8). A box of a form is pressed by its label,
# too; a link within a sentence need not be larger than its letters.
SMALL = """() => {
  const LEAST = 24;
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.type !== "hidden";
  const inSentence = (element) => getComputedStyle(element).display === "inline"
    && element.parentElement.textContent.replace(element.textContent, "").trim() !== "";
  const isLarge = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width >= LEAST && height >= LEAST;
  };
  const places = (element) => [element, ...(element.labels ?? [])];
  return [...all]
    .filter((element) => isShown(element) && !inSentence(element) && !places(element).some(isLarge))
    .map((element) => `${element.outerHTML.slice(0, 120)} is ${element.offsetWidth} by ${element.offsetHeight} px`);
}"""
LOOKS = [(size, scheme) for size in (PHONE, DESKTOP) for scheme in ("light", "dark")]


def look_at(page: Page, name: str) -> None:
    """Fails with everything that is amiss with the page as it stands, in every size and colour scheme."""
    troubles = [trouble for look in LOOKS for trouble in troubles_of(page, *look)]
    assert not troubles, f"{name}:\n" + "\n".join(troubles)


def troubles_of(page: Page, size: Any, scheme: Any) -> Iterator[str]:
    page.set_viewport_size(size)
    # Without motion colours are at once what they are going to be.
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(AXE)  # by the debugger's way in: the page's own policy forbids foreign scripts
    where = f"at {size['width']} px, {scheme}"
    for rule in page.evaluate(RUN):
        yield f"{where}: {rule['id']} ({rule['help']})\n  " + "\n  ".join(rule["nodes"])
    for small in page.evaluate(SMALL):
        yield f"{where}: {small}"
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > size["width"]:
        yield f"{where}: the page is {wide} px wide"


def test_the_rules_are_at_work(open_browser: OpenBrowser) -> None:
    page = open_browser().new_page()
    page.goto("/")
    page.evaluate(
        """() => {
          const [image, button] = ["img", "button"].map((name) => document.createElement(name));
          Object.assign(image, { src: "/static/icon.svg" });
          Object.assign(button, { type: "button" });
          Object.assign(button.style, { width: "20px", height: "20px", padding: 0 });
          document.querySelector("main").append(image, button);
        }"""
    )
    told = "\n".join(troubles_of(page, PHONE, "light"))
    for rule in ("image-alt", "button-name", "is 20 by 20 px"):
        assert rule in told


def test_the_humming_page_in_every_state(open_browser: OpenBrowser) -> None:
    make_phrases()
    page = open_browser(quick=True).new_page()
    page.goto("/")
    look_at(page, "home")
    page.goto("/hum/")
    look_at(page, "consent")
    page.evaluate("madeMicrophone.error = 'NotFoundError'")
    page.get_by_role("button", name="I agree, with AI training").click()
    state_is(page, "microphone")
    look_at(page, "microphone, with a trouble")
    page.evaluate("madeMicrophone.error = null; madeMicrophone.voice(false)")
    page.get_by_role("button", name="Turn on the microphone").click()
    state_is(page, "check")
    look_at(page, "sound check, first step")
    page.evaluate("madeMicrophone.voice(true)")
    expect(page.locator("#check-voice")).to_have_attribute("data-step", "done")
    page.evaluate("madeMicrophone.voice(false)")
    page.get_by_role("button", name="Yes, in my headphones").wait_for()
    look_at(page, "sound check, with a question")
    page.get_by_role("button", name="Yes, in my headphones").click()
    page.get_by_role("button", name="Go on").click()
    state_is(page, "ready")
    page.evaluate("madeMicrophone.voice(true)")
    look_at(page, "ready")
    page.locator("#skip-menu summary").click()
    look_at(page, "ready, with its menu")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()
    look_at(page, "the list of keys")
    page.keyboard.press("Escape")
    hum_shortly(page)
    look_at(page, "taken, with findings")
    send(page)
    sent(page)
    take = Humming.objects.get()
    noise = {"code": "noise", "sentence": "There is some noise around you.", "fatal": False}
    factories.make_check(take, reasons=[noise])
    taking.apply_check(take)
    expect(page.locator("#outcome")).to_contain_text("the check knows the melody")
    look_at(page, "sent, with its outcome")
    page.get_by_role("button", name="Next phrase").click()
    state_is(page, "nothing")
    look_at(page, "nothing left")
    for address in ("/takes/", "/account/", "/sign-up/"):
        page.goto(address)
        look_at(page, f"{address} of a guest")


def test_the_finding_page_in_every_state(open_browser: OpenBrowser) -> None:
    server = SearchServer()
    context = open_browser()
    server.serve(context)
    page = context.new_page()

    def hum(state: str, seconds: float = 1.2) -> None:
        page.locator("#act").click()
        page.locator("#find[data-state=humming]").wait_for()
        page.evaluate("(seconds) => madeMicrophone.heard(seconds)", seconds)
        page.locator("#act").click()
        page.locator(f"#find[data-state={state}]").wait_for()

    page.goto("/find/")
    look_at(page, "finding, ready")
    page.evaluate("madeMicrophone.error = 'NotAllowedError'")
    page.locator("#act").click()
    expect(page.locator("#notices .notice")).to_be_visible()
    look_at(page, "finding, without a microphone")
    page.evaluate("madeMicrophone.error = null")
    page.locator("#act").click()
    expect(page.locator("#found li")).to_have_count(3)
    look_at(page, "finding, with songs so far")
    page.get_by_role("button", name="Cancel").click()
    server.slow = True
    hum("searching")
    look_at(page, "finding, searching")
    server.slow = False
    page.locator("#find[data-state=answered]").wait_for()
    expect(page.locator("#both")).to_have_attribute("aria-label", re.compile("Your hum"))
    look_at(page, "finding, answered")
    page.keyboard.press("y")
    page.get_by_role("button", name="Give this hum").click()
    look_at(page, "finding, asked to agree")
    page.get_by_role("button", name="I agree, with AI training").click()
    expect(page.locator("#marked")).to_contain_text("Your hum is kept")
    look_at(page, "finding, with a hum that was given")
    server.whole = answer([0.1, 0.05], here=0.2)
    hum("answered")
    page.get_by_text("What came nearest").click()
    look_at(page, "finding, not in the catalogue")
    server.whole = {"state": "refused", "code": "silent", "sentence": "We could not hear you."}
    hum("ready")
    look_at(page, "finding, refused")


def test_the_pages_of_who_is_signed_in(open_browser: OpenBrowser, alice) -> None:
    alice.set_password("a-long-password")
    alice.save()
    page = open_browser(alice).new_page()
    page.goto("/takes/")
    look_at(page, "takes, none yet")
    for state in Humming.State:
        take = factories.make_humming(singer=alice, state=state, check=state != Humming.State.SAVED)
        factories.make_analysis(take.fragment.recording)
    for address in ("/takes/", "/account/", "/account/leave/", "/hum/songs/", "/hum/songs/?q=nothing"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        look_at(page, address)
    page.goto("/takes/")
    page.locator("[data-withdraw]").first.click()
    look_at(page, "takes, asked whether to withdraw one")
    page.goto("/account/leave/")
    page.get_by_role("radio").first.check()
    page.get_by_label("Your password").fill("a guess")
    page.get_by_role("button", name="Delete it").click()
    expect(seen(page, "This is not your password.")).to_be_visible()
    look_at(page, "leaving, with an error")


def test_the_admins_pages_of_removals(open_browser: OpenBrowser) -> None:
    admin = factories.make_person("admin", is_staff=True)
    page = open_browser(admin).new_page()
    page.goto("/manage/removals/")
    look_at(page, "removals, none yet")
    original = factories.make_humming().fragment.recording
    factories.make_analysis(original)
    page.goto(f"/manage/songs/{original.song_id}/take-down/")
    look_at(page, "a song that is to be taken down")
    page.get_by_role("button", name="Take it down").click()
    expect(seen(page, "Say why the song is taken down")).to_be_visible()
    look_at(page, "taking down, with an error")
    page.get_by_label("Why").fill("Its owner asked for it.")
    page.get_by_role("button", name="Take it down").click()
    expect(seen(page, "This song was taken down on")).to_be_visible()
    expect(page.locator("#playhead")).to_have_count(0)
    look_at(page, "a song that was taken down")
    page.goto("/manage/removals/?kind=song")
    look_at(page, "removals")


def test_the_admins_page_of_reports(open_browser: OpenBrowser) -> None:
    page = open_browser(factories.make_person("admin", is_staff=True)).new_page()
    page.goto("/manage/reports/")
    look_at(page, "reports, none yet")
    take = factories.make_humming()
    factories.make_analysis(take.fragment.recording)
    item = ReviewItem.ask_about(take)
    facts = {"fragment_id": take.fragment.pk, "release": "1.0", "reason": "other", "words": "It is another title."}
    for kind, version in (("humming", take), ("original", take.fragment)):
        Report.objects.create(version_id=version.pk, audio_type=kind, **facts)
    page.goto("/manage/reports/")
    page.get_by_role("button", name="Mended").click()
    expect(seen(page, "Say what you did")).to_be_visible()
    look_at(page, "reports, with an error")
    page.get_by_label("What you did").fill("Renamed.")
    page.get_by_role("button", name="Mended").click()
    expect(seen(page, "1 report is decided.")).to_be_visible()
    page.goto("/manage/reports/?state=decided")
    look_at(page, "reports, decided")
    page.goto(f"/manage/items/{item.pk}/")
    look_at(page, "an item that was reported")


def test_the_admins_pages_of_covers(open_browser: OpenBrowser) -> None:
    page = open_browser(factories.make_person("admin", is_staff=True)).new_page()
    page.goto("/manage/covers/")
    look_at(page, "covers, without songs")
    page.get_by_role("button", name="Show what would come").click()
    expect(seen(page, "Choose a list.")).to_be_visible()
    look_at(page, "a list, with an error")
    table = b"title,artist,youtube_id\nA song,Somebody,aaaaaaaaaaa\nA song,Another,bbbbbbbbbbb\none cell\n"
    page.set_input_files("#list-file", {"name": "my.csv", "mimeType": "text/csv", "buffer": table})
    page.get_by_role("button", name="Show what would come").click()
    expect(page.get_by_role("heading", name="What would come")).to_be_visible()
    look_at(page, "what a list would bring")
    song = factories.make_song()
    page.goto(f"/manage/covers/{song.pk}/")
    look_at(page, "covers of a song, none yet")
    why = [{"filter": "live", "sentence": "It is live."}]
    for number, state in enumerate(CoverCandidate.State):
        aside = why if state == CoverCandidate.State.FILTERED else []
        facts = {"title": f"Video {number}", "found_by": "a search", "filtered_because": aside, "state": state}
        CoverCandidate.objects.create(song=song, youtube_id=f"{number:011d}", **facts)
    for months in (20, 10):
        video = factories.make_recording(song, "cover", source="youtube", youtube_id=f"a{months:010d}", hz=200 + months)
        AvailabilityCheck.note(video, months == 20, at=timezone.now() + timedelta(days=30 * months))
    page.goto("/manage/covers/")
    expect(page.locator("#losses-plot svg")).to_be_visible()
    look_at(page, "covers, with losses")
    for state in CoverCandidate.State:
        page.goto(f"/manage/covers/{song.pk}/?state={state}")
        look_at(page, f"covers of a song, {state}")
    page.goto(f"/manage/covers/{song.pk}/")
    page.keyboard.press("n")
    expect(page.get_by_role("button", name="Take back: Video 0")).to_be_visible()
    look_at(page, "covers of a song, after a decision")


def test_the_admins_pages_of_mined_pairs(open_browser: OpenBrowser) -> None:
    page = open_browser(factories.make_person("admin", is_staff=True)).new_page()
    page.goto("/manage/pairs/")
    look_at(page, "odd pairs, none yet")
    pair, other = make_pair("same"), make_pair("nothing", title="Greensleeves")
    make_fragments(pair)
    page.goto("/manage/pairs/")
    look_at(page, "odd pairs")
    page.get_by_role("button", name="Keep it: Greensleeves").click()
    expect(seen(page, "Kept by admin")).to_be_visible()
    look_at(page, "odd pairs, one of them kept")
    page.goto(f"/manage/pairs/{pair.pk}/")
    page.locator(".pair__one").first.focus()
    look_at(page, "a mined pair, with a fragment that is looked at")
    page.locator("summary").first.click()
    look_at(page, "a mined pair, with the evidence of a fragment")
    page.goto(f"/manage/pairs/{other.pk}/")
    look_at(page, "a mined pair without fragments")
    page.goto(f"/manage/songs/{pair.original.song_id}/")
    look_at(page, "a song with an odd pair")


def test_the_admins_pages_of_rounds(open_browser: OpenBrowser) -> None:
    page = open_browser(factories.make_person("admin", is_staff=True)).new_page()
    page.goto("/manage/rounds/")
    look_at(page, "rounds, none yet")
    page.get_by_label("short, which mines").uncheck()
    page.get_by_role("button", name="Start a round").click()
    expect(seen(page, "Choose a network to train.")).to_be_visible()
    look_at(page, "rounds, with an error")
    past = [make_round(state, before=0.5) for state in ("promoted", "refused")]
    page.goto("/manage/rounds/")
    expect(page.locator("figure[data-plot] svg")).to_have_count(4)
    for summary in page.locator("summary").all():
        summary.click()
    look_at(page, "rounds, with figures")
    page.goto(f"/manage/rounds/{past[0].pk}/")
    page.locator("summary").first.click()
    look_at(page, "a past round")
    rounds.start()
    page.goto("/manage/rounds/")
    look_at(page, "an open round")


def test_the_admins_pages_of_the_double_check(open_browser: OpenBrowser) -> None:
    page = open_browser(factories.make_person("admin", is_staff=True)).new_page()
    for address in ("/manage/double-check/", "/manage/items/"):
        page.goto(address)
        look_at(page, f"{address} without data")
    cache.clear()
    judges = [factories.make_person(name) for name in ("ann", "bo")]
    for number in range(3):
        take = factories.make_humming(state=Humming.State.CHECKED)
        factories.make_analysis(take.fragment.recording)
        item = ReviewItem.ask_about(take)
        for judge, decision in zip(judges, ("accept", "reject"), strict=True):
            verdict = item.judge(judge, decision, reason="noise" if decision == "reject" else "")
            Verdict.objects.filter(pk=verdict.pk).update(at=timezone.now() - timedelta(weeks=number))
    facts = {"accepts_good": 0.9, "rejects_bad": 0.8, "measured_at": timezone.now()}
    Reviewer.objects.update(**facts)
    for address in (
        "/manage/double-check/", "/manage/items/?state=waiting", "/manage/items/?q=nothing",
        f"/manage/items/{item.pk}/", f"/manage/reviewers/{judges[0].reviewer.pk}/",
    ):  # fmt: skip
        page.goto(address)
        page.wait_for_load_state("networkidle")
        look_at(page, address)
    page.goto(f"/manage/items/{item.pk}/")
    page.get_by_role("button", name="Decide").click()
    look_at(page, "an item, with an error")
    cache.clear()


def test_the_double_check_page_in_every_state(open_browser: OpenBrowser) -> None:
    rita = factories.make_person("rita")
    make_reviewer(rita)
    take = factories.make_humming(state=Humming.State.CHECKED)
    factories.make_analysis(take.fragment.recording)
    ReviewItem.ask_about(take)
    make_control("shifted", shift_ms=300)
    page = open_browser(rita).new_page()
    page.goto("/review/")
    expect(page.locator("#what:visible")).to_be_visible(timeout=30_000)
    look_at(page, "the double-check, with a notice")
    page.keyboard.press("w")
    page.keyboard.press("0")
    look_at(page, "the double-check, trimmed, with a reason in words")
    page.keyboard.press("Escape")
    page.locator("#what").focus()
    page.keyboard.press("2")
    expect(page.locator("#practice")).to_be_visible(timeout=30_000)
    look_at(page, "the double-check, practice")
    page.keyboard.press("v")
    expect(page.locator("#last-rows tr")).to_have_count(1)
    look_at(page, "the double-check, my last verdicts")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#practice")).to_be_hidden()
    page.keyboard.press("2")
    page.get_by_role("heading", name="Nothing to double-check").wait_for()
    look_at(page, "the double-check, nothing left")


def test_the_pages_of_strangers(open_browser: OpenBrowser) -> None:
    make_phrases()
    page = open_browser().new_page()
    for address in ("/sign-in/", "/sign-up/", "/nowhere/"):
        page.goto(address)
        look_at(page, address)
    page.goto("/sign-in/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("a guess")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.locator(".notice--bad")).to_be_visible()
    look_at(page, "signing in, with an error")
    page.goto("/sign-up/")
    page.get_by_label("Username").fill("a name with spaces")
    page.locator("#id_password1").fill("1")
    page.locator("#id_password2").fill("2")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".field__error").first).to_be_visible()
    look_at(page, "signing up, with errors")


def test_the_pages_of_releases(open_browser: OpenBrowser, settings: Any, tmp_path: Path) -> None:
    settings.CHAD_HOME = tmp_path
    page = open_browser().new_page()
    page.goto("/releases/")
    look_at(page, "releases, none yet")
    original = factories.make_recording(redistributable=True)
    factories.make_analysis(original)
    take = factories.make_humming(factories.make_fragment(original))
    publish("1.0", tmp_path / "releases/1.0", notes="The first one.")
    page.goto("/releases/")
    look_at(page, "releases")
    page.goto("/releases/1.0/?find=nonsense")
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    look_at(page, "a release, with an error")
    page.goto(f"/releases/1.0/{take.pk}/")
    page.get_by_role("button", name="Report as wrong").click()
    page.get_by_role("button", name="Send the report").click()
    expect(page.locator("#report-error")).to_be_visible()
    look_at(page, "a released version, with an error in the report")
    take.move_to(Humming.State.WITHDRAWN, why="by its singer")
    page.goto(f"/releases/1.0/{take.pk}/")
    look_at(page, "a released version that left")


def test_the_admins_page_of_a_draft(open_browser: OpenBrowser, settings: Any, tmp_path: Path) -> None:
    settings.CHAD_HOME = tmp_path
    factories.make_humming(factories.make_fragment(factories.make_recording(redistributable=True)))
    draft("1.0", tmp_path / "releases/1.0")
    page = open_browser(factories.make_person("boss", is_staff=True)).new_page()
    page.goto("/manage/releases/")
    look_at(page, "the admin's releases, with a draft")
    page.goto("/manage/releases/1.0/")
    look_at(page, "a draft")
    page.get_by_label("I know, and it is right so: notes").check()
    page.get_by_role("button", name="Publish 1.0").click()
    expect(page.get_by_role("alert").filter(has_text="Tick what you know of")).to_be_visible()
    expect(page.get_by_label("I know, and it is right so: notes")).to_be_checked()
    look_at(page, "a draft that is not all ticked")
