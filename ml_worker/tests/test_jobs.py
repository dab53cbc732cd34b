"""Jobs: found in what is pending, done once, put back when their worker is lost, and failing in words."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from ml_worker import pending, running, tasks
from ml_worker.models import MAX_ATTEMPTS, Job
from ml_worker.work import FUNCTIONS, CannotBeDone
from recordings.models import Humming, Recording
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def does(monkeypatch):
    """Makes a kind of job do what the test says."""

    def set_work(kind: str, work) -> None:
        monkeypatch.setitem(FUNCTIONS, kind, work)

    return set_work


def claim(job: Job) -> Job | None:
    return Job.claim("a test", Job.objects.filter(pk=job.pk))


def test_asking_twice_for_one_thing_makes_one_job():
    assert Job.ask(Job.Kind.MINE, "song") == Job.ask(Job.Kind.MINE, "song")
    assert Job.ask(Job.Kind.MINE, "other song") != Job.ask(Job.Kind.MINE, "song")


def test_a_job_is_claimed_once_and_the_urgent_one_first():
    later, sooner = Job.ask(Job.Kind.RENDER, "a"), Job.ask(Job.Kind.CHECK, "b", priority=100)
    ordinary = Job.objects.of_queue("ordinary")
    assert Job.claim("one", ordinary) == sooner
    assert Job.claim("two", ordinary) == later
    assert Job.claim("three", ordinary) is None


def test_a_hum_is_checked_next_however_many_covers_wait(does, monkeypatch):
    """Each call of a worker looks for what is pending first, and of what nobody waits for only one runs at a time."""
    for number in range(20):
        Job.ask(Job.Kind.ANALYSE, f"cover {number}", priority=Job.UNHURRIED)
    monkeypatch.setattr(tasks, "call_for_work", lambda queue: None)
    ran = []

    def work(job, report):
        ran.append(job.kind)
        return "done", None

    for kind in Job.Kind.values:
        does(kind, work)
    assert Job.claim("another process", tasks.claimable("ordinary")).kind == Job.Kind.ANALYSE
    tasks.work("ordinary")
    assert ran == [], "a second unhurried job waits, so that a process is free"
    factories.make_humming(state=Humming.State.SAVED, check=False)
    tasks.work("ordinary")
    assert ran == [Job.Kind.CHECK]


def test_heavy_and_ordinary_jobs_are_apart():
    Job.ask(Job.Kind.TRAIN, "short")
    assert Job.claim("one", Job.objects.of_queue("ordinary")) is None
    assert Job.claim("one", Job.objects.of_queue("heavy")).kind == Job.Kind.TRAIN


def test_a_job_that_cannot_be_done_says_why(does):
    def work(job, report):
        raise CannotBeDone("There are too few hums.")

    does(Job.Kind.TRAIN, work)
    job = running.run(claim(Job.ask(Job.Kind.TRAIN)))
    assert (job.state, job.failure) == (Job.State.FAILED, "There are too few hums.")


def test_an_unforeseen_error_is_stored_and_its_traceback_logged(does, caplog):
    does(Job.Kind.TRAIN, lambda job, report: 1 / 0)
    job = running.run(claim(Job.ask(Job.Kind.TRAIN)))
    assert "ZeroDivisionError" in job.failure
    assert "Traceback" in caplog.text


def test_a_database_that_is_away_for_a_moment_fails_no_job_of_a_worker(does):
    def work(job, report):
        raise OperationalError("server closed the connection unexpectedly")

    does(Job.Kind.CHECK, work)
    job = running.run(claim(Job.ask(Job.Kind.CHECK, "a hum")), tried_again=True)
    assert job.state == Job.State.RUNNING, "without a heartbeat it is put back"
    job.refresh_from_db()
    assert (job.state, job.failure) == (Job.State.RUNNING, "")


def test_progress_is_in_the_row_while_it_runs(does):
    seen = []

    def work(job, report):
        report(0.5, "half way")
        seen.append(Job.objects.get(pk=job.pk))
        return "done", {"n": 1}

    does(Job.Kind.TRAIN, work)
    job = running.run(claim(Job.ask(Job.Kind.TRAIN)))
    assert (seen[0].progress, seen[0].message) == (0.5, "half way")
    assert (job.state, job.message, job.result) == (Job.State.DONE, "done", {"n": 1})


def test_a_job_whose_worker_is_lost_waits_again_until_it_has_cost_too_many():
    job = Job.ask(Job.Kind.TRAIN)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert claim(job).attempts == attempt
        tasks.put_back_stale()
        assert Job.objects.get(pk=job.pk).state == Job.State.RUNNING, "it still beats"
        Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
        tasks.put_back_stale()
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert f"died {MAX_ATTEMPTS} times" in job.failure


def test_a_failed_job_can_be_started_again():
    recording = factories.make_recording(state=Recording.State.FAILED, failure="The video is gone.", source="youtube")
    job = Job.ask(Job.Kind.FETCH, recording.pk)
    job.fail("The video is gone.")
    assert job.start_again()
    recording.refresh_from_db()
    assert (job.state, recording.state, recording.failure) == (Job.State.WAITING, Recording.State.WAITING, "")
    assert not job.start_again()


def test_what_is_pending_becomes_jobs_once():
    humming = factories.make_humming(state=Humming.State.SAVED, check=False)
    waiting = factories.make_recording(state=Recording.State.WAITING)
    pending.make_jobs()
    pending.make_jobs()
    asked = set(Job.objects.values_list("kind", "subject"))
    analysed = (Job.Kind.ANALYSE, str(humming.fragment.recording_id))
    assert asked == {(Job.Kind.CHECK, str(humming.pk)), (Job.Kind.INGEST, str(waiting.pk)), analysed}
    assert Job.objects.count() == 3


def test_what_failed_is_not_tried_for_ever():
    humming = factories.make_humming(state=Humming.State.SAVED, check=False)
    Job.ask(Job.Kind.CHECK, humming.pk).fail("It has no melody.")
    pending.make_jobs()
    assert not Job.objects.open().filter(kind=Job.Kind.CHECK).exists()


def test_songs_that_were_taken_down_are_left_alone():
    recording = factories.make_recording(state=Recording.State.WAITING)
    recording.song.taken_down_at = timezone.now()
    recording.song.save()
    pending.make_jobs()
    assert not Job.objects.exists()


def test_a_command_and_a_worker_do_not_do_the_same_work_twice(does):
    runs = []
    does(Job.Kind.TRAIN, lambda job, report: (runs.append(job.pk), ("done", None))[1])
    first = running.run_here(Job.Kind.TRAIN, "short")
    assert first.state == Job.State.DONE
    assert len(runs) == 1


def test_a_command_takes_over_from_a_worker_that_was_lost(does):
    does(Job.Kind.TRAIN, lambda job, report: ("done", None))
    lost = claim(Job.ask(Job.Kind.TRAIN, "short", steps=7))
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    job = running.run_here(Job.Kind.TRAIN, "short")
    assert (job, job.state, job.attempts, job.arguments) == (lost, Job.State.DONE, 2, {"steps": 7})


@pytest.mark.django_db(transaction=True)
def test_no_worker_takes_what_a_command_asks_for_before_the_command_has_it(monkeypatch):
    seen = []

    def look() -> None:
        seen.append(Job.objects.count())
        connection.close()

    def claim_after_a_look(*asked):
        other = Thread(target=look)
        other.start()
        other.join()
        return claims(*asked)

    claims = Job.claim
    monkeypatch.setattr(Job, "claim", claim_after_a_look)
    job, is_claimed = running.claimed_here(Job.Kind.TRAIN, "short")
    assert is_claimed
    assert seen == [0]
    assert running.claimed_here(Job.Kind.TRAIN, "short") == (job, False)
