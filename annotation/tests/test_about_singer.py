"""What singers tell of themselves, if they like: on the account page, theirs to take along and to take out."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from annotation import keeping, leaving, own_data
from annotation.handing_out import claim
from annotation.models import AboutSinger, Consent, Guest, Slot
from annotation.tests.front_end import Modules, modules, static_home
from annotation.tickets import ticket_for
from recordings.models import Humming
from recordings.release.tables import ABOUT_SINGERS, DEVICE_CLASSES
from recordings.storage import sha256_of
from recordings.tests import factories

__all__ = ["modules", "static_home"]

db = pytest.mark.django_db

ALL = {"age_band": "30-39", "gender": "another", "musical_training": "some lessons"}
NOTHING = dict.fromkeys(AboutSinger.TOLD, "")


@pytest.fixture
def alice() -> Any:
    return factories.make_person("alice")


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def told_by(person: Any) -> dict[str, str] | None:
    return AboutSinger.of_all([person.pk]).get(person.pk)


@db
def test_nothing_is_told_unless_somebody_tells_it(browser, alice):
    page = browser.get("/account/").content.decode()
    assert "About your voice" in page
    assert "five or more singers" in page
    assert told_by(alice) is None


@db
@pytest.mark.parametrize("who", ["alice", "guest"])
def test_answers_are_kept_and_shown_and_each_may_stay_empty(browser, alice, who):
    if who == "guest":
        alice = Guest.arrive()
        browser.force_login(alice)
    browser.post("/account/about/", ALL)
    assert told_by(alice) == ALL
    page = browser.get("/account/").content.decode()
    assert '<option value="some lessons" selected>' in page
    browser.post("/account/about/", ALL | {"gender": ""})
    assert told_by(alice) == ALL | {"gender": ""}
    assert AboutSinger.objects.count() == 1


@db
def test_who_takes_every_answer_out_has_no_row(browser, alice):
    browser.post("/account/about/", ALL)
    answer = browser.post("/account/about/", NOTHING, follow=True)
    assert "No future release tells more." in answer.content.decode()
    assert not AboutSinger.objects.exists()
    browser.post("/account/about/", {})
    assert not AboutSinger.objects.exists()


@db
@pytest.mark.parametrize("field", AboutSinger.TOLD)
def test_other_answers_than_those_offered_change_nothing(browser, alice, field):
    browser.post("/account/about/", ALL)
    answer = browser.post("/account/about/", NOTHING | {field: "12"}, follow=True)
    assert "answers that are offered" in answer.content.decode()
    assert told_by(alice) == ALL


@db
def test_the_page_asks_in_the_readers_language(browser):
    page = browser.get("/account/", headers={"accept-language": "de"}).content.decode()
    assert "Über deine Stimme" in page
    assert "keine Angabe" in page
    assert "etwas Unterricht" in page


@db
def test_it_is_taken_along_and_goes_with_the_account(browser, alice):
    browser.post("/account/about/", ALL)
    (row,) = own_data.data_of(alice)["about_your_voice"]
    assert {name: row[name] for name in AboutSinger.TOLD} == ALL
    leaving.leave(alice, keep_takes=True)
    assert not AboutSinger.objects.exists()


@db
@pytest.mark.parametrize("has_own", [True, False])
def test_what_a_guest_told_comes_to_the_account_unless_it_told_itself(alice, has_own):
    guest = Guest.arrive()
    AboutSinger.objects.create(person=guest, **ALL)
    if has_own:
        AboutSinger.objects.create(person=alice, gender="woman")
    keeping.move_to(alice, guest)
    assert told_by(alice) == (NOTHING | {"gender": "woman"} if has_own else ALL)


def test_the_columns_of_a_release_are_these():
    assert set(AboutSinger.TOLD) < set(ABOUT_SINGERS)


# ---------------------------------------------------------------- what a hum is recorded on


@db
@pytest.mark.parametrize(
    ("told", "status", "kept"),
    [({}, 201, None), ({"device_class": "phone"}, 201, "phone"), ({"device_class": "Mozilla/5.0"}, 400, None)],
)
def test_a_take_may_tell_the_class_of_its_device_and_no_more(browser, alice, settings, tmp_path, told, status, kept):
    factories.use_storage(settings, tmp_path / "storage")
    Consent.give(alice)
    factories.make_analysis(factories.make_fragment().recording)
    Slot.lay_out()
    lease = claim(alice)
    wav = factories.audio_file(factories.tone(5.0))
    sent = {
        "audio": SimpleUploadedFile("take.wav", wav, "audio/wav"),
        "sha256": sha256_of(io.BytesIO(wav)),
        "capture": json.dumps({"sample_rate": 16000, "frames": 80000, "mode": "after", **told}),
    }
    body, kind = multipart(sent)
    address = "/api/hums/7d1b64a0-7d04-4c7b-8b5e-0a8ef3b9a001"
    answer = browser.put(address, body, content_type=kind, headers={"X-Take-Ticket": ticket_for(lease)})
    assert answer.status_code == status
    if status == 201:
        assert Humming.objects.get().capture["device_class"] == kept


def multipart(sent: dict[str, Any]) -> tuple[bytes, str]:
    return encode_multipart(BOUNDARY, sent), MULTIPART_CONTENT


@pytest.mark.browser
@pytest.mark.parametrize(
    ("told", "device"),
    [
        ({"mobile": True, "touched": True, "shorter_px": 412}, "phone"),
        ({"mobile": None, "touched": True, "shorter_px": 390}, "phone"),
        ({"mobile": None, "touched": True, "shorter_px": 820}, "tablet"),
        ({"mobile": False, "touched": True, "shorter_px": 800}, "tablet"),
        ({"mobile": False, "touched": False, "shorter_px": 900}, "computer"),
        ({"mobile": None, "touched": False, "shorter_px": 500}, "computer"),
    ],
)
def test_the_class_of_a_device_comes_from_its_pointer_and_its_screen(modules: Modules, told, device):
    assert modules.run("device.js", "return m.deviceClass(a[0])", told) == device
    assert device in DEVICE_CLASSES


@pytest.mark.browser
def test_a_browser_tells_which_of_the_classes_it_is(modules: Modules):
    assert modules.run("device.js", "return m.deviceClass()") == "computer"
