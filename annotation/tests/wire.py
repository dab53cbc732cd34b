"""A wire between a browser and the tests' server that can become slow, be cut, or lose the answers.

It is a real connection to a real port: what is on its way when the wire is cut has half arrived.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from threading import Condition, Thread

import pytest

PIECE = 4096


class Wire:
    """Passes on what comes: `url` is the browser's end of it."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.change = Condition()
        self.is_cut = False
        self.loses_answers = False
        self.left: int | None = None
        self.ends: set[socket.socket] = set()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        Thread(target=self.receive, daemon=True).start()

    def let_through(self, octets: int | None) -> None:
        """Only so many bytes more get to the server; None: all."""
        with self.change:
            self.left = octets
            self.change.notify_all()

    def wait_until_full(self, limit_s: float = 30) -> None:
        """Waits until something is on its way that is not let through."""
        with self.change:
            assert self.change.wait_for(lambda: self.left == 0, limit_s), "Nothing was sent."

    def cut(self) -> None:
        """Nobody reaches the server any more; what is on its way is lost."""
        with self.change:
            self.is_cut = True
            self.change.notify_all()
        for end in list(self.ends):
            self.drop(end)

    def mend(self) -> None:
        self.is_cut = False
        self.let_through(None)

    def close(self) -> None:
        self.cut()
        self.door.close()

    def receive(self) -> None:
        while True:
            try:
                browser, _ = self.door.accept()
            except OSError:
                return  # closed
            self.ends.add(browser)
            if self.is_cut:
                self.drop(browser)
                continue
            server = socket.create_connection(self.server)
            self.ends.add(server)
            Thread(target=self.pass_on, args=(browser, server, True), daemon=True).start()
            Thread(target=self.pass_on, args=(server, browser, False), daemon=True).start()

    def pass_on(self, giver: socket.socket, taker: socket.socket, is_question: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := giver.recv(PIECE):
                if is_question:
                    self.wait_for_leave(len(piece))
                elif self.loses_answers:
                    break
                if self.is_cut:
                    break
                taker.sendall(piece)
        self.drop(giver)
        self.drop(taker)

    def wait_for_leave(self, octets: int) -> None:
        with self.change:
            if self.left is None:
                return
            self.left = max(0, self.left - octets)
            self.change.notify_all()
            self.change.wait_for(lambda: self.left != 0 or self.is_cut)

    def drop(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)  # wakes who reads from it
        end.close()
        self.ends.discard(end)


@pytest.fixture
def wire(live_server) -> Iterator[Wire]:
    """A wire to Django's test server."""
    wire = Wire((live_server.thread.host, live_server.thread.port))
    yield wire
    wire.close()
