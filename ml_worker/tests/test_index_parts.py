"""Parts of the index against the same written plainly."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml_worker.audio.melody import Melody
from ml_worker.retrieval.index.codec import Codec
from ml_worker.retrieval.index.first_stage import FirstStage, counted, in_order
from ml_worker.retrieval.index.lines import HOP_S, StoredLine
from ml_worker.retrieval.index.open_set import OpenSet
from ml_worker.retrieval.index.segment import CodesOf
from ml_worker.retrieval.index.simulated import turn
from ml_worker.retrieval.network_matcher import HumWindows

DIMENSIONS = 16


def unit(rng: np.random.Generator, count: int, dimensions: int = DIMENSIONS) -> np.ndarray:
    vectors = rng.normal(size=(count, dimensions)) * np.geomspace(1, 0.05, dimensions)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_codes_keep_the_products_of_fingerprints_and_silence():
    vectors = unit(np.random.default_rng(0), 500)
    vectors[::7] = 0
    codec = Codec.fitted(vectors, axes=12)
    decoded = codec.decode(codec.encode(vectors))
    assert not decoded[::7].any()
    products = codec.project(vectors[:50]) @ decoded.T
    assert np.abs(products - vectors[:50] @ vectors.T).max() < 0.05
    again = Codec.from_bytes(codec.to_bytes())
    assert np.array_equal(again.encode(vectors), codec.encode(vectors))


def test_there_is_no_codec_for_silence():
    with pytest.raises(ValueError, match="no fingerprints"):
        Codec.fitted(np.zeros((5, 4), dtype=np.float32))


@given(
    arrays(np.float32, st.integers(1, 300), elements=st.sampled_from([0.0, 110.0, 220.5, 441.0, 987.8])),
    st.sampled_from([0.01, 0.02, 0.04, 0.0213]),
)
def test_a_stored_line_is_the_melody_to_a_hundredth_of_a_semitone(f0_hz, hop_s):
    melody = Melody(hop_s, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "test", (f0_hz > 300).astype(np.float32))
    line = StoredLine.of(melody)
    again = line.melody()
    assert again.duration_s == pytest.approx(melody.duration_s, abs=HOP_S)
    for frame in range(len(again.f0_hz)):
        nearest = min(round(frame * HOP_S / hop_s), len(f0_hz) - 1)
        assert again.voiced[frame] == (f0_hz[nearest] > 0)
        if again.voiced[frame]:
            assert abs(12 * np.log2(again.f0_hz[frame] / f0_hz[nearest])) < 0.01
    if len(line.pitch):
        assert line.attack.max() == 255 * (f0_hz > 300).any()


@st.composite
def neighbours(draw):
    """Songs, and neighbours of a few windows of a hum at two tempi."""
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    rows, nearest = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    numbers = np.array(
        [
            [
                draw(st.integers(-1, int(firsts[-1]) - 1)) if n else draw(st.integers(0, int(firsts[-1]) - 1))
                for n in range(nearest)
            ]
            for _ in range(rows)
        ]
    )
    similarities = np.sort(
        draw(arrays(np.float32, (rows, nearest), elements=st.integers(1, 8).map(lambda n: n / 8))), axis=1
    )
    steps = np.array([draw(st.integers(0, 9)) for _ in range(rows)])
    tempi = np.sort(np.array([draw(st.integers(0, 1)) for _ in range(rows)]))
    return similarities[:, ::-1], numbers, steps, tempi, firsts


@settings(max_examples=60)
@given(neighbours(), st.integers(1, 5))
def test_votes_are_those_counted_one_by_one(made, diagonal):
    similarities, numbers, steps, tempi, firsts = made
    longest = steps.max()
    votes: dict[tuple[int, int, int], dict[int, float]] = defaultdict(dict)
    for row in range(len(numbers)):
        farthest = min(s for s, n in zip(similarities[row], numbers[row], strict=True) if n >= 0)
        for similarity, number in zip(similarities[row], numbers[row], strict=True):
            if number < 0:
                continue
            of = max(at for at in range(len(firsts) - 1) if firsts[at] <= number)
            place = (of, int(tempi[row]), (int(number) - int(steps[row]) + int(longest)) // diagonal)
            votes[place][row] = max(votes[place].get(row, 0.0), float(similarity - farthest))
    wanted = {place: sum(of_rows.values()) for place, of_rows in votes.items()}
    found = counted(similarities, numbers, steps, tempi, firsts, FirstStage(diagonal=diagonal, places=10_000))
    places = (found.diagonals + longest) // diagonal
    told = {
        (int(of), int(tempo), int(place)): worth
        for of, tempo, place, worth in zip(found.songs, found.tempi, places, found.worth, strict=True)
    }
    assert told == pytest.approx(wanted)
    assert list(found.worth) == sorted(found.worth, reverse=True)


def test_no_neighbours_are_no_votes():
    none = np.full((2, 3), -1)
    found = counted(none.astype(np.float32), none, np.array([0, 1]), np.array([0, 0]), np.array([0, 5]), FirstStage())
    assert len(found.songs) == 0


def test_places_are_looked_at_in_order_within_their_song():
    rng = np.random.default_rng(3)
    vectors = unit(rng, 90)
    codec = Codec.fitted(vectors)
    firsts = np.array([0, 40, 90])
    found_in = CodesOf(codec.encode(vectors), firsts, np.zeros(2), None)
    steps = np.array([0, 2, 5, 9])
    windows = [
        HumWindows(1.0, codec.project(unit(rng, 4)), steps),
        HumWindows(1.2, codec.project(vectors[50 + steps]), steps),
    ]
    from ml_worker.retrieval.index.first_stage import Votes

    places = Votes(np.array([1, 0, 1]), np.array([1, 0, 0]), np.array([48, 34, 84]), np.ones(3))
    scores = in_order(places, found_in, codec, windows, 4)
    decoded = codec.decode(found_in.codes)
    for at, (of, tempo, diagonal) in enumerate(zip(places.songs, places.tempi, places.diagonals, strict=True)):
        sums = []
        for start in range(int(diagonal) - 1, int(diagonal) + 5):
            inside = [
                (start + step, row) for row, step in enumerate(steps) if firsts[of] <= start + step < firsts[of + 1]
            ]
            sums.append(sum(float(decoded[at_] @ windows[tempo].vectors[row]) for at_, row in inside) / 4)
        assert scores[at] == pytest.approx(max(sums), abs=1e-4)
    assert scores[0] == pytest.approx(1, abs=0.02)


@given(st.lists(st.floats(0, 1), min_size=100, max_size=300))
def test_one_foreign_hum_of_a_hundred_crosses_the_line_at_most(foreign):
    told = OpenSet.measured(foreign, songs=5)
    assert sum(told.is_here(one) for one in foreign) <= len(foreign) / 100
    assert OpenSet.from_dict(told.as_dict()) == told


def test_a_line_needs_a_hundred_hums():
    with pytest.raises(ValueError, match="needs 100 hums"):
        OpenSet.measured([0.5] * 99, songs=5)


def test_a_mirror_keeps_lengths_and_is_its_own_inverse():
    vectors = unit(np.random.default_rng(1), 200)
    axes = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1].astype(np.float32)
    turned = vectors @ turn(axes, 4)
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-4)
    assert np.allclose(turned @ turn(axes, 4), vectors, atol=1e-4)
    assert np.array_equal(vectors @ turn(axes, 0), vectors)
    assert np.abs((turned * vectors).sum(axis=1)).mean() < 0.9
