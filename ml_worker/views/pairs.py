"""Mined pairs: the page of one with its picture, and the list of those in which something is odd."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from rest_framework.request import Request
from rest_framework.views import APIView

from annotation.roles import IsAdmin
from annotation.views.pages import admin_page
from ml_worker import pairs_page, song_page
from ml_worker.models import MinedPair
from recordings import media

PAIRS_A_PAGE = 30
# Of those that are kept, the latest.
KEPT_LISTED = 20


@admin_page
@never_cache
@require_safe
def pairs(request: HttpRequest) -> HttpResponse:
    """Duplicates and covers that share nothing with their song, to be looked at; and those that are kept."""
    page = Paginator(pairs_page.to_look_at(), PAIRS_A_PAGE).get_page(request.GET.get("page"))
    odd = [pairs_page.ShownPair(row) for row in page.object_list]
    kept = [pairs_page.ShownPair(row) for row in pairs_page.kept()[:KEPT_LISTED]]
    any_mined = bool(odd or kept) or MinedPair.objects.exists()
    return render(request, "pairs.html", {"page": page, "odd": odd, "kept": kept, "any": any_mined})


@admin_page
@never_cache
@require_safe
def pair(request: HttpRequest, pair_id: int) -> HttpResponse:
    """The picture of one pair, and what mining saw of it."""
    shown = get_object_or_404(pairs_page.with_names(MinedPair.objects.all()), pk=pair_id)
    picture, fragments = pairs_page.picture_of(shown), pairs_page.fragments_of(shown)
    names = {
        pk: name
        for song in {shown.original.song, shown.cover.song}
        for pk, name in song_page.names_of(list(song_page.in_order(song))).items()
    }
    against = names[shown.original_id]
    return render(
        request,
        "pair.html",
        {
            "pair": shown,
            "song": shown.original.song,
            "cover_name": names[shown.cover_id],
            "against": against,
            "words": shown.in_words("the original" if against == "Original" else against),
            "seen": pairs_page.what_was_seen(shown, picture, fragments),
            "transposition": pairs_page.semitones(shown.transposition),
            "fragments": fragments,
            "states": pairs_page.STATE_WORDS,
            "drawn": pairs_page.as_drawn(shown, picture, fragments) if picture else None,
        },
    )


@admin_page
@require_POST
def keep(request: HttpRequest, pair_id: int) -> HttpResponse:
    """A person has looked at an odd pair, and keeps it."""
    kept = get_object_or_404(MinedPair.objects.odd(), pk=pair_id)
    kept.keep(request.user)
    messages.success(request, "Kept as it is. It stands below, where that can be taken back.")
    return redirect("pairs")


@admin_page
@require_POST
def look_again(request: HttpRequest, pair_id: int) -> HttpResponse:
    """Takes the keeping back."""
    kept = get_object_or_404(MinedPair.objects.odd(), pk=pair_id)
    kept.look_again()
    messages.success(request, "Taken back: it is to be looked at again.")
    return redirect("pairs")


class PairMap(APIView):
    """The correlation map of a pair, as a mask: see `pairs_page.as_png`."""

    permission_classes = [IsAdmin]

    def get(self, request: Request, pair_id: int) -> HttpResponseBase:
        picture = pairs_page.picture_of(get_object_or_404(MinedPair, pk=pair_id))
        if picture is None or not picture.map.size:
            raise Http404("No map of this pair was kept.")
        return media.private_file(pairs_page.as_png(picture.map), "image/png")
