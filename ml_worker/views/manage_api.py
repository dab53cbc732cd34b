"""The admin's calls: the chain as it stands, starting steps, and the fragments of an original."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.models import Lease, Slot
from annotation.roles import IsAdmin
from chad_site.celery import nudge
from chad_site.errors import Refused
from ml_worker import chain
from ml_worker.jobs_in_words import describe, described
from ml_worker.models import Job
from recordings import media
from recordings.models import Fragment, Recording, Release
from recordings.release.errors import ReleaseRefused
from recordings.release.names import check_name


class Chain(APIView):
    permission_classes = [IsAdmin]

    def get(self, request: Request) -> Response:
        return Response(chain.as_it_stands())


class StartStep(APIView):
    """Starts training, mining or a release."""

    permission_classes = [IsAdmin]

    class Input(serializers.Serializer):
        step = serializers.ChoiceField([Job.Kind.TRAIN, Job.Kind.MINE, Job.Kind.RELEASE])
        song = serializers.UUIDField(required=False)
        kind = serializers.ChoiceField(["short", "long"], required=False, default="short")
        version = serializers.CharField(required=False, allow_blank=True)
        again = serializers.BooleanField(required=False, default=False)

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            if attrs["step"] == Job.Kind.RELEASE:
                try:
                    check_name(attrs.get("version", ""))
                except ReleaseRefused as problem:
                    raise serializers.ValidationError(str(problem)) from problem
                published = Release.objects.published().filter(version=attrs["version"]).exists()
                if published and not attrs["again"]:
                    raise serializers.ValidationError(f"{attrs['version']} is published. Take another version.")
            attrs.pop("again")
            return attrs

    def post(self, request: Request) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        arguments = dict(sent.validated_data)
        step = arguments.pop("step")
        jobs = chain.start(step, arguments)
        if not jobs:
            raise Refused(nothing_to_mine(arguments), "nothing_to_mine")
        nudge()
        return Response({"jobs": described(jobs)}, status=201)


def nothing_to_mine(arguments: dict[str, Any]) -> str:
    if arguments.get("song"):
        return "This song cannot be mined yet: it needs a ready original with fragments, and a ready cover."
    return "No song has both a ready original with fragments and a ready cover yet."


class JobAgain(APIView):
    """Starts a failed or stopped job anew."""

    permission_classes = [IsAdmin]

    def post(self, request: Request, job_id: UUID) -> Response:
        job = get_object_or_404(Job, pk=job_id)
        if not job.start_again():
            raise Refused(cannot_start_again(job), "not_failed")
        nudge()
        return Response(describe(job))


def cannot_start_again(job: Job) -> str:
    if job.state in Job.INTERRUPTED:
        return "The same work waits or runs already, in a newer job."
    return f"This job is {job.state}; only one that failed or was stopped is started again."


class Interval(serializers.Serializer):
    """Two places in a recording, in order."""

    start_s = serializers.FloatField(min_value=0)
    end_s = serializers.FloatField(min_value=0)

    def validate(self, attrs: dict[str, float]) -> dict[str, float]:
        if attrs["end_s"] <= attrs["start_s"]:
            raise serializers.ValidationError("The end lies before the start.")
        return attrs


def describe_fragment(fragment: Fragment) -> dict[str, Any]:
    return {
        "id": str(fragment.id),
        "start_s": fragment.start_s,
        "end_s": fragment.end_s,
        "origin": fragment.origin,
        "takes": fragment.hummings.count(),
        "covers": fragment.cover_fragments.count(),
        "fixed": is_fixed(fragment),
    }


def describe_fragments(recording: Recording) -> list[dict[str, Any]]:
    """The live fragments of an original, in order."""
    return [describe_fragment(fragment) for fragment in recording.fragments.live()]


def is_fixed(fragment: Fragment) -> bool:
    """Whether its bounds may not move: something was made of it, or somebody has it and may still send a take."""
    return fragment.is_used or Lease.objects.filter(slot__fragment=fragment).exists()


def save_within(fragment: Fragment) -> None:
    """Stores a fragment's bounds, or refuses them in words."""
    duration_s = fragment.recording.duration_s
    twins = fragment.recording.fragments.live().exclude(pk=fragment.pk)
    if twins.filter(start_s=fragment.start_s, end_s=fragment.end_s).exists():
        raise Refused("There is a fragment with just these bounds already.", "twin", 422)
    if fragment.end_s > duration_s + 0.001:
        raise Refused(f"The recording ends at {duration_s:.1f} s.", "past_the_end", 422)
    try:
        fragment.full_clean()
    except ValidationError as problem:
        raise Refused(" ".join(problem.messages), "bounds", 422) from problem
    fragment.save()


