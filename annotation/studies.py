"""Doors for a paid crowd: what a platform's link tells, who takes part, and with which account."""

from __future__ import annotations

import csv
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation.models import Guest, Participation, Study

# What an id may be: as long as the column, and nothing that a page, a path or a table of figures would take for more.
AN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@~-]{0,119}")
# What Mechanical Turk says instead of an assignment while somebody only looks at the task.
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"


@dataclass(frozen=True)
class Convention:
    """How a platform names a participant, its study and the visit in a link.

    Names are read without regard to case, hyphens and underscores, so PROLIFIC_PID and prolificPid are one. `link` is
    what the platform fills in; `back` is its address of a study that is done, with the code.
    """

    participant: tuple[str, ...]
    study: tuple[str, ...]
    session: tuple[str, ...]
    link: str
    needs_session: bool = True
    back: str = ""


CONVENTIONS = {
    Study.Platform.PROLIFIC: Convention(
        participant=("prolificpid", "prolificid"),
        study=("studyid",),
        session=("sessionid", "submissionid"),
        link="PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
        back="https://app.prolific.com/submissions/complete?cc={code}",
    ),
    Study.Platform.MTURK: Convention(
        participant=("workerid",),
        study=("hitid",),
        session=("assignmentid",),
        link="workerId=${workerId}&assignmentId=${assignmentId}&hitId=${hitId}",
    ),
    Study.Platform.TOLOKA: Convention(
        participant=("workerid", "userid", "tolokaid"),
        study=("poolid", "projectid"),
        session=("assignmentid",),
        link="worker_id={{worker_id}}&assignment_id={{assignment_id}}&pool_id={{pool_id}}",
    ),
    Study.Platform.OTHER: Convention(
        participant=("participantid", "participant", "pid"),
        study=("studyid", "study"),
        session=("sessionid", "session"),
        link="participant_id=ID&session_id=SESSION",
        needs_session=False,
    ),
}


class DoorClosed(Exception):
    """Somebody cannot take part now: what is the matter, and what to do."""

    def __init__(self, title: str | Promise, sentence: str | Promise, code: str, status: int) -> None:
        super().__init__(str(sentence))
        self.title, self.sentence, self.code, self.status = title, sentence, code, status


def broken_link() -> DoorClosed:
    return DoorClosed(
        _("This link is not complete"),
        _(
            "The address lacks the ids by which you are known and paid, or they are damaged. Go back to the page where "
            "you found the study and open it from there. If it happens again, tell the organisers."
        ),
        "broken_link",
        400,
    )


def only_a_look() -> DoorClosed:
    return DoorClosed(
        _("This is a preview"),
        _("You have not accepted the task yet. Accept it on Mechanical Turk, then open this link from there again."),
        "preview",
        400,
    )


def closed() -> DoorClosed:
    return DoorClosed(
        _("This study is closed"),
        _("Nobody new can take part any more. Please return it on the page where you found it. Thank you for coming."),
        "closed",
        410,
    )


def full() -> DoorClosed:
    return DoorClosed(
        _("All places are taken"),
        _("As many people as are needed take part already. Please return the study on the page where you found it."),
        "full",
        409,
    )


def of_another_account() -> DoorClosed:
    return DoorClosed(
        _("This participant id belongs to another account"),
        _(
            "Somebody has started with this id, and in this browser you are signed in as somebody else. If it was you, "
            "use the browser in which you started, or open the link in a private window."
        ),
        "another_account",
        409,
    )


def of_an_account_with_a_password() -> DoorClosed:
    return DoorClosed(
        _("Please sign in first"),
        _("You started this study with an account of your own. Sign in to it, and you go on where you were."),
        "sign_in",
        403,
    )


def of_a_closed_account() -> DoorClosed:
    return DoorClosed(
        _("This account is closed"),
        _("The account that this participant id belongs to was deleted. Please write to the organisers of the study."),
        "account_closed",
        410,
    )


