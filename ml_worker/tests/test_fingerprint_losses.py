"""The losses that training uses, against the same losses written with plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from torch import Tensor
from torch.nn.functional import normalize

from ml_worker.fingerprint.losses import AlignedLoss, SegmentSetLoss, left_out_pairs

TAU, EPSILON = 0.05, 0.1


def by_loops(vectors: Tensor, labels: list[int], songs: list[int]) -> float:
    """NT-Xent over the pairs of a multi-similarity miner (Wang et al. 2019), one pair at a time."""
    cosine = [[float(torch.dot(a, b)) for b in vectors] for a in vectors]
    everybody = range(len(labels))
    losses = []
    for anchor in everybody:
        positives = [i for i in everybody if i != anchor and labels[i] == labels[anchor]]
        negatives = [i for i in everybody if labels[i] != labels[anchor] and songs[i] != songs[anchor]]
        if not positives or not negatives:
            continue
        farthest = min(cosine[anchor][i] for i in positives)
        nearest = max(cosine[anchor][i] for i in negatives)
        hard_negatives = [i for i in negatives if cosine[anchor][i] + EPSILON > farthest]
        denominator = sum(math.exp(cosine[anchor][i] / TAU) for i in hard_negatives)
        for positive in positives:
            if cosine[anchor][positive] - EPSILON < nearest and hard_negatives:
                own = math.exp(cosine[anchor][positive] / TAU)
                losses.append(-math.log(own / (own + denominator)))
    return sum(losses) / len(losses) if losses else 0.0


def unit_vectors(count: int, seed: int, spread: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    middle = torch.randn(1, 8, generator=generator)
    return normalize(middle + spread * torch.randn(count, 8, generator=generator), dim=1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.3, 1.0, 10.0])
def test_it_is_nt_xent_over_mined_pairs(seed, spread):
    labels = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    songs = [0, 0, 1, 2, 1, 0, 0, 1, 2, 1, 0]
    vectors = unit_vectors(len(labels), seed, spread)
    left_out = left_out_pairs(torch.tensor(labels), torch.tensor(songs))
    loss = AlignedLoss(TAU, EPSILON)(vectors, torch.tensor(labels), left_out)
    assert float(loss) == pytest.approx(by_loops(vectors, labels, songs), rel=1e-4, abs=1e-4)


def by_the_library(vectors: Tensor, labels: Tensor, left_out: Tensor) -> Tensor:
    """The same by pytorch-metric-learning, which mines each anchor among the windows that count for it."""
    miner = MultiSimilarityMiner(epsilon=EPSILON)
    anchors, positives, first, second = [], [], [], []
    for anchor in range(len(labels)):
        counts = torch.nonzero(~left_out[anchor])[:, 0]
        a1, p, a2, n = miner(vectors[counts], labels[counts])
        own = int(torch.nonzero(counts == anchor)[0, 0])
        anchors.append(torch.full_like(p[a1 == own], anchor))
        positives.append(counts[p[a1 == own]])
        first.append(torch.full_like(n[a2 == own], anchor))
        second.append(counts[n[a2 == own]])
    mined = tuple(torch.cat(side) for side in (anchors, positives, first, second))
    return NTXentLoss(temperature=TAU)(vectors, labels, mined)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("has_left_out", [False, True])
def test_loss_and_gradient_are_those_of_pytorch_metric_learning(seed, spread, has_left_out):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 9, (24,), generator=generator)
    songs = labels // 3 if has_left_out else labels
    left_out = left_out_pairs(labels, songs)
    assert left_out.any() == has_left_out
    vectors = unit_vectors(24, seed + 100, spread)
    losses, gradients = [], []
    for loss_of in (AlignedLoss(TAU, EPSILON), by_the_library):
        free = vectors.clone().requires_grad_(True)
        loss = loss_of(normalize(free, dim=1), labels, left_out)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(free.grad)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4, abs=1e-5)
    assert losses[0] > 0
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_a_positive_without_a_near_negative_costs_nothing_and_has_a_gradient():
    vectors = torch.eye(4)[[0, 0, 1, 1]].requires_grad_(True)
    labels = torch.tensor([0, 0, 1, 1])
    loss = AlignedLoss(TAU, EPSILON)(vectors, labels, torch.zeros(4, 4, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not vectors.grad.any()


def test_only_windows_of_one_song_that_are_not_aligned_are_left_out():
    left_out = left_out_pairs(torch.tensor([0, 1, 2, 0]), torch.tensor([7, 7, 8, 7]))
    assert left_out.tolist() == [
        [False, True, False, False],
        [True, False, False, True],
        [False, False, False, False],
        [False, True, False, False],
    ]


def test_a_repeated_phrase_of_the_same_song_is_not_pushed_away():
    phrase, other = torch.eye(8)[0], torch.eye(8)[1]
    vectors = torch.stack([phrase, phrase, phrase, phrase, other, other])
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    loss = AlignedLoss(TAU, epsilon=2.0)
    as_one_song = left_out_pairs(labels, torch.tensor([0, 0, 0, 0, 1, 1]))
    as_two_songs = left_out_pairs(labels, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert float(loss(vectors, labels, as_one_song)) < 1e-6
    assert float(loss(vectors, labels, as_two_songs)) > 0.5


def test_a_batch_of_one_song_has_no_loss():
    labels, songs = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 0])
    loss = AlignedLoss(TAU, EPSILON)(unit_vectors(4, seed=0), labels, left_out_pairs(labels, songs))
    assert float(loss) == 0


def test_with_nothing_to_mine_away_it_is_nt_xent_written_out():
    """With a margin that lets every pair through: -log softmax of each positive among itself and all negatives."""
    vectors, labels = unit_vectors(6, seed=3), torch.tensor([0, 0, 1, 1, 2, 2])
    scaled = vectors @ vectors.T / TAU
    total = 0.0
    for anchor, positive in [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)]:
        others = [i for i in range(6) if labels[i] != labels[anchor]]
        total -= torch.log_softmax(scaled[anchor, [positive, *others]], dim=0)[0]
    loss = AlignedLoss(TAU, epsilon=2.0)(vectors, labels, torch.zeros(6, 6, dtype=torch.bool))
    assert float(loss) == pytest.approx(float(total) / 6, rel=1e-5)


# --- sets of segments


def sets_by_loops(vectors: Tensor, mask: Tensor, songs: list[int], gamma: float, most: int) -> float:
    """The segment-set loss, one pair of segments at a time."""
    positives, negatives = [], []
    for one in range(len(songs)):
        for other in range(one + 1, len(songs)):
            pairs = [
                (1 - float(torch.dot(vectors[one, a], vectors[other, b])), a, b)
                for a in range(mask.shape[1])
                for b in range(mask.shape[1])
                if mask[one, a] and mask[other, b]
            ]
            if not pairs:
                continue
            if songs[one] != songs[other]:
                negatives.append(min(pairs)[0])
                continue
            best, used_a, used_b = [], set(), set()
            for distance, a, b in sorted(pairs):
                if a not in used_a and b not in used_b and len(best) < most:
                    best.append(distance)
                    used_a.add(a)
                    used_b.add(b)
            positives.append(sum(best) / len(best))
    repulsion = math.log(sum(math.exp(-gamma * distance) for distance in negatives) / len(negatives))
    return sum(positives) / len(positives) + repulsion


def segment_sets(versions: int, segments: int, seed: int) -> tuple[Tensor, Tensor]:
    """Fingerprints (N, S, 8) and a mask in which every version but the third has at least one segment."""
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(versions, segments, 8, generator=generator), dim=-1)
    mask = torch.rand(versions, segments, generator=generator) < 0.7
    mask[:, 0] = True
    mask[2] = False
    return vectors, mask


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most", [1, 3, 20])
def test_it_is_best_pairs_and_nearest_segments(seed, most):
    songs = [0, 0, 0, 1, 1, 2, 0]
    vectors, mask = segment_sets(len(songs), 6, seed)
    loss = SegmentSetLoss(gamma=4.0, best_pairs=most)(vectors, mask, torch.tensor(songs))
    assert float(loss) == pytest.approx(sets_by_loops(vectors, mask, songs, 4.0, most), rel=1e-5, abs=1e-5)


def test_the_order_of_segments_and_of_versions_does_not_matter():
    vectors, mask = segment_sets(6, 5, seed=1)
    songs = torch.tensor([0, 0, 0, 1, 1, 2])
    loss = SegmentSetLoss()(vectors, mask, songs)
    shuffled, shuffled_mask = vectors.clone(), mask.clone()
    generator = torch.Generator().manual_seed(2)
    for version in range(6):
        order = torch.randperm(5, generator=generator)
        shuffled[version], shuffled_mask[version] = vectors[version, order], mask[version, order]
    order = torch.randperm(6, generator=generator)
    assert float(SegmentSetLoss()(shuffled, shuffled_mask, songs)) == pytest.approx(float(loss), rel=1e-5)
    assert float(SegmentSetLoss()(vectors[order], mask[order], songs[order])) == pytest.approx(float(loss), rel=1e-5)


def test_what_is_masked_does_not_matter():
    vectors, mask = segment_sets(5, 4, seed=5)
    songs = torch.tensor([0, 0, 1, 1, 2])
    other = torch.where(mask[..., None], vectors, vectors.flip(0))
    assert torch.equal(SegmentSetLoss()(vectors, mask, songs), SegmentSetLoss()(other, mask, songs))


def test_versions_that_share_two_phrases_at_other_places_are_close():
    """The hum of a song's middle: what it lacks costs nothing where no more pairs are asked for than it has."""
    tones = torch.eye(8)
    song, hum, other = tones[[0, 1, 2, 3]], tones[[3, 2, 7, 7]], tones[[5, 6, 5, 6]]
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True] * 4])
    loss = SegmentSetLoss(gamma=5.0, best_pairs=4)(torch.stack([song, hum, other]), mask, torch.tensor([0, 0, 1]))
    # Positive distance 0; every negative is orthogonal, at distance 1.
    assert float(loss) == pytest.approx(0 - 5.0, abs=1e-5)


