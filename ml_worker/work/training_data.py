"""Pairs to train on, from the database or from a release folder. Only songs of the training split ever come out."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ml_worker.fingerprint.data import AlignedPair
from ml_worker.work.audio_files import melody_of
from ml_worker.work.corrections import correction_of
from recordings.models import Humming
from recordings.models.songs import Split

log = logging.getLogger("chad.jobs")


def hummed_pairs(split: str = Split.TRAIN) -> list[AlignedPair]:
    """Double-checked hums of a split's songs, each with the original of its fragment.

    Those of whose beginning the people who accepted them do not agree are left out: they would teach a wrong place.
    """
    hums = (
        Humming.objects.trainable()
        .filter(fragment__recording__song__split=split, surplus=False)
        .select_related("fragment__recording__song", "check_result")
        .order_by("pk")
    )
    return list(_pairs(hums.iterator(chunk_size=200)))


def _pairs(hums: Iterator[Humming]) -> Iterator[AlignedPair]:
    originals: dict[str, object] = {}
    left_out = 0
    for hum in hums:
        fragment, check = hum.fragment, hum.check_result
        nudge_s = correction_of(item__humming=hum)
        if nudge_s is None:
            left_out += 1
            continue
        if fragment.pk not in originals:
            melody = melody_of(fragment.recording.analysis.melody)
            originals[fragment.pk] = melody.cut(fragment.start_s, fragment.end_s)
        yield AlignedPair(
            original=originals[fragment.pk],
            version=melody_of(check.melody),
            offset_s=check.offset_s + nudge_s,
            tempo_ratio=check.tempo_ratio,
            song_id=str(fragment.recording.song_id),
            fragment_id=str(fragment.pk),
            version_id=str(hum.pk),
        )
    if left_out:
        log.warning("Left out of training, as people do not agree where they begin: %d hums.", left_out)
