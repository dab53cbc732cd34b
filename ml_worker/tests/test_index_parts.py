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
from ml_worker.retrieval.index.lines import HOP_S, StoredLine
from ml_worker.retrieval.index.places import in_order
from ml_worker.retrieval.index.second_stage import together
from ml_worker.retrieval.index.segment import CodesOf
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.simulated import turn
from ml_worker.retrieval.index.votes import Ballot, Votes, ballot, counted
from ml_worker.retrieval.network_matcher import HumWindows
from ml_worker.retrieval.sequences import AllPlaces, overhung

DIMENSIONS = 16


def unit(rng: np.random.Generator, count: int, dimensions: int = DIMENSIONS) -> np.ndarray:
    vectors = rng.normal(size=(count, dimensions)) * np.geomspace(1, 0.05, dimensions)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("strong", "weak", "fine"), [(12, 0, 0), (12, 4, 2), (99, 4, 99)])
def test_codes_keep_the_products_of_fingerprints_and_silence(strong, weak, fine):
    vectors = unit(np.random.default_rng(0), 500)
    vectors[::7] = 0
    codec = Codec.fitted(vectors, strong=strong, weak=weak, fine=fine)
    decoded = codec.decode(codec.encode(vectors))
    assert not decoded[::7].any()
    assert codec.encode(vectors).shape[1] == codec.width
    products = codec.project(vectors[:50]) @ decoded.T
    assert np.abs(products - vectors[:50] @ vectors.T).max() < 0.05
    again = Codec.from_bytes(codec.to_bytes())
    assert np.array_equal(again.encode(vectors), codec.encode(vectors))


def test_the_finer_the_strongest_axes_the_less_products_err():
    vectors = unit(np.random.default_rng(2), 500)

    def errs(fine: int) -> float:
        codec = Codec.fitted(vectors, strong=DIMENSIONS, weak=0, fine=fine)
        return float(np.abs(codec.project(vectors) @ codec.decode(codec.encode(vectors)).T - vectors @ vectors.T).max())

    assert errs(0) > errs(2) > errs(DIMENSIONS)
    assert errs(DIMENSIONS) < 1e-4


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


HOPS_S = (0.25, 0.64)


@st.composite
def ballots(draw):
    """Songs by two checkpoints, and neighbours of a few windows of a hum at two tempi."""
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    firsts, found = [], []
    for hop_s in HOPS_S:
        of_one = [max(1, round(length * HOPS_S[0] / hop_s)) for length in lengths]
        firsts.append(np.concatenate([[0], np.cumsum(of_one)]))
        rows, nearest = draw(st.integers(1, 5)), draw(st.integers(1, 6))
        numbers = draw(arrays(np.int64, (rows, nearest), elements=st.integers(0, int(firsts[-1][-1]) - 1)))
        similarities = draw(arrays(np.float32, (rows, nearest), elements=st.integers(1, 8).map(lambda n: n / 8)))
        similarities = np.sort(similarities, axis=1)[:, ::-1]
        missing = np.arange(nearest) >= draw(st.integers(0, nearest))
        numbers, similarities = np.where(missing, -1, numbers), np.where(missing, -np.inf, similarities)
        steps = draw(arrays(np.int64, rows, elements=st.integers(0, 9)))
        tempi = np.sort(draw(arrays(np.int64, rows, elements=st.integers(0, 1))))
        found.append(Ballot(similarities, numbers, steps, tempi, draw(arrays(float, rows, elements=st.just(0.25)))))
    return found, firsts


@settings(max_examples=100)
@given(ballots(), st.integers(1, 5))
def test_votes_are_those_counted_one_by_one(made, diagonal):
    cast, firsts = made
    votes: dict[tuple[int, int, int], float] = defaultdict(float)
    lengths = np.diff(firsts[0])
    begins = [int(firsts[0][of]) + 2 * diagonal * of for of in range(len(lengths))]
    for one, of_firsts, hop_s in zip(cast, firsts, HOPS_S, strict=True):
        for row in range(len(one.numbers)):
            heard = [(s, n) for s, n in zip(one.similarities[row], one.numbers[row], strict=True) if n >= 0]
            for similarity, number in heard:
                of = max(at for at in range(len(lengths)) if of_firsts[at] <= number)
                place = round((int(number) - int(of_firsts[of]) - int(one.steps[row])) * hop_s / HOPS_S[0])
                if 0 <= place < lengths[of]:
                    spot = (begins[of] + place) // diagonal
                    votes[of, int(one.tempi[row]), spot] += (similarity - min(heard)[0]) * one.shares[row]
    wanted = {
        (of, tempo, spot * diagonal - begins[of]): worth
        + max(votes.get((of, tempo, spot - 1), 0.0), votes.get((of, tempo, spot + 1), 0.0))
        for (of, tempo, spot), worth in votes.items()
    }
    found = counted(cast, firsts, HOPS_S, FirstStage(diagonal=diagonal, places=10_000))
    told = {
        (int(of), int(tempo), int(place)): worth
        for of, tempo, place, worth in zip(found.songs, found.tempi, found.places, found.worth, strict=True)
    }
    assert told == pytest.approx(wanted)
    assert list(found.worth) == sorted(found.worth, reverse=True)
    few = counted(cast, firsts, HOPS_S, FirstStage(diagonal=diagonal, places=3))
    assert list(few.worth) == pytest.approx(list(found.worth[:3]))


