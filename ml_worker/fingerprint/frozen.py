"""Frozen benchmarks, by which a checkpoint is let into use: of tunes that nobody trains on, and that never change.

    python -m ml_worker.fingerprint.frozen short long FILE ...     prints how checkpoints do: starter ones, and files

Their tunes are composed by rule from seeds of their own, so that no song of a collection, of whatever split, has a part
in choosing a checkpoint. `hums` are hums along with a tune and free ones by the simulated singers of
`catalogue.singer`, heard with a tracker's faults, sought among tunes as written. `covers` are passages of covers by
rule, in another key and tempo, with rubato and ornaments, sought among tunes; both sides as tracked in a mixture, with
leaps of an octave, holes, and instruments taken for the voice. All of it is synthetic, and is to be called so.

Every number here is part of the benchmark, also those that are the same as elsewhere: whoever changes one, or anything
that changes a curve, raises `VERSION`.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d

from ml_worker.audio.melody import Melody
from ml_worker.catalogue import singer
from ml_worker.catalogue.composer import compose
from ml_worker.catalogue.voice import TimedNote
from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.data import Tune, part_from_a_note
from ml_worker.fingerprint.evaluation import as_melody, ranks_in, scores_of
from ml_worker.fingerprint.fingerprinter import fingerprint_with
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.looked import Looked
from ml_worker.fingerprint.network import Encoder
from ml_worker.fingerprint.settings import Recorded, Singing
from ml_worker.fingerprint.shipped import notes_of
from ml_worker.fingerprint.sung import Notes, recorded, sing, written

VERSION = 1
# The first seed of the tunes; those of training are small, those of the null level begin elsewhere.
SEED = 550_000_000_000

# Seconds of a hum, and of a cover's passage; how each tune is hummed, and how often it is covered.
HUM_S, PASSAGE_S = (3.0, 7.0), (5.0, 12.0)
STYLES: tuple[singer.Style, ...] = ("along", "free", "poor")
COVERS = 2

# A tracker alone: what is sung is sung by another singer, so nothing of the person is left here.
TRACKED = Singing(
    clumsiness=(0.0, 0.0), pace=0.0, swing=0.0, onset_s=0.0, interval=0.0, mistuned=0.0, drift=0.0, new_key=0.0,
    wrong=0.0, dropped=0.0, octave_change=0.0, detached=0.0, breath=0.0, run_together=0.0, glide_s=(0.02, 0.12),
    scoop=0.3, vibrato=0.3, jitter=0.15, octave_slip=0.3, unheard=0.5, false_voice=0.3, attack_heard=(0.5, 1.0),
    false_attacks=0.6, no_attack=0.2,
)  # fmt: skip
# A performer who can sing or play, as a tracker hears the melody in a mixture.
IN_A_MIXTURE = Recorded(
    score=0.0,
    no_attack=0.25,
    singing=Singing(
        clumsiness=(0.2, 0.6), pace=0.0, swing=0.1, onset_s=0.04, interval=0.05, mistuned=0.4, drift=0.3, new_key=0.0,
        wrong=0.05, dropped=0.06, octave_change=0.1, detached=0.4, breath=0.1, run_together=0.3, glide_s=(0.02, 0.16),
        scoop=0.4, vibrato=0.5, jitter=0.15, octave_slip=0.5, unheard=0.5, false_voice=0.3, attack_heard=(0.4, 1.0),
        false_attacks=1.0, no_attack=0.3,
    ),
    filled_rests=0.5,
    taken_over=0.6,
    holes=0.4,
)  # fmt: skip

# Covers: semitones up or down; tempo ratios; rubato as a logarithm's standard deviation, smoothed over so many notes.
SHIFTS, TEMPO_RATIOS = (2, 3, 4, 5), ((0.82, 0.94), (1.07, 1.22))
RUBATO, RUBATO_NOTES = 0.06, 3.0
# Share of the notes from a length on, seconds, that get an ornament, whose notes are so long, seconds.
ORNAMENTED, ORNAMENT_FROM_S, GRACE_S = 0.25, 0.3, 0.09


@dataclass(frozen=True)
class Size:
    """How many tunes are sought, and among how many others: enough that a fall of 0.05 is seldom chance."""

    tunes: int = 120
    distractors: int = 380


FULL = Size()


Named = tuple[str, Melody]
"""A melody with the name of its tune."""


def look(weights: Checkpoint, size: Size = FULL) -> dict[str, Looked]:
    """How a checkpoint does in each frozen benchmark, by its name. Less than a minute on one core.

    Args:
        size: smaller for tests; looks at another size are not to be compared.
    """
    return _looked([weights], *frozen_tunes(size))


def look_fused(short: Checkpoint, long: Checkpoint, size: Size = FULL) -> dict[str, Looked]:
    """The same for two checkpoints together: the mean of their scores. The paper does not say how it fuses."""
    return _looked([short, long], *frozen_tunes(size))


def unseen(weights: Checkpoint, tunes: Sequence[Tune], size: Size = FULL) -> dict[str, Looked]:
    """The same look at given tunes, sought among the distractors of the frozen ones. To be told, not to decide by.

    Args:
        tunes: that the checkpoint was not trained on.
    """
    return _looked([weights], tunes, frozen_tunes(size)[1])


def frozen_tunes(size: Size) -> tuple[list[Tune], list[Tune]]:
    """The tunes that are sought, and the others. Always the same."""
    scores = [compose(SEED + number) for number in range(size.tunes + size.distractors)]
    tunes = [Tune(score.name, notes_of(score.notes)) for score in scores]
    return tunes[: size.tunes], tunes[size.tunes :]


# --- what is made of tunes; each from its name and notes alone


def hums(tunes: Sequence[Tune]) -> Iterator[Named]:
    """Each tune hummed in each style."""
    return ((tune.name, hum_of(tune, style)) for tune in tunes for style in STYLES)


def notated(tunes: Sequence[Tune]) -> Iterator[Named]:
    """Each tune as written."""
    return ((tune.name, as_melody(written(tune.notes).sampled)) for tune in tunes)


def covers(tunes: Sequence[Tune]) -> Iterator[Named]:
    """Passages of each tune's covers."""
    return ((tune.name, passage_of_cover(tune, number)) for tune in tunes for number in range(COVERS))


