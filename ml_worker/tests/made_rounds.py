"""A world in which a round of the loop can be gone through in seconds: sung songs with hums and covers."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.frozen import Size
from ml_worker.mining import calibration
from ml_worker.models import Job, Round
from ml_worker.running import run_here
from ml_worker.tests import made_rows
from ml_worker.work import promotion, training_data
from recordings.models import Fragment
from recordings.splits import split_of
from recordings.tests import factories

# So little of everything that a round fits a test.
COMPOSED = 20
FROZEN = Size(tunes=3, distractors=3)
# As few songs of the training split as training takes, and one of each other.
SPLITS = ("train", "train", "train", "train", "validation", "test")


def with_fewer(patch: pytest.MonkeyPatch) -> None:
    """Makes everything that a round composes by itself small."""
    patch.setattr(training_data, "COMPOSED", COMPOSED)
    patch.setattr(promotion, "SIZE", FROZEN)
    patch.setattr(promotion, "unseen_tunes", lambda: shipped.unseen_tunes(2))
    # A few steps after the starter checkpoint, chance and sureness are much as with that.
    patch.setattr(
        shipped, "measure_null", lambda weights, pairs: replace(shipped.starter_null("short"), checkpoint=weights.name)
    )
    patch.setattr(calibration, "sureness_of", lambda method, *pairs: shipped.starter_sureness("short"))


def ids_of(split: str) -> Iterator[uuid.UUID]:
    """Ids of songs that are in a split."""
    made = (uuid.uuid5(uuid.NAMESPACE_OID, str(number)) for number in itertools.count())
    return (one for one in made if split_of(one) == split)


def make_songs(patch: pytest.MonkeyPatch, *, covers: bool = True) -> list[Fragment]:
    """Songs of all splits, each with an accepted hum, and a cover that sings its fragment; none is mined yet."""
    make_song, ids = factories.make_song, {split: ids_of(split) for split in set(SPLITS)}
    chosen: list[uuid.UUID] = []
    patch.setattr(factories, "make_song", lambda *about, **more: make_song(*about, id=chosen.pop(), **more))
    fragments = []
    for seed, split in enumerate(SPLITS):
        chosen.append(next(ids[split]))
        fragment = made_rows.sung_song(seed)
        made_rows.settled(made_rows.sung_hum(fragment))
        if covers:
            made_rows.sung_cover(fragment).delete()  # the recording stays
        fragments.append(fragment)
    return fragments


def taken(round: Round) -> Job:
    """The round as far as it goes now."""
    job = run_here(Job.Kind.ROUND, round.pk)
    round.refresh_from_db()
    return job