def test_windows_that_vote_are_evenly_chosen_and_heard():
    rng = np.random.default_rng(4)
    vectors = unit(rng, 9)
    vectors[[0, 4]] = 0
    asked = []

    class Near:
        def search(self, vectors, count):
            asked.append(vectors)
            return np.zeros((len(vectors), count), np.float32), np.zeros((len(vectors), count), np.int64)

    one = HumWindows(1.0, vectors, np.arange(9) * 2)
    silent = HumWindows(1.1, np.zeros((3, DIMENSIONS), np.float32), np.arange(3))
    cast = ballot(Near(), [one, silent], 0.5, FirstStage(voters=3, neighbours=2, axes=8))
    assert list(cast.steps) == [2, 10, 16]
    assert np.array_equal(asked[0], vectors[[1, 5, 8], :8])
    assert list(cast.tempi) == [0, 0, 0]
    assert cast.shares.sum() == pytest.approx(0.5)


def test_places_are_looked_at_in_order_within_their_song():
    rng = np.random.default_rng(3)
    lengths = ((40, 50), (16, 20))
    made = [unit(rng, sum(of_one)) for of_one in lengths]
    codecs = [Codec.fitted(vectors) for vectors in made]
    firsts = [np.array([0, of_one[0], sum(of_one)]) for of_one in lengths]
    found_in = [
        CodesOf(codec.encode(vectors), of_one, np.zeros(2))
        for codec, vectors, of_one in zip(codecs, made, firsts, strict=True)
    ]
    steps = [np.array([0, 2, 5, 9]), np.array([0, 2])]
    hum = [
        [
            HumWindows(1.0, codec.project(unit(rng, len(of_one))), of_one),
            HumWindows(1.2, codec.project(vectors[first + of_one]), of_one),
        ]
        for codec, vectors, of_one, first in zip(codecs, made, steps, (50, 20), strict=True)
    ]
    places = Votes(np.array([1, 0, 1]), np.array([1, 0, 0]), np.array([8, 34, 45]), np.ones(3))
    scores = in_order(places, found_in, codecs, hum, HOPS_S, 4)
    decoded = [codec.decode(one.codes) for codec, one in zip(codecs, found_in, strict=True)]
    for at, (of, tempo, place) in enumerate(zip(places.songs, places.tempi, places.places, strict=True)):
        best = []
        for start in range(max(int(place) - 1, 0), min(int(place) + 5, lengths[0][of])):
            means = []
            for number, hop_s in enumerate(HOPS_S):
                first, end = firsts[number][of], firsts[number][of + 1]
                begin = first + round(start * HOPS_S[0] / hop_s)
                inside = [(begin + step, row) for row, step in enumerate(steps[number]) if begin + step < end]
                products = [float(decoded[number][n] @ hum[number][tempo].vectors[row]) for n, row in inside]
                share = len(inside) / len(steps[number])
                chance = float(np.mean(decoded[number] @ hum[number][tempo].vectors.T))
                mean = sum(products) / max(len(inside), 1)
                means.append(mean if share == 1 else float(overhung(np.array(mean), np.array(share), chance)))
            best.append(sum(means) / 2)
        assert scores[at] == pytest.approx(max(best), abs=1e-4)
    assert scores[0] == pytest.approx(1, abs=0.02)


def test_two_checkpoints_count_together_at_the_same_place():
    rng = np.random.default_rng(5)
    first = AllPlaces(
        rng.random((2, 12), np.float32), np.array([0.1, 0.2], np.float32), np.array([0, 7]), np.array([5, 3])
    )
    other = AllPlaces(
        rng.random((2, 9), np.float32), np.array([0.3, 0.4], np.float32), np.array([0, 4]), np.array([2, 0])
    )
    both = together([first, other], HOPS_S)
    for query in range(2):
        for target in range(2):
            for place in range(int(first.lengths[target])):
                its = round(place * HOPS_S[0] / HOPS_S[1])
                there = its < other.lengths[target]
                of_other = other.scores[query, other.starts[target] + its] if there else other.chances[query]
                wanted = (first.scores[query, first.starts[target] + place] + of_other) / 2
                assert both.scores[query, first.starts[target] + place] == pytest.approx(wanted)


def test_a_mirror_keeps_lengths_and_is_its_own_inverse():
    vectors = unit(np.random.default_rng(1), 200)
    axes = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1].astype(np.float32)
    turned = vectors @ turn(axes, 4)
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-4)
    assert np.allclose(turned @ turn(axes, 4), vectors, atol=1e-4)
    assert np.array_equal(vectors @ turn(axes, 0), vectors)
    assert np.abs((turned * vectors).sum(axis=1)).mean() < 0.9
