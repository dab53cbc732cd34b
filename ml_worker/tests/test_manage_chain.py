"""The admin's home: what is counted at each station, what helps most, which steps start and which say why not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from annotation.models import ReviewItem, Slot
from ml_worker import chain
from ml_worker.jobs_in_words import described, duration_of
from ml_worker.models import Checkpoint, Job
from ml_worker.tests.manage import make_checkpoint
from recordings.models import CoverFragment, Humming, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


def station(name: str) -> chain.Station:
    return next(station for station in chain.stations() if station.name == name)


def a_song(title: str = "Auld Lang Syne", **fields) -> Song:
    """A song that can be hummed, with one fragment."""
    song = factories.make_song(title, **fields)
    recording = factories.make_recording(song)
    factories.make_analysis(recording)
    factories.make_fragment(recording)
    return song


def song_of_split(split: str) -> Song:
    return factories.make_song(f"Song of {split}", id=factories.id_of_split(split))


def accepted_hum(song: Song) -> Humming:
    return factories.make_humming(factories.make_fragment(factories.make_recording(song)))


# --- what is counted


def test_songs_are_counted_as_they_get_ready(admin: Client):
    a_song()
    factories.make_recording(factories.make_song("Ode to Joy"))
    Recording.objects.create(song=factories.make_song("Frère Jacques"), kind="original", source="file")
    broken = factories.make_song("Broken")
    Recording.objects.create(song=broken, kind="original", source="file", state=Recording.State.FAILED)
    songs = station("songs")
    assert (songs.done, songs.waiting, songs.total) == (1, 2, 3)


def test_a_song_that_was_taken_down_is_counted_nowhere(admin: Client):
    song = a_song()
    Slot.lay_out()
    song.taken_down_at = timezone.now()
    song.save()
    assert (station("songs").total, station("hums").total) == (0, 0)


def test_hums_are_counted_by_filled_slots(settings):
    settings.SLOTS_PER_FRAGMENT = 3
    song = a_song()
    Slot.lay_out()
    slot = Slot.objects.first()
    slot.humming = factories.make_humming(slot.fragment, state=Humming.State.SAVED, check=False)
    slot.save()
    hums = station("hums")
    assert (hums.done, hums.total, hums.waiting) == (1, 3, 1)
    assert song.original is not None


def test_training_waits_for_hums_that_the_checkpoint_has_not_seen():
    song = song_of_split("train")
    old, new = accepted_hum(song), accepted_hum(factories.make_song("Another"))
    Checkpoint.objects.all().delete()
    make_checkpoint(hums=[old])
    seen_and_new = {old.pk, new.pk} & set(chain.hums_to_train_on().values_list("pk", flat=True))
    assert seen_and_new == ({new.pk} if new.fragment.song.split == "train" else set())


def test_hums_of_test_songs_are_no_reason_to_train():
    accepted_hum(song_of_split("test"))
    assert station("training").waiting == 0


def test_mining_waits_for_songs_with_a_cover_since_the_latest_checkpoint():
    song = a_song()
    cover = factories.make_recording(song, Recording.Kind.COVER, hz=330.0)
    factories.make_analysis(cover)
    assert station("mining").waiting == 1
    Job.ask(Job.Kind.MINE, song.pk).finish("nothing found")
    assert station("mining").waiting == 0
    make_checkpoint()
    assert station("mining").waiting == 1


def test_a_release_waits_for_versions_that_the_latest_does_not_have():
    first = accepted_hum(factories.make_song())
    assert station("release").waiting == 1
    factories.make_release()
    assert station("release").waiting == 0
    factories.make_cover_fragment(first.fragment, state=CoverFragment.State.ACCEPTED)
    assert station("release").waiting == 1


# --- what helps most


def test_a_fresh_instance_says_how_many_songs_are_ready(admin: Client):
    assert "There are no songs yet" in admin.get("/manage/").content.decode()
    a_song()
    for number in range(3):
        song = factories.make_song(f"Song {number}")
        Recording.objects.create(song=song, kind="original", source="generated", tune=f"tune-{number}")
    page = admin.get("/manage/").content.decode()
    assert "1 of 4 songs is ready and can be hummed already; the others are being prepared." in page


def test_the_double_check_is_named_before_training():
    humming = factories.make_humming(state=Humming.State.CHECKED)
    factories.make_analysis(humming.fragment.recording)
    ReviewItem.objects.create(humming=humming)
    assert chain.as_it_stands()["next"] == "1 version waits for the double-check."


# --- jobs


def test_a_failure_stands_until_its_thing_is_tried_anew():
    Job.ask(Job.Kind.TRAIN, "short").fail("Too few hums.")
    assert [job["failure"] for job in chain.as_it_stands()["jobs"]["failed"]] == ["Too few hums."]
    assert next(s for s in chain.as_it_stands()["stations"] if s["name"] == "training")["failed"] == 1
    Job.ask(Job.Kind.TRAIN, "short")
    assert chain.as_it_stands()["jobs"]["failed"] == []


def test_jobs_are_told_by_the_names_of_what_they_are_about():
    humming = factories.make_humming()
    recording = humming.fragment.recording
    jobs = [
        Job.ask(Job.Kind.ANALYSE, recording.pk), Job.ask(Job.Kind.MINE, recording.song_id),
        Job.ask(Job.Kind.CHECK, humming.pk), Job.ask(Job.Kind.RELEASE, "1.0"), Job.ask(Job.Kind.RENDER, "gone"),
    ]  # fmt: skip
    about = [job["about"] for job in described(jobs)]
    assert about == ["Auld Lang Syne, original", "Auld Lang Syne", "Auld Lang Syne", "version 1.0", "gone"]


def test_how_long_a_job_took_is_told_in_words():
    now = timezone.now()
    job = Job(state=Job.State.DONE, started_at=now - timedelta(seconds=3725), finished_at=now)
    assert duration_of(job) == "1 h 02 min"
    job.started_at = now - timedelta(seconds=65)
    assert duration_of(job) == "1 min 05 s"
    assert duration_of(Job(state=Job.State.WAITING)) == ""


def test_the_pages_call_has_everything_that_the_page_has(admin: Client):
    a_song()
    answer = admin.get("/api/manage/chain").json()
    names = [station["name"] for station in answer["stations"]]
    assert names == ["songs", "hums", "double-check", "training", "mining", "release"]
    assert answer["next"]
    assert set(answer["jobs"]) == {"waiting", "running", "failed", "done"}


# --- starting steps


def start(admin: Client, **step):
    return admin.post("/api/manage/steps", step, content_type="application/json")


def test_training_is_asked_for_once(admin: Client):
    assert start(admin, step="train").status_code == 201
    assert start(admin, step="train").status_code == 201
    assert Job.objects.filter(kind=Job.Kind.TRAIN).count() == 1
    assert admin.get("/api/manage/chain").json()["open"] == {"train": 1}


def test_mining_says_what_is_missing(admin: Client):
    answer = start(admin, step="mine")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_mine")
    assert answer.json()["error"] == "No song has both a ready original with fragments and a ready cover yet."


def test_mining_starts_a_job_a_song_or_the_one_that_is_named(admin: Client):
    songs = [a_song("Ode to Joy"), a_song("Frère Jacques")]
    for song in songs:
        factories.make_analysis(factories.make_recording(song, Recording.Kind.COVER, hz=330.0))
    assert len(start(admin, step="mine", song=str(songs[0].pk)).json()["jobs"]) == 1
    assert len(start(admin, step="mine").json()["jobs"]) == 2
    assert Job.objects.filter(kind=Job.Kind.MINE).count() == 2


@pytest.mark.parametrize("version", ["", "../../etc", "1.0/..", ".hidden", "a" * 41, "1 0"])
def test_a_version_that_is_none_is_refused_in_words(admin: Client, version: str):
    answer = start(admin, step="release", version=version)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "cannot be a version" in error if version else error.startswith("Type a version, such as 2026.11: digits")
    assert not Job.objects.exists()


def test_a_release_is_asked_for_by_its_version(admin: Client):
    assert start(admin, step="release", version="2026.11").status_code == 201
    assert Job.objects.get().subject == "2026.11"


def test_a_failed_job_is_started_again_and_no_other(admin: Client):
    job = Job.ask(Job.Kind.TRAIN, "short")
    address = f"/api/manage/jobs/{job.pk}/again"
    refused = admin.post(address).json()["error"]
    assert refused == "This job is waiting; only one that failed or was stopped is started again."
    job.fail("Too few hums.")
    assert admin.post(address).json()["state"] == "waiting"
    job.fail("Too few hums.")
    Job.ask(Job.Kind.TRAIN, "short")
    assert admin.post(address).json()["error"] == "The same work waits or runs already, in a newer job."
