"""Fingerprints of recordings, made once for a checkpoint and kept; and the checkpoint's null level."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ml_worker.fingerprint.fingerprinter import fingerprint
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.align import NETWORK_TEMPI, at_any_tempo
from ml_worker.mining.extract import TEMPO_RATIOS, MiningSettings
from ml_worker.mining.null import SPANS_S, NullLevel, calibrate
from ml_worker.models import Checkpoint, FingerprintSet
from ml_worker.work import CannotBeDone
from ml_worker.work.audio_files import bytes_of, melody_of
from recordings.models import Analysis, Recording
from recordings.models.songs import Split
from recordings.storage import put

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
    from ml_worker.mining.correlation import AtTempo

# Unrelated pairs that the null level is measured on: the tail is steady from about this many.
NULL_PAIRS = 40


def fingerprints_of(analysis: Analysis, checkpoint: Checkpoint, weights: Weights) -> Fingerprints:
    """The stored fingerprints of a recording, made and stored if there are none."""
    stored = FingerprintSet.objects.filter(analysis=analysis, checkpoint=checkpoint).first()
    if stored:
        return Fingerprints.from_bytes(bytes_of(stored.file))
    made = fingerprint(melody_of(analysis.melody), weights)
    row = FingerprintSet(analysis=analysis, checkpoint=checkpoint)
    put(row.file, "fingerprints.npz", made.to_bytes())
    row.save()
    return made


def null_level_of(checkpoint: Checkpoint, weights: Weights) -> NullLevel:
    """What unrelated recordings reach with this checkpoint, measured once, on songs of the training split only."""
    if checkpoint.null_level:
        return NullLevel.from_dict(checkpoint.null_level)
    try:
        null = calibrate(list(unrelated_pairs(checkpoint, weights)), TEMPO_RATIOS, MiningSettings.least_voiced)
    except ValueError as problem:
        raise CannotBeDone(f"The level of chance cannot be measured yet: {problem}. Analyse more songs.") from problem
    checkpoint.null_level = null.as_dict()
    checkpoint.save(update_fields=["null_level"])
    return null


def unrelated_pairs(checkpoint: Checkpoint, weights: Weights) -> Iterator[tuple[Fingerprints, AtTempo]]:
    """Originals of the training split, each with recordings of other songs; the same pairs at every call."""
    recordings = Recording.objects.analysed().filter(song__split=Split.TRAIN, duration_s__gte=SPANS_S[-1])
    originals, others = list(recordings.originals().order_by("pk")), list(recordings.order_by("pk"))
    pairs = [(one, other) for one in originals for other in others if one.song_id != other.song_id]
    chosen = random.Random(checkpoint.name).sample(pairs, min(NULL_PAIRS, len(pairs)))

    def look(melody: object) -> Fingerprints:
        return fingerprint(melody, weights)

    for original, other in chosen:
        made = fingerprints_of(original.analysis, checkpoint, weights)
        yield made, at_any_tempo(melody_of(other.analysis.melody), look, NETWORK_TEMPI)
