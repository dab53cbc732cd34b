"""What machines do and make, as rows."""

from ml_worker.models.checkpoints import (
    COMPARED,
    STARTER_MINES,
    Checkpoint,
    CheckpointQuerySet,
    FingerprintSet,
    StandingChange,
    fingerprints_name,
    weights_name,
)
from ml_worker.models.jobs import HEARTBEAT, MAX_ATTEMPTS, STALE_AFTER, Job, JobQuerySet
from ml_worker.models.pairs import MinedPair, MinedPairQuerySet, picture_name
from ml_worker.models.rounds import Round, RoundFinding, RoundStep
from ml_worker.models.search_index import IndexedRecording, SearchIndex, findable
from ml_worker.models.window_parts import WindowPart

__all__ = [
    "COMPARED",
    "HEARTBEAT",
    "MAX_ATTEMPTS",
    "STALE_AFTER",
    "STARTER_MINES",
    "Checkpoint",
    "CheckpointQuerySet",
    "FingerprintSet",
    "IndexedRecording",
    "Job",
    "JobQuerySet",
    "MinedPair",
    "MinedPairQuerySet",
    "Round",
    "RoundFinding",
    "RoundStep",
    "SearchIndex",
    "StandingChange",
    "WindowPart",
    "findable",
    "fingerprints_name",
    "picture_name",
    "weights_name",
]
