"""The starter checkpoints that come with CHAD, and what unrelated melodies reach with them.

    python -m ml_worker.fingerprint.shipped null --kind short      measures that and writes it beside the checkpoint

Importing this needs no torch; reading a checkpoint does.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue.composer import compose
from ml_worker.catalogue.voice import TimedNote
from ml_worker.fingerprint.data import Tune
from ml_worker.fingerprint.settings import Kind
from ml_worker.fingerprint.sung import Notes, recorded
from ml_worker.mining.align import at_any_tempo
from ml_worker.mining.extract import TEMPO_RATIOS, MiningSettings
from ml_worker.mining.null import NullLevel, calibrate
from ml_worker.mining.sureness import Sureness

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint
    from ml_worker.fingerprint.fingerprints import Fingerprints
    from ml_worker.mining.correlation import AtTempo

FOLDER = Path(__file__).parent / "starter"
KINDS: tuple[Kind, ...] = get_args(Kind)

# The null level is measured on so many pairs of composed tunes; the tail is steady from about half as many.
NULL_PAIRS = 100
# Seeds of tunes that nobody trains on: a network pushes those that it was trained on apart, and would seem to be better
# than it is.
UNSEEN_SEED = 770_000_000_000
# Shorter tunes say nothing of the longest stretches of the null level, seconds.
SHORTEST_S = 30.0


class NoStarter(FileNotFoundError):
    """There is no such starter checkpoint. Its text is a sentence."""


def starter_path(kind: Kind) -> Path:
    """Where the starter checkpoint of a kind lies."""
    return FOLDER / f"{kind}.safetensors"


def null_path(kind: Kind) -> Path:
    """Where its null level lies."""
    return FOLDER / f"{kind}-null.json"


def sureness_path(kind: Kind) -> Path:
    """Where lies how sure its findings are."""
    return FOLDER / f"{kind}-sureness.json"


def shipped_kinds() -> list[Kind]:
    """The kinds of which a starter checkpoint is there."""
    return [kind for kind in KINDS if starter_path(kind).exists()]


@cache
def starter_checkpoint(kind: Kind) -> Checkpoint:
    """The checkpoint that serves until a better one was trained. Read once.

    Raises:
        NoStarter: it is not there.
        UnusableCheckpoint: it is damaged.
    """
    from ml_worker.fingerprint.checkpoint import Checkpoint

    try:
        return Checkpoint.load(starter_path(kind))
    except FileNotFoundError as problem:
        raise NoStarter(
            f"The {kind} starter checkpoint is missing: there is no {starter_path(kind)}. It comes with CHAD; install "
            "CHAD again, or name a checkpoint of your own."
        ) from problem


@cache
def starter_null(kind: Kind) -> NullLevel | None:
    """What unrelated melodies reach with the starter checkpoint; None where that was not measured."""
    if not null_path(kind).exists():
        return None
    return NullLevel.from_dict(json.loads(null_path(kind).read_text(encoding="utf-8")))


@cache
def starter_sureness(kind: Kind) -> Sureness | None:
    """How sure what the starter checkpoint finds is; None where that was not fitted."""
    if not sureness_path(kind).exists():
        return None
    return Sureness.from_dict(json.loads(sureness_path(kind).read_text(encoding="utf-8")))


# --- tunes that nobody trains on


def unseen_tunes(number: int, shortest_s: float = 0.0) -> list[Tune]:
    """Composed tunes of at least so many seconds that no checkpoint was trained on; the first are always the same."""
    return [tune for _, tune in zip(range(number), _composed(shortest_s), strict=False)]


def _composed(shortest_s: float) -> Iterator[Tune]:
    seed = UNSEEN_SEED
    while True:
        score = compose(seed)
        notes = notes_of(score.notes)
        if notes.seconds >= shortest_s:
            yield Tune(score.name, notes)
        seed += 1


def notes_of(line: Sequence[TimedNote]) -> Notes:
    """A line of notes as arrays."""
    starts_s, ends_s, pitch = (np.array(column, dtype=float) for column in zip(*line, strict=True))
    return Notes(starts_s, ends_s, pitch)


# --- the null level


def measure_null(checkpoint: Checkpoint, pairs: int = NULL_PAIRS) -> NullLevel:
    """The null level of a checkpoint, on so many pairs of unseen tunes as recordings have them. Always the same."""
    unrelated = _unrelated(checkpoint, pairs)
    return calibrate(unrelated, TEMPO_RATIOS, MiningSettings.least_voiced, of_z=True)


def _unrelated(checkpoint: Checkpoint, pairs: int) -> Iterator[tuple[Fingerprints, AtTempo]]:
    """Fingerprints of one tune, and of another at any tempo."""
    from ml_worker.fingerprint.evaluation import as_melody
    from ml_worker.fingerprint.fingerprinter import fingerprint_with

    network = checkpoint.encoder()

    def look(melody: Melody) -> Fingerprints:
        return fingerprint_with(network, melody, checkpoint)

    rng = np.random.default_rng(UNSEEN_SEED)
    tunes = unseen_tunes(2 * pairs, SHORTEST_S)
    melodies = [as_melody(recorded(tune.notes, checkpoint.settings.recorded, rng).sampled) for tune in tunes]
    for one, other in zip(melodies[::2], melodies[1::2], strict=True):
        yield look(one), at_any_tempo(other, look)


def main() -> None:
    from ml_worker.fingerprint.checkpoint import write_whole

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["null"])
    parser.add_argument("--kind", choices=KINDS, required=True)
    asked = parser.parse_args()
    null = measure_null(starter_checkpoint(asked.kind))
    write_whole(null_path(asked.kind), json.dumps(null.as_dict(), indent=1).encode() + b"\n")
    print(null)


if __name__ == "__main__":
    main()
