"""A take's way in: checked, stored, given its slot; and what its automatic check and its singer do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import soundfile
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import removing
from annotation.models import Consent, Lease, ReviewItem, Slot, StudyWork
from recordings.models import CoverFragment, Fragment, Humming
from recordings.storage import sha256_of

# Longer than the longest fragment with a count-in and a slow hum; a forgotten microphone is longer.
LONGEST_TAKE_S = 60.0
ID_TAKEN = _("Another take has this id. Please hum the phrase again.")
DAMAGED = _("The take was damaged on its way here. It is safe in this browser; send it again.")
NOT_WAV = _("Takes are WAV files, not %(format)s. Please hum it again.")
TOO_LONG = _("A take lasts at most %(seconds)d seconds. Please hum it again.")
ACCOUNT_CLOSED = _("The account that hummed this was closed, so the take cannot be added to it.")
HUMMED_ALREADY = _("You have hummed this phrase already; that take is kept.")
CONSENT_FIRST = _("Please read and agree to what happens with your hums first.")
EMPTY = _("The recording is empty. Check the microphone and hum it again.")


class TakeRefused(ValueError):
    """A take that cannot be stored. Its text says why and what to do; `code` is for the page's script."""

    def __init__(self, sentence: str | Promise, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class SentTake:
    """What the browser sent."""

    id: UUID
    audio: File
    sha256: str
    capture: dict[str, Any]
    reference_start_frame: int | None = None
    simulated: bool = False


def save_take(sent: SentTake, lease: Lease) -> tuple[Humming, bool]:
    """Stores a take of the lease's holder, under the newest consent that they have given, and gives it a slot.

    Sending it again returns the first one: (take, whether it is new).
    """
    before = Humming.objects.filter(pk=sent.id).first()
    if before:
        return _same_take(before, sent, lease), False
    if sha256_of(sent.audio) != sent.sha256.lower():
        raise TakeRefused(DAMAGED, "damaged")
    if Fragment.objects.filter(pk=sent.id).exists() or CoverFragment.objects.filter(pk=sent.id).exists():
        raise TakeRefused(ID_TAKEN, "id_taken")
    sample_rate, frames = _read_header(sent.audio)
    humming = Humming(
        id=sent.id,
        fragment=lease.slot.fragment,
        singer=lease.person,
        simulated=sent.simulated,
        audio_sha256=sent.sha256.lower(),
        sample_rate=sample_rate,
        frames=frames,
        reference_start_frame=sent.reference_start_frame,
        capture=sent.capture,
    )
    # The bytes first: a row without its bytes would be a lie, bytes without a row only take room.
    humming.audio.save("take.wav", sent.audio, save=False)
    try:
        _store(humming, lease)
    except TakeRefused:
        humming.audio.delete(save=False)
        raise
    except IntegrityError:
        # Only here is it certain that no row names these bytes: a connection that breaks may have committed.
        humming.audio.delete(save=False)
        twin = Humming.objects.filter(pk=sent.id).first()
        if twin is None:
            raise TakeRefused(HUMMED_ALREADY, "hummed_already") from None
        return _same_take(twin, sent, lease), False
    return humming, True


def save_found(sent: SentTake, fragment: Fragment, singer: AbstractBaseUser) -> Humming:
    """Stores a hum that was searched for as a take of a fragment that it holds: the same rules, without a lease.

    Raises:
        TakeRefused: it cannot be a take, or its singer has hummed this fragment already.
    """
    sample_rate, frames = _read_header(sent.audio)
    humming = Humming(
        id=sent.id,
        fragment=fragment,
        singer=singer,
        audio_sha256=sent.sha256,
        sample_rate=sample_rate,
        frames=frames,
        capture=sent.capture,
    )
    humming.audio.save("take.wav", sent.audio, save=False)
    try:
        _store(humming, None)
    except (TakeRefused, IntegrityError) as problem:
        humming.audio.delete(save=False)
        if isinstance(problem, TakeRefused):
            raise
        raise TakeRefused(HUMMED_ALREADY, "hummed_already") from None
    return humming


@transaction.atomic
def _store(humming: Humming, lease: Lease | None) -> None:
    people = get_user_model().objects.select_for_update(no_key=True)
    list(people.filter(pk=lease.person_id if lease else humming.singer_id))
    Slot.lock(humming.fragment_id)
    if lease:
        # The holder is asked anew: a guest may have become somebody with an account meanwhile.
        lease = Lease.objects.select_for_update(of=("self",)).get(pk=lease.pk)
        humming.singer_id = lease.person_id
    if not get_user_model().objects.filter(pk=humming.singer_id, is_active=True).exists():
        raise TakeRefused(ACCOUNT_CLOSED, "account_closed")
    _put_under_consent(humming)
    humming.save(force_insert=True)
    if Slot.put(humming, lease) is None:
        humming.surplus = True
        humming.save(update_fields=["surplus"])
    if lease:
        lease.close(Lease.Outcome.TAKEN)
        StudyWork.bind_take(humming)


def _put_under_consent(humming: Humming) -> None:
    """The newest text that its singer agreed to: for a take that waited on a device, maybe not the present one."""
    consent = Consent.latest_of(humming.singer)
    if consent is None:
        raise TakeRefused(CONSENT_FIRST, "consent_first")
    humming.consent_version, humming.licence = consent.version, consent.licence
    humming.ai_training = consent.ai_training


def _same_take(before: Humming, sent: SentTake, lease: Lease) -> Humming:
    if before.singer_id != lease.person_id or before.audio_sha256 != sent.sha256.lower():
        raise TakeRefused(ID_TAKEN, "id_taken")
    return before


def _read_header(audio: File) -> tuple[int, int]:
    """Sample rate and frames of a WAV take; refuses what is none."""
    if audio.size == 0:
        raise TakeRefused(EMPTY, "empty")
    try:
        audio.seek(0)
        info = soundfile.info(audio)
    except soundfile.LibsndfileError as problem:
        raise TakeRefused(_("This is not a recording that we can read. Please hum it again."), "not_audio") from problem
    finally:
        audio.seek(0)
    if info.format not in ("WAV", "WAVEX"):
        raise TakeRefused(NOT_WAV % {"format": info.format}, "not_wav")
    if info.frames == 0:
        raise TakeRefused(EMPTY, "empty")
    if info.frames > LONGEST_TAKE_S * info.samplerate:
        raise TakeRefused(TOO_LONG % {"seconds": LONGEST_TAKE_S}, "too_long")
    return info.samplerate, info.frames


@transaction.atomic
def apply_check(humming: Humming) -> None:
    """After the automatic check: on to the double-check, or refused and its slot free again. Safe to run twice."""
    Slot.lock(humming.fragment_id)
    humming = Humming.objects.select_for_update(of=("self",)).get(pk=humming.pk)
    if humming.state != Humming.State.SAVED:
        return
    check = humming.check_result
    if check.ok:
        humming.move_to(Humming.State.CHECKED, why="The automatic check is content.")
        ReviewItem.ask_about(humming)
    else:
        why = " ".join(reason["sentence"] for reason in check.reasons)
        humming.move_to(Humming.State.REFUSED, why=why)
        Slot.give_up(humming)


@transaction.atomic
def withdraw(humming: Humming, person: AbstractBaseUser, why: str = "Withdrawn by its singer.") -> None:
    """The singer takes a take back: it leaves its slot, the double-check and every future release. Twice is once."""
    Slot.lock(humming.fragment_id)
    list(ReviewItem.objects.select_for_update(of=("self",)).filter(humming=humming))
    humming = Humming.objects.select_for_update(of=("self",)).get(pk=humming.pk)
    if humming.state == Humming.State.WITHDRAWN:
        return
    touched = removing.touched_by_take(humming)
    removing.take_back(humming, person, why)
    removing.discard_snapshots([humming.pk])
    removing.note_take(humming, person, why, touched)
