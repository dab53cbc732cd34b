"""Consent: a text with a version and a licence, a wish about AI training that is asked, and what each take is under."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from annotation import keeping, wishes
from annotation.handing_out import claim
from annotation.models import Consent, Guest, Lease
from annotation.models.consent import CONSENT_TEXT, CONSENT_VERSION
from annotation.tests.test_slots import together
from annotation.tickets import ticket_for
from chad_site.errors import NotAllowed
from recordings.models import Humming, Release, ReleasedVersion
from recordings.release import freeze
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

OLD = {"version": "2026-11", "text": "The older text.", "ai_training": False}


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    cache.clear()


@pytest.fixture
def alice() -> AbstractBaseUser:
    return factories.make_person("alice")


@pytest.fixture
def browser(alice: AbstractBaseUser) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def agree(client: Client, body: Any) -> Any:
    return client.post("/api/hum/consent", body, content_type="application/json")


def put(client: Client, lease: Lease, take_id: uuid.UUID | None = None) -> Any:
    data = factories.audio_file(factories.tone(5.0))
    body = {
        "audio": SimpleUploadedFile("take.wav", data, "audio/wav"),
        "sha256": sha256_of(io.BytesIO(data)),
        "capture": json.dumps({"sample_rate": 16000, "frames": 80000, "mode": "after"}),
    }
    address, headers = f"/api/hums/{take_id or uuid.uuid4()}", {"X-Take-Ticket": ticket_for(lease)}
    return client.put(address, encode_multipart(BOUNDARY, body), content_type=MULTIPART_CONTENT, headers=headers)


def facts_of(take: Humming) -> tuple[str, str, bool]:
    return take.consent_version, take.licence, take.ai_training


# --- agreeing


def test_the_text_names_the_licence_and_that_the_wish_is_asked():
    assert "CC BY 4.0" in str(CONSENT_TEXT)
    assert "Whether AI may be trained on them is your choice" in str(CONSENT_TEXT)


@pytest.mark.parametrize("wish", [True, False])
def test_agreeing_says_whether_models_may_be_trained(browser, alice, wish):
    assert agree(browser, {"ai_training": wish}).status_code == 200
    consent = Consent.objects.get(person=alice)
    assert (consent.version, consent.licence, consent.ai_training) == (CONSENT_VERSION, "CC-BY-4.0", wish)


@pytest.mark.parametrize("body", [{}, {"ai_training": None}, {"ai_training": "yes"}, {"ai_training": 1}, []])
def test_without_the_wish_nothing_is_agreed_to_and_nobody_arrives(body):
    answer = agree(Client(), body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "say_whether"
    assert "ai_training is true or false" in answer.json()["error"]
    assert not Guest.objects.exists()
    assert not Consent.objects.exists()


def test_agreeing_again_is_once_with_the_last_wish(browser, alice):
    agree(browser, {"ai_training": True})
    agree(browser, {"ai_training": False})
    assert Consent.objects.get(person=alice).ai_training is False


# --- a changed text


def test_who_agreed_to_an_older_text_is_asked_again_and_told_since_when(browser, alice):
    Consent.objects.create(person=alice, **OLD)
    factories.make_fragment()
    page = browser.get("/hum/").content.decode()
    assert "This text has changed since Nov. 26, 2026." in page
    assert browser.post("/api/hum/task", {}, content_type="application/json").json()["code"] == "consent_first"
    agree(browser, {"ai_training": True})
    assert "This text has changed" not in browser.get("/hum/").content.decode()
    assert browser.post("/api/hum/task", {}, content_type="application/json").json()["task"]


def test_who_is_new_is_told_of_no_change(browser):
    assert "This text has changed" not in browser.get("/hum/").content.decode()


def test_a_take_that_waited_is_stored_under_the_text_that_its_singer_agreed_to(browser, alice):
    """Hummed before the text changed, sent after: it is saved, and not under a text that its singer never saw."""
    factories.make_fragment()
    Consent.objects.create(person=alice, **OLD)
    lease = claim(alice)
    assert put(browser, lease).status_code == 201
    assert facts_of(Humming.objects.get()) == ("2026-11", "CC-BY-4.0", False)


def test_a_take_has_the_newest_consent_of_its_singer(browser, alice):
    factories.make_fragment()
    Consent.give(alice, ai_training=True)
    Consent.objects.create(person=alice, **OLD)  # a guest's, brought along later
    put(browser, claim(alice))
    assert facts_of(Humming.objects.get()) == (CONSENT_VERSION, "CC-BY-4.0", True)


def test_who_never_agreed_cannot_store_a_take(browser, alice):
    factories.make_fragment()
    answer = put(browser, claim(alice))
    assert answer.status_code == 403
    assert answer.json()["code"] == "consent_first"
    assert not Humming.objects.exists()


def test_a_guests_no_comes_along_into_the_account(alice):
    guest = Guest.arrive()
    Consent.give(guest, ai_training=False)
    keeping.move_to(alice, guest)
    assert Consent.latest_of(alice).ai_training is False


# --- changing the wish


@pytest.fixture
def takes(alice: AbstractBaseUser) -> list[Humming]:
    Consent.give(alice, ai_training=True)
    return [factories.make_humming(None, alice) for _ in range(2)]


def wish(client: Client, ai_training: str, takes: str) -> str:
    answer = client.post("/account/training/", {"ai_training": ai_training, "takes": takes}, follow=True)
    return answer.content.decode()


def test_the_wish_is_changed_for_hums_from_now_on(browser, alice, takes):
    page = wish(browser, "no", "new")
    assert "Saved, for what you hum from now on." in page
    assert Consent.latest_of(alice).ai_training is False
    assert Humming.objects.filter(ai_training=True).count() == 2
    factories.make_fragment()
    put(browser, claim(alice))
    assert Humming.objects.get(state=Humming.State.SAVED).ai_training is False


def test_the_wish_is_changed_for_all_own_takes_by_a_second_choice(browser, alice, takes):
    of_somebody = factories.make_humming()
    page = wish(browser, "no", "all")
    assert "2 takes changed" in page
    assert not Humming.objects.filter(singer=alice, ai_training=True).exists()
    of_somebody.refresh_from_db()
    assert of_somebody.ai_training
    assert set(Humming.objects.trainable()) == {of_somebody}
    assert "0 takes changed" in wish(browser, "no", "all"), "twice is once"
    assert "2 takes changed" in wish(browser, "yes", "all")


def test_a_guest_changes_it_too():
    guest, client = Guest.arrive(), Client()
    client.force_login(guest)
    Consent.give(guest, ai_training=True)
    take = factories.make_humming(None, guest)
    wish(client, "no", "all")
    take.refresh_from_db()
    assert not take.ai_training


def test_a_choice_that_is_none_changes_nothing(browser, takes):
    for chosen in (("maybe", "all"), ("no", ""), ("", "new")):
        assert "Choose yes or no" in wish(browser, *chosen)
    assert Humming.objects.filter(ai_training=True).count() == 2


def test_who_agreed_to_nothing_has_no_wish_to_change(browser, alice):
    with pytest.raises(NotAllowed, match="not agreed to anything"):
        wishes.wish(alice, False, all_takes=True)
    assert "not agreed to anything" in wish(browser, "no", "all")


def test_releases_that_are_out_keep_what_they_say_and_others_are_frozen_anew(alice, takes):
    out, waiting = freeze("1.0"), None
    Release.objects.filter(pk=out.pk).update(published_at=timezone.now())
    waiting = freeze("1.1")
    wishes.wish(alice, False, all_takes=True)
    said = ReleasedVersion.objects.filter(release=out, audio_type="humming")
    assert {version.row["versions"]["ai_training"] for version in said} == {"True"}
    assert not Release.objects.filter(pk=waiting.pk).exists()
    anew = freeze("1.1").versions.filter(audio_type="humming")
    assert {version.row["versions"]["ai_training"] for version in anew} == {"False"}


def test_the_account_page_shows_what_was_agreed_to_and_the_wish(browser, alice, takes):
    page = browser.get("/account/").content.decode()
    for words in (CONSENT_VERSION, "Licence of the hums: CC-BY-4.0", "AI training: yes.", "2 may be trained on"):
        assert words in page
    assert 'name="ai_training" value="yes" checked' in page


def test_the_archive_tells_licence_and_wish(browser, alice, takes):
    zipped = zipfile.ZipFile(io.BytesIO(b"".join(browser.get("/account/data").streaming_content)))
    data = json.loads(zipped.read("data.json"))
    assert (data["consents"][0]["licence"], data["consents"][0]["ai_training"]) == ("CC-BY-4.0", True)
    assert {(take["licence"], take["ai_training"]) for take in data["takes"]} == {("CC-BY-4.0", True)}


@pytest.mark.django_db(transaction=True)
def test_a_take_that_comes_while_the_wish_changes_has_one_or_the_other_and_all_is_all(alice):
    """Whichever comes first: after both, no take of the singer says yes."""
    Consent.give(alice, ai_training=True)
    factories.make_fragment()
    lease = claim(alice)
    together(2, lambda number: put(Client(), lease) if number else wishes.wish(alice, False, all_takes=True))
    assert Humming.objects.get().ai_training is False
