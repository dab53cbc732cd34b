"""The review page's calls: the next item, both sides of it, a verdict, and taking it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import limits
from annotation.double_check import desk, verdict_words
from annotation.double_check.claims import HELD_AT_ONCE, claim, clear_desk
from annotation.models import PassedOver, Reviewer, ReviewItem, Verdict
from annotation.models.review import lock_person
from annotation.models.verdicts import Decision, Reason
from annotation.roles import IsReviewer, may_review
from chad_site.errors import Refused

# How far a reviewer may move a version against its original, and cut off its ends, seconds.
LARGEST_NUDGE_S = 5.0
LARGEST_TRIM_S = 60.0
# The shortest hearing that an acceptance needs, seconds; of a shorter version its half.
LEAST_HEARD_S = 1.5
# Nobody reads an exact number beyond this, and counting it would cost time.
MOST_LEFT_COUNTED = 1000
LAST_VERDICTS = 50
# Browsers tell moments in milliseconds.
BROWSERS_CLOCK = timedelta(milliseconds=1)

NOT_YOURS = "This item is not yours to judge any more. Here is the next."
LEASE_OVER = "The time for this item is over and somebody else may have it. Here is the next."
UNHEARD = "Listen to it before you accept it."
SETTLED = "This item is settled by now, so the verdict stays. An admin can overrule it."
PRACTICE = "This was practice, and you were told what it is, so the answer stays."


def on_the_desk(request: Request, item_id: UUID) -> ReviewItem:
    """The item, locked, if this person holds it. What the person does elsewhere waits until this is done."""
    lock_person(request.user)
    found = get_object_or_404(ReviewItem.objects.select_related("humming", "control", "cover_fragment"), pk=item_id)
    item = found.lock()
    if not item.is_held_by(request.user):
        raise Refused(LEASE_OVER, "lease_over")
    if not ReviewItem.objects.new_to(request.user).filter(pk=item.pk, state__in=item.ASKED).exists():
        raise Refused(NOT_YOURS, "not_yours")
    return item


def described(item: ReviewItem | None) -> dict[str, Any] | None:
    return desk.describe(ReviewItem.objects.select_related(*desk.WITH_ALL).get(pk=item.pk)) if item else None


def queue_of(request: Request) -> dict[str, Any]:
    """What the page tells of the queue and of the reviewer."""
    left = ReviewItem.objects.for_person(request.user)[: MOST_LEFT_COUNTED + 1].count()
    reviewer = Reviewer.of(request.user)
    return {
        # In tens: a number that falls by one with each item but the control items would tell them.
        "left": min(10 * -(-left // 10), MOST_LEFT_COUNTED),
        "left_is_more": left > MOST_LEFT_COUNTED,
        "standing": {"state": reviewer.state, "words": verdict_words.standing(reviewer)},
    }


class NextItem(APIView):
    """A lease on the next item. `holding` are those that are on the desk already."""

    permission_classes = [IsReviewer]

    class Input(serializers.Serializer):
        holding = serializers.ListField(
            child=serializers.UUIDField(), required=False, default=list, max_length=HELD_AT_ONCE
        )

    def post(self, request: Request) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        item = claim(request.user, sent.validated_data["holding"])
        return Response({"item": described(item), **queue_of(request)})


class ExtendItems(APIView):
    """The reviewer is still at it: what is on the desk stays there."""

    permission_classes = [IsReviewer]

    def post(self, request: Request) -> Response:
        expires_at = ReviewItem.extend_all(request.user)
        if expires_at is None:
            raise Refused(LEASE_OVER, "lease_over")
        return Response({"expires_at": expires_at})


class ReleaseItem(APIView):
    """Off the desk again, for whoever comes next; what this person does not hold is left alone.

    `expires_at` is the end of the lease as the page knows it: a page that is left may say so only after the one that
    was loaded in its place has claimed the item anew.
    """

    permission_classes = [IsReviewer]

    class Input(serializers.Serializer):
        expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def post(self, request: Request, item_id: UUID) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        known = sent.validated_data["expires_at"]
        held = ReviewItem.objects.held_by(request.user).filter(pk=item_id)
        # In one statement: the page that was loaded in its place may claim the item meanwhile.
        (held if known is None else held.filter(leased_until__lt=known + BROWSERS_CLOCK)).release()
        return Response(status=204)


class PassItem(APIView):
    """The reviewer cannot tell: others shall, and it does not come again."""

    permission_classes = [IsReviewer]

    @transaction.atomic
    def post(self, request: Request, item_id: UUID) -> Response:
        item = on_the_desk(request, item_id)
        PassedOver.objects.get_or_create(item=item, person=request.user)
        item.release()
        if item.control_id:
            Reviewer.of(request.user).look_again()
        return Response(status=204)


class GiveVerdict(APIView):
    permission_classes = [IsReviewer]
    throttle_classes = [limits.Calls, limits.Verdicts]

    class Input(serializers.Serializer):
        decision = serializers.ChoiceField(Decision.choices)
        reason = serializers.ChoiceField(Reason.choices, required=False, allow_blank=True, default="")
        words = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
        nudge_s = serializers.FloatField(
            required=False, default=0.0, min_value=-LARGEST_NUDGE_S, max_value=LARGEST_NUDGE_S
        )
        trim_start_s = serializers.FloatField(required=False, default=0.0, min_value=0.0, max_value=LARGEST_TRIM_S)
        trim_end_s = serializers.FloatField(required=False, default=0.0, min_value=0.0, max_value=LARGEST_TRIM_S)
        heard_s = serializers.FloatField(required=False, default=0.0, min_value=0.0, max_value=1e5)
        took_s = serializers.FloatField(required=False, allow_null=True, default=None, min_value=0.0, max_value=1e5)

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
        item = on_the_desk(request, item_id)
        given = as_far_as_can_be(fitting(item, sent.validated_data), item, request.user)
        verdict = item.judge(request.user, **given)
        reviewer = Reviewer.of(request.user)
        goes_on = may_review(request.user)
        if not goes_on:  # the last piece of a study: what was loaded ahead goes to others
            ReviewItem.objects.held_by(request.user).release()
        return Response(
            {
                "verdict": verdict.pk,
                "undo_s": 0 if verdict.told or not goes_on else Verdict.UNDO_TIME.total_seconds(),
                "goes_on": goes_on,
                "practice": verdict.told,
                "standing": {"state": reviewer.state, "words": verdict_words.standing(reviewer)},
            }
        )


def as_far_as_can_be(given: dict[str, Any], item: ReviewItem, person: AbstractBaseUser) -> dict[str, Any]:
    """Times as the page tells them, but no longer than the item was this person's; with those of a verdict taken back.

    So whoever sends verdicts by a script shows as too fast, whatever the script says.
    """
    since_s = (timezone.now() - item.leased_at).total_seconds() if item.leased_at else 0.0
    took_s = since_s if given["took_s"] is None else min(given["took_s"], since_s)
    heard_s = min(given["heard_s"], since_s)
    before = item.verdicts.filter(person=person).exclude(undone_at=None).first()
    if before:
        took_s, heard_s = took_s + (before.took_s or 0.0), heard_s + before.heard_s
    return given | {"took_s": took_s, "heard_s": heard_s}


def fitting(item: ReviewItem, given: dict[str, Any]) -> dict[str, Any]:
    """The verdict as it is kept, or a refusal of what does not fit this item."""
    length_s = desk.proposal(item.control or item.version)["duration_s"]
    if given["trim_start_s"] + given["trim_end_s"] >= length_s:
        raise serializers.ValidationError(f"Nothing would be left of the {item.kind}: trim less than {length_s:.1f} s.")
    if given["decision"] == Decision.ACCEPT:
        if given["heard_s"] < min(LEAST_HEARD_S, length_s / 2):
            raise Refused(UNHEARD, "unheard", 400)
        return given | {"reason": "", "words": ""}
    if given["reason"] not in Reason.of_kind(item.kind):
        raise serializers.ValidationError(f"That is no reason against a {item.kind}.")
    return given


class LastVerdicts(APIView):
    """What the person judged last, and what may still be taken back."""

    permission_classes = [IsReviewer]

    def get(self, request: Request) -> Response:
        return Response({"verdicts": verdict_words.last_verdicts(request.user, LAST_VERDICTS)})


class UndoVerdict(APIView):
    permission_classes = [IsReviewer]

    @transaction.atomic
    def post(self, request: Request, verdict_id: int) -> Response:
        own = Verdict.objects.standing().select_related("item__control", "item__humming")
        verdict = get_object_or_404(own, pk=verdict_id, person=request.user)
        lock_person(request.user)
        verdict.item = verdict.item.lock()
        if not verdict.may_be_undone:
            told = verdict.item.control_id and verdict.item.control.told(request.user)
            raise Refused(PRACTICE if told else SETTLED, "too_late")
        verdict.undo(request.user)
        clear_desk(request.user, but=verdict.item_id)
        item = ReviewItem.objects.get(pk=verdict.item_id)
        # Somebody else may have it on the desk by now: then it is taken back, and theirs to judge.
        return Response({"item": described(item) if item.is_held_by(request.user) else None, **queue_of(request)})


class ItemSide(APIView):
    """One side of an item, for whom it lies on the desk, or who has judged it."""

    permission_classes = [IsAuthenticated, IsReviewer]

    def item(self, request: Request, item_id: UUID) -> ReviewItem:
        return get_object_or_404(desk.hearable_items(request.user), pk=item_id)


class ItemAudio(ItemSide):
    def get(self, request: Request, item_id: UUID, side: str) -> HttpResponseBase:
        return desk.audio(self.item(request, item_id), side)


class ItemCurve(ItemSide):
    def get(self, request: Request, item_id: UUID, side: str) -> Response:
        return Response(desk.curve(self.item(request, item_id), side))
