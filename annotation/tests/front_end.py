"""Fixtures: the page scripts of static/js, run in real Chromium without Django."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Page, Playwright

from chad_site.tests.browser import arguments, chromium_path

ROOT = Path(__file__).resolve().parents[2]
BLANK = b"<!doctype html><title>modules</title>"
# Pages make sound only after a click, which these tests have nobody for.
NO_CLICK_NEEDED = "--autoplay-policy=no-user-gesture-required"


class StaticFiles(SimpleHTTPRequestHandler):
    """The project's own static files, and an empty page at the root."""

    def __init__(self, *request: Any) -> None:
        super().__init__(*request, directory=str(ROOT))

    def do_GET(self) -> None:
        if self.path.startswith("/static/"):
            super().do_GET()
            return
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(BLANK)

    def log_message(self, format: str, *values: Any) -> None:
        """Says nothing: pytest's output is for results."""


@pytest.fixture(scope="module")
def static_home() -> Iterator[str]:
    """An address on this machine, which browsers hold for secure: microphone, IndexedDB and crypto are there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), StaticFiles) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Modules:
    """Calls functions of the page scripts: `modules.run("melody.js", "return m.fold(a[0])", 7)`.

    Samples go in by `packed` and `floats(a[0])`, and come out by `text(samples)` and `unpacked`.
    """

    def __init__(self, page: Page, home: str) -> None:
        self.page = page
        self.home = home
        page.goto(home)

    def run(self, module: str, body: str, *values: Any) -> Any:
        """`body` sees the module as `m` and the values as the list `a`; what it returns comes back."""
        return self.page.evaluate(
            f"async (a) => {{ const m = await import('/static/js/{module}');"
            " const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);"
            " const text = (samples) => btoa(Array.from(new Uint8Array(Float32Array.from(samples).buffer),"
            " (octet) => String.fromCharCode(octet)).join(''));"
            f" {body} }}",
            list(values),
        )


def packed(samples: NDArray[np.floating]) -> str:
    """Samples for `floats(a[0])` in a body."""
    return base64.b64encode(samples.astype("<f4").tobytes()).decode()


def unpacked(text: str) -> NDArray[np.float64]:
    """The samples of `text(samples)` in a body."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


@pytest.fixture(scope="module")
def modules(playwright: Playwright, static_home: str) -> Iterator[Modules]:
    switches = [*arguments(None, loop=False), NO_CLICK_NEEDED]
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=switches)
    yield Modules(browser.new_page(), static_home)
    browser.close()


@pytest.fixture
def modules_with_microphone(
    chromium_with_microphone: Callable[..., BrowserContext], static_home: str
) -> Callable[[Path], Modules]:
    """The same, with a microphone that plays a file once."""

    def opened(wav: Path) -> Modules:
        return Modules(chromium_with_microphone(wav).new_page(), static_home)

    return opened
