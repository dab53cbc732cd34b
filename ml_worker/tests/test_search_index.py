"""The index of songs as a job: asked for when it is due, in use when it is whole, never half of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from ml_worker import pending, running
from ml_worker.finding import BUILDING, Finder, NoIndex, why_there_is_none
from ml_worker.models import Checkpoint, IndexedRecording, Job, SearchIndex
from ml_worker.models.search_index import LINE_AT_LATEST, STILL_OPEN
from ml_worker.pending import index_lacks_something
from ml_worker.retrieval.index.layout import Manifest
from ml_worker.retrieval.index.open_set import OpenSet
from ml_worker.tests.made_index import indexed, killed_before_it_was_whole, made_songs, opened
from ml_worker.tests.made_starter import untrained
from ml_worker.work import index as work
from ml_worker.work.train import store
from recordings.models import Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def places(settings, tmp_path) -> None:
    """Files in memory, and a folder of the test's own for indexes."""
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    settings.INDEX_FOLDER = tmp_path / "index"


def keys_in(songs) -> set[str]:
    return {str(fragment.recording_id) for fragment in songs}


def later() -> None:
    """So long after the last job that another one may be asked for."""
    Job.objects.update(created_at=timezone.now() - 2 * pending.NOW_AND_THEN)
    SearchIndex.objects.update(built_at=timezone.now() - pending.NOW_AND_THEN)


def is_due() -> bool:
    return pending.index_is_due(SearchIndex.in_use())


def lacks_something() -> bool:
    return index_lacks_something(SearchIndex.in_use())


def test_without_songs_nothing_is_built_and_it_is_said():
    assert not is_due()
    assert why_there_is_none().startswith("There are no songs to find yet.")
    job = indexed()
    assert (job.state, "no song" in job.failure) == (Job.State.FAILED, True)


def test_the_first_songs_are_indexed_by_the_job_that_pending_work_asks_for():
    songs = made_songs([1, 2])
    factories.make_analysis(factories.make_recording(songs[0].song, Recording.Kind.COVER, hz=330))
    assert is_due()
    assert why_there_is_none() == BUILDING
    pending.make_jobs()
    asked = Job.objects.get(kind=Job.Kind.INDEX)
    assert asked.priority == pending.SOON
    job = indexed()
    assert (job.pk, job.state) == (asked.pk, Job.State.DONE), job.failure
    index = SearchIndex.in_use()
    assert (index.songs, index.songs_built, index.job) == (2, 2, job)
    assert index.windows > 50
    assert index.bytes > 10_000
    assert opened().searcher.keys == keys_in(songs)
    assert not lacks_something()
    assert not is_due()


def test_songs_that_come_are_added_without_building_it_anew():
    songs = made_songs([1, 2, 3])
    indexed()
    before = SearchIndex.in_use()
    finder = Finder()
    assert finder.index().searcher.keys == keys_in(songs)
    new = made_songs([4])
    assert not is_due(), "songs that come one after the other come together"
    later()
    assert is_due()
    job = indexed()
    assert "1 song came, 0 songs went" in job.message
    index = SearchIndex.in_use()
    assert (index.pk, index.songs, index.growths) == (before.pk, 4, 1)
    assert finder.index().searcher.keys == keys_in(songs + new), "a process that has it open sees them"


def test_an_index_that_doubled_is_built_anew():
    made_songs([1])
    indexed()
    before = SearchIndex.in_use()
    made_songs([2])
    indexed()
    after = SearchIndex.in_use()
    assert (after.pk != before.pk, after.songs, after.growths) == (True, 2, 0)
    before.refresh_from_db()
    assert before.state == SearchIndex.State.RETIRED


def test_the_line_is_drawn_when_no_songs_come_any_more(monkeypatch):
    made_songs([1, 2, 3])
    indexed()
    assert SearchIndex.in_use().lacks_line
    assert not is_due(), "songs may be coming"
    drawn = []

    def draw(folder, weights, *, progress, engine):
        drawn.append(folder)
        return OpenSet(line=0.7, hums=300, songs=3)

    monkeypatch.setattr(work, "calibrate", draw)
    indexed()
    assert drawn == [], "who only wants the songs up to date does not wait for it"
    later()
    assert is_due()
    pending.make_jobs()
    assert Job.objects.filter(kind=Job.Kind.INDEX, priority=Job.UNHURRIED).exists()
    assert "from 0.70 on" in indexed().message
    index = SearchIndex.in_use()
    assert (drawn, index.line, index.line_songs, index.lacks_line) == ([index.path], 0.7, 3, False)
    later()
    assert not is_due()


def given_line(index: SearchIndex, line: float = 0.7) -> None:
    """As if it had been drawn."""
    drawn = OpenSet(line=line, slope=-0.5, hums=300, songs=index.songs)
    replace(Manifest.load(index.path), open_set=drawn.as_dict()).save(index.path)
    index.line, index.line_songs, index.line_at = line, index.songs, timezone.now()
    index.save()


