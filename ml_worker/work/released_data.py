"""Pairs to train on from a release folder, by whoever downloaded one. No database is needed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import MIX_RATE, separate
from ml_worker.audio.sound import Sound, UnusableAudio
from ml_worker.audio.trackers import RATE, track_melody
from ml_worker.fingerprint.data import AlignedPair
from ml_worker.work import CannotBeDone
from ml_worker.work.mined_data import Caps, Mined
from recordings.models.songs import Split
from recordings.release.tables import COVER, DATASET, HUMMING, ORIGINAL, VERSIONS

# The column that says whether people judged a version.
CHECKED = "check_by_crowdsource"

Row = dict[str, str]


def released_pairs(folder: Path, split: str = Split.TRAIN) -> list[AlignedPair]:
    """A split's hums in a release, each with its original, where the release holds the audio of both, and its singer
    lets models be trained on it.

    Raises:
        CannotBeDone: the folder is no release, or its audio cannot be read.
    """
    rows = rows_of(folder, split)
    originals = {row["fragment_id"]: row for row in rows if row["audio_type"] == ORIGINAL}

    @cache
    def original_of(fragment_id: str) -> Melody:
        return melody_in(folder, originals[fragment_id], mixture=True)

    return [
        pair_of(row, original_of(row["fragment_id"]), melody_in(folder, row, mixture=False))
        for row in rows
        if row["audio_type"] == HUMMING and row["fragment_id"] in originals
    ]


def released_covers(folder: Path, limits: Caps, split: str = Split.TRAIN) -> Mined:
    """A split's cover fragments in a release, each with its original, where the release holds the audio of both.

    As in `mined_data`: those first that people checked, then the most correlated; so many of each song and fragment.

    Raises:
        CannotBeDone: the folder is no release, or its audio cannot be read.
    """
    rows = rows_of(folder, split)
    originals = {row["fragment_id"]: row for row in rows if row["audio_type"] == ORIGINAL}
    about = {row["id"]: row for row in table_of(folder, DATASET)}
    covers = [row for row in rows if row["audio_type"] == COVER and row["fragment_id"] in originals]
    covers = [row | {name: about[row["id"]][name] for name in ("correlation", CHECKED)} for row in covers]
    covers = [row for row in covers if float(row["correlation"] or 0) > 0]
    covers.sort(key=lambda row: (row[CHECKED] != "True", -float(row["correlation"]), row["id"]))
    kept, left_out = limits.keep([(row["group_id"], row["fragment_id"]) for row in covers])

    @cache
    def original_of(fragment_id: str) -> Melody:
        return melody_in(folder, originals[fragment_id], mixture=True)

    pairs = [
        as_mined(pair_of(row, original_of(row["fragment_id"]), melody_in(folder, row, mixture=True)), row)
        for row in (covers[place] for place in kept)
    ]
    return Mined.of(pairs, limits, left_out)


def as_mined(pair: AlignedPair, row: Row) -> AlignedPair:
    """A pair of a cover, weighed by what the release says of it."""
    by_machine = row[CHECKED] != "True"
    weight = float(row["correlation"]) if by_machine else 1.0
    return replace(pair, source="cover", self_made=by_machine, weight=weight)


def released_sounds(folder: Path, split: str = Split.TRAIN) -> Callable[[AlignedPair], Sound]:
    """What gives the sound of a released hum, at the trackers' rate, for the pairs of `released_pairs`."""
    rows = {row["id"]: row for row in rows_of(folder, split)}
    return lambda pair: sound_in(folder, rows[pair.version_id], RATE)


def rows_of(folder: Path, split: str) -> list[Row]:
    """The rows of a split that have audio and may be trained on."""
    rows = table_of(folder, VERSIONS)
    try:
        return [row for row in rows if row["split"] == split and row["audio"] and may_train(row)]
    except KeyError as problem:
        raise CannotBeDone(f"{folder} is no release: {VERSIONS} has no column {problem}.") from problem


def table_of(folder: Path, name: str) -> list[Row]:
    """All rows of one of a release's tables."""
    try:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as problem:
        raise CannotBeDone(f"{folder} is no release: {name} cannot be read ({problem}).") from problem


def may_train(row: Row) -> bool:
    """Whether a row's singer lets models be trained on it. Releases from before that was asked do not say."""
    return row.get("ai_training") != "False"


def melody_in(folder: Path, row: Row, *, mixture: bool) -> Melody:
    """The melody of a released file; of a mixture, its vocal part's."""
    if mixture:
        return track_melody(separate(sound_in(folder, row, MIX_RATE)).sound)
    return track_melody(sound_in(folder, row))


def sound_in(folder: Path, row: Row, max_rate: int | None = None) -> Sound:
    """A released file; a higher rate than `max_rate` (Hz) is brought down."""
    try:
        return decode(folder / row["audio"], max_rate=max_rate)
    except (UnusableAudio, OSError) as problem:
        raise CannotBeDone(f"{row['audio']} cannot be read: {problem}") from problem


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
