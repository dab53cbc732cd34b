"""Who may call what: every address of the site, as a stranger, a singer, another singer, a reviewer and an admin.

The table below is the rule. An address without a row in it fails a test, and so does a row without an address.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from annotation.models import Consent, Guest, Lease, ReviewItem, Search, Slot, Study, Verdict
from annotation.roles import make_reviewer
from annotation.tickets import ticket_for
from ml_worker.models import Checkpoint, Job, Round
from ml_worker.tests.made_pages import make_pair
from ml_worker.tests.manage import make_checkpoint
from recordings.models import CoverCandidate, Humming, Release, ReleasedVersion
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

PEOPLE = ("stranger", "singer", "other", "reviewer", "admin")


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    """Files in memory: the world is made anew for each test."""
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


@dataclass
class World:
    """Rows to call by: a song with a phrase, a take of the singer, claims, an item on the reviewer's desk."""

    people: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)

    def client(self, person: str, **options: Any) -> Client:
        client = Client(**options)
        if person != "stranger":
            client.force_login(self.people[person])
        return client


@pytest.fixture
def world() -> World:
    people = {name: factories.make_person(name) for name in ("singer", "other", "reviewer", "somebody")}
    people["admin"] = factories.make_person("admin", is_staff=True, is_superuser=True)
    make_reviewer(people["reviewer"])
    for person in people.values():
        Consent.give(person)
    original = factories.make_recording()
    factories.make_analysis(original)
    hummed, leased = factories.make_fragment(original, 0.5, 5), factories.make_fragment(original, 6, 11)
    take = factories.make_humming(hummed, people["singer"], Humming.State.CHECKED)
    found = factories.make_cover_fragment(hummed)
    factories.make_analysis(found.recording)
    rows = {"song": original.song, "recording": original, "fragment": hummed, "take": take, "cover": found}
    rows["item"] = ReviewItem.objects.create(humming=take)
    rows["item"].lease(people["reviewer"])
    judged = ReviewItem.objects.create(humming=factories.make_humming(hummed, state=Humming.State.CHECKED))
    rows["verdict"] = judged.judge(people["reviewer"], "accept")
    rows["judge"] = people["reviewer"].reviewer
    rows["study"] = Study.objects.create(name="Winter", kind=Study.Kind.HUM, platform=Study.Platform.PROLIFIC)
    rows["not_on_the_desk"] = ReviewItem.ask_about(factories.make_humming(hummed, state=Humming.State.CHECKED))
    Slot.lay_out()
    expires_at = timezone.now() + timedelta(minutes=5)
    rows["lease"] = Lease.objects.create(slot=leased.slots.first(), person=people["singer"], expires_at=expires_at)
    rows["candidate"] = CoverCandidate.objects.create(
        song=original.song, youtube_id="aaaaaaaaaaa", title="A cover", found_by="a search"
    )
    rows["job"] = Job.objects.create(kind=Job.Kind.TRAIN, subject="short", state=Job.State.FAILED)
    rows["round"] = Round.begin("Started by hand.")
    rows["pair"] = make_pair("same")
    rows["checkpoint"] = make_checkpoint(standing=Checkpoint.Standing.CANDIDATE)
    rows["release"] = Release.objects.create(version="1.0", settings={"texts": {"README.md": "A release.\n"}})
    told = {"dataset": {}, "versions": {"fragment_id": str(hummed.pk)}}
    ReleasedVersion.objects.create(
        release=rows["release"], version_id=rows["cover"].pk, audio_type="cover", row=told, source={}
    )
    Release.objects.update(published_at=timezone.now())
    checked = [{"name": "files", "state": "good", "says": "All is well."}]
    rows["draft"] = Release.objects.create(version="1.1", checks=checked, checked_at=timezone.now())
    found = {"recording": str(original.pk), "probability": 0.9, "start_s": 1.0, "end_s": 5.0, "tempo_ratio": 1.0}
    rows["search"] = Search.objects.create(
        owner=people["singer"],
        state=Search.State.DONE,
        answer={"here": 0.9, "is_here": True, "found": [{**found, "score": 1.0, "transposition": 0.0}]},
        curve={"hop_s": 0.02, "pitch": [60.0]},
    )
    return World(people, rows)


# --- the table

Arguments = Callable[[dict[str, Any]], list[Any]]
Body = Callable[[dict[str, Any]], dict[str, Any]]


def nothing(rows: dict[str, Any]) -> list[Any]:
    return []


def of(name: str) -> Arguments:
    return lambda rows: [rows[name].pk]


def side(name: str, which: str) -> Arguments:
    return lambda rows: [rows[name].pk, which]


