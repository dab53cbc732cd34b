"""Hands out phrases: what may be offered to a person, and a lease on a slot of the one that helps most."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Random

from annotation.choosing import Offer, best_first, doubt_of
from annotation.models import Familiarity, Lease, Skip, Slot
from recordings.models import CoverFragment, Fragment, HumCheck, Humming, Song

# How many phrases are weighed at a claim; with more open ones than that, chance picks them, known songs before others.
MOST_OFFERS = 400
# How many of the best a claim tries before it says that nothing is left: more than people claim in one moment.
CANDIDATES = 50


def claim(
    person: AbstractBaseUser,
    fragment_id: uuid.UUID | None = None,
    song_id: uuid.UUID | None = None,
    waiting: Collection[uuid.UUID] = (),
) -> Lease | None:
    """A lease on a slot for this person: the one they hold already, or a new one; of one fragment or song if named.

    Whoever names a fragment wants it: a skip of it is taken back. Fragments of which a take is `waiting` on the
    person's device count as hummed. None when nothing is left for them.
    """
    held = Lease.objects.live().filter(person=person).select_related("slot__fragment__recording__song").first()
    done = held and (held.slot.fragment_id in waiting or has_hummed(person, held.slot.fragment_id))
    if held and held.answers(fragment_id, song_id) and not done:
        held.extend()
        return held
    if held:
        held.close(Lease.Outcome.EXPIRED)
    if fragment_id:
        Skip.take_back(person, fragment_id)
    Slot.lay_out()
    fragments = open_fragments(person, fragment_id, song_id).exclude(pk__in=waiting)
    wanted = best_first(offers(fragments, person), random.Random())[:CANDIDATES]
    # First the slots that nobody is touching this moment; then those too, waiting for a moment where it has to be.
    try:
        for patient in (False, True):
            for fragment in wanted:
                lease = _lease_a_slot(fragment, person, patient=patient)
                if lease:
                    return lease
    except IntegrityError:  # another tab of this person was first, and a person holds one lease
        return Lease.objects.live().filter(person=person).first()
    return None


def open_fragments(
    person: AbstractBaseUser, fragment_id: uuid.UUID | None = None, song_id: uuid.UUID | None = None
) -> QuerySet[Fragment]:
    """Live fragments with a free slot that the person has neither hummed nor skipped.

    A take that the check refused does not count: the phrase may be tried again.
    """
    hummed = Humming.objects.hummed().filter(singer=person)
    skipped = Skip.objects.filter(person=person)
    found = Fragment.objects.live().filter(Exists(Slot.objects.free().filter(fragment=OuterRef("pk"))))
    found = found.exclude(pk__in=hummed.values("fragment")).exclude(pk__in=skipped.values("fragment"))
    if fragment_id:
        found = found.filter(pk=fragment_id)
    if song_id:
        found = found.filter(recording__song=song_id)
    return found


def has_hummed(person: AbstractBaseUser, fragment_id: uuid.UUID) -> bool:
    return Humming.objects.hummed().filter(singer=person, fragment=fragment_id).exists()


def songs_to_know(person: AbstractBaseUser, words: str = "") -> QuerySet[Song]:
    """Songs with phrases to hum, each with the person's word on it (`knows`) and a phrase to hear (`first_phrase`).

    With words, those whose title or artist holds them.
    """
    own_word = Familiarity.objects.filter(person=person, song=OuterRef("pk"))
    phrases = Fragment.objects.live().filter(recording__song=OuterRef("pk"))
    found = Song.objects.available().filter(Exists(phrases))
    found = found.annotate(
        knows=Subquery(own_word.values("knows")[:1]),
        first_phrase=Subquery(phrases.order_by("start_s").values("pk")[:1]),
    )
    if words:
        found = found.filter(Q(title__icontains=words) | Q(artist__icontains=words))
    return found.order_by("title", "artist", "pk")


def offers(fragments: QuerySet[Fragment], person: AbstractBaseUser) -> list[Offer]:
    """The numbers by which fragments are chosen for this person, of at most MOST_OFFERS of them."""
    own_word = Familiarity.objects.filter(person=person, song=OuterRef("recording__song"))
    picked = fragments.annotate(knows=Subquery(own_word.values("knows")[:1]))
    picked = picked.order_by(F("knows").desc(nulls_last=True), Random())
    rows = list(picked.values_list("pk", "recording__song", "knows")[:MOST_OFFERS])
    ids, songs = [row[0] for row in rows], {row[1] for row in rows}
    filled, free = _slots_of(ids), _free_share_of(songs)
    seen, skips = _similarities_of(ids), _skips_of(ids)
    return [
        Offer(
            fragment=pk,
            knows=knows,
            filled=filled.get(pk, (0, 1))[0],
            wanted=filled.get(pk, (0, 1))[1],
            doubt=doubt_of(seen.get(pk, [])),
            song_free=free.get(song, 1.0),
            skips=skips.get(pk, 0),
            takes=len(seen.get(pk, [])),
        )
        for pk, song, knows in rows
    ]


def _slots_of(fragments: list[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Filled slots and all slots of each fragment."""
    rows = Slot.objects.filter(fragment__in=fragments).order_by().values_list("fragment")
    return {pk: (filled, wanted) for pk, filled, wanted in rows.annotate(Count("humming"), Count("pk"))}


def _free_share_of(songs: set[uuid.UUID]) -> dict[uuid.UUID, float]:
    """The share of each song's slots without a take; of its fragments that are handed out."""
    live = Slot.objects.filter(fragment__recording__song__in=songs, fragment__retired_at=None).order_by()
    rows = live.values_list("fragment__recording__song").annotate(Count("humming"), Count("pk"))
    return {song: 1 - filled / wanted for song, filled, wanted in rows}


def _similarities_of(fragments: list[uuid.UUID]) -> dict[uuid.UUID, list[float | None]]:
    """What machines gave the versions of each fragment: the similarity of hums, the correlation of covers."""
    hums = HumCheck.objects.filter(humming__fragment__in=fragments).exclude(humming__state=Humming.State.WITHDRAWN)
    covers = CoverFragment.objects.filter(fragment__in=fragments)
    found: dict[uuid.UUID, list[float | None]] = {}
    for pk, value in [
        *hums.values_list("humming__fragment", "similarity"),
        *covers.values_list("fragment", "correlation"),
    ]:
        found.setdefault(pk, []).append(value)
    return found


def _skips_of(fragments: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = Skip.objects.filter(fragment__in=fragments).order_by().values_list("fragment")
    return dict(rows.annotate(Count("pk")))


def _lease_a_slot(fragment_id: uuid.UUID, person: AbstractBaseUser, *, patient: bool) -> Lease | None:
    """A lease on any free slot of a fragment."""
    free = Slot.objects.free().filter(fragment=fragment_id).order_by("number")
    for slot_id in list(free.values_list("pk", flat=True)):
        lease = _try_to_lease(slot_id, person, patient=patient)
        if lease:
            return lease
    return None


@transaction.atomic
def _try_to_lease(slot_id: int, person: AbstractBaseUser, *, patient: bool) -> Lease | None:
    """Locks one slot, alone so that nothing can deadlock, and leases it if it is free.

    That is asked anew under the lock, as a lease or a take may have come between looking and locking.
    """
    alone = Slot.objects.select_for_update(of=("self",), skip_locked=not patient).order_by("pk")
    slot = alone.filter(pk=slot_id).first()
    if slot and Slot.objects.free().filter(pk=slot_id).exists():
        return Lease.open(slot, person)
    return None
