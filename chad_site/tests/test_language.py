"""The pages in German: every message is translated, keeps its places, and is what the reader gets."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from playwright.sync_api import BrowserContext, Page, expect

from annotation.models import Consent
from chad_site import messages
from ml_worker.judging import sentences
from recordings.models import Humming
from recordings.tests import factories

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
CATALOGUES = [str(file.relative_to(messages.ROOT)) for file in messages.catalogues()]


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """A request leaves its language behind in the thread that answered it: here that is the tests' own."""
    yield
    translation.deactivate()


@pytest.fixture
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def alice(db, storage):
    return factories.make_person("alice", password="a-long-password")


@pytest.fixture
def client(alice) -> Client:
    """Alice's browser, which wants German."""
    client = Client(headers=GERMAN)
    client.force_login(alice)
    return client


# --- the catalogues


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    """A copy of the code and the catalogues, brought up to date there by the command itself."""
    missing = [tool for tool in (*messages.TOOLS, "msgcmp") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"GNU gettext is not here ({', '.join(missing)}): apt-get install gettext")
    copy = tmp_path_factory.mktemp("code") / "chad"
    shutil.copytree(messages.ROOT, copy, ignore=not_needed)
    command = [sys.executable, "-m", "chad_site.messages"]
    done = subprocess.run(command, cwd=copy, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy


def not_needed(folder: str, names: list[str]) -> list[str]:
    """For shutil.copytree: everything but what messages stand in."""
    kinds = {".html", ".py", ".js", ".po"}
    paths = [Path(folder, name) for name in names]
    return [
        path.name
        for path in paths
        if path.name in messages.LEFT_OUT or path.name.startswith(".") or (path.is_file() and path.suffix not in kinds)
    ]


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_every_message_of_the_code_is_translated(collected, catalogue):
    """msgcmp names each message that the committed catalogue lacks, and each that is untranslated or a guess."""
    compared = subprocess.run(
        ["msgcmp", str(messages.ROOT / catalogue), str(collected / catalogue)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0, f"{compared.stderr}\nRun `make messages`, and translate what is new."


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_what_is_compiled_is_what_is_written(collected, catalogue):
    """And nothing more: a message that left the code has left the catalogue too."""
    fresh, committed = (Path(root, catalogue).with_suffix(".mo") for root in (collected, messages.ROOT))
    assert read(committed) == read(fresh), "Run `make messages`."


def read(compiled: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    """A .mo file: a message, with its plural where it has one, to its translations."""
    data = compiled.read_bytes()
    count, ids, translations = struct.unpack_from("<3I", data, 8)

    def text(table: int, number: int) -> tuple[str, ...]:
        length, start = struct.unpack_from("<2I", data, table + 8 * number)
        return tuple(data[start : start + length].decode().split("\0"))

    return {text(ids, number): text(translations, number) for number in range(count)}


PLACE = re.compile(r"%\(\w+\)[a-z]|%%|\{\w*\}")


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_every_translation_keeps_the_places_of_its_message(catalogue):
    compiled = read((messages.ROOT / catalogue).with_suffix(".mo"))
    assert len(compiled) > 100
    for message, translations in compiled.items():
        for number, translated in enumerate(translations):
            original = message[min(number, len(message) - 1)]
            assert sorted(PLACE.findall(translated)) == sorted(PLACE.findall(original)), original


# --- what the server says

PAGES = {
    "/": "Phrase summen",
    "/hum/": "Zustimmen, ohne KI-Training",
    "/takes/": "Meine Aufnahmen",
    "/account/": "Deine Zustimmung",
    "/account/leave/": "Mein Konto löschen",
    "/hum/songs/": "Lieder, die ich kenne",
    "/find/": "Lied per Summen finden",
    "/releases/": "Noch ist nichts erschienen.",
    "/sign-in/": "Neu hier?",
    "/sign-up/": "keine Mailadresse",
    "/nowhere/": "Unter dieser Adresse ist nichts",
}


@pytest.mark.parametrize(("address", "words"), PAGES.items())
def test_a_reader_of_german_gets_german(client, address, words):
    page = client.get(address).content.decode()
    assert '<html lang="de">' in page
    assert words in page


def test_a_language_that_we_lack_is_answered_in_english(client):
    page = client.get("/", headers={"accept-language": "fr"}).content.decode()
    assert '<html lang="en">' in page
    assert "Hum a phrase" in page


def test_the_switch_keeps_the_page_and_is_remembered(db):
    stranger = Client()
    answer = stranger.post("/language", {"language": "de", "next": "/hum/?song=1"})
    assert (answer.status_code, answer.url) == (302, "/hum/?song=1")
    assert stranger.cookies["django_language"]["max-age"] == settings.LANGUAGE_COOKIE_AGE
    page = stranger.get("/hum/", headers={"accept-language": "en"}).content.decode()
    assert '<html lang="de">' in page
    assert 'name="language" value="en"' in page
    stranger.post("/language", {"language": "en", "next": "/hum/"})
    assert '<html lang="en">' in stranger.get("/hum/", headers=GERMAN).content.decode()


@pytest.mark.parametrize("address", ["/manage/help/", "/review/", "/admin/"])
def test_who_runs_the_place_reads_english(client, alice, address):
    alice.is_staff = alice.is_superuser = True
    alice.save()
    answer = client.get(address)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert re.search(r'<html[^>]* lang="en', page)
    assert "Abmelden" not in page
    assert 'name="language"' not in page


@pytest.mark.parametrize(
    ("path", "signed_in", "sentence"),
    [
        ("/api/hum/task", True, "Bitte lies zuerst, was mit deinem Summen geschieht, und stimme zu."),
        ("/api/hum/task", False, "Bitte melde dich zuerst an."),
        ("/api/nothing", True, None),
    ],
)
def test_the_calls_refuse_in_german(client, path, signed_in, sentence):
    asked = client if signed_in else Client(headers=GERMAN)
    answer = asked.post(path, {}, content_type="application/json")
    if sentence is None:
        assert "Unter dieser Adresse ist nichts" in answer.content.decode()
    else:
        assert answer.json()["error"] == sentence


def test_what_a_person_agrees_to_is_kept_in_their_language(client, alice):
    client.post("/api/hum/consent", {"ai_training": True}, content_type="application/json")
    assert Consent.objects.get(person=alice).text.startswith("Was du summst, wird Teil von CHAD")


def test_a_reason_of_the_check_has_a_decimal_comma(client, alice):
    take = factories.make_humming(singer=alice, state=Humming.State.REFUSED)
    values = {"hummed_s": 1.5, "asked_s": 6.0}
    english = sentences.worded(sentences.TOO_LITTLE, values)
    reason = {"code": "cut_off", "message": sentences.TOO_LITTLE, "values": values, "sentence": english}
    take.check_result.reasons = [reason]
    take.check_result.save()
    german = "Von 6,0 Sekunden der Phrase haben wir 1,5 gehört. Summe sie ganz, bevor du stoppst."
    assert client.get(f"/api/hums/{take.pk}").json()["sentences"] == [german]
    page = client.get("/takes/").content.decode()
    assert german in page
    # What the page's script reads keeps its point.
    assert 'data-offset="0.25"' in page
    assert 'data-tempo="1.02"' in page


# --- in a browser


def width_of(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


OpenChromium = Callable[..., BrowserContext]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_stranger_hums_in_german(storage, live_server, chromium_with_microphone: OpenChromium):
    recording = factories.make_recording()
    factories.make_analysis(recording)
    factories.make_fragment(recording, 0, 5.5)
    context = chromium_with_microphone(width=360, height=740, base_url=live_server.url, locale="de-DE")
    page = context.new_page()
    page.goto("/hum/")
    expect(page.get_by_role("heading", name="Phrase summen")).to_be_visible()
    assert width_of(page) == 360
    # Two answers of one weight, in German too, and both seen without scrolling.
    boxes = [page.locator(answer).bounding_box() for answer in ("#agree", "#agree-no-ai")]
    assert len({(box["width"], box["height"]) for box in boxes}) == 1
    assert max(box["y"] + box["height"] for box in boxes) <= 740
    page.get_by_role("button", name="Menü").click()
    expect(page.get_by_role("button", name="Dunkel")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Zustimmen, mit KI-Training").click()
    page.get_by_role("button", name="Tonprobe auslassen").click()
    expect(page.get_by_role("button", name="Hören, dann summen")).to_be_visible()
    expect(page.locator("#phrase")).to_contain_text("Phrase 1 von 1 · 5,5 s")
    for name in ("Hören", "Meins", "Beides", "Erneut"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [360, 740]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_german_words_fit_on_a_phone(storage, live_server, chromium_with_microphone: OpenChromium):
    alice = factories.make_person("alice")
    for state in Humming.State:
        factories.make_humming(singer=alice, state=state)
    for fragment in {take.fragment for take in Humming.objects.all()}:
        factories.make_analysis(fragment.recording)
    client = Client()
    client.force_login(alice)
    context = chromium_with_microphone(width=360, height=740, base_url=live_server.url, locale="de-DE")
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    for address in ("/", "/takes/", "/account/", "/account/leave/", "/hum/songs/"):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        assert width_of(page) == 360, address
