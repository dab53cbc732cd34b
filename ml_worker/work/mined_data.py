"""What is trained on besides hums: fragments that were found in covers, of songs of the training split only.

A cover fragment enters with its verdict and its correlation: what people accepted counts like a hum, what a machine
alone is sure of counts by its correlation, and what people rejected or still doubt never enters. Of one song and of one
fragment only so much enters, so that a song with many covers does not drown the others.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any, Self

from django.db.models import Q, QuerySet

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.models import MinedPair
from ml_worker.work.audio_files import melody_of
from ml_worker.work.corrections import correction_of
from recordings.models import CoverFragment
from recordings.models.songs import Split

log = logging.getLogger("chad.jobs")

State = CoverFragment.State


@dataclass(frozen=True)
class Caps:
    """The most cover fragments that enter training, of one song and of one fragment."""

    # A song that is hummed well has some fragments with 7 hums each: about as many.
    per_song: int = 60
    per_fragment: int = 8

    def keep(self, found: Sequence[tuple[Hashable, Hashable]]) -> tuple[list[int], dict[str, int]]:
        """The places of those that enter, and how many are too many of a fragment or of a song.

        Args:
            found: song and fragment of each, those first that are to enter first.
        """
        of_songs: Counter[Hashable] = Counter()
        of_fragments: Counter[Hashable] = Counter()
        kept, beyond = [], {"beyond_cap_of_fragment": 0, "beyond_cap_of_song": 0}
        for place, (song, fragment) in enumerate(found):
            if of_fragments[song, fragment] >= self.per_fragment:
                beyond["beyond_cap_of_fragment"] += 1
            elif of_songs[song] >= self.per_song:
                beyond["beyond_cap_of_song"] += 1
            else:
                of_songs[song] += 1
                of_fragments[song, fragment] += 1
                kept.append(place)
        return kept, beyond


@dataclass(frozen=True)
class Mined:
    """Cover fragments with their originals.

    Attributes:
        pairs: to train on.
        facts: how many of them people accepted and how many a machine alone is sure of, what was left out and why, and
            the caps. Plain JSON values.
    """

    pairs: list[AlignedPair]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: list[AlignedPair], limits: Caps, left_out: dict[str, int]) -> Self:
        by_machine = sum(pair.self_made for pair in pairs)
        counts = {"covers_by_people": len(pairs) - by_machine, "covers_by_machine": by_machine}
        return cls(pairs, counts | {"caps": asdict(limits), "left_out": left_out})


def mined_pairs(limits: Caps | None = None) -> Mined:
    """The cover fragments to train on, the surest of each song and fragment, each with the original of its fragment.

    Those that people accepted without agreeing where they begin are left out: they would teach a wrong place.
    """
    limits = limits or Caps()
    found = list(minable())
    kept, left_out = limits.keep([(one.fragment.recording.song_id, one.fragment_id) for one in found])
    chosen = [found[place] for place in kept]
    pairs = list(_pairs(chosen))
    disagreeing = len(chosen) - len(pairs)
    if disagreeing:
        log.warning("Left out of training, as people do not agree where they begin: %d cover fragments.", disagreeing)
    return Mined.of(pairs, limits, left_out | {"people_disagree": disagreeing})


def minable() -> QuerySet[CoverFragment]:
    """The cover fragments that may be trained on; first those that people accepted, then by their correlation.

    A cover that is the original once more teaches nothing.
    """
    return (
        CoverFragment.objects.accepted()
        .filter(fragment__recording__song__split=Split.TRAIN, correlation__gt=0)
        .exclude(recording__in=MinedPair.objects.duplicates().values("cover"))
        .annotate(by_people=Q(state=State.ACCEPTED))
        .select_related("fragment__recording", "recording")
        .order_by("-by_people", "-correlation", "pk")
    )


def _pairs(chosen: Sequence[CoverFragment]) -> Iterator[AlignedPair]:
    """Recording by recording, so that no more than one whole cover is in memory."""
    originals: dict[Any, Melody] = {}
    for _, ones in groupby(sorted(chosen, key=_place), key=lambda one: one.recording_id):
        together = list(ones)
        cover = melody_of(together[0].recording.analysis.melody)
        for one in together:
            nudge_s = correction_of(item__cover_fragment=one) if one.state == State.ACCEPTED else 0.0
            if nudge_s is None:
                continue
            if one.fragment_id not in originals:
                fragment = one.fragment
                whole = melody_of(fragment.recording.analysis.melody)
                originals[one.fragment_id] = part_of(whole, fragment.start_s, fragment.end_s)
            yield pair_of(one, originals[one.fragment_id], cover, nudge_s)


def _place(one: CoverFragment) -> tuple[str, float, str]:
    return str(one.recording_id), one.start_s, str(one.pk)


def pair_of(one: CoverFragment, original: Melody, cover: Melody, nudge_s: float) -> AlignedPair:
    """A cover fragment as a pair; `nudge_s` is how far after the interval's start people say that it begins."""
    start_s = one.start_s + nudge_s
    by_machine = one.state == State.MATCHED
    return AlignedPair(
        original=original,
        version=part_of(cover, max(0.0, start_s), one.end_s + nudge_s),
        offset_s=min(0.0, start_s),
        tempo_ratio=one.tempo_ratio,
        song_id=str(one.fragment.recording.song_id),
        fragment_id=str(one.fragment_id),
        version_id=str(one.pk),
        source="cover",
        self_made=by_machine,
        weight=one.correlation if by_machine else 1.0,
    )


def part_of(melody: Melody, start_s: float, end_s: float) -> Melody:
    """A part that does not keep the whole in memory."""
    part = melody.cut(start_s, end_s)
    attack = None if part.attack is None else part.attack.copy()
    return replace(
        part, f0_hz=part.f0_hz.copy(), voiced=part.voiced.copy(), confidence=part.confidence.copy(), attack=attack
    )
