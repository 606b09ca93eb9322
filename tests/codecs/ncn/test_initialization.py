"""An untrained network is initialized as a transform codec: it codes images before any step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchmark.codecs.ncn.initialization import initialize, scale_latent
from benchmark.codecs.ncn.network import NCN
from benchmark.datasets.miniscapes.scene import draw_scene


@pytest.fixture(scope="module")
def images() -> Tensor:
    scenes = [draw_scene(seed).image for seed in range(4)]
    return torch.stack([torch.from_numpy(s).permute(2, 0, 1) for s in scenes]).float() / 255


def initialized(images: Tensor, channels: int = 64, hidden: int = 64) -> NCN:
    torch.manual_seed(0)
    network = NCN(channels, hidden)
    initialize(network, images)
    return network.eval()


def mean_squared_error(network: NCN, images: Tensor) -> float:
    return float((network(images).images - images).square().mean())


@torch.inference_mode()
def test_it_codes_images_before_the_first_step(images: Tensor) -> None:
    network = initialized(images[:2])
    latent = network.analysis(images[:2])
    assert latent.std() == pytest.approx(4, rel=0.1)
    hyper_latent = network.hyper_encoder(latent)
    assert hyper_latent.std() == pytest.approx(2, rel=1e-3)
    # scenes that it was not initialized on, at a rate that the distributions of y promise
    others = images[2:]
    coded = network(others)
    variance = float(others.var((0, 2, 3)).mean())
    assert mean_squared_error(network, others) < 0.15 * variance
    assert float(coded.bits_per_pixel) < 1
    # what blocks of 16 x 16 keep of as many principal components grows with their number
    assert mean_squared_error(initialized(images[:2], 96), others) < mean_squared_error(
        network, others
    )


def test_the_same_images_give_the_same_weights(images: Tensor) -> None:
    first, second = (initialized(images, 16, 16).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@torch.inference_mode()
def test_a_latent_that_is_scaled_means_the_same_and_costs_less(images: Tensor) -> None:
    network = initialized(images)
    log_gain = torch.linspace(math.log(0.25), 0, 64)
    gain = log_gain.exp()[:, None, None]
    latent = network.analysis(images)
    hyper_latent = network.hyper_encoder(latent)
    expected = network.latent_distribution(hyper_latent)
    decoded, bits = network.synthesis(latent), float(network(images).bits_per_pixel)
    in_training = network(images, None, log_gain)
    scale_latent(network, log_gain)
    scaled = network.analysis(images)
    close = {"rtol": 1e-4, "atol": 1e-4}
    assert torch.allclose(scaled, latent * gain, **close)
    assert torch.allclose(network.hyper_encoder(scaled), hyper_latent, **close)
    assert torch.allclose(network.synthesis(scaled), decoded, **close)
    now = network.latent_distribution(hyper_latent)
    assert torch.allclose(now.mean, expected.mean * gain, **close)
    small = expected.scale < 0.2
    assert (now.scale / (expected.scale * gain))[small].median() == pytest.approx(1, rel=0.1)
    coded = network(images)
    assert float(coded.bits_per_pixel) < 0.9 * bits
    assert float(coded.bits_per_pixel) == pytest.approx(float(in_training.bits_per_pixel), rel=1e-3)
    assert float((coded.images - in_training.images).abs().mean()) < 1e-3
