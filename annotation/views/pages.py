"""The pages of singers and reviewers. What they show live comes from the JSON calls beside this file."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required, user_passes_test
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from annotation import figures, take_words
from annotation.handing_out import songs_to_know
from annotation.models import Consent
from annotation.models.consent import CONSENT_SINCE, CONSENT_TEXT, CONSENT_VERSION
from annotation.models.verdicts import Reason
from annotation.roles import Person, may_review

TAKES_A_PAGE = 30
SONGS_A_PAGE = 50


def reviewers_only(person: Person) -> bool:
    """For user_passes_test: sends strangers to sign in, and refuses who is signed in but no reviewer."""
    if not person.is_authenticated:
        return False
    if not may_review(person):
        raise PermissionDenied
    return True


def admins_only(person: Person) -> bool:
    """The same for pages of admins."""
    if not person.is_authenticated:
        return False
    if not person.is_staff:
        raise PermissionDenied
    return True


admin_page = user_passes_test(admins_only)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    totals = figures.totals()
    return render(request, "home.html", {"growth": figures.growth(), "growth_words": growth_in_words(totals)})


def growth_in_words(totals: dict[str, int]) -> str:
    """The collection's size in one sentence, and what is to be done while it has none."""
    if totals["takes"]:
        parts = {
            "hums": ngettext("%(n)d hum", "%(n)d hums", totals["takes"]) % {"n": totals["takes"]},
            "phrases": ngettext("%(n)d phrase", "%(n)d phrases", totals["fragments"]) % {"n": totals["fragments"]},
            "songs": ngettext("%(n)d song", "%(n)d songs", totals["songs"]) % {"n": totals["songs"]},
        }
        return _("%(hums)s of %(phrases)s in %(songs)s so far.") % parts
    if totals["songs"]:
        waits = ngettext(
            "%(n)d song waits for a first hum. It may be yours.",
            "%(n)d songs wait for a first hum. It may be yours.",
            totals["songs"],
        )
        return waits % {"n": totals["songs"]}
    return _("The first songs are being prepared. Look in again in a minute.")


@ensure_csrf_cookie
@never_cache
@require_safe
def hum(request: HttpRequest) -> HttpResponse:
    """For everyone: who is not signed in becomes a guest by agreeing."""
    return render(request, "hum.html", {"consent": consent_for(request.user)})


@ensure_csrf_cookie
@never_cache
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """For everyone, without agreeing: only who gives a hum to the collection is asked."""
    return render(request, "find.html", {"consent": consent_for(request.user)})


def consent_for(person: Person) -> dict[str, Any]:
    """The text to agree to, whether this person has yet to, and their older agreement where they have one."""
    agreed = person.is_authenticated and Consent.given_by(person)
    before = Consent.latest_of(person) if person.is_authenticated and not agreed else None
    text = {"text": CONSENT_TEXT, "version": CONSENT_VERSION, "since": CONSENT_SINCE}
    return text | {"needed": not agreed, "before": before}


@login_required
@never_cache
@require_safe
def takes(request: HttpRequest) -> HttpResponse:
    page = Paginator(take_words.takes_of(request.user), TAKES_A_PAGE).get_page(request.GET.get("page"))
    own = take_words.in_words(page.object_list)
    return render(request, "takes.html", {"page": page, "takes": own, "progress": figures.progress_of(request.user)})


@login_required
@never_cache
@require_safe
def known_songs(request: HttpRequest) -> HttpResponse:
    """Which songs the person knows, by their own word: those are handed out first."""
    words = request.GET.get("q", "").replace("\0", "").strip()
    page = Paginator(songs_to_know(request.user, words), SONGS_A_PAGE).get_page(request.GET.get("page"))
    query = f"{urlencode({'q': words})}&" if words else ""
    seen = {"page": page, "songs": page.object_list, "q": words, "query": query}
    return render(request, "known_songs.html", seen)


@user_passes_test(reviewers_only)
@never_cache
@require_safe
def review(request: HttpRequest) -> HttpResponse:
    reasons = {
        kind: [{"code": reason.value, "label": str(reason.label)} for reason in Reason.of_kind(kind)]
        for kind in ("hum", "cover")
    }
    return render(request, "review.html", {"reasons": reasons})
