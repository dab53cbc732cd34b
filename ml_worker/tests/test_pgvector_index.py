"""The whole search with CHAD_INDEX=pgvector: an index that is built, grown, left and replaced in the database."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from ml_worker import window_vectors
from ml_worker.finding import Finder, NoIndex, answer_all
from ml_worker.models import Job, SearchIndex, WindowPart
from ml_worker.models.search_index import STILL_OPEN
from ml_worker.models.window_parts import drop_strays, tables
from ml_worker.pending import index_lacks_something
from ml_worker.retrieval.index import build
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.tests.made_index import hum_of, indexed, killed_before_it_was_whole, made_songs, opened
from ml_worker.tests.test_finding import sent
from ml_worker.work import index as work
from recordings.models import Song
from recordings.tests import factories

# The threads of a search have connections of their own, which see only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def engine(settings, tmp_path, monkeypatch):
    """The database finds the nearest windows, however few there are."""
    factories.use_storage(settings, tmp_path / "storage")
    settings.INDEX_FOLDER = tmp_path / "index"
    settings.INDEX_ENGINE = "pgvector"
    monkeypatch.setattr(work, "build", partial(build, settings=FirstStage(from_windows=1)))
    yield
    WindowPart.objects.all().remove()
    drop_strays()


def first_found(fragment) -> str:
    """The recording that is found first of a hum of a fragment."""
    search = sent(hum_of(fragment))
    answer_all(Finder(), "this process")
    search.refresh_from_db()
    return search.answer["found"][0]["recording"]


def connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_a_hum_is_found_by_the_windows_in_the_database(monkeypatch):
    songs = made_songs([1, 2, 3, 4])
    job = indexed()
    assert job.state == Job.State.DONE, job.failure
    index = SearchIndex.in_use()
    assert (index.engine, index.window_parts.count()) == ("pgvector", 2), "short and long"
    assert not list(index.path.rglob("*.faiss"))
    assert index.bytes > sum(part.bytes for part in index.window_parts.all()) > 0
    asked = []
    search = window_vectors.WindowVectors.search
    monkeypatch.setattr(
        window_vectors.WindowVectors, "search", lambda self, *which: asked.append(self.table) or search(self, *which)
    )
    before = connections()
    assert [first_found(song) for song in songs] == [str(song.recording_id) for song in songs]
    assert set(asked) == {part.table for part in index.window_parts.all()} == set(tables())
    assert connections() == before, "the threads of a search close theirs"


def test_the_command_finds_it_too(tmp_path, capsys):
    songs = made_songs([1, 2])
    (tmp_path / "hum.wav").write_bytes(hum_of(songs[1]))
    call_command("find", str(tmp_path / "hum.wav"), json=True)
    assert json.loads(capsys.readouterr().out)["found"][0]["title"] == songs[1].song.title
    assert SearchIndex.in_use().engine == "pgvector"


def test_songs_that_come_and_go():
    songs = made_songs([1, 2, 3])
    indexed()
    before = SearchIndex.in_use()
    finder = Finder()
    finder.index()
    songs += made_songs([4])
    assert indexed().state == Job.State.DONE
    assert SearchIndex.in_use().pk == before.pk
    assert set(before.window_parts.values_list("segment", flat=True)) == {"0001", "0002"}
    assert len(finder.index().searcher.keys) == 4, "a process that has it open sees them"
    assert first_found(songs[3]) == str(songs[3].recording_id)
    Song.objects.filter(pk=songs[3].song.pk).update(taken_down_at=timezone.now())
    indexed()
    assert first_found(songs[3]) != str(songs[3].recording_id)


def test_what_a_killed_job_left_in_the_database_goes(monkeypatch):
    made_songs([1, 2])
    left = killed_before_it_was_whole(monkeypatch)
    assert left.window_parts.count() == 2
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert indexed().state == Job.State.DONE
    SearchIndex.objects.filter(pk=left.pk).update(retired_at=timezone.now() - 2 * STILL_OPEN)
    SearchIndex.sweep()
    assert left.window_parts.count() == 0
    assert set(tables()) == {part.table for part in SearchIndex.in_use().window_parts.all()}


def test_songs_whose_coming_was_killed_come_into_the_tables_once(monkeypatch):
    songs = made_songs([1, 2, 3])
    indexed()
    songs += made_songs([4])

    class Killed(BaseException):
        pass

    def dies(*_) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        # Both tables are there, and no manifest names their segment.
        dying.setattr("ml_worker.retrieval.index.layout.Manifest.save", dies)
        with pytest.raises(Killed):
            indexed()
    assert WindowPart.objects.count() == 4
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert indexed().state == Job.State.DONE
    assert set(tables()) == {part.table for part in WindowPart.objects.all()}
    assert WindowPart.objects.count() == 4
    assert first_found(songs[3]) == str(songs[3].recording_id)


def test_another_setting_means_another_index_and_the_one_before_serves_meanwhile(settings, monkeypatch):
    songs = made_songs([1, 2])
    indexed()
    before = SearchIndex.in_use()
    settings.INDEX_ENGINE = "faiss"
    monkeypatch.setattr(work, "build", build)  # of so few windows faiss makes no inverted file
    assert index_lacks_something(before)
    assert opened().row == before
    assert first_found(songs[0]) == str(songs[0].recording_id)
    indexed()
    index = SearchIndex.in_use()
    assert (index.engine, index.window_parts.count()) == ("faiss", 0)
    assert first_found(songs[0]) == str(songs[0].recording_id)
    SearchIndex.objects.filter(pk=before.pk).update(retired_at=timezone.now() - 2 * STILL_OPEN)
    SearchIndex.sweep()
    assert tables() == []
    settings.INDEX_ENGINE = "pgvector"
    assert index_lacks_something(index)


def test_a_table_that_is_gone_is_told_and_built_anew():
    songs = made_songs([1, 2])
    indexed()
    before = SearchIndex.in_use()
    before.window_parts.all().remove()
    with pytest.raises(NoIndex, match="is being built"):
        Finder().index()
    before.refresh_from_db()
    assert (before.state, "database does not have" in before.problem) == (SearchIndex.State.FAILED, True)
    assert indexed().state == Job.State.DONE
    assert first_found(songs[0]) == str(songs[0].recording_id)


def test_a_wrong_setting_is_told_where_the_index_is_built(settings):
    made_songs([1])
    settings.INDEX_ENGINE = "annoy"
    job = indexed()
    assert (job.state, job.failure) == (
        Job.State.FAILED,
        "CHAD_INDEX is “annoy”; set it to faiss or pgvector, or leave it out.",
    )
