"""Building an index, growing it, and forgetting songs. A reader sees the index of before or the one of after.

Building happens in a folder beside the index's, growing in a folder beside the segment's; a rename makes them be there.
So whoever is killed leaves only a folder that the next one removes. One process builds or grows at a time: the caller
sees to that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint, write_whole
from ml_worker.retrieval.index.codec import Codec, Vectors
from ml_worker.retrieval.index.inverted import Engine, InvertedFiles
from ml_worker.retrieval.index.layout import Manifest, codec_path, fusion_path, segment_folder
from ml_worker.retrieval.index.lines import StoredLine
from ml_worker.retrieval.index.segment import Segment, SegmentWriter
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.network_matcher import HumEncoder, Voiced
from ml_worker.retrieval.recogniser import Fusion
from ml_worker.retrieval.sequences import heard

Progress = Callable[[float, str], None]

# Songs whose fingerprints the codec is fitted to.
FITTED_ON = 500
# Songs of a segment: what is built in one go, and what a shard holds.
SONGS_A_SEGMENT = 30_000
# Progress is told every so many songs.
TOLD_EVERY = 20


@dataclass(frozen=True)
class Entry:
    """A song to be found: its key, which means nothing to the index, and its melody."""

    key: str
    melody: Melody


@dataclass(frozen=True)
class Printed:
    """A song with its fingerprints.

    Attributes:
        vectors: of each checkpoint (T, D), zeros where nothing is voiced.
        begins_s: of each checkpoint the second at which the first window begins.
    """

    key: str
    vectors: Sequence[Vectors]
    begins_s: Sequence[float]
    line: StoredLine


def build(
    folder: Path,
    entries: Iterable[Entry],
    checkpoints: Sequence[Checkpoint],
    *,
    fusion: Fusion | None = None,
    progress: Progress | None = None,
    settings: FirstStage | None = None,
    engine: Engine | None = None,
) -> None:
    """Writes a whole index into a folder, which must not be there yet, and appears complete.

    Args:
        entries: the songs; keys are unique. One without a voice is in it and never found.
        checkpoints: whose fingerprints are used, short before long.
        fusion: weighs the best together with the classical comparison; None: by the fingerprints alone.
        progress: told the share that is done, if entries have a length, and a message.
        engine: finds the nearest fingerprints; None: inverted files.

    Raises:
        FileExistsError: the folder is there.
        ValueError: there are no songs, or none with a voice, or a key comes twice.
    """
    names = [checkpoint.name for checkpoint in checkpoints]
    songs = printed(entries, checkpoints, progress)
    build_printed(folder, songs, names, settings=settings or FirstStage(), fusion=fusion, engine=engine)


def build_printed(
    folder: Path,
    songs: Iterable[Printed],
    names: Sequence[str],
    *,
    settings: FirstStage,
    fusion: Fusion | None = None,
    songs_a_segment: int = SONGS_A_SEGMENT,
    engine: Engine | None = None,
) -> None:
    """The same of songs whose fingerprints are made already; `names` are the checkpoints'."""
    if folder.exists():
        raise FileExistsError(f"There is a folder {folder} already.")
    part = _emptied(folder.with_name(f"{folder.name}.part"))
    (part / "segments").mkdir()
    stream = iter(songs)
    first = list(islice(stream, FITTED_ON))
    if not first:
        raise ValueError("There are no songs to build an index of.")
    codecs = [Codec.fitted(np.concatenate([song.vectors[n] for song in first])) for n in range(len(names))]
    for name, codec in zip(names, codecs, strict=True):
        write_whole(codec_path(part, name), codec.to_bytes())
    engine = engine or InvertedFiles()
    manifest = Manifest(tuple(names), settings=settings.as_dict(), weighed=fusion is not None, engine=engine.name)
    for some in _in_segments(chain(first, stream), songs_a_segment):
        manifest = _with_segment(part, manifest, some, codecs, engine)
    if fusion is not None:
        write_whole(fusion_path(part), fusion.to_json())
    manifest.save(part)
    os.replace(part, folder)


