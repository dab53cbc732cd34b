#!/usr/bin/env python3
# Fetches what a release of the CHAD dataset lacks: its own files, and the audio that it only refers to.
# Licence: CC0 1.0 (public domain), https://creativecommons.org/publicdomain/zero/1.0/
"""Fetches what a release of the CHAD dataset lacks.

    python download.py                                        in the folder of a release: all that is missing there
    python download.py --from https://…/releases/2026.11/ --out chad-2026.11      a whole release, from nothing
    python download.py --dry-run                              says what it would fetch

1. Files of the release that are missing, or whose SHA-256 is not the one that SHA256SUMS says, come from the release's
   address. Each is checked.
2. Of versions whose audio the release may not hold, it fetches the video once, cuts the intervals to the millisecond,
   and writes them to fetched/{group_id}/{fragment_id}/{id}.flac, 16 bits, at the video's own sampling rate. What came
   of which video is noted in fetched/fetched.tsv, what could not be had, and why, in fetched/missing.tsv.

It may be stopped at any time: started again, it goes on where it was. It exits with 0 if nothing is missing, 1 if
something is, 2 for bad input, 130 if it was stopped.

It needs Python 3.9 or later, and for the second part yt-dlp and ffmpeg (or the package imageio-ffmpeg):

    python -m pip install yt-dlp imageio-ffmpeg

You fetch videos yourself, under the terms of the site that has them and the law of your country.
"""

from __future__ import annotations

import argparse
import csv
import email.utils
import errno
import hashlib
import http.client
import json
import math
import os
import queue
import random
import re
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

T = TypeVar("T")

SUMS = "SHA256SUMS"
CARD = "metadata/release.json"
DATASET, VERSIONS = TABLES = ("metadata/dataset.csv", "metadata/versions.csv")
PARTS = ("data", "f0")
SPLITS = ("train", "validation", "test")
AUDIO_TYPES = ("original", "cover", "humming")
# The folder of shards that holds each audio type.
TYPE_OF_CONFIG = {"originals": "original", "covers": "cover", "hums": "humming"}

FETCHED = "fetched"
NOTES, MISSING, LOCK, VIDEOS = (f"{FETCHED}/{name}" for name in ("fetched.tsv", "missing.tsv", ".lock", "videos"))
NOTE_COLUMNS = ("path", "sha256", "id", "youtube_id", "interval", "format", "sample_rate", "fetched_at")
MISSING_COLUMNS = ("what", "path", "youtube_id", "interval", "why")
PART = ".part"

NEEDED_COLUMNS = {
    DATASET: ("group_id", "fragment_id", "id", "audio_type", "youtube_id", "interval"),
    VERSIONS: ("id", "split", "audio"),
}
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
AUDIO_PATH = re.compile(rf"{ID}/{ID}/({ID})\.(?:flac|wav)")
CURVE_PATH = re.compile(rf"f0/{ID}/{ID}/({ID})\.csv")
SHARD_PATH = re.compile(r"data/([a-z_]+)/([a-z]+)-[0-9]+-of-[0-9]+\.parquet")
YOUTUBE_ID = re.compile(r"[0-9A-Za-z_-]{11}")
NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,12})?"
INTERVAL = re.compile(rf"\[({NUMBER}), ({NUMBER})\]")
SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
# One step of a path in a list: letters, digits, dots, hyphens and underscores, on every kind of disk the same.
STEP = re.compile(r"[0-9A-Za-z_](?:[0-9A-Za-z._-]*[0-9A-Za-z_-])?")

VIDEO_ADDRESS = "https://www.youtube.com/watch?v={id}"
AGENT = "CHAD-download/1"
TIMEOUT_S = 30  # without a byte
BLOCK = 1 << 18  # bytes at once
LONGEST_WAIT_S = 600.0  # a site that asks for more is left alone until the next run
LONGEST_BACKOFF_S = 60.0
GIVE_UP_AFTER = 10  # things in a row that a site refused or did not answer: the others are not asked for any more
WRONG_BYTES_TRIES = 3  # whole downloads of a file whose sum is wrong
CUT_TIMEOUT_S = 900  # of one interval
CUT_TOLERANCE_S = 0.001  # and half a frame, since an interval's ends lie between two
TOLD_EVERY_S = 5.0 if sys.stdout is not None and sys.stdout.isatty() else 30.0  # progress
MOST_TOLD = 40  # rows of the last table on the screen; the file has all
LONGEST_REASON = 300  # letters

# HTTP answers that are worth another try, and what says that a thing is gone.
WORTH_A_TRY = {408, 425, 429, 500, 502, 503, 504}
GONE_STATUS = {404, 410}
GONE = "it is gone"
# Bytes of a refusal that are read, and of a list or text whose size nobody told before.
LONGEST_REFUSAL = 10_000
LONGEST_LIST = 500_000_000
# What sites say of a video that is gone for good, and when they doubt us rather than the video, in small letters.
GONE_WORDS = (
    "video unavailable",
    "private video",
    "video is private",
    "has been removed",
    "been terminated",
    "no longer available",
    "in your country",
    "members-only",
    "is not a valid url",
    "unsupported url",
    "confirm your age",
)
DOUBT_WORDS = ("captcha", "rate-limited", "not a bot", "too many requests")
# What yt-dlp says when the site's own calls failed, with whatever status: no word on the video.
CALL_FAILED = "Unable to download API page"


class BadInput(Exception):
    """What was asked for makes no sense; the text says what to do."""


class DiskFull(Exception):
    """There is no room left: nothing more can be fetched."""


class Stopped(Exception):
    """Somebody stopped the run."""


class Problem(Exception):
    """Why one thing could not be had, in words. It is tried `most_tries` times at most."""

    most_tries = 1


class WrongBytes(Problem):
    """It came whole and is something else."""

    most_tries = WRONG_BYTES_TRIES


class NothingLeft(Problem):
    """The site has no more of a file than the half that was here."""


