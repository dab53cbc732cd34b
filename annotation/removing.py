"""Removing: a take withdrawn, an account deleted, a song taken down; what each touches, and a row of what it did.

Previews and removals count by the same queries: a removal counts with its rows locked, just before it acts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.models import Control, Lease, Removal, Report, ReviewItem, Slot, Verdict
from annotation.models.controls import of_songs
from annotation.models.review import SONG_DOWN
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Fragment, Humming, Song, TrainingUse
from recordings.release import removed

WITHDRAWN_WITH_ACCOUNT = "The account was deleted, and its takes went with it."
WITHDRAWN_WITHOUT_TAKES = "The account was deleted; its takes stay, in nobody's name."
SAY_WHY = "Say why the song is taken down: whoever looks later has to know."
SONG_BACK = "Its song was put back."

# What is closed when a song is taken down. What is settled stays so: it leaves with the song, and comes back with it.
OPEN_STATES = (ReviewItem.State.WAITING, ReviewItem.State.DISPUTED)


@dataclass(frozen=True)
class Touched:
    """What a removal touches.

    Attributes:
        takes: hums that leave.
        slots: slots that become free; of a song, those that are not handed out any more.
        items: items of the double-check that close.
        verdicts: standing verdicts on those items. They stay as rows.
        controls: control items that retire.
        covers: cover fragments that leave.
        leases: claims on slots and on items that end.
        versions: pairs that leave every future release: accepted hums and cover fragments.
        unreleased: frozen releases that are not out, which are thrown away and frozen anew.
        published: releases that are out and keep what they hold; the next one lists it as removed.
        checkpoints: those that these versions helped to train.
    """

    takes: int = 0
    slots: int = 0
    items: int = 0
    verdicts: int = 0
    controls: int = 0
    covers: int = 0
    leases: int = 0
    versions: int = 0
    unreleased: list[str] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def touched_by_take(take: Humming) -> Touched:
    return touched_by_takes(Humming.objects.filter(pk=take.pk))


def touched_by_account(person: AbstractBaseUser, keep_takes: bool) -> Touched:
    """What deleting an account touches. Its own verdicts stay, without a name."""
    claims = _live(Lease.objects.filter(person=person)).count() + ReviewItem.objects.held_by(person).count()
    takes = Humming.objects.none() if keep_takes else Humming.objects.filter(singer=person)
    touched = touched_by_takes(takes).as_dict()
    return Touched(**{**touched, "leases": touched["leases"] + claims})


def touched_by_takes(takes: QuerySet[Humming]) -> Touched:
    """What withdrawing takes touches; those that are withdrawn already touch nothing more."""
    takes = takes.exclude(state=Humming.State.WITHDRAWN).order_by()
    ids = takes.values("pk")
    items = ReviewItem.objects.filter(humming__in=ids).exclude(state=ReviewItem.State.CLOSED)
    controls = Control.objects.live().filter(humming__in=ids)
    return Touched(
        takes=takes.count(),
        slots=Slot.objects.filter(humming__in=ids).count(),
        items=items.count(),
        verdicts=_verdicts_on(items),
        controls=controls.count(),
        leases=_on_desks(items, controls),
        versions=takes.filter(pk__in=Humming.objects.accepted().values("pk")).count(),
        **_named(Q(version_id__in=ids), ids),
    )


def touched_by_song(song: Song) -> Touched:
    """What taking a song down touches."""
    here = _Song(song)
    return Touched(
        takes=here.takes.count(),
        slots=Slot.objects.filter(fragment__in=here.fragments.filter(retired_at=None).values("pk")).count(),
        items=here.open_items.count(),
        verdicts=_verdicts_on(here.open_items),
        controls=here.controls.count(),
        covers=here.covers.count(),
        leases=_live(here.leases).count() + _on_desks(here.items, here.controls),
        versions=here.takes.accepted().count() + here.covers.accepted().count(),
        **_named(here.versions, here.takes.values("pk"), here.covers.values("pk")),
    )


class _Song:
    """The rows of a song that a removal is about."""

    def __init__(self, song: Song) -> None:
        self.fragments = Fragment.objects.filter(recording__song=song).order_by()
        of_it = Q(fragment__recording__song=song)
        self.takes = Humming.objects.filter(of_it).exclude(state=Humming.State.WITHDRAWN).order_by()
        self.covers = CoverFragment.objects.filter(of_it).exclude(state=CoverFragment.State.REJECTED).order_by()
        self.leases = Lease.objects.filter(slot__fragment__recording__song=song)
        takes, covers = Humming.objects.filter(of_it), CoverFragment.objects.filter(of_it)
        self.items = ReviewItem.objects.filter(
            Q(humming__in=takes.order_by().values("pk")) | Q(cover_fragment__in=covers.order_by().values("pk"))
        )
        self.open_items = self.items.filter(state__in=OPEN_STATES)
        self.all_controls = Control.objects.filter(of_songs([song]))
        self.controls = self.all_controls.live()
        self.versions = (
            Q(version_id__in=takes.order_by().values("pk"))
            | Q(version_id__in=covers.order_by().values("pk"))
            | Q(version_id__in=self.fragments.values("pk"))
        )


def _live(leases: QuerySet[Lease]) -> QuerySet[Lease]:
    return leases.filter(closed_at=None, expires_at__gt=timezone.now())


def _verdicts_on(items: QuerySet[ReviewItem]) -> int:
    return Verdict.objects.standing().filter(item__in=items.values("pk")).count()


def _on_desks(items: QuerySet[ReviewItem], controls: QuerySet[Control]) -> int:
    """How many of these items lie on a reviewer's desk now."""
    held = Q(leased_to__isnull=False, leased_until__gt=timezone.now())
    of_either = Q(pk__in=items.values("pk")) | Q(control__in=controls.values("pk"))
    return ReviewItem.objects.filter(held & of_either).count()