def originals(tunes: Sequence[Tune]) -> Iterator[Named]:
    """Each whole tune as it is tracked in a mixture."""
    return ((tune.name, original_of(tune)) for tune in tunes)


# By name: what is sought, and among what.
BENCHMARKS = {"hums": (hums, notated), "covers": (covers, originals)}


def hum_of(tune: Tune, style: singer.Style) -> Melody:
    """Some part of the tune as a simulated singer hums it and a tracker hears it."""
    rng = _chance(tune, style)
    part = part_from_a_note(tune.notes, rng.uniform(*HUM_S), rng)
    hummed = singer.perform(_from_zero(part), seed=int(rng.integers(2**31)), style=style)
    return as_melody(sing(notes_of(hummed.notes), TRACKED, rng).sampled)


def passage_of_cover(tune: Tune, number: int) -> Melody:
    """Some part of one of the covers of the tune, as it is tracked in a mixture."""
    rng = _chance(tune, f"cover {number}")
    part = part_from_a_note(tune.notes, rng.uniform(*PASSAGE_S), rng)
    return as_melody(recorded(covered(part, rng), IN_A_MIXTURE, rng).sampled)


def original_of(tune: Tune) -> Melody:
    return as_melody(recorded(tune.notes, IN_A_MIXTURE, _chance(tune, "original")).sampled)


def _chance(tune: Tune, what: str) -> Generator:
    return np.random.default_rng(zlib.crc32(f"{tune.name} {what}".encode()))


def _from_zero(notes: Notes) -> list[TimedNote]:
    first_s = notes.starts_s[0]
    columns = notes.starts_s - first_s, notes.ends_s - first_s, notes.pitch
    return [TimedNote(*map(float, row)) for row in zip(*columns, strict=True)]


# --- covers


