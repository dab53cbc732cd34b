"""Groups of covers: the pages where videos are searched for and decided on, and their calls."""

from __future__ import annotations

import csv
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.roles import IsAdmin
from annotation.views.pages import admin_page
from chad_site.celery import nudge
from chad_site.errors import Refused
from ml_worker import covers_page
from ml_worker.collecting.lists import FORMATS, ListRead, UnreadableList, read
from ml_worker.cover_lists import Terms, bring_in, plan_list
from ml_worker.jobs_in_words import describe
from ml_worker.models import Job, MinedPair
from ml_worker.views.pages import query_of
from recordings import candidates
from recordings.models import CoverCandidate, Song

SONGS_A_PAGE = 15
VIDEOS_A_PAGE = 50
# A page brings in lists of so many lines and bytes; `manage.py import_covers` takes any.
MOST_LINES, MOST_BYTES = 2_000, 5_000_000
# Lines that cannot be used, of one answer; the page offers the rest as a table.
PROBLEMS_TOLD = 100
# Somebody looks at the page.
SEARCH_PRIORITY = 60
FORMAT_WORDS = {
    "auto": "told from the list itself",
    "shs100k": "SHS100K",
    "datacos": "Da-TACOS",
    "discogs-vi": "Discogs-VI-YT",
    "discogs-vi-light": "Discogs-VI-YT, light",
    "csv": "a table with a header (CSV)",
}


@admin_page
@never_cache
@require_safe
def covers(request: HttpRequest) -> HttpResponse:
    """Every song with what was found for it, a list to bring in, and how many videos are lost."""
    sought = request.GET.get("q", "").strip()
    page = Paginator(covers_page.songs(sought), SONGS_A_PAGE).get_page(request.GET.get("page"))
    losses = covers_page.losses()
    return render(
        request,
        "covers.html",
        {
            "page": page,
            "sought": sought,
            "query": query_of(request),
            "formats": FORMAT_WORDS,
            "losses": losses,
            "curve": losses.curve,
            "most_megabytes": MOST_BYTES // 1_000_000,
            "days": settings.AVAILABILITY_EVERY.days,
            "is_open": Job.objects.open().filter(kind=Job.Kind.SEARCH).exists(),
            "odd_pairs": MinedPair.objects.to_look_at().count(),
        },
    )


@admin_page
@never_cache
@require_safe
def covers_of_song(request: HttpRequest, song_id: UUID) -> HttpResponse:
    """The videos that were found for one song, to be approved or refused."""
    song = get_object_or_404(Song, pk=song_id)
    chips = covers_page.state_chips(song)
    state = request.GET.get("state", "")
    if state not in CoverCandidate.State.values:
        state = next((chip.value for chip in chips if chip.number), CoverCandidate.State.PROPOSED)
    because = request.GET.get("because", "") if state == CoverCandidate.State.FILTERED else ""
    rows = covers_page.candidates(song, state, because)
    page = Paginator(rows, VIDEOS_A_PAGE).get_page(request.GET.get("page"))
    original = song.original
    original_s = original.duration_s if original else None
    for candidate in page.object_list:
        candidate.words = covers_page.words_of(candidate)
        candidate.length = covers_page.length_of(candidate, original_s)
    job = covers_page.search_job(song)
    return render(
        request,
        "covers_of_song.html",
        {
            "song": song,
            "page": page,
            "state": state,
            "because": because,
            "chips": chips,
            "filters": covers_page.filter_chips(song) if state == CoverCandidate.State.FILTERED else [],
            "any": any(chip.number for chip in chips),
            "job": job,
            "is_open": job is not None and job.state in Job.OPEN,
            "latest": song.cover_searches.first(),
            "query": query_of(request),
        },
    )


class SearchCovers(APIView):
    """Asks for a search of a song's covers."""

    permission_classes = [IsAdmin]

    def post(self, request: Request, song_id: UUID) -> Response:
        song = get_object_or_404(Song, pk=song_id)
        if song.taken_down_at:
            raise Refused("This song was taken down. Put it back first.", "taken_down")
        job = Job.ask(Job.Kind.SEARCH, song.pk, priority=SEARCH_PRIORITY)
        nudge()
        return Response(describe(job), status=201)