class Fragments(APIView):
    """The fragments of an original: GET lists, POST adds."""

    permission_classes = [IsAdmin]

    def get(self, request: Request, recording_id: UUID) -> Response:
        recording = get_object_or_404(Recording.objects.originals(), pk=recording_id)
        return Response({"fragments": describe_fragments(recording)})

    def post(self, request: Request, recording_id: UUID) -> Response:
        ready = Recording.objects.originals().filter(state=Recording.State.READY)
        recording = get_object_or_404(ready, pk=recording_id)
        sent = Interval(data=request.data)
        sent.is_valid(raise_exception=True)
        fragment = Fragment(recording=recording, origin=Fragment.Origin.PERSON, **sent.validated_data)
        save_within(fragment)
        return Response(describe_fragment(fragment), status=201)


class OneFragment(APIView):
    """PATCH moves a fragment, DELETE takes it out; POST puts it back (undo)."""

    permission_classes = [IsAdmin]

    @transaction.atomic
    def patch(self, request: Request, fragment_id: UUID) -> Response:
        """What takes refer to stays: a fragment in use is retired, and a new one has the new bounds."""
        fragment = get_object_or_404(Fragment.objects.select_for_update(of=("self",)), pk=fragment_id, retired_at=None)
        # With its slots locked too nobody is handed it between the question below and the change.
        list(Slot.objects.select_for_update().filter(fragment=fragment))
        sent = Interval(data=request.data)
        sent.is_valid(raise_exception=True)
        if is_fixed(fragment):
            fragment.retire()
            fragment = Fragment(recording=fragment.recording)
        fragment.origin = Fragment.Origin.PERSON
        fragment.start_s, fragment.end_s = sent.validated_data["start_s"], sent.validated_data["end_s"]
        save_within(fragment)
        return Response(describe_fragment(fragment))

    def delete(self, request: Request, fragment_id: UUID) -> Response:
        get_object_or_404(Fragment, pk=fragment_id, retired_at=None).retire()
        return Response(status=204)

    def post(self, request: Request, fragment_id: UUID) -> Response:
        fragment = get_object_or_404(Fragment, pk=fragment_id)
        fragment.retired_at = None
        fragment.save(update_fields=["retired_at"])
        return Response(describe_fragment(fragment))


class RecordingAudio(APIView):
    """A recording, whole, or the interval that is asked for by `start_s` and `end_s`."""

    permission_classes = [IsAdmin]

    def get(self, request: Request, recording_id: UUID) -> HttpResponseBase:
        recording = ready_recording(recording_id)
        if not request.query_params:
            return media.whole_audio(recording)
        asked = Interval(data=request.query_params)
        asked.is_valid(raise_exception=True)
        start_s, end_s = asked.validated_data["start_s"], min(asked.validated_data["end_s"], recording.duration_s)
        if start_s >= end_s:
            raise Refused(f"The recording ends at {recording.duration_s:.1f} s.", "past_the_end", 422)
        return media.interval_audio(recording, start_s, end_s)


def ready_recording(recording_id: UUID) -> Recording:
    return get_object_or_404(Recording.objects.filter(state=Recording.State.READY), pk=recording_id)


class RecordingPeaks(APIView):
    """The waveform as a picture: {"peaks": [0..1, ...], "duration_s"}."""

    permission_classes = [IsAdmin]

    def get(self, request: Request, recording_id: UUID) -> Response:
        recording = ready_recording(recording_id)
        return Response({"peaks": media.peaks(recording), "duration_s": recording.duration_s})


class RecordingCurve(APIView):
    permission_classes = [IsAdmin]

    def get(self, request: Request, recording_id: UUID) -> Response:
        recording = get_object_or_404(Recording.objects.analysed(), pk=recording_id)
        return Response(media.read_curve(recording.analysis.melody))
