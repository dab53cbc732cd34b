"""Fingerprints: unit vectors on a fixed hop, the same for any key, and retrieval by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint import data, fingerprinter
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.evaluation import rates_of
from ml_worker.fingerprint.fingerprinter import PIECE_COLUMNS, fingerprint, pieces, recording_features, windows_of
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.fingerprint.image import COLUMN_S, Painter, column_count, window_starts
from ml_worker.fingerprint.settings import Settings
from ml_worker.tests.made_pairs import TINY, made_pair, steady, transposed, untrained
from ml_worker.tests.made_tunes import made_tune, melody_of


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return untrained(TINY)


def of_columns(columns: int) -> Melody:
    """A melody of which the picture, silence around it included, has so many columns."""
    seconds = columns * COLUMN_S - 2 * fingerprinter.LEAD_S
    return melody_of(made_tune(1, seconds + 3)).cut(0, seconds)


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


@pytest.mark.parametrize(
    "chosen", [Settings.of("short", width=4), Settings.of("long", width=4), Settings.paper("short", width=4)]
)
@pytest.mark.parametrize("semitones", [-12, -3.5, 0.37, 5])
def test_another_key_gives_the_same_fingerprints(chosen, semitones):
    own = untrained(chosen)
    melody = made_pair(1).original
    one, other = fingerprint(melody, own), fingerprint(transposed(melody, semitones), own)
    assert (one.vectors * other.vectors).sum(axis=1).min() > 0.99
    assert one.vectors.shape[1] == 128


@pytest.mark.parametrize("columns", [33, 63, 64, 65, 71, 72, 73, 127, 128, 129, 200])
@pytest.mark.parametrize("time_strides", [(1, 2, 1, 1), (1, 2, 2, 2)])
def test_a_recording_in_pieces_has_the_features_of_the_whole(monkeypatch, columns, time_strides):
    network = untrained(TINY.changed(time_strides=time_strides)).encoder()
    painter = Painter.of(of_columns(columns), has_attack=True)
    assert column_count(painter.duration_s + 2 * fingerprinter.LEAD_S) == columns
    with torch.inference_mode():
        whole = recording_features(network, painter)
        monkeypatch.setattr(fingerprinter, "PIECE_COLUMNS", 64)
        pieced = recording_features(network, painter)
    assert whole.shape[2] == -(-columns // network.stride)
    np.testing.assert_allclose(pieced, whole, atol=1e-5)


@pytest.mark.parametrize("columns", [PIECE_COLUMNS - 1, PIECE_COLUMNS, PIECE_COLUMNS + 1])
def test_the_pieces_of_long_recordings_join_too(monkeypatch, checkpoint, columns):
    network, painter = checkpoint.encoder(), Painter.of(of_columns(columns), has_attack=True)
    with torch.inference_mode():
        pieced = recording_features(network, painter)
        monkeypatch.setattr(fingerprinter, "PIECE_COLUMNS", 10**6)
        np.testing.assert_allclose(recording_features(network, painter), pieced, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 2047, 2048, 2049, 9000])
def test_pieces_follow_one_another_and_see_what_is_around_them(columns):
    cut = list(pieces(columns, stride=8, reach=157))
    assert [first for first, *_ in cut] == [0, *(last for _, last, *_ in cut[:-1])]
    assert cut[-1][1] == columns
    for first, last, seen_first, seen_last in cut:
        assert first % 8 == seen_first % 8 == 0
        assert seen_first <= max(0, first - 157)
        assert seen_last >= min(columns, last + 157)


def test_the_silence_around_a_recording_is_the_one_of_training():
    assert fingerprinter.LEAD_S == data.LEAD_S


def test_the_paper_s_way_encodes_each_window_by_itself():
    checkpoint = untrained(Settings.paper("short", width=4, dimensions=32))
    melody = made_pair(2).original
    network, painter = checkpoint.encoder(), Painter.of(melody, has_attack=False)
    starts_s = window_starts(melody.duration_s, 3.0, 0.25)
    with torch.inference_mode():
        by_itself = [network(torch.from_numpy(painter.paint(start_s[None], 75)))[0].numpy() for start_s in starts_s]
    np.testing.assert_allclose(fingerprint(melody, checkpoint).vectors, by_itself, atol=1e-5)


def test_the_batch_size_changes_nothing(monkeypatch):
    checkpoint, melody = untrained(Settings.paper("short", width=4, dimensions=32)), made_pair(2).original
    together = fingerprint(melody, checkpoint)
    monkeypatch.setattr(fingerprinter, "BATCH", 4)
    np.testing.assert_allclose(fingerprint(melody, checkpoint).vectors, together.vectors, atol=1e-5)


def test_windows_may_lie_anywhere_and_have_any_length(checkpoint):
    melody = made_pair(3).original
    network, painter = checkpoint.encoder(), Painter.of(melody, has_attack=True)
    on_the_grid = fingerprint(melody, checkpoint)
    with torch.inference_mode():
        features = recording_features(network, painter)
        some = windows_of(network, features, np.array([1.5, 0.25]), 3.0)
        longer = windows_of(network, features, np.array([1.5, 0.25]), 5.0)
    np.testing.assert_allclose(some, on_the_grid.vectors[[6, 1]], atol=1e-5)
    assert np.abs(some - longer).max() > 1e-4


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
    rates = rates_of(queries, targets)
    assert (rates.top[1], rates.top[10], rates.mrr) == (1.0, 1.0, 1.0)
    assert (rates.queries, rates.songs) == (12, 12)
    # The same windows in another order are no longer the song, though each single window is still there.
    backwards = rates_of([(name, prints(vectors[19:8:-1])) for name, vectors in songs.items()], targets)
    assert backwards.top[1] < 1


def test_a_slower_sequence_is_found_along_a_steeper_diagonal():
    rng = np.random.default_rng(1)
    turn = np.cumsum(rng.normal(size=(12, 40, 16)), axis=1)
    songs = turn / np.linalg.norm(turn, axis=2, keepdims=True)
    targets = [(str(i), prints(song)) for i, song in enumerate(songs)]
    queries = [(str(i), prints(song[np.rint(np.arange(5, 30, 0.8)).astype(int)])) for i, song in enumerate(songs)]
    assert rates_of(queries, targets).top[1] == 1


def test_silence_finds_nothing_and_a_song_that_is_not_there_is_a_miss():
    vectors = np.tile(np.eye(16)[0], (20, 1))
    targets = [("silent", prints(vectors, voiced_share=0.0)), ("sung", prints(vectors))]
    assert rates_of([("silent", prints(vectors, voiced_share=0.0))], targets).top[1] == 0
    assert rates_of([("silent", prints(vectors))], targets).top[1] == 0
    absent = rates_of([("elsewhere", prints(vectors))], targets)
    assert (absent.top[1], absent.top[10], absent.mrr) == (0, 0, 0)