class CoverDecision(APIView):
    """Approves or refuses a video, or takes the decision back."""

    permission_classes = [IsAdmin]

    class Input(serializers.Serializer):
        decision = serializers.ChoiceField(["approve", "refuse", "undo"])

    @transaction.atomic
    def post(self, request: Request, candidate_id: UUID) -> Response:
        rows = CoverCandidate.objects.select_for_update(of=("self",)).select_related("song")
        candidate = get_object_or_404(rows, pk=candidate_id)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        decision = sent.validated_data["decision"]
        if decision == "approve":
            candidates.approve(candidate, request.user)
            transaction.on_commit(nudge)
        elif decision == "refuse":
            candidates.refuse(candidate, request.user)
        else:
            forget_fetching(candidate)
            candidates.undo(candidate, request.user)
        return Response(covers_page.described(candidate))


def forget_fetching(candidate: CoverCandidate) -> None:
    """The job that waits to fetch this video goes, so that the decision can be taken back; refuses while it runs."""
    if candidate.recording_id is None:
        return
    jobs = Job.objects.select_for_update().filter(kind=Job.Kind.FETCH, subject=str(candidate.recording_id))
    if any(job.state == Job.State.RUNNING for job in jobs):
        raise Refused("It is being fetched right now. Wait for it to end.", "running")
    jobs.delete()


class CoverLists(APIView):
    """Brings a list in; with `dry_run` says what would come, and changes nothing.

    Of the lines that cannot be used the answer holds the first; `only_problems` asks for all of them, as a CSV.
    """

    permission_classes = [IsAdmin]
    parser_classes = [MultiPartParser]

    class Input(serializers.Serializer):
        file = serializers.FileField(error_messages={"required": "Choose a list.", "empty": "The list is empty."})
        format = serializers.ChoiceField(["auto", *FORMATS], default="auto")
        dry_run = serializers.BooleanField(default=True)
        only_problems = serializers.BooleanField(default=False)
        propose = serializers.BooleanField(default=False)
        search = serializers.BooleanField(default=False)
        licence = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")

        def validate_file(self, file: Any) -> Any:
            if file.size > MOST_BYTES:
                raise serializers.ValidationError(
                    f"The list has more than {MOST_BYTES // 1_000_000} MB. Bring it in with manage.py import_covers."
                )
            return file

    def post(self, request: Request) -> HttpResponse:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        said = sent.validated_data
        try:
            found = read(said["file"], said["format"], name=said["file"].name, most=MOST_LINES + 1)
        except UnreadableList as problem:
            raise Refused(str(problem), "unreadable", 422) from problem
        if len(found.rows) > MOST_LINES:
            raise Refused(
                f"The list has more than {MOST_LINES:,} recordings. Bring it in with manage.py import_covers.",
                "too_long", 422,
            )  # fmt: skip
        if said["only_problems"]:
            return problems_as_csv(found)
        plan = plan_list(found, propose=said["propose"], search=said["search"])
        if said["dry_run"]:
            return Response(plan.as_dict(PROBLEMS_TOLD) | {"dry_run": True})
        terms = Terms(
            said["file"].name[:200], said["propose"], said["search"], said["licence"], person=request.user
        )  # fmt: skip
        done = bring_in(plan, terms)
        nudge()
        return Response(plan.as_dict(PROBLEMS_TOLD) | {"dry_run": False, "done": done}, status=201)


def problems_as_csv(found: ListRead) -> HttpResponse:
    """The lines of a list that cannot be used, as a table for download."""
    headers = {"Content-Disposition": 'attachment; filename="lines-that-cannot-be-used.csv"'}
    response = HttpResponse(content_type="text/csv; charset=utf-8", headers=headers)
    table = csv.writer(response)
    table.writerow(["place", "why"])
    table.writerows((problem.place, problem.sentence) for problem in found.problems)
    if found.more_problems:
        table.writerow(["", f"{found.more_problems:,} more; with so many, the list is of another format than chosen."])
    return response
