"""What is trained on: hums with their originals from the database, and tunes to simulate hums of.

Only songs of the split that is asked for ever come out, of the starter catalogue only those of the training split.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ml_worker.catalogue import tunes
from ml_worker.catalogue.composer import compose_tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.fingerprint.data import AlignedPair, Tune
from ml_worker.fingerprint.shipped import notes_of
from ml_worker.work.audio_files import melody_of
from ml_worker.work.corrections import correction_of
from ml_worker.work.starter import starter_id, starter_songs
from recordings.models import Humming
from recordings.models.songs import Split

log = logging.getLogger("chad.jobs")

# Tunes that are composed for the simulated hums, and their seed: as for the starter checkpoint.
COMPOSED, COMPOSED_SEED = 1000, 1


def tunes_to_hum() -> list[Tune]:
    """Tunes that are free of restrictions: composed ones, and the starter catalogue's songs of the training split."""
    songs = set(starter_songs().available().filter(split=Split.TRAIN).values_list("pk", flat=True))
    known = [tune for tune in tunes() if starter_id(tune.slug) in songs]
    composed = compose_tunes(COMPOSED, seed=COMPOSED_SEED)
    return [
        *(Tune(tune.slug, notes_of(as_written(tune).notes()), str(starter_id(tune.slug))) for tune in known),
        *(Tune(score.name, notes_of(score.notes)) for score in composed),
    ]


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
