"""YouTube through yt-dlp: what a search gives, and whether a video can still be had. Nothing is downloaded here."""

from __future__ import annotations

import logging
import re
from typing import Any

import yt_dlp
from django.conf import settings

from ml_worker.collecting.filters import FoundVideo
from ml_worker.collecting.names import VIDEO_ID, tidy
from ml_worker.work import CannotBeDone
from ml_worker.work.fetch import OUT_OF_REACH, SOCKET_TIMEOUT_S, VideoGone, in_words, is_unresolved

log = logging.getLogger("chad.youtube")

# A call that the network lost is tried again this often, after waits that double.
RETRIES = 3
# What yt-dlp says when a call itself failed, with an HTTP status: that is no word on the video.
API_FAILED = "Unable to download API page"
# What it says when no call was answered at all.
NO_ANSWER = "Failed to extract any player response"
# How yt-dlp begins: "[youtube] ID: ".
YT_DLP_SAYS = re.compile(r"^\[[\w:+]+\] (?:[\w-]+: )?")
# As long as the database keeps them.
MAX_LETTERS = 300


def options() -> dict[str, Any]:
    """Polite: a pause between calls, growing waits before a call is tried again, no call that is not needed."""
    return {
        "quiet": True,
        "no_warnings": True,
        "logger": log,
        "cachedir": False,
        "skip_download": True,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "sleep_interval_requests": settings.CALL_PAUSE_S,
        "extractor_retries": RETRIES,
        "retry_sleep_functions": {"extractor": lambda n: settings.CALL_PAUSE_S * 2**n},
        "extractor_args": {
            "youtubetab": {"skip": ["webpage"]},
            "youtube": {"player_skip": ["webpage", "configs", "initial_data", "js"]},
        },
    }


class Searcher:
    """Asks the site for videos, one question after the other with pauses between."""

    def __init__(self) -> None:
        flat = {"extract_flat": True, "allowed_extractors": ["youtube:search"]}
        self._downloader = yt_dlp.YoutubeDL(options() | flat)

    def __enter__(self) -> Searcher:
        return self

    def __exit__(self, *problem: object) -> None:
        self._downloader.close()

    def videos(self, query: str, most: int) -> list[FoundVideo]:
        """The videos that the site gives for a question, its best first.

        Raises:
            CannotBeDone: the site refused or could not be reached; its text says which.
        """
        try:
            found = self._downloader.extract_info(f"ytsearch{most}:{tidy(query)}", download=False)
        except yt_dlp.utils.DownloadError as problem:
            raise CannotBeDone(search_refused(query, problem)) from problem
        return [video for entry in found.get("entries", []) if (video := video_of(entry))]


def search_refused(query: str, problem: Exception) -> str:
    said = what_it_said(problem)
    if "429" in said:
        return f"YouTube asks us to slow down: {said} Start the search again in an hour."
    return f"The search for “{query}” was not answered: {said} Start it again later; what was found before is kept."


def what_it_said(problem: Exception) -> str:
    """The site's own words in an error of yt-dlp, which wraps them in its own."""
    said = str(problem).removeprefix("ERROR: ").partition(" (caused by")[0].partition("; please report")[0]
    if NO_ANSWER in said:
        return "It gave no answer."
    said = YT_DLP_SAYS.sub("", said).rpartition(f"{API_FAILED}: ")[2]
    return OUT_OF_REACH if is_unresolved(said) else said.strip().rstrip(".") + "."


def video_of(entry: dict[str, Any] | None) -> FoundVideo | None:
    """A video of a search's answer; None of what is none (a channel, a title that is hidden)."""
    if not entry or not VIDEO_ID.fullmatch(str(entry.get("id") or "")):
        return None
    title, channel = tidy(entry.get("title") or ""), tidy(entry.get("channel") or entry.get("uploader") or "")
    if not title:
        return None
    return FoundVideo(
        entry["id"], title[:MAX_LETTERS], channel[:MAX_LETTERS], entry.get("duration"), entry.get("view_count")
    )


class Looker:
    """Looks whether videos can still be had, one after the other with pauses between."""

    def __init__(self) -> None:
        one = {"allowed_extractors": settings.VIDEO_EXTRACTORS, "noplaylist": True}
        self._downloader = yt_dlp.YoutubeDL(options() | one)

    def __enter__(self) -> Looker:
        return self

    def __exit__(self, *problem: object) -> None:
        self._downloader.close()

    def look(self, youtube_id: str) -> tuple[bool | None, str]:
        """(whether it is there, what the site said); None where the site said nothing of the video."""
        try:
            address = settings.VIDEO_ADDRESS.format(id=youtube_id)
            self._downloader.extract_info(address, download=False, process=False)
        except yt_dlp.utils.DownloadError as problem:
            is_gone = isinstance(in_words(youtube_id, problem), VideoGone) and API_FAILED not in str(problem)
            return (False if is_gone else None), what_it_said(problem)
        return True, ""
