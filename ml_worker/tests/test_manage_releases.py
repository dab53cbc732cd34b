"""A release's way over the admin's pages: a draft, its checklist, and its publication."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from ml_worker import made, running
from ml_worker.models import STALE_AFTER, Job
from ml_worker.pending import make_jobs
from ml_worker.tasks import put_back_stale
from ml_worker.work import CannotBeDone
from ml_worker.work import release as release_job
from recordings.models import CoverFragment, Fragment, Humming, Release, ReleasedVersion
from recordings.release import discard, draft, freeze, publish
from recordings.release.frozen.changes import FIRST_FEW, changes_since, in_words
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
    admin.post(f"{PAGE}notes/", form_of(drafted, notes="  The first one.  "))
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
    answer = admin.post(f"{PAGE}notes/", form_of(drafted, notes="x" * 4001))
    assert answer.status_code == 422
    assert "4000" in text_of(answer)


def throw_away(admin: Client, **options: Any):
    row = Release.objects.filter(version="1.0").first()
    return admin.post(f"{PAGE}throw-away/", {"snapshot": row.settings["snapshot"] if row else ""}, **options)


def test_a_draft_is_thrown_away_after_a_question_that_says_what_is_lost(admin: Client, drafted: Release):
    Release.objects.update(notes="Half an hour of careful words.")
    question = text_of(admin.get(f"{PAGE}throw-away/"))
    for words in (
        "Throw draft 1.0 away?",
        "Half an hour of careful words.",
        "<dt>hums</dt><dd>1</dd>",
        "cannot be undone",
    ):
        assert words in question
    assert Release.objects.exists(), "asked, not done"
    assert "Draft 1.0 is thrown away." in text_of(throw_away(admin, follow=True))
    assert not Release.objects.exists()
    assert admin.get(PAGE).status_code == 404


def test_a_draft_that_was_frozen_anew_since_the_question_is_asked_about_again(
    admin: Client, drafted: Release, tmp_path
):
    sent = {"snapshot": drafted.settings["snapshot"]}
    draft("1.0", tmp_path / "releases/1.0")
    answer = admin.post(f"{PAGE}throw-away/", sent, follow=True)
    assert "was frozen anew since you were asked" in text_of(answer)
    assert "Throw draft 1.0 away?" in text_of(answer)
    assert Release.objects.exists()


def test_a_draft_that_was_thrown_away_is_listed_no_more(admin: Client, drafted: Release):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.DONE, arguments={"step": "draft"})
    assert PAGE in admin.get("/manage/releases/").content.decode()
    throw_away(admin)
    assert PAGE not in admin.get("/manage/releases/").content.decode()


def test_a_version_that_could_not_be_frozen_is_forgotten(admin: Client):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.FAILED, failure="There is nothing.")
    assert "Forget this version" in admin.get(PAGE).content.decode()
    assert "Forget version 1.0?" in text_of(admin.get(f"{PAGE}throw-away/"))
    throw_away(admin)
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
    admin.post(f"{PAGE}notes/", form_of(Release.objects.get(), notes="Half an hour of careful words."))
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
    throw_away(admin)
    make_jobs()
    assert not Job.objects.filter(kind=Job.Kind.RELEASE).exists()


def test_words_for_the_changelog_are_counted_as_they_are_typed_and_steer_nothing(admin: Client, drafted: Release):
    lines = "ab\r\n" * 1300  # 3,899 letters in the browser
    admin.post(f"{PAGE}notes/", form_of(drafted, notes=f"{lines}\x1b[31m\u202efine"))
    assert Release.objects.get().notes == "ab\n" * 1300 + "[31mfine"


def test_while_a_version_is_written_nothing_else_is_done_with_it(admin: Client, drafted: Release):
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    answer = admin.post(f"{PAGE}publish/", form_of(drafted), follow=True)
    assert "is being written right now" in text_of(answer)
    assert "is being written right now" in text_of(throw_away(admin, follow=True))
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


# --- stopping


def running_job(step: str, **arguments: Any) -> Job:
    """A job of version 1.0 that a worker has taken."""
    job = Job.ask(Job.Kind.RELEASE, "1.0", step=step, **arguments)
    return Job.claim("a test", Job.objects.filter(pk=job.pk))


def run_until(job: Job, share: float, then: Callable[[], object]) -> Job:
    """Runs a job as a worker does; when so much is done, something happens once."""
    did: list[float] = []

    def on_progress(now: float, message: str) -> None:
        if now >= share and not did:
            did.append(now)
            then()

    running.run_claimed(job, on_progress)
    assert did, "it came so far"
    job.refresh_from_db()
    return job


def test_a_draft_that_runs_is_stopped_and_started_again(admin: Client, fragment: Fragment, tmp_path):
    seen = []

    def stop() -> None:
        assert "Stop the draft" in text_of(admin.get(PAGE))
        assert "Stop the draft" in text_of(admin.get("/manage/releases/"))
        seen.append(text_of(admin.post(f"{PAGE}stop/", follow=True)))

    job = run_until(running_job("draft"), 0.5, stop)
    assert "Version 1.0 is asked to stop" not in seen[0], "its line says it, and stays true"
    assert "It is asked to stop, and does so at the next place where it can." in seen[0]
    assert (job.state, job.message, job.failure) == (Job.State.STOPPED, "Stopped by admin.", "")
    release = Release.objects.get()
    assert not release.is_published
    assert release.checked_at is None
    for address in (PAGE, "/manage/releases/", "/manage/jobs/"):
        page = text_of(admin.get(address))
        assert "Stopped by admin." in page
        assert "Start again: export a release" in page
        assert "Stop the draft" not in page
        assert "Version 1.0 is" not in page
    assert "Its checks were stopped before they were through." in text_of(admin.get(PAGE))
    assert not (tmp_path / "releases/1.0/SHA256SUMS").exists()
    make_jobs()
    assert not Job.objects.open().filter(kind=Job.Kind.RELEASE).exists(), "nothing starts it again by itself"
    assert admin.post(f"/api/manage/jobs/{job.pk}/again").status_code == 200
    running.run(Job.claim("a test", Job.objects.filter(pk=job.pk)))
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.DONE, "Draft 1.0 is checked: nothing stops its publication.")
    assert Release.objects.get().may_be_published


def test_a_draft_that_waits_is_stopped_at_once_and_what_was_frozen_before_stays(admin: Client, drafted: Release):
    job = Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    answer = admin.post(f"{PAGE}stop/", {"list": ""}, follow=True)
    assert answer.redirect_chain == [("/manage/releases/", 302)]
    assert "Stopped by admin." in text_of(answer)
    job.refresh_from_db()
    assert (job.state, job.stop_asked_by.username) == (Job.State.STOPPED, "admin")
    assert Job.claim("a test", Job.objects.all()) is None
    assert Release.objects.get().may_be_published, "the draft from before is as it was"
    assert admin.post(f"{PAGE}publish/", form_of(Release.objects.get())).status_code == 302
    assert Job.objects.open().get(kind=Job.Kind.RELEASE).arguments["step"] == "publish"


def test_a_job_that_was_asked_to_stop_before_its_work_begins_leaves_the_draft_as_it_is(admin: Client, drafted: Release):
    job = running_job("draft")
    admin.post(f"{PAGE}stop/")
    running.run(job)
    job.refresh_from_db()
    assert job.state == Job.State.STOPPED
    assert Release.objects.get().settings["snapshot"] == drafted.settings["snapshot"]


def test_what_is_done_is_not_stopped_and_the_page_says_so(admin: Client, drafted: Release, tmp_path):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.DONE, message="Nothing stops it.")
    told = text_of(admin.post(f"{PAGE}stop/", follow=True))
    assert "there was nothing to stop. Its draft is frozen and checked." in told
    assert Job.objects.get().state == Job.State.DONE
    publish("1.0", tmp_path / "releases/1.0")
    assert "there was nothing to stop. It is published." in text_of(admin.post(f"{PAGE}stop/", follow=True))
    assert admin.post("/manage/releases/2.0/stop/").status_code == 404


def test_only_an_admin_stops_a_draft(drafted: Release):
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    singer = Client()
    assert singer.post(f"{PAGE}stop/").status_code == 302, "to sign in"
    singer.force_login(factories.make_person("erin"))
    assert singer.post(f"{PAGE}stop/").status_code == 403
    assert Job.objects.open().count() == 1


def test_a_publication_is_stopped_before_its_last_step_and_nothing_is_out(admin: Client, drafted: Release):
    asked = {"ticked": ticks(drafted), "notes": "", "snapshot": drafted.settings["snapshot"]}
    job = run_until(running_job("publish", **asked), 0.8, lambda: admin.post(f"{PAGE}stop/"))
    assert job.state == Job.State.STOPPED
    assert not Release.objects.get().is_published
    for address in (PAGE, "/manage/releases/"):
        page = text_of(admin.get(address))
        assert "Stopped by admin. It is not published." in page
        assert 'aria-label="Go on publishing: export a release, 1.0"' in page
        assert "Start again" not in page
    assert job.start_again()
    running.run(Job.claim("a test", Job.objects.filter(pk=job.pk)))
    assert Release.objects.get().is_published


def test_a_publication_that_is_out_is_not_stopped_any_more(admin: Client, drafted: Release, tmp_path):
    asked = {"ticked": ticks(drafted), "notes": "", "snapshot": drafted.settings["snapshot"]}
    job = running_job("publish", **asked)

    def report(share: float, message: str) -> None:
        # The last time that it is asked before the last step: from here on nothing looks any more.
        if message == "Publishing":
            release_job.stop("1.0", get_user_model().objects.get(username="admin"))

    message, counts = release_job.do(job, report)
    assert message == "Release 1.0 is published and exported. It was done before it could be stopped."
    job.finish(message, counts)
    assert Release.objects.get().is_published
    assert (tmp_path / "releases/1.0/SHA256SUMS").exists()
    page = text_of(admin.get(PAGE))
    assert "the database itself refuses it" in page
    assert "It was done before it could be stopped." in page
    assert "Stopped by" not in page


def test_an_export_of_what_is_out_is_stopped_and_the_page_says_that_it_is_out(admin: Client, fragment, tmp_path):
    publish("1.0", tmp_path / "elsewhere")
    job = run_until(running_job("publish"), 0.4, lambda: admin.post(f"{PAGE}stop/"))
    assert job.state == Job.State.STOPPED
    page = text_of(admin.get(PAGE))
    assert "Stopped by admin. It is out, as before." in page
    assert 'aria-label="Go on exporting: export a release, 1.0"' in page
    assert job.start_again()
    running.run(Job.claim("a test", Job.objects.filter(pk=job.pk)))
    assert (tmp_path / "releases/1.0/SHA256SUMS").exists()


def test_the_words_of_a_stopped_draft_outlive_it(admin: Client, fragment: Fragment):
    job = running_job("draft", notes="Half an hour of careful words.")
    run_until(job, 0.5, lambda: admin.post(f"{PAGE}stop/"))
    discard(Release.objects.all())  # as a withdrawal does
    make_jobs()
    assert not Job.objects.open().filter(kind=Job.Kind.RELEASE).exists()
    page = text_of(admin.get(PAGE))
    assert "Half an hour of careful words.</textarea>" in page
    assert "Stopped by admin." in page
    assert "its snapshot was discarded, since something in it was withdrawn" in page
    assert "“Start again” freezes it anew, with its words." in page
    admin.post(f"{PAGE}draft/", {"notes": "Half an hour of careful words."})
    running.run(Job.claim("a test", Job.objects.filter(kind=Job.Kind.RELEASE)))
    assert Release.objects.get().notes == "Half an hour of careful words."


class Killed(BaseException):
    """The worker dies."""


def test_the_words_of_a_draft_outlive_a_worker_that_dies_while_it_is_frozen_anew(
    admin: Client, drafted: Release, monkeypatch
):
    admin.post(f"{PAGE}notes/", form_of(drafted, notes="Half an hour of careful words."))
    job = Job.claim("a test", Job.objects.filter(kind=Job.Kind.RELEASE))

    def killed(*anything: Any) -> None:
        raise Killed

    monkeypatch.setattr("recordings.release.publishing.freeze", killed)
    with pytest.raises(Killed):
        release_job.do(job, lambda share, message: None)
    monkeypatch.undo()
    assert not Release.objects.exists(), "the old draft went"
    job = Job.objects.get(pk=job.pk)
    release_job.do(job, lambda share, message: None)
    assert Release.objects.get().notes == "Half an hour of careful words."


def test_the_words_of_a_draft_that_failed_outlive_it(admin: Client, drafted: Release, monkeypatch):
    admin.post(f"{PAGE}notes/", form_of(drafted, notes="Half an hour of careful words."))
    job = Job.claim("a test", Job.objects.filter(kind=Job.Kind.RELEASE))

    def full(*anything: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("recordings.release.exporting.write_tables", full)
        running.run(job)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    discard(Release.objects.all())  # as a withdrawal does
    assert "Half an hour of careful words." in text_of(admin.get(PAGE))
    admin.post(f"{PAGE}draft/")
    running.run(Job.claim("a test", Job.objects.filter(kind=Job.Kind.RELEASE, state=Job.State.WAITING)))
    assert Release.objects.get().notes == "Half an hour of careful words."


def test_what_a_worker_left_that_died_after_a_withdrawal_goes_with_the_stop(admin: Client, drafted: Release, tmp_path):
    job = running_job("draft")
    Release.objects.all().delete()  # as by a withdrawal, while the worker held the folder
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    assert list((tmp_path / "releases/1.0").rglob("*.flac"))
    admin.post(f"{PAGE}stop/")
    job.refresh_from_db()
    assert job.state == Job.State.STOPPED
    assert not (tmp_path / "releases/1.0").exists()


def test_a_stopped_publication_whose_draft_is_no_more_cannot_go_on(admin: Client, drafted: Release):
    asked = {"ticked": ticks(drafted), "notes": "", "snapshot": drafted.settings["snapshot"]}
    run_until(running_job("publish", **asked), 0.5, lambda: admin.post(f"{PAGE}stop/"))
    discard(Release.objects.all())
    page = text_of(admin.get(PAGE))
    assert "its snapshot was discarded" in page
    assert "Freeze it anew." in page
    assert "Go on publishing" not in page


def test_a_version_that_was_stopped_before_it_was_frozen_says_so(admin: Client, fragment: Fragment):
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    assert "It was asked for and is not frozen yet." in text_of(admin.get(PAGE))
    assert "It was asked for, and nothing of it is frozen." in text_of(admin.post(f"{PAGE}stop/", follow=True))


def test_a_draft_that_is_being_written_is_not_offered_for_publication(admin: Client, drafted: Release):
    assert "Look at it and publish it" in text_of(admin.get("/manage/releases/"))
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    page = text_of(admin.get("/manage/releases/"))
    assert "Look at it" in page
    assert "publish it" not in page


def test_what_was_withdrawn_or_taken_down_since_is_counted_for_each_release(
    admin: Client, fragment: Fragment, tmp_path, django_assert_max_num_queries
):
    publish("1.0", tmp_path / "releases/1.0")
    late = factories.make_humming(fragment)
    publish("1.1", tmp_path / "releases/1.1")
    late.move_to(Humming.State.WITHDRAWN, why="by its singer")
    shown = {one.version: one for one in made.releases()}
    assert {version: one.gone for version, one in shown.items()} == {"1.0": 0, "1.1": 1}
    assert shown["1.1"].gone_in_words.startswith("1 of its versions was withdrawn or taken down since.")
    assert "do not hand it on" not in text_of(admin.get(PAGE))
    assert "do not hand it on" in text_of(admin.get("/manage/releases/1.1/"))
    fragment.recording.song.taken_down_at = timezone.now()
    fragment.recording.song.save()
    with django_assert_max_num_queries(4):
        assert {one.version: one.gone for one in made.releases()} == {"1.0": 3, "1.1": 4}
    page = text_of(admin.get("/manage/releases/"))
    assert "3 of its versions were withdrawn or taken down since." in page
    assert "4 of its versions were withdrawn or taken down since." in page


def test_a_draft_whose_worker_is_lost_is_stopped_at_once(admin: Client, drafted: Release):
    long_ago = timezone.now() - 2 * STALE_AFTER
    job = running_job("draft")
    Job.objects.update(heartbeat_at=long_ago)
    assert "Stopped by admin." in text_of(admin.post(f"{PAGE}stop/", follow=True))
    job.refresh_from_db()
    assert job.start_again()
    job = Job.claim("a test", Job.objects.filter(pk=job.pk))
    admin.post(f"{PAGE}stop/")
    Job.objects.update(heartbeat_at=long_ago)  # lost after it was asked
    put_back_stale()
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.STOPPED, "Stopped by admin.")


def test_while_a_draft_is_being_stopped_it_is_not_asked_for_anew(admin: Client, drafted: Release):
    running_job("draft")
    admin.post(f"{PAGE}stop/")
    assert "is being written right now" in text_of(admin.post(f"{PAGE}draft/", follow=True))


# --- words that were typed on the page of a draft from before


@pytest.mark.parametrize("act", ["publish", "notes"])
def test_words_for_a_draft_from_before_are_shown_and_not_kept_yet(admin: Client, drafted: Release, tmp_path, act: str):
    opened = form_of(drafted, notes="Mine, <typed> for long.\r\nTwo lines.")
    draft("1.0", tmp_path / "releases/1.0")
    Release.objects.update(notes="Theirs, kept meanwhile.")
    answer = admin.post(f"{PAGE}{act}/", opened)
    assert answer.status_code == 409
    page = text_of(answer)
    assert "was frozen anew since you opened its page" in page
    assert "Mine, &lt;typed&gt; for long. Two lines.</textarea>" in page
    assert "these words are not kept yet" in page
    assert "Kept for it now:" in page
    assert "Theirs, kept meanwhile." in page
    now = Release.objects.get()
    assert f'name="snapshot" value="{now.settings["snapshot"]}"' in page
    assert "checked>" not in page, "nothing is ticked of what nobody has looked at"
    assert now.notes == "Theirs, kept meanwhile."
    assert not Job.objects.exists()
    admin.post(f"{PAGE}notes/", form_of(now, notes="Mine and theirs."))
    assert Release.objects.get().notes == "Mine and theirs."


def test_nothing_is_said_of_words_that_are_kept_already(admin: Client, drafted: Release, tmp_path):
    Release.objects.update(notes="The same.")
    opened = form_of(drafted, notes="The same.")
    draft("1.0", tmp_path / "releases/1.0")
    answer = admin.post(f"{PAGE}publish/", opened, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "was frozen anew since you opened its page" in text_of(answer)
    assert "not kept yet" not in text_of(answer)


@pytest.mark.parametrize("act", ["publish", "notes"])
def test_words_for_a_draft_that_is_no_more_go_into_the_next_one(admin: Client, drafted: Release, act: str):
    Job.objects.create(kind=Job.Kind.RELEASE, subject="1.0", state=Job.State.DONE, arguments={"step": "draft"})
    discard(Release.objects.all())
    answer = admin.post(f"{PAGE}{act}/", form_of(drafted, notes="Mine."))
    assert answer.status_code == 409
    assert "Mine.</textarea>" in text_of(answer)
    assert "There is no draft at the moment, so these words are not kept yet." in text_of(answer)
    admin.post(f"{PAGE}draft/", {"notes": "Mine."})
    assert Job.objects.open().get().arguments == {"step": "draft", "notes": "Mine."}
    running.run(Job.claim("a test", Job.objects.filter(kind=Job.Kind.RELEASE)))
    assert Release.objects.get().notes == "Mine."


def test_words_are_shown_while_the_draft_is_being_frozen_anew(admin: Client, drafted: Release):
    discard(Release.objects.all())
    Job.ask(Job.Kind.RELEASE, "1.0", step="draft")
    for act in ("publish", "notes", "draft"):
        answer = admin.post(f"{PAGE}{act}/", form_of(drafted, notes="Mine."))
        assert answer.status_code == 409
        assert "Mine.</textarea>" in text_of(answer)
        assert "Keep these words and check anew" in text_of(answer)


def test_words_for_a_version_without_a_draft_are_not_lost_where_it_has_one_by_now(admin: Client, drafted: Release):
    answer = admin.post(f"{PAGE}draft/", {"notes": "Mine."})
    assert answer.status_code == 409
    assert "Mine.</textarea>" in text_of(answer)
    assert not Job.objects.exists()


# --- what is told otherwise


def many_versions(release: Release, count: int, **told: str) -> None:
    """Hums with the same ids each time, in a release that is frozen."""
    rows = [
        ReleasedVersion(
            release=release,
            version_id=f"00000000-0000-4000-8000-{number:012d}",
            audio_type="humming",
            row={
                "dataset": {"id": f"00000000-0000-4000-8000-{number:012d}", "duration": "5.0"} | told,
                "versions": {"audio_type": "humming", "group_id": "g", "fragment_id": "f", "singer": release.version},
            },
            source={},
        )
        for number in range(count)
    ]
    ReleasedVersion.objects.bulk_create(rows)


def test_what_is_told_otherwise_is_counted_by_column_and_its_first_versions_are_named(django_assert_num_queries):
    before, now = (Release.objects.create(version=version) for version in ("1.0", "1.1"))
    many_versions(before, 1200, interval="[0, 5]")
    many_versions(now, 1200, interval="[0, 6]", duration="6.0", correlation="0.5")
    ReleasedVersion.objects.filter(release=now, version_id__endswith="7").delete()
    with django_assert_num_queries(10):
        changes = changes_since(now, before, [])
    assert changes["changed"] == 1080
    told = {one["column"]: one for one in changes["told_otherwise"]}
    assert sorted(told) == ["duration", "interval"], "neither what is new nor a pseudonym"
    assert [one["count"] for one in told.values()] == [1080, 1080]
    assert [one["version_id"][-1] for one in told["interval"]["first"]] == ["0", "1", "2", "3", "4"]
    assert len(told["duration"]["first"]) == FIRST_FEW


def test_versions_that_are_told_otherwise_are_named_on_the_pages_and_counted_in_the_changelog(
    admin: Client, fragment: Fragment, tmp_path
):
    covers = [factories.make_cover_fragment(fragment, state=CoverFragment.State.ACCEPTED) for _ in range(6)]
    publish("1.0", tmp_path / "releases/1.0")
    CoverFragment.objects.update(correlation=0.9)
    changes = freeze("1.1").facts["changes"]
    assert "Told otherwise in some column: 7 versions." in in_words(changes)
    page = admin.get("/manage/releases/1.1/").content.decode()
    assert "Told otherwise, by column" in page
    assert "<code>correlation</code>, 7 versions: " in page
    assert page.count('<a href="/releases/1.0/') == FIRST_FEW
    assert "</a></span> and 2 more</li>" in page
    publish("1.1", tmp_path / "releases/1.1")
    for address in ("/manage/releases/1.1/", "/releases/1.1/"):
        page = admin.get(address).content.decode()
        linked = [
            cover for cover in covers if f'<a href="/releases/1.1/{cover.pk}/">a cover {str(cover.pk)[:8]}</a>' in page
        ]
        assert len(linked) >= FIRST_FEW - 1, "and the fragment's other cover may be among them"
    assert admin.get(f"/releases/1.1/{linked[0].pk}/").status_code == 200
    changelog = (tmp_path / "releases/1.1/CHANGELOG.md").read_text()
    assert "Told otherwise in some column: 7 versions (`correlation` of 7)." in changelog
    freeze("1.2")
    told_again = Release.objects.get(version="1.2").facts["history"][0]["changes"]["told_otherwise"]
    assert told_again == [{"column": "correlation", "count": 7, "first": []}]


def test_releases_from_before_versions_were_named_are_shown_without(admin: Client, fragment: Fragment, tmp_path):
    publish("1.0", tmp_path / "releases/1.0")
    release = freeze("1.1")
    release.facts["changes"] = {**release.facts["changes"], "changed": 2}
    del release.facts["changes"]["told_otherwise"]
    release.save()
    page = text_of(admin.get("/manage/releases/1.1/"))
    assert "Told otherwise in some column: 2 versions." in page
    assert "by column" not in page
