"""Pairs of melodies of which it is known what they share: where the figures of mining come from.

Tunes for choosing and for measuring are apart. The thresholds of the peers were chosen on tunes of the catalogue's
training split, the sureness of ours on composed tunes, the null level of the pitch curves on a few tunes of each
collection; none of these is among what `composed_pairs` and `collected_pairs` give, nor in the catalogue's `HELD_BACK`.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ml_worker.audio.chroma import Chroma
from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import melody_of_midi
from ml_worker.catalogue import Tune
from ml_worker.catalogue.composer import compose
from ml_worker.catalogue.tune_files import Score, melody_notes
from ml_worker.catalogue.voice import TimedNote
from ml_worker.mining.calibration import SHORTEST_S, SLOWEST, played_slower
from ml_worker.mining.constructed import Situation, construct
from ml_worker.mining.gold import TimeMap, repeats, through_repeats
from ml_worker.mining.played import COVERS, Played

DATA = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))

# Composed tunes of this seed are used for nothing but measuring.
MEASURED_SEED = 990_000_000_000
# Longer tunes are cut there, seconds: as long as a verse and a chorus.
CUT_S = 90.0
# Folk tunes come in several collections under several names. Tunes that have so many intervals in a row in common are
# one tune, and only one of them is taken, or an unrelated pair would share it.
SAME_TUNE_INTERVALS = 12

# Each original is mined against covers of this many other tunes.
UNRELATED_PER_TUNE = 2

# The null level: tunes of each collection; what is longer is cut. Seconds.
NULL_TUNES, NULL_SHORTEST_S, NULL_CUT_S = 32, 30.0, 90.0

# Tunes of the catalogue whose songs are of the validation or the test split. The others may choose thresholds.
HELD_BACK = frozenset(
    (
        "battle-hymn",
        "brahms-lullaby",
        "deck-the-halls",
        "jingle-bells",
        "london-bridge",
        "londonderry-air",
        "o-tannenbaum",
        "row-your-boat",
        "silent-night",
        "twinkle",
    )
)

# What a cover of the catalogue does besides key and tempo is not one thing of a list.
AS_A_COVER = "cover"


@dataclass(frozen=True)
class LabelledPair:
    """Two melodies and what they share.

    Attributes:
        a, b: the original and the cover.
        time_map: what the cover plays of the original; empty for an unrelated pair.
        alike: where it plays the same music as another place of the original (see `gold.agreement`).
        situation: what the cover does besides key and tempo.
        chromas: of both, where they are audio.
    """

    a: Melody
    b: Melody
    time_map: TimeMap
    alike: TimeMap = ()
    situation: str = ""
    chromas: tuple[Chroma | None, Chroma | None] = (None, None)


def starter_pairs(chosen: Sequence[Tune], record: Callable[[Tune, int], Played]) -> list[LabelledPair]:
    """Tunes of the catalogue with their covers and with covers of others of the chosen.

    Args:
        record: `from_notes` or `from_audio`.
    """
    return _crossed([_of_catalogue(tune, record) for tune in chosen])


def composed_pairs(number: int) -> list[LabelledPair]:
    """So many composed tunes, each played twice, in each situation in turn, and unrelated ones; always the same."""
    return constructed_pairs(composed_tunes(2 * number))


def composed_tunes(number: int) -> list[Score]:
    """The first so many composed tunes for measuring that are long enough, played slower by some factor and cut."""
    rng = np.random.default_rng(MEASURED_SEED)
    composed = (compose(seed) for seed in count(MEASURED_SEED))
    long_enough = (score for score in composed if seconds_of(score) >= SHORTEST_S)
    return [cut(played_slower(score, rng.uniform(1, SLOWEST))) for score in islice(long_enough, number)]


def collected_pairs(collection: str, number: int) -> list[LabelledPair]:
    """The same of tunes of a collection; fewer where it has not so many.

    Args:
        collection: "nottingham", on which nothing was ever chosen, "cre" or "pop909".

    Raises:
        FileNotFoundError: the collection is not there.
    """
    return constructed_pairs(list(islice(collected_tunes(collection), 2 * number)))


def constructed_pairs(tunes: Sequence[Score]) -> list[LabelledPair]:
    """The first half of the tunes played twice, in each situation in turn, and each with covers of others of them.

    What is foreign in a cover comes from the second half, and so is in no other pair.
    """
    situations, half = list(Situation), len(tunes) // 2
    covers = []
    for number, (tune, other) in enumerate(zip(tunes[:half], tunes[half:], strict=False)):
        made = construct(tune, situations[number % len(situations)], other)
        alike = through_repeats(repeats(made.original.notes), made.time_map)
        melodies = made.original.melody, made.cover.melody
        covers.append([LabelledPair(*melodies, made.time_map, alike, str(made.situation))])
    return _crossed(covers)


def _of_catalogue(tune: Tune, record: Callable[[Tune, int], Played]) -> list[LabelledPair]:
    original, covers = record(tune, 0), [record(tune, number) for number in COVERS]
    again = repeats(original.notes)
    return [
        LabelledPair(
            original.melody,
            cover.melody,
            cover.time_map,
            through_repeats(again, cover.time_map),
            AS_A_COVER,
            (original.chroma, cover.chroma),
        )
        for cover in covers
    ]


def _crossed(covers: Sequence[Sequence[LabelledPair]]) -> list[LabelledPair]:
    """The pairs of each tune, and its original with covers of the next tunes, which are unrelated."""
    pairs = []
    for number, of_one in enumerate(covers):
        pairs += of_one
        for away in range(1, min(UNRELATED_PER_TUNE, len(covers) - 1) + 1):
            others = covers[(number + away) % len(covers)]
            one, other = of_one[0], others[away % len(others)]
            pairs.append(LabelledPair(one.a, other.b, (), chromas=(one.chromas[0], other.chromas[1])))
    return pairs


# --- tunes of collections


def collected_tunes(collection: str) -> Iterator[Score]:
    """The tunes of a collection that are long enough and not of the null level, cut, no two of them one tune."""
    heard: set[tuple[float, ...]] = set()
    with zipfile.ZipFile(_archive(collection)) as archive:
        null = {name for name, _ in null_tunes(collection)}
        for name in reversed(_in_order(archive)):
            if name in null:
                continue
            score = cut(Score(Path(name).stem, melody_notes(archive.read(name))))
            pieces = _pieces(score.notes)
            if seconds_of(score) >= SHORTEST_S and not heard & pieces:
                heard |= pieces
                yield score


def null_tunes(collection: str) -> Iterator[tuple[str, Melody]]:
    """Names and melodies of a collection of which the null level of the pitch curves was measured."""
    left = NULL_TUNES
    with zipfile.ZipFile(_archive(collection)) as archive, TemporaryDirectory() as folder:
        for name in _in_order(archive):
            file = Path(folder, "tune.mid")
            file.write_bytes(archive.read(name))
            melody = melody_of_midi(file)
            if melody.duration_s >= NULL_SHORTEST_S and left:
                left -= 1
                yield name, melody.cut(0, NULL_CUT_S)
            if not left:
                return


def cut(score: Score) -> Score:
    """The notes that end within `CUT_S` of the first."""
    until_s = score.notes[0].start_s + CUT_S
    return Score(score.name, [note for note in score.notes if note.end_s <= until_s])


def seconds_of(score: Score) -> float:
    """From the first note to the end of the last."""
    return score.notes[-1].end_s - score.notes[0].start_s


def _archive(collection: str) -> Path:
    return DATA / "melodies" / f"{collection}.zip"


def _in_order(archive: zipfile.ZipFile) -> list[str]:
    """The MIDI files in an order of their own, which has nothing to do with their names."""
    names = [name for name in archive.namelist() if name.endswith(".mid")]
    return sorted(names, key=lambda name: zlib.crc32(name.encode()))


def _pieces(notes: Iterable[TimedNote]) -> set[tuple[float, ...]]:
    """The intervals of a melody in all pieces of `SAME_TUNE_INTERVALS`."""
    steps = [later.pitch - earlier.pitch for earlier, later in pairwise(notes)]
    return {tuple(steps[first : first + SAME_TUNE_INTERVALS]) for first in range(len(steps) - SAME_TUNE_INTERVALS + 1)}
