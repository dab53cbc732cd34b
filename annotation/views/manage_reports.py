"""The admin's page of reports: what was said of released versions, and deciding on originals."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotation import report_list, reporting
from annotation.models import Report
from annotation.report_list import Shown
from annotation.views.pages import admin_page
from chad_site.errors import NotAllowed

REPORTS_A_PAGE = 50
MENDED, KEEP = "mended", "keep"


class DecideForm(forms.Form):
    """What became of an original that was reported."""

    report = forms.ModelChoiceField(
        Report.objects.all(), error_messages=dict.fromkeys(("required", "invalid_choice"), "There is no such report.")
    )
    decision = forms.ChoiceField(choices=[(MENDED, ""), (KEEP, "")])
    why = forms.CharField(max_length=1000, error_messages={"required": "Say what you did, or why it stays."})


@admin_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    form = DecideForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and decide(request, form):
        return redirect("reports")
    asked = request.GET.get("state", "")
    shown = asked if asked in Shown.values else Shown.OPEN.value
    page = Paginator(report_list.reports(shown).select_related("person"), REPORTS_A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "shown": shown,
        "tabs": Shown,
        "page": page,
        "reports": report_list.described(page.object_list),
        "query": f"state={shown}&" if asked else "",
        "form": form,
        "tried": request.POST.get("report", ""),
    }
    return render(request, "reports.html", context, status=422 if form.errors else 200)


def decide(request: HttpRequest, form: DecideForm) -> bool:
    """Whether it could be decided; else the form says why not."""
    asked = form.cleaned_data
    try:
        many = reporting.decide(
            asked["report"].pk, request.user, removed=asked["decision"] == MENDED, why=asked["why"].strip()
        )
    except NotAllowed as refusal:
        form.add_error(None, str(refusal))
        return False
    words = "1 report is" if many == 1 else f"{many} reports of it are"
    messages.success(request, f"{words} decided. The next release’s changelog names what was found.")
    return True
