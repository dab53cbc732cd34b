"""How often one person, one address or one name may call: one counter for all web processes, a row of the database.

Each key has one moment, `free_at`: every call moves it on by period / calls, and a call that would move it further than
one period ahead is refused. So `calls` may come at once, and then one every period / calls. One statement reads and
moves it, under the row's lock: of any number of parallel calls exactly `calls` get through.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    # rest_framework.views loads this module by its name in the settings.
    from rest_framework.views import APIView

log = logging.getLogger("chad.limits")

PERIODS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "day": 86_400}
RATE = re.compile(r"(?P<calls>\d+)/(?P<many>\d*)(?P<period>[a-z]+)")

CALL = """
INSERT INTO annotation_limit AS mine (key, free_at) VALUES (%(key)s, clock_timestamp() + %(step)s * interval '1 second')
ON CONFLICT (key) DO UPDATE
    SET free_at = greatest(mine.free_at, clock_timestamp()) + %(step)s * interval '1 second'
    WHERE greatest(mine.free_at, clock_timestamp()) + %(step)s * interval '1 second'
        <= clock_timestamp() + (%(period)s + %(step)s / 2) * interval '1 second'
RETURNING key
"""
WAIT = """
SELECT extract(epoch FROM free_at - clock_timestamp())::float + %(step)s - %(period)s
FROM annotation_limit WHERE key = %(key)s
"""


@dataclass(frozen=True)
class Rate:
    """So many calls in a period."""

    calls: int
    period_s: int

    @classmethod
    def read(cls, text: str) -> Rate | None:
        """From "60/hour" or "20/10min"; None for "off"."""
        if text.strip().lower() == "off":
            return None
        found = RATE.fullmatch(text.strip().lower())
        if not found or found["period"] not in PERIODS or not int(found["calls"]) or found["many"] == "0":
            raise ImproperlyConfigured(f"A limit reads like 60/hour, 20/10min or off, not “{text}”.")
        return cls(int(found["calls"]), int(found["many"] or 1) * PERIODS[found["period"]])


for written in settings.LIMITS.values():
    Rate.read(written)  # a slip in the environment is told at the start, not to the first who calls


def wait_s(scope: str, key: object) -> float:
    """Counts one call: 0 where it may go on, else the seconds after which it may.

    Where the counters cannot be reached nobody is kept out: a limit is no reason to take a page down.
    """
    rate = Rate.read(settings.LIMITS[scope])
    if rate is None:
        return 0.0
    values = {"key": f"{scope}:{key}", "step": rate.period_s / rate.calls, "period": rate.period_s}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(CALL, values)
            if cursor.fetchone():
                return 0.0
            cursor.execute(WAIT, values)
            found = cursor.fetchone()
    except DatabaseError:
        log.exception("The limit of %s could not be counted; the call goes on.", scope)
        return 0.0
    return max(1.0, found[0]) if found else 0.0


def refuse_beyond(scope: str, key: object) -> None:
    """For JSON calls: 429 with Retry-After beyond the limit."""
    wait = wait_s(scope, key)
    if wait:
        raise Throttled(wait)


def forget(expired_only: bool = True) -> None:
    """Deletes counters: those that hold nobody back any more, or all."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM annotation_limit" + (" WHERE free_at < clock_timestamp()" if expired_only else ""))


# --- who is counted


def address_of(request: HttpRequest | Request) -> str:
    """Where a call comes from. Of IPv6 the network: one house has as many addresses as it likes."""
    told = BaseThrottle().get_ident(request)
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return digest(told)
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address if address.version == 4 else ipaddress.ip_network(f"{address}/64", strict=False))


def digest(name: str) -> str:
    """A name from outside as a key: as it is compared, and none of its letters."""
    return hashlib.sha256(unicodedata.normalize("NFKC", name).casefold().encode(errors="replace")).hexdigest()[:32]


# --- JSON calls


class PersonLimit(BaseThrottle):
    """A limit of a signed-in person's calls; strangers are let through, as the calls refuse them."""

    scope = "calls"
    waits_s = 0.0

    def key(self, request: Request) -> object | None:
        return request.user.pk if request.user.is_authenticated else None

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = self.key(request)
        self.waits_s = 0.0 if key is None else wait_s(self.scope, key)
        return not self.waits_s

    def wait(self) -> float:
        return self.waits_s


class Calls(PersonLimit):
    """Every call of a person."""


class Tasks(PersonLimit):
    """How many humming tasks a person may ask for."""

    scope = "tasks"


class Verdicts(PersonLimit):
    scope = "verdicts"


class OpenLimit(PersonLimit):
    """A limit of calls that are open to everybody: by person, and by address of who is not signed in."""

    def key(self, request: Request) -> object:
        return super().key(request) or address_of(request)


class Searches(OpenLimit):
    """How many hums one person, or one address, may search for."""

    scope = "searches"


class SearchCalls(OpenLimit):
    """Every other call about searches."""

    scope = "search-calls"


class Reports(OpenLimit):
    """How often one person, or one address, may say that a released version is wrong."""

    scope = "reports"


class NewGuests(PersonLimit):
    """How many guests may arrive from one address: a school behind one router, not a script."""

    scope = "guests"

    def key(self, request: Request) -> object | None:
        return None if request.user.is_authenticated else address_of(request)


# --- pages


def too_often(request: HttpRequest, wait: float) -> HttpResponse:
    """The page that says how long to wait."""
    seconds = math.ceil(wait)
    response = render(request, "429.html", {"wait": wait_in_words(seconds)}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def wait_in_words(seconds: int) -> str:
    if seconds < 90:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


View = Callable[..., Any]


def limited(*scopes: tuple[str, Callable[[HttpRequest], object]]) -> Callable[[View], View]:
    """Decorates a page whose forms are counted: each scope with whom it counts. Reading the page is free."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method == "POST":
                wait = max(wait_s(scope, key_of(request)) for scope, key_of in scopes)
                if wait:
                    return too_often(request, wait)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def name_tried(request: HttpRequest) -> str:
    """The name as the form reads it, without spaces around: with them it is no other name."""
    return digest(request.POST.get("username", "").strip())


# Guessing passwords: many names from one address, or one name from many addresses. The second limit has to be far above
# the first: whoever it refuses is kept out with the right password too, and one address must not do that to another.
sign_ins = limited(("sign-in-address", address_of), ("sign-in-name", name_tried))
sign_ups = limited(("sign-up", address_of))
study_starts = limited(("study", address_of))
