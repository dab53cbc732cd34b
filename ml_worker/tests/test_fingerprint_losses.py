"""The loss that training uses, against the same loss written with plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ml_worker.fingerprint.losses import AlignedLoss, left_out_pairs

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
    return torch.nn.functional.normalize(middle + spread * torch.randn(count, 8, generator=generator), dim=1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spread", [0.3, 1.0, 10.0])
def test_it_is_nt_xent_over_mined_pairs(seed, spread):
    labels = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    songs = [0, 0, 1, 2, 1, 0, 0, 1, 2, 1, 0]
    vectors = unit_vectors(len(labels), seed, spread)
    left_out = left_out_pairs(torch.tensor(labels), torch.tensor(songs))
    loss = AlignedLoss(TAU, EPSILON)(vectors, torch.tensor(labels), left_out)
    assert float(loss) == pytest.approx(by_loops(vectors, labels, songs), rel=1e-4, abs=1e-4)


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
