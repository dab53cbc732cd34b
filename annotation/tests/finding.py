"""A server of searches for tests of the finding page: it answers in the browser, as /api/v1/searches does."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import soundfile
from playwright.sync_api import BrowserContext, Request, Route

SEARCHES = "/api/v1/searches"
RATE = 16_000
KEPT = "Thank you. Your hum is kept; the automatic check listens to it soon."
TITLES = (
    "Auld Lang Syne", "Greensleeves", "Loch Lomond", "Danny Boy", "Scarborough Fair", "Shenandoah", "Molly Malone",
    "The Water Is Wide", "Barbara Allen", "Amazing Grace",
)  # fmt: skip


def results(probabilities: list[float], titles: tuple[str, ...] = TITLES) -> list[dict[str, Any]]:
    """What was found, best first: each can be heard, the second be watched alone, the third neither.

    The second nowhere sounds while the hum does; the third was hummed an octave lower still.
    """
    return [
        {
            "rank": rank,
            "song": {"id": str(UUID(int=rank)), "title": titles[rank - 1], "artist": "Traditional"},
            "recording": str(UUID(int=100 + rank)),
            "probability": probability,
            "start_s": 62.0,
            "end_s": 70.5,
            "tempo_ratio": 1.12,
            "transposition": {2: None, 3: -15.1}.get(rank, -3.1),
            "listen": None if rank in (2, 3) else f"{SEARCHES}/SEARCH/listen/{rank}",
            "watch": "https://www.youtube.com/watch?v=aaaaaaaaaaa&t=62s" if rank in (1, 2) else None,
            "curves": f"{SEARCHES}/SEARCH/curves/{rank}",
            "keepable": True,
            "why_not": "",
        }
        for rank, probability in enumerate(probabilities, 1)
    ]


def answer(probabilities: list[float], *, here: float = 0.95, **more: Any) -> dict[str, Any]:
    found = results(probabilities)
    facts = {"state": "done", "sentence": "", "here": here, "is_here": here > 0.5, "warnings": [], "found": found}
    return {**facts, "took_s": {"all": 0.4}, "index": {"songs": 1234, "built_at": "2026-11-26T12:00:00Z"}, **more}


def curve(start_s: float, seconds: float, swing: float) -> dict[str, Any]:
    """A wavy line about the A over middle C."""
    t = np.arange(0, seconds, 0.02)
    steps = np.round(4 * np.sin(t) + 2 * np.sin(2.7 * t)) + swing * np.sin(8 * t)
    pitch = [None if int(second * 50) % 60 < 6 else round(69 + step, 2) for second, step in zip(t, steps, strict=True)]
    return {"hop_s": 0.02, "pitch": pitch, "start_s": start_s}


@dataclass
class SearchServer:
    """Answers as it is told to, and keeps what it was asked."""

    partial: dict[str, Any] = field(default_factory=lambda: answer([0.4, 0.3, 0.1, 0.05]))
    whole: dict[str, Any] = field(default_factory=lambda: answer([0.93, 0.03, 0.02] + [0.002] * 7))
    refusal: tuple[int, dict[str, Any]] | None = None
    mark_refusal: tuple[int, dict[str, Any]] | None = None
    why_not_kept: str = ""
    slow: bool = False
    listen_refusal: tuple[int, dict[str, Any]] | None = None
    held: list[Route] | None = None
    """Where a list: sounds that were asked for and wait for `let_go`."""
    searches: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[dict[str, str]] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)
    sounds: list[bytes] = field(default_factory=list)

    def serve(self, context: BrowserContext) -> None:
        context.route(re.compile(rf"{SEARCHES}($|/|\?)"), self.handle)

    def handle(self, route: Route, request: Request) -> None:
        path = request.url.split("?")[0].partition(SEARCHES)[2].strip("/").split("/")
        match request.method, path:
            case "POST", [""]:
                self.post(route, request)
            case "GET", [search]:
                waits = {"id": search, "state": "searching", "sentence": ""}
                unknown = {"error": "There is nothing at this address for you.", "code": "not_found"}
                if self.slow:
                    route.fulfill(json=waits)
                else:
                    route.fulfill(
                        status=200 if search in self.searches else 404, json=self.searches.get(search, unknown)
                    )
            case "GET", [_, "curves", _]:
                route.fulfill(json={"hum": curve(62.2, 8.0, 0.4), "song": curve(60.0, 13.0, 0.1)})
            case "GET", [_, "listen", _]:
                self.listen(route)
            case "POST", [search, "mark"]:
                self.mark(route, search, json.loads(request.post_data or "{}"))

    def listen(self, route: Route) -> None:
        if self.listen_refusal:
            status, body = self.listen_refusal
            route.fulfill(status=status, json=body)
        elif self.held is not None:
            self.held.append(route)
        else:
            route.fulfill(body=tone(15.0), content_type="audio/flac")

    def let_go(self) -> None:
        """Gives the sounds that were held back, and from now on each at once."""
        held, self.held = self.held or [], None
        for route in held:
            self.listen(route)

    def post(self, route: Route, request: Request) -> None:
        fields, audio = form_of(request.post_data_buffer or b"")
        self.sent.append(fields)
        self.sounds.append(audio)
        if self.refusal and fields["partial"] == "false":
            status, body = self.refusal
            route.fulfill(status=status, json=body)
            return
        search = str(uuid4())
        told = self.partial if fields["partial"] == "true" else self.whole
        self.searches[search] = json.loads(json.dumps({"id": search, **told}).replace("SEARCH/", f"{search}/"))
        route.fulfill(status=201, json={"id": search, "state": "waiting", "sentence": ""})

    def mark(self, route: Route, search: str, said: dict[str, Any]) -> None:
        if self.mark_refusal:
            status, body = self.mark_refusal
            route.fulfill(status=status, json=body)
            return
        self.marks.append(said)
        self.searches[search]["marked"] = {said["song"]: {"right": said["right"], "kept": False}}
        kept = said["keep"] and not self.why_not_kept
        route.fulfill(
            json={"marked": {}, "kept": kept, "sentence": (self.why_not_kept or KEPT) if said["keep"] else ""}
        )


def form_of(body: bytes) -> tuple[dict[str, str], bytes]:
    """The fields of a form, and the file in it."""
    boundary = body.partition(b"\r\n")[0]
    fields, audio = {}, b""
    for piece in body.split(boundary)[1:-1]:
        head, _, value = piece.partition(b"\r\n\r\n")
        name = re.search(rb'name="(\w+)"', head)
        assert name
        if b"filename=" in head:
            audio = value[:-2]
        else:
            fields[name[1].decode()] = value[:-2].decode()
    return fields, audio


def tone(seconds: float) -> bytes:
    sound = io.BytesIO()
    samples = 0.2 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * RATE)) / RATE)
    soundfile.write(sound, samples, RATE, format="FLAC")
    return sound.getvalue()
