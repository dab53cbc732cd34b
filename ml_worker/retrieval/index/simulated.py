"""A simulated catalogue of any size, for measuring the index. Everything is synthetic, and is called so.

A song is a medley of four minutes: passages of real tunes (`melodies/*` of ../shared/data and the starter catalogue;
composed ones where those are not there), each transposed, stretched and varied note by note, with rests between them
and passages that come again, heard as a tracker hears a voice in an accompaniment. So no two songs have a melody in
common for longer than a passage.

Fingerprints of 90,000 such songs would take two cores an hour and a half. So only some songs are `unlike`; the others
are these once more in another mirror: fingerprints whose signs are turned on some of their principal axes, which keeps
their lengths, their mean, their spread and how they follow each other, and takes them elsewhere. Hums are of songs as
they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.catalogue import tunes as starter_tunes
from ml_worker.catalogue.composer import compose_tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.voice import TimedNote
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.evaluation import as_melody
from ml_worker.fingerprint.settings import Recorded, Singing
from ml_worker.fingerprint.sung import Notes, recorded, sing
from ml_worker.retrieval.benchmarks import ARCHIVES, DATA, scores_of
from ml_worker.retrieval.index.building import Entry, Printed, printed
from ml_worker.retrieval.index.codec import Vectors
from ml_worker.retrieval.index.lines import StoredLine
from ml_worker.retrieval.index.segment import Segment, SegmentWriter

# Everything is drawn from this and a song's number.
SEED = 7_000_000
SONG_S = 240.0
# A passage has so many notes; it is transposed by so many semitones at most, and played at such a pace.
PASSAGE_NOTES, TRANSPOSED_ST, PACES = (16, 56), 6, (0.8, 1.25)
# So many of its notes are moved by a step or two, and each is held longer or shorter by about so much.
MOVED, HELD = 0.25, 0.15
# Rests between passages, seconds; and how likely the passage before comes again.
RESTS_S, AGAIN = (0.5, 4.0), 0.35
# Where there is no shared data, so many tunes are composed.
COMPOSED = 2000
# Songs that are kept together.
BLOCK = 250
# Axes that hold most of the mean of all fingerprints, which no mirror turns.
UNTURNED = 1
# Seconds of a hum.
HUM_S = 8.0


@cache
def pool() -> list[Sequence[TimedNote]]:
    """The tunes that passages are taken from."""
    catalogue = catalogue_pool()
    if (DATA / "melodies").exists():
        return catalogue + [score.notes for archive in ARCHIVES for score in scores_of(archive)]
    return catalogue + [score.notes for score in compose_tunes(COMPOSED, seed=SEED)]


@cache
def catalogue_pool() -> list[Sequence[TimedNote]]:
    """Those of the starter catalogue alone."""
    return [as_written(tune).notes() for tune in starter_tunes()]


def notes_of(number: int) -> Notes:
    """The medley of a song, from second 1 on."""
    rng = np.random.default_rng([SEED, number])
    starts_s, ends_s, pitch = [], [], []
    at_s, passage = 1.0, _passage(rng)
    while at_s < SONG_S:
        starts_s.append(passage.starts_s + at_s)
        ends_s.append(passage.ends_s + at_s)
        pitch.append(passage.pitch)
        at_s = float(ends_s[-1][-1]) + rng.uniform(*RESTS_S)
        passage = passage if rng.random() < AGAIN else _passage(rng)
    whole = Notes(np.concatenate(starts_s), np.concatenate(ends_s), np.concatenate(pitch))
    return whole.part(0, int(np.searchsorted(whole.ends_s, SONG_S)))


def _passage(rng: np.random.Generator) -> Notes:
    """A passage of some tune, varied, from second 0 on."""
    tune = pool()[int(rng.integers(len(pool())))]
    count = int(rng.integers(*PASSAGE_NOTES))
    first = int(rng.integers(max(1, len(tune) - count)))
    starts_s, ends_s, pitch = np.array(tune[first : first + count], dtype=np.float64)[:, :3].T
    between = np.append(np.diff(starts_s), ends_s[-1] - starts_s[-1])
    between = np.clip(between * np.exp(rng.normal(0, HELD, len(between))), 0.08, 4.0) * rng.uniform(*PACES)
    held = np.clip((ends_s - starts_s) / np.maximum(np.append(np.diff(starts_s), 1.0), 1e-3), 0.3, 1.0)
    moved = (rng.random(len(pitch)) < MOVED) * rng.choice([-2, -1, 1, 2], len(pitch))
    onsets = np.concatenate([[0.0], np.cumsum(between)[:-1]])
    shift = int(rng.integers(-TRANSPOSED_ST, TRANSPOSED_ST + 1))
    return Notes(onsets, onsets + between * held, pitch + moved + shift)


def song(number: int) -> Entry:
    """A song as a tracker hears it."""
    heard = recorded(notes_of(number), Recorded(), np.random.default_rng([SEED, number, 1]))
    return Entry(str(number), as_melody(heard.sampled))


@dataclass(frozen=True)
class Hum:
    """A simulated hum, and of which song it is."""

    song: int
    melody: Melody


def hum(number: int, unlike: int) -> Hum:
    """A hum of some song from any note on, as one person might hum it."""
    rng = np.random.default_rng([SEED, number, 2])
    of = int(rng.integers(unlike))
    notes = notes_of(of)
    last = int(np.searchsorted(notes.starts_s, notes.ends_s[-1] - HUM_S))
    first = int(rng.integers(max(1, last)))
    end = int(np.searchsorted(notes.starts_s, notes.starts_s[first] + HUM_S))
    part = notes.part(first, max(end, first + 4))
    return Hum(of, as_melody(sing(part, Singing(), rng).sampled))


# --- fingerprints, made once and kept


@dataclass(frozen=True)
class Catalogue:
    """Simulated songs whose fingerprints are kept in a folder.

    Attributes:
        folder: holds them; what is missing is made.
        checkpoints: whose fingerprints.
        unlike: songs that have melodies of their own.
        songs: of them and their mirrors, in all.
    """

    folder: Path
    checkpoints: Sequence[Checkpoint]
    unlike: int
    songs: int

    def make(self, first: int = 0, step: int = 1) -> None:
        """Makes the blocks of fingerprints that are not there yet: from the first, every so manieth."""
        for block in range(first, -(-self.unlike // BLOCK), step):
            if not self._block(block).exists():
                self._make(block)

    def __iter__(self) -> Iterator[Printed]:
        """All songs: first those that are unlike, then their mirrors."""
        for mirror in range(-(-self.songs // self.unlike)):
            yield from self._mirrored(mirror, min(self.unlike, self.songs - mirror * self.unlike))

    def _mirrored(self, mirror: int, songs: int) -> Iterator[Printed]:
        turns = [turn(axes, mirror) for axes in self.axes]
        for number in range(songs):
            kept = self._open(number // BLOCK)
            at = number % BLOCK
            vectors = [
                _kept(kept, checkpoint.name, at) @ turned if mirror else _kept(kept, checkpoint.name, at)
                for checkpoint, turned in zip(self.checkpoints, turns, strict=True)
            ]
            begins_s = [float(kept.by_checkpoint[checkpoint.name].begins_s[at]) for checkpoint in self.checkpoints]
            line = kept.line(at)
            yield Printed(str(mirror * self.unlike + number), vectors, begins_s, _inverted(line) if mirror else line)

    @cached_property
    def axes(self) -> list[NDArray[np.float32]]:
        """The principal axes of each checkpoint's fingerprints, (D, D), the strongest first."""
        kept = self._open(0)
        found = []
        for checkpoint in self.checkpoints:
            vectors = np.concatenate([_kept(kept, checkpoint.name, at) for at in range(len(kept))]).astype(np.float64)
            found.append(np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1].astype(np.float32))
        return found

    # Kept as a segment is, with 16 bits a number in place of codes: two columns of bytes for each.

    def _block(self, block: int) -> Path:
        return self.folder / f"{block:04d}"

    def _make(self, block: int) -> None:
        part = self.folder / f"{block:04d}.part"
        part.mkdir(parents=True, exist_ok=True)
        names = [checkpoint.name for checkpoint in self.checkpoints]
        writer = SegmentWriter(part, names, [2 * checkpoint.settings.dimensions for checkpoint in self.checkpoints])
        numbers = range(block * BLOCK, min((block + 1) * BLOCK, self.unlike))
        for one in printed((song(number) for number in numbers), self.checkpoints):
            halves = [vectors.astype(np.float16).view(np.int8) for vectors in one.vectors]
            writer.add(one.key, halves, one.begins_s, one.line)
        writer.close()
        part.rename(self._block(block))

    def _open(self, block: int) -> Segment:
        if block not in self._opened:
            self._opened[block] = Segment.open(self._block(block))
        return self._opened[block]

    @cached_property
    def _opened(self) -> dict[int, Segment]:
        return {}


