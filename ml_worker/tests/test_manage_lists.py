"""The admin's lists: jobs, checkpoints, releases, and the rows of Django's admin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib import admin as django_admin
from django.test import Client
from django.utils import timezone

from annotation.models import Verdict
from ml_worker import made
from ml_worker.models import Job
from ml_worker.tests.manage import make_checkpoint
from recordings.models import Humming, Recording, Release, Song
from recordings.release import freeze
from recordings.rows_admin import RowsAdmin
from recordings.tests import factories

pytestmark = pytest.mark.django_db

STATIC = Path(__file__).resolve().parents[2] / "static"


# --- jobs


def test_jobs_tell_their_state_their_sentence_and_how_to_go_on(admin: Client):
    song = factories.make_song()
    Job.ask(Job.Kind.MINE, song.pk).fail("There is no checkpoint yet.")
    page = admin.get("/manage/jobs/").content.decode()
    assert "There is no checkpoint yet." in page
    assert "Start again" in page
    assert song.title in page


def test_jobs_are_filtered_by_state_and_kind(admin: Client):
    Job.ask(Job.Kind.TRAIN, "short").fail("Too few hums.")
    Job.ask(Job.Kind.RELEASE, "1.0")
    failed = admin.get("/manage/jobs/", {"state": "failed"}).content.decode()
    assert "Too few hums." in failed
    assert "version 1.0" not in failed
    releases = admin.get("/manage/jobs/", {"kind": "release", "state": "nonsense"}).content.decode()
    assert "version 1.0" in releases
    assert "Too few hums." not in releases


def test_a_page_with_open_jobs_keeps_itself_up_to_date(admin: Client):
    assert "data-live-open" not in admin.get("/manage/jobs/").content.decode()
    Job.ask(Job.Kind.TRAIN, "short")
    assert "data-live-open" in admin.get("/manage/jobs/").content.decode()


# --- checkpoints


def test_a_checkpoint_tells_its_data_figures_settings_and_null_level(admin: Client):
    humming = factories.make_humming()
    null = {"spans_s": [3.0, 4.0, 10.0, 20.0], "floor": [0.9, 0.8, 0.7, 0.6], "pairs": 12}
    make_checkpoint(hums=[humming], null_level=null)
    page = admin.get("/manage/checkpoints/").content.decode()
    for words in ("short-0123456789ab", "in use", "top 1 of 2 songs", "augmentation: splice", "r = 0.80 over 4 s"):
        assert words in page


def test_hums_that_were_withdrawn_mark_the_checkpoints_that_they_trained(admin: Client):
    kept, withdrawn, down = (factories.make_humming() for _ in range(3))
    make_checkpoint(hums=[kept, withdrawn, down])
    assert not made.checkpoints()[0].gone
    withdrawn.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.")
    Song.objects.filter(pk=down.fragment.recording.song_id).update(taken_down_at=timezone.now())
    assert made.checkpoints()[0].gone == made.Gone(withdrawn=1, taken_down=1)
    words = "Trained on 1 hum that was withdrawn and 1 version whose song was taken down since; train anew to leave"
    assert words in admin.get("/manage/checkpoints/").content.decode()


def test_a_checkpoint_of_data_from_elsewhere_is_shown_too(admin: Client):
    checkpoint = make_checkpoint()
    checkpoint.data["versions"] = [["a song", "a fragment", "a hum"]]
    checkpoint.save()
    assert admin.get("/manage/checkpoints/").status_code == 200
    assert admin.get("/manage/").status_code == 200


def test_no_checkpoint_says_what_training_needs(admin: Client):
    assert "There is no checkpoint yet, not even" in admin.get("/manage/checkpoints/").content.decode()


# --- releases


def test_a_release_tells_what_is_in_it_and_where_it_lies(admin: Client):
    factories.make_humming()
    factories.make_release()
    assert "not exported here" in admin.get("/manage/releases/").content.decode()
    Job.ask(Job.Kind.RELEASE, "1.0").finish("Release 1.0 is exported.", {"folder": "/somewhere/releases/1.0"})
    page = admin.get("/manage/releases/").content.decode()
    assert "/somewhere/releases/1.0" in page
    assert "Export again" in page


def test_a_release_that_could_not_be_made_says_why(admin: Client):
    Job.ask(Job.Kind.RELEASE, "1.0").fail("There is nothing to release yet.")
    shown = made.releases()
    assert [(one.version, one.row, one.can_export) for one in shown] == [("1.0", None, False)]
    assert "There is nothing to release yet." in admin.get("/manage/releases/").content.decode()


def test_a_version_is_not_offered_again_while_it_is_exported():
    factories.make_humming()
    draft = freeze("1.0")
    assert not made.releases()[0].can_export
    Release.objects.filter(pk=draft.pk).update(published_at=draft.created_at)
    assert made.releases()[0].can_export
    Job.ask(Job.Kind.RELEASE, "1.0")
    assert not made.releases()[0].can_export


# --- rows


@pytest.fixture
def superuser(admin: Client) -> Client:
    client = Client()
    client.force_login(factories.make_person("root", is_staff=True, is_superuser=True))
    return client


def test_every_model_of_the_project_is_among_the_rows():
    from django.apps import apps

    ours = {
        model for app in ("recordings", "annotation", "ml_worker") for model in apps.get_app_config(app).get_models()
    }
    assert ours == {model for model, rows in django_admin.site._registry.items() if isinstance(rows, RowsAdmin)}


def test_what_is_evidence_is_neither_made_nor_changed_nor_deleted_by_hand(superuser: Client):
    humming = factories.make_humming()
    address = f"/admin/recordings/humming/{humming.pk}"
    assert superuser.get(f"{address}/change/").status_code == 200
    assert superuser.post(f"{address}/change/", {"state": "rejected"}).status_code == 403
    assert superuser.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert superuser.get("/admin/recordings/humming/add/").status_code == 403
    assert superuser.get("/admin/annotation/verdict/add/").status_code == 403
    assert not Verdict.objects.exists()


def test_a_recording_keeps_its_audio_while_its_licence_is_set(superuser: Client):
    recording = factories.make_recording()
    sent = {"artist": "A choir", "licence": "CC-BY-4.0", "redistributable": "on", "kind": "cover", "audio": "elsewhere"}
    assert superuser.post(f"/admin/recordings/recording/{recording.pk}/change/", sent).status_code == 302
    after = Recording.objects.get(pk=recording.pk)
    assert (after.artist, after.licence, after.redistributable) == ("A choir", "CC-BY-4.0", True)
    assert (after.kind, after.audio.name) == ("original", recording.audio.name)


def test_a_song_is_taken_down_on_its_page_and_not_from_the_rows(superuser: Client):
    factories.make_song()
    page = superuser.get("/admin/recordings/song/").content.decode()
    assert "Take down" not in page
    assert "Put back" not in page


def test_failed_jobs_are_started_again_from_the_rows(superuser: Client):
    failed, done = Job.ask(Job.Kind.TRAIN, "short"), Job.ask(Job.Kind.TRAIN, "long")
    failed.fail("Too few hums.")
    done.finish("Done.")
    sent = {"_selected_action": [str(failed.pk), str(done.pk)], "action": "start_again"}
    superuser.post("/admin/ml_worker/job/", sent)
    assert sorted(Job.objects.values_list("state", flat=True)) == ["done", "waiting"]


def test_the_key_of_a_releases_pseudonyms_is_shown_to_nobody(superuser: Client):
    factories.make_humming()
    release = freeze("1.0")
    page = superuser.get(f"/admin/recordings/release/{Release.objects.get().pk}/change/").content.decode()
    assert "pseudonym_key" in page
    assert release.settings["pseudonym_key"] not in page


def test_every_row_can_be_opened(superuser: Client):
    humming = factories.make_humming()
    cover = factories.make_cover_fragment(humming.fragment)
    job = Job.ask(Job.Kind.TRAIN, "short")
    checkpoint = make_checkpoint(hums=[humming])
    rows = [humming, humming.check_result, cover, cover.recording, humming.fragment, job, checkpoint]
    for row in rows:
        address = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"
        assert superuser.get(address).status_code == 200, address


def test_the_admin_has_the_colours_of_the_house():
    """admin.css repeats the tokens of chad.css, as that file would restyle Django's own elements."""
    house, rows = (blocks((STATIC / "css" / name).read_text()) for name in ("chad.css", "admin.css"))
    assert set(rows) == {":root", ':root:not([data-theme="light"])', ':root[data-theme="dark"]'}
    for selector, tokens in rows.items():
        assert tokens.items() <= house[selector].items(), selector


def blocks(css: str) -> dict[str, dict[str, str]]:
    """The colour tokens of each block that sets the paper's colour."""
    found = re.findall(r"([^{}]+)\{([^{}]*--paper:[^{}]*)\}", css)
    return {
        selector.strip().splitlines()[-1].strip(): dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", body))
        for selector, body in found
    }
