"""Pairs to train on from a release folder, by whoever downloaded one. No database is needed."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import UnusableAudio
from ml_worker.audio.trackers import track_melody
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.work import CannotBeDone
from recordings.models.songs import Split
from recordings.release.tables import HUMMING, ORIGINAL, VERSIONS

Row = dict[str, str]


def released_pairs(folder: Path, split: str = Split.TRAIN) -> list[AlignedPair]:
    """A split's hums in a release, each with its original, where the release holds the audio of both, and its singer
    lets models be trained on it.

    Raises:
        CannotBeDone: the folder is no release, or its audio cannot be read.
    """
    try:
        with (folder / VERSIONS).open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split and row["audio"] and may_train(row)]
    except (OSError, KeyError, UnicodeDecodeError) as problem:
        raise CannotBeDone(f"{folder} is no release: {VERSIONS} cannot be read ({problem}).") from problem
    originals = {row["fragment_id"]: row for row in rows if row["audio_type"] == ORIGINAL}

    @cache
    def original_of(fragment_id: str) -> Melody:
        return melody_in(folder, originals[fragment_id], mixture=True)

    return [
        pair_of(row, original_of(row["fragment_id"]), melody_in(folder, row, mixture=False))
        for row in rows
        if row["audio_type"] == HUMMING and row["fragment_id"] in originals
    ]


def may_train(row: Row) -> bool:
    """Whether a row's singer lets models be trained on it. Releases from before that was asked do not say."""
    return row.get("ai_training") != "False"


def melody_in(folder: Path, row: Row, *, mixture: bool) -> Melody:
    """The melody of a released file; of a mixture, its vocal part's."""
    try:
        sound = decode(folder / row["audio"])
    except (UnusableAudio, OSError) as problem:
        raise CannotBeDone(f"{row['audio']} cannot be read: {problem}") from problem
    return track_melody(separate(sound).sound if mixture else sound)


def pair_of(row: Row, original: Melody, version: Melody) -> AlignedPair:
    return AlignedPair(
        original=original,
        version=version,
        offset_s=float(row["offset_s"]),
        tempo_ratio=float(row["tempo_ratio"]),
        song_id=row["group_id"],
        fragment_id=row["fragment_id"],
        version_id=row["id"],
    )