def grow(
    folder: Path,
    entries: Iterable[Entry],
    checkpoints: Sequence[Checkpoint],
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> None:
    """Adds songs to an index, as a segment of their own. Searchers that are open see them at their next `renewed`.

    A song that is there already, or was forgotten, is found as it is now from then on.

    Args:
        entries, checkpoints, progress, engine: as of `build`; no entries change nothing.

    Raises:
        IndexUnusable: there is no index, or it is of other checkpoints.
        ValueError: a key comes twice.
    """
    from ml_worker.retrieval.index.searcher import check_use

    engine = engine or InvertedFiles()
    manifest = Manifest.load(folder)
    check_use(folder, manifest, [checkpoint.name for checkpoint in checkpoints], engine)
    new = list(entries)
    if not new:
        return
    codecs = [Codec.from_bytes(codec_path(folder, name).read_bytes()) for name in manifest.checkpoints]
    with_new = _with_segment(folder, manifest, printed(new, checkpoints, progress), codecs, engine)
    came = {entry.key for entry in new}
    replace(with_new, forgotten=tuple(key for key in manifest.forgotten if key not in came)).save(folder)


def forget(folder: Path, keys: Collection[str]) -> None:
    """These songs are not found any more.

    Raises:
        IndexUnusable: there is no index.
    """
    manifest = Manifest.load(folder)
    replace(manifest, forgotten=tuple(sorted({*manifest.forgotten, *keys}))).save(folder)


def printed(
    entries: Iterable[Entry], checkpoints: Sequence[Checkpoint], progress: Progress | None = None
) -> Iterator[Printed]:
    """Songs with their fingerprints."""
    encoders = [HumEncoder(checkpoint) for checkpoint in checkpoints]
    total = len(entries) if isinstance(entries, Sequence) else 0
    for number, entry in enumerate(entries):
        if progress and number % TOLD_EVERY == 0:
            progress(
                number / total if total else 0.0, f"Fingerprints of song {number + 1}" + f" of {total}" * bool(total)
            )
        voiced = Voiced.of(entry.melody)
        vectors = [_vectors(encoder, voiced) for encoder in encoders]
        yield Printed(entry.key, vectors, [voiced.begins_s] * len(encoders), StoredLine.of(entry.melody))


def _vectors(encoder: HumEncoder, voiced: Voiced) -> Vectors:
    if voiced.seconds == 0:
        return np.zeros((0, encoder.settings.dimensions), dtype=np.float32)
    return heard(encoder.of_target(voiced))


# --- segments


def _with_segment(
    folder: Path, manifest: Manifest, songs: Iterable[Printed], codecs: Sequence[Codec], engine: Engine
) -> Manifest:
    """Writes a segment and gives the manifest that names it; it is not saved yet."""
    name = manifest.next_segment()
    part = _emptied(segment_folder(folder, f"{name}.part"))
    writer = SegmentWriter(part, manifest.checkpoints, [codec.width for codec in codecs])
    for song in songs:
        codes = [codec.encode(vectors) for codec, vectors in zip(codecs, song.vectors, strict=True)]
        writer.add(song.key, codes, song.begins_s, song.line)
    if len(set(writer.keys)) < len(writer.keys):
        raise ValueError("A song comes twice. Each has a key of its own.")
    writer.close()
    settings = FirstStage(**manifest.settings)
    segment = Segment.open(part)
    # All checkpoints or none: what songs get of them together is compared across segments.
    if writer.windows[0] >= settings.from_windows:
        for checkpoint, codec in zip(manifest.checkpoints, codecs, strict=True):
            engine.write(folder, part, checkpoint, segment.by_checkpoint[checkpoint].codes, codec, settings)
    final = segment_folder(folder, name)
    if final.exists():  # of one who was killed before the manifest named it
        shutil.rmtree(final)
    os.replace(part, final)
    return manifest.with_segment(name)


def _in_segments(songs: Iterable[Printed], size: int) -> Iterator[Iterable[Printed]]:
    stream = iter(songs)
    for song in stream:
        some = chain([song], islice(stream, size - 1))
        yield some


def _emptied(folder: Path) -> Path:
    """A folder that is there and empty."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
