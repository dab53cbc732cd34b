"""Guests hum without an account; they keep their takes by making one, or by signing in to one."""

from __future__ import annotations

import contextlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from annotation import keeping, taking
from annotation.handing_out import claim
from annotation.models import Consent, Familiarity, Guest, Lease, Reviewer, ReviewItem, Skip, Verdict
from annotation.roles import make_reviewer
from annotation.taking import SentTake, TakeRefused, save_take
from annotation.tests.test_slots import together
from chad_site.errors import NotAllowed
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories

pytestmark = pytest.mark.django_db

PASSWORD = "mm-mm-da-da-dum"


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


def agree(client: Client, *, ai_training: bool = True) -> Any:
    return client.post("/api/hum/consent", {"ai_training": ai_training}, content_type="application/json")


@pytest.fixture
def browser() -> Client:
    """A guest's browser, who has agreed."""
    client = Client()
    assert agree(client).status_code == 200
    return client


def guest_of(client: Client):
    return get_user_model().objects.get(pk=client.session["_auth_user_id"])


def hum(person, fragment=None) -> Humming:
    Consent.give(person)
    lease = claim(person, fragment and fragment.pk)
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    return save_take(SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={}), lease)[0]


def test_who_agrees_without_an_account_is_a_guest_and_gets_a_phrase(browser):
    factories.make_fragment()
    guest = guest_of(browser)
    assert Guest.is_one(guest)
    assert Consent.given_by(guest)
    assert not guest.has_usable_password()
    assert browser.post("/api/hum/task", {}, content_type="application/json").json()["task"]
    assert browser.session.get_expiry_age() > 300 * 86400, "the cookie is all that says who it is"


def test_agreeing_again_makes_no_second_guest(browser):
    assert agree(browser).json() == {"person": guest_of(browser).pk, "guest": True}
    assert Guest.objects.count() == 1


def test_another_site_cannot_make_a_guest_of_a_visitor():
    assert agree(Client(enforce_csrf_checks=True)).status_code == 403
    assert not Guest.objects.exists()


def test_too_many_guests_from_one_address_are_asked_to_wait(settings):
    settings.LIMITS = {**settings.LIMITS, "guests": "3/hour"}
    answers = [agree(Client()) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert answers[-1].json()["error"].endswith("try again.")
    assert answers[-1].json()["code"] == "throttled"
    assert Guest.objects.count() == 3


def test_a_guest_who_signs_up_keeps_everything(browser):
    factories.make_fragment()
    guest = guest_of(browser)
    take = hum(guest)
    page = browser.get("/sign-up/").content.decode()
    assert "1 take" in page
    sent = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "next": "/takes/"}
    assert browser.post("/sign-up/", sent)["Location"] == "/takes/"
    take.refresh_from_db()
    assert take.singer.username == "ann"
    assert not Guest.is_one(take.singer)
    assert Client().login(username="ann", password=PASSWORD)
    assert "Auld Lang Syne" in browser.get("/takes/").content.decode()


def test_a_guest_who_signs_in_brings_the_takes_along(browser):
    recording = factories.make_recording(seconds=30)
    first, second, third = (factories.make_fragment(recording, s, s + 5) for s in (1, 8, 15))
    ann = factories.make_person("ann", password=PASSWORD)
    Consent.give(ann)
    own = hum(ann, second)
    guest = guest_of(browser)
    new, twice = hum(guest, first), hum(guest, second)
    Skip.objects.create(person=guest, fragment=third, why="other")
    Familiarity.say(guest, recording.song, True)
    waiting = claim(guest)
    assert waiting is None, "all is hummed or skipped"
    answer = browser.post("/sign-in/", {"username": "ann", "password": PASSWORD}, follow=True)
    said = answer.content.decode()
    assert "2 takes that you hummed as a guest are now in your account." in said
    assert "1 of them is of a phrase that you had hummed already" in said
    for take in (own, new, twice):
        take.refresh_from_db()
    assert {take.singer for take in (own, new, twice)} == {ann}
    assert (own.state, new.state, twice.state) == ("saved", "saved", "withdrawn")
    assert not second.slots.filter(humming=twice).exists()
    assert Skip.objects.get().person == ann
    assert Familiarity.objects.get().person == ann
    guest.refresh_from_db()
    assert not guest.is_active


