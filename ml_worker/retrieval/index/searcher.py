"""Finding the song of a hum in an index: both stages, the weighing, and the answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.retrieval.classical import ClassicalMatcher
from ml_worker.retrieval.hum_line import hum_lines
from ml_worker.retrieval.index.codec import Codec
from ml_worker.retrieval.index.first_stage import FirstStage, songs_voted_for
from ml_worker.retrieval.index.layout import IndexUnusable, Manifest, codec_path, fusion_path, segment_folder, stamp
from ml_worker.retrieval.index.open_set import OpenSet
from ml_worker.retrieval.index.second_stage import scored
from ml_worker.retrieval.index.segment import Segment
from ml_worker.retrieval.linear_scaling import TEMPO_RATIOS
from ml_worker.retrieval.matcher import Matches
from ml_worker.retrieval.network_matcher import HumEncoder, HumWindows, heard_hum
from ml_worker.retrieval.recogniser import Candidates, Fusion, candidates_of, mean_of
from ml_worker.retrieval.target_table import HOP_S, Line

# Songs that are weighed by all evidence; the others keep the networks' order behind them.
WEIGHED = 60


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
        is_here: whether it is told to be, by a line that one foreign hum of a hundred crosses.
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


class Searcher:
    """An open index. It may be used by several threads; `open` makes one."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        encoders: Sequence[HumEncoder],
        codecs: Sequence[Codec],
        segments: Sequence[Segment],
        fusion: Fusion | None,
        settings: FirstStage | None = None,
    ) -> None:
        self.folder, self.manifest, self.encoders, self.codecs, self.segments = (
            folder,
            manifest,
            encoders,
            codecs,
            segments,
        )
        self.fusion = fusion
        self.settings = settings or FirstStage(**manifest.settings)
        self.open_set = OpenSet.from_dict(manifest.open_set)
        self._stamp = stamp(folder)
        self._live = _live(manifest, segments)
        self._compared: tuple[Sequence[Place], ClassicalMatcher] | None = None

    @classmethod
    def open(cls, folder: Path, checkpoints: Sequence[Checkpoint], *, settings: FirstStage | None = None) -> Self:
        """Opens an index; its files are mapped, not read.

        Args:
            checkpoints: those that it was built with, in the same order.
            settings: of the search, in place of those that the index was built with.

        Raises:
            IndexUnusable: it is missing, damaged, or of other checkpoints.
        """
        manifest = Manifest.load(folder)
        check_checkpoints(folder, manifest, checkpoints)
        return cls._opened(folder, manifest, [HumEncoder(one) for one in checkpoints], settings)

    @classmethod
    def _opened(
        cls, folder: Path, manifest: Manifest, encoders: Sequence[HumEncoder], settings: FirstStage | None
    ) -> Self:
        try:
            codecs = [Codec.from_bytes(codec_path(folder, name).read_bytes()) for name in manifest.checkpoints]
            weights = fusion_path(folder)
            fusion = Fusion.load(weights) if weights.exists() else None
        except (OSError, ValueError, KeyError) as problem:
            raise IndexUnusable(f"The index {folder.name} is damaged ({problem}). Build it anew.") from problem
        segments = [Segment.open(segment_folder(folder, name)) for name in manifest.segments]
        return cls(folder, manifest, encoders, codecs, segments, fusion, settings)

    def renewed(self) -> Self:
        """Itself, or the index as it is now where songs came or were forgotten. Raises IndexUnusable as `open`."""
        if stamp(self.folder) == self._stamp:
            return self
        manifest = Manifest.load(self.folder)
        if list(manifest.checkpoints) != [encoder.name for encoder in self.encoders]:
            raise IndexUnusable(f"The index {self.folder.name} is of other checkpoints now. Open it anew.")
        return self._opened(self.folder, manifest, self.encoders, self.settings)

    @property
    def keys(self) -> frozenset[str]:
        """Of the songs that can be found."""
        return frozenset(self.segments[place.segment].keys[place.song] for place in self._places())

    @property
    def windows(self) -> int:
        """How many fingerprints there are, of all checkpoints."""
        return sum(len(one.codes) for segment in self.segments for one in segment.by_checkpoint.values())

    def line(self, key: str) -> Melody | None:
        """The pitch line of a song; None where it is not there."""
        for number in range(len(self.segments) - 1, -1, -1):
            song = self.segments[number].number_of.get(key)
            if song is not None and self._live[number][song]:
                return self.segments[number].line(song).melody()
        return None

    def find(self, melody: Melody, *, top: int = 10) -> Answer:
        """The songs that a hum may be of.

        Args:
            melody: of the hum, whole.
            top: how many at most.

        Raises:
            NothingHeard: there is no melody in it. Its text is a sentence.
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
            return Answer([], 0.0, False, took)
        with timed(took, "second stage"):
            anywhere, at_start = self._along(places, projected)
        with timed(took, "weighing"):
            answer = self._weighed(melody, places, anywhere, at_start, top)
        return Answer(answer.found, answer.here, answer.is_here, took)

    # --- first and second stage

    def _places(self) -> list[Place]:
        return [Place(number, int(song)) for number, live in enumerate(self._live) for song in np.flatnonzero(live)]

    def _candidates(self, windows: Sequence[Sequence[HumWindows]]) -> list[Place]:
        """The songs that go on to the second stage: the most voted for, and all of segments without a first stage."""
        unvoted: list[Place] = []
        voted: list[tuple[float, Place]] = []
        for number, (segment, live) in enumerate(zip(self.segments, self._live, strict=True)):
            if any(one.inverted is None for one in segment.by_checkpoint.values()):
                unvoted += [Place(number, int(song)) for song in np.flatnonzero(live)]
                continue
            scores = np.zeros(len(segment))
            for name, codec, of_one in zip(self.manifest.checkpoints, self.codecs, windows, strict=True):
                fits = songs_voted_for(segment.by_checkpoint[name], codec, of_one, self.settings)
                # Who had no vote fits no better than the least of those that had.
                scores += np.where(np.isfinite(fits), fits, np.min(fits, where=np.isfinite(fits), initial=1.0))
            scores[~live] = -np.inf
            best = np.argsort(-scores)[: self.settings.candidates]
            voted += [(float(scores[song]), Place(number, int(song))) for song in best if live[song]]
        voted.sort(key=lambda one: -one[0])
        return sorted(unvoted + [place for _, place in voted[: self.settings.candidates]])

    def _along(self, places: Sequence[Place], windows: Sequence[Sequence[HumWindows]]) -> tuple[Matches, Matches]:
        """What the fingerprints say of the candidates: anywhere, and from the start; the mean of the checkpoints."""
        both = []
        for name, encoder, codec, of_one in zip(
            self.manifest.checkpoints, self.encoders, self.codecs, windows, strict=True
        ):
            of_songs = [self.segments[place.segment].by_checkpoint[name] for place in places]
            codes = [one.of_song(place.song) for one, place in zip(of_songs, places, strict=True)]
            begins_s = np.array([one.begins_s[place.song] for one, place in zip(of_songs, places, strict=True)])
            both.append(scored([codec.decode(one) for one in codes], begins_s, of_one, encoder))
        anywhere, at_start = (mean_of(matches) for matches in zip(*both, strict=True))
        return anywhere, at_start

    # --- the weighing

    def _weighed(
        self, melody: Melody, places: Sequence[Place], anywhere: Matches, at_start: Matches, top: int
    ) -> Answer:
        """The answer: the best of the second stage weighed with the classical comparison, the others behind them."""
        order = anywhere.best(len(places))
        if self.fusion is None:
            line = hum_lines(melody)[0]
            found = [
                self._found(line, places[at], anywhere, int(at), float(anywhere.scores[at]), 0.0) for at in order[:top]
            ]
            return Answer(found, 1.0, True)
        among = np.sort(order[:WEIGHED])
        compared = [places[at] for at in among]
        search = self._matcher(compared).search(melody)
        every = np.arange(len(among))
        weighed = candidates_of(search, every, _some(anywhere, among), _some(at_start, among))
        return self._answer(search.heard[0].line, compared, weighed, top)

    def _matcher(self, places: Sequence[Place]) -> ClassicalMatcher:
        """The classical comparison with some songs. The last one is kept: of a few songs all are compared each time."""
        last = self._compared
        if last is None or last[0] != places:
            lines = [self.segments[place.segment].line(place.song).melody() for place in places]
            last = self._compared = (places, ClassicalMatcher(lines))
        return last[1]

    def _answer(self, line: Line, places: Sequence[Place], weighed: Candidates, top: int) -> Answer:
        assert self.fusion is not None
        logits = weighed.figures @ self.fusion.scaled(False)
        shares = np.exp(logits - logits.max(initial=-np.inf))
        shares /= max(float(shares.sum()), 1e-12)
        order = np.argsort(-logits, kind="stable")
        here = self.fusion.is_here(weighed.figures[order[0]], False) if len(order) else 0.0
        matches = Matches(logits, weighed.starts_s, weighed.tempo_ratios)
        found = [
            self._found(line, places[at], matches, int(at), float(logits[at]), here * float(shares[at]))
            for at in order[:top]
        ]
        return Answer(found, here, self.open_set.is_here(here))

    def _found(self, line: Line, place: Place, matches: Matches, at: int, score: float, probability: float) -> Found:
        segment = self.segments[place.segment]
        start_s, ratio = float(matches.starts_s[at]), float(matches.tempo_ratios[at])
        end_s = min(start_s + len(line.pitch) * HOP_S / ratio, segment.duration_s(place.song))
        sung = _transposition(line.pitch, line.voiced, segment.line(place.song).melody(), start_s, ratio)
        return Found(segment.keys[place.song], score, probability, start_s, end_s, ratio, sung)


def check_checkpoints(folder: Path, manifest: Manifest, checkpoints: Sequence[Checkpoint]) -> None:
    """Raises IndexUnusable where an index is of other checkpoints."""
    names = [checkpoint.name for checkpoint in checkpoints]
    if list(manifest.checkpoints) != names:
        raise IndexUnusable(
            f"The index {folder.name} is of {' and '.join(manifest.checkpoints)}, and {' and '.join(names)} are in "
            "use. Build it anew."
        )


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


def _transposition(
    pitch: NDArray[np.float32], voiced: NDArray[np.bool_], song: Melody, start_s: float, ratio: float
) -> float | None:
    """The median difference of the hum's line and the song under it, semitones; None where one is always silent."""
    at = np.rint((start_s + np.arange(len(pitch)) * HOP_S / ratio) / song.hop_s).astype(int)
    inside = (at >= 0) & (at < len(song.f0_hz)) & voiced
    apart = pitch[inside] - song.pitch()[at[inside]]
    apart = apart[~np.isnan(apart)]
    return float(np.median(apart)) if len(apart) else None


@contextmanager
def timed(took: dict[str, float], name: str) -> Iterator[None]:
    """Keeps how long a step took, seconds, also where it fails."""
    began = time.perf_counter()
    try:
        yield
    finally:
        took[name] = time.perf_counter() - began
