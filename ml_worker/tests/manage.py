"""For tests of the admin's pages: checkpoints as rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.files.base import ContentFile

from ml_worker.models import Checkpoint, Job
from recordings.models import Humming, TrainingUse

FIGURES = {
    "steps": 3, "seconds": 1.5, "loss_first": 4.0, "loss_last": 1.0, "losses": [4.0, 2.0, 1.0],
    "validation": [{"step": 3, "top1": 0.5, "top10": 1.0, "mrr": 0.625, "queries": 4, "songs": 2}],
}  # fmt: skip


def make_checkpoint(name: str = "short-0123456789ab", hums: Iterable[Humming] = (), **fields: Any) -> Checkpoint:
    """A checkpoint as training leaves it, promoted, its weights aside; as one that came with CHAD with job=None."""
    fields.setdefault("job", Job.objects.create(kind=Job.Kind.TRAIN, subject=name, state=Job.State.DONE))
    fields.setdefault("is_shipped", fields["job"] is None)
    fields.setdefault("standing", Checkpoint.Standing.PROMOTED)
    versions = [[str(hum.fragment.recording.song_id), str(hum.fragment_id), str(hum.pk)] for hum in hums]
    facts = {"kind": name.split("-")[0], "settings": {"tau": 0.05, "augmentation": {"splice": 0.3}}, "figures": FIGURES}
    data = {"versions": versions, "sha256": "ab" * 32}
    checkpoint = Checkpoint.objects.create(
        name=name, data=data, file=ContentFile(b"weights", "w"), **{**facts, **fields}
    )
    TrainingUse.objects.bulk_create(TrainingUse(version_id=hum.pk, checkpoint=name) for hum in hums)
    return checkpoint
