"""What exists."""

from recordings.models.candidates import AvailabilityCheck, CoverCandidate, CoverSearch
from recordings.models.estimates import Estimate, most_trusted
from recordings.models.history import StateChange
from recordings.models.releases import Release, ReleasedVersion
from recordings.models.songs import Analysis, Fragment, Recording, Song
from recordings.models.training import TrainingUse
from recordings.models.versions import CoverFragment, HumCheck, Humming

__all__ = [
    "Analysis",
    "AvailabilityCheck",
    "CoverCandidate",
    "CoverFragment",
    "CoverSearch",
    "Estimate",
    "Fragment",
    "HumCheck",
    "Humming",
    "Recording",
    "Release",
    "ReleasedVersion",
    "Song",
    "StateChange",
    "TrainingUse",
    "most_trusted",
]
