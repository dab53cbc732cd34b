"""The review page's calls: the next item, a verdict, and taking it back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.models import ReviewItem, Verdict
from annotation.models.review import Decision, Reason
from annotation.roles import IsReviewer
from chad_site.errors import Refused
from recordings import media
from recordings.models import CoverFragment, Humming

# How far a reviewer may move a version against its original, seconds.
LARGEST_NUDGE_S = 5.0


def describe_item(item: ReviewItem) -> dict[str, Any]:
    version = item.version
    fragment = version.fragment
    phrase, phrases = fragment.place
    return {
        "id": item.id,
        "kind": item.kind,
        "song": fragment.song.title,
        "artist": fragment.song.artist,
        "phrase": phrase,
        "phrases": phrases,
        "expires_at": item.leased_until,
        "original": {
            "audio_url": reverse("fragment-audio", args=[fragment.id]),
            "curve_url": reverse("fragment-curve", args=[fragment.id]),
            "duration_s": fragment.duration_s,
        },
        **(describe_hum(version) if isinstance(version, Humming) else describe_cover(version)),
    }


def describe_hum(humming: Humming) -> dict[str, Any]:
    check = humming.check_result
    return {
        "similarity": check.similarity,
        "version": {
            "audio_url": reverse("take-audio", args=[humming.id]),
            "curve_url": reverse("take-curve", args=[humming.id]),
            "duration_s": humming.duration_s,
            "offset_s": check.offset_s,
            "tempo_ratio": check.tempo_ratio,
            "transposition": check.transposition,
        },
    }


def describe_cover(cover: CoverFragment) -> dict[str, Any]:
    return {
        "similarity": cover.correlation,
        "version": {
            "audio_url": reverse("cover-fragment-audio", args=[cover.id]),
            "curve_url": reverse("cover-fragment-curve", args=[cover.id]),
            "duration_s": cover.end_s - cover.start_s,
            "offset_s": 0.0,
            "tempo_ratio": cover.tempo_ratio,
            "transposition": cover.transposition,
        },
    }


class NextItem(APIView):
    permission_classes = [IsReviewer]

    def post(self, request: Request) -> Response:
        item = ReviewItem.claim(request.user)
        left = ReviewItem.objects.for_person(request.user).count()
        return Response({"item": describe_item(item) if item else None, "left": left})


class GiveVerdict(APIView):
    permission_classes = [IsReviewer]

    class Input(serializers.Serializer):
        decision = serializers.ChoiceField(Decision.choices)
        reason = serializers.ChoiceField(Reason.choices, required=False, allow_blank=True, default="")
        words = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
        nudge_s = serializers.FloatField(
            required=False, default=0.0, min_value=-LARGEST_NUDGE_S, max_value=LARGEST_NUDGE_S
        )

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            if attrs["decision"] == Decision.REJECT and not attrs["reason"]:
                raise serializers.ValidationError("Please say why: choose one of the reasons.")
            if attrs["reason"] == Reason.OTHER and not attrs["words"].strip():
                raise serializers.ValidationError("Please say in words what is wrong.")
            return attrs

    @transaction.atomic
    def post(self, request: Request, item_id: UUID) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        item = get_object_or_404(ReviewItem.objects.select_related("humming"), pk=item_id).lock()
        if not item.is_held_by(request.user):
            raise Refused(
                "The time for this item is over and somebody else may have it. Here is the next.", "lease_over"
            )
        if not ReviewItem.objects.for_person(request.user).filter(pk=item.pk).exists():
            raise Refused("This item is not yours to judge any more. Here is the next.", "not_yours")
        if sent.validated_data["decision"] == Decision.ACCEPT:
            sent.validated_data["reason"] = sent.validated_data["words"] = ""
        elif sent.validated_data["reason"] not in Reason.of_kind(item.kind):
            raise serializers.ValidationError(f"That is no reason against a {item.kind}.")
        verdict = item.judge(request.user, **sent.validated_data)
        return Response({"verdict": verdict.pk, "settled": item.settled_at is not None})


class UndoVerdict(APIView):
    permission_classes = [IsReviewer]

    def post(self, request: Request, verdict_id: int) -> Response:
        verdict = get_object_or_404(Verdict.objects.counted(), pk=verdict_id, person=request.user)
        if timezone.now() - verdict.at > Verdict.UNDO_TIME:
            minutes = int(Verdict.UNDO_TIME.total_seconds() // 60)
            raise Refused(
                f"A verdict can be taken back for {minutes} minutes. Ask an admin to overrule it.", "too_late"
            )
        verdict.undo()
        left = ReviewItem.objects.for_person(request.user).count()
        return Response({"item": describe_item(ReviewItem.objects.get(pk=verdict.item_id)), "left": left})


class CoverFragmentAudio(APIView):
    permission_classes = [IsReviewer]

    def get(self, request: Request, cover_fragment_id: UUID) -> HttpResponse:
        cover = get_object_or_404(CoverFragment.objects.select_related("recording"), pk=cover_fragment_id)
        return media.interval_audio(cover.recording, cover.start_s, cover.end_s)


class CoverFragmentCurve(APIView):
    permission_classes = [IsReviewer]

    def get(self, request: Request, cover_fragment_id: UUID) -> Response:
        cover = get_object_or_404(CoverFragment.objects.select_related("recording"), pk=cover_fragment_id)
        return Response(media.interval_curve(cover.recording, cover.start_s, cover.end_s))