def a_new_id(rows: dict[str, Any]) -> list[Any]:
    return [uuid.uuid4()]


def a_token(rows: dict[str, Any]) -> list[Any]:
    return [rows["study"].token]


def a_take(rows: dict[str, Any]) -> dict[str, Any]:
    wav = factories.audio_file(factories.tone(5.0))
    capture = {"sample_rate": 16000, "frames": 80000, "mode": "after"}
    return {
        "audio": SimpleUploadedFile("take.wav", wav, "audio/wav"),
        "sha256": sha256_of(io.BytesIO(wav)),
        "capture": json.dumps(capture),
    }


def a_hum(rows: dict[str, Any]) -> dict[str, Any]:
    return {"audio": SimpleUploadedFile("hum.wav", factories.audio_file(factories.tone(5.0)), "audio/wav")}


def first(name: str) -> Arguments:
    return lambda rows: [rows[name].pk, 1]


def released(rows: dict[str, Any]) -> list[Any]:
    return ["1.0", rows["cover"].pk]


def a_draft(rows: dict[str, Any]) -> list[Any]:
    return [rows["draft"].version]


def a_list(rows: dict[str, Any]) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("covers.csv", b"title,artist\nA song,Somebody\n")}


@dataclass(frozen=True)
class Row:
    """What each of PEOPLE is answered: a status each, in their order."""

    name: str
    method: str
    expected: tuple[int, int, int, int, int]
    arguments: Arguments = nothing
    body: Body | None = None
    form: bool = False
    ticket: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.name}" + (" with a ticket" if self.ticket else "")

    def call(self, client: Client, rows: dict[str, Any]) -> HttpResponseBase:
        address = reverse(self.name, args=self.arguments(rows))
        body = self.body(rows) if self.body else {}
        if self.method == "GET":
            return client.get(address)
        if self.form and self.method == "POST":
            return client.post(address, body)
        if self.form:
            headers = {"X-Take-Ticket": ticket_for(rows["lease"])} if self.ticket else {}
            data = encode_multipart(BOUNDARY, body)
            return client.put(address, data, content_type=MULTIPART_CONTENT, headers=headers)
        return client.generic(self.method, address, json.dumps(body), content_type="application/json")


ANYONE = (200, 200, 200, 200, 200)
ITS_PERSON = (404, 200, 404, 404, 404)
SIGNED_IN_PAGE = (302, 200, 200, 200, 200)
REVIEW_PAGE = (302, 403, 403, 200, 200)
ADMIN_PAGE = (302, 403, 403, 403, 200)
ADMIN_ACT = (302, 403, 403, 403, 302)
ADMIN_CALL = (401, 403, 403, 403, 200)
ADMIN_MAKES = (401, 403, 403, 403, 201)
REVIEWERS_CALL = (401, 403, 403, 200, 200)


def promotion(rows: dict[str, Any]) -> dict[str, Any]:
    return {"standing": "promoted", "why": "It finds more."}


def bounds(start_s: float, end_s: float) -> Body:
    return lambda rows: {"start_s": start_s, "end_s": end_s}


