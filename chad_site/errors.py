"""Errors of the JSON calls: one sentence that says what to do, and a code for the page's script."""

from __future__ import annotations

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    ValidationError,
)
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler


class Refused(exceptions.APIException):
    """A call that cannot be done now; says why and what to do."""

    status_code = 409

    def __init__(self, sentence: str | Promise, code: str, status: int = 409) -> None:
        super().__init__(sentence, code)
        self.status_code = status


class NotAllowed(ValueError):
    """A change of state that the rules do not allow. Its text names the present state."""


TOO_OLD = _("This page is too old for that. Load it again, then try once more.")
TOO_LARGE = _("What was sent is larger than this address takes. Please load the page again, then try once more.")
SENTENCES = {
    401: _("Please sign in first."),
    403: _("Your account may not do this."),
    404: _("There is nothing at this address for you."),
    405: _("This address does not take that kind of call."),
    429: _("That came too often from here. Please wait a while, then try again."),
}


def as_sentence(problem: Exception, context: dict) -> Response | None:
    """DRF's exception handler, answering {"error": sentence, "code": word} for every refusal."""
    if isinstance(problem, NotAllowed):
        problem = Refused(str(problem), "not_allowed")
    if isinstance(problem, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
        problem = Refused(TOO_LARGE, "too_large", 413)
    if isinstance(problem, ValidationError):
        problem = exceptions.ValidationError(problem.messages)
    response = exception_handler(problem, context)
    if response is None:
        return None
    if isinstance(problem, Refused):
        code = problem.get_codes()
        return Response({"error": str(problem.detail), "code": code}, status=response.status_code)
    signed_out = isinstance(problem, exceptions.NotAuthenticated)
    status = 401 if signed_out else response.status_code
    sentence = SENTENCES.get(status) or _first_sentence(problem)
    if status == 403 and "CSRF" in str(getattr(problem, "detail", "")):
        sentence = TOO_OLD
    if isinstance(problem, Http404 | PermissionDenied):
        code = {403: "forbidden", 404: "not_found"}[status]
    else:
        code = "invalid" if status == 400 else str(problem.get_codes())
    return Response({"error": str(sentence), "code": code}, status=status, headers=dict(response.headers))


def _first_sentence(problem: Exception) -> str:
    """The first message of a validation error, with the field that it belongs to."""
    detail = getattr(problem, "detail", str(problem))
    if isinstance(detail, dict):
        field, messages = next(iter(detail.items()))
        while isinstance(messages, dict | list) and messages:
            messages = next(iter(messages.values())) if isinstance(messages, dict) else messages[0]
        message = messages
        return f"{field}: {message}" if field != "non_field_errors" else str(message)
    return str(detail[0]) if isinstance(detail, list) else str(detail)
