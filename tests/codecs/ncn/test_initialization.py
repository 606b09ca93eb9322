"""An untrained network is initialized so that its latents carry information from the start."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.codecs.ncn.initialization import initialize
from benchmark.codecs.ncn.network import NCN
from benchmark.datasets.miniscapes.scene import draw_scene


@pytest.fixture(scope="module")
def images() -> Tensor:
    scenes = [draw_scene(seed).image for seed in range(2)]
    return torch.stack([torch.from_numpy(s).permute(2, 0, 1) for s in scenes]).float() / 255


def initialized(images: Tensor) -> NCN:
    torch.manual_seed(0)
    network = NCN(16)
    initialize(network, images)
    return network.eval()


@torch.inference_mode()
def test_latents_have_their_deviations_and_the_image_is_grey(images: Tensor) -> None:
    network = initialized(images)
    latent = network.analysis(images)
    assert latent.std() == pytest.approx(4, rel=1e-3)
    hyper_latent = network.hyper_encoder(latent)
    assert hyper_latent.std() == pytest.approx(2, rel=1e-3)
    expected = network.latent_distribution(torch.round(hyper_latent))
    assert expected.scale.mean() == pytest.approx(2, rel=0.05)
    assert abs(expected.mean.mean()) < 0.2
    assert network(images).images.mean() == pytest.approx(0.5, abs=0.02)
    # with torch's own initialization hardly any element is not rounded to zero
    assert (torch.round(latent) != 0).float().mean() > 0.5


def test_the_same_images_give_the_same_weights(images: Tensor) -> None:
    first, second = initialized(images).state_dict(), initialized(images).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
