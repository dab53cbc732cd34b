"""The admin's pages of the double-check: its figures, the items, one item, one reviewer."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation.double_check import agreement, desk, item_list, item_page, reviewer_page
from annotation.double_check.item_list import MOST_PAGES, Shown, Wish
from annotation.models import ReviewItem
from annotation.models.reviewers import Reviewer
from annotation.views.pages import admin_page

# So many reviewers in the table until all are asked for; of more than the most the API has the others.
REVIEWERS_FIRST = 12
REVIEWERS_MOST = 300


@admin_page
@never_cache
@require_safe
def double_check(request: HttpRequest) -> HttpResponse:
    with_simulated = request.GET.get("simulated") != "0"
    found = agreement.cached(with_simulated)
    everybody = found["per_reviewer"]
    context = {
        "found": found,
        "people": everybody[: REVIEWERS_MOST if "all" in request.GET else REVIEWERS_FIRST],
        "everybody": len(everybody),
        "all_asked": "all" in request.GET,
        "weeks": found["per_week"],
        "points": [point for point in map(as_point, everybody[:REVIEWERS_MOST]) if point],
    }
    return render(request, "double_check.html", context)


def as_point(person: dict) -> dict | None:
    """A reviewer in the picture of reliability, once they were measured."""
    if person["measured_at"] is None:
        return None
    names = ("name", "accepts_good", "rejects_bad", "verdicts", "standing")
    return {name: person[name] for name in names}


@admin_page
@never_cache
@require_safe
def review_items(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "").replace("\0", "").strip() for name in ("state", "q", "reviewer", "kind")}
    some_disputed = ReviewItem.objects.filter(state=ReviewItem.State.DISPUTED).exists()
    first = Shown.DISPUTED if some_disputed else Shown.WAITING
    shown = asked["state"] if asked["state"] in Shown.values else first.value
    wish = Wish(shown, asked["q"], asked["reviewer"], asked["kind"])
    number = page_number(request)
    items, has_more = item_list.page_of(wish, number)
    narrowed = {name: value for name, value in asked.items() if value and name != "state"}
    context = {
        "wish": wish,
        "tabs": item_list.tabs(shown),
        "explained": item_list.EXPLAINED[Shown(shown)],
        "rows": item_list.described(items),
        "kinds": item_list.Kind,
        "number": number,
        "has_more": has_more and number < MOST_PAGES,
        "is_cut": has_more and number == MOST_PAGES,
        "query": f"{urlencode({'state': shown} | narrowed)}&",
        "narrowed": f"&{urlencode(narrowed)}" if narrowed else "",
    }
    return render(request, "review_items.html", context)


def page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "1")
    return min(MOST_PAGES, max(1, int(asked))) if asked.isdecimal() and len(asked) < 9 else 1


@admin_page
@never_cache
@require_safe
def review_item(request: HttpRequest, item_id: UUID) -> HttpResponse:
    item = get_object_or_404(ReviewItem.objects.select_related(*desk.WITH_ALL, "overruled_by", "leased_to"), pk=item_id)
    return render(request, "review_item.html", item_page.shown(item))


@admin_page
@never_cache
@require_safe
def reviewer(request: HttpRequest, reviewer_id: UUID) -> HttpResponse:
    found = get_object_or_404(Reviewer.objects.select_related("person"), pk=reviewer_id)
    return render(request, "reviewer.html", reviewer_page.shown(found))
