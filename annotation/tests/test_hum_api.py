"""The humming page's calls: what is saved is saved, what is refused is refused in words."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import soundfile
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from annotation.leaving import leave
from annotation.models import Consent, Lease
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    person = factories.make_person("alice")
    Consent.give(person)
    return person


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def task(browser) -> dict[str, Any]:
    factories.make_fragment()
    return browser.post("/api/hum/task", {}, content_type="application/json").json()["task"]


def wav(seconds: float = 5.0) -> bytes:
    return factories.audio_file(factories.tone(seconds))


def put(client: Client, ticket: str, data: bytes, take_id: uuid.UUID | None = None, **changes: Any):
    capture = {"sample_rate": 44100, "frames": 5 * 44100, "mode": "along", "reference_start_frame": 441, "gaps": []}
    fields = {
        "audio": SimpleUploadedFile("take.wav", data, "audio/wav"),
        "sha256": sha256_of(ContentFile(data)),
        "capture": json.dumps(capture),
    } | changes
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    body = encode_multipart(BOUNDARY, fields)
    headers = {"X-Take-Ticket": ticket}
    return client.put(f"/api/hums/{take_id or uuid.uuid4()}", body, content_type=MULTIPART_CONTENT, headers=headers)


def test_a_task_names_song_phrase_and_where_to_hear_it(task):
    fragment = task["fragment"]
    assert fragment["song"] == "Auld Lang Syne"
    assert (fragment["phrase"], fragment["phrases"]) == (1, 1)
    assert fragment["audio_url"].startswith("/api/fragments/")


def test_without_consent_nothing_is_handed_out():
    factories.make_fragment()
    client = Client()
    person = factories.make_person("bob")
    client.force_login(person)
    answer = client.post("/api/hum/task", {}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["code"] == "consent_first"
    agreed = client.post("/api/hum/consent", {"ai_training": True}, content_type="application/json")
    assert agreed.json() == {"person": person.pk, "guest": False}
    assert client.post("/api/hum/task", {}, content_type="application/json").json()["task"]


def test_a_take_is_stored_byte_for_byte_with_what_the_browser_told(browser, task, alice):
    data, take_id = wav(), uuid.uuid4()
    answer = put(browser, task["ticket"], data, take_id)
    assert answer.status_code == 201
    assert answer.json()["state"] == "waiting"
    humming = Humming.objects.get(pk=take_id)
    with humming.audio.open() as stored:
        assert stored.read() == data
    assert humming.reference_start_frame == 441
    assert humming.capture["mode"] == "along"
    assert humming.singer == alice
    assert Lease.objects.get(pk=task["id"]).outcome == "taken"


def test_sending_twice_makes_one(browser, task):
    data, take_id = wav(), uuid.uuid4()
    assert put(browser, task["ticket"], data, take_id).status_code == 201
    assert put(browser, task["ticket"], data, take_id).status_code == 200
    assert Humming.objects.count() == 1


def test_another_take_under_the_same_id_is_refused_and_the_first_is_kept(browser, task):
    first, take_id = wav(5.0), uuid.uuid4()
    put(browser, task["ticket"], first, take_id)
    answer = put(browser, task["ticket"], wav(6.0), take_id)
    assert answer.status_code == 409
    assert answer.json()["code"] == "id_taken"
    assert Humming.objects.get().frames == 5 * factories.SAMPLE_RATE


def test_a_take_cannot_take_the_id_of_a_fragment(browser, task):
    assert put(browser, task["ticket"], wav(), task["fragment"]["id"]).json()["code"] == "id_taken"


def test_a_damaged_upload_is_refused_and_can_be_sent_again(browser, task):
    data, take_id = wav(), uuid.uuid4()
    answer = put(browser, task["ticket"], data[:-100], take_id, sha256=sha256_of(ContentFile(data)))
    assert answer.status_code == 422
    assert answer.json()["code"] == "damaged"
    assert "send it again" in answer.json()["error"]
    assert put(browser, task["ticket"], data, take_id).status_code == 201


def float_wav(rate: int, channels: int) -> bytes:
    import io

    file = io.BytesIO()
    soundfile.write(file, np.zeros((rate * 5, channels), "float32") + 0.1, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"this is not audio" * 50, "not_audio"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not_audio"),
        (factories.audio_file(factories.tone(5.0), kind="FLAC"), "not_wav"),
        (factories.audio_file(factories.tone(61.0, sample_rate=8000), 8000), "too_long"),
    ],
    ids=["no bytes", "text", "a bare header", "not a wav", "a forgotten microphone"],
)
def test_what_is_no_take_is_refused_in_words(browser, task, data, code):
    answer = put(browser, task["ticket"], data)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert answer.json()["error"].endswith(".")
    assert not Humming.objects.exists()


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (192_000, 1), (44_100, 7)])
def test_odd_rates_and_channels_are_kept_as_they_came(browser, task, rate, channels):
    answer = put(browser, task["ticket"], float_wav(rate, channels))
    assert answer.status_code == 201
    assert Humming.objects.get().sample_rate == rate


def test_a_name_with_a_path_in_it_never_becomes_a_path(browser, task):
    data = wav()
    file = SimpleUploadedFile("../../../etc/passwd.wav", data)
    assert put(browser, task["ticket"], data, audio=file).status_code == 201
    humming = Humming.objects.get()
    assert humming.audio.name == f"hummings/{humming.pk}/take.wav"


def test_a_take_larger_than_the_limit_is_refused(browser, task, settings):
    settings.MAX_TAKE_BYTES = 1000
    answer = put(browser, task["ticket"], wav())
    assert answer.status_code == 413


def test_a_late_take_is_kept(browser, task):
    Lease.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert browser.post(f"/api/hum/task/{task['id']}/extend").json()["code"] == "lease_over"
    assert put(browser, task["ticket"], wav()).status_code == 201


def test_a_second_take_of_a_fragment_is_refused_in_words(browser, task):
    put(browser, task["ticket"], wav())
    answer = put(browser, task["ticket"], wav(6.0))
    assert answer.status_code == 409
    assert answer.json()["code"] == "hummed_already"


FACTS = '{"sample_rate": 48000, "frames": 2, "mode": "along", %s}'


@pytest.mark.parametrize(
    "capture",
    [
        "not json",
        "{}",
        '{"sample_rate": 1, "frames": 2, "mode": "sideways"}',
        "[]",
        FACTS % '"reference_start_frame": 99999999999',
        FACTS % '"context": {"a": NaN}',
        FACTS % '"context": {"a": "\\u0000"}',
        FACTS % '"context": {"a": "\\ud800"}',
        "[" * 50_000,
        " " * 70_000,
    ],
)
def test_odd_capture_facts_are_refused_in_words(browser, task, capture):
    answer = put(browser, task["ticket"], wav(), capture=capture)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


def test_without_a_ticket_of_ours_nothing_is_stored(browser, task):
    made_up = signing.dumps(task["id"], key="another-place", salt="annotation.take")
    for ticket in ("", task["id"], task["ticket"][:-1] + "?", made_up):
        answer = put(browser, ticket, wav())
        assert (answer.status_code, answer.json()["code"]) == (403, "no_ticket")
    assert not Humming.objects.exists()


def test_a_take_that_waited_is_saved_in_its_singers_name_whoever_sends_it(task, alice):
    """The session is over, and another one is signed in on the phone by now."""
    nobody, bob = Client(), Client()
    bob.force_login(factories.make_person("bob"))
    take_id = uuid.uuid4()
    answer = put(nobody, task["ticket"], wav(), take_id)
    assert answer.status_code == 201
    assert answer.json() == {"id": str(take_id), "state": "waiting"}, "only its singer reads more than that"
    assert put(bob, task["ticket"], wav(), take_id).status_code == 200
    assert Humming.objects.get().singer == alice


def test_a_take_of_a_deleted_account_is_refused_in_words(browser, task, alice):
    leave(alice, keep_takes=True)
    answer = put(Client(), task["ticket"], wav())
    assert (answer.status_code, answer.json()["code"]) == (410, "account_closed")


def test_a_strange_sound_check_is_refused_and_a_true_one_kept(browser, task):
    capture = {"sample_rate": 44100, "frames": 5, "mode": "after"}
    strange = capture | {"sound_check": {"kind": "loudspeaker", "latency_s": -3}}
    assert put(browser, task["ticket"], wav(), capture=json.dumps(strange)).status_code == 400
    true = {"kind": "loudspeaker", "latency_s": 0.084, "confidence": 0.9, "leak_db": -21.5}
    assert put(browser, task["ticket"], wav(), capture=json.dumps(capture | {"sound_check": true})).status_code == 201
    assert Humming.objects.get().capture["sound_check"] == true | {"floor_db": None, "bandwidth_hz": None}


def test_numbers_without_end_and_nul_characters_are_refused_in_words(browser, task):
    endless = '{"sample_rate": 44100, "frames": 5, "mode": "after", "context": {"x": 1e400}}'
    assert put(browser, task["ticket"], wav(), capture=endless).status_code == 400
    assert browser.get("/hum/songs/", {"q": "a\0b"}).status_code == 200


def test_a_stranger_cannot_hear_the_take(browser, task):
    stranger = factories.make_person("charlie")
    Consent.give(stranger)
    other = Client()
    other.force_login(stranger)
    take_id = uuid.uuid4()
    put(browser, task["ticket"], wav(), take_id)
    for address in (f"/api/hums/{take_id}", f"/api/hums/{take_id}/audio", f"/api/hums/{take_id}/curve"):
        assert other.get(address).status_code == 404
    assert other.post(f"/api/hums/{take_id}/withdraw").status_code == 404


def test_the_outcome_of_the_check_reaches_its_singer(browser, task):
    take_id = uuid.uuid4()
    put(browser, task["ticket"], wav(), take_id)
    humming = Humming.objects.get()
    factories.make_check(humming, ok=False, reasons=[{"code": "wrong_tune", "sentence": "This is another tune."}])
    humming.move_to("refused", why="This is another tune.")
    seen = browser.get(f"/api/hums/{take_id}").json()
    assert seen["state"] == "refused"
    assert seen["sentences"] == ["This is another tune."]
    assert browser.get(seen["curve_url"]).json()["hop_s"] == 0.02
    assert browser.get(seen["audio_url"])["Cache-Control"].startswith("private")
