"""The admin's pages: the chain, songs with their fragments, bringing songs in, jobs and releases."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import user_passes_test
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache

from annotation.views.pages import admins_only
from chad_site.celery import nudge
from ml_worker import chain as chain_now
from ml_worker.models import Checkpoint, Job
from recordings.importing import About, ImportRefused, import_file, import_video
from recordings.models import Recording, Release, Song

SONGS_A_PAGE = 50
JOBS_A_PAGE = 100

admin_page = user_passes_test(admins_only)


@admin_page
@never_cache
def chain(request: HttpRequest) -> HttpResponse:
    return render(request, "chain.html", {"chain": chain_now.as_it_stands()})


@admin_page
@never_cache
def songs(request: HttpRequest) -> HttpResponse:
    sought = request.GET.get("q", "").strip()
    found = Song.objects.annotate(
        covers=Count("recordings", filter=Q(recordings__kind=Recording.Kind.COVER), distinct=True),
        fragments=Count("recordings__fragments", filter=Q(recordings__fragments__retired_at=None), distinct=True),
    )
    if sought:
        found = found.filter(Q(title__icontains=sought) | Q(artist__icontains=sought))
    page = Paginator(found, SONGS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "songs.html", {"page": page, "sought": sought})


@admin_page
@never_cache
def song(request: HttpRequest, song_id: UUID) -> HttpResponse:
    shown = get_object_or_404(Song, pk=song_id)
    recordings = shown.recordings.order_by("-kind", "created_at").prefetch_related("analyses")
    return render(
        request,
        "song.html",
        {"song": shown, "recordings": recordings, "original": shown.original, "takes": chain_now.takes_of(shown)},
    )


class ImportForm(forms.Form):
    """A recording from a file or a video."""

    file = forms.FileField(required=False, label="Audio file", help_text="Any format that browsers and phones make.")
    youtube = forms.CharField(required=False, label="or a YouTube address or id", max_length=300)
    title = forms.CharField(max_length=300)
    artist = forms.CharField(max_length=300)
    cover_of = forms.ModelChoiceField(
        Song.objects.available(), required=False, label="A cover of", empty_label="no song: this is an original"
    )
    licence = forms.CharField(required=False, max_length=200, help_text="For example CC-BY-4.0.")
    redistributable = forms.BooleanField(required=False, label="The licence lets its audio into releases")

    def clean(self) -> dict:
        sent = super().clean()
        if bool(sent.get("file")) == bool(sent.get("youtube")):
            raise forms.ValidationError("Choose a file or name a video, one of the two.")
        return sent

    def bring_in(self) -> tuple[Recording, bool]:
        sent = self.cleaned_data
        about = About(sent["title"], sent["artist"], sent["cover_of"], sent["licence"], sent["redistributable"])
        if sent["youtube"]:
            return import_video(sent["youtube"], about)
        return import_file(sent["file"], about)


@admin_page
def import_recording(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None, request.FILES or None, initial={"cover_of": request.GET.get("cover_of")})
    if request.method == "POST" and form.is_valid():
        try:
            recording, is_new = form.bring_in()
        except ImportRefused as problem:
            form.add_error("file" if form.cleaned_data["file"] else "youtube", str(problem))
        else:
            nudge()
            say = "It is being read now; this page shows when it is ready." if is_new else "It was brought in before."
            messages.success(request, f"{recording}. {say}")
            return redirect("song", recording.song_id)
    context = {"form": form, "megabytes": settings.MAX_IMPORT_BYTES // 1_000_000}
    return render(request, "import.html", context, status=200 if not form.errors else 422)


@admin_page
@never_cache
def jobs(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    shown = Job.objects.filter(state=state) if state in Job.State.values else Job.objects.all()
    page = Paginator(shown, JOBS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "jobs.html", {"page": page, "state": state, "states": Job.State})


@admin_page
@never_cache
def releases(request: HttpRequest) -> HttpResponse:
    shown = Release.objects.annotate(count=Count("versions"))
    exported = Job.objects.filter(kind=Job.Kind.RELEASE)
    return render(request, "releases.html", {"releases": shown, "jobs": exported})


@admin_page
@never_cache
def checkpoints(request: HttpRequest) -> HttpResponse:
    return render(request, "checkpoints.html", {"checkpoints": Checkpoint.objects.select_related("job")})
