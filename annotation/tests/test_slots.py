"""K slots give K accepted takes, under any number of singers, whatever comes late."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.utils import timezone

from annotation import taking
from annotation.handing_out import claim
from annotation.models import Consent, Lease, Slot
from annotation.taking import SentTake, save_take
from recordings.models import Humming
from recordings.storage import sha256_of
from recordings.tests import factories


@pytest.fixture(autouse=True)
def three_slots(settings) -> None:
    settings.SLOTS_PER_FRAGMENT = 3


def send(singer, lease: Lease, take_id: uuid.UUID | None = None) -> Humming:
    Consent.give(singer)
    audio = ContentFile(factories.audio_file(factories.tone(5.0)), "take.wav")
    sent = SentTake(take_id or uuid.uuid4(), audio, sha256_of(audio), capture={})
    return save_take(sent, lease)[0]


def judged(humming: Humming, ok: bool) -> Humming:
    factories.make_check(humming, ok=ok, reasons=[] if ok else [{"code": "wrong_tune", "sentence": "Another tune."}])
    taking.apply_check(humming)
    humming.refresh_from_db()
    return humming


def together(count: int, act: Callable[[int], None]) -> None:
    """Runs act(0) .. act(count - 1) in threads that start at one moment; raises what any of them raised."""
    start, problems = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            start.wait()
            act(number)
        except BaseException as problem:  # noqa: BLE001 - handed to the test below
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


@pytest.mark.django_db
def test_a_singer_gets_a_slot_and_keeps_it_while_the_lease_lives():
    factories.make_fragment()
    alice = factories.make_person("alice")
    lease = claim(alice)
    assert lease.is_live
    assert claim(alice) == lease


@pytest.mark.django_db
def test_nobody_is_offered_a_fragment_twice():
    fragment = factories.make_fragment()
    alice = factories.make_person("alice")
    judged(send(alice, claim(alice)), ok=True)
    assert claim(alice) is None
    assert claim(factories.make_person("bob")).slot.fragment == fragment


@pytest.mark.django_db
def test_a_refused_take_frees_its_slot_and_may_be_hummed_again():
    factories.make_fragment()
    alice = factories.make_person("alice")
    first = judged(send(alice, claim(alice)), ok=False)
    assert first.state == Humming.State.REFUSED
    assert not Slot.objects.filter(humming=first).exists()
    second = judged(send(alice, claim(alice)), ok=True)
    assert second.slot.number in (1, 2, 3)


@pytest.mark.django_db
def test_a_skipped_fragment_does_not_come_back_to_the_one_who_skipped_it():
    fragment = factories.make_fragment()
    alice, bob = factories.make_person("alice"), factories.make_person("bob")
    claim(alice).skip("unknown")
    assert claim(alice) is None
    assert claim(bob).slot.fragment == fragment


@pytest.mark.django_db
def test_an_expired_lease_is_given_to_the_next_and_the_late_take_is_kept(settings):
    settings.SLOTS_PER_FRAGMENT = 1
    factories.make_fragment()
    alice, bob = factories.make_person("alice"), factories.make_person("bob")
    late = claim(alice)
    Lease.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    in_time = claim(bob)
    assert in_time.slot == late.slot
    taken = send(bob, in_time)
    late.refresh_from_db()
    kept = send(alice, late)
    assert not taken.surplus
    assert kept.surplus
    assert Humming.objects.count() == 2
    # When the first is refused, the surplus take moves into its slot.
    judged(kept, ok=True)
    judged(taken, ok=False)
    kept.refresh_from_db()
    assert not kept.surplus
    assert kept.slot == in_time.slot


@pytest.mark.django_db
def test_a_withdrawn_take_leaves_its_slot():
    factories.make_fragment()
    alice = factories.make_person("alice")
    humming = judged(send(alice, claim(alice)), ok=True)
    taking.withdraw(humming, alice)
    assert not Slot.objects.filter(humming=humming).exists()
    assert humming.history.last().why == "Withdrawn by its singer."


@pytest.mark.django_db(transaction=True)
def test_many_singers_at_once_fill_each_slot_once():
    """Twelve singers, two fragments of three slots: six takes in slots, and nobody holds another's slot."""
    recording = factories.make_recording(seconds=20)
    fragments = [factories.make_fragment(recording, 1, 6), factories.make_fragment(recording, 8, 14)]
    people = [factories.make_person(f"singer{number}") for number in range(12)]
    Slot.lay_out()
    leases: dict[int, Lease | None] = {}

    def hum(number: int) -> None:
        for person in (people[number],):
            lease = claim(person)
            leases[number] = lease
            if lease:
                send(person, lease)

    together(len(people), hum)
    given = [lease for lease in leases.values() if lease]
    assert len({lease.slot_id for lease in given}) == len(given)
    # Whoever found all slots claimed at that moment comes back and finds what is left, which is nothing.
    assert all(claim(person) is None for person in people if not Humming.objects.filter(singer=person).exists())
    for fragment in fragments:
        assert fragment.slots.exclude(humming=None).count() == 3
    assert Humming.objects.filter(surplus=False).count() == 6