def covered(notes: Notes, rng: Generator) -> Notes:
    """The notes as a cover plays them, from second 0: ornaments, another key, another tempo, and rubato."""
    played = notes_of(ornamented(_from_zero(notes), rng))
    low_s, high_s = TEMPO_RATIOS[rng.integers(len(TEMPO_RATIOS))]
    swing = gaussian_filter1d(rng.standard_normal(len(played)), RUBATO_NOTES)
    pace = rng.uniform(low_s, high_s) * np.exp(RUBATO * (swing - swing.mean()) / (swing.std() + 1e-9))
    bounds_s = np.append(played.starts_s, played.ends_s[-1])
    at_s = np.concatenate([[0.0], np.cumsum(np.diff(bounds_s) * pace)])
    ends_s = at_s[:-1] + (played.ends_s - played.starts_s) * pace
    shift = rng.choice(SHIFTS) * rng.choice([-1, 1])
    return Notes(at_s[:-1], ends_s, played.pitch + shift)


def ornamented(notes: Sequence[TimedNote], rng: Generator) -> list[TimedNote]:
    """The notes, some with a grace note from above or a turn to the note below, of those that the tune has."""
    tones = {round(note.pitch) % 12 for note in notes}
    out: list[TimedNote] = []
    for note in notes:
        chosen, is_turn = rng.random() < ORNAMENTED, rng.random() < 0.5
        if not chosen or note.end_s - note.start_s < ORNAMENT_FROM_S:
            out.append(note)
            continue
        first_s, second_s = note.start_s + GRACE_S, note.start_s + 2 * GRACE_S
        if is_turn:
            below = _neighbour(note.pitch, -1, tones)
            out += [note._replace(end_s=first_s), TimedNote(first_s, second_s, below), note._replace(start_s=second_s)]
        else:
            above = _neighbour(note.pitch, 1, tones)
            out += [TimedNote(note.start_s, first_s, above), note._replace(start_s=first_s)]
    return out


def _neighbour(pitch: float, step: int, tones: set[int]) -> float:
    """The next of the tones above (step 1) or below (step -1); where there is one tone alone, its octave."""
    pitch += step
    while round(pitch) % 12 not in tones:
        pitch += step
    return pitch


# --- looking


def _looked(checkpoints: Sequence[Checkpoint], tunes: Sequence[Tune], distractors: Sequence[Tune]) -> dict[str, Looked]:
    name = " and ".join(checkpoint.name for checkpoint in checkpoints)
    encoders = [(checkpoint, checkpoint.encoder()) for checkpoint in checkpoints]
    looks = {}
    for which, (sought, among) in BENCHMARKS.items():
        wanted, queries = _fingerprints(sought(tunes), encoders)
        names, targets = _fingerprints(among([*tunes, *distractors]), encoders)
        scores = [scores_of(*both) for both in zip(queries, targets, strict=True)]
        ranks = ranks_in(np.mean(scores, axis=0), wanted, names)
        looks[which] = Looked(VERSION, name, tuple(wanted), tuple(ranks), len(set(names)))
    return looks


def _fingerprints(
    melodies: Iterator[Named], encoders: Sequence[tuple[Checkpoint, Encoder]]
) -> tuple[list[str], list[list[Fingerprints]]]:
    """Names of melodies, and their fingerprints by each checkpoint. One melody at a time is in memory."""
    names: list[str] = []
    prints: list[list[Fingerprints]] = [[] for _ in encoders]
    for name, melody in melodies:
        names.append(name)
        for of_one, (checkpoint, network) in zip(prints, encoders, strict=True):
            of_one.append(fingerprint_with(network, melody, checkpoint))
    return names, prints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="short or long, those that come with CHAD; or files")
    asked = parser.parse_args()
    chosen = [
        shipped.starter_checkpoint(name) if name in shipped.KINDS else Checkpoint.load(Path(name))
        for name in asked.checkpoints
    ]
    for checkpoint in chosen:
        tell([checkpoint])
    if {checkpoint.settings.kind for checkpoint in chosen[:2]} == set(shipped.KINDS):
        tell(chosen[:2])


def tell(checkpoints: Sequence[Checkpoint]) -> None:
    """Prints the rates of one checkpoint, or of two together."""
    began = time.process_time()
    looks = _looked(checkpoints, *frozen_tunes(FULL))
    took_s = time.process_time() - began
    for name, looked in looks.items():
        rates = looked.rates
        tops = " ".join(f"top-{k} {share:.3f}" for k, share in rates.top.items())
        print(f"{looked.checkpoint:50} {name:7} mrr {rates.mrr:.3f} {tops} ({rates.queries} of {rates.songs} tunes)")
    print(f"{took_s:.0f} s of processor time")


if __name__ == "__main__":
    main()