def with_another_id() -> DoorClosed:
    return DoorClosed(
        _("You take part already"),
        _(
            "In this browser somebody takes part in this study with another participant id, and one person takes part "
            "once. If that was somebody else, open the link in a private window."
        ),
        "another_id",
        409,
    )


def unknown_here() -> DoorClosed:
    return DoorClosed(
        _("We do not know you in this browser"),
        _("Open the study from the page where you found it again. What you have done is stored and stays yours."),
        "unknown_here",
        403,
    )


@dataclass(frozen=True)
class Ids:
    """The platform's ids, as a link gave them. They are kept and shown, and never more than that."""

    participant: str
    study: str = ""
    session: str = ""

    @classmethod
    def read(cls, platform: str, told: Mapping[str, Any]) -> Ids:
        """From the parameters of a link, or DoorClosed."""
        convention = CONVENTIONS[Study.Platform(platform)]
        named = {re.sub(r"[-_]", "", name).lower(): str(value).strip() for name, value in told.items()}

        def first(names: tuple[str, ...]) -> str:
            return next((named[name] for name in names if named.get(name)), "")

        ids = cls(first(convention.participant), first(convention.study), first(convention.session))
        if PREVIEW in (ids.session, ids.participant):
            raise only_a_look()
        needed = [ids.participant, *([ids.session] if convention.needs_session else [])]
        if not all(needed) or not all(AN_ID.fullmatch(one) for one in (ids.participant, ids.study, ids.session) if one):
            raise broken_link()
        return ids

    def as_fields(self, platform: str) -> dict[str, str]:
        """Names and values for the form of the welcome page."""
        convention = CONVENTIONS[Study.Platform(platform)]
        named = {convention.participant[0]: self.participant, convention.study[0]: self.study}
        return {name: value for name, value in {**named, convention.session[0]: self.session}.items() if value}


@dataclass(frozen=True)
class Entry:
    """Who takes part: the account is that of this browser already, is new, or is given back by the id alone."""

    participation: Participation
    is_new_guest: bool = False
    by_id_alone: bool = False


def look_through_the_door(study: Study, ids: Ids) -> None:
    """Says at the welcome already that nobody new can take part; who has begun is let through."""
    _refuse_who_left(study, ids)
    if not study.participations.filter(participant_id=ids.participant).exists():
        _refuse_beyond_places(study)


@transaction.atomic
def take_part(study: Study, ids: Ids, person: AbstractBaseUser | AnonymousUser, *, trusted: bool = True) -> Entry:
    """Makes or finds the participation of a participant id, or says why not.

    `trusted`: the session says who it is by more than a participant id. One id is one account, in all studies of a
    platform and in whichever browser. Two clicks at once make one: whoever comes with this id waits for the other.
    """
    _wait_for_others_with(study, ids)
    study = Study.objects.select_for_update(of=("self",), no_key=True).get(pk=study.pk)
    _refuse_who_left(study, ids)
    person = person if trusted and person.is_authenticated else None
    known = _account_of(study, ids)
    if known is None:
        if person and study.participations.filter(person=person).exists():
            raise with_another_id()
        return _begin(study, ids, person)
    if known != person:
        _refuse_to_enter(known, person)
    return _go_on(study, ids, known, by_id=known != person)


def _wait_for_others_with(study: Study, ids: Ids) -> None:
    """Until this transaction ends, nobody else begins with this id of this platform."""
    with connection.cursor() as cursor:
        key = f"participant {study.platform} {ids.participant}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _account_of(study: Study, ids: Ids) -> AbstractBaseUser | None:
    """The account of this participant id: of this study, else of another one of the platform.

    "Another" platform is any: two of them may use one id for two people.
    """
    named = Participation.objects.filter(participant_id=ids.participant).select_related("person")
    here = named.filter(study=study).first()
    if here is None and study.platform != Study.Platform.OTHER:
        here = named.filter(study__platform=study.platform).order_by("-started_at").first()
    return here.person if here else None


