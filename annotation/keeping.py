"""A guest keeps the takes: by giving the account a name and a password, or by signing in to another account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from annotation import taking
from annotation.models import (
    AboutSinger,
    Consent,
    Familiarity,
    Guest,
    Lease,
    Participation,
    PassedOver,
    Report,
    Reviewer,
    ReviewItem,
    Search,
    Skip,
    Slot,
    Verdict,
)
from chad_site.errors import TOO_OLD, NotAllowed
from recordings.models import Humming

TWICE = "Its singer hummed the phrase as a guest and with an account; the account's take is kept."
OWN = "Its reviewer turned out to be the singer: nobody judges an own take."
SET_ASIDE = "Of its two accounts, which are one now, one was practising again."
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
    _keep_worse_standing(account, guest)
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


def _on_desks_no_more(account: AbstractBaseUser, guest: AbstractBaseUser) -> QuerySet[ReviewItem]:
    """What lies on the guest's desk, and on the account's what the guest has judged or hummed: it is not new to it."""
    by_guest = Exists(Verdict.objects.standing().filter(person=guest, item=OuterRef("pk")))
    hummed = Q(humming__singer=guest) | Q(control__humming__singer=guest)
    return ReviewItem.objects.filter(Q(leased_to=guest) | Q(by_guest | hummed, leased_to=account))


def _keep_one_vote(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """Discounts second votes and votes on own takes; the items are asked anew. Call with the slots locked."""
    doubtful = list(_doubtful(account, guest).select_related("item__humming").order_by("item_id", "pk"))
    leaving = set(_on_desks_no_more(account, guest).values_list("pk", flat=True))
    items = ReviewItem.objects.filter(pk__in=[*leaving, *(verdict.item_id for verdict in doubtful)])
    for item in items.select_for_update(of=("self",)).order_by("pk"):
        if item.pk in leaving and item.leased_to_id in (account.pk, guest.pk):
            item.release()
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
    """Consents, skips, words on songs, searches, and what they tell of themselves; the account's own words stand."""
    known = Consent.objects.filter(person=account).values_list("version", flat=True)
    Consent.objects.filter(person=guest).exclude(version__in=list(known)).update(person=account)
    _move_where_new(Skip.objects.filter(person=guest), account, "fragment_id")
    _move_where_new(Familiarity.objects.filter(person=guest), account, "song_id")
    Search.objects.filter(owner=guest).update(owner=account)
    _move_where_new(Report.objects.filter(person=guest), account, "version_id")
    if not AboutSinger.objects.filter(person=account).exists():
        AboutSinger.objects.filter(person=guest).update(person=account)


def _move_work(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """What the guest judged and took part in. Where the account has its own, the guest's row stays where it is.

    A verdict that was taken back is none: what the guest then said of the item is the account's word on it, so that
    nobody asks the same person again.
    """
    judged = Verdict.objects.standing().filter(person=account).values("item")
    Verdict.objects.filter(person=guest).exclude(item__in=judged, undone_at=None).update(person=account)
    _move_where_new(PassedOver.objects.filter(person=guest), account, "item_id")
    _move_where_new(Participation.objects.filter(person=guest), account, "study_id")


def _keep_worse_standing(account: AbstractBaseUser, guest: AbstractBaseUser) -> None:
    """One person has one standing: who practises again as either does so as both.

    What was to be asked anew still is, with what the one judged while the other did not count. Call when the verdicts
    are moved.
    """
    rows = Reviewer.objects.select_for_update(of=("self",)).filter(person__in=[account.pk, guest.pk]).order_by("pk")
    found = {row.person_id: row for row in rows}
    own, other = found.get(account.pk), found.get(guest.pk)
    if own is None:
        Reviewer.objects.filter(person=guest).update(person=account)
        return
    now, set_aside = timezone.now(), Reviewer.State.SET_ASIDE
    doubted = [times for row in (own, other) if row and (times := _doubted(row, now)) and _judged(account, times)]
    if other and other.state == set_aside != own.state:
        own.move_to(set_aside, why=SET_ASIDE)
        own.changed_at = now  # trust is won back with what is answered from now on
    if doubted:
        # One row keeps one span, so between two of them more is asked anew than has to be.
        own.put_back_from = min(first for first, _ in doubted)
        own.put_back_until = max(last for _, last in doubted)
    own.save(update_fields=["changed_at", "put_back_from", "put_back_until"])


def _doubted(reviewer: Reviewer, now: datetime) -> tuple[datetime, datetime] | None:
    """From when a reviewer went wrong until they were trusted again."""
    if reviewer.state == Reviewer.State.SET_ASIDE:
        return reviewer.put_back_from or reviewer.changed_at, now
    if reviewer.put_back_from is None:
        return None
    return reviewer.put_back_from, max(reviewer.put_back_until, reviewer.changed_at)


def _judged(person: AbstractBaseUser, times: tuple[datetime, datetime]) -> bool:
    return Verdict.objects.counted().filter(person=person, at__range=times).exists()


def _move_where_new(rows: QuerySet, account: AbstractBaseUser, of: str) -> None:
    known = rows.model.objects.filter(person=account).values(of)
    rows.exclude(**{f"{of}__in": known}).update(person=account)
