"""What a person says of an answer, song by song; and the hum as a take of the song that was right, if they give it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import File
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import taking
from annotation.models import Consent, Search, SearchMark, Slot
from annotation.search_answers import Place, fragment_at, places_of
from chad_site.errors import Refused
from recordings.models import Fragment, Humming
from recordings.storage import sha256_of

TAKEN_BACK = "Its singer did not want the hum to be kept after all."

NOT_YET = _("This search has no answer yet. Mark the song when it is there.")
NOT_FOUND = _("This song is not in the answer of that search.")
KEPT = _("Thank you. Your hum is kept; the automatic check listens to it soon.")
NO_FRAGMENT = _("Your word is kept. The hum is not: no phrase of the song that is collected lies there.")
HUMMED_BEFORE = _("Your word is kept. You have hummed this phrase already: that take stays, and this hum goes.")
HUM_GONE = _("Your word is kept. The hum is not: hums are deleted after an hour.")
NO_TAKE = _("Your word is kept. The hum is not: %(why)s")


@dataclass(frozen=True)
class Marked:
    """What came of a word on a song: the mark (None where it was taken back), and what became of the hum, in words."""

    mark: SearchMark | None
    sentence: str | Promise = ""
    is_kept: bool = False


@transaction.atomic
def mark(search: Search, song_id: UUID, right: bool | None, *, keep: bool, person: AbstractBaseUser | None) -> Marked:
    """A person's word on one song of their answer; None takes it back. Saying it twice is saying it once.

    With `keep`, the hum of a song that is right becomes a take of that song's fragment, and is checked as any other. It
    is withdrawn where the word is changed, or given to another song.

    Raises:
        Refused: there is no answer yet, the song is not in it, or who wants the hum to be kept has not agreed to that.
    """
    # In this order: whoever deletes the account begins with the person, too.
    if person is not None:
        get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
    search = Search.objects.select_for_update(of=("self",)).get(pk=search.pk)
    place = _place_of_song(search, song_id)
    singer = _who_gives_it(person) if keep and right else None
    fragment = fragment_at(place, place.recording.fragments.live()) if singer else None
    kept = list(Humming.objects.counting().filter(found_by__search=search))
    Slot.lock(*{take.fragment_id for take in kept}, *([fragment.pk] if fragment else []))
    stays = next((take for take in kept if singer and take.found_by.filter(song=song_id).exists()), None)
    for take in kept:
        if take != stays:
            taking.withdraw(take, take.singer, why=TAKEN_BACK)
    if right is None:
        search.marks.filter(song=song_id).delete()
        return Marked(None)
    marked, _is_new = SearchMark.objects.update_or_create(search=search, song_id=song_id, defaults={"right": right})
    if singer is None:
        return Marked(marked)
    return Marked(marked, KEPT, is_kept=True) if stays else _keep(marked, search, place, fragment, singer)


def _place_of_song(search: Search, song_id: UUID) -> Place:
    if search.state != Search.State.DONE:
        raise Refused(NOT_YET, "not_yet", 409)
    for place in places_of(search):
        if place.recording.song_id == song_id:
            return place
    raise Refused(NOT_FOUND, "not_found", 404)


def _who_gives_it(person: AbstractBaseUser | None) -> AbstractBaseUser:
    if person is None or not Consent.given_by(person):
        raise Refused(taking.CONSENT_FIRST, "consent_first", 403)
    return person


def _keep(
    marked: SearchMark, search: Search, place: Place, fragment: Fragment | None, singer: AbstractBaseUser
) -> Marked:
    """The hum as a take; where it cannot be one the mark is kept alone, and the sentence says why."""
    if search.owner_id is None:
        # Signed in since: what they give is theirs, to be taken along and to be deleted.
        search.owner = singer
        search.save(update_fields=["owner"])
    if fragment is None:
        return Marked(marked, NO_FRAGMENT)
    if not search.audio:
        return Marked(marked, HUM_GONE)
    Slot.lay_out()
    try:
        with search.audio.open() as stored:
            marked.humming = taking.save_found(_take(search, place, stored), fragment, singer)
    except FileNotFoundError:
        return Marked(marked, HUM_GONE)
    except taking.TakeRefused as refusal:
        why = HUMMED_BEFORE if refusal.code == "hummed_already" else NO_TAKE % {"why": refusal}
        return Marked(marked, why)
    marked.save(update_fields=["humming"])
    return Marked(marked, KEPT, is_kept=True)


def _take(search: Search, place: Place, audio: File) -> taking.SentTake:
    told = {name: place.told[name] for name in ("start_s", "end_s", "tempo_ratio", "transposition", "probability")}
    capture = {"from": "search", "search": str(search.pk), "mode": "after", "found": told}
    return taking.SentTake(uuid.uuid4(), audio, sha256_of(audio), capture)