def _named(versions: Q, *ids: QuerySet) -> dict[str, list[str]]:
    """The releases and checkpoints that such versions are in, by name."""
    used = Q()
    for each in ids:
        used |= Q(version_id__in=each)
    return {
        "unreleased": list(removed.snapshots_with(versions).values_list("version", flat=True)),
        "published": list(removed.releases_with(versions).values_list("version", flat=True)),
        "checkpoints": TrainingUse.objects.filter(used).checkpoints(),
    }


# --- doing it


def take_back(take: Humming, person: AbstractBaseUser, why: str) -> None:
    """One take leaves its slot, the double-check and what is accepted. Call with its slots locked, and discard the
    snapshots that hold it afterwards."""
    item = ReviewItem.objects.select_for_update(of=("self",)).filter(humming=take).first()
    take = Humming.objects.select_for_update(of=("self",)).get(pk=take.pk)
    if take.state == Humming.State.WITHDRAWN:
        return
    if item:
        item.close(why, person)
    _retire(Control.objects.live().filter(humming=take))
    take.move_to(Humming.State.WITHDRAWN, why=why, person=person)
    Slot.give_up(take)
    Report.objects.filter(version_id=take.pk).void(why)


def discard_snapshots(takes: Collection[UUID]) -> list[str]:
    """Frozen releases that are not out may not hold what was withdrawn."""
    return removed.discard(removed.snapshots_with(Q(version_id__in=list(takes))))


def _retire(controls: QuerySet[Control]) -> None:
    """Shown to nobody any more, also not to who has one on the desk."""
    for control in list(controls.order_by("pk")):
        control.retire()
        ReviewItem.objects.filter(control=control).release()


def _lock_song(song: Song) -> Song:
    """The song, so that taking down and putting back go in turn; then everything of it that may change, in the order
    that everybody keeps: slots, items, takes."""
    song = Song.objects.select_for_update(no_key=True, of=("self",)).get(pk=song.pk)
    here = _Song(song)
    Slot.lock(*here.fragments.values_list("pk", flat=True))
    list(here.leases.filter(closed_at=None).select_for_update(of=("self",)).order_by("pk"))
    list(here.items.select_for_update(of=("self",)).order_by("pk"))
    return song


