"""Fingerprints of recordings, made once for a checkpoint and kept; and the checkpoint's null level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.fingerprinter import fingerprint
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.null import NullLevel
from ml_worker.models import Checkpoint, FingerprintSet
from ml_worker.work.audio_files import bytes_of, melody_of
from recordings.models import Analysis
from recordings.storage import put

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint as Weights


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
    """What unrelated melodies reach with this checkpoint, measured once, on composed tunes that nobody trains on."""
    if checkpoint.null_level:
        return NullLevel.from_dict(checkpoint.null_level)
    null = shipped.measure_null(weights, shipped.NULL_PAIRS)
    checkpoint.null_level = null.as_dict()
    checkpoint.save(update_fields=["null_level"])
    return null
