"""The fixtures that tests of other parts rely on: the worker is real, the microphone is heard, CI skips nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chad_site.celery import app, nudge
from chad_site.embedded import chad_home
from chad_site.embedded.places import REPOSITORY, Places
from chad_site.tests.latecomers import Door
from chad_site.tests.services import Worker, wait_until
from chad_site.tests.side_by_side import PROCESS_MB, free_memory_mb, processes

TONE_HZ = 440.0
SAMPLE_RATE = 44100

# Opens the microphone and writes the frequency that it hears into the page's title.
LISTENER = """<!doctype html><title>silence</title><script>
(async () => {
  const stream = await navigator.mediaDevices.getUserMedia(
    {audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
  const context = new AudioContext({sampleRate: 44100});
  const heard = new AnalyserNode(context, {fftSize: 8192});
  context.createMediaStreamSource(stream).connect(heard);
  await context.resume();
  const levels = new Float32Array(heard.frequencyBinCount);
  setInterval(() => {
    heard.getFloatFrequencyData(levels);
    const loudest = levels.indexOf(Math.max(...levels));
    if (levels[loudest] > -40) document.title = String(loudest * context.sampleRate / heard.fftSize);
  }, 50);
})();
</script>"""


class OnePage(BaseHTTPRequestHandler):
    """Answers everything with the listener."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(LISTENER.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def page_url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), OnePage)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.browser
def test_chromium_hears_the_file_that_its_microphone_plays(chromium_with_microphone, page_url, tmp_path):
    seconds = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * TONE_HZ * seconds), SAMPLE_RATE)
    page = chromium_with_microphone(tmp_path / "tone.wav", loop=True, width=390, height=844).new_page()
    page.goto(page_url)
    page.wait_for_function("document.title !== 'silence'")
    assert abs(float(page.title()) - TONE_HZ) < SAMPLE_RATE / 8192
    assert page.evaluate("[innerWidth, innerHeight]") == [390, 844]


def test_a_real_worker_answers_and_sees_the_tests_database(celery_worker: Worker):
    assert len(app.control.inspect(timeout=30, limit=1).stats()) == 1
    nudge()
    wait_until(
        lambda: "ml_worker.work" in celery_worker.said() and "succeeded" in celery_worker.said(), "It has looked"
    )


def test_tests_never_see_the_developers_own_home(settings):
    assert Path(os.environ["CHAD_HOME"]) == settings.CHAD_HOME == chad_home()
    assert REPOSITORY not in chad_home().parents
    assert settings.DATABASES["default"]["HOST"] == str(Places(chad_home()).sockets)


IN_BROWSER = """
import pytest

@pytest.mark.browser
def test_browser(chromium_with_microphone):
    chromium_with_microphone()
"""
ON_DATA = "import pytest\ndef test_data(): pytest.skip('needs the shared data, which is not here')\n"
WHOLE_FILE = "import pytest\npytest.skip('needs the shared data, which is not here', allow_module_level=True)\n"
OTHER = "import pytest\ndef test_other(): pytest.skip('only for root')\n"


def outcomes(folder: Path, ci: str, processes: int) -> str:
    """The closing line of a pytest of its own, with the project's hooks, where Chromium and the data are missing."""
    for number, text in enumerate((IN_BROWSER, ON_DATA, WHOLE_FILE, OTHER)):
        (folder / f"test_{number}.py").write_text(text)
    plugins = ["-p", "chad_site.tests.nothing_skipped", "-p", "chad_site.tests.browser", "-p", "no:django"]
    plugins += ["-n", str(processes)]
    options = ["-c", os.devnull, "--rootdir", folder, "-W", "ignore", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugins, folder], cwd=REPOSITORY, capture_output=True, text=True,
        env=os.environ | {"CI": ci, "CHAD_CHROMIUM": "/nowhere/chromium"},
    )  # fmt: skip
    assert done.returncode == (1 if ci else 0), done.stdout
    return done.stdout.splitlines()[-1]


alone_and_side_by_side = pytest.mark.parametrize("processes", [0, 2])


@alone_and_side_by_side
def test_without_chromium_and_data_a_developer_gets_skips(tmp_path, processes):
    assert " 4 skipped in" in outcomes(tmp_path, "", processes)


@alone_and_side_by_side
def test_without_chromium_and_data_ci_fails(tmp_path, processes):
    """Only the skip that has nothing to do with either stays one."""
    last = outcomes(tmp_path, "true", processes)
    assert "1 failed, 1 skipped, 2 errors in" in last


@pytest.mark.parametrize(
    ("cores", "memory_mb", "expected"),
    [(2, 8000, 2), (8, 3 * PROCESS_MB, 3), (1, 8000, 0), (2, PROCESS_MB, 0), (4, 100, 0)],
)
def test_there_are_as_many_processes_as_cores_and_memory_allow(cores, memory_mb, expected):
    """And none beside the first where there would be only one."""
    assert processes(cores, memory_mb) == expected


def test_free_memory_is_what_programs_may_have():
    assert free_memory_mb("MemTotal: 9000000 kB\nMemFree:   1 kB\nMemAvailable:    8000000 kB\n") == 8000


def answered(door: Door) -> tuple[str, list[bytes]]:
    """The status and body of the answer to a request."""
    statuses: list[str] = []
    body = door({}, lambda status, headers: statuses.append(status))
    return statuses[0], list(body)


def test_who_is_inside_when_the_door_closes_is_waited_for_and_who_comes_later_is_not_let_in():
    reached, may_answer = threading.Event(), threading.Event()

    def application(environ, start_response):
        reached.set()
        may_answer.wait()
        start_response("200 OK", [])
        return [b"here"]

    door = Door(application)
    door.is_open = True
    answers = []
    visitor = threading.Thread(target=lambda: answers.append(answered(door)), daemon=True)
    visitor.start()
    reached.wait()
    closing = threading.Thread(target=door.close, daemon=True)
    closing.start()
    wait_until(lambda: not door.is_open, "The door closes")
    assert answered(door)[0].startswith("503")
    assert closing.is_alive()
    may_answer.set()
    for thread in (visitor, closing):
        thread.join()
    assert answers == [("200 OK", [b"here"])]
