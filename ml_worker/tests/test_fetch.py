"""Fetching videos through yt-dlp, from a stand-in server on this machine: the real client, the real protocol."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ml_worker.models import Job
from ml_worker.running import run_here
from recordings.importing import About, import_video
from recordings.models import Recording
from recordings.tests import factories

pytestmark = pytest.mark.django_db

GOOD, GONE, ODD = "goodvideo00", "gonevideo00", "oddvideo000"
AUDIO = factories.audio_file(factories.tone(6.0))


class VideoSite(BaseHTTPRequestHandler):
    """Serves a WAV file as a video would be, a 404 for one that is gone, and words for one that is none."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        name = self.path.rsplit("/", 1)[-1].partition("?")[0]
        status, kind, data = {
            GOOD: (200, "audio/wav", AUDIO),
            ODD: (200, "audio/wav", b"these are only words" * 500),
        }.get(name, (404, "text/html", b"gone"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *values: object) -> None:
        """Says nothing: pytest's output is for results."""


@pytest.fixture
def video_site(settings) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), VideoSite) as server:
        threading.Thread(target=server.serve_forever).start()
        settings.VIDEO_ADDRESS = f"http://127.0.0.1:{server.server_port}/{{id}}"
        settings.VIDEO_EXTRACTORS = ["generic"]
        settings.VIDEO_PAUSE_S = 0.0
        yield settings.VIDEO_ADDRESS
        server.shutdown()


def fetched(video: str) -> tuple[Recording, Job]:
    recording, is_new = import_video(video, About("A song", "Somebody"))
    assert is_new
    job = run_here(Job.Kind.FETCH, recording.pk)
    recording.refresh_from_db()
    return recording, job


def test_a_video_is_fetched_kept_as_it_came_and_read(video_site):
    recording, job = fetched(GOOD)
    assert job.state == Job.State.DONE, job.failure
    assert recording.state == Recording.State.READY
    assert recording.is_available is True
    assert recording.duration_s == pytest.approx(6.0)
    with recording.upload.open() as stored:
        assert stored.read() == AUDIO


def test_a_video_that_is_gone_is_said_to_be_gone(video_site):
    recording, job = fetched(GONE)
    assert recording.state == Recording.State.FAILED
    assert recording.is_available is False
    assert "cannot be had any more" in recording.failure
    assert job.failure == recording.failure


def test_a_site_that_is_away_says_nothing_of_the_video(settings):
    settings.VIDEO_ADDRESS = "http://127.0.0.1:1/{id}"
    settings.VIDEO_EXTRACTORS = ["generic"]
    recording, job = fetched(GOOD)
    assert recording.state == Recording.State.FAILED
    assert recording.is_available is None
    assert "again later" in job.failure


def test_a_site_whose_name_cannot_be_resolved_is_out_of_reach(settings):
    settings.VIDEO_ADDRESS = "http://no-such-site.invalid/{id}"
    settings.VIDEO_EXTRACTORS = ["generic"]
    recording, job = fetched(GOOD)
    assert recording.is_available is None
    assert job.failure == (
        f"The video {GOOD} could not be fetched: YouTube is out of reach from this machine: its name cannot be "
        "resolved. Check the network. Start the job again later."
    )


def test_a_video_without_sound_fails_in_words(video_site):
    recording, _ = fetched(ODD)
    assert recording.state == Recording.State.FAILED
    assert recording.failure


def test_the_same_audio_under_another_id_is_said_to_be_known(video_site, settings):
    first, _ = fetched(GOOD)
    settings.VIDEO_ADDRESS = settings.VIDEO_ADDRESS.replace("{id}", GOOD + "?{id}")
    second, _ = fetched("othervideo0")
    assert second.state == Recording.State.FAILED
    assert str(first) in second.failure


def test_only_videos_of_the_site_are_fetched(settings):
    """By default yt-dlp is given YouTube's reader alone, and an id instead of an address."""
    assert settings.VIDEO_EXTRACTORS == ["youtube"]
    assert settings.VIDEO_ADDRESS.startswith("https://www.youtube.com/")
