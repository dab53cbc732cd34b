"""The admin's pages: the chain, songs with their fragments, bringing songs in, jobs and checkpoints."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from annotation.views.pages import admin_page
from chad_site.celery import nudge
from ml_worker import chain as chain_now
from ml_worker import made, removal_page, song_list, song_page
from ml_worker.forms import ImportForm
from ml_worker.jobs_in_words import duration_of, what_they_are_about
from ml_worker.models import Job, MinedPair
from ml_worker.views.manage_api import describe_fragments
from recordings.importing import ImportRefused
from recordings.models import Recording, Song

SONGS_A_PAGE = 50
JOBS_A_PAGE = 50


@admin_page
@never_cache
def chain(request: HttpRequest) -> HttpResponse:
    return render(request, "chain.html", {"chain": chain_now.as_it_stands()})


@admin_page
@never_cache
def songs(request: HttpRequest) -> HttpResponse:
    sought, state = request.GET.get("q", "").strip(), request.GET.get("state", "")
    page = Paginator(song_list.found(sought, state), SONGS_A_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "songs.html",
        {
            "page": page,
            "sought": sought,
            "state": state,
            "states": song_list.SongState,
            "any": Song.objects.exists(),
            "is_open": any(song.state in song_list.UNDER_WAY for song in page.object_list),
            "odd_pairs": MinedPair.objects.to_look_at().count(),
            "query": query_of(request),
        },
    )


def query_of(request: HttpRequest) -> str:
    """What a list was asked for, to be asked for again with another page."""
    asked = request.GET.copy()
    asked.pop("page", None)
    return f"{asked.urlencode()}&" if asked else ""


@admin_page
@never_cache
def song(request: HttpRequest, song_id: UUID) -> HttpResponse:
    shown = get_object_or_404(Song, pk=song_id)
    recordings = song_page.shown_recordings(shown)
    original = shown.original
    can_edit = original is not None and original.state == Recording.State.READY and shown.taken_down_at is None
    heard = can_edit and original.analysis is not None
    mined = Job.objects.filter(kind=Job.Kind.MINE, subject=str(shown.pk)).first()
    return render(
        request,
        "song.html",
        {
            "song": shown,
            "recordings": recordings,
            "is_open": any(one.is_open for one in recordings),
            "takes": song_page.takes_in_words(shown),
            "found": song_page.cover_fragments_of(shown, recordings),
            "why_not_mine": song_page.why_not_mine(shown),
            "removal": removal_page.standing_removal(shown) if shown.taken_down_at else None,
            "mining": mined if mined and mined.state in Job.OPEN else None,
            "mine_failure": mined.failure if mined and mined.state == Job.State.FAILED else "",
            "editor": song_page.editor_data(original, describe_fragments(original)) if can_edit else None,
            "heard": heard,
            # The page loads itself anew when this changes: then the editor has what it lacked.
            "editor_state": f"{can_edit} {heard}",
        },
    )


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's script asks, rather than a form without one."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


@admin_page
def import_recording(request: HttpRequest) -> HttpResponse:
    """A form that works by itself; the page's script sends the same with progress, and gets JSON."""
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = ImportForm(*sent, initial={"cover_of": request.GET.get("cover_of")})
    if form.is_valid():
        try:
            recording, is_new = form.bring_in()
        except ImportRefused as problem:
            form.add_error(form.source_field, str(problem))
        else:
            return brought_in(request, recording, is_new)
    status = 422 if form.errors else 200
    if request.method == "POST" and wants_json(request):
        return JsonResponse({"errors": form.sentences()}, status=status)
    largest = {"bytes": settings.MAX_IMPORT_BYTES, "megabytes": settings.MAX_IMPORT_BYTES // 1_000_000}
    return render(request, "import.html", {"form": form, "largest": largest}, status=status)


def brought_in(request: HttpRequest, recording: Recording, is_new: bool) -> HttpResponse:
    """On to the song's page, which tells how the recording gets on."""
    nudge()
    if is_new:
        messages.success(request, f"{recording}: it is being read now. This page shows when it is ready.")
    else:
        messages.info(request, f"{recording}: it was brought in before. Here it is.")
    if wants_json(request):
        return JsonResponse({"url": reverse("song", args=[recording.song_id])}, status=201)
    return redirect("song", recording.song_id)


@admin_page
@never_cache
def jobs(request: HttpRequest) -> HttpResponse:
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    shown = Job.objects.order_by(
        Case(When(state=Job.State.RUNNING, then=0), default=1), Coalesce("finished_at", "created_at").desc()
    )
    if state in Job.State.values:
        shown = shown.filter(state=state)
    if kind in Job.Kind.values:
        shown = shown.filter(kind=kind)
    page = Paginator(shown, JOBS_A_PAGE).get_page(request.GET.get("page"))
    about = what_they_are_about(page.object_list)
    rows = [(job, about[job.pk], duration_of(job)) for job in page.object_list]
    context = {"page": page, "rows": rows, "state": state, "kind": kind, "states": Job.State, "kinds": Job.Kind}
    context |= {"query": query_of(request), "is_open": Job.objects.open().exists()}
    return render(request, "jobs.html", context)


@admin_page
def manage_help(request: HttpRequest) -> HttpResponse:
    return render(request, "manage_help.html")


@admin_page
@never_cache
def checkpoints(request: HttpRequest) -> HttpResponse:
    training = Job.objects.filter(kind=Job.Kind.TRAIN).first()
    is_open = training is not None and training.state in Job.OPEN
    context = {"checkpoints": made.checkpoints(), "training": training, "training_open": is_open}
    return render(request, "checkpoints.html", context)