def test_no_segment_serves_twice():
    tones = torch.eye(8)
    song, monotone = tones[[0, 1]], tones[[0, 0]]
    vectors, mask = torch.stack([song, monotone, tones[[5, 6]]]), torch.ones(3, 2, dtype=torch.bool)
    loss = SegmentSetLoss(gamma=1.0, best_pairs=2)(vectors, mask, torch.tensor([0, 0, 1]))
    # One pair at distance 0, the other, of what is left, at 1.
    assert float(loss) == pytest.approx(0.5 - 1.0, abs=1e-5)


def test_a_section_that_comes_back_is_not_pushed_away_from_itself():
    tones = torch.eye(8)
    vectors = torch.stack([tones[[0, 0]]] * 4 + [tones[[1, 1]]] * 2)
    mask = torch.ones(6, 2, dtype=torch.bool)
    loss = SegmentSetLoss(gamma=5.0)
    as_one_song = loss(vectors, mask, torch.tensor([0, 0, 0, 0, 1, 1]))
    as_two_songs = loss(vectors, mask, torch.tensor([0, 0, 2, 2, 1, 1]))
    assert float(as_one_song) == pytest.approx(-5.0, abs=1e-5)
    assert float(as_two_songs) > -2


def test_going_downhill_brings_versions_together_and_songs_apart():
    vectors, mask = segment_sets(6, 4, seed=4)
    mask[2, :2] = True
    songs = torch.tensor([0, 0, 1, 1, 2, 2])
    free = vectors.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([free], lr=0.05)
    losses = []
    for _ in range(60):
        loss = SegmentSetLoss(best_pairs=2)(normalize(free, dim=-1), mask, songs)
        optimiser.zero_grad()
        loss.backward()
        assert torch.isfinite(free.grad).all()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 2
    trained = normalize(free.detach(), dim=-1)
    nearest = (trained[0][mask[0]] @ trained[1][mask[1]].T).max()
    assert nearest > 0.9 > (trained[0][mask[0]] @ trained[3][mask[3]].T).max()
    assert not free.grad[~mask].any()


@pytest.mark.parametrize("songs", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_that_teaches_nothing_is_refused(songs):
    vectors, mask = unit_vectors(3, seed=0)[:, None], torch.ones(3, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match="two versions of one song and a version of another"):
        SegmentSetLoss()(vectors, mask, torch.tensor(songs))


def test_versions_without_segments_make_no_pairs():
    vectors, mask = unit_vectors(3, seed=0)[:, None], torch.tensor([[True], [False], [True]])
    with pytest.raises(ValueError, match="each with segments"):
        SegmentSetLoss()(vectors, mask, torch.tensor([0, 0, 1]))


def test_at_least_one_pair_of_segments_counts():
    with pytest.raises(ValueError, match="At least one pair"):
        SegmentSetLoss(best_pairs=0)