TABLE = [
    Row("healthz", "GET", ANYONE),
    Row("home", "GET", ANYONE),
    Row("words", "GET", ANYONE),
    Row("service-worker", "GET", ANYONE),
    Row("set-language", "POST", (302, 302, 302, 302, 302), form=True),
    Row("sign-in", "GET", ANYONE),
    Row("sign-in", "POST", ANYONE, form=True),
    Row("sign-up", "GET", ANYONE),
    Row("sign-up", "POST", ANYONE, form=True),
    Row("sign-out", "POST", (302, 302, 302, 302, 302), form=True),
    # the singer
    Row("hum", "GET", ANYONE),
    Row("find", "GET", ANYONE),
    Row("known-songs", "GET", SIGNED_IN_PAGE),
    Row("takes", "GET", SIGNED_IN_PAGE),
    Row("account", "GET", SIGNED_IN_PAGE),
    Row("own-data", "GET", SIGNED_IN_PAGE),
    Row("about-singer", "POST", (302, 302, 302, 302, 302), form=True),
    Row("training-wish", "POST", (302, 302, 302, 302, 302), form=True),
    Row("leave", "GET", SIGNED_IN_PAGE),
    Row("leave", "POST", (302, 422, 422, 422, 422), form=True),
    Row("consent", "POST", ANYONE, body=lambda rows: {"ai_training": True}),
    Row("next-task", "POST", (401, 200, 200, 200, 200)),
    Row("extend-task", "POST", (401, 200, 404, 404, 404), of("lease")),
    Row("skip-task", "POST", (401, 204, 404, 404, 404), of("lease"), lambda rows: {"why": "other"}),
    Row("take", "GET", (401, 200, 404, 404, 200), of("take")),
    Row("know-song", "PUT", (401, 204, 204, 204, 204), of("song"), lambda rows: {"knows": True}),
    # Whoever holds the lease's ticket stores its holder's take; without one nobody does.
    Row("take", "PUT", (201, 201, 201, 201, 201), a_new_id, a_take, form=True, ticket=True),
    Row("take", "PUT", (403, 403, 403, 403, 403), a_new_id, a_take, form=True),
    # A reviewer hears a take as a side of an item that is on the desk, and not by its own address.
    Row("take-audio", "GET", (401, 200, 404, 404, 200), of("take")),
    Row("take-curve", "GET", (401, 200, 404, 404, 200), of("take")),
    Row("withdrawal", "GET", (401, 200, 404, 404, 404), of("take")),
    Row("withdraw-take", "POST", (401, 204, 404, 404, 404), of("take")),
    Row("fragment-audio", "GET", (401, 200, 200, 200, 200), of("fragment")),
    Row("fragment-curve", "GET", (401, 200, 200, 200, 200), of("fragment")),
    # who searches by humming: everybody, and each sees what is their own
    Row("api", "GET", ANYONE),
    Row("schema", "GET", ANYONE),
    Row("searches", "POST", (201, 201, 201, 201, 201), body=a_hum, form=True),
    Row("search", "GET", ITS_PERSON, of("search")),
    Row("search-curves", "GET", ITS_PERSON, first("search")),
    Row("search-listen", "GET", ITS_PERSON, first("search")),
    Row("no-call", "GET", (404, 404, 404, 404, 404), lambda rows: ["nothing"]),
    Row("mark-search", "POST", ITS_PERSON, of("search"), lambda rows: {"song": str(rows["song"].pk), "right": True}),
    # who looks at a published release: everybody, and anyone may say that something in it is wrong
    Row("release-history", "GET", ANYONE),
    Row("release", "GET", ANYONE, lambda rows: ["1.0"]),
    Row("released-version", "GET", ANYONE, released),
    Row("release-file", "GET", ANYONE, lambda rows: ["1.0", "README.md"]),
    Row("report-version", "GET", ANYONE, released),
    Row("report-version", "POST", (201, 201, 201, 201, 201), released, lambda rows: {"reason": "medley"}),
    # a participant of a study: the link alone lets nobody in, and the code is for who has done the work
    Row("study", "GET", (400, 400, 400, 400, 400), a_token),
    Row("study", "POST", (400, 400, 400, 400, 400), a_token, form=True),
    Row("study-done", "GET", (403, 403, 403, 403, 403), a_token),
    Row("study-now", "GET", (401, 400, 400, 400, 400)),
    # the reviewer
    Row("review", "GET", REVIEW_PAGE),
    Row("next-item", "POST", REVIEWERS_CALL),
    Row("verdict", "POST", (401, 403, 403, 200, 409), of("item"), lambda rows: {"decision": "accept", "heard_s": 5}),
    Row("undo-verdict", "POST", (401, 403, 403, 200, 404), of("verdict")),
    Row("extend-items", "POST", (401, 403, 403, 200, 409)),
    Row("release-item", "POST", (401, 403, 403, 204, 204), of("item")),
    Row("pass-item", "POST", (401, 403, 403, 204, 409), of("item")),
    Row("last-verdicts", "GET", REVIEWERS_CALL),
    Row("item-audio", "GET", REVIEWERS_CALL, side("item", "version")),
    Row("item-audio", "GET", (401, 403, 403, 404, 200), side("not_on_the_desk", "original")),
    Row("item-curve", "GET", REVIEWERS_CALL, side("item", "original")),
    # the admin
    Row("chain", "GET", ADMIN_PAGE),
    Row("songs", "GET", ADMIN_PAGE),
    Row("song", "GET", ADMIN_PAGE, of("song")),
    Row("take-down-song", "GET", ADMIN_PAGE, of("song")),
    Row("take-down-song", "POST", (302, 403, 403, 403, 302), of("song"), lambda rows: {"why": "Asked to."}, form=True),
    Row("put-back-song", "POST", (302, 403, 403, 403, 302), of("song"), form=True),
    Row("removals", "GET", ADMIN_PAGE),
    Row("import-recording", "GET", ADMIN_PAGE),
    Row("import-recording", "POST", (302, 403, 403, 403, 422), form=True),
    Row("covers", "GET", ADMIN_PAGE),
    Row("covers-of-song", "GET", ADMIN_PAGE, of("song")),
    Row("pairs", "GET", ADMIN_PAGE),
    Row("pair", "GET", ADMIN_PAGE, of("pair")),
    Row("keep-pair", "POST", (302, 403, 403, 403, 302), of("pair"), form=True),
    Row("look-again", "POST", (302, 403, 403, 403, 302), of("pair"), form=True),
    Row("rounds", "GET", ADMIN_PAGE),
    Row("round", "GET", ADMIN_PAGE, of("round")),
    Row("jobs", "GET", ADMIN_PAGE),
    Row("agreement", "GET", ADMIN_PAGE),
    Row("review-items", "GET", ADMIN_PAGE),
    Row("review-item", "GET", ADMIN_PAGE, of("item")),
    Row("reviewer", "GET", ADMIN_PAGE, of("judge")),
    Row("reports", "GET", ADMIN_PAGE),
    Row("reports", "POST", (302, 403, 403, 403, 422), form=True),
    Row("checkpoints", "GET", ADMIN_PAGE),
    Row("releases", "GET", ADMIN_PAGE),
    Row("manage-release", "GET", ADMIN_PAGE, a_draft),
    Row("note-release", "POST", ADMIN_ACT, a_draft, form=True),
    Row("draft-release", "POST", ADMIN_ACT, a_draft, form=True),
    Row("stop-release", "POST", ADMIN_ACT, a_draft, form=True),
    Row("publish-release", "POST", ADMIN_ACT, a_draft, form=True),
    Row("throw-away-draft", "GET", ADMIN_PAGE, a_draft),
    Row("throw-away-draft", "POST", ADMIN_ACT, a_draft, form=True),
    Row("studies", "GET", ADMIN_PAGE),
    Row("studies", "POST", (302, 403, 403, 403, 422), form=True),
    Row("manage-study", "GET", ADMIN_PAGE, of("study")),
    Row("manage-study", "POST", (302, 403, 403, 403, 302), of("study"), form=True),
    Row("study-payments", "GET", ADMIN_PAGE, of("study")),
    Row("manage-help", "GET", ADMIN_PAGE),
    Row("chain-now", "GET", ADMIN_CALL),
    Row("search-covers", "POST", ADMIN_MAKES, of("song")),
    Row("cover-decision", "POST", ADMIN_CALL, of("candidate"), lambda rows: {"decision": "refuse"}),
    Row("cover-lists", "POST", ADMIN_CALL, body=a_list, form=True),
    Row("start-step", "POST", ADMIN_MAKES, body=lambda rows: {"step": "train"}),
    Row("job-again", "POST", ADMIN_CALL, of("job")),
    Row("pair-map", "GET", ADMIN_CALL, of("pair")),
    Row("rounds-now", "GET", ADMIN_CALL),
    Row("rounds-now", "POST", (401, 403, 403, 403, 409), body=lambda rows: {"kinds": ["short"]}),
    Row("stop-round", "POST", ADMIN_CALL, of("round")),
    Row("go-on-with-round", "POST", (401, 403, 403, 403, 409), of("round")),
    Row("checkpoint-standing", "POST", ADMIN_CALL, of("checkpoint"), promotion),
    Row("checkpoint-standing", "DELETE", (401, 403, 403, 403, 409), of("checkpoint")),
    Row("agreement-figures", "GET", ADMIN_CALL),
    Row("overrule", "POST", ADMIN_CALL, of("item"), lambda rows: {"decision": "reject", "why": "Another song."}),
    Row("standing", "POST", ADMIN_CALL, of("judge"), lambda rows: {"state": "set_aside", "why": "All alike."}),
    Row("fragments", "GET", ADMIN_CALL, of("recording")),
    Row("fragments", "POST", ADMIN_MAKES, of("recording"), bounds(2, 8)),
    Row("fragment", "PATCH", ADMIN_CALL, of("fragment"), bounds(1, 6)),
    Row("fragment", "DELETE", (401, 403, 403, 403, 204), of("fragment")),
    Row("fragment", "POST", ADMIN_CALL, of("fragment")),
    Row("cover-fragment-audio", "GET", ADMIN_CALL, of("cover")),
    Row("recording-audio", "GET", ADMIN_CALL, of("recording")),
    Row("recording-peaks", "GET", ADMIN_CALL, of("recording")),
    Row("recording-curve", "GET", ADMIN_CALL, of("recording")),
]


