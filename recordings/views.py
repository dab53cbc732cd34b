"""Audio and curves of fragments, for whoever may hear them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from recordings import media
from recordings.models import CoverFragment, Fragment


def hearable_fragment(request: Request, fragment_id: UUID) -> Fragment:
    """Anyone signed in may hear a live fragment; admins also retired ones."""
    fragments = Fragment.objects.select_related("recording__song")
    if not request.user.is_staff:
        fragments = fragments.filter(recording__song__taken_down_at=None)
    return get_object_or_404(fragments, pk=fragment_id)


class FragmentAudio(APIView):
    def get(self, request: Request, fragment_id: UUID) -> HttpResponse:
        fragment = hearable_fragment(request, fragment_id)
        return media.interval_audio(fragment.recording, fragment.start_s, fragment.end_s)


class FragmentCurve(APIView):
    def get(self, request: Request, fragment_id: UUID) -> Response:
        return Response(media.fragment_curve(hearable_fragment(request, fragment_id)))


class CoverFragmentAudio(APIView):
    """A cover's interval, for the admin's pages; reviewers hear it as a side of an item of theirs."""

    permission_classes = [IsAdminUser]

    def get(self, request: Request, cover_fragment_id: UUID) -> HttpResponse:
        cover = get_object_or_404(CoverFragment.objects.select_related("recording"), pk=cover_fragment_id)
        return media.interval_audio(cover.recording, cover.start_s, cover.end_s)
