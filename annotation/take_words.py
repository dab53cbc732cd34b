"""What a singer reads about an own take: its state, what was found, and what helps the next time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation.models import Verdict
from annotation.models.verdicts import Decision, Reason
from recordings.models import Fragment, Humming

# A reviewer's reason, as help for the singer.
HELP = {
    Reason.WRONG_TUNE: _("It is another tune than the phrase. Listening to the phrase once more before you hum helps."),
    Reason.OFF_TIME: _(
        "It is not in step with the phrase. With headphones you can hum along, which keeps you in time."
    ),
    Reason.WORDS: _("There are words in it. Hum on “mm” or “da” instead."),
    Reason.LEAK: _("The melody that you listened to can be heard in it. Use headphones, or hum after listening."),
    Reason.NOISE: _("There is noise in it. A quieter place helps, or coming closer to the microphone."),
    Reason.CLIPPED: _("It was too loud for the microphone, so it is distorted. Move back a little."),
    Reason.TOO_QUIET: _("It is too quiet to be of use. Come closer to the microphone."),
    Reason.CUT_OFF: _("A part of the phrase is missing. Begin in time, and hum until the phrase ends."),
    Reason.SILENT: _("Nothing can be heard in it. Check the microphone before you hum."),
}

CHECK_TO_COME = _("It is saved. The automatic check listens to it soon.")
CHECK_CONTENT = _("The automatic check knows the melody. A second person will hear it.")
IN_THE_COLLECTION = _("People agreed that it is the phrase, in step. Thank you.")
IN_AFTER_ALL = _("Somebody listened to it again and took it. Thank you.")
SPARE = _("The phrase had hums enough already, so this one is kept as a spare.")
WITHDRAWN = _("You took it back. It is in no future release.")


@dataclass(frozen=True)
class TakeInWords:
    """A take as its singer sees it.

    Attributes:
        kind: "good", "bad", "waiting" or "gone", for mark and colour.
        state: its state in a few words.
        sentences: what was found, and what to do.
        tips: what the check noted although it was content.
        phrase, phrases: its place in the song; None of a phrase that is no longer handed out.
        may_try_again: whether the phrase is offered to the singer once more.
    """

    take: Humming
    kind: str
    state: str
    sentences: list[str]
    tips: list[str]
    phrase: int | None
    phrases: int
    may_try_again: bool

    @property
    def can_withdraw(self) -> bool:
        return self.take.state != Humming.State.WITHDRAWN


def takes_of(person: AbstractBaseUser) -> QuerySet[Humming]:
    """All takes of a singer, the latest first, with what their words are made of."""
    return (
        Humming.objects.filter(singer=person)
        .select_related("fragment__recording__song", "check_result", "review")
        .prefetch_related("review__verdicts")
        .order_by("-created_at")
    )


def in_words(takes: Iterable[Humming]) -> list[TakeInWords]:
    takes = list(takes)
    places = places_of({take.fragment for take in takes})
    hummed = set(
        Humming.objects.hummed()
        .filter(singer__in={take.singer_id for take in takes}, fragment__in={take.fragment_id for take in takes})
        .values_list("singer", "fragment")
    )
    return [one_in_words(take, places, is_hummed=(take.singer_id, take.fragment_id) in hummed) for take in takes]


def one_in_words(take: Humming, places: dict[UUID, tuple[int | None, int]], *, is_hummed: bool) -> TakeInWords:
    kind, state, sentences = state_of(take)
    phrase, phrases = places[take.fragment_id]
    return TakeInWords(
        take=take,
        kind=kind,
        state=state,
        sentences=[*sentences, *([str(SPARE)] if take.surplus and kind in ("good", "waiting") else [])],
        tips=found_in(take) if take.state in (Humming.State.CHECKED, Humming.State.ACCEPTED) else [],
        phrase=phrase,
        phrases=phrases,
        may_try_again=take.state == Humming.State.REFUSED and phrase is not None and not is_hummed,
    )


def state_of(take: Humming) -> tuple[str, str, list[str]]:
    """Kind, state in words, and sentences."""
    states = Humming.State
    if take.state == states.SAVED:
        return "waiting", gettext("waiting for the check"), [str(CHECK_TO_COME)]
    if take.state == states.CHECKED:
        return "waiting", gettext("waiting for the double-check"), [str(CHECK_CONTENT)]
    if take.state == states.ACCEPTED:
        item = getattr(take, "review", None)
        by_admin = item is not None and item.overruled_by_id is not None
        return "good", gettext("accepted"), [str(IN_AFTER_ALL if by_admin else IN_THE_COLLECTION)]
    if take.state == states.REFUSED:
        return "bad", gettext("not taken by the check"), found_in(take)
    if take.state == states.REJECTED:
        return "bad", gettext("not taken in the double-check"), verdicts_in_words(take)
    return "gone", gettext("withdrawn"), [str(WITHDRAWN)]


def found_in(take: Humming) -> list[str]:
    """The check's sentences; they are written for the singer already."""
    check = getattr(take, "check_result", None)
    return [sentence_of(reason) for reason in check.reasons] if check else []


def sentence_of(reason: dict[str, Any]) -> str:
    """A reason of the automatic check in the reader's language; older ones are kept as an English sentence alone."""
    if "message" not in reason:
        return reason["sentence"]
    message, values = gettext(reason["message"]), reason.get("values")
    # Text from elsewhere has no values, and may hold a per cent sign.
    return message % {name: _as_written(value) for name, value in values.items()} if values else message


def _as_written(value: float) -> str:
    # number_format cuts decimals off; the sentence rounds.
    return number_format(round(value, 1), 1) if isinstance(value, float) else number_format(value)


def verdicts_in_words(take: Humming) -> list[str]:
    """Why people rejected a take, each reason once, the latest first; where an admin decided, the admin's reason."""
    item = getattr(take, "review", None)
    if item and item.overruled_why:
        return [gettext("Somebody listened to it again and wrote: “%(words)s”") % {"words": item.overruled_why}]
    against = [verdict for verdict in item.verdicts.all() if counts_against(verdict)] if item else []
    latest_first = sorted(against, key=lambda verdict: verdict.at, reverse=True)
    return list(dict.fromkeys(help_of(verdict) for verdict in latest_first))


def counts_against(verdict: Verdict) -> bool:
    return verdict.undone_at is None and verdict.counts and verdict.decision == Decision.REJECT


def help_of(verdict: Verdict) -> str:
    if verdict.words:
        return gettext("The person who listened wrote: “%(words)s”") % {"words": verdict.words}
    if Reason(verdict.reason) in HELP:
        return str(HELP[Reason(verdict.reason)])
    return gettext("The person who listened found: %(reason)s.") % {"reason": Reason(verdict.reason).label}


def places_of(fragments: set[Fragment]) -> dict[UUID, tuple[int | None, int]]:
    """Number and count of phrases for each fragment; the number is None where it is no longer handed out."""
    live: dict[UUID, list[UUID]] = {}
    rows = Fragment.objects.live().filter(recording__in={fragment.recording_id for fragment in fragments})
    for recording, fragment in rows.order_by("start_s").values_list("recording_id", "pk"):
        live.setdefault(recording, []).append(fragment)
    numbers = {pk: number for of_one in live.values() for number, pk in enumerate(of_one, start=1)}
    return {fragment.pk: (numbers.get(fragment.pk), len(live.get(fragment.recording_id, []))) for fragment in fragments}