# --- the tests


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_each_gets_the_answer_that_is_theirs(row: Row, world: World):
    answers = {}
    for person in PEOPLE:
        # What one does is undone before the next one tries.
        with transaction.atomic():
            answers[person] = row.call(world.client(person), world.rows).status_code
            transaction.set_rollback(True)
    assert answers == dict(zip(PEOPLE, row.expected, strict=True))


def test_nothing_is_changed_from_another_site(world: World):
    """Without the CSRF token that only our own pages have, a signed-in admin changes nothing."""
    careful = world.client("admin", enforce_csrf_checks=True)
    unsafe = [row for row in TABLE if row.method != "GET"]
    answers = {str(row): row.call(careful, world.rows).status_code for row in unsafe}
    assert answers == {str(row): 403 for row in unsafe}


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_guest_may_do_what_any_other_singer_may(row: Row, world: World):
    world.people["guest"] = Guest.arrive()
    Consent.give(world.people["guest"])
    with transaction.atomic():
        answer = row.call(world.client("guest"), world.rows).status_code
        transaction.set_rollback(True)
    assert answer == row.expected[PEOPLE.index("other")]


def test_every_address_is_in_the_table_and_no_other():
    assert {pattern.name for pattern in patterns(get_resolver()) if pattern.name} == {row.name for row in TABLE}
    assert all(pattern.name for pattern in patterns(get_resolver())), "an address without a name is in no table"


