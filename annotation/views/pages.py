"""The pages of singers and reviewers. What they show live comes from the JSON calls beside this file."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required, user_passes_test
from django.contrib.auth.forms import UserCreationForm
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation import figures, take_words
from annotation.models import Consent
from annotation.models.consent import CONSENT_TEXT, CONSENT_VERSION
from annotation.models.review import Reason
from annotation.roles import Person, may_review

TAKES_A_PAGE = 30


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


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html", {"growth": figures.growth(), "totals": figures.totals()})


class SignUpForm(UserCreationForm):
    """Django's form, with helps in our words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].help_text = "Letters, digits and . _ - + @, without spaces."
        self.fields["password1"].help_text = "At least 8 characters, and nothing that everybody would guess."
        self.fields["password2"].help_text = ""


def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    wished = request.POST.get("next") or request.GET.get("next", "")
    inside = url_has_allowed_host_and_scheme(wished, allowed_hosts={request.get_host()})
    if request.method == "POST" and form.is_valid():
        login(request, form.save(), backend="django.contrib.auth.backends.ModelBackend")
        return redirect(wished if inside else "hum")
    return render(request, "registration/sign_up.html", {"form": form, "next": wished if inside else ""})


@login_required(login_url="sign-up")
@never_cache
@require_safe
def hum(request: HttpRequest) -> HttpResponse:
    consent = {"text": CONSENT_TEXT, "version": CONSENT_VERSION, "needed": not Consent.given_by(request.user)}
    return render(request, "hum.html", {"consent": consent})


@login_required
@never_cache
@require_safe
def takes(request: HttpRequest) -> HttpResponse:
    page = Paginator(take_words.takes_of(request.user), TAKES_A_PAGE).get_page(request.GET.get("page"))
    own = take_words.in_words(page.object_list)
    return render(request, "takes.html", {"page": page, "takes": own, "progress": figures.progress_of(request.user)})


@user_passes_test(reviewers_only)
@never_cache
@require_safe
def review(request: HttpRequest) -> HttpResponse:
    reasons = {
        kind: [{"code": reason.value, "label": str(reason.label)} for reason in Reason.of_kind(kind)]
        for kind in ("hum", "cover")
    }
    return render(request, "review.html", {"reasons": reasons})
