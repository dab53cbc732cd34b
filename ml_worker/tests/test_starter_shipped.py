"""The checkpoints that lie in the starter folder: whole, small, calibrated, and trained on nothing with a restriction.

Its README is their model card; the counts and names here are what it says.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache

import numpy as np
import pytest

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint import shipped
from ml_worker.fingerprint.fingerprinter import fingerprint_with
from ml_worker.fingerprint.starter_training import COMPOSED, COMPOSER_SEED, HELD_BACK, split, tunes_from
from ml_worker.mining.align import align_melodies, shipped_methods
from ml_worker.mining.curve import METHOD
from ml_worker.mining.null import NullLevel
from ml_worker.mining.sureness import Evidence
from ml_worker.tests.made_hums import phrase
from ml_worker.tests.made_tunes import made_cover, made_tune, melody_of
from ml_worker.tests.shared_data import shared_data

# All checkpoints together, bytes.
MOST_BYTES = 12_000_000
# Tunes in the archives of the model card. POP909 names its melodies by three digits.
CRE, POP909 = 1195, 49
OF_POP909 = re.compile(r"\d{3}")
# Of the names of the archives' tunes that were not held back, one a line: what `split(tunes_from(...))` gives.
NAMES_SHA256 = "c58e6ab3253434ad522fab8893381bb1b7bae2189fa74cc27f1b961c5ccdb67a"

ARCHIVES = ("cre.zip", "pop909.zip")
kinds = pytest.mark.parametrize("kind", shipped.KINDS)


def from_archives(names: tuple[str, ...]) -> list[str]:
    """The names that are none of the composer's."""
    return [name for name in names if not name.startswith("composed ")]


@cache
def composed_names() -> set[str]:
    return {score.name for score in compose_tunes(COMPOSED, seed=COMPOSER_SEED)}


def digest_of(names: list[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def test_both_kinds_ship_and_are_small():
    assert shipped.shipped_kinds() == list(shipped.KINDS)
    assert sum(file.stat().st_size for file in shipped.FOLDER.glob("*.safetensors")) <= MOST_BYTES
    assert {file.name for file in shipped.FOLDER.glob("*.safetensors")} == {
        f"{kind}.safetensors" for kind in shipped.KINDS
    }


@kinds
def test_it_loads_and_gives_fingerprints(kind):
    checkpoint = shipped.starter_checkpoint(kind)
    assert checkpoint.settings.kind == kind
    melody = phrase(1, 12.0)
    vectors = fingerprint_with(checkpoint.encoder(), melody, checkpoint).vectors
    assert vectors.shape[1] == 128
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


@kinds
def test_its_null_level_is_its_own(kind):
    null = shipped.starter_null(kind)
    assert isinstance(null, NullLevel)
    assert null.checkpoint == shipped.starter_checkpoint(kind).name
    assert null.is_of_z


def test_of_the_one_that_mines_is_known_how_sure_it_is():
    sureness = shipped.starter_sureness("short")
    clear = Evidence(chance=1e-5, mismatch=0.08, agreement_s=3.0, notes=20)
    assert sureness.probability(clear) > 0.9
    assert sureness.probability(Evidence(chance=20.0, mismatch=0.25, agreement_s=0.3, notes=4)) < 0.1
    assert (sureness.rows > 300, sureness.verdicts) == (True, 0)


def test_it_mines_beside_the_pitch_curves():
    assert [method.name for method in shipped_methods()] == [METHOD, shipped.starter_checkpoint("short").name]
    notes = made_tune(4, 30)
    cover = melody_of(made_cover(notes, [(0, 30)], transposition=2)[0], seed=2)
    for method in shipped_methods():
        found = align_melodies(melody_of(notes, seed=1), cover, [method])
        assert sum(one["b"][1] - one["b"][0] for one in found) > 20


@kinds
def test_it_was_trained_on_nothing_but_tunes_of_the_model_card(kind):
    data = shipped.starter_checkpoint(kind).data
    assert data.versions == ()
    read = from_archives(data.tunes)
    assert len(read) == (CRE + POP909) - -(-(CRE + POP909) // HELD_BACK)
    assert sum(bool(OF_POP909.fullmatch(name)) for name in read) == 44
    assert digest_of(read) == NAMES_SHA256
    composed = set(data.tunes) - set(read)
    assert len(composed) == COMPOSED - COMPOSED // HELD_BACK
    assert composed <= composed_names()
    assert len(data.tunes) == len(read) + len(composed)


def test_these_names_are_those_of_the_archives():
    trained, _ = split(tunes_from([shared_data("melodies", name) for name in ARCHIVES], composed=0))
    assert digest_of([tune.name for tune in trained]) == NAMES_SHA256
