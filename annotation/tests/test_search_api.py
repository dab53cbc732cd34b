"""The public calls of searches: whose they are, what they refuse, what they show, and what a mark does."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotation import keeping, leaving, own_data, search_answers, searching
from annotation.models import Consent, Guest, Search, SearchMark
from annotation.models.searches import HUM_KEPT, KEPT, MOST_ATTEMPTS, PATIENCE, STALE_AFTER
from annotation.tests.test_slots import together
from annotation.views import search_api
from chad_site.supervisor import children
from recordings.models import Fragment, Humming, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

SEARCHES = "/api/v1/searches"


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch) -> None:
    """Nothing is sent to a broker: there is none."""
    monkeypatch.setattr(search_api, "nudge_searches", lambda: None)
    monkeypatch.setattr(search_api, "nudge", lambda: None)


@pytest.fixture
def original() -> Recording:
    """An analysed original of a song, with one phrase from second 0.5 to 5."""
    recording = factories.make_recording()
    factories.make_analysis(recording)
    factories.make_fragment(recording, 0.5, 5.0)
    return recording


def wav(seconds: float = 5.0) -> bytes:
    return factories.audio_file(factories.tone(seconds))


def upload(data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("hum.wav", wav() if data is None else data, "audio/wav")


def post(client: Client, data: bytes | None = None, **fields: Any) -> Any:
    headers = fields.pop("headers", {})
    return client.post(SEARCHES, {"audio": upload(data), **fields}, headers=headers)


def found_at(recording: Recording, start_s: float = 0.5, end_s: float = 5.0, **told: Any) -> dict[str, Any]:
    fields = {"score": 5.0, "probability": 0.9, "tempo_ratio": 1.25, "transposition": -3.0}
    return {"recording": str(recording.pk), "start_s": start_s, "end_s": end_s, **fields, **told}


def answered(search_id: Any, *found: dict[str, Any], here: float = 0.95) -> Search:
    """As a process that searches leaves it."""
    answer = {"here": here, "is_here": here > 0.5, "found": list(found), "warnings": []}
    answer["index"] = {"songs": 3, "built_at": timezone.now().isoformat()}
    curve = {"hop_s": 0.02, "pitch": [60.0, None, 61.0]}
    state = {"state": Search.State.DONE, "finished_at": timezone.now()}
    Search.objects.filter(pk=search_id).update(**state, answer=answer, curve=curve, took={"network": 0.1})
    return Search.objects.get(pk=search_id)


def search_of(person: Any, *found: dict[str, Any], data: bytes | None = None) -> Search:
    """An answered search of a signed-in person."""
    sent = searching.SentSearch(ContentFile(wav() if data is None else data))
    search, _ = searching.send(sent, searching.Asker(person, ""))
    return answered(search.pk, *found)


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def older(search: Search, age: timedelta) -> None:
    Search.objects.filter(pk=search.pk).update(created_at=timezone.now() - age)


# --- whose it is


def test_without_cookies_a_key_comes_with_the_first_answer_and_opens_the_search(original):
    sent = post(Client())
    told = sent.json()
    assert (sent.status_code, told["state"], sent["Location"]) == (201, "waiting", f"{SEARCHES}/{told['id']}")
    assert not sent.cookies
    answered(told["id"], found_at(original))
    seen = Client().get(sent["Location"], headers={"X-Search-Key": told["key"]})
    assert seen.status_code == 200
    assert "key" not in seen.json()
    (song,) = seen.json()["found"]
    assert (song["song"]["title"], song["rank"], song["probability"]) == (original.song.title, 1, 0.9)
    again = post(Client(), headers={"X-Search-Key": told["key"]})
    assert "key" not in again.json()
    assert Search.objects.get(pk=again.json()["id"]).visitor == Search.objects.get(pk=told["id"]).visitor
    assert told["key"] not in str(Search.objects.values())


def test_nobody_else_sees_it(original):
    ann, bea = factories.make_person("ann"), factories.make_person("bea", is_staff=True)
    search = search_of(ann, found_at(original))
    of_a_visitor = post(Client()).json()
    answered(of_a_visitor["id"], found_at(original))
    strangers = {
        "nobody": Client(),
        "another": signed_in(bea),
        "another visitor": Client(headers={"X-Search-Key": post(Client()).json()["key"]}),
    }
    for who, client in strangers.items():
        for pk in (search.pk, of_a_visitor["id"]):
            calls = [client.get(f"{SEARCHES}/{pk}{what}") for what in ("", "?wait=0.1", "/curves/1", "/listen/1")]
            said = {"song": str(original.song_id), "right": True}
            calls.append(client.post(f"{SEARCHES}/{pk}/mark", said, content_type="application/json"))
            assert [call.status_code for call in calls] == [404] * 5, who
    assert not SearchMark.objects.exists()
    mine = signed_in(ann)
    for what in ("", "/curves/1", "/listen/1"):
        assert mine.get(f"{SEARCHES}/{search.pk}{what}").status_code == 200


def test_in_a_browser_it_belongs_to_the_session_also_after_agreeing_as_a_guest(original):
    browser = Client()
    browser.get("/find/")
    search = answered(post(browser).json()["id"], found_at(original))
    assert "key" not in browser.get(f"{SEARCHES}/{search.pk}").json()
    browser.post("/api/hum/consent", {"ai_training": False}, content_type="application/json")
    assert browser.get(f"{SEARCHES}/{search.pk}").status_code == 200
    browser.post("/sign-out/")
    assert browser.get(f"{SEARCHES}/{search.pk}").status_code == 404


def test_another_site_sends_nothing_in_a_visitors_name():
    browser = Client(enforce_csrf_checks=True)
    browser.get("/find/")
    refused = post(browser)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    token = browser.cookies["csrftoken"].value
    sent = post(browser, headers={"X-CSRFToken": token})
    assert sent.status_code == 201
    address = f"{SEARCHES}/{sent.json()['id']}/mark"
    assert browser.post(address, {}, content_type="application/json").status_code == 403
    assert post(Client(enforce_csrf_checks=True)).status_code == 201, "without cookies there is nobody to harm"


def test_sending_twice_makes_one_and_an_id_is_nobody_elses():
    pk = uuid.uuid4()
    ann = signed_in(factories.make_person("ann"))
    assert [post(ann, id=pk).status_code for _ in range(2)] == [201, 200]
    taken = post(Client(), id=pk)
    assert (taken.status_code, taken.json()["code"]) == (409, "id_taken")
    assert Search.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sent_many_times_at_once_it_is_one():
    asker, pk = searching.Asker(factories.make_person("ann"), ""), uuid.uuid4()
    news: list[bool] = []
    together(8, lambda _: news.append(searching.send(searching.SentSearch(ContentFile(wav()), pk), asker)[1]))
    assert sorted(news) == [False] * 7 + [True]
    search = Search.objects.get()
    _, files = search.audio.storage.listdir(f"searches/{search.pk}")
    assert [f"searches/{search.pk}/{file}" for file in files] == [search.audio.name]


# --- what is refused


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"audio": "no file"}, 400, "invalid"),
        ({"id": "no-uuid"}, 400, "invalid"),
        ({"hum": "'; DROP TABLE"}, 400, "invalid"),
        ({"partial": "perhaps"}, 400, "invalid"),
    ],
)
def test_what_is_sent_wrong_is_told(body, status, code):
    sent = {"audio": upload(), **body} if body else {}
    answer = Client().post(SEARCHES, sent)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Search.objects.exists()


def test_what_is_empty_or_too_large_is_refused_in_words(settings):
    assert (post(Client(), b"").status_code, post(Client(), b"").json()["code"]) == (422, "empty")
    settings.MAX_SEARCH_BYTES = 1000
    answer = post(Client(), b"x" * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    # Told before it is read, by its length alone.
    huge = Client().generic("POST", SEARCHES, b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=10**9)
    assert huge.status_code == 413
    assert not Search.objects.exists()


@pytest.mark.parametrize("length", [300_000, 3_000_000])
def test_of_a_refused_upload_the_rest_is_read_within_limits_so_that_the_answer_is(settings, length):
    settings.MAX_SEARCH_BYTES = 1_000_000
    settings.LIMITS = {**settings.LIMITS, "searches": "1/min"}
    post(Client())
    body = io.BytesIO(b"x" * length)
    sent = {"CONTENT_LENGTH": length, "wsgi.input": body}
    answer = Client().generic("POST", SEARCHES, b"x", content_type="multipart/form-data; boundary=x", **sent)
    assert answer.status_code == 429
    assert body.tell() == (length if length < 2_000_000 else 0)


def test_an_upload_without_its_length_is_refused_in_words():
    body = io.BytesIO(b"x" * 100_000)
    sent = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    sent |= {"wsgi.input": body, "wsgi.input_terminated": True}
    answer = Client().generic("POST", SEARCHES, b"x", content_type="multipart/form-data; boundary=x", **sent)
    assert (answer.status_code, answer.json()["code"]) == (411, "no_length")
    assert "Content-Length" in answer.json()["error"]
    assert body.tell() == 100_000


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("address", ["", "nothing", "searches/", "searches/no-uuid", "searches/no-uuid/mark"])
def test_every_refusal_of_the_public_calls_is_a_sentence_for_scripts(method, address):
    answer = Client().generic(method, f"/api/v1/{address}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert (answer.json()["code"], answer.json()["error"][-1]) == ("not_found", ".")


@pytest.mark.parametrize("person", ["", "ann"])
def test_who_sends_cookies_without_the_token_is_told_what_a_program_does(person):
    browser = Client(enforce_csrf_checks=True)
    if person:
        browser.force_login(factories.make_person(person))
    else:
        browser.get("/find/")
    refused = post(browser)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert "X-CSRFToken" in refused.json()["error"]


def test_a_key_that_is_none_is_refused():
    for key in ("a", "../../etc", "x" * 44, "é" * 43):
        answer = Client().post(SEARCHES, {"audio": upload()}, headers={"X-Search-Key": key.encode().decode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (400, "no_key"), key


@pytest.mark.parametrize("wait", ["6", "-1", "x", "1e999"])
def test_nobody_waits_longer_than_five_seconds(wait):
    search = search_of(ann := factories.make_person("ann"))
    assert signed_in(ann).get(f"{SEARCHES}/{search.pk}?wait={wait}").status_code == 400


def test_wait_that_is_no_number_waits_for_nothing():
    ann = factories.make_person("ann")
    search, _ = searching.send(searching.SentSearch(ContentFile(wav())), searching.Asker(ann, ""))
    began = time.monotonic()
    assert signed_in(ann).get(f"{SEARCHES}/{search.pk}?wait=nan").status_code in (200, 400)
    assert time.monotonic() - began < 2


def test_too_many_searches_are_refused_until_later(settings):
    settings.LIMITS = {**settings.LIMITS, "searches": "2/min"}
    answers = [post(Client()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["error"].startswith("That came too often")
    assert post(Client(REMOTE_ADDR="192.0.2.9")).status_code == 201, "another address"
    assert post(signed_in(factories.make_person("ann"))).status_code == 201, "a person"


def test_other_calls_have_a_limit_of_their_own(settings):
    settings.LIMITS = {**settings.LIMITS, "search-calls": "2/min"}
    sent = post(Client()).json()
    asking = Client(headers={"X-Search-Key": sent["key"]})
    assert [asking.get(f"{SEARCHES}/{sent['id']}").status_code for _ in range(3)] == [200, 200, 429]


def test_where_too_many_wait_the_next_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(searching, "MOST_OPEN", 2)
    answers = [post(Client()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert (answers[-1].json()["code"], answers[-1]["Retry-After"]) == ("busy", str(search_api.BUSY_FOR_S))
    assert Search.objects.count() == 2


def test_one_caller_does_not_lock_out_the_others(monkeypatch):
    monkeypatch.setattr(searching, "MOST_OPEN_EACH", 2)
    ann = signed_in(factories.make_person("ann"))
    for client in (Client(), ann):
        answers = [post(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert (answers[-1].json()["code"], answers[-1]["Retry-After"]) == ("many_of_yours", str(search_api.BUSY_FOR_S))
        assert "your searches wait" in answers[-1].json()["error"]
    assert post(Client(REMOTE_ADDR="192.0.2.9")).status_code == 201, "another address"
    search = Search.claim("a process")
    search.finish({"here": 0.0, "is_here": False, "found": []}, {"hop_s": 0.02, "pitch": []}, {})
    assert Search.objects.get(pk=search.pk).asker == "", "who asked is noted as long as it is counted"
    assert post(Client()).status_code == 201, "one of theirs is answered"


# --- the queue


def test_everybodys_first_search_is_answered_before_anybodys_second():
    first, second, third = (post(Client()).json()["id"] for _ in range(3))
    ann = post(signed_in(factories.make_person("ann"))).json()["id"]
    stranger = post(Client(REMOTE_ADDR="192.0.2.9")).json()["id"]
    goes_on = post(Client(REMOTE_ADDR="192.0.2.8"), partial="true").json()["id"]
    assert [str(Search.claim("a process").pk) for _ in range(6)] == [first, ann, stranger, second, third, goes_on]


def test_a_newer_search_of_the_same_hum_takes_the_place_of_those_so_far():
    ann, hum = signed_in(factories.make_person("ann")), uuid.uuid4()
    first = post(ann, hum=hum, partial="true").json()
    claimed = Search.claim("a process")
    second = post(ann, hum=hum, partial="true").json()
    other = post(Client(), hum=hum, partial="true").json()
    whole = post(ann, hum=hum).json()
    states = {str(pk): (state, code) for pk, state, code in Search.objects.values_list("pk", "state", "code")}
    assert states[first["id"]] == ("searching", ""), "what is under way goes on"
    assert str(claimed.pk) == first["id"]
    assert states[second["id"]] == ("refused", "superseded")
    assert states[other["id"]] == ("waiting", ""), "somebody else's"
    assert states[whole["id"]] == ("waiting", "")


def test_whole_hums_are_answered_before_those_that_go_on():
    ids = [post(Client(), partial=partial).json()["id"] for partial in ("true", "false", "false")]
    assert [str(Search.claim("a process").pk) for _ in ids] == [ids[1], ids[2], ids[0]]
    assert Search.claim("a process") is None


@pytest.mark.django_db(transaction=True)
def test_many_processes_never_answer_one_search_twice():
    ann = searching.Asker(factories.make_person("ann"), "")
    for _ in range(12):
        searching.send(searching.SentSearch(ContentFile(wav())), ann)
    lost = Search.claim("a process that dies")
    Search.objects.filter(pk=lost.pk).update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    claimed: list[uuid.UUID] = []

    def work(number: int) -> None:
        while search := Search.claim(f"process {number}"):
            claimed.append(search.pk)

    together(6, work)
    assert len(claimed) == len(set(claimed)) == 12


def test_a_search_whose_process_died_is_taken_again_and_the_first_one_writes_nothing_any_more():
    post(Client())
    first = Search.claim("the first")
    assert Search.claim("another") is None
    Search.objects.update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    second = Search.claim("the second")
    assert (second.pk, second.attempts) == (first.pk, 2)
    first.beat()
    assert not first.finish({"found": []}, {}, {})
    assert not first.refuse("No.", "no")
    assert second.finish({"here": 0.0, "is_here": False, "found": []}, {"hop_s": 0.02, "pitch": []}, {})
    assert Search.objects.get().state == Search.State.DONE


def test_a_hum_that_killed_its_processes_is_refused_in_words():
    sent = post(Client()).json()
    for _ in range(MOST_ATTEMPTS):
        assert Search.claim("a process")
        Search.objects.update(heartbeat_at=timezone.now() - 2 * STALE_AFTER)
    assert Search.claim("a process") is None
    told = Client(headers={"X-Search-Key": sent["key"]}).get(f"{SEARCHES}/{sent['id']}").json()
    assert (told["state"], told["code"]) == ("refused", "unreadable")
    assert told["sentence"].startswith("This recording cannot be read.")


def test_what_nobody_answers_is_refused_in_words_even_where_no_process_runs():
    sent = post(Client()).json()
    asking = Client(headers={"X-Search-Key": sent["key"]})
    assert asking.get(f"{SEARCHES}/{sent['id']}").json()["state"] == "waiting"
    older(Search.objects.get(), PATIENCE + timedelta(seconds=1))
    told = asking.get(f"{SEARCHES}/{sent['id']}").json()
    assert (told["state"], told["code"]) == ("refused", "too_late")
    assert "Try again" in told["sentence"]
    assert Search.claim("a process") is None


@pytest.mark.django_db(transaction=True)
def test_a_question_waits_for_its_answer(original):
    ann = factories.make_person("ann")
    search, _ = searching.send(searching.SentSearch(ContentFile(wav())), searching.Asker(ann, ""))
    asked = threading.Event()

    def answer() -> None:
        asked.wait()
        answered(search.pk, found_at(original))
        connection.close()

    answering = threading.Thread(target=answer)
    answering.start()
    client = signed_in(ann)
    asked.set()
    told = client.get(f"{SEARCHES}/{search.pk}?wait=5").json()
    answering.join()
    assert told["state"] == "done"


def test_waiting_places_are_given_back_and_the_more_wait_the_less_often_each_looks():
    places = search_api.WaitingPlaces(2)
    alone_s = places.look_again_s()
    with places.one() as first, places.one() as second, places.one() as third:
        assert (first, second, third) == (True, True, False)
        assert places.look_again_s() == pytest.approx(2 * alone_s)
    with places.one() as again:
        assert again


def test_where_many_questions_wait_the_next_is_answered_at_once(monkeypatch):
    ann = factories.make_person("ann")
    search, _ = searching.send(searching.SentSearch(ContentFile(wav())), searching.Asker(ann, ""))
    monkeypatch.setattr(search_api, "waiting", search_api.WaitingPlaces(0))
    monkeypatch.setattr(search_api.time, "sleep", lambda _: pytest.fail("It waited."))
    assert signed_in(ann).get(f"{SEARCHES}/{search.pk}?wait=5").json()["state"] == "waiting"


def test_waiting_leaves_threads_for_everybody_else():
    assert search_api.MOST_WAITING <= children.WEB_THREADS * 2 / 3


# --- what is shown


def test_a_song_that_was_taken_down_is_not_shown_and_ranks_stay(original):
    second = factories.make_recording(factories.make_song("Loch Lomond"), hz=300.0)
    factories.make_analysis(second)
    ann = factories.make_person("ann")
    search = search_of(ann, found_at(original, probability=0.8), found_at(second, probability=0.1))
    client = signed_in(ann)
    Song.objects.filter(pk=original.song_id).update(taken_down_at=timezone.now())
    told = client.get(f"{SEARCHES}/{search.pk}").json()
    assert [(song["rank"], song["song"]["title"]) for song in told["found"]] == [(2, "Loch Lomond")]
    assert (told["here"], told["is_here"]) == (0.1, False)
    for what in ("curves", "listen"):
        gone = client.get(f"{SEARCHES}/{search.pk}/{what}/1")
        assert (gone.status_code, gone.json()["code"]) == (404, "taken_down")
        assert gone.json()["error"].startswith("This song was taken down meanwhile.")
        assert client.get(f"{SEARCHES}/{search.pk}/{what}/2").status_code == 200
        assert client.get(f"{SEARCHES}/{search.pk}/{what}/3").status_code == 404
    said = {"song": str(original.song_id), "right": True}
    assert client.post(f"{SEARCHES}/{search.pk}/mark", said, content_type="application/json").status_code == 404


@pytest.mark.parametrize(("complete", "is_here"), [(True, False), (False, None)])
def test_without_its_best_an_answer_claims_no_more_than_was_searched(original, complete, is_here):
    second = factories.make_recording(factories.make_song("Loch Lomond"), hz=300.0)
    ann = factories.make_person("ann")
    search = search_of(ann, found_at(original, probability=0.8), found_at(second, probability=0.1))
    search.answer["index"]["complete"] = complete
    search.save()
    Song.objects.filter(pk=original.song_id).update(taken_down_at=timezone.now())
    told = signed_in(ann).get(f"{SEARCHES}/{search.pk}").json()
    assert (told["is_here"], told["index"]["complete"]) == (is_here, complete)


def test_ten_songs_are_shown():
    recordings = [factories.make_recording(factories.make_song(f"Song {n}"), hz=200.0 + n) for n in range(12)]
    ann = factories.make_person("ann")
    search = search_of(ann, *(found_at(recording) for recording in recordings))
    told = signed_in(ann).get(f"{SEARCHES}/{search.pk}").json()
    assert [song["rank"] for song in told["found"]] == list(range(1, 11))


def test_a_video_is_watched_at_the_place_as_long_as_it_is_there(original):
    ann = factories.make_person("ann")
    search = search_of(ann, found_at(original, start_s=3.7))

    def watch() -> str | None:
        return signed_in(ann).get(f"{SEARCHES}/{search.pk}").json()["found"][0]["watch"]

    assert watch() is None
    Recording.objects.update(youtube_id="abcdefghijk")
    assert watch() == "https://www.youtube.com/watch?v=abcdefghijk&t=3s"
    Recording.objects.update(is_available=False)
    assert watch() is None


def test_a_stranger_hears_what_the_licence_allows_and_a_guest_what_phrases_may_be_heard(original):
    sent = post(Client()).json()
    answered(sent["id"], found_at(original))
    stranger = Client(headers={"X-Search-Key": sent["key"]})
    address = f"{SEARCHES}/{sent['id']}"
    assert stranger.get(address).json()["found"][0]["listen"] is None
    assert stranger.get(f"{address}/listen/1").status_code == 404
    Recording.objects.update(redistributable=True)
    listen = stranger.get(address).json()["found"][0]["listen"]
    heard = stranger.get(listen)
    assert (heard.status_code, heard["Content-Type"]) == (200, "audio/flac")
    assert "private" in heard["Cache-Control"]
    Recording.objects.update(redistributable=False)
    guest = Guest.arrive()
    search = search_of(guest, found_at(original))
    assert signed_in(guest).get(f"{SEARCHES}/{search.pk}/listen/1").status_code == 200


def test_curves_lie_on_the_songs_clock_and_in_its_key(original):
    ann = factories.make_person("ann")
    search = search_of(ann, found_at(original, start_s=4.0, end_s=5.0, tempo_ratio=1.25, transposition=-12.0))
    told = signed_in(ann).get(f"{SEARCHES}/{search.pk}/curves/1").json()
    assert told["hum"] == {"hop_s": pytest.approx(0.016), "pitch": [72.0, None, 73.0], "start_s": 4.0}
    assert (told["song"]["start_s"], told["song"]["hop_s"]) == (2.0, 0.02)
    assert len(told["song"]["pitch"]) == pytest.approx(250, abs=1)
    nowhere = search_of(ann, found_at(original, transposition=None))
    assert signed_in(ann).get(f"{SEARCHES}/{nowhere.pk}/curves/1").json()["hum"]["pitch"] == [60.0, None, 61.0]


def test_sentences_are_said_in_the_readers_language_and_nothing_is_said_of_nothing():
    assert search_answers.translated("") == ""
    assert search_answers.translated("Any words.") == "Any words."


# --- marks


def mark(client: Client, search: Search, song: Any, right: bool | None, keep: bool = False) -> Any:
    said = {"song": str(song), "right": right, "keep": keep}
    return client.post(f"{SEARCHES}/{search.pk}/mark", json.dumps(said), content_type="application/json")


def test_a_mark_is_kept_changed_and_taken_back(original):
    ann = factories.make_person("ann")
    search, client = search_of(ann, found_at(original)), signed_in(ann)
    song = str(original.song_id)
    for right in (True, True, False):
        told = mark(client, search, song, right).json()
        assert told == {"marked": {song: {"right": right, "kept": False}}, "kept": False, "sentence": ""}
    assert SearchMark.objects.get().right is False
    assert mark(client, search, song, None).json()["marked"] == {}
    assert not SearchMark.objects.exists()
    assert not Humming.objects.exists()


def test_a_visitor_marks_but_gives_no_hum_without_agreeing(original):
    sent = post(Client()).json()
    search = answered(sent["id"], found_at(original))
    client = Client(headers={"X-Search-Key": sent["key"]})
    refused = mark(client, search, original.song_id, True, keep=True)
    assert (refused.status_code, refused.json()["code"]) == (403, "consent_first")
    assert not SearchMark.objects.exists()
    assert mark(client, search, original.song_id, True).status_code == 200
    ann = factories.make_person("ann")
    mine = search_of(ann, found_at(original))
    assert mark(signed_in(ann), mine, original.song_id, True, keep=True).json()["code"] == "consent_first"
    assert not Humming.objects.exists()


def test_a_hum_that_is_given_becomes_a_take_of_the_phrase_that_waits_for_its_check(original):
    ann = factories.make_person("ann")
    Consent.give(ann, ai_training=False)
    search, client = search_of(ann, found_at(original, start_s=1.0, end_s=5.5)), signed_in(ann)
    for _ in range(2):
        told = mark(client, search, original.song_id, True, keep=True).json()
        assert told["kept"] is True
        assert told["sentence"].startswith("Thank you.")
    take = Humming.objects.get()
    fragment = Fragment.objects.get()
    assert (take.fragment, take.singer, take.state, take.ai_training) == (fragment, ann, Humming.State.SAVED, False)
    assert (take.capture["from"], take.capture["search"]) == ("search", str(search.pk))
    assert fragment.slots.filter(humming=take).exists()
    assert take in Humming.objects.without_check()
    with take.audio.open() as stored:
        assert stored.read() == wav()
    # Changed one's mind: the take is withdrawn, and may be given again.
    assert mark(client, search, original.song_id, False).json()["kept"] is False
    take.refresh_from_db()
    assert take.state == Humming.State.WITHDRAWN
    assert mark(client, search, original.song_id, True, keep=True).json()["kept"] is True
    assert Humming.objects.counting().count() == 1


def test_of_one_hum_one_take_is_kept(original):
    other = factories.make_recording(factories.make_song("Loch Lomond"), hz=300.0)
    factories.make_fragment(other, 0.5, 5.0)
    ann = factories.make_person("ann")
    Consent.give(ann)
    search, client = search_of(ann, found_at(original), found_at(other)), signed_in(ann)
    mark(client, search, original.song_id, True, keep=True)
    told = mark(client, search, other.song_id, True, keep=True).json()
    assert {song: said["kept"] for song, said in told["marked"].items()} == {
        str(original.song_id): False,
        str(other.song_id): True,
    }
    assert Humming.objects.counting().get().fragment.recording == other


def not_wav() -> bytes:
    return factories.audio_file(factories.tone(5.0), kind="FLAC")


@pytest.mark.parametrize(
    ("place", "data", "why"),
    [((6.0, 9.0), None, "no phrase"), ((4.0, 9.0), None, "no phrase"), ((0.5, 5.0), not_wav(), "WAV files, not FLAC")],
)
def test_where_the_hum_cannot_be_a_take_the_mark_stays_and_the_person_is_told(original, place, data, why):
    ann = factories.make_person("ann")
    Consent.give(ann)
    search = search_of(ann, found_at(original, *place), data=data)
    told = mark(signed_in(ann), search, original.song_id, True, keep=True).json()
    assert (told["kept"], SearchMark.objects.get().right) == (False, True)
    assert why in told["sentence"]
    assert not Humming.objects.exists()


def test_nobody_hums_a_phrase_twice_by_searching(original):
    ann = factories.make_person("ann")
    Consent.give(ann)
    factories.make_humming(Fragment.objects.get(), ann, Humming.State.ACCEPTED)
    told = mark(signed_in(ann), search_of(ann, found_at(original)), original.song_id, True, keep=True).json()
    assert told["kept"] is False
    assert "already" in told["sentence"]
    assert Humming.objects.count() == 1
    assert SearchMark.objects.get().right


@pytest.mark.django_db(transaction=True)
def test_given_many_times_at_once_it_is_one_take(original):
    ann = factories.make_person("ann")
    Consent.give(ann)
    searches = [search_of(ann, found_at(original)) for _ in range(2)]
    answers: list[int] = []

    def give(number: int) -> None:
        answers.append(mark(signed_in(ann), searches[number % 2], original.song_id, True, keep=True).status_code)

    together(6, give)
    assert answers == [200] * 6
    assert Humming.objects.counting().count() == 1


def test_a_hum_that_is_deleted_already_cannot_be_given(original):
    ann = factories.make_person("ann")
    Consent.give(ann)
    search = search_of(ann, found_at(original))
    search.forget_hum()
    told = mark(signed_in(ann), search, original.song_id, True, keep=True).json()
    assert (told["kept"], "deleted after an hour" in told["sentence"]) == (False, True)
    gone = signed_in(ann).get(f"{SEARCHES}/{search.pk}/curves/1")
    assert (gone.status_code, gone.json()["code"]) == (404, "hum_deleted")
    assert "deleted after an hour" in gone.json()["error"]


def can_be_kept(client: Client, search: Search) -> tuple[bool, str]:
    (song,) = client.get(f"{SEARCHES}/{search.pk}").json()["found"]
    return song["keepable"], song["why_not"]


@pytest.mark.parametrize(
    ("start_s", "end_s", "keepable"),
    # The phrase is 4.5 s long: 85 % of it are 3.825 s.
    [(0.5, 5.0, True), (0.0, 9.0, True), (0.5, 4.4, True), (0.5, 4.2, False), (1.3, 9.0, False), (6.0, 9.0, False)],
)
def test_an_answer_tells_whether_the_hum_can_be_given_as_the_mark_does(original, start_s, end_s, keepable):
    ann = factories.make_person("ann")
    Consent.give(ann)
    search = search_of(ann, found_at(original, start_s, end_s))
    told, why_not = can_be_kept(signed_in(ann), search)
    assert (told, why_not == "") == (keepable, keepable)
    assert mark(signed_in(ann), search, original.song_id, True, keep=True).json()["kept"] is keepable


def test_a_hum_cannot_be_given_for_a_retired_phrase_a_hummed_one_or_after_an_hour(original):
    ann = factories.make_person("ann")
    Consent.give(ann)
    client, search = signed_in(ann), search_of(ann, found_at(original))
    mark(client, search, original.song_id, True, keep=True)
    assert can_be_kept(client, search) == (True, ""), "it is this very hum that was given"
    again = search_of(ann, found_at(original))
    keepable, why_not = can_be_kept(client, again)
    assert (keepable, "already" in why_not) == (False, True)
    bea = factories.make_person("bea")
    other = search_of(bea, found_at(original))
    assert can_be_kept(signed_in(bea), other)[0]
    older(other, HUM_KEPT + timedelta(seconds=1))
    keepable, why_not = can_be_kept(signed_in(bea), other)
    assert (keepable, "after an hour" in why_not) == (False, True)
    Fragment.objects.update(retired_at=timezone.now())
    keepable, why_not = can_be_kept(signed_in(bea), search_of(bea, found_at(original)))
    assert (keepable, "not collected" in why_not) == (False, True)


def test_before_there_is_an_answer_nothing_is_marked(original):
    ann = factories.make_person("ann")
    search, _ = searching.send(searching.SentSearch(ContentFile(wav())), searching.Asker(ann, ""))
    assert mark(signed_in(ann), search, original.song_id, True).json()["code"] == "not_yet"


# --- its end


def test_hums_go_after_an_hour_and_rows_later(original):
    ann = factories.make_person("ann")
    old, new, marked = (search_of(ann, found_at(original)) for _ in range(3))
    SearchMark.objects.create(search=marked, song=original.song, right=True)
    name, kept = old.audio.name, new.audio.storage
    older(old, HUM_KEPT + timedelta(minutes=1))
    assert Search.forget_over() == 1
    old.refresh_from_db()
    assert (old.audio.name, old.curve, kept.exists(name), kept.exists(new.audio.name)) == ("", None, False, True)
    assert old.answer
    for search in (old, marked):
        older(search, KEPT + timedelta(days=1))
    Search.forget_over()
    assert set(Search.objects.values_list("pk", flat=True)) == {new.pk, marked.pk}


def test_where_the_storage_fails_it_is_tried_again(original, monkeypatch):
    search = search_of(factories.make_person("ann"), found_at(original))
    older(search, HUM_KEPT + timedelta(minutes=1))

    def fails(storage: InMemoryStorage, name: str) -> None:
        raise OSError("away")

    with monkeypatch.context() as away:
        away.setattr(InMemoryStorage, "delete", fails)
        assert Search.forget_over() == 0
    search.refresh_from_db()
    assert search.audio
    assert Search.forget_over() == 1


def test_nobody_fills_the_disk_the_oldest_hums_go_first(settings, original):
    ann = factories.make_person("ann")
    settings.MOST_SEARCH_STORE_BYTES = int(2.5 * len(wav()))
    old, new = (search_of(ann, found_at(original)) for _ in range(2))
    waiting, _ = searching.send(searching.SentSearch(ContentFile(wav())), searching.Asker(ann, ""))
    for search in (old, new, waiting):
        search.refresh_from_db()
    assert [bool(search.audio) for search in (old, new, waiting)] == [False, True, True]
    assert old.curve, "what was found can still be looked at"


def test_what_a_newer_search_took_the_place_of_is_deleted_soon():
    ann, hum = signed_in(factories.make_person("ann")), uuid.uuid4()
    first = Search.objects.get(pk=post(ann, hum=hum, partial="true").json()["id"])
    post(ann, hum=hum)
    Search.forget_over()
    assert not first.audio.storage.exists(first.audio.name)
    assert Search.objects.exclude(audio="").count() == 1


def test_whoever_leaves_takes_the_searches_along(original):
    ann = factories.make_person("ann")
    Consent.give(ann)
    search = search_of(ann, found_at(original))
    mark(signed_in(ann), search, original.song_id, True, keep=True)
    storage, name = search.audio.storage, search.audio.name
    leaving.leave(ann, keep_takes=True)
    Search.forget_over()
    assert not Search.objects.exists()
    assert not SearchMark.objects.exists()
    assert not storage.exists(name)
    assert Humming.objects.count() == 1, "the take was to stay"


def test_ones_own_searches_are_in_ones_own_data(original):
    ann = factories.make_person("ann")
    search = search_of(ann, found_at(original))
    mark(signed_in(ann), search, original.song_id, False)
    search_of(factories.make_person("bea"), found_at(original))
    with own_data.archive(ann) as file, zipfile.ZipFile(file) as zipped:
        told = json.loads(zipped.read("data.json"))
        assert [one["id"] for one in told["searches"]] == [str(search.pk)]
        assert told["search_marks"][0]["song__title"] == original.song.title
        assert zipped.read(f"searches/{search.pk}") == wav()


def test_a_guest_who_gave_a_hum_is_not_forgotten_and_brings_the_searches_along(original):
    guest, ann = Guest.arrive(), factories.make_person("ann")
    Consent.give(guest)
    search = search_of(guest, found_at(original))
    mark(signed_in(guest), search, original.song_id, True, keep=True)
    Guest.objects.update(created_at=timezone.now() - timedelta(days=100))
    assert Guest.forget_idle() == 0
    keeping.move_to(ann, guest)
    search.refresh_from_db()
    assert (search.owner, Humming.objects.get().singer) == (ann, ann)


# --- the document


def test_the_openapi_document_has_every_public_call_and_no_other():
    told = Client().get("/api/v1/schema").json()
    assert told["openapi"].startswith("3.1")
    calls = {(path, method) for path, methods in told["paths"].items() for method in methods}
    assert calls == {
        (SEARCHES, "post"),
        (f"{SEARCHES}/{{search_id}}", "get"),
        (f"{SEARCHES}/{{search_id}}/curves/{{rank}}", "get"),
        (f"{SEARCHES}/{{search_id}}/listen/{{rank}}", "get"),
        (f"{SEARCHES}/{{search_id}}/mark", "post"),
    }
    form = told["paths"][SEARCHES]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(told["components"]["schemas"][form["$ref"].split("/")[-1]]["properties"]) == {
        "audio",
        "id",
        "hum",
        "partial",
    }


def test_an_answer_has_exactly_what_the_document_says(original):
    told = Client().get("/api/v1/schema").json()["components"]["schemas"]
    ann = factories.make_person("ann")
    search, client = search_of(ann, found_at(original)), signed_in(ann)
    seen = client.get(f"{SEARCHES}/{search.pk}").json()
    assert set(seen) == set(told["SearchShown"]["properties"]) - {"key"}
    assert set(seen["found"][0]) == set(told["FoundShown"]["properties"])
    assert set(client.get(f"{SEARCHES}/{search.pk}/curves/1").json()) == set(told["CurvesShown"]["properties"])
    assert set(mark(client, search, original.song_id, True).json()) == set(told["MarkAnswer"]["properties"])


def test_the_page_names_every_call_and_the_limits(settings):
    settings.LIMITS = {**settings.LIMITS, "searches": "7/min", "search-calls": "off"}
    page = Client().get("/api/").content.decode()
    for words in ("/mark", "/curves/", "/listen/", "X-Search-Key", "7 in 60 seconds", "as many as you like", "429"):
        assert words in page
