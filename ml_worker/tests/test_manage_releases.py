"""A release's way over the admin's pages: a draft, its checklist, and its publication."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ml_worker.models import Job
from ml_worker.pending import make_jobs
from ml_worker.work import CannotBeDone
from ml_worker.work import release as release_job
from recordings.models import CoverFragment, Fragment, Humming, Release
from recordings.release import discard, draft, publish
from recordings.tests import factories

pytestmark = pytest.mark.django_db

PAGE = "/manage/releases/1.0/"


@pytest.fixture
def fragment(settings, tmp_path) -> Fragment:
    settings.CHAD_HOME = tmp_path
    fragment = factories.make_fragment(factories.make_recording(redistributable=True))
    factories.make_humming(fragment)
    factories.make_cover_fragment(fragment, state=CoverFragment.State.ACCEPTED)
    return fragment


@pytest.fixture
def drafted(fragment, tmp_path) -> Release:
    draft("1.0", tmp_path / "releases/1.0")
    return Release.objects.get()


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


def ticks(release: Release) -> list[str]:
    return [check["name"] for check in release.checks if check["state"] == "mind"]


def form_of(release: Release, **other: Any) -> dict[str, Any]:
    """What the page of a draft posts."""
    return {"snapshot": release.settings["snapshot"], "tick": ticks(release), **other}


def test_a_version_is_drafted_published_and_exported_by_jobs(admin: Client, fragment: Fragment):
    assert admin.post("/api/manage/steps", {"step": "release", "version": "1.0"}, "application/json").status_code == 201
    job = Job.objects.get(kind=Job.Kind.RELEASE)
    assert job.arguments == {"step": "draft"}
    message, _ = release_job.do(job, lambda share, message: None)
    assert message == "Draft 1.0 is checked: nothing stops its publication."
    job.finish(message, {})
    assert not Release.objects.get().is_published
    answer = admin.post(f"{PAGE}publish/", form_of(Release.objects.get()))
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    job = Job.objects.open().get(kind=Job.Kind.RELEASE)
    message, counts = release_job.do(job, lambda share, message: None)
    assert message == "Release 1.0 is published and exported."
    job.finish(message, counts)
    assert Release.objects.get().is_published
    assert "the database itself refuses it" in text_of(admin.get(PAGE))
    again = {"step": "release", "version": "1.0"}
    refused = admin.post("/api/manage/steps", again, "application/json")
    assert (refused.status_code, refused.json()["error"]) == (400, "1.0 is published. Take another version.")
    admin.post("/api/manage/steps", again | {"again": True}, "application/json")
    assert Job.objects.open().get(kind=Job.Kind.RELEASE).arguments == {"step": "publish"}, "exported again"


def test_a_draft_shows_counts_changes_and_checks(admin: Client, drafted: Release):
    page = text_of(admin.get(PAGE))
    for words in (
        "A draft, frozen",
        "Against nothing: it is the first",
        "New: 1 covers, 1 hums, 1 originals; 1 new fragments, 1 new songs.",
        "No song, singer, video or sound is in two splits.",
        "Nobody has written what is new in it",
    ):
        assert words in page
    assert "draft" in text_of(admin.get("/manage/releases/"))


def test_what_is_to_be_minded_has_to_be_ticked(admin: Client, drafted: Release):
    answer = admin.post(f"{PAGE}publish/", form_of(drafted, tick=[]))
    assert answer.status_code == 422
    assert "Tick what you know of, or mend it: address, notes." in text_of(answer)
    assert not Job.objects.filter(kind=Job.Kind.RELEASE).exists()


def test_what_stops_cannot_be_ticked_away(admin: Client, drafted: Release):
    drafted.checks = [{"name": "leaks", "state": "stops", "says": "A song is in two splits."}]
    drafted.save()
    assert "A song is in two splits." in text_of(admin.get(PAGE))
    assert admin.post(f"{PAGE}publish/", form_of(drafted, tick=["leaks"])).status_code == 422
    assert not Job.objects.filter(kind=Job.Kind.RELEASE).exists()


def test_words_for_the_changelog_are_kept_and_the_draft_is_checked_anew(admin: Client, drafted: Release):
    admin.post(f"{PAGE}notes/", {"notes": "  The first one.  "})
    drafted.refresh_from_db()
    assert drafted.notes == "The first one."
    assert not drafted.may_be_published, "its checks did not see the words"
    assert Job.objects.get(kind=Job.Kind.RELEASE).arguments == {"step": "draft"}


def test_words_that_were_not_kept_before_publishing_are_not_lost(admin: Client, drafted: Release):
    answer = admin.post(f"{PAGE}publish/", form_of(drafted, notes="Typed at last."))
    assert answer.status_code == 302
    drafted.refresh_from_db()
    assert drafted.notes == "Typed at last."
    assert Job.objects.get(kind=Job.Kind.RELEASE).arguments == {"step": "draft"}, "checked first, with them"


def test_a_forgotten_tick_keeps_the_others(admin: Client, drafted: Release):
    page = text_of(admin.post(f"{PAGE}publish/", form_of(Release.objects.get(), tick=["notes"])))
    assert 'value="notes" checked' in page
    assert 'value="address" checked' not in page


def test_what_came_to_be_minded_meanwhile_stops_the_job(admin: Client, drafted: Release):
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="publish", ticked=["notes"], notes="")
    with pytest.raises(CannotBeDone, match="It will never name its address"):
        release_job.do(job, lambda share, message: None)
    assert not Release.objects.get().is_published


def test_too_many_words_are_refused_in_words(admin: Client, drafted: Release):
    answer = admin.post(f"{PAGE}notes/", {"notes": "x" * 4001})
    assert answer.status_code == 422
    assert "4000" in text_of(answer)


def test_a_draft_is_thrown_away(admin: Client, drafted: Release):
    admin.post(f"{PAGE}throw-away/")
    assert not Release.objects.exists()
    assert admin.get(PAGE).status_code == 404


def test_a_draft_that_was_thrown_away_is_listed_no_more(admin: Client, drafted: Release):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.DONE, arguments={"step": "draft"})
    assert PAGE in admin.get("/manage/releases/").content.decode()
    admin.post(f"{PAGE}throw-away/")
    assert PAGE not in admin.get("/manage/releases/").content.decode()


def test_a_version_that_could_not_be_frozen_is_forgotten(admin: Client):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.FAILED, failure="There is nothing.")
    assert "Forget this version" in admin.get(PAGE).content.decode()
    admin.post(f"{PAGE}throw-away/")
    assert admin.get(PAGE).status_code == 404
    assert not Job.objects.exists()


def test_only_the_draft_that_was_looked_at_is_published(admin: Client, drafted: Release, tmp_path):
    looked_at = form_of(drafted)
    draft("1.0", tmp_path / "releases/1.0")
    answer = admin.post(f"{PAGE}publish/", looked_at, follow=True)
    assert "was frozen anew since you opened its page" in text_of(answer)
    assert not Job.objects.exists()
    admin.post(f"{PAGE}publish/", form_of(Release.objects.get()))
    draft("1.0", tmp_path / "releases/1.0")
    with pytest.raises(CannotBeDone, match="was looked at was frozen anew or thrown away since"):
        release_job.do(Job.objects.get(), lambda share, message: None)
    discard(Release.objects.all())
    with pytest.raises(CannotBeDone, match="was looked at was frozen anew or thrown away since"):
        release_job.do(Job.objects.get(), lambda share, message: None)
    assert not Release.objects.exists()


def test_a_draft_that_was_discarded_says_so_and_is_frozen_again(admin: Client, drafted: Release):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.DONE, message="Nothing stops it.")
    discard(Release.objects.all())
    page = text_of(admin.post(f"{PAGE}publish/", form_of(drafted), follow=True))
    assert "Draft 1.0 is no more: somebody threw it away" in page
    assert "Its draft is no more" in page
    assert "Nothing stops it." not in page
    admin.post(f"{PAGE}draft/")
    assert Job.objects.open().get().arguments == {"step": "draft"}


def test_a_draft_that_was_discarded_is_frozen_anew_with_its_words(admin: Client, fragment: Fragment):
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    job.finish(*release_job.do(job, lambda share, message: None))
    admin.post(f"{PAGE}notes/", {"notes": "Half an hour of careful words."})
    job = Job.objects.open().get(kind=Job.Kind.RELEASE)
    job.finish(*release_job.do(job, lambda share, message: None))
    make_jobs()
    assert not Job.objects.open().filter(kind=Job.Kind.RELEASE).exists()
    factories.make_humming(fragment)
    discard(Release.objects.all())  # as a withdrawal does
    make_jobs()
    make_jobs()
    job = Job.objects.open().get(kind=Job.Kind.RELEASE)
    job.finish(*release_job.do(job, lambda share, message: None))
    assert Release.objects.get().notes == "Half an hour of careful words."
    admin.post(f"{PAGE}throw-away/")
    make_jobs()
    assert not Job.objects.filter(kind=Job.Kind.RELEASE).exists()


def test_words_for_the_changelog_are_counted_as_they_are_typed_and_steer_nothing(admin: Client, drafted: Release):
    lines = "ab\r\n" * 1300  # 3,899 letters in the browser
    admin.post(f"{PAGE}notes/", {"notes": f"{lines}\x1b[31m\u202efine"})
    assert Release.objects.get().notes == "ab\n" * 1300 + "[31mfine"


def test_while_a_version_is_written_nothing_else_is_done_with_it(admin: Client, drafted: Release):
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    answer = admin.post(f"{PAGE}publish/", form_of(drafted), follow=True)
    assert "is being written right now" in text_of(answer)
    assert "is being written right now" in text_of(admin.post(f"{PAGE}throw-away/", follow=True))
    assert Release.objects.exists()


def test_a_published_release_is_neither_changed_nor_thrown_away(admin: Client, fragment: Fragment, tmp_path):
    publish("1.0", tmp_path / "releases/1.0")
    for act in ("notes", "draft", "publish", "throw-away"):
        assert admin.post(f"{PAGE}{act}/", {"notes": "other"}).status_code == 404
    assert Release.objects.get().notes == ""


def test_a_failure_of_the_checks_is_said(admin: Client, fragment: Fragment):
    fragment.recording.licence = ""
    fragment.recording.save()
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    message, _ = release_job.do(job, lambda share, message: None)
    assert message == "Draft 1.0 is checked: 1 of 12 checks stop its publication."


def test_a_withdrawn_hum_empties_the_draft_of_it_until_the_last_moment(admin: Client, drafted: Release):
    other = factories.make_humming(Fragment.objects.get())
    hum = Humming.objects.exclude(pk=other.pk).get()
    hum.move_to(Humming.State.WITHDRAWN, why="by its singer")
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="publish")
    release_job.do(job, lambda share, message: None)
    release = Release.objects.get()
    assert release.is_published
    assert not release.versions.filter(version_id=hum.pk).exists()
    assert release.versions.filter(version_id=other.pk).exists()
