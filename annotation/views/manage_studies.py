"""The admin's pages of studies: making one, closing it, who took part, and the list for paying."""

from __future__ import annotations

import io
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotation.models import Study
from annotation.studies import CONVENTIONS, write_payments
from annotation.views.pages import admin_page

PARTICIPANTS_A_PAGE = 100
MOST_PIECES, MOST_PLACES = 500, 100_000


PIECES_HELP = (
    "How many hums, each of another phrase, or verdicts complete it. Answers to control items count as verdicts, and a "
    "new participant begins with those."
)


class StudyForm(forms.ModelForm):
    class Meta:
        model = Study
        fields = ("name", "kind", "platform", "pieces", "places")
        help_texts = {"name": "For you alone; participants do not see it."}

    kind = forms.ChoiceField(choices=Study.Kind.choices, initial=Study.Kind.HUM)
    platform = forms.ChoiceField(choices=Study.Platform.choices, initial=Study.Platform.PROLIFIC)
    pieces = forms.IntegerField(min_value=1, max_value=MOST_PIECES, initial=10, help_text=PIECES_HELP)
    places = forms.IntegerField(
        min_value=1, max_value=MOST_PLACES, initial=100, help_text="How many people may take part"
    )


class PlacesForm(forms.Form):
    places = forms.IntegerField(min_value=1, max_value=MOST_PLACES)


def link_of(request: HttpRequest, study: Study) -> str:
    """What is given to the platform: the address with the platform's own placeholders."""
    address = request.build_absolute_uri(f"/study/{study.token}/")
    return f"{address}?{CONVENTIONS[Study.Platform(study.platform)].link}"


@admin_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def studies(request: HttpRequest) -> HttpResponse:
    form = StudyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.created_by = request.user
        made = form.save()
        messages.success(request, f"The study “{made.name}” is open. Copy its link to the platform.")
        return redirect("manage-study", made.pk)
    taking_part = Count("participations")
    complete = Count("participations__completed_at")
    rows = Study.objects.annotate(taking_part=taking_part, complete=complete)
    status = 422 if request.method == "POST" else 200
    return render(request, "studies.html", {"studies": rows, "form": form}, status=status)


@admin_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def study(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """One study and its participants; `act` closes it, opens it again, or changes its places."""
    found = get_object_or_404(Study, pk=study_id)
    if request.method == "POST":
        act(request, found)
        return redirect("manage-study", found.pk)
    participants = found.participations.with_work().order_by("-started_at", "pk")
    page = Paginator(participants, PARTICIPANTS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "manage_study.html", {"study": found, "link": link_of(request, found), "page": page})


def act(request: HttpRequest, found: Study) -> None:
    wished = request.POST.get("act")
    form = PlacesForm(request.POST)
    if wished == "close":
        found.close()
        messages.success(request, "The study is closed. Who has begun may finish within a day.")
    elif wished == "open":
        found.open_again()
        messages.success(request, "The study is open again.")
    elif wished == "places" and form.is_valid():
        Study.objects.filter(pk=found.pk).update(places=form.cleaned_data["places"])
        messages.success(request, f"It has {form.cleaned_data['places']} places now.")
    else:
        messages.error(request, f"Nothing was changed: places are a number from 1 to {MOST_PLACES}.")


@admin_page
@never_cache
@require_safe
def payments(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Who is to be paid for what, as CSV."""
    found = get_object_or_404(Study, pk=study_id)
    file = io.StringIO(newline="")
    write_payments(found, file)
    name = f"{slugify(found.name) or 'study'}-payments.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)
