"""Studies: who takes part and with which account, what counts as done, when the code shows, and the list for paying."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from annotation import keeping, studies, taking
from annotation.handing_out import claim
from annotation.models import Consent, Guest, Participation, ReviewItem, Study, StudyWork, Verdict
from annotation.roles import make_reviewer, may_review
from annotation.studies import CONVENTIONS, DoorClosed, Ids
from annotation.taking import SentTake, save_take
from annotation.tests.test_slots import together
from recordings.models import Fragment, Humming
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

PASSWORD = "mm-mm-da-da-dum"
PID = "5f3c0a7be1d2"
LINK = {"PROLIFIC_PID": PID, "STUDY_ID": "s1", "SESSION_ID": "visit1"}


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


def make_study(kind: str = "hum", platform: str = "prolific", **fields: Any) -> Study:
    return Study.objects.create(**{"name": "Winter", "kind": kind, "platform": platform, "pieces": 2, **fields})


def start(study: Study, client: Client | None = None, **link: str) -> Any:
    return (client or Client()).post(f"/study/{study.token}/", {**LINK, **link})


def begin(study: Study, pid: str = PID, person: AbstractBaseUser | None = None) -> Participation:
    return studies.take_part(study, Ids(pid, "s1", "visit1"), person or AnonymousUser()).participation


def phrases(count: int) -> list[Fragment]:
    recording = factories.make_recording(seconds=10 + 7 * count)
    return [factories.make_fragment(recording, s, s + 5) for s in range(1, 1 + 7 * count, 7)]


def hum(person: AbstractBaseUser, fragment: Fragment) -> Humming:
    Consent.give(person)
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    sent = SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={})
    return save_take(sent, claim(person, fragment.pk))[0]


def refuse(take: Humming) -> None:
    factories.make_check(take, ok=False, reasons=[{"code": "noise", "sentence": "Too much noise."}])
    taking.apply_check(take)


def an_item() -> ReviewItem:
    return ReviewItem.objects.create(humming=factories.make_humming(state=Humming.State.CHECKED))


def person_of(client: Client) -> int | None:
    found = client.session.get("_auth_user_id")
    return found and int(found)


# --- the link


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ("prolific", {"PROLIFIC_PID": "p1", "STUDY_ID": "s1", "SESSION_ID": "v1"}),
        ("prolific", {"prolificPid": "p1", "study-id": "s1", "submission_id": "v1"}),
        ("mturk", {"workerId": "p1", "hitId": "s1", "assignmentId": "v1", "turkSubmitTo": "https://www.mturk.com"}),
        ("mturk", {"worker_id": "p1", "hit_id": "s1", "assignment_id": "v1"}),
        ("toloka", {"worker_id": "p1", "pool_id": "s1", "assignment_id": "v1"}),
        ("toloka", {"userId": "p1", "projectId": "s1", "assignmentId": "v1"}),
        ("other", {"participant": "p1", "study": "s1", "session": "v1"}),
    ],
)
def test_each_platforms_names_are_read(platform, told):
    assert Ids.read(platform, told) == Ids("p1", "s1", "v1")


@pytest.mark.parametrize("platform", Study.Platform.values)
def test_the_link_of_a_platform_has_the_names_that_are_read(platform):
    names = [part.split("=")[0] for part in CONVENTIONS[Study.Platform(platform)].link.split("&")]
    assert Ids.read(platform, {name: f"id{n}" for n, name in enumerate(names)}).participant == "id0"


HOSTILE = [
    "", " ", "a" * 121, "<script>alert(1)</script>", "../../etc/passwd", "{{%PROLIFIC_PID%}}", "${workerId}", "=1+1",
    "-1", "@SUM(A1)", "a\0b", "a\nb", "a b", "é", "'; DROP TABLE x;--", "\u202eabc", "%00", "a/b", "a\\b", '"', "{0}",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", LINK)
def test_a_hostile_id_is_a_broken_link_in_words(name, hostile):
    study, told = make_study(), {**LINK, name: hostile}
    for answer in (Client().get(f"/study/{study.token}/", told), Client().post(f"/study/{study.token}/", told)):
        if name == "STUDY_ID" and not hostile.strip():
            assert answer.status_code in (200, 302), "the platform's own name of the study is not needed"
        else:
            assert answer.status_code == 400
            page = answer.content.decode()
            assert "This link is not complete" in page
            assert "<script>alert" not in page


def test_a_link_without_ids_is_told_in_words_and_makes_nobody():
    study = make_study()
    for answer in (Client().get(f"/study/{study.token}/"), Client().post(f"/study/{study.token}/")):
        assert answer.status_code == 400
        assert "open it from there" in answer.content.decode()
    assert not Participation.objects.exists()
    assert not Guest.objects.exists()


@pytest.mark.parametrize("token", ["nobody", "%00", "..", "a%2Fb", "x" * 500])
def test_an_unknown_study_is_nothing(token):
    assert Client().get(f"/study/{token}/", LINK).status_code == 404


def test_a_preview_on_mechanical_turk_asks_to_accept_first():
    study = make_study(platform="mturk")
    told = {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "h1"}
    page = Client().get(f"/study/{study.token}/", told).content.decode()
    assert "Accept it on Mechanical Turk" in page


def test_the_welcome_changes_nothing_and_the_button_begins():
    study, client = make_study(), Client()
    page = client.get(f"/study/{study.token}/", LINK).content.decode()
    assert f'name="prolificpid" value="{PID}"' in page
    assert "completion code" in page
    assert study.completion_code not in page
    assert not Participation.objects.exists()
    assert person_of(client) is None
    answer = start(study, client)
    assert (answer.status_code, answer["Location"]) == (302, "/hum/")
    made = Participation.objects.get()
    assert (made.participant_id, made.platform_study_id, made.session_id) == (PID, "s1", "visit1")
    assert Guest.is_one(made.person)
    assert person_of(client) == made.person_id
    assert client.session.get_expiry_age() > 300 * 86400


def test_a_closed_study_and_a_full_one_take_nobody_new():
    shut, full = make_study(), make_study(places=1)
    shut.close()
    begin(full, "somebody")
    for study, status, words in ((shut, 410, "is closed"), (full, 409, "All places are taken")):
        for answer in (Client().get(f"/study/{study.token}/", LINK), start(study)):
            assert answer.status_code == status
            assert words in answer.content.decode()
    assert Participation.objects.count() == 1
    assert Guest.objects.count() == 1, "nobody was made for nothing"


def test_who_has_begun_may_finish_within_a_day_of_closing():
    study = make_study()
    mine = begin(study)
    study.close()
    assert begin(study) == mine
    first, second = phrases(2)
    hum(mine.person, first)
    assert mine.done == 1
    Study.objects.update(closed_at=timezone.now() - timedelta(days=1, minutes=1))
    with pytest.raises(DoorClosed) as told:
        begin(study)
    assert told.value.code == "closed"
    hum(mine.person, second)
    assert mine.done == 1, "kept, and no part of the study"


# --- which account


def test_an_ordinary_person_takes_part_with_the_own_account(client):
    ann, study = factories.make_person("ann", password=PASSWORD), make_study()
    client.force_login(ann)
    start(study, client)
    assert Participation.objects.get().person == ann
    assert not Guest.objects.exists()


def test_the_same_id_again_in_the_same_browser_is_the_same_participation():
    study, client = make_study(), Client()
    start(study, client)
    start(study, client, SESSION_ID="visit2")
    assert Participation.objects.get().session_id == "visit2"
    assert client.get("/account/").status_code == 200, "the browser that began keeps all its rights"


def test_a_new_browser_gets_the_account_back_by_the_id_for_the_studys_work_alone():
    study, first, second = make_study(), Client(), Client()
    start(study, first)
    one = Participation.objects.get()
    take = hum(one.person, phrases(1)[0])
    assert start(study, second, SESSION_ID="visit2")["Location"] == "/hum/"
    assert person_of(second) == one.person_id
    assert Participation.objects.get().session_id == "visit1", "who knows the id alone changes nothing"
    assert second.session.get_expiry_age() <= 86400
    # the work
    assert second.get("/hum/").status_code == 200
    assert second.post("/api/hum/task", {}, content_type="application/json").status_code == 200
    assert second.get("/api/study?kind=hum").json()["done"] == 1
    assert second.get(f"/api/hums/{take.pk}").status_code == 200
    # and nothing else of the person's
    for page in ("/account/", "/account/data", "/account/leave/", "/takes/"):
        answer = second.get(page)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/"), page
    assert second.get(f"/api/hums/{take.pk}/audio").status_code == 401
    assert second.post(f"/api/hums/{take.pk}/withdraw").status_code == 401
    second.post("/account/leave/", {"takes": "withdraw"})
    one.person.refresh_from_db()
    take.refresh_from_db()
    assert one.person.is_active
    assert take.state == Humming.State.SAVED
    assert first.get(f"/api/hums/{take.pk}/audio").status_code == 200


def test_who_came_back_by_the_id_cannot_take_the_account_over():
    study, first, second, third = make_study(), Client(), Client(), Client()
    start(study, first)
    one = Participation.objects.get()
    take = hum(one.person, phrases(1)[0])
    start(study, second)
    sent = {"username": "thief", "password1": PASSWORD, "password2": PASSWORD}
    assert second.post("/sign-up/", sent).status_code == 302
    start(study, third)
    factories.make_person("robber", password=PASSWORD)
    assert third.post("/sign-in/", {"username": "robber", "password": PASSWORD}).status_code == 302
    one.refresh_from_db()
    take.refresh_from_db()
    assert one.person.username.startswith("guest-")
    assert not one.person.has_usable_password()
    assert take.singer == one.person
    assert person_of(second) != one.person_id
    assert second.get("/takes/").content.decode().count("Auld Lang Syne") == 0


def test_an_account_with_a_password_is_not_given_by_the_id(client):
    ann, study = factories.make_person("ann", password=PASSWORD), make_study()
    client.force_login(ann)
    start(study, client)
    stranger = Client()
    answer = start(study, stranger)
    assert answer.status_code == 403
    assert "Please sign in first" in answer.content.decode()
    whole = f"/study/{study.token}/?PROLIFIC_PID={PID}&STUDY_ID=s1&SESSION_ID=visit1"
    page = stranger.get(whole).content.decode()
    assert f'action="{whole.replace("&", "&amp;")}"' in page, "so that a way back leads to the whole link"
    assert person_of(stranger) is None
    client.logout()
    client.force_login(ann)
    assert start(study, client)["Location"] == "/hum/"
    assert Participation.objects.count() == 1


@pytest.mark.parametrize("who", ["staff", "reviewer", "closed"])
def test_an_account_of_weight_is_never_given_by_the_id(who):
    study, person = make_study(), factories.make_person("ann")
    person.set_unusable_password()
    person.is_staff, person.is_active = who == "staff", who != "closed"
    person.save()
    if who == "reviewer":
        make_reviewer(person)
    Participation.objects.create(study=study, person=person, participant_id=PID)
    stranger = Client()
    assert start(study, stranger).status_code == (410 if who == "closed" else 403)
    assert person_of(stranger) is None


def leave_by(client: Client) -> None:
    assert client.post("/account/leave/", {"takes": "keep", "password": ""}).status_code == 302


@pytest.mark.parametrize("platform", ["prolific", "other"])
def test_who_deleted_the_account_does_not_come_back_with_the_same_id(settings, platform):
    """Else one person would have two votes, two codes and two places."""
    study, client = make_study("review", platform, pieces=1, places=2), Client()
    link = {"pid": PID} if platform == "other" else {}
    item = an_item()
    assert start(study, client, **link).status_code == 302
    item.judge(Participation.objects.get().person, "accept")
    leave_by(client)
    one = Participation.objects.get()
    assert one.participant_id.startswith("deleted-")
    assert PID not in one.participant_id
    assert one.completed_at, "what was done is paid for"
    for browser in (client, Client()):
        for answer in (
            browser.get(f"/study/{study.token}/", {**LINK, **link}),
            start(study, browser, **link),
        ):
            assert answer.status_code == 410
            assert "This account is closed" in answer.content.decode()
    assert Participation.objects.count() == 1
    assert study.places_left == 1
    assert start(study, **dict.fromkeys(["PROLIFIC_PID", *link], "another1")).status_code == 302
    other = make_study("review", platform)
    assert start(other, **link).status_code == (302 if platform == "other" else 410), "one id, one person a platform"
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new key", [settings.SECRET_KEY]
    assert start(study, **link).status_code == 410


def test_of_a_deleted_account_the_id_is_told_also_to_who_is_signed_in(client):
    study, first = make_study(), Client()
    start(study, first)
    leave_by(first)
    client.force_login(factories.make_person("ann"))
    assert start(study, client).status_code == 410


def test_what_stands_for_a_deleted_id_opens_nothing():
    study, first = make_study(), Client()
    start(study, first)
    leave_by(first)
    answer = start(study, PROLIFIC_PID=Participation.objects.get().participant_id)
    assert answer.status_code == 410


def test_an_id_of_somebody_else_is_told(client):
    study = make_study()
    begin(study)
    client.force_login(factories.make_person("ann"))
    answer = start(study, client)
    assert answer.status_code == 409
    assert "belongs to another account" in answer.content.decode()
    assert Participation.objects.count() == 1


def test_one_browser_one_participant():
    study, client = make_study(), Client()
    start(study, client)
    answer = start(study, client, PROLIFIC_PID="another1")
    assert answer.status_code == 409
    assert "One person" in answer.content.decode() or "one person" in answer.content.decode()
    assert Participation.objects.count() == 1


def test_who_came_by_an_id_alone_is_a_stranger_to_other_ids():
    study, second = make_study(), Client()
    first = begin(study)
    start(study, second)
    assert start(study, second, PROLIFIC_PID="another1")["Location"] == "/hum/"
    other = Participation.objects.exclude(pk=first.pk).get()
    assert other.person != first.person
    assert person_of(second) == other.person_id
    assert second.get("/account/").status_code == 200, "an account of its own, begun here"


def test_one_id_is_one_account_in_all_studies_of_a_platform_and_no_other():
    first, second = make_study(), make_study()
    mturk = make_study(platform="mturk")
    one, two, three = begin(first), begin(second), begin(mturk)
    assert one.person == two.person
    assert three.person != one.person
    others = make_study(platform="other"), make_study(platform="other")
    assert begin(others[0]).person != begin(others[1]).person


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_account_and_one_participation():
    study, second = make_study(), make_study()
    made: list[Participation] = []
    together(8, lambda number: made.append(begin(study if number % 2 else second)))
    assert Participation.objects.count() == 2
    assert {one.person_id for one in made} == {Guest.objects.get().person_id}


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_taken_once():
    study, outcomes = make_study(places=3), []

    def act(number: int) -> None:
        try:
            begin(study, f"p{number}")
            outcomes.append("in")
        except DoorClosed as door:
            outcomes.append(door.code)

    together(8, act)
    assert sorted(outcomes) == ["full"] * 5 + ["in"] * 3


def test_starts_from_one_address_are_limited(settings):
    settings.LIMITS = {**settings.LIMITS, "study": "2/hour"}
    study = make_study()
    answers = [start(study, PROLIFIC_PID=f"p{n}") for n in range(3)]
    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_another_site_cannot_begin_for_a_visitor():
    assert start(make_study(), Client(enforce_csrf_checks=True)).status_code == 403


# --- what counts as done


def test_every_stored_take_is_bound_and_the_code_shows_when_all_are():
    study, client = make_study(), Client()
    start(study, client)
    mine = Participation.objects.get()
    done = f"/study/{study.token}/done"
    first, second, third = phrases(3)
    page = client.get(done).content.decode()
    assert "0 of 2 hums are stored here." in page
    hum(mine.person, first)
    page = client.get(done).content.decode()
    assert "1 of 2 hums are stored here." in page
    assert study.completion_code not in page
    now = {"done": 1, "pieces": 2, "complete": False, "code_url": done}
    assert client.get("/api/study?kind=hum").json() == now
    hum(mine.person, second)
    page = client.get(done).content.decode()
    assert study.completion_code in page
    assert f"https://app.prolific.com/submissions/complete?cc={study.completion_code}" in page
    mine.refresh_from_db()
    completed_at = mine.completed_at
    hum(mine.person, third)
    mine.refresh_from_db()
    assert mine.completed_at == completed_at
    assert mine.work.count() == 2, "what comes after is no part of it"
    assert study.completion_code in client.get(done).content.decode(), "on reload too"
    study.close()
    Study.objects.update(closed_at=timezone.now() - timedelta(days=9))
    assert study.completion_code in client.get(done).content.decode(), "and when the study is long closed"
    assert start(study, client)["Location"] == done


def test_rejections_stay_soft_and_the_same_phrase_again_counts_once():
    study = make_study()
    mine = begin(study)
    first, second = phrases(2)
    refuse(hum(mine.person, first))
    assert mine.done == 1, "refused, and done and paid"
    again = hum(mine.person, first)
    assert mine.work.count() == 2
    assert mine.done == 1
    mine.refresh_from_db()
    assert not mine.complete
    hum(mine.person, second)
    mine.refresh_from_db()
    assert mine.complete
    assert again.study_work.participation == mine


def test_a_take_that_was_taken_back_is_none():
    mine = begin(make_study())
    take = hum(mine.person, phrases(1)[0])
    taking.withdraw(take, mine.person)
    assert mine.done == 0


def test_takes_of_others_and_of_before_are_no_part_of_it():
    ann, study = factories.make_person("ann"), make_study()
    first, second = phrases(2)
    hum(ann, first)
    mine = begin(study, person=ann)
    hum(factories.make_person("bea"), second)
    assert mine.done == 0


def test_a_take_that_is_not_stored_is_not_bound():
    mine = begin(make_study())
    Consent.give(mine.person)
    lease = claim(mine.person, phrases(1)[0].pk)
    mine.person.is_active = False
    mine.person.save()
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    with pytest.raises(taking.TakeRefused):
        save_take(SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={}), lease)
    assert not StudyWork.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_last_two_verdicts_at_once_complete_it(settings):
    settings.CONTROL_ITEMS = False
    mine = begin(make_study("review", pieces=4))
    items = [an_item() for _ in range(6)]
    together(6, lambda number: items[number].judge(mine.person, "accept"))
    mine.refresh_from_db()
    assert mine.complete
    assert mine.work.count() == 4


def test_a_participant_reviews_until_the_part_is_done(settings):
    settings.CONTROL_ITEMS = False
    study, client = make_study("review"), Client()
    assert start(study, client)["Location"] == "/review/"
    mine = Participation.objects.get()
    assert may_review(mine.person)
    assert client.get("/review/").status_code == 200
    first, second = an_item(), an_item()
    verdict = first.judge(mine.person, "accept")
    verdict.undo(mine.person)
    assert mine.done == 0
    first.judge(mine.person, "reject", reason="noise")
    assert mine.done == 1
    assert "1 of 2 done" in client.get("/review/").content.decode()
    second.judge(mine.person, "accept")
    assert not may_review(mine.person)
    assert client.get("/review/")["Location"] == f"/study/{study.token}/done"
    refused = client.post("/api/review/next", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "study_done")
    assert study.completion_code in client.get(f"/study/{study.token}/done").content.decode()


def test_a_study_of_hums_lets_nobody_review_nor_does_a_closed_one():
    hums, verdicts = begin(make_study()), begin(make_study("review", platform="mturk"))
    assert not may_review(hums.person)
    assert may_review(verdicts.person)
    verdicts.study.close()
    assert may_review(verdicts.person), "may finish"
    Study.objects.update(closed_at=timezone.now() - timedelta(days=2))
    assert not may_review(verdicts.person)


def test_roles_of_staff_and_reviewers_cost_no_further_query(django_assert_num_queries):
    admin, ann, bea = factories.make_person("root", is_staff=True), *map(factories.make_person, ("ann", "bea"))
    make_reviewer(ann)
    with django_assert_num_queries(0):
        assert may_review(admin)
    with django_assert_num_queries(1):
        assert may_review(ann)
    with django_assert_num_queries(2):
        assert not may_review(bea)


def test_who_came_back_by_the_id_agrees_and_changes_no_earlier_word():
    study, second = make_study(), Client()
    mine = begin(study)
    start(study, second)
    for wish, kept in ((False, False), (True, False)):
        answer = second.post("/api/hum/consent", {"ai_training": wish}, content_type="application/json")
        assert answer.json() == {"person": mine.person_id, "guest": False}
        assert Consent.objects.get(person=mine.person).ai_training is kept


def test_a_participant_is_no_guest_who_came_to_nothing(settings):
    settings.CONTROL_ITEMS = False
    mine = begin(make_study("review"))
    an_item().judge(mine.person, "accept")
    Guest.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert Guest.forget_idle() == 0


def test_an_open_study_comes_before_one_that_is_done():
    one, two = make_study(pieces=1), make_study()
    ann = factories.make_person("ann")
    open_one = begin(two, person=ann)
    done = begin(one, person=ann)
    hum(ann, phrases(1)[0])
    done.refresh_from_db()
    assert done.complete
    assert Participation.present_of(ann, "hum") == open_one
    two.close()
    Study.objects.filter(pk=two.pk).update(closed_at=timezone.now() - timedelta(days=2))
    assert Participation.present_of(ann, "hum") == done


def test_the_done_page_is_the_participants_alone(client):
    study = make_study(pieces=1)
    mine = begin(study)
    hum(mine.person, phrases(1)[0])
    client.force_login(factories.make_person("ann"))
    for other in (client, Client()):
        answer = other.get(f"/study/{study.token}/done")
        assert answer.status_code == 403
        assert study.completion_code not in answer.content.decode()


def test_who_takes_part_in_nothing_has_no_bar(client):
    client.force_login(factories.make_person("ann"))
    assert client.get("/api/study?kind=hum").status_code == 404
    assert client.get("/api/study?kind=all").status_code == 400
    assert "study-bar" not in client.get("/hum/").content.decode()


# --- guests who become somebody


def test_a_guest_who_gets_a_name_or_goes_into_an_account_takes_the_study_along():
    study, other = make_study(), make_study(platform="mturk")
    named, moved = begin(study), begin(other)
    keeping.keep_as(named.person, "ann", PASSWORD)
    bea = factories.make_person("bea", password=PASSWORD)
    keeping.move_to(bea, moved.person)
    moved.refresh_from_db()
    assert moved.person == bea
    hum(bea, phrases(1)[0])
    assert moved.done == 1
    with pytest.raises(DoorClosed) as told:
        begin(study)
    assert told.value.code == "sign_in"


# --- paying


def test_the_list_for_paying():
    study = make_study(pieces=3)
    mine, idle = begin(study), begin(study, "idle1")
    first, second, third = phrases(3)
    refuse(hum(mine.person, first))
    hum(mine.person, first)
    good = hum(mine.person, second)
    Humming.objects.filter(pk=good.pk).update(state=Humming.State.ACCEPTED)
    hum(mine.person, third)
    file = io.StringIO()
    studies.write_payments(study, file)
    one, two = csv.DictReader(io.StringIO(file.getvalue()))
    assert (one["participant_id"], one["session_id"], one["done"], one["pieces"]) == (PID, "visit1", "3", "3")
    assert (one["accepted"], one["rejected"], one["waiting"]) == ("1", "1", "2")
    assert one["completed"] >= one["started"]
    assert (two["participant_id"], two["completed"], two["done"]) == ("idle1", "", "0")
    assert idle.done == 0


def test_verdicts_in_the_list_for_paying(settings):
    settings.CONTROL_ITEMS, settings.VERDICTS_TO_SETTLE = False, 1
    study = make_study("review", pieces=9)
    mine = begin(study)
    settled, undone, discounted = (an_item().judge(mine.person, "accept") for _ in range(3))
    undone.undo(mine.person)
    discounted.discount("Its reviewer practises again.")
    row = study.participations.with_work().get()
    assert (row.pieces_done, row.accepted, row.rejected, row.waiting) == (2, 1, 1, 0)
    assert Verdict.objects.get(pk=settled.pk).study_work


# --- the admin's pages


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(factories.make_person("root", is_staff=True, is_superuser=True))
    return client


def test_an_admin_makes_a_study_closes_it_and_downloads_the_list(admin):
    form = {"name": "Winter <b>", "kind": "hum", "platform": "prolific", "pieces": 5, "places": 20}
    page = admin.post("/manage/studies/", form, follow=True).content.decode()
    study = Study.objects.get()
    assert (study.pieces, study.places, study.created_by.username) == (5, 20, "root")
    assert f"/study/{study.token}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}&amp;STUDY_ID=" in page
    assert "Winter &lt;b&gt;" in page
    assert "Winter <b>" not in page
    address = f"/manage/studies/{study.pk}/"
    begin(study)
    admin.post(address, {"act": "places", "places": "30"})
    admin.post(address, {"act": "close"})
    study.refresh_from_db()
    assert (study.places, study.is_open) == (30, False)
    admin.post(address, {"act": "open"})
    page = admin.get(address).content.decode()
    assert PID in page
    assert "open" in page
    answer = admin.get(f"{address}payments.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="winter-b-payments.csv"'
    assert PID in answer.content.decode()
    assert "1 of 30" in admin.get("/manage/studies/").content.decode()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"pieces": 0}, {"pieces": 501}, {"places": 0}, {"kind": "x"}])
def test_a_study_that_cannot_be_is_told(admin, wrong):
    form = {"name": "Winter", "kind": "hum", "platform": "prolific", "pieces": 5, "places": 20}
    assert admin.post("/manage/studies/", {**form, **wrong}).status_code == 422
    assert not Study.objects.exists()


def test_places_that_cannot_be_change_nothing(admin):
    study = make_study()
    for places in ("0", "x", "", "-5", "100001"):
        page = admin.post(f"/manage/studies/{study.pk}/", {"act": "places", "places": places}, follow=True)
        assert "Nothing was changed" in page.content.decode()
    study.refresh_from_db()
    assert study.places == 100
