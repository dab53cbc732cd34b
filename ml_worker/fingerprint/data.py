"""Training data: aligned pairs of melodies and tunes to make hums of, and the batches drawn from them.

A batch of a step follows from the seed and the step's number alone, so a run can be resumed or repeated to the same
numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.augmentation import factor, noisy_images, sung_pitch, sung_times
from ml_worker.fingerprint.image import (
    COLUMN_S,
    FRAME_S,
    LEAD_S,
    READINGS,
    Curve,
    Image,
    Sampled,
    centre_of,
    column_count,
    draw,
)
from ml_worker.fingerprint.settings import Settings
from ml_worker.fingerprint.sung import Notes, recorded, sing

Floats = NDArray[np.float64]
Labels = Literal["true", "shuffled"]

# A crop with less voice than this, as a share, teaches nothing.
LEAST_VOICED = 0.4
# How often a crop is drawn anew where there is too little voice; the last one is taken as it is.
TRIES = 6
# Ways to turn a pair: as it is, upside down, backwards, both.
TURNS = 4
# How much longer than a window the crops of a version and of an original are, seconds.
VERSION_MORE_S, ORIGINAL_MORE_S = 4.0, 7.0
# The shortest hum that is made of a tune, seconds.
SHORTEST_HUM_S = 3.0
# Tunes are played faster or slower by up to this factor, so that their tempo tells nothing.
PACE_OF_TUNES = 1.6
# Fewest notes of a hum, and of a tune.
FEWEST_NOTES = 4


@dataclass(frozen=True)
class AlignedPair:
    """A fragment's original and one version of it, with what is known of their alignment.

    Second u of the original is heard in the version at offset_s + u * tempo_ratio.

    Attributes:
        original: the melody of the fragment in the original recording; its time 0 is the fragment's start.
        version: the melody of a hum or a cover, whole.
        offset_s: where the fragment starts in the version, seconds.
        tempo_ratio: how much slower the version is; above 1 is slower.
        song_id: the musical work. Fragments of one song are never pushed apart.
        fragment_id: the fragment.
        version_id: the hum or cover fragment, for the record of what a checkpoint was trained on.
        source: what the version is.
        self_made: whether a machine alone says that the version is of this fragment; else people agreed.
        weight: how often the pair is drawn against others of its song, above zero: 1 where people agreed, else how
            sure the machine is.
    """

    original: Melody
    version: Melody
    offset_s: float
    tempo_ratio: float
    song_id: str
    fragment_id: str
    version_id: str = ""
    source: Literal["hum", "cover"] = "hum"
    self_made: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.tempo_ratio > 0 and np.isfinite(self.tempo_ratio) and np.isfinite(self.offset_s)):
            raise ValueError("The tempo ratio is above zero, and both it and the offset are finite.")
        if not (self.weight > 0 and np.isfinite(self.weight)):
            raise ValueError("The weight of a pair is above zero and finite; leave out what should never be drawn.")


class Tune(NamedTuple):
    """A tune to make hums of.

    Attributes:
        name: tells where it is from.
        notes: its line.
        song_id: the song that it is, where there may be aligned pairs of that too; else its name stands for it.
    """

    name: str
    notes: Notes
    song_id: str = ""


@dataclass(frozen=True)
class DataRecord:
    """What a checkpoint was trained on.

    Attributes:
        versions: (song, fragment, version) of each pair, in order.
        sha256: of all data together; the same data gives the same sum.
        tunes: the names of the tunes that hums were made of.
    """

    versions: tuple[tuple[str, str, str], ...]
    sha256: str
    tunes: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: Sequence[AlignedPair], tunes: Sequence[Tune] = ()) -> DataRecord:
        digest = hashlib.sha256()
        for pair in pairs:
            facts = [pair.song_id, pair.fragment_id, pair.version_id, pair.offset_s, pair.tempo_ratio]
            facts += [pair.weight] if pair.weight != 1 else []
            digest.update(json.dumps(facts).encode())
            for melody in (pair.original, pair.version):
                digest.update(np.float64(melody.hop_s).tobytes())
                digest.update(np.ascontiguousarray(melody.f0_hz, dtype="<f4").tobytes())
                digest.update(np.ascontiguousarray(melody.voiced, dtype=bool).tobytes())
                digest.update(np.ascontiguousarray(melody.confidence, dtype="<f4").tobytes())
                if melody.attack is not None:
                    digest.update(np.ascontiguousarray(melody.attack, dtype="<f4").tobytes())
        for tune in tunes:
            digest.update(tune.name.encode())
            for values in (tune.notes.starts_s, tune.notes.ends_s, tune.notes.pitch):
                digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        versions = tuple((pair.song_id, pair.fragment_id, pair.version_id) for pair in pairs)
        return cls(versions, digest.hexdigest(), tuple(tune.name for tune in tunes))

    @property
    def songs(self) -> tuple[str, ...]:
        """The songs, each once, sorted."""
        return tuple(sorted({song for song, _, _ in self.versions}))

    def as_dict(self) -> dict[str, object]:
        plain: dict[str, object] = {"versions": [list(version) for version in self.versions], "sha256": self.sha256}
        return plain | ({"tunes": list(self.tunes)} if self.tunes else {})

    @classmethod
    def from_dict(cls, plain: dict[str, object]) -> DataRecord:
        """The inverse of as_dict.

        Raises:
            KeyError, TypeError, ValueError: where it is not one.
        """
        versions = tuple((str(song), str(fragment), str(version)) for song, fragment, version in plain["versions"])
        return cls(versions, str(plain["sha256"]), tuple(str(name) for name in plain.get("tunes", ())))


@dataclass(frozen=True)
class Batch:
    """One step's pictures and the windows in them that are compared.

    Attributes:
        originals: float32 (N, channels, 80, columns).
        versions: float32 (N, channels, 80, columns), of the same music in the same order.
        original_windows, version_windows: float32 (N, S, 2), first and last column of S windows, which are aligned.
        songs: int64 (N,): equal for crops of one song turned the same way.
    """

    originals: Image
    versions: Image
    original_windows: NDArray[np.float32]
    version_windows: NDArray[np.float32]
    songs: NDArray[np.int64]


class Example(NamedTuple):
    """An original and a version of the same music, read every FRAME_S from second 0 of each.

    Attributes:
        original, version: (F,) and (G,).
        version_s, original_s: (K,) rising: what the version has at version_s[k] the original has at original_s[k].
        sung_s: how long the version is, seconds; its frames may go on in silence.
    """

    original: Sampled
    version: Sampled
    version_s: Floats
    original_s: Floats
    sung_s: float


class Source(Protocol):
    """What examples are drawn from."""

    songs: Sequence[str]

    def example(self, song: int, rng: Generator) -> Example:
        """An example of a song, by its index."""
        ...


@dataclass(frozen=True)
class _Curves:
    """An AlignedPair, its curves ready to be read."""

    pair: AlignedPair
    original: Curve
    version: Curve


class PairSource:
    """Examples from aligned pairs: of a song a fragment, of that a version, of that a crop, each by chance.

    Songs take turns whatever they have. Within a song a pair is drawn in proportion to its weight: so often as if all
    were alike, times its weight. See `shares_of_draws`.
    """

    def __init__(self, pairs: Sequence[AlignedPair], settings: Settings) -> None:
        self.settings = settings
        self.times_s = np.arange(round((settings.window_s + ORIGINAL_MORE_S) / FRAME_S)) * FRAME_S  # (F,)
        songs: dict[str, dict[str, list[_Curves]]] = {}
        for pair in pairs:
            curves = _Curves(pair, Curve.of(pair.original), Curve.of(pair.version))
            songs.setdefault(pair.song_id, {}).setdefault(pair.fragment_id, []).append(curves)
        self.songs = sorted(songs)
        self.fragments = [list(songs[song].values()) for song in self.songs]
        self.weights = [[[one.pair.weight for one in ones] for ones in fragments] for fragments in self.fragments]

    def example(self, song: int, rng: Generator) -> Example:
        """A crop with voice on both sides where that can be had."""
        fragments, weights = self.fragments[song], self.weights[song]
        # A fragment counts by the mean of its versions, so that more of them do not bring it up more often.
        means = [sum(of_versions) / len(of_versions) for of_versions in weights]
        for _ in range(TRIES):
            fragment = drawn(means, rng)
            example = self._crop(fragments[fragment][drawn(weights[fragment], rng)], rng)
            if min((~np.isnan(side.pitch)).mean() for side in (example.original, example.version)) >= LEAST_VOICED:
                break
        return example

    def _crop(self, curves: _Curves, rng: Generator) -> Example:
        """A stretch of the original and the same music in the version, augmented."""
        how = self.settings.augmentation
        pace = factor(how.stretch, rng)
        room_s = max(0.0, curves.original.duration_s - self.times_s[-1] * pace)
        start_s = rng.uniform(0, room_s)
        inside = self.times_s * pace + start_s < curves.original.duration_s
        times_s = self.times_s[inside]
        original = curves.original.at(start_s + times_s * pace)
        length_s = min(self.settings.window_s + VERSION_MORE_S, times_s[-1])
        frames = max(2, round(length_s / FRAME_S))
        first_s = rng.uniform(0, max(times_s[-1] - length_s, 0))
        heard = first_s + times_s[:frames] * factor(how.mismatch, rng)
        heard = np.clip(sung_times(heard, how, rng), 0, None) * pace  # second of the crop that each frame has
        if rng.uniform() < how.own_version:
            sampled = curves.original.at(start_s + heard)
        else:
            sampled = curves.version.at(curves.pair.offset_s + (start_s + heard) * curves.pair.tempo_ratio)
        version = with_fitting_height(sampled, sung_pitch(sampled.pitch, how, rng))
        return Example(original, version, times_s[:frames], heard / pace, float(times_s[frames - 1]))


def drawn(weights: Sequence[float], rng: Generator) -> int:
    """An index, by chance in proportion to the weights."""
    if min(weights) == max(weights):
        return int(rng.integers(len(weights)))
    shares = np.array(weights) / np.sum(weights)
    return int(rng.choice(len(weights), p=shares))


def shares_of_draws(pairs: Sequence[AlignedPair]) -> Floats:
    """How often `PairSource` draws each pair, as shares of all draws (P,)."""
    fragments: Counter[tuple[str, str]] = Counter((pair.song_id, pair.fragment_id) for pair in pairs)
    alike = np.array([pair.weight / fragments[pair.song_id, pair.fragment_id] for pair in pairs])
    of_songs: Counter[str] = Counter()
    for pair, share in zip(pairs, alike, strict=True):
        of_songs[pair.song_id] += share
    return alike / np.array([of_songs[pair.song_id] for pair in pairs]) / len(of_songs)


class Mislabelled:
    """A source whose labels are shuffled: each song's originals with the versions of another song.

    It shows what the gates are for; nobody trains a checkpoint for use on it.

    Raises:
        ValueError: of a single song nothing can be shuffled.
    """

    def __init__(self, source: Source) -> None:
        if len(source.songs) < 2:
            raise ValueError("The labels of a single song cannot be shuffled; give two or more.")
        self.source, self.songs = source, source.songs

    def example(self, song: int, rng: Generator) -> Example:
        own = self.source.example(song, rng)
        return self.source.example((song + 1) % len(self.songs), rng)._replace(original=own.original)


class TuneSource:
    """Examples made from tunes: a hum by a simulated singer, and the tune as written or as a recording has it."""

    def __init__(self, tunes: Sequence[Tune], settings: Settings) -> None:
        self.settings = settings
        long_enough = [tune for tune in tunes if len(tune.notes) >= FEWEST_NOTES]
        self.songs = [tune.song_id or tune.name for tune in long_enough]
        self.tunes = [tune.notes for tune in long_enough]

    def example(self, song: int, rng: Generator) -> Example:
        notes = self.tunes[song].at_pace(factor(PACE_OF_TUNES, rng))
        longest_s = self.settings.window_s + VERSION_MORE_S
        hummed = part_from_a_note(notes, rng.uniform(SHORTEST_HUM_S, longest_s), rng)
        around_s = self.settings.window_s + ORIGINAL_MORE_S
        before_s = rng.uniform(0, max(0.0, around_s - hummed.seconds))
        target = part_between(notes, hummed.starts_s[0] - before_s, hummed.starts_s[0] - before_s + around_s)
        version = sing(hummed, self.settings.singing, rng)
        original = recorded(target, self.settings.recorded, rng)
        frames, frames_o = round(longest_s / FRAME_S), round(around_s / FRAME_S)
        original_s = original.sung_at(version.score_s)
        return Example(
            Sampled(*(part[:frames_o] for part in original.sampled)),
            Sampled(*(part[:frames] for part in version.sampled)),
            version.sung_s,
            original_s,
            float(min(version.sung_s[-1], longest_s)),
        )


def part_from_a_note(notes: Notes, seconds: float, rng: Generator) -> Notes:
    """A stretch of about so many seconds that begins with some note, of FEWEST_NOTES or more."""
    last_start = int(np.searchsorted(notes.starts_s, notes.ends_s[-1] - seconds))
    first = int(rng.integers(0, max(1, min(last_start, len(notes) - FEWEST_NOTES) + 1)))
    last = int(np.searchsorted(notes.starts_s, notes.starts_s[first] + seconds))
    return notes.part(first, max(last, first + FEWEST_NOTES))


def part_between(notes: Notes, start_s: float, end_s: float) -> Notes:
    """The notes that start between two seconds, at least FEWEST_NOTES."""
    first, last = np.searchsorted(notes.starts_s, [start_s - 1e-6, end_s])
    first = min(int(first), max(0, len(notes) - FEWEST_NOTES))
    return notes.part(first, max(int(last), first + FEWEST_NOTES))


class Batches:
    """Batches from one or more sources: songs take turns, whatever their number of versions.

    Args:
        sources: each gives its share of every batch.
        shares: of the batch, one for each source; in proportion.
    """

    def __init__(self, sources: Sequence[Source], settings: Settings, shares: Sequence[float] | None = None) -> None:
        self.sources, self.settings = list(sources), settings
        parts = np.cumsum(shares if shares is not None else np.ones(len(self.sources)), dtype=float)
        self.bounds = np.rint(parts / parts[-1] * settings.batch).astype(int)
        # A song has one number whatever source it comes from, so that it never repels itself.
        self.numbers = {song: number for number, song in enumerate(song for one in sources for song in one.songs)}

    def batch(self, step: int) -> Batch:
        """The batch of a step; the same seed and step give the same batch."""
        rng = np.random.default_rng([self.settings.seed, step])
        examples, songs = [], []
        for source, size in zip(self.sources, np.diff(self.bounds, prepend=0), strict=True):
            for song in songs_in_turn(len(source.songs), int(size), rng):
                turn = int(rng.integers(1, TURNS)) if rng.uniform() < self.settings.augmentation.turned else 0
                examples.append(turned(source.example(int(song), rng), turn))
                songs.append(self.numbers[source.songs[song]] * TURNS + turn)
        return batch_of(examples, np.array(songs), self.settings, rng)


def songs_in_turn(songs: int, count: int, rng: Generator) -> NDArray[np.int64]:
    """So many songs: each once before any comes again."""
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    rounds = -(-count // songs)
    return np.concatenate([rng.permutation(songs) for _ in range(rounds)])[:count]


def turned(example: Example, turn: int) -> Example:
    """An example as it is (0), upside down (1), backwards (2), or both (3). Both sides are turned alike."""
    original, version = example.original, example.version
    if turn & 1:
        original, version = (side._replace(pitch=-side.pitch) for side in (original, version))
    if not turn & 2:
        return example._replace(original=original, version=version)
    length, length_o = len(version.pitch) * FRAME_S, len(original.pitch) * FRAME_S
    return Example(
        Sampled(*(part[::-1] for part in original)),
        Sampled(*(part[::-1] for part in version)),
        (length - example.version_s)[::-1],
        (length_o - example.original_s)[::-1],
        length,
    )


def with_fitting_height(sampled: Sampled, pitch: NDArray[np.float32]) -> Sampled:
    """A changed pitch (F,) with heights that fit: none where it is silent, full where a voice was invented."""
    height = np.where(np.isnan(pitch), 0, np.where(sampled.height > 0, sampled.height, 1)).astype(np.float32)
    return Sampled(pitch, height, sampled.attack)


# --- from examples to pictures


def batch_of(examples: Sequence[Example], songs: NDArray[np.int64], settings: Settings, rng: Generator) -> Batch:
    """Draws examples, with windows chosen by chance."""
    versions, originals = matched_windows(examples, settings, rng)  # (N, S, 2) seconds
    if settings.centred == "window":
        return _windows_drawn(examples, songs, versions, originals, settings, rng)
    shift = settings.augmentation.off_centre
    original_images = _drawn([one.original for one in examples], settings, rng, shift[0])
    version_images = _drawn([one.version for one in examples], settings, rng, shift[1])
    version_images[:, 0] = noisy_images(version_images[:, 0], settings.augmentation, rng)
    columns = [((windows + LEAD_S) / COLUMN_S).astype(np.float32) for windows in (originals, versions)]
    return Batch(original_images, version_images, *columns, songs)


def matched_windows(examples: Sequence[Example], settings: Settings, rng: Generator) -> tuple[Floats, Floats]:
    """Windows of versions and the windows of the originals with the same middle: (N, S, 2) seconds each."""
    count = (len(examples), settings.windows)
    spread = settings.augmentation.window_spread
    sung_s = np.array([one.sung_s for one in examples])[:, None]
    length_s = np.minimum(settings.window_s * rng.uniform(1 - spread, 1 + spread, count), sung_s)
    start_s = rng.uniform(0, 1, count) * (sung_s - length_s)
    middle_s = start_s + length_s / 2
    there_s = np.stack(
        [np.interp(row, one.version_s, one.original_s) for row, one in zip(middle_s, examples, strict=True)]
    )
    return (
        np.stack([start_s, start_s + length_s], axis=2),
        np.stack([there_s - length_s / 2, there_s + length_s / 2], axis=2),
    )


def _drawn(sides: Sequence[Sampled], settings: Settings, rng: Generator, shift: float) -> Image:
    """Whole crops as pictures with LEAD_S before and after them, each about its mean pitch give or take a shift."""
    lead = round(LEAD_S / FRAME_S)
    longest = max(len(side.pitch) for side in sides) + 2 * lead
    frames = -(-longest // READINGS) * READINGS
    stacked = [np.full((len(sides), frames), fill, np.float32) for fill in (np.nan, 0, 0)]
    for row, side in enumerate(sides):
        for whole, part in zip(stacked, side, strict=True):
            whole[row, lead : lead + len(part)] = part
    pitch, height, attack = stacked
    centre = centre_of(pitch) + rng.uniform(-shift, shift, (len(sides), 1)).astype(np.float32)
    return draw(pitch, height, attack if settings.attack else None, centre)


def _windows_drawn(
    examples: Sequence[Example],
    songs: NDArray[np.int64],
    versions: Floats,
    originals: Floats,
    settings: Settings,
    rng: Generator,
) -> Batch:
    """Each window as a picture of its own, about its own mean pitch: the paper's way."""
    columns = column_count(settings.window_s)
    steps = (np.arange(columns * READINGS) + 0.5) / (columns * READINGS)
    images = []
    for sides, windows in (
        ([one.original for one in examples], originals),
        ([one.version for one in examples], versions),
    ):
        parts = [read_between(side, bounds, steps) for side, row in zip(sides, windows, strict=True) for bounds in row]
        pitch, height, attack = (np.stack(part) for part in zip(*parts, strict=True))
        images.append(draw(pitch, height, attack if settings.attack else None, centre_of(pitch)))
    images[1][:, 0] = noisy_images(images[1][:, 0], settings.augmentation, rng)
    count = len(images[0])
    whole = np.tile(np.array([0, columns], np.float32), (count, 1, 1))
    return Batch(images[0], images[1], whole, whole, np.repeat(songs, settings.windows))


def read_between(side: Sampled, bounds: Floats, steps: Floats) -> Sampled:
    """What lies between two seconds, at shares of that span; silence outside."""
    place = np.rint((bounds[0] + steps * (bounds[1] - bounds[0])) / FRAME_S).astype(int)
    inside = (place >= 0) & (place < len(side.pitch))
    place = np.clip(place, 0, len(side.pitch) - 1)
    return Sampled(
        np.where(inside, side.pitch[place], np.nan),
        np.where(inside, side.height[place], 0),
        np.where(inside, side.attack[place], 0),
    )
