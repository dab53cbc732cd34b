"""Rounds of the loop: the page of all, and the page of one."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.views.pages import admin_page
from ml_worker import round_plots, round_words, rounds_page
from ml_worker.models import Job, Round


@admin_page
@never_cache
@require_safe
def rounds(request: HttpRequest) -> HttpResponse:
    """What runs or can go on, the figures of all rounds, and the poster's table."""
    told = rounds_page.as_shown()
    latest = Round.objects.first()
    is_open = latest is not None and latest.state == Round.State.OPEN
    now = latest if latest and (is_open or latest.state in Round.INTERRUPTED) else None
    return render(
        request,
        "rounds.html",
        {
            "now": round_words.shown(now) if now else None,
            "job": job_of(now),
            "is_open": is_open,
            "rounds": told["rounds"],
            "plots": round_plots.plots(told["figures"]),
            "poster": told["poster"],
            "schedule": told["schedule"],
            "materials": round_words.MATERIAL_WORDS,
        },
    )


@admin_page
@never_cache
@require_safe
def round(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """One round: its decision, and each of its steps."""
    row = get_object_or_404(Round.objects.prefetch_related("steps"), pk=round_id)
    is_open = row.state == Round.State.OPEN
    return render(request, "round.html", {"round": round_words.shown(row), "job": job_of(row), "is_open": is_open})


def job_of(round: Round | None) -> Job | None:
    """The job that is at an open round, or waits to be."""
    if round is None or round.state != Round.State.OPEN:
        return None
    return Job.objects.open().filter(kind=Job.Kind.ROUND, subject=str(round.pk)).first()
