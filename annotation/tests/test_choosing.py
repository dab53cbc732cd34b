"""What is handed out next: the wishes one by one, on plain numbers; then the numbers, from the rows."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.choosing import CHANCE, Offer, best_first, doubt_of, worth
from annotation.handing_out import claim, offers, open_fragments
from annotation.models import Familiarity, Skip, Slot
from recordings.models import Fragment, Humming
from recordings.tests import factories

PLAIN = Offer(uuid.uuid4(), wanted=7)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"knows": True}, {"knows": None}),
        ({"knows": None}, {"knows": False}),
        ({"filled": 6}, {"filled": 2}),
        ({"doubt": 0.9}, {"doubt": 0.2}),
        ({"song_free": 0.9}, {"song_free": 0.1}),
        ({"skips": 0, "takes": 3}, {"skips": 5, "takes": 3}),
        ({"knows": True, "doubt": 0.0, "song_free": 0.0}, {"filled": 6, "doubt": 1.0}),
    ],
    ids=["known", "not unknown", "nearly complete", "doubtful", "spread", "not skipped", "known before all else"],
)
def test_each_wish_has_its_say(better: dict, worse: dict):
    gain = worth(replace(PLAIN, **better)) - worth(replace(PLAIN, **worse))
    assert gain > CHANCE, "chance must not turn it"


def test_one_skip_is_not_the_end_of_a_phrase():
    once = worth(PLAIN) - worth(replace(PLAIN, skips=1))
    often = worth(PLAIN) - worth(replace(PLAIN, skips=20))
    assert once < 0.4 < 1.2 < often


@given(st.lists(st.floats(0, 1), max_size=8))
def test_doubt_is_between_0_and_1_and_largest_in_the_middle(values: list[float]):
    doubt = doubt_of(values)
    assert (doubt is None) == (not values)
    assert doubt is None or 0 <= doubt <= 1
    assert doubt_of([0.5]) == 1
    assert doubt_of([0.0, 1.0]) == 0


@given(st.integers(0, 2**32), st.lists(st.builds(Offer, fragment=st.uuids(), filled=st.integers(0, 7)), max_size=20))
def test_every_offer_is_ranked_once(seed: int, given_offers: list[Offer]):
    ranked = best_first(given_offers, random.Random(seed))
    assert sorted(map(str, ranked)) == sorted(str(offer.fragment) for offer in given_offers)


# --- from the rows


def song_with_phrases(title: str, count: int) -> list[Fragment]:
    recording = factories.make_recording(factories.make_song(title), seconds=8.0 * count)
    return [factories.make_fragment(recording, 8.0 * k + 1, 8.0 * k + 6) for k in range(count)]


@pytest.fixture
def alice(db):
    return factories.make_person("alice")


def offer_of(fragment: Fragment, person) -> Offer:
    found = {offer.fragment: offer for offer in offers(open_fragments(person), person)}
    return found[fragment.pk]


def test_the_numbers_are_those_of_the_rows(alice, settings):
    settings.SLOTS_PER_FRAGMENT = 4
    first, second = song_with_phrases("Ode to Joy", 2)
    Slot.lay_out()
    for similarity in (0.5, 0.9):
        take = factories.make_humming(first, check=False)
        factories.make_check(take, similarity=similarity)
        Slot.put(take, None)
    factories.make_cover_fragment(first, correlation=0.4)
    Skip.objects.create(person=factories.make_person("bob"), fragment=first, why="unknown")
    Familiarity.say(alice, first.song, True)
    offer = offer_of(first, alice)
    assert (offer.knows, offer.filled, offer.wanted, offer.skips) == (True, 2, 4, 1)
    assert offer.doubt == pytest.approx((1 + 0.2 + 0.8) / 3)
    assert offer.song_free == pytest.approx(6 / 8)
    untouched = offer_of(second, alice)
    assert (untouched.filled, untouched.doubt, untouched.skips) == (0, None, 0)


def test_a_song_that_the_person_knows_comes_first(alice):
    for title in ("A", "B", "C"):
        song_with_phrases(title, 2)
    (known, *_) = song_with_phrases("Known", 1)
    Familiarity.say(alice, known.song, True)
    assert claim(alice).slot.fragment == known


def test_a_song_that_the_person_does_not_know_comes_last_but_comes(alice):
    (unknown, *_) = song_with_phrases("Unknown", 1)
    (other, *_) = song_with_phrases("Other", 1)
    Familiarity.say(alice, unknown.song, False)
    first = claim(alice)
    assert first.slot.fragment == other
    first.skip("other")
    assert claim(alice).slot.fragment == unknown


def test_who_skips_a_phrase_as_unknown_is_offered_other_songs_first_and_may_take_it_back(alice):
    first, _second = song_with_phrases("Ode to Joy", 2)
    (other, *_) = song_with_phrases("Other", 1)
    claim(alice, first.pk).skip("unknown")
    assert Familiarity.objects.get(person=alice).knows is False
    assert claim(alice).slot.fragment == other
    assert claim(alice, first.pk).slot.fragment == first, "naming it takes the skip back"
    assert not Skip.objects.exists()
    assert not Familiarity.objects.exists()


def test_a_skip_does_not_unsay_what_the_person_said(alice):
    (first, *_) = song_with_phrases("Ode to Joy", 1)
    Familiarity.say(alice, first.song, True)
    claim(alice).skip("unknown")
    assert Familiarity.objects.get(person=alice).knows is True


def test_a_phrase_whose_take_waits_on_the_device_is_not_handed_out_again(alice):
    first, second = song_with_phrases("Ode to Joy", 2)
    held = claim(alice, first.pk)
    assert claim(alice, waiting=[first.pk]).slot.fragment == second
    held.refresh_from_db()
    assert held.closed_at is not None, "a person holds one lease; the take that waits is kept all the same"
    assert claim(alice, waiting=[first.pk, second.pk]) is None


def test_a_withdrawn_take_says_nothing_of_a_phrase(alice):
    (first, *_) = song_with_phrases("Ode to Joy", 1)
    Slot.lay_out()
    factories.make_humming(first, state=Humming.State.WITHDRAWN)
    assert offer_of(first, alice).doubt is None


@pytest.mark.django_db
def test_phrases_of_many_songs_are_handed_out_evenly(settings):
    """Forty people who said nothing: no song is full while another has next to nothing."""
    settings.SLOTS_PER_FRAGMENT = 5
    for title in "ABCDE":
        song_with_phrases(title, 2)
    for number in range(40):
        person = factories.make_person(f"singer-{number}")
        lease = claim(person)
        Slot.put(factories.make_humming(lease.slot.fragment, person, check=False), lease)
        lease.close("taken")
    per_song = {}
    for slot in Slot.objects.exclude(humming=None).select_related("fragment__recording__song"):
        title = slot.fragment.song.title
        per_song[title] = per_song.get(title, 0) + 1
    assert min(per_song.values()) >= 5
    assert sum(per_song.values()) == 40
