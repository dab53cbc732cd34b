"""Hums and what they are sought among, from what the shared data has, for measuring how well they are recognised.

`mast` is real voices, `songs` are hums made from the scores of real songs and sought among their recordings; the others
are simulated hums: `rendered` of the starter tunes among their renderings, `tunes` of tunes that nothing was trained on
among scores, `beyond` the same hums going on beyond the ends of their tunes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ml_worker.audio.measure import load_song
from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import MidiNote, melody_of_notes
from ml_worker.audio.separation import separate
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue.abc import tunes as starter_tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.catalogue.render import render_original
from ml_worker.catalogue.singer import sing
from ml_worker.catalogue.tune_files import Score, read_tunes
from ml_worker.catalogue.voice import TimedNote
from ml_worker.fingerprint.image import Source
from ml_worker.judging.measure.data import DATA, SONGS
from ml_worker.judging.measure.mast_curves import mast_curves, mast_half
from ml_worker.judging.measure.scores import fragments_of
from ml_worker.retrieval.matcher import Matcher, NothingHeard
from ml_worker.retrieval.metrics import rank_of

ARCHIVES = ("cre", "pop909", "nottingham")
# The archive of which nothing was trained on: its licence is the GPL.
UNTRAINED = "nottingham"
DISTRACTORS_OF_SONGS = 2000
# Ways in which the melody of a recording is taken from it. Each gives a target, and the better one counts: either goes
# wrong where the other does not.
SEPARATIONS = ("auto", "mix")
# Hums of each starter tune, from its start, a phrase or any note in turn as the tunes go.
HUMS_OF_RENDERED = 4
# Simulated hums of tunes: how many, and their length in seconds.
HUMS, HUM_S = 120, (5.0, 12.0)
# Of those that go on beyond the tune's end, the share that lies there.
BEYOND = (0.2, 0.6)
# They begin at the tune's start, at a phrase or at any note, by turns: every so many one begins at the start.
STARTS = 3
Half = Literal["tuned", "held out", "all"]
Track = Callable[[Sound], Source]


@dataclass(frozen=True)
class Benchmark:
    """Hums and what they are sought among.

    Attributes:
        names: of the targets; several recordings of one song bear one name.
        targets: their melodies.
        hums: (name of the target, melody).
    """

    names: Sequence[str]
    targets: Sequence[Melody]
    hums: Sequence[tuple[str, Source]]

    def ranks(self, matcher: Matcher, *, from_start: bool = False) -> list[int | None]:
        """The rank of each hum's target; None for a miss."""
        return [self._rank(matcher, name, hum, from_start) for name, hum in self.hums]

    def _rank(self, matcher: Matcher, name: str, hum: Source, from_start: bool) -> int | None:
        try:
            return rank_of(name, self.names, matcher.match(hum, from_start=from_start).scores)
        except NothingHeard:
            return None

    def every(self, step: int) -> Benchmark:
        """With every so many hums only."""
        return Benchmark(self.names, self.targets, self.hums[::step])

    def among_fewer(self, step: int) -> Benchmark:
        """With every so many of the targets that are not hummed."""
        hummed = {name for name, _ in self.hums}
        kept = [index for index, name in enumerate(self.names) if name in hummed or index % step == 0]
        return Benchmark([self.names[index] for index in kept], [self.targets[index] for index in kept], self.hums)


def scores_of(archive: str, data: Path = DATA) -> list[Score]:
    """The tunes of an archive of melodies/, by name."""
    return sorted(read_tunes(data / "melodies" / f"{archive}.zip").scores, key=lambda score: score.name)


def melody_of_score(score: Score) -> Melody:
    return melody_of_notes([MidiNote(note.start_s, note.end_s, round(note.pitch)) for note in score.notes])


def mast(half: Half = "held out", data: Path = DATA) -> Benchmark:
    """Real voices. `half`: every second melody from the first is what constants may be chosen on ("tuned")."""
    curves = mast_curves(data)
    tuned, held_out = (mast_half(curves, tuning=tuning) for tuning in (True, False))
    chosen = {"tuned": tuned, "held out": held_out, "all": [*tuned, *held_out]}[half]
    references = [(curve.name, curve.melody) for curve in curves if curve.kind == "reference"]
    sung = [(curve.name, curve.melody) for curve in curves if curve.kind == "pass" and curve.name in chosen]
    distractors = [(score.name, melody_of_score(score)) for archive in ARCHIVES for score in scores_of(archive, data)]
    names, targets = zip(*references, *distractors, strict=True)
    return Benchmark(names, targets, sung)


def songs(
    data: Path = DATA,
    cache: Path | None = None,
    separations: Sequence[str] = SEPARATIONS,
    styles: Sequence[str] = ("free", "poor"),
) -> Benchmark:
    """Simulated hums of the phrases of real songs, among their recordings and DISTRACTORS_OF_SONGS tunes."""
    distractors = distractors_of_songs(data)
    recordings = [
        (name, tracked(name, lambda name=name: load_song(name, data)[0], separation, cache))
        for name in SONGS
        for separation in separations
    ]
    names, targets = zip(*recordings, *distractors, strict=True)
    hums = [(name, hum) for name in SONGS for hum in hums_of_song(name, styles, data)]
    return Benchmark(names, targets, hums)


def distractors_of_songs(data: Path) -> list[tuple[str, Melody]]:
    scores = [score for archive in (UNTRAINED, *ARCHIVES[:2]) for score in scores_of(archive, data)]
    return [(score.name, melody_of_score(score)) for score in scores[:DISTRACTORS_OF_SONGS]]


