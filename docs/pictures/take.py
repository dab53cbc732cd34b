"""Takes the pictures of the README from a running instance (`make run`), with Debian's Chromium.

    CHAD_HOME=var PORT=8000 .venv/bin/python docs/pictures/take.py HUM.wav

HUM.wav is what the microphone hears on the humming page.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

HERE = Path(__file__).resolve().parent
HOME = Path(os.environ.get("CHAD_HOME", HERE.parents[1] / "var"))
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
PATIENCE_MS = 120_000


def passwords() -> dict[str, str]:
    """Of the accounts that the first start made."""
    lines = (HOME / "sign-in.txt").read_text().splitlines()
    return dict(line.split()[:2] for line in lines if len(line.split()) == 2)


def browser(playwright: Playwright, size: str, hum: Path) -> BrowserContext:
    width, height = SIZES[size]
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={hum}",
    ]
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
    page.wait_for_timeout(1500)  # curves are drawn after the page is there
    page.screenshot(path=HERE / f"{name}-{size}.png")


def take_hum(page: Page, size: str) -> None:
    page.goto("/hum/")
    if page.locator("#agree").is_visible():
        page.locator("#agree").click()
    page.locator("#open-microphone").click()
    page.locator("#act-word", has_text="Listen, then hum").wait_for()
    page.locator("#act").click()
    page.locator("#act-word", has_text="Send").wait_for()
    page.locator("#act").click()
    page.locator("#act-word", has_text="Next phrase").or_(page.locator("#act-word", has_text="again")).wait_for()
    page.wait_for_timeout(8000)  # for the check
    save(page, "hum", size)


def main(hum: Path) -> None:
    with sync_playwright() as playwright:
        for size in SIZES:
            context = browser(playwright, size, hum)
            page = context.new_page()
            page.goto("/")
            save(page, "home", size)
            singer = sign_in(context, "singer")
            take_hum(singer, size)
            singer.goto("/takes/")
            save(singer, "takes", size)
            context.close()
            admin = sign_in(browser(playwright, size, hum), "admin")
            admin.goto("/review/")
            admin.locator('[data-in="item"]').wait_for()
            save(admin, "review", size)
            admin.goto("/manage/")
            save(admin, "chain", size)
            admin.goto("/manage/songs/?q=Auld")
            admin.get_by_role("link", name="Auld Lang Syne").first.click()
            save(admin, "song", size)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