@pytest.mark.django_db(transaction=True)
def test_fifty_singers_at_once_give_k_accepted_takes_and_every_surplus_is_kept(settings):
    """Fifty people hum one phrase of seven slots at one moment, some of them badly and many of them late.

    Their leases ran out while they hummed, so that the phrase was lent out again and again: all fifty send a take. Each
    is stored, in a slot or as a surplus; the check refuses every fifth, and what was surplus moves up.
    """
    settings.SLOTS_PER_FRAGMENT = 7
    fragment = factories.make_fragment()
    Slot.lay_out()
    people = [factories.make_person(f"singer{number}") for number in range(50)]
    leases = []
    for person in people:
        lease = claim(person, fragment.pk)
        Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        leases.append(lease)
    takes: dict[int, Humming] = {}

    def hum(number: int) -> None:
        takes[number] = send(people[number], leases[number])
        factories.make_check(takes[number], ok=number % 5 != 0, reasons=[{"code": "noise", "sentence": "Noise."}])
        taking.apply_check(takes[number])

    together(50, hum)
    assert Humming.objects.count() == 50, "nothing is lost"
    in_slots = Humming.objects.filter(slot__isnull=False)
    assert in_slots.count() == 7
    assert {take.state for take in in_slots} == {Humming.State.CHECKED}
    assert not in_slots.filter(surplus=True).exists()
    assert Humming.objects.filter(state=Humming.State.REFUSED).count() == 10
    assert Humming.objects.filter(surplus=True, state=Humming.State.CHECKED).count() == 40 - 7
    # People accept what is in the slots: K accepted takes, and no more can be asked for.
    for take in in_slots:
        take.move_to(Humming.State.ACCEPTED, why="Double-checked.")
    assert Slot.objects.free().filter(fragment=fragment).count() == 0
    assert claim(factories.make_person("latecomer"), fragment.pk) is None


@pytest.mark.django_db(transaction=True)
def test_one_person_in_many_tabs_gets_one_slot():
    recording = factories.make_recording(seconds=30)
    for start_s in (1, 8, 15):
        factories.make_fragment(recording, start_s, start_s + 5)
    alice, leases = factories.make_person("alice"), []
    together(8, lambda number: leases.append(claim(alice)))
    assert len({lease.pk for lease in leases}) == 1


@pytest.mark.django_db
def test_a_lease_does_not_outlive_its_fragment_nor_stand_against_a_wish():
    recording = factories.make_recording(seconds=20)
    first, second = factories.make_fragment(recording, 1, 6), factories.make_fragment(recording, 8, 14)
    alice = factories.make_person("alice")
    assert claim(alice, fragment_id=first.pk).slot.fragment == first
    assert claim(alice, fragment_id=second.pk).slot.fragment == second
    second.retire()
    assert claim(alice).slot.fragment == first


@pytest.mark.django_db(transaction=True)
def test_sending_one_take_from_many_tabs_at_once_stores_one():
    factories.make_fragment()
    alice = factories.make_person("alice")
    lease, take_id = claim(alice), uuid.uuid4()
    together(6, lambda number: send(alice, lease, take_id))
    assert Humming.objects.count() == 1
    humming = Humming.objects.get()
    assert Slot.objects.filter(humming=humming).count() == 1
    with humming.audio.open() as stored:
        assert sha256_of(stored) == humming.audio_sha256


@pytest.mark.django_db(transaction=True)
def test_surplus_takes_fill_a_slot_once_when_refusals_come_together(settings):
    settings.SLOTS_PER_FRAGMENT = 2
    fragment = factories.make_fragment()
    Slot.lay_out()
    people = [factories.make_person(f"singer{number}") for number in range(5)]
    slot = fragment.slots.first()
    takes = []
    for person in people:
        lease = Lease.objects.create(
            slot=slot, person=person, expires_at=timezone.now() - timedelta(1), closed_at=timezone.now()
        )
        takes.append(send(person, lease))
    in_slots = [take for take in takes if not take.surplus]
    assert len(in_slots) == 2
    for take in takes:
        factories.make_check(take, ok=take not in in_slots, reasons=[{"code": "noise", "sentence": "Noise."}])
    together(5, lambda number: taking.apply_check(takes[number]))
    filled = list(fragment.slots.exclude(humming=None).values_list("humming__state", flat=True))
    assert filled == [Humming.State.CHECKED] * 2
    assert Humming.objects.filter(surplus=True).count() == 1


@pytest.mark.django_db
def test_consent_is_given_once():
    alice = factories.make_person("alice")
    with transaction.atomic():
        Consent.give(alice)
        Consent.give(alice)
    assert Consent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_whatever_happens_to_takes_of_one_phrase_at_once_nobody_waits_in_a_circle(settings):
    """Takes are refused, withdrawn and sent while others are lent the phrase; surplus takes move up meanwhile."""
    settings.SLOTS_PER_FRAGMENT = 3
    fragment = factories.make_fragment()
    Slot.lay_out()
    people = [factories.make_person(f"singer{number}") for number in range(24)]
    takes, late = [], []
    for person in people[:16]:
        over = {"expires_at": timezone.now() - timedelta(1), "closed_at": timezone.now()}
        lease = Lease.objects.create(slot=fragment.slots.first(), person=person, **over)
        if len(takes) < 12:
            takes.append(send(person, lease))
            factories.make_check(takes[-1], ok=False, reasons=[{"code": "noise", "sentence": "Noise."}])
        else:
            late.append((person, lease))

    def act(number: int) -> None:
        if number < 12 and number % 2:
            taking.apply_check(takes[number])
        elif number < 12:
            taking.withdraw(takes[number], takes[number].singer)
        elif number < 16:
            send(*late[number - 12])
        else:
            claim(people[number], fragment.pk)

    together(24, act)
    assert Humming.objects.count() == 16
    assert Humming.objects.filter(slot__isnull=False).count() <= 3
    assert not Humming.objects.filter(slot__isnull=False, state__in=Humming.MAY_BE_HUMMED_AGAIN).exists()


@pytest.mark.django_db
def test_a_withdrawn_phrase_is_not_lent_again_even_while_its_lease_lives():
    fragment = factories.make_fragment()
    alice = factories.make_person("alice")
    humming = send(alice, claim(alice))
    taking.withdraw(humming, alice)
    Lease.objects.update(closed_at=None, outcome="")
    assert claim(alice, fragment.pk) is None
