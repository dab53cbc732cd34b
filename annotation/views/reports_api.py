"""Saying that a released version is wrong. Everybody may."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotation import limits, reporting
from annotation.models import Report
from annotation.models.reports import LONGEST_WORDS
from annotation.views.search_api import OpenCall
from chad_site.errors import Refused


class Reports(OpenCall):
    """GET tells which reasons there are for a version; POST sends a report with one of them, and words."""

    throttle_classes = [limits.Reports]

    class Input(serializers.Serializer):
        reason = serializers.CharField(max_length=40)
        words = serializers.CharField(required=False, allow_blank=True, default="", max_length=LONGEST_WORDS)

    def get_throttles(self) -> list:
        return [limits.SearchCalls()] if self.request.method == "GET" else super().get_throttles()

    def get(self, request: Request, version: str, version_id: UUID) -> Response:
        found = reporting.released_version(version, version_id)
        reasons = Report.reasons_of(found.audio_type)
        return Response(
            {
                "reasons": [{"code": reason.value, "label": str(reporting.IN_WORDS[reason])} for reason in reasons],
                "longest_words": LONGEST_WORDS,
            }
        )

    def post(self, request: Request, version: str, version_id: UUID) -> Response:
        found = reporting.released_version(version, version_id)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        person = request.user if request.user.is_authenticated else None
        asker = "" if person else limits.address_of(request)
        try:
            made = reporting.report(found, **sent.validated_data, person=person, asker=asker)
        except Refused as refusal:
            if refusal.status_code != 429:
                raise
            told = {"error": str(refusal.detail), "code": refusal.get_codes()}
            return Response(told, status=429, headers={"Retry-After": str(reporting.FULL_FOR_S)})
        sentence = reporting.thanks(found.audio_type) if made else reporting.TWICE
        return Response({"is_new": made is not None, "sentence": str(sentence)}, status=201 if made else 200)