class Later(Problem):
    """It may work at another time: after `wait_s` seconds, if the site said so."""

    most_tries = sys.maxsize

    def __init__(self, text: str, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.wait_s = wait_s


@dataclass(frozen=True)
class File:
    """A file of the release."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Clip:
    """A version that is an interval of a video."""

    id: str
    path: str
    youtube_id: str
    interval: str

    @property
    def bounds_s(self) -> tuple[float, float]:
        start, end = INTERVAL.fullmatch(self.interval).groups()  # type: ignore[union-attr]
        return float(start), float(end)


@dataclass(frozen=True)
class Video:
    """A video on this disk, and what it is: such as `251 webm opus 48000 Hz`."""

    path: Path
    format: str


@dataclass
class Asked:
    """What was asked for on the command line."""

    out: Path
    address: str
    parts: list[str]
    splits: set[str]
    types: set[str]
    jobs: int
    tries: int
    wait_s: float
    pause_s: float
    video_url: str
    keep_videos: bool
    dry_run: bool


# ---------------------------------------------------------------------------------------------------------- talking


def say(text: str) -> None:
    """A line for whoever watches. Nobody does: nothing happens."""
    try:
        print(text, flush=True)
    except (BrokenPipeError, ValueError, AttributeError):
        sys.stdout = None  # type: ignore[assignment]


def plain(text: object) -> str:
    """Words from outside on one line, without what steers a terminal or parts a table."""
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return words if len(words) <= LONGEST_REASON else words[: LONGEST_REASON - 1] + "…"


def amount(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


@dataclass
class Report:
    """What is there by now and what is not, from all threads."""

    kept: int = 0
    fetched: int = 0
    no_way: int = 0
    planned: dict[str, File | Clip] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, things: Iterable[File | Clip]) -> None:
        """What is to be fetched: each is had or lacked later."""
        self.planned = {thing.path: thing for thing in things}

    def have(self, thing: File | Clip) -> None:
        with self.lock:
            self.fetched += 1
            self.planned.pop(thing.path, None)

    def lack_the_rest(self, why: object, of: Iterable[File | Clip] | None = None) -> None:
        """What was planned and did not come, all of it or some."""
        for thing in list(self.planned.values()) if of is None else of:
            if thing.path in self.planned:
                self.lack(thing, why)

    def lack(self, thing: File | Clip | str, why: object) -> None:
        """Notes that a thing is missing: a file, a clip, or a path that cannot be fetched at all."""
        row = dict.fromkeys(MISSING_COLUMNS, "")
        if isinstance(thing, Clip):
            row.update(what="clip", path=thing.path, youtube_id=thing.youtube_id, interval=thing.interval)
        else:
            row.update(what="file", path=plain(thing.path if isinstance(thing, File) else thing))
        row["why"] = plain(why)
        with self.lock:
            self.missing[row["path"]] = row
            self.planned.pop(row["path"], None)

    def rows(self) -> list[dict[str, str]]:
        return sorted(self.missing.values(), key=lambda row: (row["what"], row["why"], row["path"]))


class Progress:
    """A line now and then."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.told_at = time.monotonic()
        self.lock = threading.Lock()

    def step(self) -> None:
        with self.lock:
            self.done += 1
            if time.monotonic() - self.told_at >= TOLD_EVERY_S:
                self.told_at = time.monotonic()
                say(f"{self.what}: {self.done:,} of {self.total:,}")


# ------------------------------------------------------------------------------------------------------- the folder


def inside(out: Path, path: str) -> Path:
    """Where a path of a release lies in the folder. Raises Problem if that would lead out of it."""
    if not is_safe(path):
        raise Problem("leads out of the folder or is no path of a release, so it was not fetched")
    place = out
    for step in path.split("/"):
        place = place / step
        if place.is_symlink():
            raise Problem(f"{place} is a link, which may lead out of the folder. Remove it")
    return place


def is_safe(path: str) -> bool:
    return len(path) <= 500 and all(STEP.fullmatch(step) for step in path.split("/"))


def is_plain(path: Path) -> bool:
    """Whether this is a file of its own: no link, pipe or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def on_disk() -> Iterator[None]:
    """Turns what goes wrong on this disk into words."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("the disk is full") from problem
        raise Problem(f"it cannot be written here: {problem}") from problem


def free(path: Path) -> Path:
    """The `.part` of a file, in a folder that is there."""
    with on_disk():
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + PART)
    if os.path.lexists(part) and not is_plain(part):
        raise Problem(f"{part} is a link or no file, which may lead out of the folder. Remove it")
    return part


def write_whole(path: Path, text: str) -> None:
    part = free(path)
    with on_disk():
        try:
            part.write_bytes(text.encode())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def table(columns: Iterable[str], rows: Iterable[dict[str, str]]) -> str:
    """A table with tabs. Cells hold neither tabs nor ends of lines."""
    columns = list(columns)
    return "".join("\t".join(cells) + "\n" for cells in [columns, *([row[name] for name in columns] for row in rows)])


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Holds the folder, so that two runs never write into each other. One that is killed lets go."""
    path = inside(out, FETCHED) / ".lock"
    if path.is_symlink():
        raise BadInput(f"{path} is a link. Remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as problem:
        raise BadInput(f"{out} cannot be written: {problem}. Choose another folder with --out.") from problem
    with file:
        if not hold(file):
            raise BadInput(f"Another download writes to {out} right now. Wait until it is done, or stop it.")
        yield


def hold(file: BinaryIO) -> bool:
    """Whether this run has the file for itself now."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if sys.platform != "win32" and problem.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            say("This disk cannot lock files: make sure that no other download writes to the same folder.")
            return True
        return False
    return True


# ------------------------------------------------------------------------------------------------ asking, politely


