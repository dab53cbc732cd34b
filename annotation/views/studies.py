"""The pages of a paid study: the welcome, the completion code, and the progress that the pages of the work show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import studies
from annotation.models import Participation, Study
from annotation.models.guests import GUEST_SESSION
from annotation.returning import BY_ID_ALONE, by_id_alone
from annotation.roles import may_review
from annotation.studies import DoorClosed, Entry, Ids
from annotation.views.account import BACKEND
from chad_site.errors import Refused

# A session by a participant id alone is for one sitting; the link opens the next one.
BY_ID_SESSION = timedelta(days=1)
NO_STUDY = _("You take part in no study at present.")


def study_of(token: str) -> Study:
    # A zero byte is no part of a token, and the database would not take it.
    return get_object_or_404(Study, token=token.replace("\0", ""))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def study(request: HttpRequest, token: str) -> HttpResponse:
    """What the study asks for, with one button; the button begins it."""
    found = study_of(token)
    try:
        if request.method == "POST":
            return begin(request, found)
        ids = Ids.read(found.platform, request.GET)
        studies.look_through_the_door(found, ids)
    except DoorClosed as door:
        return shut(request, door)
    return render(request, "study.html", {"study": found, "fields": ids.as_fields(found.platform)})


def begin(request: HttpRequest, found: Study) -> HttpResponse:
    ids = Ids.read(found.platform, request.POST)
    entry = studies.take_part(found, ids, request.user, trusted=not by_id_alone(request))
    let_in(request, entry)
    if entry.participation.complete:
        return redirect("study-done", found.token)
    return redirect("hum" if found.kind == Study.Kind.HUM else "review")


def let_in(request: HttpRequest, entry: Entry) -> None:
    """Gives the browser the session of the participation's account."""
    if entry.is_new_guest:
        login(request, entry.participation.person, backend=BACKEND)
        request.session.pop(BY_ID_ALONE, None)
        request.session.set_expiry(GUEST_SESSION)
    elif entry.by_id_alone:
        login(request, entry.participation.person, backend=BACKEND)
        request.session[BY_ID_ALONE] = True
        request.session.set_expiry(BY_ID_SESSION)


def shut(request: HttpRequest, door: DoorClosed) -> HttpResponse:
    """The page that says why not, and what to do."""
    return render(request, "study_shut.html", {"door": door}, status=door.status)


@never_cache
@require_safe
def done(request: HttpRequest, token: str) -> HttpResponse:
    """The completion code, once the work is stored; before that, what is missing."""
    found = study_of(token)
    own = Participation.objects.filter(study=found, person=request.user.pk).select_related("study").first()
    if own is None:
        return shut(request, studies.unknown_here())
    work = reverse("hum" if found.kind == Study.Kind.HUM else "review")
    back = studies.return_link(found) if own.complete else ""
    page = {"study": found, "participation": own, "done": own.done, "work_url": work, "return_link": back}
    return render(request, "study_done.html", page)


def or_to_the_code(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorates the page of the double-check: whose part in a study is done is shown the code, and not refused."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and not may_review(request.user):
            part = Participation.present_of(request.user, Study.Kind.REVIEW)
            if part and part.complete:
                return redirect("study-done", part.study.token)
        return view(request)

    return guarded


class StudyNow(APIView):
    """How far the person's part in a study has come, by what is stored."""

    class Input(serializers.Serializer):
        kind = serializers.ChoiceField(Study.Kind.choices)

    def get(self, request: Request) -> Response:
        asked = self.Input(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = Participation.present_of(request.user, asked.validated_data["kind"])
        if found is None:
            raise Refused(NO_STUDY, "no_study", 404)
        return Response(
            {
                "done": found.done,
                "pieces": found.study.pieces,
                "complete": found.complete,
                "code_url": reverse("study-done", args=[found.study.token]),
            }
        )
