"""The humming page's calls: a task, its lease, the take and its outcome."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import login
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import figures, limits, removal_words, removing, take_words, taking, tickets
from annotation.handing_out import claim
from annotation.models import Consent, Familiarity, Guest, Lease, Skip
from annotation.models.guests import GUEST_SESSION
from annotation.returning import by_id_alone
from chad_site.celery import nudge
from chad_site.errors import Refused
from chad_site.parsers import safe_json
from recordings import media
from recordings.models import Humming, Song
from recordings.release.tables import DEVICE_CLASSES

NOTHING_LEFT = _("You have hummed everything that is open right now. Thank you. New songs come; look in again.")
TOO_LARGE = _("A take is at most %(megabytes)d MB. Please hum a shorter one.")
LEASE_OVER = _("The time for this phrase is over. What you have hummed can still be sent.")
SAY_WHETHER = _("Please say whether AI models may be trained on your hums: ai_training is true or false.")


class GiveConsent(APIView):
    """Agreeing to the present text, with the wish about AI training: it is asked, and never supposed.

    Who is not signed in becomes a guest by it, and hums at once.
    """

    permission_classes = [AllowAny]
    throttle_classes = [limits.Calls, limits.NewGuests]

    def post(self, request: Request) -> Response:
        if not request.user.is_authenticated:
            SessionAuthentication().enforce_csrf(request)
        wish = request.data.get("ai_training") if isinstance(request.data, dict) else None
        if not isinstance(wish, bool):
            raise Refused(SAY_WHETHER, "say_whether", 400)
        if not request.user.is_authenticated:
            arrive_as_guest(request)
        # Who came back by a participant id alone may agree, and changes nothing that was said before.
        if not (by_id_alone(request) and Consent.given_by(request.user)):
            Consent.give(request.user, ai_training=wish)
        guest = Guest.is_one(request.user) and not by_id_alone(request)
        return Response({"person": request.user.pk, "guest": guest})


def arrive_as_guest(request: Request) -> None:
    """Signs a new guest in; the cookie is all that says who it is, so it lasts long."""
    login(request._request, Guest.arrive(), backend="django.contrib.auth.backends.ModelBackend")
    request._request.session.set_expiry(GUEST_SESSION)
    request.user = request._request.user


def describe_task(lease: Lease) -> dict[str, Any]:
    fragment = lease.slot.fragment
    phrase, phrases = fragment.place
    return {
        "id": lease.id,
        "ticket": tickets.ticket_for(lease),
        "expires_at": lease.expires_at,
        "fragment": {
            "id": fragment.id,
            "song": fragment.song.title,
            "artist": fragment.song.artist,
            "phrase": phrase,
            "phrases": phrases,
            "duration_s": fragment.duration_s,
            "audio_url": reverse("fragment-audio", args=[fragment.id]),
            "curve_url": reverse("fragment-curve", args=[fragment.id]),
        },
    }


class NextTask(APIView):
    """A lease on a slot: of the named fragment or song, or of what helps most."""

    throttle_classes = [limits.Calls, limits.Tasks]

    class Input(serializers.Serializer):
        fragment = serializers.UUIDField(required=False, allow_null=True, default=None)
        song = serializers.UUIDField(required=False, allow_null=True, default=None)
        # Fragments of which a take waits on this device: they are hummed, though we do not have them yet.
        waiting = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=200)

    def post(self, request: Request) -> Response:
        if not Consent.given_by(request.user):
            raise Refused(taking.CONSENT_FIRST, "consent_first", 403)
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        asked = wish.validated_data
        lease = claim(request.user, asked["fragment"], asked["song"], asked["waiting"])
        progress = figures.progress_of(request.user) | {"collection": figures.collection()}
        if lease is None:
            return Response({"task": None, "reason": NOTHING_LEFT, "progress": progress})
        return Response({"task": describe_task(lease), "progress": progress})


def own_lease(request: Request, lease_id: UUID) -> Lease:
    return get_object_or_404(Lease.objects.select_related("slot__fragment"), pk=lease_id, person=request.user)


class ExtendTask(APIView):
    def post(self, request: Request, lease_id: UUID) -> Response:
        lease = own_lease(request, lease_id)
        if not lease.is_live:
            raise Refused(LEASE_OVER, "lease_over")
        lease.extend()
        return Response({"expires_at": lease.expires_at})


class SkipTask(APIView):
    class Input(serializers.Serializer):
        why = serializers.ChoiceField(Skip.Why.choices)

    def post(self, request: Request, lease_id: UUID) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        own_lease(request, lease_id).skip(sent.validated_data["why"])
        return Response(status=204)


class KnowSong(APIView):
    """The person's word on a song: true, false, or null to take it back."""

    class Input(serializers.Serializer):
        knows = serializers.BooleanField(allow_null=True)

    def put(self, request: Request, song_id: UUID) -> Response:
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        song = get_object_or_404(Song.objects.available(), pk=song_id)
        Familiarity.say(request.user, song, sent.validated_data["knows"])
        # What is lent already was chosen without that word. A take of it is kept all the same.
        for lease in Lease.objects.live().filter(person=request.user).exclude(slot__fragment__recording__song=song):
            lease.close(Lease.Outcome.EXPIRED)
        return Response(status=204)


