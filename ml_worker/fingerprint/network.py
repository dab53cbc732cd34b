"""The encoder: a picture of melody into fingerprints of length one. ResNet18's body (He et al. 2016).

What differs from ResNet18 is the number of input channels, a width that can be chosen, smaller steps in time, and a
last layer that gives a fingerprint. The body goes over a whole recording once; a fingerprint is the mean of what it
found in a window, so windows may overlap, and be of any length and at any place, for nothing. The paper names the
network but not its changes, so these are choices of this project.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

# Channels last is the faster order in memory. But on two threads torch 2.13 writes beyond its memory in the backward
# pass of narrow networks with odd batches; with whole blocks of this many channels it does not.
FAST_CHANNELS = 16
# Columns that the stem takes together: its convolution and its pooling halve the time each.
STEM_STRIDE = 4
# Reach of the stem to both sides, columns: a convolution over 7 and, at half the rate, a maximum over 3.
STEM_REACH = 3 + 2


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut, as in ResNet18."""

    def __init__(self, channels_in: int, channels: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != (1, 1) or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:  # (B, C_in, H, W) -> (B, C, H / stride, W / stride)
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


class Encoder(nn.Module):
    """Pictures into fingerprints.

    Args:
        width: channels of the first stage (64 in ResNet18).
        dimensions: numbers in a fingerprint.
        channels: of the pictures: the pitch, and where notes begin.
        time_strides: steps in time of the four stages (1, 2, 2, 2 in ResNet18).
    """

    def __init__(
        self,
        width: int = 64,
        dimensions: int = 128,
        channels: int = 1,
        time_strides: Sequence[int] = (1, 2, 2, 2),
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        blocks: list[nn.Module] = []
        before = width
        for number, in_time in enumerate(time_strides):
            stage = width * 2**number
            blocks += [BasicBlock(before, stage, (1 if number == 0 else 2, in_time)), BasicBlock(stage, stage, (1, 1))]
            before = stage
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(before, dimensions)
        # Columns of a picture for each column of features, and how many columns around its own each one sees.
        self.stride = STEM_STRIDE * math.prod(time_strides)
        self.reach = reach_of(time_strides)
        self.layout = torch.channels_last if width % FAST_CHANNELS == 0 else torch.contiguous_format

    def features(self, images: Tensor) -> Tensor:
        """What the body finds along time: (B, channels, 80, T) -> float32 (B, 8 width, T / stride, rounded up).

        Feature k is centred on column k * stride.
        """
        x = self.stem(images.contiguous(memory_format=self.layout))
        return self.body(x).float().mean(dim=2)

    def fingerprints(self, features: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """The fingerprints of windows, each the mean of the features in it.

        Args:
            features: (B, C, K) of `features`.
            starts, ends: (B, S) columns of the picture, fractions allowed.

        Returns:
            (B, S, dimensions), L2-normalised.
        """
        sums = functional.pad(torch.cumsum(features, dim=2), (1, 0))  # (B, C, K + 1)
        length = ((ends - starts) / self.stride).clamp(min=1 / self.stride)
        means = (self._sum_to(sums, ends) - self._sum_to(sums, starts)) / length[:, None, :]
        return functional.normalize(self.head(means.transpose(1, 2)), dim=2)

    def _sum_to(self, sums: Tensor, columns: Tensor) -> Tensor:
        """The running sums up to a column, between two features in proportion: (B, C, K + 1), (B, S) -> (B, C, S)."""
        last = sums.shape[2] - 1
        place = (columns / self.stride + 0.5).clamp(0, last)  # feature k covers stride columns around k * stride
        below = place.floor().clamp(max=last - 1).long()
        share = (place - below)[:, None, :]

        def at(index: Tensor) -> Tensor:
            return sums.gather(2, index[:, None, :].expand(-1, sums.shape[1], -1))

        return at(below) * (1 - share) + at(below + 1) * share

    def forward(self, images: Tensor) -> Tensor:
        """One fingerprint for each picture: (B, channels, 80, T) -> (B, dimensions)."""
        return functional.normalize(self.head(self.features(images).mean(dim=2)), dim=1)


def reach_of(time_strides: Sequence[int]) -> int:
    """How many columns to each side a feature sees beyond its own."""
    reach, step = STEM_REACH, STEM_STRIDE
    for stride in time_strides:
        reach += step  # the first convolution of the stage, at the rate that comes in
        step *= stride
        reach += 3 * step
    return reach


def new_encoder(
    width: int, dimensions: int, seed: int, *, channels: int = 1, time_strides: Sequence[int] = (1, 2, 2, 2)
) -> Encoder:
    """An untrained encoder whose weights follow from the seed alone; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(width, dimensions, channels, time_strides)
