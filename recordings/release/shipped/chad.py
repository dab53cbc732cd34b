"""The loader of a CHAD release: tracks, splits, and pairs of originals with their hums and covers.

It lies in every release and needs nothing but Python 3.9 or later; NumPy and soundfile when audio or pitch curves are
asked for, and Hugging Face's `datasets` for `to_datasets`. From inside the folder of a release:

    import chad

    data = chad.Dataset()
    for original, hum in data.pairs(split="train", kind="humming"):
        samples, rate = hum.audio

From elsewhere: `chad.Dataset("path/to/chad-2026.11")`. Its names are those of mirdata (https://mirdata.readthedocs.io).

Licence: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/. Use and change it as you like.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa

AUDIO_TYPES = ("original", "cover", "humming")
SPLITS = ("train", "validation", "test")
# By which split: of the songs, of the singers, or only what both put there.
BY = ("song", "singer", "both")

DATASET = "metadata/dataset.csv"
VERSIONS = "metadata/versions.csv"
# The same tables with types.
DATASET_PARQUET = "metadata/dataset.parquet"
VERSIONS_PARQUET = "metadata/versions.parquet"
CARD = "metadata/release.json"
# The part of a release with pitch curves, which may be left out.
CURVES = "f0"
# Where download.py puts what the release only refers to.
FETCHED = "fetched"

# Start and end, seconds.
Interval = tuple[float, float]


class ReleaseError(Exception):
    """Something of the release is missing or not as it should be; the text says what, and what to do."""


@dataclass(frozen=True, eq=False)
class Track:
    """One version of a fragment: an original, a cover or a hum. What each column means: README.md of the release.

    None stands for what is not known. Two columns have other names, since `audio` and `f0` give the sound and the curve
    themselves: `audio_file` and `f0_file` are their paths as the table has them.
    """

    track_id: str
    group_id: str
    fragment_id: str
    audio_type: str
    interval: Interval
    duration: float
    check_by_crowdsource: bool
    is_available: bool
    split: str
    title: str
    artist: str
    simulated: bool
    youtube_id: str | None = None
    correlation: float | None = None
    performer: str | None = None
    source: str | None = None
    licence: str | None = None
    audio_file: str | None = None
    sha256: str | None = None
    why_no_audio: str | None = None
    sample_rate: int | None = None
    offset_s: float | None = None
    tempo_ratio: float | None = None
    transposition: float | None = None
    offset_confidence: float | None = None
    latency_s: float | None = None
    latency_method: str | None = None
    latency_confidence: float | None = None
    similarity: float | None = None
    check_method: str | None = None
    checkpoint: str | None = None
    null_level: float | None = None
    singer: str | None = None
    consent_version: str | None = None
    ai_training: bool | None = None
    singer_split: str | None = None
    device_class: str | None = None
    age_band: str | None = None
    gender: str | None = None
    musical_training: str | None = None
    snr_db: float | None = None
    voiced_share: float | None = None
    clipped_share: float | None = None
    coverage: float | None = None
    verdicts_for: int | None = None
    verdicts_against: int | None = None
    agreement: float | None = None
    decided_by: str | None = None
    probability: float | None = None
    f0_file: str | None = None
    f0_method: str | None = None
    _dataset: Dataset | None = field(default=None, repr=False)

    @property
    def audio_path(self) -> Path | None:
        """Where its audio is: in the release, else among what download.py fetched; None if in neither."""
        fetched = f"{FETCHED}/{self.group_id}/{self.fragment_id}/{self.track_id}.flac"
        for path in (self.audio_file, fetched):
            if path is not None and self._home.inside(path).is_file():
                return self._home.inside(path)
        return None

    @property
    def audio(self) -> tuple[np.ndarray, int]:
        """Its sound, read anew each time: samples from -1 to 1, (N,) or (N, channels) float32, and their rate in Hz."""
        path = self.audio_path
        if path is None:
            reason = self.why_no_audio or f"{self.audio_file} is missing"
            raise ReleaseError(f"There is no audio of {self.audio_type} {self.track_id}: {reason}. Try download.py.")
        import soundfile  # here, so that tables can be used without it

        try:
            return soundfile.read(path, dtype="float32")
        except RuntimeError as problem:
            raise ReleaseError(
                f"{path} cannot be read as audio: {problem}. Get it again, with download.py."
            ) from problem

    @property
    def f0_path(self) -> Path | None:
        """Where its pitch curve is; None if it has none, or if the part with the curves was left out."""
        if self.f0_file is None or not self._home.inside(self.f0_file).is_file():
            return None
        return self._home.inside(self.f0_file)

    @property
    def f0(self) -> tuple[np.ndarray, np.ndarray]:
        """Its pitch curve: seconds (N,) and Hz (N,), 0 where no voice is heard."""
        path = self.f0_path
        if path is None:
            reason = "it has none" if self.f0_file is None else f"{self.f0_file} is not in the folder"
            raise ReleaseError(f"There is no pitch curve of {self.audio_type} {self.track_id}: {reason}.")
        import numpy as np

        try:
            points = [tuple(map(float, line.split(","))) for line in path.read_text(encoding="ascii").splitlines()]
            seconds, hz = np.array(points, dtype=float).reshape(len(points), 2).T
        except ValueError as problem:
            raise ReleaseError(f"{path} is no pitch curve: {problem}. Get it again, with download.py.") from problem
        return seconds, hz

    @property
    def original(self) -> Track:
        """The original of its fragment; of an original the track itself."""
        return self._home.original_of(self.fragment_id)

    @property
    def _home(self) -> Dataset:
        if self._dataset is None:
            raise ReleaseError("This track belongs to no release. Get tracks from chad.Dataset.")
        return self._dataset


class Dataset:
    """A release in a folder. Tables are read when they are first needed, audio and curves never before they are asked
    for.

    Attributes:
        data_home: the folder.
    """

    def __init__(self, data_home: Any = None) -> None:
        """`data_home` is the release's folder; without it, the folder in which this file lies."""
        self.data_home = Path(__file__).parent if data_home is None else Path(data_home)
        if not (self.data_home / VERSIONS).is_file():
            raise ReleaseError(f"{self.data_home} is no CHAD release: it has no {VERSIONS}. Give the release's folder.")

    def __repr__(self) -> str:
        return f"chad.Dataset({str(self.data_home)!r})"

    @cached_property
    def version(self) -> str:
        """Of the release, such as 2026.11."""
        return str(self._json(CARD, "version")["version"])

    # --- tracks

    @cached_property
    def track_ids(self) -> list[str]:
        """The ids of all versions, in the order of the tables."""
        return list(self._tracks)

    def track(self, track_id: str) -> Track:
        """The version with this id."""
        try:
            return self._tracks[track_id]
        except KeyError:
            raise ReleaseError(f"There is no version {track_id!r} in {self.data_home}.") from None

    def load_tracks(self) -> dict[str, Track]:
        """All versions by their ids."""
        return dict(self._tracks)

    def choice_track(self, seed: int | None = None) -> Track:
        """One at random; the same for the same seed."""
        if not self.track_ids:
            raise ReleaseError(f"{self.data_home} has no versions.")
        return self._tracks[random.Random(seed).choice(self.track_ids)]

    @cached_property
    def fragments(self) -> dict[str, list[Track]]:
        """The versions of each fragment by its id, the original first."""
        return self._grouped("fragment_id")

    @cached_property
    def songs(self) -> dict[str, list[Track]]:
        """The versions of each song by its id, the originals first."""
        return self._grouped("group_id")

    def original_of(self, fragment_id: str) -> Track:
        """The original of a fragment."""
        for track in self.fragments.get(fragment_id, []):
            if track.audio_type == "original":
                return track
        raise ReleaseError(f"Fragment {fragment_id!r} has no original in {self.data_home}.")

    # --- splits and pairs

    def split(self, name: str, by: str = "song") -> list[Track]:
        """The versions of a split.

        Args:
            name: train, validation or test.
            by: "song": no song is in two splits. "singer": no singer is; only hums have this one. "both": hums of which
                both splits say the same, so that no test has a song or a voice of the training.
        """
        must_be(name, SPLITS, "split")
        must_be(by, BY, "way to split")
        return [track for track in self._tracks.values() if is_in(track, name, by)]

    def pairs(
        self, split: str | None = None, kind: str | None = None, by: str = "song"
    ) -> Iterator[tuple[Track, Track]]:
        """Each hum and cover with the original of its fragment, as (original, version), in the order of the tables.

        Args:
            split: train, validation or test; all of them if None.
            kind: "humming" or "cover"; both if None.
            by: as in `split`; by singer it is the version's split that counts.
        """
        if kind is not None:
            must_be(kind, AUDIO_TYPES[1:], "kind of version")
        versions = self._tracks.values() if split is None else self.split(split, by)
        for track in versions:
            if track.audio_type != "original" and kind in (None, track.audio_type):
                yield track.original, track

    # --- for Hugging Face's datasets

    def to_datasets(self, kind: str = "humming", by: str = "song") -> datasets.DatasetDict:
        """The versions of a type whose audio is in the folder, as `datasets` has them: the columns of the shards in
        `data`, by split. It needs no shard, and has what download.py fetched of videos. What is not there, as what was
        withdrawn since, is left out, with a warning that says how much. Audio is read when a row is asked for.

        Args:
            kind: "humming", "cover" or "original".
            by: as in `split`.
        """
        must_be(kind, AUDIO_TYPES, "kind of version")
        must_be(by, BY, "way to split")
        from datasets import Audio, Dataset, DatasetDict  # here, so that nobody else needs it

        tracks = [track for track in self._tracks.values() if track.audio_type == kind]
        paths = {track.track_id: str(path) for track in tracks if (path := track.audio_path) is not None}
        left_out = f"{len(tracks) - len(paths)} of {len(tracks)} versions of the type {kind} have no audio here"
        if not paths:
            raise ReleaseError(f"{left_out}, in {self.data_home}. download.py fetches what can be had.")
        if len(paths) < len(tracks):
            warnings.warn(f"{left_out} and are left out. download.py fetches what can be had.", stacklevel=2)
        table = self._typed_rows(list(paths)).append_column("audio", [list(paths.values())])
        sides = {
            name: [place for place, track_id in enumerate(paths) if is_in(self._tracks[track_id], name, by)]
            for name in SPLITS
        }
        return DatasetDict(
            {
                name: Dataset(table.take(places)).cast_column("audio", Audio())
                for name, places in sides.items()
                if places
            }
        )

    def _typed_rows(self, track_ids: list[str]) -> pa.Table:
        """These versions in the columns of the shards but the audio: of both tables, with their types."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            further, table = (pq.read_table(self.inside(path)) for path in (VERSIONS_PARQUET, DATASET_PARQUET))
            is_one_list = further["id"].equals(table["id"])
            columns = further.drop_columns(["audio"])
        except (OSError, KeyError, pa.ArrowException) as problem:
            raise ReleaseError(
                f"The tables of {self.data_home} cannot be read: {problem}. Get them again, with download.py."
            ) from problem
        places = {track_id: place for place, track_id in enumerate(table["id"].to_pylist())}
        if not is_one_list or not places.keys() >= set(track_ids):
            raise ReleaseError(f"The tables of {self.data_home} do not name the same versions. Get them again.")
        for name in table.column_names:
            if name not in columns.column_names:
                columns = columns.append_column(table.field(name), table[name])
        return columns.take([places[track_id] for track_id in track_ids])

    # --- files

    def validate(self) -> tuple[list[str], list[str]]:
        """Compares the files with the index of the release.

        Gives the paths of missing files and those of changed ones, in order. Pitch curves are looked for only where the
        part with them is there. SHA256SUMS has stronger sums, of every file.
        """
        missing, changed = [], []
        for path, md5 in self._indexed():
            file = self.inside(path)
            if not file.is_file():
                missing.append(path)
            elif md5_of(file) != md5:
                changed.append(path)
        return missing, changed

    def inside(self, path: str) -> Path:
        """A path of the release as a path on this machine. Raises ReleaseError if it leads out of the folder."""
        home = self.data_home.resolve()
        found = (home / path).resolve()
        if not path or os.path.isabs(path) or found == home or home not in found.parents:
            raise ReleaseError(f"The path {path!r} leads out of the release in {self.data_home}; it is not followed.")
        return found

    def _indexed(self) -> Iterator[tuple[str, str]]:
        """Path and MD5 of every file in the index."""
        index = self._json(f"metadata/chad_index_{self.version}.json", "metadata", "tracks")
        curves = (self.data_home / CURVES).is_dir()
        for files in [index["metadata"], *index["tracks"].values()]:
            for name, (path, md5) in files.items():
                if path is not None and (curves or name != CURVES):
                    yield path, md5

    def _json(self, path: str, *names: str) -> dict[str, Any]:
        """What a JSON file of the release says of these names."""
        try:
            told = json.loads(self.inside(path).read_text(encoding="utf-8"))
            return {name: told[name] for name in names}
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise ReleaseError(f"{path} of {self.data_home} cannot be read: {problem}. Get it again.") from problem

    # --- tables

    @cached_property
    def _tracks(self) -> dict[str, Track]:
        further = {row["id"]: row for row in self._rows(VERSIONS)}
        tracks = {}
        for row in self._rows(DATASET):
            if row["id"] not in further:
                raise ReleaseError(f"{VERSIONS} of {self.data_home} has no row for {row['id']}. Get it again.")
            tracks[row["id"]] = track_of({**row, **further[row["id"]]}, self)
        return tracks

    def _rows(self, path: str) -> Iterator[dict[str, str]]:
        try:
            with self.inside(path).open(encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file)
                if "id" not in (rows.fieldnames or ()):
                    raise ValueError("it has no column id")
                yield from rows
        except (OSError, ValueError, csv.Error) as problem:
            raise ReleaseError(f"{path} of {self.data_home} cannot be read: {problem}. Get it again.") from problem

    def _grouped(self, column: str) -> dict[str, list[Track]]:
        groups: dict[str, list[Track]] = {}
        for track in self._tracks.values():
            groups.setdefault(getattr(track, column), []).append(track)
        for tracks in groups.values():
            tracks.sort(key=lambda track: track.audio_type != "original")
        return groups


def is_in(track: Track, split: str, by: str) -> bool:
    told = {"song": (track.split,), "singer": (track.singer_split,), "both": (track.split, track.singer_split)}
    return set(told[by]) == {split}


def must_be(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise ReleaseError(f"{word!r} is no {what}; it has to be one of {', '.join(words)}.")


def md5_of(file: Path) -> str:
    """As the index has it; no more than a check for damage."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def interval_of(text: str) -> Interval:
    start_s, end_s = json.loads(text)
    return float(start_s), float(end_s)


