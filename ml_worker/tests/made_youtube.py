"""A stand-in for YouTube on this machine, and the way of the real yt-dlp to it.

The server speaks innertube's JSON in the shape that the site answers a search and a video's page with. yt-dlp takes
further request handlers, and the one here sends what is meant for the site to the stand-in, over real HTTP.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.networking import Request, Response
from yt_dlp.networking._urllib import UrllibRH
from yt_dlp.networking.common import _REQUEST_HANDLERS
from yt_dlp.networking.exceptions import TransportError

SITE = "https://www.youtube.com"


def found_video(
    youtube_id: str, title: str, channel: str = "Somebody sings", length: str = "3:10", views: str = "1,234 views"
) -> dict[str, Any]:
    """One video as a search shows it."""
    return {
        "videoRenderer": {
            "videoId": youtube_id,
            "title": {"runs": [{"text": title}], "accessibility": {"accessibilityData": {"label": title}}},
            "lengthText": {"simpleText": length, "accessibility": {"accessibilityData": {"label": length}}},
            "viewCountText": {"simpleText": views},
            "ownerText": {"runs": [{"text": channel}]},
            "shortBylineText": {"runs": [{"text": channel}]},
            "thumbnail": {"thumbnails": [{"url": f"https://i.ytimg.com/vi/{youtube_id}/hq720.jpg", "width": 360}]},
            "navigationEndpoint": {"commandMetadata": {"webCommandMetadata": {"url": f"/watch?v={youtube_id}"}}},
        }
    }


def search_answer(videos: list[dict[str, Any]]) -> dict[str, Any]:
    section = {"itemSectionRenderer": {"contents": videos}}
    results = {"primaryContents": {"sectionListRenderer": {"contents": [section]}}}
    return {"responseContext": {}, "contents": {"twoColumnSearchResultsRenderer": results}}


def gone_answer(youtube_id: str, reason: str = "This video has been removed by the uploader") -> dict[str, Any]:
    """What the player is told of a video that is gone."""
    status = {"status": "ERROR", "reason": "Video unavailable", "errorScreen": {"playerErrorMessageRenderer": {
        "subreason": {"simpleText": reason}, "reason": {"simpleText": "Video unavailable"}}}}  # fmt: skip
    return {"responseContext": {}, "playabilityStatus": status, "videoDetails": {"videoId": youtube_id}}


def player_answer(youtube_id: str) -> dict[str, Any]:
    """What the player is told of a video that is there."""
    details = {"videoId": youtube_id, "title": "A video", "lengthSeconds": "190", "author": "Somebody"}
    return {"responseContext": {}, "playabilityStatus": {"status": "OK"}, "videoDetails": details}


class Site:
    """What the stand-in answers, and what it was asked.

    Attributes:
        answers: videos by the words of a question.
        gone: videos that are gone.
        refuses: a status that every call gets.
        fails_after: calls that are answered before the site is away; None for all.
        asked: the questions, in order.
        calls: how many calls came in all.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.gone: set[str] = set()
        self.refuses: int | None = None
        self.fails_after: int | None = None
        self.asked: list[str] = []
        self.calls = 0
        self.address = ""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls += 1
        if self.refuses:
            return self.refuses, {}
        if path.endswith("/search"):
            self.asked.append(body["query"])
            return 200, search_answer(self.answers.get(body["query"], []))
        if path.endswith("/player"):
            youtube_id = body["videoId"]
            return 200, gone_answer(youtube_id) if youtube_id in self.gone else player_answer(youtube_id)
        return (200, {}) if path == "/watch" else (404, {})


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send(*site.answer(urlsplit(self.path).path, body))

        def do_GET(self) -> None:
            self.send(*site.answer(urlsplit(self.path).path, {}))

        def send(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *values: object) -> None:
            """Says nothing: pytest's output is for results."""

    return Handler


@contextmanager
def stand_in() -> Iterator[Site]:
    """Runs the site, and lets no call of yt-dlp leave this machine."""
    site = Site()

    class StandInRH(UrllibRH):
        RH_NAME = "stand-in"

        def _send(self, request: Request) -> Response:
            if site.fails_after is not None and site.calls >= site.fails_after:
                raise TransportError("the network is unreachable")
            assert request.url.startswith(SITE), f"yt-dlp called {request.url}"
            request.url = request.url.replace(SITE, site.address, 1)
            return super()._send(request)

    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(site)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        site.address = f"http://127.0.0.1:{server.server_port}"
        before = dict(_REQUEST_HANDLERS)
        _REQUEST_HANDLERS.clear()
        _REQUEST_HANDLERS[StandInRH.RH_KEY] = StandInRH
        try:
            yield site
        finally:
            _REQUEST_HANDLERS.clear()
            _REQUEST_HANDLERS.update(before)
            server.shutdown()
