"""The whole chain on real hums: a song comes in, is hummed and double-checked in real Chromium, and is released.

One person hummed the same tune twice (melody_1, melody_2) and another one (melody_3). The first take is the song.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.contrib.auth import get_user_model
from django.core.files import File
from django.core.management import call_command
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models.verdicts import Decision
from annotation.roles import make_reviewer
from chad_site.celery import nudge
from chad_site.tests.services import Worker, wait_until
from ml_worker.models import Job
from ml_worker.tests.shared_data import shared_data
from recordings.importing import About, import_file
from recordings.models import Fragment, Humming, Recording

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-long-password-of-tests"
# Everything that a person waits for on a busy machine of two cores, ms.
PATIENCE_MS = 90_000
# Silence between two rounds of the fake microphone, so that it is a person who hums again and again, seconds.
PAUSE_S = 0.6


@pytest.fixture
def song(celery_worker: Worker) -> Recording:
    """melody_1 as a song, imported and analysed by the real worker."""
    with shared_data("hums", "henter", "melody_1.wav").open("rb") as file:
        recording, _ = import_file(File(file), About("A hummed tune", "G. E. Henter", redistributable=False))
    nudge()
    wait_until(lambda: look_until_analysed(recording), "The song's analysis")
    assert Fragment.objects.live().count() >= 1, celery_worker.said()
    return recording


def look_until_analysed(recording: Recording) -> bool:
    """Nothing is scheduled in tests: each look tells the worker to look for what the last step left."""
    failed = Job.objects.filter(state=Job.State.FAILED).first()
    assert failed is None, failed and failed.failure
    nudge()
    return recording.analyses.exists()


def account(name: str) -> None:
    person = get_user_model().objects.create_user(name, password=PASSWORD)
    if name.endswith("reviewer"):
        make_reviewer(person)


def sign_in(browser: BrowserContext, name: str) -> Page:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").last.click()
    page.wait_for_url("**/")
    return page


def microphone_file(folder: Path, name: str) -> Path:
    """A hum with a breath after it, for a microphone that plays it again and again."""
    samples, rate = soundfile.read(shared_data("hums", "henter", name), dtype="float32")
    path = folder / name
    soundfile.write(path, np.concatenate([samples, np.zeros(round(PAUSE_S * rate), np.float32)]), rate)
    return path


def hum(page: Page) -> None:
    """From the humming page to a sent take."""
    page.goto("/hum/")
    page.locator("#agree").or_(page.locator("#open-microphone")).filter(visible=True).click()
    page.locator("#check-skip").click()
    expect(page.locator("#act-word")).to_have_text("Listen, then hum", timeout=PATIENCE_MS)
    page.locator("#act").click()
    expect(page.locator("#act-word")).to_have_text("Send", timeout=PATIENCE_MS)
    page.locator("#act").click()


def test_a_hum_goes_from_the_microphone_into_a_release(
    song: Recording,
    celery_worker: Worker,
    live_server: object,
    chromium_with_microphone: Callable[..., BrowserContext],
    tmp_path: Path,
) -> None:
    for name in ("singer", "reviewer"):
        account(name)
    same_tune = microphone_file(tmp_path, "melody_2.wav")
    phone = chromium_with_microphone(same_tune, loop=True, width=360, height=740, base_url=live_server.url)
    page = sign_in(phone, "singer")
    hum(page)
    outcome = page.locator("#outcome")
    expect(outcome.locator(".notice--good")).to_be_visible(timeout=PATIENCE_MS)
    humming = Humming.objects.get()
    assert humming.state == Humming.State.CHECKED, (outcome.inner_text(), humming.check_result.measures)
    assert humming.capture["track_settings"]["echoCancellation"] is False
    assert humming.check_result.similarity > 0.5

    desk = sign_in(chromium_with_microphone(base_url=live_server.url), "reviewer")
    desk.goto("/review/")
    expect(desk.locator("#what")).to_contain_text("A hummed tune", timeout=PATIENCE_MS)
    assert desk.locator('[data-act="accept"]').is_disabled(), "it has not been heard yet"
    desk.keyboard.press("d")
    expect(desk.locator('[data-play="both"]')).to_have_attribute("aria-pressed", "true")
    expect(desk.locator('[data-act="accept"]')).to_be_enabled(timeout=PATIENCE_MS)
    desk.keyboard.press("y")
    expect(desk.get_by_role("heading", name="Nothing to double-check")).to_be_visible(timeout=PATIENCE_MS)
    humming.refresh_from_db()
    assert humming.state == Humming.State.CHECKED, "one verdict settles nothing"
    account("second-reviewer")
    humming.review.judge(get_user_model().objects.get(username="second-reviewer"), Decision.ACCEPT)
    humming.refresh_from_db()
    assert humming.state == Humming.State.ACCEPTED

    release = tmp_path / "release"
    call_command("export_release", "1.0", out=release)
    call_command("verify_release", release)
    with (release / "metadata" / "dataset.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows[str(humming.pk)]["audio_type"] == "humming"
    released, rate = soundfile.read(release / f"{song.song_id}/{humming.fragment_id}/{humming.pk}.flac", dtype="int32")
    with humming.audio.open() as stored:
        as_it_came, _ = soundfile.read(stored, dtype="int32")
    assert np.array_equal(released, as_it_came)
    assert rate == humming.sample_rate


def test_another_tune_is_refused_in_words(
    song: Recording,
    celery_worker: Worker,
    live_server: object,
    chromium_with_microphone: Callable[..., BrowserContext],
    tmp_path: Path,
) -> None:
    account("singer")
    other_tune = microphone_file(tmp_path, "melody_3.wav")
    page = sign_in(chromium_with_microphone(other_tune, loop=True, base_url=live_server.url), "singer")
    hum(page)
    warning = page.locator("#outcome .notice--warning").first
    expect(warning).to_be_visible(timeout=PATIENCE_MS)
    humming = Humming.objects.get()
    assert humming.state == Humming.State.REFUSED
    assert "wrong_tune" in [reason["code"] for reason in humming.check_result.reasons]
    assert "does not sound like the phrase" in warning.inner_text()
    expect(page.locator("#act-word")).to_have_text("Hum it again")
