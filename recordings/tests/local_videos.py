"""A server on this machine with the files of a made-up release, and videos that the real yt-dlp fetches."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from recordings.release.tables import DATASET, DATASET_COLUMNS, VERSIONS, VERSIONS_COLUMNS

RELEASE, VIDEOS = "/releases/9.9/files/", "/videos/"


@dataclass
class Fault:
    """What one request gets instead of the file."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None
    breaks_off_after: int | None = None
    holds: threading.Event | None = None


@dataclass
class Request:
    path: str
    range: str
    at: float


class Site:
    """What the server has, what it does wrong, and what it was asked.

    Attributes:
        files: {path: (content type, bytes)}.
        faults: what the next requests for a path get, in order.
        asked: all requests.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[Request] = []
        self.root = ""

    @property
    def address(self) -> str:
        return f"{self.root}/releases/9.9/"

    @property
    def video_url(self) -> str:
        return f"{self.root}{VIDEOS}{{id}}"

    def has(self, path: str, data: bytes, kind: str = "application/octet-stream") -> None:
        self.files[path] = kind, data

    def fails(self, path: str, *faults: Fault) -> None:
        self.faults[path] = list(faults)

    def asked_for(self, path: str) -> list[Request]:
        return [request for request in self.asked if request.path == path]


@contextmanager
def local_site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(Request(self.path, self.headers.get("Range", ""), time.monotonic()))
            waiting = site.faults.get(self.path, [])
            fault = waiting.pop(0) if waiting else Fault()
            kind, data = site.files.get(self.path, ("text/plain", b""))
            if self.path not in site.files and fault.status == 200:
                fault = Fault(404, data=b"gone")
            data = data if fault.data is None else fault.data
            begins = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
            if fault.status == 200 and begins and int(begins[1]) >= len(data):
                return self.send(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            if fault.status == 200 and begins:
                head = {"Content-Range": f"bytes {begins[1]}-{len(data) - 1}/{len(data)}", "Content-Type": kind}
                return self.send(206, head | fault.headers, data[int(begins[1]) :], fault)
            return self.send(fault.status, {"Content-Type": kind} | fault.headers, data, fault)

        def send(self, status: int, headers: dict[str, str], data: bytes, fault: Fault | None = None) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(data))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            until = len(data) if fault is None or fault.breaks_off_after is None else fault.breaks_off_after
            try:
                self.wfile.write(data[:until])
                self.wfile.flush()
                if fault is not None and fault.holds is not None:
                    fault.holds.wait(20)
            except OSError:
                return  # whoever asked was killed
            if until < len(data):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *values: object) -> None:
            """Says nothing: pytest's output is for results."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        site.root = f"http://127.0.0.1:{server.server_port}"
        try:
            yield site
        finally:
            server.shutdown()


@dataclass(frozen=True)
class Version:
    """A version of a made-up release: with audio, or with a video and an interval."""

    id: str
    audio_type: str
    split: str
    audio: bytes | None = None
    youtube_id: str = ""
    interval: str = "[0.0, 1.0]"
    group_id: str = str(uuid.UUID(int=1))
    fragment_id: str = str(uuid.UUID(int=2))

    @property
    def place(self) -> str:
        return f"{self.group_id}/{self.fragment_id}/{self.id}.flac"


def version(number: int, audio_type: str, split: str = "train", **facts: object) -> Version:
    return Version(str(uuid.UUID(int=100 + number)), audio_type, split, **facts)


def release_files(versions: Iterable[Version], more: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """All files of a release by path, its sums among them. `more` are parts and texts."""
    versions = list(versions)
    files = {
        "README.md": b"A made-up release.\n",
        "metadata/release.json": b'{"dataset": "CHAD", "version": "9.9", "address": ""}\n',
        DATASET: _table(DATASET_COLUMNS, [_dataset_row(version) for version in versions]),
        VERSIONS: _table(VERSIONS_COLUMNS, [_versions_row(version) for version in versions]),
        **{version.place: version.audio for version in versions if version.audio is not None},
        **(more or {}),
    }
    for part in ("data/", "f0/"):
        of_part = {path: data for path, data in files.items() if path.startswith(part)}
        if of_part:
            files[f"{part}SHA256SUMS"] = sums_of(of_part)
    core = {path: data for path, data in files.items() if not path.startswith(("data/", "f0/"))}
    return files | {"SHA256SUMS": sums_of(core)}


def sums_of(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items())).encode()


def _dataset_row(version: Version) -> dict[str, str]:
    row = {name: getattr(version, name) for name in ("group_id", "fragment_id", "id", "audio_type")}
    return row | {"youtube_id": version.youtube_id, "interval": f'"{version.interval}"'}


def _versions_row(version: Version) -> dict[str, str]:
    row = {name: getattr(version, name) for name in ("group_id", "fragment_id", "id", "audio_type", "split")}
    return row | {"audio": version.place if version.audio is not None else ""}


def _table(columns: Iterable[str], rows: list[dict[str, str]]) -> bytes:
    columns = list(columns)
    lines = [",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> NDArray[np.int16]:
    """Samples (frames, channels) that are like themselves at one place only; with gaps, so that codecs keep them."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * rate)
    bursts = np.repeat(rng.random(frames // 400 + 1) > 0.5, 400)[:frames, None]
    smooth = np.cumsum(rng.normal(size=(frames, channels)), axis=0)
    smooth -= np.stack([np.convolve(channel, np.ones(65) / 65, "same") for channel in smooth.T], axis=1)
    return (6_000 * bursts * smooth / np.abs(smooth).max()).astype(np.int16)


def as_wav(samples: NDArray[np.int16], rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def encoded(samples: NDArray[np.int16], rate: int, container: str, codec: str) -> bytes:
    """Samples (frames, 1) as sites have them: ("mp4", "aac") or ("webm", "libopus")."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as to:
        stream = to.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 192_000
        frame = av.AudioFrame.from_ndarray(samples.T.copy(), format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            to.mux(packet)
    return buffer.getvalue()


def lag_s(cut: NDArray[np.float64], source: NDArray[np.float64], rate: int) -> float:
    """Where in the source (frames,) a cut of it begins, by cross-correlation; seconds."""
    size = len(source) + len(cut)
    likeness = np.fft.irfft(np.fft.rfft(source, size) * np.conj(np.fft.rfft(cut, size)), size)
    return int(np.argmax(likeness[: len(source)])) / rate