# What the database's integers hold, and how long a browser's facts may be.
LARGEST_COUNT = 2**31 - 1
MOST_CAPTURE_LETTERS = 64_000
# Form fields beside the audio of an upload, bytes.
FORM_BYTES = 200_000


class SoundCheck(serializers.Serializer):
    """What the check of microphone and headphones found for this stream, before the take."""

    kind = serializers.ChoiceField(["headphones", "loudspeaker", "unsure"])
    latency_s = serializers.FloatField(allow_null=True, required=False, default=None, min_value=0, max_value=5)
    confidence = serializers.FloatField(allow_null=True, required=False, default=None, min_value=0, max_value=1)
    leak_db = serializers.FloatField(allow_null=True, required=False, default=None, min_value=-300, max_value=100)
    floor_db = serializers.FloatField(allow_null=True, required=False, default=None, min_value=-300, max_value=100)
    bandwidth_hz = serializers.FloatField(allow_null=True, required=False, default=None, min_value=0, max_value=1e6)


class CaptureFacts(serializers.Serializer):
    """What the browser tells of a capture."""

    sample_rate = serializers.IntegerField(min_value=1, max_value=LARGEST_COUNT)
    frames = serializers.IntegerField(min_value=0, max_value=LARGEST_COUNT)
    mode = serializers.ChoiceField(["along", "after"])
    reference_start_frame = serializers.IntegerField(
        allow_null=True, required=False, default=None, min_value=-LARGEST_COUNT, max_value=LARGEST_COUNT
    )
    gaps = serializers.ListField(child=serializers.JSONField(), required=False, default=list, max_length=1000)
    interrupted = serializers.CharField(allow_null=True, required=False, default=None, max_length=40)
    track_settings = serializers.DictField(required=False, default=dict)
    context = serializers.DictField(required=False, default=dict)
    sound_check = SoundCheck(allow_null=True, required=False, default=None)
    device_class = serializers.ChoiceField(DEVICE_CLASSES, allow_null=True, required=False, default=None)


def refuse_large(size: int) -> None:
    if size > settings.MAX_TAKE_BYTES:
        megabytes = settings.MAX_TAKE_BYTES // 1_000_000
        raise Refused(TOO_LARGE % {"megabytes": megabytes}, "too_large", 413)


class Take(APIView):
    """One take: PUT stores it, GET tells what came of it.

    The lease's ticket is enough to store it: a take that waited on a device is saved in its singer's name although the
    session is over, or somebody else is signed in.
    """

    parser_classes = [MultiPartParser]

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self.request.method == "PUT" else super().get_permissions()

    class Input(serializers.Serializer):
        audio = serializers.FileField(allow_empty_file=True)
        sha256 = serializers.RegexField(r"^[0-9a-fA-F]{64}$")
        capture = serializers.CharField(max_length=MOST_CAPTURE_LETTERS)

        def validate_capture(self, text: str) -> dict[str, Any]:
            try:
                told = CaptureFacts(data=safe_json(text))
            except ValueError as problem:
                raise serializers.ValidationError(str(problem)) from problem
            told.is_valid(raise_exception=True)
            return told.validated_data

    def put(self, request: Request, take_id: UUID) -> Response:
        # Both before anything is read.
        lease = lease_of_ticket(request.headers.get(TICKET_HEADER, ""))
        # Refused, it waits in the outbox and is sent again after Retry-After.
        limits.refuse_beyond("takes", lease.person_id)
        refuse_large(int(request.META.get("CONTENT_LENGTH") or 0) - FORM_BYTES)
        sent = self.Input(data=request.data)
        sent.is_valid(raise_exception=True)
        audio, capture = sent.validated_data["audio"], sent.validated_data["capture"]
        refuse_large(audio.size)
        take = taking.SentTake(take_id, audio, sent.validated_data["sha256"], capture, capture["reference_start_frame"])
        try:
            humming, is_new = taking.save_take(take, lease)
        except taking.TakeRefused as refusal:
            raise Refused(str(refusal), refusal.code, 409 if refusal.code in CONFLICTS else 422) from refusal
        if is_new:
            nudge()
        own = humming.singer_id == request.user.pk
        described = describe_take(humming) if own else {"id": humming.id, "state": OUTCOME[humming.state]}
        return Response(described, status=201 if is_new else 200)

    def get(self, request: Request, take_id: UUID) -> Response:
        return Response(describe_take(get_object_or_404(hearable_takes(request), pk=take_id)))


