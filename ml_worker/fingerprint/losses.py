"""The paper's loss: NT-Xent at 0.05 over the pairs that a multi-similarity miner chooses, by pytorch-metric-learning.

What the library does not know is added here: some pairs of a batch are neither positive nor negative. Two windows of
one song that are not aligned may hold the same phrase twice, so they are left out of mining and loss alike.
"""

from __future__ import annotations

import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import NTXentLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from torch import Tensor, nn

# Less than any cosine, by more than the miner's margin: such a pair is never the hardest of anything.
BELOW_ANY_COSINE = -4.0


class _CosineBesides(CosineSimilarity):
    """Cosine similarity in which pairs to leave out look like the easiest negatives there can be."""

    def __init__(self, left_out: Tensor) -> None:
        super().__init__()
        self.left_out = left_out

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor | None) -> Tensor:
        return super().compute_mat(query_emb, ref_emb).masked_fill(self.left_out, BELOW_ANY_COSINE)


class AlignedLoss(nn.Module):
    """NT-Xent with mining, for windows of which some pairs do not count.

    Args:
        tau: temperature of NT-Xent.
        epsilon: margin of the multi-similarity miner, as a cosine.
    """

    def __init__(self, tau: float = 0.05, epsilon: float = 0.1) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.loss = NTXentLoss(temperature=tau)

    def forward(self, vectors: Tensor, labels: Tensor, left_out: Tensor) -> Tensor:
        """The mean loss over mined positive pairs.

        Args:
            vectors: (B, D) fingerprints.
            labels: (B,) equal for aligned windows, which attract each other.
            left_out: bool (B, B), symmetric: pairs that neither attract nor repel.
        """
        miner = MultiSimilarityMiner(epsilon=self.epsilon, distance=_CosineBesides(left_out))
        mined = miner(vectors, labels)
        return self.loss(vectors, labels, mined)


def left_out_pairs(labels: Tensor, songs: Tensor) -> Tensor:
    """Which pairs do not count: those of one song that are not aligned, bool (B, B)."""
    same_song = songs[:, None] == songs[None, :]
    aligned = labels[:, None] == labels[None, :]
    return torch.logical_and(same_song, ~aligned)