def forgotten_id(study: Study, participant_id: str, key: str | None = None) -> str:
    """What stands for a participant id when its account is deleted: whoever comes with the id again has been here.

    Without the instance's key nobody gets from it to the id, nor from the id to it.
    """
    # Two studies of "another" platform may use one id for two people.
    where = study.pk if study.platform == Study.Platform.OTHER else study.platform
    told = f"forgotten participant {where} {participant_id}".encode()
    return f"deleted-{hmac.new((key or settings.SECRET_KEY).encode(), told, 'sha256').hexdigest()[:32]}"


def _refuse_who_left(study: Study, ids: Ids) -> None:
    """One person, one part: who had the account deleted does not begin anew, here or in the platform's next study."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    forgotten = [forgotten_id(study, ids.participant, key) for key in keys]
    if Participation.objects.filter(participant_id__in=forgotten).exists():
        raise of_a_closed_account()


def _refuse_to_enter(known: AbstractBaseUser, person: AbstractBaseUser | None) -> None:
    """The id alone gives back an account that nobody could come back to otherwise, and no other."""
    if person is not None:
        raise of_another_account()
    if not known.is_active:
        raise of_a_closed_account()
    if known.has_usable_password() or known.is_staff or known.is_superuser or known.groups.exists():
        raise of_an_account_with_a_password()


def _begin(study: Study, ids: Ids, person: AbstractBaseUser | None) -> Entry:
    return Entry(_new_participation(study, ids, person), is_new_guest=person is None)


def _new_participation(study: Study, ids: Ids, person: AbstractBaseUser | None) -> Participation:
    """Takes one of the study's places. Call with the study locked; without a person it is a new guest's."""
    _refuse_beyond_places(study)
    return Participation.objects.create(
        study=study,
        person=person or Guest.arrive(),
        participant_id=ids.participant,
        platform_study_id=ids.study,
        session_id=ids.session,
    )


def _go_on(study: Study, ids: Ids, person: AbstractBaseUser, *, by_id: bool) -> Entry:
    found = Participation.objects.filter(study=study, participant_id=ids.participant).first()
    if found is None:
        if study.participations.filter(person=person).exists():
            raise with_another_id()
        found = _new_participation(study, ids, person)
    elif not found.complete:
        if not Participation.objects.open().filter(pk=found.pk).exists():
            raise closed()
        if not by_id and ids.session:  # a visit anew, by the platform's count; who knows the id alone changes nothing
            Participation.objects.filter(pk=found.pk).update(session_id=ids.session, platform_study_id=ids.study)
    return Entry(found, by_id_alone=by_id)


def _refuse_beyond_places(study: Study) -> None:
    if not study.is_open:
        raise closed()
    if not study.places_left:
        raise full()


# --- what the pages show


def study_bar(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: a participant's progress, on the pages of the work."""
    match = getattr(request, "resolver_match", None)
    kind = {"hum": Study.Kind.HUM, "review": Study.Kind.REVIEW}.get(match.url_name if match else "")
    person = getattr(request, "user", None)
    if kind is None or person is None or not person.is_authenticated:
        return {}
    participation = Participation.present_of(person, kind)
    return {"study_now": participation} if participation else {}


def return_link(study: Study) -> str:
    """The platform's address of a study that is done, or ""."""
    return CONVENTIONS[Study.Platform(study.platform)].back.format(code=study.completion_code)


# --- paying

COLUMNS = (
    "participant_id", "session_id", "study_id", "started", "completed",
    "done", "pieces", "accepted", "rejected", "waiting",
)  # fmt: skip


def payments(study: Study) -> Iterator[list[Any]]:
    """A line for each participant, as pay lists want them."""
    for one in study.participations.with_work().order_by("started_at").iterator():
        times = [_moment(one.started_at), _moment(one.completed_at)]
        ids = [_cell(text) for text in (one.participant_id, one.session_id, one.platform_study_id)]
        yield [*ids, *times, one.pieces_done, study.pieces, one.accepted, one.rejected, one.waiting]


def write_payments(study: Study, file: IO[str]) -> None:
    lines = csv.writer(file)
    lines.writerow(COLUMNS)
    lines.writerows(payments(study))


def _moment(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text