@transaction.atomic
def take_down(song: Song, person: AbstractBaseUser, why: str) -> Removal:
    """A song leaves humming, the double-check, training and every future release. Twice is once."""
    if not why.strip():
        raise NotAllowed(SAY_WHY)
    song = _lock_song(song)
    before = _standing(song).first()
    if song.taken_down_at and before:
        return before
    here, touched = _Song(song), touched_by_song(song)
    song.taken_down_at = song.taken_down_at or timezone.now()
    song.save(update_fields=["taken_down_at"])
    for lease in here.leases.filter(closed_at=None).order_by("pk"):
        lease.close(Lease.Outcome.EXPIRED)
    for item in list(here.open_items.order_by("pk")):
        item.close(f"{SONG_DOWN} {why.strip()}", person)
    here.items.exclude(leased_to=None).release()
    _retire(here.controls)
    removed.discard(removed.snapshots_with(here.versions))
    Report.objects.filter(here.versions).void(f"{SONG_DOWN} {why.strip()}")
    return Removal.objects.create(
        kind=Removal.Kind.SONG,
        subject_id=str(song.pk),
        subject=f"{song.title} ({song.artist})"[:300],
        person=person,
        why=why.strip(),
        touched=touched.as_dict(),
    )


@transaction.atomic
def put_back(song: Song, person: AbstractBaseUser) -> None:
    """A song that was taken down is as before: what was closed with it is asked again. Twice is once.

    Leases that ended stay so.
    """
    song = _lock_song(song)
    if song.taken_down_at is None:
        return
    went_with_it = _Song(song).all_controls.filter(retired_at__gte=song.taken_down_at)
    retired = list(went_with_it.values_list("pk", flat=True))
    _report_again(song)
    song.taken_down_at = None
    song.save(update_fields=["taken_down_at"])
    _show_again(Control.objects.filter(pk__in=retired))
    closed = _Song(song).items.filter(state=ReviewItem.State.CLOSED)
    # What its singer took back stays closed.
    for item in list(closed.exclude(humming__state=Humming.State.WITHDRAWN).order_by("pk")):
        item.open_again(SONG_BACK, person)
    _standing(song).update(lifted_at=timezone.now(), lifted_by=person)


def _show_again(retired: QuerySet[Control]) -> None:
    """Control items that were retired with a song that is back, unless another song of theirs is down.

    What people have said of the source since counts: only of what is accepted it is known what it is.
    """
    covers = (CoverFragment.State.MATCHED, CoverFragment.State.ACCEPTED)
    accepted = Q(humming__state=Humming.State.ACCEPTED) | Q(cover_fragment__state__in=covers)
    usable = retired.exclude(of_songs(Song.objects.exclude(taken_down_at=None))).filter(accepted)
    Control.objects.filter(pk__in=list(usable.values_list("pk", flat=True))).update(retired_at=None)


def _report_again(song: Song) -> None:
    """Reports that were void as the song went down are open again, but for takes that were withdrawn."""
    went_with_it = Report.objects.filter(_Song(song).versions, decided_at__gte=song.taken_down_at)
    of_withdrawn = Humming.objects.filter(state=Humming.State.WITHDRAWN).order_by().values("pk")
    went_with_it.exclude(version_id__in=of_withdrawn).revive()


def _standing(song: Song) -> QuerySet[Removal]:
    """The row of a song that is down, which nobody has lifted."""
    return Removal.objects.filter(kind=Removal.Kind.SONG, subject_id=str(song.pk), lifted_at=None)


def note_take(take: Humming, person: AbstractBaseUser, why: str, touched: Touched) -> Removal:
    """The row of a take that was withdrawn."""
    kind, subject = Removal.Kind.TAKE, str(take.pk)
    return Removal.objects.create(kind=kind, subject_id=subject, person=person, why=why, touched=touched.as_dict())


def note_account(person: AbstractBaseUser, keep_takes: bool, touched: Touched) -> Removal:
    """The row of an account that was deleted. It keeps the number alone, which names nobody any more."""
    why = WITHDRAWN_WITHOUT_TAKES if keep_takes else WITHDRAWN_WITH_ACCOUNT
    kind, subject = Removal.Kind.ACCOUNT, str(person.pk)
    return Removal.objects.create(kind=kind, subject_id=subject, why=why, touched=touched.as_dict())
