"""Finding the song of a hum in an index: both stages, the weighing, and the answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.retrieval.classical import ClassicalMatcher
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.index.codec import Codec
from ml_worker.retrieval.index.first_stage import songs_that_fit
from ml_worker.retrieval.index.inverted import Engine, InvertedFiles
from ml_worker.retrieval.index.layout import IndexUnusable, Manifest, codec_path, fusion_path, segment_folder, stamp
from ml_worker.retrieval.index.lines import HOP_S as LINE_HOP_S
from ml_worker.retrieval.index.lines import STEPS_A_SEMITONE, StoredLine
from ml_worker.retrieval.index.open_set import MIDDLING_S, OpenSet, voice_s
from ml_worker.retrieval.index.second_stage import Fits, along, fits
from ml_worker.retrieval.index.segment import CodesOf, Segment
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.linear_scaling import TEMPO_RATIOS
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.network_matcher import HumEncoder, HumWindows, heard_hum
from ml_worker.retrieval.recogniser import Fusion, candidates_of
from ml_worker.retrieval.target_table import HOP_S, Line

# Songs that are weighed by all evidence; the others keep the networks' order behind them.
WEIGHED = 60
# Threads of a search. More of them are left to other searches.
THREADS = 2


@dataclass(frozen=True)
class Found:
    """A song that a hum may be of.

    Attributes:
        key: the song's.
        score: a logit among the weighed, or the networks' mean cosine where nothing is weighed; higher is better.
        probability: that it is this song, 0..1: that the tune is there at all, times its share among the weighed.
        start_s, end_s: where in the recording the hum lies, seconds.
        tempo_ratio: seconds of the hum for a second of the recording.
        transposition: semitones, hum minus recording, octaves included; None where they nowhere sound together.
    """

    key: str
    score: float
    probability: float
    start_s: float
    end_s: float
    tempo_ratio: float
    transposition: float | None


@dataclass(frozen=True)
class Answer:
    """What a search found.

    Attributes:
        found: the best songs, the best first.
        here: the probability that the tune is in the index at all, 0..1.
        is_here: whether it is told to be, by a line that one foreign hum of a hundred crosses (`open_set.py`).
        seconds: what each stage took.
    """

    found: list[Found]
    here: float
    is_here: bool
    seconds: dict[str, float] = field(default_factory=dict)


class Place(NamedTuple):
    """A song: its segment, and its number there."""

    segment: int
    song: int


@dataclass(frozen=True)
class Contender:
    """A song that a hum may be of, with what it is weighed by; of plain numbers, so that it can be sent.

    Attributes:
        key: the song's.
        fit: its best place by the fingerprints, a mean cosine.
        figures: of it, as `recogniser.FIGURES`; none where nothing is weighed.
        start_s, end_s, tempo_ratio, transposition: as of `Found`.
    """

    key: str
    fit: float
    figures: tuple[float, ...]
    start_s: float
    end_s: float
    tempo_ratio: float
    transposition: float | None


class Shard(NamedTuple):
    """Every so manieth segment of an index, from which number on: a part that is searched by itself."""

    number: int = 0
    of: int = 1

    def owns(self, segment: int) -> bool:
        """Whether a segment is of this part, by its number in the manifest."""
        return segment % self.of == self.number


# No part at all: of who only puts together what others found.
NOTHING = Shard(-1, 1)


class Searcher:
    """An open index, or a shard of one. It may be used by several threads; `open` makes one."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        encoders: Sequence[HumEncoder],
        codecs: Sequence[Codec],
        segments: Sequence[Segment],
        fusion: Fusion | None,
        settings: FirstStage,
        engine: Engine,
        shard: Shard,
    ) -> None:
        self.folder, self.manifest, self.encoders, self.codecs = folder, manifest, encoders, codecs
        self.segments, self.fusion, self.settings, self.engine, self.shard = segments, fusion, settings, engine, shard
        self.open_set = OpenSet.from_dict(manifest.open_set)
        self._stamp = stamp(folder)
        self._live = _live(manifest, segments)
        self._compared: tuple[Sequence[Place], ClassicalMatcher] | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        checkpoints: Sequence[Checkpoint],
        *,
        settings: FirstStage | None = None,
        engine: Engine | None = None,
        shard: Shard | None = None,
    ) -> Self:
        """Opens an index; its codes and lines are mapped, not read.

        Args:
            checkpoints: those that it was built with, in the same order.
            settings: of the search, in place of those that the index was built with.
            engine: that it was built with; None: inverted files.
            shard: the part of it that is searched; None: all.

        Raises:
            IndexUnusable: it is missing, damaged, or of other checkpoints or another engine.
        """
        encoders = [HumEncoder(one) for one in checkpoints]
        return cls._opened(folder, encoders, settings, engine or InvertedFiles(), shard or Shard())

    @classmethod
    def _opened(
        cls,
        folder: Path,
        encoders: Sequence[HumEncoder],
        settings: FirstStage | None,
        engine: Engine,
        shard: Shard,
        before: Mapping[str, Segment] | None = None,
    ) -> Self:
        """`before`: segments that are open already; they never change."""
        manifest = Manifest.load(folder)
        check_use(folder, manifest, [encoder.name for encoder in encoders], engine)
        try:
            codecs = [Codec.from_bytes(codec_path(folder, name).read_bytes()) for name in manifest.checkpoints]
            fusion = Fusion.load(fusion_path(folder)) if manifest.weighed else None
            searched = settings or FirstStage(**manifest.settings)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise IndexUnusable(f"The index {folder.name} is damaged ({problem}). Build it anew.") from problem
        segments = []
        for number, name in enumerate(manifest.segments):
            path = segment_folder(folder, name)
            neighbours = partial(engine.open, folder, path, settings=searched) if shard.owns(number) else _nobody
            segments.append((before or {}).get(name) or Segment.open(path, neighbours))
        return cls(folder, manifest, encoders, codecs, segments, fusion, searched, engine, shard)

    def renewed(self) -> Self:
        """Itself, or the index as it is now where songs came or were forgotten. Raises IndexUnusable as `open`."""
        if stamp(self.folder) == self._stamp:
            return self
        before = dict(zip(self.manifest.segments, self.segments, strict=True))
        return self._opened(self.folder, self.encoders, self.settings, self.engine, self.shard, before)

    @property
    def keys(self) -> frozenset[str]:
        """Of the songs that can be found."""
        return frozenset(self.segments[place.segment].keys[place.song] for place in self._places(self._own))

    @property
    def windows(self) -> int:
        """How many fingerprints there are, of all checkpoints."""
        return sum(len(one.codes) for segment in self.segments for one in segment.by_checkpoint.values())

    def find(self, melody: Melody, *, top: int = 10) -> Answer:
        """The songs that a hum may be of.

        Args:
            melody: of the hum, whole.
            top: how many at most.

        Raises:
            NothingHeard: there is no melody in it. Its text is a sentence.
        """
        contenders, took = self.contenders(melody)
        return self.answer([contenders], took, voice_s=voice_s(melody), top=top)

    def contenders(self, melody: Melody) -> tuple[list[Contender], dict[str, float]]:
        """The best songs of this shard with all that is weighed, the best fit first, and the seconds of each stage.

        Raises:
            NothingHeard: as of `find`.
        """
        took: dict[str, float] = {}
        with timed(took, "network"):
            hum = heard_hum(melody)
            windows = [encoder.windows_at(hum, TEMPO_RATIOS) for encoder in self.encoders]
            projected = [
                [HumWindows(one.ratio, codec.project(one.vectors), one.steps) for one in of_one]
                for codec, of_one in zip(self.codecs, windows, strict=True)
            ]
        with timed(took, "first stage"):
            places = self._candidates(projected)
        if not places:
            return [], took
        with timed(took, "second stage"):
            fit = self._fits(places, projected)
        with timed(took, "weighing"):
            return self._weighed(melody, places, fit), took

    def answer(
        self,
        shards: Sequence[Sequence[Contender]],
        took: dict[str, float],
        *,
        voice_s: float = MIDDLING_S,
        top: int = 10,
    ) -> Answer:
        """What the contenders of all shards come to.

        Args:
            took: seconds of each stage.
            voice_s: the hum's seconds of voice (`open_set.voice_s`), by which the line is drawn.
            top: how many songs at most.
        """
        contenders = sorted((one for shard in shards for one in shard), key=lambda one: -one.fit)
        if self.fusion is None:
            return Answer([_found(one, one.fit, 0.0) for one in contenders[:top]], 1.0, True, took)
        contenders = contenders[:WEIGHED]
        if not contenders:
            return Answer([], 0.0, False, took)
        figures = np.array([one.figures for one in contenders])
        logits = figures @ self.fusion.scaled(False)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        order = np.argsort(-logits, kind="stable")
        here = self.fusion.is_here(figures[order[0]], False)
        found = [_found(contenders[at], float(logits[at]), here * float(shares[at])) for at in order[:top]]
        return Answer(found, here, self.open_set.is_here(here, voice_s), took)

    # --- first and second stage

    @property
    def _own(self) -> list[int]:
        """The numbers of this shard's segments."""
        return [number for number in range(len(self.segments)) if self.shard.owns(number)]

    def _places(self, segments: Iterable[int]) -> list[Place]:
        """All songs of some segments that can be found."""
        return [Place(number, int(song)) for number in segments for song in np.flatnonzero(self._live[number])]

    def _candidates(self, hum: Sequence[Sequence[HumWindows]]) -> list[Place]:
        """The songs that go on to the second stage: the most voted for, and all of segments without a first stage."""
        of_segments = {number: self._codes_of(number) for number in self._own}
        voted = [number for number, of_one in of_segments.items() if all(one.neighbours for one in of_one)]
        every = self._places(number for number in of_segments if number not in voted)
        hops_s = [encoder.settings.hop_s for encoder in self.encoders]
        with ThreadPoolExecutor(THREADS) as pool:
            found = songs_that_fit(
                [of_segments[number] for number in voted], self.codecs, hum, hops_s, self.settings, pool.map
            )
        scored = []
        for number, scores in zip(voted, found, strict=True):
            scored += [
                (float(scores[song]), Place(number, int(song)))
                for song in np.flatnonzero(np.isfinite(scores) & self._live[number])
            ]
        scored.sort(key=lambda one: -one[0])
        return sorted(every + [place for _, place in scored[: self.settings.candidates]])

    def _codes_of(self, segment: int) -> list[CodesOf]:
        """A segment's fingerprints of each checkpoint."""
        return [self.segments[segment].by_checkpoint[name] for name in self.manifest.checkpoints]

    def _fits(self, places: Sequence[Place], hum: Sequence[Sequence[HumWindows]]) -> Fits:
        each = []
        for number, (encoder, codec) in enumerate(zip(self.encoders, self.codecs, strict=True)):
            of_songs = [self._codes_of(place.segment)[number] for place in places]
            codes = [one.of_song(place.song) for one, place in zip(of_songs, places, strict=True)]
            begins_s = np.array([one.begins_s[place.song] for one, place in zip(of_songs, places, strict=True)])
            each.append(along([codec.decode(one) for one in codes], begins_s, encoder))
        return fits(each, hum)

    # --- the weighing

    def _weighed(self, melody: Melody, places: Sequence[Place], fit: Fits) -> list[Contender]:
        """The best of the second stage, compared by linear scaling and warping, too, where all is weighed."""
        order = fit.together.best(len(places) if self.fusion is None else WEIGHED)
        if self.fusion is None:
            line = hum_lines(melody)[0]
            return [self._contender(line, places[at], fit.together, int(at), ()) for at in order]
        among = np.sort(order)
        compared = [places[at] for at in among]
        search = self._matcher(compared).search(melody)
        weighed = candidates_of(search, np.arange(len(among)), _some(fit.anywhere, among), _some(fit.at_start, among))
        matches = Matches(fit.together.scores[among], weighed.starts_s, weighed.tempo_ratios)
        line = search.heard[0].line
        return [
            self._contender(line, place, matches, at, tuple(map(float, weighed.figures[at])))
            for at, place in enumerate(compared)
        ]

    def _matcher(self, places: Sequence[Place]) -> ClassicalMatcher:
        """The classical comparison with some songs. The last one is kept: of a few songs all are compared each time."""
        last = self._compared
        if last is None or last[0] != places:
            lines = [self.segments[place.segment].line(place.song).melody() for place in places]
            last = self._compared = (places, ClassicalMatcher(lines))
        return last[1]

    def _contender(self, line: Line, place: Place, matches: Matches, at: int, figures: tuple[float, ...]) -> Contender:
        segment = self.segments[place.segment]
        start_s, ratio = float(matches.starts_s[at]), float(matches.tempo_ratios[at])
        end_s = min(start_s + len(line.pitch) * HOP_S / ratio, segment.duration_s(place.song))
        sung = transposition(line.pitch, line.voiced, segment.line(place.song), start_s, ratio)
        return Contender(segment.keys[place.song], float(matches.scores[at]), figures, start_s, end_s, ratio, sung)