def test_an_index_that_is_built_anew_is_searched_by_the_line_of_the_one_before_until_it_has_its_own():
    made_songs([1, 2])
    indexed()
    given_line(SearchIndex.in_use())
    indexed(again=True)
    index = SearchIndex.in_use()
    open_set = opened().searcher.open_set
    assert (index.line, open_set.line, open_set.slope) == (0.7, 0.7, -0.5)
    assert open_set.songs == 2, "with how many songs it was drawn is told"
    assert (index.line_songs, index.line_at, index.lacks_line) == (0, None, True)
    job = Job.objects.create(kind=Job.Kind.TRAIN, state=Job.State.DONE)
    store(untrained("short"), job).change_standing(Checkpoint.Standing.PROMOTED, "It finds more.")
    indexed()
    assert SearchIndex.in_use().line is None, "of other checkpoints it says nothing"
    assert opened().searcher.open_set == OpenSet()


def test_where_songs_keep_coming_the_line_is_drawn_all_the_same(monkeypatch):
    made_songs([1, 2, 3])
    indexed()
    monkeypatch.setattr(work, "calibrate", lambda *_, **__: OpenSet(line=0.7, hums=300, songs=3))
    made_songs([4])
    index = SearchIndex.in_use()
    Job.objects.update(created_at=timezone.now() - 2 * pending.NOW_AND_THEN)
    pending.make_jobs()
    assert "1 song came" in indexed().message, "as long as it is not overdue"
    made_songs([5])
    SearchIndex.objects.update(created_at=timezone.now() - 2 * LINE_AT_LATEST)
    Job.objects.update(created_at=timezone.now() - 2 * pending.NOW_AND_THEN)
    pending.make_jobs()
    assert Job.objects.get(kind=Job.Kind.INDEX, state=Job.State.WAITING).priority == Job.UNHURRIED
    assert "from 0.70 on" in indexed().message
    index.refresh_from_db()
    assert (index.line, index.line_is_overdue) == (0.7, False)
    assert "1 song came" in indexed().message


def test_a_song_that_was_taken_down_goes_and_comes_back_with_it():
    songs = made_songs([1, 2, 3])
    indexed()
    Song.objects.filter(pk=songs[0].song.pk).update(taken_down_at=timezone.now())
    assert lacks_something()
    indexed()
    assert opened().searcher.keys == keys_in(songs[1:])
    assert not lacks_something()
    Song.objects.update(taken_down_at=None)
    assert lacks_something()
    indexed()
    assert opened().searcher.keys == keys_in(songs)
    assert SearchIndex.in_use().songs == 3


def test_a_recording_that_was_deleted_goes_too():
    songs = made_songs([1, 2, 3])
    indexed()
    songs[0].recording.delete()
    indexed()
    assert opened().searcher.keys == keys_in(songs[1:])


def test_a_song_that_is_heard_anew_comes_again():
    songs = made_songs([1, 2, 3])
    indexed()
    factories.make_analysis(songs[0].recording, tracker="another")
    assert lacks_something()
    indexed()
    assert not lacks_something()
    assert IndexedRecording.objects.get(recording=songs[0].recording).analysis == songs[0].recording.analysis.pk
    assert SearchIndex.in_use().songs == 3


def test_another_checkpoint_means_another_index_and_the_one_before_serves_meanwhile():
    songs = made_songs([1, 2])
    indexed()
    before = SearchIndex.in_use()
    job = Job.objects.create(kind=Job.Kind.TRAIN, state=Job.State.DONE)
    new = store(untrained("short"), job)
    assert not lacks_something(), "a candidate is not in use"
    new.change_standing(Checkpoint.Standing.PROMOTED, "It finds more.")
    later()
    pending.make_jobs()
    asked = Job.objects.get(kind=Job.Kind.INDEX, state=Job.State.WAITING)
    assert asked.priority == Job.UNHURRIED, "hums are checked first"
    assert opened().row == before
    indexed()
    index = SearchIndex.in_use()
    assert index.checkpoints[0] == new.name
    assert (index.pk != before.pk, opened().searcher.keys) == (True, keys_in(songs))


def test_the_folder_of_an_index_goes_when_nobody_can_have_it_open_any_more():
    made_songs([1])
    indexed()
    before = SearchIndex.in_use()
    indexed(again=True)
    SearchIndex.sweep()
    assert before.path.exists()
    SearchIndex.objects.filter(pk=before.pk).update(retired_at=timezone.now() - STILL_OPEN - timedelta(seconds=1))
    assert SearchIndex.sweep() == 1
    assert not before.path.exists()
    assert SearchIndex.in_use().path.exists()
    assert SearchIndex.sweep() == 0


