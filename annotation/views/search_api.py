"""Hum, and find the song: the public calls. Whoever sent a search sees it, and nobody else.

Signed in, that is the person; in a browser without an account the session; else who shows the key that came with the
first answer.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from annotation import limits, search_answers, search_marks, searching
from annotation.models import Search
from annotation.models.searches import PATIENCE
from annotation.views.search_schema import (
    CurvesShown,
    MarkAnswer,
    MarkSent,
    Problem,
    SearchAsked,
    SearchSent,
    SearchShown,
)
from chad_site.celery import nudge, nudge_searches
from chad_site.errors import Refused
from recordings import media

log = logging.getLogger("chad.searches")

# Questions of one process that wait at the same time; the others are answered at once. Its other threads are left for
# everybody else (chad_site/supervisor/children.py says how many it has).
MOST_WAITING = 16
# A question that waits alone looks this often; of several each the less often, so that together they cost no more.
LOOK_EVERY_S = 0.05
# Form fields beside the audio of an upload, bytes.
FORM_BYTES = 200_000
# Who finds the queue full may come again after this, seconds.
BUSY_FOR_S = 5
# Simple clients read an answer only when they have sent everything. So of an upload that is refused the rest is read,
# up to so many times the largest that is taken, in blocks of so many bytes and for so many seconds.
MOST_DRAINED, BLOCK, DRAINED_S = 2, 2**16, 10.0

NO_LENGTH = _("How long this upload is was not said. Send it with a Content-Length, and not in chunks.")
WITH_COOKIES = _(
    "This page is too old for that. Load it again, then try once more. (A program sends no cookies, or the one named "
    "csrftoken as X-CSRFToken, too.)"
)


class WaitingPlaces:
    """Who waits in this process: so many at most."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[bool]:
        """A place for as long as this lasts; False where there is none left."""
        with self._lock:
            is_free = self.taken < self.places
            self.taken += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self.taken -= is_free

    def look_again_s(self) -> float:
        """After how many seconds each of those who wait looks again."""
        return LOOK_EVERY_S * max(1, self.taken)


waiting = WaitingPlaces(MOST_WAITING)

KEY = OpenApiParameter(
    searching.KEY_HEADER, str, OpenApiParameter.HEADER, description="Who calls without cookies shows the key here."
)
NOT_YOURS = OpenApiResponse(Problem, "There is no such search of yours.")
TOO_OFTEN = OpenApiResponse(Problem, "Too often, or too many people search: again after Retry-After seconds.")


class OpenCall(APIView):
    """A call that everybody may make. What a browser sends has to come from a page of ours."""

    permission_classes = [AllowAny]
    throttle_classes: list[type[BaseThrottle]] = [limits.SearchCalls]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Of who is signed in the authentication has asked it already.
        is_unsafe = request.method not in SAFE_METHODS
        if is_unsafe and not request.user.is_authenticated and searching.from_a_browser(request):
            SessionAuthentication().enforce_csrf(request)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, PermissionDenied) and str(exc.detail).startswith("CSRF"):
            exc = Refused(WITH_COOKIES, "permission_denied", 403)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if response.status_code >= 400:
            drain(request._request)
        return super().finalize_response(request, response, *args, **kwargs)


def drain(request: HttpRequest) -> None:
    """Reads what was sent and not read yet, within limits, so that who sends it reads the answer."""
    most = MOST_DRAINED * settings.MAX_SEARCH_BYTES
    if comes_in_chunks(request):
        # Only a server that ends them itself may be asked for chunks.
        stream = request.META["wsgi.input"] if request.META.get("wsgi.input_terminated") else None
    else:
        stream = request if int(request.META.get("CONTENT_LENGTH") or 0) <= most else None
    until = time.monotonic() + DRAINED_S
    try:
        while stream and most > 0 and time.monotonic() < until and (block := stream.read(BLOCK)):
            most -= len(block)
    except OSError:
        log.info("Who sent a refused upload left before its end.")


def comes_in_chunks(request: HttpRequest) -> bool:
    """Whether an upload comes without its length; Django reads nothing of such a one."""
    return "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH")


def own_search(request: Request, search_id: UUID) -> tuple[Search, searching.Asker]:
    """The search of who calls; 404 of anybody else's."""
    asker = searching.asker_of(request)
    return get_object_or_404(Search.objects.of(asker.person, asker.visitor), pk=search_id), asker


class Nowhere(OpenCall):
    """Whatever else is asked for beside these calls: it is told like every refusal, and not by a page."""

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise Http404(f"There is no call at {request.path}.")

    options = http_method_not_allowed


