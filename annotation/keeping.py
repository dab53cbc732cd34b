"""A guest keeps the takes: by giving the account a name and a password, or by signing in to another account."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from annotation import taking
from annotation.models import (
    Consent,
    Familiarity,
    Guest,
    Lease,
    Participation,
    PassedOver,
    Reviewer,
    ReviewItem,
    Skip,
    Slot,
    Verdict,
)
from chad_site.errors import TOO_OLD, NotAllowed
from recordings.models import Humming

TWICE = "Its singer hummed the phrase as a guest and with an account; the account's take is kept."
OWN = "Its reviewer turned out to be the singer: nobody judges an own take."
VOTED_TWICE = "Its reviewer judged the item as a guest and with an account: one person, one vote."


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
    _keep_one_vote(account, guest)
    takes = list(Humming.objects.filter(singer=guest).order_by("fragment_id", "pk"))
    twice = sum(_move_take(take, account, guest) for take in takes)
    _move_words(account, guest)
    _move_work(account, guest)
    guest.is_active = False
    guest.save(update_fields=["is_active"])
    return Moved(len(takes), twice)


def _lock(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """Both people, so that signing in twice at once is signing in twice in turn; then every slot that may change."""
    people = get_user_model().objects.select_for_update(no_key=True).filter(pk__in=[account.pk, guest.pk])
    list(people.order_by("pk"))
    hummed = Humming.objects.filter(singer=guest).values_list("fragment", flat=True)
    leased = Lease.objects.filter(person=guest).values_list("slot__fragment", flat=True)
    judged = _doubtful(account, guest).exclude(item__humming=None).values_list("item__humming__fragment", flat=True)
    Slot.lock(*{*hummed, *leased, *judged})


def _doubtful(account: AbstractBaseUser, guest: AbstractBaseUser) -> QuerySet[Verdict]:
    """Verdicts that cannot count once the two are one person.

    Those of either on the other's take, and the guest's on what the account has judged too.
    """
    both = Verdict.objects.standing().filter(item__control=None)
    own = Q(person=account, item__humming__singer=guest) | Q(person=guest, item__humming__singer=account)
    by_account = Verdict.objects.standing().filter(person=account, item=OuterRef("item"))
    return both.filter(own | Q(Exists(by_account), person=guest)).filter(counts=True)


def _keep_one_vote(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """Discounts second votes and votes on own takes; the items are asked anew. Call with the slots locked."""
    doubtful = list(_doubtful(account, guest).select_related("item__humming").order_by("item_id", "pk"))
    items = ReviewItem.objects.filter(pk__in=[verdict.item_id for verdict in doubtful])
    list(items.select_for_update(of=("self",)).order_by("pk"))
    for verdict in doubtful:
        take = verdict.item.humming
        verdict.discount(OWN if take and take.singer_id in (account.pk, guest.pk) else VOTED_TWICE)


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
    known = Consent.objects.filter(person=account).values_list("version", flat=True)
    Consent.objects.filter(person=guest).exclude(version__in=list(known)).update(person=account)
    _move_where_new(Skip.objects.filter(person=guest), account, "fragment_id")
    _move_where_new(Familiarity.objects.filter(person=guest), account, "song_id")


def _move_work(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """What the guest judged and took part in. Where the account has its own, the guest's row stays where it is."""
    judged = Verdict.objects.filter(person=account).values("item")
    Verdict.objects.filter(person=guest).exclude(item__in=judged).update(person=account)
    _move_where_new(PassedOver.objects.filter(person=guest), account, "item_id")
    _move_where_new(Participation.objects.filter(person=guest), account, "study_id")
    if not Reviewer.objects.filter(person=account).exists():
        Reviewer.objects.filter(person=guest).update(person=account)


def _move_where_new(rows: QuerySet, account: AbstractBaseUser, of: str) -> None:
    known = rows.model.objects.filter(person=account).values(of)
    rows.exclude(**{f"{of}__in": known}).update(person=account)