def test_a_take_of_a_guest_that_comes_after_signing_in_belongs_to_the_account(browser):
    factories.make_fragment()
    guest, ann = guest_of(browser), factories.make_person("ann")
    lease = claim(guest)
    keeping.move_to(ann, guest)
    lease = Lease.objects.get(pk=lease.pk)
    assert lease.closed_at is not None
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    take, _ = save_take(SentTake(uuid.uuid4(), audio, sha256_of(audio), capture={}), lease)
    assert take.singer == ann


def test_guests_who_came_to_nothing_are_forgotten_and_no_others(browser):
    factories.make_fragment()
    hummed, leased, new = Guest.arrive(), Guest.arrive(), guest_of(browser)
    nothing = Guest.arrive()
    hum(hummed)
    claim(leased)
    Guest.objects.exclude(person=new).update(created_at=timezone.now() - timedelta(days=31))
    assert Guest.forget_idle() == 1
    assert set(Guest.objects.values_list("person", flat=True)) == {hummed.pk, leased.pk, new.pk}
    assert not get_user_model().objects.filter(pk=nothing.pk).exists()


def test_moving_twice_moves_once(browser):
    factories.make_fragment()
    guest, ann = guest_of(browser), factories.make_person("ann")
    hum(guest)
    assert keeping.move_to(ann, guest) == keeping.Moved(1, 0)
    assert keeping.move_to(ann, guest) == keeping.Moved(0, 0)


@pytest.mark.django_db(transaction=True)
def test_signing_in_twice_at_once_moves_once_while_the_account_hums_the_same_phrase(settings):
    recording = factories.make_recording(seconds=40)
    phrases = [factories.make_fragment(recording, s, s + 5) for s in (1, 8, 15, 22)]
    guest, ann = Guest.arrive(), factories.make_person("ann")
    for phrase in phrases:
        hum(guest, phrase)
    leases = claim(ann, phrases[0].pk)
    audio = factories.audio_file(factories.tone(5.0))
    moved = []

    def act(number: int) -> None:
        if number < 3:
            moved.append(keeping.move_to(ann, guest))
        else:
            file = ContentFile(audio, "take.wav")
            with contextlib.suppress(TakeRefused):  # the guest's take of it was first
                save_take(SentTake(uuid.uuid4(), file, sha256_of(file), capture={}), leases)

    together(4, act)
    assert sorted(one.takes for one in moved) == [0, 0, 4]
    assert Humming.objects.filter(singer=guest).count() == 0
    for phrase in phrases:
        assert Humming.objects.counting().filter(singer=ann, fragment=phrase).count() == 1


def test_a_guest_who_went_into_an_account_in_another_tab_cannot_become_one_here(browser):
    guest, ann = guest_of(browser), factories.make_person("ann")
    keeping.move_to(ann, guest)
    with pytest.raises(NotAllowed):
        keeping.keep_as(guest, "bea", PASSWORD)
    assert not get_user_model().objects.filter(username="bea").exists()


def test_where_a_name_leads_after_signing_up_is_an_address_and_never_a_view(browser):
    sent = {"username": "ann", "password1": PASSWORD, "password2": PASSWORD, "next": "chain"}
    assert browser.post("/sign-up/", sent)["Location"] == "chain"


# --- one person, one vote


def checked(take: Humming) -> ReviewItem:
    factories.make_check(take)
    taking.apply_check(take)
    return ReviewItem.objects.get(humming=take)


@pytest.fixture
def ann(settings):
    settings.CONTROL_ITEMS = False
    person = factories.make_person("ann")
    Consent.give(person)
    make_reviewer(person)
    return person


def an_agreed_guest():
    guest = Guest.arrive()
    Consent.give(guest)
    return guest


