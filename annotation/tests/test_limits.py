"""Limits: exact under any number of parallel calls, told in words; no page fails by them, and no take is lost."""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client, RequestFactory
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from annotation import limits
from annotation.handing_out import claim
from annotation.models import Consent, ReviewItem
from annotation.roles import make_reviewer
from annotation.tests.test_slots import together
from annotation.tickets import ticket_for
from chad_site.tests.test_permissions import a_take
from recordings.models import Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


@pytest.fixture
def limit(settings):
    def set_to(**rates: str) -> None:
        settings.LIMITS = {**settings.LIMITS, **{name.replace("_", "-"): rate for name, rate in rates.items()}}

    return set_to


def later(seconds: float) -> None:
    """Time passes: every counter is so much older."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_limit SET free_at = free_at - %s * interval '1 second'", [seconds])


def told(answer: Any) -> tuple[int, str]:
    assert answer.status_code == 429
    assert answer.json()["code"] == "throttled"
    return int(answer["Retry-After"]), answer.json()["error"]


@pytest.mark.parametrize(
    ("text", "calls", "period_s"), [("60/hour", 60, 3600), ("5/s", 5, 1), ("20/10min", 20, 600), (" 1/DAY ", 1, 86400)]
)
def test_a_rate_is_read(text, calls, period_s):
    assert limits.Rate.read(text) == limits.Rate(calls, period_s)


@pytest.mark.parametrize("text", ["", "60", "60/", "0/hour", "-1/hour", "60/week", "5/0min", "sixty/hour"])
def test_a_rate_that_is_none_is_told(text):
    with pytest.raises(ImproperlyConfigured, match="A limit reads like"):
        limits.Rate.read(text)


def test_a_burst_then_one_at_a_time(limit):
    limit(tasks="4/min")
    assert [limits.wait_s("tasks", 1) for _ in range(4)] == [0] * 4
    assert 14 < limits.wait_s("tasks", 1) <= 15
    assert limits.wait_s("tasks", 2) == 0, "somebody else"
    assert limits.wait_s("calls", 1) == 0, "something else"
    later(15)
    assert limits.wait_s("tasks", 1) == 0
    assert limits.wait_s("tasks", 1) > 0
    later(3600)
    assert [limits.wait_s("tasks", 1) > 0 for _ in range(5)] == [False] * 4 + [True]


def test_what_is_refused_does_not_lengthen_the_wait(limit):
    limit(tasks="1/min")
    limits.wait_s("tasks", 1)
    first = limits.wait_s("tasks", 1)
    assert all(limits.wait_s("tasks", 1) <= first for _ in range(10))


def test_a_limit_may_be_off(limit):
    limit(tasks="off")
    assert not any(limits.wait_s("tasks", 1) for _ in range(200))


@pytest.mark.django_db(transaction=True)
def test_of_fifty_parallel_calls_exactly_as_many_as_allowed_get_through(limit):
    limit(tasks="20/hour")
    waits: list[float] = []
    together(50, lambda number: waits.append(limits.wait_s("tasks", 1)))
    assert (len(waits), waits.count(0)) == (50, 20)


@pytest.mark.django_db(transaction=True)
def test_without_the_counters_nobody_is_kept_out(limit, caplog):
    limit(guests="1/hour", sign_in_address="1/hour")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE annotation_limit RENAME TO annotation_limit_away")
    try:
        for _ in range(3):
            assert Client().post("/api/hum/consent", CONSENT, content_type="application/json").status_code == 200
            assert Client().post("/sign-in/", {"username": "ann", "password": "x"}).status_code == 200
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE annotation_limit_away RENAME TO annotation_limit")
    assert "could not be counted" in caplog.text


CONSENT = {"ai_training": True}


def test_old_counts_are_forgotten(limit):
    limit(tasks="1/min")
    limits.wait_s("tasks", 1)
    limits.forget()
    assert limits.wait_s("tasks", 1) > 0
    later(120)
    limits.forget()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM annotation_limit")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_an_address_is_a_house(address, counted):
    assert limits.address_of(RequestFactory().get("/", REMOTE_ADDR=address)) == counted


def test_an_address_that_is_none_is_kept_by_its_hash():
    key = limits.address_of(RequestFactory().get("/", REMOTE_ADDR="\0; DROP TABLE"))
    assert re.fullmatch("[0-9a-f]{32}", key)


def test_only_a_proxy_of_ours_is_believed_about_the_address(limit):
    limit(sign_up="1/hour")
    answers = [Client(headers={"X-Forwarded-For": f"192.0.2.{n}"}).post("/sign-up/", {}).status_code for n in (1, 2)]
    assert answers == [200, 429]


# --- JSON calls


def test_tasks_and_all_calls_of_a_person(limit, client):
    limit(tasks="2/min", calls="5/min")
    ann = factories.make_person("ann")
    Consent.give(ann)
    client.force_login(ann)
    asked = [client.post("/api/hum/task", {}, content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    seconds, sentence = told(asked[-1])
    assert 0 < seconds <= 30
    assert sentence == "That came too often from here. Please wait a while, then try again."
    others = [client.get(f"/api/hums/{uuid.uuid4()}") for _ in range(3)]
    assert [answer.status_code for answer in others] == [404, 404, 429]
    told(others[-1])
    client.force_login(factories.make_person("bea"))
    assert client.get(f"/api/hums/{uuid.uuid4()}").status_code == 404


def test_a_body_that_is_too_large_is_told_as_every_refusal(client):
    ann, words = factories.make_person("ann"), "x" * 6_000_000
    Consent.give(ann)
    client.force_login(ann)
    lease = claim(ann, factories.make_fragment().pk)
    form = encode_multipart(BOUNDARY, {**a_take({}), "capture": words})
    headers = {"X-Take-Ticket": ticket_for(lease)}
    for answer in (
        client.post("/api/hum/consent", {"ai_training": True, "more": words}, content_type="application/json"),
        client.put(f"/api/hums/{uuid.uuid4()}", form, content_type=MULTIPART_CONTENT, headers=headers),
    ):
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"
        assert answer.json()["error"].startswith("What was sent is larger")


def test_verdicts_of_a_person(limit, client):
    limit(verdicts="1/min")
    ann = factories.make_person("ann")
    make_reviewer(ann)
    client.force_login(ann)
    for expected in (200, 429):
        item = ReviewItem.objects.create(humming=factories.make_humming(state=Humming.State.CHECKED))
        item.lease(ann)
        body = {"decision": "reject", "reason": "noise"}
        answer = client.post(f"/api/review/{item.pk}/verdict", body, content_type="application/json")
        assert answer.status_code == expected
    assert told(answer)[0] <= 60
    assert not item.verdicts.exists()


def test_the_default_is_generous_for_a_fast_honest_reviewer():
    assert limits.Rate.read("60/min") == limits.Rate(60, 60)
    assert not any(limits.wait_s("verdicts", 1) for _ in range(60))


def put_take(person, fragment) -> Any:
    lease = claim(person, fragment.pk)
    data = encode_multipart(BOUNDARY, a_take({}))
    headers = {"X-Take-Ticket": ticket_for(lease)}
    return Client().put(f"/api/hums/{uuid.uuid4()}", data, content_type=MULTIPART_CONTENT, headers=headers)


def test_takes_of_a_person_by_the_ticket_alone(limit):
    limit(takes="2/hour")
    recording = factories.make_recording(seconds=30)
    phrases = [factories.make_fragment(recording, s, s + 5) for s in (1, 8, 15)]
    ann, bea = factories.make_person("ann"), factories.make_person("bea")
    for person in (ann, bea):
        Consent.give(person)
    answers = [put_take(ann, phrase) for phrase in phrases]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert told(answers[-1])[0] <= 1800
    assert put_take(bea, phrases[0]).status_code == 201
    later(1800)
    assert put_take(ann, phrases[2]).status_code == 201


def test_a_backlog_of_thirty_takes_is_no_trouble():
    recording = factories.make_recording(seconds=50)
    ann = factories.make_person("ann")
    Consent.give(ann)
    phrases = [factories.make_fragment(recording, s, s + 5) for s in range(1, 31)]
    assert {put_take(ann, phrase).status_code for phrase in phrases} == {201}


# --- pages


def test_guessing_one_name_from_many_addresses(limit):
    limit(sign_in_name="3/10min")
    tried = ["Ann", "ann", "ANN", "ann", "bea"]
    answers = [
        Client(REMOTE_ADDR=f"192.0.2.{n}").post("/sign-in/", {"username": name, "password": "x"})
        for n, name in enumerate(tried)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200]
    refused = answers[3]
    assert 0 < int(refused["Retry-After"]) <= 200
    page = refused.content.decode()
    assert "That came too often" in page
    assert re.search(r"try again in \d+ (second|minute)s?\.", page)


def test_spaces_around_a_name_make_no_other_name(limit):
    limit(sign_in_name="3/10min")
    tried = ["ann", " ann", "ann\t", "\u2003ann\n "]
    answers = [Client().post("/sign-in/", {"username": name, "password": "x"}).status_code for name in tried]
    assert answers == [200, 200, 200, 429]


def test_a_stranger_who_guesses_from_one_address_does_not_keep_the_owner_out(settings):
    """By the default limits, for as long as the stranger likes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    factories.make_person("ann", password="mm-mm-da-da-dum")
    stranger, owner = Client(REMOTE_ADDR="192.0.2.66"), Client(REMOTE_ADDR="192.0.2.7")
    for _ in range(3):
        tried = 0
        while stranger.post("/sign-in/", {"username": "ann", "password": "x"}).status_code == 200:
            tried += 1
        assert tried >= 60
        assert owner.post("/sign-in/", {"username": "ann", "password": "mm-mm-da-da-dum"}).status_code == 302
        later(600)