def test_every_method_of_an_address_is_in_the_table():
    """What a JSON call takes by its methods is tried by each of them."""
    told = {(row.name, row.method) for row in TABLE}
    for pattern in patterns(get_resolver()):
        view = getattr(pattern.callback, "cls", None)
        for method in ("get", "post", "put", "patch", "delete"):
            if view is not None and hasattr(view, method):
                assert (pattern.name, method.upper()) in told


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    """Every address of the project; Django's admin, which has its own rule, is left out."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield entry
        elif entry.namespace != "admin":
            yield from patterns(entry)


def admin_addresses() -> list[str]:
    """Every address of Django's admin, those of a row with an id that may or may not be there."""
    resolver = next(entry for entry in get_resolver().url_patterns if getattr(entry, "namespace", "") == "admin")
    found = []
    for pattern in within(resolver):
        if pattern.name in (None, "login", "logout"):
            continue
        for arguments in ([], ["1"], ["recordings"], ["1", "1"]):
            try:
                found.append(reverse(f"admin:{pattern.name}", args=arguments))
            except NoReverseMatch:
                continue
    return found


def within(resolver: URLResolver) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from within(entry)
        else:
            yield entry


@pytest.mark.parametrize("person", ["stranger", "singer", "reviewer"])
def test_the_admin_is_for_admins(person: str, world: World):
    client = world.client(person)
    addresses = admin_addresses()
    assert len(addresses) > 50
    for address in addresses:
        answer = client.get(address)
        assert (answer.status_code, answer.get("Location", "").split("?")[0]) == (302, reverse("admin:login")), address


def test_the_admin_opens_every_list(world: World):
    client = world.client("admin")
    lists = [address for address in admin_addresses() if address.startswith("/admin/") and address.count("/") == 4]
    assert len(lists) >= 19
    for address in lists:
        assert client.get(address).status_code == 200, address


def test_a_take_that_was_withdrawn_is_the_singers_alone(world: World):
    take = world.rows["take"]
    take.move_to(Humming.State.WITHDRAWN, why="Withdrawn by its singer.", person=world.people["singer"])
    heard = {person: world.client(person).get(f"/api/hums/{take.pk}/audio").status_code for person in PEOPLE}
    assert heard == {"stranger": 401, "singer": 200, "other": 404, "reviewer": 404, "admin": 404}


def test_a_phrase_of_a_song_that_was_taken_down_is_heard_by_admins_alone(world: World):
    song = world.rows["song"]
    song.taken_down_at = timezone.now()
    song.save()
    address = reverse("fragment-audio", args=[world.rows["fragment"].pk])
    heard = {person: world.client(person).get(address).status_code for person in PEOPLE}
    assert heard == {"stranger": 401, "singer": 404, "other": 404, "reviewer": 404, "admin": 200}


def test_a_reviewer_undoes_only_an_own_verdict(world: World):
    make_reviewer(world.people["other"])
    address = reverse("undo-verdict", args=[world.rows["verdict"].pk])
    assert world.client("other").post(address).status_code == 404
    assert Verdict.objects.counted().filter(pk=world.rows["verdict"].pk).exists()


def test_an_account_that_was_closed_may_do_nothing(world: World):
    client = world.client("reviewer")
    world.people["reviewer"].is_active = False
    world.people["reviewer"].save()
    assert client.get("/review/").status_code == 302
    assert client.post("/api/review/next").status_code == 401
