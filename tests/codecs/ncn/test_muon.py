"""Muon steps along orthogonalized momentum, by a part of a kernel's norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.codecs.ncn.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(8, 200), (200, 8), (16, 16)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalized(torch.randn(shape)))
    assert values.max() < 1.3
    assert values.median() > 0.6


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 5), nn.ConvTranspose2d(4, 6, 5)])
def test_a_step_moves_a_kernel_by_a_part_of_its_norm_against_the_gradient(
    layer: nn.Conv2d | nn.ConvTranspose2d,
) -> None:
    before = layer.weight.detach().clone()
    bias = layer.bias
    assert bias is not None
    kept = bias.detach().clone()
    layer(torch.rand(1, 4, 16, 16)).square().sum().backward()
    gradient = layer.weight.grad
    assert gradient is not None
    Muon([layer], lr=0.01).step()
    moved = layer.weight.detach() - before
    assert moved.norm() / before.norm() == pytest.approx(0.01, rel=1e-4)
    assert (moved * gradient).sum() < 0
    assert torch.equal(bias, kept)
