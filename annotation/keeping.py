"""A guest keeps the takes: by giving the account a name and a password, or by signing in to another account."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotation import taking
from annotation.models import Consent, Familiarity, Guest, Lease, Skip, Slot
from chad_site.errors import TOO_OLD, NotAllowed
from recordings.models import Humming

TWICE = "Its singer hummed the phrase as a guest and with an account; the account's take is kept."


@dataclass(frozen=True)
class Moved:
    """How many takes of a guest an account got, and how many of them were of phrases that it had hummed already."""

    takes: int
    twice: int


@transaction.atomic
def keep_as(person: AbstractBaseUser, username: str, password: str) -> None:
    """The guest becomes an account of that name: the same row, so everything is theirs as before."""
    people = get_user_model().objects.select_for_update(no_key=True)
    if not (people.get(pk=person.pk).is_active and Guest.objects.filter(person=person).exists()):
        raise NotAllowed(str(TOO_OLD))  # another tab has made an account of it, or brought it into one
    person.username = username
    person.set_password(password)
    person.save(update_fields=["username", "password"])
    Guest.objects.filter(person=person).delete()


@transaction.atomic
def move_to(account: AbstractBaseUser, guest: AbstractBaseUser) -> Moved:
    """Gives an account everything that a guest did, and closes the guest. Safe to run twice.

    The leases go first and are locked: a take on its way, which finds its singer through its lease, is then either
    among the takes that are moved or comes to the account by itself.
    """
    _lock(account, guest)
    _move_leases(account, guest)
    takes = list(Humming.objects.filter(singer=guest).order_by("fragment_id", "pk"))
    twice = sum(_move_take(take, account, guest) for take in takes)
    _move_words(account, guest)
    guest.is_active = False
    guest.save(update_fields=["is_active"])
    return Moved(len(takes), twice)


def _lock(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """Both people, so that signing in twice at once is signing in twice in turn; then every slot that may change."""
    people = get_user_model().objects.select_for_update(no_key=True).filter(pk__in=[account.pk, guest.pk])
    list(people.order_by("pk"))
    hummed = Humming.objects.filter(singer=guest).values_list("fragment", flat=True)
    leased = Lease.objects.filter(person=guest).values_list("slot__fragment", flat=True)
    Slot.lock(*{*hummed, *leased})


def _move_take(take: Humming, account: AbstractBaseUser, guest: AbstractBaseUser) -> bool:
    """Gives the account one take; whether it had hummed the phrase itself, so that this one is withdrawn."""
    twice = _stands_against(take, account)
    if twice:
        taking.withdraw(take, guest, why=TWICE)
    Humming.objects.filter(pk=take.pk).update(singer=account)
    return twice


def _move_leases(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    leases = Lease.objects.filter(person=guest)
    list(leases.select_for_update(of=("self",)).order_by("pk"))
    leases.filter(closed_at=None).update(closed_at=timezone.now(), outcome=Lease.Outcome.EXPIRED)
    leases.update(person=account)


def _stands_against(take: Humming, account: AbstractBaseUser) -> bool:
    """Whether the account has a take of the same phrase, which nobody hums twice."""
    if not take.counts:
        return False
    return Humming.objects.counting().filter(singer=account, fragment=take.fragment).exists()


def _move_words(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """Consents, skips and words on songs; where the account has its own, that one stands."""
    for consent in Consent.objects.filter(person=guest):
        Consent.objects.get_or_create(person=account, version=consent.version, defaults={"text": consent.text})
    _move_where_new(Skip.objects.filter(person=guest), account, "fragment_id")
    _move_where_new(Familiarity.objects.filter(person=guest), account, "song_id")


def _move_where_new(rows: QuerySet, account: AbstractBaseUser, of: str) -> None:
    known = rows.model.objects.filter(person=account).values(of)
    rows.exclude(**{f"{of}__in": known}).update(person=account)