CONFLICTS = {"id_taken", "hummed_already"}
TICKET_HEADER = "X-Take-Ticket"
NO_TICKET = _("This take's ticket is not ours or is too old, so we cannot tell whose take it is.")


def lease_of_ticket(ticket: str) -> Lease:
    """The lease that the take is of; its holder has agreed, to this text or an older one, and still is with us."""
    lease = tickets.lease_of(ticket)
    if lease is None:
        raise Refused(NO_TICKET, "no_ticket", 403)
    if not lease.person.is_active:
        raise Refused(taking.ACCOUNT_CLOSED, "account_closed", 410)
    if Consent.latest_of(lease.person) is None:
        raise Refused(taking.CONSENT_FIRST, "consent_first", 403)
    return lease


def hearable_takes(request: Request) -> QuerySet[Humming]:
    """A singer hears own takes; an admin those that are not withdrawn. Reviewers hear them as a side of an item."""
    hearable = Q(singer=request.user)
    if request.user.is_staff:
        hearable |= ~Q(state=Humming.State.WITHDRAWN)
    return Humming.objects.filter(hearable).select_related("fragment__recording__song", "check_result")


OUTCOME = {
    Humming.State.SAVED: "waiting",
    Humming.State.CHECKED: "accepted",
    Humming.State.ACCEPTED: "accepted",
    Humming.State.REFUSED: "refused",
    Humming.State.REJECTED: "refused",
    Humming.State.WITHDRAWN: "withdrawn",
}


def describe_take(humming: Humming) -> dict[str, Any]:
    """What the singer sees of a take. `state` is the outcome of the automatic check, as the page shows it."""
    check = getattr(humming, "check_result", None)
    reasons = check.reasons if check else []
    return {
        "id": humming.id,
        "state": OUTCOME[humming.state],
        "stage": humming.state,
        "surplus": humming.surplus,
        "fragment": humming.fragment_id,
        "sentences": [take_words.sentence_of(reason) for reason in reasons],
        "reasons": [reason["code"] for reason in reasons],
        "offset_s": check and check.offset_s,
        "tempo_ratio": check and check.tempo_ratio,
        "transposition": check and check.transposition,
        "similarity": check and check.similarity,
        "audio_url": reverse("take-audio", args=[humming.id]),
        "curve_url": reverse("take-curve", args=[humming.id]) if check else None,
    }


class TakeAudio(APIView):
    def get(self, request: Request, take_id: UUID) -> HttpResponse:
        humming = get_object_or_404(hearable_takes(request).exclude(audio=""), pk=take_id)
        with humming.audio.open() as stored:
            return media.private_file(stored.read(), "audio/wav")


class TakeCurve(APIView):
    def get(self, request: Request, take_id: UUID) -> Response:
        humming = get_object_or_404(hearable_takes(request).filter(check_result__melody__gt=""), pk=take_id)
        return Response(media.read_curve(humming.check_result.melody))


class Withdrawal(APIView):
    """What withdrawing an own take would touch, in sentences."""

    def get(self, request: Request, take_id: UUID) -> Response:
        humming = get_object_or_404(Humming.objects.filter(singer=request.user), pk=take_id)
        touched = removing.touched_by_take(humming)
        return Response({"touched": touched.as_dict(), "sentences": removal_words.of_a_take(touched)})


class WithdrawTake(APIView):
    def post(self, request: Request, take_id: UUID) -> Response:
        humming = get_object_or_404(Humming.objects.filter(singer=request.user), pk=take_id)
        taking.withdraw(humming, request.user)
        return Response(status=204)