def test_who_judged_a_take_and_turns_out_to_be_its_singer_is_not_its_judge(ann):
    factories.make_fragment()
    guest, bea = an_agreed_guest(), factories.make_person("bea")
    take = hum(guest)
    item = checked(take)
    own = item.judge(ann, "accept")
    item.judge(bea, "accept")
    take.refresh_from_db()
    assert take.state == Humming.State.ACCEPTED
    keeping.move_to(ann, guest)
    for row in (own, take, item):
        row.refresh_from_db()
    assert take.singer == ann
    assert not own.counts
    assert "nobody judges an own take" in own.why_not
    assert (take.state, item.state, item.missing) == ("checked", "waiting", 1)
    assert not ReviewItem.objects.for_person(ann).exists()
    item.judge(factories.make_person("cyd"), "accept")
    take.refresh_from_db()
    assert take.state == Humming.State.ACCEPTED
    assert take.slot, "it has kept its slot"


def test_a_rejection_of_ones_own_take_counts_no_more_and_the_take_comes_back_to_a_slot(ann):
    factories.make_fragment()
    guest, bea = an_agreed_guest(), factories.make_person("bea")
    take = hum(guest)
    item = checked(take)
    item.judge(ann, "reject", reason="noise")
    item.judge(bea, "reject", reason="noise")
    keeping.move_to(ann, guest)
    take.refresh_from_db()
    assert take.state == Humming.State.CHECKED
    assert take.slot


def test_a_judged_take_of_a_phrase_that_the_account_has_hummed_too_is_withdrawn(ann):
    phrase = factories.make_fragment()
    hum(ann, phrase)
    guest = an_agreed_guest()
    take = hum(guest, phrase)
    item = checked(take)
    item.judge(ann, "accept")
    item.judge(factories.make_person("bea"), "accept")
    assert keeping.move_to(ann, guest) == keeping.Moved(1, 1)
    for row in (take, item):
        row.refresh_from_db()
    assert (take.state, item.state) == ("withdrawn", "closed")


def test_a_guest_and_an_account_that_judged_one_item_have_one_vote(ann):
    """Guests judge in a study; where they then sign in to an account, its verdict stands."""
    guest, fragment = an_agreed_guest(), factories.make_fragment()
    both, alone, of_ann = (
        ReviewItem.objects.create(humming=factories.make_humming(fragment, singer, state=Humming.State.CHECKED))
        for singer in (None, None, ann)
    )
    cover = ReviewItem.objects.create(cover_fragment=factories.make_cover_fragment(fragment, state="doubtful"))
    for item in (both, cover):
        item.judge(ann, "accept")
    second = [item.judge(guest, "accept") for item in (both, cover, of_ann)]
    kept = alone.judge(guest, "accept")
    assert ReviewItem.objects.filter(state="settled").count() == 2
    keeping.move_to(ann, guest)
    for verdict in [*second, kept]:
        verdict.refresh_from_db()
    assert [verdict.counts for verdict in second] == [False] * 3
    assert "one vote" in second[0].why_not
    assert "own take" in second[2].why_not
    assert (kept.person, kept.counts) == (ann, True)
    assert not ReviewItem.objects.filter(state="settled").exists()
    for item in (both, cover):
        assert item.verdicts.counted().get().person == ann


def test_what_an_admin_decided_stands_although_a_verdict_falls(ann):
    factories.make_fragment()
    guest = an_agreed_guest()
    take = hum(guest)
    item = checked(take)
    item.judge(ann, "reject", reason="noise")
    item.overrule(factories.make_person("root", is_staff=True), "accept", "It is fine.")
    keeping.move_to(ann, guest)
    take.refresh_from_db()
    assert take.state == Humming.State.ACCEPTED


def test_a_verdict_that_the_account_took_back_is_none_and_the_guests_is_the_one_vote(ann):
    """Else the account was asked again, and one person settled the item."""
    factories.make_fragment()
    guest, item = an_agreed_guest(), checked(hum(an_agreed_guest()))
    item.judge(ann, "reject", reason="noise").undo(ann)
    ReviewItem.objects.get(pk=item.pk).release()
    again = item.judge(guest, "accept")
    keeping.move_to(ann, guest)
    again.refresh_from_db()
    assert (again.person, again.counts) == (ann, True)
    assert not ReviewItem.objects.for_person(ann).exists(), "nobody is asked twice"
    assert [one.undone_at is None for one in Verdict.objects.filter(person=ann).order_by("at")] == [False, True]
    item.refresh_from_db()
    assert (item.state, item.missing) == ("waiting", 1)


