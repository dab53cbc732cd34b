"""Fingerprints: unit vectors on a fixed hop, the same for any key, and retrieval by them."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.evaluation import hit_rates
from ml_worker.fingerprint.fingerprinter import fingerprint
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.network import new_encoder
from ml_worker.fingerprint.settings import Settings
from ml_worker.tests.made_pairs import TINY, made_pair, steady, transposed


def untrained(settings: Settings) -> Checkpoint:
    state = state_of(new_encoder(settings.width, settings.dimensions, 0))
    return Checkpoint(settings, state, DataRecord.of([]))


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return untrained(TINY)


def prints(vectors: np.ndarray, voiced_share: float = 1.0) -> Fingerprints:
    vectors = np.asarray(vectors, np.float32)
    return Fingerprints(vectors, 3.0, 0.25, np.full(len(vectors), voiced_share, np.float32), "made")


def test_there_is_one_unit_vector_every_hop(checkpoint):
    melody = made_pair(0).original
    result = fingerprint(melody, checkpoint)
    assert len(result) == np.ceil((melody.duration_s - 3.0) / 0.25) + 1
    assert result.vectors.shape == (len(result), 32)
    assert result.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-5)
    assert (result.window_s, result.hop_s, result.checkpoint) == (3.0, 0.25, checkpoint.name)


@pytest.mark.parametrize("kind", ["short", "long"])
@pytest.mark.parametrize("semitones", [-12, -3.5, 0.37, 5])
def test_another_key_gives_the_same_fingerprints(kind, semitones):
    own = untrained(Settings.of(kind, width=4))
    melody = made_pair(1).original
    one, other = fingerprint(melody, own), fingerprint(transposed(melody, semitones), own)
    assert (one.vectors * other.vectors).sum(axis=1).min() > 0.99
    assert one.vectors.shape[1] == 128


def test_the_batch_size_changes_nothing(checkpoint):
    melody = made_pair(2).original
    one, other = fingerprint(melody, checkpoint, batch=4), fingerprint(melody, checkpoint)
    np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-5)


def test_short_and_empty_melodies_have_one_window(checkpoint):
    assert len(fingerprint(steady([60.0]), checkpoint)) == 1
    empty = fingerprint(steady([]), checkpoint)
    assert len(empty) == 1
    assert empty.voiced_share.tolist() == [0.0]


def test_the_song_with_the_same_sequence_is_found_wherever_it_lies():
    rng = np.random.default_rng(0)
    songs = {f"song {i}": rng.normal(size=(30, 16)) for i in range(12)}
    songs = {name: vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for name, vectors in songs.items()}
    targets = [(name, prints(vectors)) for name, vectors in songs.items()]
    queries = [(name, prints(vectors[9:20])) for name, vectors in songs.items()]
    rates = hit_rates(queries, targets)
    assert (rates.top1, rates.top10, rates.mrr) == (1.0, 1.0, 1.0)
    assert (rates.queries, rates.songs) == (12, 12)
    # The same windows in another order are no longer the song, though each single window is still there.
    backwards = hit_rates([(name, prints(vectors[19:8:-1])) for name, vectors in songs.items()], targets)
    assert backwards.top1 < 1


def test_a_slower_sequence_is_found_along_a_steeper_diagonal():
    rng = np.random.default_rng(1)
    turn = np.cumsum(rng.normal(size=(12, 40, 16)), axis=1)
    songs = turn / np.linalg.norm(turn, axis=2, keepdims=True)
    targets = [(str(i), prints(song)) for i, song in enumerate(songs)]
    queries = [(str(i), prints(song[np.rint(np.arange(5, 30, 0.8)).astype(int)])) for i, song in enumerate(songs)]
    assert hit_rates(queries, targets).top1 == 1


def test_silence_finds_nothing_and_a_song_that_is_not_there_is_a_miss():
    vectors = np.tile(np.eye(16)[0], (20, 1))
    targets = [("silent", prints(vectors, voiced_share=0.0)), ("sung", prints(vectors))]
    assert hit_rates([("silent", prints(vectors, voiced_share=0.0))], targets).top1 == 0
    assert hit_rates([("silent", prints(vectors))], targets).top1 == 0
    absent = hit_rates([("elsewhere", prints(vectors))], targets)
    assert (absent.top1, absent.top10, absent.mrr) == (0, 0, 0)
