"""Reports on released versions: who says that one is wrong, what that sets going, and what came of it.

A hum or a cover is asked about in the double-check again; an original is an admin's to mend.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import limits
from annotation.models import Report, ReviewItem, Slot
from annotation.models.review import is_song_down, lock_person
from annotation.models.verdicts import Reason
from annotation.roles import may_review
from chad_site.errors import NotAllowed, Refused
from recordings.models import CoverFragment, Fragment, Humming, ReleasedVersion
from recordings.release.tables import COVER, HUMMING, ORIGINAL

NO_RELEASE = _("There is no published release with this version in it. Check the address, or look it up by its id.")
HAS_LEFT = _("It has left every future release already. Thank you for listening.")
NOT_ITS_REASON = _("Please choose one of the reasons that are offered for it.")
SAY_WHAT = _("Please say in words what is wrong.")
TWICE = _("You have reported this one before. It is being looked at, or was.")
THANKS = _("Thank you. People who have not heard it before are asked now, and the next release tells what came of it.")
THANKS_FOR_ORIGINAL = _(
    "Thank you. Whoever looks after the songs looks at it, and the next release tells what came of it."
)
MANY_TODAY = _("Very many reports have come in today. Please send this one again tomorrow.")
# Who finds the day full may come again after this, seconds.
FULL_FOR_S = 3600

# Reasons as strangers read them, who have never seen the double-check.
IN_WORDS: dict[Reason, Promise] = {
    Reason.WRONG_TUNE: _("it is another tune"),
    Reason.OFF_TIME: _("it is not in step with the original"),
    Reason.WORDS: _("words are sung in it"),
    Reason.LEAK: _("the original can be heard in it"),
    Reason.NOISE: _("it is too noisy"),
    Reason.CLIPPED: _("it is distorted"),
    Reason.TOO_QUIET: _("it is too quiet"),
    Reason.CUT_OFF: _("it is cut off"),
    Reason.SILENT: _("nothing is heard in it"),
    Reason.DIFFERENT_SONG: _("it is another song"),
    Reason.WRONG_SECTION: _("it is another part of the song"),
    Reason.INSTRUMENTAL: _("the melody is not sung in it"),
    Reason.MEDLEY: _("several songs are mixed in it"),
    Reason.TEMPO_CHANGES: _("its tempo changes"),
    Reason.BAD_SEPARATION: _("the voice is not clear in it"),
    Reason.UNAVAILABLE: _("its video cannot be had any more"),
    Reason.OTHER: _("something else"),
}


def released_version(release: str, version_id: UUID) -> ReleasedVersion:
    """A version of a published release. Drafts are nobody's business.

    Raises:
        Refused: there is none (status 404).
    """
    rows = ReleasedVersion.objects.filter(release__version=release, version_id=version_id)
    found = rows.filter(release__published_at__isnull=False).select_related("release").first()
    if found is None:
        raise Refused(NO_RELEASE, "not_found", 404)
    return found


def thanks(audio_type: str) -> Promise:
    """What who reported reads."""
    return THANKS_FOR_ORIGINAL if audio_type == ORIGINAL else THANKS


def report(
    version: ReleasedVersion, reason: str, words: str = "", *, person: AbstractBaseUser | None = None, asker: str = ""
) -> Report | None:
    """Takes down that somebody says that a version is wrong, and has people asked about it anew.

    Args:
        version: what is reported, see `released_version`.
        reason: one of `Report.reasons_of` its kind; OTHER needs words.
        person: who is signed in, guests too.
        asker: of who is not signed in, what `limits` counts by. It is not kept with the report.

    Returns:
        The report; None if this person or asker has reported it before.

    Raises:
        Refused: the reason does not fit (400), it has left already (409), or strangers sent too many today (429).
        NotAllowed: the account is closed.
    """
    words = words.strip()
    if reason not in Report.reasons_of(version.audio_type):
        raise Refused(NOT_ITS_REASON, "invalid", 400)
    if reason == Reason.OTHER and not words:
        raise Refused(SAY_WHAT, "invalid", 400)
    with transaction.atomic():
        if person:
            lock_person(person)
            if Report.objects.filter(version_id=version.version_id, person=person).exists():
                return None
        fragment_id = UUID(version.row["versions"]["fragment_id"])
        # Before anything of theirs is looked at: takes are withdrawn and songs taken down with the slots locked.
        Slot.lock(fragment_id)
        subject = _still_there(version, fragment_id)
        if person is None and asker and _has_reported(asker, version.version_id):
            return None
        if not (person and may_review(person)) and limits.wait_s("strangers-reports", "all"):
            raise Refused(MANY_TODAY, "busy", 429)
        made = Report.objects.create(
            version_id=version.version_id,
            fragment_id=fragment_id,
            audio_type=version.audio_type,
            release=version.release.version,
            reason=reason,
            words=words,
            person=person,
        )
        if not isinstance(subject, Fragment):
            item = ReviewItem.ask_about(subject).lock()
            item.ask_anew(person, why=f"Reported as wrong: {Reason(reason).label}.")
        return made


def _has_reported(asker: str, version_id: UUID) -> bool:
    """By a counter that forgets, under a key that tells neither who nor what."""
    return bool(limits.wait_s("report-again", limits.digest(f"{settings.SECRET_KEY} {asker} {version_id}")))


def _still_there(version: ReleasedVersion, fragment_id: UUID) -> Humming | CoverFragment | Fragment:
    """What was released, if a future release may hold it."""
    model = {HUMMING: Humming, COVER: CoverFragment}.get(version.audio_type, Fragment)
    found = model.objects.filter(pk=version.version_id).first()
    gone = (Humming.State.REJECTED, Humming.State.REFUSED, Humming.State.WITHDRAWN)
    if found is None or getattr(found, "state", "") in gone or is_song_down(fragment_id):
        raise Refused(HAS_LEFT, "gone", 409)
    return found


# --- what came of them


def open_reports() -> QuerySet[Report]:
    """Reports that nobody has decided yet, the oldest first."""
    return Report.objects.open().order_by("at", "pk")


def decided_between(after: datetime | None, until: datetime) -> list[dict[str, str]]:
    """What was decided in this time (`after` excluded, `until` included), for a release's changelog.

    A version that several people reported for one reason is told once. The words of who reported are not told.
    """
    decided = Report.objects.decided().filter(decided_at__lte=until).order_by("decided_at", "version_id", "reason")
    if after:
        decided = decided.filter(decided_at__gt=after)
    told = (
        (str(version), str(fragment), kind, in_english(Reason(reason)), state)
        for version, fragment, kind, reason, state in decided.values_list(
            "version_id", "fragment_id", "audio_type", "reason", "state"
        )
    )
    names = ("version_id", "fragment_id", "audio_type", "reason", "outcome")
    return [dict(zip(names, one, strict=True)) for one in dict.fromkeys(told)]


def in_english(reason: Reason) -> str:
    """A reason as changelogs name it, after "reported as"."""
    return "something else" if reason == Reason.OTHER else str(reason.label)


def for_an_admin() -> Q:
    """Reports that no item of the double-check decides: those of originals, and of what is gone from the database."""
    asked = Q(version_id__in=ReviewItem.objects.filter(humming__isnull=False).values("humming")) | Q(
        version_id__in=ReviewItem.objects.filter(cover_fragment__isnull=False).values("cover_fragment")
    )
    return ~asked


@transaction.atomic
def decide(report_id: UUID, admin: AbstractBaseUser, *, removed: bool, why: str) -> int:
    """An admin decides all open reports of a version that nobody else is asked about: how many they were.

    Raises:
        NotAllowed: the double-check decides it, or it is decided.
    """
    found = Report.objects.select_for_update(of=("self",)).get(pk=report_id)
    if not Report.objects.filter(for_an_admin(), pk=report_id).exists():
        raise NotAllowed("The double-check decides this one: overrule its item instead.")
    if not found.is_open:
        raise NotAllowed("This report is decided. Load the page anew to see how.")
    words = f"{admin.get_username()}: {why}"
    return Report.objects.decide(found.version_id, removed=removed, why=words, at=timezone.now(), since=None)