def _found(contender: Contender, score: float, probability: float) -> Found:
    return Found(
        contender.key,
        score,
        probability,
        contender.start_s,
        contender.end_s,
        contender.tempo_ratio,
        contender.transposition,
    )


def check_use(folder: Path, manifest: Manifest, checkpoints: Sequence[str], engine: Engine) -> None:
    """Raises IndexUnusable where an index is of other checkpoints, by their names, or of another engine."""
    if list(manifest.checkpoints) != list(checkpoints):
        raise IndexUnusable(
            f"The index {folder.name} is of {' and '.join(manifest.checkpoints)}, and {' and '.join(checkpoints)} are "
            "in use. Build it anew."
        )
    if manifest.engine != engine.name:
        raise IndexUnusable(
            f"The index {folder.name} is searched by {manifest.engine}, and {engine.name} is in use. Build it anew."
        )


def _nobody(_checkpoint: str) -> None:
    """What finds the neighbours in a segment of another shard."""


def _live(manifest: Manifest, segments: Sequence[Segment]) -> list[NDArray[np.bool_]]:
    """Which songs of each segment can be found: not forgotten, and in no later segment."""
    gone = set(manifest.forgotten)
    live = []
    for segment in reversed(segments):
        live.append(np.array([key not in gone for key in segment.keys], dtype=bool))
        gone.update(segment.keys)
    return live[::-1]


def _some(matches: Matches, among: NDArray[np.int64]) -> Matches:
    return Matches(matches.scores[among], matches.starts_s[among], matches.tempo_ratios[among])


def transposition(
    pitch: NDArray[np.float32], voiced: NDArray[np.bool_], song: StoredLine, start_s: float, ratio: float
) -> float | None:
    """The median difference of the hum's line and the song under it, semitones; None where one is always silent."""
    at = np.rint((start_s + np.arange(len(pitch)) * HOP_S / ratio) / LINE_HOP_S).astype(int)
    inside = (at >= 0) & (at < len(song.pitch)) & voiced
    under = song.pitch[at[inside]]
    apart = (pitch[inside] - under / STEPS_A_SEMITONE)[under > 0]
    return float(np.median(apart)) if len(apart) else None


@contextmanager
def timed(took: dict[str, float], name: str) -> Iterator[None]:
    """Keeps how long a step took, seconds, also where it fails."""
    began = time.perf_counter()
    try:
        yield
    finally:
        took[name] = time.perf_counter() - began
