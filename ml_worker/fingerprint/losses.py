"""What training minimises: a loss for aligned windows, and one for whole versions of which nothing is aligned.

The first is the paper's: NT-Xent at 0.05 over the pairs that a multi-similarity miner chooses. Some pairs of a batch
are neither positive nor negative: two windows of one song that are not aligned may hold the same phrase twice, so they
are left out of mining and loss alike. The numbers are those of pytorch-metric-learning, which lists every triple of
windows and takes twenty seconds for a batch of this project; here they are sums over one matrix.

The second is in the manner of CLEWS: Serrà, Araz, Bogdanov and Mitsufuji, "Supervised contrastive learning from
weakly-labeled audio segments for musical version matching" (2025).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class AlignedLoss(nn.Module):
    """NT-Xent with mining, for windows of which some pairs do not count.

    A positive pair is mined where some negative of its anchor is nearly as near (Wang et al., "Multi-similarity loss
    with general pair weighting", CVPR 2019), a negative where it is nearly as near as the anchor's farthest positive.
    Each mined positive is then told apart from all mined negatives of its anchor (Sohn 2016; Chen et al. 2020).

    Args:
        tau: temperature of NT-Xent.
        epsilon: margin of the multi-similarity miner, as a cosine.
    """

    def __init__(self, tau: float = 0.05, epsilon: float = 0.1) -> None:
        super().__init__()
        self.tau = tau
        self.epsilon = epsilon

    def forward(self, vectors: Tensor, labels: Tensor, left_out: Tensor) -> Tensor:
        """The mean loss over mined positive pairs; 0 where none is mined.

        Args:
            vectors: (B, D) L2-normalised fingerprints.
            labels: (B,) equal for aligned windows, which attract each other.
            left_out: bool (B, B), symmetric: pairs that neither attract nor repel.
        """
        cosines = vectors @ vectors.T
        same = labels[:, None] == labels[None, :]
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positives, negatives = self.mined(cosines.detach(), same & ~itself & ~left_out, ~same & ~left_out)
        scaled = cosines / self.tau
        against = torch.logsumexp(scaled.masked_fill(~negatives, -torch.inf), dim=1)  # (B,), -inf without a negative
        each = torch.logaddexp(scaled, against[:, None]) - scaled
        return each[positives].mean() if positives.any() else (vectors * 0).sum()

    def mined(self, cosines: Tensor, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs that the multi-similarity miner keeps of those there are; all bool (B, B) but the cosines."""
        nearest_negative = cosines.masked_fill(~negatives, -torch.inf).amax(dim=1, keepdim=True)
        farthest_positive = cosines.masked_fill(~positives, torch.inf).amin(dim=1, keepdim=True)
        kept_positives = positives & (cosines - self.epsilon < nearest_negative)
        kept_negatives = negatives & (cosines + self.epsilon > farthest_positive)
        return kept_positives, kept_negatives


def left_out_pairs(labels: Tensor, songs: Tensor) -> Tensor:
    """Which pairs do not count: those of one song that are not aligned, bool (B, B)."""
    same_song = songs[:, None] == songs[None, :]
    aligned = labels[:, None] == labels[None, :]
    return torch.logical_and(same_song, ~aligned)


class SegmentSetLoss(nn.Module):
    """Draws versions of a song together by their best matching segments, and pushes other songs' nearest segments away.

    The loss is the mean distance of positive pairs plus the logarithm of the mean of exp(-gamma distance) over
    negative pairs. A pair of versions of one song is as far apart as the mean over its best pairs of segments, taken
    greedily so that no segment serves twice; a pair of versions of two songs is as far apart as its two nearest
    segments. Segments of one song never repel each other, however often a section comes back.

    Args:
        gamma: how much more near negatives count than far ones.
        best_pairs: segments a pair of versions is judged by; fewer where a version has fewer.
    """

    def __init__(self, gamma: float = 5.0, best_pairs: int = 5) -> None:
        super().__init__()
        if best_pairs < 1:
            raise ValueError("At least one pair of segments has to count; give best_pairs of 1 or more.")
        self.gamma = gamma
        self.best_pairs = best_pairs

    def forward(self, vectors: Tensor, mask: Tensor, songs: Tensor) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            vectors: (N, S, D) L2-normalised fingerprints of the S segments of each of N versions.
            mask: bool (N, S), which segments there are; a version without any belongs to no pair.
            songs: (N,) which song each version is of.

        Raises:
            ValueError: no two versions are of one song, or all are of the same song.
        """
        first, second = torch.triu_indices(len(songs), len(songs), offset=1, device=songs.device)
        has_segments = mask.any(dim=1)
        counts = has_segments[first] & has_segments[second]
        same_song = songs[first] == songs[second]
        is_positive, is_negative = counts & same_song, counts & ~same_song
        if not is_positive.any() or not is_negative.any():
            raise ValueError("A batch needs two versions of one song and a version of another, each with segments.")
        distances, exists = segment_distances(vectors, mask)
        positive = best_pairs_distance(
            distances[first[is_positive], second[is_positive]],
            exists[first[is_positive], second[is_positive]],
            self.best_pairs,
        )
        negative = nearest_distance(
            distances[first[is_negative], second[is_negative]], exists[first[is_negative], second[is_negative]]
        )
        repulsion = torch.logsumexp(-self.gamma * negative, dim=0) - math.log(len(negative))
        return positive.mean() + repulsion


def segment_distances(vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Distances between all segments of all versions, and which of them exist.

    The distance is 1 - cosine, which of L2-normalised vectors is half the squared Euclidean distance.

    Args:
        vectors: (N, S, D), L2-normalised.
        mask: bool (N, S).

    Returns:
        Float and bool, both (N, N, S, S): [i, j, a, b] is segment a of version i against segment b of version j.
    """
    distances = 1 - torch.einsum("iad,jbd->ijab", vectors, vectors)
    return distances, mask[:, None, :, None] & mask[None, :, None, :]


def best_pairs_distance(distances: Tensor, exists: Tensor, most: int) -> Tensor:
    """The mean distance (P,) over the best pairs of segments, the nearest first, each segment in one pair at most.

    Args:
        distances: (P, S, S) between the segments of P pairs of versions.
        exists: bool (P, S, S); at least one of each pair of versions.
        most: pairs of segments that count.
    """
    segments = distances.shape[-1]
    free = exists.clone()
    total = distances.new_zeros(len(distances))
    taken = distances.new_zeros(len(distances))
    for _ in range(min(most, segments)):
        left = torch.where(free, distances.detach(), torch.inf).flatten(1)  # (P, S * S)
        nearest = left.argmin(dim=1, keepdim=True)
        is_found = free.flatten(1).gather(1, nearest)[:, 0]
        total = total + torch.where(is_found, distances.flatten(1).gather(1, nearest)[:, 0], 0)
        taken = taken + is_found
        at = torch.arange(segments, device=distances.device)
        in_row = at == nearest // segments  # (P, S)
        in_column = at == nearest % segments
        free &= ~(in_row[:, :, None] | in_column[:, None, :])
    return total / taken


def nearest_distance(distances: Tensor, exists: Tensor) -> Tensor:
    """The least distance (P,) between segments that exist. Both arguments (P, S, S)."""
    return torch.where(exists, distances, torch.inf).flatten(1).amin(dim=1)