def rendered(data: Path = DATA, cache: Path | None = None, separations: Sequence[str] = SEPARATIONS) -> Benchmark:
    """Simulated hums of the starter tunes, among the tunes rendered as sung songs and DISTRACTORS_OF_SONGS others."""
    starter = starter_tunes()
    distractors = distractors_of_songs(data)
    recordings = [
        (tune.slug, tracked(tune.slug, lambda tune=tune: render_original(tune).mix, separation, cache))
        for tune in starter
        for separation in separations
    ]
    names, targets = zip(*recordings, *distractors, strict=True)
    scores = [Score(tune.slug, as_written(tune).notes()) for tune in starter]
    rng = np.random.default_rng(len(starter))
    hums = [(score.name, hum_of(score, number, rng)) for number, score in enumerate(HUMS_OF_RENDERED * scores)]
    return Benchmark(names, targets, hums)


def tracked(name: str, sound: Callable[[], Sound], separation: str, cache: Path | None) -> Melody:
    """The melody of a mixture; kept in `cache`, as separation takes longer than all the rest."""
    kept = cache / f"{name}-{separation}.npz" if cache else None
    if kept and kept.exists():
        return Melody.from_bytes(kept.read_bytes())
    melody = track_melody(separate(sound(), separation).sound)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(melody.to_bytes())
    return melody


def hums_of_song(name: str, styles: Sequence[str], data: Path) -> Iterator[Melody]:
    """Each phrase of 4 to 12 s by each kind of singer, through a phone for every other one."""
    _, score = load_song(name, data)
    for number, (start_s, end_s) in enumerate(fragments_of(score)):
        notes = score.sung_between(start_s, end_s)
        for seed, style in enumerate(styles):
            band = "phone" if number % 2 else "wide"
            yield track_melody(sing(notes, seed=100 * number + seed, style=style, band=band).sound)


def tunes(
    data: Path = DATA,
    hums: int = HUMS,
    *,
    hummed: Sequence[Score] | None = None,
    among: Sequence[Score] | None = None,
    first: int = 0,
    track: Track = track_melody,
    goes_on: bool = False,
) -> Benchmark:
    """Simulated hums of tunes, from their start, a phrase or any note, among all tunes. Every other singer is poor.

    Args:
        hummed: which tunes; those that nothing was trained on by default.
        among: what is sought among; all of melodies/ by default.
        first: seed of the first hum.
        track: gives the melody or the salience of a hum.
        goes_on: all hums go on beyond the tune's end, and begin it again.
    """
    if among is None:
        among = [score for archive in ARCHIVES for score in scores_of(archive, data)]
    hummed = scores_of(UNTRAINED, data) if hummed is None else hummed
    rng = np.random.default_rng([first, hums])
    chosen = [hummed[int(rng.integers(len(hummed)))] for _ in range(hums)]
    cut = hum_beyond if goes_on else hum_of
    sung = [(score.name, cut(score, first + number, rng, track)) for number, score in enumerate(chosen)]
    return Benchmark([score.name for score in among], [melody_of_score(score) for score in among], sung)


def hum_of(score: Score, number: int, rng: np.random.Generator, track: Track = track_melody) -> Source:
    """A simulated hum of a tune: from its start, from a phrase's or from any note, by turns."""
    starts_s = np.array([note.start_s for note in score.notes])
    seconds = rng.uniform(*HUM_S)
    last = max(1, int(np.searchsorted(starts_s, score.notes[-1].end_s - seconds)))
    phrases = phrase_starts(score)[: None if last > 1 else 1]
    first = (0, int(rng.choice(phrases[phrases < last])), int(rng.integers(last)))[number % STARTS]
    end = max(first + 4, int(np.searchsorted(starts_s, starts_s[first] + seconds)))
    return as_hummed(score.notes[first:end], number, track)


def hum_beyond(score: Score, number: int, rng: np.random.Generator, track: Track = track_melody) -> Source:
    """A simulated hum that begins before the tune's end and goes on with its start: BEYOND of it lie beyond the end."""
    seconds = rng.uniform(*HUM_S)
    inside_s = seconds * (1 - rng.uniform(*BEYOND))
    starts_s = np.array([note.start_s for note in score.notes])
    end_s = score.notes[-1].end_s
    first = max(0, min(int(np.searchsorted(starts_s, end_s - inside_s)), len(starts_s) - 4))
    again = [note for note in score.notes if note.start_s - starts_s[0] < seconds - (end_s - starts_s[first])]
    moved = [
        TimedNote(note.start_s + end_s - starts_s[0], note.end_s + end_s - starts_s[0], note.pitch) for note in again
    ]
    return as_hummed([*score.notes[first:], *moved], number, track)


def as_hummed(part: Sequence[TimedNote], number: int, track: Track) -> Source:
    """Notes as a simulated singer hums them; every other one is poor, two of five sing into a phone."""
    notes = [(note.start_s - part[0].start_s, note.end_s - part[0].start_s, note.pitch) for note in part]
    style = "poor" if number % 2 else "free"
    return track(sing(notes, seed=number, style=style, band="phone" if number % 5 < 2 else "wide").sound)


def phrase_starts(score: Score) -> np.ndarray:
    """Indices of notes that follow a long one or a rest; the first note always."""
    between = np.diff([note.start_s for note in score.notes])
    return np.concatenate([[0], 1 + np.flatnonzero(between > 1.9 * np.median(between))])


def beyond(data: Path = DATA) -> Benchmark:
    """As `tunes`; the hums go on beyond the tune's end."""
    return tunes(data, goes_on=True)


BENCHMARKS: Mapping[str, Callable[..., Benchmark]] = {
    "mast": mast,
    "songs": songs,
    "rendered": rendered,
    "tunes": tunes,
    "beyond": beyond,
}
