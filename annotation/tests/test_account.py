"""A person's own account: everything is theirs to take along, and to take away."""

from __future__ import annotations

import io
import json
import uuid
import zipfile

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from annotation.handing_out import claim
from annotation.leaving import leave, sweep
from annotation.models import Consent, Familiarity, Guest, Participation, ReviewItem, Study
from annotation.own_data import data_of
from annotation.taking import SentTake, TakeRefused, save_take
from annotation.tests.desks import make_control
from chad_site.errors import NotAllowed
from recordings.models import HumCheck, Humming, Release, ReleasedVersion
from recordings.storage import DurableFileSystemStorage, put, sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

PASSWORD = "mm-mm-da-da-dum"


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def alice():
    person = factories.make_person("alice", password=PASSWORD)
    Consent.give(person)
    return person


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def test_the_archive_holds_every_take_byte_for_byte_and_every_row(browser, alice):
    wav = factories.audio_file(factories.tone(5.0))
    take = factories.make_humming(None, alice, Humming.State.ACCEPTED, wav=wav)
    of_somebody = factories.make_humming(take.fragment, factories.make_person("bob"))
    item = ReviewItem.objects.create(humming=of_somebody)
    of_somebody.state = Humming.State.CHECKED
    of_somebody.save()
    item.judge(alice, "reject", reason="other", words="It is a whistle.")
    Familiarity.say(alice, take.fragment.song, True)
    answer = browser.get("/account/data")
    assert answer["Content-Type"] == "application/zip"
    assert "attachment" in answer["Content-Disposition"]
    zipped = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert zipped.read(f"takes/{take.pk}.wav") == wav
    assert sorted(zipped.namelist()) == ["README.txt", "data.json", f"takes/{take.pk}.wav"]
    data = json.loads(zipped.read("data.json"))
    assert data["account"]["name"] == "alice"
    assert [one["id"] for one in data["takes"]] == [str(take.pk)]
    assert data["takes"][0]["check"]["similarity"] == 0.91
    assert data["verdicts"][0]["words"] == "It is a whistle."
    assert data["songs"][0]["knows"] is True
    assert "bob" not in json.dumps(data)


def test_leaving_with_the_takes_withdraws_them_and_deletes_their_audio(browser, alice):
    take = factories.make_humming(None, alice, Humming.State.ACCEPTED)
    audio, melody = take.audio, take.check_result.melody
    answer = browser.post("/account/leave/", {"takes": "withdraw", "password": PASSWORD}, follow=True)
    assert "Your account is deleted." in answer.content.decode()
    take = Humming.objects.get()
    assert take.state == Humming.State.WITHDRAWN
    assert not take.audio
    assert not audio.storage.exists(audio.name)
    assert not melody.storage.exists(melody.name)
    alice.refresh_from_db()
    assert alice.username.startswith("deleted-")
    assert (alice.email, alice.is_active, alice.has_usable_password()) == ("", False, False)
    assert not Client().login(username="alice", password=PASSWORD)
    assert browser.get("/takes/").status_code == 302


def test_a_take_without_its_audio_is_shown_and_not_heard(browser, alice):
    take = factories.make_humming(None, alice, Humming.State.WITHDRAWN)
    Humming.objects.update(audio="")
    HumCheck.objects.update(melody="")
    assert "Hear mine" not in browser.get("/takes/").content.decode()
    assert browser.get(f"/api/hums/{take.pk}/audio").status_code == 404
    assert browser.get(f"/api/hums/{take.pk}/curve").status_code == 404


def test_what_a_published_release_holds_stays_for_it(alice):
    take = factories.make_humming(None, alice, Humming.State.ACCEPTED)
    release = Release.objects.create(version="1.0")
    ReleasedVersion.objects.create(release=release, version_id=take.pk, audio_type="humming", row={}, source={})
    Release.objects.update(published_at=timezone.now())
    leave(alice, keep_takes=False)
    take = Humming.objects.get()
    assert take.state == Humming.State.WITHDRAWN, "it is in no further release"
    assert take.audio.storage.exists(take.audio.name)


def test_leaving_without_the_takes_keeps_them_in_nobodys_name(alice):
    take = factories.make_humming(None, alice, Humming.State.ACCEPTED)
    leave(alice, keep_takes=True)
    take.refresh_from_db()
    assert take.state == Humming.State.ACCEPTED
    assert take.audio.storage.exists(take.audio.name)
    assert take.singer.username.startswith("deleted-")


