"""Takes the pictures of the README from a running instance (`make run`), with Debian's Chromium.

    CHAD_HOME=var PORT=8000 .venv/bin/python docs/pictures/take.py [finding] [humming] [mining] [releases]

The microphone hears the simulated singer. For a full Double-check page, `manage.py simulate` first; for pictures of a
pair and of rounds, `manage.py simulate --rounds 3` with the options that stand in the README; for that of a release,
one has to be published.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from pathlib import Path

import soundfile
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from ml_worker.catalogue import render_original, sing, tunes  # noqa: E402 - the project is found from here on

SLUG, TITLE = "auld-lang-syne", "Auld Lang Syne"
# Of which the page of covers shows what would come.
LIST = b"""work_id,title,performer,youtube_id,year,original
1,Hallelujah,Leonard Cohen,YrLk4vdY28Q,1984,yes
1,Hallelujah,Jeff Buckley,y8AWFf7EAc4,1994,no
1,Hallelujah,John Cale,,1991,no
2,Yesterday,The Beatles,NrgmdOz227I,1965,yes
2,Yesterday,Marianne Faithfull,not known,1965,no
"""
HOME = Path(os.environ.get("CHAD_HOME", HERE.parents[1] / "var"))
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
PATIENCE_MS = 120_000


def passwords() -> dict[str, str]:
    """Of the accounts that the first start made."""
    lines = (HOME / "sign-in.txt").read_text().splitlines()
    return dict(line.split()[:2] for line in lines if len(line.split()) == 2)


def browser(playwright: Playwright, size: str, hum: Path | None = None) -> BrowserContext:
    """A browser of this size; its microphone hears the file, if there is one."""
    width, height = SIZES[size]
    arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    if hum:
        arguments.append(f"--use-file-for-fake-audio-capture={hum}")
    chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
    return chromium.new_context(
        viewport={"width": width, "height": height}, permissions=["microphone"], base_url=ADDRESS
    )


def sign_in(context: BrowserContext, name: str) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(passwords()[name])
    page.get_by_role("button", name="Sign in").last.click()
    page.wait_for_url("**/")
    return page


def save(page: Page, name: str, size: str) -> None:
    page.wait_for_timeout(6000)  # curves and waveforms are drawn after the page is there
    page.screenshot(path=HERE / f"{name}-{size}.png")


def hum_of_first_phrase(folder: Path) -> Path:
    """The simulated singer's take of the tune's first phrase, as a file for the microphone."""
    tune = next(tune for tune in tunes() if tune.slug == SLUG)
    take = sing(render_original(tune).phrase_notes(0), seed=7, style="along")
    soundfile.write(folder / "hum.wav", take.sound.mono(), take.sound.sample_rate)
    return folder / "hum.wav"


def first_phrase(admin: Page) -> str:
    """The id of the tune's first fragment; opens the song's page."""
    admin.goto(f"/manage/songs/?q={TITLE}")
    admin.get_by_role("link", name=TITLE).first.click()
    recording = uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "chad:starter-catalogue"), f"{SLUG}/original")
    return admin.request.get(f"/api/manage/recordings/{recording}/fragments").json()["fragments"][0]["id"]


def take_hum(page: Page, size: str, fragment: str) -> None:
    page.goto(f"/hum/?fragment={fragment}")
    page.locator("#agree").or_(page.locator("#open-microphone")).filter(visible=True).click()
    page.locator("#check-voice[data-step=done]").wait_for()
    save(page, "check", size)
    page.locator("#check-skip").click()
    page.locator("#act-word", has_text="Listen, then hum").wait_for()
    page.locator("#act").click()
    page.locator("#act-word", has_text="Send").wait_for()
    page.locator("#act").click()
    page.locator("#act-word", has_text="Next phrase").or_(page.locator("#act-word", has_text="again")).wait_for()
    page.wait_for_timeout(8000)  # for the check
    save(page, "hum", size)


def of_humming(playwright: Playwright, size: str) -> None:
    """From the sound check to the double-check."""
    with tempfile.TemporaryDirectory() as folder:
        hum = hum_of_first_phrase(Path(folder))
        admin = sign_in(browser(playwright, size, hum), "admin")
        fragment = first_phrase(admin)
        save(admin, "song", size)
        admin.goto("/manage/")
        save(admin, "chain", size)
        # Nobody hums a fragment twice, so each size has a singer of its own.
        name = {"wide": "singer", "narrow": "reviewer"}[size]
        singer = sign_in(browser(playwright, size, hum), name)
        singer.goto("/")
        save(singer, "home", size)
        take_hum(singer, size, fragment)
        singer.goto("/takes/")
        save(singer, "takes", size)
        admin.goto("/review/")
        admin.locator('[data-in="item"]').wait_for()
        save(admin, "review", size)
        admin.goto("/manage/double-check/")
        save(admin, "figures", size)


def of_mining(playwright: Playwright, size: str) -> None:
    """A list of covers before it is brought in, a mined pair, and the rounds; changes nothing."""
    admin = sign_in(browser(playwright, size), "admin")
    admin.goto("/manage/covers/")
    admin.set_input_files("#list-file", {"name": "covers.csv", "mimeType": "text/csv", "buffer": LIST})
    admin.get_by_role("button", name="Show what would come").click()
    admin.get_by_role("heading", name="What would come").wait_for()
    show(admin, "#list-title" if size == "wide" else "#plan-title")
    save(admin, "covers", size)
    first_phrase(admin)
    admin.get_by_role("link", name="See the pair").first.click()
    show(admin, "#picture-title")
    admin.locator(".pair__one").first.focus()
    save(admin, "pair", size)
    admin.goto("/manage/rounds/")
    show(admin, "#figures-title")
    save(admin, "rounds", size)


def of_finding(playwright: Playwright, size: str) -> None:
    """The answer to a hum of somebody who is not signed in."""
    with tempfile.TemporaryDirectory() as folder:
        page = browser(playwright, size).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/find/")
        page.set_input_files("#file", hum_of_first_phrase(Path(folder)))
        page.locator("#both-figure").wait_for()
        save(page, "find", size)


def of_releases(playwright: Playwright, size: str) -> None:
    """The latest published release, as anybody sees it."""
    page = browser(playwright, size).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/releases/")
    page.locator("main a[href^='/releases/']").first.click()
    page.wait_for_load_state("networkidle")
    save(page, "release", size)


def show(page: Page, selector: str) -> None:
    """Scrolls the page to where this is at its top."""
    page.locator(selector).evaluate("element => window.scrollTo(0, element.getBoundingClientRect().top + scrollY - 24)")


GROUPS = {"finding": of_finding, "humming": of_humming, "mining": of_mining, "releases": of_releases}


def main() -> None:
    wanted = sys.argv[1:] or list(GROUPS)
    with sync_playwright() as playwright:
        for name in wanted:
            for size in SIZES:
                GROUPS[name](playwright, size)


if __name__ == "__main__":
    main()
