"""Leaving: an account is deleted, and its takes stay without a name or go with it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import Storage
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from annotation import removing, studies, telling
from annotation.models import (
    Control,
    Familiarity,
    Guest,
    Lease,
    Participation,
    PassedOver,
    Report,
    ReviewItem,
    Search,
    Skip,
    Slot,
)
from chad_site.errors import NotAllowed
from recordings.models import HumCheck, Humming, ReleasedVersion

log = logging.getLogger("chad.leaving")

LAST_ADMIN = _("You are the only admin of this place. Make somebody else an admin first.")
GONE = "Its singer deleted the account and took every take along."


def leave(person: AbstractBaseUser, *, keep_takes: bool) -> None:
    """Deletes an account: its name, password, address, and what it said of songs.

    What it judged stays, without a name, since others rely on it. Its takes stay too, in nobody's name; or, unless
    they are to be kept, they are withdrawn and their audio is deleted, except for what is in a release that is out:
    a published release never changes.
    """
    with transaction.atomic():
        get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
        if person.is_superuser and not _others_rule(person):
            raise NotAllowed(LAST_ADMIN)
        takes = [] if keep_takes else _lock_takes(person)
        touched = removing.touched_by_account(person, keep_takes)
        audio = _withdraw_all(takes, person)
        _forget_words(person)
        removing.note_account(person, keep_takes, touched)
        _forget_name(person)
    # After the commit: bytes that a row still names must never be gone, bytes that no row names only take room.
    for storage, name in audio:
        _delete(storage, name)


def sweep() -> int:
    """Deletes what is left of takes whose files were to go with their account: how many files that were.

    The storage may have failed when the account was deleted, or a check may have written its melody just then. The
    rows with empty names tell which takes they are, and files are named by ids.
    """
    takes = Humming.objects.filter(state=Humming.State.WITHDRAWN, audio="").order_by("pk")
    return sum(_delete(storage, name) for take in takes.iterator() for storage, name in _files_left(take))


def _files_left(take: Humming) -> Iterator[tuple[Storage, str]]:
    controls = Control.objects.filter(humming=take, audio="")
    for row, field in ((take, "audio"), (HumCheck(humming=take), "melody"), *((one, "audio") for one in controls)):
        of_row = row._meta.get_field(field)
        name = of_row.generate_filename(row, field)
        try:
            if of_row.storage.exists(name):
                yield of_row.storage, name
        except Exception:
            log.exception("Whether %s is deleted could not be told; that is asked again tomorrow.", name)


def _delete(storage: Storage, name: str) -> bool:
    """Whether a file is gone. Where the storage fails, the others still go, and nobody's page."""
    try:
        storage.delete(name)
    except Exception:  # a storage has errors of its own
        log.exception("%s could not be deleted; that is tried again every day.", name)
        return False
    return True


def _others_rule(person: AbstractBaseUser) -> bool:
    rulers = get_user_model().objects.filter(is_superuser=True, is_active=True)
    return rulers.exclude(pk=person.pk).exists()


def _lock_takes(person: AbstractBaseUser) -> list[Humming]:
    """Every take, with the slots locked that it may leave."""
    takes = list(Humming.objects.filter(singer=person).select_related("check_result").order_by("fragment_id", "pk"))
    Slot.lock(*{take.fragment_id for take in takes})
    return takes


def _withdraw_all(takes: list[Humming], person: AbstractBaseUser) -> list[tuple[Storage, str]]:
    """Withdraws every take and empties its files: the files that are then to be deleted."""
    for take in takes:
        removing.take_back(take, person, why=GONE)
    removing.discard_snapshots([take.pk for take in takes])
    # What is left is in a release that is out.
    out = ReleasedVersion.objects.filter(version_id__in=[take.pk for take in takes])
    released = set(out.values_list("version_id", flat=True))
    return [file for take in takes if take.pk not in released for file in _empty_files(take)]


def _empty_files(take: Humming) -> list[tuple[Storage, str]]:
    files: list[tuple[Storage, str]] = []
    for row, field in ((take, "audio"), (getattr(take, "check_result", None), "melody")):
        if row is not None and getattr(row, field):
            files.append((getattr(row, field).storage, getattr(row, field).name))
            setattr(row, field, "")
            row.save(update_fields=[field])
    # Control items that were made of the take hold its sound and its melody, too.
    return files + [file for control in take.controls.all() for file in control.empty()]


def _forget_words(person: AbstractBaseUser) -> None:
    for lease in Lease.objects.filter(person=person, closed_at=None):
        lease.close(Lease.Outcome.EXPIRED)
    ReviewItem.objects.held_by(person).release()
    Familiarity.objects.filter(person=person).delete()
    Skip.objects.filter(person=person).delete()
    Guest.objects.filter(person=person).delete()
    PassedOver.objects.filter(person=person).delete()
    telling.forget(person)
    # What they reported as wrong is looked at all the same.
    Report.objects.filter(person=person).update(person=None)
    # Nobody's from now on: hums and rows are deleted within minutes, whatever the storage says now.
    Search.objects.filter(owner=person).update(owner=None, visitor="")
    for participation in Participation.objects.filter(person=person).select_related("study"):
        # The platform's ids name the person there; that somebody took part, and how much was done, is paid for.
        participation.participant_id = studies.forgotten_id(participation.study, participation.participant_id)
        participation.session_id = ""
        participation.save(update_fields=["participant_id", "session_id"])


def _forget_name(person: AbstractBaseUser) -> None:
    """The row stays, as takes and verdicts point at it; nothing in it says who it was, and nobody can sign in."""
    person.username = f"deleted-{secrets.token_hex(8)}"
    person.email = person.first_name = person.last_name = ""
    person.is_active = person.is_staff = person.is_superuser = False
    person.set_unusable_password()
    person.save()
    person.groups.clear()
    person.user_permissions.clear()
