"""Training by several processes, as `torchrun` starts them, is the training of one."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from ml_worker.fingerprint import training
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.data import Batches, PairSource
from ml_worker.fingerprint.distributed import Processes, joined, share_norms
from ml_worker.fingerprint.network import Encoder, new_encoder
from ml_worker.tests.made_pairs import TINY, made_pairs, untrained
from ml_worker.tests.trained_apart import RUNS, gradients, trained

ROOT = Path(__file__).parents[2]
ALIKE = ["aligned", "segment-set", "windows"]


@pytest.fixture(scope="module")
def by_two(tmp_path_factory) -> Path:
    """A folder with what two processes made of the runs."""
    folder = tmp_path_factory.mktemp("two")
    launch = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "ml_worker.tests.trained_apart",
    ]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launch, str(folder), *ALIKE, "patient"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def returned(folder: Path, name: str, rank: int) -> Checkpoint:
    return Checkpoint.load(folder / f"{name}.{rank}.safetensors")


def encoder_with_shared_norms(**arguments: Any) -> Encoder:
    """As new_encoder. torch's own normalisation rounds so coarsely on a CPU that gradients of an untrained network are
    off by a hundredth; what the processes exchange is compared with one process that rounds as they do."""
    network = new_encoder(**arguments)
    share_norms(network)
    return network


@pytest.mark.parametrize("name", ALIKE)
def test_two_processes_have_the_gradients_of_one(by_two, name, monkeypatch):
    monkeypatch.setattr(training, "new_encoder", encoder_with_shared_norms)
    alone = gradients(name)
    for rank in (0, 1):
        together = safetensors.torch.load_file(by_two / f"{name}.{rank}.gradients")
        assert together.keys() == alone.keys()
        for part, gradient in alone.items():
            largest = float(gradient.abs().max())
            assert largest > 0
            np.testing.assert_allclose(together[part], gradient, atol=1e-4 * largest, err_msg=part)


@pytest.mark.parametrize("name", ALIKE)
def test_two_processes_make_the_steps_of_one(by_two, name, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(training, "new_encoder", encoder_with_shared_norms)
        alone, _ = trained(name)
    together = returned(by_two, name, 0)
    np.testing.assert_allclose(together.figures["losses"], alone.figures["losses"], atol=1e-3)
    begun = untrained(RUNS[name]).state
    for part in (part for part, weights in begun.items() if weights.is_floating_point()):
        # On the whole: where a gradient is nothing but rounding, Adam's steps are as long as elsewhere.
        moved = (alone.state[part] - begun[part]).norm()
        assert (together.state[part] - alone.state[part]).norm() < 0.1 * moved, part
    plain, _ = trained(name)
    assert together.figures["losses"] == pytest.approx(plain.figures["losses"], abs=0.05)


def test_shared_norms_are_batch_normalisation():
    generator = torch.Generator().manual_seed(0)
    images, pull = (torch.randn(4, 3, 5, 6, generator=generator) * 3 + 1 for _ in range(2))
    plain = nn.Sequential(nn.BatchNorm2d(3))
    nn.init.normal_(plain[0].weight, generator=generator)
    shared = copy.deepcopy(plain)
    share_norms(shared)
    found = []
    for network in (plain, shared):
        own = images.clone().requires_grad_(True)
        out = network.train()(own)
        (out * pull).sum().backward()
        found.append([out, own.grad, network[0].weight.grad, network[0].bias.grad, *network.state_dict().values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ALIKE)
def test_both_processes_have_the_same_checkpoint(by_two, name):
    first, second = (returned(by_two, name, rank) for rank in (0, 1))
    assert first.name == second.name
    assert first.figures["losses"] == second.figures["losses"]
    assert first.figures["validation"] == second.figures["validation"]
    assert [look["step"] for look in first.figures["validation"]] == [2, 4]


@pytest.mark.parametrize("name", ALIKE)
def test_only_the_first_process_saves_and_tells(by_two, name):
    assert [path.stem for path in (by_two / name).iterdir()] == [returned(by_two, name, 0).name]
    told = [json.loads((by_two / f"{name}.{rank}.json").read_text()) for rank in (0, 1)]
    assert told == [[1, 2, 3, 4], []]


def test_both_processes_stop_early_together(by_two):
    steps = [returned(by_two, "patient", rank).figures["steps"] for rank in (0, 1)]
    assert steps[0] == steps[1] < RUNS["patient"].steps


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_parts_of_a_batch_are_the_whole_batch(count):
    batch = Batches([PairSource(made_pairs(range(2)), TINY)], TINY).batch(0)
    parts = [Processes(rank, count).part_of(batch) for rank in range(count)]
    for name, values in vars(batch).items():
        np.testing.assert_array_equal(np.concatenate([vars(part)[name] for part in parts]), values)
    sizes = [len(part.songs) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_alone_there_is_nothing_to_exchange(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    processes = joined()
    assert processes == Processes(0, 1)
    assert not torch.distributed.is_initialized()
    assert processes.told_by_first("word") == "word"


def test_shared_norms_keep_the_weights_and_change_nothing_in_use():
    plain, shared = (new_encoder(2, 4, seed=0) for _ in range(2))
    images = torch.rand(3, 1, 80, 40, generator=torch.Generator().manual_seed(0))
    plain.train()(images)  # moves the running figures
    shared.load_state_dict(plain.state_dict())
    share_norms(shared)
    assert not any(type(part) is nn.BatchNorm2d for part in shared.modules())
    assert list(shared.state_dict()) == list(plain.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(shared.eval()(images), plain.eval()(images))
