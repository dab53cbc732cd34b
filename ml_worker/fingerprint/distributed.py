"""Training by several processes, as `torchrun` starts them: each encodes its part of every batch.

The loss needs all fingerprints of a batch, and batch normalisation the mean and variance of all its pictures; both are
exchanged, so several processes make the same steps as one does, apart from rounding. Every process has the whole loss
and takes its gradient by its own fingerprints alone; the sum over the processes is then the gradient of all.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn

from ml_worker.fingerprint.data import Batch

# The others wait so long while the first process looks at the validation pairs.
LONGEST_WAIT = timedelta(hours=2)


@dataclass(frozen=True)
class Processes:
    """The processes that train together, as one of them sees them. Alone, everything is as it would be without them.

    Attributes:
        rank: number of this process; 0 is the one that looks, saves and tells.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def part(self, pictures: int) -> slice:
        """Which of so many pictures are this process's; the parts differ by one picture at most."""
        return slice(self.rank * pictures // self.count, (self.rank + 1) * pictures // self.count)

    def part_of(self, batch: Batch) -> Batch:
        """This process's part of a batch."""
        if self.count == 1:
            return batch
        part = self.part(len(batch.songs))
        return replace(batch, **{name: values[part] for name, values in vars(batch).items()})

    def gathered(self, own: Tensor, pictures: int) -> Tensor:
        """The fingerprints (pictures, S, D) of all processes, of which only one's own lead back to the weights."""
        if self.count == 1:
            return own
        part = self.part(pictures)
        everyone = own.new_zeros(pictures, *own.shape[1:])
        everyone[part] = own.detach()
        distributed.all_reduce(everyone)  # each row is of one process and zero in the others
        return torch.cat([everyone[: part.start], own, everyone[part.stop :]])

    def add_gradients(self, network: nn.Module) -> None:
        """Adds up the gradients of all processes, in place."""
        if self.count == 1:
            return
        gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, total in zip(gradients, flat.split([one.numel() for one in gradients]), strict=True):
            gradient.copy_(total.view(gradient.shape))

    def told_by_first(self, value: Any) -> Any:
        """What the first process has, in all of them."""
        if self.count == 1:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]


def joined() -> Processes:
    """Joins the other processes where `torchrun` started several, over NCCL on GPUs and Gloo on CPUs.

    They stay together until they end, for any number of training runs: who leaves cannot be relied on to join again.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    if not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(local_rank())
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=LONGEST_WAIT)
        atexit.register(distributed.destroy_process_group)
    return Processes(distributed.get_rank(), distributed.get_world_size())


def local_rank() -> int:
    """The number of this process on its machine, and of the GPU that is its own; 0 where it is alone."""
    return int(os.environ.get("LOCAL_RANK", "0"))


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _summed(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(own: Tensor) -> Tensor:
    total = own.clone()
    if distributed.is_initialized():
        distributed.all_reduce(total)
    return total


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the mean and variance of what all processes have. Unlike torch's own, on CPUs too."""

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> the same shape
        if not self.training:
            return super().forward(x)
        values = x.float()
        own_count = values.new_tensor([values.numel() / self.num_features])
        total = _Sum.apply(torch.cat([values.sum(dim=(0, 2, 3)), own_count]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = values - mean[:, None, None]
        variance = _Sum.apply((centred * centred).sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def share_norms(network: nn.Module) -> None:
    """Makes all batch normalisations of a network shared ones, in place; its weights keep their names and values."""
    for name, part in network.named_children():
        if isinstance(part, nn.BatchNorm2d):
            shared = SharedBatchNorm2d(part.num_features, part.eps, part.momentum)
            shared.load_state_dict(part.state_dict())
            setattr(network, name, shared)
        else:
            share_norms(part)