class Site:
    """A site that is asked: with pauses, not while it wants a break, and not for ever when it is away."""

    def __init__(self, asked: Asked, stop: threading.Event, pause_s: float = 0.0) -> None:
        self.tries, self.wait_s, self.pause_s, self.stop = asked.tries, asked.wait_s, pause_s, stop
        self.lock = threading.Lock()
        self.next_at = self.held_until = 0.0
        self.in_vain = 0
        self.closed = ""

    def ask(self, fetch: Callable[[], T]) -> T:
        """What `fetch` gives, tried again where that may help. Raises its last Problem, or Stopped."""
        attempt = 1
        while True:
            self.await_turn()
            try:
                answer = fetch()
            except Problem as problem:
                wait_s = problem.wait_s if isinstance(problem, Later) else 0.0
                if attempt >= min(self.tries, problem.most_tries) or wait_s > LONGEST_WAIT_S:
                    self.count(problem)
                    raise
                if wait_s:
                    self.hold(wait_s)
                else:
                    self.sleep(min(LONGEST_BACKOFF_S, self.wait_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5))
                attempt += 1
            else:
                self.count(None)
                return answer

    def count(self, problem: Problem | None) -> None:
        """Closes a site that is away or wants a long break."""
        with self.lock:
            self.in_vain = self.in_vain + 1 if isinstance(problem, Later) else 0
            if isinstance(problem, Later) and problem.wait_s > LONGEST_WAIT_S:
                self.closed = f"the site wants to be left alone for {problem.wait_s:,.0f} s"
            elif self.in_vain >= GIVE_UP_AFTER:
                self.closed = f"{GIVE_UP_AFTER} others in a row were not to be had"

    def hold(self, seconds: float) -> None:
        """Lets nobody ask for a while."""
        with self.lock:
            self.held_until = max(self.held_until, time.monotonic() + seconds)

    def await_turn(self) -> None:
        if self.closed:
            raise Problem(f"was not tried, since {self.closed}")
        with self.lock:
            turn = max(time.monotonic(), self.next_at)
            self.next_at = turn + self.pause_s
        while time.monotonic() < max(turn, self.held_until):
            self.sleep(min(1.0, max(turn, self.held_until) - time.monotonic()))
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        if self.stop.wait(max(0.0, seconds)):
            raise Stopped


def of_status(status: int, headers: Any, words: str, forbidden_passes: bool = False) -> Problem:
    """What an HTTP answer other than success means."""
    if status in GONE_STATUS:
        return Problem(f"{GONE}: {words}")
    if status in WORTH_A_TRY or (forbidden_passes and status == 403):
        return Later(f"the site did not give it: {words}", wait_of(headers))
    return Problem(f"the site refuses it: {words}")


