"""Where an index draws the line between tunes that are in it and others: measured on hums of tunes that are nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.catalogue.composer import compose
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.data import part_from_a_note
from ml_worker.fingerprint.evaluation import as_melody
from ml_worker.fingerprint.settings import Singing
from ml_worker.fingerprint.shipped import notes_of
from ml_worker.fingerprint.sung import sing
from ml_worker.retrieval.index.inverted import Engine
from ml_worker.retrieval.index.layout import Manifest
from ml_worker.retrieval.index.open_set import FALSE_ACCEPTS, OpenSet, Told, voice_s
from ml_worker.retrieval.index.searcher import Searcher
from ml_worker.retrieval.matcher import NothingHeard

Progress = Callable[[float, str], None]

# Composed tunes of these seeds are hummed for nothing else: for the line, and for measuring what crosses it.
LINE_SEED, MEASURED_SEED = 980_000_000_000, 985_000_000_000
# Hums that the line is drawn by; each keeps a core as long as a search does. With 300 the share of others that crosses
# it is off by twice as much, with 1,000 by a fifth less.
FOREIGN = 600
# How long they are, seconds: what people hum, up to what the page records.
HUM_S = (3.0, 15.0)
# Progress is told after so many hums.
TOLD_EVERY = 20


def foreign_hums(number: int, seed: int = LINE_SEED) -> Iterator[Melody]:
    """So many simulated hums of composed tunes that are in no catalogue; always the same."""
    return islice(_composed_hums(seed), number)


def _composed_hums(seed: int) -> Iterator[Melody]:
    for number in count(seed):
        rng = np.random.default_rng([number, 1])
        part = part_from_a_note(notes_of(compose(number).notes), rng.uniform(*HUM_S), rng)
        yield as_melody(sing(part, Singing(), rng).sampled)


def told_here(searcher: Searcher, hums: Iterable[Melody], progress: Callable[[int], None] | None = None) -> Told:
    """How sure the searcher is of each hum that its tune is there; of those in which it hears nothing, not at all.

    Args:
        progress: told now and then how many hums are over.
    """
    here, seconds, keys = [], [], []
    for number, melody in enumerate(hums):
        if progress and number % TOLD_EVERY == 0:
            progress(number)
        try:
            answer = searcher.find(melody, top=1)
            voiced_s = voice_s(melody)
        except NothingHeard:
            told, voiced_s, key = 0.0, 0.0, ""
        else:
            told, key = answer.here, answer.found[0].key if answer.found else ""
        here.append(told)
        seconds.append(voiced_s)
        keys.append(key)
    return Told(np.array(here), np.array(seconds), keys)


def calibrate(
    folder: Path,
    checkpoints: Sequence[Checkpoint],
    *,
    hums: int = FOREIGN,
    false_accepts: float = FALSE_ACCEPTS,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> OpenSet:
    """Measures the line of an index and keeps it there. Searchers that are open see it at their next `renewed`.

    Args:
        hums: that it is drawn by.
        false_accepts: the share of them that may cross it.
        progress: told the share that is done, and a message.
        engine: that it was built with; None: inverted files.

    Raises:
        ValueError: there are too few hums for so small a share.
        IndexUnusable: there is no index, or it is of other checkpoints or another engine.
    """
    searcher = Searcher.open(folder, checkpoints, engine=engine)

    def tell(number: int) -> None:
        if progress:
            progress(number / hums, f"Hums of tunes that are not in it: {number}")

    told = told_here(searcher, foreign_hums(hums), tell)
    open_set = OpenSet.measured(told, len(searcher.keys), false_accepts)
    replace(Manifest.load(folder), open_set=open_set.as_dict()).save(folder)
    return open_set
