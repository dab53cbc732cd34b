"""Pairs to train on, from the database or from a release folder. Only songs of the training split ever come out."""

from __future__ import annotations

from collections.abc import Iterator

from annotation.models import Verdict
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.work.audio_files import melody_of
from recordings.models import Humming
from recordings.models.songs import Split


def hummed_pairs(split: str = Split.TRAIN) -> list[AlignedPair]:
    """Double-checked hums of a split's songs, each with the original of its fragment."""
    hums = (
        Humming.objects.trainable()
        .filter(fragment__recording__song__split=split, surplus=False)
        .select_related("fragment__recording__song", "check_result")
        .order_by("pk")
    )
    return list(_pairs(hums.iterator(chunk_size=200)))


def _pairs(hums: Iterator[Humming]) -> Iterator[AlignedPair]:
    originals: dict[str, object] = {}
    for hum in hums:
        fragment, check = hum.fragment, hum.check_result
        if fragment.pk not in originals:
            melody = melody_of(fragment.recording.analysis.melody)
            originals[fragment.pk] = melody.cut(fragment.start_s, fragment.end_s)
        yield AlignedPair(
            original=originals[fragment.pk],
            version=melody_of(check.melody),
            offset_s=check.offset_s + nudge_of(hum),
            tempo_ratio=check.tempo_ratio,
            song_id=str(fragment.recording.song_id),
            fragment_id=str(fragment.pk),
            version_id=str(hum.pk),
        )


def nudge_of(hum: Humming) -> float:
    """The people's correction of the offset: the mean of those who accepted the hum, seconds."""
    nudges = Verdict.objects.counted().filter(item__humming=hum, decision="accept").values_list("nudge_s", flat=True)
    return sum(nudges) / len(nudges) if nudges else 0.0
