"""The admin's calls of rounds and of the standing of checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.roles import IsAdmin
from annotation.views.manage_review_api import WithReason
from chad_site.celery import nudge
from chad_site.errors import Refused
from ml_worker import rounds, rounds_page
from ml_worker.models import Checkpoint, Round

MOST_STEPS = 1_000_000


class Rounds(APIView):
    """GET: all rounds with their steps and figures, and the poster's table. POST begins a round."""

    permission_classes = [IsAdmin]

    class Input(serializers.Serializer):
        kinds = serializers.ListField(child=serializers.ChoiceField(["short", "long"]), required=False, min_length=1)
        material = serializers.ChoiceField(["hums", "covers", "both"], required=False)
        initial = serializers.ChoiceField(["starter", "in use", "nothing"], required=False)
        steps = serializers.IntegerField(
            required=False,
            min_value=1,
            max_value=MOST_STEPS,
            error_messages={"invalid": "The steps of training are a whole number, such as 2000."},
        )
        why = serializers.CharField(required=False, allow_blank=True, max_length=1000)

    def get(self, request: Request) -> Response:
        return Response(rounds_page.as_shown())

    def post(self, request: Request) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        options: dict[str, Any] = dict(sent.validated_data)
        if "kinds" in options:
            options["kinds"] = sorted(set(options["kinds"]), reverse=True)  # each once, short before long
        why = options.pop("why", "") or rounds.BY_HAND
        begun = rounds.start(why, asked_by=request.user, **options)
        nudge()
        return Response(rounds_page.described(begun), status=201)


class StopRound(APIView):
    permission_classes = [IsAdmin]

    def post(self, request: Request, round_id: UUID) -> Response:
        round = get_object_or_404(Round, pk=round_id)
        rounds.stop(round, request.user)
        nudge()
        return Response(rounds_page.described(round))


class GoOnWithRound(APIView):
    """Takes up a round that was stopped or failed, or goes on without the rest of the verdicts."""

    permission_classes = [IsAdmin]

    def post(self, request: Request, round_id: UUID) -> Response:
        round = get_object_or_404(Round, pk=round_id)
        rounds.go_on(round, request.user)
        nudge()
        return Response(rounds_page.described(round))


class CheckpointStanding(APIView):
    """POST promotes or refuses a checkpoint by hand, with a reason; DELETE takes the latest such change back."""

    permission_classes = [IsAdmin]

    class Input(WithReason):
        standing = serializers.ChoiceField([Checkpoint.Standing.PROMOTED, Checkpoint.Standing.REFUSED])

    def post(self, request: Request, name: str) -> Response:
        checkpoint = get_object_or_404(Checkpoint, pk=name)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        with one_at_a_time(checkpoint.kind):
            if sent.validated_data["standing"] == Checkpoint.Standing.REFUSED:
                refuse_the_last(checkpoint)
            elif checkpoint.is_shipped and Checkpoint.objects.usable(checkpoint.kind).trained_here().exists():
                raise Refused(
                    "What came with CHAD is used where nothing that was trained here may be. Refuse that instead.",
                    "not_before_others",
                )
            checkpoint.change_standing(**sent.validated_data, person=request.user)
        nudge()
        return Response(describe_standing(checkpoint))

    def delete(self, request: Request, name: str) -> Response:
        checkpoint = get_object_or_404(Checkpoint, pk=name)
        latest = checkpoint.standing_changes.filter(undone_at=None).last()
        if latest is None or latest.person is None:
            raise Refused("Nobody changed by hand how this checkpoint stands.", "nothing_to_undo")
        with one_at_a_time(checkpoint.kind):
            if latest.before != Checkpoint.Standing.PROMOTED:
                refuse_the_last(checkpoint)
            checkpoint.take_back_change(latest, request.user)
        return Response(describe_standing(checkpoint))


@contextmanager
def one_at_a_time(kind: str) -> Iterator[None]:
    """Nobody else changes how a checkpoint of this kind stands meanwhile."""
    with transaction.atomic():
        list(Checkpoint.objects.select_for_update(of=("self",)).filter(kind=kind).order_by("pk"))
        yield


def refuse_the_last(checkpoint: Checkpoint) -> None:
    """Raises Refused where no other one of its kind may be used."""
    if not Checkpoint.objects.usable(checkpoint.kind).exclude(pk=checkpoint.pk).exists():
        raise Refused("This is the only one of its kind that may be used. Promote another one first.", "the_last")


def describe_standing(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"name": checkpoint.pk, "standing": checkpoint.standing, "why": checkpoint.standing_why}
