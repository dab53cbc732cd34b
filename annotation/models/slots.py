"""Slots and leases: K slots of a fragment give K accepted takes, whoever comes and however many at once.

A slot holds at most one take, and only one that is on its way to be accepted or is. A lease is a person's claim on
a free slot, for a while; `annotation/handing_out.py` gives it. Every change of a fragment's slots happens with those
slots locked.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from annotation.models.familiarity import Familiarity
from recordings.models import Fragment, Humming

LEASE_TIME = timedelta(minutes=10)


class SlotQuerySet(models.QuerySet["Slot"]):
    def free(self) -> Self:
        """Without a take and without a live lease."""
        return self.filter(humming=None).exclude(Exists(Lease.objects.live().filter(slot=OuterRef("pk"))))


class Slot(models.Model):
    """One of the K takes that a fragment needs."""

    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()
    humming = models.OneToOneField(Humming, models.SET_NULL, null=True, blank=True, related_name="slot")

    objects = SlotQuerySet.as_manager()

    class Meta:
        ordering = ["fragment", "number"]
        constraints = [models.UniqueConstraint(fields=["fragment", "number"], name="one_slot_of_a_number")]

    def __str__(self) -> str:
        return f"slot {self.number} of {self.fragment}"

    @classmethod
    def lay_out(cls) -> None:
        """Gives every live fragment its K slots, where it has fewer."""
        wanted = settings.SLOTS_PER_FRAGMENT
        # In one order, so that two who do this at once wait for each other in turn.
        short = Fragment.objects.live().annotate(n=Count("slots")).filter(n__lt=wanted).order_by("pk")
        slots = [cls(fragment=fragment, number=number) for fragment in short for number in range(1, wanted + 1)]
        cls.objects.bulk_create(slots, ignore_conflicts=True)

    @classmethod
    def lock(cls, *fragments: uuid.UUID) -> list[Slot]:
        """Locks all slots of these fragments. Call in a transaction, before anything else of theirs is locked.

        Whoever needs several rows takes them in this order, so that nobody waits in a circle: slots (by fragment and
        number), then leases or the item of the double-check, then takes.
        """
        slots = cls.objects.select_for_update(of=("self",)).filter(fragment__in=fragments)
        return list(slots.order_by("fragment_id", "number"))

    @classmethod
    def put(cls, humming: Humming, lease: Lease | None) -> Slot | None:
        """Gives a take its slot: the leased one if it is still to be had, else any free one, else none (surplus).

        Call in a transaction. Locks the fragment's slots, so that two takes never get one slot.
        """
        slots = cls.lock(humming.fragment_id)
        free = set(cls.objects.filter(fragment=humming.fragment).free().values_list("pk", flat=True))
        own = lease.slot_id if lease and lease.is_live else None
        for slot in sorted(slots, key=lambda slot: slot.pk != own):
            if slot.humming_id is None and (slot.pk == own or slot.pk in free):
                slot.humming = humming
                slot.save(update_fields=["humming"])
                return slot
        return None

    @classmethod
    def give_up(cls, humming: Humming) -> None:
        """Frees the slot of a take that will not be accepted; a surplus take that waits for one moves in.

        Call in a transaction.
        """
        slots = cls.lock(humming.fragment_id)
        slot = next((slot for slot in slots if slot.humming_id == humming.pk), None)
        if slot is None:
            return
        next_in_line = (
            Humming.objects.filter(fragment=humming.fragment, surplus=True, state__in=Humming.IN_A_SLOT, slot=None)
            .exclude(pk=humming.pk)
            .order_by("created_at")
            .first()
        )
        slot.humming = next_in_line
        slot.save(update_fields=["humming"])
        if next_in_line:
            next_in_line.surplus = False
            next_in_line.save(update_fields=["surplus"])


class LeaseQuerySet(models.QuerySet["Lease"]):
    def live(self) -> Self:
        return self.filter(closed_at=None, expires_at__gt=timezone.now())


class Lease(models.Model):
    """A person's claim on a slot, until it expires or is closed."""

    class Outcome(models.TextChoices):
        TAKEN = "taken"
        """A take came."""
        SKIPPED = "skipped"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slot = models.ForeignKey(Slot, models.CASCADE, related_name="leases")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="leases")
    issued_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ["-issued_at"]
        constraints = [
            models.UniqueConstraint(fields=["slot"], condition=Q(closed_at=None), name="one_open_lease_of_a_slot"),
            models.UniqueConstraint(fields=["person"], condition=Q(closed_at=None), name="one_open_lease_of_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.slot} leased to {self.person_id}"

    @classmethod
    def open(cls, slot: Slot, person: AbstractBaseUser) -> Lease:
        """A new claim on a slot that is locked and free. Expired leases of the slot and of the person end here."""
        now = timezone.now()
        expired = cls.objects.filter(Q(slot=slot) | Q(person=person), closed_at=None, expires_at__lte=now)
        in_order = expired.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)
        cls.objects.filter(pk__in=list(in_order)).update(closed_at=now, outcome=cls.Outcome.EXPIRED)
        return cls.objects.create(slot=slot, person=person, expires_at=now + LEASE_TIME)

    @property
    def is_live(self) -> bool:
        return self.closed_at is None and self.expires_at > timezone.now()

    def answers(self, fragment_id: uuid.UUID | None, song_id: uuid.UUID | None) -> bool:
        """Whether its fragment can still be hummed and is what was wished for."""
        fragment = self.slot.fragment
        wished = fragment_id in (None, fragment.pk) and song_id in (None, fragment.recording.song_id)
        return wished and fragment.retired_at is None and fragment.song.taken_down_at is None

    def extend(self) -> None:
        self.expires_at = timezone.now() + LEASE_TIME
        self.save(update_fields=["expires_at"])

    def close(self, outcome: str) -> None:
        """Ends the claim; an ended one keeps its first outcome."""
        if self.closed_at is None:
            self.closed_at, self.outcome = timezone.now(), outcome
            self.save(update_fields=["closed_at", "outcome"])

    @transaction.atomic
    def skip(self, why: str) -> None:
        """The person does not want this fragment; it is never offered to them again."""
        fragment = self.slot.fragment
        Skip.objects.get_or_create(person=self.person, fragment=fragment, defaults={"why": why})
        if why == Skip.Why.UNKNOWN:
            Familiarity.suppose_unknown(self.person, fragment.song)
        self.close(self.Outcome.SKIPPED)


class Skip(models.Model):
    """A fragment that a person did not want."""

    class Why(models.TextChoices):
        UNKNOWN = "unknown"
        OTHER = "other"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="skips")
    fragment = models.ForeignKey(Fragment, models.CASCADE, related_name="skips")
    why = models.CharField(max_length=10, choices=Why)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "fragment"], name="one_skip_of_a_fragment")]

    def __str__(self) -> str:
        return f"{self.person_id} skipped {self.fragment_id}"

    @classmethod
    def take_back(cls, person: AbstractBaseUser, fragment_id: uuid.UUID) -> None:
        """The person wants this fragment after all; so they know its song, or do not mind."""
        skips = cls.objects.filter(person=person, fragment=fragment_id)
        if skips.filter(why=cls.Why.UNKNOWN).exists():
            Familiarity.objects.filter(person=person, song__recordings__fragments=fragment_id, knows=False).delete()
        skips.delete()
