"""The encoder: how far it sees, and windows as means of its features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from ml_worker.fingerprint.network import Encoder, new_encoder, reach_of

STRIDES = [(1, 2, 2, 2), (1, 2, 1, 1), (1, 1, 1, 1)]


def all_seeing(time_strides: tuple[int, ...]) -> Encoder:
    """A network that hides nothing: all weights are above zero, so a brighter column shows wherever it is seen."""
    network = new_encoder(2, 4, seed=0, time_strides=time_strides).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.abs_()
    return network


@pytest.mark.parametrize("time_strides", STRIDES)
def test_a_feature_sees_as_far_as_reach_says_and_no_farther(time_strides):
    network = all_seeing(time_strides)
    assert network.reach == reach_of(time_strides)
    columns = 2 * network.reach + 8 * network.stride
    middle = -(-(network.reach + 3 * network.stride) // network.stride)  # a feature that the edges do not touch
    images = torch.rand(1, 1, 80, columns, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network.features(images)[0, :, middle]
        for off in (-network.reach - 1, -network.reach, 0, network.reach, network.reach + 1):
            brighter = images.clone()
            brighter[..., middle * network.stride + off] += 1e12
            moved = network.features(brighter)[0, :, middle] != before
            assert moved.any() == (abs(off) <= network.reach), off


@pytest.mark.parametrize("time_strides", STRIDES)
@pytest.mark.parametrize("columns", [1, 7, 8, 9, 75, 200])
def test_there_is_a_feature_for_every_stride_begun(time_strides, columns):
    network = new_encoder(2, 4, seed=0, time_strides=time_strides).eval()
    features = network.features(torch.zeros(3, 1, 80, columns))
    assert features.shape == (3, 16, -(-columns // network.stride))
    assert features.dtype == torch.float32


def integral(features: np.ndarray, stride: int, start: float, end: float) -> np.ndarray:
    """The mean (C,) of a window of features (C, K), feature k covering `stride` columns around k * stride."""
    total = np.zeros(len(features))
    for k, feature in enumerate(features.T):
        low, high = (k - 0.5) * stride, (k + 0.5) * stride
        total += feature * max(0.0, min(end, high) - max(start, low))
    return total / (end - start)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), bounds=st.tuples(st.floats(0, 150), st.floats(1, 150)))
def test_a_fingerprint_is_the_mean_of_the_features_in_its_window(seed, bounds):
    network = new_encoder(2, 4, seed=0, time_strides=(1, 2, 1, 1))
    features = torch.rand(1, 16, 40, generator=torch.Generator().manual_seed(seed))
    start, end = bounds[0], bounds[0] + bounds[1]  # within the 40 * 8 columns
    with torch.inference_mode():
        found = network.fingerprints(features, torch.tensor([[start]]), torch.tensor([[end]]))[0, 0]
        mean = torch.from_numpy(integral(features[0].double().numpy(), 8, start, end)).float()
        expected = normalize(network.head(mean), dim=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_windows_of_whole_features_are_their_plain_means():
    network = new_encoder(2, 4, seed=0, time_strides=(1, 2, 1, 1))
    features = torch.rand(2, 16, 30, generator=torch.Generator().manual_seed(0))
    first, last = torch.tensor([[1, 7], [20, 3]]), torch.tensor([[5, 8], [30, 21]])
    with torch.inference_mode():
        found = network.fingerprints(features, (first - 0.5) * network.stride, (last - 0.5) * network.stride)
        for row in range(2):
            for window in range(2):
                part = features[row, :, first[row, window] : last[row, window]]
                plain = normalize(network.head(part.mean(dim=1)), dim=0)
                np.testing.assert_allclose(found[row, window], plain, atol=1e-5)


def test_the_seed_alone_decides_the_weights_and_torch_s_generator_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, same, other = (new_encoder(2, 4, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
