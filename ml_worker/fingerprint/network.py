"""The encoder: a picture of melody into 128 numbers of length one. ResNet18's body (He et al. 2016) for one channel.

What differs from ResNet18 is one input channel, a width that can be chosen, and a last layer that gives a fingerprint.
The paper names the network but not its changes, so these are choices of this project.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut, as in ResNet18."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels:
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
    """

    def __init__(self, width: int = 64, dimensions: int = 128) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        stages = [width, 2 * width, 4 * width, 8 * width]
        blocks: list[nn.Module] = []
        before = width
        for number, channels in enumerate(stages):
            blocks += [BasicBlock(before, channels, 1 if number == 0 else 2), BasicBlock(channels, channels, 1)]
            before = channels
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(before, dimensions)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # (B, 1, 80, T) -> (B, C, 20, T / 4)
        x = self.body(x)  # (B, 8 C, 3, T / 32)
        x = x.mean(dim=(2, 3))  # (B, 8 C)
        return functional.normalize(self.head(x), dim=1)  # (B, 128)


def new_encoder(width: int, dimensions: int, seed: int) -> Encoder:
    """An untrained encoder whose weights follow from the seed alone; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(width, dimensions)
