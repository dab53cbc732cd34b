"""An accepted pair as a control item shows it: as it is, or spoiled in one of the ways of `Control.Fault`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from django.http import Http404

from annotation.models import Control
from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound
from ml_worker.judging import spoiling
from ml_worker.judging.alignment import FASTEST_RATIO, SLOWEST_RATIO
from ml_worker.judging.curves import FINE_HOP_S, Curve
from ml_worker.work.audio_files import sound_of
from ml_worker.work.corrections import correction_of
from recordings import media
from recordings.models import CoverFragment, Fragment, Humming

Fault = Control.Fault

# A pair is clear enough for a control item where so much of it is in step by the curves; and spoiled where only such a
# share of that is left. Between the two a careful reviewer might be wronged.
CLEAR, SPOILED = 0.6, 0.75
# People's corrections of a cover beyond this leave it out: covers are always shown from their start.
LARGEST_CORRECTION_S = 0.1

SHIFT_MS = (350, 700)
SHIFTS_TRIED = 12
SEMITONES = (-5, -4, -3, 3, 4, 5)
# Where in the phrase the key changes, and how much of its end is cut off: shares of the phrase.
MIDDLE = (0.4, 0.6)
MISSING = (0.35, 0.5)
# How far a cut looks for a pause, seconds.
PAUSE_WITHIN_S = 0.15
UNEVEN_S = 0.01
OTHERS_TRIED = 12

Others = Callable[["Shown"], Iterable[Fragment]]


@dataclass(frozen=True)
class Shown:
    """What a control item shows.

    Attributes:
        fragment: as the original.
        original, pitch: the curves of both sides.
        sound: of the version, where it is not the source's own.
        facts: what was done.
    """

    fragment: Fragment
    original: Curve
    pitch: Curve
    duration_s: float
    offset_s: float
    tempo_ratio: float
    transposition: float | None
    sound: Sound | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def in_step(self) -> float:
        return spoiling.in_step(self.original, self.pitch, self.offset_s, self.tempo_ratio)

    @property
    def phrase_s(self) -> float:
        """How long the phrase takes in the version."""
        return self.fragment.duration_s * self.tempo_ratio

    def second_of(self, share: float) -> float:
        """The second of the version at which so much of the phrase is over."""
        return self.offset_s + share * self.phrase_s


class Pair:
    """An accepted version with its original, and what can be made of it."""

    def __init__(self, source: Humming | CoverFragment) -> None:
        self.source = source

    @cached_property
    def as_it_is(self) -> Shown | None:
        """The pair as people accepted it; None where it is not clear enough, or where its parts are gone."""
        try:
            shown = shown_cover(self.source) if isinstance(self.source, CoverFragment) else shown_hum(self.source)
        except (Http404, FileNotFoundError):
            return None
        return shown if shown and shown.in_step >= CLEAR else None

    def with_fault(self, fault: str, others: Others) -> Shown | None:
        """The pair with this fault, the same each time; None where it cannot be made so that it is surely one.

        `others` gives fragments to exchange the original for, about as long as it, the best first.
        """
        if self.as_it_is is None or fault == Fault.AS_IS:
            return self.as_it_is
        chance = random.Random(f"{self.source.pk} {fault}")
        made = {
            Fault.SHIFTED: lambda: self.shifted(chance),
            Fault.SWAPPED: lambda: self.swapped(others(self.as_it_is)),
            Fault.TRANSPOSED: lambda: self.transposed(chance),
            Fault.CUT: lambda: self.cut(chance),
        }[Fault(fault)]()
        return made if made and self.is_spoiled(made) else None

    def is_spoiled(self, shown: Shown) -> bool:
        return shown.in_step <= SPOILED * self.as_it_is.in_step

    def shifted(self, chance: random.Random) -> Shown | None:
        """Moved in time, by the first of some amounts that takes the notes off each other."""
        for _ in range(SHIFTS_TRIED):
            shift_ms = chance.choice((-1, 1)) * chance.randint(*SHIFT_MS)
            made = self.shifted_by(shift_ms)
            if made and self.is_spoiled(made):
                return made
        return None

    def shifted_by(self, shift_ms: int) -> Shown | None:
        shown, facts = self.as_it_is, {"shift_ms": shift_ms}
        if isinstance(self.source, Humming):
            return replace(shown, offset_s=shown.offset_s + shift_ms / 1000, facts=facts)
        # Every cover is shown from its start, so it is another interval that is shown.
        recording, start_s = self.source.recording, self.source.start_s + shift_ms / 1000
        end_s = start_s + shown.duration_s
        if start_s < 0 or end_s > recording.duration_s:
            return None
        pitch = as_curve(media.interval_curve(recording, start_s, end_s))
        return replace(shown, pitch=pitch, sound=heard(self.source, shift_ms / 1000), facts=facts)

    def swapped(self, others: Iterable[Fragment]) -> Shown | None:
        """Another fragment as the original, in the place of the pair's own and in the key that fits it best."""
        shown = self.as_it_is
        for other in islice(others, OTHERS_TRIED):
            try:
                original = as_curve(media.fragment_curve(other))
            except (Http404, FileNotFoundError):
                continue
            ratio = shown.phrase_s / other.duration_s
            if not FASTEST_RATIO <= ratio <= SLOWEST_RATIO:
                continue  # no machine proposes such a pace, so it would tell
            if not spoiling.is_another_tune(shown.pitch, original):
                continue
            key = spoiling.interval(original, shown.pitch, shown.offset_s, ratio)
            facts = {"instead_of": str(shown.fragment.pk)}
            made = replace(shown, fragment=other, original=original, tempo_ratio=ratio, transposition=key, facts=facts)
            if self.is_spoiled(made):
                return made
        return None

    def transposed(self, chance: random.Random) -> Shown:
        shown, sound = self.as_it_is, heard(self.source)
        semitones = chance.choice(SEMITONES)
        at_s = round(spoiling.quiet_place(shown.pitch, sound, *map(shown.second_of, MIDDLE)), 3)
        return replace(
            shown,
            pitch=spoiling.curve_transposed_from(shown.pitch, at_s, semitones),
            sound=spoiling.transposed_from(sound, at_s, semitones),
            facts={"semitones": semitones, "at_s": at_s},
        )

    def cut(self, chance: random.Random) -> Shown:
        shown, sound = self.as_it_is, heard(self.source)
        wanted_s = shown.second_of(1 - chance.uniform(*MISSING))
        earliest_s, latest_s = shown.second_of(1 - MISSING[1]), shown.second_of(1 - MISSING[0])
        near = max(earliest_s, wanted_s - PAUSE_WITHIN_S), min(latest_s, wanted_s + PAUSE_WITHIN_S)
        # Not on the grid of the curve, and not rounded: no length may tell.
        end_s = spoiling.quiet_place(shown.pitch, sound, *near) + chance.uniform(-UNEVEN_S, UNEVEN_S)
        if isinstance(self.source, Humming):
            end_s = spoiling.like_lengths(sound, end_s)
        short = spoiling.cut_off(sound, end_s)
        return replace(
            shown,
            pitch=spoiling.curve_cut_off(shown.pitch, shown.duration_s, end_s),
            duration_s=end_s,
            sound=short,
            facts={"cut_s": round(shown.second_of(1.0) - end_s, 3)},
        )


