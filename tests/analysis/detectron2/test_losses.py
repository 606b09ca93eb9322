"""Detectron2's training losses without Detectron2.

``data/training_losses.npz`` was computed by Detectron2 itself (commit 02b5c4e2, one thread of a
CPU, torch 2.14.1, float32, for the gradient of the second batch again in float64; its settings
``Cityscapes/mask_rcnn_R_50_FPN.yaml`` with masks of pixels) with the weights, images and objects of
``seeded_detectron2.py``: six images of three sizes in three batches of two, the anchors and regions
that it drew after ``torch.manual_seed(BATCH)``, the five losses of each batch, and parts of the
gradient with respect to the images and of the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from seeded_detectron2 import blurred_noise, seeded_network, seeded_objects
from torch import Tensor

from benchmark.analysis.detectron2.losses import proposal_losses, region_losses
from benchmark.analysis.detectron2.network import Detectron2MaskRcnn
from benchmark.analysis.detectron2.sampling import (
    AnchorSample,
    RegionSample,
    sample_anchors,
    sample_regions,
)
from benchmark.analysis.targets import Objects
from benchmark.training.loop import computes_in_bfloat16

SIZES = ((64, 160), (96, 96), (70, 140))
LOSSES = ("objectness", "proposal", "class", "box", "mask")
LEVELS = ("p2", "p3", "p4", "p5", "p6")


@pytest.fixture(scope="module")
def expected() -> Mapping[str, NDArray[np.float64]]:
    with np.load(Path(__file__).parent / "data" / "training_losses.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def network() -> Detectron2MaskRcnn:
    return seeded_network()


def images_of(batch: int) -> Tensor:
    height, width = SIZES[batch]
    pixels = [
        blurred_noise(-(-height // 16) * 16, -(-width // 16) * 16, seed)[:height, :width]
        for seed in (2 * batch, 2 * batch + 1)
    ]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255


def objects_of(batch: int) -> list[Objects]:
    return [seeded_objects(*SIZES[batch], seed) for seed in (2 * batch, 2 * batch + 1)]


def drawn(
    expected: Mapping[str, NDArray[np.float64]], batch: int | str, image: int
) -> tuple[AnchorSample, RegionSample]:
    """The anchors and regions that Detectron2 drew."""

    def value(name: str, kind: torch.dtype) -> Tensor:
        return torch.from_numpy(expected[f"{batch}.{image}.{name}"]).to(kind)

    indices = [value(f"{name}_anchors", torch.int64) for name in ("object", "background")]
    anchors = AnchorSample(torch.cat(indices), value("anchor_boxes", torch.float32))
    return anchors, RegionSample(
        value("region_boxes", torch.float32),
        value("region_classes", torch.int64),
        value("region_objects", torch.int64),
    )


def losses_of(
    network: Detectron2MaskRcnn,
    images: Tensor,
    samples: list[tuple[AnchorSample, RegionSample]],
    objects: list[Objects],
) -> dict[str, Tensor]:
    features = network.features(images)
    predicted = network.proposal_generator.predict(features.levels)
    anchors = network.proposal_generator.anchors(predicted)
    chosen, regions = zip(*samples, strict=True)
    return {
        **proposal_losses(predicted, anchors, chosen),
        **region_losses(network.roi_heads, features.levels[:-1], regions, objects),
    }


@pytest.mark.parametrize("batch", range(3))
def test_losses_are_those_of_detectron2(
    network: Detectron2MaskRcnn, expected: Mapping[str, NDArray[np.float64]], batch: int
) -> None:
    samples = [drawn(expected, batch, image) for image in range(2)]
    with torch.inference_mode():
        losses = losses_of(network, images_of(batch), samples, objects_of(batch))
    assert tuple(losses) == LOSSES
    for name, wanted in zip(LOSSES, expected[f"{batch}.losses"], strict=True):
        assert float(losses[name]) == pytest.approx(wanted, rel=1e-4), name


@pytest.mark.parametrize(
    ("batch", "key"),
    [
        (1, "float64"),
        pytest.param(0, "0", marks=pytest.mark.long),
        pytest.param(2, "2", marks=pytest.mark.long),
    ],
)
def test_gradient_is_that_of_detectron2(
    expected: Mapping[str, NDArray[np.float64]], batch: int, key: str
) -> None:
    # ours in float64: where a ReLU's input is almost zero, rounding decides whether it passes a
    # gradient, in float32 on one processor otherwise than on another
    precision = torch.from_numpy(expected[f"{key}.gradient"]).dtype
    network = seeded_network().double()
    samples = [drawn(expected, key, image) for image in range(2)]
    images = images_of(batch).double().requires_grad_(True)
    losses = losses_of(network, images, samples, objects_of(batch))
    (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), images)
    largest = float(expected[f"{key}.gradient_largest"])
    allowed = 1e-6 if precision == torch.float64 else 1e-3
    assert float(gradient.abs().max()) == pytest.approx(largest, rel=allowed)
    found = gradient[:, :, 3::8, 3::8].numpy()
    assert np.abs(found - expected[f"{key}.gradient"]).max() < allowed * largest


@pytest.mark.parametrize("batch", range(3))
def test_features_are_those_of_detectron2_s_pyramid(
    network: Detectron2MaskRcnn, expected: Mapping[str, NDArray[np.float64]], batch: int
) -> None:
    with torch.inference_mode():
        levels = network.features(images_of(batch)).levels
    assert len(levels) == len(LEVELS)
    for name, level in zip(LEVELS, levels, strict=True):
        step = max(1, level.shape[-1] // 8)
        apart = np.abs(level[:, ::16, ::step, ::step].numpy() - expected[f"{batch}.{name}"]).max()
        assert apart < 1e-4 * expected[f"{batch}.{name}.largest"], name


def test_the_same_seed_draws_detectron2_s_anchors_and_regions(
    network: Detectron2MaskRcnn, expected: Mapping[str, NDArray[np.float64]]
) -> None:
    for batch in range(3):
        objects = objects_of(batch)
        with torch.inference_mode():
            features = network.features(images_of(batch))
            predicted = network.proposal_generator.predict(features.levels)
            proposals = network.proposal_generator.training_proposals(predicted, features.size)
        anchors = network.proposal_generator.anchors(predicted)
        torch.manual_seed(batch)
        chosen = [sample_anchors(anchors, its.boxes) for its in objects]
        regions = [sample_regions(*pair, 8) for pair in zip(proposals, objects, strict=True)]
        for image in range(2):
            its_anchors, its_regions = drawn(expected, batch, image)
            assert sorted(chosen[image].indices.tolist()) == sorted(its_anchors.indices.tolist())
            assert len(chosen[image].boxes) == len(its_anchors.boxes)
            found, wanted = regions[image], its_regions
            assert len(found.boxes) == len(wanted.boxes)
            # where two candidates of the pyramid are as good, rounding may take the other one
            apart = torch.cdist(wanted.boxes, found.boxes, p=torch.inf).amin(dim=1)
            assert (apart < 0.1).float().mean() > 0.9


def test_images_without_objects_have_losses(network: Detectron2MaskRcnn) -> None:
    objects = [
        Objects(its.boxes[:0], its.labels[:0], its.masks[:0], its.ignored) for its in objects_of(0)
    ]
    images = images_of(0).requires_grad_(True)
    torch.manual_seed(0)
    losses = network.losses(network.features(images), objects)
    assert {name for name, value in losses.items() if value == 0} == {"proposal", "box", "mask"}
    (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), images)
    assert gradient.isfinite().all() and gradient.abs().max() > 0


@pytest.mark.skipif(
    not computes_in_bfloat16("cpu"), reason="trainings do not compute in bfloat16 here: a minute"
)
def test_losses_in_bfloat16_are_near_those_in_float32(network: Detectron2MaskRcnn) -> None:
    objects, found = objects_of(0), []
    for enabled in (False, True):
        images = images_of(0).requires_grad_(True)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses = network.losses(network.features(images), objects)
        total = torch.stack([loss.float() for loss in losses.values()]).sum()
        (gradient,) = torch.autograd.grad(total, images)
        assert gradient.isfinite().all() and gradient.abs().max() > 0
        found.append(total.item())
    assert found[1] == pytest.approx(found[0], rel=0.1)