def test_what_building_left_that_broke_off_goes_and_what_is_being_built_stays():
    made_songs([1])
    indexed()
    place = SearchIndex.in_use().path.parent
    being_built = SearchIndex.objects.create(checkpoints=[])
    broke_off = SearchIndex.objects.create(checkpoints=[], state=SearchIndex.State.FAILED)
    parts = [place / f"{index.folder}.part" for index in (being_built, broke_off)]
    forgotten, others = place / f"{'0' * 32}.part", place / "notes.part"
    for folder in (*parts, forgotten, others):
        (folder / "segments").mkdir(parents=True)
    assert SearchIndex.sweep() == 2
    assert [folder.exists() for folder in (*parts, forgotten, others)] == [True, False, False, True]
    indexed()
    assert not parts[0].exists(), "another one is built, so this one broke off"
    assert SearchIndex.in_use().path.exists()


def test_one_index_is_in_use():
    made_songs([1])
    indexed()
    with pytest.raises(IntegrityError), transaction.atomic():
        SearchIndex.objects.create(checkpoints=[], state=SearchIndex.State.READY)


def test_a_damaged_index_is_told_and_built_anew():
    songs = made_songs([1, 2])
    indexed()
    before = SearchIndex.in_use()
    finder = Finder()
    finder.index()
    next(before.path.rglob("*.codes.bin")).write_bytes(b"")
    assert finder.index(), "what is open stays open"
    with pytest.raises(NoIndex, match="is being built"):
        Finder().index()
    before.refresh_from_db()
    assert (before.state, "damaged" in before.problem) == (SearchIndex.State.FAILED, True)
    assert lacks_something()
    indexed()
    assert finder.index().searcher.keys == keys_in(songs)


def test_an_index_whose_folder_is_gone_is_built_anew():
    made_songs([1])
    indexed()
    shutil.rmtree(SearchIndex.in_use().path)
    with pytest.raises(NoIndex):
        Finder().index()
    job = indexed()
    assert job.state == Job.State.DONE, job.failure
    assert opened()


def test_what_a_killed_job_left_is_taken_away_and_the_work_is_done(monkeypatch):
    made_songs([1, 2])
    left = killed_before_it_was_whole(monkeypatch)
    assert left.state == SearchIndex.State.BUILDING
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    job = indexed()
    assert job.state == Job.State.DONE, job.failure
    left.refresh_from_db()
    assert left.state == SearchIndex.State.FAILED
    assert SearchIndex.in_use().songs == 2


def test_a_job_that_was_killed_between_the_songs_and_their_rows_adds_nothing_twice(monkeypatch):
    songs = made_songs([1, 2, 3])
    indexed()
    songs += made_songs([4])

    class Killed(BaseException):
        pass

    def dies(*_) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(work, "note", dies)
        with pytest.raises(Killed):
            indexed()
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert indexed().state == Job.State.DONE
    assert opened().searcher.keys == keys_in(songs)
    assert (SearchIndex.in_use().songs, lacks_something()) == (4, False)


def test_a_melody_that_cannot_be_read_is_told_and_does_not_stop_the_others():
    songs = made_songs([1, 2])
    melody = songs[0].recording.analysis.melody
    melody.storage.delete(melody.name)
    job = indexed()
    assert job.state == Job.State.DONE, job.failure
    assert "The melodies of 1 song cannot be read" in job.message
    assert not lacks_something(), "it is not tried again and again"


def test_building_that_failed_is_not_begun_again_by_itself():
    factories.make_analysis(factories.make_recording())
    Job.objects.create(kind=Job.Kind.INDEX, state=Job.State.FAILED, failure="No room.")
    Job.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert not is_due()
    assert why_there_is_none().startswith("The index of the songs could not be built.")
    made_songs([1])
    indexed()
    assert not lacks_something()
    made_songs([2])
    later()
    assert is_due(), "since then it went well"


def test_where_the_folder_cannot_be_written_it_is_said(settings, tmp_path):
    made_songs([1])
    (tmp_path / "file").write_text("")
    settings.INDEX_FOLDER = tmp_path / "file"
    job = indexed()
    assert "The index cannot be written to" in job.failure


def test_a_command_that_waits_for_another_process_says_so(monkeypatch, capsys):
    made_songs([1])
    job = Job.ask(Job.Kind.INDEX)
    Job.claim("a worker", Job.objects.filter(pk=job.pk))
    monkeypatch.setattr(running.time, "sleep", lambda _: job.finish("An index of 1 song is in use.", {"songs": 1}))
    call_command("build_index")
    printed = capsys.readouterr()
    assert printed.err.count("Another process is at this already (a worker); waiting for it.") == 1
    assert printed.out == "An index of 1 song is in use.\n"


def test_the_command_says_what_came_of_it(capsys, monkeypatch):
    # To draw the line takes minutes; that it is drawn well is told in test_index.py.
    monkeypatch.setattr(work, "calibrate", lambda *_, **__: OpenSet(line=0.7, hums=300, songs=1))
    made_songs([1])
    call_command("build_index")
    assert capsys.readouterr().out == "An index of 1 song is in use.\n"
    assert SearchIndex.in_use().line == 0.7
    call_command("build_index")
    assert "up to date" in capsys.readouterr().out
    call_command("build_index", again=True, json=True)
    assert capsys.readouterr().out == '{"songs": 1}\n'
    assert SearchIndex.objects.filter(state=SearchIndex.State.RETIRED).count() == 1