def test_a_verdict_that_the_guest_took_back_moves_along_and_the_accounts_stands(ann):
    factories.make_fragment()
    guest, item = an_agreed_guest(), checked(hum(an_agreed_guest()))
    item.judge(guest, "reject", reason="noise").undo(guest)
    ReviewItem.objects.get(pk=item.pk).release()
    own = item.judge(ann, "accept")
    keeping.move_to(ann, guest)
    assert not Verdict.objects.filter(person=guest).exists()
    assert item.verdicts.counted().get() == own


def test_what_lies_on_the_desk_and_is_not_new_to_the_person_any_more_goes_back(ann):
    factories.make_fragment()
    guest = an_agreed_guest()
    judged, own = checked(hum(an_agreed_guest())), checked(hum(guest))
    kept, guests = some_items(2)
    judged.judge(guest, "accept")
    client = Client()
    client.force_login(ann)
    for item, person in ((judged, ann), (own, ann), (kept, ann), (guests, guest)):
        ReviewItem.objects.get(pk=item.pk).lease(person)
    keeping.move_to(ann, guest)
    assert ReviewItem.objects.exclude(leased_to=None).get() == kept
    for item in (judged, own):
        body = {"decision": "accept", "heard_s": 5.0}
        answer = client.post(f"/api/review/{item.pk}/verdict", body, content_type="application/json")
        assert 400 <= answer.status_code < 500


# --- one person, one standing


def some_items(count: int = 3) -> list[ReviewItem]:
    fragment = factories.make_fragment()
    takes = [factories.make_humming(fragment, state=Humming.State.CHECKED) for _ in range(count)]
    return [ReviewItem.objects.create(humming=take) for take in takes]


def set_aside(person, minutes: int = 30) -> Reviewer:
    """As after wrong answers to control items: what was judged in the last minutes is to be asked anew."""
    reviewer = Reviewer.of(person)
    reviewer.move_to("set_aside", why="Too many control items were judged otherwise than they are.")
    reviewer.changed_at = reviewer.put_back_until = timezone.now()
    reviewer.put_back_from = reviewer.changed_at - timedelta(minutes=minutes)
    reviewer.save()
    return reviewer


def test_what_a_guest_judged_wrongly_is_asked_anew_although_the_guest_is_an_account_by_now(ann):
    """The merge may come before the job that asks anew."""
    guest = an_agreed_guest()
    for item in some_items():
        item.judge(guest, "accept")
    set_aside(guest)
    Reviewer.objects.create(person=ann, state="trusted")
    later = some_items(1)[0]
    keeping.move_to(ann, guest)
    merged = Reviewer.objects.get(person=ann)
    assert merged.state == "set_aside"
    assert "two accounts" in merged.history.get().why
    assert merged.changed_at > timezone.now() - timedelta(minutes=1), "trust is won back with answers from now on"
    assert [one.person for one in Reviewer.objects.with_verdicts_to_put_back()] == [ann]
    assert merged.put_back_recent() == 3
    assert not Verdict.objects.counted().filter(person=ann).exists()
    assert not later.judge(ann, "accept").counts


def test_a_reviewer_who_practises_again_does_not_count_as_a_guest_either(ann):
    guest, before = an_agreed_guest(), set_aside(ann)
    verdicts = [item.judge(guest, "accept") for item in some_items()]
    assert all(verdict.counts for verdict in verdicts)
    keeping.move_to(ann, guest)
    merged = Reviewer.objects.get(person=ann)
    assert (merged.state, merged.changed_at) == ("set_aside", before.changed_at)
    assert merged.put_back_recent() == 3


def test_where_an_admin_set_aside_and_nothing_was_to_be_put_back_only_the_guests_verdicts_are(ann):
    guest, (first, second) = an_agreed_guest(), some_items(2)
    first.judge(ann, "accept")
    reviewer = set_aside(ann)
    Reviewer.objects.filter(pk=reviewer.pk).update(put_back_from=None, put_back_until=None)
    second.judge(guest, "accept")
    keeping.move_to(ann, guest)
    assert Reviewer.objects.get(person=ann).put_back_recent() == 1
    assert Verdict.objects.counted().get().item == first


