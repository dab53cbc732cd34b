"""Requests that a browser sends as it closes, or that are under way then, end before the test's tables are emptied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from chad_site.tests.services import wait_until

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Door:
    """A WSGI application that knows how many requests are in it, and lets none in while it is closed."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.inside = 0
        self.is_open = False
        self.one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self.one_at_a_time:
            if not self.is_open:
                start_response("503 Service Unavailable", [])
                return []
            self.inside += 1
        try:
            return self.application(environ, start_response)
        finally:
            with self.one_at_a_time:
                self.inside -= 1

    def close(self) -> None:
        """Returns when everybody has left."""
        with self.one_at_a_time:
            self.is_open = False
        wait_until(lambda: self.inside == 0, "The last request is answered")


@pytest.fixture(scope="session")
def door(live_server: Any) -> Door:
    """Between the live server and Django."""
    door = Door(live_server.thread.httpd.get_app())
    live_server.thread.httpd.set_app(door)
    return door


@pytest.fixture(autouse=True)
def nobody_comes_late(request: pytest.FixtureRequest) -> Iterator[None]:
    """Closed after the browser, which is asked for later, and before the tables are emptied."""
    if "live_server" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("transactional_db")
    door = request.getfixturevalue("door")
    door.is_open = True
    yield
    door.close()