def _kept(kept: Segment, name: str, at: int) -> Vectors:
    return np.ascontiguousarray(kept.by_checkpoint[name].of_song(at)).view(np.float16).astype(np.float32)


def turn(axes: NDArray[np.float32], mirror: int) -> NDArray[np.float32]:
    """What turns fingerprints into those of a mirror: (D, D), its own inverse; the identity of mirror 0."""
    if mirror == 0:
        return np.eye(len(axes), dtype=np.float32)
    signs = np.random.default_rng([SEED, mirror, 3]).choice([-1.0, 1.0], len(axes)).astype(np.float32)
    signs[:UNTURNED] = 1
    return (axes * signs) @ axes.T


def _inverted(line: StoredLine) -> StoredLine:
    """The line upside down about its middle, which is another melody."""
    heard = line.pitch > 0
    if not heard.any():
        return line
    middle = int(np.median(line.pitch[heard]))
    return line._replace(
        pitch=np.where(heard, np.clip(2 * middle - line.pitch.astype(int), 1, 65535), 0).astype(np.uint16)
    )


def main() -> None:
    """Makes the fingerprints of a catalogue: FOLDER UNLIKE [FIRST STEP]."""
    import sys

    import torch

    from ml_worker.fingerprint.shipped import starter_checkpoint

    torch.set_num_threads(1)
    folder, unlike, *blocks = sys.argv[1:]
    first, step = (int(one) for one in blocks) if blocks else (0, 1)
    made = Catalogue(Path(folder), [starter_checkpoint("short"), starter_checkpoint("long")], int(unlike), int(unlike))
    made.make(first, step)


if __name__ == "__main__":
    main()
