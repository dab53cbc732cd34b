"""Sessions of participants who came back by their participant id alone: what such a session may do.

A participant of a study has an account without a password. In a new browser the id in the study's link is all that says
who comes, and ids are no secrets: platforms show them to whoever runs a study there. So such a session is worth no more
than the study's work. It reaches the study's pages, humming and the double-check (as far as the participation lets the
person review). Everywhere else it counts as signed out: no data to download, no takes to hear or to withdraw, no
account to delete, to name or to give a password to, and no takes that signing in would carry off to another account.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

BY_ID_ALONE = "by participant id alone"

# The names of the addresses where the session counts. A take tells its outcome in words; its sound is left out.
REACHED = {
    "study", "study-done", "study-now", "hum", "known-songs", "consent", "next-task", "extend-task", "skip-task",
    "know-song", "take", "take-curve", "fragment-audio", "fragment-curve", "review", "next-item", "extend-items",
    "release-item", "pass-item", "verdict", "item-audio", "item-curve", "last-verdicts", "undo-verdict",
}  # fmt: skip


def by_id_alone(request: HttpRequest) -> bool:
    session = getattr(request, "session", None)
    return session is not None and bool(session.get(BY_ID_ALONE))


class ByIdAlone:
    """Middleware: outside the study's work, who came back by the id alone is nobody."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        # The name and the cookie first: most calls need no look into the session, and some no database at all.
        if request.resolver_match.url_name in REACHED or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return
        if request.resolver_match.url_name != "healthz" and by_id_alone(request):
            request.user = AnonymousUser()