def test_guessing_many_names_from_one_address_and_the_form_is_still_read(limit):
    limit(sign_in_address="3/10min")
    answers = [Client().post("/sign-in/", {"username": f"p{n}", "password": "x"}).status_code for n in range(4)]
    assert answers == [200, 200, 200, 429]
    assert Client().get("/sign-in/").status_code == 200
    assert Client().post("/admin/login/", {"username": "root", "password": "x"}).status_code == 429


def test_a_right_password_is_no_way_around(limit):
    limit(sign_in_name="1/10min")
    factories.make_person("ann", password="mm-mm-da-da-dum")
    assert Client().post("/sign-in/", {"username": "ann", "password": "x"}).status_code == 200
    assert Client().post("/sign-in/", {"username": "ann", "password": "mm-mm-da-da-dum"}).status_code == 429


@pytest.mark.parametrize("name", ["\0", "a" * 10_000, "\ud800", ""])
def test_hostile_names_are_counted_and_no_more(name):
    form = f"username={quote(name.encode(errors='surrogatepass'))}&password=x"
    answer = Client().post("/sign-in/", form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200


def test_sign_ups_of_an_address(limit):
    limit(sign_up="2/hour")
    assert [Client().post("/sign-up/", {}).status_code for _ in range(3)] == [200, 200, 429]