def test_leaving_takes_the_control_items_sound_and_the_platforms_name_along(alice):
    take = factories.make_humming(singer=alice)
    control = make_control("cut", source=take).control
    put(control.audio, "version.flac", factories.audio_file(factories.tone(2.0), kind="FLAC"))
    control.save()
    storage, name = control.audio.storage, control.audio.name
    study = Study.objects.create(name="Winter", kind=Study.Kind.HUM, platform=Study.Platform.PROLIFIC)
    Participation.objects.create(study=study, person=alice, participant_id="5f3c-alice", session_id="s1")
    told = data_of(alice)["studies"][0]
    assert (told["participant_id"], told["study__platform"]) == ("5f3c-alice", "prolific")
    assert "Winter" not in str(told), "the name of a study is the organisers' own"
    leave(alice, keep_takes=False)
    control.refresh_from_db()
    assert control.retired_at
    assert (control.audio.name, control.curve["pitch"]) == ("", [])
    assert not storage.exists(name)
    participation = Participation.objects.get()
    assert "alice" not in participation.participant_id + participation.session_id


def break_storage(monkeypatch, broken: str = "") -> None:
    """The storage deletes nothing whose name holds `broken`."""
    delete = DurableFileSystemStorage.delete

    def fail_at_times(storage: DurableFileSystemStorage, name: str) -> None:
        if broken in name:
            raise OSError("The disk does not answer.")
        delete(storage, name)

    monkeypatch.setattr(DurableFileSystemStorage, "delete", fail_at_times)


def test_a_file_that_cannot_be_deleted_keeps_no_other_and_goes_by_and_by(browser, alice, monkeypatch, caplog):
    first = factories.make_humming(None, alice, Humming.State.ACCEPTED)
    second = factories.make_humming(first.fragment, alice, Humming.State.REFUSED)
    names = [file.name for take in (first, second) for file in (take.audio, take.check_result.melody)]
    kept = factories.make_humming(first.fragment, factories.make_person("bob"))
    control = make_control("cut", source=first).control
    put(control.audio, "version.flac", factories.audio_file(factories.tone(2.0), kind="FLAC"))
    control.save()
    names.append(control.audio.name)
    with monkeypatch.context() as patch:
        break_storage(patch, "take.wav")
        answer = browser.post("/account/leave/", {"takes": "withdraw", "password": PASSWORD}, follow=True)
        assert "Your account is deleted." in answer.content.decode()
        left = [name for name in names if default_storage.exists(name)]
        assert left == [name for name in names if name.endswith("take.wav")]
        assert all(f"{name} could not be deleted" in caplog.text for name in left)
        assert sweep() == 0
    with monkeypatch.context() as patch:
        break_storage(patch)
        assert sweep() == 0
    for name in names:  # as if nothing had been deleted, and a check had written once more
        if not default_storage.exists(name):
            default_storage.save(name, ContentFile(b"left"))
    assert sweep() == len(names)
    assert not [name for name in names if default_storage.exists(name)]
    assert kept.audio.storage.exists(kept.audio.name)
    assert sweep() == 0


def test_the_daily_sweep_leaves_what_is_named(alice):
    """A take that was withdrawn alone keeps its audio, as does one that a published release holds."""
    take = factories.make_humming(None, alice, Humming.State.WITHDRAWN)
    assert sweep() == 0
    assert default_storage.exists(take.audio.name)
    assert default_storage.exists(take.check_result.melody.name)


def test_without_the_password_nobody_deletes_an_account(browser, alice):
    for sent in ({"takes": "withdraw", "password": "guess"}, {"takes": "withdraw"}, {"password": PASSWORD}):
        answer = browser.post("/account/leave/", sent)
        assert answer.status_code == 422
    alice.refresh_from_db()
    assert alice.is_active


def test_a_guest_leaves_without_a_password():
    client = Client()
    client.post("/api/hum/consent", {"ai_training": True}, content_type="application/json")
    guest = get_user_model().objects.get(pk=client.session["_auth_user_id"])
    assert client.post("/account/leave/", {"takes": "keep"}).status_code == 302
    guest.refresh_from_db()
    assert not guest.is_active
    assert not Guest.objects.exists()


def test_the_last_admin_may_not_leave():
    admin = factories.make_person("admin", is_staff=True, is_superuser=True)
    with pytest.raises(NotAllowed, match="only admin"):
        leave(admin, keep_takes=True)
    factories.make_person("second", is_staff=True, is_superuser=True)
    leave(admin, keep_takes=True)
    admin.refresh_from_db()
    assert not admin.is_superuser


def test_a_take_that_arrives_after_its_singer_left_is_not_kept(alice):
    """The upload began before: its lease was read while the account still was there."""
    factories.make_fragment()
    lease = claim(alice)
    leave(alice, keep_takes=False)
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    sent = SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={})
    with pytest.raises(TakeRefused, match="closed"):
        save_take(sent, lease)
    assert not Humming.objects.exists()
    assert not default_storage.exists(f"hummings/{sent.id}/take.wav")


def test_a_take_whose_audio_is_lost_does_not_keep_the_rest_from_its_singer(browser, alice):
    take = factories.make_humming(None, alice, Humming.State.ACCEPTED)
    take.audio.storage.delete(take.audio.name)
    zipped = zipfile.ZipFile(io.BytesIO(b"".join(browser.get("/account/data").streaming_content)))
    assert f"takes/{take.pk}.missing.txt" in zipped.namelist()