class Searches(OpenCall):
    parser_classes = [MultiPartParser]
    throttle_classes = [limits.Searches]

    @extend_schema(
        operation_id="search",
        summary="Send a hum",
        description="Stores a hum to be searched for; the answer follows with a GET of its address, in about a second.",
        parameters=[KEY],
        request={"multipart/form-data": SearchSent},
        responses={
            **dict.fromkeys((200, 201), SearchShown),
            **dict.fromkeys((400, 403, 411, 413, 422), Problem),
            429: TOO_OFTEN,
        },
    )
    def post(self, request: Request) -> Response:
        # Before anything is read.
        if comes_in_chunks(request._request):
            raise Refused(NO_LENGTH, "no_length", 411)
        searching.refuse_large(int(request.META.get("CONTENT_LENGTH") or 0) - FORM_BYTES)
        sent = SearchSent(data=request.data)
        sent.is_valid(raise_exception=True)
        counted = limits.digest(str(limits.Searches().key(request)))
        asker = replace(searching.asker_of(request, arriving=True), counted=counted)
        try:
            search, is_new = searching.send(searching.SentSearch(**sent.validated_data), asker)
        except Refused as refusal:
            if refusal.status_code != 429:
                raise
            told = {"error": str(refusal.detail), "code": refusal.get_codes()}
            return Response(told, status=429, headers={"Retry-After": str(BUSY_FOR_S)})
        if is_new:
            nudge_searches()
        described = search_answers.describe(search, asker.person) | ({"key": asker.new_key} if asker.new_key else {})
        headers = {"Location": reverse("search", args=[search.pk])}
        return Response(described, status=201 if is_new else 200, headers=headers)


class OneSearch(OpenCall):
    @extend_schema(
        operation_id="answer",
        summary="The answer to a hum",
        description="`state` goes from waiting and searching to done, or to refused: then `sentence` says why.",
        parameters=[KEY, SearchAsked],
        responses={200: SearchShown, 404: NOT_YOURS, 429: TOO_OFTEN},
    )
    def get(self, request: Request, search_id: UUID) -> Response:
        asked = SearchAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        search, asker = own_search(request, search_id)
        search = answered(search, asked.validated_data["wait"])
        return Response(search_answers.describe(search, asker.person), headers={"Cache-Control": "no-store"})


def answered(search: Search, wait_s: float) -> Search:
    """The search as it is at the latest after so many seconds; one that nobody answers is refused in the end."""
    if search.is_open and wait_s > 0 and math.isfinite(wait_s):
        until = time.monotonic() + wait_s
        with waiting.one() as may_wait:
            while may_wait and search.is_open and time.monotonic() < until:
                time.sleep(waiting.look_again_s())
                search = get_object_or_404(Search, pk=search.pk)
    if search.is_open and search.created_at < timezone.now() - PATIENCE:
        Search.refuse_hopeless()
    return get_object_or_404(Search, pk=search.pk)


class Curves(OpenCall):
    @extend_schema(
        operation_id="curves",
        summary="Both curves",
        description="The hum over the song around the place, in the song's key and on its clock. Kept for an hour.",
        parameters=[KEY],
        responses={200: CurvesShown, 404: NOT_YOURS, 429: TOO_OFTEN},
    )
    def get(self, request: Request, search_id: UUID, rank: int) -> Response:
        search, _asker = own_search(request, search_id)
        return Response(search_answers.curves(search, search_answers.place_of(search, rank)))


class Listen(OpenCall):
    @extend_schema(
        operation_id="listen",
        summary="The song from there on",
        description="About 15 seconds of the recording as FLAC, where it may be played to you.",
        parameters=[KEY],
        responses={(200, "audio/flac"): bytes, 404: NOT_YOURS, 429: TOO_OFTEN},
    )
    def get(self, request: Request, search_id: UUID, rank: int) -> HttpResponseBase:
        search, asker = own_search(request, search_id)
        place = search_answers.place_of(search, rank)
        if not search_answers.may_hear(place.recording, asker.person):
            raise Http404(f"{place.recording} may not be played to who is not signed in.")
        return media.interval_audio(place.recording, place.start_s, place.start_s + search_answers.PLAYED_S)


class Mark(OpenCall):
    @extend_schema(
        operation_id="mark",
        summary="Say whether a song is the one",
        description="May be changed, and taken back with null. The hum is kept for the dataset only if you say so.",
        parameters=[KEY],
        request=MarkSent,
        responses={200: MarkAnswer, 403: Problem, 404: NOT_YOURS, 409: Problem, 429: TOO_OFTEN},
    )
    def post(self, request: Request, search_id: UUID) -> Response:
        search, asker = own_search(request, search_id)
        sent = MarkSent(data=request.data)
        sent.is_valid(raise_exception=True)
        said = sent.validated_data
        marked = search_marks.mark(search, said["song"], said["right"], keep=said["keep"], person=asker.person)
        if marked.is_kept:
            nudge()
        described = search_answers.describe(search, asker.person)
        return Response({"marked": described["marked"], "kept": marked.is_kept, "sentence": str(marked.sentence)})
