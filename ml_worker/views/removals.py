"""Taking a song down and putting it back, and the list of every removal."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import removing
from annotation.models import Removal
from annotation.views.pages import admin_page
from ml_worker import removal_page
from recordings.models import Song

REMOVALS_A_PAGE = 30


class TakeDownForm(forms.Form):
    why = forms.CharField(
        label="Why",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Who asked for it, and on what ground. It stands in the list of removals and in the items’ history.",
        error_messages={"required": removing.SAY_WHY},
    )


@admin_page
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def take_down(request: HttpRequest, song_id: UUID) -> HttpResponse:
    """What taking a song down touches, a reason, and the act."""
    song = get_object_or_404(Song, pk=song_id)
    if song.taken_down_at:
        messages.info(request, "This song is down already.")
        return redirect("song", song.pk)
    form = TakeDownForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        removing.take_down(song, request.user, form.cleaned_data["why"])
        messages.success(request, "Taken down. The list of removals says what it touched.")
        return redirect("song", song.pk)
    page = {"song": song, "form": form, **removal_page.preview(removing.touched_by_song(song))}
    return render(request, "take_down.html", page, status=422 if form.errors else 200)


@admin_page
@require_POST
def put_back(request: HttpRequest, song_id: UUID) -> HttpResponse:
    song = get_object_or_404(Song, pk=song_id)
    removing.put_back(song, request.user)
    messages.success(request, "Put back. What was closed in the double-check is asked again.")
    return redirect("song", song.pk)


@admin_page
@never_cache
@require_safe
def removals(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    page = Paginator(removal_page.removals(kind), REMOVALS_A_PAGE).get_page(request.GET.get("page"))
    shown = {"page": page, "removals": removal_page.shown(page.object_list), "kind": kind, "kinds": Removal.Kind}
    shown |= {"query": f"kind={kind}&" if kind in Removal.Kind.values else ""}
    return render(request, "removals.html", shown | {"in_next": removal_page.removed_in_next()})
