"""Who searches, and a search's way in: stored before it is answered, then left as a row for a process that searches."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.base import File
from django.db import IntegrityError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from annotation.models import Search
from chad_site.errors import Refused

# Where a session holds the key of who is not signed in. It outlives signing in, so that a hum is still theirs then.
VISITOR = "visitor"
# Who calls without cookies shows the key in this header.
KEY_HEADER = "X-Search-Key"
A_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
# With so many searches waiting the next would be answered too late; it is refused at once.
MOST_OPEN = 60
# Of these so many may be of one person, or of one address of who is not signed in: a class behind one router, and the
# others still get in.
MOST_OPEN_EACH = 20

NO_KEY = _("This search key is none of ours. Leave it out, and take the one of the answer.")
ID_TAKEN = _("Another search has this id. Leave it out, or make a new one.")
EMPTY = _("The recording is empty. Check the microphone and hum it again.")
TOO_LARGE = _("A hum to search for is at most %(megabytes)d MB. Please send a shorter one.")
MANY_OF_YOURS = _("Many of your searches wait already. Please wait for their answers, and try again in some seconds.")
BUSY = _("Too many people search just now. Please try again in some seconds.")


@dataclass(frozen=True)
class Asker:
    """Whose a search is.

    Attributes:
        person: who is signed in; else None.
        visitor: the digest of a visitor's key; "" where there is none.
        new_key: the key, where it was made just now for somebody who calls without cookies.
        counted: whose searches these are by the limits, a digest; "" where nobody counts them.
    """

    person: AbstractBaseUser | None
    visitor: str
    new_key: str = ""
    counted: str = ""


def from_a_browser(request: Request) -> bool:
    """Whether our cookies came along: then a page of ours has to have sent this."""
    return not {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}.isdisjoint(request.COOKIES)


def asker_of(request: Request, *, arriving: bool = False) -> Asker:
    """Who calls; `arriving` gives a visitor without a key one.

    Raises:
        Refused: the header holds no key.
    """
    person = request.user if request.user.is_authenticated else None
    shown = request.headers.get(KEY_HEADER, "")
    if shown:
        if not A_KEY.fullmatch(shown):
            raise Refused(NO_KEY, "no_key", 400)
        return Asker(person, digest(shown))
    session = request._request.session
    if arriving and person is None:
        if not from_a_browser(request):
            key = secrets.token_urlsafe(32)
            return Asker(None, digest(key), key)
        session.setdefault(VISITOR, secrets.token_urlsafe(32))
    return Asker(person, digest(session.get(VISITOR, "")))


def digest(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest() if key else ""


@dataclass(frozen=True)
class SentSearch:
    """What came: the ids are the sender's, or None."""

    audio: File
    id: uuid.UUID | None = None
    hum: uuid.UUID | None = None
    partial: bool = False


def send(sent: SentSearch, asker: Asker) -> tuple[Search, bool]:
    """Stores a search, to be answered as soon as may be. Sending it again gives the first one: (it, whether it is new).

    Raises:
        Refused: it is empty or too large, its id is somebody else's, or too many wait already, of all or of this asker
            (status 429).
    """
    known = {"id": sent.id or uuid.uuid4(), "hum": sent.hum or uuid.uuid4()}
    before = Search.objects.filter(pk=known["id"]).first()
    if before:
        return _same(before, asker), False
    refuse_large(sent.audio.size)
    if not sent.audio.size:
        raise Refused(EMPTY, "empty", 422)
    if Search.objects.open().count() >= MOST_OPEN:
        raise Refused(BUSY, "busy", 429)
    if asker.counted and Search.objects.open().filter(asker=asker.counted).count() >= MOST_OPEN_EACH:
        raise Refused(MANY_OF_YOURS, "many_of_yours", 429)
    # A signed-in person's is theirs wherever they are; a visitor's key would give it to the next one at this browser.
    owner = {"owner": asker.person} if asker.person else {"visitor": asker.visitor}
    search = Search(**known, **owner, asker=asker.counted, partial=sent.partial, size=sent.audio.size)
    # The bytes first: a row without its bytes would be a lie, bytes without a row only take room.
    search.audio.save("hum", sent.audio, save=False)
    try:
        search.save(force_insert=True)
    except IntegrityError:
        search.audio.delete(save=False)
        return _same(Search.objects.get(pk=search.pk), asker), False
    search.supersede_older()
    Search.keep_within(settings.MOST_SEARCH_STORE_BYTES)
    return search, True


def _same(before: Search, asker: Asker) -> Search:
    if not Search.objects.of(asker.person, asker.visitor).filter(pk=before.pk).exists():
        raise Refused(ID_TAKEN, "id_taken", 409)
    return before


def refuse_large(size: int) -> None:
    if size > settings.MAX_SEARCH_BYTES:
        sentence: str | Promise = TOO_LARGE % {"megabytes": settings.MAX_SEARCH_BYTES // 1_000_000}
        raise Refused(sentence, "too_large", 413)