def wait_of(headers: Any) -> float:
    """The seconds of Retry-After, which may be a number or a date; 0 without any."""
    said = str((headers or {}).get("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", said):
        return float(said)
    try:
        at = email.utils.parsedate_to_datetime(said).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
    return max(0.0, at - time.time())


class Address:
    """Where a release can be had: `{address}/files/{path}`."""

    def __init__(self, address: str, asked: Asked, stop: threading.Event) -> None:
        self.address, self.stop = address.rstrip("/"), stop
        self.site = Site(asked, stop)

    def fetch(self, file: File, out: Path) -> None:
        """Fetches a file and gives it its name once its sum is right."""
        place = inside(out, file.path)
        part = free(place)
        self.site.ask(lambda: self._fetch_checked(file, part))
        with on_disk():
            os.replace(part, place)

    def fetch_list(self, path: str, out: Path) -> Path:
        """Fetches a file whose sum is not known, such as a list of sums."""
        place = inside(out, path)
        part = free(place)
        with on_disk():
            part.unlink(missing_ok=True)
        self.site.ask(lambda: self._fetch(path, part, LONGEST_LIST))
        with on_disk():
            os.replace(part, place)
        return place

    def _fetch_checked(self, file: File, part: Path) -> None:
        self._fetch(file.path, part)
        with on_disk():
            came = sha256_of(part)
            if came != file.sha256:
                part.unlink()
        if came != file.sha256:
            raise WrongBytes(f"what came is something else: its SHA-256 is {came}, not {file.sha256}")

    def _fetch(self, path: str, part: Path, at_most: int | None = None) -> None:
        """Goes on with a half file, or begins it; what is larger than `at_most` bytes is not taken."""
        with on_disk():
            have = part.stat().st_size if is_plain(part) else 0
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        url = f"{self.address}/files/{urllib.parse.quote(path)}"
        try:
            with in_http_words():
                response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
        except NothingLeft:
            return  # all of it is here; its sum tells whether it is the right thing
        with response:
            begins_at = int(found[1]) if (found := content_range(response)) else 0
            if begins_at > have:
                raise Later("the site sent another piece than it was asked for")
            with on_disk(), part.open("r+b" if have else "wb") as to:
                to.truncate(begins_at)
                to.seek(begins_at)
                self._copy(response, to, at_most)

    def _copy(self, response: Any, to: BinaryIO, at_most: int | None = None) -> None:
        promised, came = response.headers.get("Content-Length"), 0
        while True:
            if self.stop.is_set():
                raise Stopped
            with in_http_words():
                block = response.read(BLOCK)
            if not block:
                break
            with on_disk():
                to.write(block)
            came += len(block)
            if at_most is not None and came > at_most:
                raise Problem(f"what the site sends is larger than {at_most:,} bytes, so it is no list of a release")
        if promised and promised.isdigit() and came < int(promised):
            raise Later(f"the connection broke off after {came:,} of {int(promised):,} bytes")


def content_range(response: Any) -> re.Match[str] | None:
    if response.status != 206:
        return None
    return re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range") or "")


def sentence_of(problem: urllib.error.HTTPError) -> str:
    """What the site says of a refusal, in its own words, on one line; empty if it says nothing that can be read."""
    try:
        told = json.loads(problem.read(LONGEST_REFUSAL))["error"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        problem.close()
    return " ".join(str(told).split())[:300]


@contextmanager
def in_http_words() -> Iterator[None]:
    """Turns what goes wrong on the way into words."""
    try:
        yield
    except urllib.error.HTTPError as problem:
        said = sentence_of(problem)
        if problem.code == 416:
            raise NothingLeft("the site has no more of it than is here") from problem
        raise of_status(problem.code, problem.headers, said or f"{problem.code} {problem.reason}") from problem
    except (OSError, http.client.HTTPException) as problem:
        reason = getattr(problem, "reason", problem)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise Problem(f"the site's certificate is not trusted: {reason}") from problem
        raise Later(f"the site is out of reach: {reason or type(problem).__name__}") from problem


# ---------------------------------------------------------------------------------------------------------- videos


class Videos:
    """Where videos come from, through yt-dlp, and how they are cut, by ffmpeg."""

    def __init__(self, asked: Asked, stop: threading.Event, report: Report) -> None:
        self.asked, self.stop, self.report = asked, stop, report
        self.site = Site(asked, stop, asked.pause_s)
        self.yt_dlp, self.ffmpeg = find_yt_dlp(), find_ffmpeg()
        self.notes = Notes(asked.out)
        self.notes.tidy()

    def clips_of(self, youtube_id: str, clips: list[Clip]) -> None:
        """Fetches a video and cuts all its clips; what fails is reported, and the others are still made."""
        try:
            video = self.video(youtube_id)
        except Problem as problem:
            for clip in clips:
                self.report.lack(clip, problem)
            return
        may_help = True
        for clip in clips:
            try:
                self.make(clip, video)
                self.report.have(clip)
            except Problem as problem:
                self.report.lack(clip, problem)
                may_help = may_help and not isinstance(problem, Later)
        # A video whose cutting was disturbed is kept for the next run.
        if may_help and not self.asked.keep_videos:
            self.forget(youtube_id)

    def video(self, youtube_id: str) -> Video:
        """The video's audio on this disk: from an earlier run, or fetched now."""
        return self.kept(youtube_id) or self.site.ask(lambda: self._fetch(youtube_id))

    def kept(self, youtube_id: str) -> Video | None:
        try:
            told = json.loads(self._card(youtube_id).read_bytes())
            path = inside(self.asked.out, VIDEOS) / Path(told["file"]).name
            return Video(path, plain(told["format"])) if path.stem == youtube_id and is_plain(path) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None  # it is fetched then

    def forget(self, youtube_id: str) -> None:
        folder = inside(self.asked.out, VIDEOS)
        with on_disk():
            for path in files_of_video(folder, youtube_id):
                path.unlink()

    def _card(self, youtube_id: str) -> Path:
        # Ids may begin with a hyphen, and paths of a release do not.
        return inside(self.asked.out, VIDEOS) / f"{youtube_id}.json"

    def _fetch(self, youtube_id: str) -> Video:
        folder = inside(self.asked.out, VIDEOS)
        with on_disk():
            folder.mkdir(parents=True, exist_ok=True)
            for path in files_of_video(folder, youtube_id):
                if not is_plain(path):
                    raise Problem(f"{path} is a link or no file, which may lead out of the folder. Remove it")
        url = self.asked.video_url.replace("{id}", youtube_id)
        try:
            with self.yt_dlp.YoutubeDL(self._options(folder, youtube_id)) as downloader:
                info = downloader.extract_info(url, download=True)
        except Exception as problem:  # whatever a site's reader trips over is no reason to stop
            if self.stop.is_set():
                raise Stopped from problem
            raise in_video_words(problem) from problem
        video = self._of_info(folder, youtube_id, info)
        write_whole(self._card(youtube_id), json.dumps({"file": video.path.name, "format": video.format}))
        return video

    def _options(self, folder: Path, youtube_id: str) -> dict[str, Any]:
        def pulse(_: dict[str, Any]) -> None:
            if self.stop.is_set():
                raise self.yt_dlp.utils.DownloadCancelled("stopped")

        return {
            "format": "bestaudio/best",
            # yt-dlp reads a template, where a percent sign would be a field.
            "outtmpl": {"default": str(folder).replace("%", "%%") + f"/{youtube_id}.%(ext)s"},
            "noplaylist": True,
            "playlist_items": "1",
            # Tries are counted here, where Retry-After is honoured and all wait together.
            "retries": 0,
            "extractor_retries": 0,
            "fragment_retries": self.asked.tries,
            "skip_unavailable_fragments": False,
            "socket_timeout": TIMEOUT_S,
            "fixup": "never",
            "cachedir": False,
            "quiet": True,
            "noprogress": True,
            "no_warnings": True,
            "logger": Silent(),
            "progress_hooks": [pulse],
            "ffmpeg_location": self.ffmpeg,
            "writethumbnail": False,
        }

    def _of_info(self, folder: Path, youtube_id: str, info: Any) -> Video:
        while info and info.get("entries"):
            info = next(iter(info["entries"]), None)
        done = (info or {}).get("requested_downloads") or [{}]
        path = Path(str(done[0].get("filepath") or ""))
        if path.parent != folder or path.stem != youtube_id or not is_plain(path):
            raise Problem("the site gave no audio")
        info = {**info, **done[0]}
        rate = f"{info['asr']} Hz" if info.get("asr") else ""
        words = (info.get("format_id"), info.get("ext"), info.get("acodec"), rate)
        return Video(path, plain(" ".join(str(word) for word in words if word and word != "none")))

    def make(self, clip: Clip, video: Video) -> None:
        """Cuts a clip, checks its length, gives it its name and notes it."""
        place = inside(self.asked.out, clip.path)
        part = free(place)
        try:
            self._make(part, place, clip, video)
        finally:
            part.unlink(missing_ok=True)

    def _make(self, part: Path, place: Path, clip: Clip, video: Video) -> None:
        start_s, end_s = clip.bounds_s
        self.cut(video.path, start_s, end_s, part)
        with on_disk():
            rate, frames = length_of(part)
            off_s = frames / rate - (end_s - start_s) if rate else math.inf
            if abs(off_s) > CUT_TOLERANCE_S + 0.5 / max(rate, 1):
                raise Problem(
                    f"the video gives {frames / max(rate, 1):.3f} s of the interval's {end_s - start_s:.3f} s: it is "
                    "not the one that it was, or damaged"
                )
            note = {
                **{"path": clip.path, "id": clip.id, "youtube_id": clip.youtube_id, "interval": clip.interval},
                **{"sha256": sha256_of(part), "format": video.format, "sample_rate": str(rate)},
                "fetched_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            os.replace(part, place)
            self.notes.add(note)

    def cut(self, source: Path, start_s: float, end_s: float, to: Path) -> None:
        """An interval of a file, to the sample, from its first sample on; nothing is resampled or stretched."""
        # Decoded from the beginning, since codecs need what came before a sample to get it right.
        sound = f"asetpts=PTS-STARTPTS,atrim=start={start_s:.6f}:end={end_s:.6f},asetpts=PTS-STARTPTS"
        command = [
            *(self.ffmpeg, "-nostdin", "-v", "error", "-y", "-threads", "1"),
            # A file that is a playlist in disguise opens nothing.
            *("-protocol_whitelist", "file,pipe", "-i", f"file:{source}"),
            *("-map", "0:a:0", "-af", sound, "-c:a", "flac", "-sample_fmt", "s16"),
            *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "flac", f"file:{to}"),
        ]
        with on_disk(), tempfile.TemporaryFile() as words:
            began = time.monotonic()
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words) as ffmpeg:
                while ffmpeg.poll() is None:
                    late = time.monotonic() - began > CUT_TIMEOUT_S
                    if late or self.stop.is_set():
                        ffmpeg.kill()
                    try:
                        ffmpeg.wait(0.2)
                    except subprocess.TimeoutExpired:
                        continue
            words.seek(0)
            said = words.read(10_000).decode(errors="replace")
        if self.stop.is_set():
            raise Stopped
        if ffmpeg.returncode == 0:
            return
        if "No space left on device" in said or "Disk quota exceeded" in said:
            raise DiskFull("the disk is full")
        if ffmpeg.returncode < 0:
            raise Later(f"ffmpeg was ended by signal {-ffmpeg.returncode} while it cut the video")
        raise Problem(f"ffmpeg cannot cut it: {plain(said) or 'it does not say why'}")


def files_of_video(folder: Path, youtube_id: str) -> list[Path]:
    """A video, its card, and halves of them."""
    return [path for path in folder.iterdir() if path.name.startswith(f"{youtube_id}.")]


class Silent:
    """Takes what yt-dlp has to say; its errors come as exceptions."""

    def debug(self, _: str) -> None: ...

    info = warning = error = debug


class Notes:
    """What was fetched, of which video: fetched/fetched.tsv."""

    def __init__(self, out: Path) -> None:
        self.path = inside(out, NOTES)
        self.lock = threading.Lock()
        self.rows = self._read()

    def _read(self) -> dict[str, dict[str, str]]:
        """By path. A line that a killed run left half written counts for nothing."""
        if not is_plain(self.path):
            return {}
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")[1:-1]
        cells = [line.split("\t") for line in lines]
        whole = [
            {name: row[at] for at, name in enumerate(NOTE_COLUMNS)} for row in cells if len(row) == len(NOTE_COLUMNS)
        ]
        return {row["path"]: row for row in whole}

    def is_there(self, clip: Clip, out: Path) -> bool:
        note = self.rows.get(clip.path)
        if note is None or (note["youtube_id"], note["interval"]) != (clip.youtube_id, clip.interval):
            return False
        path = out / clip.path
        try:
            return is_plain(path) and sha256_of(path) == note["sha256"]
        except OSError:
            return False  # it is fetched anew

    def add(self, note: dict[str, str]) -> None:
        with self.lock, self.path.open("a", encoding="utf-8", newline="") as file:
            if file.tell() == 0:
                file.write("\t".join(NOTE_COLUMNS) + "\n")
            file.write("\t".join(note[name] for name in NOTE_COLUMNS) + "\n")
            self.rows[note["path"]] = note

    def tidy(self) -> None:
        """In order, without what was noted twice or half."""
        if self.rows or self.path.exists():
            write_whole(self.path, table(NOTE_COLUMNS, (self.rows[path] for path in sorted(self.rows))))


def find_yt_dlp() -> Any:
    try:
        import yt_dlp
    except ImportError as problem:
        raise Problem("yt-dlp is not there. Install it: python -m pip install yt-dlp") from problem
    return yt_dlp


def find_ffmpeg() -> str:
    """ffmpeg of this machine, or the one that the package imageio-ffmpeg brings."""
    there = shutil.which("ffmpeg")
    if there:
        return there
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as problem:
        raise Problem("ffmpeg is not there. Install it, or: python -m pip install imageio-ffmpeg") from problem


def in_video_words(problem: BaseException) -> Exception:
    """What yt-dlp could not do: for good, for now, or since the disk is full."""
    # yt-dlp and its advice come after these.
    said = re.split(r" \(caused by|; please report", str(problem).replace("ERROR: ", "", 1))[0].strip()
    said = re.sub(r"^\[[\w:+]+\] (?:[\w-]+: )?", "", said)
    for cause in causes(problem):
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("the disk is full")
        if isinstance(getattr(cause, "status", None), int) and hasattr(cause, "response"):
            if CALL_FAILED in said:
                return Later(f"the site did not give it: {said}", wait_of(cause.response.headers))
            return of_status(cause.status, cause.response.headers, said, forbidden_passes=True)
    small = said.lower()
    if "no space left on device" in small:
        return DiskFull("the disk is full")
    if any(words in small for words in GONE_WORDS) and not any(words in small for words in DOUBT_WORDS):
        return Problem(f"the video is gone or not to be had from here: {said}")
    return Later(f"the site did not give it: {said}")


def causes(problem: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from, as yt-dlp and Python keep it."""
    seen: list[BaseException] = []
    waiting: list[Any] = [problem]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and not any(cause is one for one in seen):
            seen.append(cause)
            yield cause
            waiting += [cause.__context__, cause.__cause__, getattr(cause, "cause", None)]
            waiting += list(getattr(cause, "exc_info", None) or ())


def length_of(flac: Path) -> tuple[int, int]:
    """Sampling rate and number of frames, as the head of a FLAC file says; (0, 0) if it is none."""
    with flac.open("rb") as file:
        head = file.read(42)
    if len(head) < 42 or head[:4] != b"fLaC":
        return 0, 0
    packed = int.from_bytes(head[18:26], "big")
    return packed >> 44, packed & (1 << 36) - 1


# ------------------------------------------------------------------------------------------------------------ lists


def read_sums(path: Path, part: str, report: Report) -> list[File]:
    """The files that a list of sums names. Lines that name nothing inside the release are reported and left out."""
    files: dict[str, File] = {}
    prefix = f"{part}/" if part else ""
    name = f"{prefix}{SUMS}"
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            found = SUM_LINE.fullmatch(line.rstrip("\n"))
            if found is None:
                report.lack(f"{name} line {number}", "is not a sum and a path")
            elif not is_safe(found[2]) or not belongs(found[2], part):
                report.lack(found[2], f"{name} names it, and it is no file of the release: it was not fetched")
            else:
                files.setdefault(found[2], File(found[2], found[1]))
    return list(files.values())


def belongs(path: str, part: str) -> bool:
    first = path.partition("/")[0]
    return first == part if part else first not in (*PARTS, FETCHED, SUMS)


def read_table(path: Path, name: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            lacking = [column for column in NEEDED_COLUMNS[name] if column not in (reader.fieldnames or ())]
            if lacking:
                raise BadInput(f"{name} lacks the column {lacking[0]}: it is no table of a release.")
            return [{column: row[column] or "" for column in NEEDED_COLUMNS[name]} for row in reader]
    except (csv.Error, UnicodeDecodeError) as problem:
        raise BadInput(f"{name} cannot be read: {problem}. Delete it and start again.") from problem


@dataclass
class Rows:
    """What the tables say, for choosing."""

    dataset: list[dict[str, str]]
    place: dict[str, tuple[str, str]]  # (split, audio type) of each id
    has_audio: set[str]

    @classmethod
    def read(cls, dataset: Path, versions: Path) -> Rows:
        rows, more = read_table(dataset, DATASET), read_table(versions, VERSIONS)
        split = {row["id"]: row["split"] for row in more}
        place = {row["id"]: (split.get(row["id"], ""), row["audio_type"]) for row in rows}
        return cls(rows, place, {row["id"] for row in more if row["audio"]})

    def wants_file(self, path: str, asked: Asked) -> bool:
        """Whether a file is of the splits and types that are asked for. Texts and tables always are."""
        found = AUDIO_PATH.fullmatch(path) or CURVE_PATH.fullmatch(path)
        if found:
            return found[1] not in self.place or wants(*self.place[found[1]], asked)
        shard = SHARD_PATH.fullmatch(path)
        return shard is None or wants(shard[2], TYPE_OF_CONFIG.get(shard[1], ""), asked)

    def clips(self, asked: Asked, report: Report) -> list[Clip]:
        """Every version that has no audio in the release and a video; those that are odd are reported."""
        clips: dict[str, Clip] = {}
        for row in self.dataset:
            if row["id"] in self.has_audio or not wants(*self.place[row["id"]], asked):
                continue
            if not row["youtube_id"]:
                report.no_way += 1
                continue
            ids = [row[name] for name in ("group_id", "fragment_id", "id")]
            clip = Clip(ids[2], f"{FETCHED}/{'/'.join(ids)}.flac", row["youtube_id"], row["interval"])
            if not all(re.fullmatch(ID, text) for text in ids):
                report.lack(clip, "its ids in the table are none, so it was not fetched")
            elif not YOUTUBE_ID.fullmatch(clip.youtube_id):
                report.lack(clip, "its youtube_id in the table is none, so it was not fetched")
            elif not INTERVAL.fullmatch(clip.interval) or clip.bounds_s[0] >= clip.bounds_s[1]:
                report.lack(clip, "its interval in the table is none, so it was not fetched")
            else:
                clips.setdefault(clip.path, clip)
        return list(clips.values())


def wants(split: str, audio_type: str, asked: Asked) -> bool:
    return (not asked.splits or split in asked.splits) and (not asked.types or audio_type in asked.types)


# -------------------------------------------------------------------------------------------------------- the run


class Run:
    """One run: what is missing, file by file and video by video."""

    def __init__(self, asked: Asked, stop: threading.Event) -> None:
        self.asked, self.stop, self.report = asked, stop, Report()
        self.out = asked.out
        self.had_sums = is_plain(self.out / SUMS)
        address = asked.address or address_on_card(self.out)
        self.address = Address(address, asked, stop) if address else None
        self.is_same = False
        self.would: Counter[str] = Counter()
        self.disk_full = ""

    def go(self, lists: Path) -> None:
        """Everything; `lists` is where lists are kept: in the folder, or in a dry run elsewhere."""
        sums = self.list_at(SUMS, None, lists)
        if self.asked.address:
            self.be_the_same(self.address)
        core = read_sums(sums, "", self.report)
        if not core:
            raise BadInput(f"{SUMS} names no file. Delete it and start again, or give another address with --from.")
        self.files([file for file in core if not AUDIO_PATH.fullmatch(file.path)], "Texts and tables")
        known = {file.path: file for file in core}
        rows = Rows.read(*(self.list_at(name, known.get(name), lists) for name in TABLES))
        wanted = [file for file in core if AUDIO_PATH.fullmatch(file.path)]
        for part in self.asked.parts:
            wanted += self.part(part, lists)
        self.files([file for file in wanted if rows.wants_file(file.path, self.asked)], "Files")
        self.clips(rows.clips(self.asked, self.report))

    def list_at(self, path: str, known: File | None, lists: Path) -> Path:
        """A list or table: the one in the folder, else the one at the address."""
        here = inside(self.out, path)
        if is_plain(here):
            return here
        if self.address is None:
            raise BadInput(f"{self.out} lacks {path}, and no address is known. Say where the release is with --from.")
        if not self.asked.dry_run and known is not None:
            raise Problem(f"{path} could not be had, and without it nothing else can be told")
        try:
            if known is None:
                return self.address.fetch_list(path, lists)
            self.address.fetch(known, lists)
        except Problem as problem:
            if path == SUMS and str(problem).startswith(GONE):
                raise BadInput(
                    f"There is no release at {self.address.address}: {problem}. Is it the right address?"
                ) from problem
            raise Problem(f"{path} could not be had from {self.address.address}: {problem}") from problem
        return lists / path

    def part(self, part: str, lists: Path) -> list[File]:
        path = f"{part}/{SUMS}"
        try:
            return read_sums(self.list_at(path, None, lists), part, self.report)
        except (Problem, BadInput) as problem:
            self.report.lack(path, problem)
            return []

    def files(self, files: list[File], what: str) -> None:
        """Checks files of the release and fetches what is missing or wrong."""
        missing = self.not_there(files, what)
        self.report.plan(missing)
        if not missing:
            return
        if self.asked.dry_run:
            self.would["file"] += len(missing)
            tell_some(f"{what}: would fetch {len(missing):,} of {len(files):,}.", [file.path for file in missing])
        elif self.address is None:
            self.report.lack_the_rest("is missing or was changed, and no address is known. Say it with --from")
        else:
            self.be_the_same(self.address)
            say(f"{what}: fetching {len(missing):,} of {len(files):,} from {self.address.address}")
            self.all_of({file: [file] for file in missing}, self.fetch_file, what)

    def not_there(self, files: list[File], what: str) -> list[File]:
        progress, missing = Progress(f"{what}, checking", len(files)), []
        for file in files:
            if self.stop.is_set():
                raise Stopped
            try:
                place = inside(self.out, file.path)
                if is_plain(place) and sha256_of(place) == file.sha256:
                    self.report.kept += 1
                else:
                    missing.append(file)
            except (Problem, OSError) as problem:
                self.report.lack(file, problem)
            progress.step()
        return missing

    def be_the_same(self, address: Address) -> None:
        """Refuses an address that has another release than the folder."""
        if self.is_same or not self.had_sums:
            return
        self.is_same = True
        with tempfile.TemporaryDirectory() as folder:
            try:
                theirs = address.fetch_list(SUMS, Path(folder).resolve())
            except Problem as problem:
                say(f"{SUMS} cannot be compared with the one at the address: {problem}")
                return
            if sha256_of(theirs) != sha256_of(self.out / SUMS):
                raise BadInput(
                    f"{self.out / SUMS} is not the one at {address.address}: the folder holds another release, or the "
                    f"list was changed. Choose another folder or address, or delete {SUMS} to take theirs."
                )

    def fetch_file(self, file: File) -> None:
        if self.address is not None:
            self.address.fetch(file, self.out)
            self.report.have(file)

    def clips(self, clips: list[Clip]) -> None:
        """Fetches what is only referred to, a video after the other, however many clips are cut from each."""
        notes = Notes(self.out)
        missing = []
        for clip in clips:
            if notes.is_there(clip, self.out):
                self.report.kept += 1
            else:
                missing.append(clip)
        self.report.plan(missing)
        videos: dict[str, list[Clip]] = {}
        for clip in missing:
            videos.setdefault(clip.youtube_id, []).append(clip)
        how_many = f"{amount(len(missing), 'clip')} of {amount(len(videos), 'video')}"
        if not missing:
            return
        if self.asked.dry_run:
            self.would.update(clip=len(missing), video=len(videos))
            tell_some(f"Videos: would fetch {how_many}.", [f"{clip.youtube_id} {clip.interval}" for clip in missing])
            return
        try:
            source = Videos(self.asked, self.stop, self.report)
        except Problem as problem:
            say(f"Videos: {problem}.")
            self.report.lack_the_rest(problem)
            return
        say(f"Videos: fetching {how_many}")
        try:
            self.all_of(videos, lambda youtube_id: source.clips_of(youtube_id, videos[youtube_id]), "Videos")
        finally:
            source.notes.tidy()

    def all_of(self, things: dict[T, list[File] | list[Clip]], fetch: Callable[[T], None], what: str) -> None:
        """Does `fetch` for all, several at once. What goes wrong with one is noted, and the others go on.

        `things` says of each what comes with it.
        """
        waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
        for thing in things:
            waiting.put(thing)
        progress = Progress(what, len(things))

        def work() -> None:
            while not self.stop.is_set():
                try:
                    thing = waiting.get_nowait()
                    fetch(thing)
                except (queue.Empty, Stopped):
                    return
                except DiskFull as problem:
                    self.disk_full = str(problem)
                    self.stop.set()
                except Problem as problem:
                    self.report.lack_the_rest(problem, things[thing])
                except Exception as problem:  # noqa: BLE001 - one thing never stops the others; the last table tells it
                    self.report.lack_the_rest(f"{type(problem).__name__}: {problem}", things[thing])
                progress.step()

        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(self.asked.jobs, len(things)))]
        for worker in workers:
            worker.start()
        try:
            while any(worker.is_alive() for worker in workers):
                for worker in workers:
                    worker.join(0.1)
        except KeyboardInterrupt:
            self.stop.set()
            say("Stopping …")
            until = time.monotonic() + 5.0
            for worker in workers:
                worker.join(max(0.0, until - time.monotonic()))
            raise
        if self.stop.is_set():
            raise DiskFull(self.disk_full) if self.disk_full else Stopped


def address_on_card(out: Path) -> str:
    """The address that the release itself names."""
    try:
        return str(json.loads((out / CARD).read_bytes())["address"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def tell_some(title: str, lines: list[str]) -> None:
    say(title)
    for line in lines[:MOST_TOLD]:
        say(f"  {plain(line)}")
    if len(lines) > MOST_TOLD:
        say(f"  … and {len(lines) - MOST_TOLD:,} more")


def tell_missing(run: Run) -> None:
    """The last table, and the file of it."""
    rows, path = run.report.rows(), run.out / MISSING
    if rows:
        say(f"\nMissing: {len(rows):,}")
        for row in rows[:MOST_TOLD]:
            say(f"  {plain(' '.join((row['path'], row['youtube_id'], row['interval'])))}\n      {row['why']}")
        if len(rows) > MOST_TOLD:
            say(f"  … and {len(rows) - MOST_TOLD:,} more:")
            for why, number in Counter(row["why"] for row in rows[MOST_TOLD:]).most_common(10):
                say(f"      {number:,} times: {why}")
    if run.asked.dry_run:
        return
    try:
        if rows:
            cells = [{name: plain(cell) for name, cell in row.items()} for row in rows]
            write_whole(inside(run.out, MISSING), table(MISSING_COLUMNS, cells))
            say(f"The same as a table: {path}")
        else:
            path.unlink(missing_ok=True)
    except (Problem, DiskFull, OSError) as problem:
        say(f"{path} could not be written: {problem}")


# --------------------------------------------------------------------------------------------------- command line


def parsed(arguments: list[str] | None) -> Asked:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--from", dest="address", default="", metavar="URL", help="the release's address, if not the one it names")
    add("--out", type=Path, help="the folder of the release (default: where this script lies)")
    add("--part", action="append", default=[], choices=PARTS, help="an optional part to fetch too; may be repeated")
    add("--split", action="append", default=[], choices=SPLITS, help="audio of this split only; may be repeated")
    add("--type", action="append", default=[], choices=AUDIO_TYPES, help="audio of this type only; may be repeated")
    add(
        "--dry-run", action="store_true", help="say what would be fetched, and fetch nothing but the lists that tell it"
    )
    add("--jobs", type=whole, default=2, metavar="N", help="how many things are fetched at once (2)")
    add("--tries", type=whole, default=5, metavar="N", help="how often a thing is tried that may work later (5)")
    add(
        "--wait",
        type=seconds,
        default=2.0,
        metavar="SECONDS",
        help="before the second try; each time twice as long (2)",
    )
    add("--pause", type=seconds, default=1.0, metavar="SECONDS", help="between the beginnings of two videos (1)")
    add("--video-url", default=VIDEO_ADDRESS, metavar="TEMPLATE", help=f"where a video is ({VIDEO_ADDRESS})")
    add("--keep-videos", action="store_true", help="keep whole videos in fetched/videos")
    found = parser.parse_args(arguments)
    for name, url in (("--from", found.address), ("--video-url", found.video_url)):
        if url and urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            parser.error(f"{name} takes an address that begins with https:// or http://")
    if "{id}" not in found.video_url:
        parser.error("--video-url takes an address with {id} in it, such as " + VIDEO_ADDRESS)
    return Asked(
        out=folder_of(found.out, found.address),
        address=found.address,
        parts=list(dict.fromkeys(found.part)),
        splits=set(found.split),
        types=set(found.type),
        jobs=found.jobs,
        tries=found.tries,
        wait_s=found.wait,
        pause_s=found.pause,
        video_url=found.video_url,
        keep_videos=found.keep_videos,
        dry_run=found.dry_run,
    )


def whole(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds, an hour at most")
    return number


def folder_of(out: Path | None, address: str) -> Path:
    """The folder of the release. Raises BadInput where it is not clear, or holds something else."""
    chosen = (out or Path(__file__).parent).expanduser().resolve()
    is_release = any((chosen / name).is_file() for name in (SUMS, SUMS + PART, CARD, LOCK))
    if is_release:
        return chosen
    if out is None:
        raise BadInput("This script does not lie in the folder of a release. Say with --out where to put or find one.")
    if chosen.exists() and not chosen.is_dir():
        raise BadInput(f"{chosen} is no folder. Choose another one with --out.")
    if chosen.is_dir() and any(chosen.iterdir()):
        raise BadInput(f"{chosen} is not empty, and what is in it is no release. Choose another folder with --out.")
    if not address:
        raise BadInput(f"There is no release in {chosen}. Say with --from where to get it.")
    return chosen


def main(arguments: list[str] | None = None) -> int:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        asked = parsed(arguments)
        if asked.dry_run:
            with tempfile.TemporaryDirectory() as lists:
                return finished(asked, Path(lists).resolve())
        with only_run(asked.out):
            return finished(asked, asked.out)
    except (BadInput, Problem) as problem:
        print(problem, file=sys.stderr, flush=True)
        return 2


def finished(asked: Asked, lists: Path) -> int:
    """Runs, tells what is missing, and gives the exit status."""
    run = Run(asked, threading.Event())
    status = 1
    try:
        run.go(lists)
        status = 1 if run.report.missing else 0
    except (KeyboardInterrupt, Stopped):
        run.report.lack_the_rest("the run was stopped before")
        status = 130
    except DiskFull as problem:
        run.report.lack_the_rest(f"{problem}, so the run stopped before")
        say(f"\n{str(problem).capitalize()}. Make room, then start again: it goes on where it was.")
    except Problem as problem:
        say(f"\n{problem}")
    if asked.dry_run:
        if not run.report.missing and status == 0 and not run.would:
            say("Nothing would be fetched: all is there.")
        elif status == 0 or run.would:
            say("Would fetch " + ", ".join(amount(run.would[name], name) for name in ("file", "clip", "video")) + ".")
    else:
        say(f"\nFetched {run.report.fetched:,}, there before {run.report.kept:,}, missing {len(run.report.missing):,}.")
    if run.report.no_way:
        say(f"{amount(run.report.no_way, 'version')} without audio and video in this release: see why_no_audio.")
    tell_missing(run)
    if status == 130:
        say("Stopped. Start it again with the same words, and it goes on where it was.")
    elif run.report.missing and not asked.dry_run:
        say(
            "All of that is gone for good: no other run brings it back. chad.py loads what is left."
            if all(row["why"].startswith(GONE) for row in run.report.missing.values())
            else "Start it again to try once more what may work later."
        )
    return status


def stop_politely(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop_politely)
    # Threads that wait for a site do not keep the process.
    code = main()
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(code)
