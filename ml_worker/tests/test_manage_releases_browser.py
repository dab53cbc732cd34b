"""The admin's page of a draft in real Chromium: kept up to date while the draft is written, and stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from ml_worker.models import Job
from ml_worker.tests.test_manage_browser import desk, storage  # noqa: F401
from recordings.models import Release
from recordings.release import draft
from recordings.tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def drafted(settings, tmp_path: Path) -> Release:
    settings.CHAD_HOME = tmp_path
    factories.make_humming(factories.make_fragment(factories.make_recording(redistributable=True)))
    draft("1.0", tmp_path / "releases/1.0")
    return Release.objects.get()


def test_words_that_are_typed_outlive_the_draft_being_frozen_anew(desk, drafted: Release, tmp_path: Path):  # noqa: F811
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    page = desk("/manage/releases/1.0/")
    words = page.get_by_label("What is new, in your words")
    words.fill("Mine, typed meanwhile.")
    page.get_by_role("heading", name="Release 1.0").click()
    draft("1.0", tmp_path / "releases/1.0")
    Release.objects.update(notes="Theirs.")
    job.finish("Draft 1.0 is checked: nothing stops its publication.")
    expect(page.get_by_role("button", name="Publish 1.0")).to_be_enabled()
    expect(words).to_have_value("Mine, typed meanwhile.")
    page.get_by_role("button", name="Keep these words").click()
    expect(page.get_by_text("so these words are not kept yet")).to_be_in_viewport()
    expect(words).to_be_focused()
    expect(page.get_by_text("Theirs.")).to_be_visible()
    expect(words).to_have_value("Mine, typed meanwhile.")
    page.get_by_role("button", name="Keep these words").click()
    expect(page.get_by_text("Your words are kept for the changelog.")).to_be_visible()
    assert Release.objects.get().notes == "Mine, typed meanwhile."


@pytest.mark.parametrize("width", [1280, 360])
def test_what_was_not_ticked_is_said_where_one_looks(desk, drafted: Release, width: int):  # noqa: F811
    page = desk("/manage/releases/1.0/", width=width)
    page.get_by_role("button", name="Publish 1.0").click()
    error = page.get_by_text("Tick what you know of, or mend it: address, notes.")
    expect(error).to_be_in_viewport()
    expect(page.get_by_role("alert").filter(has=error)).to_be_focused()


def test_a_draft_that_waits_is_stopped_and_started_again_by_hand(desk, drafted: Release):  # noqa: F811
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    page = desk("/manage/releases/", width=360)
    page.get_by_role("button", name="Stop the draft 1.0").click()
    expect(page.get_by_text("Stopped by admin.")).to_be_visible()
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_role("button", name="Stop the draft 1.0")).to_be_visible()
    job.refresh_from_db()
    assert (job.state, job.stop_asked_at) == (Job.State.WAITING, None)
