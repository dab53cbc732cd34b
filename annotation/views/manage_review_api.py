"""The admin's calls of the double-check: its figures, overruling an item, a reviewer's standing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.double_check import agreement, reviewer_page
from annotation.double_check.reviewer_page import PutBack
from annotation.models import ReviewItem
from annotation.models.reviewers import Reviewer
from annotation.models.verdicts import Decision
from annotation.roles import IsAdmin
from chad_site.celery import nudge

LONGEST_REASON = 1000
SAY_WHY = "Please say why: the reason stays beside the decision."


def a_reason() -> serializers.CharField:
    return serializers.CharField(max_length=LONGEST_REASON, required=False, allow_blank=True, default="")


class WithReason(serializers.Serializer):
    """What an admin decides needs a reason."""

    why = a_reason()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["why"]:
            raise serializers.ValidationError(SAY_WHY)
        return attrs


class Figures(APIView):
    """Agreement, reliability and the queue, at most a minute old. `?simulated=0` leaves simulated people out.

    `computed_at`; `with_simulated`; `simulated_people`: how many there are. Shares are 0..1, times seconds, and what
    there is nothing to reckon of is null.

    - `verdicts`: `counted` (all below are of these), by how many `people`; `not_counted`, of them `put_back`;
      `taken_back`; `on_controls`.
    - `agreement`: `verdicts` (nominal) and `offsets` (interval): Krippendorff's `alpha`, its 95 % interval `low` to
      `high` by the jackknife, `agreement` (the share of pairs that agree, chance not taken off), over how many `units`
      (items with two values or more) and `values`.
    - `per_week`: from the Monday `week` (UTC); an item belongs to the week of its latest verdict.
    - `per_reason`: `rejections` for it; of the verdicts that `others` gave on the same items, the shares that
      `rejected_too` and gave the `same_reason`.
    - `per_reviewer`: `with_others`, the share of `compared` verdicts that are as the majority of the others';
      `with_settled`, the share of `settled` that are as the item was settled, the own verdict among them;
      `controls_right`, `controls_wrong`; `accepts_good`, `rejects_bad` by Dawid and Skene as `measured_at`; the median
      `took_s`; `standing` and `since` when.
    - `consensus`: of the judged `items`, how many plain counting settles (`majority_settles`), how many of those the
      weights settle (`weights_settle`), on how many they ask on (`asks_on`) or lean the other way (`leans_apart`);
      `settled` by reviewers and of them `settled_apart` by now; `overruled` and `overruled_against_majority`; `list`:
      those `apart`, the farthest apart first.
    - `queue`: `waiting`, of them `one_from_settled` and `split`; `disputed`, `settled`, `overruled`, `closed`,
      `on_desks`, `oldest`, `verdicts_per_item`, `verdicts_per_settled_item`.
    - `controls`: by `fault`: `live`, `retired`, `answers` and the share of them that is `right`.
    - `suspicious`: signs in recent verdicts: `person`, `name`, `reviewer`, `code`, `sentence`.
    """

    permission_classes = [IsAdmin]

    def get(self, request: Request) -> Response:
        return Response(agreement.cached(request.query_params.get("simulated") != "0"))


class Overrule(APIView):
    """An admin decides, whatever the verdicts say."""

    permission_classes = [IsAdmin]

    class Input(WithReason):
        decision = serializers.ChoiceField(Decision.choices)

    def post(self, request: Request, item_id: UUID) -> Response:
        item = get_object_or_404(ReviewItem, pk=item_id)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        item.overrule(request.user, **sent.validated_data)
        return Response({"state": item.state, "version": item.version.state, "settled_at": item.settled_at})


class Standing(APIView):
    """An admin sets a reviewer aside, or trusts them again."""

    permission_classes = [IsAdmin]

    class Input(WithReason):
        state = serializers.ChoiceField([Reviewer.State.TRUSTED, Reviewer.State.SET_ASIDE])
        put_back = serializers.ChoiceField(PutBack.choices, required=False, default=PutBack.SINCE)

    def post(self, request: Request, reviewer_id: UUID) -> Response:
        get_object_or_404(Reviewer, pk=reviewer_id)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        reviewer = reviewer_page.change_standing(reviewer_id, **sent.validated_data, admin=request.user)
        nudge()
        return Response({"state": reviewer.state, "put_back_from": reviewer.put_back_from})