@pytest.mark.parametrize("whose", ["ann", "guest"])
def test_old_wrongs_that_are_put_back_cost_no_good_verdicts(ann, whose):
    """Who was set aside long ago and is trusted again keeps what was judged well before and since."""
    guest = an_agreed_guest()
    one, other = (ann, guest) if whose == "ann" else (guest, ann)
    long_ago = timezone.now() - timedelta(days=90)
    Reviewer.objects.create(
        person=one, state="trusted", changed_at=long_ago + timedelta(days=1),
        put_back_from=long_ago, put_back_until=long_ago + timedelta(hours=1),
    )  # fmt: skip
    for number, item in enumerate(some_items(4)):
        item.judge(one if number % 2 else other, "accept")
    keeping.move_to(ann, guest)
    assert not Reviewer.objects.with_verdicts_to_put_back().exists()
    assert Verdict.objects.counted().filter(person=ann).count() == 4


def test_what_a_guest_judged_before_the_account_was_trusted_again_is_asked_anew(ann):
    guest, (first, second) = an_agreed_guest(), some_items(2)
    reviewer = set_aside(ann)
    first.judge(guest, "accept")
    reviewer.move_to("trusted", why="The control items were judged well.")
    reviewer.changed_at = timezone.now()
    reviewer.save()
    second.judge(guest, "accept")
    keeping.move_to(ann, guest)
    merged = Reviewer.objects.get(person=ann)
    assert merged.state == "trusted"
    assert merged.put_back_recent() == 1
    assert Verdict.objects.counted().get().item == second


@pytest.mark.django_db(transaction=True)
def test_merging_while_the_verdicts_are_asked_anew_leaves_none_that_counts(settings):
    settings.CONTROL_ITEMS = False
    phrases = [factories.make_fragment(factories.make_recording(seconds=40), s, s + 5) for s in (1, 8, 15, 22)]
    guest, ann = an_agreed_guest(), factories.make_person("ann")
    items = [checked(hum(an_agreed_guest(), phrase)) for phrase in phrases]
    for item in items:
        item.judge(guest, "accept")
        ReviewItem.objects.get(pk=item.pk).judge(factories.make_person(f"other{item.pk}"), "accept")
    reviewer = set_aside(guest)
    Reviewer.of(ann)
    acts = [lambda: keeping.move_to(ann, guest), reviewer.put_back_recent, reviewer.put_back_recent]
    together(3, lambda number: acts[number]())
    for left in Reviewer.objects.with_verdicts_to_put_back():
        left.put_back_recent()
    assert not Verdict.objects.counted().filter(person__in=[ann, guest]).exists()
    assert Reviewer.objects.get(person=ann).state == "set_aside"
    assert not ReviewItem.objects.filter(state="settled").exists()


@pytest.mark.django_db(transaction=True)
def test_merging_while_others_judge_ends_in_order(settings):
    """Whoever waits for whom: nobody waits in a circle, and no own vote is left."""
    settings.CONTROL_ITEMS = False
    recording = factories.make_recording(seconds=40)
    phrases = [factories.make_fragment(recording, s, s + 5) for s in (1, 8, 15, 22)]
    guest, ann = an_agreed_guest(), factories.make_person("ann")
    items = [checked(hum(guest, phrase)) for phrase in phrases]
    for item in items:
        item.judge(ann, "accept")
    others = [factories.make_person(f"other{n}") for n in range(3)]

    def act(number: int) -> None:
        if number == 0:
            keeping.move_to(ann, guest)
        else:
            for item in items[:: 1 if number % 2 else -1]:
                with contextlib.suppress(NotAllowed):  # the others have settled it
                    ReviewItem.objects.get(pk=item.pk).judge(others[number - 1], "accept")

    together(4, act)
    assert not Verdict.objects.counted().filter(person=ann).exists()
    assert Humming.objects.filter(singer=ann, state=Humming.State.ACCEPTED).count() == 4