def shown_hum(hum: Humming) -> Shown | None:
    check = hum.check_result
    corrected_s = correction_of(item__humming=hum)
    if check.offset_s is None or not check.tempo_ratio or not hum.audio or corrected_s is None:
        return None
    return Shown(
        fragment=hum.fragment,
        original=as_curve(media.fragment_curve(hum.fragment)),
        pitch=as_curve(media.read_curve(check.melody)),
        duration_s=hum.duration_s,
        offset_s=check.offset_s + corrected_s,
        tempo_ratio=check.tempo_ratio,
        transposition=check.transposition,
    )


def shown_cover(cover: CoverFragment) -> Shown | None:
    corrected_s = correction_of(item__cover_fragment=cover)
    if corrected_s is None or abs(corrected_s) > LARGEST_CORRECTION_S:
        return None
    return Shown(
        fragment=cover.fragment,
        original=as_curve(media.fragment_curve(cover.fragment)),
        pitch=as_curve(media.interval_curve(cover.recording, cover.start_s, cover.end_s)),
        duration_s=cover.end_s - cover.start_s,
        offset_s=0.0,
        tempo_ratio=cover.tempo_ratio,
        transposition=cover.transposition,
    )


def heard(source: Humming | CoverFragment, moved_s: float = 0.0) -> Sound:
    """The source's own sound; of a cover the interval so much later."""
    if isinstance(source, Humming):
        return sound_of(source.audio)
    start_s, end_s = source.start_s + moved_s, source.end_s + moved_s
    return decode(media.cut_flac(source.recording.audio, start_s, end_s))


def as_curve(stored: dict[str, Any]) -> Curve:
    """A curve of JSON; its hop is FINE_HOP_S."""
    return np.array([np.nan if pitch is None else pitch for pitch in stored["pitch"]], dtype=np.float32)


def as_json(pitch: Curve) -> dict[str, Any]:
    return {"hop_s": FINE_HOP_S, "pitch": [None if np.isnan(p) else round(float(p), 2) for p in pitch]}
