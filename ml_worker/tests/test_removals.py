"""Removals as the admin does and sees them: the song's page, the list, and the marks of checkpoints."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from annotation import leaving, removing, taking
from annotation.models import Removal, ReviewItem
from ml_worker import chain, made
from ml_worker.models import Checkpoint, Job
from ml_worker.tests.manage import make_checkpoint
from ml_worker.work import release as release_job
from ml_worker.work.released_data import may_train
from ml_worker.work.train import store
from recordings.models import CoverFragment, Humming, Release, ReleasedVersion, Song, TrainingUse
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def song() -> Song:
    """A song with an accepted hum that is released and trained a checkpoint, and one that waits."""
    fragment = factories.make_fragment()
    take = factories.make_humming(fragment)
    ReviewItem.ask_about(factories.make_humming(fragment, state=Humming.State.CHECKED))
    out = Release.objects.create(version="1.0")
    row = {"versions": {"fragment_id": str(fragment.pk)}}
    ReleasedVersion.objects.create(release=out, version_id=take.pk, audio_type="humming", row=row, source={})
    Release.objects.update(published_at=timezone.now())
    make_checkpoint(hums=[take])
    return fragment.song


def text_of(answer) -> str:
    return " ".join(answer.content.decode().split())


# --- the song's page


def test_taking_down_shows_first_what_it_touches_and_wants_a_reason(admin: Client, song: Song):
    assert f"/manage/songs/{song.pk}/take-down/" in text_of(admin.get(f"/manage/songs/{song.pk}/"))
    page = text_of(admin.get(f"/manage/songs/{song.pk}/take-down/"))
    for words in (
        "<dt>hums</dt><dd>2</dd>",
        "<dt>item of the double-check closed</dt><dd>1</dd>",
        '<span class="mono">short-0123456789ab</span> (in use)',
        "1.0. Their public pages stop giving its audio and curves",
        "Later releases list it as removed and ask people to delete their copies",
    ):
        assert words in page
    answer = admin.post(f"/manage/songs/{song.pk}/take-down/", {"why": "  "})
    assert answer.status_code == 422
    assert "Say why the song is taken down" in text_of(answer)
    assert not Removal.objects.exists()


def test_a_song_is_taken_down_and_put_back(admin: Client, song: Song):
    answer = admin.post(f"/manage/songs/{song.pk}/take-down/", {"why": "Its owner asked."}, follow=True)
    page = text_of(answer)
    for words in ("Taken down.", "This song was taken down on", "by admin.", "Its owner asked.", "Put back"):
        assert words in page
    assert not Song.objects.available().exists()
    assert ReviewItem.objects.get().state == ReviewItem.State.CLOSED
    again = admin.get(f"/manage/songs/{song.pk}/take-down/", follow=True)
    assert "This song is down already." in text_of(again)
    page = text_of(admin.post(f"/manage/songs/{song.pk}/put-back/", follow=True))
    assert "Put back. What was closed in the double-check is asked again." in page
    assert Song.objects.available().exists()
    assert ReviewItem.objects.get().state == ReviewItem.State.WAITING
    assert admin.get(f"/manage/songs/{song.pk}/put-back/").status_code == 405


def test_a_song_that_went_down_before_there_were_rows_is_shown_and_put_back(admin: Client, song: Song):
    Song.objects.update(taken_down_at=timezone.now())
    assert "This song was taken down on" in text_of(admin.get(f"/manage/songs/{song.pk}/"))
    admin.post(f"/manage/songs/{song.pk}/put-back/")
    assert Song.objects.available().exists()


# --- the list


def test_every_removal_is_listed_with_what_it_touched(admin: Client, song: Song):
    boss = get_user_model().objects.get(username="admin")
    removing.take_down(song, boss, "Its owner asked.")
    removing.put_back(song, boss)
    take = factories.make_humming(None, factories.make_person("carol"))
    taking.withdraw(take, take.singer)
    leaving.leave(factories.make_person("dave"), keep_takes=True)
    page = text_of(admin.get("/manage/removals/"))
    for words in (
        "Auld Lang Syne (Trad. Scottish)",
        "Its owner asked.",
        "put back",
        "2 hums",
        "In 1.0, which is out: given there again.",
        "short-0123456789ab",
        "A hum of Auld Lang Syne",
        "by carol",
        "The account was deleted; its takes stay",
        "It touched nothing else.",
    ):
        assert words in page, words
    assert "dave" not in page
    only = text_of(admin.get("/manage/removals/?kind=take"))
    assert "A hum of Auld Lang Syne" in only
    assert "Its owner asked." not in only
    assert "There is none of this kind." not in only


def test_an_empty_list_says_so(admin: Client):
    assert "Nothing was removed yet." in text_of(admin.get("/manage/removals/"))
    assert "There is none of this kind." in text_of(admin.get("/manage/removals/?kind=song"))


def test_the_page_counts_what_the_next_release_lists(admin: Client, song: Song):
    taking.withdraw(Humming.objects.get(state=Humming.State.ACCEPTED), get_user_model().objects.get(username="admin"))
    told = text_of(admin.get("/manage/removals/"))
    assert "The next release lists 1 version as removed: the public pages stopped giving it at once." in told


# --- checkpoints


def weights(*versions: str) -> SimpleNamespace:
    """A trained network as far as `store` looks at it."""
    named = [[str(uuid.uuid4()), str(uuid.uuid4()), version] for version in versions]
    return SimpleNamespace(
        name="short-abcdefabcdef",
        settings=SimpleNamespace(kind="short", as_dict=dict),
        data=SimpleNamespace(as_dict=lambda: {"versions": named, "sha256": "ab" * 32}),
        figures={},
        to_bytes=lambda: b"weights",
    )


def test_a_checkpoint_is_stored_with_a_row_of_each_version_that_trained_it(admin: Client):
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    store(weights(first, second, first, "a hum from elsewhere"), None)
    store(weights(first, second), None)
    assert sorted(str(use.version_id) for use in TrainingUse.objects.all()) == sorted([first, second])
    assert Checkpoint.objects.count() == 1


def test_each_reason_marks_the_checkpoint_in_a_sentence(admin: Client):
    hums = [factories.make_humming() for _ in range(6)]
    cover = factories.make_cover_fragment(hums[4].fragment)
    make_checkpoint(hums=hums)
    make_checkpoint("short-ffffffffffff", hums=hums[5:])
    TrainingUse.objects.create(version_id=cover.pk, checkpoint="short-0123456789ab")
    for hum in hums[:3]:
        hum.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    marked = {one.row.name: one.gone for one in made.checkpoints()}
    assert not marked["short-ffffffffffff"]
    words = "Trained on 3 hums that were withdrawn since; train anew to leave them out."
    assert marked["short-0123456789ab"].in_words == words
    assert words in text_of(admin.get("/manage/checkpoints/"))
    Humming.objects.filter(pk=hums[3].pk).update(ai_training=False)
    Song.objects.filter(pk=hums[4].fragment.song.pk).update(taken_down_at=timezone.now())
    gone = {one.row.name: one.gone for one in made.checkpoints()}["short-0123456789ab"]
    assert gone == made.Gone(withdrawn=3, taken_down=2, unwilling=1)
    assert gone.in_words == (
        "Trained on 3 hums that were withdrawn, 2 versions whose song was taken down and 1 hum whose singer has said "
        "no to AI training since; train anew to leave them out."
    )


def test_one_alone_is_told_as_one():
    assert made.Gone(withdrawn=1).in_words == "Trained on 1 hum that was withdrawn since; train anew to leave it out."
    assert made.Gone().in_words == ""


def test_hums_to_train_on_leave_out_what_trained_the_latest_and_what_may_not(admin: Client, monkeypatch):
    old, new, unwilling = (factories.make_humming() for _ in range(3))
    monkeypatch.setattr(chain, "Split", SimpleNamespace(TRAIN=None))
    Humming.objects.filter(pk=unwilling.pk).update(ai_training=False)
    make_checkpoint(hums=[old])
    assert set(chain.hums_to_train_on()) <= {new}


def test_a_release_folder_tells_what_may_be_trained_on():
    assert may_train({"ai_training": "True"})
    assert may_train({})
    assert not may_train({"ai_training": "False"})


# --- the job that exports


def test_the_job_freezes_anew_what_was_withdrawn_while_it_ran(admin: Client, settings, tmp_path):
    settings.CHAD_HOME = tmp_path
    fragment = factories.make_fragment()
    first, second = factories.make_humming(fragment), factories.make_humming(fragment)

    def report(share: float, message: str) -> None:
        if Release.objects.exists() and not Removal.objects.exists():
            taking.withdraw(first, first.singer)

    words, counts = release_job.do(Job.ask(Job.Kind.RELEASE, "1.0"), report)
    assert words == "Release 1.0 is published and exported."
    assert counts["humming"] == 1
    hums = ReleasedVersion.objects.filter(audio_type="humming")
    assert [version.version_id for version in hums] == [second.pk]
    assert Removal.objects.get().touched["unreleased"] == ["1.0"]
    assert Release.objects.get().published_at
    assert not CoverFragment.objects.exists()
