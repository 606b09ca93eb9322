"""The losses: what they are of equal images, where their gradients end, how they are summed."""

from __future__ import annotations

import pytest
import torch

from benchmark.analysis.mask_rcnn.network import MaskRcnn
from benchmark.analysis.targets import Objects
from benchmark.codecs.ncn.distortion import distortion, loss_weights, total
from benchmark.errors import UsageError


@pytest.fixture(scope="module")
def network() -> MaskRcnn:
    torch.manual_seed(0)
    return MaskRcnn(8, 8).eval().requires_grad_(False)


@pytest.fixture
def objects() -> list[Objects]:
    mask = torch.zeros(1, 64, 64, dtype=torch.uint8)
    mask[0, 10:40, 10:40] = 1
    box = torch.tensor([[10.0, 10.0, 40.0, 40.0]])
    return [Objects(box, torch.tensor([3]), mask, torch.zeros(64, 64, dtype=torch.bool))]


def test_features_of_equal_images_do_not_differ_and_those_of_grey_do(network, objects) -> None:
    measure = distortion(["feature"], network)
    images = torch.rand(1, 3, 64, 64)
    assert measure(images, images, objects)["feature"] == 0
    grey = measure(torch.full_like(images, 0.5), images, objects)["feature"]
    levels = network.features(images).levels
    assert len(levels) == 5  # the stem, P2 to P5
    expected = sum(
        float((a - b).square().sum() / b.square().sum())
        for a, b in zip(network.features(torch.full_like(images, 0.5)).levels, levels, strict=True)
    )
    assert float(grey) == pytest.approx(expected, rel=1e-5)


def test_the_analysis_network_sees_clamped_images_and_pixels_are_compared_as_they_are(
    network, objects
) -> None:
    images = torch.rand(1, 3, 64, 64)
    decoded = images.clone()
    decoded[..., :32] += 1  # outside [0, 1]
    decoded.requires_grad_(True)
    terms = distortion(["feature", "task"], network)(decoded, images, objects)
    total(terms, {"feature": 1.0, "task": 1.0}).backward()
    assert decoded.grad is not None
    outside = (decoded < 0) | (decoded > 1)
    assert outside.any() and not decoded.grad[outside].any()
    assert decoded.grad[~outside].any()
    hvs = distortion(["hvs"], network)(decoded, images, objects)["hvs"]
    assert hvs.item() == pytest.approx(255**2 / 2, rel=1e-5)


def test_sums_are_read_and_weighted() -> None:
    assert loss_weights("task") == {"task": 1}
    assert loss_weights("task:1, feature:0.5,hvs:0.002") == {"task": 1, "feature": 0.5, "hvs": 2e-3}
    terms = {"task": torch.tensor(2.0), "hvs": torch.tensor(100.0)}
    assert total(terms, {"task": 1, "hvs": 0.01}) == 3


@pytest.mark.parametrize(
    "text", ["", "mse", "task:0", "task:-1", "task:inf", "task:x", "task,task"]
)
def test_what_is_no_sum_of_losses_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not NAME or NAME:WEIGHT"):
        loss_weights(text)