def flag_of(text: str) -> bool:
    return {"True": True, "False": False}[text]


# Attributes of a track whose columns are named otherwise, and how a cell becomes a value of its attribute's type.
COLUMN_OF = {"track_id": "id", "audio_file": "audio", "f0_file": "f0"}
VALUE_OF = {"str": str, "float": float, "int": int, "bool": flag_of, "Interval": interval_of}
COLUMNS = {
    one.name: (COLUMN_OF.get(one.name, one.name), VALUE_OF[one.type.split(" |")[0]])
    for one in fields(Track)
    if one.name != "_dataset"
}


def track_of(row: Mapping[str, str], dataset: Dataset) -> Track:
    """A track from the cells of both tables. An empty cell, or a column that the release lacks, is not known."""
    told: dict[str, Any] = {"_dataset": dataset}
    for name, (column, value_of) in COLUMNS.items():
        if row.get(column):
            try:
                told[name] = value_of(row[column])
            except (ValueError, KeyError, TypeError) as problem:
                raise ReleaseError(
                    f"Version {row['id']} has the {column} {row[column]!r}; it cannot be read."
                ) from problem
    try:
        return Track(**told)
    except TypeError as problem:
        lacking = ", ".join(one.name for one in fields(Track) if one.default is MISSING and one.name not in told)
        raise ReleaseError(f"Version {row['id']} has no {lacking}. Get the tables again.") from problem
