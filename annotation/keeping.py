"""A guest keeps the takes: by giving the account a name and a password, or by signing in to another account."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotation import taking
from annotation.models import Consent, Familiarity, Guest, Lease, Skip
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
    Guest.objects.select_for_update().filter(person=guest).first()
    _move_leases(account, guest)
    twice = 0
    takes = list(Humming.objects.select_for_update(of=("self",)).filter(singer=guest))
    for take in takes:
        if _stands_against(take, account):
            taking.withdraw(take, guest, why=TWICE)
            twice += 1
        Humming.objects.filter(pk=take.pk).update(singer=account)
    _move_words(account, guest)
    guest.is_active = False
    guest.save(update_fields=["is_active"])
    return Moved(len(takes), twice)


def _move_leases(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    leases = Lease.objects.select_for_update().filter(person=guest)
    list(leases)
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
