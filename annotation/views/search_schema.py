"""What the public calls take and give, as serialisers: they check what comes, and make the OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework import serializers
from rest_framework.permissions import AllowAny

from annotation import limits
from annotation.models import Search

# The longest that a question may wait for its answer, seconds.
LONGEST_WAIT_S = 5.0

PUBLIC = "/api/v1/"


def only_public(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """For drf-spectacular: of all addresses those that are promised to stay."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PUBLIC) and endpoint[0] != f"{PUBLIC}schema"]


class Schema(SpectacularJSONAPIView):
    """The public calls as an OpenAPI document."""

    permission_classes = [AllowAny]
    throttle_classes = [limits.SearchCalls]


@require_safe
def explained(request: HttpRequest) -> HttpResponse:
    """The page for who writes programs: the calls, examples, limits."""
    rates = {name.replace("-", "_"): rate_in_words(settings.LIMITS[name]) for name in ("searches", "search-calls")}
    megabytes = settings.MAX_SEARCH_BYTES // 1_000_000
    return render(request, "api.html", {"here": request.build_absolute_uri("/")[:-1], "rates": rates, "mb": megabytes})


def rate_in_words(written: str) -> str:
    rate = limits.Rate.read(written)
    return f"{rate.calls} in {limits.wait_in_words(rate.period_s)}" if rate else "as many as you like"


class SearchSent(serializers.Serializer):
    """A hum to search for."""

    audio = serializers.FileField(
        allow_empty_file=True,
        help_text="WAV, MP3, M4A, FLAC, OGG, WebM and the like, at most 20 MB. Its first 15 seconds are searched for.",
    )
    id = serializers.UUIDField(required=False, help_text="Of the search, made by you: sending it twice makes one.")
    hum = serializers.UUIDField(required=False, help_text="The same for all searches of one hum.")
    partial = serializers.BooleanField(
        required=False, default=False, help_text="The person still hums: a newer search takes the place of this one."
    )


class SearchAsked(serializers.Serializer):
    wait = serializers.FloatField(
        required=False,
        default=0.0,
        min_value=0.0,
        max_value=LONGEST_WAIT_S,
        help_text="Seconds to wait for the answer; it may come without one sooner, where many wait.",
    )


class MarkSent(serializers.Serializer):
    """A word on one song of an answer."""

    song = serializers.UUIDField()
    right = serializers.BooleanField(
        allow_null=True, help_text="Whether this is the song that was hummed; null takes the word back."
    )
    keep = serializers.BooleanField(
        required=False, default=False, help_text="The hum of the right song goes to the dataset: needs your consent."
    )


class SongShown(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    artist = serializers.CharField()


class FoundShown(serializers.Serializer):
    """One song that was found, and where in it."""

    rank = serializers.IntegerField(help_text="From 1; a song that was taken down since leaves its number free.")
    song = SongShown()
    recording = serializers.UUIDField()
    probability = serializers.FloatField(help_text="That this is the song, 0..1.")
    start_s = serializers.FloatField(help_text="Second of the recording at which the hum begins.")
    end_s = serializers.FloatField(help_text="Second of the recording at which the hum ends.")
    tempo_ratio = serializers.FloatField(help_text="Seconds of the hum for one of the recording: above 1 is slower.")
    transposition = serializers.FloatField(
        allow_null=True, help_text="Semitones, hum minus recording; null where both nowhere sound together."
    )
    listen = serializers.CharField(
        allow_null=True, help_text="The recording from that place on, where it may be played."
    )
    watch = serializers.URLField(allow_null=True, help_text="The video at that place, where the recording is one.")
    curves = serializers.CharField(help_text="Both pitch curves around that place.")
    keepable = serializers.BooleanField(
        help_text="Whether the hum can be given to the dataset as one of this song; its sound is checked when it is."
    )
    why_not = serializers.CharField(allow_blank=True, help_text="Why it cannot, in words.")


class IndexShown(serializers.Serializer):
    """What was searched."""

    songs = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="Whether these are all songs; some may be away for a moment.")
    built_at = serializers.DateTimeField()


class MarkShown(serializers.Serializer):
    right = serializers.BooleanField()
    kept = serializers.BooleanField(help_text="Whether the hum is kept for the dataset.")


class SearchShown(serializers.Serializer):
    """A search, and its answer as soon as it is there."""

    id = serializers.UUIDField()
    hum = serializers.UUIDField()
    key = serializers.CharField(
        required=False,
        help_text="Once, to who calls without cookies: to be sent as X-Search-Key with every later call.",
    )
    partial = serializers.BooleanField()
    state = serializers.ChoiceField(Search.State.choices)
    code = serializers.CharField(allow_blank=True, help_text="Why it was refused, as a word.")
    sentence = serializers.CharField(allow_blank=True, help_text="Why it was refused, or what it waits for.")
    here = serializers.FloatField(allow_null=True, help_text="The probability that the song is in the catalogue, 0..1.")
    is_here = serializers.BooleanField(
        allow_null=True,
        help_text="Whether that is above the line that one hum of a hundred unknown songs passes; null where it is not "
        "and some songs could not be searched just now.",
    )
    warnings = serializers.ListField(child=serializers.CharField())
    took_s = serializers.DictField(child=serializers.FloatField(), help_text="Seconds of each step.")
    found = FoundShown(many=True)
    index = IndexShown(allow_null=True)
    marked = serializers.DictField(child=MarkShown(), help_text="Your words, by the song's id.")


class CurveShown(serializers.Serializer):
    hop_s = serializers.FloatField()
    pitch = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="Semitones, 69 is 440 Hz.")
    start_s = serializers.FloatField(help_text="Second of the recording of the first value.")


class CurvesShown(serializers.Serializer):
    """Two curves on the recording's clock, the hum in its key."""

    hum = CurveShown()
    song = CurveShown()


class MarkAnswer(serializers.Serializer):
    marked = serializers.DictField(child=MarkShown(), help_text="All your words on this answer, by the song's id.")
    kept = serializers.BooleanField(help_text="Whether the hum is kept for the dataset.")
    sentence = serializers.CharField(allow_blank=True, help_text="What became of the hum.")


class Problem(serializers.Serializer):
    """Every refusal."""

    error = serializers.CharField(help_text="A sentence that says what to do.")
    code = serializers.CharField()
