"""Fetches a video's audio through yt-dlp. What goes wrong is stored in words, and whether it can still be had."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio_ffmpeg
import yt_dlp
from django.conf import settings

from ml_worker.polite import rest_s
from ml_worker.work import CannotBeDone
from ml_worker.work.ingest import ingest
from recordings.models import AvailabilityCheck, Recording
from recordings.storage import put

if TYPE_CHECKING:
    from ml_worker.models import Job
    from ml_worker.work import Outcome

log = logging.getLogger("chad.fetch")

# What YouTube's pages say when a video is gone for good, rather than out of reach for now.
GONE = (
    "video unavailable",
    "private video",
    "has been removed",
    "account associated with this video has been terminated",
    "no longer available",
    "not available in your country",
    "http error 404",
    "http error 410",
)
# What they say when they doubt us rather than the video, sometimes beside "video unavailable".
DOUBTS_US = ("captcha", "rate-limited", "not a bot")
# What yt-dlp says where the site's name cannot be resolved, by what it asked through and by system.
UNRESOLVED = (
    "failed to resolve",
    "could not resolve host",
    "name or service not known",
    "name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
)
OUT_OF_REACH = "YouTube is out of reach from this machine: its name cannot be resolved. Check the network."
SOCKET_TIMEOUT_S = 20


class VideoGone(CannotBeDone):
    """The video cannot be had any more."""


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    recording = Recording.objects.select_related("song").filter(pk=job.subject).first()
    if recording is None:
        return "It was taken back before it was fetched.", None
    pause(report)
    fetch(recording, report)
    return f"Fetched {recording}, {recording.duration_s:.0f} s.", None


def pause(report: Callable[[float, str], None]) -> None:
    """Leaves the site alone for a while after the last download. Workers come here when that is over; commands wait."""
    seconds = rest_s()
    if seconds:
        report(0.0, f"Waiting {seconds:.0f} s, to be polite")
        time.sleep(seconds)


def fetch(recording: Recording, report: Callable[[float, str], None]) -> None:
    """Downloads the video of a waiting recording and reads it; keeps the bytes as they came."""
    report(0.0, f"Fetching {recording.youtube_id}")
    try:
        data = download(recording.youtube_id, report)
    except VideoGone as problem:
        AvailabilityCheck.note(recording, False, str(problem))
        recording.fail(str(problem))
        raise
    except CannotBeDone as problem:
        recording.fail(str(problem))
        raise
    digest = hashlib.sha256(data).hexdigest()
    twin = Recording.objects.filter(upload_sha256=digest).exclude(pk=recording.pk).first()
    if twin:
        recording.fail(f"This is the same audio as {twin}.")
        raise CannotBeDone(recording.failure)
    put(recording.upload, "as-it-came", data)
    recording.upload_sha256 = digest
    recording.save(update_fields=["upload", "upload_sha256"])
    AvailabilityCheck.note(recording, True, "It was fetched.")
    ingest(recording)


def download(youtube_id: str, report: Callable[[float, str], None]) -> bytes:
    """The best audio of a video, as the site has it."""

    def hook(status: dict[str, Any]) -> None:
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        if total:
            share = status.get("downloaded_bytes", 0) / total
            report(0.8 * share, f"Fetching {youtube_id}: {total / 1e6:.1f} MB")

    with tempfile.TemporaryDirectory() as folder:
        try:
            with yt_dlp.YoutubeDL(options(Path(folder), hook)) as downloader:
                downloader.download([settings.VIDEO_ADDRESS.format(id=youtube_id)])
        except yt_dlp.utils.DownloadError as problem:
            raise in_words(youtube_id, problem) from problem
        files = [path for path in Path(folder).iterdir() if path.stat().st_size]
        if not files:
            raise CannotBeDone(
                f"The video {youtube_id} gave no audio of at most {settings.MAX_IMPORT_BYTES // 1_000_000} MB."
            )
        return files[0].read_bytes()


def options(folder: Path, hook: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    return {
        "format": "bestaudio/best",
        "outtmpl": str(folder / "audio"),
        "allowed_extractors": settings.VIDEO_EXTRACTORS,
        "noplaylist": True,
        "max_filesize": settings.MAX_IMPORT_BYTES,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "retries": 3,
        "quiet": True,
        "noprogress": True,
        "logger": log,
        "no_warnings": True,
        "cachedir": False,
        "ffmpeg_location": imageio_ffmpeg.get_ffmpeg_exe(),
        "progress_hooks": [hook],
    }


def in_words(youtube_id: str, problem: Exception) -> CannotBeDone:
    """A sentence for the admin: the video is gone, or it is out of reach for now."""
    said = str(problem).removeprefix("ERROR: ").partition(" (caused by")[0].strip().rstrip(".") + "."
    if is_unresolved(said):
        said = OUT_OF_REACH
    if any(sign in said.lower() for sign in GONE) and not any(sign in said.lower() for sign in DOUBTS_US):
        return VideoGone(f"The video {youtube_id} cannot be had any more: {said}")
    return CannotBeDone(f"The video {youtube_id} could not be fetched: {said} Start the job again later.")


def is_unresolved(said: str) -> bool:
    """Whether yt-dlp's words say that the site's name could not be resolved: this machine has no way to it."""
    return any(sign in said.lower() for sign in UNRESOLVED)
